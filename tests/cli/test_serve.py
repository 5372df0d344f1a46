"""fakenews serve: the API's own routes, reload, start and end."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading

import pytest
from serve_support import MODEL, TEXT, Served
from train_support import wait_for


@pytest.fixture(scope="module")
def server(program, tmp_path_factory):
    with Served(program, tmp_path_factory.mktemp("serve")) as server:
        yield server
        assert server.stop() == 0, server.log


def test_classify_agrees_with_predict(server, program):
    article = {"title": "Council approves budget", "text": TEXT}
    answer = server.post("/v1/classify", article)
    assert answer.status == 200, answer
    done = subprocess.run([program, "predict", "--model", MODEL, "--title", article["title"], "--text", TEXT, "--format",
                           "jsonl"], capture_output=True, text=True)
    expected = json.loads(done.stdout)
    got = answer.json
    assert got["probabilities"] == expected["probabilities"]
    assert [r["code"] for r in got["reasons"]] == expected["reasons"]
    for key in ("label", "verdict", "calibrated", "n_tokens", "truncated", "n_windows", "model"):
        assert got[key] == expected[key], key
    assert got["request_id"] == answer.headers["X-Request-Id"]


def test_prior_shifts_log_odds(server):
    import math
    article = {"title": "Council approves budget", "text": TEXT}
    at_half = server.post("/v1/classify", article).json
    rare = server.post("/v1/classify", {**article, "prior": 0.05}).json
    assert at_half["prior"] == 0.5 and rare["prior"] == 0.05
    assert abs(rare["logit"] - (at_half["logit"] + math.log(0.05 / 0.95))) < 1e-9
    assert abs(rare["probabilities"]["fake"] - 1 / (1 + math.exp(-rare["logit"]))) < 1e-12


def test_explain(server):
    answer = server.post("/v1/classify", {"title": "Council", "text": TEXT, "explain": True}).json
    parts = answer["explanation"]["parts"]
    assert [p["of"] for p in parts] == ["title", "text", "text", "text"]
    assert TEXT[parts[1]["begin"]:parts[1]["end"]].startswith("The council approved")
    assert answer["explanation"]["ngrams"]


def test_batch_has_errors_of_its_own(server):
    items = [{"title": "Council approves budget", "text": TEXT}, {"title": " "}, {"title": 7}, 5, {"text": TEXT, "x": 1},
             {"text": TEXT}]
    answer = server.post("/v1/classify/batch", {"items": items})
    assert answer.status == 200, answer
    got = answer.json["items"]
    assert [i.get("error", {}).get("status") for i in got] == [None, 422, 422, 422, 422, None]
    single = server.post("/v1/classify", items[0]).json
    assert got[0]["probabilities"] == single["probabilities"]
    assert "title" in got[2]["error"]["detail"]


@pytest.mark.parametrize("body, status, says", [
    ("", 400, "JSON object"),
    ("{", 400, "line 1"),
    ("[]", 422, "object"),
    ("{}", 422, "at least one"),
    ('{"title": 1}', 422, "title must be a string"),
    ('{"title": "a", "text": []}', 422, "text must be a string"),
    ('{"title": "a", "titel": "b"}', 422, "title, text, explain, prior"),
    ('{"title": "a", "title": "b"}', 400, "duplicate"),
    ('{"title": "a", "prior": 0}', 422, "prior"),
    ('{"title": "a", "prior": 1}', 422, "prior"),
    ('{"title": "a", "prior": "x"}', 422, "prior"),
    ('{"title": "a", "explain": 1}', 422, "explain"),
    (b'{"title": "\xff"}', 400, "UTF-8"),
])
def test_bad_bodies(server, body, status, says):
    answer = server.post("/v1/classify", body)
    assert answer.status == status, answer
    problem = answer.json
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert says in problem["detail"], problem
    assert problem["status"] == status and problem["request_id"] and problem["code"]


def test_media_type(server):
    answer = server.post("/v1/classify", '{"title": "a"}', {"Content-Type": "text/plain"})
    assert answer.status == 415 and answer.json["detail"].endswith("its Content-Type says text/plain")


def test_tokens(server):
    long = server.post("/v1/tokens", {"title": "Budget", "text": TEXT * 40}).json
    assert long["truncated"] and long["n_read"] == long["max_tokens"] < long["n_tokens"]
    answer = server.post("/v1/classify", {"title": "Budget", "text": TEXT * 40}).json
    assert answer["read_bytes"] == long["read_bytes"] and answer["truncated"]
    short = server.post("/v1/tokens", {"title": "Budget", "text": TEXT}).json
    assert not short["truncated"]
    assert server.post("/v1/classify", {"title": "Budget", "text": TEXT}).json["n_tokens"] == short["n_tokens"]
    assert server.post("/v1/tokens", {}).json["n_tokens"] == 2
    large = server.post("/v1/tokens", {"title": "Budget", "text": TEXT * 400}).json  # counted in the background
    assert large["read_bytes"] == long["read_bytes"] and large["n_tokens"] > long["n_tokens"]


def test_model_and_health(server):
    model = server.get("/v1/model").json
    assert model["id"].startswith("default@") or "@" in model["id"]
    assert model["card"]["summary"] and model["calibration"]["prior"] == 0.5
    for path in ("/healthz", "/livez", "/readyz"):
        assert server.get(path).json == {"status": "ok"}
    assert server.get("/nothing").status == 404
    wrong = server.request("PUT", "/healthz")
    assert wrong.status == 405 and wrong.headers["Allow"] == "GET, HEAD"
    head = server.request("HEAD", "/healthz")
    assert head.status == 200 and head.body == b""


def test_metrics_count(server):
    def total():
        lines = server.get("/metrics").body.decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}

    before = total()
    server.post("/v1/classify", {"title": "a b c d e f"})
    server.post("/v1/classify", {})
    after = total()
    key = 'http_requests_total{handler="/v1/classify",method="POST",status="%s"}'
    assert after[key % "2xx"] == before.get(key % "2xx", 0) + 1
    assert after[key % "4xx"] == before.get(key % "4xx", 0) + 1
    assert after["requests_total"] == before["requests_total"] + 1
    bucket = 'http_request_duration_seconds_bucket{handler="/v1/classify",method="POST",le="%s"}'
    assert bucket % "0.25" in after and bucket % "5" in after


def test_reload_under_load_fails_no_request(program, tmp_path):
    model = tmp_path / "model.fnm"
    shutil.copy(MODEL, model)
    with Served(program, tmp_path, model=model) as server:
        failures, stop = [], threading.Event()

        def load():
            while not stop.is_set():
                answer = server.post("/v1/classify", {"title": "Council approves budget", "text": TEXT})
                if answer.status != 200:
                    failures.append(answer)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            assert server.post("/v1/model/reload", {}).status == 200
        broken = tmp_path / "broken.fnm"
        broken.write_bytes(MODEL.read_bytes()[:-4096] + bytes(4096))
        refused = server.post("/v1/model/reload", {"path": str(broken)})
        stop.set()
        for thread in threads:
            thread.join()
        assert refused.status == 422 and "stays in service" in refused.json["detail"]
        os.mkfifo(tmp_path / "pipe")
        assert "file or a folder" in server.post("/v1/model/reload", {"path": str(tmp_path / "pipe")}).json["detail"]
        assert not failures
        assert server.get("/v1/model").json["n_failed_reloads"] == 1
        server.process.send_signal(signal.SIGHUP)  # no terminal: the model is loaded again
        wait_for(lambda: server.get("/v1/model").json["n_reloads"] == 6)
        assert server.stop() == 0


def active(server):
    """Requests at work, but for this one."""
    return int(re.search(r"^fakenews_active_requests (\d+)$", server.get("/metrics").body.decode(), re.M)[1]) - 1


def test_sigterm_answers_what_was_begun(program, tmp_path):
    with Served(program, tmp_path, "serve.workers=1", "serve.shutdown_timeout_s=240", "serve.timeout_ms=240000") as server:
        results = []

        def ask():
            items = [{"title": "Council", "text": TEXT * 10}] * 40
            headers = {"Content-Type": "application/json"}
            results.append(server.request("POST", "/v1/classify/batch", json.dumps({"items": items}), headers, timeout=300).status)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(results) + active(server) == 4)  # none is on its way to the server
        assert server.stop(timeout=300) == 0
        for thread in threads:
            thread.join()
        assert results == [200] * 4


def test_start_errors(fakenews, tmp_path, program):
    gone = fakenews("serve", "--model", tmp_path / "none", "serve.port=0")
    assert gone.code == 2 and "none" in gone.stderr
    with Served(program, tmp_path) as server:
        busy = fakenews("serve", "--model", MODEL, f"serve.port={server.port}")
        assert busy.code == 1 and f"127.0.0.1:{server.port}" in busy.stderr
    assert fakenews("serve", "--check", "--model", MODEL, "serve.port=0").code == 0
    away = fakenews("serve", "--check", "--model", MODEL, "serve.port=0", "predictions.url=postgresql://127.0.0.1:9/x")
    assert "listening" not in away.stderr
    assert away.code == 1 and "127.0.0.1" in away.stderr


def test_windows_have_places(program, tmp_path):
    """Each window says which bytes of the text it read; together they are all of it."""
    text = " ".join(f"{TEXT} This is paragraph {i}." for i in range(20))
    with Served(program, tmp_path, "infer.long=windows", "infer.max_tokens=64") as server:
        items = [{"title": "Budget", "text": text}] * 8  # several articles in one batch: answers must not be mixed up
        for answer in server.post("/v1/classify/batch", {"items": items}).json["items"]:
            windows = answer["windows"]
            assert len(windows) == answer["n_windows"] > 10
            assert windows[0]["begin"] == 0 and windows[-1]["end"] == len(text)
            assert all(a["end"] >= b["begin"] - 1 and a["begin"] < b["begin"] for a, b in zip(windows, windows[1:]))
            assert abs(sum(abs(w["share"]) for w in windows) - 1) < 1e-9
            mean = sum(w["logit"] for w in windows) / len(windows)
            assert abs(mean - answer["halves"]["encoder"]) < 1e-6


def test_tokens_of_other_types_are_refused(server):
    assert server.post("/v1/tokens", {"title": {}}).status == 422
    assert server.post("/v1/tokens", {"title": None}).json["n_tokens"] == server.post("/v1/tokens", {}).json["n_tokens"]
