"""A CSV of 1 GB through POST /v1/classify/csv: read, classified and answered in constant memory. Minutes; a form of 30 MB
is in tests/cli/test_csv_upload.py."""

import socket
import sys
import threading
import time

from linear_peer import REPO

sys.path.insert(0, str(REPO / "tests/cli"))

from serve_support import TEXT, Served  # noqa: E402

SIZE, ROW_BYTES = 1 << 30, 1 << 20


def rows():
    yield b"title,text\n"
    row = f'A headline of some words,"{TEXT} {"word " * (ROW_BYTES // 5)}"\n'.encode()
    for _ in range(SIZE // len(row)):
        yield row


def send(s, peaks, server):
    s.sendall(b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"large.csv\"\r\n\r\n".join([b"", b""]))
    for piece in rows():
        s.sendall(piece)
        peaks.append(server.rss_kib())
    s.sendall(b"\r\n--XX--\r\n")


def body_bytes():
    head = len(b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"large.csv\"\r\n\r\n")
    return head + sum(map(len, rows())) + len(b"\r\n--XX--\r\n")


def test_one_gigabyte(program, tmp_path):
    with Served(program, tmp_path, "serve.max_upload_bytes=2000000000", "serve.request_timeout_s=600",
                env={"TMPDIR": str(tmp_path)}) as server:
        before, peaks, length = server.rss_kib(), [], body_bytes()
        begin = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            s.settimeout(1200)
            s.sendall(f"POST /v1/classify/csv HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=XX\r\n"
                      f"Content-Length: {length}\r\n\r\n".encode())
            sender = threading.Thread(target=send, args=(s, peaks, server))
            sender.start()
            answer = s.makefile("rb")
            assert answer.readline().startswith(b"HTTP/1.1 200 ")
            n_answer = 0
            while (line := answer.readline().strip()):
                if line.lower().startswith(b"content-length:"):
                    n_answer = int(line.split(b":")[1])
            n_lines = left = 0
            left = n_answer
            while left:
                piece = answer.read(min(1 << 20, left))
                n_lines += piece.count(b"\n")
                left -= len(piece)
                peaks.append(server.rss_kib())
            sender.join()
        seconds = time.monotonic() - begin
        print(f"\n{length} bytes in, {n_answer} out, {n_lines - 1} rows in {seconds:.0f} s; "
              f"RSS {before} KiB before, {max(peaks)} KiB at most")
        assert n_lines - 1 == sum(1 for _ in rows()) - 1 and n_answer > SIZE * 0.99
        assert max(peaks) - before < 48 << 10
        assert server.stop() == 0, server.log
