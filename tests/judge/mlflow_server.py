"""MLflow's own server, started as often as a test wants: its modules take many seconds to import, so one process imports
them once and every server is a fork of it. What runs in the fork is what `mlflow server --serve-artifacts` runs: uvicorn
with mlflow.server.fastapi_app (before 3.x: the Flask application alone).

As a program: reads lines of JSON {"backend", "artifacts", "port", "root", "env"}, answers each with the process id.
As a module: Servers().
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def serve(order):
    os.environ.update(order.get("env", {}))
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = order["backend"]
    os.environ["_MLFLOW_SERVER_REGISTRY_STORE"] = order["backend"]
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = order.get("root", "mlflow-artifacts:/")
    os.environ["_MLFLOW_SERVER_ARTIFACT_DESTINATION"] = order["artifacts"]
    os.environ["_MLFLOW_SERVER_SERVE_ARTIFACTS"] = "true"
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(order["backend"], order["backend"], os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"])
    if find_spec("mlflow.server.fastapi_app"):
        import uvicorn
        from mlflow.server.fastapi_app import app

        uvicorn.run(app, host="127.0.0.1", port=order["port"], log_level="warning")
    else:  # 2.x
        from mlflow.server import app
        from werkzeug.serving import run_simple

        run_simple("127.0.0.1", order["port"], app, threaded=True)


def main():
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    import_module("mlflow.server.fastapi_app" if find_spec("mlflow.server.fastapi_app") else "mlflow.server")

    print("ready", flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a server that was killed
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            serve(json.loads(line))
            os._exit(0)
        print(child, flush=True)


def held_port():
    """A socket at a port that nobody else is given while it is open; a server that may use an address again can listen there."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0))
    return s


class Servers:
    """start() gives a Server; close() ends all. The import goes on beside the test until the first start."""

    def __init__(self, folder, python=sys.executable):
        self.folder = folder
        self.log = open(folder / "mlflow-server.log", "ab")
        self.process = subprocess.Popen([python, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, cwd=folder)
        self.ready = False
        self.running, self.held = [], []

    def start(self, name, backend=None, port=None, **more):
        if not self.ready:
            assert self.process.stdout.readline() == "ready\n", (self.folder / "mlflow-server.log").read_text()[-2000:]
            self.ready = True
        self.held.append(held_port())
        backend = backend or f"sqlite:///{self.folder / name}.db"
        server = Server(self, {"backend": backend, "artifacts": str(self.folder / f"{name}-files"),
                               "port": port or self.held[-1].getsockname()[1], **more})
        self.running.append(server)
        server.start()
        return server

    def close(self):
        for server in self.running:
            server.kill()
        self.process.kill()
        self.process.wait()
        self.log.close()
        for s in self.held:
            s.close()


class Server:
    def __init__(self, servers, order):
        self.servers, self.order, self.pid = servers, order, None
        self.url = f"http://127.0.0.1:{order['port']}"

    def start(self, wait_s=180):
        self.servers.process.stdin.write(json.dumps(self.order) + "\n")
        self.servers.process.stdin.flush()
        self.pid = int(self.servers.process.stdout.readline())
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(self.url + "/health", timeout=10) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                if not Path(f"/proc/{self.pid}").exists():
                    break
                time.sleep(0.05)
        raise AssertionError("no server: " + (self.servers.folder / "mlflow-server.log").read_text()[-2000:])

    def kill(self):
        """Until the process is gone, and with it its port and its connections to the database."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            end = time.monotonic() + 60
            while Path(f"/proc/{self.pid}").exists():
                assert time.monotonic() < end, "a killed server stays"
                time.sleep(0.01)
            self.pid = None


if __name__ == "__main__":
    main()
