"""The store of runs, the journal for MLflow and the registry while allocations and calls on files fail, processes are
killed and a disk is full (make torture).

A training is told of, so it never fails for that: it ends with the bytes of one that nobody tracked, whatever became of
the telling. What it did not warn of is in the store or at the server, whole and once; after a warning the store takes
the next training as if nothing had been. The registry stands before a change or after it, never between, and the same
command goes through the next time.

FN_TORTURE_SHARE: how many of the calls and allocations of each command are tried (all when not set; of `registry add`,
which measures its speed for a second, SLOW_SHARE)."""

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from cli.mlflow_fake import FakeMlflow
from cli.train_support import bare_environment, prepare, tree, write_corpus
from torture_support import FAST, FAULT, MODEL, UNTRACKED, chosen

SHARE = int(os.environ["FN_TORTURE_SHARE"]) if "FN_TORTURE_SHARE" in os.environ else None
SLOW_SHARE = min(SHARE or 150, 150)
TRAIN = ["train", "--data", "data", "--init", "scratch", "--out", "run", *(x for x in MODEL if x != UNTRACKED), "track.flush_ms=10",
         "track.system_metrics=false", "track.close_timeout_s=5"]
ERRORS = [("EIO", False), ("ENOSPC", True), ("EINTR", False), ("short", False)]


class Place:
    """A folder with prepared data, put back to what it was before each round."""

    def __init__(self, program, folder):
        self.program, self.folder, self.saved = program, Path(folder) / "now", Path(folder) / "saved"
        self.saved.mkdir(parents=True)
        self.folder.mkdir()
        prepare(program, self.folder, write_corpus(self.folder / "news.csv", n=48))
        self.go(*TRAIN, UNTRACKED)
        self.whole = tree(self.folder / "run")
        shutil.rmtree(self.folder / "run")
        self.keep()

    def keep(self):
        shutil.rmtree(self.saved)
        shutil.copytree(self.folder, self.saved, symlinks=True)

    def begin(self):
        shutil.rmtree(self.folder)
        shutil.copytree(self.saved, self.folder, symlinks=True)

    def go(self, *arguments, code=0, **faults):
        """A command, undisturbed without `faults`; (stdout, stderr, (allocations, calls, what failed))"""
        report = self.folder.parent / "report"
        report.unlink(missing_ok=True)
        more = {f"FN_FAULT_{k.upper()}": str(v) for k, v in faults.items()}
        if faults:
            more |= {"LD_PRELOAD": str(FAULT), "FN_FAULT_REPORT": str(report)}
        environment = bare_environment(self.folder, **more)
        options = environment.get("ASAN_OPTIONS", "")
        environment["ASAN_OPTIONS"] = f"{options}:verify_asan_link_order=0:allocator_may_return_null=1".strip(":")
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, cwd=self.folder, errors="replace",
                              env=environment, timeout=120)
        match = re.match(r"allocations (\d+) calls (\d+) failed (.*)", report.read_text() if report.exists() else "")
        counts = (int(match[1]), int(match[2]), match[3].strip()) if match else (0, 0, "")
        codes = code if isinstance(code, tuple) else (code,)
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, f"{counts}: {done.stderr[-3000:]}"
        assert done.returncode in codes, f"{arguments[:3]}, {counts}: exit code {done.returncode}: {done.stderr[-2000:]}"
        self.code = done.returncode
        return done.stdout, done.stderr, counts

    def rows(self, statement, *values):
        with contextlib.closing(sqlite3.connect(self.folder / "runs/tracking.db")) as database:
            return database.execute(statement, values).fetchall()

    def run(self, name="latest"):
        return json.loads(self.go("runs", "show", name, "--json")[0])

    def list(self, what):
        """Runs of the store, which may not have been begun."""
        out, said, _ = self.go("runs", "list", code=(0, 2))
        assert self.code == 0 or "no runs are kept here" in said, f"{what}: {said}"
        return [json.loads(line) for line in out.splitlines()]

    def steps(self, name="latest"):
        """Of the training loss, as the store has them."""
        lines = self.go("runs", "export", name, "--format", "jsonl", "--out", "-")[0].splitlines()
        return [m["step"] for m in map(json.loads, lines) if m["key"] == "train/loss"]

    def same(self, what, folder="run"):
        found = tree(self.folder / folder)
        different = sorted(n for n in set(found) | set(self.whole) if found.get(n) != self.whole.get(n))
        assert not different, f"{what}: {different}"

    def check_store(self, what):
        """A database that is one, and every file that it names."""
        path = self.folder / "runs/tracking.db"
        if not path.exists() or path.stat().st_size == 0:
            return
        assert self.rows("PRAGMA integrity_check") == [("ok",)], what
        if not self.rows("SELECT 1 FROM sqlite_master WHERE name = 'artifacts'"):
            return
        for owner, name, sha in self.rows("SELECT owner, path, sha256 FROM artifacts"):
            content = self.folder / "runs/artifacts/sha256" / sha[:2] / sha
            assert hashlib.sha256(content.read_bytes()).hexdigest() == sha, f"{what}: {owner} {name}"

    def check_complete(self, what, name="latest", n_files=None):
        run = self.run(name)
        assert run["run"]["status"] == "FINISHED", f"{what}: {run['run']['status']}"
        assert run["metrics"]["train/loss"]["points"] == 4, f"{what}: {run['metrics']}"
        files = {a["path"] for a in run["artifacts"]}
        assert n_files is None or files == n_files, f"{what}: {n_files ^ files}"
        return files


def warned(stderr):
    return [line for line in stderr.splitlines() if line.startswith("warning: ")]


@pytest.fixture(scope="module")
def place(program):
    with tempfile.TemporaryDirectory(dir=FAST, prefix="fn-track-") as folder:
        yield Place(program, folder)


# ---- a training and the store of runs


def after_a_training(place, files, what, said):
    """Not warned: complete. Warned: complete as far as `runs sync` can, and the next training is."""
    place.check_store(what)
    told = warned(said)
    if place.code == 0:
        place.same(what)
    if place.code == 0 and not told:
        place.check_complete(what, n_files=files)
        return 0
    assert place.code != 0 or len(told) <= 4, f"{what}: {said}"
    place.list(what)
    place.go(*(x if x != "run" else "next" for x in TRAIN))
    place.check_complete(f"{what}: the next training", n_files=files)
    return 1


def complete_files(place):
    place.begin()
    place.go(*TRAIN)
    return place.check_complete("undisturbed")


@pytest.mark.parametrize("error, for_good", ERRORS)
@pytest.mark.parametrize("where", ["runs/", "run/track"])
def test_a_call_of_the_store_fails(place, where, error, for_good):
    files = complete_files(place)
    place.begin()
    total = place.go(*TRAIN, io=0, path=where)[2][1]
    n_told = 0
    for n in chosen(total, SHARE, f"{where} {error}"):
        place.begin()
        _, said, (_, _, failed) = place.go(*TRAIN, io=n, path=where, error=error, for_good=int(for_good))
        what = f"{error} at call {n} of {total}: {failed}"
        told = after_a_training(place, files, what, said)
        assert error != "short" or not told, f"{what}: {said}"  # half reads and writes are gone on with
        n_told += told
    print(f"torture: {error} at each of {total} calls on {where}: {n_told} trainings warned, all ended with the same bytes")
    assert total > 80


def test_an_allocation_of_a_tracked_training_fails(place):
    files = complete_files(place)
    place.begin()
    total = place.go(*TRAIN, alloc=0)[2][0]
    n_told = n_ended = 0
    for n in chosen(total, SHARE, "train alloc"):
        place.begin()
        _, said, (_, _, failed) = place.go(*TRAIN, code=(0, 1), alloc=n)
        after_a_training(place, files, f"allocation {n} of {total}: {failed}", said)
        n_ended += place.code != 0
        n_told += place.code == 0 and len(warned(said)) > 0
    print(f"torture: each of {total} allocations of a tracked training: {n_ended} ended, {n_told} warned")


def test_a_tracked_training_is_killed_at_each_call(place):
    """On the store and on what stands beside the run; gone on with, the same run has each step once."""
    files = complete_files(place)
    place.begin()
    total = place.go(*TRAIN, io=0, path="run")[2][1]  # run/… and runs/…
    kills = missing = 0
    for n in chosen(total, SHARE, "train kill"):
        place.begin()
        _, _, (_, _, failed) = place.go(*TRAIN, code=(-9, 0), io=n, path="run", error="kill")
        if place.code == 0:  # threads: this time there were fewer
            continue
        kills += 1
        what = f"killed before call {n} of {total}: {failed}"
        place.check_store(what)
        before = place.list(what)
        assert all(r["status"] in ("INTERRUPTED", "FINISHED") for r in before) and len(before) <= 1, f"{what}: {before}"
        resumed = (place.folder / "run/run.json").exists()
        _, said, _ = place.go(*(["train", "--data", "data", "--resume", "run"] if resumed else TRAIN))
        place.same(what)
        run = place.run()
        assert run["run"]["status"] == "FINISHED", what
        steps = place.steps()
        assert sorted(set(steps)) == sorted(steps) and set(steps) <= {1, 2, 3, 4}, f"{what}: {steps}"
        missing += len(steps) < 4
        assert run["run"]["params"]["train.max_steps"] == "4" and run["run"]["tags"]["fakenews.data.name"] == "data", f"{what}: {run['run']}"
        got = {a["path"] for a in run["artifacts"]}
        assert got == files, f"{what}: {sorted(files ^ got)}: {said}"
        place.check_store(what)
    print(f"torture: {kills} kills of a tracked training; {missing} runs lack points that were in memory")
    assert kills > 100 or SHARE


# ---- a training and the journal of what an MLflow server has not got

TELL = [*TRAIN, "track.sinks=[mlflow]"]


def only(server):
    assert len(server.runs) == 1, list(server.runs)
    return next(iter(server.runs.values()))


def check_server(server, what, complete, resumed=False):
    """Steps in their order, each once (each time it was made); parameters and files as they should be."""
    if not server.runs:
        assert not complete, what
        return
    run = only(server)
    steps = [m[2] for m in run["metrics"] if m[0] == "train/loss"]
    assert resumed or (steps == sorted(set(steps)) and set(steps) <= {1, 2, 3, 4}), f"{what}: {steps}"
    if complete:
        assert set(steps) == {1, 2, 3, 4} or resumed, f"{what}: {steps}"
        assert run["status"] == "FINISHED" and run["params"]["train.max_steps"] == "4", f"{what}: {run['status']}"
        assert {"run.json", "model/config.json", "model/model.safetensors"} <= set(run["files"]), f"{what}: {sorted(run['files'])}"


@pytest.mark.parametrize("error, for_good", ERRORS)
def test_a_call_of_the_journal_fails(place, error, for_good):
    server = FakeMlflow()
    train = [*TELL, f"track.uri={server.url}"]
    place.begin()
    total = place.go(*train, io=0, path="run/track")[2][1]
    check_server(server, "undisturbed", True)
    n_told = 0
    for n in chosen(total, SHARE, f"journal {error}"):
        place.begin()
        server.runs.clear()
        _, said, (_, _, failed) = place.go(*train, io=n, path="run/track", error=error, for_good=int(for_good))
        what = f"{error} at call {n} of {total}: {failed}"
        place.same(what)
        n_told += bool(warned(said))
        check_server(server, what, complete=not warned(said))
        place.go("runs", "sync", "run", f"track.uri={server.url}", code=(0, 1, 2))  # 2: nothing was begun
        check_server(server, f"{what}: after runs sync", complete=not warned(said))
    server.close()
    print(f"torture: {error} at each of {total} calls on the journal: {n_told} trainings warned, all ended with the same bytes")


def test_a_training_that_tells_a_server_is_killed_at_each_call(place):
    """Before each call on what stands beside the run. `runs sync` brings what was written and tells KILLED; gone on with, it is one run."""
    server = FakeMlflow()
    train = [*TELL, f"track.uri={server.url}"]
    place.begin()
    total = place.go(*train, io=0, path="run/track")[2][1]
    kills = 0
    for n in chosen(total, SHARE, "journal kill"):
        place.begin()
        server.runs.clear()
        _, _, (_, _, failed) = place.go(*train, code=(-9, 0), io=n, path="run/track", error="kill")
        kills += place.code != 0
        what = f"killed before call {n} of {total}: {failed}"
        place.go("runs", "sync", "run", f"track.uri={server.url}", code=(0, 2))
        check_server(server, f"{what}: after runs sync", False)
        assert not server.runs or place.code == 2 or only(server)["status"] in ("KILLED", "FINISHED"), f"{what}: {only(server)['status']}"
        resumed = (place.folder / "run/run.json").exists()
        _, said, _ = place.go(*(["train", "--data", "data", "--resume", "run", f"track.uri={server.url}"] if resumed else train))
        place.same(what)
        assert not warned(said), f"{what}: {said}"
        check_server(server, f"{what}: gone on with", True, resumed=True)
    server.close()
    print(f"torture: {kills} kills of a training that tells a server")


# ---- the registry

ADD = ["registry", "add", "linear", "eval.baselines=false", "eval.resamples=10"]
PROMOTE = ["registry", "promote", "fake-news", "2", "--alias", "best", "registry.gate_min=0", "registry.gate_max_ece=null"]
CHANGES = {
    "promote": PROMOTE,
    "alias": ["registry", "alias", "fake-news@best", "2"],
    "delete": ["registry", "alias", "fake-news@best", "--delete"],
    "rollback": ["registry", "rollback", "fake-news@old"],
    "tag": ["registry", "tag", "fake-news/1", "--key", "team", "--value", "desk"],
    "rm": ["registry", "rm", "fake-news/3"],
}


@pytest.fixture(scope="module")
def registry(program):
    """Three versions; best stands at 1, old at 2 and before at 1."""
    with tempfile.TemporaryDirectory(dir=FAST, prefix="fn-registry-") as folder:
        place = Place(program, folder)
        for grid in (1, 2, 4):
            place.go("train", "--data", "data", "--out", f"linear{grid}", "family=linear", "linear.hash_bits=10", f"linear.c_grid=[{grid}]",
                     "track.system_metrics=false")
            place.go(*(x if x != "linear" else f"linear{grid}" for x in ADD))
        place.go("train", "--data", "data", "--out", "linear", "family=linear", "linear.hash_bits=10", "linear.c_grid=[8]", "track.system_metrics=false")
        for alias, version in (("best", 1), ("old", 1), ("old", 2)):
            place.go("registry", "alias", f"fake-news@{alias}", version)
        place.keep()
        yield place


def standing(place, what):
    """What the registry is, apart from times: versions with tags and retirement, aliases, the record of changes."""
    place.check_store(what)
    versions = [json.loads(line) for line in place.go("registry", "list")[0].splitlines()]
    changes = json.loads(place.go("registry", "show", "fake-news", "--json")[0])["changes"]
    return {"versions": {v["version"]: v["digest"] for v in versions},
            "aliases": place.rows("SELECT alias, version FROM registry_aliases ORDER BY alias"),
            "tags": place.rows("SELECT version, tag, value FROM registry_tags ORDER BY version, tag"),
            "changes": [c["action"] for c in changes]}  # fmt: skip


def before_and_after(place, command):
    place.begin()
    old = standing(place, "before")
    place.go(*command)
    new = standing(place, "after")
    assert old != new and len(new["changes"]) == len(old["changes"]) + 1
    return old, new


def check_change(place, command, old, new, what, code_0=True):
    """Old or new, nothing between; new where the command said so; the same command goes through now."""
    code = place.code
    now = standing(place, what)
    assert now in (old, new), f"{what}: {now}"
    assert code != 0 or now == new, f"{what}: exit code 0, and nothing has changed"
    place.go(*command, code=(0, 2, 4) if now == new else 0)  # done already: told in one way or another
    again = standing(place, f"{what}: again")
    assert {k: v for k, v in again.items() if k != "changes"} == {k: v for k, v in new.items() if k != "changes"}, f"{what}: again: {again}"


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_the_registry_fails_anywhere(registry, name):
    place, command = registry, CHANGES[name]
    old, new = before_and_after(place, command)
    place.begin()
    n_alloc = place.go(*command, alloc=0)[2][0]
    place.begin()
    n_calls = place.go(*command, io=0)[2][1]
    for n in chosen(n_alloc, SHARE, f"{name} alloc"):
        place.begin()
        _, said, (_, _, failed) = place.go(*command, code=(0, 1, 2), alloc=n)
        assert place.code != 2 or "libsqlite3" in said, said  # the loader had no memory
        check_change(place, command, old, new, f"{name}: allocation {n} of {n_alloc}: {failed}: {said}")
    for error, for_good in [*ERRORS, ("kill", False)]:
        for n in chosen(n_calls, SHARE, f"{name} {error}"):
            place.begin()
            _, said, (_, _, failed) = place.go(*command, code=(0, 1, 2, -9), io=n, error=error, for_good=int(for_good))
            check_change(place, command, old, new, f"{name}: {error} at call {n} of {n_calls}: {failed}: {said}")
    print(f"torture: registry {name}: each of {n_alloc} allocations, each of {n_calls} calls in five ways")


def check_added(place, old, what):
    """No version, or a whole one that is downloaded and judged by its digest; then the same command adds it, once."""
    code = place.code
    now = standing(place, what)
    versions = set(now["versions"]) - set(old["versions"])
    assert len(versions) <= 1 and (code != 0 or versions), f"{what}: {now}"
    assert len(now["changes"]) == len(old["changes"]) + len(versions), f"{what}: {now['changes']}"
    place.go(*ADD)
    again = standing(place, f"{what}: again")
    (version,) = set(again["versions"]) - set(old["versions"])
    assert not versions or versions == {version}, f"{what}: added twice"
    place.go("registry", "download", f"fake-news/{version}", "--out", "got")
    files = {str(p.relative_to(place.folder / "got")) for p in (place.folder / "got").rglob("*") if p.is_file()}
    assert {"MLmodel", "fakenews/model.fnm", "fakenews/card.json", "fakenews/gates.json", "model/linear.safetensors"} <= files, f"{what}: {files}"
    assert json.loads(place.go("model", "info", "got/fakenews/model.fnm", "--json")[0])["verified"], what


@pytest.mark.parametrize("fault", ["alloc", "EIO", "ENOSPC", "EINTR", "short", "kill"])
def test_adding_a_version_fails_anywhere(registry, fault):
    place = registry
    place.begin()
    old = standing(place, "before")
    counts = place.go(*ADD, **({"alloc": 0} if fault == "alloc" else {"io": 0}))[2]
    total = counts[0] or counts[1]
    n_added = n_tried = 0
    for n in chosen(total, SLOW_SHARE, f"add {fault}"):
        place.begin()
        faults = {"alloc": n} if fault == "alloc" else {"io": n, "error": fault, "for_good": int(fault == "ENOSPC")}
        _, said, (_, _, failed) = place.go(*ADD, code=(0, 1, 2, -9), **faults)
        assert place.code == 0 or fault == "kill" or said.strip(), "failed without a word"
        assert fault != "short" or place.code == 0, f"{failed}: {said}"
        n_tried, n_added = n_tried + 1, n_added + (place.code == 0)
        check_added(place, old, f"add: {fault} {n} of {total}: {failed}: {said}")
    print(f"torture: registry add: {fault} at {n_tried} of {total}: {n_added} went through all the same")


# ---- a disk of its own


def test_the_store_is_on_a_disk_that_fills(place):
    """Filled at random moments; the training ends all the same, and once there is room the store takes the next one."""
    disk = place.folder.parent / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", disk], capture_output=True).returncode != 0:
        print("torture: no right to mount a disk; see ENOSPC above")
        return
    try:
        fill_and_free(place, disk)
    finally:
        subprocess.run(["umount", disk], check=True)


def fill_and_free(place, disk):
    rng, n_told = random.Random(5), 0
    where = [f"track.url={disk}/t.db", f"track.artifacts={disk}/files"]
    place.begin()
    begin = time.monotonic()
    place.go(*TRAIN, *where)
    seconds = time.monotonic() - begin
    for i in range(min(SHARE or 100, 100)):
        place.begin()
        ballast = disk / "ballast"
        process = subprocess.Popen([place.program, *TRAIN, *where], cwd=place.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env=bare_environment(place.folder))
        time.sleep(rng.uniform(0, seconds))
        with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
            free = os.statvfs(disk)
            file.write(b"\0" * max(0, free.f_bavail * free.f_frsize - rng.choice([0, 0, 4096, 60000])))
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 0, said
        place.same(f"disk {i} full: {said}")
        n_told += bool(warned(said))
        ballast.unlink()
        with contextlib.closing(sqlite3.connect(disk / "t.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        said = place.go(*(x if x != "run" else "next" for x in TRAIN), *where)[1]
        assert not warned(said), said
        run = json.loads(place.go("runs", "show", "latest", "--json", *where)[0])
        assert run["run"]["status"] == "FINISHED" and run["metrics"]["train/loss"]["points"] == 4
    print(f"torture: the disk of the store filled {i + 1} times, {n_told} trainings told of it")
    assert n_told > 0
