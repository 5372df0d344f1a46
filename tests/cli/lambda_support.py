"""A mock of AWS Lambda's Runtime API, and the program started under it as Lambda starts `bootstrap`."""

import http.server
import json
import os
import queue
import re
import subprocess
import threading
import time
import uuid
from pathlib import Path

from serve_support import MODEL

EVENTS = Path(__file__).resolve().parent / "lambda_events"
MIB = 1 << 20
LIMIT = 6 * MIB + 100


def event(name, **changes):
    """A recorded event, some of its members changed (None: taken out)."""
    value = json.loads((EVENTS / f"{name}.json").read_text())
    for key, change in changes.items():
        if change is None:
            value.pop(key, None)
        else:
            value[key] = change
    return value


class Outcome:
    def __init__(self, what, body, headers):
        self.what, self.body, self.headers = what, body, headers  # what: response or error

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.what} {self.body[:1500]!r}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *arguments):
        pass

    def answer(self, status, body, headers=None):
        api = self.server.api
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if api.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(0, len(body), 1000):
                piece = body[i:i + 1000]
                self.wfile.write(b"%x;a=b\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\nX-Trailer: 1\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            if api.closes == "told":
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
        if api.closes:
            self.close_connection = True

    def do_GET(self):
        api = self.server.api
        assert self.path == "/2018-06-01/runtime/invocation/next", self.path
        api.n_connections.add(self.client_address)
        if api.first_next is None:
            api.first_next = time.monotonic()
        while True:
            try:
                body, headers = api.waiting.get(timeout=0.05)
                break
            except queue.Empty:
                if api.ended:
                    self.close_connection = True
                    return
        self.answer(200, body, headers)

    def do_POST(self):
        api = self.server.api
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = re.fullmatch(r"/2018-06-01/runtime/(?:invocation/([^/]+)/(response|error)|init/error)", self.path)
        assert found, self.path
        id, what = found.groups()
        if what == "response" and (len(body) > LIMIT or api.refuses):
            self.answer(413, b'{"errorType":"RequestEntityTooLarge"}')
            return
        api.arrived[id] = time.monotonic()
        api.outcomes.put((id, Outcome(what or "init/error", body, dict(self.headers))))
        self.answer(api.status, b'{"status":"OK"}')


class Runtime:
    """with Runtime() as api: api.invoke({...})"""

    def __init__(self, closes=None, chunked=False):
        self.closes, self.chunked, self.status, self.ended, self.refuses = closes, chunked, 202, False, False
        self.waiting, self.outcomes, self.arrived = queue.Queue(), queue.Queue(), {}
        self.first_next, self.n_connections = None, set()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *arguments: None  # a killed client is no error of the mock
        self.server.api = self
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.server.server_address[1]}"

    def offer(self, event, deadline_ms=30000, id=None, **headers):
        id = id or str(uuid.uuid4())
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        self.waiting.put((body, {
            "Lambda-Runtime-Aws-Request-Id": id, "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:fakenews",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
            "Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}))
        return id

    def outcome(self, id, timeout=240):
        got, outcome = self.outcomes.get(timeout=timeout)
        assert got == id, (got, id)
        return outcome

    def invoke(self, event, **options):
        return self.outcome(self.offer(event, **options))

    def ask(self, event, **options):
        """Of an event that stands for a request: (status, parsed body, whole answer)."""
        outcome = self.invoke(event, **options)
        assert outcome.what == "response", outcome
        answer = outcome.json
        body = answer["body"]
        return answer["statusCode"], json.loads(body) if body[:1] in ("{", "[") else body, answer

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.ended = True
        self.server.shutdown()
        self.server.server_close()


class Function:
    """The program under a Runtime: with Function(program, folder, api) as function: …"""

    def __init__(self, program, folder, api, *settings, model=MODEL, env=None, command=None):
        environment = {"AWS_LAMBDA_RUNTIME_API": api.address, "LAMBDA_TASK_ROOT": "/var/task", "_HANDLER": "any",
                       "AWS_LAMBDA_FUNCTION_NAME": "fakenews", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
                       "LANG": "en_US.UTF-8", "TZ": ":UTC", "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
                       "STATE_DIRECTORY": str(folder), "HOME": "/home/sbx_user1051",  # which does not exist
                       **(env or {})}
        environment.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
        words = command or [str(program), "serve", *(["--model", str(model)] if model else []), *map(str, settings)]
        self.started = time.monotonic()
        self.process = subprocess.Popen(words, env=environment, cwd=folder, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.log = ""

    def end(self, timeout=60):
        """Exit code once it has ended by itself; its output is in self.log."""
        out, err = self.process.communicate(timeout=timeout)
        self.log += out + err
        return self.process.returncode

    def stop(self):
        self.process.terminate()
        return self.end()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
