"""Names of models that are not paths: models:/, runs:/, http://, file:// wherever a verb takes a model."""

import json
import shutil
import urllib.parse

import pytest
from http_support import Server, whole
from registry_support import Place, copy_place, make_place

HTTP = ("net.retries=0",)


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    place = make_place(program, tmp_path_factory.mktemp("names"))
    place.registry("alias", "fake-news@best", 1)
    rows = "".join(json.dumps({"title": t}) + "\n" for t in ("water city council", "shocking secret cure"))
    (place.folder / "rows.jsonl").write_text(rows)
    return place


@pytest.fixture
def place(made, tmp_path):
    return copy_place(made, tmp_path)


def answers(place, model, *settings, **more):
    done = place.run("predict", "--model", model, "rows.jsonl", *settings, **more)
    return [json.loads(line)["probabilities"] for line in done.stdout.splitlines()], done.stderr


def cached(place):
    return [p for p in (place.folder / ".cache/fakenews/models").rglob("*") if p.is_file()]


@pytest.mark.parametrize("name, version", [("models:/fake-news@best", 1), ("models:/fake-news/2", 2),
                                           ("models:/fake-news/latest", 3), ("models:///fake-news/LATEST", 3)])
def test_versions_answer(place, name, version):
    place.registry("download", f"fake-news/{version}", "--out", "whole")
    assert answers(place, name) == answers(place, "whole/fakenews/model.fnm")
    assert answers(place, name)[1] == ""


def test_every_verb_takes_them(place):
    best = "models:/fake-news@best"
    assert json.loads(place.run("model", "info", best, "--json").stdout)["packed"]
    place.run("evaluate", "--model", best, "--data", "data", "eval.baselines=false", "eval.resamples=10")
    place.run("calibrate", "--model", best, "--data", "data", "--out", "-")
    place.run("explain", "--model", best, "--text", "water city council. shocking secret cure.")
    place.run("bench", "--model", best, "--tokens", "16", "device.threads=1")
    place.run("serve", "--check", "--model", best, "serve.port=0", "predictions.url=none")
    place.run("quantize", "--model", best, "--linear", "models:/fake-news/2", "--out", "both.fnm")  # of directories
    assert json.loads(place.run("model", "info", "both.fnm", "--json").stdout)["family"] == "bert+linear"
    tokens = place.run("tokenize", "--tokenizer", best, "rows.jsonl").stdout
    assert tokens == place.run("tokenize", "--tokenizer", "bert/model", "rows.jsonl").stdout
    place.run("train", "--data", "data", "--init", best, "--out", "further", "train.max_steps=2", "train.max_tokens=48",
              "track.sinks=[]")
    assert json.loads((place.folder / "further/run.json").read_text())["init_hash"]


def test_copies_are_whole_and_mended(place):
    before = answers(place, "models:/fake-news@best")
    copies = cached(place)
    assert {p.name for p in copies} == {"model.fnm", "calibration.json", "card.json", "gates.json", "fakenews.checked"}
    packed = next(p for p in copies if p.name == "model.fnm")
    packed.chmod(0o644)
    good = packed.read_bytes()
    for bad in (good[:1000], good[:-2000] + bytes(2000)):  # the second is as long, and loads
        packed.write_bytes(bad)
        assert answers(place, "models:/fake-news@best") == before
        assert packed.read_bytes() == good
        packed.chmod(0o644)
    assert not [p for p in (place.folder / ".cache").rglob("*") if "tmp" in p.name or p.name.endswith(".part")]


def test_runs_and_their_files(place):
    runs = {r["name"]: r["run_id"] for r in map(json.loads, place.run("runs", "list").stdout.splitlines())}
    by_path = answers(place, "bert/model")
    assert answers(place, f"runs:/{runs['bert']}") == by_path
    assert answers(place, f"runs:/{runs['bert'][:10]}/model") == by_path
    place.run("predict", "--model", f"runs:/{runs['bert']}", "rows.jsonl", MLFLOW_REGISTRY_URI="databricks-uc")  # of other programs
    assert "nothing" in place.run("predict", "--model", f"runs:/{runs['bert']}/nothing", "rows.jsonl", code=2).stderr
    assert "0123" in place.run("predict", "--model", "runs:/0123456789", "rows.jsonl", code=2).stderr


def test_a_file_behind_http_and_its_last_copy(place):
    place.registry("download", "fake-news/1", "--out", "whole")
    packed = (place.folder / "whole/fakenews/model.fnm").read_bytes()
    expected = answers(place, "whole/fakenews/model.fnm")[0]
    server = Server(whole(packed))
    url = f"{server.url}/models/best.fnm"
    try:
        assert answers(place, url, *HTTP) == (expected, "")
    finally:
        server.stop()
    got, said = answers(place, url, *HTTP)
    assert got == expected and "the last copy is used" in said
    shutil.rmtree(place.folder / ".cache")
    assert "best.fnm" in place.run("predict", "--model", url, "rows.jsonl", *HTTP, code=1).stderr


def test_a_file_that_changes_while_it_is_fetched(place):
    """Nothing is kept under the name of what was there before."""
    packed = {}
    for version in (1, 2):
        place.registry("download", f"fake-news/{version}", "--out", f"whole{version}")
        packed[version] = (place.folder / f"whole{version}/fakenews/model.fnm").read_bytes()
    server = Server(whole(packed[1]), whole(packed[2]))  # asked for, then fetched
    url = f"{server.url}/models/best.fnm"
    try:
        assert answers(place, url, *HTTP) == answers(place, "whole2/fakenews/model.fnm")
        server.steps = [whole(packed[1])]  # and back
        assert answers(place, url, *HTTP) == answers(place, "whole1/fakenews/model.fnm")
    finally:
        server.stop()


def test_an_address_that_is_signed(place):
    """Its query goes with every request, is shown nowhere, and is not what the copy is known by; HEAD is refused."""
    place.registry("download", "fake-news/1", "--out", "whole")
    packed = (place.folder / "whole/fakenews/model.fnm").read_bytes()

    def answer(h):
        if h.path != "/m/best%20one.fnm?sig=a/b%2Bc&SECRET":
            h.head(404)
        elif h.command == "HEAD":
            h.head(403)
        elif h.headers.get("Range") == "bytes=0-0":
            h.head(206, Content_Range=f"bytes 0-0/{len(packed)}", Content_Length=1)
            h.wfile.write(packed[:1])
        else:
            h.head(200, Content_Length=len(packed))
            h.wfile.write(packed)

    expected = answers(place, "whole/fakenews/model.fnm")[0]
    server = Server(answer)
    url = f"{server.url}/m/best%20one.fnm"
    try:
        assert answers(place, url + "?sig=a/b%2Bc&SECRET#top", *HTTP) == (expected, "")
        done = place.run("predict", "--model", f"{server.url}/m/none.fnm?sig=SECRET", "rows.jsonl", *HTTP, code=2)
        assert "none.fnm" in done.stderr and "SECRET" not in done.stderr
    finally:
        server.stop()
    got, said = answers(place, url + "?sig=SECRET2", *HTTP)  # signed anew: the same place
    assert got == expected and "the last copy is used" in said and "SECRET" not in said
    assert "SECRET" not in "".join(str(p) for p in (place.folder / ".cache").rglob("*"))


def flip(data):
    return data[:-2000] + bytes([data[-2000] ^ 255]) + data[-1999:]


class Registry(Server):
    """An MLflow server with one version of one model; `mode` is what goes wrong."""

    def __init__(self, packed, mode="fine", port=0):
        self.packed, self.mode, self.downloads = packed, mode, 0
        super().__init__(self.answer)

    def answer(self, h):
        def send(body, status=200):
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            h.head(status, Content_Length=len(body))
            h.wfile.write(body)

        url = urllib.parse.urlsplit(h.path)
        version = {"name": "m", "version": "1", "status": "READY", "creation_timestamp": 1, "source": "x"}
        if self.mode == "500":
            return send(b"no", 500)
        if self.mode == "401":
            return send(b"who are you", 401)
        if self.mode == "pending":
            version["status"] = "PENDING_REGISTRATION"
        if url.path.endswith("registered-models/alias"):
            return send({"model_version": version})
        if url.path.endswith("get-download-uri"):
            return send({"artifact_uri": "mlflow-artifacts:/0/r"})
        if url.query:
            if url.query.endswith("fakenews") and self.mode != "no packed file":
                return send({"files": [{"path": "model.fnm", "is_dir": False, "file_size": len(self.packed)}]})
            return send({"files": []})
        if not url.path.endswith("/model.fnm"):
            return send({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such file"}, 404)
        self.downloads += 1
        if self.mode == "endless":
            h.head(200)
            while True:
                h.wfile.write(bytes(1 << 20))
        if self.mode == "page" and self.downloads == 1:
            return send(b"<html>504 from a proxy</html>")
        bad = {"other": bytes(len(self.packed)), "bit": flip(self.packed), "half": self.packed[:1000],
               "longer": self.packed + bytes(50)}
        return send(bad[self.mode] if self.mode in bad and self.downloads == 1 else self.packed)


def test_what_a_server_sends_is_not_believed(place):
    """An answer of something between, a file that never ends, a version that is not there yet: none becomes a copy, and
    the next call asks again."""
    packed = place.content("version:fake-news/1", "fakenews/model.fnm").read_bytes()
    expected = answers(place, "models:/fake-news/1")[0]
    ask = ("predict", "--model", "models:/m@best", "rows.jsonl", *HTTP)
    for mode, says in (("page", "the server listed"), ("other", "cannot be loaded"),
                       ("bit", "cannot be loaded"), ("half", "and sent 1000"), ("longer", "sends more"), ("endless", "the server listed"),
                       ("pending", "PENDING_REGISTRATION"), ("no packed file", "version 1 of m")):
        server = Registry(packed, mode)
        try:
            done = place.run(*ask, f"registry.uri={server.url}", code=None)
            assert done.returncode in (1, 2) and says in done.stderr, (mode, done.stderr)
            downloads = server.downloads
            server.mode = "fine"
            assert answers(place, "models:/m@best", f"registry.uri={server.url}", *HTTP) == (expected, "")
            assert server.downloads == downloads + 1
        finally:
            server.stop()
    assert max(p.stat().st_size for p in cached(place)) < 2 * len(packed)


def test_only_an_answer_about_the_model_is_believed(place):
    """Whatever else a registry says, or does not: the last copy answers, soon."""
    packed = place.content("version:fake-news/1", "fakenews/model.fnm").read_bytes()
    server = Registry(packed)
    try:
        uri = f"registry.uri={server.url}"
        expected = answers(place, "models:/m@best", uri)[0]
        for server.mode in ("401", "pending"):
            got, said = answers(place, "models:/m@best", uri)
            assert got == expected and "the last copy is used" in said
        server.mode = "500"
        n = len(server.requests)
        assert answers(place, "models:/m@best", uri)[0] == expected
        assert len(server.requests) - n <= 3  # not all of net.retries
    finally:
        server.stop()
    database = place.folder / "runs/tracking.db"
    before = answers(place, "models:/fake-news@best")[0]
    good = database.read_bytes()
    place.database("UPDATE schema_version SET version = 99")
    assert "version 99" in answers(place, "models:/fake-news@best")[1]
    for bad in (b"no database at all" * 300, None):
        database.write_bytes(bad) if bad else database.unlink()
        got, said = answers(place, "models:/fake-news@best")
        assert got == before and "the last copy is used" in said
    database.write_bytes(good)
    assert answers(place, "models:/fake-news@best") == (before, "")
    place.registry("alias", "fake-news@best", "--delete")
    assert "best" in place.run("predict", "--model", "models:/fake-news@best", "rows.jsonl", code=2).stderr
    database.unlink()  # what was taken back does not answer again
    place.run("predict", "--model", "models:/fake-news@best", "rows.jsonl", code=2)


def test_a_folder_by_its_file_address(place):
    assert answers(place, f"file://{place.folder}/bert/model") == answers(place, "bert/model")


def test_a_registry_that_is_away_leaves_the_last_copy(place):
    before, _ = answers(place, "models:/fake-news@best")
    away = "track.url=postgresql://nobody@127.0.0.1:1/none"
    # the copies are those of another registry: none is taken for this one's
    assert "127.0.0.1" in place.run("predict", "--model", "models:/fake-news@best", "rows.jsonl", away, code=1).stderr
    damaged = place.content("version:fake-news/3", "fakenews/model.fnm")
    damaged.chmod(0o644)
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    place.registry("alias", "fake-news@best", 3)
    got, said = answers(place, "models:/fake-news@best")
    assert got == before and "SHA-256" in said and "version 1" in said
    assert "SHA-256" in place.run("predict", "--model", "models:/fake-news/3", "rows.jsonl", code=1).stderr


@pytest.mark.parametrize("name, says", [
    ("models:/fake-news", "models:/NAME@ALIAS"),
    ("models:/fake-news/0", "models:/NAME@ALIAS"),
    ("models:/fake-news/x", "models:/NAME@ALIAS"),
    ("models:/@best", "models:/NAME@ALIAS"),
    ("models:/fake-news@", "models:/NAME@ALIAS"),
    ("models:/../x/1", "cannot be a model's name"),
    ("models:/fake-news@v1", "taken for a version"),
    ("models:/fake-news@none", "it has best"),
    ("models:/fake-news/7", "its newest is 3"),
    ("models:/mews@best", "which has fake-news"),
    ("runs:/", "runs:/RUN"),
    ("runs:/bert/../../bert", "runs:/bert/../../bert"),
])
def test_bad_names_are_explained(made, name, says):
    assert says in made.run("predict", "--model", name, "rows.jsonl", code=2).stderr


def test_where_there_is_no_registry(made, program, tmp_path):
    place = Place(program, tmp_path)
    assert "tracking.db" in place.run("predict", "--model", "models:/fake-news@best", "x", code=2).stderr
    done = place.run("predict", "--model", "models:/fake-news@best", "x", code=2, MLFLOW_REGISTRY_URI="sqlite:///x.db")
    assert "track.url" in done.stderr
