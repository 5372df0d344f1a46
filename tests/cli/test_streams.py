"""Standard streams that are full, closed or not there, and outputs that are devices, pipes or links."""

import os
import subprocess

import pytest
from infer_support import make_models, write_csv
from train_support import bare_environment


@pytest.fixture(scope="module")
def linear(program, tmp_path_factory):
    return make_models(program, tmp_path_factory.mktemp("models"))[1]["linear"]


def sh(command, folder):
    return subprocess.run(command, shell=True, capture_output=True, text=True, cwd=folder, env=bare_environment(folder),
                          timeout=240)


@pytest.mark.parametrize("verb", ["--help", "--version", "train --help", "config options", "config show"])
@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
def test_text_that_nobody_gets_is_a_failure(program, tmp_path, verb, where):
    done = sh(f"'{program}' {verb} {where}", tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("fakenews: standard output: "), done


def test_remarks_never_end_up_in_an_output(program, linear, tmp_path):
    """With descriptors 0 to 2 closed, the first file opened would become standard error."""
    path = write_csv(tmp_path / "a.csv", [["title", "text"]] + [[f"moon {i}", f"rented {i}"] for i in range(20)])
    wanted = sh(f"'{program}' predict --model '{linear}' '{path}' --format jsonl", tmp_path)
    assert wanted.returncode == 0 and wanted.stdout
    done = sh(f"'{program}' predict --model '{linear}' '{path}' --format jsonl -o out.jsonl <&- >&- 2>&-", tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "out.jsonl").read_text() == wanted.stdout


def test_devices_pipes_and_links_stay_what_they_are(program, linear, tmp_path):
    ask = f"'{program}' predict --model '{linear}' --text moon"
    answer = sh(ask, tmp_path).stdout
    assert answer.startswith('{"row": 0')
    os.mkfifo(tmp_path / "pipe")
    done = sh(f"cat pipe & {ask} -o pipe; wait", tmp_path)
    assert done.returncode == 0 and done.stdout == answer
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    assert sh(f"{ask} -o link", tmp_path).returncode == 0
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_text() == answer
    done = sh(f"(echo before; {ask} -o /dev/stdout; echo after) >log", tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "log").read_text() == f"before\n{answer}after\n"


def test_outputs_that_are_folders(fakenews, linear, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    for path, part in [("folder", "a folder; the name of a file is accepted"), ("file/x", "Not a directory"),
                       ("nowhere/x", "No such file")]:
        done = fakenews("predict", "--model", linear, "--text", "moon", "-o", path)
        assert done.code == 2 and f"{path}: " in done.stderr and part in done.stderr, done
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_empty_arguments(fakenews, linear, tmp_path):
    """A variable that was not set is named, not taken for a file without a name."""
    for arguments, part in [(["train", "--data", "d", "--init", "scratch", "--out", ""], "--out is empty; RUN is expected"),
                            (["data", "prepare", "--out", "d", "--input", ""], "--input is empty"),
                            (["data", "prepare", "--out", "d", "--input", "a.csv", ""], "--input is empty"),
                            (["predict", "--model", "", "--text", "a"], "--model is empty; FILE|DIR is expected"),
                            (["predict", "--model", linear, ""], "an argument is empty"),
                            (["data", "stats", ""], "an argument is empty")]:
        done = fakenews(*arguments)
        assert done.code == 2 and part in done.stderr, done
    assert list(tmp_path.iterdir()) == []
