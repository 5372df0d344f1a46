"""`fakenews predict`: every form of input and output, one answer a row and in order, bad rows, exit codes."""

import csv
import gzip
import io
import json
import math
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from infer_support import csv_rows, json_lines, make_models, write_csv
from train_support import COMMON, WORDS, bare_environment, wait_for


@pytest.fixture(scope="module")
def trained(program, tmp_path_factory):
    return make_models(program, tmp_path_factory.mktemp("models"))


@pytest.fixture(params=["linear", "bert"])
def model(trained, request):
    return trained[1][request.param]


@pytest.fixture(scope="module")
def linear(trained):
    return trained[1]["linear"]


def articles(n, seed=5):
    rng = random.Random(seed)
    words = WORDS[0] + WORDS[1] + COMMON
    return [[" ".join(rng.choices(words, k=rng.randrange(1, 8))) + f" {i}", " ".join(rng.choices(words, k=rng.randrange(150)))]
            for i in range(n)]


def article_csv(path, rows):
    return write_csv(path, [["id", "title", "text"]] + [[f"n{i}", *row] for i, row in enumerate(rows)])


KEYS = ["row", "title", "label", "probabilities", "verdict", "calibrated", "reasons", "n_tokens", "truncated", "n_windows", "model"]


def test_one_article(fakenews, model):
    done = fakenews("predict", "--model", model, "--title", "council budget", "--text", "officials said figures rise")
    assert done.code == 0, done
    (answer,) = json_lines(done.stdout)
    assert list(answer) == KEYS
    assert answer["row"] == 0 and answer["title"] == "council budget" and answer["label"] in ("real", "fake")
    assert set(answer["probabilities"]) == {"real", "fake"}
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-12)
    assert answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)
    assert answer["n_tokens"] >= 6 and answer["truncated"] is False and answer["n_windows"] == 1
    name, checksum = answer["model"].split("@")
    assert name == model.name and len(checksum) == 12
    done = fakenews("predict", "--model", model, "--title", "only a title")
    assert done.code == 0 and json_lines(done.stdout)[0]["title"] == "only a title"
    done = fakenews("predict", "--model", model, "--text", "only a text")
    assert done.code == 0 and json_lines(done.stdout)[0]["title"] is None


def test_it_has_learnt(fakenews, model):
    """The corpus is easy: a text in the words of one class is taken for it."""
    for label, words in enumerate(WORDS.values()):
        done = fakenews("predict", "--model", model, "--title", " ".join(words[:5]), "--text", " ".join(words * 2))
        assert json_lines(done.stdout)[0]["label"] == ("real", "fake")[label], done


def test_every_input_gives_the_same_answers(fakenews, model, tmp_path):
    rows = articles(40)
    files = [article_csv(tmp_path / "a.csv", rows), tmp_path / "a.jsonl", tmp_path / "a.csv.gz", tmp_path / "a.jsonl.gz"]
    files[1].write_text("".join(json.dumps({"title": t, "text": x}) + "\n" for t, x in rows))
    files[2].write_bytes(gzip.compress(files[0].read_bytes()))
    files[3].write_bytes(gzip.compress(files[1].read_bytes()))
    seen = []
    for path in files:
        done = fakenews("predict", "--model", model, path)
        assert done.code == 0, done
        answers = json_lines(done.stdout)
        assert [a.pop("file") for a in answers] == [str(path)] * 40
        assert [a["row"] for a in answers] == list(range(40)) and [a["title"] for a in answers] == [t for t, _ in rows]
        seen.append(answers)
    for path in files[:2]:
        done = fakenews("predict", "--model", model, "-", input=path.read_text())
        assert done.code == 0, done
        seen.append([{k: v for k, v in a.items() if k != "file"} for a in json_lines(done.stdout)])
        assert json_lines(done.stdout)[0]["file"] == "-"
    assert all(answers == seen[0] for answers in seen)
    one = fakenews("predict", "--model", model, "--title", rows[7][0], "--text", rows[7][1])
    assert {**json_lines(one.stdout)[0], "row": 7} == seen[0][7]


@pytest.mark.parametrize("codec, name", [("utf-16", "utf-16le"), ("utf-16-be", "utf-16be"), ("cp1252", "windows-1252")])
def test_encodings_and_delimiters(fakenews, linear, tmp_path, codec, name):
    """The same articles in another encoding, with other delimiters, plain, packed and from standard input: the same
    answers, and a note of what was found."""
    rows = [["Café “Zürich” – 5 €", "Où ça? Là"], ["officials said", "a; b, c\td|e"]]
    expected = None
    for form, delimiter in (("jsonl", ","), ("csv", ","), ("csv", ";"), ("csv", "\t"), ("csv", "|")):
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=delimiter).writerows([["title", "text"], *rows])
        lines = "".join(json.dumps(dict(zip(("title", "text"), row)), ensure_ascii=False) + "\n" for row in rows)
        for encoding in ("utf-8", codec):
            data = (lines if form == "jsonl" else buffer.getvalue()).encode(encoding)
            (tmp_path / f"in.{form}").write_bytes(data)
            (tmp_path / f"in.{form}.gz").write_bytes(gzip.compress(data))
            for path in (f"in.{form}", f"in.{form}.gz"):
                done = fakenews("predict", "--model", linear, path)
                assert done.code == 0, done
                answers = [{k: v for k, v in a.items() if k != "file"} for a in json_lines(done.stdout)]
                expected = expected or answers
                assert answers == expected and [a["title"] for a in answers] == [title for title, _ in rows]
                assert done.stderr == ("" if encoding == "utf-8" else f"note: {path}: read as {name} (data.encoding)\n")
    done = fakenews("predict", "--model", linear, "in.csv", "data.encoding=utf-8", "--format", "csv")
    assert done.code != 0


def test_text_files_and_several_inputs(fakenews, model, tmp_path):
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(f"The council said\n\nfigures {name[0]}.\n")
    done = fakenews("predict", "--model", model, "b.txt", "a.txt", "-", "data.format=text", input="A third article.")
    assert done.code == 0, done
    assert [(a["file"], a["row"], a["title"]) for a in json_lines(done.stdout)] == [
        ("b.txt", 0, None), ("a.txt", 0, None), ("-", 0, None)]


@pytest.mark.parametrize("settings", [["infer.long=cut"], ["infer.long=windows"]])
def test_order_and_batches(fakenews, model, tmp_path, settings):
    """600 rows of all lengths: more than a block, in order, the same to the last bit for any batch size and threads."""
    path = article_csv(tmp_path / "a.csv", articles(600))
    seen = []
    for more in ([], ["infer.batch_tokens=1"], ["infer.batch_tokens=333", "device.threads=1"],
                 ["infer.batch_tokens=65536", "device.threads=3"]):
        done = fakenews("predict", "--model", model, path, *settings, *more)
        assert done.code == 0, done
        seen.append(done.stdout)
    assert all(out == seen[0] for out in seen)
    answers = json_lines(seen[0])
    assert [int(a["title"].split()[-1]) for a in answers] == list(range(600))
    assert len({a["probabilities"]["fake"] for a in answers}) > 550


def test_long_articles(fakenews, trained):
    bert, linear = trained[1]["bert"], trained[1]["linear"]
    text = " ".join(COMMON * 20)
    cut = json_lines(fakenews("predict", "--model", bert, "--title", "a", "--text", text).stdout)[0]
    assert cut["truncated"] is True and cut["n_tokens"] == 48 and cut["n_windows"] == 1  # as trained
    wide = json_lines(fakenews("predict", "--model", bert, "--title", "a", "--text", text, "infer.max_tokens=64").stdout)[0]
    assert wide["n_tokens"] == 64
    windows = json_lines(fakenews("predict", "--model", bert, "--title", "a", "--text", text, "infer.long=windows").stdout)[0]
    assert windows["truncated"] is False and windows["n_windows"] > 3 and windows["n_tokens"] == 48 * windows["n_windows"]
    some = fakenews("predict", "--model", bert, "--title", "a", "--text", text, "infer.long=windows", "infer.max_windows=2")
    assert json_lines(some.stdout)[0]["truncated"] is True and json_lines(some.stdout)[0]["n_windows"] == 2
    shares = [w["share"] for w in windows["windows"]]
    logits = [w["logit"] for w in windows["windows"]]
    assert len(shares) == windows["n_windows"] and sum(map(abs, shares)) == pytest.approx(1)
    assert shares == [pytest.approx(z / sum(map(abs, logits))) for z in logits]
    p = windows["probabilities"]
    assert sum(logits) / len(logits) == pytest.approx(math.log(p["fake"] / p["real"]), abs=1e-9)
    assert "windows" not in cut
    table = csv_rows(fakenews("predict", "--model", bert, "--title", "a", "--text", text, "infer.long=windows",
                              "--format", "csv").stdout)
    assert [float(x) for x in table[1][table[0].index("window_shares")].split()] == [pytest.approx(s, abs=1e-4) for s in shares]
    whole = json_lines(fakenews("predict", "--model", linear, "--title", "a", "--text", text).stdout)[0]
    assert whole["truncated"] is False and whole["n_tokens"] == 1 + len(text.split())


ENGLISH = "The mayor said on Monday that the old bridge will be torn down next spring."


@pytest.mark.parametrize("text,reasons", [
    (ENGLISH, []),
    ("Der Bürgermeister sagte am Montag, dass die alte Brücke abgerissen wird.", ["not_english"]),
    ("https://www.example.com/some/story", ["not_english", "too_short"]),
    ("VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZw== QXNkZ WpsaA xqzv", ["not_english"]),
    ("Too short here.", ["too_short"]),
])
def test_reasons(fakenews, model, text, reasons):
    answer = json_lines(fakenews("predict", "--model", model, "--text", text).stdout)[0]
    found = [r for r in answer["reasons"] if r != "unknown_tokens"]  # the tiny vocabulary has few letters of its own
    assert found == reasons and answer["calibrated"] is False
    assert (answer["verdict"] == "unsure") == bool(answer["reasons"])
    assert answer["verdict"] in (answer["label"], "unsure")


def test_headline_only(fakenews, model):
    answer = json_lines(fakenews("predict", "--model", model, "--title", ENGLISH).stdout)[0]
    assert "headline_only" in answer["reasons"] and "headline_only" not in json_lines(
        fakenews("predict", "--model", model, "--title", ENGLISH, "--text", ENGLISH).stdout)[0]["reasons"]


def test_unknown_tokens(fakenews, trained):
    text = "☃ ☂ ☀ ☁ ★ ☆ ☎ ☏ " * 2 + ENGLISH
    answer = json_lines(fakenews("predict", "--model", trained[1]["bert"], "--text", text).stdout)[0]
    assert "unknown_tokens" in answer["reasons"] and answer["verdict"] == "unsure"


def test_unsure_and_prior(fakenews, model):
    run = lambda *more: fakenews("predict", "--model", model, "--text", ENGLISH, *more)  # noqa: E731
    sure = json_lines(run("infer.unsure=null").stdout)[0]
    if "unknown_tokens" in sure["reasons"]:  # of the tiny vocabulary
        return
    assert sure["verdict"] == sure["label"]
    assert json_lines(run("infer.unsure=1").stdout)[0]["verdict"] == "unsure"
    assert json_lines(run("infer.unsure=0.5").stdout)[0]["verdict"] == sure["label"]
    for value in ("0.4", "1.5", "often", "nan"):
        done = run(f"infer.unsure={value}")
        assert done.code == 2 and "infer.unsure" in done.stderr and "[0.5,1]" in done.stderr
    done = run("infer.prior=0.1")  # nobody knows what its probabilities stand for
    assert done.code == 2 and "is not calibrated" in done.stderr
    assert run("infer.prior=0").code == 2 and run("infer.prior=1").code == 2


def test_csv_keeps_every_column(fakenews, model, tmp_path):
    table = [["id", "title", "notes, long", "text", "label"],
             ["1", 'say "no"', "line\nbreak", "officials said", "real"],
             ["2", "Zürich 🦊", "", "wake up, truth", " fake "],
             ["3", "", "=1+1", "budget", "x"]]
    path = write_csv(tmp_path / "in.csv", table)
    done = fakenews("predict", "--model", model, path, "-o", "out.csv")
    assert done.code == 0 and done.stdout == "", done
    out = csv_rows((tmp_path / "out.csv").read_text())
    assert [row[:5] for row in out] == table
    assert out[0][5:] == ["predicted_label", "probability_real", "probability_fake", "verdict", "calibrated", "reasons",
                          "n_tokens", "truncated", "n_windows", "window_shares", "model", "error"]
    answers = json_lines(fakenews("predict", "--model", model, path).stdout)
    for row, answer in zip(out[1:], answers, strict=True):
        p = answer["probabilities"]
        assert [row[5], *row[8:]] == [answer["label"], answer["verdict"], "false", " ".join(answer["reasons"]),
                                      str(answer["n_tokens"]), "false", "1", "", answer["model"], ""]
        assert [float(row[6]), float(row[7])] == [p["real"], p["fake"]]
    assert fakenews("predict", "--model", model, path, "--format", "csv").stdout == (tmp_path / "out.csv").read_text()


def test_csv_from_json_lines_has_all_keys(fakenews, linear, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"title": "a", "text": "b"}\n{"text": "c", "id": 7}\n')
    done = fakenews("predict", "--model", linear, "in.jsonl", "--format", "csv")
    assert done.code == 0, done
    out = csv_rows(done.stdout)
    assert [row[:3] for row in out] == [["title", "text", "id"], ["a", "b", ""], ["", "c", "7"]]
    done = fakenews("predict", "--model", linear, "-", "--format", "csv", input='{"text": "c"}\n')
    assert done.code == 2 and "JSON lines from standard input cannot become CSV" in done.stderr


def test_several_csv_files(fakenews, linear, tmp_path):
    write_csv(tmp_path / "a.csv", [["title", "text"], ["a", "b"]])
    write_csv(tmp_path / "b.csv", [["title", "text"], ["c", "d"]])
    write_csv(tmp_path / "c.csv", [["text", "title"], ["c", "d"]])
    done = fakenews("predict", "--model", linear, "a.csv", "b.csv", "--format", "csv")
    assert done.code == 0 and [row[:2] for row in csv_rows(done.stdout)] == [["title", "text"], ["a", "b"], ["c", "d"]]
    done = fakenews("predict", "--model", linear, "a.csv", "c.csv", "-o", "out.csv")
    assert done.code == 2 and "c.csv: its columns are not those of the files before it" in done.stderr
    assert not (tmp_path / "out.csv").exists()
    write_csv(tmp_path / "d.csv", [["title", "model"], ["a", "b"]])
    done = fakenews("predict", "--model", linear, "d.csv", "--format", "csv")
    assert done.code == 2 and 'column "model" would stand twice' in done.stderr
    assert fakenews("predict", "--model", linear, "d.csv", "--format", "jsonl").code == 0


BAD = (b'title,text\n'
       b'good,first\n'
       b'too,many,fields\n'
       b' ,\t\n'
       b'bad \xff utf8,\xc3\xa9\n'
       b'good,last\n')


def test_bad_rows(fakenews, model, tmp_path):
    (tmp_path / "in.csv").write_bytes(BAD)
    done = fakenews("predict", "--model", model, "in.csv")
    assert done.code == 3 and "3 of 5 rows were refused" in done.stderr, done
    answers = json_lines(done.stdout)
    assert [a["row"] for a in answers] == [0, 1, 2, 3, 4]
    assert ["error" in a for a in answers] == [False, True, True, True, False]
    assert "in.csv:3: " in answers[1]["error"] and "field" in answers[1]["error"]
    assert answers[2]["error"].endswith("nothing to classify: title and text are empty")
    assert "in.csv:5: " in answers[3]["error"] and "UTF-8" in answers[3]["error"]
    assert all(answers[1][key] is None for key in set(KEYS) - {"row", "model"})
    good = fakenews("predict", "--model", model, "-", input="title,text\ngood,first\ngood,last\n")
    assert [a["probabilities"] for a in json_lines(good.stdout)] == [answers[0]["probabilities"], answers[4]["probabilities"]]
    done = fakenews("predict", "--model", model, "in.csv", "-o", "out.csv")
    assert done.code == 3
    out = csv_rows((tmp_path / "out.csv").read_text())
    assert len(out) == 6 and {len(row) for row in out} == {14}
    assert out[1][2] and not out[2][2] and out[2][13] == answers[1]["error"] and out[5][13] == ""
    done = fakenews("predict", "--model", model, "in.csv", "--format", "table")
    assert done.code == 3 and done.stdout.count("refused") == 3


def test_on_error_null(fakenews, linear, tmp_path):
    """The row stays, its answer is null, and that is no failure."""
    (tmp_path / "in.csv").write_bytes(BAD)
    recorded = json_lines(fakenews("predict", "--model", linear, "in.csv", "--on-error", "record").stdout)
    done = fakenews("predict", "--model", linear, "in.csv", "--on-error", "null")
    assert done.code == 0 and done.stderr == "warning: 3 of 5 rows could not be classified; their answers are null\n", done
    answers = json_lines(done.stdout)
    assert answers == [{k: v for k, v in a.items() if k != "error"} for a in recorded]
    assert [a["label"] is None for a in answers] == [False, True, True, True, False]
    assert all(list(a) == ["file", *KEYS] for a in answers)
    done = fakenews("predict", "--model", linear, "in.csv", "--on-error", "null", "-o", "out.csv")
    out = csv_rows((tmp_path / "out.csv").read_text())
    assert done.code == 0 and len(out) == 6 and {row[13] for row in out[1:]} == {""} and out[2][2:12] == [""] * 10


def test_on_error_fail(fakenews, linear, tmp_path):
    """The first bad row ends it: nothing after -o, standard output up to the row before."""
    (tmp_path / "in.csv").write_bytes(BAD)
    done = fakenews("predict", "--model", linear, "in.csv", "--on-error", "fail", "-o", "out.jsonl")
    assert done.code == 2 and done.stdout == "" and not (tmp_path / "out.jsonl").exists(), done
    assert "in.csv:3: " in done.stderr and "expected 2 as in the header" in done.stderr and "--on-error fail" in done.stderr
    (tmp_path / "out.jsonl").write_text("older")
    assert fakenews("predict", "--model", linear, "in.csv", "--on-error", "fail", "-o", "out.jsonl").code == 2
    assert (tmp_path / "out.jsonl").read_text() == "older" and sorted(os.listdir(tmp_path)) == ["in.csv", "out.jsonl"]
    done = fakenews("predict", "--model", linear, "in.csv", "--on-error", "fail")
    assert done.code == 2 and [a["row"] for a in json_lines(done.stdout)] == [0]
    article_csv(tmp_path / "good.csv", articles(600))
    (tmp_path / "late.csv").write_bytes((tmp_path / "good.csv").read_bytes() + b"one,field,too,many\n")
    good = fakenews("predict", "--model", linear, "good.csv", "--on-error", "fail")
    late = fakenews("predict", "--model", linear, "late.csv", "--on-error", "fail")
    assert good.code == 0 and late.code == 2 and late.stdout == good.stdout.replace("good.csv", "late.csv")
    done = fakenews("predict", "--model", linear, "in.csv", "--on-error", "skip")
    assert done.code == 2 and '--on-error takes record, null or fail, not "skip"' in done.stderr


def test_bad_json_lines(fakenews, linear, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "fine"}\n{"text": 5}\n{"text": \n[1]\n{"title": null, "text": "fine"}\n{}\n')
    done = fakenews("predict", "--model", linear, "in.jsonl")
    assert done.code == 3, done
    answers = json_lines(done.stdout)
    assert ["error" in a for a in answers] == [False, True, True, True, False, True]
    assert answers[1]["error"].endswith('in.jsonl:2: "text" is not a string')
    assert answers[0]["probabilities"] == answers[4]["probabilities"]


@pytest.mark.parametrize("content, name, parts", [
    (b"", "in.csv", ["in.csv", "empty"]),
    (b"headline,body\na,b\n", "in.csv", ["in.csv", "\"text\"", "data.columns.text", "\"headline\", \"body\""]),
    (b"title,text\na,b\n\"c,d\n", "in.csv", ["in.csv:3", "quote"]),
    (b"title,text\na,b\n", "in.csv.gz", ["in.csv.gz", "gzip"]),
    (gzip.compress(b"title,text\n" + b"a,b\n" * 5000, mtime=0)[:60], "in.csv.gz", ["in.csv.gz"]),
    (b"\xff\xfet\0a", "in.csv", ["in.csv", "half a UTF-16 character"]),
    (b"title,text\na\xe9,b\n" + b"a,b\n" * 20000 + "é,b\n".encode(), "in.csv", ["in.csv:20003", "on line 2", "data.encoding=utf-8"]),
    (b"title; short,text; long\n", "in.csv", ["in.csv:1", 'data.delimiter=";"']),
])
def test_refused_input_leaves_nothing(fakenews, linear, tmp_path, content, name, parts):
    (tmp_path / name).write_bytes(content)
    before = sorted(os.listdir(tmp_path))
    done = fakenews("predict", "--model", linear, name, "-o", "out.jsonl")
    assert done.code == 2, done
    for part in parts:
        assert part in done.stderr, done
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("arguments, part", [
    ([], "nothing to classify: give FILE"),
    (["--text", "a", "b.csv"], "--text and --title are one article"),
    (["-", "-"], "standard input (-) is given twice"),
    (["--text", "a", "--format", "xml"], "--format takes table, jsonl or csv, not \"xml\""),
    (["--text", " "], "nothing to classify: title and text are empty"),
    (["missing.csv"], "missing.csv"),
    (["--text", "a", "infer.long=none"], "infer.long"),
    (["--text", "a", "infer.text=title"], "reads nothing else, not title"),
    (["--text", "a", "-o", "no/such/folder/out.csv"], "no/such/folder"),
    (["--text", "a", "-o", "out.csv.gz"], "answers are not compressed"),
])
def test_refused_arguments(fakenews, linear, tmp_path, arguments, part):
    done = fakenews("predict", "--model", linear, *arguments)
    assert done.code in (1, 2) and part in done.stderr and done.stdout == "", done
    assert os.listdir(tmp_path) == []


def test_plain_text_on_standard_input(fakenews, linear):
    """It could be CSV, and says how it is not."""
    done = fakenews("predict", "--model", linear, "-", input="A text of its own, with a comma.\n")
    assert done.code == 2 and "if this is one plain text and no CSV: data.format=text" in done.stderr
    done = fakenews("predict", "--model", linear, "-", "data.format=text", input="A text of its own, with a comma.\n")
    assert done.code == 0 and len(json_lines(done.stdout)) == 1


@pytest.mark.parametrize("verb", ["predict", "tokenize"])
def test_interrupted_while_waiting_for_input(program, trained, tmp_path, verb):
    runs = trained[1]
    option = ["--model", runs["linear"]] if verb == "predict" else ["--tokenizer", runs["bert"] / "model"]
    process = subprocess.Popen([program, verb, *map(str, option), "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, cwd=tmp_path, env=bare_environment(tmp_path))
    for _ in range(600):  # until it reads descriptor 0: read() is call 0 on x86-64, 63 on aarch64
        if Path(f"/proc/{process.pid}/syscall").read_text().startswith(("0 0x0 ", "63 0x0 ")):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=120)
    _, err = process.communicate()
    assert process.returncode == 130 and err.decode() == "fakenews: stopped\n"


def test_mistyped_path_is_no_download(fakenews, linear, tmp_path):
    (tmp_path / "runs").mkdir()
    done = fakenews("predict", "--model", "runs/lates", "--text", "a")
    assert done.code == 2 and "runs/lates: no such directory in runs" in done.stderr and "hf download" not in done.stderr


def test_no_such_model(fakenews, tmp_path):
    done = fakenews("predict", "--model", tmp_path, "--text", "a")
    assert done.code == 2 and "no config.json in it; accepted is a Hugging Face directory" in done.stderr


def test_columns_by_setting(fakenews, linear, tmp_path):
    write_csv(tmp_path / "in.csv", [["headline", "body"], ["a", "b"]])
    done = fakenews("predict", "--model", linear, "in.csv", "data.columns.title=headline", "data.columns.text=body")
    assert done.code == 0 and json_lines(done.stdout)[0]["title"] == "a", done
    write_csv(tmp_path / "in.csv", [["Title"], ["a"]])  # title alone will do; case does not count
    assert fakenews("predict", "--model", linear, "in.csv").code == 0


def test_header_only(fakenews, linear, tmp_path):
    (tmp_path / "in.csv").write_text("title,text\n")
    done = fakenews("predict", "--model", linear, "in.csv", "-o", "out.csv")
    assert done.code == 0 and "no rows" in done.stderr
    assert len(csv_rows((tmp_path / "out.csv").read_text())) == 1


def test_table(fakenews, model, tmp_path):
    write_csv(tmp_path / "in.csv", [["title", "text"], ["A \x1b[31mred\x1b[0m \u202etitle\nthat " * 9, "x"], ["", "text only"]])
    done = fakenews("predict", "--model", model, "in.csv", "--format", "table")
    assert done.code == 0, done
    lines = done.stdout.splitlines()
    assert lines[0].startswith("model ") and lines[2].split() == ["row", "verdict", "prob.", "tokens", "title"]
    assert lines[3] == "# in.csv" and len(lines) == 6
    assert "\x1b" not in done.stdout and "\u202e" not in done.stdout  # nothing that moves the cursor
    assert max(map(len, lines)) <= 80 and "A [31mred [0m title that" in lines[4]
    assert lines[5].split()[-2:] == ["text", "only"] and lines[5].split()[1] == "unsure" and "[too_short" in lines[5]


def test_file_appears_when_it_is_whole(program, linear, tmp_path):
    """While rows come in, no file of that name is there; a killed run leaves the old one as it was."""
    out = tmp_path / "out.jsonl"
    out.write_text("old\n")
    process = subprocess.Popen([program, "predict", "--model", linear, "-", "-o", out], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=bare_environment(tmp_path), cwd=tmp_path)
    process.stdin.write(b"title,text\n" + b"a,some words here\n" * 20000)  # more than a pipe holds: it has read
    process.stdin.flush()
    wait_for(lambda: len(os.listdir(tmp_path)) == 2)
    assert out.read_text() == "old\n"
    process.terminate()
    process.stdin.close()
    assert process.wait(timeout=120) == 128 + 15
    assert out.read_text() == "old\n" and os.listdir(tmp_path) == ["out.jsonl"]


def test_closed_pipe_and_full_disk(program, linear, tmp_path):
    path = article_csv(tmp_path / "a.csv", articles(2000))
    done = subprocess.run(f"'{program}' predict --model '{linear}' '{path}' | head -1", shell=True, capture_output=True,
                          text=True, env=bare_environment(tmp_path), cwd=tmp_path)
    assert len(done.stdout.splitlines()) == 1 and "standard output" in done.stderr
    with open("/dev/full", "w") as full:
        done = subprocess.run([program, "predict", "--model", linear, "--text", "a"], stdout=full, stderr=subprocess.PIPE,
                              text=True, env=bare_environment(tmp_path), cwd=tmp_path)
    assert done.returncode == 1 and "standard output" in done.stderr
