"""Input that is refused: exit code 2, one message that names the file, the line or the setting and says what would be
accepted, nothing on standard output, and nothing left behind."""

import gzip
import zlib

import pytest

GOOD = "title,text,label\n" + "".join(f"t{i},text {i} {i * 7},{i % 2}\n" for i in range(30))
MANY_REAL = "title,text,label\n" + "".join(f"t{i},text {i} {i * 7},0\n" for i in range(30))


def split_rows(*splits):
    return "title,text,label,split\n" + "".join(f"t{i},u{i} v{i * 3},{label},{split}\n"
                                                for i, (split, label) in enumerate(splits))


CASES = {
    # name: (file name, content, settings, parts of the message)
    "no such column": ("n.csv", GOOD, ["data.columns.text=body"],
                       ['n.csv:1: no column "body"', '"title", "text", "label"', "data.columns.text=NAME"]),
    "no such column, nearly": ("n.csv", GOOD.replace("title,", "titel,", 1), [],
                               ['no column "title", did you mean "titel"?', "data.text=text to read the text alone"]),
    "no label column": ("n.csv", "title,text\na,b\n", [],
                        ['no column "label"', "data.columns.label=NAME", "fake:FILE or real:FILE"]),
    "no column for the groups": ("n.csv", GOOD, ["data.split=group"],
                                 ['no column "source"', "data.columns.source=NAME"]),
    "no column for the given split": ("n.csv", GOOD, ["data.split=given"],
                                      ['no column "split"', "data.columns.split=NAME"]),
    "no such key in JSON lines": ("n.jsonl", '{"title":"a","body":"b","label":0}\n', [],
                                  ['n.jsonl: no column "text"', '"title", "body", "label"']),
    "semicolons": ("n.csv", GOOD.replace(",", ";"), ["data.delimiter=,"],
                   ['no column "', '"title;text;label"', 'with data.delimiter=";" there are 3']),
    "tabs and a comma": ("n.csv", GOOD.replace(",", "\t").replace("title", "title, short"), [],
                         ['no column "', 'with data.delimiter="tab" there are 4']),
    "a delimiter that is none": ("n.csv", GOOD, ["data.delimiter=:"], ["data.delimiter", 'auto, ",", ";", "|", tab']),
    "a column twice": ("n.csv", GOOD.replace("title,text", "text,text", 1), ["data.text=text"],
                       ['n.csv:1: column "text" stands 2 times']),
    "unknown label": ("n.csv", GOOD + "a,b,maybe\n", [],
                      ['n.csv:32: label "maybe" (column "label")', "accepted are 0, 1, real, fake",
                       "data.label_map={maybe:fake}"]),
    "label not in the map": ("n.csv", GOOD, ["data.label_map={0:real,true:fake}"],
                             ['n.csv:3: label "1"', "data.label_map has 0, true"]),
    "label map that maps to nothing": ("n.csv", GOOD, ["data.label_map={0:real,1:hoax}"],
                                       ["data.label_map: 1:", '"hoax" is none of real, fake, 0, 1, drop']),
    "too few fields": ("n.csv", GOOD + "a,b\n", [], ["n.csv:32: 2 fields, expected 3 as in the header"]),
    "too many fields": ("n.csv", GOOD + "a,b,0,1\n", [], ["n.csv:32: 4 fields, expected 3"]),
    "unclosed quote": ("n.csv", GOOD + 'a,"b,0\nc,d,1\n', [],
                       ["n.csv:32: the quote that opens field 2 is never closed", "written twice"]),
    "quote inside a field": ("n.csv", GOOD + 'a,b "c" d,0\n', [],
                             ["n.csv:32: a quote inside field 2", "the quote twice"]),
    "text after a quote": ("n.csv", GOOD + 'a,"b"c,0\n', [], ["n.csv:32: text after the closing quote of field 2"]),
    "not UTF-8": ("n.csv", GOOD.encode() + b"a,\xe4rgern,0\n", ["data.encoding=utf-8"],
                  ["n.csv:32: field 2, byte 1 (0xe4) is not valid UTF-8", "data.encoding=windows-1252"]),
    "UTF-8 with a bad byte": ("n.csv", GOOD.encode() + "a,é,0\n".encode() + b"a,\xe4rgern,0\n", [],
                              ["n.csv:33: field 2, byte 1 (0xe4) is not valid UTF-8", "data.encoding=windows-1252"]),
    "a bad byte, UTF-8 after it": ("n.csv", GOOD.encode() + b"a,\xe4rgern,0\n" + "a,é,0\n".encode(), [],
                                   ["n.csv:32: field 2, byte 1 (0xe4) is not valid UTF-8"]),
    "a bad byte, UTF-8 long after it": ("n.csv", GOOD.encode() + b"a,\xe4rgern,0\n" + b"a,bcd e,0\n" * 9999 + "a,é,0\n".encode(),
                                        [], ["n.csv:10032: byte", "on line 32 bytes are no UTF-8", "data.encoding=utf-8"]),
    "no character in Windows-1252": ("n.csv", GOOD.encode() + b"a,\x81b,0\n", ["data.encoding=windows-1252"],
                                     ["n.csv:32: field 2, byte 1 (0x81) has no character in Windows-1252"]),
    "UTF-16 read as UTF-8": ("n.csv", GOOD.encode("utf-16"), ["data.encoding=utf-8"],
                             ["n.csv: begins with the byte-order mark of UTF-16", "data.encoding=auto"]),
    "half a pair in UTF-16": ("n.csv", (GOOD + "a,b,0\n").encode("utf-16").replace(b"b\0,\0", b"\x3d\xd8,\0"), [],
                              ["n.csv:32: field 2", "half of a UTF-16 surrogate pair"]),
    "UTF-16 cut in a character": ("n.csv", GOOD.encode("utf-16")[:-1], [], ["n.csv: ends after half a UTF-16 character"]),
    "UTF-32": ("n.csv", GOOD.encode("utf-32"), [], ["n.csv: UTF-32"]),
    "NUL bytes": ("n.csv", GOOD + "a,b\0c,0\n", [], ["n.csv:32: field 2 holds a NUL byte"]),
    "not gzip though named so": ("n.csv.gz", GOOD, [], ["n.csv.gz: named .gz, but it is not gzip"]),
    "cut gzip": ("n.csv.gz", gzip.compress(GOOD.encode())[:-9], [], ["n.csv.gz: the gzip data end too early"]),
    "damaged gzip": ("n.csv.gz", gzip.compress(GOOD.encode())[:-8] + b"\0" * 8, [], ["n.csv.gz: damaged gzip data"]),
    "zlib, not gzip": ("n.csv.gz", zlib.compress(GOOD.encode()), [], ["named .gz, but it is not gzip"]),
    "empty file": ("n.csv", "", [], ["n.csv: the file is empty", "header line and rows"]),
    "empty gzip": ("n.csv.gz", gzip.compress(b""), [], ["n.csv.gz: the file is empty"]),
    "header alone": ("n.csv", "title,text,label\n", [], ["n.csv: no rows after the header"]),
    "empty JSON lines": ("n.jsonl", "\n\n", [], ["n.jsonl: no rows"]),
    "no JSON": ("n.jsonl", '{"title":"a"}\n{title:1}\n', [], ["n.jsonl:2: not JSON at byte 2", "one object a line"]),
    "broken JSON": ("n.jsonl", '{"title":"a","text":"b","label":1}\n{"title":\n', [],
                    ["n.jsonl:2: not JSON at byte", "one object a line"]),
    "a JSON array": ("n.json", '[{"title":"a"}]\n', [], ["n.json:1: a JSON array", "jq -c"]),
    "one class only": ("n.csv", MANY_REAL, [], ["split train has no fake rows (21 real, 0 fake)", "both classes"]),
    "a split without a class": ("n.csv", split_rows(("train", 0), ("train", 1), ("val", 0), ("val", 1), ("test", 0)),
                                ["data.split=given"],
                                ["split test has no fake rows (1 real, 0 fake)", "data.split=random"]),
    "an empty split": ("n.csv", split_rows(("train", 0), ("train", 1), ("test", 0), ("test", 1)),
                       ["data.split=given"], ["split validation is empty (0 real, 0 fake)"]),
    "an unknown split": ("n.csv", split_rows(("train", 0), ("holdout", 1)), ["data.split=given"],
                         ['n.csv:3: split "holdout" (column "split")', "train, validation (val, valid, dev), test"]),
    "too few groups": ("n.csv", GOOD, ["data.split=group", "data.group=label"],
                       ["data.split=group: 2 groups", "data.group"]),
    "every row empty": ("n.csv", "title,text,label\n,,0\n ,\t,1\n", [], ["no row is left of 2 read", "2 empty"]),
    "fractions that are none": ("n.csv", GOOD, ["data.fractions=[0.7,0.2,0.2]"], ["data.fractions: three shares"]),
    "a similarity out of range": ("n.csv", GOOD, ["data.near_duplicates=1.5"], ["data.near_duplicates", "[0.3,1]"]),
    "a mode that is none": ("n.csv", GOOD, ["data.text=headline"], ["data.text", "one of title, text, title+text"]),
    "a setting that is none": ("n.csv", GOOD, ["data.columns.titel=x"], ["data.columns.titel", "data.columns.title"]),
    "no rules file": ("n.csv", GOOD, ["data.rules=none.yaml"], ['data.rules: no file "none.yaml"', "default, none"]),
}


@pytest.mark.parametrize("name", CASES)
def test_refused(fakenews, tmp_path, name):
    file_name, content, settings, parts = CASES[name]
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / file_name).write_bytes(data)
    done = fakenews("data", "prepare", "--input", file_name, "--out", "out/here", *settings)
    assert done.code == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("fakenews: ") and done.stderr.count("\n") == 1, done
    for part in parts:
        assert part in done.stderr, done
    assert [p.name for p in tmp_path.iterdir()] == [file_name]


RULES = {
    "rules:\n  - name: a\n    field: text\n    pattern: 'x(y'\n": "my.yaml:4: pattern: byte 2 of the pattern",
    "rules:\n  - name: a\n    field: body\n": 'my.yaml:3: field: "body" is none of title, text, both',
    "rules: [\n": "not valid YAML",
    "regeln: []\n": "my.yaml:1: the file must hold one key, rules",
}


@pytest.mark.parametrize("rules", RULES)
def test_refused_rules(fakenews, tmp_path, rules):
    (tmp_path / "n.csv").write_text(GOOD)
    (tmp_path / "my.yaml").write_text(rules)
    done = fakenews("data", "prepare", "--input", "n.csv", "--out", "out", "data.rules=my.yaml")
    assert done.code == 2 and RULES[rules] in done.stderr, done
    assert not (tmp_path / "out").exists()


def test_inputs_that_are_no_files(fakenews, tmp_path):
    (tmp_path / "n.csv").write_text(GOOD)
    for argument, parts in [("nowhere.csv", ["nowhere.csv"]), (".", ["a folder"]),
                            ("hoax:n.csv", ['"hoax" is no label', "0, 1, real, fake"]),
                            ("fake:nowhere.csv", ["nowhere.csv"])]:
        done = fakenews("data", "prepare", "--input", argument, "--out", "out")
        assert done.code == 2 and all(part in done.stderr for part in parts), done
    done = fakenews("data", "prepare", "--out", "out")
    assert done.code == 2 and "--input" in done.stderr
    done = fakenews("data", "prepare", "--input", "n.csv")
    assert done.code == 2 and "--out" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["n.csv"]


def test_the_second_file_is_named(fakenews, tmp_path):
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "b.csv").write_text(GOOD + "x,y,2\n")
    done = fakenews("data", "prepare", "--input", "a.csv", "b.csv", "--out", "out")
    assert done.code == 2 and "b.csv:32:" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(fakenews, tmp_path):
    (tmp_path / "n.csv").write_text(GOOD)
    (tmp_path / "file").write_text("x")
    done = fakenews("data", "prepare", "--input", "n.csv", "--out", "file")
    assert done.code == 2 and "there is a file of that name" in done.stderr
    done = fakenews("data", "prepare", "--input", "n.csv", "--out", "file/out")
    assert done.code in (1, 2) and "file" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "n.csv"]
