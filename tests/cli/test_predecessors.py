"""Clients of both predecessors, unchanged: the requests as their pages, tests and load tests send them, byte for byte
where a library's form matters, and the answers those clients read."""

import json
import socket

import pytest
from serve_support import TEXT, Served


@pytest.fixture(scope="module")
def server(program, tmp_path_factory):
    with Served(program, tmp_path_factory.mktemp("predecessors"), "serve.workers=1") as server:
        yield server
        assert server.stop() == 0, server.log


def recorded(server, head, body=b""):
    """Sends the bytes of a request as they were recorded, Host and Content-Length apart; answers (status, headers, body)."""
    lines = head.strip().replace("\n", "\r\n")
    request = f"{lines}\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as s:
        s.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += s.recv(65536)
        raw, _, rest = data.partition(b"\r\n\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in raw.decode().split("\r\n")[1:])}
        while len(rest) < int(headers["content-length"]):
            rest += s.recv(65536)
    return int(raw.split()[1]), headers, json.loads(rest)


REQUESTS = ("User-Agent: python-requests/2.32.3\nAccept-Encoding: gzip, deflate\nAccept: */*\nConnection: keep-alive\n")


# ---- the second predecessor: titles

def test_single_title_as_the_page_sends_it(server):
    status, headers, answer = recorded(server, "POST /predict_single/ HTTP/1.1\n" + REQUESTS +
                                       "Content-Type: application/json", b'{"title": "Parliament votes on budget"}')
    assert status == 200 and headers["content-type"] == "application/json"
    assert list(answer) == ["title", "prediction", "predicted_label", "probability"]
    assert answer["title"] == "Parliament votes on budget"
    assert (answer["prediction"], answer["predicted_label"]) in [("real", 0), ("fake", 1)]
    assert 0.5 <= answer["probability"] <= 1.0
    own = server.post("/v1/classify", {"title": "Parliament votes on budget"}).json
    assert answer["prediction"] == own["label"] and answer["probability"] == own["probabilities"][own["label"]]


def test_single_title_without_slash_is_no_redirect(server):
    for path in ("/predict_single", "/predict_single/"):
        assert server.post(path, {"title": "Parliament votes on budget"}).status == 200


@pytest.mark.parametrize("body, error", [
    (b"", {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}),
    (b"{}", {"type": "missing", "loc": ["body", "title"], "msg": "Field required", "input": {}}),
    (b'{"titel": "a"}', {"type": "missing", "loc": ["body", "title"], "msg": "Field required",
                         "input": {"titel": "a"}}),
    (b'{"title": 7}', {"type": "string_type", "loc": ["body", "title"], "msg": "Input should be a valid string",
                       "input": 7}),
    (b'{"title": null}', {"type": "string_type", "loc": ["body", "title"], "msg": "Input should be a valid string",
                          "input": None}),
    (b'{"title": " "}', {"type": "string_too_short", "loc": ["body", "title"],
                         "msg": "String should have at least 1 character", "input": " ", "ctx": {"min_length": 1}}),
    (b"[]", {"type": "model_attributes_type", "loc": ["body"],
             "msg": "Input should be a valid dictionary or object to extract fields from", "input": []}),
])
def test_single_title_refused_in_the_same_words(server, body, error):
    answer = server.request("POST", "/predict_single/", body, {"Content-Type": "application/json"})
    assert answer.status == 422 and answer.json == {"detail": [error]}, answer


def test_single_title_no_json(server):
    answer = server.request("POST", "/predict_single/", b'{"title": ', {"Content-Type": "application/json"})
    error = answer.json["detail"][0]
    assert answer.status == 422 and error["type"] == "json_invalid" and error["msg"] == "JSON decode error", answer
    assert error["loc"][0] == "body" and isinstance(error["loc"][1], int)


# ---- the first predecessor: articles

def test_article_as_the_page_sends_it(server):
    body = json.dumps({"Text": TEXT}).encode()
    status, headers, answer = recorded(server, "POST /predict HTTP/1.1\n" + REQUESTS + "Content-Type: application/json",
                                       body)
    assert status == 200 and "x-truncated" not in headers
    assert len(answer) == 1 and list(answer[0]) == ["label", "score"]
    assert answer[0]["label"] in ("Real", "Fake") and 0.5 <= answer[0]["score"] <= 1.0
    own = server.post("/v1/classify", {"text": TEXT}).json
    assert answer[0] == {"label": own["label"].capitalize(), "score": own["probabilities"][own["label"]]}


def test_article_in_every_form(server):
    expected = server.post("/predict", {"Text": TEXT}).json
    assert server.post("/predict", {"text": TEXT}).json == expected
    assert server.post("/predict/", {"Text": TEXT}).json == expected
    assert server.post("/predict", {"Text": [TEXT, TEXT]}).json == expected * 2
    assert server.post("/predict", [TEXT]).json == expected
    # curl -d, which the gateway took for JSON too
    assert server.request("POST", "/predict", json.dumps({"Text": TEXT}),
                          {"Content-Type": "application/x-www-form-urlencoded"}).json == expected
    assert server.request("POST", "/predict", json.dumps({"Text": TEXT})).json == expected


def test_long_article_is_cut_and_said_so(server):
    answer = server.post("/predict", {"Text": [TEXT, TEXT * 40]})
    assert answer.status == 200 and answer.headers["X-Truncated"] == "1" and len(answer.json) == 2


@pytest.mark.parametrize("body, kind, loc", [
    ({}, "missing", ["body", "Text"]),
    ({"Text": 1}, "string_type", ["body", "Text"]),
    ({"Text": ""}, "string_too_short", ["body", "Text"]),
    ({"Text": ["a", None]}, "string_type", ["body", "Text", 1]),
    ([["a"]], "string_type", ["body", 0]),
    (7, "model_attributes_type", ["body"]),
])
def test_article_refused(server, body, kind, loc):
    answer = server.post("/predict", body)
    error = answer.json["detail"][0]
    assert (answer.status, error["type"], error["loc"]) == (422, kind, loc), answer


def test_empty_list_is_refused(server):
    answer = server.post("/predict", {"Text": []})
    assert answer.status == 422 and isinstance(answer.json["detail"], str)


def test_info(server):
    status, _, answer = recorded(server, "GET /info HTTP/1.1\n" + REQUESTS)
    assert status == 200 and isinstance(answer, str) and "fakenews-default@" in answer and "256 tokens" in answer


def test_wrong_method_is_405(server):
    answer = server.get("/predict")
    assert answer.status == 405 and "POST" in answer.headers["Allow"]
