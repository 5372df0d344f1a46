"""Packed models: `quantize`, `model info`, `bench`, and predict over a packed file; damage, replacement, odd texts, flags."""

import json
import os
import shutil
import struct
import subprocess
import threading

import pytest
from infer_support import json_lines, make_models, write_csv
from safetensors import safe_open
from train_support import COMMON, WORDS, bare_environment


@pytest.fixture(scope="module")
def work(program, tmp_path_factory):
    """(folder, data, runs, path of a packed file of both)"""
    folder = tmp_path_factory.mktemp("packed")
    data, runs = make_models(program, folder)
    path = folder / "news.fnm"
    done = subprocess.run([program, "quantize", "--model", runs["bert"], "--linear", runs["linear"], "--out", path, "--data", data],
                          capture_output=True, text=True, env=bare_environment(folder), cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "labels flipped" in done.stdout and "by dataset" in done.stdout
    return folder, data, runs, path


def header_of(path):
    with open(path, "rb") as file:
        (n,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(n))


def test_the_reference_reader_lists_it(work):
    path = work[3]
    with safe_open(path, "numpy") as file:
        names = set(file.keys())
        metadata = file.metadata()
        tiles = file.get_tensor("bert.encoder.layer.0.output.dense.weight")
    assert metadata["format"] == "fakenews-packed" and metadata["version"] == "1" and metadata["dtype"] == "int8"
    assert {"linear.word.weight", "linear.char.idf", "tokenizer.edges"} <= names
    assert tiles.ndim == 4 and tiles.shape[2:] == (16, 4) and tiles.min() >= 1 and tiles.max() <= 127
    card = json.loads(metadata["card"])
    assert card["packing"]["encoder"]["all"]["n"] > 100 and card["packing"]["linear"]["all"]["flipped"] <= 1
    begin = 8 + struct.unpack("<Q", path.read_bytes()[:8])[0]
    for name, tensor in header_of(path).items():
        if name != "__metadata__" and not name.startswith("__pad."):
            assert (begin + tensor["data_offsets"][0]) % 64 == 0, name


def test_same_bytes_again_and_without_data(fakenews, work, tmp_path):
    _, _, runs, _ = work
    outs = [tmp_path / "news.fnm", tmp_path / "more" / "news.fnm"]
    outs[1].parent.mkdir()
    for out in outs:
        done = fakenews("quantize", "--model", runs["bert"], "--out", out)
        assert done.code == 0 and "without --data" in done.stderr, done
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_f32_gives_the_directory_s_answers(fakenews, work, tmp_path):
    _, _, runs, _ = work
    out = tmp_path / "f32.fnm"
    assert fakenews("quantize", "--model", runs["bert"], "--out", out, "dtype=f32").code == 0
    text = " ".join((WORDS[0] + COMMON) * 6)
    answers = [json_lines(fakenews("predict", "--model", model, "--title", "a title", "--text", text).stdout)[0]
               for model in (runs["bert"], out)]
    assert answers[0]["probabilities"] == answers[1]["probabilities"] and answers[0]["n_tokens"] == answers[1]["n_tokens"]


def test_parts_levels_and_threads(fakenews, work):
    path = work[3]
    text = " ".join((WORDS[1] + COMMON) * 5)

    def ask(*settings):
        done = fakenews("predict", "--model", path, "--text", text, *settings)
        assert done.code == 0, done
        return json_lines(done.stdout)[0]

    both, encoder, linear = ask(), ask("infer.part=encoder"), ask("infer.part=linear")
    assert len({answer["probabilities"]["fake"] for answer in (both, encoder, linear)}) == 3
    for flags in (["--cpu-level", "c"], ["--cpu-level=avx2"], ["--threads", "1"], ["--threads=3", "device.cpu_level=avx512"]):
        assert ask(*flags) == both, flags
    done = fakenews("predict", "--model", path, "--text", "x", "device.backend=reference")
    assert done.code == 2 and "device.cpu_level=c" in done.stderr
    done = fakenews("predict", "--model", path, "--text", "x", "--cpu-level", "sse")
    assert done.code == 2 and "device.cpu_level" in done.stderr
    done = fakenews("predict", "--model", path, "--text", "x", "--thread", "1")
    assert done.code == 2 and "did you mean --threads" in done.stderr


def test_model_info(fakenews, work):
    _, _, runs, path = work
    done = fakenews("model", "info", path)
    assert done.code == 0 and "checksums hold" in done.stdout and "int8" in done.stdout and "linear half" in done.stdout
    info = json.loads(fakenews("model", "info", path, "--json").stdout)
    assert info["packed"] and info["verified"] and info["encoder"]["dtype"] == "int8" and info["linear"]
    assert info["size_bytes"] == path.stat().st_size and info["labels"] == ["real", "fake"]
    assert info["id"].startswith("news@") and info["checksum"].startswith(info["id"].split("@")[1])
    directory = json.loads(fakenews("model", "info", runs["bert"], "--json").stdout)
    with safe_open(runs["bert"] / "model" / "model.safetensors", "numpy") as file:
        count = sum(file.get_tensor(name).size for name in file.keys())
    assert directory["encoder"]["parameters"] == info["encoder"]["parameters"] == count
    done = fakenews("model", "info", "nowhere")
    assert done.code != 0 and "nowhere" in done.stderr
    assert fakenews("model", "info", path, path).code == 2


def test_bench(fakenews, work):
    path = work[3]
    figures = json.loads(fakenews("bench", "--model", path, "--tokens", "16,32", "--threads", "1", "--json").stdout)
    assert [r["tokens"] for r in figures["results"]] == [16, 32] and figures["model"].startswith("news@")
    for r in figures["results"]:
        assert 0 < r["p50_ms"] <= r["p99_ms"] and r["tokens_per_s"] == pytest.approx(r["tokens"] / r["p50_ms"] * 1e3)
        assert r["share_of_ceiling"] is None or 0 < r["share_of_ceiling"] < 1.2
    done = fakenews("bench", "--model", path, "--tokens", "16")
    assert done.code == 0 and "share of ceiling" in done.stdout
    for bad in ("7", "16,", "a", "100000", ""):
        assert fakenews("bench", "--model", path, "--tokens", bad).code == 2, bad
    assert fakenews("bench", "--model", path, "--tokens", "4096").code == 2
    done = fakenews("bench", "--model", path, "infer.part=linear", "--tokens", "64")
    assert done.code == 0, done


def damaged(path, tmp_path, name, change):
    content = bytearray(path.read_bytes())
    change(content)
    out = tmp_path / f"{name}.fnm"
    out.write_bytes(content)
    return out


def in_header(old, new):
    assert len(old) == len(new)

    def change(content):
        at = content.index(old)
        content[at:at + len(old)] = new
    return change


@pytest.mark.parametrize("name,change,said", [
    ("cut", lambda c: c.__delitem__(slice(len(c) // 2, None)), "damaged.fnm"),
    ("header-cut", lambda c: c.__delitem__(slice(40, None)), "damaged.fnm"),
    ("version", in_header(b'"version":"1"', b'"version":"7"'), "version"),
    ("architecture", in_header(b'\\"model_type\\": \\"bert\\"', b'\\"model_type\\": \\"gpt2\\"'), "xxh3.header"),
    ("shape", in_header(b'"shape":[', b'"shape":['), None),
    ("flip", lambda c: c.__setitem__(200, c[200] ^ 1), "damaged.fnm"),
])
def test_damage_is_refused(fakenews, work, tmp_path, name, change, said):
    out = damaged(work[3], tmp_path, "damaged", change)
    done = fakenews("predict", "--model", out, "--text", "council budget")
    if said is None:
        assert done.code == 0
    else:
        assert done.code in (1, 2) and said in done.stderr and "damaged.fnm" in done.stderr, done


def test_a_turned_bit_of_the_weights_is_found_by_info(fakenews, work, tmp_path):
    out = damaged(work[3], tmp_path, "bit", lambda c: c.__setitem__(len(c) // 2, c[len(c) // 2] ^ 4))
    done = fakenews("model", "info", out)
    assert done.code == 2 and "xxh3.data" in done.stderr


def test_odd_texts(fakenews, work, tmp_path):
    path = work[3]
    big = tmp_path / "big.txt"
    big.write_text("council budget " * 700_000)  # 10 MB
    done = fakenews("predict", "--model", path, big, "data.format=text")
    assert done.code == 0 and json_lines(done.stdout)[0]["truncated"] is True
    assert fakenews("predict", "--model", path, "--text", "   ").code == 2
    raw = tmp_path / "raw.csv"
    raw.write_bytes(b"title,text\n\"a\x00b\",\"council\x00budget\"\n,\xff\xfe\n\"\",\"   \"\nok,fine\n")
    done = fakenews("predict", "--model", path, raw)
    assert done.code == 3, done
    answers = json_lines(done.stdout)
    assert len(answers) == 4 and answers[3]["label"] in ("real", "fake") and answers[2]["label"] is None


def test_replaced_by_rename_while_in_use(program, work, tmp_path):
    """A file that is replaced as `quantize` replaces it goes on answering from what was mapped."""
    folder, _, runs, path = work
    mine = tmp_path / "mine.fnm"
    shutil.copy(path, mine)
    rows = write_csv(tmp_path / "rows.csv", [["title", "text"]] + [[f"t {i}", " ".join(WORDS[i % 2] * 9)] for i in range(1500)])
    environment = bare_environment(folder)
    want = subprocess.run([program, "predict", "--model", path, rows], capture_output=True, text=True, env=environment).stdout

    def replace():
        for _ in range(6):
            subprocess.run([program, "quantize", "--model", runs["bert"], "--out", mine, "-q"], env=environment, check=True,
                           capture_output=True)
    thread = threading.Thread(target=replace)
    process = subprocess.Popen([program, "predict", "--model", mine, rows], stdout=subprocess.PIPE, text=True, env=environment)
    first = process.stdout.readline()
    thread.start()
    got = first + process.stdout.read()
    thread.join()
    assert process.wait() == 0
    strip = [{k: v for k, v in row.items() if k != "model"} for row in json_lines(want)]
    assert [{k: v for k, v in row.items() if k != "model"} for row in json_lines(got)] == strip


def test_quantize_refuses(fakenews, work, tmp_path):
    _, data, runs, path = work
    out = tmp_path / "x.fnm"
    cases = [
        (["--model", path, "--out", out], "packed already"),
        (["--model", runs["linear"], "--linear", runs["linear"], "--out", out], "both of the linear family"),
        (["--model", runs["bert"], "--linear", runs["bert"], "--out", out], "--linear"),
        (["--model", runs["bert"], "--out", out, "dtype=int4"], "dtype"),
        (["--model", tmp_path / "no", "--out", out], "no"),
        (["--model", runs["bert"], "--out", tmp_path / "missing" / "x.fnm"], "missing"),
        (["--model", runs["bert"], "--out", out, "--name", "x" * 300], "name"),
        (["--model", runs["bert"], "--out", out, "--card", data / "prepare.json", "--data", tmp_path], str(tmp_path)),
    ]
    for arguments, said in cases:
        done = fakenews("quantize", *arguments)
        assert done.code in (1, 2) and said in done.stderr, (arguments, done)
    card = tmp_path / "card.json"
    card.write_text("[1]")
    assert fakenews("quantize", "--model", runs["bert"], "--out", out, "--card", card).code == 2
    card.write_text('{"licence": "of nobody", "made": 5}')
    done = fakenews("quantize", "--model", runs["bert"], "--out", out, "--card", card)
    assert done.code == 2 and "made" in done.stderr, done
    card.write_text('{"licence": "of nobody"}')
    assert fakenews("quantize", "--model", runs["linear"], "--out", out, "--card", card, "--name", "lin").code == 0
    info = json.loads(fakenews("model", "info", out, "--json").stdout)
    assert info["card"]["licence"] == "of nobody" and info["id"].startswith("lin@") and "encoder" not in info
    answer = json_lines(fakenews("predict", "--model", out, "--text", "council budget").stdout)[0]
    assert answer["label"] in ("real", "fake")
    assert not [name for name in os.listdir(tmp_path) if name.startswith("x.fnm.")]
