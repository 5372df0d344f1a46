"""Every fenced ```sh block of the README and the docs runs.

Blocks of one document run in order in one scratch copy of the tracked files, where build/release/fakenews is the program
under test; each with `bash -euo pipefail`. Lines that begin with `make` are run as `make -n` (the target exists; make
test, judge and demo are run by .ci/run). A block marked ```console is only shown; so is a ```sh block after a line
`<!-- not run: REASON -->`."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from meta.source import REPO, tracked

FENCE = re.compile(r"^(?P<skip><!-- not run: .+? -->\n+)?```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
LANGUAGES = {"sh", "console", "c", "json", "yaml", "csv", "text", "python", "cmake", ""}


def documents():
    return [p for p in tracked() if p.suffix == ".md" and (len(p.parts) == 1 or p.parts[0] in ("docs", "examples", "src"))]


def blocks(text):
    for match in FENCE.finditer(text):
        assert match["language"] in LANGUAGES, f"unknown language of a fenced block: {match['language']}"
        if match["language"] == "sh" and not match["skip"]:
            yield re.sub(r"^make\b", "make -n", match["body"], flags=re.MULTILINE)


def run_blocks(texts, folder, path):
    for body in texts:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", body], cwd=folder, capture_output=True, text=True,
                              timeout=120, env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}", "HOME": str(folder),
                                                "FAKENEWS_SERVE_PORT": "0"})  # 8080 may be somebody's
        assert done.returncode == 0, f"exit code {done.returncode} from\n{body}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("document", documents(), ids=str)
def test_commands_of_document_run(document, program, tmp_path):
    commands = list(blocks((REPO / document).read_text()))
    if not commands:
        return
    for path in tracked():
        copy = tmp_path / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPO / path, copy)
    release = tmp_path / "build/release"
    release.mkdir(parents=True)
    (release / "fakenews").symlink_to(program)
    run_blocks(commands, tmp_path, release)


def test_failing_block_is_noticed(tmp_path):
    with pytest.raises(AssertionError):
        run_blocks(blocks("```sh\nfalse\ntrue\n```\n"), tmp_path, tmp_path)
    assert not list(blocks("```console\nfalse\n```\n<!-- not run: an hour -->\n```sh\nfalse\n```\n"))
    assert list(blocks("text\n\n```sh\nmake demo\n```\n")) == ["make -n demo\n"]


def test_links_between_documents_lead_somewhere():
    lost = []
    for path in documents():
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", (REPO / path).read_text()):
            if not (REPO / path.parent / target).exists():
                lost.append(f"{path}: {target}")
    assert not lost, lost


def test_table_of_targets_is_complete():
    """CONTRIBUTING's table names every target of the menu."""
    menu = subprocess.run(["make", "-C", REPO, "--no-print-directory", "help"], capture_output=True, text=True, check=True)
    targets = [line.split()[1] for line in menu.stdout.splitlines() if line.startswith("  make ")]
    text = (REPO / "CONTRIBUTING.md").read_text()
    assert len(targets) > 10
    assert not [t for t in targets if f"`make {t}`" not in text]


def test_corpus_is_what_its_readme_says():
    import csv

    rows = list(csv.DictReader((REPO / "examples/news.csv").open(newline="", encoding="utf-8")))
    assert list(rows[0]) == ["title", "text", "label", "source"]
    labels = [row["label"] for row in rows]
    assert (labels.count("real"), labels.count("fake"), len(rows)) == (73, 72, 145)
    assert len({row["source"] for row in rows}) == 12
    assert all(6 <= len(row["title"].split()) <= 14 and 60 <= len(row["text"].split()) <= 120 for row in rows)
    assert sum("\n" in row["text"] for row in rows) == 8 and len({row["text"] for row in rows}) == 144
    assert len(list(Path(REPO / "examples/articles").glob("*.txt"))) == 3
