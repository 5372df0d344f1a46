"""`fakenews data audit` and the short form after `data prepare` as a user runs them."""

import csv
import json

import pytest
from terminal_support import on_terminal, screen


def write_news(path, n=400, word="Zebra"):
    """The word stands in all fakes; nothing else tells."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["title", "text", "label", "source"])
        for i in range(n):
            words = [f"w{(i // 2 * 7 + k * k) % 211}" for k in range(40)]
            out.writerow([f"t{i * 5 % 97} t{i * 3 % 89} t{i}", " ".join(words + [word if i % 2 else "Horse"]), i % 2,
                          f"site {i // 2 % 9}"])
    return path


@pytest.fixture
def leaky(fakenews, tmp_path):
    write_news(tmp_path / "news.csv")
    done = fakenews("data", "prepare", "--input", "news.csv", "--out", "out", "data.near_duplicates=null")
    assert done.code == 0, done
    return done


def audit(fakenews, *arguments, code=0, **more):
    done = fakenews("data", "audit", *arguments, **more)
    assert done.code == code, done
    return done


def test_table_says_what_and_what_to_try(leaky, fakenews):
    done = audit(fakenews, "out", "--table")
    assert done.stderr == ""
    for part in ['the label can be read off the word "', "try data.rules=FILE", "Alone", "Together", "Overlap",
                 "Publishers  9 known", "without the best 1", "always the larger class of train"]:
        assert part in done.stdout, done
    assert not [line for line in done.stdout.splitlines() if len(line) > 80]
    assert "\033" not in done.stdout


def test_json_in_a_pipe_to_a_file_and_to_stdout(leaky, fakenews, tmp_path):
    piped = audit(fakenews, "out").stdout
    assert json.loads(piped)["level"] == "alarm" and piped.count("\n") == 1
    assert audit(fakenews, "out", "--json", "-").stdout == piped
    done = audit(fakenews, "out", "--json", "audit.json")
    assert "Verdict" in done.stdout and (tmp_path / "audit.json").read_text() == piped
    assert audit(fakenews, "out", "device.threads=1").stdout == piped == audit(fakenews, "out", "device.threads=3").stdout


def test_gate(leaky, fakenews):
    done = audit(fakenews, "out", "--fail-above", "0.9", code=4)
    assert json.loads(done.stdout)["worst_probe"] > 0.9
    assert "out: a single feature (word of the text) gives 1.000 of balanced accuracy, above 0.9" in done.stderr
    assert audit(fakenews, "out", "--fail-above", "1").stderr == ""


@pytest.mark.parametrize("arguments, message", [
    ([], "takes one folder"), (["a", "b"], "takes one folder"),
    (["out", "--fail-above", "0.3"], '--fail-above: "0.3" is not a balanced accuracy from 0.5 to 1'),
    (["out", "--fail-above", "nan"], "is not a balanced accuracy"), (["out", "--fail-above", "x"], "is not a balanced"),
    (["nowhere"], "nowhere"), (["out", "audit.train_rows=7"], "audit.train_rows"),
])  # fmt: skip
def test_bad_usage(leaky, fakenews, arguments, message):
    done = audit(fakenews, *arguments, code=2)
    assert message in done.stderr and done.stdout == ""


def test_json_that_cannot_be_written(leaky, fakenews, tmp_path):
    done = audit(fakenews, "out", "--json", "no/such/folder/x.json", code=2)
    assert "no/such/folder" in done.stderr and done.stdout == ""


def test_short_form_after_prepare(leaky, fakenews, tmp_path):
    assert 'Audit       the label can be read off the word "' in leaky.stdout
    assert "all of it: fakenews data audit out" in leaky.stdout and leaky.stdout.endswith("\nout\n")
    for arguments in (["--quiet"], ["audit.after_prepare=false"]):
        done = fakenews("data", "prepare", "--input", "news.csv", "--out", "out", "--replace", "data.near_duplicates=null",
                        *arguments)
        assert done.code == 0 and "Audit" not in done.stdout and done.stdout.endswith("out\n")


def test_a_set_that_cannot_be_audited_is_prepared_all_the_same(fakenews, tmp_path):
    write_news(tmp_path / "news.csv", 20)
    done = fakenews("data", "prepare", "--input", "news.csv", "--out", "out", "data.near_duplicates=null")
    assert done.code == 0 and "\nAudit       " in done.stdout and done.stdout.endswith("\nout\n")


def test_terminal_gets_a_table_in_its_width_and_colour(leaky, program, tmp_path):
    for columns, environment in ((110, {}), (80, {"NO_COLOR": "1"})):
        code, text = on_terminal([program, "data", "audit", "out"], tmp_path, columns, **environment)
        assert code == 0 and ("\033[31malarm" in text) == (environment == {})
        lines = screen(text.replace("\r\n", "\n").replace("\n", "\r\n"), columns)
        assert len(lines) == text.count("\n") + 1, "a line was wrapped"
        assert any("Verdict" in line for line in lines)
