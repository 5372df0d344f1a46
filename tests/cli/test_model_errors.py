"""Model directories that are broken or hostile: each is refused with exit code 2, a message that names file, tensor or
key and what would be accepted, and nothing left behind; never a crash, whatever the header says."""

import json
import shutil
import struct
import subprocess

import pytest
from train_support import TINY, bare_environment, prepare, write_corpus

WORD = "bert.embeddings.word_embeddings.weight"


@pytest.fixture(scope="module")
def data(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    return prepare(program, folder, write_corpus(folder / "news.csv"))


@pytest.fixture(scope="module")
def model(program, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    done = subprocess.run([program, "train", "--data", data, "--init", "scratch", "--out", "run", *TINY, "train.max_steps=1"],
                          capture_output=True, text=True, env=bare_environment(folder), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run/model"


@pytest.fixture
def broken(model, tmp_path):
    """A copy of the model to break."""
    return shutil.copytree(model, tmp_path / "broken")


@pytest.fixture
def refused(fakenews, data, broken, tmp_path):
    """refused(part, …): both training from the directory and predicting with it are refused with these words."""

    def check(*parts, code=2):
        before = sorted(path.name for path in broken.iterdir())
        for command in (["train", "--data", data, "--init", broken, "--out", "out", "train.max_tokens=48"],
                        ["predict", "--model", broken, "--text", "water prices rise"]):
            done = fakenews(*command)
            assert done.code == code, done
            for part in parts:
                assert part in done.stderr, done
            assert done.stdout == "" and not (tmp_path / "out").exists()
        assert sorted(path.name for path in broken.iterdir()) == before

    return check


def change_config(directory, **values):
    path = directory / "config.json"
    config = json.loads(path.read_text())
    config.update(values)
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not Ellipsis}, indent=2))


def read_header(directory):
    data = (directory / "model.safetensors").read_bytes()
    (n,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8:8 + n]), data[8 + n:]


def write_raw(directory, header, data, length=None):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(header) if length is None else length
    (directory / "model.safetensors").write_bytes(struct.pack("<Q", length) + header + data)


@pytest.mark.parametrize("values, parts", [
    (dict(hidden_size=0), ["hidden_size is 0, accepted are 1 to 65536"]),
    (dict(hidden_size="32"), ["\"hidden_size\" must be an integer, not a string"]),
    (dict(num_attention_heads=5), ["hidden_size 32 cannot be shared evenly by 5 heads"]),
    (dict(num_hidden_layers=10**6), ["num_hidden_layers is 1000000, accepted are 1 to 1024"]),
    (dict(hidden_dropout_prob=1.0), ["hidden_dropout_prob is 1, accepted is a probability from 0 to below 1"]),
    (dict(layer_norm_eps=-1e-12), ["layer_norm_eps is -1e-12"]),
    (dict(pad_token_id=10**6), ["pad_token_id is 1000000"]),
    (dict(hidden_act="swish"), ["hidden_act \"swish\" is not known; accepted are gelu, gelu_new, gelu_pytorch_tanh and relu"]),
    (dict(model_type="roberta"), ["model_type \"roberta\" is not supported yet; accepted is \"bert\""]),
    (dict(model_type="gpt2"), ["model_type \"gpt2\" is not known"]),
    (dict(model_type=...), ["\"model_type\" is missing"]),
    (dict(is_decoder=True), ["is_decoder is true; accepted is an encoder"]),
    (dict(position_embedding_type="relative_key"), ["position_embedding_type \"relative_key\" is not supported"]),
    (dict(id2label={"0": "real"}), ["id2label must name 2 to 8 labels"]),
])
def test_config_out_of_range(broken, refused, values, parts):
    change_config(broken, **values)
    refused("broken/config.json:", *parts)


def test_config_names_the_line(broken, refused):
    (broken / "config.json").write_text('{\n  "model_type": "bert",\n\n  "hidden_size": -4\n}\n')
    refused("broken/config.json:4: hidden_size is -4")


def test_config_not_json_or_missing(broken, refused):
    (broken / "config.json").write_text('{"model_type": "bert",')
    refused("broken/config.json:1:", "not valid JSON")
    (broken / "config.json").unlink()
    refused("no config.json in it; accepted is a Hugging Face directory")


def test_shapes_that_disagree_tensor_by_tensor(broken, refused):
    change_config(broken, intermediate_size=96)
    refused("model.safetensors: does not fit", "shape: bert.encoder.layer.0.intermediate.dense.weight is [64, 32], "
            "config.json asks for [96, 32]", "shape: bert.encoder.layer.1.output.dense.weight is [32, 64], config.json asks "
            "for [32, 96]")
    change_config(broken, intermediate_size=64, num_hidden_layers=1)
    refused("unexpected: bert.encoder.layer.1.")
    change_config(broken, num_hidden_layers=3)
    refused("missing: bert.encoder.layer.2.")


def test_vocabulary_against_embedding(broken, refused):
    rows = json.loads((broken / "config.json").read_text())["vocab_size"]
    change_config(broken, vocab_size=rows - 1)
    refused("broken", f"ids up to {rows - 1}", f"only {rows - 1} rows (vocab_size)")
    change_config(broken, vocab_size=rows + 1)
    refused(f"shape: {WORD} is [{rows}, 32], config.json asks for [{rows + 1}, 32]")


def test_weights_cut_short(broken, refused):
    path = broken / "model.safetensors"
    whole = path.read_bytes()
    for cut, part in ((0, "0 bytes long"), (7, "7 bytes long"), (100, "cut short"), (len(whole) // 2, "data_offsets"),
                      (len(whole) - 1, "data_offsets")):
        path.write_bytes(whole[:cut])
        refused("broken/model.safetensors:", part)
    path.write_bytes(whole + b"\0")
    refused("broken/model.safetensors:", f"take {len(whole) - 8 - struct.unpack('<Q', whole[:8])[0]} bytes, but")


def test_no_weights(broken, refused):
    (broken / "model.safetensors").unlink()
    refused("broken: no model.safetensors in it")
    (broken / "pytorch_model.bin").write_bytes(b"")
    refused("save_pretrained(")


@pytest.mark.parametrize("length, part", [(2**63, "9223372036854775808 bytes long"), (2**64 - 1, "18446744073709551615"),
                                          (10**8 + 1, "at most 100000000"), (10**8, "cut short")])
def test_hostile_header_length(broken, refused, length, part):
    header, data = read_header(broken)
    write_raw(broken, header, data, length)
    refused("broken/model.safetensors:", part)


@pytest.mark.parametrize("entry, part", [
    (dict(data_offsets=[0, 2**62]), "\"data_offsets\" must lie within"),
    (dict(data_offsets=[0, 2**63]), "too big integer"),
    (dict(data_offsets=[8, 0]), "end before they begin"),
    (dict(shape=[2**32, 2**32]), "shape is impossible"),
    (dict(shape=[2**63, 1]), "too big integer"),
    (dict(shape=[-1, 32]), "whole numbers of 0 or more"),
    (dict(shape=[1] * 9), "9 dimensions, at most 8"),
    (dict(dtype="F31"), "dtype \"F31\" is not known"),
    (dict(dtype="F64"), "shape and dtype ask for"),
])
def test_hostile_entries(broken, refused, entry, part):
    header, data = read_header(broken)
    header[WORD].update(entry)
    write_raw(broken, header, data)
    refused("broken/model.safetensors:", part)


def test_hostile_overlap_hole_duplicate(broken, refused):
    header, data = read_header(broken)
    twice = dict(header, copy=header[WORD])
    write_raw(broken, twice, data)
    refused("begins at byte", "inside the one before")
    hole = {name: entry for name, entry in header.items() if name != WORD}
    write_raw(broken, hole, data)
    refused("broken/model.safetensors:", "byte")
    text = json.dumps(header)
    write_raw(broken, ("{" + text[1:-1] + ", " + json.dumps(WORD) + ": " + json.dumps(header[WORD]) + "}").encode(), data)
    refused("duplicate")
    write_raw(broken, b"\xff" * 16, data)
    refused("broken/model.safetensors:", "not valid JSON")
    write_raw(broken, b"[" * 5_000_000, data)
    refused("broken/model.safetensors:")


def test_values_that_are_no_numbers(broken, refused):
    header, data = read_header(broken)
    begin = header["bert.encoder.layer.0.output.dense.bias"]["data_offsets"][0]
    data = data[:begin + 8] + struct.pack("<f", float("nan")) + data[begin + 12:]
    write_raw(broken, header, data)
    refused("tensor \"bert.encoder.layer.0.output.dense.bias\" holds a value that is not a finite number (element 2)")


def test_integer_weights(broken, refused):
    header, data = read_header(broken)
    header[WORD]["dtype"] = "I32"
    write_raw(broken, header, data)
    refused(f"tensor \"{WORD}\" is I32; weights may be F32, F16, BF16 or F64")


def test_labels_in_another_order(fakenews, data, broken):
    """The head of someone who calls class 0 fake would begin with every answer turned round: a new one is drawn, and told."""
    command = ["train", "--data", data, "--init", broken, "--out", "out", "train.max_tokens=48", "train.max_steps=1"]
    done = fakenews(*command)
    assert done.code == 0 and "no head for the labels real and fake" not in done.stderr, done
    change_config(broken, id2label={"0": "FAKE", "1": "REAL"}, label2id={"FAKE": 0, "REAL": 1})
    done = fakenews(*(part if part != "out" else "out-2" for part in command))
    assert done.code == 0 and "no head for the labels real and fake" in done.stderr, done


@pytest.mark.parametrize("name", ["nobody/nothing", "nobody/nothing@v2"])
def test_not_in_the_hub_cache(fakenews, data, tmp_path, name):
    revision = " --revision v2" if "@" in name else ""
    for command in (["train", "--data", data, "--init", name, "--out", "out"], ["predict", "--model", name, "--text", "x"]):
        done = fakenews(*command, env={"HF_HOME": str(tmp_path / "hf")})
        assert done.code == 2, done
        assert f"looked in {tmp_path}/hf/hub" in done.stderr
        assert f"hf download nobody/nothing{revision} config.json model.safetensors tokenizer.json" in done.stderr


def test_found_in_the_hub_cache(fakenews, data, model, tmp_path):
    snapshot = tmp_path / "hf/hub/models--some--one/snapshots/abc"
    snapshot.parent.mkdir(parents=True)
    shutil.copytree(model, snapshot)
    (tmp_path / "hf/hub/models--some--one/refs").mkdir()
    (tmp_path / "hf/hub/models--some--one/refs/main").write_text("abc")
    for i, env in enumerate(({"HF_HOME": str(tmp_path / "hf")}, {"HF_HUB_CACHE": str(tmp_path / "hf/hub")})):
        done = fakenews("train", "--data", data, "--init", "some/one", "--out", f"out-{i}", "train.max_tokens=48",
                        "train.max_steps=1", env=env)
        assert done.code == 0, done
