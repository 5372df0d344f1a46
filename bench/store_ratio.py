"""One large file to S3 and back: this program (store_probe) beside boto3's s3transfer, over a network that takes its time.

    python bench/store_ratio.py [--mib 128] [--latency-ms 50] [--connection-mb-s 25] [--rounds 3]

moto is the server of both. Between stands a proxy that holds each request back by the latency, as a bucket some way off does, and lets no connection carry more than some megabytes a
second (0: as many as it can): 25 is what TCP makes of a window of 1.25 MB over 50 ms.
boto3's times are of the call alone, in a process that is warm; ours are of the whole process. Both check what they send and get:
boto3 by CRC-32 of each part, this program by SHA-256 of each part and of the whole."""

import argparse
import hashlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import boto3

REPO = Path(__file__).resolve().parents[1]
PROBE = os.environ.get("FN_TOOLS", str(REPO / "build/dev/tests/tools")) + "/store_probe"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


class Slow:
    """Hands connections on; what begins a request waits."""

    def __init__(self, port, seconds, mb_s):
        self.port, self.seconds, self.mb_s = port, seconds, mb_s
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.port))
            asks = threading.Event()  # set while a request is on its way
            for pair in ((client, server, asks, True), (server, client, asks, False)):
                for end in pair[:2]:
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.hand_on, args=pair, daemon=True).start()

    def hand_on(self, source, target, asks, is_request):
        free = 0
        try:
            while data := source.recv(1 << 18):
                if is_request and not asks.is_set():
                    time.sleep(self.seconds)
                    asks.set()
                if not is_request:
                    asks.clear()
                target.sendall(data)
                if self.mb_s:
                    free = max(free, time.monotonic()) + len(data) / self.mb_s / 1e6
                    time.sleep(max(0, free - time.monotonic()))
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def start_moto(log):
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=log, stderr=log)
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process, port
        except OSError:
            time.sleep(0.1)
    raise SystemExit("moto does not start")


def probe(url, connections, verb, *words):
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_ENDPOINT_URL_S3": url, **KEYS}
    settings = ["store.connections", str(connections)]
    done = subprocess.run([PROBE, verb, "s3://bucket", *map(str, words), *settings], capture_output=True, text=True, env=env, check=True)
    outcome = json.loads(done.stdout)
    assert outcome["outcome"] == "ok", outcome


def best(rounds, action):
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return min(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=128)
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--connection-mb-s", type=float, default=25)
    parser.add_argument("--rounds", type=int, default=3)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, target = folder / "source", folder / "target"
        data = random.Random(1).randbytes(a.mib << 20)
        source.write_bytes(data)
        sha = hashlib.sha256(data).hexdigest()
        process, port = start_moto(subprocess.DEVNULL)
        try:
            slow = Slow(port, a.latency_ms / 1000, a.connection_mb_s)
            s3 = boto3.client("s3", endpoint_url=slow.url, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret")
            s3.create_bucket(Bucket="bucket")

            def fetched():
                assert hashlib.sha256(target.read_bytes()).hexdigest() == sha
                target.unlink()

            rows = {}
            for label, up, down in (
                ("boto3, 10 threads", lambda: s3.upload_file(str(source), "bucket", "k"), lambda: s3.download_file("bucket", "k", str(target))),
                ("fakenews, 8 connections", lambda: probe(slow.url, 8, "put", "k", source), lambda: probe(slow.url, 8, "get", "k", target)),
                ("fakenews, 1 connection", lambda: probe(slow.url, 1, "put", "k", source), lambda: probe(slow.url, 1, "get", "k", target)),
            ):  # fmt: skip
                sent = best(a.rounds, up)
                got = best(a.rounds, down)
                fetched()
                rows[label] = (sent, got)
                print(f"{label:26} up {sent:6.2f} s   down {got:6.2f} s", flush=True)
            theirs, ours = rows["boto3, 10 threads"], rows["fakenews, 8 connections"]
            print(f"boto3 / fakenews           up {theirs[0] / ours[0]:6.2f}     down {theirs[1] / ours[1]:6.2f}")
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
