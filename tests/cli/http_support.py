"""A web server for the tests of `data download` that does what it is told, the wrong things too."""

import contextlib
import hashlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


def md5(data):
    return hashlib.md5(data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        owner = self.server.owner
        with owner.lock:
            owner.requests.append(self)
            step = owner.steps[min(len(owner.requests), len(owner.steps)) - 1]
        self.close_connection = True
        try:
            step(self)
        except OSError:  # the program went away, as many tests want it to
            pass

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *arguments):
        pass

    def head(self, status, **headers):
        """Status and headers; underscores in names stand for hyphens."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Connection", "close")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


@contextlib.contextmanager
def kept_port():
    """A port at which nobody answers, and that nobody else is given meanwhile. A server that may use an address again
    (SO_REUSEADDR, as all of ours) can listen there."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        yield s.getsockname()[1]


class Server:
    """steps: one function of the handler per request; the last one serves all further ones."""

    def __init__(self, *steps, tls=None):
        self.steps, self.requests, self.lock = list(steps), [], threading.Lock()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.owner = self
        if tls:
            self.http.socket = tls.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def headers(self, name):
        """The values of one header in all requests so far; None where it was missing."""
        return [request.headers.get(name) for request in self.requests]

    def paths(self):
        return [request.path for request in self.requests]


@pytest.fixture
def serve():
    """serve(step, …) starts a server of such steps; all end with the test."""
    with contextlib.ExitStack() as servers:
        def start(*steps, tls=None):
            server = Server(*steps, tls=tls)
            servers.callback(server.stop)
            return server

        yield start


def whole(data, etag='"v1"', send=None, length=None, **more):
    """A step: 200 with all of data, or with only `send` bytes of it, then the connection ends."""

    def step(h):
        headers = {"Content_Length": len(data) if length is None else length, **({"ETag": etag} if etag else {}), **more}
        h.head(200, **headers)
        h.wfile.write(data[:send])

    return step


def ranged(data, etag='"v1"', **more):
    """A step of a server that can go on: 206 behind a range whose If-Range fits, else all of it."""

    def step(h):
        wanted = h.headers.get("Range")
        if not wanted or h.headers.get("If-Range") not in (None, etag):
            return whole(data, etag, **more)(h)
        first = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if first >= len(data):
            return h.head(416, Content_Range=f"bytes */{len(data)}", Content_Length=0)
        h.head(206, Content_Range=f"bytes {first}-{len(data) - 1}/{len(data)}", Content_Length=len(data) - first,
               ETag=etag, **more)
        h.wfile.write(data[first:])

    return step


def status(code, **headers):
    return lambda h: h.head(code, Content_Length=0, **headers)


def redirect(target, code=302):
    return status(code, Location=target)


def chunked(data, send=None, etag='"v1"', last=True):
    """A step: chunked, without the last chunk when it is to look cut."""

    def step(h):
        h.head(200, Transfer_Encoding="chunked", **({"ETag": etag} if etag else {}))
        h.chunk(data[:send])
        if last:
            h.wfile.write(b"0\r\n\r\n")

    return step


def stall(data, send, seconds=30, etag='"v1"'):
    """A step: some bytes, then silence."""

    def step(h):
        h.head(200, Content_Length=len(data), ETag=etag)
        h.wfile.write(data[:send])
        h.wfile.flush()
        deadline = time.monotonic() + seconds
        h.connection.settimeout(0.05)
        while time.monotonic() < deadline:
            try:
                if h.connection.recv(1) == b"":
                    return
            except (TimeoutError, socket.timeout):
                pass

    return step
