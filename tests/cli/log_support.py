"""What the tests of the prediction log share: a way to write rows, a look into SQLite, and a PostgreSQL of our own."""

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

TOOLS = Path(os.environ.get("FN_TOOLS", Path(__file__).resolve().parents[2] / "build/dev/tests/tools"))
PROBE = TOOLS / "log_probe"
UNIT = TOOLS.parent / "unit"


def limit_files(size):
    """For preexec_fn: no file may grow over size bytes, as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def probe(*arguments, **more):
    """Runs log_probe (tests/tools/log_probe.c); its lines as lists of words."""
    done = subprocess.run([PROBE, *map(str, arguments)], capture_output=True, text=True, timeout=120, **more)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def ids(lines, word="ok"):
    return [line[1] for line in lines if line[0] == word]


def stats(lines):
    words = next(line for line in lines if line[0] == "stats")
    return {words[i]: int(words[i + 1]) for i in range(1, words.index("error"), 2)}


def select(folder, sql, *values):
    with contextlib.closing(sqlite3.connect(f"{folder}/predictions.db", timeout=20)) as database:
        return database.execute(sql, values).fetchall()


def stored(folder):
    return [row[0] for row in select(folder, "SELECT id FROM predictions ORDER BY rowid")]


class Postgres:
    """A cluster of its own in a temporary folder, reached by its socket. Runs as the user postgres where we are root."""

    def __init__(self):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        assert found, "PostgreSQL is missing: make deps; tools/deps.sh test"
        self.bin = found[-1].parent
        self.folder = tempfile.mkdtemp(prefix="fn-pg-")
        self.user = {}
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
            self.user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self.url = f"postgresql://postgres@/postgres?host={self.folder}"
        self.run("initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", "postgres", "-N", "--locale=C", "-E", "UTF8")

    def run(self, program, *arguments):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        done = subprocess.run([self.bin / program, *arguments], cwd="/", env=environment, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, **self.user)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start(self):
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log", "-o",
                 f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off", "start")

    def stop(self, mode="immediate"):
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", mode, "stop")

    def sql(self, text):
        return self.run("psql", "-XAtq", "-h", self.folder, "-U", "postgres", "-c", text).split("\n")[:-1]

    def remove(self):
        with contextlib.suppress(AssertionError):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def postgres():
    cluster = Postgres()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


def wait_until(what, seconds=60):
    """Waits until what() is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
