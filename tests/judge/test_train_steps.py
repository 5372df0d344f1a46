"""Ten optimiser steps of `fakenews train` against PyTorch: loss, norm and rate of each step, all weights at the end.

The batch holds every training row, so that the order of rows does not matter; the token budget cuts it into several
micro-batches here and into none there."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from train_support import TINY, bare_environment, metrics, prepare, write_corpus  # noqa: E402

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
datasets = pytest.importorskip("datasets")

STEPS, RATE = 10, 2e-4


@pytest.fixture(scope="module")
def data(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    return prepare(program, folder, write_corpus(folder / "news.csv", n=90))


@pytest.fixture(scope="module")
def start(program, data, tmp_path_factory):
    """A small model after some training (at random weights attention is even and its gradients are next to nothing)."""
    folder = tmp_path_factory.mktemp("start")
    subprocess.run([program, "train", "--data", data, "--init", "scratch", "--out", "run", *TINY, "train.epochs=6",
                    "train.learning_rate=3e-3"],
                   check=True, capture_output=True, env=bare_environment(folder), cwd=folder)
    return folder / "run/model"


def encode(tokenizer, rows, max_tokens):
    encoded = [tokenizer(r["title"], r["text"], truncation="longest_first", max_length=max_tokens) for r in rows]
    return tokenizer.pad(encoded, return_tensors="pt"), torch.tensor([r["label"] for r in rows])


def judge(start, data, case):
    """Losses, norms, rates; final weights; largest gradient of each element as a share of the global norm."""
    torch.set_num_threads(2)
    tokenizer = transformers.AutoTokenizer.from_pretrained(start)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        start, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, classifier_dropout=0.0).train()
    inputs, labels = encode(tokenizer, list(datasets.load_from_disk(str(data))["train"]), 48)
    bare = ("bias", "LayerNorm.weight")
    groups = [{"params": [p for n, p in model.named_parameters() if not n.endswith(bare)], "weight_decay": 0.01},
              {"params": [p for n, p in model.named_parameters() if n.endswith(bare)],
               "weight_decay": 0.01 if case.get("decay_all") else 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.999), eps=1e-8)
    schedule = transformers.get_scheduler(case.get("schedule", "linear"), optimizer, num_warmup_steps=math.ceil(0.06 * STEPS),
                                          num_training_steps=STEPS)
    weight = torch.tensor(case["class_weights"]) if "class_weights" in case else None
    lines, shares = [], {n: torch.zeros_like(p) for n, p in model.named_parameters()}
    for _ in range(STEPS):
        loss = torch.nn.functional.cross_entropy(model(**inputs).logits, labels, weight=weight)
        optimizer.zero_grad()
        loss.backward()
        norm = math.sqrt(sum(p.grad.double().pow(2).sum().item() for p in model.parameters()))
        for name, p in model.named_parameters():
            shares[name] = torch.maximum(shares[name], p.grad.abs() / norm)
        if case.get("clip", 1.0):
            torch.nn.utils.clip_grad_norm_(model.parameters(), case.get("clip", 1.0))
        lines.append({"loss": loss.item(), "norm": norm, "rate": schedule.get_last_lr()[0]})
        optimizer.step()
        schedule.step()
    return lines, {n: p.detach() for n, p in model.named_parameters()}, shares


CASES = [
    {"settings": []},
    {"settings": ["train.max_grad_norm=0.05", "train.schedule=cosine"], "clip": 0.05, "schedule": "cosine"},
    {"settings": ["train.max_grad_norm=null", "train.decay_all=true", "train.class_weights=[1,2.5]"], "clip": None,
     "decay_all": True, "class_weights": [1.0, 2.5]},
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: "+".join(c["settings"]) or "defaults")
def test_ten_steps(program, start, data, tmp_path, case):
    from safetensors.torch import load_file

    subprocess.run([program, "train", "--data", data, "--init", start, "--out", "run", "train.batch_size=1000",
                    f"train.epochs={STEPS}", "train.max_tokens=48", "train.micro_batch_tokens=700", "train.log_every=1",
                    f"train.learning_rate={RATE}", "train.keep=100", "model.hidden_dropout_prob=0",
                    "model.attention_probs_dropout_prob=0", "model.classifier_dropout=0", *case["settings"]],
                   check=True, capture_output=True, env=bare_environment(tmp_path), cwd=tmp_path)
    theirs, weights, shares = judge(start, data, case)
    ours = [line for line in metrics(tmp_path / "run") if "train/loss" in line]
    assert len(ours) == len(theirs) == STEPS
    for a, b in zip(ours, theirs):
        assert a["train/loss"] == pytest.approx(b["loss"], abs=1e-5)
        assert a["train/gradient_norm"] == pytest.approx(b["norm"], rel=1e-4)
        assert a["train/learning_rate"] == pytest.approx(b["rate"], rel=1e-12)
    saved = load_file(tmp_path / f"run/checkpoints/step-{STEPS}/model/model.safetensors")
    assert set(saved) == set(weights)
    n_body = n_noise = 0
    for name, value in weights.items():
        # A gradient that never reaches a ten-millionth of the norm is rounding noise, of which AdamW makes whole steps.
        noise = shares[name] < 1e-7
        difference = (saved[name] - value).abs()
        clear = difference[~noise]
        assert clear.numel() == 0 or clear.max() < 1e-5, (name, clear.max())
        assert difference.max() < 2 * RATE * STEPS, name
        if "embeddings" not in name and "key.bias" not in name:  # most of the vocabulary does not occur; no gradient
            n_body += value.numel()
            n_noise += int(noise.sum())
    assert n_noise < 0.01 * n_body, {n: int((s < 1e-7).sum()) for n, s in shares.items() if (s < 1e-7).any()}


def test_validation_figures(program, start, data, tmp_path):
    """A run of one step that changes nothing: its validation loss is Transformers' of the start."""
    subprocess.run([program, "train", "--data", data, "--init", start, "--out", "run", "train.batch_size=8",
                    "train.max_steps=1", "train.max_tokens=48"],
                   check=True, capture_output=True, env=bare_environment(tmp_path), cwd=tmp_path)
    line = next(line for line in metrics(tmp_path / "run") if "val/loss" in line)
    tokenizer = transformers.AutoTokenizer.from_pretrained(start)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(start).eval()
    inputs, labels = encode(tokenizer, list(datasets.load_from_disk(str(data))["validation"]), 48)
    with torch.no_grad():
        logits = model(**inputs).logits
    assert line["val/loss"] == pytest.approx(torch.nn.functional.cross_entropy(logits, labels).item(), abs=1e-5)
    assert line["val/accuracy"] == pytest.approx((logits.argmax(1) == labels).double().mean().item())
