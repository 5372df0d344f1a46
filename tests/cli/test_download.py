"""data download against a local server: what is fetched, resumed, refused, and what stays behind."""

import json
import os
import pty
import resource
import signal
import ssl
import subprocess
import threading
import time

import pytest
from cli.http_support import chunked, kept_port, md5, ranged, redirect, serve, stall, status, whole

DATA = bytes(range(256)) * 400 + b"the end"  # 100 kB
FAST = ["net.backoff_s=0.01", "net.stall_timeout_s=30", "net.retries=3"]
DENIED = ["KAGGLE_USERNAME", "KAGGLE_KEY", "fakenews data download welfake"]


@pytest.fixture
def download(fakenews, tmp_path):
    """download(what, …) into tmp_path/d."""

    def run(what, *arguments, **more):
        return fakenews("data", "download", what, "--out", tmp_path / "d", *FAST, *arguments, **more)

    return run


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "d"


def left(folder):
    """Names in the folder, without the receipt."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != "download.json")


# ---- the plain way


def test_file_appears_with_a_receipt_and_a_second_call_does_nothing(download, serve, folder):
    server = serve(ranged(DATA))
    done = download(server.url + "/sets/news.csv?version=3#top")
    assert (done.code, done.stdout) == (0, f"{folder}/news.csv\n"), done
    assert (folder / "news.csv").read_bytes() == DATA and left(folder) == ["news.csv"]
    assert md5(DATA) in done.stderr and f"next: fakenews data prepare --input {folder}/news.csv" in done.stderr
    receipt = json.loads((folder / "download.json").read_text())
    assert receipt["downloads"][0]["url"] == server.url + "/sets/news.csv?version=3"
    assert receipt["downloads"][0]["md5"] == md5(DATA) and receipt["downloads"][0]["files"][0]["name"] == "news.csv"
    assert server.headers("Accept-Encoding") == [None] and server.headers("User-Agent")[0].startswith("fakenews/")
    again = download(server.url + "/sets/news.csv?version=3")
    assert (again.code, again.stdout) == (0, done.stdout) and "nothing was fetched" in again.stderr, again
    assert len(server.requests) == 1


def test_two_addresses_share_a_folder(download, serve, folder):
    server = serve(whole(DATA))
    assert download(server.url + "/a.csv").code == 0 and download(server.url + "/b.csv").code == 0
    assert [d["files"][0]["name"] for d in json.loads((folder / "download.json").read_text())["downloads"]] == ["a.csv", "b.csv"]


def test_changed_file_is_noticed_and_replaced_only_when_told(download, serve, folder):
    server = serve(whole(DATA))
    assert download(server.url + "/a.csv").code == 0
    (folder / "a.csv").write_text("mine")
    done = download(server.url + "/a.csv")
    assert done.code == 2 and "a.csv is there already" in done.stderr and "--replace" in done.stderr, done
    assert (folder / "a.csv").read_text() == "mine" and left(folder) == ["a.csv"]
    assert download(server.url + "/a.csv", "--replace").code == 0
    assert (folder / "a.csv").read_bytes() == DATA


def test_file_known_by_its_checksum_is_not_fetched(download, serve, folder):
    server = serve(status(500))
    folder.mkdir()
    (folder / "a.csv").write_bytes(DATA)
    done = download(server.url + "/a.csv", "--md5", md5(DATA).upper())
    assert done.code == 0 and "nothing was fetched" in done.stderr and not server.requests, done
    done = download(server.url + "/b.csv", "--name", "a.csv", "--md5", md5(b""))
    assert done.code == 2 and "is another file" in done.stderr and not server.requests, done


def test_file_address(download, folder, tmp_path):
    (tmp_path / "in put.csv").write_bytes(DATA)
    done = download(f"file://{tmp_path}/in%20put.csv")
    assert (done.code, done.stdout) == (0, f"{folder}/in put.csv\n"), done
    assert f"--input '{folder}/in put.csv'" in done.stderr
    done = download(f"file://{tmp_path}/none.csv")
    assert done.code == 2 and "no such file" in done.stderr, done


def test_quiet_prints_paths_alone(download, serve, folder):
    done = download(serve(whole(DATA)).url + "/a.csv", "--quiet")
    assert (done.code, done.stdout, done.stderr) == (0, f"{folder}/a.csv\n", ""), done


def test_columns_that_are_called_otherwise_are_named(download, serve):
    done = download(serve(whole(b"headline,body,label\na,b,0\n")).url + "/a.csv")
    assert "data.columns.title=… data.columns.text=…" in done.stderr and "headline, body, label" in done.stderr, done


def test_compressed_file_stays_compressed(download, serve, folder):
    import gzip

    packed = gzip.compress(b"title,text,label\n")
    done = download(serve(whole(packed, Content_Encoding="gzip")).url + "/a.csv.gz")
    assert done.code == 0 and (folder / "a.csv.gz").read_bytes() == packed, done


def test_web_page_is_noticed(download, serve):
    server = serve(whole(b"\n<!DOCTYPE HTML><title>Log in</title>"), whole(DATA))
    assert "what came is a web page" in download(server.url + "/a.csv").stderr
    assert "web page" not in download(server.url + "/b.csv").stderr


def test_progress_on_a_terminal(program, serve, tmp_path):
    seen = threading.Event()
    server = serve(slow(DATA, seen))
    main, side = pty.openpty()
    run = subprocess.Popen([program, "data", "download", server.url + "/a.csv", "--out", tmp_path / "d"], stderr=side,
                           stdout=subprocess.PIPE, env={"HOME": str(tmp_path), "LC_ALL": "C.UTF-8"})
    os.close(side)
    shown = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if b"/s  ETA " in shown and b"[==" in shown:
            seen.set()
    assert run.wait() == 0
    os.close(main)
    assert b"\r\x1b[K" in shown and b"of 102.4 kB" in shown and b"/s  ETA " in shown and b"[==" in shown, shown


def slow(data, enough, pause=0.15, pieces=200):
    """Piece by piece, until there is enough."""

    def step(h):
        h.head(200, Content_Length=len(data), ETag='"v1"')
        for i in range(pieces):
            h.wfile.write(data[len(data) * i // pieces : len(data) * (i + 1) // pieces])
            enough.wait(pause)

    return step


# ---- names

NAMES = {
    "the header's": ("/export?id=7", 'attachment; filename="x y.csv"', "x y.csv"),
    "the header's before the address's": ("/files/a.csv/content", "attachment; filename=a.csv", "a.csv"),
    "UTF-8": ("/x", "attachment; filename=\"a.csv\"; filename*=UTF-8''n%C3%A9ws.csv", "néws.csv"),
    "no way up": ("/x", 'attachment; filename="../../etc/passwd"', "passwd"),
    "no way up, encoded": ("/x", "attachment; filename*=UTF-8''..%2f..%2fetc%2fpasswd", "passwd"),
    "no way up in the address": ("/a/..%2f..%2fhome%2fevil.csv", None, "evil.csv"),
    "no hidden file": ("/.bashrc", None, "_bashrc"),
    "no folder": ("/x/", 'attachment; filename=".."', "download"),
    "no control characters": ("/a%0d%0a%1b%5b2Jb.csv", None, "a___[2Jb.csv"),
    "a colon": ("/a:b.csv", None, "a:b.csv"),
    "not our own": ("/download.json", None, "_download.json"),
    "too long": ("/" + "a" * 300 + ".csv", None, "a" * 196 + ".csv"),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_are_safe(download, serve, folder, case):
    path, disposition, name = NAMES[case]
    done = download(serve(whole(DATA, **({"Content_Disposition": disposition} if disposition else {}))).url + path)
    assert done.code == 0 and (folder / name).read_bytes() == DATA, done
    assert done.stdout == f"{folder}/{name}\n" and sorted(os.listdir(folder.parent)) == ["d"]
    assert "nothing was fetched" in download(json.loads((folder / "download.json").read_text())["downloads"][0]["url"]).stderr


# ---- broken transfers

CUT = len(DATA) // 3
GO_ON = {
    "the connection breaks": [whole(DATA, send=CUT), ranged(DATA)],
    "twice": [whole(DATA, send=CUT), status(503), ranged(DATA)],
    "chunks end early": [chunked(DATA, CUT, last=False), ranged(DATA)],
    "the server falls silent": [stall(DATA, CUT), ranged(DATA)],
    "by date alone": [whole(DATA, None, CUT, Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT"),
                      ranged(DATA, "Mon, 01 Jan 2024 00:00:00 GMT")],
}  # fmt: skip


@pytest.mark.parametrize("case", GO_ON)
def test_broken_transfer_goes_on(download, serve, folder, case):
    server = serve(*GO_ON[case])
    done = download(server.url + "/a.csv", *["net.stall_timeout_s=1"] * (case == "the server falls silent"))
    assert done.code == 0 and (folder / "a.csv").read_bytes() == DATA and left(folder) == ["a.csv"], done
    assert server.headers("Range")[0] is None and server.headers("Range")[-1] == f"bytes={CUT}-"
    assert server.headers("If-Range")[-1] in ('"v1"', "Mon, 01 Jan 2024 00:00:00 GMT")
    assert "next attempt in" in done.stderr and "goes on after 34.1 kB" in done.stderr


NEW = b"another file " * 5000
START_AGAIN = {
    "the file changed": [whole(DATA, send=CUT), ranged(NEW, '"v2"')],
    "no ranges": [whole(NEW, send=CUT), whole(NEW)],
    "no validator": [whole(NEW, None, CUT), ranged(NEW)],
    "a weak validator": [whole(NEW, 'W/"v1"', CUT), ranged(NEW)],
    "another part than was asked for": [whole(NEW, send=CUT), lambda h: h.head(206, Content_Range="bytes 5-9/65000", Content_Length=5), ranged(NEW)],
    "a part of a file of another length": [whole(DATA, send=CUT), lambda h: h.head(206, Content_Range=f"bytes {CUT}-64999/65000", Content_Length=65000 - CUT), ranged(NEW)],
    "a part of another file": [whole(DATA, send=CUT), lambda h: h.head(206, Content_Range=f"bytes {CUT}-{len(DATA) - 1}/{len(DATA)}", ETag='"v2"', Content_Length=len(DATA) - CUT), ranged(NEW)],
    "a part without its place": [whole(DATA, send=CUT), lambda h: h.head(206, Content_Length=3), ranged(NEW)],
    "the file became shorter": [whole(DATA, send=CUT), status(416, Content_Range="bytes */10"), ranged(NEW)],
    "more than was said": [whole(DATA, send=CUT), lambda h: (h.head(206, Content_Range=f"bytes {CUT}-{len(DATA) - 1}/{len(DATA)}", Transfer_Encoding="chunked"), h.chunk(DATA)), ranged(NEW)],
}  # fmt: skip


@pytest.mark.parametrize("case", START_AGAIN)
def test_part_that_does_not_fit_starts_again(download, serve, folder, case):
    server = serve(*START_AGAIN[case])
    done = download(server.url + "/a.csv")
    assert done.code == 0 and (folder / "a.csv").read_bytes() == NEW and left(folder) == ["a.csv"], done


def test_whole_part_is_recognised(download, serve, folder):
    server = serve(chunked(DATA, last=False), ranged(DATA))
    done = download(server.url + "/a.csv")
    assert done.code == 0 and (folder / "a.csv").read_bytes() == DATA, done
    assert server.headers("Range")[1] == f"bytes={len(DATA)}-" and len(server.requests) == 2


def test_next_call_goes_on(download, serve, folder):
    server = serve(whole(DATA, send=CUT), status(503), status(503), status(503), ranged(DATA))
    done = download(server.url + "/a.csv")
    assert done.code == 1 and "4 attempts failed in a row" in done.stderr and "HTTP 503" in done.stderr, done
    assert f"{CUT} bytes are kept in {folder}/a.csv.part" in done.stderr
    assert left(folder) == ["a.csv.part", "a.csv.part.json"] and (folder / "a.csv.part").read_bytes() == DATA[:CUT]
    done = download(server.url + "/a.csv")
    assert done.code == 0 and (folder / "a.csv").read_bytes() == DATA and left(folder) == ["a.csv"], done
    assert server.headers("Range")[-1] == f"bytes={CUT}-"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"url":1}', '{"url":"http://elsewhere/a.csv"}'])
def test_part_without_its_state_is_not_trusted(download, serve, folder, damage):
    server = serve(ranged(DATA))
    folder.mkdir()
    (folder / "a.csv.part").write_bytes(b"x" * 1000)
    if damage:
        (folder / "a.csv.part.json").write_text(damage)
    done = download(server.url + "/a.csv")
    assert done.code == 0 and (folder / "a.csv").read_bytes() == DATA and server.headers("Range") == [None], done


def test_bytes_behind_the_length_are_no_part_of_the_file(download, serve, folder):
    """Content-Length is where an answer ends (RFC 9112, 6.3); a checksum finds out that it was too short."""
    server = serve(whole(DATA, length=CUT))
    assert download(server.url + "/a.csv").code == 0 and (folder / "a.csv").read_bytes() == DATA[:CUT]
    done = download(server.url + "/b.csv", "--md5", md5(DATA))
    assert done.code == 1 and f"md5 {md5(DATA[:CUT])} instead of {md5(DATA)}" in done.stderr, done
    assert left(folder) == ["a.csv"]


# ---- what the server answers


def test_server_that_recovers(download, serve, folder):
    server = serve(status(500), status(502), status(429, Retry_After=1), whole(DATA))
    begin = time.monotonic()
    done = download(server.url + "/a.csv")
    assert done.code == 0 and (folder / "a.csv").read_bytes() == DATA and len(server.requests) == 4, done
    assert time.monotonic() - begin >= 1 and "too many requests; next attempt in 1.0 s" in done.stderr


@pytest.mark.parametrize("code, n_requests, exit_code, said", [
    (503, 4, 1, "HTTP 503 (4 attempts failed in a row)"), (501, 1, 1, "HTTP 501"), (404, 1, 2, "HTTP 404: not there"),
    (410, 1, 2, "HTTP 410"), (401, 1, 2, "HTTP 401: the server refuses access"), (403, 1, 2, "HTTP 403"),
    (400, 1, 1, "HTTP 400"), (304, 1, 1, "HTTP 304"), (206, 4, 1, "another part than was asked for"),
])  # fmt: skip
def test_server_that_refuses(download, serve, folder, code, n_requests, exit_code, said):
    server = serve(status(code))
    done = download(server.url + "/a.csv")
    assert (done.code, done.stdout) == (exit_code, "") and said in done.stderr and len(server.requests) == n_requests, done
    assert left(folder) == [] and "kept" not in done.stderr


def test_server_that_asks_for_too_long_a_wait(download, serve):
    server = serve(status(429, Retry_After=3600))
    done = download(server.url + "/a.csv")
    assert done.code == 1 and "asks to wait 3600 s; net.max_wait_s" in done.stderr and len(server.requests) == 1, done


def test_no_server(download):
    with kept_port() as port:
        done = download(f"http://127.0.0.1:{port}/a.csv")
    assert done.code == 1 and "4 attempts failed" in done.stderr and "Failed to connect" in done.stderr, done


@pytest.mark.parametrize("answer", [lambda h: h.wfile.write(b"nonsense\r\n\r\n"), lambda h: None,
                                    lambda h: (h.head(200, Transfer_Encoding="chunked"), h.wfile.write(b"zz\r\nabc\r\n"))])  # fmt: skip
def test_answer_that_is_none(download, serve, folder, answer):
    done = download(serve(answer).url + "/a.csv")
    assert done.code == 1 and left(folder) == [], done


@pytest.mark.parametrize("steps", [[whole(DATA)], [chunked(DATA)], [whole(DATA, send=CUT), ranged(DATA)]])
def test_size_is_bounded(download, serve, folder, steps):
    done = download(serve(*steps).url + "/a.csv", f"net.max_bytes={CUT + 5}")
    assert done.code == 2 and "net.max_bytes" in done.stderr and not (folder / "a.csv").exists(), done


# ---- redirects


def test_redirects_are_followed_and_resumed_from_the_first_address(download, serve, folder):
    other = serve(whole(DATA, send=CUT), ranged(DATA))
    server = serve(redirect("/b.csv?x=1", 301), redirect(other.url + "/c/signed", 307), redirect(other.url + "/c/signed"))
    done = download(server.url + "/a.csv")
    assert done.code == 0 and (folder / "a.csv").read_bytes() == DATA, done
    assert server.paths() == ["/a.csv", "/b.csv?x=1", "/a.csv"] and other.headers("Range") == [None, f"bytes={CUT}-"]


def test_redirects_end(download, serve):
    server = serve(redirect("/a.csv"))
    done = download(server.url + "/a.csv", "net.max_redirects=5")
    assert done.code == 1 and "more than 5 redirects" in done.stderr and len(server.requests) == 6, done


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:70/x", "dict://127.0.0.1/x"])
def test_redirect_elsewhere_is_refused(download, serve, folder, target):
    done = download(serve(redirect(target)).url + "/a.csv")
    assert done.code == 2 and "redirect" in done.stderr and left(folder) == [], done


def test_redirect_without_a_target(download, serve):
    done = download(serve(status(302)).url + "/a.csv")
    assert done.code == 1 and "302 without saying where to go" in done.stderr, done


def test_password_stays_with_its_host(download, serve, folder):
    other = serve(whole(DATA))
    server = serve(redirect("/b.csv"), redirect(other.url.replace("127.0.0.1", "localhost") + "/c"))
    done = download(server.url.replace("//", "//me:se%20cret@") + "/a.csv")
    assert done.code == 0 and server.headers("Authorization") == ["Basic bWU6c2UgY3JldA=="] * 2, done
    assert other.headers("Authorization") == [None]
    assert "cret" not in done.stderr + (folder / "download.json").read_text()


def test_password_does_not_come_back(download, serve):
    server = serve(lambda h: redirect(other.url + "/x")(h), whole(DATA))
    other = serve(lambda h: redirect(server.url + "/b")(h))
    assert download(server.url.replace("//", "//me:secret@") + "/a.csv").code == 0
    assert server.headers("Authorization") == ["Basic bWU6c2VjcmV0", None] and other.headers("Authorization") == [None]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + (path.parent / "cert.pem.crt").read_text())
    return path


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_https(download, serve, folder, tls, certificate):
    server = serve(whole(DATA, send=CUT), ranged(DATA), tls=tls)
    done = download(server.url + "/a.csv")
    assert done.code == 1 and "ca-certificates" in done.stderr and not server.requests, done
    done = download(server.url + "/a.csv", env={"SSL_CERT_FILE": str(certificate)})
    assert done.code == 0 and (folder / "a.csv").read_bytes() == DATA, done


def test_no_way_from_https_to_http(download, serve, folder, tls, certificate):
    plain = serve(whole(DATA))
    server = serve(redirect(plain.url + "/a.csv"), tls=tls)
    done = download(server.url + "/a.csv", f"net.ca_file={certificate}")
    assert done.code == 2 and "from https to http" in done.stderr and not plain.requests and left(folder) == [], done
    done = download(serve(redirect(server.url + "/b.csv")).url + "/a.csv", f"net.ca_file={certificate}")
    assert done.code == 2 and "from https to http" in done.stderr and not plain.requests, done


# ---- checksums


def test_wrong_checksum(download, serve, folder):
    server = serve(whole(DATA))
    done = download(server.url + "/a.csv", "--sha256", "0" * 64)
    assert done.code == 1 and "instead of " + "0" * 64 in done.stderr and left(folder) == [], done
    assert len(server.requests) == 1


def test_wrong_checksum_after_going_on_is_tried_from_the_start(download, serve, folder):
    """A server without validators, whose file changed between two calls."""
    server = serve(whole(bytes(len(DATA)), None, CUT), status(503), status(503), status(503), ranged(DATA, None))
    assert download(server.url + "/a.csv", "--md5", md5(DATA)).code == 1
    done = download(server.url + "/a.csv", "--md5", md5(DATA))
    assert done.code == 0 and (folder / "a.csv").read_bytes() == DATA and "again from the start" in done.stderr, done
    assert server.headers("Range")[-2:] == [f"bytes={CUT}-", None]


# ---- the machine


def test_full_disk_keeps_the_part(download, program, serve, folder, tmp_path):
    server = serve(ranged(DATA))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (CUT, CUT))

    done = subprocess.run([program, "data", "download", server.url + "/a.csv", "--out", folder, *FAST], capture_output=True,
                          text=True, preexec_fn=limit, env={"HOME": str(tmp_path)})
    assert done.returncode == 1 and "a.csv.part: cannot be written" in done.stderr, done
    assert (folder / "a.csv.part").read_bytes() == DATA[:CUT] and "bytes are kept" in done.stderr
    assert download(server.url + "/a.csv").code == 0 and (folder / "a.csv").read_bytes() == DATA
    assert server.headers("Range") == [None, f"bytes={CUT}-"]


@pytest.mark.parametrize("how, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_stopped_download_goes_on(download, program, serve, folder, tmp_path, how, code):
    server = serve(stall(DATA, CUT), ranged(DATA))
    run = subprocess.Popen([program, "data", "download", server.url + "/a.csv", "--out", folder], text=True,
                           stderr=subprocess.PIPE, stdout=subprocess.PIPE, env={"HOME": str(tmp_path)})
    wait_until(lambda: (folder / "a.csv.part").exists() and (folder / "a.csv.part").stat().st_size == CUT)
    run.send_signal(how)
    out, err = run.communicate(timeout=120)
    assert (run.returncode, out) == (code, "") and (how == signal.SIGKILL or f"{CUT} bytes are kept" in err), err
    assert download(server.url + "/a.csv").code == 0 and (folder / "a.csv").read_bytes() == DATA
    assert server.headers("Range") == [None, f"bytes={CUT}-"] and left(folder) == ["a.csv"]


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_at_once(download, program, serve, folder, tmp_path):
    server = serve(stall(DATA, CUT), whole(DATA))
    run = subprocess.Popen([program, "data", "download", server.url + "/a.csv", "--out", folder], env={"HOME": str(tmp_path)})
    wait_until(lambda: (folder / "a.csv.part").exists())
    done = download(server.url + "/b.csv")
    run.kill()
    run.wait()
    assert done.code == 1 and "another download into this folder is running" in done.stderr, done
    assert download(server.url + "/b.csv").code == 0


def test_proxies_come_from_the_environment(download, serve, folder):
    proxy, server = serve(whole(DATA)), serve(whole(NEW))
    done = download("http://news.invalid/a.csv", env={"http_proxy": proxy.url})
    assert done.code == 0 and proxy.paths() == ["http://news.invalid/a.csv"], done
    assert download("http://news.invalid/b.csv", env={"ALL_PROXY": proxy.url}).code == 0 and len(proxy.requests) == 2
    assert download(server.url + "/c.csv", env={"http_proxy": proxy.url, "no_proxy": "127.0.0.1"}).code == 0
    assert download(server.url + "/d.csv", env={"HTTP_PROXY": proxy.url}).code == 0
    assert len(server.requests) == 2 and len(proxy.requests) == 2
    assert (folder / "a.csv").read_bytes() == DATA and (folder / "d.csv").read_bytes() == NEW


def test_secrets_are_hidden(fakenews):
    done = fakenews("config", "show", env={"KAGGLE_KEY": 'se"cr\\et', "https_proxy": "http://me:secret@proxy", "KAGGLE_USERNAME": "me"})
    assert done.code == 0 and "environment KAGGLE_KEY" in done.stdout and "environment KAGGLE_USERNAME" in done.stdout, done
    assert "cret" not in done.stdout and 'cr\\et' not in done.stdout


# ---- usage

USAGE = {
    "nothing": ([], "data download takes one of"),
    "two": (["welfake", "x"], "data download takes one of"),
    "no such set": (["welfak"], "accepted are welfake, kaggle:OWNER/NAME"),
    "a path": (["./news.csv"], "accepted are welfake"),
    "a scheme that is not spoken": (["ftp://127.0.0.1/x"], "http://…, https://… and file:///… are"),
    "no host": (["http://"], "no address"),
    "not a Kaggle dataset": (["kaggle:welfake"], "kaggle:OWNER/NAME"),
    "a Kaggle dataset that goes up": (["kaggle:../../x"], "kaggle:OWNER/NAME"),
    "no MD5": (["http://127.0.0.1/x", "--md5", "abc"], "32 hexadecimal digits"),
    "no SHA-256": (["http://127.0.0.1/x", "--sha256", "0" * 63], "64 hexadecimal digits"),
    "a name with a folder": (["http://127.0.0.1/x", "--name", "../x"], "cannot be the name of a file"),
    "half of the credentials": (["kaggle:a/b", "net.kaggle_username=me"], "belong together"),
    "a setting out of range": (["http://127.0.0.1/x", "net.retries=-1"], "net.retries"),
}


@pytest.mark.parametrize("case", USAGE)
def test_usage(fakenews, tmp_path, case):
    arguments, said = USAGE[case]
    done = fakenews("data", "download", *arguments, "--out", tmp_path / "d")
    assert (done.code, done.stdout) == (2, "") and said in done.stderr, done
    assert fakenews("data", "download", "welfake").code == 2


def test_foreign_receipt_is_left_alone(download, serve, folder):
    folder.mkdir()
    (folder / "download.json").write_text('{"mine": 1}')
    done = download(serve(whole(DATA)).url + "/a.csv")
    assert done.code == 2 and "not a list of downloads" in done.stderr, done
    assert (folder / "download.json").read_text() == '{"mine": 1}'


def test_folder_that_is_a_file(download, serve, folder):
    folder.write_text("x")
    assert download(serve(whole(DATA)).url + "/a.csv").code in (1, 2)
