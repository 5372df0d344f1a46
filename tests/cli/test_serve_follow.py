"""`fakenews serve --model models:/NAME@ALIAS`: the model is swapped when the alias moves, and stays when it cannot be."""

import hashlib
import json
import math
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
from log_support import postgres
from registry_support import Place, copy_place, make_place
from serve_support import Served, TEXT
from train_support import bare_environment, wait_for

NAME = "models:/fake-news@best"


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    place = make_place(program, tmp_path_factory.mktemp("follow"))
    place.registry("alias", "fake-news@best", 1)
    return place


@pytest.fixture
def place(made, tmp_path):
    return copy_place(made, tmp_path)


def serve(place, **more):
    return Served(place.program, place.folder, "registry.follow_s=0.2", "predictions.url=none", "serve.log_format=json",
                  model=NAME, **more)


def version_of(server):
    return server.get("/v1/model").json["registry"]["version"]


def metric(server, name):
    for line in server.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    return None


class Load:
    """Requests without a pause, from several threads; every answer's status and model."""

    def __init__(self, server, n=3):
        self.server, self.answers, self.ended = server, [], threading.Event()
        self.threads = [threading.Thread(target=self._ask) for _ in range(n)]

    def _ask(self):
        while not self.ended.is_set():
            answer = self.server.post("/v1/classify", {"title": "Moon is rented", "text": TEXT})
            self.answers.append((answer.status, answer.json.get("model")))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def test_the_alias_moves_back_and_forth_under_load(place):
    with serve(place) as server:
        assert version_of(server) == 1
        assert metric(server, "fakenews_registry_version") == 1
        assert metric(server, "fakenews_registry_age_seconds") < 60
        first = server.post("/v1/classify", {"title": "Moon is rented", "text": TEXT}).json["model"]
        with Load(server) as load:
            for version in (2, 3, 1):
                place.registry("alias", "fake-news@best", version)
                wait_for(lambda: version_of(server) == version)
                n = len(load.answers) + len(load.threads)  # what was on its way may have been asked of the model before
                wait_for(lambda: len(load.answers) > n)
                card = server.get("/card", Accept="text/html").body.decode()
                assert "<dt>Reads</dt>" in card and (", up to" in card) == (version != 2)  # the linear family has no limit
        assert {status for status, _ in load.answers} == {200}
        assert len({first, *(model for _, model in load.answers)}) == 3
        assert server.post("/v1/classify", {"title": "Moon is rented", "text": TEXT}).json["model"] == first
        assert metric(server, "fakenews_registry_failures_total") == 0
        assert metric(server, "fakenews_reloads_total") == 3
        registry = server.get("/v1/model").json["registry"]
        assert registry["name"] == "fake-news" and registry["alias"] == "best" and registry["asked_at"]
        page = server.get("/card", Accept="text/html").body.decode()
        assert f"<dd>fake-news, version {registry['version']}, by its alias <code>best</code></dd>" in page
        assert server.says('"registry_moved"', 3) and server.log.count('"registry_moved"') == 3


def test_a_damaged_version_changes_nothing_and_is_not_tried_on_and_on(place):
    bad = place.content("version:fake-news/2", "fakenews/model.fnm")
    data = bytearray(bad.read_bytes())
    data[len(data) // 2] ^= 1
    bad.chmod(0o644)
    bad.write_bytes(data)
    with serve(place) as server:
        with Load(server, 1) as load:
            begin = time.monotonic()
            place.registry("alias", "fake-news@best", 2)
            wait_for(lambda: metric(server, "fakenews_registry_failures_total") >= 1)
            time.sleep(0.8)
        failures, questions = metric(server, "fakenews_registry_failures_total"), (time.monotonic() - begin) / 0.2 + 2
        assert {status for status, _ in load.answers} == {200}
        assert version_of(server) == 1
        assert 1 <= failures <= math.log2(questions + 1), (failures, questions)  # after 1, 3, 7 … questions
        assert server.says('"registry_fetch"') and server.says("SHA-256")
        place.registry("alias", "fake-news@best", 3)
        wait_for(lambda: version_of(server) == 3)


def test_a_version_that_is_no_model_is_refused_once(place):
    """Its files are what was stored, but the server cannot answer with them."""
    bad = place.content("version:fake-news/2", "fakenews/model.fnm")
    good = bad.read_bytes()
    data = bytearray(good)
    data[-1] ^= 1  # of a tensor: the header's checksum still holds
    digest = hashlib.sha256(data).hexdigest()
    target = place.folder / "runs/artifacts/sha256" / digest[:2] / digest
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(data)
    place.database("UPDATE artifacts SET sha256 = ? WHERE owner = 'version:fake-news/2' AND path = 'fakenews/model.fnm'",
                   digest)
    with serve(place) as server:
        place.registry("alias", "fake-news@best", 2)
        wait_for(lambda: '"registry_refused"' in server.log)
        time.sleep(0.8)
        assert server.log.count('"registry_refused"') == 1
        assert metric(server, "fakenews_registry_failures_total") == 1
        assert version_of(server) == 1
    with serve(place) as server:  # and a start takes the last that was good
        assert version_of(server) == 1 and server.says('"registry_away"')


def test_the_registry_goes_away_and_comes_back(place):
    database = place.folder / "runs/tracking.db"
    hidden = place.folder / "hidden"
    with serve(place) as server:
        shutil.move(place.folder / "runs", hidden)
        wait_for(lambda: '"registry_away"' in server.log)
        assert server.post("/v1/classify", {"title": "Moon is rented", "text": TEXT}).status == 200
        wait_for(lambda: metric(server, "fakenews_registry_age_seconds") > 0.6)
        assert server.log.count('"registry_away"') == 1
        shutil.move(hidden, place.folder / "runs")
        assert database.exists()
        wait_for(lambda: '"registry_back"' in server.log)
        place.registry("alias", "fake-news@best", 3)
        wait_for(lambda: version_of(server) == 3)


def test_killed_and_started_without_a_registry(place):
    with serve(place) as server:
        place.registry("alias", "fake-news@best", 3)
        wait_for(lambda: version_of(server) == 3)
        model = server.get("/v1/model").json["id"]
        server.process.kill()
        server.process.wait()
    shutil.move(place.folder / "runs", place.folder / "kept")  # a mount that is not there
    with serve(place) as server:
        answer = server.post("/v1/classify", {"title": "Moon is rented", "text": TEXT})
        assert answer.status == 200 and answer.json["model"] == model
        assert version_of(server) == 3 and server.get("/v1/model").json["registry"]["asked_at"] is None
        assert server.says('"registry_away"')
        failures = metric(server, "fakenews_registry_failures_total")
        assert failures >= 1 and 0 <= metric(server, "fakenews_registry_age_seconds") < 300
        wait_for(lambda: metric(server, "fakenews_registry_failures_total") > failures)  # a counter does not fall
        shutil.move(place.folder / "kept", place.folder / "runs")
        wait_for(lambda: '"registry_back"' in server.log)
        assert metric(server, "fakenews_registry_failures_total") > failures
    # a folder that has no registry does not answer with the copy of another one
    elsewhere = Place(place.program, place.folder / "elsewhere")
    elsewhere.folder.mkdir()
    cache = {"XDG_CACHE_HOME": str(place.folder / ".cache")}
    done = elsewhere.run("serve", "--check", "--model", NAME, "predictions.url=none", code=2, **cache)
    assert "runs/tracking.db" in done.stderr
    # nor one whose registry says that there is no such alias
    place.registry("alias", "fake-news@best", "--delete")
    done = place.run("serve", "--check", "--model", NAME, "predictions.url=none", code=2)
    assert "best" in done.stderr
    with Served(place.program, place.folder, "predictions.url=none", model="models:/fake-news/1") as server:
        assert metric(server, "fakenews_registry_version") == 1
        assert metric(server, "fakenews_registry_age_seconds") is None  # nothing is followed: no alert of its age
    shutil.rmtree(place.folder / "runs")
    done = place.run("serve", "--check", "--model", NAME, "predictions.url=none", code=2)
    assert "runs/tracking.db" in done.stderr


class Silence(str):
    def __new__(cls, listener):
        self = super().__new__(cls, f"http://127.0.0.1:{listener.getsockname()[1]}")
        self.listener = listener
        return self

    def is_asked(self):
        """Waits until somebody has connected; that connection."""
        self.listener.settimeout(60)
        return self.listener.accept()[0]


@pytest.fixture
def silence():
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield Silence(listener)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", [
    ["serve", "--model", NAME, "serve.port=0", "predictions.url=none", "registry.uri=URL"],
    ["serve", "--model", "s3://bucket/m.fnm", "serve.port=0", "predictions.url=none"],
    ["predict", "--model", NAME, "--text", "x", "registry.uri=URL"],
    ["registry", "alias", "fake-news@other", "1", "registry.mirror=URL"],
])
def test_a_signal_ends_what_waits_for_an_answer(made, silence, command, sign):
    env = bare_environment(made.folder, AWS_ENDPOINT_URL=silence, AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    process = subprocess.Popen([str(made.program), *(a.replace("URL", silence) for a in command)], cwd=made.folder,
                               env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        with silence.is_asked() as connection:
            assert connection.recv(1)  # of the question
            time.sleep(0.1)
            if command[0] == "serve":  # it asks for the model anew, which waits until there is one
                process.send_signal(signal.SIGHUP)
                time.sleep(0.3)
                assert process.poll() is None
            process.send_signal(sign)
            _, said = process.communicate(timeout=30)  # half of net.stall_timeout_s
        assert process.returncode == (3 if command[0] == "registry" else 128 + sign), said
    finally:
        process.kill()


def test_a_first_fetch_that_hangs_leaves_the_last_copy(place, silence):
    with serve(place) as server:
        assert version_of(server) == 1
    place.registry("alias", "fake-news@best", 3)
    keys = {"AWS_ENDPOINT_URL": silence, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with serve(place, arguments=["track.artifacts=s3://bucket/x"], env=keys) as server:
        assert version_of(server) == 1 and server.says("registry.follow_s")


def test_on_postgresql(place):
    """The same with the team's database: many promote at once, the database goes away and comes back."""
    with postgres() as cluster:
        url = f"track.url={cluster.url}"
        for run, settings in (("bert", []), ("linear", []), ("bert", ["dtype=f32"])):
            place.registry("add", run, url, "eval.baselines=false", *settings)
        place.registry("promote", "fake-news", 1, "--alias", "best", url)
        with serve(place, arguments=[url]) as server:
            assert version_of(server) == 1
            command = [str(place.program), "registry", "promote", "fake-news", "--alias", "best", url]
            running = [subprocess.Popen([*command[:4], str(1 + i % 3), *command[4:]], cwd=place.folder, text=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env=bare_environment(place.folder)) for i in range(6)]
            for process in running:
                _, err = process.communicate(timeout=120)
                assert process.returncode == 0 or (process.returncode == 4 and "somebody else" in err), err
            shown = json.loads(place.registry("show", "fake-news", "--json", url).stdout)
            at = 0
            for change in shown["changes"]:
                if change["action"] == "promote":
                    assert change["from"] == at
                    at = change["to"]
            wait_for(lambda: version_of(server) == at)
            cluster.stop()
            wait_for(lambda: '"registry_away"' in server.log)
            assert server.post("/v1/classify", {"title": "Moon is rented", "text": TEXT}).status == 200
            cluster.start()
            wait_for(lambda: '"registry_back"' in server.log)
            place.registry("alias", "fake-news@best", at % 3 + 1, url)
            wait_for(lambda: version_of(server) == at % 3 + 1)
            cluster.stop()
            done = place.run("predict", "--model", NAME, "--title", "Moon is rented", url)
            assert "the last copy is used" in done.stderr and json.loads(done.stdout)["model"]
