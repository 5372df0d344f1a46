"""Python's csv and json modules judge our readers: on random nasty files both read the same rows; where we refuse, Python
refuses too or had to guess."""

import csv
import gzip
import io
import json
import os
import random
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
PROBE = Path(os.environ.get("FN_TOOLS", REPO / "build/dev/tests/tools")) / "input_probe"
NASTY = list('ab"\',;\n\r\t \\0') + ["\r\n", '""', "ä", "中", "🙂", "\u2028", "\x0b", "\x1c", "\x85", "\xa0", "\ufeff"]


def probe(path, piece, encoding="auto", expected="utf-8"):
    """The rows; what the file was read as must be `expected`, unless the reading ended with an error."""
    assert PROBE.exists(), f"{PROBE} is missing: build the dev preset, or set FN_TOOLS"
    number = ["auto", "utf-8", "utf-16", "windows-1252"].index(encoding)
    done = subprocess.run([PROBE, path, str(piece), str(number)], capture_output=True, check=True)
    *rows, last = [json.loads(line) for line in done.stdout.decode("utf-8").split("\n") if line]
    assert "fatal" in last or last == {"encoding": expected}, last
    return rows + [last] if "fatal" in last else rows


def values(rows):
    return [[field[1] for field in row["fields"]] for row in rows]


def python_rows(text, strict=True):
    return [row for row in csv.reader(io.StringIO(text, newline=""), strict=strict) if row]


def nasty_text(rng, alphabet=NASTY, longest=12):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(0, longest)))


@pytest.mark.parametrize("seed", range(60))
def test_files_written_by_python(tmp_path, seed):
    rng = random.Random(seed)
    columns = rng.randint(1, 6)
    header = [f"c{i}" for i in range(columns)]
    rows = [[nasty_text(rng, longest=rng.choice([3, 12, 300])) for _ in range(columns)]
            for _ in range(rng.randint(1, 60))]
    buffer = io.StringIO(newline="")
    end = rng.choice(["\n", "\r\n", "\r"])
    # QUOTE_MINIMAL of older Pythons leaves a CR or LF bare that is no part of the line end: such files are broken.
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]) if end == "\r\n" else csv.QUOTE_ALL
    out = csv.writer(buffer, quoting=quoting, lineterminator=end)
    out.writerow(header)
    out.writerows(rows)
    text = buffer.getvalue()
    if rng.random() < 0.3:
        text = text.rstrip("\r\n")
    path = tmp_path / "x.csv"
    path.write_bytes((b"\xef\xbb\xbf" if rng.random() < 0.3 else b"") + text.encode())
    got = probe(path, rng.choice([1, 2, 5, 64, 65536]))
    assert all("fields" in row for row in got), [row for row in got if "fields" not in row][:1]
    assert values(got) == python_rows(text)[1:]
    # Lines are counted as a text editor does: CR, LF and CRLF end one, also inside quotes.
    lines = [1 + text[:at].replace("\r\n", "\n").replace("\r", "\n").count("\n") for at in record_starts(text)]
    assert [row["line"] for row in got] == lines[1:]


def record_starts(text):
    """Offsets of the records: a second, slower reading of RFC 4180."""
    starts, quoted, at_start = [], False, True
    i = 0
    while i < len(text):
        if at_start and text[i] in "\r\n":
            i += 1
            continue
        if at_start:
            starts.append(i)
            at_start = False
        if text[i] == '"':
            quoted = not quoted
        elif text[i] in "\r\n" and not quoted:
            at_start = True
        i += 1
    return starts


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_get_the_same_verdict(tmp_path, seed):
    rng = random.Random(1000 + seed)
    accepted = refused = 0
    for trial in range(40):
        body = nasty_text(rng, list('ab",\n\r ') + ['"'] * 2 + [","] * 2, 24)
        text = "k,l\n" + body
        path = tmp_path / f"{trial}.csv"
        path.write_bytes(text.encode())
        got = probe(path, rng.choice([1, 3, 100]))
        try:
            expected = python_rows(text)[1:]
        except csv.Error:
            expected = None
        bad = [row for row in got if "fields" not in row]
        if bad:
            refused += 1
            guessed = python_rows(text, strict=False)[1:]
            ragged = any(len(row) != 2 for row in guessed)
            lenient = any('"' in field for row in guessed for field in row)
            assert expected is None or ragged or lenient, (text, bad)
        else:
            accepted += 1
            assert values(got) == expected, text
    assert accepted and refused


def test_python_refuses_what_we_refuse_as_no_csv(tmp_path):
    for body, what in [('a,"b', "never closed"), ('"a"b,c', "text after the closing quote")]:
        path = tmp_path / "x.csv"
        path.write_text("k,l\n" + body)
        assert what in json.dumps(probe(path, 100)), body
        with pytest.raises(csv.Error):
            python_rows("k,l\n" + body)


def random_value(rng, depth=0):
    kind = rng.randint(0, 8 if depth < 3 else 5)
    if kind <= 2:
        return nasty_text(rng, NASTY + ["\x01", "\x7f", "/", "\ud83d\ude42"], 20)
    if kind == 3:
        return rng.choice([0, 1, -1, 2**53 + 1, -(2**63), 2**63 - 1, rng.randint(-10**12, 10**12)])
    if kind == 4:
        return rng.choice([0.1, 1.0, -0.0, 1e300, 5e-324, rng.random(), rng.gauss(0, 1e6)])
    if kind == 5:
        return rng.choice([None, True, False])
    if kind == 6:
        return [random_value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    return {f"k{i}": random_value(rng, depth + 1) for i in range(rng.randint(0, 3))}


@pytest.mark.parametrize("seed", range(30))
def test_json_lines(tmp_path, seed):
    rng = random.Random(seed)
    keys = ["title", "text", "label", "ä", "a b", "", "x" * 50]
    objects = [{key: random_value(rng) for key in rng.sample(keys, rng.randint(0, len(keys)))}
               for _ in range(rng.randint(1, 50))]
    path = tmp_path / "x.jsonl"
    with open(path, "w", encoding="utf-8", newline="") as file:
        for item in objects:
            file.write(json.dumps(item, ensure_ascii=rng.random() < 0.5).replace("\ud83d\ude42", "🙂"))
            file.write(rng.choice(["\n", "\r\n", "\n\n"]))
    got = probe(path, rng.choice([1, 7, 4096]))
    assert len(got) == len(objects)
    for row, item in zip(got, objects):
        assert "fields" in row, row
        read = {}
        for name, value, other in row["fields"]:
            if value is None:
                assert item.get(name) is None
            else:
                read[name] = json.loads(value) if other else value
        expected = {name: value for name, value in item.items() if value is not None}
        expected = json.loads(json.dumps(expected))  # surrogate pairs become characters
        assert read == expected
        assert all(type(read[name]) is type(expected[name]) for name in read)  # 1.0 stays a real number


def test_json_lines_that_are_none(tmp_path):
    bad = ['{"a":}', '{"a":1,"a":2}', "[1]", '"x"', "{'a':1}", '{"a":1} {"b":2}', '{"a":NaN}', '{"a":"\\ud800"}', "{"]
    path = tmp_path / "x.jsonl"
    path.write_text("".join(line + '\n{"a":"good"}\n' for line in bad))
    got = probe(path, 100)
    assert ["error" in row for row in got] == [True, False] * len(bad)
    for i, row in enumerate(got):
        assert "error" not in row or row["error"].startswith(f"{path}:{i + 1}: ")


# ---- encodings ----

WESTERN = [c for c in (bytes([b]).decode("cp1252", "ignore") for b in range(0x80, 0x100)) if c]
ENCODINGS = {"utf-8": "utf-8", "utf-8-sig": "utf-8", "utf-16": "utf-16le", "utf-16-le": "utf-16le", "utf-16-be": "utf-16be",
             "cp1252": "windows-1252", "latin-1": "windows-1252"}


def western_text(rng, letters, longest):
    """One letter in five is foreign, and none follows another: two bytes that look like UTF-8 by chance are tested in C."""
    pick = lambda: rng.choice("etaoin shrdlu,.") + (rng.choice(letters) if rng.random() < 0.2 else "")  # noqa: E731
    return "".join(pick() for _ in range(rng.randint(0, longest)))


@pytest.mark.parametrize("codec", ENCODINGS)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("form", ["csv", "jsonl", "csv.gz", "jsonl.gz"])
def test_what_python_encodes_is_found_and_read(tmp_path, codec, seed, form):
    """Random texts in the letters of each encoding, in pieces of any size: found out, and read as Python wrote them."""
    rng = random.Random(f"{codec} {seed}")
    wide = codec.startswith("utf")
    letters = WESTERN + ["中", "🙂", "\u2028", "ж"] if wide else [c for c in WESTERN if codec == "cp1252" or 0xA0 <= ord(c) <= 0xFF]
    rows = [["a" + western_text(rng, letters, 400), western_text(rng, letters, rng.choice([5, 3000])) + "a"] for _ in range(60)]
    if form.startswith("csv"):
        buffer = io.StringIO(newline="")
        csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([["title", "text"], *rows])
        text = buffer.getvalue()
    else:
        text = "".join(json.dumps({"title": a, "text": b}, ensure_ascii=False) + "\n" for a, b in rows)
    data = text.encode(codec)
    path = tmp_path / f"x.{form}"
    path.write_bytes(gzip.compress(data) if form.endswith(".gz") else data)
    for piece in (1, rng.randint(2, 100), 1 << 16):
        assert values(probe(path, piece, expected=ENCODINGS[codec])) == rows
    asked = "windows-1252" if codec in ("cp1252", "latin-1") else codec[:6].replace("utf-8-", "utf-8")
    if codec != "utf-16-be":  # without a mark and asked for, UTF-16 is found by the two letters at its start
        assert values(probe(path, 4096, asked, ENCODINGS[codec])) == rows


def test_every_byte_of_windows_1252(tmp_path):
    path = tmp_path / "x.csv"
    every = [b for b in range(0x20, 0x100) if b not in b'",']
    path.write_bytes(b"a,n\n" + b"".join(b"%c,%d\n" % (b, b) for b in every))
    got = probe(path, 1 << 16, "windows-1252", "windows-1252")
    assert len(got) == len(every)
    for b, row in zip(every, got):
        expected = bytes([b]).decode("cp1252", "replace")
        if expected == "\ufffd":
            assert "has no character in Windows-1252" in row["error"]
        else:
            assert row["fields"][0][1] == expected


@pytest.mark.parametrize("seed", range(30))
def test_utf8_with_bad_bytes_is_never_read_as_windows_1252(tmp_path, seed):
    """A few bytes of UTF-8 text are damaged, anywhere: whatever is handed out is what Python reads in those rows, and a
    row with a bad byte is refused, or the reading ends."""
    rng = random.Random(seed)
    rows = [western_text(rng, list("äöüéß–“”€中"), rng.choice([30, 3000])) or "x" for _ in range(120)]
    lines = [("%d,%s\r\n" % (i, json.dumps(row, ensure_ascii=False))).encode() for i, row in enumerate(rows)]
    bad = set(rng.sample(range(120), rng.randint(1, 4)))
    for i in bad:
        at = rng.randrange(lines[i].index(b'"') + 1, lines[i].rindex(b'"'))
        while lines[i][at] & 0xC0 == 0x80:
            at -= 1
        lines[i] = lines[i][:at] + bytes([rng.choice([0xE9, 0xFC, 0x93, 0xFF])]) + lines[i][at:]
    path = tmp_path / "x.csv"
    path.write_bytes(b"n,text\n" + b"".join(lines))
    got = probe(path, rng.choice([7, 1 << 16]))
    if "fatal" in got[-1]:
        assert "data.encoding=utf-8" in got[-1]["fatal"]
        return
    assert len(got) == 120
    for i, row in enumerate(got):
        if i in bad:
            assert "is not valid UTF-8" in row["error"]
        else:
            assert row["fields"][1][1] == rows[i]
