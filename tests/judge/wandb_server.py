"""As much of a W&B server as `wandb sync` talks to, so that the package's own reader (wandb-core) reads a run folder and
says what it found: what it uploads is kept here. Written from the requests that wandb 0.31.0 sends."""

import gzip
import http.server
import json
import threading


class WandbServer:
    def __init__(self):
        self.runs, self.history, self.summary, self.events, self.files, self.artifacts = {}, [], {}, [], {}, []
        self.exit_codes, self.manifests, self.operations, self.unknown = [], [], [], []
        self.output = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def body(self):
                data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

            def answer(self, value):
                data = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self):
                body = self.body()
                if self.path == "/graphql":
                    query = json.loads(body)
                    self.answer({"data": owner.query(query.get("operationName"), query.get("variables") or {})})
                else:
                    owner.stream(json.loads(body))
                    self.answer({})

            def do_PUT(self):
                owner.files[self.path.removeprefix("/upload/")] = self.body()
                self.answer({})

            def do_GET(self):
                self.answer({})

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def query(self, name, v):
        self.operations.append(name)
        if name == "UpsertBucket":
            run = self.runs.setdefault(v.get("name") or v.get("id"), {})
            run.update({k: x for k, x in v.items() if x is not None})
            project = {"id": "cA==", "name": v.get("project") or "none", "entity": {"id": "ZQ==", "name": "somebody"}}
            return {"upsertBucket": {"inserted": True, "bucket": {
                "id": "cnVu", "name": v.get("name"), "displayName": v.get("displayName"), "description": None,
                "config": "{}", "sweepName": None, "project": project, "historyLineCount": 0}}}
        if name == "CreateRunFiles":
            files = [{"name": f, "uploadUrl": f"{self.url}/upload/{f}"} for f in v["files"]]
            return {"createRunFiles": {"runID": "cnVu", "uploadHeaders": [], "files": files}}
        if name == "CreateArtifact":
            self.artifacts.append(v["input"])
            return {"createArtifact": {"artifact": {"id": "YQ==", "state": "PENDING", "artifactSequence": {
                "id": "cw==", "latestArtifact": None}}}}
        manifest = {"id": "bQ==", "file": {"id": "Zg==", "uploadUrl": f"{self.url}/upload/manifest.json",
                                           "uploadHeaders": []}}
        if name == "CreateArtifactManifest":
            return {"createArtifactManifest": {"artifactManifest": manifest}}
        if name == "UpdateArtifactManifest":
            return {"updateArtifactManifest": {"artifactManifest": manifest}}
        if name == "CommitArtifact":
            return {"commitArtifact": {"artifact": {"id": "YQ==", "digest": ""}}}
        if name != "ServerFeaturesQuery":
            self.unknown.append((name, v))
        return {"serverInfo": {"features": []}} if name == "ServerFeaturesQuery" else {}

    def stream(self, body):
        for name, part in body.get("files", {}).items():
            lines = part["content"]
            if name == "wandb-history.jsonl":
                at = part["offset"]
                rows = [json.loads(line) for line in lines]
                self.history[at:at + len(rows)] = rows
            elif name == "wandb-summary.json":
                self.summary.update(json.loads(lines[-1]))
            elif name == "wandb-events.jsonl":
                self.events += [json.loads(line) for line in lines]
            elif name == "output.log":
                self.output += lines
        if body.get("complete"):
            self.exit_codes.append(body.get("exitcode"))
