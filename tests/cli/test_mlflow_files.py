"""Files of a run that an MLflow server's store does not take now: values and the end of the run never wait for them, they
are not lost, and a training ends on time."""

import json
import signal
import socket
import subprocess
import time
import urllib.parse

import pytest

from mlflow_fake import FakeMlflow
from test_mlflow_faults import data  # noqa: F401 (a fixture)
from test_mlflow_faults import events, check_all, only_run, probe
from train_support import TINY, bare_environment, seconds_since_training, wait_for

NO_CREDENTIALS = {"AWS_EC2_METADATA_DISABLED": "true"}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


class Deaf(str):
    def __new__(cls, listener):
        self = super().__new__(cls, f"http://127.0.0.1:{listener.getsockname()[1]}")
        self.listener = listener
        return self


@pytest.fixture
def deaf():
    """Accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        listener.settimeout(60)
        yield Deaf(listener)


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
    said = probe(folder, server.url, with_files(folder), close_ms=120000, check=False)
    assert said["close_ms"] < 60000  # not the whole of it: time alone does not mend it
    run = check_all(server)
    assert not run["files"] and "3 files wait for" in said["close"] and "refuse" not in said["close"]
    none = fakenews("runs", "sync", folder, env=NO_CREDENTIALS)
    assert none.code == 2 and "AWS_ACCESS_KEY_ID" in none.stderr
    assert json.loads(none.stdout)["waiting"] == 3 and json.loads(none.stdout)["refused"] == 0
    run["artifact_uri"] = f"mlflow-artifacts:/1/{run['run_id']}/artifacts"  # from now on the server takes them itself
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
    said = probe(folder, server.url, lines, check=True)
    server.close()
    assert said["close"] == "" and server.seen_faults == ["503"]
    assert sorted(check_all(server)["files"]) == ["model/0.bin", "model/1.bin", "model/2.bin"]
    puts = [p.rsplit("/", 1)[1] for method, p in server.requests if method == "PUT"]
    assert puts == ["0.bin", "1.bin", "2.bin", "0.bin"]


def test_a_store_that_never_answers_holds_nothing_up(program, data, tmp_path, deaf):  # noqa: F811
    server = FakeMlflow(root="s3://bucket/x")
    process = train(program, data, tmp_path, f"track.uri={server.url}", "track.close_timeout_s=3", MLFLOW_S3_ENDPOINT_URL=deaf,
                    AWS_ENDPOINT_URL="http://127.0.0.1:9",
                    **CREDENTIALS)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0 and seconds_since_training(tmp_path / "run") < 25, err
    deaf.listener.accept()[0].close()
    server.close()
    run = only_run(server)
    assert run["status"] == "FINISHED" and [m for m in run["metrics"] if m[0] == "train/loss"]
    assert "files wait for" in err and "runs sync" in err


def test_the_end_is_not_waited_for_where_access_is_refused(program, data, tmp_path):  # noqa: F811
    server = FakeMlflow(token="right")
    process = train(program, data, tmp_path, f"track.uri={server.url}", "track.close_timeout_s=200", MLFLOW_TRACKING_TOKEN="wrong")
    _, err = process.communicate(timeout=300)
    server.close()
    assert process.returncode == 0 and seconds_since_training(tmp_path / "run") < 100, err
    assert "events wait for" in err and "expired token" in err


def test_a_signal_ends_the_wait_at_the_end(program, data, tmp_path, deaf):  # noqa: F811
    process = train(program, data, tmp_path, f"track.uri={deaf}", "track.close_timeout_s=200")
    journal = tmp_path / "run" / "track" / "mlflow.jsonl"
    wait_for(lambda: journal.exists() and b"FINISHED" in journal.read_bytes())
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    assert process.returncode in (0, 130), err
    assert "events wait for" in err


def write_journal(folder, uri, *lines, **sent):
    """What a stranger may have put into a folder."""
    (folder / "track").mkdir(parents=True)
    head = {"version": 1, "generation": 0, "run": "a" * 32, "name": "n", "experiment": "x", "user": "u", "uri": uri,
            "start_ms": 1}
    text = "".join(json.dumps(x) + "\n" for x in (head, *lines))
    (folder / "track" / "mlflow.jsonl").write_text(text)
    if sent:
        state = {"version": 1, "generation": 0, "offset": len(json.dumps(head)) + 1, "uri": uri, **sent}
        (folder / "track" / "mlflow.sent").write_text(json.dumps(state))


def test_a_strangers_folder_gets_no_credentials_and_no_other_files(tmp_path, fakenews):
    server = FakeMlflow()
    folder = tmp_path / "runs" / "x"
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    write_journal(folder, server.url, ["a", "a.txt", "/etc/passwd"], ["a", "b.txt", "../../secret.txt"], ["a", "c.txt", "link"],
                  ["a", "d", "track"], ["a", "e.txt", "way/secret.txt"], ["a", "own.txt", "own.txt"])
    (folder / "link").symlink_to(secret)
    (folder / "way").symlink_to(tmp_path)
    (folder / "own.txt").write_text("own")
    for env in ({"MLFLOW_TRACKING_TOKEN": "top"}, {"MLFLOW_TRACKING_USERNAME": "u", "MLFLOW_TRACKING_PASSWORD": "p"}):
        done = fakenews("runs", "sync", env=env)
        assert "gets no credentials; set MLFLOW_TRACKING_URI" in done.stderr or "nothing waits" in done.stderr
    assert server.authorizations == {None}
    assert only_run(server)["files"] == {"own.txt": b"own"}

    # what is meant for one server does not go to the one that the environment names
    other = FakeMlflow()
    write_journal(tmp_path / "runs" / "y", server.url, ["m", "loss", 1, 1, 1])
    env = {"MLFLOW_TRACKING_URI": other.url, "MLFLOW_TRACKING_TOKEN": "top"}
    done = fakenews("runs", "sync", env=env)
    assert done.code == 2 and "are meant for" in done.stderr and not other.requests
    done = fakenews("runs", "sync", f"track.uri={other.url}", env=env)
    assert done.code == 0 and other.authorizations == {"Bearer top"}
    for s in (server, other):
        s.close()


@pytest.fixture
def elsewhere(monkeypatch):
    """A server at an address that is not this machine's loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("no network interface but loopback")
        host = s.getsockname()[0]
    return host


def test_a_server_elsewhere_does_not_name_folders_of_this_machine(tmp_path, elsewhere):
    victim = tmp_path / "home" / ".config"
    server = FakeMlflow(root=str(victim), host=elsewhere)
    said = probe(tmp_path / "r", server.url, with_files(tmp_path / "r"), close_ms=60000, check=False)
    assert "3 files wait for" in said["close"] and "--serve-artifacts" in said["close"] and not victim.exists()
    assert "track.artifact_roots" in said["close"]
    check_all(server)  # values arrived
    for allowed in (victim.parent / "other", f"{victim}x"):
        probe(tmp_path / "r", server.url, ["t\ta\tb"], close_ms=60000, check=False, roots=allowed)
    assert not victim.exists()
    said = probe(tmp_path / "r", server.url, ["t\ta\tb"], close_ms=60000, check=True, roots=victim.parent)
    server.close()
    assert sorted(p.name for p in (victim / "model").iterdir()) == ["0.bin", "1.bin", "2.bin"]


def test_a_server_here_names_folders_but_no_links(tmp_path):
    root, target = tmp_path / "ml ä%runs", tmp_path / "target"
    root.mkdir()
    target.mkdir()
    (root / "model").symlink_to(target)
    server = FakeMlflow(root=f"file://{urllib.parse.quote(str(root))}")
    said = probe(tmp_path / "r", server.url, with_files(tmp_path / "r"), close_ms=60000, check=False)
    assert "symbolic link" in said["close"] and "3 files wait" in said["close"] and not list(target.iterdir())
    check_all(server)
    (root / "model").unlink()
    probe(tmp_path / "r", server.url, ["t\ta\tb"], close_ms=60000, check=True)
    server.close()
    assert sorted(p.name for p in (root / "model").iterdir()) == ["0.bin", "1.bin", "2.bin"]


def test_a_file_of_elsewhere_is_kept_with_the_run(tmp_path):
    server = FakeMlflow()
    other = tmp_path / "prepare.json"
    other.write_text("{}")
    probe(tmp_path / "r", server.url, [f"a\tdata/prepare.json\t{other}"] + events(), check=True)
    server.close()
    assert check_all(server)["files"] == {"data/prepare.json": b"{}"}
    assert (tmp_path / "r" / "track" / "files" / "data" / "prepare.json").read_text() == "{}"


def test_words_of_a_server_reach_the_terminal_clean(tmp_path):
    server = FakeMlflow(root="weird:\x9b31m\u202e\x1b[2J" + "\u00e4" * 300)
    said = probe(tmp_path / "r", server.url, with_files(tmp_path / "r"), close_ms=60000, check=False)
    server.close()
    assert "files stand in weird:" in said["close"] and not {"\x9b", "\x1b", "\u202e"} & set(said["close"])
