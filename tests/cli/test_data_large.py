"""`data prepare` where it hurts: more rows than memory is meant to hold, a disk that is full, an interrupt. Whatever
happens, nothing is left beside the output."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time

import pytest
from train_support import wait_for_handler


def write_tweets(path, n, seed=1):
    """About 120 bytes a row; one in ten copies another one, half of those with a word changed."""
    rng = random.Random(seed)
    words = [f"{a}{b}{c}" for a in ("ka", "ro", "min", "te") for b in ("sal", "vo", "ber", "in") for c in ("do", "na", "chi", "")]
    with open(path, "w", encoding="utf-8") as file:
        file.write("label,source,title,text\n")
        recent = [""] * 100
        for i in range(n):
            kind = rng.random()
            text = " ".join(rng.choices(words, k=16)) + f" {i}" if kind > 0.1 or i < 100 else recent[rng.randrange(100)]
            if kind < 0.05:
                text = text.replace("a", "o", 1)
            recent[i % 100] = text
            file.write(f"{i & 1},s{rng.randrange(50)},,{text}\n")
    return path


def run(program, *arguments, limit=None):
    """(exit code, stderr, peak memory in MB) of `data prepare`, with a bound on the size of files."""

    def bound():
        if limit:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = subprocess.Popen([program, "data", "prepare", *map(str, arguments)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, preexec_fn=bound)
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, message, usage.ru_maxrss / 1024


@pytest.fixture(scope="module")
def tweets(tmp_path_factory):
    return write_tweets(tmp_path_factory.mktemp("tweets") / "tweets.csv", 120000)


PLAIN = ("audit.after_prepare=false", "device.threads=2", "data.near_duplicates=0.5")


def names_beside(folder):
    return sorted(name for name in os.listdir(folder))


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="shared: a sanitizer's memory is not the program's")
@pytest.mark.parametrize("rows, times", [(20000, 60), (300000, 1)])
def test_memory_does_not_grow_with_texts(program, tmp_path, rows, times):
    """140 MB of long texts, and many short ones: the buffers of a load and of the sorters, and a few bytes a row."""
    path = write_tweets(tmp_path / "tweets.csv", rows)
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *(line + (" " + line.split(",")[3]) * (times - 1) for line in lines)]) + "\n")
    code, message, peak_mb = run(program, "--input", path, "--out", tmp_path / "out", *PLAIN)
    assert code == 0, message
    report = json.loads((tmp_path / "out" / "prepare.json").read_text())
    assert report["rows"]["read"] == rows and report["duplicates"]["near_clusters"] > rows // 100
    assert peak_mb < 220  # 120 alone; buffers that wait for a disk that others use are fuller; with the texts 260


@pytest.mark.parametrize("limit", (1 << 10, 1 << 18, 1 << 22, 1 << 23))
def test_a_full_disk_leaves_nothing(program, tweets, tmp_path, limit):
    code, message, _ = run(program, "--input", tweets, "--out", tmp_path / "out", *PLAIN, limit=limit)
    assert code == 1
    assert "File too large" in message and str(tmp_path) in message, message
    assert names_beside(tmp_path) == []


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM))
@pytest.mark.parametrize("after", (0.02, 0.1, 0.3))
def test_an_interrupt_leaves_nothing(program, tweets, tmp_path, number, after):
    for _ in range(8):  # it takes a second or two: where others are busy it may be done before the signal comes
        process = subprocess.Popen([program, "data", "prepare", "--input", tweets, tweets, tweets, "--out", tmp_path / "out", *PLAIN],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_for_handler(process, number)
        time.sleep(after)
        process.send_signal(number)
        message = process.communicate(timeout=120)[1]
        if process.returncode != 0:
            break
        after /= 3
        shutil.rmtree(tmp_path / "out")
    assert process.returncode == 128 + number, message
    assert names_beside(tmp_path) == []


def test_a_killed_run_leaves_no_temporary_files(program, tweets, tmp_path):
    """kill -9: at most the folder that was being made stays; what waits in temporary files has no name."""
    for after in (0.2, 0.1, 0.05, 0.01, 0, 0):
        process = subprocess.Popen([program, "data", "prepare", "--input", tweets, tweets, "--out", tmp_path / "out", *PLAIN],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_handler(process, signal.SIGINT)
        time.sleep(after)
        process.kill()
        if process.wait() != 0:
            break
        shutil.rmtree(tmp_path / "out")
    assert process.returncode == -signal.SIGKILL
    assert [name for name in names_beside(tmp_path) if not name.startswith("out.partial-")] == []
