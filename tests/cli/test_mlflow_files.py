"""Files of a run that an MLflow server's store does not take now: values and the end of the run never wait for them, they
are not lost, and a training ends on time."""

import json
import signal
import socket
import subprocess
import time

import pytest

from mlflow_fake import FakeMlflow
from test_mlflow_faults import data  # noqa: F401 (a fixture)
from test_mlflow_faults import events, check_all, only_run, probe
from train_support import TINY, bare_environment

NO_CREDENTIALS = {"AWS_EC2_METADATA_DISABLED": "true"}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@pytest.fixture
def deaf():
    """Accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def with_files(folder, n=3):
    """Files first, then values and the end."""
    (folder / "model").mkdir(parents=True)
    for i in range(n):
        (folder / "model" / f"{i}.bin").write_bytes(bytes([i]) * 10)
    return [f"a\tmodel/{i}.bin\t{folder}/model/{i}.bin" for i in range(n)] + events()


def train(program, data, folder, *words, **env):  # noqa: F811
    return subprocess.Popen([program, "train", "--data", data, "--out", "run", "--init", "scratch", *TINY, "track.sinks=[mlflow]",
                             "track.system_metrics=false", *words], cwd=folder, env=bare_environment(folder, **env),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_values_do_not_wait_for_files_and_files_wait_for_credentials(tmp_path, fakenews):
    server = FakeMlflow(root="s3://bucket/x")
    folder = tmp_path / "r"
    begin = time.monotonic()
    said = probe(folder, server.url, with_files(folder), close_ms=30000, check=False)
    assert time.monotonic() - begin < 10  # not the whole of close: time alone does not mend it
    run = check_all(server)
    assert not run["files"] and "3 files wait for" in said["close"] and "refuse" not in said["close"]
    none = fakenews("runs", "sync", folder, env=NO_CREDENTIALS)
    assert none.code == 2 and "AWS_ACCESS_KEY_ID" in none.stderr
    assert json.loads(none.stdout)["waiting"] == 3 and json.loads(none.stdout)["refused"] == 0
    run["artifact_uri"] = server.root = None  # now the server takes them itself: in the run's state, too
    sent = folder / "track" / "mlflow.sent"
    sent.write_text(sent.read_text().replace("s3://bucket/x", f"mlflow-artifacts:/1/{run['run_id']}/artifacts"))
    done = fakenews("runs", "sync", folder)
    server.close()
    assert done.code == 0 and json.loads(done.stdout)["sent"] == 3, done.stdout + done.stderr
    assert run["files"] == {f"model/{i}.bin": bytes([i]) * 10 for i in range(3)}


def test_one_file_that_fails_does_not_hold_up_the_others(tmp_path):
    server = FakeMlflow()
    folder = tmp_path / "r"
    lines = with_files(folder)
    path = "artifacts/1/" + f"{1:032x}" + "/artifacts/model/0.bin"
    server.faults = [f"503@{path}"]
    said = probe(folder, server.url, lines, close_ms=8000, check=True)
    server.close()
    assert said["close"] == "" and server.seen_faults == ["503"]
    assert sorted(check_all(server)["files"]) == ["model/0.bin", "model/1.bin", "model/2.bin"]
    puts = [p.rsplit("/", 1)[1] for method, p in server.requests if method == "PUT"]
    assert puts == ["0.bin", "1.bin", "2.bin", "0.bin"]


def test_a_store_that_never_answers_holds_nothing_up(program, data, tmp_path, deaf):  # noqa: F811
    server = FakeMlflow(root="s3://bucket/x")
    begin = time.monotonic()
    process = train(program, data, tmp_path, f"track.uri={server.url}", "track.close_timeout_s=3", AWS_ENDPOINT_URL=deaf,
                    **CREDENTIALS)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 0 and time.monotonic() - begin < 15, err
    server.close()
    run = only_run(server)
    assert run["status"] == "FINISHED" and [m for m in run["metrics"] if m[0] == "train/loss"]
    assert "files wait for" in err and "runs sync" in err


def test_the_end_is_not_waited_for_where_access_is_refused(program, data, tmp_path):  # noqa: F811
    server = FakeMlflow(token="right")
    begin = time.monotonic()
    process = train(program, data, tmp_path, f"track.uri={server.url}", MLFLOW_TRACKING_TOKEN="wrong")
    _, err = process.communicate(timeout=60)
    server.close()
    assert process.returncode == 0 and time.monotonic() - begin < 20, err  # track.close_timeout_s is 30
    assert "events wait for" in err and "expired token" in err


def test_a_signal_ends_the_wait_at_the_end(program, data, tmp_path, deaf):  # noqa: F811
    process = train(program, data, tmp_path, f"track.uri={deaf}", "track.close_timeout_s=60")
    end = time.monotonic() + 30
    journal = tmp_path / "run" / "track" / "mlflow.jsonl"
    while time.monotonic() < end and not (journal.exists() and b"FINISHED" in journal.read_bytes()):
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - begin < 5 and process.returncode in (0, 130), err
    assert "events wait for" in err
