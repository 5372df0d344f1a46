"""PyTorch and Transformers judge the model: logits, loss, gradients of every tensor and ten AdamW steps.

The judge computes in double, so a difference is ours. Transformers pads, we do not: equal logits also say that packing
changes nothing."""

import copy

import numpy as np
import pytest
import torch
from model_support import Batch, gradients, make_config, make_model, minilm_directory, run_probe
from transformers import BertForSequenceClassification

SHAPES = {
    "small": (dict(vocab_size=1000, hidden_size=64, num_attention_heads=4, num_hidden_layers=2, intermediate_size=128,
                   max_position_embeddings=64), [1, 17, 64, 5]),
    "head-of-26": (dict(vocab_size=300, hidden_size=52, num_attention_heads=2, num_hidden_layers=2, intermediate_size=90,
                        max_position_embeddings=40), [26, 40, 3]),
    "head-of-15": (dict(vocab_size=300, hidden_size=90, num_attention_heads=6, num_hidden_layers=1, intermediate_size=31,
                        max_position_embeddings=40, hidden_act="gelu_new"), [33, 2, 2, 2, 2, 2, 39]),
    "hidden-of-312": (dict(vocab_size=2000, hidden_size=312, num_attention_heads=12, num_hidden_layers=2,
                           intermediate_size=1200, max_position_embeddings=128), [128, 30, 7]),
    "one-head": (dict(vocab_size=100, hidden_size=33, num_attention_heads=1, num_hidden_layers=3, intermediate_size=17,
                      max_position_embeddings=20, hidden_act="relu", num_labels=5), [19, 20, 1]),
    "one-token": (dict(vocab_size=100, hidden_size=32, num_attention_heads=2, num_hidden_layers=2, intermediate_size=64,
                       max_position_embeddings=8), [1]),
    "longest": (dict(vocab_size=500, hidden_size=64, num_attention_heads=2, num_hidden_layers=2, intermediate_size=96,
                     max_position_embeddings=512), [512, 511, 1, 129]),
    "smoothed": (dict(vocab_size=200, hidden_size=48, num_attention_heads=3, num_hidden_layers=2, intermediate_size=80,
                      max_position_embeddings=32, hidden_act="gelu_pytorch_tanh", layer_norm_eps=1e-5), [32, 8, 31]),
}


def batch_of(name):
    config, lengths = SHAPES[name]
    return Batch(lengths, config["vocab_size"], config.get("num_labels", 2), smoothing=0.1 if name == "smoothed" else 0)


def saved(model, path):
    model.save_pretrained(path)
    return path


def is_noise(name):
    """Softmax does not see a shift of all scores, so the true gradient of a key's bias is zero."""
    return name.endswith("attention.self.key.bias")


def check_gradients(ours, reference):
    """1e-4 of each tensor's largest, with a floor by the global norm; key biases near zero."""
    norm = np.sqrt(sum(float((g.astype(np.float64) ** 2).sum()) for g in reference.values()))
    names = {key.removeprefix("gradient.") for key in ours if key.startswith("gradient.")}
    assert names == set(reference)
    for name, expected in reference.items():
        found = ours["gradient." + name]
        assert found.shape == expected.shape, name
        if is_noise(name):
            assert np.abs(found).max() <= 1e-6 * norm, f"{name}: {np.abs(found).max()} is not near zero"
            continue
        limit = 1e-4 * max(np.abs(expected).max(), 1e-4 * norm)
        worst = np.abs(found - expected).max()
        assert worst <= limit, f"{name}: off by {worst}, largest {np.abs(expected).max()}, norm {norm}"


def check_pass(ours, model, batch):
    logits, loss, reference = gradients(copy.deepcopy(model).double(), batch)
    for key in ("logits", "training_logits"):
        assert np.abs(ours[key] - logits).max() <= 1e-4, key
    assert abs(float(ours["loss"][0]) - loss) <= 1e-5 * max(1.0, abs(loss))
    check_gradients(ours, reference)


@pytest.mark.parametrize("backend", ["reference", "fast"])
@pytest.mark.parametrize("name", SHAPES)
def test_logits_loss_gradients(tmp_path, name, backend):
    model, batch = make_model(make_config(**SHAPES[name][0])), batch_of(name)
    check_pass(run_probe(saved(model, tmp_path / "model"), batch, tmp_path, backend), model, batch)


@pytest.mark.parametrize("seed", range(12))
def test_random_shapes(tmp_path, seed):
    rng = np.random.default_rng(seed)
    heads, head_size = int(rng.integers(1, 7)), int(rng.integers(1, 40))
    positions, n_labels = int(rng.integers(1, 150)), int(rng.integers(2, 9))
    config = make_config(vocab_size=int(rng.integers(2, 400)), hidden_size=heads * head_size, num_attention_heads=heads,
                         num_hidden_layers=int(rng.integers(1, 4)), intermediate_size=int(rng.integers(1, 200)),
                         max_position_embeddings=positions, num_labels=n_labels, layer_norm_eps=1e-5,
                         hidden_act=str(rng.choice(["gelu", "gelu_new", "gelu_pytorch_tanh", "relu"])))
    lengths = [int(s) for s in rng.integers(1, positions + 1, size=int(rng.integers(1, 9)))]
    model, batch = make_model(config, seed), Batch(lengths, config.vocab_size, n_labels, seed)
    check_pass(run_probe(saved(model, tmp_path / "model"), batch, tmp_path), model, batch)


def adamw(model, batch, steps, lr, decay):
    """The model's parameters after torch.optim.AdamW, and per element whether its gradient was ever noise: so small
    against its tensor's largest that its sign is a matter of rounding, on which Adam's step depends."""
    groups = [{"params": [p for n, p in model.named_parameters() if p.dim() > 1], "weight_decay": decay},
              {"params": [p for n, p in model.named_parameters() if p.dim() == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.999), eps=1e-8)
    noise = {name: np.full(tuple(p.shape), is_noise(name)) for name, p in model.named_parameters()}
    for _ in range(steps):
        _, _, found = gradients(model, batch)
        norm = np.sqrt(sum(float((g ** 2).sum()) for g in found.values()))
        for name, g in found.items():
            noise[name] |= (g != 0) & (np.abs(g) < 1e-5 * max(np.abs(g).max(), 1e-4 * norm))
        optimizer.step()
    return {name: p.detach().numpy() for name, p in model.named_parameters()}, noise


@pytest.mark.parametrize("name, backend", [("small", "reference"), ("small", "fast"), ("head-of-26", "reference"),
                                           ("head-of-26", "fast"), ("smoothed", "fast"), ("hidden-of-312", "fast")])
def test_ten_adamw_steps(tmp_path, name, backend):
    model, batch = make_model(make_config(**SHAPES[name][0])), batch_of(name)
    ours = run_probe(saved(model, tmp_path / "model"), batch, tmp_path, backend, steps=(10, 1e-4, 0.01))
    before = {n: p.detach().numpy().copy() for n, p in model.named_parameters()}
    after, noise = adamw(model.double(), batch, 10, 1e-4, 0.01)
    total = excluded = moved = 0
    for parameter, expected in after.items():
        found, skip = ours["value." + parameter], noise[parameter]
        off = np.where(skip, 0, np.abs(found - expected))
        assert off.max() <= 1e-5, f"{parameter}: off by {off.max()} at {np.unravel_index(off.argmax(), off.shape)}"
        total, excluded = total + skip.size, excluded + int(skip.sum())
        moved = max(moved, np.abs(expected - before[parameter]).max())
    assert excluded <= 0.02 * total, f"{excluded} of {total} elements called noise"
    assert moved > 5e-4, "the steps moved nothing, so this says nothing"


class TwoLayerHead(torch.nn.Module):
    def __init__(self, hidden, size, labels):
        super().__init__()
        self.dense = torch.nn.Linear(hidden, size)
        self.out_proj = torch.nn.Linear(size, labels)

    def forward(self, pooled):
        return self.out_proj(torch.relu(self.dense(pooled)))


@pytest.mark.parametrize("backend", ["reference", "fast"])
def test_two_layer_head(tmp_path, backend):
    config, lengths = SHAPES["small"]
    config = make_config(**config, fakenews_head={"type": "two_layer", "size": 37})
    model, batch = make_model(config), batch_of("small")
    model.classifier = TwoLayerHead(64, 37, 2)
    check_pass(run_probe(saved(model, tmp_path / "model"), batch, tmp_path, backend), model, batch)


@pytest.fixture(scope="module")
def minilm():
    """MiniLM-L6 with a classification head: real weights, whose activations have outliers that random ones lack."""
    torch.manual_seed(3)
    model = BertForSequenceClassification.from_pretrained(minilm_directory(), num_labels=2, hidden_dropout_prob=0.0,
                                                          attention_probs_dropout_prob=0.0, attn_implementation="eager")
    model.config.id2label, model.config.label2id = {0: "real", 1: "fake"}, {"real": 0, "fake": 1}
    with torch.no_grad():
        model.classifier.weight.mul_(5)
    return model


@pytest.mark.parametrize("backend", ["reference", "fast"])
def test_minilm(tmp_path, minilm, backend):
    batch = Batch([128, 77, 256, 1, 40] if backend == "fast" else [40, 9, 1], minilm.config.vocab_size, 2)
    check_pass(run_probe(saved(minilm, tmp_path / "model"), batch, tmp_path, backend), minilm, batch)


def test_minilm_adamw_steps(tmp_path, minilm):  # three: ten of them, in double, would take a minute
    batch = Batch([40, 21, 9], minilm.config.vocab_size, 2)
    ours = run_probe(saved(minilm, tmp_path / "model"), batch, tmp_path, "fast", steps=(3, 5e-5, 0.01))
    after, noise = adamw(copy.deepcopy(minilm).double(), batch, 3, 5e-5, 0.01)
    total = sum(skip.size for skip in noise.values())
    excluded = sum(int(skip.sum()) for skip in noise.values())
    worst = max(float(np.where(noise[n], 0, np.abs(ours["value." + n] - e)).max()) for n, e in after.items())
    assert worst <= 1e-5 and excluded <= 0.02 * total, f"off by {worst}, {excluded} of {total} elements called noise"
