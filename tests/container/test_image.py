"""The container's image, run as Cloud Run, Kubernetes and Lambda run it; see image.py. FN_WHOLE_IMAGE=1 builds the first
stage in the bare root too (minutes)."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from image import BASE, Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from lambda_support import Runtime, event  # noqa: E402


@pytest.fixture(scope="module")
def image():
    return Image(whole=bool(os.environ.get("FN_WHOLE_IMAGE")))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def wait_until_ready(process, port):
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        try:
            if ask(port, "GET", "/readyz")[0] == 200:
                return
        except OSError:
            time.sleep(0.01)
    process.kill()
    raise AssertionError(process.communicate())


def megabytes(folder):
    return int(subprocess.run(["du", "-sm", folder], capture_output=True, text=True).stdout.split()[0])


def test_serves_as_its_user_on_a_read_only_root(image):
    port = free_port()
    begun = time.monotonic()
    process = image.start(env={"PORT": port, "K_SERVICE": "fakenews"}, arguments=["serve", "serve.auth=none"])
    try:
        wait_until_ready(process, port)
        ready = time.monotonic() - begun
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "Uid:\t10001\t10001\t10001\t10001" in status
        code, body = ask(port, "POST", "/v1/classify", {"title": "Council approves budget"})
        assert code == 200 and json.loads(body)["id"].startswith("p_")  # the log is written to the volume
        assert image.is_healthy({"PORT": port}) and not image.is_healthy({"PORT": free_port()})
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        print(f"\nimage: {megabytes(image.root)} MB, of which Debian {megabytes(BASE)} MB; started in {ready * 1000:.0f} ms")
    finally:
        process.kill()


def test_default_command_asks_for_keys(image):
    """It listens at every address, so that it needs keys, or a word that none are needed."""
    process = image.start(env={"PORT": free_port()})
    out, err = process.communicate(timeout=10)
    assert process.returncode != 0 and "serve.auth=none" in err, err


def test_lambda_container(image):
    with Runtime() as api:
        process = image.start("lambda", {"AWS_LAMBDA_RUNTIME_API": api.address, "HOME": "/home/sbx_user1051"})
        try:
            assert api.ask(event("http"))[0] == 200
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()
