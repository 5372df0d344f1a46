#!/usr/bin/env python3
"""Writes model_goldens.json: logits, loss and gradients of small BERT classifiers, computed by Transformers in double.

Weights and batches come from formula.py, so the file holds outputs only. Needs torch and transformers; run again only
when a case is added:  python3 tests/golden/make_model_goldens.py
Each sequence runs alone (no padding, so no mask takes part); the loss is sum(w_i l_i), gradients are those of the loss
divided by sum(w_i). Recorded per gradient: sum of magnitudes, largest magnitude, dot product with a fixed random
vector (which sees a permutation), and some elements.
"""

import argparse
import json
from pathlib import Path

import formula
import numpy as np
import torch
import transformers
from transformers import BertConfig, BertForSequenceClassification

SEED = 2018
BASE = dict(type_vocab_size=2, num_labels=2, hidden_act="gelu", layer_norm_eps=1e-12, head_size=0, label_smoothing=0.0)
CASES = [
    dict(name="small", vocab_size=97, hidden_size=32, num_attention_heads=4, num_hidden_layers=2, intermediate_size=64,
         max_position_embeddings=40, lengths=[1, 7, 40, 13]),
    dict(name="head-of-26", vocab_size=61, hidden_size=52, num_attention_heads=2, num_hidden_layers=2,
         intermediate_size=100, max_position_embeddings=17, hidden_act="gelu_new", num_labels=3, lengths=[5, 17, 3]),
    dict(name="hidden-of-312", vocab_size=50, hidden_size=312, num_attention_heads=12, num_hidden_layers=1,
         intermediate_size=601, max_position_embeddings=64, lengths=[64, 9]),
    dict(name="long", vocab_size=211, hidden_size=32, num_attention_heads=2, num_hidden_layers=1, intermediate_size=48,
         max_position_embeddings=512, lengths=[512, 1, 300]),
    dict(name="two-layer-head", vocab_size=83, hidden_size=48, num_attention_heads=3, num_hidden_layers=2,
         intermediate_size=96, max_position_embeddings=24, hidden_act="relu", head_size=20, lengths=[11, 24, 2, 2, 9]),
    dict(name="smoothed", vocab_size=71, hidden_size=40, num_attention_heads=5, num_hidden_layers=3,
         intermediate_size=160, max_position_embeddings=32, hidden_act="gelu_pytorch_tanh", num_labels=8,
         type_vocab_size=3, layer_norm_eps=1e-5, label_smoothing=0.1, lengths=[32, 31, 16, 1]),
]


class TwoLayerHead(torch.nn.Module):
    """pooled → head_size → ReLU → (dropout) → K, under the names our files give it."""

    def __init__(self, hidden, size, labels):
        super().__init__()
        self.dense = torch.nn.Linear(hidden, size)
        self.out_proj = torch.nn.Linear(size, labels)

    def forward(self, pooled):
        return self.out_proj(torch.relu(self.dense(pooled)))


def build(case, dtype=torch.float64):
    """The model of a case with the formula's weights and no dropout."""
    keys = ["vocab_size", "hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size",
            "max_position_embeddings", "type_vocab_size", "num_labels", "hidden_act", "layer_norm_eps"]
    config = BertConfig(**{key: case[key] for key in keys}, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
                        attn_implementation="eager")
    model = BertForSequenceClassification(config)
    if case["head_size"]:
        model.classifier = TwoLayerHead(case["hidden_size"], case["head_size"], case["num_labels"])
    model = model.to(dtype).train()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(formula.tensor(SEED, name, tuple(parameter.shape))).to(dtype))
    return model


def run(model, case):
    """(logits, loss) of the case's batch; gradients are left in the model."""
    lengths = case["lengths"]
    ids, types, labels, weights = formula.batch(SEED, lengths, case["vocab_size"], case["num_labels"])
    ends = np.cumsum(lengths)
    logits, loss = [], 0.0
    for b, (end, length) in enumerate(zip(ends, lengths)):
        part = slice(end - length, end)
        out = model(input_ids=torch.tensor(ids[None, part]).long(), token_type_ids=torch.tensor(types[None, part]).long())
        logits.append(out.logits[0])
        loss = loss + float(weights[b]) * torch.nn.functional.cross_entropy(
            out.logits[0], torch.tensor(int(labels[b])), label_smoothing=case["label_smoothing"])
    (loss / float(np.sum(weights.astype(np.float64)))).backward()
    return torch.stack(logits).detach().numpy(), float(loss.detach())


def describe(name, gradient):
    flat = gradient.detach().double().numpy().ravel()
    direction = 2.0 * formula.uniform(SEED, "dot " + name, flat.size) - 1.0
    return {"dot": float(flat @ direction), "sum_abs": float(np.abs(flat).sum()), "max_abs": float(np.abs(flat).max()),
            "at": {str(i): float(flat[i]) for i in formula.picks(SEED, name, flat.size, 4)}}


def golden(case):
    model = build(case)
    logits, loss = run(model, case)
    gradients = {name: describe(name, p.grad) for name, p in model.named_parameters()}
    squares = sum(float((p.grad ** 2).sum()) for p in model.parameters())
    return {**case, "logits": logits.tolist(), "loss": loss, "gradient_norm": squares ** 0.5, "gradients": gradients}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=Path(__file__).with_name("model_goldens.json"))
    out = Path(parser.parse_args().out)
    torch.set_num_threads(1)
    made = {"made_by": "tests/golden/make_model_goldens.py", "seed": SEED,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__},
            "cases": [golden({**BASE, **case}) for case in CASES]}
    text = json.dumps(made, indent=1)
    out.write_text(compact(text) + "\n")
    print(f"{out}: {len(CASES)} cases, {out.stat().st_size} bytes")


def compact(text):
    """json.dumps(indent=1) with everything below a case's keys on one line each."""
    lines = []
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip())
        if depth > 4 or (depth == 4 and line.strip()[0] in "]}"):
            lines[-1] += line.strip() + (" " if line.endswith(",") else "")
        else:
            lines.append(line.rstrip())
    return "\n".join(line.rstrip() for line in lines)


if __name__ == "__main__":
    main()
