"""Clients of serving platforms: their requests and the shapes of their answers and errors."""

import pytest
from serve_support import TEXT, Served


@pytest.fixture(scope="module")
def server(program, tmp_path_factory):
    with Served(program, tmp_path_factory.mktemp("platforms"), "serve.workers=1",
                env={"AIP_HTTP_PORT": "0", "AIP_PREDICT_ROUTE": "/v1/models/m/versions/1:predict",
                     "AIP_HEALTH_ROUTE": "/v1/models/m/versions/1"}) as server:
        yield server
        assert server.stop() == 0, server.log


TITLE = "Council approves budget"
ARTICLE = {"title": TITLE, "text": TEXT}


@pytest.fixture(scope="module")
def expected(server):
    own = server.post("/v1/classify", ARTICLE).json
    return {"label": own["label"], "score": own["probabilities"][own["label"]], "verdict": own["verdict"],
            "truncated": False}


# ---- MLflow, SageMaker

@pytest.mark.parametrize("body", [
    {"dataframe_split": {"columns": ["title", "text"], "index": [0], "data": [[TITLE, TEXT]]}},
    {"dataframe_split": {"columns": ["n", "text", "title"], "data": [[1, TEXT, TITLE]]}},
    {"dataframe_records": [ARTICLE]},
    {"dataframe_records": [{**ARTICLE, "id": 7}]},
    {"instances": [ARTICLE]},
    {"inputs": [ARTICLE]},
    {"inputs": {"title": [TITLE], "text": [TEXT]}},
    {"inputs": ARTICLE, "params": {"top_k": 1}},
    {"instances": [ARTICLE], "parameters": {}},
])
def test_invocations(server, expected, body):
    answer = server.post("/invocations", body)
    assert answer.status == 200 and answer.json == {"predictions": [expected]}, answer


def test_invocations_texts(server):
    alone = server.post("/invocations", {"inputs": TEXT}).json["predictions"]
    assert server.post("/invocations", {"inputs": [TEXT, TEXT]}).json["predictions"] == alone * 2
    assert server.post("/invocations", {"inputs": [[TEXT], [TEXT]]}).json["predictions"] == alone * 2
    assert server.post("/invocations", {"dataframe_split": {"columns": ["text"], "data": [[TEXT]]}}).json[
        "predictions"] == alone


def test_invocations_csv(server, expected):
    csv = f'id,title,text\n1,{TITLE},"{TEXT}"\n2,{TITLE},"{TEXT}"\n'
    answer = server.request("POST", "/invocations", csv, {"Content-Type": "text/csv; charset=utf-8"})
    assert answer.status == 200 and answer.json == {"predictions": [expected] * 2}, answer


def test_invocations_lines(server, expected):
    import json
    lines = json.dumps(ARTICLE) + "\n\n" + json.dumps(ARTICLE)
    answer = server.request("POST", "/invocations", lines, {"Content-Type": "application/jsonlines"})
    assert answer.status == 200 and answer.json == {"predictions": [expected] * 2}, answer
    answer = server.request("POST", "/invocations", lines, {"Content-Type": "application/jsonlines",
                                                            "Accept": "application/jsonlines"})
    assert answer.headers["Content-Type"] == "application/jsonlines"
    assert [json.loads(line) for line in answer.body.splitlines()] == [expected] * 2


@pytest.mark.parametrize("body, says", [
    ("{", "line 1"),
    ("[]", "exactly one of"),
    ('{"columns": ["text"], "data": [["a"]]}', "exactly one of"),
    ('{"inputs": ["a"], "instances": ["a"]}', "exactly one of"),
    ('{"inputs": []}', "no article"),
    ('{"inputs": [""]}', "article 0 has no words"),
    ('{"inputs": [[1, 2]]}', "must be a text"),
    ('{"inputs": [{"a": 1}]}', "title, text or both"),
    ('{"inputs": [{"text": 1}]}', "strings"),
    ('{"inputs": {"text": ["a"], "title": ["b", "c"]}}', "same length"),
    ('{"dataframe_split": [["a"]]}', "columns"),
    ('{"dataframe_split": {"columns": ["a"], "data": [["a"]]}}', "title or text"),
    ('{"dataframe_split": {"columns": ["text"], "data": [["a", "b"]]}}', "row 0"),
    ('{"dataframe_split": {"columns": ["text"], "data": [[1]]}}', "row 0"),
])
def test_invocations_refused(server, body, says):
    answer = server.post("/invocations", body)
    assert answer.status == 400 and answer.json["error_code"] == "BAD_REQUEST", answer
    assert says in answer.json["message"]


@pytest.mark.parametrize("kind, body, says", [
    ("text/csv", b"", "empty"), ("text/csv", b"a,b\n1,2\n", "neither column title nor text"),
    ("text/csv", b"text\n", "no article"), ("text/csv", b'text\n"a', "quote"),
    ("application/jsonlines", b"", "no article"), ("application/jsonlines", b'"a"\n{', "line 2 is no JSON"),
])
def test_invocations_refused_tables(server, kind, body, says):
    answer = server.request("POST", "/invocations", body, {"Content-Type": kind})
    assert answer.status == 400 and says in answer.json["message"], answer


def test_too_many_items(server):
    answer = server.post("/invocations", {"inputs": ["a"] * 257})
    assert answer.status == 413 and "serve.max_items" in answer.json["message"]


def test_ping_and_version(server):
    for path in ("/ping", "/health"):
        assert server.get(path).status == 200
    assert server.get("/version").body.decode()[0].isdigit()


# ---- Vertex AI

def test_vertex_routes_of_the_environment(server, expected):
    answer = server.post("/v1/models/m/versions/1:predict", {"instances": [ARTICLE]})
    assert answer.status == 200 and answer.json == {"predictions": [expected]}, answer
    assert server.get("/v1/models/m/versions/1").status == 200


# ---- Hugging Face

def test_huggingface(server):
    own = server.post("/v1/classify", {"text": TEXT}).json["probabilities"]
    scores = sorted(({"label": k, "score": v} for k, v in own.items()), key=lambda s: -s["score"])
    assert server.post("/", {"inputs": TEXT}).json == [scores]
    assert server.post("/", {"inputs": [TEXT, TEXT], "options": {"wait_for_model": True}}).json == [scores] * 2
    assert server.post("/", {"inputs": [TEXT], "parameters": {"top_k": 1}}).json == [scores[:1]]


@pytest.mark.parametrize("body, says", [
    ("{", "line 1"), ("[]", "inputs"), ("{}", "inputs"), ('{"inputs": []}', "no article"), ('{"inputs": 1}', "must be"),
    ('{"inputs": "a", "parameters": {"top_k": 0}}', "top_k"), ('{"inputs": ["a", ""]}', "article 1 has no words"),
])
def test_huggingface_refused(server, body, says):
    answer = server.post("/", body)
    assert answer.status == 400 and list(answer.json) == ["error"] and says in answer.json["error"], answer


# ---- Open Inference Protocol

def tensor(name, *data, shape=None):
    return {"name": name, "shape": shape or [len(data)], "datatype": "BYTES", "data": list(data)}


def test_v2_metadata(server):
    assert server.get("/v2").json["name"] == "fakenews"
    assert server.get("/v2/health/live").json == {"live": True}
    assert server.get("/v2/health/ready").json == {"ready": True}
    model = server.get("/v2/models/fakenews").json
    assert [t["name"] for t in model["inputs"]] == ["title", "text"] and model["outputs"][1]["shape"] == [-1, 2]
    named = f"/v2/models/{model['name']}"
    versioned = f"{named}/versions/{model['versions'][0]}"
    for path in (named, versioned):
        assert server.get(path).json == model
        assert server.get(path + "/ready").json == {"name": model["name"], "ready": True}
    assert server.get("/v2/models/other").status == 404 and "error" in server.get("/v2/models/other").json
    assert server.get(named + "/versions/9/ready").status == 404


def test_v2_infer(server):
    own = server.post("/v1/classify", ARTICLE).json
    body = {"id": "42", "inputs": [tensor("title", TITLE, TITLE), tensor("text", TEXT, TEXT, shape=[2, 1])]}
    answer = server.post("/v2/models/fakenews/infer", body).json
    assert answer["id"] == "42" and f"{answer['model_name']}@{answer['model_version']}" == own["model"]
    label, probabilities = answer["outputs"]
    assert label == {"name": "label", "datatype": "BYTES", "shape": [2], "data": [own["label"]] * 2}
    assert probabilities == {"name": "probabilities", "datatype": "FP64", "shape": [2, 2],
                             "data": [own["probabilities"]["real"], own["probabilities"]["fake"]] * 2}
    body["outputs"] = [{"name": "label"}]
    assert [o["name"] for o in server.post("/v2/models/fakenews/infer", body).json["outputs"]] == ["label"]
    version = answer["model_version"]
    assert server.post(f"/v2/models/fakenews/versions/{version}/infer", body).status == 200


@pytest.mark.parametrize("body, says", [
    ({}, "inputs must be a list"),
    ({"inputs": [tensor("input_ids", "a")]}, "named title and text"),
    ({"inputs": [tensor("text", "a"), tensor("text", "a")]}, "at most once"),
    ({"inputs": [{**tensor("text", "a"), "datatype": "FP32"}]}, "BYTES"),
    ({"inputs": [tensor("text", "a", shape=[2])]}, "as many strings"),
    ({"inputs": [tensor("text", "a", shape=[1, 2])]}, "shape"),
    ({"inputs": [tensor("text", 1)]}, "strings"),
    ({"inputs": [tensor("text", "a"), tensor("title", "a", "b")]}, "same shape"),
    ({"inputs": [tensor("text", "a")], "outputs": [{"name": "logits"}]}, "outputs"),
    ({"inputs": [tensor("text", "a")], "id": 7}, "id"),
    ({"inputs": [tensor("text", " ")]}, "no words"),
])
def test_v2_refused(server, body, says):
    answer = server.post("/v2/models/fakenews/infer", body)
    assert answer.status == 400 and list(answer.json) == ["error"] and says in answer.json["error"], answer


def test_metrics_count_rows_of_one_path_together(server):
    server.post("/", {"inputs": TEXT})
    text = server.get("/metrics").body.decode()
    series = [line.rsplit(" ", 1)[0] for line in text.splitlines() if line and line[0] != "#"]
    assert len(series) == len(set(series))
    assert 'http_requests_total{handler="/invocations",method="POST",status="2xx"}' in text
