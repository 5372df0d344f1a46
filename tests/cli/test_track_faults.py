"""A store of runs that fails never stops a training, changes no byte of it, and is told of once. What it missed while it
could not be written is there when it can."""

import contextlib
import json
import os
import platform
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from train_support import TINY, bare_environment, prepare, same_tree, wait_for, write_corpus

FAULT = Path(os.environ.get("FN_TOOLS", "build/dev/tests/tools")).resolve() / "libfault.so"
TRAIN = ["--init", "scratch", *TINY, "track.flush_ms=10", "device.threads=1"]
needs_filter = pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no filter of system calls")


@pytest.fixture(scope="module")
def data(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    return prepare(program, folder, write_corpus(folder / "news.csv"))


@pytest.fixture(scope="module")
def whole(program, data, tmp_path_factory):
    """A run that was not tracked."""
    folder = tmp_path_factory.mktemp("whole")
    train(program, data, folder, "track.sinks=[]")
    return folder / "run"


def train(program, data, folder, *more, code=0, **environment):
    """stderr of a training in `folder`."""
    done = subprocess.run([program, "train", "--data", data, "--out", "run", *TRAIN, *more], capture_output=True, text=True,
                          cwd=folder, env=bare_environment(folder, **environment), timeout=300)
    assert done.returncode == code, done.stderr
    return done.stderr


def warnings(stderr):
    return [line for line in stderr.splitlines() if line.startswith("warning: ")]


def latest(program, folder):
    done = subprocess.run([program, "runs", "show", "latest", "--json"], capture_output=True, text=True, cwd=folder,
                          env=bare_environment(folder))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def steps(folder):
    return json.loads((folder / "run/result.json").read_text())["n_steps"]


def sync(program, folder, where):
    """Brings what the store missed to it: all of the run is there then, once, and nothing waits."""
    for _ in range(2):
        done = subprocess.run([program, "runs", "sync", folder / "run", "--json"], capture_output=True, text=True, cwd=where,
                              env=bare_environment(folder))
        assert done.returncode == 0, done.stderr
        assert all(json.loads(line)["waiting"] == 0 for line in done.stdout.splitlines()), done.stdout
    run = latest(program, folder)
    assert run["run"]["status"] == "FINISHED" and run["run"]["params"]["train.epochs"] == "2"
    assert run["metrics"]["train/loss"]["points"] == steps(folder) and "test/loss" in run["metrics"]
    assert "config.yaml" in {a["path"] for a in run["artifacts"]}
    assert not (folder / "run/track/local.jsonl").exists() and not (folder / "run/track/files.jsonl").exists()


@needs_filter
@pytest.mark.parametrize("nth", [1, 12, 40])
def test_disk_full(program, data, whole, tmp_path, nth):
    """From some write of the database on there is no room for it."""
    stderr = train(program, data, tmp_path, LD_PRELOAD=str(FAULT), FN_FAULT_IO=str(nth), FN_FAULT_PATH="tracking.db",
                   FN_FAULT_CALLS="write", FN_FAULT_ERROR="ENOSPC", FN_FAULT_FOR_GOOD="1", ASAN_OPTIONS="verify_asan_link_order=0")
    same_tree(whole, tmp_path / "run")
    told = warnings(stderr)
    assert len(told) == 2 and "SQLite" in told[0], stderr
    assert "files of the run are not in the local store" in told[1] and "runs sync" in told[1], stderr
    sync(program, tmp_path, tmp_path)


@needs_filter
@pytest.mark.parametrize("call, nth", [("write", 2), ("write", 30), ("fsync", 3)])
def test_one_write_fails(program, data, whole, tmp_path, call, nth):
    """What could not be written is written the next time: nothing is missing, nothing is there twice."""
    report = tmp_path / "report"
    stderr = train(program, data, tmp_path, LD_PRELOAD=str(FAULT), FN_FAULT_IO=str(nth), FN_FAULT_CALLS=call, FN_FAULT_PATH="tracking.db",
                   FN_FAULT_ERROR="EIO",
                   FN_FAULT_REPORT=str(report), ASAN_OPTIONS="verify_asan_link_order=0")
    assert "tracking.db" in report.read_text(), "no call failed"
    same_tree(whole, tmp_path / "run")
    run = latest(program, tmp_path)
    assert run["run"]["status"] == "FINISHED" and run["metrics"]["train/loss"]["points"] == steps(tmp_path), stderr
    told = warnings(stderr)
    assert len(told) <= 2 and all("SQLite" in line or "works again" in line for line in told), stderr


@needs_filter
def test_allocations_fail(program, data, whole, tmp_path):
    """Any allocation, those of the tracker among them: a clean end, or all is done."""
    rng = random.Random(7)
    for nth in [rng.randrange(1500, 60000) for _ in range(4)]:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        done = subprocess.run([program, "train", "--data", data, "--out", "run", *TRAIN], capture_output=True, text=True, cwd=tmp_path,
                              env=bare_environment(tmp_path, LD_PRELOAD=str(FAULT), FN_FAULT_ALLOC=str(nth),
                                                   ASAN_OPTIONS="verify_asan_link_order=0:allocator_may_return_null=1"))
        assert done.returncode in (0, 1) and "Sanitizer" not in done.stderr, (nth, done.stderr)
        if done.returncode == 0:
            same_tree(whole, tmp_path / "run")


def break_file_in_the_way(folder):
    (folder / "runs").write_text("")
    return "runs"


def break_newer_schema(folder):
    (folder / "runs").mkdir()
    with contextlib.closing(sqlite3.connect(folder / "runs/tracking.db")) as database:
        database.execute("CREATE TABLE schema_version (name TEXT PRIMARY KEY, version BIGINT NOT NULL)")
        database.execute("INSERT INTO schema_version VALUES ('tracking', 99)")
        database.commit()
    return "99"


def break_no_database(folder):
    (folder / "runs").mkdir()
    (folder / "runs/tracking.db").write_bytes(b"a text that somebody saved under this name. " * 30)
    return "not a database"


@pytest.mark.parametrize("breaking", [break_file_in_the_way, break_newer_schema, break_no_database])
def test_store_that_cannot_be_opened(program, data, whole, tmp_path, breaking):
    part = breaking(tmp_path)
    stderr = train(program, data, tmp_path)
    same_tree(whole, tmp_path / "run")
    told = warnings(stderr)
    assert len(told) == 2 and part in told[0] and "runs sync" in told[1], stderr
    if breaking is not break_newer_schema:  # what it missed is there when the store can be used
        aside = tmp_path / "aside"
        (tmp_path / "runs").rename(aside)
        (tmp_path / "elsewhere").mkdir()
        sync(program, tmp_path, tmp_path / "elsewhere")
        assert not list((tmp_path / "elsewhere").iterdir())
        shutil.rmtree(tmp_path / "runs")
        aside.rename(tmp_path / "runs")
    shutil.rmtree(tmp_path / "run")
    stderr = train(program, data, tmp_path, "track.required=true", code=1 if breaking is break_file_in_the_way else 2)
    assert "track.required" in stderr and part in stderr and not (tmp_path / "run").exists()


def test_folder_that_may_only_be_read(program, data, whole):
    """As a user who may not write there."""
    with tempfile.TemporaryDirectory(prefix="fn-track-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for parent in (data, *data.parents):  # pytest keeps its folders to itself
            parent.chmod(parent.stat().st_mode | 0o011) if str(parent).startswith("/tmp/") else None
        mine = shutil.copy(program, folder / "fakenews")
        (folder / "runs").mkdir(mode=0o555)
        (folder / "out").mkdir()
        (folder / "out").chmod(0o777)
        more = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run([mine, "train", "--data", data, "--out", "out/run", *TRAIN], capture_output=True, text=True, cwd=folder,
                              env=bare_environment(folder / "out"), timeout=240, **more)
        assert done.returncode == 0, done.stderr
        told = warnings(done.stderr)
        assert len(told) == 2 and "runs/tracking.db" in told[0], done.stderr
        same_tree(whole, folder / "out/run")
        (folder / "runs").chmod(0o755)
        train(program, data, folder, "train.max_steps=1")
        (folder / "runs/tracking.db").chmod(0o444)
        done = subprocess.run([mine, "train", "--data", data, "--out", "out/other", *TRAIN, "track.required=true"], capture_output=True,
                              text=True, cwd=folder, env=bare_environment(folder / "out"), timeout=240, **more)
        assert done.returncode == 1 and "track.required" in done.stderr and not (folder / "out/other").exists(), done


def test_locked_store_is_waited_for(program, data, tmp_path):
    """Another process holds the lock for a while: all is there in the end, and the training was not held up."""
    (tmp_path / "runs").mkdir()
    subprocess.run([program, "train", "--data", data, "--out", "first", *TRAIN], cwd=tmp_path, env=bare_environment(tmp_path),
                   capture_output=True, check=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "runs/tracking.db", isolation_level=None, check_same_thread=False)) as database:
        database.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(2.6, lambda: database.execute("COMMIT"))
        timer.start()
        stderr = train(program, data, tmp_path)
        timer.join()
    assert warnings(stderr) == [], stderr
    run = latest(program, tmp_path)
    assert run["run"]["status"] == "FINISHED" and run["metrics"]["train/loss"]["points"] == steps(tmp_path)


def test_trainings_at_once(program, data, whole, tmp_path):
    """Three trainings write into one store, and somebody looks at it meanwhile."""
    children = [subprocess.Popen([program, "train", "--data", data, "--out", f"run{i}", *TRAIN], cwd=tmp_path, stderr=subprocess.PIPE,
                                 stdout=subprocess.DEVNULL, text=True, env=bare_environment(tmp_path)) for i in range(3)]
    while any(child.poll() is None for child in children):
        subprocess.run([program, "runs", "list"], cwd=tmp_path, env=bare_environment(tmp_path), capture_output=True)
    for child in children:
        assert child.returncode == 0 and warnings(child.stderr.read()) == []
    done = subprocess.run([program, "runs", "list"], cwd=tmp_path, env=bare_environment(tmp_path), capture_output=True, text=True)
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(run["name"] for run in runs) == ["run0", "run1", "run2"] and {run["status"] for run in runs} == {"FINISHED"}
    with contextlib.closing(sqlite3.connect(tmp_path / "runs/tracking.db")) as database:
        points = database.execute("SELECT run, points FROM metrics WHERE key = 'train/loss' ORDER BY run").fetchall()
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    same_tree(whole, tmp_path / "run2")
    assert len(points) == 3 and {n for _, n in points} == {json.loads((tmp_path / "run0/result.json").read_text())["n_steps"]}


def test_artifacts_cannot_be_written(program, data, whole, tmp_path):
    (tmp_path / "nowhere").write_text("")
    stderr = train(program, data, tmp_path, "track.artifacts=nowhere/files")
    same_tree(whole, tmp_path / "run")
    told = warnings(stderr)
    assert len(told) in (1, 2) and "nowhere" in told[0], stderr
    assert latest(program, tmp_path)["run"]["status"] == "FINISHED"


def test_damaged_identity(program, data, tmp_path):
    """RUN/track/run.json that cannot be read: the training goes on, untracked, and says so."""
    train(program, data, tmp_path, "train.epochs=1")
    (tmp_path / "run/track/run.json").write_text("{")
    done = subprocess.run([program, "train", "--resume", "run", "train.epochs=2"], cwd=tmp_path, env=bare_environment(tmp_path),
                          capture_output=True, text=True)
    assert done.returncode == 0 and "this training is not tracked: " in done.stderr and "track/run.json" in done.stderr, done.stderr


@needs_filter
def test_a_mount_that_does_not_answer_leaves_ctrl_c_working(program, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/tracking.db").write_bytes(b"")
    hangs = tmp_path / "hangs"
    env = bare_environment(tmp_path, LD_PRELOAD=str(FAULT), FN_FAULT_IO="1", FN_FAULT_PATH="tracking.db", FN_FAULT_ERROR="hang",
                           FN_FAULT_REPORT=str(hangs), ASAN_OPTIONS="verify_asan_link_order=0")
    child = subprocess.Popen([program, "runs", "list"], cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_for(hangs.exists)  # a signal before that would be taken by the handler
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 130 and b"did not answer" in child.stderr.read()
