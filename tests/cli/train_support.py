"""What the tests of `fakenews train` share: a small prepared corpus, a tiny model, comparing and killing runs."""

import csv
import json
import os
import random
import re
import struct
import subprocess
import time
from pathlib import Path
from signal import SIGINT

# A model that trains in a second or two.
TINY = ["model.vocab_size=400", "model.hidden_size=32", "model.num_hidden_layers=2", "model.num_attention_heads=2",
        "model.intermediate_size=64", "model.max_position_embeddings=64", "train.max_tokens=48", "train.batch_size=8",
        "train.learning_rate=1e-3", "train.epochs=2", "train.log_every=3"]

WORDS = {
    0: "the report said officials figures percent council budget survey review committee published estimate".split(),
    1: "shocking secret they hide miracle truth exposed wake cure never told insiders banned proof".split(),
}
COMMON = "water city people year new health school road energy price river doctor vote train market night".split()


def write_corpus(path, n=120, seed=1, dataset=None):
    """Invented rows of both classes; `dataset` names the set of a row from its number and label."""
    rng = random.Random(seed)
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["title", "text", "label", "source"] + (["dataset"] if dataset else []))
        for i in range(n):
            label = i % 2
            words = [rng.choice(WORDS[label] + COMMON * 2) for _ in range(rng.randint(8, 60))]
            title = " ".join(rng.choice(WORDS[label] + COMMON) for _ in range(5)) + f" {i}"
            row = [title, " ".join(words) + ".", label, f"outlet{i % 7}"]
            out.writerow(row + ([dataset(i, label)] if dataset else []))
    return path


def bare_environment(home, **more):
    keep = {k: os.environ[k] for k in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS") if k in os.environ}
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", **keep, **more}


def prepare(program, directory, csv_file, *settings):
    """Folder of a prepared dataset."""
    out = Path(directory) / "data"
    done = subprocess.run([program, "data", "prepare", "--input", csv_file, "--out", out, *settings],
                          capture_output=True, text=True, env=bare_environment(directory), cwd=directory)
    assert done.returncode == 0, done.stderr
    return out


def tree(run, leave=("times.jsonl", "config.yaml")):
    """Relative path → bytes, or the link's target, of everything in a run folder but what may differ."""
    found = {}
    for path in sorted(Path(run).rglob("*")):
        name = str(path.relative_to(run))
        if name in leave or name.startswith("track/"):  # who the run is: another one each time
            continue
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def same_tree(a, b):
    one, two = tree(a), tree(b)
    assert not set(one) ^ set(two), f"in one only: {sorted(set(one) ^ set(two))}"
    different = [name for name in one if one[name] != two[name]]
    assert not different, f"differ: {different}"
    return sorted(one)


def metrics(run):
    return [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]


def tensors(path):
    """name → tuple of floats of an F32 safetensors file, without any library."""
    data = Path(path).read_bytes()
    (n,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + n])
    found = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            found[name] = struct.unpack(f"<{(end - begin) // 4}f", data[8 + n + begin:8 + n + end])
    return found


def overwrite_tensor(path, name, value):
    """Fills one tensor of an F32 safetensors file with a value."""
    data = bytearray(Path(path).read_bytes())
    (n,) = struct.unpack("<Q", data[:8])
    begin, end = json.loads(data[8:8 + n])[name]["data_offsets"]
    data[8 + n + begin:8 + n + end] = struct.pack("<f", value) * ((end - begin) // 4)
    Path(path).write_bytes(data)


def wait_for_handler(process, number):
    """Until the program takes that signal itself: one that comes before would end it as any other program."""
    status = Path(f"/proc/{process.pid}/status")
    wait_for(lambda: process.poll() is not None or int(re.search(r"SigCgt:\s+(\w+)", status.read_text())[1], 16) >> (number - 1) & 1)


def kill_after(command, cwd, seconds, signal, home):
    """Starts a command, sends a signal that seconds after it could take one; its exit code (None-free: negative for a
    signal), output and messages."""
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=bare_environment(home))
    wait_for_handler(process, SIGINT)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def seconds_since_training(run):
    """How long ago the result of a training was written, after which it only waits for those whom it told of itself."""
    return time.time() - (Path(run) / "result.json").stat().st_mtime


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)
