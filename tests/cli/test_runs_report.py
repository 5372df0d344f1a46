"""`fakenews runs report`: a page that says of real trainings what the store and the run folders say of them."""

import json
import math
import os
import re
import shutil
import sqlite3
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from train_support import TINY, bare_environment, prepare, wait_for

REPO = Path(__file__).resolve().parents[2]
FAULT = Path(os.environ.get("FN_TOOLS", REPO / "build/dev/tests/tools")).resolve() / "libfault.so"
HOSTILE = """</script><script>alert(1)</script>"'><img src=x onerror=alert(1)>"""
RUNS = {"low": ["--init", "scratch", *TINY, "train.log_every=1"],
        "high": ["--init", "scratch", *TINY, "train.learning_rate=5e-3", f"track.tags={{mlflow.note.content: {json.dumps(HOSTILE)}}}"],
        "words": ["family=linear"]}


class Page(HTMLParser):
    """Tags, ids, links and text of a page; the data block parsed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.words, self.block, self.data, self.hidden = [], [], [], [], None, None, None
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs["href"]] if tag == "a" else []
        self.block = tag if tag in ("script", "style") else None
        if tag == "script" and attrs.get("type") == "application/json":
            self.block = "data"

    def handle_data(self, data):
        if self.block == "data":
            self.data = json.loads(data)
        elif self.block is None:
            self.words.append(data)

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.block = None


@pytest.fixture(scope="module")
def tracked(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    data = prepare(program, folder, REPO / "examples/news.csv")
    for name, arguments in RUNS.items():
        done = subprocess.run([program, "train", "--data", data, "--out", folder / name, *arguments], capture_output=True, text=True,
                              cwd=folder, env=bare_environment(folder))
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def report(fakenews, tracked):
    def call(*arguments, code=0, **more):
        done = fakenews("runs", "report", *arguments, cwd=tracked, **more)
        assert done.code == code, done
        return done
    return call


@pytest.fixture
def page(report):
    return Page(report("low", "high", "words", "--out", "-").stdout)


def test_what_differs_is_no_matter_of_the_family(page, fakenews, tracked):
    low, high, words = (run["params"] for run in page.data["runs"])
    assert set(low) == set(high) and low["train.learning_rate"] != high["train.learning_rate"]
    assert set(words) == {"family", "name"} & set(low) and "train.learning_rate" not in words
    assert not {"train.epochs", "model.head_size", "parameters", "linear.c_grid"} & set(low)
    (store,) = map(json.loads, fakenews("runs", "list", "--filter", "run_name = 'words'", cwd=tracked).stdout.splitlines())
    assert {k for k in store["params"] if k.startswith("train.")} == {"train.class_weights", "train.sampling"}  # all that it reads


def test_page_says_what_the_store_says(page, fakenews, tracked):
    listed = {r["name"]: r for r in map(json.loads, fakenews("runs", "list", cwd=tracked).stdout.splitlines())}
    assert [(r["letter"], r["name"]) for r in page.data["runs"]] == [("A", "low"), ("B", "high"), ("C", "words")]
    for run in page.data["runs"]:
        store = listed[run["name"]]
        result = json.loads((tracked / run["name"] / "result.json").read_text())
        assert run["id"] == store["run_id"] and run["status"] == "FINISHED"
        assert run["metrics"] == store["metrics"]
        told = {**page.data["shared_params"], **run["params"]}
        assert told.items() >= store["params"].items()
        for key in told.keys() - store["params"].keys():
            assert key.startswith("linear.") == (run["name"] != "words"), "what the other family of models has"
        assert run["best_step"] == result["best_step"]
        assert run["confusion"]["test"] == sum(result["test"]["confusion"], [])
        assert run["score"] == result["val"]["loss"], "the figure of the model that was kept"
    best = min(page.data["runs"], key=lambda r: r["score"])
    assert f"Best: {best['letter']} {best['name']} with val/loss" in page.text and "(lower is better)" in page.text


def test_curves_are_the_run_folders(page, tracked):
    rows = [json.loads(line) for line in (tracked / "low/metrics.jsonl").read_text().splitlines()]
    for key in ("train/loss", "train/learning_rate", "val/loss", "val/accuracy"):
        said = next(c for c in page.data["curves"][key] if c["run"] == 0)
        kept = [(r["step"], r[key]) for r in rows if key in r]
        assert said["x"] == [s for s, _ in kept], key
        assert all(math.isclose(a, b, rel_tol=1e-5) for a, (_, b) in zip(said["y"], kept)), key
    assert all(f"{key}" in page.text for key in page.data["curves"])
    times = [c["x"] for key, curves in page.data["curves"].items() if key.startswith("system/") for c in curves]
    assert times and all(x == sorted(x) and 0 <= x[0] <= x[-1] < 60 for x in times if x), "seconds, not steps"


def test_accuracy_never_stands_alone(page, report):
    """Wilson's interval, the majority and the linear run beside it; where they are missing, words."""
    for words in ("95 % interval", "by rows", "majority baseline", "is linear itself", "run C", "calibration error", "No set was left out"):
        assert words in page.text, words
    right, n = (lambda c: (c[0] + c[3], sum(c)))(page.data["runs"][0]["confusion"]["test"])
    z, p = 1.959963984540054, right / n
    middle, half = (p + z * z / (2 * n)) / (1 + z * z / n), z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (f"{v:.4g}" for v in (max(0, middle - half), min(1, middle + half)))
    assert f"{low} … {high}" in page.text
    assert "no linear run on this data here" in Page(report("low", "--out", "-").stdout).text


def test_stands_alone(page, report):
    text = report("low", "high", "--out", "-").stdout
    assert page.tags.count("script") == 2 and not {"img", "link", "iframe", "object", "base", "form"} & set(page.tags)
    assert len(page.ids) == len(set(page.ids))
    assert "default-src 'none'" in text and "http://" not in text.replace("http://www.w3.org/2000/svg", "") and "https://" not in text
    assert HOSTILE in page.text and "<script>alert" not in text


def test_links_lead_to_the_files(report, tracked, tmp_path):
    (tracked / "deep er").mkdir(exist_ok=True)
    for out in (tracked / "page.html", tracked / "deep er/page.html", tmp_path / "page.html"):
        report("low", "--out", str(out))
        links = [a for a in Page(out.read_text()).links if not a.startswith("#")]
        found = [(out.parent / unquote(a)).resolve() for a in links]
        assert tracked / "low/config.yaml" in found and all(f.is_file() for f in found) and not any(":" in a for a in links)
    kept = tracked / "low"
    kept.rename(tracked / "gone")  # the store still has them
    try:
        out = tmp_path / "again.html"
        report("low", "--out", str(out))
        found = [(out.parent / unquote(a)).resolve() for a in Page(out.read_text()).links if not a.startswith("#")]
        assert found and all(f.is_file() and "sha256" in f.parts for f in found)
    finally:
        (tracked / "gone").rename(kept)


def test_versions_of_the_registry(fakenews, tracked, tmp_path):
    """The version that came of a run is its lineage, and its card has an interval over publishers."""
    store = tmp_path / "copy"
    shutil.copytree(tracked / "runs", store)
    place = [f"track.url={store / 'tracking.db'}", f"track.artifacts={store / 'artifacts'}"]
    done = fakenews("registry", "add", "words", "--name", "news", "registry.gate_min=0", *place)
    assert done.code == 0 and fakenews("registry", "alias", "news@best", "1", *place).code == 0, done
    page = Page(fakenews("runs", "report", "words", "low", "--out", "-", *place).stdout)
    card = json.loads(sqlite3.connect(store / "tracking.db").execute("SELECT card FROM registry_versions").fetchone()[0])
    low, high = card["figures"]["systems"][0]["metrics"]["intervals"]["accuracy"]
    assert "models:/news/1 (best)" in page.text
    assert f"{low:.4g} … {high:.4g} of models:/news/1, by publishers" in page.text and "by rows" in page.text


def test_disk_full_keeps_the_page_that_was(report, tmp_path):
    out = tmp_path / "page.html"
    out.write_text("old")
    done = report("low", "--out", str(out), code=1, env={
        "LD_PRELOAD": str(FAULT), "FN_FAULT_IO": "1", "FN_FAULT_PATH": "page.html", "FN_FAULT_CALLS": "write", "FN_FAULT_ERROR": "ENOSPC",
        "FN_FAULT_FOR_GOOD": "1", "ASAN_OPTIONS": "verify_asan_link_order=0"})
    assert "No space left" in done.stderr and out.read_text() == "old" and list(tmp_path.iterdir()) == [out]


def test_runs_by_filter_and_ranking(report, tracked):
    data = Page(report("--filter", "params.family = 'bert'", "--metric", "test/accuracy", "--out", "-").stdout).data
    assert [r["name"] for r in data["runs"]] == ["high", "low"] and (data["metric"], data["direction"]) == ("test/accuracy", "higher")
    page = Page(report("--metric", "train/learning_rate", "--out", "-", "--title", HOSTILE).stdout)
    assert page.data["direction"] is None and "No run is called best" in page.text and HOSTILE in page.text
    assert Page(report("--metric", "train/learning_rate", "--best", "lower", "--max", "2", "--out", "-").stdout).data["direction"] == "lower"


def test_a_run_that_was_interrupted_says_so(fakenews, program, tracked, tmp_path):
    command = [program, "train", "--data", tracked / "data", "--out", "run", *RUNS["low"], "train.epochs=4000", "track.flush_ms=10"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=bare_environment(tmp_path))

    def n_points():
        shown = fakenews("runs", "show", "run", "--json")
        return json.loads(shown.stdout)["metrics"].get("train/loss", {}).get("points", 0) if shown.code == 0 else 0

    wait_for(lambda: n_points() > 1)  # a single one is no curve
    process.kill()
    process.wait()
    done = fakenews("runs", "report", "run", "--out", "-")
    assert done.code == 0, done
    page = Page(done.stdout)
    assert page.data["runs"][0]["status"] == "INTERRUPTED" and page.data["curves"]["train/loss"]
    assert "INTERRUPTED , 1 run: the process was gone" in page.text and "No run was tested" in page.text


@pytest.mark.parametrize("arguments, words", [
    (["nosuch", "--out", "x.html"], 'no run "nosuch"'),
    (["low", "--out", "no/where/x.html"], "--out: no/where/: No such file or directory"),
    (["low", "--out", "x.html", "--metric", "val/none"], '--metric: none of these runs has "val/none"'),
    (["low", "--out", "x.html", "--best", "faster"], "lower"),
    (["--out", "x.html", "--max", "0"], "--max"),
    (["--out", "x.html", "--max", "501"], "1 to 500"),
    (["low", "--filter", "x", "--out", "x.html"], "not both"),
    (["--out", "x.html", "--filter", "metrics.a > 1e9"], "no run fits"),
    (["--out", "x.html", "--filter", "((("], "filter"),
    (["low"], "--out"),
    (["low", "--out", "x.html", "track.url=nothing.db"], "nothing.db"),
])
def test_refusals(report, tracked, arguments, words):
    done = report(*arguments, code=2)
    assert words in done.stderr and not (tracked / "x.html").exists() and not list(tracked.glob("x.html*"))


def test_page_appears_whole(report, tracked, tmp_path):
    out = tmp_path / "page.html"
    out.write_text("old")
    done = report("latest", "--out", str(out))
    assert re.search(r"page\.html: 1 run, [\d.]+ kB; it stands alone", done.stderr) and done.stdout == ""
    assert out.read_text().endswith("</html>\n") and list(tmp_path.iterdir()) == [out]
    assert Page(out.read_text()).data["runs"][0]["name"] == "words"


def test_damaged_result_is_a_warning(report, tracked, tmp_path):
    store = tmp_path / "copy"
    shutil.copytree(tracked / "runs", store)
    digest = subprocess.run(["sha256sum", tracked / "low/result.json"], capture_output=True, text=True, check=True).stdout[:64]
    path = store / "artifacts/sha256" / digest[:2] / digest
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b'"n_steps"', b'"N_STEPS"'))
    done = report("low", "--out", "-", f"track.url={store / 'tracking.db'}", f"track.artifacts={store / 'artifacts'}")
    assert "result.json cannot be read, so its confusion matrices are missing" in done.stderr
    page = Page(done.stdout)
    assert page.data["runs"][0]["confusion"] == {} and page.data["runs"][0]["best_step"] > 0, "found by val/loss"
