"""The prediction log when things go wrong: killed, disk full, database gone, several processes. What was told as done is
there, once each. FN_LOG_KILLS=200 runs more kills."""

import os
import random
import signal
import subprocess
import time

import pytest
from log_support import PROBE, UNIT, ids, limit_files, postgres, probe, select, stats, stored, wait_until


@pytest.fixture(scope="module")
def cluster():
    with postgres() as cluster:
        yield cluster


def test_kill(tmp_path):
    """Killed in mid-append again and again on one file: every row that was told as done is there, none twice."""
    random.seed(7)
    told = []
    for i in range(int(os.environ.get("FN_LOG_KILLS", "6"))):
        command = [PROBE, "write", "-", str(tmp_path), f"first={i * 100000}", "rows=100000", "callers=8", "text=full"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            lines = [process.stdout.readline().rstrip("\n") for _ in range(random.randint(0, 40))]
            time.sleep(random.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.read().split("\n")[:-1]
        told += [line.split()[1] for line in lines if line.startswith("ok ")]
    assert len(told) > 30
    kept = stored(tmp_path)
    assert set(told) <= set(kept) and len(kept) == len(set(kept))
    assert select(tmp_path, "PRAGMA integrity_check") == [("ok",)]


def test_two_processes(tmp_path):
    """On one file at once, and started at once on none."""
    commands = [[PROBE, "write", "-", str(tmp_path), f"first={i * 1000}", "rows=150"] for i in range(3)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    lines = [line.split() for process in running for line in process.communicate(timeout=120)[0].splitlines()]
    assert all(process.returncode == 0 for process in running)
    assert len(ids(lines)) == 450 and not ids(lines, "failed")

    def is_drained():
        return not list(tmp_path.glob("spool-*")) or stats(probe("write", "-", tmp_path, "rows=0", "wait=1"))["spool_bytes"] == 0

    wait_until(is_drained)
    assert sorted(stored(tmp_path)) == sorted(ids(lines))


def test_disk_full(tmp_path):
    """The database cannot grow, then neither can the spool: rows are told as failed; what was told as done is there."""
    lines = probe("write", "-", tmp_path, "rows=600", "callers=8", preexec_fn=limit_files(400_000))
    done, failed = ids(lines), ids(lines, "failed")
    assert stats(lines)["spooled"] > 20 and failed and len(done) + len(failed) == 600
    assert stats(lines)["lost"] == 0 and stats(lines)["failed"] == len(failed)
    assert any("spool-0.fns" in " ".join(line) for line in lines if line[0] == "failed")
    kept = set(stored(tmp_path))
    assert not set(done) <= kept  # some are in the spool
    probe("write", "-", tmp_path, "first=9000", "rows=1", "wait=60")  # there is room again
    kept = stored(tmp_path)
    assert set(done) | {"p_00009000"} <= set(kept) and not set(kept) & set(failed)
    assert not list(tmp_path.glob("spool-*"))


def test_spool_is_bounded(tmp_path):
    """async answers at once, so what finds no place is counted as lost."""
    url = "postgresql://nobody@127.0.0.1:1/x"
    lines = probe("write", url, tmp_path, "rows=1500", "callers=8", "spool_mb=1", "durable=async", "flush_ms=20")
    figures = stats(lines)
    assert len(ids(lines)) == 1500 and figures["lost"] > 0 and figures["spooled"] + figures["lost"] == 1500
    assert figures["spool_bytes"] <= 1 << 20 and figures["up"] == 0
    lines = probe("write", url, tmp_path / "none", "rows=1", "spool_mb=1")
    assert ids(lines) and (tmp_path / "none/spool-0.fns").exists()


def test_repeated_rows(tmp_path):
    probe("write", "-", tmp_path, "rows=50")
    lines = probe("write", "-", tmp_path, "rows=60")
    assert len(ids(lines, "repeated")) == 50 and len(ids(lines)) == 10 and stats(lines)["repeated"] == 50
    lines = probe("write", "-", tmp_path, "rows=50", "title=7")
    assert len(ids(lines, "differs")) == 50 and len(stored(tmp_path)) == 60


def test_purge_in_the_background(tmp_path):
    probe("write", "-", tmp_path, "rows=700", "days=100", "callers=32")
    lines = probe("write", "-", tmp_path, "first=1000", "rows=1", "keep_days=90", "wait=60", "purged=700")
    assert stats(lines)["purged"] == 700 and stored(tmp_path) == ["p_00001000"]


def test_unit_tests_on_postgresql(cluster):
    """The same unit tests that run on SQLite."""
    done = subprocess.run([UNIT / "sql/test_sql"], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "FN_TEST_POSTGRESQL": cluster.url})
    assert done.returncode == 0, done.stdout + done.stderr


def test_verbs_on_postgresql(cluster, fakenews, tmp_path):
    cluster.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    env = {"DATABASE_URL": cluster.url, "STATE_DIRECTORY": str(tmp_path)}
    lines = probe("write", cluster.url, tmp_path, "rows=300", "callers=8", "text=full")
    assert len(ids(lines)) == 300 and cluster.sql("SELECT count(*) FROM predictions") == ["300"]
    lines = probe("write", cluster.url, tmp_path, "rows=20", "title=3")
    assert len(ids(lines, "differs")) == 20
    probe("feedback", cluster.url, tmp_path, "p_00000002", "real", "ann")
    assert "p_00000002" in fakenews("log", "list", "--disputed", env=env).stdout
    shown = fakenews("log", "show", "p_00000002", env=env)
    assert '"title": "Title 2"' in shown.stdout and '"logit": 1.0986122886681098' in shown.stdout
    assert fakenews("log", "export", env=env).stdout.count("\n") == 300
    assert fakenews("log", "export", "--with-feedback", env=env).stdout.count("\n") == 1
    assert fakenews("log", "rm", "p_00000003", env=env).code == 0
    key = fakenews("keys", "add", "--role", "admin", env={"PGHOST": cluster.folder, "PGUSER": "postgres", "PGDATABASE": "postgres"})
    assert key.code == 0 and '"admin"' in fakenews("keys", "list", env=env).stdout, key
    assert "299 predictions were deleted" in fakenews("log", "purge", "--before", "0m", env=env).stderr
    cluster.sql("UPDATE schema_version SET version = 99")
    done = fakenews("log", "list", env=env)
    assert done.code == 2 and "written by a newer program" in done.stderr


def paced(url, folder, rows):
    """log_probe, which writes a row for each byte that it is given."""
    return subprocess.Popen([PROBE, "write", url, str(folder), f"rows={rows}", "callers=1", "paced=1", "wait=60"], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def write(process, n, last=False):
    """What n rows more are answered with; after the last ones all that is said to the end."""
    process.stdin.write("." * n)
    process.stdin.flush()
    if last:
        process.stdin.close()
        return [line.split() for line in process.stdout]
    return [process.stdout.readline().split() for _ in range(n)]


def test_database_gone_and_back(cluster, tmp_path):
    """Stopped at once (as by a crash) while rows are written, started again: all are there, once, in their order."""
    cluster.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with paced(cluster.url, tmp_path, rows=400) as process:
        lines = write(process, 100)
        cluster.stop()
        lines += write(process, 200)
        cluster.start()
        lines += write(process, 100, last=True)
    figures = stats(lines)
    assert not ids(lines, "failed") and figures["spooled"] >= 200 and figures["replayed"] + figures["repeated"] >= figures["spooled"]
    assert figures["spool_bytes"] == 0 and figures["lost"] == 0 and figures["up"] == 1
    # fsync is off in this cluster, but it was ended, not the machine.
    assert cluster.sql("SELECT id FROM predictions ORDER BY ctid") == [f"p_{i:08d}" for i in range(400)]


def test_tables_gone(cluster, tmp_path):
    """Everything is dropped under a running log: what comes then waits in the spool until the tables are made again."""
    cluster.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with paced(cluster.url, tmp_path, rows=200) as process:
        lines = write(process, 50)
        cluster.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        lines += write(process, 150, last=True)
    figures = stats(lines)
    assert not ids(lines, "failed") and figures["spooled"] > 0 and figures["spool_bytes"] == 0 and figures["lost"] == 0
    kept = cluster.sql("SELECT id FROM predictions ORDER BY ctid")
    assert len(kept) >= 150 and kept == [f"p_{i:08d}" for i in range(200 - len(kept), 200)]


def test_database_away_at_the_start(cluster, tmp_path):
    cluster.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    cluster.stop("fast")
    lines = probe("write", cluster.url, tmp_path, "rows=40")
    assert len(ids(lines)) == 40 and stats(lines)["spooled"] == 40 and stats(lines)["up"] == 0
    cluster.start()
    lines = probe("write", cluster.url, tmp_path, "first=40", "rows=5", "wait=60")
    assert stats(lines)["written"] == 45 and cluster.sql("SELECT count(*) FROM predictions") == ["45"]
