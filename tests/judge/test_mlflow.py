"""MLflow's own server and client judge what trainings tell it, on SQLite and on PostgreSQL: value by value what the local
store has; a server that is killed in mid-training loses nothing."""

import json
import math
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests/cli"))
from log_support import postgres  # noqa: E402
from mlflow_server import Servers, held_port  # noqa: E402
from train_support import TINY, bare_environment, prepare, seconds_since_training, wait_for, write_corpus  # noqa: E402

TOOLS = Path(os.environ.get("FN_TOOLS", REPO / "build/dev/tests/tools"))
MOST = sys.float_info.max


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Begins to import MLflow beside everything else."""
    servers = Servers(tmp_path_factory.mktemp("mlflow"), os.environ.get("FN_MLFLOW_PYTHON", sys.executable))
    yield servers
    servers.close()


@pytest.fixture(scope="module", autouse=True)
def data(servers, program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return prepare(program, folder, write_corpus(folder / "rows.csv"))


@pytest.fixture(scope="module")
def sqlite(servers, data):
    return servers.start("sqlite")


@pytest.fixture(scope="module")
def on_postgres(servers, data):
    with postgres() as cluster:
        server = servers.start("postgres", backend=f"postgresql+psycopg2://postgres@/postgres?host={cluster.folder}")
        yield server
        server.kill()


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    """S3 with one bucket."""
    held = held_port()
    port = held.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret")
    end = time.monotonic() + 180
    while True:
        try:
            s3.create_bucket(Bucket="bucket")
            break
        except EndpointConnectionError:
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.1)
    yield url
    process.kill()
    process.wait()
    held.close()


def client(server):
    from mlflow import MlflowClient

    return MlflowClient(server.url, server.url)


def train(program, folder, data, server, *settings, **env):
    """Begins a training; what it says goes into the file `said`."""
    command = [program, "train", "--data", data, "--init", "scratch", *TINY, "track.sinks=[local,mlflow]", "track.close_timeout_s=300", *settings]
    with open(folder / "said", "w") as said:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, cwd=folder,
                                env=bare_environment(folder, MLFLOW_TRACKING_URI=server.url, **env))


def finish(process, folder):
    assert process.wait(timeout=600) == 0, (folder / "said").read_text()
    return (folder / "said").read_text()


def n_sent(folder):
    """Bytes of the journal that the server has; 0: the run is not there yet."""
    sent = next((folder / "runs").glob("2*/track/mlflow.sent"), None)
    return json.loads(sent.read_text())["offset"] if sent else 0


def hold_when(process, condition):
    """Lets a training go on in small pieces, so that a slow server is not behind it, and holds it when condition() is true."""
    end = time.monotonic() + 120
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise AssertionError("the training was over before")
        process.send_signal(signal.SIGCONT)
        time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.05)


def exported(program, folder):
    """The latest run as the local store has it."""
    subprocess.run([program, "runs", "export", "latest", "--out", "exported"], check=True, capture_output=True, cwd=folder,
                   env=bare_environment(folder))
    out = folder / "exported"
    run = json.loads((out / "run.json").read_text())
    points = {}
    for line in (out / "metrics.jsonl").read_text().splitlines():
        p = json.loads(line)
        points.setdefault(p["key"], []).append((p["step"], p["time_ms"], p["value"]))
    files = {str(p.relative_to(out / "artifacts")): p.read_bytes() for p in (out / "artifacts").rglob("*") if p.is_file()}
    return run.get("run", run), points, files


def same(a, b):
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def check_logged(c, run, files):
    """The run's one logged model: ready, with the run's parameters, its latest metrics and the model's files."""
    model, = c.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    assert model.status.name == "READY" and model.params == run.data.params
    assert [m.model_id for m in run.outputs.model_outputs] == [model.model_id]
    latest = {key: value for key, value in run.data.metrics.items() if not key.startswith("system/")}
    theirs = {m.key: m.value for m in c.get_logged_model(model.model_id).metrics}
    assert theirs.keys() == latest.keys() and all(same(theirs[key], latest[key]) for key in latest)
    listed = {f.path for f in c.list_logged_model_artifacts(model.model_id, "model")}
    assert listed == {name for name in files if name.startswith("model/")}
    assert {f.path for f in c.list_logged_model_artifacts(model.model_id)} > {"MLmodel", "components", "requirements.txt"}


def compare(program, folder, server, tmp_path, experiment="Default", given=None):
    """Parameters, tags, every point of every metric, every byte of every file. given: the run that was to take them."""
    from mlflow.artifacts import download_artifacts

    c = client(server)
    run, points, files = exported(program, folder)
    name = run["name"] if run["params"]["name"] == "null" else run["name"].split("Z-", 1)[1]  # the part that was given
    found = c.search_runs([c.get_experiment_by_name(experiment).experiment_id],
                          f"tags.`fakenews.run_id` = '{run['run_id']}'")
    assert len(found) == 1
    theirs = found[0]
    assert theirs.data.params == run["params"]
    for key, value in run["tags"].items():
        if key == "mlflow.parentRunId":
            assert c.get_run(theirs.data.tags[key]).data.tags["fakenews.run_id"] == value
            continue
        value = name if key == "mlflow.runName" else value
        assert theirs.data.tags[key] == (given.data.tags.get(key, value) if given else value), key
    assert theirs.info.status == "FINISHED" and theirs.info.run_name == (given.info.run_name if given else name)
    assert theirs.info.start_time == (given.info.start_time if given else run["start_ms"])
    assert given is None or theirs.info.run_id == given.info.run_id
    assert given or theirs.info.user_id == run["user"]
    assert abs(theirs.info.end_time - run["end_ms"]) < 5000
    assert set(theirs.data.metrics) == set(points)
    for key, ours in points.items():
        history = [(m.step, m.timestamp, m.value) for m in c.get_metric_history(theirs.info.run_id, key)]
        assert len(history) == len(ours), key
        for a, b in zip(sorted(ours), sorted(history)):
            assert a[:2] == b[:2] and same(a[2], b[2]), (key, a, b)
    where = Path(download_artifacts(run_id=theirs.info.run_id, tracking_uri=server.url, dst_path=str(tmp_path / "down")))
    assert {str(p.relative_to(where)): p.read_bytes() for p in where.rglob("*") if p.is_file()} == files
    if not is_old(server):
        check_logged(c, theirs, files)
    dataset = theirs.inputs.dataset_inputs[0]
    assert dataset.dataset.digest == run["tags"]["fakenews.data.hash"][:36] and dataset.dataset.name == "data"
    assert json.loads(dataset.dataset.profile) == {"num_rows": int(run["params"]["rows.train"])}
    assert {t.key: t.value for t in dataset.tags} == {"mlflow.data.context": "training"}
    return theirs, points


@pytest.mark.parametrize("backend", ["sqlite", "on_postgres"])
def test_a_training_told_live(request, program, data, tmp_path, backend):
    server = request.getfixturevalue(backend)
    where = {"MLFLOW_EXPERIMENT_NAME": "live"}
    if backend == "sqlite":
        where = {"MLFLOW_EXPERIMENT_ID": client(server).create_experiment("live")}
    finish(train(program, tmp_path, data, server, "track.tags={team: desk}", "track.system_interval_s=1", "name=desk", **where), tmp_path)
    theirs, points = compare(program, tmp_path, server, tmp_path, "live")
    assert theirs.data.tags["team"] == "desk" and theirs.data.tags["mlflow.source.type"] == "LOCAL"
    assert "system/system_memory_usage_megabytes" in points and len(points["train/loss"]) > 20


def test_a_server_killed_in_mid_training(program, data, tmp_path, sqlite):
    """Killed while it is told, back before the end: all is there, once. Killed again and back after the end: `runs sync`."""
    process = train(program, tmp_path, data, sqlite, "train.epochs=30", "track.flush_ms=50", "track.system_metrics=false")
    wait_for(lambda: process.poll() is not None or next((tmp_path / "runs").glob("2*/track/mlflow.jsonl"), None))
    hold_when(process, lambda: n_sent(tmp_path) > 8000)
    assert not list((tmp_path / "runs").glob("2*/result.json")), "the training was over before the server could be killed"
    sqlite.kill()
    process.send_signal(signal.SIGCONT)
    wait_for(lambda: process.poll() is not None or "wait in the run's folder" in (tmp_path / "said").read_text())
    sqlite.start()
    said = finish(process, tmp_path)
    # What was on its way when the server went, events or a file, is what is told of, once.
    assert said.count("wait in the run's folder") == 1 and "events wait for" not in said, said
    first, points = compare(program, tmp_path, sqlite, tmp_path)
    assert len(points["train/loss"]) == points["train/loss"][-1][0]

    other = tmp_path / "other"
    other.mkdir()
    c = client(sqlite)
    given = c.create_run(c.create_experiment("given"), run_name="theirs", tags={"mlflow.source.type": "PROJECT"})
    sqlite.kill()
    said = finish(train(program, other, data, sqlite, "track.close_timeout_s=1", "track.system_metrics=false",
                        f"track.parent={first.data.tags['fakenews.run_id']}", MLFLOW_RUN_ID=given.info.run_id), other)
    run, = (other / "runs").glob("2*")
    assert seconds_since_training(run) < 20 and "bring them there: fakenews runs sync" in said
    sqlite.start()
    for _ in range(2):
        subprocess.run([program, "runs", "sync"], check=True, capture_output=True, cwd=other, env=bare_environment(other))
    compare(program, other, sqlite, other, "given", given)


def call(server, *arguments):
    done = subprocess.run([TOOLS / "mlflow_probe", server.url, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout.strip(), done.stderr


def is_old(server):
    """A server before 3.x (FN_MLFLOW_PYTHON), which today's client of MLflow can ask less."""
    with urllib.request.urlopen(server.url + "/version") as answer:
        return answer.read().startswith(b"2.")


def ask(server, *arguments):
    code, out, err = call(server, *arguments)
    assert code == 0, err
    return out


def test_values_that_are_hard(sqlite, tmp_path):
    """Numbers at the ends of their range, texts that are cut, batches beyond every limit."""
    run = json.loads(ask(sqlite, "create", "0", "hard"))["info"]["run_id"]
    numbers = ["nan", "inf", "-inf", "0.1", "-0.0", "5e-324", "1.7976931348623157e308", "123456789.123456789", "3"]
    lines = [f"m\tn\t{x}\t{i}\t{1700000000000 + i}" for i, x in enumerate(numbers)]
    lines += [f"m\tmany\t{i}\t{i}\t{i}" for i in range(3500)] + ["p\tempty\t", "p\tlong\t" + "ü" * 6500, "t\tt\t" + "x" * 9000]
    lines += [f"p\tparam{i}\t{i}" for i in range(230)] + [f"t\ttag{i}\t{i}" for i in range(210)]
    (tmp_path / "lines").write_text("\n".join(lines) + "\n")
    assert ask(sqlite, "batch", run, tmp_path / "lines") == str(len(lines))
    if is_old(sqlite):
        (tmp_path / "lines").write_text("\n".join(lines[len(numbers):]) + "\n")  # it does not know NaN and its like again
    assert int(ask(sqlite, "batch", run, tmp_path / "lines")) >= len(lines) - len(numbers)  # harmless to repeat
    c = client(sqlite)
    values = [m.value for m in sorted(c.get_metric_history(run, "n"), key=lambda m: m.step)]
    assert math.isnan(values[0]) and values[1:] == [MOST, -MOST] + [float(x) for x in numbers[3:]]
    assert [m.value for m in c.get_metric_history(run, "many")] == list(range(3500))
    found = c.get_run(run).data
    assert found.params["long"] == "ü" * 6000 and found.params["empty"] == "" and len(found.params) == 232
    assert found.tags["t"] == "x" * 8000 and len([t for t in found.tags if t.startswith("tag")]) == 210
    code, _, err = call(sqlite, "batch", "f" * 32, tmp_path / "lines")
    assert code == 2 and "RESOURCE_DOES_NOT_EXIST" in err


def test_experiments_runs_and_their_errors(sqlite):
    c = client(sqlite)
    assert call(sqlite, "experiment", "none")[0] == 2
    made = ask(sqlite, "experiment", "made", "yes").strip('"')
    assert c.get_experiment_by_name("made").experiment_id == made
    runs = [json.loads(ask(sqlite, "create", made, f"run {i}"))["info"]["run_id"] for i in range(3)]
    ask(sqlite, "update", runs[0], "FAILED", 99)
    assert c.get_run(runs[0]).info.status == "FAILED" and c.get_run(runs[0]).info.end_time == 99
    found = ask(sqlite, "search", made, "attributes.status = 'RUNNING' and tags.probe = 'yes'")
    assert all(r in found for r in runs[1:]) and runs[0] not in found
    c.delete_run(runs[1])
    assert json.loads(ask(sqlite, "run", runs[1]))["info"]["lifecycle_stage"] == "deleted"
    c.delete_experiment(made)
    code, _, err = call(sqlite, "experiment", "made")
    assert code == 2 and "is deleted; restore it" in err
    with urllib.request.urlopen(sqlite.url + "/version") as answer:
        assert ask(sqlite, "version") == f'"{answer.read().decode()}"'


@pytest.mark.parametrize("backend", ["sqlite", "on_postgres"])
def test_everything_sent_twice(request, tmp_path, backend):
    """What a lost answer, a crash, a restored folder send again is there once."""
    server = request.getfixturevalue(backend)
    lines = ["s\tRUNNING\t1", "p\tlr\t0.1", "t\tteam\tdesk", "m\tx\tnan\t3\t1", "m\tx\tinf\t4\t1"]
    lines += [f"m\tloss\t{i / 7!r}\t{i}\t{i}" for i in range(1500)] + [f"a\tf.txt\t{tmp_path}/lines", "s\tFINISHED\t9"]
    (tmp_path / "lines").write_text("\n".join(lines))
    for _ in range(3):
        done = subprocess.run([TOOLS / "sink_probe", "mlflow", tmp_path, "uri", server.url, "close", "300000"],
                              input="\n".join(lines) + "\n", capture_output=True, text=True)
        assert json.loads(done.stdout)["close"] == "", done.stdout
        (tmp_path / "track" / "mlflow.sent").unlink()
    c = client(server)
    run, = c.search_runs([c.get_experiment_by_name("probe").experiment_id])
    assert [m.value for m in c.get_metric_history(run.info.run_id, "loss")] == [i / 7 for i in range(1500)]
    assert len(c.get_metric_history(run.info.run_id, "x")) == 2 and run.info.status == "FINISHED"


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def test_files_models_versions_aliases(sqlite, tmp_path):
    """The registry's calls, each seen by MLflow's client."""
    c = client(sqlite)
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "deep" / "ä b%.bin").write_bytes(os.urandom(3 << 20))
    (folder / "empty").write_bytes(b"")
    run = json.loads(ask(sqlite, "create", "0", "files"))["info"]
    ask(sqlite, "put", run["artifact_uri"], "m", folder)
    assert sorted(line.rsplit(" ", 1)[0] for line in ask(sqlite, "list", run["artifact_uri"], "m").split("\n")) == [
        "m/MLmodel", "m/deep/ä b%.bin", "m/empty"]
    ask(sqlite, "get", run["artifact_uri"], "m", tmp_path / "back")
    assert tree(tmp_path / "back") == tree(folder)
    code, _, err = call(sqlite, "get", run["artifact_uri"], "nothing", tmp_path / "none")
    assert (code == 1 and "500" in err if is_old(sqlite) else code == 2 and "404" in err) and not (tmp_path / "none").exists()
    code, _, err = call(sqlite, "get", run["artifact_uri"], "m", tmp_path / "back")
    assert code == 2 and "is there already" in err

    ask(sqlite, "model", "news", "what it is for")
    ask(sqlite, "model", "news")  # there already: fine
    mlmodel = {"flavors": {}, "run_id": run["run_id"], "utc_time_created": "2026-11-26 12:00:00.000000",
               "artifact_path": "classifier"}
    source, *model = (x.strip('"') for x in ask(sqlite, "model-put", run["run_id"], "classifier", folder, json.dumps(mlmodel)).split())
    assert len(model) == (not is_old(sqlite))
    for logged in model:
        assert c.get_logged_model(logged).status.name == "READY" and c.get_logged_model(logged).source_run_id == run["run_id"]
    ask(sqlite, "version-create", "news", source, run["run_id"], *model)
    ask(sqlite, "version-create", "news", run["artifact_uri"] + "/m", run["run_id"])
    assert [json.loads(v)["version"] for v in ask(sqlite, "version-list", "news").split(" {")[:1]] == ["2"]
    for number in (1, 2):
        where = ask(sqlite, "version-files", "news", number).strip('"')
        ask(sqlite, "get", where, "", tmp_path / f"v{number}")
        assert tree(tmp_path / f"v{number}") == tree(folder)
    assert c.get_model_version("news", "1").description == "a description"
    assert c.get_model_version("news", "1").tags == {"size": "small"}
    ask(sqlite, "alias-set", "news", "best", 1)
    assert c.get_model_version_by_alias("news", "best").version == "1"
    assert json.loads(ask(sqlite, "alias-get", "news", "best"))["version"] == "1"
    ask(sqlite, "alias-set", "news", "best", 2)
    assert c.get_model_version_by_alias("news", "best").version == "2"
    for alias, words in (("v3", "reserved"), ("latest", "reserved")):
        code, _, err = call(sqlite, "alias-set", "news", alias, 1)
        assert code == 2 and words in err
    for arguments in (("alias-get", "news", "gone"), ("alias-get", "gone", "best"), ("alias-set", "news", "x", 9),
                      ("version-get", "news", 9), ("version-delete", "news", 9)):
        code, _, err = call(sqlite, *arguments)
        assert code == 2 and err.startswith("not_found"), err
    ask(sqlite, "alias-delete", "news", "best")
    ask(sqlite, "alias-delete", "news", "best")
    ask(sqlite, "version-tag", "news", 1, "gate", "passed")
    ask(sqlite, "version-describe", "news", 1, "other words")
    ask(sqlite, "model-tag", "news", "team", "desk")
    assert c.get_model_version("news", "1").tags["gate"] == "passed"
    assert c.get_model_version("news", "1").description == "other words" and c.get_registered_model("news").tags == {"team": "desk"}
    ask(sqlite, "version-delete", "news", 2)
    ask(sqlite, "model-delete", "news")
    assert call(sqlite, "version-get", "news", 1)[0] == 2


def test_files_beside_the_server(servers, tmp_path):
    """An experiment whose files stand in a folder: they are written there, and MLflow reads them."""
    server = servers.start("folder", root=f"file://{tmp_path}/a%20b%C3%A4/files")
    run = json.loads(ask(server, "create", "0", "files"))["info"]
    (tmp_path / "a.txt").write_text("hello")
    ask(server, "put", run["artifact_uri"], "deep/a.txt", tmp_path / "a.txt")
    c = client(server)
    assert (tmp_path / "a bä" / "files" / "0" / run["run_id"] / "artifacts" / "deep" / "a.txt").read_text() == "hello"
    if is_old(server):
        return
    assert [f.path for f in c.list_artifacts(run["run_id"], "deep")] == ["deep/a.txt"]
    assert Path(c.download_artifacts(run["run_id"], "deep/a.txt", str(tmp_path))).read_text() == "hello"
    server.kill()


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "through-the-server"])
def test_files_of_a_training_in_s3(servers, program, data, tmp_path, monkeypatch, moto, proxied):
    """A server whose artifact root is a bucket sends its clients there; one that serves artifacts puts them there itself."""
    variables = {"MLFLOW_S3_ENDPOINT_URL": moto, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    where = {"artifacts": "s3://bucket/proxied"} if proxied else {"root": "s3://bucket/direct"}
    server = servers.start(f"s3-{proxied}", env=variables, **where)
    finish(train(program, tmp_path, data, server, **({} if proxied else variables)), tmp_path)
    theirs, _ = compare(program, tmp_path, server, tmp_path)
    assert theirs.info.artifact_uri.startswith("mlflow-artifacts:/" if proxied else "s3://bucket/direct/")
    s3 = boto3.client("s3", endpoint_url=moto, region_name="us-east-1")
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket="bucket", Prefix="proxied" if proxied else "direct")["Contents"]]
    # What this program puts there carries its SHA-256; what the server puts does not.
    assert len(keys) >= 5 and {"sha256" in s3.head_object(Bucket="bucket", Key=key)["Metadata"] for key in keys} == {not proxied}
    server.kill()
