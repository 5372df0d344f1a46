"""How `fakenews serve` ends, and where it listens: SIGTERM under every kind of client, $PORT as containers set it."""

import http.client
import json
import os
import platform
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from cli.http_support import kept_port
from serve_support import MODEL, TEXT, Served
from train_support import bare_environment, wait_for

FAULT = Path(os.environ.get("FN_TOOLS", "build/dev/tests/tools")).resolve() / "libfault.so"

ITEMS = {"items": [{"title": "Council", "text": TEXT * 10}] * 40}


def begin(server, value, path="/v1/classify/batch"):
    """A request that is sent whole; its answer is not read yet."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("POST", path, json.dumps(value), {"Content-Type": "application/json"})
    return connection


def wait_until(server, line):
    end = time.monotonic() + 60
    while line not in server.get("/metrics").body.decode().splitlines():
        assert time.monotonic() < end, line


def is_closed(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:  # it was never accepted
        return True


def processor_seconds(server):
    """Of all threads of the process."""
    after_name = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def seconds_to_stop(server, n=signal.SIGTERM):
    begun = time.monotonic()
    return server.stop(n), time.monotonic() - begun


def test_drain_delay_ends(program, tmp_path):
    with Served(program, tmp_path, "serve.drain_delay_s=1") as server:
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        kept.request("GET", "/readyz")
        assert kept.getresponse().read() == b'{"status": "ok"}'
        code, seconds = seconds_to_stop(server)
        assert code == 0 and seconds > 0.9
        with pytest.raises(ConnectionRefusedError):
            server.get("/healthz")


def test_drain_delay_answers_while_not_ready_and_a_second_signal_ends_at_once(program, tmp_path):
    with Served(program, tmp_path, "serve.drain_delay_s=600", "serve.shutdown_timeout_s=900") as server:
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        kept.request("GET", "/readyz")
        assert kept.getresponse().read() == b'{"status": "ok"}'
        server.process.send_signal(signal.SIGTERM)
        while server.get("/readyz").status != 503:
            pass
        answer = server.post("/v1/classify", {"title": "Council approves budget"})  # a new connection
        assert answer.status == 200 and answer.headers["Connection"] == "close"
        kept.request("GET", "/healthz")  # one that was kept open
        assert kept.getresponse().status == 200
        assert server.stop() == 128 + signal.SIGTERM and "second signal" in server.log


def test_idle_and_half_sent_requests_do_not_hold_it(program, tmp_path):
    with Served(program, tmp_path, "serve.shutdown_timeout_s=600", "serve.idle_timeout_s=600") as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
        server.get("/healthz")  # all that came before it are accepted
        assert server.stop() == 0  # in 60 s
        assert "SIGTERM came, and nothing waits for an answer" in server.log
        assert all(is_closed(s) for s in idle)
    with Served(program, tmp_path, "serve.shutdown_timeout_s=1", "serve.request_timeout_s=600") as server:
        slow = socket.create_connection(("127.0.0.1", server.port))
        slow.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        wait_until(server, "fakenews_active_requests 2")
        code, seconds = seconds_to_stop(server)
        assert code == 0 and seconds > 0.5, seconds


def test_full_queue_is_answered(program, tmp_path):
    """One worker, far more work than the time allows: what was not begun is told so before the end."""
    with Served(program, tmp_path, "serve.workers=1", "serve.shutdown_timeout_s=2", "serve.queue_tokens=100000000",
                "serve.max_items=4096", "serve.max_body_bytes=8000000", "serve.batch_tokens=256") as server:
        connections = [begin(server, {"items": ITEMS["items"] * 20}) for _ in range(8)]
        wait_until(server, "fakenews_active_requests 9")
        code, seconds = seconds_to_stop(server)
        answers = [c.getresponse() for c in connections]
        assert code == 0, (seconds, server.log)
        assert {a.status for a in answers} == {503}
        assert all(a.headers["Retry-After"] and "ending" in json.load(a)["detail"] for a in answers)


def test_batch_that_does_not_end_in_time(program, tmp_path):
    """An explanation is one piece of work: at thousands of passes it outlasts any drain, and the process still ends."""
    with Served(program, tmp_path, "serve.workers=1", "serve.shutdown_timeout_s=1", "explain.max_forwards=4096",
                "infer.long=windows", "serve.max_body_bytes=8000000", "serve.queue_tokens=1000000000") as server:
        article = {"text": " ".join(f"Item {i} of the agenda was postponed by the council." for i in range(3000))}
        stuck = begin(server, {**article, "explain": True}, "/v1/classify")
        before = processor_seconds(server)
        wait_for(lambda: processor_seconds(server) > before + 0.5)  # the worker has it: to read it takes next to nothing
        waiting = begin(server, {"title": "Council approves budget"}, "/v1/classify")
        wait_until(server, "fakenews_active_requests 3")
        code, seconds = seconds_to_stop(server)
        assert code == 0 and seconds > 0.5, (seconds, server.log)
        assert "cut_off" in server.log and "shutdown_timeout_s" in server.log
        assert waiting.getresponse().status == 503
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            stuck.getresponse()


def test_large_answer_to_a_slow_reader_is_sent_whole(program, tmp_path):
    with Served(program, tmp_path, "serve.max_items=4096") as server:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        body = json.dumps({"items": [{"title": "Council approves the budget"}] * 1500}).encode()
        slow.sendall(b"POST /v1/classify/batch HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        head = slow.recv(200)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        received = bytearray(head)
        while piece := slow.recv(1 << 20):
            received += piece
        header, _, answer = bytes(received).partition(b"\r\n\r\n")
        assert header.startswith(b"HTTP/1.1 200")
        assert len(answer) == int(re.search(rb"Content-Length: (\d+)", header).group(1)) > 300000
        assert server.process.wait(60) == 0


def test_port_of_the_environment(program, tmp_path):
    """As Cloud Run starts it: no argument but the verb, PORT names the port, everything else is the default."""
    with kept_port() as port:
        check_port_of_the_environment(program, tmp_path, port)


def check_port_of_the_environment(program, tmp_path, port):
    environment = {"HOME": str(tmp_path), "PORT": str(port), "K_SERVICE": "fakenews", "FAKENEWS_SERVE_AUTH": "none"}
    process = subprocess.Popen([program, "serve", "--model", MODEL], env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert f"0.0.0.0:{port}" in process.stderr.readline()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no filter of system calls")
def test_a_signal_while_settings_are_read_is_not_lost(program, tmp_path):
    """They may come from a slow disk, or a service that keeps secrets; nobody would send another signal."""
    (tmp_path / "config.yaml").write_text("serve: {port: 0}\n")
    waits = tmp_path / "waits"
    env = bare_environment(tmp_path, LD_PRELOAD=str(FAULT), FN_FAULT_IO="1", FN_FAULT_PATH="config.yaml", FN_FAULT_ERROR="wait",
                           FN_FAULT_REPORT=str(waits), ASAN_OPTIONS="verify_asan_link_order=0")
    process = subprocess.Popen([program, "serve", "--model", MODEL, "--config", "config.yaml"], cwd=tmp_path, env=env,
                               stderr=subprocess.PIPE, text=True)
    try:
        wait_for(waits.exists)
        process.send_signal(signal.SIGTERM)
        waits.unlink()
        assert process.wait(60) == 128 + signal.SIGTERM and process.stderr.read() == "fakenews: stopped\n"
    finally:
        process.kill()
