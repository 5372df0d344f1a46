"""A training is a run of the local store: what it writes, and what `fakenews runs` says of it."""

import contextlib
import csv
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest
from log_support import postgres
from terminal_support import on_terminal
from train_support import TINY, bare_environment, metrics, overwrite_tensor, prepare, same_tree, wait_for, write_corpus

UNIT = Path(os.environ.get("FN_TOOLS", "build/dev/tests/tools")).resolve().parent / "unit"
FAULT = UNIT.parent / "tools/libfault.so"
TRAIN = ["--init", "scratch", *TINY, "train.save_every=3", "train.evaluate_every=7"]


@pytest.fixture(scope="module")
def data(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    return prepare(program, folder, write_corpus(folder / "news.csv"))


@pytest.fixture(scope="module")
def tracked(program, data, tmp_path_factory):
    """Folder with two runs: "one", and "two" with another learning rate."""
    folder = tmp_path_factory.mktemp("tracked")
    (folder / ".git").mkdir()
    (folder / ".git/HEAD").write_text("0123456789abcdef0123456789abcdef01234567\n")
    for name, more in (("one", ["track.tags={team: desk, note: ''}"]), ("two", ["train.learning_rate=5e-4", "track.experiment=second"])):
        done = subprocess.run([program, "train", "--data", data, "--out", name, *TRAIN, *more], capture_output=True, text=True,
                              cwd=folder, env=bare_environment(folder, USER="ann", FAKENEWS_NET_HTTP_PROXY="http://u:s3cr3t@h:1"))
        assert done.returncode == 0 and "track" not in done.stderr, done.stderr
    return folder


@pytest.fixture
def runs(fakenews, tracked):
    def call(*arguments, code=0, **more):
        done = fakenews("runs", *arguments, cwd=tracked, **more)
        assert done.code == code, done
        return done
    return call


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_training_is_a_run(runs, tracked, data):
    run = lines(runs("list", "--filter", "run_name = 'one'"))[0]
    folder = tracked / "one"
    assert run["run_id"] == json.loads((folder / "track/run.json").read_text())["id"] and len(run["run_id"]) == 32
    assert (run["status"], run["user"], run["experiment"], run["folder"]) == ("FINISHED", "ann", "Default", str(folder))
    assert run["params"]["train.learning_rate"] == "1e-3" and run["params"]["train.freeze"] == "none"
    assert run["params"]["rows.train"] == str(json.loads((folder / "run.json").read_text())["rows"]["train"])
    tags = run["tags"]
    assert tags["team"] == "desk" and tags["mlflow.runName"] == "one" and tags["mlflow.user"] == "ann"
    assert tags["mlflow.source.git.commit"] == "0123456789abcdef0123456789abcdef01234567"
    assert tags["fakenews.data.hash"] == json.loads((folder / "run.json").read_text())["identity"]["data"]
    assert tags["fakenews.command"].startswith("fakenews train --data ") and "track.tags={team: desk, note: ''}" in tags["fakenews.command"] and tags["note"] == ""
    result = json.loads((folder / "result.json").read_text())
    assert tags["fakenews.best_step"] == str(result["best_step"])
    logged = [m for m in metrics(folder) if "val/loss" in m or "val" in m]
    assert run["metrics"]["test/loss"] == pytest.approx(result["test"]["loss"], rel=1e-12)
    assert logged and "val/roc_auc" in run["metrics"]


def test_every_step_is_kept(runs, tracked):
    shown = json.loads(runs("show", "one", "--json").stdout)
    steps = json.loads((tracked / "one/result.json").read_text())["n_steps"]
    for key in ("train/loss", "train/learning_rate", "train/gradient_norm", "train/tokens_per_second"):
        assert shown["metrics"][key]["points"] == steps and shown["metrics"][key]["step"] == steps
    assert shown["metrics"]["system/process_cpu_utilization_percentage"]["last"] >= 0


def test_files_of_a_run(runs, tracked):
    shown = json.loads(runs("show", "one", "--json").stdout)
    files = {a["path"]: a for a in shown["artifacts"]}
    assert {"config.yaml", "run.json", "metrics.jsonl", "result.json", "data/prepare.json", "model/config.json"} <= set(files)
    for path, artifact in files.items():
        kept = tracked / "runs/artifacts/sha256" / artifact["sha256"][:2] / artifact["sha256"]
        assert kept.stat().st_size == artifact["bytes"]
        if not path.startswith("data/"):
            assert kept.read_bytes() == (tracked / "one" / path).read_bytes()


def test_same_content_is_kept_once(tracked):
    with sqlite3.connect(tracked / "runs/tracking.db") as database:
        rows = database.execute("SELECT count(*), count(DISTINCT sha256) FROM artifacts").fetchone()
    stored = [p for p in (tracked / "runs/artifacts").rglob("*") if p.is_file()]
    assert len(stored) == rows[1] < rows[0]


@pytest.mark.parametrize("filter_, names", [
    ("params.train.learning_rate = '5e-4'", ["two"]),
    ("metrics.train/loss > 0", ["two", "one"]),
    ("tags.team LIKE 'd%' and status = 'FINISHED'", ["one"]),
    ("datasets.name = 'data'", ["two", "one"]),
    ("attributes.run_name ILIKE 'ONE'", ["one"]),
    ("metrics.val/loss > 1000", []),
])
def test_filters(runs, filter_, names):
    assert [run["name"] for run in lines(runs("list", "--filter", filter_))] == names


def test_order_columns_and_experiment(runs):
    assert [r["name"] for r in lines(runs("list", "--order-by", "attributes.run_name"))] == ["one", "two"]
    assert [r["name"] for r in lines(runs("list", "--experiment", "second"))] == ["two"]
    assert "no run fits; `fakenews runs show latest` shows how metrics" in runs("list", "--filter", "metrics.vall/loss < 3").stderr
    few = lines(runs("list", "--columns", "params.family,metrics.val/loss", "--max", "1"))
    assert len(few) == 1 and few[0]["params"] == {"family": "bert"} and list(few[0]["metrics"]) == ["val/loss"]


def test_compare(runs):
    compared = json.loads(runs("compare", "one", "two").stdout)
    assert [r["name"] for r in compared["runs"]] == ["one", "two"]
    assert compared["params"] == {"train.learning_rate": ["1e-3", "5e-4"]}
    loss = compared["metrics"]["val/loss"]
    assert loss["better"] == "lower" and compared["metrics"]["val/accuracy"]["better"] == "higher"
    assert loss["best"] == compared["runs"][loss["values"].index(min(loss["values"]))]["run_id"]
    assert compared["metrics"]["train/tokens_per_second"]["best"] is None
    assert compared["metrics"]["train/gradient_norm"]["better"] is compared["metrics"]["train/gradient_norm"]["best"] is None
    assert not any(key.startswith("system/") for key in compared["metrics"])
    every = json.loads(runs("compare", "one", "two", "--all").stdout)
    assert every["params"]["train.seed"] == ["2018", "2018"] and any(key.startswith("system/") for key in every["metrics"])


def test_export(runs, tracked, tmp_path):
    out = tmp_path / "out"
    runs("export", "one", "--out", out)
    run = json.loads((out / "run.json").read_text())
    assert run["run"]["name"] == "one" and run["versions"] == []
    for artifact in run["artifacts"]:
        assert hashlib.sha256((out / "artifacts" / artifact["path"]).read_bytes()).hexdigest() == artifact["sha256"]
    assert (out / "artifacts/model/config.json").read_bytes() == (tracked / "one/model/config.json").read_bytes()
    points = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert len(points) == sum(m["points"] for m in run["metrics"].values())
    losses = {p["step"]: p["value"] for p in points if p["key"] == "val/loss"}
    logged = {m["step"]: m["val/loss"] for m in metrics(tracked / "one") if "val/loss" in m}
    assert losses == logged and len(losses) > 2
    result = json.loads((tracked / "one/result.json").read_text())  # the model that is kept
    kept = {p["key"]: (p["step"], p["value"]) for p in points if p["key"].startswith("kept/")}
    assert kept["kept/loss"] == (result["n_steps"], losses[result["best_step"]]) and len(kept) > 10
    table = list(csv.DictReader(io.StringIO(runs("export", "one", "--format", "csv", "--out", "-").stdout)))
    assert [(r["key"], int(r["step"]), float(r["value"])) for r in table] == [(p["key"], p["step"], p["value"]) for p in points]
    assert json.loads(runs("export", "one", "--out", "-").stdout) == run
    assert "exists already" in runs("export", "one", "--out", out, code=2).stderr
    shutil.copytree(tracked / "runs", tmp_path / "runs")  # keys of a shared database are other people's
    with contextlib.closing(sqlite3.connect(tmp_path / "runs/tracking.db")) as db, db:
        db.execute("UPDATE metric_keys SET keys = replace(keys, 'val/loss', '=a,\"b\"')")
    done = runs("export", "one", "--format", "csv", "--out", "-", "track.url=" + str(tmp_path / "runs/tracking.db"))
    odd = [r for r in csv.DictReader(io.StringIO(done.stdout)) if r["key"] == '=a,"b"']
    assert {int(r["step"]): float(r["value"]) for r in odd} == losses and '\n"=a,""b""",' in done.stdout
    shutil.rmtree(tmp_path / "runs")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_damaged_artifact_is_told(fakenews, tracked, tmp_path):
    shutil.copytree(tracked / "runs", tmp_path / "runs")
    (victim,) = [a for a in json.loads(fakenews("runs", "show", "one", "--json").stdout)["artifacts"] if a["path"] == "result.json"]
    (tmp_path / "runs/artifacts/sha256" / victim["sha256"][:2] / victim["sha256"]).write_text("{}")
    done = fakenews("runs", "export", "one", "--out", "out")
    assert done.code == 1 and "result.json" in done.stderr and victim["sha256"] in done.stderr and not (tmp_path / "out").exists()


def test_rm(fakenews, tracked, tmp_path):
    shutil.copytree(tracked / "runs", tmp_path / "runs")
    runs = {r["name"]: r["run_id"] for r in lines(fakenews("runs", "list"))}
    assert fakenews("runs", "rm", "one", "nobody").code == 2 and len(lines(fakenews("runs", "list"))) == 2
    assert fakenews("runs", "rm", "one", runs["one"], "one").code == 0  # named thrice, removed once
    assert [r["name"] for r in lines(fakenews("runs", "list"))] == ["two"]
    assert len(lines(fakenews("runs", "list", "--deleted"))) == 2
    for name in ("one", tracked / "one", runs["one"]):  # comes back by what it was hidden by
        assert fakenews("runs", "rm", name, "--restore").code == 0 and len(lines(fakenews("runs", "list"))) == 2
        assert fakenews("runs", "rm", name).stderr.count(f"runs rm {runs['one'][:12]} --restore") == 1
    assert fakenews("runs", "rm", runs["one"], "--restore").code == 0 and len(lines(fakenews("runs", "list"))) == 2
    files = {p for p in (tmp_path / "runs/artifacts").rglob("*") if p.is_file()}
    own = {a["sha256"] for a in json.loads(fakenews("runs", "show", "one", "--json").stdout)["artifacts"]}
    shared = {a["sha256"] for a in json.loads(fakenews("runs", "show", "two", "--json").stdout)["artifacts"]}
    assert own & shared and own - shared
    assert fakenews("runs", "rm", "one", "--purge").code == 0
    left = {p for p in (tmp_path / "runs/artifacts").rglob("*") if p.is_file()}
    assert {p.name for p in files - left} == own - shared and {p.name for p in left} == shared
    assert fakenews("runs", "show", runs["one"]).code == 2


def test_rm_refuses_what_a_version_came_of(fakenews, tracked, tmp_path):
    shutil.copytree(tracked / "runs", tmp_path / "runs")
    run = lines(fakenews("runs", "list", "--filter", "run_name = 'one'"))[0]["run_id"]
    with contextlib.closing(sqlite3.connect(tmp_path / "runs/tracking.db")) as database:
        database.execute("CREATE TABLE IF NOT EXISTS registry_versions (name, version, state, run_id, created_ms)")
        database.execute("INSERT INTO schema_version (name, version) VALUES ('registry', 1)")
        database.execute("INSERT INTO registry_versions (name, version, state, run_id) VALUES ('news', 3, 1, ?)", [run])
        database.commit()
    for more in ([], ["--purge"]):
        done = fakenews("runs", "rm", "one", *more)
        assert done.code == 4 and "version 3 of the model news comes of it" in done.stderr, done
    assert json.loads(fakenews("runs", "show", "one", "--json").stdout)["versions"] == [{"model": "news", "version": 3}]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_tables_fit_the_terminal(program, tracked, width):
    for arguments in (["list"], ["show", "one"], ["compare", "one", "two"]):
        code, text = on_terminal([program, "runs", *arguments], tracked, width)
        shown = re.sub(r"\x1b\[[0-9;]*[mK]", "", text).replace("\r", "").splitlines()
        assert code == 0, text
        assert max(len(line) for line in shown) <= width, (arguments, max(shown, key=len))
        text = "\n".join(shown)
        assert arguments[0] != "show" or re.search(r"model kept +that of step [0-9]+", text)
        assert arguments[0] != "list" or re.search(r"^[0-9a-f]{8}  (\S+Z-)?two +FINISHED", text, re.M), text
        assert "FINISHED" in text and ("▁" in text or arguments[0] != "show" or width < 80)


@pytest.mark.parametrize("arguments, part", [
    (["compare", "one"], "runs compare takes 2 to 500 runs"),
    (["rm"], "runs rm takes runs"),
    (["export", "one"], "--out"),
    (["export", "one", "--out", "-", "--format", "xml"], "--format takes all, csv or jsonl"),
    (["list", "--filter", "metrics.loss = 1 OR status = 'x'"], "byte 18 (\"OR status = 'x'\"): comparisons are joined by AND alone"),
    (["list", "--filter", "loss < 1"], "byte 1 (\"loss < 1\"): a field is metrics.NAME"),
    (["list", "--order-by", "metrics.loss DOWN"], "a field is followed by ASC, DESC or nothing"),
    (["list", "--max", "many"], "--max takes a number of runs"),
    (["list", "track.url=mysql://h/d"], "accepted are a path, sqlite:PATH and postgresql://"),
    (["list", "track.url=nowhere.db"], "nowhere.db: no runs are kept here (track.url)"),
    (["list", "--columns", "val/loss"], "metrics.val/loss, params.val/loss or tags.val/loss is meant"),
    (["show", "nothing"], "no run \"nothing\": accepted are an id or its first digits, a name, a run folder, or latest (which began last)"),
    (["show"], "runs show takes one run"),
])
def test_refusals(runs, arguments, part):
    done = runs(*arguments, code=2)
    assert part in done.stderr and done.stdout == ""


def test_bad_settings_are_refused_before_training(fakenews, data):
    for setting, part in (("track.sinks=[locl]", "track.sinks: there is no \"locl\"; accepted are: local"),
                          ("track.parent=abc", "track.parent: \"abc\" is not the id of a run")):
        done = fakenews("train", "--data", data, "--out", "run", *TRAIN, setting)
        assert done.code == 2 and part in done.stderr, done


def test_no_sink_writes_nothing(fakenews, data, tmp_path):
    done = fakenews("train", "--data", data, "--out", "run", *TRAIN, "track.sinks=[]")
    assert done.code == 0 and not (tmp_path / "runs").exists() and not (tmp_path / "run/track").exists()


def test_tracking_changes_no_byte(fakenews, data, tracked, tmp_path):
    assert fakenews("train", "--data", data, "--out", "run", *TRAIN, "track.sinks=[]").code == 0
    same_tree(tracked / "one", tmp_path / "run")


def test_a_refused_training_is_no_run(fakenews, data, tmp_path):
    assert fakenews("train", "--data", data, "--out", "run", *TRAIN, "train.batch_size=0").code == 2
    assert not (tmp_path / "runs").exists()


def test_secrets_are_not_kept(tracked, program, data, tmp_path):
    """What is secret on a command line or in the environment stands nowhere in the store."""
    command = [program, "train", "--data", data, "--out", "run", *TRAIN, "net.kaggle_key=s3cr3t", "predictions.url=postgresql://u:s3cr3t@h/d"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=bare_environment(tmp_path))
    assert done.returncode == 0, done.stderr
    for folder in (tmp_path / "runs", tmp_path / "run", tracked / "runs"):
        for path in folder.rglob("*"):
            assert not path.is_file() or b"s3cr3t" not in path.read_bytes(), path


def test_where_the_files_are(fakenews, data, tmp_path):
    """Beside the database, wherever one stands."""
    assert fakenews("train", "--data", data, "--out", "a", *TRAIN, "train.max_steps=4", "track.url=db/t.db").code == 0
    assert not (tmp_path / "runs").exists() and (tmp_path / "db/artifacts/sha256").is_dir()
    (tmp_path / "sub").mkdir()
    done = fakenews("runs", "export", "a", "--out", "out", "track.url=../db/t.db", cwd=tmp_path / "sub")
    assert done.code == 0 and not (tmp_path / "sub/runs").exists(), done


def test_infinite_numbers_in_filters(runs):
    for comparison, n in (("< 1e999", 2), ("> -1e999", 2), ("> 1e999", 0), ("< -1e999", 0)):
        assert len(lines(runs("list", "--filter", f"metrics.val/loss {comparison}"))) == n, comparison


def test_nothing_steers_the_terminal(fakenews, program, data, tmp_path):
    """A name with ESC, CSI or marks of direction; and no password of an address."""
    name = "a\x1b[31m\u202eb\x9b31mcé新闻"
    assert fakenews("train", "--data", data, "--out", name, *TRAIN, "train.max_steps=4").code == 0
    for arguments in (["show", "latest"], ["list"]):
        shown = on_terminal([program, "runs", *arguments], tmp_path, 120, NO_COLOR="1")
        text = shown[1]
        assert "\u202e" not in text and "\x9b" not in text and "cé" in text, text
    head, row = text.splitlines()[:2]  # a letter of East Asia takes two columns
    assert head.index("status") == row.index("FINISHED") + 2, text
    done = fakenews("runs", "show", f"{name}x")
    assert done.code == 3 or done.code == 2, done
    assert not set("\x1b\u202e\x9b") & set(done.stderr) and "cé" in done.stderr, done
    for model, env in (("http://user:hunter2@127.0.0.1:9/m.fnm", {}),
                       ("s3://bucket/m.fnm", {"AWS_ENDPOINT_URL": "http://user:hunter2@127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a",
                                              "AWS_SECRET_ACCESS_KEY": "b"})):
        done = fakenews("predict", "--model", model, "text", env=env)
        assert done.code and "hunter2" not in done.stderr + done.stdout and "127.0.0.1" in done.stderr, done


def test_killed_and_resumed(fakenews, program, data, tmp_path):
    """kill -9 leaves a run INTERRUPTED; going on takes it up again, and no step is there twice, and none is missing: what
    a checkpoint is behind is written before it, however long events may wait otherwise."""
    for _ in range(10):  # it takes a second: on a busy machine it may be over before it is killed
        process = subprocess.Popen([program, "train", "--data", data, "--out", "run", *TRAIN, "train.epochs=20", "track.flush_ms=600000",
                                    "track.log_model=false"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=bare_environment(tmp_path))
        wait_for(lambda: (tmp_path / "run/checkpoints/last").exists() or process.poll() is not None)
        process.kill()
        if process.wait() != 0 and not (tmp_path / "run/result.json").exists():
            break
        shutil.rmtree(tmp_path / "run")
        shutil.rmtree(tmp_path / "runs")
    assert process.returncode == -signal.SIGKILL
    run = lines(fakenews("runs", "list"))[0]
    assert run["status"] == "INTERRUPTED" and run["ended"], run
    done = fakenews("train", "--resume", "run", "train.patience=50")
    assert done.code == 0, done
    after = lines(fakenews("runs", "list"))
    assert len(after) == 1 and after[0]["run_id"] == run["run_id"] and after[0]["status"] == "FINISHED"
    assert after[0]["tags"]["fakenews.resumed.train.patience"] == "50" and after[0]["params"]["train.patience"] == "null"
    cut = json.loads(fakenews("runs", "show", "latest", "--json").stdout)["metrics"]
    steps = json.loads((tmp_path / "run/result.json").read_text())["n_steps"]
    assert cut["train/loss"]["points"] == steps
    assert fakenews("runs", "list", "--filter", "status = 'INTERRUPTED'").stdout == ""


def test_killed_before_its_first_word(fakenews, program, data, tmp_path):
    """A training that was killed before its parameters were written tells them when it goes on."""
    process = subprocess.Popen([program, "train", "--data", data, "--out", "run", *TRAIN, "train.epochs=90", "track.flush_ms=600000",
                                "train.save_every=100000", "train.evaluate_every=100000"], cwd=tmp_path,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=bare_environment(tmp_path))
    wait_for(lambda: (tmp_path / "run/track/run.json").exists())
    process.kill()
    process.wait()
    assert not (tmp_path / "run/checkpoints/last").exists()
    done = fakenews("train", "--resume", "run", "train.max_steps=3", "track.log_model=false")
    assert done.code == 0 and "track" not in done.stderr, done
    run, = lines(fakenews("runs", "list"))
    assert run["params"]["train.learning_rate"] == "1e-3" and run["params"]["rows.train"], run
    assert run["tags"]["fakenews.resumed.train.max_steps"] == "3"


def test_from_another_folder(fakenews, data, tmp_path):
    """A run goes on in the store that it was in, wherever it is resumed, and its files go there too."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    done = fakenews("train", "--data", data, "--out", "run", *TRAIN, "train.max_steps=4", "track.close_timeout_s=0", cwd=here)
    assert done.code == 0
    done = fakenews("train", "--resume", here / "run", "train.max_steps=9", "track.close_timeout_s=0", cwd=there)
    assert done.code == 0 and not list(there.iterdir()), done
    listed = json.loads((here / "run/track/files.jsonl").read_text().splitlines()[0])
    assert listed["artifacts"] == str(here / "runs/artifacts")
    done = fakenews("runs", "sync", here / "run", f"track.url={here}/runs/tracking.db", cwd=there)
    assert done.code == 0 and '"waiting": 0' in done.stdout and not list(there.iterdir()), done
    assert fakenews("runs", "export", "run", "--out", "out", cwd=here).code == 0
    assert json.loads((here / "out/run.json").read_text())["metrics"]["train/loss"]["points"] == 9


def test_resumed_in_the_same_places(fakenews, program, data, tmp_path):
    """A database that was given is told of the rest too; none is made beside it."""
    given = f"track.url={tmp_path}/db/t.db"
    (tmp_path / "db").mkdir()
    command = ["train", "--data", data, "--out", "run", *TRAIN, "train.max_steps=4", "track.log_model=false"]
    assert fakenews(*command, given).code == 0
    before = sorted(p.name for p in tmp_path.iterdir())
    done = fakenews("train", "--resume", "run", "train.max_steps=9")
    assert done.code == 0 and "track" not in done.stderr, done
    assert sorted(p.name for p in tmp_path.iterdir()) == before and "***" not in before
    run, = lines(fakenews("runs", "list", given))
    assert run["status"] == "FINISHED"
    assert json.loads(fakenews("runs", "show", "run", "--json", given).stdout)["metrics"]["train/loss"]["points"] == 9
    # One whose password is not kept: nothing is told elsewhere, and somebody hears of it.
    identity = json.loads((tmp_path / "run/track/run.json").read_text())
    assert identity.pop("url") == f"{tmp_path}/db/t.db"
    (tmp_path / "run/track/run.json").write_text(json.dumps(identity))
    done = fakenews("train", "--resume", "run", "train.max_steps=12")
    assert done.code == 0 and "give track.url again" in done.stderr, done
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    done = fakenews("train", "--resume", "run", "train.max_steps=14", given)
    assert done.code == 0 and "track" not in done.stderr, done
    assert "***" not in fakenews("runs", "list", given, "--json").stdout.replace("=***", "")


@pytest.mark.parametrize("url", ["postgresql://u:s3cr3t@127.0.0.1:9/x", "postgresql://127.0.0.1:9/x?user=u&password=s3cr3t"])
def test_no_password_in_a_run_folder(fakenews, data, tmp_path, url):
    done = fakenews("train", "--data", data, "--out", "run", *TRAIN, "train.max_steps=4", f"track.url={url}")
    assert done.code == 0 and "s3cr3t" not in done.stderr and (tmp_path / "run/track/run.json").exists(), done
    assert all(b"s3cr3t" not in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


@pytest.mark.parametrize("setting,words", [
    ("store.s3_endpoint=http://u:s3/cr3t@127.0.0.1:9", "store.s3_endpoint: an address with a password"),
    ("track.artifacts=s3://u:s3/cr3t@bucket/x", "track.artifacts: an address with a password"),
    ("track.artifacts=http://127.0.0.1:9/x", "track.artifacts: nothing can be put on a web server"),
    ("track.artifacts=s3://BAD!/x", "is no name of a bucket"),
    ("track.experiment=" + "x" * 501, "track.experiment: the name of an experiment has 1 to 500"),
    ("track.experiment=a\nb", "track.experiment: the name of an experiment has 1 to 500"),
])
def test_refused_before_the_training(fakenews, data, tmp_path, setting, words):
    done = fakenews("train", "--data", data, "--out", "run", *TRAIN, setting)
    assert done.code == 2 and words in done.stderr and "cr3t" not in done.stderr and not (tmp_path / "run").exists(), done
    assert "cr3t" not in fakenews("config", "show", setting).stdout


def test_one_sink_that_cannot_be_made(fakenews, data, tmp_path):
    (tmp_path / "file").write_text("")
    done = fakenews("train", "--data", data, "--out", "run", *TRAIN, "train.max_steps=4", "track.sinks=[wandb,local]",
                    "track.wandb_dir=file")
    assert done.code == 0 and "tracking (wandb): " in done.stderr and "is not tracked" not in done.stderr, done
    assert lines(fakenews("runs", "list"))[0]["status"] == "FINISHED"


def test_copied_and_moved_run_folders(fakenews, data, tmp_path):
    """A copy is a run of its own, below the one it was copied from; a folder that was moved stays the same run."""
    assert fakenews("train", "--data", data, "--out", "a", *TRAIN, "train.max_steps=4", "track.log_model=false").code == 0
    shutil.copytree(tmp_path / "a", tmp_path / "b", symlinks=True)
    done = fakenews("train", "--resume", "b", "train.max_steps=9")
    assert done.code == 0 and "copy" in done.stderr, done
    rows = {run["name"]: run for run in lines(fakenews("runs", "list"))}
    assert set(rows) == {"a", "b"} and rows["b"]["parent"] == rows["a"]["run_id"] != rows["b"]["run_id"]
    assert rows["a"]["folder"] == str(tmp_path / "a")
    assert fakenews("train", "--resume", "b", "train.max_steps=11").code == 0
    (tmp_path / "a").rename(tmp_path / "c")
    assert fakenews("train", "--resume", "c", "train.max_steps=9").code == 0
    after = {run["name"]: run["run_id"] for run in lines(fakenews("runs", "list"))}
    assert after == {"b": rows["b"]["run_id"], "c": rows["a"]["run_id"]}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal(fakenews, program, data, tmp_path, number):
    command = [program, "train", "--data", data, "--out", "run", *TRAIN, "train.epochs=400", "track.log_model=false"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               env=bare_environment(tmp_path))
    log = tmp_path / "run/metrics.jsonl"
    wait_for(lambda: log.exists() and log.stat().st_size > 0)
    process.send_signal(number)
    err = process.communicate(timeout=120)[1]
    assert process.returncode == 128 + number, err
    assert lines(fakenews("runs", "list"))[0]["status"] == "KILLED"


def test_diverged(fakenews, data, tmp_path):
    assert fakenews("train", "--data", data, "--out", "run", *TRAIN, "train.epochs=1").code == 0
    overwrite_tensor(tmp_path / "run/checkpoints/last/model/model.safetensors", "bert.encoder.layer.0.output.dense.weight", 3e38)
    assert fakenews("train", "--resume", "run", "train.epochs=2").code == 1
    assert lines(fakenews("runs", "list"))[0]["status"] == "FAILED"


def test_linear_family(fakenews, data, tmp_path):
    assert fakenews("train", "--data", data, "--out", "run", "family=linear").code == 0
    run = lines(fakenews("runs", "list"))[0]
    assert run["status"] == "FINISHED" and run["metrics"]["test/roc_auc"] >= 0 and "model.hidden_size" not in run["params"]
    assert "linear.c_grid" in run["params"]
    assert {k for k in run["params"] if k.startswith("train.")} == {"train.class_weights", "train.sampling"}, "what it reads"


def test_a_server_that_hangs_up_is_asked_once(fakenews):
    """No second time to read alone, which is for files: where nothing answers it would double the wait."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls = []

        def hang_up():
            with contextlib.suppress(OSError):
                while True:
                    calls.append(server.accept()[0])  # counted before the client is told
                    calls[-1].close()

        threading.Thread(target=hang_up, daemon=True).start()
        url = f"postgresql://u@127.0.0.1:{server.getsockname()[1]}/x?sslmode=disable&gssencmode=disable"
        done = fakenews("runs", "list", f"track.url={url}")
        assert done.code == 1 and "PostgreSQL" in done.stderr and len(calls) == 1, (done, calls)


def test_postgresql(fakenews, data, tmp_path):
    """The unit tests of the store, then a training, on PostgreSQL."""
    with postgres() as cluster:
        for name in ("track/test_tracking", "track/test_search", "track/test_tracker", "registry/test_run_held"):
            done = subprocess.run([UNIT / name], capture_output=True, text=True, timeout=300,
                                  env={**os.environ, "FN_TEST_POSTGRESQL": cluster.url})
            assert done.returncode == 0, done.stdout + done.stderr
        cluster.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        env = {"FAKENEWS_TRACK_URL": cluster.url}
        done = fakenews("train", "--data", data, "--out", "bare", *TRAIN, "train.max_steps=3", env=env)
        assert done.code == 0 and "others that share the database do not find them" in done.stderr, done
        assert [p for p in (tmp_path / "runs/artifacts").rglob("*") if p.is_file()]
        done = fakenews("runs", "rm", "bare", "--purge", "track.artifacts=elsewhere", env=env)  # they go from where they are
        assert done.code == 0 and not [p for p in (tmp_path / "runs/artifacts").rglob("*") if p.is_file()], done
        env["FAKENEWS_TRACK_ARTIFACTS"] = "files"
        done = fakenews("train", "--data", data, "--out", "run", *TRAIN, env=env)
        assert done.code == 0 and "track" not in done.stderr, done
        run = lines(fakenews("runs", "list", "--filter", "metrics.val/loss > 0 and params.family = 'bert'", env=env))[0]
        assert run["status"] == "FINISHED"
        assert "val/loss" in fakenews("runs", "show", run["run_id"][:6], env=env).stdout
        done = fakenews("train", "--resume", "run", env=env)
        assert done.code == 0, done
        # Of another machine nothing was heard for ten minutes by the server's clock; ours is an hour late.
        cluster.sql("UPDATE runs SET host = 'elsewhere', status = 0, "
                    "heard_ms = CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT) - 600000")
        late = {**env, "LD_PRELOAD": str(FAULT), "FN_FAULT_CLOCK": "1", "ASAN_OPTIONS": "verify_asan_link_order=0"}
        assert {run["status"] for run in lines(fakenews("runs", "list", env=late))} == {"INTERRUPTED"}
        cluster.stop()
        done = fakenews("train", "--data", data, "--out", "alone", *TRAIN, env=env)
        told = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
        assert done.code == 0 and len(told) == 2 and "PostgreSQL" in told[0] and "postgresql://postgres@" in told[0], done
