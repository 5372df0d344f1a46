"""Clients that do nothing, are slow, or send too much, beside others that are answered meanwhile."""

import re
import resource
import socket
import time

import pytest
from serve_support import TEXT, Served

GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
ARTICLE = {"title": "Council approves budget", "text": TEXT}


@pytest.fixture(scope="module")
def server(program, tmp_path_factory):
    limits = ("serve.request_timeout_s=1", "serve.idle_timeout_s=1", "serve.max_body_bytes=1048576")
    with Served(program, tmp_path_factory.mktemp("clients"), *limits) as server:
        yield server
        assert server.stop() == 0, server.log


def end_of(connection, timeout):
    """What came until the connection ended."""
    answer = b""
    connection.settimeout(timeout)
    try:
        while received := connection.recv(65536):
            answer += received
    except ConnectionResetError:
        pass
    return answer


def head(length=None):
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return f"POST /v1/tokens HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{size}\r\n\r\n".encode()


def test_2000_idle_connections_beside_live_traffic(program, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    with Served(program, tmp_path) as server:
        answer = server.post("/v1/classify", ARTICLE).json
        before = server.rss_kib()
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2000)]
        try:
            for connection in idle[::2]:  # every other one has been used and is kept
                connection.sendall(GET)
            for connection in idle[::2]:
                assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            for _ in range(20):
                got = server.post("/v1/classify", ARTICLE)
                assert got.status == 200 and got.json["probabilities"] == answer["probabilities"]
            metrics = server.get("/metrics").body.decode()
            n = int(re.search(r"^fakenews_connections (\d+)$", metrics, re.M).group(1))
            assert 2001 <= n <= 2030  # some that are closed may not have been noticed yet
            assert server.rss_kib() - before < 2000 * 40  # KiB
            idle[1999].sendall(GET)
            assert idle[1999].recv(4096).startswith(b"HTTP/1.1 200")
        finally:
            for connection in idle:
                connection.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert server.stop() == 0


def test_further_connections_than_the_limit_wait(program, tmp_path):
    with Served(program, tmp_path, "serve.max_connections=16", "serve.idle_timeout_s=1") as server:
        start = time.monotonic()
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(16)]
        answer = server.request("GET", "/healthz")
        assert answer.status == 200 and time.monotonic() - start > 0.5
        for connection in idle:
            connection.close()


def test_idle_connection_is_closed(server):
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        assert end_of(connection, 60) == b"" and time.monotonic() - start > 0.8


def test_head_that_comes_byte_by_byte_is_cut_off(server):
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        with pytest.raises(OSError):  # before the 13 s that all of it would take
            for byte in (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100):
                connection.sendall(bytes([byte]))
                time.sleep(0.1)
    assert time.monotonic() - start > 0.8


def test_body_that_comes_byte_by_byte_gets_408(server):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        start, answer = time.monotonic(), b""
        connection.sendall(head(100))
        connection.settimeout(0.1)
        for _ in range(99):  # a server that waits for ever has 400 to say about the last one
            if answer:
                break
            connection.sendall(b" ")
            try:
                answer = connection.recv(4096)
            except TimeoutError:
                pass
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        assert time.monotonic() - start > 0.8
    metrics = server.get("/metrics").body.decode()
    assert 'http_requests_total{handler="/v1/tokens",method="POST",status="4xx"}' in metrics


def test_large_body_at_a_fair_rate_has_more_time(server):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        body = b'{"title": "' + b"a " * 120000 + b'"}'
        first = head(len(body))
        for begin in range(0, len(body), 80000):  # 1.6 s in all: 1 s, and one for each 16 KiB
            connection.sendall(first + body[begin:begin + 80000])
            first = b""
            time.sleep(0.4)
        connection.settimeout(60)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_answer_that_is_not_taken_is_cut_off(server):
    """More than the kernel's buffers hold: answers to thousands of requests in one go, never read."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0.5)
        requests = b"GET /v1/model HTTP/1.1\r\nHost: a\r\n\r\n" * 100
        start, sent, ended = time.monotonic(), 0, False
        while time.monotonic() - start < 60 and not ended:
            try:
                sent += connection.send(requests[sent % len(requests):])
            except TimeoutError:
                continue
            except OSError:
                ended = True
        assert ended and time.monotonic() - start > 0.8
    assert server.get("/healthz").status == 200


def test_gigabyte_that_was_announced_is_refused_at_once(server):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head(1 << 30))
        answer = end_of(connection, 60)  # not 408, which is all that waiting for it could give
        assert answer.startswith(b"HTTP/1.1 413 ") and b"serve.max_body_bytes" in answer


def test_gigabyte_in_chunks_is_bounded(server):
    before = server.rss_kib()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head())
        chunk, n_sent = b"100000\r\n" + b" " * (1 << 20) + b"\r\n", 0
        connection.settimeout(60)
        with pytest.raises(OSError):
            for _ in range(1024):
                connection.sendall(chunk)
                n_sent += 1
        assert n_sent < 100
    assert server.rss_kib() - before < 16 << 10
    assert server.get("/healthz").status == 200
