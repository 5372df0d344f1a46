"""Driving src/store through store_probe, and a proxy that spoils what passes through it."""

import http.client
import json
import os
import resource
import signal
import socketserver
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from conftest import REPO

TOOLS = os.environ.get("FN_TOOLS", str(REPO / "build/dev/tests/tools"))
FAST = {"net.backoff_s": "0.01", "net.stall_timeout_s": "30", "net.retries": "3"}


def probe(home, verb, uri, *arguments, env=None, limit=None, user=None, program=f"{TOOLS}/store_probe", **settings):
    """One verb of a store with a clean environment; what store_probe tells, as a dictionary. limit: bytes of the longest
    file it may write; user: whom root becomes first."""
    words = [str(part) for pair in {**FAST, **settings}.items() for part in pair]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", **(env or {})}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
        if name in os.environ:
            environment[name] = os.environ[name]

    def prepare():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        if user and os.geteuid() == 0:
            os.setuid(user)

    done = subprocess.run([program, verb, str(uri), *map(str, arguments), *words], capture_output=True, text=True,
                          env=environment, timeout=120, preexec_fn=prepare)
    assert done.returncode == 0 and done.stderr == "", done
    return json.loads(done.stdout)


class Proxy:
    """Hands requests to another server on this machine. spoil(method, path, n) says what to do with the n-th one that
    passes: None, an answer's status (nothing is handed on), or "cut", "flip", "lost" (handed on, the answer is not)."""

    def __init__(self, port, spoil=lambda method, path, n: None):
        owner = self
        self.spoil, self.seen, self.lock = spoil, [], threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with owner.lock:
                    owner.seen.append((self.command, self.path, dict(self.headers)))
                    what = owner.spoil(self.command, self.path, len(owner.seen))
                self.close_connection = True
                if isinstance(what, int):
                    self.send_response(what)
                    self.send_header("Content-Length", "0")
                    self.send_header("Connection", "close")
                    return self.end_headers()
                upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    upstream.putheader(name, value)
                upstream.endheaders(body)
                answer = upstream.getresponse()
                data = answer.read()
                upstream.close()
                if what == "lost":
                    return None
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                        self.send_header(name, value)
                if answer.getheader("Content-Length") is None:
                    self.send_header("Content-Length", str(len(data)))
                self.send_header("Connection", "close")
                self.end_headers()
                if what == "flip":
                    data = bytes([data[0] ^ 1]) + data[1:]
                self.wfile.write(data[: len(data) // 2] if what == "cut" else data)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


class Tunnel:
    """A proxy that takes every https host for itself, with a certificate for Amazon's. answers: bytes, one for each request; seen: host
    and port that were asked for, and the request's head."""

    def __init__(self, folder, *hosts):
        self.answers, self.seen, self.ca = [], [], folder / "ca.pem"
        names = ",".join(f"DNS:{host}" for host in hosts)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=t",
                        "-addext", f"subjectAltName={names}", "-keyout", folder / "key.pem", "-out", self.ca], check=True, capture_output=True)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.ca, folder / "key.pem")
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                asked = self.read_head(self.rfile)
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                with tls.wrap_socket(self.connection, server_side=True) as inner, inner.makefile("rb") as reader:
                    owner.seen.append((asked.split()[1], self.read_head(reader)))
                    inner.sendall(owner.answers.pop(0) if len(owner.answers) > 1 else owner.answers[0])

            def read_head(self, reader):
                return b"".join(iter(reader.readline, b"\r\n")).decode()

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
