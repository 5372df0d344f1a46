"""A training that is ended 100 times, anywhere, ends with the bytes of one that nobody disturbed (make torture).

FN_TORTURE_KILLS (100): how often each way of ending is tried. What counts as the same: every file of the run folder with
its bytes, links with their targets; without times.jsonl (wall clock), and for the stops that save a checkpoint of their
own, what that checkpoint displaces (train.keep).
"""

import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from cli.train_support import TINY, bare_environment, prepare, tree, wait_for, write_corpus
from torture_support import FAST, Round, World, kill_at_calls

KILLS = int(os.environ.get("FN_TORTURE_KILLS", "100"))
SETTINGS = [*TINY, "track.sinks=[]", "train.epochs=3", "train.evaluate_every=4", "train.save_every=2", "train.keep=2"]
START = ["train", "--data", "data", "--init", "scratch", "--out", "run", *SETTINGS]
RESUME = ["train", "--resume", "run"]
LINEAR = ["train", "--data", "data", "--out", "linear", "family=linear", "linear.hash_bits=12"]


class Bench:
    """A folder with data, and what a run in it comes to."""

    def __init__(self, program, folder):
        self.program, self.folder = program, Path(folder)
        prepare(program, self.folder, write_corpus(self.folder / "news.csv", n=160))
        begin = time.monotonic()
        self.run(START)
        self.seconds = time.monotonic() - begin
        self.whole = tree(self.folder / "run")
        begin = time.monotonic()
        self.run(LINEAR)
        self.linear_seconds = time.monotonic() - begin
        self.linear = tree(self.folder / "linear")

    def popen(self, command, **more):
        return subprocess.Popen([self.program, *command], cwd=self.folder, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, env=bare_environment(self.folder), **more)

    def run(self, command):
        done = subprocess.run([self.program, *command], cwd=self.folder, capture_output=True, text=True,
                              env=bare_environment(self.folder), timeout=300)
        assert done.returncode == 0, done.stderr
        return done

    def clear(self):
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        for path in self.folder.glob("run.tmp-*"):
            shutil.rmtree(path)

    def next_command(self):
        """Where a run folder is, it is gone on with; where none is, it is begun."""
        return RESUME if (self.folder / "run").exists() else START

    def finish(self, what):
        done = subprocess.run([self.program, *self.next_command()], cwd=self.folder, capture_output=True, text=True,
                              env=bare_environment(self.folder), timeout=300)
        assert done.returncode == 0, f"{what}: {done.stderr}"
        self.same(what)

    def same(self, what, names=None):
        found = tree(self.folder / "run")
        names = names or set(found) | set(self.whole)
        different = sorted(n for n in names if found.get(n) != self.whole.get(n))
        assert not different, f"{what}: {different}"


@pytest.fixture(scope="module")
def bench(program):
    with tempfile.TemporaryDirectory(dir=FAST, prefix="fn-resume-") as folder:
        yield Bench(program, folder)


def test_kill_at_random_moments(bench):
    """One run after the other, each killed and gone on with until it is done; at least KILLS kills in all."""
    rng, kills, runs = random.Random(1), 0, 0
    while kills < KILLS:
        bench.clear()
        for _ in range(1000):
            process = bench.popen(bench.next_command())
            try:
                process.wait(timeout=rng.uniform(0.005, bench.seconds * 0.8))
            except subprocess.TimeoutExpired:
                process.kill()
            _, err = process.communicate()
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, err
            kills += 1
        bench.same(f"run {runs}, after {kills} kills")
        runs += 1
    print(f"torture: {kills} kills in {runs} runs")


@pytest.mark.parametrize("name", ["train", "tune", "resume"])
def test_kill_at_every_call(program, name):
    """Killed before each of its calls on files, those inside saves among them (tests/tools/fault.c)."""
    with tempfile.TemporaryDirectory(dir=FAST, prefix="fn-kills-") as folder:
        (Path(folder) / "world").mkdir()
        world = World(program, Path(folder) / "world")
        kills, inside = kill_at_calls(Round(world, name, Path(folder) / "round"))
    print(f"torture: {name}: {kills} kills, {inside} of them inside the writing of a checkpoint")
    assert inside > 40


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals(bench, number, code):
    """Asked to stop: a checkpoint is saved, and the run goes on from there."""
    rng, stops = random.Random(3), 0
    names = {n for n in bench.whole if not n.startswith("checkpoints/step-")}
    for _ in range(KILLS // 5):
        bench.clear()
        process = bench.popen(START)
        time.sleep(rng.uniform(0, bench.seconds))
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        # A signal before the program catches it ends it at once; one after the last step comes too late.
        assert process.returncode in (code, 0, -number), err
        stops += process.returncode == code
        if process.returncode != 0:
            bench.run(bench.next_command())
        bench.same(f"after {stops} signals", names)
    print(f"torture: {stops} stops by signal {number}")
    assert stops > 0


def test_limit_on_file_size(bench):
    """RLIMIT_FSIZE: some file of a save comes out short. Once the limit is gone the run goes on."""
    rng, failures = random.Random(4), 0
    largest = max(len(v) for v in bench.whole.values() if isinstance(v, bytes))
    for _ in range(KILLS // 5):
        bench.clear()
        limit = int(largest ** rng.uniform(0.3, 1.01))
        process = bench.popen(START, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        _, err = process.communicate(timeout=120)
        assert process.returncode in (0, 1), err
        failures += process.returncode == 1
        assert process.returncode == 0 or "File too large" in err, err
        bench.finish(f"file size limited to {limit}")
    print(f"torture: {failures} runs ended by the limit on file sizes")
    assert failures > 0


def mount(folder, size):
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True,
                          text=True).returncode == 0


def test_full_disk(program, tmp_path):
    """A disk of its own, filled at random moments by a file beside the run; then the file goes and the run goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or not mount(disk, "64m"):
        # Without the right to mount: the same calls fail in tests/torture/test_faults.py (ENOSPC).
        print("torture: no right to mount a disk")
        return
    try:
        fill_and_free(Bench(program, disk))
    finally:
        subprocess.run(["umount", disk], check=True)


def fill_and_free(bench):
    rng, failures = random.Random(5), 0
    ballast = bench.folder / "ballast"
    enough = 4 * sum(len(v) for v in bench.whole.values() if isinstance(v, bytes))

    def fill(room):  # all but `room` bytes
        free = os.statvfs(bench.folder)
        try:
            with open(ballast, "ab", buffering=0) as file:
                file.write(b"\0" * max(0, free.f_bavail * free.f_frsize - room))
                while room == 0 and file.write(b"\0" * 4096):
                    pass
        except OSError:
            pass

    for i in range(KILLS):
        bench.clear()
        fill(enough)  # so that the rest, at a moment of the run, goes quickly
        process = bench.popen(START)
        time.sleep(rng.uniform(0, bench.seconds * 0.9))
        fill(rng.choice([0, 0, 4096, 20000, 200000]))
        _, err = process.communicate(timeout=120)
        assert process.returncode in (0, 1), err
        if process.returncode == 1:
            failures += 1
            assert "No space left on device" in err, err
            second = subprocess.run([bench.program, *bench.next_command()], cwd=bench.folder, capture_output=True,
                                    text=True, env=bare_environment(bench.folder))  # on the disk that is still full
            assert second.returncode in (0, 1), second.stderr
        ballast.unlink()
        bench.finish(f"disk {i} full")
    print(f"torture: {failures} runs of {KILLS} met a full disk")
    assert failures > KILLS / 4


def test_power_loss(bench):
    """What may be lost without power is what was not synced: the lines of the logs after the last checkpoint. Everything
    in a checkpoint that `last` points at was synced before the link was. So after a kill the end of the logs is cut at
    random, half-written folders are cut short too, and the run goes on."""
    rng = random.Random(6)
    for i in range(KILLS):
        bench.clear()
        process = bench.popen(START)
        last = bench.folder / "run/checkpoints/last"
        wait_for(lambda: last.is_symlink() or process.poll() is not None)
        time.sleep(rng.uniform(0, bench.seconds / 2))
        process.kill()
        process.communicate()
        lose_unsynced(bench.folder / "run", rng)
        bench.finish(f"power lost {i}")
    print(f"torture: power lost {KILLS} times")


def lose_unsynced(run, rng):
    import json

    known = json.loads((run / "checkpoints/last/state.json").read_text())["metrics_bytes"]
    for name, least in (("metrics.jsonl", known), ("times.jsonl", 0)):
        size = (run / name).stat().st_size
        os.truncate(run / name, rng.randint(min(least, size), size))
    for folder in run.glob("checkpoints/writing-*"):
        for path in folder.rglob("*"):
            if path.is_file():
                os.truncate(path, rng.randint(0, path.stat().st_size))
    for path in run.glob("*.tmp-*"):
        os.truncate(path, 0)


def test_linear_family(bench):
    """Trained in one go: killed at any moment there is no run, or one without result; begun again it has the same bytes."""
    rng, kills = random.Random(7), 0
    for _ in range(KILLS // 2):
        shutil.rmtree(bench.folder / "linear", ignore_errors=True)
        process = bench.popen(LINEAR)
        try:
            process.wait(timeout=rng.uniform(0.0005, bench.linear_seconds))
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        if process.returncode != 0:
            assert not (bench.folder / "linear/result.json").exists() or (bench.folder / "linear/model").is_dir()
            shutil.rmtree(bench.folder / "linear", ignore_errors=True)
            for path in bench.folder.glob("linear.tmp-*"):
                shutil.rmtree(path)
            bench.run(LINEAR)
        assert tree(bench.folder / "linear") == bench.linear
    print(f"torture: the linear family killed {kills} times")
    assert kills > KILLS / 10
