"""Trainings are told to an MLflow server that is away, slow, wrong or hostile: nobody waits for it, and everything arrives
in its order, once."""

import fcntl
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli.http_support import kept_port
from mlflow_fake import FakeMlflow
from train_support import TINY, bare_environment, prepare, seconds_since_training, wait_for, write_corpus

TOOLS = Path(os.environ.get("FN_TOOLS", Path(__file__).resolve().parents[2] / "build/dev/tests/tools"))
PROBE, FAULT = TOOLS / "sink_probe", TOOLS / "libfault.so"


def events(n=50, status="FINISHED"):
    lines = ["s\tRUNNING\t1700000000000", "p\tlr\t0.1", "t\tteam\tdesk", "p\tlong\t" + "x" * 7000]
    lines += [f"m\ttrain/loss\t{1 / (i + 1)!r}\t{i}\t{1700000000000 + i}" for i in range(n)]
    return lines + ["m\tval/loss\tnan\t1\t5", "m\tval/loss\tinf\t2\t6"] + ([f"s\t{status}\t1700000009999"] if status else [])


def probe(folder, url, lines, close_ms=60000, check=None, **words):
    Path(folder).mkdir(exist_ok=True)
    words = [str(x) for pair in words.items() for x in pair]
    done = subprocess.run([PROBE, "mlflow", folder, "uri", url, "close", str(close_ms), *words],
                          input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=240)
    assert done.stdout, done.stderr
    said = json.loads(done.stdout)
    if check is not None:
        assert (said["close"] == "") == check, said
    return said


def only_run(server):
    assert len(server.runs) == 1, server.runs.keys()
    return next(iter(server.runs.values()))


def check_all(server, n=50):
    run = only_run(server)
    losses = [m for m in run["metrics"] if m[0] == "train/loss"]
    assert [(m[1], m[2], m[3]) for m in losses] == [(1 / (i + 1), i, 1700000000000 + i) for i in range(n)]
    assert [m[1] for m in run["metrics"] if m[0] == "val/loss"] == ["NaN", "Infinity"]
    assert run["params"] == {"lr": "0.1", "long": "x" * 6000} and run["tags"]["team"] == "desk"
    assert run["statuses"][0][0] == "RUNNING" and run["statuses"][-1] == ("FINISHED", 1700000009999)
    assert run["run_name"] == "probe run" and run["start_time"] == 1700000000000
    return run


FAULTS = ["500", "502", "503", "408", "429", "page", "list", "deep", "redirect", "elsewhere", "huge", "close", "slow1"]


def test_every_fault_passes(tmp_path):
    """Each fault in the place of each request of a run: making it, telling it, ending it."""

    def one(fault):
        servers = FakeMlflow([fault] + ["ok"] * 3 + [fault] + ["ok"] * 2 + [fault])
        said = probe(tmp_path / fault, servers.url, events(), close_ms=120000)
        servers.close()
        return fault, servers, said

    with ThreadPoolExecutor(13) as pool:
        for fault, server, said in pool.map(one, FAULTS):
            assert said["close"] == "", (fault, said)
            assert server.seen_faults == [fault] * 3, fault
            assert said["slowest_ms"] < 500, (fault, said)
            check_all(server)


@pytest.mark.parametrize("fault", ["moved", "later", "later, told late"])
def test_the_end_does_not_wait_where_that_is_of_no_use(tmp_path, fault):
    """Nor where the end begins while the server has yet to say so."""
    server, asked = FakeMlflow([fault] * 99), tmp_path / "asked"
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(probe, tmp_path / "r", server.url, events() + ["", f"await\t{asked}"], check=False)
        wait_for(lambda: server.requests)
        asked.touch()
        said = done.result()
    server.close()
    assert said["close_ms"] < 20000 and "events wait for" in said["close"] and len(server.requests) < 5


def test_answers_that_are_lost_have_no_effect_twice(tmp_path):
    server = FakeMlflow([f"lose@{place}" for place in (
        "experiments/create", "runs/create", "runs/search", "runs/update", "runs/log-batch", "runs/log-batch", "runs/update")])
    said = probe(tmp_path / "r", server.url, events())
    server.close()
    assert said["close"] == "" and server.seen_faults == ["lose"] * 7 and not server.faults
    run = check_all(server)
    assert len(run["metrics_as_sent"]) > len(run["metrics"]) == 52  # it did come twice


def test_a_training_logs_its_model_once(tmp_path, fakenews):
    """At a server 3.x: ready when all is there, whatever answer is lost, and again from the beginning."""
    model = tmp_path / "r" / "model"
    model.mkdir(parents=True)
    texts = {"config.json": '{"architectures": ["BertForSequenceClassification"]}', "vocab.txt": "a\n", "model.safetensors": "w"}
    for name, text in texts.items():
        (model / name).write_text(text)
    (model / "other.txt").symlink_to("/etc/passwd")
    lines = [f"p\tparam{i}\t{i}" for i in range(230)] + ["t\tfakenews.best_step\t7", *events(status=None)]
    lines += ["m\tsystem/cpu\t1\t1\t1", *(f"a\tmodel/{name}\t{model / name}" for name in texts), "s\tFINISHED\t1700000009999"]
    faults = [f"{fault}@{place}" for fault, place in (
        ("500", "logged-models/search"), ("lose", "logged-models"),
        ("503", "artifacts/1/models/m-1/artifacts/components/tokenizer/vocab.txt"),
        ("lose", "logged-models/m-1/params"), ("lose", "runs/outputs"),
        ("page", "logged-models/m-1"), ("lose", "logged-models/m-1"))]
    server = FakeMlflow(faults, logged_models={})
    probe(tmp_path / "r", server.url, lines, close_ms=10, check=False)
    for _ in range(2):
        done = fakenews("runs", "sync", tmp_path / "r", "net.backoff_s=0.01", "net.retries=9")
        assert done.code == 0 and not server.faults, done.stderr
        (tmp_path / "r" / "track" / "mlflow.sent").unlink()
    server.close()
    assert len(server.models) == 1
    run, made = only_run(server), server.models["m-1"]
    assert made["info"]["status"] == "LOGGED_MODEL_READY" and run["outputs"] == ["m-1"]
    assert {p["key"]: p["value"] for p in made["data"]["params"]} == run["params"] and len(run["params"]) == 232
    assert sorted(m[0] for m in made["metrics"]) == ["train/loss", "val/loss"] and ("val/loss", "Infinity", 2, 6) in made["metrics"]
    mlmodel = json.loads(made["files"].pop("MLmodel"))
    assert mlmodel["model_id"] == "m-1" and mlmodel["flavors"]["transformers"]["pipeline_model_type"].startswith("Bert")
    assert sorted(made["files"]) == ["components/tokenizer/vocab.txt", "model/config.json", "model/model.safetensors",
                                     "model/vocab.txt", "python_env.yaml", "requirements.txt"]
    assert [path for method, path in server.requests if method == "PUT" and "/models/" in path][-1].endswith("MLmodel")

    (model / "config.json").write_text("{")  # no model: left out and counted
    server = FakeMlflow(logged_models={})
    said = probe(tmp_path / "r", server.url, lines, check=False)
    server.close()
    assert "events: " in said["close"] and "config.json" in said["close"] and not server.models


def test_a_model_gets_there_file_by_file(tmp_path, fakenews):
    """Each of its files fails once, and each that arrived is no failure in a row; its link comes twice; many metrics."""
    model = tmp_path / "r" / "model"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    lines = [*events(1, status=None), *(f"m\tmany/{i}\t{i}\t1\t1" for i in range(1100))]
    lines += [f"a\tmodel/config.json\t{model}/config.json", "s\tFINISHED\t1700000009999"]
    files = ["model/config.json", "requirements.txt", "python_env.yaml", "MLmodel"]
    faults = [f"503@artifacts/1/models/m-1/artifacts/{name}" for name in files] + ["twice@runs/outputs"]
    server = FakeMlflow(["503"], logged_models={})
    probe(tmp_path / "r", server.url, lines, close_ms=0, check=False)
    server.faults = list(faults)
    done = fakenews("runs", "sync", tmp_path / "r", "net.backoff_s=0.01", "net.retries=1")
    assert done.code == 0 and not server.faults, (done.stderr, server.faults)
    made = server.models["m-1"]
    assert made["info"]["status"] == "LOGGED_MODEL_READY" and sorted(made["files"]) == sorted(files)
    assert len(made["metrics"]) == 1102
    assert [path.split("/artifacts/")[1] for method, path in server.requests if method == "PUT" and "/models/" in path] == [
        name for name in files for _ in range(2)]
    # The training goes on and keeps the same model: what was measured meanwhile is the model's, too.
    probe(tmp_path / "r", server.url, ["m\tmany/7\t0.5\t9\t9", *lines[-2:]], check=True)
    server.close()
    assert len(server.models) == 1 and ("many/7", 0.5, 9, 9) in made["metrics"] and only_run(server)["outputs"] == ["m-1"]


def test_limits_of_a_batch(tmp_path):
    lines = [f"p\tparam{i}\t{'ü' * 3000}" for i in range(250)] + [f"t\ttag{i}\tv" for i in range(130)] + ["t\ttag0\tagain"]
    lines += ["p\tparam0\t" + "ü" * 3000] + events(2500)
    server = FakeMlflow()
    said = probe(tmp_path / "r", server.url, lines)
    server.close()
    assert said["close"] == ""
    run = only_run(server)
    assert len(run["params"]) == 252 and len(run["metrics"]) == 2502 and run["tags"]["tag0"] == "again"
    assert run["params"]["param7"] == "ü" * 3000


def test_a_server_that_is_away_holds_nobody_up_and_sync_brings_it_all(tmp_path, fakenews):
    with kept_port() as port:
        check_a_server_that_is_away(tmp_path, fakenews, port)


def check_a_server_that_is_away(tmp_path, fakenews, port):
    url = f"http://127.0.0.1:{port}"
    folder = tmp_path / "runs" / "one"
    folder.parent.mkdir()
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "a.bin").write_bytes(b"\x00\x01")
    lines = events(status=None) + [f"a\tmodel/a.bin\t{folder}/model/a.bin", "s\tFINISHED\t1700000009999"]
    said = probe(folder, url, lines, close_ms=300, check=False)
    assert said["close_ms"] < 20000 and said["slowest_ms"] < 500
    assert "58 events wait for" in said["close"] and f"fakenews runs sync {folder}" in said["close"]

    away = fakenews("runs", "sync", "net.retries=0")
    assert away.code == 1 and "Failed to connect" in away.stderr
    assert json.loads(away.stdout)["waiting"] == 58

    server = FakeMlflow(port=port)
    with open(folder / "track" / "mlflow.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        busy = fakenews("runs", "sync", folder)
        assert busy.code == 0 and "another process is sending" in busy.stderr and not server.requests
    moved = folder.rename(tmp_path / "runs" / "moved")  # files are named relative to the folder
    done = fakenews("runs", "sync", moved)
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout) == {"run": str(moved), "uri": url, "sent": 58, "waiting": 0, "refused": 0}
    assert check_all(server)["files"] == {"model/a.bin": b"\x00\x01"}
    n = len(server.requests)
    again = fakenews("runs", "sync")
    assert again.code == 0 and "nothing waits" in again.stderr and len(server.requests) == n
    other = fakenews("runs", "sync", moved, "track.uri=http://127.0.0.1:9")
    assert json.loads(other.stdout)["sent"] == 0  # nothing to send: nothing to complain of
    server.close()


def test_what_was_named_by_its_id_counts_later_as_well(tmp_path, fakenews):
    """MLFLOW_RUN_ID and MLFLOW_EXPERIMENT_ID of a training whose server was away."""
    server = FakeMlflow()
    server.make("experiments/create", name="one")
    tags = [{"key": "mlflow.runName", "value": "theirs"}, {"key": "mlflow.source.type", "value": "PROJECT"}]
    given = server.make("runs/create", experiment_id="1", run_name="theirs", start_time=5, tags=tags)["run"]["info"]["run_id"]
    away, told = "http://127.0.0.1:9", ["t\tmlflow.runName\tours", "t\tmlflow.source.type\tLOCAL", "t\tmlflow.user\tme"]

    def sync(name, *words):
        done = fakenews("runs", "sync", tmp_path / name, *words)
        return done.code, done.stderr + (json.loads(done.stdout).get("error") or "")

    for i, words in enumerate(({"run": given}, {})):  # from the beginning, or by a training that goes on
        probe(tmp_path / f"r{i}", away, told + events(i), close_ms=10, check=False, workspace="desk", **words)
    probe(tmp_path / "r1", away, ["m\tmore\t1\t1\t1"], close_ms=10, check=False, run=given)
    (tmp_path / ".mlflow").mkdir()
    (tmp_path / ".mlflow" / "credentials").write_text("[mlflow]\nmlflow_tracking_username = me\nMLFLOW_TRACKING_PASSWORD=pw:1\n")
    for i in range(2):
        assert sync(f"r{i}", f"track.uri={server.url}")[0] == 0
        assert server.workspaces == {"desk"} and server.authorizations == {"Basic bWU6cHc6MQ=="}
        run = only_run(server)
        assert run["tags"]["fakenews.run_id"] == "0123456789abcdef".encode().hex() and run["tags"]["mlflow.user"] == "me"
        assert run["tags"]["mlflow.runName"] == "theirs" and run["tags"]["mlflow.source.type"] == "PROJECT"
    assert ("more", 1, 1, 1) in run["metrics"] and run["status"] == "FINISHED"

    said = probe(tmp_path / "none", server.url, events(1), check=False, run="f" * 32, id="c" * 32)
    assert "Run not found; MLFLOW_RUN_ID=ffff" in said["close"]
    code, words = sync("none")
    assert code == 2 and f"fakenews runs sync {tmp_path / 'none'} track.experiment=NAME" in words and len(server.runs) == 1
    assert sync("none", "track.experiment=news", f"track.uri={server.url}")[0] == 0
    assert server.runs[f"{2:032x}"]["experiment_id"] == server.experiments["news"]["experiment_id"] == "2"
    assert "does not move it" in sync("none", "track.experiment=more")[1]

    for name, eid in (("", 1), ("one", 1), ("two", 1), ("", 7)):
        probe(tmp_path / f"e{eid}{name}", away, events(1), close_ms=10, check=False, experiment=name, eid=eid,
              id=f"{len(name)}{eid}" * 16)
    for name in ("e1", "e1one"):
        assert sync(name, f"track.uri={server.url}")[0] == 0
    assert [r["experiment_id"] for r in server.runs.values()] == ["1", "2", "1", "1"]
    for name, expected in (("e1two", 'the experiment 1 is "one", not "two"; MLFLOW_EXPERIMENT_ID=1'), ("e7", "id=7")):
        code, words = sync(name, f"track.uri={server.url}")
        assert code == 2 and expected in words and "track.experiment=NAME" in words
    server.close()


def test_a_damaged_journal_is_sent_all_the_same(tmp_path, fakenews):
    server = FakeMlflow()
    folder = tmp_path / "r"
    probe(folder, server.url, events(), check=True)
    journal, sent = folder / "track" / "mlflow.jsonl", folder / "track" / "mlflow.sent"
    good = journal.read_bytes()
    identity = {"format": 1, "id": "0123456789abcdef".encode().hex(), "start_ms": 1700000000000, "experiment": "probe"}
    for text in ("{", '{"offset": "x"}'):
        sent.write_text(text)
        done = fakenews("runs", "sync", folder)
        assert done.code == 0 and "is damaged: everything that is there is sent again" in done.stderr, done.stderr
    (folder / "track" / "run.json").write_text(json.dumps(identity))
    for text in (good[good.index(b"\n") + 1:], b"\0" * 9 + good, b""):
        journal.write_bytes(text)
        done = fakenews("runs", "sync", folder, f"track.uri={server.url}")
        assert done.code == 0 and "the first line of track/mlflow.jsonl is damaged" in done.stderr, done.stderr
    assert "damaged" not in fakenews("runs", "sync", folder, f"track.uri={server.url}").stderr
    check_all(server)
    for file, text in ((journal, good.decode()), (sent, sent.read_text())):
        before = file.read_bytes()
        file.write_text(text.replace('"version": 1', '"version": 2', 1))
        done = fakenews("runs", "sync", folder)
        assert done.code == 2 and f"{file.name}: was written by a newer program" in done.stderr, done.stderr
        file.write_bytes(before)
    server.close()


def test_a_killed_process_loses_nothing_that_was_written(tmp_path, fakenews):
    folder = tmp_path / "r"
    folder.mkdir()
    process = subprocess.Popen([PROBE, "mlflow", folder, "uri", "http://127.0.0.1:9"], stdin=subprocess.PIPE, text=True)
    process.stdin.write("\n".join(events()) + "\n\n")
    process.stdin.flush()
    journal = folder / "track" / "mlflow.jsonl"
    wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") == 1 + len(events()))
    process.kill()
    process.wait()
    with open(journal, "ab") as file:
        file.write(b'["m","train/loss",0.5')  # what a crash cuts off
    server = FakeMlflow()
    done = fakenews("runs", "sync", folder, f"track.uri={server.url}")
    server.close()
    assert done.code == 0, done.stderr
    check_all(server)


def test_a_killed_training_is_told_as_killed(tmp_path, fakenews):
    """Nothing waits, but the server takes it for running; not while somebody works on it, and once."""
    server = FakeMlflow()
    folder = tmp_path / "runs" / "r"
    folder.mkdir(parents=True)
    process = subprocess.Popen([PROBE, "mlflow", folder, "uri", server.url], stdin=subprocess.PIPE, text=True)
    process.stdin.write("\n".join(events(status=None)) + "\n\n")
    process.stdin.flush()
    journal, sent = folder / "track" / "mlflow.jsonl", folder / "track" / "mlflow.sent"
    wait_for(lambda: server.runs and len(only_run(server)["metrics"]) == 52)
    wait_for(lambda: json.loads(sent.read_text())["offset"] == journal.stat().st_size)  # nor has it anything to note
    running = fakenews("runs", "sync")
    assert running.code == 0 and "nothing waits" in running.stderr and only_run(server)["status"] == "RUNNING"
    process.kill()
    process.wait()
    done = fakenews("runs", "sync")
    assert done.code == 0 and json.loads(done.stdout)["killed"] is True, done.stdout + done.stderr
    status, ended = only_run(server)["statuses"][-1]
    written = journal.stat().st_mtime
    assert status == "KILLED" and abs(ended - written * 1000) < 2
    n = len(server.requests)
    again = fakenews("runs", "sync")
    assert "nothing waits" in again.stderr and len(server.requests) == n
    probe(folder, server.url, ["m\tmore\t1\t1\t1", "s\tFINISHED\t1700000009999"], check=True)  # it goes on
    # as if the disk had not taken the end
    sent.write_text(sent.read_text().replace("FINISHED", "RUNNING"))
    done = fakenews("runs", "sync", folder)
    assert done.code == 0 and "killed" not in json.loads(done.stdout) and "FINISHED" in sent.read_text(), done.stdout
    assert [s for s, _ in only_run(server)["statuses"]][-3:] == ["KILLED", "RUNNING", "FINISHED"]
    server.close()


def test_a_damaged_line_is_left_out(tmp_path, fakenews):
    probe(tmp_path / "r", "http://127.0.0.1:9", events(), close_ms=10, check=False)
    journal = tmp_path / "r" / "track" / "mlflow.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[3:3] = [b'["m","x"]\n', b"\xff\xfe\n", b'{"a":1}\n', b'["q","a","b"]\n', b'["s","NO",1]\n']
    journal.write_bytes(b"".join(lines))
    pem = tmp_path / "server.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", pem, "-out", tmp_path / "cert"],
                   check=True, capture_output=True)
    pem.write_bytes(pem.read_bytes() + (tmp_path / "cert").read_bytes())
    server = FakeMlflow(tls=pem)
    done = fakenews("runs", "sync", tmp_path / "r", f"track.uri={server.url}", "net.retries=0")
    assert done.code == 1 and "certificate" in done.stderr and not server.requests
    done = fakenews("runs", "sync", tmp_path / "r", f"track.uri={server.url}",
                    env={"MLFLOW_TRACKING_SERVER_CERT_PATH": str(tmp_path / "cert")})
    server.close()
    assert done.code == 0, done.stderr
    check_all(server)
    said = json.loads(done.stdout)
    assert said["refused"] == 5 and "is no event" in said["refusal"] and said["waiting"] == 0
    journal.write_bytes(b"not a journal\n")
    done = fakenews("runs", "sync", tmp_path / "r")
    assert done.code == 2 and "mlflow.jsonl" in done.stderr


def test_what_the_server_never_takes_is_left_out_alone(tmp_path):
    server = FakeMlflow()
    lines = events(status=None) + ["p\tlr\t0.2", "m\tbad*key\t1\t1\t1", f"a\tgone.txt\t{tmp_path}/gone.txt", "m\tlast\t1\t1\t1",
                                   "s\tFINISHED\t1700000009999"]
    said = probe(tmp_path / "r", server.url, lines)
    server.close()
    assert "refuses 3 events" in said["close"] and "gone.txt is not there any more" in said["close"]
    run = check_all(server)
    assert ("last", 1, 1, 1) in run["metrics"]


def test_deleted_run_and_experiment_say_how_to_go_on(tmp_path, fakenews):
    server = FakeMlflow()
    folder = tmp_path / "r"
    probe(folder, server.url, events(status=None), check=True)
    only_run(server)["lifecycle_stage"] = "deleted"
    said = probe(folder, server.url, ["m\tlate\t1\t1\t1", "s\tFINISHED\t1700000009999"], check=False)
    assert "is deleted there; restore it (mlflow runs restore --run-id " in said["close"]
    only_run(server)["lifecycle_stage"] = "active"
    done = fakenews("runs", "sync", folder)
    assert done.code == 0 and ("late", 1, 1, 1) in only_run(server)["metrics"]
    check_all(server)

    server.runs.clear()
    said = probe(folder, server.url, ["m\tlater\t1\t1\t1"], check=False)
    assert "is not there any more" in said["close"]

    server.experiments["probe"]["lifecycle_stage"] = "deleted"
    said = probe(tmp_path / "s", server.url, events(), check=False)
    assert 'the experiment "probe" is deleted; restore it' in said["close"]
    server.close()


def test_an_expired_token_and_secrets(tmp_path, fakenews):
    server = FakeMlflow(token="fresh-token-1")
    folder = tmp_path / "r"
    said = probe(folder, server.url, events(), check=False, token="stale-token-0")
    assert "the server refuses the credentials it was given (an expired token?)" in said["close"]
    assert not server.runs
    none = fakenews("runs", "sync", folder)
    assert none.code == 2 and "set MLFLOW_TRACKING_TOKEN" in none.stderr
    done = fakenews("runs", "sync", folder, env={"MLFLOW_TRACKING_TOKEN": "fresh-token-1",
                                                       "MLFLOW_TRACKING_URI": server.url})
    assert done.code == 0, done.stderr
    check_all(server)
    server.close()
    kept = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    for text in (json.dumps(said), none.stderr, done.stdout + done.stderr, kept.decode()):
        assert "stale-token" not in text and "fresh-token" not in text

    for url, words in (("http://user:pass-word-3@192.0.2.1", {}), ("http://192.0.2.1", {"token": "pass-word-3"})):
        said = probe(tmp_path / "far", url, events(), check=False, **words)
        assert "net.insecure_hosts" in said["close"] and "pass-word-3" not in json.dumps(said)
        assert all(b"pass-word-3" not in p.read_bytes() for p in (tmp_path / "far").rglob("*") if p.is_file())


def test_the_spool_is_bounded(tmp_path, fakenews):
    """Metrics are thinned, then left out; settings, tags, files and the end are kept."""
    folder = tmp_path / "r"
    lines = events(20000, status=None) + ["p\tlate\t1", "t\tlate\t2", "", "s\tFINISHED\t1700000009999"]
    said = probe(folder, "http://127.0.0.1:9", lines, close_ms=10, check=False, max=100000)
    assert "points of metrics were left out (track.spool_mb)" in said["close"]
    assert 100000 <= (folder / "track" / "mlflow.jsonl").stat().st_size < 130000
    server = FakeMlflow()
    done = fakenews("runs", "sync", folder, f"track.uri={server.url}")
    server.close()
    assert done.code == 0, done.stderr
    run = only_run(server)
    steps = [m[2] for m in run["metrics"] if m[0] == "train/loss"]
    whole = next(i for i in range(len(steps)) if steps[i] != i)
    assert 500 < whole < 1500 and steps == sorted(steps) and len(steps) > whole + 500
    assert {b - a for a, b in zip(steps[whole + 1:], steps[whole + 2:])} <= {4, 8, 12, 16}
    assert run["params"]["late"] == "1" and run["tags"]["late"] == "2" and run["status"] == "FINISHED"
    left_out = int(run["tags"]["fakenews.mlflow.points_left_out"])
    assert left_out + len(run["metrics"]) == 20002


def test_what_was_sent_is_cut_off(tmp_path):
    """A long run does not fill the disk with what the server has."""
    server = FakeMlflow()
    key = "train/" + "x" * 200
    lines = [line for i in range(0, 24000, 8000) for line in
             [f"m\t{key}\t0.{j:09d}\t{j}\t{1700000000000 + j}" for j in range(i, i + 8000)] + ["sleep\t200"]]
    said = probe(tmp_path / "r", server.url, lines + ["s\tFINISHED\t1700000009999"], close_ms=120000)
    server.close()
    assert said["close"] == ""
    run = only_run(server)
    assert [m[2] for m in run["metrics"]] == list(range(24000)) and run["status"] == "FINISHED"
    assert (tmp_path / "r" / "track" / "mlflow.jsonl").stat().st_size < 5 << 20  # of 6 MB


def test_a_resumed_training_goes_on_with_its_run(tmp_path):
    server = FakeMlflow()
    probe(tmp_path / "r", server.url, events(10, status=None), check=True)
    assert not [tag for tag in only_run(server)["tags"] if tag.startswith("fakenews.mlflow")]
    probe(tmp_path / "r", server.url, ["s\tRUNNING\t1", "p\tlr\t0.1", "m\tmore\t1\t1\t1", "s\tFINISHED\t9"], check=True,
          resume=7)
    server.close()
    run = only_run(server)
    assert run["tags"]["fakenews.mlflow.resumed_from.7"].endswith("Z")  # two points of step 8: the later one counts
    assert ("more", 1, 1, 1) in run["metrics"] and [s for s, _ in run["statuses"]] == ["RUNNING", "RUNNING", "FINISHED"]


def test_data_set_and_parent(tmp_path):
    server = FakeMlflow()
    ids = {"parent": "a" * 32, "child": "b" * 32}
    for name in ids:
        tags = ["t\tfakenews.data.name\tisot", "t\tfakenews.data.hash\t" + "0123456789abcdef" * 4,
                "t\tfakenews.data.context\ttraining", "p\trows.train\t84"]
        tags += ["t\tmlflow.parentRunId\t" + ids["parent"]] if name == "child" else []
        probe(tmp_path / name, server.url, tags + events(), check=True, id=ids[name], experiment=name)
    theirs = ["t\tmlflow.parentRunId\t" + f"{1:032x}"]  # by the server's own id
    probe(tmp_path / "second", server.url, theirs + events(1), check=True, id="c" * 32)
    assert server.runs[f"{3:032x}"]["tags"]["mlflow.parentRunId"] == f"{1:032x}"
    told = tmp_path / "told"
    late = ["t\tmlflow.parentRunId\t" + "d" * 32, *events(1, status=None), f"await\t{told}", "s\tFINISHED\t9"]
    with ThreadPoolExecutor(1) as pool:  # told before its parent is
        waiting = pool.submit(probe, tmp_path / "late", server.url, late, check=True, id="e" * 32)
        wait_for(lambda: "team" in server.runs.get(f"{4:032x}", {"tags": {}})["tags"])
        assert "mlflow.parentRunId" not in server.runs[f"{4:032x}"]["tags"]
        server.make("runs/create", experiment_id="1", start_time=5, tags=[{"key": "fakenews.run_id", "value": "d" * 32}])
        told.touch()
        waiting.result()
    assert server.runs[f"{4:032x}"]["tags"]["mlflow.parentRunId"] == f"{5:032x}"
    assert server.runs[f"{4:032x}"]["tags"]["fakenews.parent_run_id"] == "d" * 32
    # Whoever sends the last of it knows the rest from the server.
    first, *rest = ["p\trows.train\t84", "t\tfakenews.data.path\t/data/isot", "t\tfakenews.data.name\tisot",
                    "t\tfakenews.data.context\tfine-tuning", "t\tfakenews.data.hash\t0123456789abcdef"]
    probe(tmp_path / "halves", server.url, [first, *rest[:3]], check=True, id="f" * 32)
    probe(tmp_path / "halves", server.url, [rest[3], "s\tFINISHED\t9"], check=True, id="f" * 32)
    probe(tmp_path / "apart", server.url, ["t\tmlflow.parentRunId\t" + "1" * 32], check=True, id="2" * 32)
    server.make("runs/create", experiment_id="1", start_time=5, tags=[{"key": "fakenews.run_id", "value": "1" * 32}])
    probe(tmp_path / "apart", server.url, ["s\tFINISHED\t9"], check=True, id="2" * 32)
    server.close()
    assert server.runs[f"{7:032x}"]["tags"]["mlflow.parentRunId"] == f"{8:032x}"
    inputs = server.runs[f"{6:032x}"]["inputs"]
    assert inputs[0] == {"dataset": {"name": "isot", "digest": "0123456789abcdef", "source_type": "local",
                                     "source": '{"uri":"/data/isot"}', "profile": '{"num_rows": 84}'},
                         "tags": [{"key": "mlflow.data.context", "value": "fine-tuning"}]}
    parent, child = list(server.runs.values())[:2]
    assert child["tags"]["mlflow.parentRunId"] == parent["run_id"] and child["tags"]["fakenews.run_id"] == "b" * 32
    assert parent["inputs"] == [{"dataset": {"name": "isot", "digest": ("0123456789abcdef" * 4)[:36], "source_type": "local",
                                             "source": '{"uri":"isot"}', "profile": '{"num_rows": 84}'},
                                 "tags": [{"key": "mlflow.data.context", "value": "training"}]}]


@pytest.fixture(scope="module")
def data(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return prepare(program, folder, write_corpus(folder / "rows.csv"))


@pytest.mark.parametrize("sinks, env, expected", [
    ("mlflow", {}, "track.uri=http://HOST:5000 or MLFLOW_TRACKING_URI"),
    ("mlflow", {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}, "not the address of an MLflow server"),
    ("mlflow", {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_TRACKING_USERNAME": "a"}, "MLFLOW_TRACKING_PASSWORD"),
    ("mlflow", {"MLFLOW_TRACKING_URI": "https://h", "MLFLOW_TRACKING_INSECURE_TLS": "True"}, "net.ca_file"),
    ("mlflow", {"MLFLOW_TRACKING_URI": "https://h", "MLFLOW_EXPERIMENT_ID": "news"}, "MLFLOW_EXPERIMENT_NAME"),
    ("mlflow", {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9/?x=1"}, "no '?' and no '#'"),
    ("mlflow", {"MLFLOW_TRACKING_URI": "https://h", "MLFLOW_WORKSPACE": "a\tb"}, "no name of a workspace"),
    ("wandb", {"WANDB_MODE": "sometimes"}, "offline, online, disabled"),
    ("wandb", {"WANDB_RUN_ID": "a/b"}, "WANDB_RUN_ID"),
    ("wandb", {"WANDB_PROJECT": "a:b"}, "WANDB_PROJECT"),
    ("wandb,track.experiment=a/b", {}, "track.experiment: a project of W&B"),
    ("wandb", {"WANDB_TAGS": "fine," + "é" * 64 + "," + "x" * 65}, "WANDB_TAGS"),
    ("mlfow", {}, "local, mlflow, wandb"),
])
def test_wrong_settings_end_a_training_before_it_begins(fakenews, data, tmp_path, sinks, env, expected):
    done = fakenews("train", "--data", data, "--init", "scratch", *TINY, f"track.sinks=[{sinks.split(',')[0]}]",
                    *sinks.split(",")[1:], env=env)
    assert done.code == 2 and expected in done.stderr, done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_training_with_all_sinks_while_the_server_is_away(program, data, tmp_path):
    """The training ends as ever, says what waits, and takes no longer than it is allowed to. That the clock is set back by
    an hour meanwhile turns nothing around."""
    command = [program, "train", "--data", data, "--init", "scratch", *TINY, "track.sinks=[local,mlflow,wandb]",
               "track.close_timeout_s=1", "track.system_metrics=false", "name=desk"]
    env = bare_environment(tmp_path, MLFLOW_TRACKING_URI="http://127.0.0.1:9", MLFLOW_EXPERIMENT_NAME="desk",
                           WANDB_PROJECT="news", WANDB_MODE="online", LD_PRELOAD=str(FAULT), FN_FAULT_CLOCK="8",
                           ASAN_OPTIONS="verify_asan_link_order=0")
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path, timeout=240)
    assert done.returncode == 0, done.stderr
    run, = (tmp_path / "runs").glob("2*")
    # A server tells a data set once, when it has its hash: nothing that belongs to it comes later, in another request.
    keys = [line[1] for line in map(json.loads, (run / "track" / "mlflow.jsonl").read_text().splitlines()[1:])]
    assert max(keys.index(key) for key in ("rows.train", *(f"fakenews.data.{x}" for x in ("name", "path", "context")))) \
        < keys.index("fakenews.data.hash")
    assert seconds_since_training(run) < 20  # of track.close_timeout_s, which is 30 where it is not set
    assert "events wait for http://127.0.0.1:9" in done.stderr and "fakenews runs sync" in done.stderr
    assert "WANDB_MODE=online: nothing is sent" in done.stderr
    assert len(list((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))) == 1

    server = FakeMlflow()
    folder = run.rename(tmp_path / "moved")
    sync = subprocess.run([program, "runs", "sync", folder, f"track.uri={server.url}"], capture_output=True, text=True,
                          env=bare_environment(tmp_path), cwd=tmp_path)
    server.close()
    assert sync.returncode == 0, sync.stderr
    assert list(server.experiments) == ["desk"]
    run = only_run(server)
    steps = [m[2] for m in run["metrics"] if m[0] == "train/loss"]
    times = [m[3] for m in run["metrics"] if m[0] == "train/loss"]
    assert run["start_time"] <= times[0] and times == sorted(times) and times[-1] <= run["statuses"][-1][1] < times[0] + 60_000
    assert steps == list(range(1, len(steps) + 1)) and run["params"]["train.learning_rate"] == "1e-3"
    assert run["status"] == "FINISHED" and "model/config.json" in run["files"] and run["inputs"]
    assert run["run_name"] == run["tags"]["mlflow.runName"] == "desk"
    assert run["files"]["model/config.json"] == (folder / "model" / "config.json").read_bytes()
