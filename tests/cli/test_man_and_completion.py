"""`fakenews help`: the manual page and the completions, made of the tables of verbs and options, judged by the programs
that read them (mandoc, groff, bash, zsh, fish)."""

import re
import shlex
import subprocess

import pytest


@pytest.fixture(scope="module")
def page(program, tmp_path_factory):
    path = tmp_path_factory.mktemp("man") / "fakenews.1"
    path.write_bytes(subprocess.run([program, "help", "--man"], capture_output=True, check=True).stdout)
    return path


@pytest.fixture(scope="module")
def scripts(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("completion")
    for shell in ("bash", "zsh", "fish"):
        done = subprocess.run([program, "help", "--completion", shell], capture_output=True, check=True)
        (folder / shell).write_bytes(done.stdout)
    return folder


def test_help_and_its_errors(fakenews):
    for arguments in (["--completion", "ksh"], ["--completion"], ["--men"], ["--man", "x"]):
        done = fakenews("help", *arguments)
        assert done.code == 2 and "bash" in done.stderr and done.stdout == "", done


def test_manual_page_is_clean(page):
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "", done.stdout[:2000]
    done = subprocess.run(["groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z", page], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr[:2000]


def test_manual_page_names_everything(fakenews, page):
    done = subprocess.run(["mandoc", "-Tutf8", "-Owidth=100", page], capture_output=True, text=True, check=True)
    text = re.sub(".\b", "", done.stdout)
    verbs = re.findall(r"^  ([a-z]+(?: [a-z]+)?)(?:  +\S|$)", fakenews("--help").stdout, re.MULTILINE)
    assert len(verbs) >= 8
    for verb in verbs:
        assert f"fakenews {verb} " in text, verb
        for flag in re.findall(r"^  (--?[a-z-]+)", fakenews(*verb.split(), "--help").stdout, re.MULTILINE):
            assert flag in text, (verb, flag)
    for key in re.findall(r"^\| `([a-z0-9_.]+)`", fakenews("config", "options", "--markdown").stdout, re.MULTILINE):
        assert key in text, key
    for part in ("EXIT STATUS", "128+n", "FAKENEWS_GROUP_KEY", "[LABEL:]FILE", "data.label_map={true:real"):
        assert part in text, part


# What is typed → what must be offered, and what must not.
CASES = [
    ("fakenews ", {"data", "train", "predict", "config"}, {"prepare", "--model"}),
    ("fakenews da", {"data"}, {"train"}),
    ("fakenews data ", {"prepare", "stats", "sample"}, {"train", "show"}),
    ("fakenews data pre", {"prepare"}, {"stats"}),
    ("fakenews data prepare --", {"--input", "--out", "--replace"}, {"--model"}),
    ("fakenews predict --f", {"--format"}, {"--text", "--out"}),
    ("fakenews predict --format ", {"table", "jsonl", "csv"}, {"data.text="}),
    ("fakenews predict --format j", {"jsonl"}, {"csv"}),
    ("fakenews predict --on-error ", {"record", "null", "fail"}, set()),
    ("fakenews predict data.te", set(), {"data.text="}),
    ("fakenews data prepare data.te", {"data.text="}, {"data.split="}),
    ("fakenews data prepare --input x.csv data.spl", {"data.split="}, {"train.epochs="}),
    ("fakenews train train.ep", {"train.epochs="}, set()),
    ("fakenews data prepare --out d", {"dir/"}, {"data.text="}),
    ("fakenews predict x", {"x.csv"}, {"dir/"}),
]  # fmt: skip
VALUES = [("fakenews data prepare data.encoding=", {"auto", "utf-8", "utf-16", "windows-1252"}),
          ("fakenews data prepare data.split=g", {"group", "given"}),
          ("fakenews data prepare data.near_duplicates=", {"null"})]


def offered_by_bash(scripts, folder, line):
    code = f"""source {shlex.quote(str(scripts))}/bash
COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}
_fakenews
printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "--norc", "-u", "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return {word + "/" if (folder / word).is_dir() and word else word for word in done.stdout.splitlines() if word}


def offered_by_zsh(scripts, folder, line):
    """The function itself, with the builtins that only exist inside the line editor replaced by ones that print."""
    code = f"""compdef() {{ : }}
source {shlex.quote(str(scripts))}/zsh
prefix=
compset() {{ prefix=yes }}
_files() {{ [[ $1 = -/ ]] && print -l -- *(N/) || print -l -- *(N) }}
compadd() {{ while [[ $1 != -- ]]; do shift; done; shift; print -l -- "$@" }}
words=({line} {"''" if line.endswith(" ") else ""}) CURRENT=${{#words}}
_fakenews"""
    done = subprocess.run(["zsh", "-f", "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    current = line.split(" ")[-1].split("=")[-1]
    words = {word + "/" if (folder / word).is_dir() and word else word for word in done.stdout.splitlines()}
    return {word for word in words if word.startswith(current)}


def offered_by_fish(scripts, folder, line):
    code = f"source {shlex.quote(str(scripts))}/fish; complete -C {shlex.quote(line)}"
    done = subprocess.run(["fish", "--no-config", "-c", code], capture_output=True, text=True, cwd=folder,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(folder)})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return {word.split("\t")[0] for word in done.stdout.splitlines()}


OFFERED = {"bash": offered_by_bash, "zsh": offered_by_zsh, "fish": offered_by_fish}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "x.csv").write_text("")
    (tmp_path / "dir").mkdir()
    return tmp_path


@pytest.mark.parametrize("shell", OFFERED)
@pytest.mark.parametrize("line, some, others", CASES, ids=[case[0] for case in CASES])
def test_completion(scripts, folder, shell, line, some, others):
    got = OFFERED[shell](scripts, folder, line)
    assert some <= got and not others & got, got


@pytest.mark.parametrize("shell", OFFERED)
@pytest.mark.parametrize("line, values", VALUES)
def test_completion_of_values(scripts, folder, shell, line, values):
    got = OFFERED[shell](scripts, folder, line)
    key = line.split()[-1].split("=")[0] + "="
    if shell == "fish":  # always offers files too, also behind the =, and the setting without a value
        got = {word for word in got if word.startswith(key)} - {key, key + "x.csv", key + "dir/"}
    assert {word.removeprefix(key) for word in got} == values
