"""scikit-learn (and, for the calibration error that it lacks, a few lines of numpy) judges src/eval."""

import json
import os
import subprocess
import warnings
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="pip install numpy to run this judge")
sk = pytest.importorskip("sklearn.metrics", reason="pip install scikit-learn to run this judge")

REPO = Path(__file__).resolve().parents[2]
PROBE = Path(os.environ.get("FN_TOOLS", REPO / "build/dev/tests/tools")) / "eval_probe"


def probe(p, labels, groups=None, n_resamples=0, seed=1, threads=1):
    assert PROBE.exists(), f"{PROBE} is missing: build the dev preset, or set FN_TOOLS"
    groups = range(len(p)) if groups is None else groups
    lines = "".join(f"{float(x)!r} {int(y)} {int(g)}\n" for x, y, g in zip(p, labels, groups))
    done = subprocess.run([PROBE, str(n_resamples), str(seed), str(threads)], input=lines, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def calibration_error(p, labels, bins=15):
    """Guo et al. 2017, section 2: right-closed bins of the confidence of the predicted class."""
    predicted = p > 0.5
    confidence = np.where(predicted, p, 1 - p)
    inside = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    total = 0.0
    for b in range(bins):
        here = inside == b
        if here.any():
            total += here.sum() * abs((predicted[here] == labels[here]).mean() - confidence[here].mean())
    return total / len(p)


def inputs(kind, n, rng):
    """Scores of several kinds, and labels that follow them a little."""
    p = {"spread": lambda: rng.random(n),
         "tied": lambda: rng.integers(0, 5, n) / 4,           # 0, .25, .5, .75, 1
         "sure": lambda: rng.choice([0.0, 1.0, 1e-17, 1 - 1e-16, 0.5], n),
         "thirtieths": lambda: rng.integers(0, 31, n) / 30,   # on the edges of the bins
         "close": lambda: 0.5 + (rng.random(n) - 0.5) * 1e-12,
         "skewed": lambda: rng.random(n) ** 8}[kind]()
    share = 0.02 if kind == "skewed" else 0.5
    labels = (rng.random(n) < share + 0.4 * (p - p.mean())).astype(int)
    labels[:2] = [0, 1]
    return p, labels


def same(ours, theirs, tolerance=1e-12):
    if theirs is None or np.isnan(theirs):
        return ours is None
    return ours is not None and abs(ours - theirs) <= tolerance * max(1.0, abs(theirs))


@pytest.mark.parametrize("kind", ["spread", "tied", "sure", "thirtieths", "close", "skewed"])
@pytest.mark.parametrize("n", [2, 3, 17, 1000, 20011])
def test_scikit_learn_agrees(kind, n):
    p, labels = inputs(kind, n, np.random.default_rng([2018, n]))
    predicted = (p > 0.5).astype(int)
    ours = probe(p, labels)
    assert ours["n"] == n
    assert ours["confusion"] == sk.confusion_matrix(labels, predicted, labels=[0, 1]).tolist()
    assert same(ours["accuracy"], sk.accuracy_score(labels, predicted))
    assert same(ours["roc_auc"], sk.roc_auc_score(labels, p))
    assert same(ours["brier"], sk.brier_score_loss(labels, p))
    both = np.clip(np.stack([1 - p, p], axis=1), 1e-15, 1 - 1e-15)  # scikit-learn's own bound is 2.2e-16
    assert same(ours["loss"], sk.log_loss(labels, both, labels=[0, 1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_class = sk.precision_recall_fscore_support(labels, predicted, labels=[0, 1], zero_division=np.nan)
    for k, name in enumerate(["real", "fake"]):
        for score, values in zip(["precision", "recall", "f1"], by_class):
            assert same(ours[f"{score}_{name}"], values[k]), (score, name)
        assert ours["support"][name] == by_class[3][k]
    # An undefined class leaves the mean undefined here, while scikit-learn averages the rest.
    precision, recall, f1, support = by_class
    assert same(ours["f1_macro"], f1.mean())
    for score, values in zip(["precision", "recall", "f1"], [precision, recall, f1]):
        assert same(ours[f"{score}_weighted"], (values * support).sum() / n), score
    if kind not in ("thirtieths", "sure"):  # there numpy's own rounding decides which side of an edge a score is on
        assert same(ours["ece"], calibration_error(p, labels))


def test_calibration_error_on_edges():
    rng = np.random.default_rng(3)
    for kind in ("thirtieths", "sure"):
        p, labels = inputs(kind, 5000, rng)
        assert same(probe(p, labels)["ece"], calibration_error(p, labels), 1e-9)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class(label):
    ours = probe([0.2, 0.7, 0.5], [label] * 3)
    assert ours["roc_auc"] is None
    assert ours["f1_macro"] is not None  # both classes were predicted or true
    assert ours["confusion"][1 - label] == [0, 0]


def fast_auc(labels, p):
    """As scikit-learn's, which takes milliseconds a call."""
    fakes, reals = p[labels == 1], np.sort(p[labels == 0])
    below = np.searchsorted(reals, fakes, "left") + np.searchsorted(reals, fakes, "right")
    return below.sum() / (2 * len(fakes) * len(reals))


def test_bootstrap_is_what_numpy_says():
    """Independent draws give another interval, but close: both estimate the same quantiles."""
    rng = np.random.default_rng(5)
    n, n_groups, n_resamples = 1000, 60, 2000
    groups = rng.integers(0, n_groups, n)
    groups[:n_groups] = np.arange(n_groups)
    shift = rng.normal(0, 0.8, n_groups)[groups]
    labels = (rng.random(n) < 0.45).astype(int)
    p = 1 / (1 + np.exp(-(labels - 0.5 + shift + rng.normal(0, 1, n))))
    rows = [np.flatnonzero(groups == g) for g in range(n_groups)]
    accuracies, aucs = [], []
    for _ in range(n_resamples):
        drawn = np.concatenate([rows[g] for g in rng.integers(0, n_groups, n_groups)])
        accuracies.append(((p[drawn] > 0.5) == labels[drawn]).mean())
        aucs.append(fast_auc(labels[drawn], p[drawn]))
    assert fast_auc(labels, p) == pytest.approx(sk.roc_auc_score(labels, p), abs=1e-12)
    ours = probe(p, labels, groups, n_resamples)["intervals"]
    assert ours["n_groups"] == n_groups and ours["n_resamples"] == n_resamples
    for name, values in (("accuracy", accuracies), ("roc_auc", aucs)):
        theirs = np.percentile(values, [2.5, 97.5])
        width = theirs[1] - theirs[0]
        assert np.abs(np.array(ours[name]) - theirs).max() < 0.08 * width, name


def test_threads_do_not_matter():
    rng = np.random.default_rng(6)
    p, labels = inputs("spread", 400, rng)
    groups = rng.integers(0, 40, 400)
    groups[:40] = np.arange(40)
    assert probe(p, labels, groups, 300, threads=1) == probe(p, labels, groups, 300, threads=3)
