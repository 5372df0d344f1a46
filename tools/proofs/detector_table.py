"""Encoder, linear family and both stacked on datasets they never saw: the out-of-fold logits and the table of the docs.

Trains the linear family once without each dataset (`fakenews train family=linear data.leave_out=…`), takes the encoder's
logits from detector_search.py, and judges both and their stacked logit on every left-out dataset. The stack's weights (and
scale and bias of each half alone) are fitted on the other datasets' out-of-fold rows, evenly over dataset x label.

  python tools/proofs/detector_table.py --data PREPARED --logits logits.npz --recipe mask30-smooth --work DIR

Writes DIR/lodo.csv (dataset,id,label,source,mode,encoder_logit,linear_logit: what calibration is fitted on) for
the first seed, DIR/lodo-seed-N.csv for the others, and prints Markdown. Intervals: 95 %, 1000 resamples of whole sources.
"""

import argparse
import csv
import json
import subprocess
from pathlib import Path

import numpy as np
from detector_search import auc, calibration_error, load_rows
from scipy.optimize import minimize

MODES = ("title+text", "title")


def linear_logits(a, rows, names, mode):
    """Logit of fake of each row by the model that never saw its dataset."""
    out = np.full(len(rows), np.nan)
    for name in names:
        run, table = a.work / f"linear-without-{name}", a.work / f"{name}-{mode}.csv"
        answers = a.work / f"{name}-{mode}.jsonl"
        which = [i for i, r in enumerate(rows) if r["dataset"] == name]
        if not (run / "result.json").exists():
            subprocess.run([a.program, "train", "--data", a.data, "family=linear", f"data.leave_out={name}", "--out", run,
                            "-q"], check=True)
        if not answers.exists():
            with open(table, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["title", "text"])
                writer.writerows([rows[i]["title"], rows[i]["text"] if mode != "title" else ""] for i in which)
            subprocess.run([a.program, "predict", "--model", run, table, "-o", answers, "--on-error", "null", "-q"], check=True)
        said = [json.loads(line)["probabilities"] for line in open(answers, encoding="utf-8")]
        assert len(said) == len(which)
        out[which] = [np.log(p["fake"] / p["real"]) if p else np.nan for p in said]
    return out


class Table:
    def __init__(self, rows):
        self.y = np.array([r["label"] for r in rows])
        self.names = sorted({r["dataset"] for r in rows})
        self.dataset = np.array([self.names.index(r["dataset"]) for r in rows])
        self.source = np.array([f"{r['dataset']}\t{r['source'] or i}" for i, r in enumerate(rows)])

    def even(self, which):
        cell = self.dataset[which] * 2 + self.y[which]
        weights = 1 / np.bincount(cell)[cell]
        return weights / weights.sum()

    def fit(self, x, which):
        x, y, w = x[which], self.y[which], self.even(which)
        k = x.shape[1] - 1
        return minimize(lambda b: (w * (np.logaddexp(0, x @ b) - y * (x @ b))).sum(), np.r_[[0.5] * k, 0.0],
                        method="L-BFGS-B", bounds=[(0, None)] * k + [(None, None)]).x

    def stack(self, columns, there):
        """Logit of each row by weights fitted on the other datasets; the last value: weights of all rows."""
        x = np.column_stack([*columns, np.ones(len(self.y))])
        out = np.full(len(self.y), np.nan)
        for d in range(len(self.names)):
            out[there & (self.dataset == d)] = x[there & (self.dataset == d)] @ self.fit(x, there & (self.dataset != d))
        return out, self.fit(x, there)

    def resamples(self, which, n=1000):
        rng = np.random.default_rng(2018)
        group = np.unique(self.source[which], return_inverse=True)[1]
        members = [np.where(group == g)[0] for g in range(group.max() + 1)]
        for _ in range(n):
            yield np.concatenate([members[g] for g in rng.integers(0, len(members), len(members))])


def interval(values):
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return low, high


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def print_set(t, d, there, raw, scaled):
    which = there & (t.dataset == d)
    y = t.y[which]
    share = np.log(y.mean() / (1 - y.mean()))
    draws = [i for i in t.resamples(which) if 0 < y[i].sum() < len(i)]
    aucs = {}
    for part, z in scaled.items():
        z = z[which]
        aucs[part] = np.array([auc(z[i], y[i]) for i in draws])
        low, high = interval(aucs[part])
        own = f"{calibration_error(sigmoid(raw[part][which]), y):.3f}" if part in raw else ""
        cells = [f"{auc(z, y):.3f} [{low:.3f} {high:.3f}]", own]
        for p in (sigmoid(z), sigmoid(z + share)):
            low, high = interval([calibration_error(p[i], y[i]) for i in draws])
            cells.append(f"{calibration_error(p, y):.3f} [{low:.3f} {high:.3f}]")
        cells.append(f"{((z + share > 0) == y).mean():.3f}")
        head = (f"{t.names[d]}", f"{len(y)}") if part == "linear" else ("", "")
        print("|", " | ".join([*head, part, *cells]), "|", flush=True)
    for part in ("encoder", "both"):
        low, high = interval(aucs[part] - aucs["linear"])
        gap = auc(scaled[part][which], y) - auc(scaled["linear"][which], y)
        print(f"| | | {part} − linear | {gap:+.3f} [{low:+.3f} {high:+.3f}] | | | | |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--logits", required=True, nargs="+")
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--program", default="build/release/fakenews")
    a = parser.parse_args()
    a.work.mkdir(exist_ok=True)
    rows = load_rows(a.data)
    t = Table(rows)
    encoder = {}  # (seed, mode) → logits
    for path in a.logits:
        file = np.load(path)
        for key in file.files:
            mode, recipe, fold, seed = key.split("|")
            if recipe == a.recipe and mode in MODES:
                z = encoder.setdefault((int(seed), mode), np.full(len(rows), np.nan))
                z[file[f"rows|{recipe}|{fold}|{seed}"]] = file[key]
    seeds = sorted({seed for seed, _ in encoder})
    linear = {mode: linear_logits(a, rows, t.names, mode) for mode in MODES}
    write_logits(a, rows, encoder, linear, seeds)
    for mode in MODES:
        there = ~np.isnan(linear[mode])
        for seed in seeds:
            there &= ~np.isnan(encoder[seed, mode])
        first, line = encoder[seeds[0], mode], linear[mode]
        scaled = {"linear": t.stack([line], there)[0], "encoder": t.stack([first], there)[0],
                  "both": t.stack([first, line], there)[0]}
        print(f"\n{mode}\n\n| left out | rows | | AUC | calibration error, raw | scaled | scaled, share of fakes told | "
              "accuracy, told |\n|---|---|---|---|---|---|---|---|")
        for d in range(len(t.names)):
            print_set(t, d, there, {"linear": line, "encoder": first}, scaled)
        for seed in seeds:
            both, weights = t.stack([encoder[seed, mode], line], there)
            figures = ["; ".join(f"{auc(z[m], t.y[m]):.3f}" for d in range(len(t.names)) for m in [there & (t.dataset == d)])
                       for z in (encoder[seed, mode], both)]
            print(f"\nseed {seed}: encoder {figures[0]}; both {figures[1]}; weights on all {np.round(weights, 3).tolist()}")


def write_logits(a, rows, encoder, linear, seeds):
    for seed in seeds:
        name = "lodo.csv" if seed == seeds[0] else f"lodo-seed-{seed}.csv"
        with open(a.work / name, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["dataset", "id", "label", "source", "mode", "encoder_logit", "linear_logit"])
            for mode in MODES:
                for i, r in enumerate(rows):
                    e, z = encoder[seed, mode][i], linear[mode][i]
                    if not (np.isnan(e) or np.isnan(z)):
                        writer.writerow([r["dataset"], r["row"], r["label"], r["source"] or "", mode, f"{e:.7g}", f"{z:.9g}"])


if __name__ == "__main__":
    main()
