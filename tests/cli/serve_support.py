"""A running `fakenews serve` for tests: starts on a free port, says its address, ends with SIGTERM."""

import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

MODEL = Path(__file__).resolve().parents[2] / "models/default/default.fnm"
TEXT = ("The council approved the budget on Tuesday by seven votes to four, the minutes show. The mayor said the bridge "
        "would be repaired in spring. Residents asked when the school would get a new roof.")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:2000]!r}"


class Served:
    """with Served(program, folder, "serve.workers=1") as server: server.post("/v1/classify", {"title": "…"})"""

    def __init__(self, program, folder, *settings, model=MODEL, env=None, cwd=None, arguments=()):
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", **(env or {})}
        environment.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
        command = [str(program), "serve", "serve.port=0", *map(str, arguments), *map(str, settings)]
        if model is not None:
            command[2:2] = ["--model", str(model)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
                                        env=environment, cwd=cwd or folder)
        self.log, self.folder = "", folder
        self.port, self.scheme, self.started = None, "http", threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self._wait()

    def _read(self):
        for line in self.process.stderr:
            self.log += line
            found = re.search(r"https?://(?:[\d.]+|\[[\da-f:]+\]):(\d+)", line)
            if found and not self.started.is_set():
                self.scheme, self.port = found.group(0).split(":")[0], int(found.group(1))
                self.started.set()
        self.started.set()

    def _wait(self):
        self.started.wait(60)
        if self.port is None:
            self.process.kill()
            self.reader.join()
            raise AssertionError(f"serve did not start: {self.log}")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def says(self, text, n=1, seconds=60):
        """Whether that stands in the log n times, now or soon: a line may come after the answer that it speaks of."""
        end = time.monotonic() + seconds
        while self.log.count(text) < n and time.monotonic() < end:
            time.sleep(0.01)
        return self.log.count(text) >= n

    def request(self, method, path, body=None, headers=None, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def post(self, path, value, headers=None):
        body = value if isinstance(value, (bytes, str)) else json.dumps(value)
        return self.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})})

    def rss_kib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def stop(self, signal_number=signal.SIGTERM, timeout=60):
        """Exit code; the log so far is in self.log."""
        self.process.send_signal(signal_number)
        self.process.wait(timeout)
        self.reader.join(timeout)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
