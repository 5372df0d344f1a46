"""SciPy's minimisers, scikit-learn's logistic regression and a plain NumPy twin judge the calibration of src/eval."""

import json
import os
import subprocess
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="pip install numpy to run this judge")
sk = pytest.importorskip("sklearn.metrics", reason="pip install scikit-learn to run this judge")
linear_model = pytest.importorskip("sklearn.linear_model", reason="pip install scikit-learn to run this judge")
optimize = pytest.importorskip("scipy.optimize", reason="pip install scipy to run this judge")

REPO = Path(__file__).resolve().parents[2]
PROBE = Path(os.environ.get("FN_TOOLS", REPO / "build/dev/tests/tools")) / "calibrate_probe"
RIDGE = 1e-3


def probe(rows, target=0.9, min_coverage=0.1, edges=(), code=0):
    assert PROBE.exists(), f"{PROBE} is missing: build the dev preset, or set FN_TOOLS"
    z, y, w, fold, length = rows
    lines = "".join(f"{y[i]} {w[i]!r} {fold[i]} {length[i]} " + " ".join(repr(float(x)) for x in z[i]) + "\n" for i in range(len(y)))
    done = subprocess.run([PROBE, str(z.shape[1]), str(RIDGE), str(target), str(min_coverage), *map(str, edges)], input=lines,
                          capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


def make(k, n=900, n_folds=4, seed=1, factor=3.0, shift=0.5):
    """Overconfident logits of different quality in each fold, weights that are not even."""
    rng = np.random.default_rng(seed)
    fold = rng.integers(0, n_folds, n)
    truth = rng.normal(0, 1.5, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-truth))).astype(int)
    z = np.stack([factor * (truth + rng.normal(0, 1 + j + 0.3 * fold)) + shift for j in range(k)], axis=1)
    return z, y, (0.25 + rng.random(n)).tolist(), fold, rng.integers(5, 600, n)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def temperature(z, y, w):
    def loss(log_t):
        p = z / np.exp(log_t)
        return np.average(np.logaddexp(0, np.where(y == 1, -p, p)), weights=w)

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(np.log(0.05), np.log(50)), method="bounded", options={"xatol": 1e-12}).x))


def stack(z, y, w, bias):
    """ridge/2 Σ (s v)² with mean weights of 1 is scikit-learn's ½‖v‖² + C Σ w ℓ at C = 1/(ridge · Σ w)."""
    scale = np.sqrt(np.average(z**2, axis=0, weights=w))
    model = linear_model.LogisticRegression(C=1 / (RIDGE * np.sum(w)), tol=1e-12, max_iter=10000, solver="newton-cholesky",
                                            fit_intercept=bias)
    model.fit(z / scale, y, sample_weight=w)
    return model.coef_[0] / scale, float(model.intercept_[0]) if bias else 0.0


def scale(z, y, w, kind):
    """(weights, bias, temperature, function of rows) of one kind of scaling."""
    k = z.shape[1]
    v, b = stack(z, y, w, kind == "affine") if kind in ("weights", "affine") else (np.full(k, 1 / k), 0.0)
    t = 1.0 if kind == "nothing" else temperature(z @ v + b, y, w)
    return v, b, t, lambda x: (x @ v + b) / t


def crossfit(z, y, w, fold, kind):
    out = np.zeros(len(y))
    for g in np.unique(fold):
        apply = scale(z[fold != g], y[fold != g], w[fold != g], kind)[3]
        out[fold == g] = apply(z[fold == g])
    return out


def loss(z, y, w):
    return np.average(np.logaddexp(0, np.where(y == 1, -z, z)), weights=w)


def choose(z, y, w, fold, gain=1e-3):
    """The kind that the rule takes: the next freer one only where it gains."""
    best, kept = None, None
    for kind in ("nothing", "temperature", "weights", "affine"):
        if kind == "weights" and z.shape[1] == 1:
            continue
        here = loss(crossfit(z, y, w, fold, kind), y, w)
        if best is None or here <= best - gain:
            best, kept = here, kind
    return kept


def ece(p, y, w, bins=15):
    right, c = (p > 0.5) == (y == 1), np.maximum(p, 1 - p)
    at = np.clip(np.ceil(c * bins).astype(int) - 1, 0, bins - 1)
    return sum(abs(np.sum(w[at == b] * (right[at == b] - c[at == b]))) for b in range(bins)) / np.sum(w)


def band(p, y, w, target, min_coverage):
    """(threshold lies in the gap [low, high], coverage, accuracy, reached), by trying every confidence."""
    c, right = np.maximum(p, 1 - p), (p > 0.5) == (y == 1)
    levels = np.unique(c[w > 0])
    tried = []
    for level in levels:
        taken = c >= level
        below = levels[levels < level]
        tried.append((np.sum(w[taken]) / np.sum(w), np.average(right[taken], weights=w[taken]), level, below[-1] if len(below) else 0.5))
    tried = [t for t in tried if t[0] >= min_coverage]
    good = [t for t in tried if t[1] >= target]
    coverage, accuracy, high, low = max(good) if good else max(tried, key=lambda t: (t[1], -t[0]))
    return low, high, coverage, accuracy, bool(good)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("seed, shift", [(1, 0.5), (2, 0.5), (3, 5.0)])
def test_scipy_and_scikit_learn_agree(k, seed, shift):
    z, y, w, fold, length = rows = make(k, seed=seed, shift=shift)
    w = np.array(w)
    ours = probe(rows)
    kind = ours["kind"]
    assert kind == choose(z, y, w, fold)
    v, b, t, _ = scale(z, y, w, kind)
    if kind == "temperature":
        assert ours["temperatures"] == [pytest.approx(t, rel=1e-7)]
        assert ours["weights"] == [1 / k] * k and ours["bias"] == 0.0
    else:  # the temperature is folded in
        assert ours["weights"] == pytest.approx(list(v / t), rel=1e-6)
        assert ours["bias"] == pytest.approx(b / t, rel=1e-6, abs=1e-8)
    theirs = crossfit(z, y, w, fold, kind)
    np.testing.assert_allclose(ours["z"], theirs, rtol=1e-5, atol=1e-6)
    assert ours["temperature_of_crossfit"] == pytest.approx(temperature(theirs, y, w), rel=1e-6)
    p = sigmoid(theirs)
    assert ours["after"]["nll"] == pytest.approx(sk.log_loss(y, np.stack([1 - p, p], 1), sample_weight=w), abs=1e-7)
    assert ours["after"]["auc"] == pytest.approx(sk.roc_auc_score(y, p, sample_weight=w), abs=1e-7)
    assert ours["after"]["ece"] == pytest.approx(ece(p, y, w), abs=1e-5)
    raw = sigmoid(z.mean(axis=1))
    assert ours["before"]["nll"] == pytest.approx(sk.log_loss(y, np.stack([1 - raw, raw], 1), sample_weight=w), abs=1e-7)
    assert ours["before"]["ece"] == pytest.approx(ece(raw, y, w), abs=1e-9)
    assert ours["after"]["nll"] < ours["before"]["nll"] and ours["after"]["ece"] < ours["before"]["ece"]


@pytest.mark.parametrize("target,min_coverage", [(0.9, 0.1), (0.8, 0.0), (0.999, 0.3), (0.5, 0.0)])
def test_band(target, min_coverage):
    z, y, w, fold, length = rows = make(1, seed=4)
    w = np.array(w)
    ours = probe(rows, target, min_coverage)
    p = sigmoid(np.array(ours["z"]))
    low, high, coverage, accuracy, reached = band(p, y, w, target, min_coverage)
    assert ours["band"]["reached"] == reached
    assert ours["band"]["coverage"] == pytest.approx(coverage, abs=1e-12)
    assert ours["band"]["accuracy"] == pytest.approx(accuracy, abs=1e-12)
    assert low <= ours["band"]["threshold"] <= high
    # twice cross-fitted: the threshold for a fold comes from what the others say about each other
    taken = right = 0.0
    for g in np.unique(fold):
        rest = fold != g
        inner = sigmoid(crossfit(z[rest], y[rest], w[rest], fold[rest], ours["kind"]))
        low, high, *_ = band(inner, y[rest], w[rest], target, min_coverage)
        here = (fold == g) & (np.maximum(p, 1 - p) >= (low + high) / 2)
        taken += np.sum(w[here])
        right += np.sum(w[here] * ((p[here] > 0.5) == (y[here] == 1)))
    assert ours["judged"]["coverage"] == pytest.approx(taken / np.sum(w), abs=2e-3)  # a row may lie on an edge
    assert ours["judged"]["accuracy"] == pytest.approx(right / taken, abs=2e-3)


def test_lengths_are_taken_only_where_they_help():
    z, y, w, fold, length = make(1, n=1500, seed=6)
    assert len(probe((z, y, w, fold, length), edges=[64, 256])["temperatures"]) == 1
    z = np.where((length < 64)[:, None], z * 8, z)
    ours = probe((z, y, w, fold, length), edges=[64, 256])
    assert len(ours["temperatures"]) == 3
    for b, inside in enumerate([length < 64, (length >= 64) & (length < 256), length >= 256]):
        assert ours["temperatures"][b] == pytest.approx(temperature(z[inside, 0], y[inside], np.array(w)[inside]), rel=1e-7)


def test_a_bias_is_taken_only_where_it_helps():
    z, y, w, fold, length = make(1, n=1500, seed=7)
    assert probe((z, y, w, fold, length))["kind"] == "temperature"
    shifted = probe((z + 6, y, w, fold, length))
    assert shifted["kind"] == "affine" and shifted["bias"] < -0.5


def test_one_class_is_refused():
    z, y, w, fold, length = make(1, n=60)
    assert "both classes" in probe((z, y * 0, w, fold, length), code=2)
