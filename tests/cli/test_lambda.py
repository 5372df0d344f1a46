"""The program as a function of AWS Lambda, under a mock of the Runtime API with events as API Gateway, Function URLs, load
balancers, EventBridge and direct callers send them."""

import base64
import contextlib
import fcntl
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest
from lambda_support import EVENTS, MIB, Function, Runtime, event
from registry_support import Place
from serve_support import MODEL, TEXT

TITLE = {"title": "Council approves budget"}


@pytest.fixture(scope="module")
def api(program, tmp_path_factory):
    with Runtime() as api, Function(program, tmp_path_factory.mktemp("lambda"), api) as function:
        api.function = function
        yield api
        assert function.stop() == 0, function.log
        assert "answering AWS Lambda" in function.log


@pytest.fixture(scope="module")
def expected(program):
    done = subprocess.run([program, "predict", "--model", MODEL, "--title", TITLE["title"], "--format", "jsonl"],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["probabilities"]


def headers_of(answer):
    """Names in lower case, with lists of values, from either form."""
    lists = answer.get("multiValueHeaders") or {k: [v] for k, v in answer["headers"].items()}
    return {k.lower(): v for k, v in lists.items()}


@pytest.mark.parametrize("name, form", [
    ("rest", "multiValueHeaders"), ("http", "headers"), ("function_url", "headers"), ("balancer", "headers")])
def test_classify_through(api, expected, name, form):
    id = api.offer(event(name))
    answer = api.outcome(id).json
    assert answer["statusCode"] == 200 and answer["isBase64Encoded"] is False
    assert json.loads(answer["body"])["probabilities"] == expected
    assert form in answer and ({"headers", "multiValueHeaders"} - {form}).isdisjoint(answer)
    assert headers_of(answer)["content-type"] == ["application/json"]
    asked_for = "chosen-by-the-client.1" if name == "function_url" else id
    assert headers_of(answer)["x-request-id"] == [asked_for] and json.loads(answer["body"])["request_id"] == asked_for
    assert ("cookies" in answer) == (name in ("http", "function_url"))
    assert answer.get("statusDescription") == ("200 OK" if name == "balancer" else None)


@pytest.mark.parametrize("name, changes, status, says", [
    ("http_stage", {}, 200, "ok"),
    ("http_stage", {"rawPath": "/betahealthz", "pathParameters": None}, 404, "not_found"),
    ("http_stage", {"rawPath": "/beta", "pathParameters": None}, 200, ""),
    ("balancer_lists", {}, 200, "ok"),
    ("balancer_lists", {"path": "/readyz%00"}, 400, "bad_target"),
    ("balancer_lists", {"path": "/%68ealthz"}, 200, "ok"),
    ("rest", {"path": "/v1/classify", "pathParameters": None, "resource": "/v1/classify"}, 200, "probabilities"),
    ("rest", {"body": None}, 400, "no_body"),
    ("rest", {"body": "{"}, 400, "no_json"),
    ("rest", {"body": "e", "isBase64Encoded": True}, 400, "bad_base64"),
    ("rest", {"body": {"title": "a"}}, 400, "bad_event"),
    ("rest", {"multiValueHeaders": None, "headers": {"Content-Type": "text/plain"}}, 415, "media_type"),
    ("rest", {"multiValueHeaders": {"a b": ["c"]}}, 400, "bad_header"),
    ("rest", {"multiValueHeaders": {"a": ["c\r\nd"]}}, 400, "bad_header"),
    ("rest", {"multiValueHeaders": {"a": [None, 5]}}, 400, "bad_event"),
    ("rest", {"multiValueHeaders": {f"h{i}": ["a"] for i in range(300)}}, 431, "too_many_fields"),
    ("rest", {"httpMethod": "PATCH"}, 405, "method_not_allowed"),
    ("http", {"rawPath": "v1"}, 400, "bad_target"),
    ("http", {"rawQueryString": "&".join(f"a{i}=1" for i in range(200))}, 400, "bad_target"),
    ("http", {"body": json.dumps({"text": "a " * MIB})}, 413, "too_large"),
])
def test_other_requests(api, name, changes, status, says):
    value = event(name, **{k: v for k, v in changes.items() if v is not None})
    for key, change in changes.items():
        if change is None:
            value[key] = None  # as API Gateway says that there is none
    got, body, answer = api.ask(value)
    assert got == status, answer
    assert says in json.dumps(body), answer


def test_predecessors_events(api, program):
    got, body, answer = api.ask(event("predecessor"))
    assert got == 200 and [set(entry) for entry in body] == [{"label", "score"}]
    text = json.loads(event("predecessor")["body"])["Text"]
    assert api.invoke({"Action": "predict", "Text": text}).json == body  # its function for direct calls
    assert "default" in api.invoke({"Action": "info"}).json
    info = event("http", rawPath="/info", body=None)
    info["requestContext"]["http"]["method"] = "GET"
    got, body, answer = api.ask(info)
    assert got == 200 and "default" in body


@pytest.mark.parametrize("value, has", [
    (TITLE, "probabilities"), ({"text": TEXT}, "probabilities"), ({"items": [TITLE, {}]}, "items"),
    ({"Text": TEXT}, "score"), ({"inputs": TEXT}, "score"), ({"instances": [TEXT]}, "predictions"),
    ({"body": TITLE}, "probabilities"), ({"body": json.dumps(TITLE)}, "probabilities"),
    ({"body": base64.b64encode(json.dumps(TITLE).encode()).decode(), "isBase64Encoded": True}, "probabilities"),
    ({"warmer": True, "concurrency": 3}, "ok"), ({"source": "serverless-plugin-warmup"}, "ok"), ({"ping": 1}, "ok"),
])
def test_direct_events(api, value, has):
    outcome = api.invoke(value)
    assert outcome.what == "response" and has in json.dumps(outcome.json), outcome


@pytest.mark.parametrize("value, type, says", [
    ({}, "bad_event", "none that is known"), (5, "bad_event", "none that is known"), ([], "bad_event", "none that is known"),
    (b"{", "bad_event", "line 1"), (b"", "bad_event", "JSON"), ({"body": "x"}, "bad_event", "JSON"),
    ({"body": {"body": TITLE}}, "bad_event", "none that is known"),
    ({"Action": "retrain"}, "bad_event", "predict"), ({"Action": "predict"}, "bad_event", "Text"),
    ({"title": 7}, "invalid", "title must be a string"), ({"title": " "}, "invalid", "empty"),
    ({"titel": "a", "title": "b"}, "unknown_member", "titel"), ({"Text": ""}, "string_too_short", "at least 1 character"),
    ({"detail-type": "Object Created", "source": "aws.s3"}, "bad_event", "none that is known"),
    (b'{"body": ' + b"[" * 1500 + b"]" * 1500 + b"}", "bad_event", "none that is known"),
    (b'{"body": {"title": ' + b"[" * 1500 + b"]" * 1500 + b"}}", "bad_event", "nested too deeply"),
])
def test_direct_errors(api, value, type, says):
    outcome = api.invoke(value)
    assert outcome.what == "error", outcome
    assert outcome.json["errorType"] == type and says in outcome.json["errorMessage"] and outcome.json["stackTrace"] == []
    assert outcome.headers["Lambda-Runtime-Function-Error-Type"] == type


def test_client_context_and_schedule(api):
    context = base64.b64encode(b'{"custom": {"a": "b"}, "env": {}}').decode()
    assert api.invoke(TITLE, Lambda_Runtime_Client_Context=context, Lambda_Runtime_Cognito_Identity="{}").what == "response"
    assert api.invoke(event("schedule")).json == {"status": "ok"}


def test_time_that_is_over(api):
    got, body, answer = api.ask(event("http"), deadline_ms=10)
    assert got == 503 and body["code"] == "timeout" and headers_of(answer)["retry-after"] == ["1"]


def test_page_and_metrics_are_text_and_heads_have_no_body(api):
    request = event("http", rawPath="/metrics", body=None)
    request["requestContext"]["http"]["method"] = "GET"
    got, body, answer = api.ask(request)
    assert got == 200 and not answer["isBase64Encoded"] and "http_requests_total" in body
    request["requestContext"]["http"]["method"] = "HEAD"
    got, body, answer = api.ask(request)
    assert got == 200 and body == ""


def test_csv(api):
    """An upload is one body here; its answer comes out of a file."""
    rows = "title,text\n" + "Council approves budget,\n" * 3
    for body, encoded in ((rows, False), (base64.b64encode(rows.encode()).decode(), True)):
        got, answer, whole = api.ask(event("http", rawPath="/v1/classify/csv", body=body, isBase64Encoded=encoded, headers={
            "content-type": "text/csv"}))
        assert got == 200 and len(answer.splitlines()) == 4 and "verdict" in answer, whole
    got, answer, whole = api.ask(event("http", rawPath="/v1/classify/csv", body=None, headers={"content-type": "text/csv"}))
    assert 400 <= got < 500, whole
    form = ('--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\ntitle\nCouncil approves budget\n'
            "\r\n--b--\r\n")
    got, answer, whole = api.ask(event("http", rawPath="/predict/", body=form, headers={
        "content-type": "multipart/form-data; boundary=b"}))
    assert got == 200 and len(answer) == 1, whole


@pytest.mark.parametrize("name, limit", [("http", 6 * MIB), ("balancer", 1000000)])
def test_answers_that_are_too_large(program, tmp_path, name, limit):
    """A word of one letter makes an answer of kilobytes: few enough bytes in, too many out."""
    with Runtime() as api, Function(program, tmp_path, api, "serve.max_items=65536", "serve.max_body_bytes=8000000",
                                    "serve.timeout_ms=600000") as function:
        items = [{"title": "a"}] * (limit // 700)
        request = event(name, body=json.dumps({"items": items}), rawPath="/v1/classify/batch", path="/v1/classify/batch")
        got, body, answer = api.ask(request, deadline_ms=600000)
        assert got == 413 and body["code"] == "answer_too_large" and str(limit) in body["detail"], answer
        assert api.ask(event(name))[0] == 200
        api.refuses = True
        outcome = api.invoke(event(name))
        assert outcome.what == "error" and outcome.json["errorType"] == "answer_too_large"
        assert function.stop() == 0


@pytest.mark.parametrize("closes, chunked", [(None, True), ("told", False), ("silently", False)])
def test_connections(program, tmp_path, closes, chunked):
    with Runtime(closes, chunked) as api, Function(program, tmp_path, api) as function:
        for i in range(20):
            assert api.ask(event("rest"))[0] == 200
        assert len(api.n_connections) == (20 if closes else 1) or closes  # one is kept where the API keeps it
        assert len(api.n_connections) >= (20 if closes else 1)
        assert function.stop() == 0, function.log


def test_many_events_keep_one_connection_and_memory(api):
    def rss():
        status = open(f"/proc/{api.function.process.pid}/status").read()
        return int(status.split("VmRSS:")[1].split()[0])

    for _ in range(50):
        api.invoke(TITLE)
    before = rss()
    begun = time.monotonic()
    for _ in range(300):
        assert api.invoke(TITLE).what == "response"
    print(f"\n300 events one after another: {(time.monotonic() - begun) / 300 * 1000:.2f} ms each")
    assert rss() - before < 3000  # KiB; SQLite keeps up to 2 MiB of pages
    assert len(api.n_connections) == 1


def test_cold_start(program, tmp_path):
    """From the start of the process to the arrival of its first answer, the event waiting already."""
    times, processor = [], []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with Runtime() as api:
            id = api.offer(event("http"))
            with Function(program, tmp_path, api) as function:
                assert api.outcome(id).json["statusCode"] == 200
                times.append((api.first_next - function.started, api.arrived[id] - function.started))
                assert function.stop() == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    ready, answered = (sorted(t[i] for t in times)[2] * 1000 for i in (0, 1))
    print(f"\ncold start, median of 5: first event asked for after {ready:.1f} ms, first answer after {answered:.1f} ms")
    assert 0 < min(processor) < 5  # of processors: others on the machine take none of it


def test_start_that_fails_is_reported(program, tmp_path):
    with Runtime() as api, Function(program, tmp_path, api, model=tmp_path / "none.fnm") as function:
        id, outcome = api.outcomes.get(timeout=60)
        assert outcome.what == "init/error" and "none.fnm" in outcome.json["errorMessage"]
        assert outcome.headers["Lambda-Runtime-Function-Error-Type"] == "Runtime.InitError"
        assert function.end() != 0 and "none.fnm" in function.log


def test_a_model_of_the_registry(program, tmp_path, repo):
    """A package with a registry in it, or a mount that has one; the alias is followed from event to event."""
    place = Place(program, tmp_path)
    place.run("data", "prepare", "--input", repo / "examples/news.csv", "--out", "data")
    for bits in (10, 11):
        place.run("train", "--data", "data", "--out", f"run{bits}", "family=linear", f"linear.hash_bits={bits}")
        place.registry("add", f"run{bits}", "eval.baselines=false")
    place.registry("alias", "fake-news@best", 1)
    cache = {"CACHE_DIRECTORY": str(tmp_path / "cache")}
    with Runtime() as api, Function(program, tmp_path, api, "registry.follow_s=0.1", model="models:/fake-news@best", env=cache) as function:
        ask = dict(event("http", rawPath="/v1/model", body=None))
        ask["requestContext"]["http"].update(method="GET", path="/v1/model")
        assert api.ask(ask)[1]["registry"]["version"] == 1
        place.registry("alias", "fake-news@best", 2)
        until = time.monotonic() + 60
        while api.ask(ask)[1]["registry"]["version"] != 2:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert function.stop() == 0
    with Runtime() as api, Function(program, tmp_path, api, model="models:/fake-news@none", env=cache) as function:
        id, outcome = api.outcomes.get(timeout=60)
        assert outcome.what == "init/error" and "has no alias none" in outcome.json["errorMessage"]
        assert function.end() != 0


def test_api_that_fails_ends_the_process(program, tmp_path):
    with Runtime() as api, Function(program, tmp_path, api) as function:
        api.status = 500
        api.invoke(TITLE)
        assert function.end() == 1 and "500" in function.log
    with Runtime() as api, Function(program, tmp_path, api) as function:
        api.status = 403  # of one invocation: the next one is answered
        api.invoke(TITLE)
        api.status = 202
        assert api.invoke(TITLE).what == "response"
        assert function.stop() == 0 and "lambda_refused" in function.log
    with Runtime() as api, Function(program, tmp_path, api, env={"AWS_LAMBDA_RUNTIME_API": "nowhere"}) as function:
        assert function.end() != 0 and "127.0.0.1:9001" in function.log


def test_bootstrap_by_name(program, tmp_path):
    """A package's `bootstrap` is started without arguments; the model lies beside it."""
    (tmp_path / "share/fakenews").mkdir(parents=True)
    shutil.copy(MODEL, tmp_path / "share/fakenews/default.fnm")
    shutil.copy(program, tmp_path / "bootstrap")
    with Runtime() as api, Function(program, tmp_path, api, command=[str(tmp_path / "bootstrap")]) as function:
        assert api.ask(event("http"))[0] == 200
        function.process.send_signal(signal.SIGTERM)
        assert function.end() == 0


def test_prediction_log_lives_in_the_temporary_folder(program, tmp_path):
    """Rows are in /tmp/fakenews as long as the sandbox is; a folder that is set is used instead."""
    with open(f"/tmp/fakenews-test-{os.getuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the folder is one for all of this machine; what others left there is put aside
        aside = tmp_path / "aside"
        with contextlib.suppress(FileNotFoundError):
            shutil.move("/tmp/fakenews", aside)
        with Runtime() as api, Function(program, tmp_path, api, env={"STATE_DIRECTORY": ""}) as function:
            id = json.loads(api.ask(event("http"))[2]["body"])["id"]
            assert function.stop() == 0, function.log
        with contextlib.closing(sqlite3.connect("/tmp/fakenews/predictions.db")) as database:
            tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            assert any(id in map(str, row) for table in tables for row in database.execute(f'SELECT * FROM "{table}"'))
        shutil.rmtree("/tmp/fakenews")
        if aside.exists():
            shutil.move(aside, "/tmp/fakenews")
    with Runtime() as api, Function(program, tmp_path, api, env={"STATE_DIRECTORY": "/dev/null/folder"}) as function:
        assert api.outcomes.get(timeout=60)[1].what == "init/error"
        assert function.end() != 0


def test_every_recorded_event_is_used():
    source = open(__file__).read()
    assert all(f'"{path.stem}"' in source for path in EVENTS.glob("*.json"))
    assert len(os.listdir(EVENTS)) >= 8
