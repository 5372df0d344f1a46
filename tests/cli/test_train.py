"""`fakenews train`: the run folder, its figures, its settings."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from terminal_support import on_terminal, screen
from train_support import TINY, bare_environment, metrics, prepare, tensors, tree, write_corpus


@pytest.fixture(scope="module")
def data(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    return prepare(program, folder, write_corpus(folder / "news.csv"))


@pytest.fixture(scope="module")
def run(program, data, tmp_path_factory):
    """One finished run from scratch: (working folder, run folder, standard output, standard error)."""
    folder = tmp_path_factory.mktemp("train")
    done = subprocess.run([program, "train", "--data", data, "--init", "scratch", *TINY, "name=first", "device.threads=1"],
                          capture_output=True, text=True, env=bare_environment(folder), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, folder / done.stdout.splitlines()[-1], done.stdout, done.stderr


def test_last_line_is_the_run_folder(run):
    folder, path, out, _ = run
    assert re.fullmatch(r"runs/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-first", out.splitlines()[-1])
    assert os.readlink(folder / "runs/latest") == path.name


def test_run_folder_is_complete(run):
    _, path, _, _ = run
    files = {name for name in tree(path, leave=())}
    for name in ("run.json", "config.yaml", "metrics.jsonl", "times.jsonl", "result.json", "model",
                 "checkpoints/best", "checkpoints/last"):
        assert name in files, name
    assert os.readlink(path / "model") == "checkpoints/best/model"
    steps = [p.name for p in (path / "checkpoints").iterdir() if not p.is_symlink()]
    linked = {os.readlink(path / "checkpoints" / link) for link in ("best", "last")}
    assert set(steps) == linked  # nothing but best and last is kept by default
    model = {p.name for p in (path / "model").iterdir()}
    assert model == {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "tokenizer_config.json"}
    beside = {p.name for p in (path / "checkpoints/last/").iterdir()}
    assert beside == {"model", "optimiser.safetensors", "state.json"}


def test_config_has_every_setting_with_its_origin(run):
    _, path, _, _ = run
    text = (path / "config.yaml").read_text()
    assert re.search(r"^train\.epochs: 2 +# command line", text, re.M)
    assert re.search(r"^train\.warmup: 0\.06 +# default", text, re.M)


def test_saved_model_says_how_it_is_used(run, data):
    _, path, _, _ = run
    config = json.loads((path / "model/config.json").read_text())
    assert config["id2label"] == {"0": "real", "1": "fake"}
    used = config["fakenews"]
    assert used["text"] == "title+text" and used["max_tokens"] == 48
    record = json.loads((path / "run.json").read_text())
    assert used["data"] == record["identity"]["data"] and used["tokenizer"] == record["identity"]["tokenizer"]
    assert used["version"] == record["identity"]["build"]
    assert record["init"] == "scratch" and record["data"] == str(data.resolve())


def test_metrics(run):
    _, path, _, _ = run
    lines = metrics(path)
    losses = [line for line in lines if "train/loss" in line]
    assert [line["step"] for line in losses] == sorted(line["step"] for line in losses)
    assert all(line["train/loss"] > 0 and line["train/gradient_norm"] > 0 for line in losses)
    assert losses[-1]["train/loss"] < losses[0]["train/loss"]
    rates = [line["train/learning_rate"] for line in losses]
    assert max(rates) <= 1e-3 and rates[-1] < max(rates)
    evaluations = [line for line in lines if "val/loss" in line]
    assert [line["epoch"] for line in evaluations] == [1, 2]
    for name in ("loss", "accuracy", "f1_weighted", "f1_macro", "precision_weighted", "recall_weighted", "precision_real",
                 "recall_real", "f1_real", "precision_fake", "recall_fake", "f1_fake", "roc_auc", "brier", "ece",
                 "confusion"):
        assert f"val/{name}" in evaluations[0], name
    tests = [line for line in lines if "test/loss" in line]
    assert len(tests) == 1 and lines[-1] is tests[0]  # once, after training
    result = json.loads((path / "result.json").read_text())
    best = min(evaluations, key=lambda line: line["val/loss"])
    assert result["best_step"] == best["step"] == tests[0]["step"]
    assert result["val"]["loss"] == best["val/loss"]
    assert result["test"]["roc_auc"] == tests[0]["test/roc_auc"]
    assert result["left_out"] is None


def test_progress_is_plain_lines_on_standard_error(run):
    _, path, out, err = run
    assert re.search(r"^step 3/\d+  epoch 1/2  loss \d\.\d+  lr \S+  \d+ tokens/s  ETA \d", err, re.M)
    assert re.search(r"^step \d+  val: loss \d\.\d+ .*AUC \d\.\d+.*\(best\)$", err, re.M)
    assert "\r" not in err and "\033" not in err
    assert "test:" in out and "roc_auc" in out


def test_progress_bar_on_a_terminal(program, data, tmp_path):
    code, text = on_terminal([program, "train", "--data", data, "--init", "scratch", *TINY, "train.epochs=1"], tmp_path)
    assert code == 0
    assert re.search(r"\r\033\[Kepoch 1/1  step \d+/\d+  \[=*>? *\] loss \d\.\d+  \d+ tokens/s  ETA \d+:\d\d", text)
    assert not any("tokens/s" in line or "evaluating" in line for line in screen(text))  # nothing of it stays
    assert any(re.fullmatch(r"done in \d+:\d\d; best checkpoint: step \d+ of \d+", line) for line in screen(text))


@pytest.mark.parametrize("columns", [80, 57, 40, 20])
def test_progress_stays_on_one_line(program, data, tmp_path, columns):
    """A bar that wraps leaves a line behind each time it is drawn."""
    code, text = on_terminal([program, "train", "--data", data, "--init", "scratch", *TINY, "train.epochs=1"], tmp_path,
                             columns)
    drawn = [part.split("\r")[0].split("\n")[0] for part in text.split("\r\033[K")[1:]]
    bars = [line for line in drawn if re.match(r"(epoch 1/1  )?step \d+/\d+  ", line) and "val:" not in line]
    assert code == 0 and bars and all(len(line) < columns for line in drawn if line in bars)
    if columns >= 40:
        assert all("loss" in line and "ETA" in line for line in bars)


def test_lines_of_a_run_fit_80_columns(run):
    _, path, out, err = run
    assert all(len(line) <= 80 for line in (out + err).splitlines() if path.name not in line), out + err


def test_note_on_the_rate_from_scratch(fakenews, data, run):
    done = fakenews("train", "--data", data, "--init", "scratch", "train.max_steps=1")
    assert done.code == 0 and "from scratch take more" in done.stderr
    assert "from scratch take more" not in run[3]


def test_quiet(fakenews, data):
    done = fakenews("train", "--data", data, "--init", "scratch", "--quiet", *TINY, "train.max_steps=1")
    assert done.code == 0 and done.stderr == ""
    assert re.fullmatch(r"runs/\S+\n", done.stdout)


def test_out_names_the_folder(fakenews, data, tmp_path):
    done = fakenews("train", "--data", data, "--init", "scratch", "--out", "here", *TINY, "train.max_steps=2")
    assert done.code == 0, done
    assert done.stdout.splitlines()[-1] == "here" and not (tmp_path / "runs/latest").is_symlink()
    again = fakenews("train", "--data", data, "--init", "scratch", "--out", "here", *TINY)
    assert again.code == 2 and "here: the folder is not empty" in again.stderr


def test_goes_on_from_a_saved_model(fakenews, run, data):
    """--init takes what training saved, tokenizer and all, and keeps its head."""
    _, path, _, _ = run
    done = fakenews("train", "--data", data, "--init", path / "model", "--out", "next", "train.max_tokens=48",
                    "train.max_steps=1", "train.batch_size=8")
    assert done.code == 0, done
    assert "random weights" not in done.stderr


def test_early_stopping(fakenews, data, tmp_path):
    """A rate that changes nothing: no evaluation is strictly better than the first."""
    done = fakenews("train", "--data", data, "--init", "scratch", "--out", "r", *TINY, "train.epochs=9",
                    "train.patience=2", "train.learning_rate=1e-30", "train.weight_decay=0")
    assert done.code == 0, done
    evaluations = [line for line in metrics(tmp_path / "r") if "val/loss" in line]
    assert len(evaluations) == 3 and len({line["val/loss"] for line in evaluations}) == 1
    result = json.loads((tmp_path / "r/result.json").read_text())
    assert result["stopped_early"] is True and result["best_step"] == evaluations[0]["step"]
    assert "stopped early" in done.stderr


def test_evaluates_and_saves_every_so_many_steps(fakenews, data, tmp_path):
    done = fakenews("train", "--data", data, "--init", "scratch", "--out", "r", *TINY, "train.max_steps=9",
                    "train.evaluate_every=4", "train.save_every=3", "train.keep=10")
    assert done.code == 0, done
    assert [line["step"] for line in metrics(tmp_path / "r") if "val/loss" in line] == [4, 8, 9]
    steps = sorted(int(p.name[5:]) for p in (tmp_path / "r/checkpoints").glob("step-*"))
    assert steps == [3, 4, 6, 8, 9]


@pytest.mark.parametrize("freeze, moving", [("encoder", ("classifier.",)),
                                            ("1", ("bert.encoder.layer.1.", "bert.pooler.", "classifier."))])
def test_frozen_weights_stay(fakenews, data, tmp_path, freeze, moving):
    done = fakenews("train", "--data", data, "--init", "scratch", "--out", "r", *TINY, f"train.freeze={freeze}",
                    "train.save_every=2", "train.keep=100", "train.max_steps=4", "train.warmup=0")
    assert done.code == 0, done
    before = tensors(tmp_path / "r/checkpoints/step-2/model/model.safetensors")
    after = tensors(tmp_path / "r/checkpoints/step-4/model/model.safetensors")
    moved = {name for name in before if before[name] != after[name]}
    assert moved and all(name.startswith(moving) for name in moved)


def test_token_budget_does_not_change_the_loss(fakenews, data, tmp_path):
    """Dropout on: its masks, hidden tokens and windows are keyed by draw, not by place in a micro-batch."""
    losses = []
    for budget in (48, 150, 100000):
        done = fakenews("train", "--data", data, "--init", "scratch", "--out", f"r{budget}", *TINY, "train.max_steps=6",
                        "train.log_every=1", f"train.micro_batch_tokens={budget}", "train.class_weights=balanced",
                        "train.mask_tokens=0.2", "train.crop=random")
        assert done.code == 0, done
        losses.append([line["train/loss"] for line in metrics(tmp_path / f"r{budget}") if "train/loss" in line])
    for other in losses[1:]:
        assert other == pytest.approx(losses[0], rel=1e-5)
    assert len(losses[0]) == 6


def test_even_sampling_and_leave_out(fakenews, program, tmp_path):
    corpus = write_corpus(tmp_path / "sets.csv", n=160, dataset=lambda i, label: "large" if i < 100 else "small" if i < 130 else "other")
    data = prepare(program, tmp_path, corpus)
    done = fakenews("train", "--data", data, "--init", "scratch", "--out", "r", *TINY, "train.sampling=even",
                    "data.leave_out=other", "train.max_steps=4")
    assert done.code == 0, done
    record = json.loads((tmp_path / "r/run.json").read_text())
    result = json.loads((tmp_path / "r/result.json").read_text())
    assert record["rows"]["left_out"] == result["left_out"]["n"] == 30
    assert sum(record["rows"].values()) == 160
    assert "left_out/roc_auc" in metrics(tmp_path / "r")[-1]
    assert "left out:" in done.stdout
    unknown = fakenews("train", "--data", data, "--init", "scratch", *TINY, "data.leave_out=nowhere")
    assert unknown.code == 2 and "nowhere" in unknown.stderr and "large, other, small" in unknown.stderr


@pytest.mark.parametrize("setting", ["train.schedule=cosine", "train.schedule=constant", "train.label_smoothing=0.1",
                                     "train.class_weights=[1,3]", "train.decay_all=true", "train.max_grad_norm=null",
                                     "train.max_grad_norm=0.01", "train.beta1=0.5", "train.beta2=0.9",
                                     "train.epsilon=0.01", "train.weight_decay=0.5", "train.seed=3", "train.warmup=3",
                                     "train.sampling=even", "train.mask_tokens=0.2", "train.crop=random",
                                     "data.text=title", "train.max_tokens=16",
                                     "model.hidden_dropout_prob=0.5", "model.head_size=8"])
def test_every_setting_acts(fakenews, data, tmp_path, setting):
    """Each one leads to other weights than without it."""
    weights = []
    for i, more in enumerate(([], [setting])):
        done = fakenews("train", "--data", data, "--init", "scratch", "--out", f"r{i}", *TINY, "train.max_steps=5",
                        "train.max_grad_norm=0.1", *more)
        assert done.code == 0, done
        weights.append((tmp_path / f"r{i}/checkpoints/last/model/model.safetensors").read_bytes())
    assert weights[0] != weights[1]


def test_preset_headline(fakenews, data, tmp_path):
    done = fakenews("train", "--data", data, "--init", "scratch", "--out", "r", "preset=headline", "train.max_steps=2",
                    "model.hidden_size=32", "model.num_hidden_layers=1", "model.intermediate_size=64")
    assert done.code == 0, done
    config = json.loads((tmp_path / "r/model/config.json").read_text())
    assert config["fakenews_head"] == {"type": "two_layer", "size": 512}
    assert config["fakenews"]["text"] == "title" and config["fakenews"]["max_tokens"] == 25
    text = (tmp_path / "r/config.yaml").read_text()
    assert re.search(r"^train\.learning_rate: 1e-5 +# config/preset/headline\.yaml:\d+", text, re.M)


def test_linear_family(fakenews, data, tmp_path):
    done = fakenews("train", "--data", data, "family=linear", "linear.hash_bits=12")
    assert done.code == 0, done
    path = tmp_path / done.stdout.splitlines()[-1]
    assert path.name.endswith("-linear") and os.readlink(tmp_path / "runs/latest") == path.name
    assert {p.name for p in (path / "model").iterdir()} == {"config.json", "linear.safetensors"}
    lines = metrics(path)
    assert "val/roc_auc" in lines[0] and "test/f1_weighted" in lines[1]
    result = json.loads((path / "result.json").read_text())
    assert result["family"] == "linear" and result["val"]["roc_auc"] > 0.9  # the corpus is easy
    resumed = fakenews("train", "--resume", "latest")
    assert resumed.code == 2 and "one go" in resumed.stderr
    with_init = fakenews("train", "--data", data, "family=linear", "--init", "scratch")
    assert with_init.code == 2 and "--init" in with_init.stderr


def test_linear_family_repeats_at_any_number_of_threads(fakenews, data, tmp_path):
    for threads in (1, 2):
        done = fakenews("train", "--data", data, "family=linear", "--out", f"r{threads}", f"device.threads={threads}",
                        "linear.hash_bits=12")
        assert done.code == 0, done
    assert tree(tmp_path / "r1") == tree(tmp_path / "r2")
