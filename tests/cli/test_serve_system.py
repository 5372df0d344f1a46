"""What an operator sets up around the server: TLS, a port for metrics, systemd, a watched model, a read-only system."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
from cli.http_support import kept_port
from serve_support import MODEL, TEXT, Served

UNITS = Path(__file__).resolve().parents[2] / "deploy/systemd"


def make_certificate(folder, name):
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls(program, tmp_path):
    cert, key = make_certificate(tmp_path, "a")
    with Served(program, tmp_path, f"serve.tls_cert={cert}", f"serve.tls_key={key}", "serve.request_timeout_s=1") as server:
        context = ssl.create_default_context(cafile=str(cert))
        url = f"https://127.0.0.1:{server.port}"
        assert server.scheme == "https"
        with urllib.request.urlopen(url + "/healthz", context=context) as answer:
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        request = urllib.request.Request(url + "/v1/classify", b'{"title": "Council approves budget"}',
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, context=context) as answer:
            assert answer.status == 200
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.minimum_version = context.maximum_version = version
            with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)), server_hostname="127.0.0.1") as s:
                assert s.version() == version.name.replace("_", ".")
                s.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{")
                s.settimeout(60)
                try:  # too slow: no 408 can be put into a stream that is encrypted, but it ends
                    assert s.recv(100) == b""
                except OSError:
                    pass
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError):
            old.wrap_socket(socket.create_connection(("127.0.0.1", server.port)))
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert not plain.recv(100).startswith(b"HTTP")
        assert server.stop() == 0


def test_tls_files_that_do_not_work(fakenews, tmp_path):
    cert, key = make_certificate(tmp_path, "a")
    _, other = make_certificate(tmp_path, "b")
    for settings, says in (((f"serve.tls_cert={cert}",), "serve.tls_key"),
                           ((f"serve.tls_cert={cert}", f"serve.tls_key={tmp_path}/none"), f"{tmp_path}/none"),
                           ((f"serve.tls_cert={key}", f"serve.tls_key={key}"), "BEGIN CERTIFICATE"),
                           ((f"serve.tls_cert={cert}", f"serve.tls_key={other}"), str(other))):
        done = fakenews("serve", "--check", "--model", MODEL, "serve.port=0", *settings)
        assert done.code in (1, 2) and says in done.stderr, done


def test_metrics_at_a_port_of_their_own(program, tmp_path):
    with kept_port() as port, Served(program, tmp_path, f"serve.metrics_port={port}", "serve.auth=keys") as server:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert b"fakenews_build_info" in answer.read()
        assert server.get("/metrics").status == 404
        assert server.get("/healthz").status == 200
        main, server.port = server.port, port
        assert server.get("/readyz").status == 200
        assert server.post("/v1/classify", {"title": "a"}).status == 404
        assert server.get("/").status == 404
        server.port = main
        assert server.stop() == 0


class Notified:
    """A socket such as systemd listens at for notifications."""

    def __init__(self, path):
        self.path, self.socket = path, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(60)

    def next(self):
        return self.socket.recv(4096).decode()


def test_systemd(program, tmp_path):
    """The socket is descriptor 3 and LISTEN_PID our own, as systemd sets them up."""
    notified = Notified(tmp_path / "notify")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        become = ("import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_PID=str(os.getpid()), "
                  "LISTEN_FDS='1'); os.execv(sys.argv[2], sys.argv[2:])")
        process = subprocess.Popen([sys.executable, "-c", become, str(listening.fileno()), program, "serve", "--model", MODEL],
                                   cwd=tmp_path, env={"HOME": str(tmp_path), "NOTIFY_SOCKET": str(notified.path)},
                                   pass_fds=[listening.fileno()], stderr=subprocess.DEVNULL)
    try:
        assert notified.next().startswith("READY=1")
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").status == 200
        process.send_signal(signal.SIGHUP)
        assert notified.next().startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert notified.next().startswith("READY=1")
        process.send_signal(signal.SIGTERM)
        assert notified.next() == "STOPPING=1"
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_units_are_well_formed(program, tmp_path):
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/local/bin/fakenews", str(program)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *tmp_path.glob("*.s*")],
                          capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if "fakenews" in line]
    assert done.returncode == 0 and not said, done.stderr


def test_watched_model(program, tmp_path):
    model = tmp_path / "model.fnm"
    shutil.copy(MODEL, model)
    with Served(program, tmp_path, "serve.watch=true", model=model) as server:
        def until(key, n):
            end = time.monotonic() + 60
            while server.get("/v1/model").json[key] != n:
                assert time.monotonic() < end, server.log
                time.sleep(0.05)

        shutil.copy(MODEL, tmp_path / "next")
        os.replace(tmp_path / "next", model)
        until("n_reloads", 1)
        (tmp_path / "next").write_bytes(MODEL.read_bytes()[:-4096] + bytes(4096))
        os.replace(tmp_path / "next", model)
        until("n_failed_reloads", 1)  # and once only: it is not tried again
        with open(model, "r+b") as file:  # written in place: not our business, whatever it becomes
            file.write(b"rubbish")
        model.unlink()
        time.sleep(0.6)
        assert server.post("/v1/classify", {"title": "Council", "text": TEXT}).status == 200
        now = server.get("/v1/model").json
        assert (now["n_reloads"], now["n_failed_reloads"]) == (1, 1)
        shutil.copy(MODEL, tmp_path / "next")
        os.replace(tmp_path / "next", model)
        until("n_reloads", 2)
        assert server.stop() == 0


def test_without_watch_a_new_file_changes_nothing(program, tmp_path):
    model = tmp_path / "model.fnm"
    shutil.copy(MODEL, model)
    with Served(program, tmp_path, model=model) as server:
        shutil.copy(MODEL, tmp_path / "next")
        os.replace(tmp_path / "next", model)
        time.sleep(0.6)
        assert server.get("/v1/model").json["n_reloads"] == 0


def test_as_nobody_in_a_folder_that_is_read_only(program, tmp_path):
    """No home, no state folder, nothing that can be written: everything but the log and uploads works."""
    tmp_path.chmod(0o555)
    for parent in tmp_path.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o011) if str(parent).startswith("/tmp/") else None
    outside = Path(tempfile.mkdtemp(prefix="fn-readonly-", dir="/tmp"))  # which others may enter
    outside.chmod(0o755)
    reader, model = shutil.copy(program, outside / "fakenews"), shutil.copy(MODEL, outside / "model.fnm")
    command = [reader, "serve", "--model", model, "serve.port=0", "predictions.url=none"]
    other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    process = subprocess.Popen(command, cwd=tmp_path, env={"HOME": "/nonexistent"}, stderr=subprocess.PIPE, text=True, **other)
    try:
        line = process.stderr.readline()
        port = int(line.split("127.0.0.1:")[1].split(",")[0])
        body = b'{"title": "Council approves budget"}'
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/classify", body, {"Content-Type": "application/json"})
        assert urllib.request.urlopen(request).status == 200
        assert list(tmp_path.iterdir()) == []
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(outside)
