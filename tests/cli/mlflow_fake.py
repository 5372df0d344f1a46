"""A server that answers as MLflow does, in memory, and misbehaves on order: `faults` is a list of what the next requests
meet, one each ("500"; "lose@runs/create" waits for its place). What it is told of a run is kept as it came, so that a test can see what arrived, how often and in which
order. The real server is in tests/judge."""

import http.server
import json
import re
import ssl
import threading
import time
import urllib.parse

LIMITS = {"metrics": 1000, "params": 100, "tags": 100}


class FakeMlflow:
    def __init__(self, faults=(), token=None, port=0, root=None, host="127.0.0.1", tls=None,
                 logged_models=None):
        self.faults, self.token, self.root, self.authorizations = list(faults), token, root, set()
        self.workspaces = set()
        self.models = logged_models  # by id, of a server 3.x; None: one before
        self.runs, self.experiments, self.requests, self.seen_faults = {}, {}, [], []
        self.lock = threading.Lock()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # an answer is two writes; the second waits for 40 ms otherwise

            def log_message(self, *args):
                pass

            def send(self, status, body, **headers):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(data)

            def misbehave(self, fault):
                """Whether the request is still carried out (and its answer lost)."""
                if fault in ("500", "503", "502", "408"):
                    self.send(int(fault), {"error_code": "INTERNAL_ERROR", "message": "no\x1b[31m way"})
                elif fault == "429":
                    self.send(429, {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slower"}, Retry_After="1")
                elif fault == "page":
                    self.send(200, b"<!doctype html><title>Sign in</title>")
                elif fault == "list":
                    self.send(200, b"[1, 2, 3]")
                elif fault == "deep":
                    self.send(200, b"[" * 100000)
                elif fault == "redirect":
                    self.send(302, b"", Location="file:///etc/passwd")
                elif fault == "moved":
                    self.send(301, b"", Location="https://127.0.0.1:9/")
                elif fault in ("later", "later, told late"):
                    time.sleep(0.3 if fault == "later, told late" else 0)
                    self.send(503, b"", Retry_After="600")
                elif fault == "elsewhere":
                    self.send(307, b"", Location="http://127.0.0.1:9/")
                elif fault == "huge":
                    self.send_response(200)
                    self.send_header("Content-Length", str(10 << 30))
                    self.end_headers()
                    try:
                        for _ in range(100):
                            self.wfile.write(b"{" + b" " * (1 << 20))
                    except OSError:
                        pass
                    self.close_connection = True
                elif fault == "close":
                    self.close_connection = True
                    self.connection.shutdown(2)
                elif fault == "twice":  # somebody between repeats it
                    return "again"
                elif fault == "lose":  # done, but nobody is told
                    return True
                elif fault.startswith("slow"):
                    time.sleep(float(fault[4:]))
                    return None
                return False

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urllib.parse.urlsplit(self.path)
                path = re.sub(r"^/api/2.0/mlflow(-artifacts)?/", "", url.path)
                query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query).items()}
                with owner.lock:
                    owner.requests.append((self.command, path))
                    owner.authorizations.add(self.headers.get("Authorization"))
                    owner.workspaces.add(self.headers.get("X-MLFLOW-WORKSPACE"))
                    fault, _, place = owner.faults[0].partition("@") if owner.faults else ("", "", "")
                    if place and place != path:
                        fault = ""
                    elif owner.faults:
                        owner.faults.pop(0)
                if fault and fault != "ok":
                    owner.seen_faults.append(fault)
                    goes_on = self.misbehave(fault)
                    if goes_on is False:
                        return
                    if goes_on == "again":
                        with owner.lock:
                            owner.act(self.command, path, query, body)
                    if goes_on is True:
                        with owner.lock:
                            owner.act(self.command, path, query, body)
                        self.close_connection = True
                        self.connection.shutdown(2)
                        return
                if owner.token and self.headers.get("Authorization") != f"Bearer {owner.token}":
                    self.send(401, b"You are not authenticated")
                    return
                with owner.lock:
                    status, answer = owner.act(self.command, path, query, body)
                try:
                    self.send(status, answer)
                except OSError:
                    pass

            do_GET = do_POST = do_PUT = do_PATCH = handle_one

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *args):  # a connection that we closed ourselves
                pass

        self.server = Server((host, port), Handler)
        self.port = self.server.server_port
        self.url = f"http{'s' if tls else ''}://{host}:{self.port}"
        if tls:  # a file with certificate and key
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # ---- what MLflow would do ----

    @staticmethod
    def error(status, code, message):
        return status, {"error_code": code, "message": message}

    def info(self, run):
        return {"info": {k: v for k, v in run.items() if k in (
            "run_id", "experiment_id", "run_name", "status", "start_time", "end_time", "artifact_uri",
            "lifecycle_stage")}, "data": {
                "tags": [{"key": k, "value": v} for k, v in run["tags"].items()],
                "params": [{"key": k, "value": v} for k, v in run["params"].items()],
                "metrics": [dict(zip(("key", "value", "step", "timestamp"), m)) for m in
                            {m[0]: m for m in run["metrics"]}.values()]},
                "outputs": {"model_outputs": [{"model_id": m} for m in run.get("outputs", [])]}}

    def logged(self, method, path, v):
        """Logged models, as servers 3.x have them."""
        if path == "logged-models":
            name = f"m-{len(self.models) + 1}"
            self.models[name] = {"info": {"model_id": name, "experiment_id": v["experiment_id"], "name": v["name"],
                                          "source_run_id": v["source_run_id"], "status": "LOGGED_MODEL_PENDING",
                                          "artifact_uri": f"mlflow-artifacts:/{v['experiment_id']}/models/{name}/artifacts",
                                          "tags": v["tags"]}, "data": {"params": v["params"]}, "metrics": [], "files": {}}
            return 200, {"model": self.models[name]}
        if path == "logged-models/search":
            key, value = re.fullmatch(r"tags\.`([\w.]+)` = '(\w+)'", v["filter"]).groups()
            return 200, {"models": [{"info": m["info"], "data": m["data"]} for m in self.models.values()
                                    if {"key": key, "value": value} in m["info"]["tags"]]}
        model = self.models[path.split("/")[1]]
        if path.endswith("/params"):
            there = {p["key"] for p in model["data"]["params"]}
            if any(p["key"] in there for p in v["params"]):
                return self.error(400, "BAD_REQUEST", "UNIQUE constraint failed: logged_model_params")
            model["data"]["params"] += v["params"]
        else:
            assert method == "PATCH"
            model["info"]["status"] = v["status"]
        return 200, {}

    def make(self, path, **body):
        """What another client made there before."""
        with self.lock:
            return self.act("POST", path, {}, json.dumps(body).encode())[1]

    def act(self, method, path, query, body):
        if method == "PUT":
            run = path.split("/")[2]
            if run == "models":
                self.models[path.split("/")[3]]["files"][path.split("/artifacts/", 1)[1]] = body
                return 200, {}
            self.runs[run]["files"][path.split("/artifacts/", 1)[1]] = body
            return 200, {}
        v = {**query, **(json.loads(body) if body else {})}
        if path == "experiments/get-by-name":
            found = self.experiments.get(v["experiment_name"])
            return (200, {"experiment": found}) if found else self.error(
                404, "RESOURCE_DOES_NOT_EXIST", "Could not find experiment")
        if path == "experiments/get":
            found = [e for e in self.experiments.values() if e["experiment_id"] == v["experiment_id"]]
            return (200, {"experiment": found[0]}) if found else self.error(
                404, "RESOURCE_DOES_NOT_EXIST", f"No Experiment with id={v['experiment_id']} exists")
        if path == "experiments/search":
            return 200, {"experiments": list(self.experiments.values())}
        if path == "experiments/create":
            if v["name"] in self.experiments:
                return self.error(400, "RESOURCE_ALREADY_EXISTS", "Experiment already exists")
            self.experiments[v["name"]] = {"experiment_id": str(len(self.experiments) + 1), "name": v["name"],
                                           "lifecycle_stage": "active"}
            return 200, {"experiment_id": self.experiments[v["name"]]["experiment_id"]}
        if path == "runs/create":
            run_id = f"{len(self.runs) + 1:032x}"
            self.runs[run_id] = {"run_id": run_id, "experiment_id": v["experiment_id"], "run_name": v.get("run_name"),
                                 "status": "RUNNING", "start_time": v["start_time"], "lifecycle_stage": "active",
                                 "artifact_uri": self.root or f"mlflow-artifacts:/{v['experiment_id']}/{run_id}/artifacts",
                                 "params": {}, "tags": {t["key"]: t["value"] for t in v.get("tags", [])},
                                 "metrics": [], "metrics_as_sent": [], "statuses": [], "files": {}, "inputs": []}
            return 200, {"run": self.info(self.runs[run_id])}
        if path == "runs/search":
            wanted = re.search(r"= '(\w+)'", v["filter"]).group(1)
            return 200, {"runs": [self.info(r) for r in self.runs.values()
                                  if r["tags"].get("fakenews.run_id") == wanted and r["lifecycle_stage"] == "active"
                                  and r["experiment_id"] in v["experiment_ids"]]}
        if path.startswith("logged-models") and self.models is not None:
            return self.logged(method, path, v)
        run = self.runs.get(v.get("run_id"))
        if run is None:
            return self.error(404, "RESOURCE_DOES_NOT_EXIST", "Run not found")
        if path == "runs/get":
            return 200, {"run": self.info(run)}
        if run["lifecycle_stage"] != "active":
            return self.error(400, "INVALID_PARAMETER_VALUE", "The run must be in the 'active' state. Current state is deleted.")
        if path == "runs/update":
            run["status"] = v["status"]
            run["statuses"].append((v["status"], v.get("end_time")))
            return 200, {"run_info": self.info(run)["info"]}
        if path == "runs/outputs" and self.models is not None:
            if any(m["model_id"] in run.get("outputs", []) for m in v["models"]):
                return self.error(400, "BAD_REQUEST", "(sqlite3.IntegrityError) UNIQUE constraint failed: inputs.source_type")
            run.setdefault("outputs", []).extend(m["model_id"] for m in v["models"])
            return 200, {}
        if path == "runs/log-inputs":
            run["inputs"] += v["datasets"]
            return 200, {}
        assert path == "runs/log-batch", path
        return self.batch(run, v, len(body))

    def batch(self, run, v, n_bytes):
        counts = {name: len(v.get(name, [])) for name in LIMITS}
        if any(counts[name] > LIMITS[name] for name in LIMITS) or sum(counts.values()) > 1000 or n_bytes > 1000000:
            return self.error(400, "BAD_REQUEST", f"A batch logging request can contain at most … {counts}, {n_bytes}")
        for item in v.get("params", []) + v.get("tags", []) + v.get("metrics", []):
            if not re.fullmatch(r"[/\w.\- :]*", item["key"]):
                return self.error(400, "INVALID_PARAMETER_VALUE", f"Invalid value {item['key']} for parameter")
        for p in v.get("params", []):
            if run["params"].get(p["key"], p["value"]) != p["value"]:
                return self.error(400, "INVALID_PARAMETER_VALUE", "Changing param values is not allowed.")
        names = [p["key"] for p in v.get("params", [])]
        if len(set(names)) != len(names):
            return self.error(400, "INVALID_PARAMETER_VALUE", "Duplicate parameter keys have been submitted")
        run["params"].update({p["key"]: p["value"] for p in v.get("params", [])})
        run["tags"].update({t["key"]: t["value"] for t in v.get("tags", [])})
        for m in v.get("metrics", []):
            point = (m["key"], m["value"], m["step"], m["timestamp"])
            if "model_id" in m and point not in self.models[m["model_id"]]["metrics"]:
                self.models[m["model_id"]]["metrics"].append(point)
            run["metrics_as_sent"].append(point)
            if point not in run.setdefault("known", set()):
                run["known"].add(point)
                run["metrics"].append(point)
        return 200, {}
