"""What the torture tests share: commands of the program whose n-th allocation or n-th system call fails (tests/tools/
fault.c), and what must hold after each."""

import os
import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from cli.train_support import TINY, bare_environment, prepare, tree, write_corpus

FAULT = Path(os.environ.get("FN_TOOLS", Path(__file__).resolve().parents[1] / "build/dev/tests/tools")) / "libfault.so"
# In memory where that is possible: thousands of rounds write their files again.
FAST = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
# What the store of runs does about such faults: tests/cli/test_track_faults.py.
UNTRACKED = "track.sinks=[]"
MODEL = [UNTRACKED, *TINY, "train.max_steps=4", "train.save_every=2", "train.evaluate_every=2", "train.keep=1", "device.threads=1",
         "model.hidden_size=16", "model.vocab_size=200"]
HALF_WRITTEN = re.compile(r"\.tmp-|writing-|\.partial-")


class World:
    """Inputs that every command starts from: a table, a prepared dataset, a model of each family, a run stopped half way."""

    def __init__(self, program, folder):
        self.program, self.folder = program, Path(folder)
        corpus = write_corpus(self.folder / "news.csv", n=48)
        self.data = prepare(program, self.folder, corpus)
        self.call("train", "--data", "data", "--init", "scratch", "--out", "bert", *MODEL)
        self.call("train", "--data", "data", "--out", "linear", "family=linear", "linear.hash_bits=10", "linear.c_grid=[1]", UNTRACKED)
        rows = (f"{'ab'[i % 2]},{int(i % 5 < 2)},{((i * 37) % 101 - 40) / 20},{'headline' if i % 3 == 0 else ''},{i}\n" for i in range(180))
        (self.folder / "few.csv").write_text("title,text\nA report,Officials said so. They hide it! Nobody told the doctor.\n")
        (self.folder / "logits.csv").write_text("dataset,label,linear_logit,mode,n_tokens\n" + "".join(rows))
        shutil.copytree(self.folder / "bert", self.folder / "half", symlinks=True)
        shutil.rmtree(self.folder / "data/cache")
        last = self.folder / "half/checkpoints/last"
        os.unlink(last)
        os.symlink("step-2", last)

    def call(self, *arguments):
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, cwd=self.folder,
                              env=bare_environment(self.folder))
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(dir=FAST, prefix="fn-faults-") as path:
        yield Path(path)


@pytest.fixture(scope="module")
def world(program, folder):
    (folder / "world").mkdir()
    return World(program, folder / "world")


# name → (arguments, inputs copied for each round, outputs that are compared)
COMMANDS = {
    "prepare": (["data", "prepare", "--input", "news.csv", "--out", "new"], ["news.csv"], ["new"]),
    "replace": (["data", "prepare", "--input", "news.csv", "--out", "data", "--replace", "data.seed=5"],
                ["news.csv", "data"], ["data"]),
    "stats": (["data", "stats", "data"], ["data"], []),
    "train": (["train", "--data", "data", "--init", "scratch", "--out", "run", *MODEL], ["data"], ["run"]),
    "tune": (["train", "--data", "data", "--init", "bert/model", "--out", "run", *MODEL], ["data", "bert"], ["run"]),
    "resume": (["train", "--data", "data", "--resume", "half", UNTRACKED], ["data", "half"], ["half"]),
    "linear": (["train", "--data", "data", "--out", "run", "family=linear", "linear.hash_bits=10", "linear.c_grid=[1]", UNTRACKED],
               ["data"], ["run"]),
    "evaluate": (["evaluate", "--model", "bert", "--data", "data", "--json", "figures.json", "device.threads=1"],
                 ["data", "bert"], ["figures.json"]),
    "predict": (["predict", "--model", "bert", "news.csv", "-o", "answers.csv", "device.threads=1"],
                ["news.csv", "bert"], ["answers.csv"]),
    "predict-linear": (["predict", "--model", "linear", "news.csv", "device.threads=1"], ["news.csv", "linear"], []),
    "predict-csv": (["predict", "--model", "linear", "news.csv", "--format", "csv", "device.threads=1"],
                    ["news.csv", "linear"], []),
    "calibrate": (["calibrate", "--model", "linear", "--predictions", "logits.csv", "--out", "linear/model/calibration.json",
                   "device.threads=1"], ["logits.csv", "linear"], ["linear"]),
    "explain": (["explain", "--model", "bert", "few.csv", "device.threads=1", "explain.max_forwards=6"], ["few.csv", "bert"], []),
    "explain-linear": (["explain", "--model", "linear", "few.csv", "--format", "text", "device.threads=1"],
                       ["few.csv", "linear"], []),
    "tokenize": (["tokenize", "--tokenizer", "bert/model", "news.csv"], ["news.csv", "bert"], []),
    "config": (["config", "show", "--config", "config.yaml", "preset=headline"], ["config.yaml"], []),
}  # fmt: skip


def content(path):
    """What is compared of an output: its bytes without wall-clock times."""
    if Path(path).is_dir():
        return {k: v for k, v in tree(path).items() if not k.startswith("cache/")}
    return Path(path).read_bytes() if Path(path).exists() else None


class Round:
    """One command in a folder of its own."""

    def __init__(self, world, name, folder):
        self.world, self.name, self.folder = world, name, Path(folder)
        self.arguments, self.inputs, self.outputs = COMMANDS[name]

    def begin(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        for item in self.inputs:
            source = self.world.folder / item
            if source.is_dir():
                shutil.copytree(source, self.folder / item, symlinks=True)
            elif source.exists():
                shutil.copy(source, self.folder / item)
        if "config.yaml" in self.inputs:
            (self.folder / "config.yaml").write_text("train:\n  epochs: 2\n")
        self.before = {item: content(self.folder / item) for item in self.outputs}

    def run(self, **faults):
        """(exit code, stdout, stderr, calls or allocations that were counted, what failed)"""
        report = self.folder.parent / f"{self.folder.name}.report"
        report.unlink(missing_ok=True)
        environment = bare_environment(self.folder, LD_PRELOAD=str(FAULT), FN_FAULT_REPORT=str(report),
                                       **{f"FN_FAULT_{k.upper()}": str(v) for k, v in faults.items()})
        options = environment.get("ASAN_OPTIONS", "")
        environment["ASAN_OPTIONS"] = f"{options}:verify_asan_link_order=0:allocator_may_return_null=1".strip(":")
        done = subprocess.run([self.world.program, *self.arguments], capture_output=True, text=True, cwd=self.folder,
                              errors="replace", env=environment, timeout=300)
        match = re.match(r"allocations (\d+) calls (\d+) failed (.*)", report.read_text() if report.exists() else "")
        counts = (int(match[1]), int(match[2]), match[3].strip()) if match else (0, 0, "")
        return done.returncode, done.stdout, done.stderr, counts

    def go_on(self):
        """A training that was ended before is taken up again, or begun anew when there is no run yet."""
        run = self.folder / self.outputs[0]
        command = self.arguments
        if (run / "run.json").exists():
            command = ["train", "--data", "data", "--resume", self.outputs[0], UNTRACKED]
        done = subprocess.run([self.world.program, *command], capture_output=True, text=True, cwd=self.folder,
                              env=bare_environment(self.folder), timeout=300)
        assert done.returncode == 0, f"cannot be gone on with: {done.stderr}"

    def leftovers(self):
        return [str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if HALF_WRITTEN.search(p.name)]


def reference(round_, **faults):
    """What an undisturbed run gives: (outputs, stdout, number of allocations, number of calls)."""
    round_.begin()
    code, out, err, (n_alloc, n_calls, _) = round_.run(**faults)
    assert code == 0, err
    return {item: content(round_.folder / item) for item in round_.outputs}, out, n_alloc, n_calls


def names_file(message, failed, here):
    """Does the message name the file of a failed call, or a folder it is in? `here`: the working folder, "." in messages."""
    if failed.endswith(f" {here}"):
        return "fakenews: .: " in message
    if "/.fakenews-spill-" in failed:  # a file without a name: its folder stands for it
        return ": a temporary file: " in message
    if "pipe:" in failed or failed.endswith("/dev/null"):
        return "standard output" in message
    path = re.sub(r"\.tmp-[0-9a-f-]+", "", failed.split(" ", 1)[-1]).rstrip("/")
    parts = [part for part in path.split("/") if part]
    return "cannot be removed" in message or any(part in message for part in parts[-3:])


def check(round_, expected, code, out, err, failed, what):
    """After a command one of whose calls failed: done all the same, or refused cleanly."""
    outputs, stdout = expected[:2]
    assert "Sanitizer" not in err and "runtime error" not in err, f"{what}: {err[-3000:]}"
    # A stat that fails once, of a file that is not there: the next call tells so.
    missing = code == 2 and ": stat " in what and names_file(err, failed, round_.folder)
    assert code in (0, 1) or missing, f"{what}: exit code {code}: {err[-2000:]}"
    if code == 0:
        same = all(content(round_.folder / item) == outputs[item] for item in round_.outputs)
        assert same, f"{what}: done, but with another result"
        # Figures and times of a training vary; the audit after preparing is an extra, and says why it was not made.
        told = round_.name in ("train", "tune", "resume", "linear") or "Audit       not done: " in out
        assert told or out == stdout, f"{what}: done, other output"
    else:
        assert err.strip(), f"{what}: failed without a word"
    if "unlink" not in what and "getdents" not in what:
        assert not round_.leftovers(), f"{what}: left {round_.leftovers()} behind; {err}"
    if code == 0:
        return
    trained = round_.name in ("train", "tune", "resume")
    if trained:
        round_.go_on()
        for item in round_.outputs:
            assert content(round_.folder / item) == outputs[item], f"{what}: gone on with, but with another result"
    elif round_.name != "linear":
        for item in round_.outputs:
            now = content(round_.folder / item)
            assert now == round_.before[item] or now == outputs[item], f"{what}: {item} is neither old nor new"


def chosen(total, share, seed):
    """All of 1 … total, or `share` of them: the first few and others at random."""
    if share is None or total <= share:
        return range(1, total + 1)
    rng = random.Random(seed)
    return sorted({1, 2, 3, total, *rng.sample(range(1, total + 1), share)})


def fail_allocations(round_, share=None):
    expected = reference(round_, alloc=0)
    for n in chosen(expected[2], share, round_.name):
        round_.begin()
        code, out, err, (_, _, failed) = round_.run(alloc=n)
        check(round_, expected, code, out, err, failed, f"{round_.name}: allocation {n} of {expected[2]}")
    return expected[2]


def fail_calls(round_, error, share=None, for_good=False):
    expected = reference(round_, io=0)
    for n in chosen(expected[3], share, f"{round_.name} {error}"):
        round_.begin()
        code, out, err, (_, _, failed) = round_.run(io=n, error=error, for_good=int(for_good))
        what = f"{round_.name}: {error} at call {n} of {expected[3]}: {failed}"
        check(round_, expected, code, out, err, failed, what)
        assert code == 0 or for_good or names_file(err, failed, round_.folder), f"{what}: not named in: {err}"
        assert code == 0 or error != "short", f"{what}: {err}"
    return expected[3]


def kill_at_calls(round_, share=None):
    """Killed before its n-th call on files, for all n: what stands there is gone on with to the same end. Returns how many
    kills there were, and how many of them inside the writing of a checkpoint."""
    expected = reference(round_, io=0)
    kills, inside = 0, 0
    for n in chosen(expected[3], share, f"{round_.name} kill"):
        round_.begin()
        code, _, err, (_, _, failed) = round_.run(io=n, error="kill")
        what = f"{round_.name}: killed before call {n} of {expected[3]}: {failed}"
        assert code == -9, f"{what}: {code}: {err}"
        kills += 1
        inside += "writing-" in failed
        round_.go_on()
        for item in round_.outputs:
            assert content(round_.folder / item) == expected[0][item], what
        assert not list(round_.folder.glob("*/checkpoints/writing-*")), what
    return kills, inside
