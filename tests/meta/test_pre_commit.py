""".pre-commit-config.yaml holds local hooks only, and each runs a command that is there."""

import re
import shutil

import pytest
from meta.source import REPO

yaml = pytest.importorskip("yaml")


def hooks():
    repos = yaml.safe_load((REPO / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    return repos[0]["hooks"]


def test_hooks_are_local_commands():
    assert {hook["id"] for hook in hooks()} == {"format", "options", "meta"}
    for hook in hooks():
        assert hook["language"] == "system" and hook["name"]
        for word in re.findall(r"(?:tools|tests)/[\w.]+", hook["entry"]) or [hook["entry"].split()[0]]:
            installed = word in (REPO / "tools/deps.sh").read_text().split()  # by `make check`, not by `make test`
            assert (REPO / word).exists() or installed or shutil.which(word), word


def test_patterns_match_files_that_are_there():
    (options,) = [hook for hook in hooks() if hook["id"] == "options"]
    assert re.search(options["files"], "src/data/options.c") and re.search(options["files"], "docs/options.md")
    assert not re.search(options["files"], "src/data/input.c")
