"""MLflow judges versions of the registry: its own server takes the mirror, its loader and PyTorch give our logits."""

import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from infer_support import make_models  # noqa: E402
from mlflow_server import Servers  # noqa: E402
from registry_support import Place  # noqa: E402

TOOLS = Path(os.environ.get("FN_TOOLS", Path(__file__).resolve().parents[2] / "build/dev/tests/tools"))
TEXTS = ["the council said officials figures percent budget survey water", "shocking secret they hide miracle truth wake",
         "water city people year new health school", "insiders banned proof exposed council review"]


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    servers = Servers(tmp_path_factory.mktemp("mlflow"))
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def place(servers, program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    make_models(program, folder)
    return Place(program, folder)


@pytest.fixture(scope="module")
def server(servers, place):
    server = servers.start("registry")
    mirror = f"registry.mirror={server.url}"
    place.registry("add", "bert")  # the mirror is not there yet
    place.registry("add", "linear")
    place.registry("sync", mirror)  # nobody asks for either
    place.registry("sync", "fake-news", "--all", mirror)
    place.registry("promote", "fake-news", "1", "--alias", "best", mirror)
    return server


@pytest.fixture(scope="module")
def client(server):
    import mlflow

    mlflow.set_tracking_uri(server.url)
    mlflow.set_registry_uri(server.url)
    return mlflow.MlflowClient(tracking_uri=server.url, registry_uri=server.url)


def logits(components):
    """Of fake against real, as Transformers computes it with what MLflow loaded. Our models were given the title alone
    here: an empty text leaves nothing behind the first part."""
    import torch

    model, tokenizer = components["model"], components["tokenizer"]
    with torch.no_grad():
        out = model.eval()(**tokenizer(TEXTS, padding=True, truncation=True, max_length=48, return_tensors="pt")).logits
    assert model.config.id2label == {0: "real", 1: "fake"}
    return [float(row[1] - row[0]) for row in out]


def answers(place, model):
    rows = "\n".join(json.dumps({"title": text}) for text in TEXTS)
    (place.folder / "rows.jsonl").write_text(rows + "\n")
    return [json.loads(line) for line in place.run("predict", "--model", model, "rows.jsonl").stdout.splitlines()]


def check(place, components, capsys):
    theirs = logits(components)
    ours = answers(place, "bert/model")
    for row, logit in zip(ours, theirs, strict=True):
        p = row["probabilities"]
        assert math.log(p["fake"] / p["real"]) == pytest.approx(logit, abs=2e-5)
    packed = answers(place, "models:/fake-news/1")
    same = sum(row["label"] == ("fake" if logit > 0 else "real") for row, logit in zip(packed, theirs, strict=True))
    with capsys.disabled():
        print(f"\nint8: {same} of {len(TEXTS)} labels are those of MLflow's model")
    assert same == len(TEXTS)


def test_mlflow_loads_the_aliased_version_from_its_server(place, client, capsys):
    import mlflow

    check(place, mlflow.transformers.load_model("models:/fake-news@best", return_type="components"), capsys)


def test_mlflow_loads_what_a_training_logged(place, client, server, capsys):
    """By its own id and as the run's model, without the registry."""
    import mlflow

    files = [f"a\tmodel/{p.name}\t{p}" for p in sorted((place.folder / "bert" / "model").iterdir())]
    done = subprocess.run([TOOLS / "sink_probe", "mlflow", place.folder / "bert", "uri", server.url, "close", "300000"], check=True,
                          input="\n".join(["p\tlr\t0.1", *files, "s\tFINISHED\t9"]) + "\n", capture_output=True, text=True)
    assert json.loads(done.stdout)["close"] == ""
    logged, = client.search_logged_models([client.get_experiment_by_name("probe").experiment_id])
    assert client.get_logged_model(logged.model_id).status.name == "READY" and logged.params == {"lr": "0.1"}
    check(place, mlflow.transformers.load_model(f"models:/{logged.model_id}", return_type="components"), capsys)
    answers = mlflow.pyfunc.load_model(f"runs:/{logged.source_run_id}/model").predict(TEXTS)
    assert set(answers["label"]) <= {"real", "fake"} and len(answers) == len(TEXTS)


def test_mlflow_loads_a_version_by_its_path(place, client, capsys):
    import mlflow

    place.registry("download", "fake-news@best", "--out", "best")
    pipeline = mlflow.transformers.load_model(str(place.folder / "best"))
    answers = pipeline(TEXTS)
    assert {answer["label"] for answer in answers} <= {"real", "fake"}
    function = mlflow.pyfunc.load_model(str(place.folder / "best"))
    table = function.predict(TEXTS)
    assert list(table["label"]) == [answer["label"] for answer in answers]
    assert list(table["score"]) == pytest.approx([answer["score"] for answer in answers])
    signature = function.metadata.signature
    assert [i.type.name for i in signature.inputs] == ["string"] and signature.outputs.input_names() == ["label", "score"]
    check(place, {"model": pipeline.model, "tokenizer": pipeline.tokenizer}, capsys)


def test_the_server_has_versions_tags_alias_and_the_run(place, client):
    best = client.get_model_version_by_alias("fake-news", "best")
    ours = {v["version"]: v for v in map(json.loads, place.registry("list", "fake-news").stdout.splitlines())}
    assert best.tags["fakenews.version"] == "1" and best.tags["fakenews.digest"] == ours[1]["digest"]
    assert float(best.tags["fakenews.test.f1_weighted"]) == pytest.approx(ours[1]["test_f1_weighted"], rel=1e-5)
    assert best.status == "READY" and client.get_run(best.run_id).info.status == "FINISHED"
    versions = client.search_model_versions("name = 'fake-news'")
    assert {str(v.version): v.tags["fakenews.version"] for v in versions if str(v.version) in "12"} == {"1": "1", "2": "2"}  # in our order


def test_a_version_leads_to_the_run_that_the_server_was_told_of(place, server, client):
    place.run("train", "--data", "data", "family=linear", "linear.features=word", "linear.hash_bits=10", "linear.c_grid=[2]", "name=told",
              "track.sinks=[local,mlflow]", f"track.uri={server.url}", "track.experiment=trainings", "track.close_timeout_s=300")
    place.registry("add", "told", "--name", "told", f"registry.mirror={server.url}")  # another experiment: Default
    version = client.get_model_version("told", "1")
    run = client.get_run(version.run_id)
    assert run.info.experiment_id == client.get_experiment_by_name("trainings").experiment_id
    assert run.data.params["linear.c_grid"] == "[2]" and run.data.metrics["test/loss"] > 0
    logged, = client.search_logged_models([run.info.experiment_id])  # the training's: the version took it over
    assert version.source == f"models:/{logged.model_id}" and logged.status.name == "READY" and logged.params == run.data.params
    assert [m.model_id for m in run.outputs.model_outputs] == [logged.model_id]
    place.registry("sync", "told", "--all", f"registry.mirror={server.url}")
    assert len(client.search_logged_models([run.info.experiment_id])) == 1
    assert "weighted F1" in version.description and "not whether what it claims is true" in version.description


def test_each_change_arrives_once(place, server, client):
    mirror = f"registry.mirror={server.url}"
    place.registry("add", "bert", mirror)  # there already, here and there
    assert len(client.search_model_versions("name = 'fake-news'")) == 2
    place.registry("alias", "fake-news@canary", "2", mirror)
    assert client.get_model_version_by_alias("fake-news", "canary").tags["fakenews.version"] == "2"
    place.registry("tag", "fake-news/2", "--key", "team", "--value", "north", mirror)
    assert client.get_model_version_by_alias("fake-news", "canary").tags["team"] == "north"
    client.set_model_version_tag("fake-news", "2", "theirs", "stays")
    client.set_registered_model_alias("fake-news", "best", "2")  # by hand: the next change puts it back, and says so
    said = place.registry("tag", "fake-news/2", "--key", "team", "--value", "south", mirror).stderr
    assert "fake-news@best stood at the mirror's version 2, and is put to version 1, as here" in said
    assert client.get_model_version_by_alias("fake-news", "best").version == "1"
    place.registry("tag", "fake-news/2", "--key", "team", "--delete")  # the mirror is away, so it gets none of these
    place.registry("alias", "fake-news@canary", "--delete")
    place.registry("add", "linear", "eval.baselines=false")
    place.registry("add", "linear", "eval.resamples=100")
    path = place.content("version:fake-news/3", "fakenews/card.json")
    path.chmod(0o644)
    path.write_text("damaged")
    place.registry("alias", "fake-news@old", 3)
    done = place.registry("tag", "fake-news/4", "--key", "k", "--value", "v", mirror)  # any later change
    assert "fake-news/3 has not arrived" in done.stderr and "fake-news@old has not arrived" in done.stderr
    assert client.get_model_version("fake-news", "2").tags.keys() & {"team", "theirs"} == {"theirs"}
    with pytest.raises(Exception, match="canary"):
        client.get_model_version_by_alias("fake-news", "canary")
    assert client.get_model_version("fake-news", "3").tags["fakenews.version"] == "4"
    place.registry("alias", "fake-news@old", "--delete")
    place.registry("rm", "fake-news/4")
    place.registry("sync", mirror)
    assert client.get_model_version("fake-news", "3").tags["fakenews.retired"].startswith("20")
    place.registry("alias", "fake-news@best", 2)
    assert "stands there already" in place.registry("promote", "fake-news", "2", "--alias", "best", "--force", "--reason", "t",
                                                    mirror).stdout
    assert client.get_model_version_by_alias("fake-news", "best").version == "2"
    place.registry("alias", "fake-news@best", 1, mirror)
    assert "registry.mirror" not in place.registry("list", f"registry.uri={server.url}/", mirror).stderr
    assert "registry.mirror" in place.registry("list", f"registry.uri={server.url}").stderr


def test_models_come_from_the_server(place, server):
    """registry.uri instead of the database of this folder."""
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()
    for name in ("rows.jsonl", "bert"):
        (elsewhere / name).symlink_to(place.folder / name)
    answers(place, "models:/fake-news@best")
    done = Place(place.program, elsewhere).run("predict", "--model", "models:/fake-news@best", "rows.jsonl",
                                               MLFLOW_REGISTRY_URI=server.url)
    here = answers(place, "models:/fake-news@best")
    assert [json.loads(line)["probabilities"] for line in done.stdout.splitlines()] == [a["probabilities"] for a in here]
    done = Place(place.program, elsewhere).run("predict", "--model", "models:/fake-news@none", "rows.jsonl", code=2,
                                               MLFLOW_REGISTRY_URI=server.url)
    assert "none" in done.stderr


def test_a_mirror_that_is_away_holds_nothing_up(place):
    with socket.socket() as s:  # nobody listens there, nor is anybody else given it
        s.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{s.getsockname()[1]}"
        done = place.registry("alias", "fake-news@away", "2", f"registry.mirror={url}", "net.retries=0", code=3)
    assert "its mirror has not" in done.stderr and place.alias("away") == 2


def test_serve_follows_an_alias_of_the_server(place, servers, server, client):
    import time

    from serve_support import Served

    def wait_for(condition):
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, service.log
            time.sleep(0.05)

    def version():
        return service.get("/v1/model").json["registry"]["version"]

    first = int(client.get_model_version_by_alias("fake-news", "best").version)
    second = next(int(v.version) for v in client.search_model_versions("name = 'fake-news'") if int(v.version) != first)
    url = server.url.replace("127.0.0.1", "localhost")  # Served takes the first address with digits in the log for its own
    settings = (f"registry.uri={url}", "registry.follow_s=0.2", "predictions.url=none", "serve.log_format=json",
                "net.retries=0")
    with Served(place.program, place.folder, *settings, model="models:/fake-news@best") as service:
        assert version() == first
        client.set_registered_model_alias("fake-news", "best", second)
        wait_for(lambda: version() == second)
        server.kill()
        wait_for(lambda: '"registry_away"' in service.log)
        assert service.post("/v1/classify", {"title": "Moon is rented", "text": "It is."}).status == 200
    with Served(place.program, place.folder, *settings, model="models:/fake-news@best") as service:
        assert version() == second and service.says('"registry_away"')
    server.start()
    client.set_registered_model_alias("fake-news", "best", first)


def test_models_and_versions_in_a_bucket(place, server, tmp_path):
    """Files of the registry in S3 (track.artifacts), and models by their s3:// address."""
    from test_store import Moto

    moto = Moto(tmp_path)
    try:
        bucket = ("track.url=team.db", "track.artifacts=s3://bucket/artifacts")
        place.registry("add", "bert", *bucket, **moto.env)
        place.registry("promote", "fake-news", "--alias", "best", *bucket, **moto.env)
        answers(place, "bert/model")  # writes rows.jsonl
        expected = place.run("predict", "--model", "models:/fake-news@best", "rows.jsonl", *bucket, **moto.env).stdout
        place.registry("download", "fake-news@best", "--out", "fetched", *bucket, **moto.env)
        for path in (place.folder / "fetched").rglob("*"):
            if path.is_file():
                moto.s3.upload_file(str(path), "bucket", f"models/{path.relative_to(place.folder / 'fetched')}")
        packed, folder = "s3://bucket/models/fakenews/model.fnm", "s3://bucket/models/model"
        assert place.run("predict", "--model", packed, "rows.jsonl", **moto.env).stdout == expected
        moto.free_actions(10**9)  # its check of signatures cannot take an encoded prefix (test_store.py)
        theirs = [json.loads(line)["probabilities"] for line in
                  place.run("predict", "--model", folder, "rows.jsonl", **moto.env).stdout.splitlines()]
        assert theirs == [row["probabilities"] for row in answers(place, "bert/model")]
    finally:
        moto.stop()
    done = place.run("predict", "--model", packed, "rows.jsonl", "net.retries=0", **moto.env)
    assert done.stdout == expected and "the last copy is used" in done.stderr
    done = place.run("predict", "--model", "models:/fake-news@best", "rows.jsonl", *bucket, "net.retries=0", **moto.env)
    assert done.stdout == expected  # the copy of the version is whole: the bucket is not asked
