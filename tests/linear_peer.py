"""scikit-learn's side of the linear family, for tests/light/test_linear.py and tests/long/test_linear_full.py: the same
rows, features, weights and grid; and how to run ours through the probe."""

import csv
import gzip
import json
import os
import random
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

REPO = Path(__file__).resolve().parents[1]
PROBE = Path(os.environ.get("FN_TOOLS", REPO / "build/dev/tests/tools")) / "linear_probe"
GRID = [1, 4, 16, 64, 256]  # default of linear.c_grid
FAMILIES = {
    "word": dict(analyzer="word", token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2)),
    "char": dict(analyzer="char_wb", ngram_range=(3, 5)),
}
ARTICLE_SETS = ["isot_partial", "buzzfeed_webis", "recovery", "celebrity", "coaid_news"]


def document(row):
    return row["title"] + "\n" + row["text"]


def weigh_evenly(rows):
    """Every dataset × label counts the same in sum; mean 1."""
    cells = Counter((row["dataset"], row["label"]) for row in rows)
    for row in rows:
        row["weight"] = len(rows) / (len(cells) * cells[row["dataset"], row["label"]])
    return rows


def arrays(rows):
    return np.array([row["label"] for row in rows]), np.array([row["weight"] for row in rows])


MASK = (1 << 64) - 1


def mix(h):
    h = (h ^ (h >> 33)) * 0xFF51AFD7ED558CCD & MASK
    h = (h ^ (h >> 33)) * 0xC4CEB9FE1A85EC53 & MASK
    return h ^ (h >> 33)


def chain(seed, values):
    h = seed
    for value in values:
        h = (h ^ value) * 0x9E3779B97F4A7C15 & MASK
    return h


def bucket(family, gram, bits):
    """src/linear/features.h in Python. A word n-gram's tokens are joined by a space, as scikit-learn has them."""
    if family == "word":
        return mix(chain(2, [mix(chain(1, map(ord, token))) for token in reversed(gram.split(" "))])) >> (64 - bits)
    return mix(chain(3, map(ord, reversed(gram)))) >> (64 - bits)


class Peer:
    """TF-IDF and logistic regression, one for each family; C by validation cross-entropy; mean of the logits.
    hash_bits: scikit-learn's n-grams go into our buckets first, which leaves no difference but rounding."""

    def __init__(self, families, grid=GRID, tol=1e-4, hash_bits=None):
        self.families, self.grid, self.tol, self.hash_bits = families, grid, tol, hash_bits

    def make_vectorizer(self, family):
        settings = dict(FAMILIES[family], lowercase=False)
        if self.hash_bits:
            grams, known = TfidfVectorizer(**settings).build_analyzer(), {}

            def analyzer(text):
                for gram in grams(text):
                    if gram not in known:
                        known[gram] = bucket(family, gram, self.hash_bits)
                    yield known[gram]

            settings = dict(analyzer=analyzer)
        return TfidfVectorizer(sublinear_tf=True, dtype=np.float64 if self.hash_bits else np.float32, **settings)

    def fit(self, train, validation):
        self.parts, self.chosen = [], {}
        y, weight = arrays(train)
        for family in self.families:
            vectorizer = self.make_vectorizer(family)
            x = vectorizer.fit_transform(map(document, train))
            model = LogisticRegression(tol=self.tol, max_iter=2000, warm_start=True)
            best, rises, last = None, 0, np.inf
            if validation:
                y_validation, weight_validation = arrays(validation)
                x_validation = vectorizer.transform(map(document, validation))
            for c in self.grid:
                model.set_params(C=c).fit(x, y, sample_weight=weight)
                loss = 0.0
                if validation:
                    p = model.predict_proba(x_validation)
                    loss = log_loss(y_validation, p, sample_weight=weight_validation)
                if best is None or loss < best[0]:
                    best = loss, c, model.coef_.copy(), model.intercept_.copy()
                rises, last = (rises + 1 if loss > last else 0), loss
                if rises == 2:
                    break
            _, self.chosen[family], coefficients, intercept = best
            self.parts.append((vectorizer, coefficients, intercept))
        return self

    def logits(self, rows):
        documents = list(map(document, rows))
        return np.mean([(v.transform(documents) @ w.T).ravel() + b for v, w, b in self.parts], axis=0)


def write_rows(path, rows):
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


class Ours:
    def __init__(self, folder, *settings, threads=2):
        self.folder, self.settings, self.threads = Path(folder), settings, threads
        assert PROBE.exists(), f"{PROBE} is missing: build the dev preset, or set FN_TOOLS"

    def run(self, *arguments):
        done = subprocess.run([PROBE, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fit(self, train, validation):
        rows = [dict(row, split="train") for row in train] + [dict(row, split="validation") for row in validation]
        write_rows(self.folder / "train.jsonl", rows)
        out = self.run("train", self.folder / "train.jsonl", self.folder / "model", self.threads, *self.settings)
        *self.trials, self.summary = map(json.loads, out.splitlines())
        return self

    def logits(self, rows):
        write_rows(self.folder / "rows.jsonl", [{k: row[k] for k in ("title", "text")} for row in rows])
        return np.array(list(map(float, self.run("predict", self.folder / "rows.jsonl", self.folder / "model").split())))


def auc(rows, logits):
    return roc_auc_score([row["label"] for row in rows], logits)


def balanced_loss(rows, logits):
    """Cross-entropy with both classes counting the same: overconfidence on unseen sets shows here, not in the AUC."""
    y = np.array([row["label"] for row in rows])
    return log_loss(y, 1 / (1 + np.exp(-logits)), sample_weight=np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean())))


def read_set(shared, name):
    """Rows of a reference dataset, datelines removed."""
    csv.field_size_limit(1 << 30)
    rows = []
    with gzip.open(shared / "data" / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            head, dash, rest = row["text"].partition("(Reuters) - ")
            text = rest if dash and len(head) < 60 else row["text"]
            if text.strip() or row["title"].strip():
                rows.append(dict(dataset=name, title=row["title"], text=text, label=int(row["label"])))
    random.Random(2018).shuffle(rows)
    return rows


def leave_one_out(sets, out, sample=None, share=0.15):
    """Train and validation from all sets but one, the test from that one; sample: rows of each dataset × label."""
    def some(rows, n):
        return [row for label in (0, 1) for row in [r for r in rows if r["label"] == label][:n]] if n else rows

    train, validation = [], []
    for name, rows in sets.items():
        if name != out:
            rows = some(rows, sample)
            random.Random(7).shuffle(rows)
            cut = int(len(rows) * share)
            validation += rows[:cut]
            train += rows[cut:]
    return weigh_evenly(train), weigh_evenly(validation), weigh_evenly(some(sets[out], sample))
