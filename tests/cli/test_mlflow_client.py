"""The client of MLflow by itself, against answers and addresses that are odd or hostile."""

import http.server
import json
import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

PROBE = Path(os.environ.get("FN_TOOLS", Path(__file__).resolve().parents[2] / "build/dev/tests/tools")) / "mlflow_probe"
RUN = {"run": {"info": {"run_id": "a" * 32, "experiment_id": "1", "start_time": "17", "end_time": 1e300}}}


class Server:
    """Answers every request by act(number of the request): (status, body, headers). Keeps what came."""

    def __init__(self, act, host="127.0.0.1"):
        self.requests = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # an answer is two writes; the second waits for 40 ms otherwise

            def log_message(self, *args):
                pass

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                owner.requests.append((self.path, self.headers.get("Authorization")))
                status, body, headers = act(len(owner.requests))
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": len(data), **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

        class Kind(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        self.server = Kind((host, 0), Handler)
        self.place = f"[{host}]" if ":" in host else host
        self.place += f":{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.server.shutdown()
        self.server.server_close()


def ask(url, *words):
    done = subprocess.run([PROBE, url, *words], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_addresses_and_credentials():
    with Server(lambda n: (200, RUN, {})) as server:
        for given, path, who in (("http://{}/pre/fix/", "/pre/fix", None), ("http://{}//", "", None), ("http://{}", "", None),
                                 ("http://us%40er:p%3Aw@{}/", "", "Basic dXNAZXI6cDp3")):
            code, said = ask(given.format(server.place), "run", "a" * 32)
            assert code == 0 and server.requests[-1][0].startswith(path + "/api/2.0/mlflow/runs/get?"), said
            assert server.requests[-1][1] == who
        ask(f"http://us:pw@{server.place}", "token", "T", "run", "a" * 32)
        assert server.requests[-1][1] == "Bearer T"
    with Server(lambda n: (200, RUN, {}), host="::1") as server:
        assert ask(f"http://{server.place}", "token", "T", "run", "a" * 32)[0] == 0 and server.requests[0][1] == "Bearer T"


def test_names_of_any_kind():
    answer = {"experiment": {"experiment_id": "4"}, "model_version": {"name": "ü/ä", "version": "1"}, "model_versions": []}
    with Server(lambda n: (200, answer, {})) as server:
        for words, path in ((("experiment", "Ü/x & =?#%"), "experiments/get-by-name?experiment_name=%C3%9C%2Fx%20%26%20%3D%3F%23%25"),
                            (("version-get", "ü/ä b&c", "1"), "model-versions/get?name=%C3%BC%2F%C3%A4%20b%26c&version=1"),
                            (("alias-get", "a/b", "x?y"), "registered-models/alias?name=a%2Fb&alias=x%3Fy"),
                            (("version-list", "it's"), "model-versions/search?filter=name%3D%22it%27s%22&max_results=1000")):
            code, said = ask(f"http://{server.place}", *words)
            assert code == 0 and server.requests[-1][0].startswith("/api/2.0/mlflow/" + path), (said, server.requests[-1])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_go_to_no_other_host(status):
    with Server(lambda n: (200, RUN, {})) as other:
        with Server(lambda n: (status, b"", {"Location": f"http://{other.place}/"})) as server:
            code, said = ask(f"http://{server.place}", "token", "secret-token", "run", "a" * 32)
        assert code == 2 and "not followed" in said and "secret" not in said and not other.requests


def test_answers_that_are_odd():
    cases = [((200, b"<html>Sign in</html>", {}), "is an MLflow server at this address?"),
             ((200, b"\x1f\x8b\x08\x00", {"Content-Encoding": "gzip"}), "is an MLflow server at this address?"),
             ((200, b'{"run": {"data": {"metrics": [{"value": NaN}]}}}', {}), "no JSON"),
             ((200, b'{"run": {}, "run": {}}', {}), "duplicate object key"), ((204, b"", {}), "204")]
    cases += [((429, {"error_code": "X", "message": "slow"}, {"Retry-After": when}), "429 X: slow") for when in (
        "Fri, 27 Nov 2099 00:00:00 GMT", "-5", "1e400", "9" * 40, "soon")]
    with Server(lambda n: cases[n - 1][0]) as server:
        for _, words in cases:
            code, said = ask(f"http://{server.place}", "run", "a" * 32)
            assert code == 1 and words in said and "temporary" in said, said
    with Server(lambda n: (200, RUN, {})) as server:
        code, said = ask(f"http://{server.place}", "run", "a" * 32)  # numbers that are text, or too large
        assert code == 0 and json.loads(said)["info"]["start_time"] == "17"


@pytest.mark.parametrize("n_tokens", [1, 2, 5])
def test_pages_that_come_again(n_tokens):
    def page(n):
        return 200, {"model_versions": [{"name": "n", "version": "1"}], "next_page_token": f"t{n % n_tokens}"}, {}

    with Server(page) as server:
        code, said = ask(f"http://{server.place}", "version-list", "n")
        assert code == 1 and "the same pages again and again" in said and len(server.requests) < 20
