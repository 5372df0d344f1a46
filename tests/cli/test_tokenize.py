"""fakenews tokenize: answers, forms of the input, refusals."""

import json
import os
import subprocess

import pytest

VOCAB = "[PAD] [UNK] [CLS] [SEP] [MASK] the news ##s un ##real é ! ,".split()


@pytest.fixture
def tokenizer(tmp_path):
    folder = tmp_path / "tok"
    folder.mkdir()
    (folder / "vocab.txt").write_text("".join(t + "\n" for t in VOCAB))
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true, "strip_accents": false}')
    return folder


def answers(done):
    assert done.code == 0, done
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_ids_tokens_and_byte_offsets(fakenews, tokenizer):
    got = answers(fakenews("tokenize", "--tokenizer", tokenizer, input="The É newss!\n\nunreal, [SEP]"))
    assert got == [
        {"ids": [5, 10, 6, 7, 11], "tokens": ["the", "é", "news", "##s", "!"],
         "offsets": [[0, 3], [4, 6], [7, 11], [11, 12], [12, 13]]},
        {"ids": [], "tokens": [], "offsets": []},
        {"ids": [8, 9, 12, 3], "tokens": ["un", "##real", ",", "[SEP]"], "offsets": [[0, 2], [2, 6], [6, 7], [8, 13]]},
    ]


def test_file_and_text(fakenews, tokenizer, tmp_path):
    (tmp_path / "in.txt").write_bytes(b"the\r\nthe \xff\n")
    got = answers(fakenews("tokenize", "--tokenizer", tokenizer / "vocab.txt", "--text", tmp_path / "in.txt"))
    assert [a["text"] for a in got] == ["the\r", "the \ufffd"]
    assert [a["ids"] for a in got] == [[5], [5]]
    assert answers(fakenews("tokenize", "--tokenizer", tokenizer, "-", input="")) == []


def test_texts_with_line_breaks(fakenews, tokenizer):
    got = answers(fakenews("tokenize", "--tokenizer", tokenizer, "--json", "--text", input='"the\\nnews\\u0000s"\n""\n'))
    assert got[0] == {"text": "the\nnews\0s", "ids": [5, 6, 7], "tokens": ["the", "news", "##s"],
                      "offsets": [[0, 3], [4, 8], [9, 10]]}
    assert got[1]["ids"] == []


def test_bad_line_is_named_and_those_before_it_are_answered(fakenews, tokenizer):
    done = fakenews("tokenize", "--tokenizer", tokenizer, "--json", input='"the"\n{"text": "the"}\n"the"\n')
    assert done.code == 2 and "standard input:2: with --json every line must be one JSON string" in done.stderr
    assert [json.loads(line)["ids"] for line in done.stdout.splitlines()] == [[5]]
    done = fakenews("tokenize", "--tokenizer", tokenizer, "--json", input='"the\n')
    assert done.code == 2 and "standard input:1: " in done.stderr and "not valid JSON" in done.stderr


def test_answers_come_as_lines_come(program, tokenizer):
    """Through a pipe that stays open, and line by line whatever the pieces are."""
    with subprocess.Popen([program, "tokenize", "--tokenizer", tokenizer], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        for piece, want in ((b"the\n", [5]), (b"ne", None), (b"ws\nth", [6]), (b"e\n", [5])):
            os.write(process.stdin.fileno(), piece)
            if want is not None:
                assert json.loads(process.stdout.readline())["ids"] == want
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(timeout=240) == 0


def test_long_line(fakenews, tokenizer):
    got = answers(fakenews("tokenize", "--tokenizer", tokenizer, input="the " * 500000 + "\n" + "x" * 2000000))
    assert [len(a["ids"]) for a in got] == [500000, 1]
    assert got[1]["offsets"] == [[0, 2000000]]


@pytest.mark.parametrize("arguments, message", [
    ((), "--tokenizer DIR is missing"),
    (("--tokenizer", "nobody/nothing"), "nobody/nothing"),
    (("--tokenizer", "{empty}"), "holds neither tokenizer.json nor vocab.txt"),
    (("--tokenizer", "{tokenizer}", "a", "b"), "one FILE is expected, not 2"),
    (("--tokenizer", "{tokenizer}", "none.txt"), "none.txt: No such file or directory"),
    (("--tokenizer", "{bpe}"), 'model.type is "BPE"; accepted is WordPiece'),
])
def test_refusals(fakenews, tokenizer, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bpe").mkdir()
    (tmp_path / "bpe/tokenizer.json").write_text('{"model": {"type": "BPE", "vocab": {}, "merges": []}}')
    places = {"tokenizer": tokenizer, "empty": tmp_path / "empty", "bpe": tmp_path / "bpe"}
    done = fakenews("tokenize", *(a.format(**places) for a in arguments), input="the\n")
    assert done.code == 2 and message in done.stderr and done.stdout == "", done


def test_full_disk_is_a_failure_at_run_time(program, tokenizer):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([program, "tokenize", "--tokenizer", tokenizer], input=b"the\n", stdout=full,
                              stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"standard output" in done.stderr
