"""What is said of the API is so: the commands of docs/api.md, the OpenAPI document with its examples, /docs."""

import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
from serve_support import TEXT, Served

ROOT = Path(__file__).resolve().parents[2]
CSV = "title,text\nCouncil approves budget,The council approved the budget on Tuesday.\nBridge is repaired,\n"


@pytest.fixture(scope="module")
def server(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    (folder / "articles.csv").write_text(CSV)
    with Served(program, folder, "serve.workers=1") as server:
        server.folder = folder
        server.document = server.get("/openapi.json").json
        yield server
        assert server.stop() == 0, server.log


def test_commands_of_the_documentation(server):
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "docs/api.md").read_text(), re.S)
    assert len(blocks) >= 6
    for block in blocks:
        assert "curl -s" in block
        # curl -f fails on an error status
        script = "set -e\n" + block.replace("localhost:8080", f"127.0.0.1:{server.port}").replace("curl -s", "curl -sSf")
        done = subprocess.run(["bash", "-c", script], cwd=server.folder, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, f"{block}\n{done.stderr}"
        assert done.stdout


def validator(server, schema):
    # components stand where the references look for them
    return jsonschema.Draft202012Validator({**schema, "components": server.document["components"]})


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_document_is_openapi(server):
    document = server.document
    assert document["openapi"] == "3.1.0"
    ids = [o["operationId"] for _, _, o in operations(document)]
    assert len(ids) == len(set(ids)) >= 30
    tags = {t["name"] for t in document["tags"]}
    for path, method, operation in operations(document):
        assert set(operation["tags"]) <= tags and operation["summary"].endswith("."), path
        assert set(re.findall(r"{(\w+)}", path)) == {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert {"4XX", "5XX"} < set(operation["responses"])
        for about in operation["parameters"]:
            assert about["in"] == "path" or about["description"]
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema.get("description"), name
        for example in schema.get("examples", ()):
            validator(server, {"$ref": f"#/components/schemas/{name}"}).validate(example)
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])


def send(server, path, method, operation, kind=None):
    headers, body = {}, None
    if kind:
        headers["Content-Type"] = kind
        body = operation["requestBody"]["content"][kind].get("example")
        if kind == "multipart/form-data":
            headers["Content-Type"] += "; boundary=X"
            body = ('--X\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + CSV + "\r\n--X--\r\n")
        elif kind == "application/x-www-form-urlencoded":
            body = "title=Council+approves+budget"
        elif not isinstance(body, str):
            body = json.dumps(body)
    return server.request(method.upper(), path, body, headers)


def test_every_example_is_answered_as_described(server):
    own = server.post("/v1/classify", {"title": "Council approves budget", "text": TEXT}).json
    version = own["model"].split("@")[1]
    n = 0
    for path, method, operation in operations(server.document):
        name = "page.css" if path.startswith("/static") else "fakenews"
        path = path.replace("{name}", name).replace("{id}", own["id"]).replace("{version}", version)
        for kind in operation.get("requestBody", {"content": {None: 0}})["content"]:
            answer = send(server, path, method, operation, kind)
            if path == "/v1/feedback" and method == "post":
                answer = server.post(path, {"prediction_id": own["id"], "label": "fake"})
            status = str(answer.status)
            # pages of things that are not there, and forms that lead elsewhere
            described = operation["responses"].get(status if answer.status < 300 else status[0] + "XX")
            assert described, (path, method, kind, answer)
            if answer.status // 100 == 3:
                continue
            got = answer.headers["Content-Type"].split(";")[0]
            assert got in described["content"], (path, method, kind, answer)
            if got.endswith("json"):
                validator(server, described["content"][got]["schema"]).validate(answer.json)
                n += 1
    assert n >= 25


def test_refusals_are_as_described(server):
    for path, method, operation in operations(server.document):
        for kind in operation.get("requestBody", {"content": ()})["content"]:
            answer = server.request(method.upper(), path, "{", {"Content-Type": kind})
            if answer.status < 400:
                continue
            assert answer.status < 500, (path, kind, answer)
            got = answer.headers["Content-Type"].split(";")[0]
            described = operation["responses"]["4XX"]["content"]
            assert got in described, (path, kind, answer)
            if got.endswith("json"):
                validator(server, described[got]["schema"]).validate(answer.json)


def test_answers_with_everything(server):
    schema = {"$ref": "#/components/schemas/answer"}
    answer = server.post("/v1/classify", {"title": "Council", "text": TEXT * 20, "explain": True, "prior": 0.1})
    validator(server, schema).validate(answer.json)
    batch = server.post("/v1/classify/batch", {"items": [{"title": "Council"}, {}, {"text": TEXT}]})
    validator(server, {"$ref": "#/components/schemas/batch_answer"}).validate(batch.json)


def test_page_of_the_documentation(server):
    answer = server.get("/docs", Accept="text/html")
    page = answer.body.decode()
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for path in server.document["paths"]:
        assert f"<code>{path}</code>" in page, path
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)  # nothing from elsewhere
    anchors = re.findall(r'id="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(anchors)
