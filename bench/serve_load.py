"""`fakenews serve` under load: wrk posts titles or whole articles to it, and to another server in turn, round by round,
so that a noisy neighbour meets both.

  serve_load.py ratio NEWS.csv --peer COMMAND --peer-url URL [--peer-route /predict_single/] [key=value …]
  serve_load.py durable NEWS.csv [key=value …]     the two promises of the prediction log, and none
  serve_load.py slo NEWS.csv [key=value …]         80 % of what saturation gave: which share of answers takes up to 250 ms
  serve_load.py start [key=value …]                from exec to the first HTTP answer
  serve_load.py soak NEWS.csv SECONDS [key=value …] memory over the time at saturation

NEWS.csv (.gz too) has the columns title and text. Build first: make release. Needs wrk; nothing else."""

import csv
import gzip
import json
import os
import pathlib
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = HERE.parent / "build/release/fakenews"
SCRIPT = HERE / "serve_load.lua"
ROUNDS, SECONDS, CONNECTIONS = 3, 6, 8


def bodies(news, folder):
    """Two files of JSON bodies: titles alone, whole articles; and the whole articles as one title, for servers that take
    nothing else."""
    csv.field_size_limit(1 << 30)
    rows = []
    for path in news:
        with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="") as file:
            rows += [(r["title"], r["text"]) for r in csv.DictReader(file)]
    random.Random(1).shuffle(rows)
    kinds = {"titles": [{"title": t} for t, _ in rows if t.strip()][:2000],
             "articles": [{"title": t, "text": x} for t, x in rows if len(x) > 200][:1000],
             "joined": [{"title": f"{t} {x}"} for t, x in rows if len(x) > 200][:1000]}
    for name, items in kinds.items():
        (folder / name).write_text("".join(json.dumps(i) + "\n" for i in items))


class Server:
    def __init__(self, folder, *settings):
        state = tempfile.mkdtemp(dir=folder)
        self.begin = time.perf_counter()
        self.process = subprocess.Popen([PROGRAM, "serve", "serve.port=0", *settings], stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "STATE_DIRECTORY": state})
        self.port = None
        while self.port is None:
            line = self.process.stderr.readline()
            assert line, "serve did not start"
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            self.port = int(found.group(1)) if found else None
        self.url = f"http://127.0.0.1:{self.port}"

    def memory_mb(self, name="VmHWM"):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{name}:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0


def wrk(url, file, route="/v1/classify", seconds=SECONDS, connections=CONNECTIONS, rate=0.0):
    """requests/s, p50, p99, p99.9 in ms, errors"""
    env = {**os.environ, "BODIES": str(file), "ROUTE": route, "RATE": str(rate), "CONNECTIONS": str(connections)}
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", SCRIPT, url], env=env,
                         capture_output=True, text=True, check=True).stdout
    numbers = re.search(r"RESULT (\S+) (\S+) (\S+) (\S+) (\d+)", out).groups()
    return [float(n) for n in numbers]


def show(name, r):
    print(f"{name:34} {r[0]:8.1f} req/s   p50 {r[1]:7.2f}   p99 {r[2]:7.2f}   p99.9 {r[3]:7.2f} ms   errors {r[4]:.0f}",
          flush=True)


def wait_for(url):
    host, port = re.fullmatch(r"http://([^:/]+):(\d+)/?", url).groups()
    for _ in range(600):
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing listens at {url}")


def ratio(news, folder, settings, peer, peer_url, peer_route):
    bodies(news, folder)
    other = subprocess.Popen(shlex.split(peer), start_new_session=True)
    wait_for(peer_url)
    time.sleep(2)
    servers = {"titles": Server(folder, *settings), "articles": Server(folder, "infer.max_tokens=512", *settings)}
    ratios = {}
    try:
        for kind, theirs in (("titles", "titles"), ("articles", "joined")):
            wrk(peer_url, folder / theirs, peer_route, 3)
            wrk(servers[kind].url, folder / kind, seconds=3)
            for _ in range(ROUNDS):
                a = wrk(peer_url, folder / theirs, peer_route)
                b = wrk(servers[kind].url, folder / kind)
                show(f"peer, {kind}", a)
                show(f"fakenews, {kind}", b)
                ratios.setdefault(kind, []).append(b[0] / a[0])
        for kind, values in ratios.items():
            print(f"{kind}: {', '.join(f'{v:.2f}' for v in values)} times the peer's requests/s; "
                  f"peak memory {servers[kind].memory_mb():.0f} MB")
    finally:
        os.killpg(other.pid, signal.SIGTERM)
        for server in servers.values():
            server.stop()


def durable(news, folder, settings):
    bodies(news, folder)
    modes = ("predictions.durable=answer", "predictions.durable=async", "predictions.url=none")
    servers = [Server(folder, mode, *settings) for mode in modes]
    for kind in ("titles", "articles"):
        for _ in range(ROUNDS):
            for mode, server in zip(modes, servers):
                show(f"{kind}, {mode.split('.')[1]}", wrk(server.url, folder / kind))
    for server in servers:
        server.stop()


def within(url, file, rate, limit_ms, seconds):
    """Share of answers within the limit, by the server's own histogram, and wrk's figures."""
    import urllib.request

    def counts():
        text = urllib.request.urlopen(url + "/metrics").read().decode()
        label = r'http_request_duration_seconds_bucket\{handler="/v1/classify",method="POST",le="%s"\} (\d+)'
        return [int(m.group(1)) if (m := re.search(label % re.escape(le), text)) else 0 for le in (limit_ms, "+Inf")]

    before = counts()
    r = wrk(url, file, rate=rate, connections=64, seconds=seconds)
    after = counts()
    return (after[0] - before[0]) / max(after[1] - before[1], 1), r


def slo(news, folder, settings):
    bodies(news, folder)
    server = Server(folder, *settings)
    for kind in ("titles", "articles"):
        full = wrk(server.url, folder / kind)
        show(f"{kind}, saturation", full)
        share, r = within(server.url, folder / kind, 0.8 * full[0], "0.25", 20)
        show(f"{kind}, at {0.8 * full[0]:.0f} req/s asked for", r)
        print(f"{kind}: {100 * share:.3f} % within 250 ms (goal 99.9)")
    server.stop()


def start(folder, settings):
    times = []
    for _ in range(20):
        server = Server(folder, *settings)
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            body = b'{"title": "Council approves the budget after a long debate"}'
            s.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                      % len(body) + body)
            assert s.recv(4096).startswith(b"HTTP/1.1 200")
        times.append((time.perf_counter() - server.begin) * 1e3)
        server.stop()
    times.sort()
    print(f"exec to first answer: median {times[10]:.1f} ms, slowest {times[-1]:.1f} ms of {len(times)}")


def soak(news, folder, settings, seconds):
    bodies(news, folder)
    server = Server(folder, *settings)
    end, n, worst = time.monotonic() + seconds, 0, 0.0
    while time.monotonic() < end:
        r = wrk(server.url, folder / ("titles" if n % 2 else "articles"), seconds=30, connections=32)
        n += 1
        worst = max(worst, r[2])
        show(f"{n * 30:5d} s, {server.memory_mb('VmRSS'):.1f} MB", r)
        assert r[4] == 0
    server.stop()


def main():
    words = sys.argv[1:]
    if not words or words[0] not in ("ratio", "durable", "slo", "start", "soak"):
        sys.exit(__doc__)
    flags = {}
    for name in ("--peer", "--peer-url", "--peer-route"):
        if name in words:
            i = words.index(name)
            flags[name] = words[i + 1]
            del words[i:i + 2]
    settings = [w for w in words[1:] if re.match(r"[a-z_]+(\.[a-z_]+)+=", w)]
    rest = [w for w in words[1:] if w not in settings]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if words[0] == "ratio":
            ratio(rest, folder, settings, flags["--peer"], flags["--peer-url"], flags.get("--peer-route", "/predict_single/"))
        elif words[0] == "durable":
            durable(rest, folder, settings)
        elif words[0] == "slo":
            slo(rest, folder, settings)
        elif words[0] == "start":
            start(folder, settings)
        else:
            soak(rest[:-1], folder, settings, int(rest[-1]))


main()
