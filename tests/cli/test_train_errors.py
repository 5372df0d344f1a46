"""What `fakenews train` refuses (exit code 2, nothing left behind), and what ends it with its state kept (exit code 1)."""

import json
import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest
from train_support import (TINY, bare_environment, metrics, overwrite_tensor, prepare, same_tree, tree, write_corpus)


@pytest.fixture(scope="module")
def data(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    return prepare(program, folder, write_corpus(folder / "news.csv"))


@pytest.fixture(scope="module")
def model(program, data, tmp_path_factory):
    """A Hugging Face directory of a tiny model."""
    folder = tmp_path_factory.mktemp("model")
    done = subprocess.run([program, "train", "--data", data, "--init", "scratch", "--out", "run", *TINY, "train.max_steps=1"],
                          capture_output=True, text=True, env=bare_environment(folder), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run/model"


def refused(done, tmp_path, *parts):
    assert done.code == 2, done
    for part in parts:
        assert part in done.stderr, done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "runs").exists() and not (tmp_path / "out").exists(), "something was left behind"


def test_hidden_tokens_need_a_mask(fakenews, data, model, tmp_path):
    """A vocabulary without [MASK] trains well, but nothing can be hidden in it."""
    without = tmp_path / "without"
    shutil.copytree(model, without)
    (without / "tokenizer.json").unlink()
    vocabulary = (without / "vocab.txt").read_text()
    assert vocabulary.count("[MASK]\n") == 1
    (without / "vocab.txt").write_text(vocabulary.replace("[MASK]\n", "[MISSING]\n"))
    refused(fakenews("train", "--data", data, "--init", "without", "--out", "out", "train.max_tokens=48", "train.mask_tokens=0.1"),
            tmp_path, "train.mask_tokens: the tokenizer has no token [MASK]")
    done = fakenews("train", "--data", data, "--init", "without", "--out", "out", "train.max_tokens=48", "train.max_steps=1")
    assert done.code == 0, done


def test_no_init_names_scratch(fakenews, data, tmp_path):
    refused(fakenews("train", "--data", data, "--out", "out"), tmp_path, "--init is missing", "--init scratch")


def test_no_data(fakenews, tmp_path):
    refused(fakenews("train", "--init", "scratch", "--out", "out"), tmp_path, "--data is missing")
    refused(fakenews("train", "--data", "nowhere", "--init", "scratch"), tmp_path, "nowhere")


def test_hugging_face_names_are_hinted_at(fakenews, data, tmp_path):
    for name, key in (("num_train_epochs", "train.epochs"), ("per_device_train_batch_size", "train.batch_size"),
                      ("learning_rate", "train.learning_rate"), ("warmup_ratio", "train.warmup"),
                      ("lr", "train.learning_rate"), ("patience", "train.patience"), ("max_length", "train.max_tokens"),
                      ("dropout_rate", "model.hidden_dropout_prob"), ("lr_scheduler_type", "train.schedule"),
                      ("gradient_accumulation_steps", "train.micro_batch_tokens")):
        refused(fakenews("train", "--data", data, "--init", "scratch", f"{name}=3"), tmp_path, name, key)


@pytest.mark.parametrize("setting, parts", [
    ("train.epochs=0", ["train.epochs", "0"]),
    ("train.learning_rate=fast", ["train.learning_rate", "fast", "a number"]),
    ("train.schedule=sawtooth", ["train.schedule", "linear, constant, cosine"]),
    ("train.class_weights=uneven", ["train.class_weights", "balanced"]),
    ("train.class_weights=[1,0]", ["train.class_weights"]),
    ("train.freeze=9", ["train.freeze", "0 to 2"]),
    ("train.epoch=3", ["train.epoch", "did you mean train.epochs"]),
    ("name=a/b", ["name", "a/b"]),
    ("train.max_tokens=65", ["train.max_tokens: 65 is over the 64 positions"]),
    ("model.num_attention_heads=3", ["num_attention_heads"]),
    ("model.hidden_act=swish", ["hidden_act", "swish", "gelu"]),
])
def test_settings_out_of_range(fakenews, data, tmp_path, setting, parts):
    refused(fakenews("train", "--data", data, "--init", "scratch", *TINY, setting), tmp_path, *parts)


def test_one_class_only(fakenews, program, tmp_path):
    """Without the set that holds all fakes, training has one class."""
    corpus = write_corpus(tmp_path / "sets.csv", dataset=lambda i, label: "fakes" if label else "reals")
    data = prepare(program, tmp_path, corpus)
    for family in ([], ["family=linear"]):
        init = [] if family else ["--init", "scratch", *TINY]
        done = fakenews("train", "--data", data, *init, *family, "data.leave_out=fakes")
        refused(done, tmp_path, "both classes", "split train without fakes", "0 fake")


def test_nothing_left_to_train_on(fakenews, program, tmp_path):
    data = prepare(program, tmp_path, write_corpus(tmp_path / "sets.csv", dataset=lambda i, label: "all"))
    for family in (["--init", "scratch", *TINY], ["family=linear"]):
        refused(fakenews("train", "--data", data, *family, "data.leave_out=all"), tmp_path, "split train without all")


def test_sequence_over_the_model(fakenews, data, model, tmp_path):
    refused(fakenews("train", "--data", data, "--init", model, "--out", "out", "train.max_tokens=100"), tmp_path,
            "train.max_tokens: 100", "64 positions", str(model))


def test_vocabulary_against_embedding(fakenews, data, model, tmp_path):
    broken = shutil.copytree(model, tmp_path / "broken")
    config = json.loads((broken / "config.json").read_text())
    config["vocab_size"] -= 1
    (broken / "config.json").write_text(json.dumps(config))
    refused(fakenews("train", "--data", data, "--init", broken, "--out", "out", "train.max_tokens=48"), tmp_path,
            str(broken), "vocab_size")


def test_missing_model_names_the_download(fakenews, data, tmp_path):
    done = fakenews("train", "--data", data, "--init", "nobody/nothing", "--out", "out", env={"HF_HOME": str(tmp_path / "hf")})
    refused(done, tmp_path, "nobody/nothing", "download")


def test_loss_that_is_not_finite_names_the_step(fakenews, data, model, tmp_path):
    broken = shutil.copytree(model, tmp_path / "broken")
    overwrite_tensor(broken / "model.safetensors", "bert.encoder.layer.0.output.dense.weight", 3e38)
    done = fakenews("train", "--data", data, "--init", broken, "--out", "out", *TINY[6:])
    assert done.code == 1, done
    assert "step 1:" in done.stderr and "not a finite number" in done.stderr
    assert metrics(tmp_path / "out") == []


def test_divergence_keeps_the_checkpoints(fakenews, data, tmp_path):
    done = fakenews("train", "--data", data, "--init", "scratch", "--out", "out", *TINY, "train.epochs=1")
    assert done.code == 0, done
    last = tmp_path / "out/checkpoints/last"
    state = json.loads((last / "state.json").read_text())
    overwrite_tensor(last / "model/model.safetensors", "bert.encoder.layer.0.output.dense.weight", 3e38)
    before = tree(tmp_path / "out/checkpoints")
    done = fakenews("train", "--resume", "out", "train.epochs=2")
    assert done.code == 1 and f"step {state['step'] + 1}:" in done.stderr, done
    assert "fakenews train --resume out" in done.stderr
    assert tree(tmp_path / "out/checkpoints") == before


def limited(program, arguments, folder, limit_bytes):
    """The program with a limit on the size of files it writes: what a full disk does, without a disk to fill."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    # restore_signals=False leaves SIGXFSZ ignored, as Python has it: write() then fails with EFBIG.
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, cwd=folder,
                          env=bare_environment(folder), preexec_fn=limit, restore_signals=False)


def test_write_that_fails_keeps_the_state(fakenews, program, data, tmp_path):
    """The second checkpoint cannot be written; the first stays, and the run goes on from it when there is room."""
    whole = fakenews("train", "--data", data, "--init", "scratch", "--out", "whole", *TINY)
    assert whole.code == 0, whole
    first = ["train", "--data", data, "--init", "scratch", "--out", "out", *TINY]
    assert fakenews(*first, "train.epochs=1").code == 0
    before = tree(tmp_path / "out/checkpoints")
    done = limited(program, ["train", "--resume", "out", "train.epochs=2"], tmp_path, 30000)
    assert done.returncode == 1, done.stderr
    assert "File too large" in done.stderr and "checkpoints" in done.stderr and "--resume out" in done.stderr
    assert tree(tmp_path / "out/checkpoints") == before  # no half-written folder either
    done = fakenews("train", "--resume", "out", "train.epochs=2")
    assert done.code == 0, done


def test_full_disk_keeps_the_state(fakenews, program, data, tmp_path):
    """The same on a real full disk, where this may be mounted (root); the limit above covers the rest."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1200k", "none", disk], capture_output=True).returncode == 0
    if not mounted:
        print("no disk of its own to fill here; test_write_that_fails_keeps_the_state stands for it")
        return
    try:
        first = ["train", "--data", data, "--init", "scratch", "--out", "disk/out", *TINY]
        assert fakenews(*first, "train.epochs=1").code == 0
        before = tree(disk / "out/checkpoints")
        free = os.statvfs(disk)
        (disk / "ballast").write_bytes(b"x" * (free.f_bavail * free.f_frsize - 60000))
        done = fakenews("train", "--resume", "disk/out", "train.epochs=2")
        assert done.code == 1, done
        assert "No space left on device" in done.stderr
        assert tree(disk / "out/checkpoints") == before
        (disk / "ballast").unlink()
        assert fakenews("train", "--resume", "disk/out", "train.epochs=2").code == 0
    finally:
        subprocess.run(["umount", disk])


def test_hostile_state_is_refused(fakenews, data, tmp_path):
    done = fakenews("train", "--data", data, "--init", "scratch", "--out", "out", *TINY, "train.max_steps=2")
    assert done.code == 0, done
    state = tmp_path / "out/checkpoints/last/state.json"
    good = state.read_text()
    for bad in ("", "{", "[]", good.replace('"step": 2', '"step": -2'), good.replace('"metrics_bytes"', '"metric_bytes"'),
                good.replace('"metrics_bytes": ', '"metrics_bytes": 9')):
        state.write_text(bad)
        done = fakenews("train", "--resume", "out", "train.max_steps=4")
        assert done.code == 2, (bad, done)
        assert "state.json" in done.stderr or "metrics.jsonl" in done.stderr
    state.write_text(good)
    assert fakenews("train", "--resume", "out", "train.max_steps=4").code == 0
