"""A run of a thousand metrics is looked at, and resumed, in seconds: no search through all keys for every point."""

import contextlib
import os
import random
import sqlite3
import struct
import subprocess

import pytest
from train_support import TINY, bare_environment, prepare, write_corpus

N_KEYS, N_STEPS = 1000, 3000


@pytest.fixture(scope="module")
def wide(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wide")
    data = prepare(program, folder, write_corpus(folder / "news.csv"))
    run(program, folder, "train", "--data", data, "--out", "run", "--init", "scratch", *TINY, "train.max_steps=8", "train.save_every=8")
    blob = struct.pack(f"<{N_KEYS}d", *(random.Random(i).random() for i in range(N_KEYS)))
    with contextlib.closing(sqlite3.connect(folder / "runs/tracking.db")) as database:
        (number,) = database.execute("SELECT number FROM runs").fetchone()
        keys = [f"val/metric_{i}" for i in range(N_KEYS)]
        database.execute("INSERT INTO metric_keys VALUES (?, 5, ?)", (number, "\n".join(keys)))
        database.executemany("INSERT INTO metric_steps VALUES (?, ?, ?, 5, ?, ?)",
                             [(number, i % 8 if i < N_STEPS - 1 else 100, 1700000000000 + i, i, blob) for i in range(N_STEPS)])
        database.executemany("INSERT INTO metrics VALUES (?, ?, 0.5, 100, 1, 0, 1, ?)", [(number, key, N_STEPS) for key in keys])
        database.commit()
    return folder


def run(program, folder, *arguments):
    before = os.times()
    done = subprocess.run([program, *map(str, arguments)], cwd=folder, env=bare_environment(folder), capture_output=True, text=True,
                          timeout=600)
    assert done.returncode == 0, done.stderr
    after = os.times()  # of processors: others on the machine take none of it
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_a_wide_run_is_shown_and_resumed_in_seconds(program, wide):
    assert run(program, wide, "runs", "show", "run") < 9
    assert run(program, wide, "train", "--resume", "run", "train.max_steps=10") < 9
    with contextlib.closing(sqlite3.connect(wide / "runs/tracking.db")) as database:
        rows = database.execute("SELECT DISTINCT points, latest_step FROM metrics WHERE key LIKE 'val/metric%'").fetchall()
    assert rows == [(N_STEPS - 1, 7)]
