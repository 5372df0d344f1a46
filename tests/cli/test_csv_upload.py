"""CSV uploads: streamed both ways, answers as `fakenews predict` gives them, errors before the answer begins."""

import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from serve_support import MODEL, TEXT, Served

ROWS = [("Council approves budget", TEXT), ("Bridge, repaired", 'He said "in spring".\nNot before.'), ("", ""),
        ("=SUM(A1)", TEXT), ("Ünïcode titles are read", TEXT)]


def table(rows=ROWS, header=("title", "text")):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([header, *rows])
    return out.getvalue().encode()


def form(data, name="articles.csv", field="file", extra=()):
    """As browsers and `requests` send it: content type, body."""
    parts = [f'--XX\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in extra]
    parts.append(f'--XX\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
                 "Content-Type: text/csv\r\n\r\n".encode() + data + b"\r\n--XX--\r\n")
    return "multipart/form-data; boundary=XX", b"".join(parts)


def post(server, path, content_type, body, **headers):
    return server.request("POST", path, body, {"Content-Type": content_type, **headers})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("upload")


@pytest.fixture(scope="module")
def server(program, folder):
    with Served(program, folder, "serve.workers=1", "serve.max_uploads=2", "serve.max_upload_rows=2000",
                "serve.max_upload_bytes=40000000", "serve.request_timeout_s=600", env={"TMPDIR": str(folder)}) as server:
        server.get("/healthz")
        server.base_threads = n_threads(server)  # uploads have one each
        yield server
        assert server.stop() == 0, server.log


def rows_of(answer):
    assert answer.status == 200, answer
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


def expected(program, folder, data):
    (folder / "input.csv").write_bytes(data)
    done = subprocess.run([program, "predict", "--model", MODEL, folder / "input.csv", "--format", "csv"],
                          capture_output=True, text=True, encoding="utf-8")
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_as_predict(server, program, folder):
    want = expected(program, folder, table())
    for kind, body in (("text/csv", table()), form(table()), form(table(), extra=[("csrf", "a" * 300)])):
        answer = post(server, "/v1/classify/csv?raw=1", kind, body)
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        got = rows_of(answer)
        assert [r.pop("error") != "" for r in got] == [False, False, True, False, False]
        assert got == [{k: v for k, v in r.items() if k != "error"} for r in want]


def test_formulas_are_escaped_unless_raw(server):
    cells = ["=1", "+1", "-1", "@a", "\ta", "\ra", "a=1", "'=1", ""]
    data = table([("A headline of five words", TEXT, c) for c in cells], ("title", "text", "=note"))
    got = rows_of(post(server, "/v1/classify/csv", *form(data)))
    assert [r["'=note"] for r in got] == ["'" + c for c in cells[:6]] + cells[6:]
    assert [r["=note"] for r in rows_of(post(server, "/v1/classify/csv?raw=1", *form(data)))] == cells


def test_mark_for_excel_and_name_of_the_download(server):
    answer = post(server, "/v1/classify/csv?bom=1", *form(table(), name="../a\\b c.csv"))
    assert answer.body.startswith(b"\xef\xbb\xbftitle,")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="b c-verdicts.csv"'
    assert not post(server, "/v1/classify/csv?bom=0", *form(table())).body.startswith(b"\xef")


def test_json_lines(server):
    answer = post(server, "/v1/classify/csv", "text/csv", table(), Accept="application/jsonl")
    assert answer.headers["Content-Type"] == "application/jsonl"
    got = [json.loads(line) for line in answer.body.splitlines()]
    assert [r["row"] for r in got] == [0, 1, 2, 3, 4] and ["error" in r for r in got] == [i == 2 for i in range(5)]
    assert got[4]["title"] == ROWS[4][0]


def test_other_delimiters_and_encodings(server):
    data = "title;text\nDer Rat tagt über Brücken;Ein Text\n".encode("cp1252")
    got = rows_of(post(server, "/v1/classify/csv", "text/csv", data))
    assert got[0]["title"] == "Der Rat tagt über Brücken"


def test_chunked_and_in_small_pieces(server):
    kind, body = form(table())
    want = post(server, "/v1/classify/csv", kind, body).body
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as s:
        s.sendall(f"POST /v1/classify/csv HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n".encode())
        for i in range(0, len(body), 7):
            s.sendall(b"%x\r\n%s\r\n" % (len(body[i:i + 7]), body[i:i + 7]))
        s.sendall(b"0\r\n\r\n")
        data = b""
        while (more := s.recv(65536)):
            data += more
    assert data.endswith(want) and b" 200 " in data.split(b"\r\n")[0]


# ---- the second predecessor's form

def test_titles_stay_with_their_rows(server):
    titles = [f"Council number {i} meets in town {i * 7 % 100}" for i in range(1000)]
    answer = post(server, "/predict/?batch_size=32&max_length=15", *form(table([(t,) for t in titles], ("title",))))
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    assert [r["title"] for r in answer.json] == titles
    assert all(list(r) == ["title", "prediction", "predicted_label", "probability"] for r in answer.json)
    for i in (0, 31, 32, 33, 500, 999):  # from row 33 on the predecessor gave other rows' titles
        assert answer.json[i] == server.post("/predict_single/", {"title": titles[i]}).json


# As python-requests 2.32 sends the page's and the tests' file.
RECORDED = (b"--5e5ad8d7a1c3b7b1c1e5d5a6f3c2b1a0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"test.csv\"\r\n"
            b"Content-Type: text/csv\r\n\r\n,title,label\n0,Budget approved,0\n1,Moon is rented to strangers,1\n"
            b"2,School gets a new roof,0\n\r\n--5e5ad8d7a1c3b7b1c1e5d5a6f3c2b1a0--\r\n")


@pytest.mark.parametrize("path", ["/predict/", "/predict", "/predict/?batch_size=0", "/predict?batch_size=1&x=y",
                                  "/predict/?batch_size=100000"])
def test_titles_as_recorded(server, path):
    answer = post(server, path, "multipart/form-data; boundary=5e5ad8d7a1c3b7b1c1e5d5a6f3c2b1a0", RECORDED)
    assert answer.status == 200 and [r["title"] for r in answer.json] == [
        "Budget approved", "Moon is rented to strangers", "School gets a new roof"], answer
    assert all((r["prediction"], r["predicted_label"]) in [("real", 0), ("fake", 1)] for r in answer.json)


def validation(kind, *loc):
    return lambda answer: answer["detail"][0]["type"] == kind and answer["detail"][0]["loc"] == list(loc)


@pytest.mark.parametrize("path, body, says", [
    ("/predict/", form(b"title\na\n", name="a.txt"), "Invalid file type. Please upload a CSV file."),
    ("/predict/", form(b"title\n"), "Uploaded CSV file is empty."),
    ("/predict/", form(b""), "Uploaded CSV file is empty."),
    ("/predict/", form(b"text\na\n"), 'Uploaded CSV file has no column "title".'),
    ("/predict/", form(b"title,n\nA headline,1\n,2\n"), "Row 2 has no title."),
    ("/predict/", form(b'title\n"a'), "quote"),
    ("/predict/", form(b"title\n\x81\xfe\x00\x01\n"), ""),
    ("/predict/", form(b"title\na\n", field="upload"), validation("missing", "body", "file")),
    ("/predict/", ("multipart/form-data; boundary=XX", b"--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\na"
                   b"\r\n--XX--\r\n"), validation("value_error", "body", "file")),
    ("/predict/?batch_size=a", form(b"title\na\n"), validation("int_parsing", "query", "batch_size")),
    ("/predict/?batch_size=-1", form(b"title\na\n"), validation("greater_than_equal", "query", "batch_size")),
])
def test_titles_refused(server, path, body, says):
    answer = post(server, path, *body)
    assert answer.status == 422, answer
    assert says(answer.json) if callable(says) else says in answer.json["detail"], answer


def test_long_titles_are_counted(server):
    answer = post(server, "/predict/", *form(table([("word " * 600,), ("Five words are in here",)], ("title",))))
    assert answer.status == 200 and answer.headers["X-Truncated"] == "1"


# ---- refusals

@pytest.mark.parametrize("kind, body, status, says", [
    ("application/json", b"{}", 415, "text/csv"),
    ("text/csv", b"", 422, "empty"),
    ("text/csv", b"a,b\n1,2\n", 422, "column"),
    ("text/csv", b"title,verdict\n1,2\n", 422, "verdict"),
    ("text/csv", b'title\n"never closed', 422, "quote"),
    ("text/csv", b"\x1f\x8b\x08\x00abc", 415, "packed"),
    ("text/csv", b"title\n" + b"a\n" * 2001, 413, "serve.max_upload_rows"),
    ("multipart/form-data", b"--XX--", 422, "boundary"),
    ("multipart/form-data; boundary=YY", form(b"title\na\n")[1], 422, "closing boundary"),
    ("multipart/form-data; boundary=XX", form(b"title\na\n")[1][:-6], 422, "closing boundary"),
    ("multipart/form-data; boundary=XX", form(b"title\na\n", field="f")[1], 422, '"file"'),
    ("multipart/form-data; boundary=XX", b"--XX\r\nX: y\r\n\r\n\r\n--XX--", 422, "Content-Disposition"),
    ("multipart/form-data; boundary=XX", b"--XX\r\nX: " + b"y" * 9000, 413, "head"),
])
def test_refused(server, kind, body, status, says):
    answer = post(server, "/v1/classify/csv", kind, body)
    assert answer.status == status and answer.headers["Content-Type"] == "application/problem+json", answer
    assert says in answer.json["detail"], answer


def begin(server, length, kind="text/csv", expect=False):
    s = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    s.sendall(f"POST /v1/classify/csv HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n"
              f"{'Expect: 100-continue' + chr(13) + chr(10) if expect else ''}\r\n".encode())
    return s


def test_too_long_is_refused_at_once(server):
    with begin(server, 40000001, expect=True) as s:
        assert s.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_at_most_so_many_at_a_time(server):
    wait_for(lambda: n_threads(server) <= server.base_threads)  # those of the tests before are gone
    with begin(server, 1000), begin(server, 1000):
        wait_for(lambda: n_threads(server) >= server.base_threads + 2)
        answer = post(server, "/v1/classify/csv", "text/csv", table())
        assert answer.status == 503 and answer.headers["Retry-After"] == "5", answer
    wait_for(lambda: post(server, "/v1/classify/csv", "text/csv", table()).status == 200)


def n_threads(server):
    return len(os.listdir(f"/proc/{server.process.pid}/task"))


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def temporary_files(server, folder):
    found = []
    for fd in Path(f"/proc/{server.process.pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
        except OSError:
            continue
        if str(folder) in target and "deleted" in target:
            found.append(target)
    return found


def large(n_bytes, row_bytes=60000):
    """Rows with few words that are read and much that is not."""
    row = f'A headline of some words,"{TEXT} {"word " * (row_bytes // 5)}"\n'.encode()
    yield b"title,text\n"
    for _ in range(n_bytes // len(row)):
        yield row


def test_large_upload_in_constant_memory(server, folder):
    pieces = list(large(30_000_000, 300_000))
    before = server.rss_kib()
    with begin(server, sum(map(len, pieces))) as s:
        s.settimeout(120)
        for piece in pieces:
            s.sendall(piece)
        wait_for(lambda: temporary_files(server, folder))
        answer = s.makefile("rb")
        assert answer.readline().startswith(b"HTTP/1.1 200 ")
        length = 0
        while (line := answer.readline().strip()):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        n = 0
        while n < length:
            n += len(answer.read(min(1 << 20, length - n)))
    assert n > 29_000_000
    assert server.rss_kib() - before < 24 << 10
    wait_for(lambda: not temporary_files(server, folder))


def test_client_that_leaves_in_the_middle(server, folder):
    wait_for(lambda: n_threads(server) <= server.base_threads)
    for n_bytes, last in ((0, b""), (20, b""), (3_000_000, b""), (0, b"title\n")):
        s = begin(server, 10_000_000)
        for piece in large(n_bytes, 60000):
            s.sendall(piece[:n_bytes])
        wait_for(lambda: n_threads(server) > server.base_threads)
        if last:  # one event for these bytes and the end, which libmicrohttpd takes for the bytes alone
            server.process.send_signal(signal.SIGSTOP)
            wait_for(lambda: Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
            s.sendall(last)
        s.close()
        server.process.send_signal(signal.SIGCONT)
        wait_for(lambda: n_threads(server) <= server.base_threads and not temporary_files(server, folder))
    assert not [f for f in os.listdir(folder) if f.startswith("fakenews-upload")]
    assert post(server, "/v1/classify/csv", "text/csv", table()).status == 200


def test_no_folder_for_temporary_files(program, tmp_path):
    with Served(program, tmp_path, "serve.workers=1", env={"TMPDIR": str(tmp_path / "missing")}) as server:
        assert post(server, "/v1/classify/csv", "text/csv", table()).status == 200  # small answers need none
        data = b"".join(large(2_000_000, 300_000))
        answer = post(server, "/v1/classify/csv", "text/csv", data)
        assert answer.status == 500 and str(tmp_path / "missing") in answer.json["detail"], answer
        assert server.stop() == 0


def test_end_of_the_server_in_mid_upload(program, tmp_path):
    limits = ("serve.shutdown_timeout_s=1", "serve.request_timeout_s=600")
    with Served(program, tmp_path, "serve.workers=1", *limits) as server:
        base = n_threads(server)
        with begin(server, 10_000_000) as s:
            s.sendall(b"title\nA headline of five words\n")
            wait_for(lambda: n_threads(server) > base)
            assert server.stop() == 0, server.log  # in 60 s, and not after those of a request


def test_rows_are_recorded_once(program, tmp_path):
    with Served(program, tmp_path, "serve.workers=1") as server:
        key = {"Idempotency-Key": "upload-1"}
        first = post(server, "/v1/classify/csv", "text/csv", table(), **key)
        again = post(server, "/v1/classify/csv", "text/csv", table(), **key)
        assert first.status == 200 and first.body == again.body
        metrics = server.get("/metrics").body.decode()
        written = re.search(r"^fakenews_log_rows_total\S* (\d+)|^fakenews_log_written_total (\d+)", metrics, re.M)
        assert written and (written[1] or written[2]) == "4", metrics
        other = post(server, "/v1/classify/csv", "text/csv", table([("Another title than before", "x")]), **key)
        assert other.status == 422 and "Idempotency-Key" in other.json["detail"], other
