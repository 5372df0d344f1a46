"""Help, versions and verbs that were mistyped: what someone reads who does not know the program yet."""

import re

import pytest
from terminal_support import on_terminal

VERBS = ["data audit", "data download", "data prepare", "data sample", "data stats", "train", "evaluate", "predict", "tokenize", "config show", "config options"]


def is_command(line):
    return line.startswith("  fakenews ") or line.startswith("  echo ")


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(fakenews, verb):
    done = fakenews(*verb.split(), "--help")
    assert done.code == 0 and done.stderr == "" and f"usage: fakenews {verb} " in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if not is_command(line)), done
    for flag in ("--config FILE", "-q, --quiet", "--color", "-h, --help"):
        assert flag in done.stdout
    titles = re.findall(r"^[A-Z][a-z ]+$", done.stdout, re.M)
    assert len(titles) == len(set(titles)), titles
    keys = [key for key in re.findall(r"^  ([a-z_.]+)=", done.stdout, re.M) if key != "preset"]  # one line per preset
    assert len(keys) == len(set(keys))
    assert fakenews("help", *verb.split()).stdout == done.stdout == fakenews("--help", *verb.split()).stdout


def test_help_shows_what_a_verb_reads(fakenews):
    """A setting that a verb does not read is not in its help."""
    assert "data.leave_out" not in fakenews("data", "prepare", "--help").stdout
    assert "data.leave_out" in fakenews("train", "--help").stdout
    assert "data.columns.label" not in fakenews("predict", "--help").stdout
    text = fakenews("train", "--help").stdout
    assert "preset=headline" in text and "preset=detector" in text
    assert "preset=" not in fakenews("registry", "list", "--help").stdout  # presets make data and trainings


def test_the_list_of_verbs_has_a_line_for_each(fakenews):
    lines = fakenews("--help").stdout.splitlines()
    shown = [line for line in lines if line.startswith("  ")]
    assert len(shown) > 40 and all(re.match(r"  [a-z]+( [a-z]+)?  +\S", line) and len(line) <= 80 for line in shown), shown


@pytest.mark.parametrize("columns", [40, 70, 100, 200])
def test_help_fits_the_terminal(program, tmp_path, columns):
    for verb in VERBS:
        code, text = on_terminal([program, *verb.split(), "--help"], tmp_path, columns)
        lines = [line.rstrip("\r") for line in text.split("\n")]
        words = {word for line in lines for word in line.split() if len(word) > columns - 8}
        assert code == 0
        for line in lines:
            assert len(line) <= min(columns, 100) or is_command(line) or words & set(line.split()), line


def test_groups_of_verbs(fakenews):
    asked = fakenews("data", "--help")
    assert asked.code == 0 and "data prepare" in asked.stdout and "train" not in asked.stdout
    assert fakenews("help", "data").stdout == asked.stdout
    bare = fakenews("data")
    assert bare.code == 2 and bare.stdout == "" and asked.stdout in bare.stderr


@pytest.mark.parametrize("words, meant", [
    ("trian", "train"), ("prepare", "data prepare"), ("data prepar", "data prepare"), ("stats", "data stats"),
    ("data stat d", "data stats"), ("confg", "config"), ("config option", "config options"), ("help predcit", "predict")])
def test_mistyped_verb(fakenews, words, meant):
    done = fakenews(*words.split())
    assert done.code == 2 and done.stdout == "" and f"did you mean `fakenews {meant}`?" in done.stderr


@pytest.mark.parametrize("words, told", [
    ("frobnicate", "unknown verb \"frobnicate\"; `fakenews --help` lists the verbs"),
    ("data frobnicate", "unknown verb \"data frobnicate\"; `fakenews data --help` lists the verbs"),
    ("--verbose", "unknown flag \"--verbose\"; `fakenews --help` lists what is accepted")])
def test_no_such_verb(fakenews, words, told):
    done = fakenews(*words.split())
    assert done.code == 2 and done.stderr == f"fakenews: {told}\n"


def test_flag_that_is_a_setting(fakenews):
    done = fakenews("serve", "--port", "9000")
    assert done.code == 2 and "unknown flag --port; did you mean the setting serve.port=…?" in done.stderr
    for flag in ("--batch-size", "--batch_size=8"):
        assert "did you mean the setting train.batch_size=…?" in fakenews("train", "--data", "d", flag).stderr
    assert "unknown flag --frobnicate; settings are written key=value" in fakenews("train", "--frobnicate").stderr


def test_version(fakenews):
    done = fakenews("--version")
    assert done.code == 0 and re.match(r"fakenews \d+\.\d+\.\d+ \(", done.stdout)
    assert fakenews("-V").stdout == fakenews("version").stdout == done.stdout


def test_config_options_by_prefix(fakenews):
    done = fakenews("config", "options", "train.l", "eval.seed")
    assert done.code == 0 and "train.learning_rate=" in done.stdout and "eval.seed=" in done.stdout
    assert "train.epochs" not in done.stdout
    missing = fakenews("config", "options", "eval.", "nope")
    assert missing.code == 2 and 'no setting begins with "nope"' in missing.stderr and missing.stdout == ""
    assert fakenews("config", "options", "--markdown", "train.").code == 2
