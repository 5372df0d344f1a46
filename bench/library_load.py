"""What linking libfakenews costs before main: a program that calls fakenews_version_number against an empty one.

bench/library_load.py BUILD: builds both against BUILD/libfakenews.so, starts each 300 times in turns, prints the medians."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
STARTS = 300
SOURCES = {"empty": "int main(void) { return 0; }",
           "libfakenews": "#include <fakenews/fakenews.h>\nint main(void) { return fakenews_version_number() == 0; }"}  # fmt: skip


def start(program):
    begin = time.perf_counter()
    _, status = os.waitpid(os.posix_spawn(program, [program], {}), 0)
    assert status == 0
    return 1e3 * (time.perf_counter() - begin)


def main():
    build = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        for name, source in SOURCES.items():
            link = ["-L", build, "-lfakenews", f"-Wl,-rpath,{build}"] if name != "empty" else []
            subprocess.run(["cc", "-O2", "-xc", "-", "-o", f"{folder}/{name}", "-I", REPO / "include", *link], input=source,
                           text=True, check=True)
        times = {name: [] for name in SOURCES}
        for _ in range(STARTS):
            for name in SOURCES:
                times[name].append(start(f"{folder}/{name}"))
    medians = {name: statistics.median(t) for name, t in times.items()}
    for name, ms in medians.items():
        print(f"{name:12} {ms:.2f} ms")
    print(f"{'difference':12} {medians['libfakenews'] - medians['empty']:.2f} ms")


if __name__ == "__main__":
    main()
