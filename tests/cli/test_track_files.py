"""Files of a run never hold up what it measured, its status or its end: they are stored beside, and later where that failed."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from log_support import postgres, wait_until
from train_support import TINY, bare_environment, prepare, seconds_since_training, wait_for, write_corpus

TRAIN = ["--init", "scratch", *TINY, "track.flush_ms=10", "device.threads=1"]
BUCKET = "track.artifacts=s3://bucket/x"


@pytest.fixture(scope="module")
def data(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    return prepare(program, folder, write_corpus(folder / "news.csv"))


@contextlib.contextmanager
def silent_endpoint():
    """Takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def bucket():
    """As much of S3 as files of a tiny run need."""
    kept = {}

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            body = kept.get(self.path)
            self.send_response(200 if body is not None else 404)
            if body is not None:
                self.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()

        def do_PUT(self):
            kept[self.path] = body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_address[1]}", kept
    http.shutdown()
    http.server_close()


def environment(folder, endpoint=None):
    more = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"} if endpoint else {}
    return bare_environment(folder, **more)


def run(program, folder, *arguments, endpoint=None):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, cwd=folder, timeout=300,
                          env=environment(folder, endpoint))


def state(folder, name="run"):
    """Status, points of train/loss and paths of files of a run, as the database has them."""
    with contextlib.closing(sqlite3.connect(folder / "runs/tracking.db")) as database:
        one = lambda sql: database.execute(sql, (name,)).fetchall()
        points = one("SELECT points FROM metrics JOIN runs ON run = number WHERE name = ? AND key = 'train/loss'")
        files = one("SELECT path FROM artifacts JOIN runs ON owner = 'run:' || id WHERE name = ? ORDER BY path")
        return one("SELECT status FROM runs WHERE name = ?")[0][0], points[0][0] if points else 0, [path for path, in files]


def steps(folder):
    return json.loads((folder / "run/result.json").read_text())["n_steps"]


def test_a_silent_bucket_holds_up_nothing_and_sync_fills_it(program, data, tmp_path):
    with silent_endpoint() as endpoint:
        done = run(program, tmp_path, "train", "--data", data, "--out", "run", *TRAIN, BUCKET, "track.close_timeout_s=1",
                   endpoint=endpoint)
        took = seconds_since_training(tmp_path / "run")
    assert done.returncode == 0 and took < 20, (took, done.stderr)  # 30 where it is not set
    assert state(tmp_path) == (2, steps(tmp_path), []), done.stderr
    assert "files of the run are not in the local store" in done.stderr and "fakenews runs sync" in done.stderr
    lines = [json.loads(line) for line in (tmp_path / "run/track/files.jsonl").read_text().splitlines()]
    assert lines[0]["artifacts"] == "s3://bucket/x" and "result.json" in [line["path"] for line in lines[1:]]
    assert "model/model.safetensors" in [line["key"] for line in lines[1:]]
    with bucket() as (endpoint, kept):
        other = run(program, tmp_path, "runs", "sync", "run", endpoint=endpoint)
        assert other.returncode == 2 and "give track.artifacts=s3://bucket/x" in other.stderr and not kept, other
        done = run(program, tmp_path, "runs", "sync", "run", BUCKET, endpoint=endpoint)
        told = json.loads(done.stdout)
        assert done.returncode == 0 and told["stored"] == len(lines) - 1 and told["waiting"] == 0, done
    assert not (tmp_path / "run/track/files.jsonl").exists()
    assert state(tmp_path)[2] == sorted(line["key"] for line in lines[1:])
    digest = hashlib.sha256((tmp_path / "run/result.json").read_bytes()).hexdigest()
    assert kept[f"/bucket/x/sha256/{digest[:2]}/{digest}"] == (tmp_path / "run/result.json").read_bytes()
    assert "nothing waits" in run(program, tmp_path, "runs", "sync", "run", BUCKET).stderr


def test_a_signal_ends_the_wait_for_files(program, data, tmp_path):
    with silent_endpoint() as endpoint:
        child = subprocess.Popen([program, "train", "--data", data, "--out", "run", *TRAIN, BUCKET, "track.close_timeout_s=300"],
                                 cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                 env=environment(tmp_path, endpoint))

        def is_told():
            with contextlib.suppress(sqlite3.Error, IndexError):
                return state(tmp_path)[0] == 2

        wait_for(is_told)  # all but the files is there
        child.send_signal(signal.SIGINT)
        stderr = child.communicate(timeout=150)[1]
    assert child.returncode == 0, stderr
    assert state(tmp_path)[:2] == (2, steps(tmp_path)) and "fakenews runs sync" in stderr


def test_a_database_that_freezes(program, data, tmp_path):
    """PostgreSQL whose process stops answering in the middle of a training: it ends in time, and says what is missing."""
    with postgres() as cluster:
        busy = lambda: cluster.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'fakenews'")
        child = subprocess.Popen([program, "train", "--data", data, "--out", "run", *TRAIN, "train.epochs=400", f"track.url={cluster.url}",
                                  "track.artifacts=files", "track.close_timeout_s=2"], cwd=tmp_path, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True, env=environment(tmp_path))
        log = tmp_path / "run/metrics.jsonl"
        wait_until(lambda: log.exists() and log.stat().st_size > 0 and busy())
        frozen = [int(pid) for pid in busy()]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            stderr = child.communicate(timeout=60)[1]
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        assert child.returncode == 130, stderr
        assert "are not in the local store" in stderr and "PostgreSQL" in stderr, stderr


def test_a_store_that_is_in_the_way(program, data, tmp_path):
    """The run is FINISHED with all it measured; a resumed training brings what was missed."""
    (tmp_path / "files").write_text("")
    done = run(program, tmp_path, "train", "--data", data, "--out", "run", *TRAIN, "track.artifacts=files/x", "train.max_steps=8")
    assert done.returncode == 0 and state(tmp_path) == (2, 8, []), done.stderr
    (tmp_path / "files").unlink()
    done = run(program, tmp_path, "train", "--resume", "run", "train.max_steps=12")
    assert done.returncode == 0, done.stderr
    status, points, files = state(tmp_path)
    assert "not in the local store" not in done.stderr  # files that were told of twice are whole
    assert (status, points) == (2, 12) and {"run.json", "result.json", "model/model.safetensors"} <= set(files), done.stderr
    assert not (tmp_path / "run/track/files.jsonl").exists()


def test_a_foreign_list_gets_at_no_other_file(program, data, tmp_path):
    assert run(program, tmp_path, "train", "--data", data, "--out", "run", *TRAIN).returncode == 0
    before = state(tmp_path)[2]
    secret = tmp_path / "secret"
    secret.write_text("s3cr3t")
    head = {"format": 1, "run": json.loads((tmp_path / "run/track/run.json").read_text())["id"],
            "artifacts": str(tmp_path / "runs/artifacts")}
    (tmp_path / "run/link").symlink_to(secret)
    wanted = [str(secret), "../secret", "link", "result.json"]
    lines = [head, {"key": "changed", "path": "config.yaml", "hash": "0" * 32}, {"key": "gone", "path": "no.such"},
             *({"key": f"got{i}", "path": path} for i, path in enumerate(wanted))]
    (tmp_path / "run/track/files.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"key": "torn')
    done = run(program, tmp_path, "runs", "sync", "run")
    told = json.loads(done.stdout)
    assert done.returncode == 0 and (told["stored"], told["left_out"], told["waiting"]) == (1, 5, 0), done
    assert told["reason"].endswith("config.yaml was changed since the training told of it")
    assert state(tmp_path)[2] == sorted([*before, "got3"])
    head["run"] = "0" * 32
    (tmp_path / "run/track/files.jsonl").write_text(json.dumps(head) + "\n" + json.dumps(lines[-1]) + "\n")
    done = run(program, tmp_path, "runs", "sync", "run")
    assert done.returncode != 0 and "is not in this database" in done.stderr, done


def test_one_refused_tag_loses_itself_alone(program, data, tmp_path):
    """Keys are checked before the training; what is not UTF-8 is cleaned."""
    done = run(program, tmp_path, "train", "--data", data, "--out", "run", *TRAIN, 'track.tags={"who?": x, team: desk}')
    assert done.returncode == 2 and "track.tags" in done.stderr and "who?" in done.stderr and not (tmp_path / "run").exists(), done
    odd = b"r\xffun"
    done = subprocess.run([str(program).encode(), b"train", b"--data", bytes(Path(data)), b"--out", odd, *(word.encode() for word in TRAIN)],
                          cwd=tmp_path, env=bare_environment(tmp_path), capture_output=True)
    assert done.returncode == 0 and b"warning" not in done.stderr, done.stderr
    status, points, files = state(tmp_path, "r�un")
    assert status == 2 and points > 0 and "result.json" in files
    with contextlib.closing(sqlite3.connect(tmp_path / "runs/tracking.db")) as database:
        tags = dict(database.execute("SELECT key, value FROM tags"))
    assert tags["mlflow.runName"] == "r�un" and tags["fakenews.command"].count("�") == 1 and tags["fakenews.data.hash"]
    shutil.rmtree(tmp_path / "runs")
