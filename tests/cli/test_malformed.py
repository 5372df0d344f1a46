"""Requests that are not HTTP/1.1, are read in two ways, or ask for too much: what each is answered with, that the server
goes on answering, and that nothing hidden in one is answered as a request of its own."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from serve_support import Served

HOST = b"Host: a\r\n"
BODY = b'{"title":"a"}'
LENGTH = b"Content-Length: 13\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HIDDEN = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"


def post(headers, body=BODY, line=b"POST /v1/tokens HTTP/1.1\r\n", end=b"\r\n"):
    return line + HOST + b"Content-Type: application/json\r\n" + headers + end + body


def chunks(body, headers=CHUNKED):
    return post(headers, body)


def get(target=b"/healthz", version=b"HTTP/1.1", method=b"GET", headers=HOST):
    return method + b" " + target + b" " + version + b"\r\n" + headers + b"\r\n"


# Name, bytes, statuses of the answers, and whether the connection is open afterwards.
ROWS = [
    # What must work
    ("plain", post(LENGTH), "200 open"),
    ("leading zeros of a length", post(b"Content-Length: 0000013\r\n"), "200 open"),
    ("chunks", chunks(b"d\r\n" + BODY + b"\r\n0\r\n\r\n"), "200 closed"),
    ("two chunks", chunks(b"5\r\n" + BODY[:5] + b"\r\n8\r\n" + BODY[5:] + b"\r\n0\r\n\r\n"), "200 closed"),
    ("chunk extension", chunks(b"d;a=b\r\n" + BODY + b"\r\n0\r\n\r\n"), "200 closed"),
    ("trailer", chunks(b"d\r\n" + BODY + b"\r\n0\r\nX: y\r\n\r\n"), "200 closed"),
    ("absolute form", post(LENGTH, line=b"POST http://a/v1/tokens HTTP/1.1\r\n"), "200 open"),
    ("two requests at once", get() + HIDDEN, "200 200 open"),
    ("empty lines before", b"\r\n\r\n" + get(), "200 open"),
    ("HTTP/1.0", get(version=b"HTTP/1.0", headers=b""), "200 closed"),
    ("100-continue", post(LENGTH + b"Expect: 100-continue\r\n"), "100 200 open"),
    ("tab before a value", chunks(b"d\r\n" + BODY + b"\r\n0\r\n\r\n", b"Transfer-Encoding:\tchunked\r\n"), "200 closed"),
    ("bytes above 127 in a value", post(b"X: \xe9\r\n" + LENGTH), "200 open"),
    ("query with signs", get(target=b"/healthz?a=1&b=%26+c&=&&d"), "200 open"),
    ("empty Host", get(headers=b"Host:\r\n"), "200 open"),
    ("upgrade that is not taken", get(headers=HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"), "200 open"),
    ("body of a GET", get(headers=HOST + b"Content-Length: 5\r\n") + b"hello", "200 open"),
    # One length, told once
    ("same length twice", post(LENGTH + LENGTH), "400 closed"),
    ("two lengths", post(LENGTH + b"Content-Length: 5\r\n"), "400 closed"),
    ("two lengths, the shorter first", post(b"Content-Length: 0\r\n" + LENGTH) + HIDDEN, "400 closed"),
    ("length and chunks", chunks(b"d\r\n" + BODY + b"\r\n0\r\n\r\n", LENGTH + CHUNKED), "400 closed"),
    ("chunks and length", chunks(b"0\r\n\r\n" + HIDDEN, CHUNKED + b"Content-Length: 5\r\n"), "400 closed"),
    ("list of lengths", post(b"Content-Length: 13, 13\r\n"), "400 closed"),
    ("negative length", post(b"Content-Length: -13\r\n"), "400 closed"),
    ("length with plus", post(b"Content-Length: +13\r\n"), "400 closed"),
    ("hexadecimal length", post(b"Content-Length: 0xd\r\n"), "400 closed"),
    ("length with a point", post(b"Content-Length: 13.0\r\n"), "400 closed"),
    ("empty length", post(b"Content-Length:\r\n"), "400 closed"),
    ("space after the length", post(b"Content-Length: 13 \r\n"), "400 closed"),
    ("length beyond 64 bits", post(b"Content-Length: 18446744073709551629\r\n"), "413 closed"),
    ("length of 23 digits", post(b"Content-Length: 99999999999999999999999\r\n"), "413 closed"),
    ("length of 1 GB", post(b"Content-Length: 1073741824\r\n"), "413 closed"),
    ("1 GB, asked before", post(b"Content-Length: 1073741824\r\nExpect: 100-continue\r\n", b""), "413 closed"),
    ("no length", post(b"", b""), "400 open"),
    ("hidden in the body of a GET", get(headers=HOST + b"Content-Length: %d\r\n" % len(HIDDEN)) + HIDDEN, "200 open"),
    # Transfer encodings
    ("encoding twice", chunks(b"0\r\n\r\n", CHUNKED + CHUNKED), "400 closed"),
    ("unknown encoding", chunks(b"0\r\n\r\n", b"Transfer-Encoding: xchunked\r\n"), "501 closed"),
    ("list of encodings", chunks(b"0\r\n\r\n", b"Transfer-Encoding: gzip, chunked\r\n"), "501 closed"),
    ("chunked is not the last", chunks(b"0\r\n\r\n", b"Transfer-Encoding: chunked, identity\r\n"), "501 closed"),
    ("identity", chunks(b"0\r\n\r\n" + HIDDEN, b"Transfer-Encoding: identity\r\n"), "501 closed"),
    ("space after the encoding", chunks(b"0\r\n\r\n", b"Transfer-Encoding: chunked \r\n"), "501 closed"),
    ("vertical tab before it", chunks(b"0\r\n\r\n", b"Transfer-Encoding: \x0bchunked\r\n"), "400 closed"),
    ("chunks in HTTP/1.0", chunks(b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"), "501 closed"),
    # Chunks. After any of them the connection ends, so that nothing can hide behind one.
    ("hidden after chunks", chunks(b"d\r\n" + BODY + b"\r\n0\r\n\r\n" + HIDDEN), "200 closed"),
    ("length in the trailer", chunks(b"d\r\n" + BODY + b"\r\n0\r\nContent-Length: 5\r\n\r\n" + HIDDEN), "200 closed"),
    ("LF after the size", chunks(b"d\n" + BODY + b"\r\n0\r\n\r\n" + HIDDEN), "200 closed"),
    ("LF in the extension", chunks(b"d;a\nb\r\n" + BODY + b"\r\n0\r\n\r\n" + HIDDEN), "400 closed"),
    ("CR alone after the size", chunks(b"d\r" + BODY + b"\r0\r\r"), "400 closed"),
    ("no end of a chunk", chunks(b"d\r\n" + BODY + b"0\r\n\r\n"), "400 closed"),
    ("chunk longer than its size", chunks(b"d\r\n" + BODY + b"XX\r\n0\r\n\r\n"), "400 closed"),
    ("0x before the size", chunks(b"0xd\r\n" + BODY + b"\r\n0\r\n\r\n"), "400 closed"),
    ("negative size", chunks(b"-d\r\n" + BODY + b"\r\n0\r\n\r\n"), "400 closed"),
    ("size with plus", chunks(b"+d\r\n" + BODY + b"\r\n0\r\n\r\n"), "400 closed"),
    ("space before the size", chunks(b" d\r\n" + BODY + b"\r\n0\r\n\r\n"), "400 closed"),
    ("space after the size", chunks(b"d \r\n" + BODY + b"\r\n0\r\n\r\n"), "400 closed"),
    ("no size", chunks(b"\r\n" + BODY + b"\r\n0\r\n\r\n"), "400 closed"),
    ("no size but an extension", chunks(b";a\r\n" + BODY + b"\r\n0\r\n\r\n"), "400 closed"),
    ("size that is no number", chunks(b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"), "400 closed"),
    ("NUL after the size", chunks(b"d\0\r\n" + BODY + b"\r\n0\r\n\r\n"), "400 closed"),
    ("size beyond 64 bits", chunks(b"1000000000000000d\r\n" + BODY + b"\r\n0\r\n\r\n"), "413 closed"),
    # The library has no better word for a size line that does not fit into its memory.
    ("extension of 40 kB", chunks(b"d;a=" + b"b" * 40000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"), "500 closed"),
    ("size of 40,000 zeros", chunks(b"0" * 40000 + b"d\r\n" + BODY + b"\r\n0\r\n\r\n"), "500 closed"),
    # Lines of the head
    ("LF everywhere", post(LENGTH).replace(b"\r\n", b"\n"), "400 closed"),
    ("LF after the first line", post(LENGTH, line=b"POST /v1/tokens HTTP/1.1\n"), "400 closed"),
    ("LF after a header", post(b"X: a\n" + LENGTH), "400 closed"),
    ("LF as the empty line", post(LENGTH, end=b"\n"), "400 closed"),
    ("LF LF inside a value", post(b"X: a\n\n" + HIDDEN + LENGTH), "400 closed"),
    ("CR alone after a header", post(b"X: a\r" + LENGTH), "400 closed"),
    ("CR CR LF", post(b"X: a\r\r\n" + LENGTH), "400 closed"),
    ("folded value", post(b"X: a\r\n b\r\n" + LENGTH), "400 closed"),
    ("length in a fold", post(b"X: a\r\n Content-Length: 5\r\n" + LENGTH), "400 closed"),
    ("fold after the first line", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400 closed"),
    ("space before the colon", post(b"Content-Length : 13\r\n"), "400 closed"),
    ("no colon", post(b"X\r\n" + LENGTH), "400 closed"),
    ("empty name", post(b": a\r\n" + LENGTH), "400 closed"),
    ("colon alone, a request after it", get(headers=HOST + b":\r\n" + HIDDEN), "400 closed"),
    ("NUL in a value", post(b"X: a\0b\r\n" + LENGTH), "400 closed"),
    ("NUL in a name", post(b"X\0: a\r\n" + LENGTH), "400 closed"),
    ("control character in a value", post(b"X: a\x01\r\n" + LENGTH), "400 closed"),
    ("DEL in a value", post(b"X: a\x7f\r\n" + LENGTH), "400 closed"),
    ("bytes above 127 in a name", post(b"X\xff: a\r\n" + LENGTH), "400 closed"),
    ("header of 40 kB", post(b"X: " + b"a" * 40000 + b"\r\n" + LENGTH), "431 closed"),
    ("header of 400 kB without an end", post(b"X: " + b"a" * 400000), "431 closed"),
    ("1,000 headers", post(b"".join(b"X-%d: a\r\n" % i for i in range(1000)) + LENGTH), "431 closed"),
    ("2,000 cookies", post(b"Cookie: " + b"; ".join(b"a%d=b" % i for i in range(2000)) + b"\r\n" + LENGTH), "431 closed"),
    # Host and Expect
    ("no header at all", get(headers=b""), "400 closed"),
    ("no Host", get(headers=b"X: y\r\n"), "400 closed"),
    ("two Hosts", get(headers=HOST + b"Host: b\r\n"), "400 closed"),
    ("same Host twice", get(headers=HOST + HOST), "400 closed"),
    ("Host with a path", get(headers=b"Host: a/b\r\n"), "400 closed"),
    ("Host with a name before it", get(headers=b"Host: user@a\r\n"), "400 closed"),
    ("list of Hosts", get(headers=b"Host: a, b\r\n"), "400 closed"),
    ("unknown expectation", post(LENGTH + b"Expect: 200-ok\r\n"), "417 closed"),
    # The first line
    ("HTTP/0.9 without a version", b"GET /healthz\r\n\r\n", "400 closed"),
    ("HTTP/0.9", get(version=b"HTTP/0.9", headers=b""), "505 closed"),
    ("HTTP/1.2", get(version=b"HTTP/1.2"), "505 closed"),
    ("HTTP/2.0", get(version=b"HTTP/2.0"), "505 closed"),
    ("HTTP/1.10", get(version=b"HTTP/1.10"), "400 closed"),
    ("HTTP/1.", get(version=b"HTTP/1."), "400 closed"),
    ("http/1.1", get(version=b"http/1.1"), "400 closed"),
    ("other protocol", get(version=b"JUNK"), "400 closed"),
    ("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 closed"),
    ("start of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "closed"),
    ("rubbish before", b"xx\r\n" + get(), "closed"),
    ("two spaces before the path", get(target=b" /healthz"), "400 closed"),
    ("two spaces after it", get(target=b"/healthz "), "400 closed"),
    ("tabs", b"GET\t/healthz\tHTTP/1.1\r\n" + HOST + b"\r\n", "closed"),
    ("space after the version", get(version=b"HTTP/1.1 "), "400 closed"),
    ("space in the path", get(target=b"/healthz x"), "400 closed"),
    ("no method", get(method=b""), "closed"),
    ("method that is no token", get(method=b"G(T"), "400 closed"),
    ("unknown method", get(method=b"BREW"), "405 open"),
    ("method in small letters", get(method=b"get"), "405 open"),
    ("method of 5,000 letters", get(method=b"A" * 5000), "405 open"),
    # Targets
    ("other scheme", get(target=b"ftp://a/healthz"), "400 closed"),
    ("CONNECT", get(target=b"a:80", method=b"CONNECT"), "400 closed"),
    ("star with GET", get(target=b"*"), "400 closed"),
    ("percent and no digits", get(target=b"/%zz"), "400 closed"),
    ("percent at the end", get(target=b"/healthz%"), "400 closed"),
    ("percent and one digit", get(target=b"/healthz%2"), "400 closed"),
    ("%00", get(target=b"/healthz%00"), "400 closed"),
    ("%FF, no UTF-8", get(target=b"/%ff"), "400 closed"),
    ("NUL in the path", get(target=b"/healthz\0"), "400 closed"),
    ("control character in the path", get(target=b"/a\x01b"), "400 closed"),
    ("NUL in the query", get(target=b"/healthz?a\0b"), "400 closed"),
    ("control character in the query", get(target=b"/healthz?a\x01b"), "400 closed"),
    ("fragment", get(target=b"/healthz#a"), "400 closed"),
    ("backslash", get(target=b"\\healthz"), "400 closed"),
    ("dots", get(target=b"/../../etc/passwd"), "404 open"),
    ("path of 9,000 bytes", get(target=b"/" + b"a" * 9000), "414 closed"),
    ("path of 90,000 bytes", get(target=b"/" + b"a" * 90000), "414 closed"),
    ("101 parameters", get(target=b"/healthz?" + b"&".join(b"a%d=1" % i for i in range(101))), "400 closed"),
    # What never ends: after serve.request_timeout_s and serve.idle_timeout_s, which are 1 for these
    ("nothing", b"", "closed"),
    ("half a first line", b"GET /healthz HTT", "closed"),
    ("half a head", b"GET /healthz HTTP/1.1\r\nHost: a\r\n", "closed"),
    ("CR as the only line end", post(LENGTH).replace(b"\r\n", b"\r"), "closed"),
    ("body shorter than told", post(b"Content-Length: 50\r\n"), "408 closed"),
    ("chunks without an end", chunks(b"d\r\n" + BODY + b"\r\n"), "408 closed"),
]

SLOW = [row for row in ROWS if row[2] in ("closed", "408 closed")]


@pytest.fixture(scope="module")
def server(program, tmp_path_factory):
    # what ends here ends because of what was sent, and before anything is waited for
    limits = ("serve.request_timeout_s=60", "serve.idle_timeout_s=60")
    with Served(program, tmp_path_factory.mktemp("malformed"), *limits) as server:
        yield server
        assert server.stop() == 0, server.log


def statuses_of(answer):
    found = []
    while match := re.match(rb"HTTP/1\.1 (\d{3}) .*?\r\n\r\n", answer, re.S):
        found.append(match.group(1).decode())
        length = re.search(rb"\r\nContent-Length: (\d+)\r\n", match.group(0))
        answer = answer[match.end() + int(length.group(1) if length else 0):]
    return found


def ask(port, request, expected):
    """Statuses of the answers and what became of the connection, as in the table. Where that is expected to stay open, a
    moment is waited for its end once all answers have come; what does not come is waited for longer."""
    wanted = expected.split()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        answer, state = b"", "open"
        try:
            connection.sendall(request)
        except OSError:
            pass  # refused before it was whole
        try:
            while True:
                received = connection.recv(65536)
                if not received:
                    state = "closed"
                    break
                answer += received
                all_there = wanted[-1] == "open" and len(statuses_of(answer)) == len(wanted) - 1
                connection.settimeout(0.1 if all_there else 10)
        except ConnectionResetError:
            state = "closed"
        except TimeoutError:
            pass
    return " ".join([*statuses_of(answer), state])


def count(server):
    """Requests that were answered so far, by status class; those of this function left out."""
    lines = server.get("/metrics").body.decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines
               if line.startswith("http_requests_total{") and '"/metrics"' not in line)


def test_table_is_large_and_its_names_differ():
    assert len(ROWS) >= 60
    assert len({name for name, _, _ in ROWS}) == len(ROWS)


def test_each_is_answered_as_the_table_says(server):
    wrong = []
    before = count(server)
    for name, request, expected in ROWS:
        if (name, request, expected) in SLOW:
            continue
        got = ask(server.port, request, expected)
        after = count(server)
        counted, before = after - before, after
        n_answers = len([word for word in expected.split() if word.isdigit() and word != "100"])
        if got != expected or counted > n_answers:
            wrong.append(f"{name}: {got}, {counted:.0f} counted; expected {expected}")
    assert not wrong, "\n".join(wrong)
    assert server.post("/v1/classify", {"title": "Council approves budget"}).status == 200


def test_what_never_ends_is_ended(program, tmp_path):
    with Served(program, tmp_path, "serve.request_timeout_s=1", "serve.idle_timeout_s=1") as server, ThreadPoolExecutor(len(SLOW)) as pool:
        for (name, _, expected), got in zip(SLOW, pool.map(lambda row: ask(server.port, *row[1:]), SLOW)):
            assert got == expected, name
        assert count(server) <= len(SLOW)
        assert server.post("/v1/classify", {"title": "Council approves budget"}).status == 200
        assert server.stop() == 0, server.log
