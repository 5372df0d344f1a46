"""Requests to an API (src/net/call.h) against a local server that does the wrong things too, through call_probe."""

import json
import os
import subprocess
import time

import pytest
from cli.http_support import chunked, redirect, serve, stall, status, whole

from conftest import REPO

TOOLS = os.environ.get("FN_TOOLS", str(REPO / "build/dev/tests/tools"))
FAST = {"net.backoff_s": "0.01", "net.stall_timeout_s": "30", "net.retries": "2"}
SECRET = "s3cr3t-t0ken-value"


def call(method, url, *words, **settings):
    """Words and values, in pairs; the answer as call_probe tells it."""
    more = [part for pair in {**FAST, **settings}.items() for part in pair]
    done = subprocess.run([f"{TOOLS}/call_probe", method, url, *map(str, words), *more], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr == "", done
    return json.loads(done.stdout)


def test_body_headers_and_query_travel_as_given(serve, tmp_path):
    server = serve(lambda h: h.head(201, Content_Length=0, ETag='"e"', X_Note="a: b"))
    answer = call("POST", server.url + "/api?a=1", "body", '{"x": 1}', "header", "Content-Type: application/json", "header",
                  "X-Empty:", "query", "q=a b&c=ü", "query", "n=")
    request = server.requests[0]
    assert answer["status"] == 201 and answer["outcome"] == answer["check"] == "ok"
    assert answer["etag"] == '"e"' and "X-Note: a: b" in answer["headers"]
    assert request.body == b'{"x": 1}' and request.path == "/api?a=1&q=a%20b%26c%3D%C3%BC&n="
    assert request.headers["Content-Type"] == "application/json" and request.headers["X-Empty"] == ""
    assert request.headers["Expect"] is None and request.headers["Transfer-Encoding"] is None
    source = tmp_path / "file"
    source.write_bytes(bytes(range(256)) * 1000)
    answer = call("PUT", server.url, "file", source, "offset", 10, "length", 200_000)
    assert answer["status"] == 201 and server.requests[1].body == source.read_bytes()[10:200_010]
    assert call("DELETE", server.url)["status"] == 201 and server.requests[2].command == "DELETE"
    call("POST", server.url)
    assert server.requests[3].headers["Content-Length"] == "0"


def test_file_shorter_than_said_is_an_error(serve, tmp_path):
    server = serve(status(200))
    (tmp_path / "file").write_bytes(b"abc")
    answer = call("PUT", server.url, "file", tmp_path / "file", "length", 10)
    assert answer["outcome"] == "io" and "shorter" in answer["message"]


def test_answer_in_memory_is_bounded_and_a_sink_is_not(serve):
    server = serve(whole(b"x" * 5000))
    assert call("GET", server.url, "max", 5000)["body"] == "x" * 5000
    answer = call("GET", server.url, "max", 4999)
    assert answer["outcome"] == "limit" and "4999 bytes" in answer["message"] and not answer["retry"]
    answer = call("GET", server.url, "max", 10, "sink", 1)
    assert answer["sunk"] == "x" * 5000 and answer["body"] == "" and answer["received"] == 5000


def test_errors_text_stays_in_memory_cut_and_clean(serve):
    long = b'{"error": "no such \x1b[31mrun\x07"}' + b" pad" * 100_000
    server = serve(lambda h: (h.head(404, Content_Length=len(long)), h.wfile.write(long)))
    answer = call("GET", server.url + "/x", "max", 1000, "sink", 1)
    assert answer["outcome"] == "ok" and answer["check"] == "not_found" and answer["sunk"] == ""
    assert "HTTP 404 (not there)" in answer["check_message"] and 'no such [31mrun "}' in answer["check_message"]
    assert "\x1b" not in answer["check_message"] and len(answer["check_message"]) < 500


@pytest.mark.parametrize("code,check", [(400, "invalid"), (401, "invalid"), (403, "invalid"), (404, "not_found"), (413, "limit"),
                                        (429, "io"), (500, "io"), (501, "io"), (503, "io")])  # fmt: skip
def test_status_says_what_kind_of_failure(serve, code, check):
    answer = call("GET", serve(status(code)).url)
    assert answer["check"] == check and f"HTTP {code}" in answer["check_message"]
    assert answer["retry"] == (code in (429, 500, 503))


def test_redirects_are_refused_unless_asked_for(serve):
    server = serve(redirect("/there", 302), whole(b"here"))
    answer = call("GET", server.url)
    assert answer["outcome"] == "invalid" and "redirects to" in answer["message"] and len(server.requests) == 1
    server = serve(redirect("/there?X-Signature=abc", 302), whole(b"here"))
    answer = call("GET", server.url, "follow", 1)
    assert answer["body"] == "here" and server.paths() == ["/", "/there?X-Signature=abc"]
    server = serve(redirect("/there?X-Signature=abc", 302))
    assert call("GET", server.url, "take", 1)["status"] == 302
    assert "abc" not in call("GET", server.url)["message"]
    server = serve(status(308))
    assert call("PUT", server.url, "body", "x")["status"] == 308  # a resumable upload's answer leads nowhere


def test_redirect_of_a_body_follows_307_only(serve):
    server = serve(redirect("/there", 307), status(200))
    assert call("POST", server.url, "follow", 1, "body", "abc")["status"] == 200
    assert [r.body for r in server.requests] == [b"abc", b"abc"] and server.requests[1].command == "POST"
    server = serve(redirect("/there", 302))
    assert call("POST", server.url, "follow", 1, "body", "abc")["outcome"] == "invalid"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://x/", "//["])
def test_redirect_out_of_http_is_refused(serve, target):
    answer = call("GET", serve(redirect(target)).url, "follow", 1)
    assert answer["outcome"] == "invalid" and "redirects" in answer["message"] and answer["body"] == ""


def test_redirects_do_not_go_on_for_ever(serve):
    server = serve(redirect("/again"))
    answer = call("GET", server.url, "follow", 1, **{"net.max_redirects": "3"})
    assert answer["outcome"] == "io" and "net.max_redirects" in answer["message"] and len(server.requests) == 4


def test_credentials_go_to_their_origin_only(serve):
    other = serve(whole(b"other"))
    server = serve(redirect(other.url), redirect("/same"), whole(b"x"))
    words = ["follow", 1, "bearer", SECRET, "secret", f"X-Token: {SECRET}"]
    assert call("GET", server.url, *words)["body"] == "other"
    assert server.headers("Authorization") == [f"Bearer {SECRET}"] and server.headers("X-Token") == [SECRET]
    assert other.headers("Authorization") == [None] and other.headers("X-Token") == [None]
    assert call("GET", server.url, *words)["body"] == "x"
    assert server.headers("Authorization")[1:] == [f"Bearer {SECRET}"] * 2
    server = serve(status(204))
    call("GET", server.url.replace("//", "//me:p%40ss@"))
    call("GET", server.url, "user", "me", "password", "p@ss")
    assert server.headers("Authorization") == ["Basic bWU6cEBzcw=="] * 2


@pytest.mark.parametrize("words", [("bearer", SECRET), ("user", "me", "password", SECRET), ("secret", f"Authorization: {SECRET}")])
def test_credentials_over_plain_http_are_refused_unless_the_host_is_named(words):
    answer = call("GET", "http://tracking.invalid/api", *words)
    assert answer["outcome"] == "invalid" and "net.insecure_hosts=[tracking.invalid]" in answer["message"]
    answer = call("GET", "http://127.0.0.1.invalid/", *words)
    assert answer["outcome"] == "invalid" and "unencrypted" in answer["message"]
    answer = call("GET", "http://tracking.invalid/api", *words, **{"net.insecure_hosts": "[tracking.invalid]"})
    assert answer["outcome"] == "io" and "resolve" in answer["message"] and SECRET not in json.dumps(answer)
    assert call("GET", f"http://me:{SECRET}@tracking.invalid/")["outcome"] == "invalid"


def test_no_credential_is_shown_when_a_server_echoes_it(serve):
    def echo(h):
        text = f"you sent {dict(h.headers)}".encode()
        h.head(400, Content_Length=len(text))
        h.wfile.write(text)

    server = serve(echo)
    for words in (["bearer", SECRET], ["user", "me", "password", SECRET], ["secret", f"Authorization: AWS4 {SECRET}"],
                  ["secret", f"X-Token: {SECRET}"]):  # fmt: skip
        text = call("GET", server.url, *words)["check_message"]
        assert "***" in text and SECRET not in text and "bWU6" not in text, text
    text = call("GET", server.url.replace("//", f"//me:{SECRET}@"))["check_message"]
    assert SECRET not in text and "bWU6" not in text and "***" in text
    # In the address of a redirect, in JSON, percent-encoded.
    token = "tok/en+se=cret"
    for target in (f"https://example.org/login/{token}", "https://example.org/tok%2Fen%2Bse%3Dcret", "file:///x/tok/en%2bse%3dcret?key=hidden"):
        for words in (["bearer", token], ["secret", f"Authorization: Bearer {token}"]):
            text = call("GET", serve(redirect(target)).url, *words)["message"]
            assert "redirects to" in text and "***" in text and "cret" not in text and "hidden" not in text, text
    body = json.dumps({"you": "tok\\/en+se=cret"}).replace("\\\\", "\\").encode()
    text = call("GET", serve(lambda h: (h.head(400, Content_Length=len(body)), h.wfile.write(body))).url, "bearer", token)["check_message"]
    assert "***" in text and "cret" not in text


def test_malformed_requests_are_refused_before_they_leave(serve):
    server = serve(status(200))
    assert call("GE T", server.url)["outcome"] == "invalid"
    for words in (["header", "X: a\r\nY: b"], ["header", "X Y: a"], ["bearer", "a\nb"], ["secret", "T: a\nb"]):
        answer = call("GET", server.url, *words)
        assert answer["outcome"] == "invalid" and server.requests == [], answer
    assert call("GET", "file:///etc/passwd")["outcome"] == "invalid"


# ---- attempts


def test_temporary_answers_are_repeated_and_told(serve):
    server = serve(status(503), status(429, Retry_After=1), whole(b"fine"))
    begin = time.monotonic()
    answer = call("POST", server.url, "body", "abc", "retry", 1)
    assert answer["body"] == "fine" and [r.body for r in server.requests] == [b"abc"] * 3
    assert time.monotonic() - begin >= 1  # Retry-After
    notes = answer["notes"].splitlines()
    assert len(notes) == 2 and "HTTP 503" in notes[0] and "HTTP 429" in notes[1] and "(1.000 s)" in notes[1]


def test_attempts_end(serve):
    server = serve(status(503))
    answer = call("GET", server.url, "retry", 1)
    assert answer["status"] == 503 and answer["retry"] and len(server.requests) == 3
    server = serve(lambda h: None)
    answer = call("GET", server.url, "retry", 1)
    assert answer["outcome"] == "io" and "3 attempts failed" in answer["message"] and len(server.requests) == 3
    for final in (400, 404, 501):
        server = serve(status(final))
        assert call("GET", server.url, "retry", 1)["status"] == final and len(server.requests) == 1
    server = serve(status(503, Retry_After=3600))
    answer = call("GET", server.url, "retry", 1)
    assert answer["retry_after"] == 3600 and len(server.requests) == 1
    twice = call("GET", "http://nowhere.invalid/", "retry", 1)  # a resolver may be away for a moment
    assert len(twice["notes"].splitlines()) == 1 and "resolve" in twice["message"]


def test_cut_answer_is_fetched_again_but_never_twice_into_a_sink(serve):
    data = b"0123456789"
    server = serve(whole(data, send=5), whole(data))
    assert call("GET", server.url, "retry", 1)["body"] == data.decode()
    server = serve(whole(data, send=5), whole(data))
    answer = call("GET", server.url, "retry", 1, "sink", 1)
    assert answer["outcome"] == "io" and answer["sunk"] == "01234" and len(server.requests) == 1
    server = serve(chunked(data, send=5, last=False), chunked(data))
    assert call("GET", server.url, "retry", 1)["body"] == data.decode()


def test_silence_ends(serve):
    server = serve(stall(b"x" * 100, 10, seconds=90))
    answer = call("GET", server.url, **{"net.stall_timeout_s": "1"})
    assert answer["outcome"] == "io" and answer["retry"] and "net.stall_timeout_s" in answer["message"]
    begin = time.monotonic()
    assert call("GET", server.url, "timeout", "0.3")["outcome"] == "io" and time.monotonic() - begin < 20  # of 30, or 90
    assert call("GET", server.url, "cancel", 2)["outcome"] == "cancelled"


def test_hostile_heads(serve):
    def raw(data):
        return lambda h: h.wfile.write(data)

    flood = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(100)) + b"\r\n"
    answer = call("GET", serve(raw(flood)).url)
    assert answer["outcome"] == "limit" and "bytes of headers" in answer["message"]
    answer = call("GET", serve(raw(b"HTTP/1.1 200 OK\r\nX-A: " + b"y" * 300_000 + b"\r\n\r\n")).url)
    assert answer["outcome"] == "limit" and "a header of more than" in answer["message"]
    for data in (b"\x00\x01\x02 garbage\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc",
                 b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc"):  # fmt: skip
        answer = call("GET", serve(raw(data)).url)
        assert answer["outcome"] == "io" or answer["status"] == 0 or answer["body"] in ("", "abc"), answer
        assert len(answer["message"]) < 600


@pytest.mark.parametrize("url", [f"http://me:{SECRET}@host:99999/", f"ftp://me:{SECRET}@host/", f"http://me:{SECRET}@/", f"http://{SECRET}@[/"])
def test_addresses_that_are_refused_show_no_password(url):
    answer = call("GET", url)
    assert answer["outcome"] == "invalid" and SECRET not in answer["message"], answer
    answer = call("GET", f"http://me:{SECRET}@127.0.0.1:1/" + "x" * 9000)
    assert answer["outcome"] == "invalid" and SECRET not in answer["message"]
