"""`data audit` against NumPy, SciPy and scikit-learn, which read the same prepared rows: counts, rules, intervals, linear
models, overlap; and its JSON against docs/schemas."""

import json
import random
import re
import subprocess

import pytest

np = pytest.importorskip("numpy", reason="pip install numpy to run this judge")
pa = pytest.importorskip("pyarrow", reason="pip install pyarrow to run this judge")
sklearn = pytest.importorskip("sklearn", reason="pip install scikit-learn to run this judge")
jsonschema = pytest.importorskip("jsonschema", reason="pip install jsonschema to run this judge")

from scipy.sparse import csr_matrix, hstack  # noqa: E402
from scipy.stats import norm  # noqa: E402
from sklearn.feature_extraction.text import CountVectorizer  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import balanced_accuracy_score, roc_auc_score  # noqa: E402
from sklearn.preprocessing import normalize  # noqa: E402

FIELDS = ("title", "text")


def write_news(path, n=1500, seed=5):
    """Articles of random words with leaning ones, marks, publishers that keep to a side, and some shared sentences."""
    import csv

    rng = random.Random(seed)
    words = [f"w{i}" for i in range(600)] + ["the", "said", "Über", "naïve", "U.S.", "it’s", "don't", "2017", "May", "June"]
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["title", "text", "label", "source", "dataset"])
        for i in range(n):
            label = i % 2
            lean = label if rng.random() < 0.8 else 1 - label
            title = [rng.choice(words) for _ in range(rng.randint(0 if i % 40 else 4, 12))]
            text = [rng.choice(words) + rng.choice(["", "", "", ".", ",", "!" if lean else "?"])
                    for _ in range(rng.randint(20, 90 + 30 * lean))]
            if lean and rng.random() < 0.7:
                title.append("WATCH")
                text.insert(3, "Zebra")
            if not lean and rng.random() < 0.5:
                text.append("\n“quoted” &amp; <b>cut</b>  here")
            if i % 9 == 0:
                text.append("End. Sign up for our letter and read more stories like this one every day.")
            site = f"site{rng.randint(0, 9) * 2 + (lean if rng.random() < 0.9 else 1 - lean)}"
            out.writerow([" ".join(title), " ".join(text), label, site if i % 13 else "", f"set{i % 3}"])
    return path


def rows_of(folder, split):
    reader = pa.ipc.open_stream(str(folder / split / "data-00000-of-00001.arrow"))
    return reader.read_all().to_pylist()


@pytest.fixture(scope="module")
def audited(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    write_news(folder / "news.csv")
    subprocess.run([program, "data", "prepare", "--quiet", "--input", "news.csv", "--out", "out"], cwd=folder, check=True)
    done = subprocess.run([program, "data", "audit", "out", "--json", "-"], cwd=folder, check=True, capture_output=True)
    return folder / "out", json.loads(done.stdout)


class Words:
    """Presence of words as the audit cuts them, title and text apart; those in 5 rows of train or more."""

    def __init__(self, train, test):
        self.names, parts, judged = [], [], []
        for field in FIELDS:
            make = CountVectorizer(lowercase=False, token_pattern=r"\w+|[^\w\s]", min_df=5, binary=True)
            parts.append(make.fit_transform([row[field] for row in train]))
            judged.append(make.transform([row[field] for row in test]))
            self.names += [(field, str(name)) for name in make.get_feature_names_out()]
        self.train, self.test = (csr_matrix(hstack(p)).astype(float) for p in (parts, judged))
        self.column = {name: i for i, name in enumerate(self.names)}


@pytest.fixture(scope="module")
def world(audited):
    folder, report = audited
    train, test = rows_of(folder, "train"), rows_of(folder, "test")
    return {"folder": folder, "report": report, "train": train, "test": test, "words": Words(train, test),
            "y_train": np.array([r["label"] for r in train]), "y_test": np.array([r["label"] for r in test])}


def test_schema(audited, repo):
    schema = json.loads((repo / "docs/schemas/data-audit.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(audited[1])


def test_rows(world):
    report = world["report"]
    for split in ("train", "validation", "test"):
        labels = [row["label"] for row in rows_of(world["folder"], split)]
        assert report["rows"][split] == {"real": labels.count(0), "fake": labels.count(1)}
        assert report["rows_read"][split] == len(labels)
    larger = int(np.mean(world["y_train"]) > 0.5)
    assert report["majority_accuracy"] == pytest.approx(np.mean(world["y_test"] == larger))
    assert report["words"] == len(world["words"].names)


def share_gap(world):
    x, y = world["words"].train, world["y_train"]
    return np.asarray(x[y == 1].mean(axis=0)).ravel(), np.asarray(x[y == 0].mean(axis=0)).ravel()


def test_words(world):
    fake, real = share_gap(world)
    probes = [p for p in world["report"]["probes"] if p["kind"] == "word"]
    assert len(probes) >= 5
    for p in probes:
        at = world["words"].column[p["field"], p["name"]]
        assert p["train_balanced_accuracy"] == pytest.approx(0.5 + abs(fake[at] - real[at]) / 2)
        assert p["says"] == ("fake" if fake[at] > real[at] else "real")
        present = np.asarray(world["words"].test[:, at].todense()).ravel() > 0
        said = present if p["says"] == "fake" else ~present
        assert p["coverage"] == pytest.approx(present.mean())
        assert p["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(world["y_test"], said))
        assert p["auc"] == pytest.approx(roc_auc_score(world["y_test"], said))
        assert p["accuracy"] == pytest.approx(np.mean(world["y_test"] == said))
    best = max(range(len(fake)), key=lambda i: abs(fake[i] - real[i]))
    assert world["words"].names[best] == (probes[0]["field"], probes[0]["name"]) or world["report"]["probes"][0]["kind"] == "style"
    names = [(p["field"], name) for p in world["report"]["probes"] for name in [p["name"], *p["with"]]]
    assert {("text", "Zebra"), ("title", "WATCH")} <= set(names)


def test_what_is_folded_says_nearly_the_same(world):
    """phi of 0.7 or more on train for folded words, less between the probes that stand alone."""
    x = world["words"]

    def vector(field, name, says):
        present = np.asarray(x.train[:, x.column[field, name]].todense()).ravel() > 0
        return present if says == "fake" else ~present

    fake, real = share_gap(world)
    alone = [p for p in world["report"]["probes"] if p["kind"] == "word"]
    for p in alone:
        for other in p["with"]:
            at = x.column[p["field"], other]
            says = "fake" if fake[at] > real[at] else "real"
            assert np.corrcoef(vector(p["field"], p["name"], p["says"]), vector(p["field"], other, says))[0, 1] >= 0.7 - 1e-9
    for i, p in enumerate(alone):
        for q in alone[:i]:
            if p["field"] == q["field"]:
                assert np.corrcoef(vector(p["field"], p["name"], p["says"]), vector(q["field"], q["name"], q["says"]))[0, 1] < 0.7


def wilson(k, n, z):
    p, z2 = k / n, z * z
    middle, wide = p + z2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return (middle - wide) / (1 + z2 / n), (middle + wide) / (1 + z2 / n)


def test_intervals_hold_together(world):
    report, y = world["report"], world["y_test"]
    z = norm.ppf(1 - 0.05 / len(report["probes"]) / 2)
    for p in report["probes"]:
        if p["kind"] != "word":
            continue
        present = np.asarray(world["words"].test[:, world["words"].column[p["field"], p["name"]]].todense()).ravel() > 0
        right = (present == (p["says"] == "fake")) == (y == 1)
        halves = [(right[y == k].mean(), *wilson(right[y == k].sum(), (y == k).sum(), z)) for k in (0, 1)]
        low = p["balanced_accuracy"] - np.hypot(*(share - low for share, low, _ in halves)) / 2
        high = p["balanced_accuracy"] + np.hypot(*(high - share for share, _, high in halves)) / 2
        assert p["interval"] == pytest.approx([max(0, low), min(1, high)], abs=1e-9)
        assert p["found"] == (p["interval"][0] > 0.5 and p["balanced_accuracy"] >= 0.55)


def letters(s):
    return re.findall("[A-Za-z]", s)


STYLES = {
    "length": len,
    "words": lambda s: len(s.split()),
    "word length": lambda s: (len(s) - max(0, len(s.split()) - 1)) / len(s.split()) if s.split() else 0,
    "capitals": lambda s: sum(c <= "Z" for c in letters(s)) / len(letters(s)) if letters(s) else 0,
    "digits": lambda s: len(re.findall("[0-9]", s)) / len(s) if s else 0,
    "exclamation marks": lambda s: s.count("!"),
    "question marks": lambda s: s.count("?"),
    "curly quotes": lambda s: len(re.findall("[“”«»]", s)),
    "plain apostrophes": lambda s: s.count("'"),
    "beyond ASCII": lambda s: sum(c > "\x7f" for c in s) / len(s) if s else 0,
    "line breaks": lambda s: s.count("\n"),
    "HTML left-overs": lambda s: len(re.findall(r"</?[A-Za-z][^<>]*>|&[A-Za-z0-9#]+;", s)),
    "double spaces": lambda s: len(re.findall("  +", s)),
    "years": lambda s: len(re.findall(r"(?<![A-Za-z0-9])(?:19|20)[0-9]{2}(?![A-Za-z0-9])", s)),
    "absence": lambda s: float(not s.split()),
}


def best_rule(values, y):
    """(balanced accuracy, threshold, side) by trying every threshold."""
    best = (0.5, None, None)
    for threshold in np.unique(values)[:-1]:
        above = values > threshold
        gap = above[y == 1].mean() - above[y == 0].mean()
        if 0.5 + abs(gap) / 2 > best[0] + 1e-12:
            best = (0.5 + abs(gap) / 2, threshold, int(gap > 0))
    return best


@pytest.mark.parametrize("style", STYLES)
def test_style(world, style):
    found = {p["field"]: p for p in world["report"]["probes"] if p["kind"] == "style" and p["name"] == style}
    for field in FIELDS:
        train, test = (np.array([STYLES[style](row[field]) for row in world[part]], dtype=np.float32) for part in ("train", "test"))
        score, threshold, side = best_rule(train, world["y_train"])
        if threshold is None:
            assert field not in found, "the same value everywhere"
            continue
        p = found[field]
        assert p["train_balanced_accuracy"] == pytest.approx(score)
        assert p["threshold"] == pytest.approx(float(threshold)) and p["says"] == ("fake" if side else "real")
        said = (test > threshold) == side
        assert p["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(world["y_test"], said))
        assert p["auc"] == pytest.approx(roc_auc_score(world["y_test"], test if side else -test))
        assert p["coverage"] == pytest.approx(np.mean(test > 0))


@pytest.mark.parametrize("kind", ["source", "dataset"])
def test_groups(world, kind):
    p = next(p for p in world["report"]["probes"] if p["kind"] == kind)
    total = np.bincount(world["y_train"], minlength=2)
    counts = {}
    for row in world["train"]:
        if row[kind]:
            counts.setdefault(row[kind], [0, 0])[row["label"]] += 1
    scores, said, known = [], [], []
    for row in world["test"]:
        n = counts.get(row[kind], [0, 0])
        shares = [n[k] / total[k] for k in (0, 1)]
        known.append(sum(n) > 0)
        scores.append(shares[1] / sum(shares) if known[-1] else 0.5)
        said.append(scores[-1] > 0.5 or (not known[-1] and total[1] > total[0]))
    assert p["coverage"] == pytest.approx(np.mean(known))
    assert p["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(world["y_test"], said))
    assert p["auc"] == pytest.approx(roc_auc_score(world["y_test"], scores))


def ranking(world):
    """Words by the lower end of the interval of the gap, as src/audit/vocabulary.h has it."""
    x, y = world["words"].train, world["y_train"]
    share, variance = [], 0
    for k in (0, 1):
        n = (y == k).sum() + 2
        share.append((np.asarray(x[y == k].sum(axis=0)).ravel() + 1) / n)
        variance = variance + share[-1] * (1 - share[-1]) / n
    return np.argsort(-(np.abs(share[0] - share[1]) - 1.96 * np.sqrt(variance)), kind="stable")


def judge_model(x_train, x_test, world):
    model = LogisticRegression(C=10, class_weight="balanced", tol=1e-8, max_iter=2000).fit(x_train, world["y_train"])
    scores = model.decision_function(x_test)
    return np.mean((scores > 0) == (world["y_test"] == 1)), roc_auc_score(world["y_test"], scores)


@pytest.mark.parametrize("removed", [0, 1, 5, 20, 100])
def test_models_over_words(world, removed):
    m = next(m for m in world["report"]["models"] if m["features"] == "words" and m["removed"] == removed)
    keep = np.sort(ranking(world)[removed:])
    assert m["n_features"] == len(keep)
    x_train, x_test = (part[:, keep] for part in (world["words"].train, world["words"].test))
    idf = np.log((1 + x_train.shape[0]) / (1 + np.asarray(x_train.sum(axis=0)).ravel())) + 1
    accuracy, auc = judge_model(normalize(x_train.multiply(idf).tocsr()), normalize(x_test.multiply(idf).tocsr()), world)
    assert m["accuracy"] == pytest.approx(accuracy, abs=2.5 / len(world["test"]))
    # Many words tie around the hundredth place, and what is left of the rest is noise.
    assert m["auc"] == pytest.approx(auc, abs=0.002 if removed < 100 else 0.02)
    low, high = wilson(m["accuracy"] * len(world["test"]), len(world["test"]), norm.ppf(0.975))
    assert m["interval"] == pytest.approx([low, high], abs=1e-9)


def grams(text, n=8):
    return [w.lower() for w in re.findall(r"[A-Za-z0-9\u00c0-\u1fff]+", text)]


def sentences(text):
    return {tuple(words) for part in re.split(r"[.!?\n]", text) if len(words := grams(part)) >= 8}


def test_overlap(world):
    shared = world["report"]["overlap"]["test_in_train"]
    assert shared["rows"] == len(world["test"])
    in_train = [sentences(row["text"]) for row in world["train"]]
    known = set().union(*in_train)
    mine = [sentences(row["text"]) for row in world["test"]]
    assert shared["sentence"]["rows_that_have_one"] == sum(map(bool, mine))
    assert shared["sentence"]["found"] == sum(bool(s & known) for s in mine) > 5
    assert shared["half_of_sentences"]["found"] == sum(bool(s) and 2 * len(s & known) >= len(s) for s in mine)
    for kind, key in (("title", lambda r: tuple(grams(r["title"])) if len(grams(r["title"])) >= 3 else ()),
                      ("head", lambda r: tuple(grams(r["text"])[:8]) if len(grams(r["text"])) >= 16 else ()),
                      ("tail", lambda r: tuple(grams(r["text"])[-8:]) if len(grams(r["text"])) >= 16 else ()),
                      ("source", lambda r: r["source"]), ("row", lambda r: r["hash"])):  # fmt: skip
        labels = {}
        for row in world["train"]:
            labels.setdefault(key(row), [0, 0])[row["label"]] += 1
        have = [row for row in world["test"] if key(row)]
        hits = [row for row in have if key(row) in labels]
        same = [row for row in hits if labels[key(row)][row["label"]] > labels[key(row)][1 - row["label"]]]
        assert shared[kind] == {"rows_that_have_one": len(have), "found": len(hits), "with_the_same_label": len(same)}, kind
    top = world["report"]["overlap"]["sentences"][0]
    assert top["begin"].split()[:2] == ["Sign", "up"] and top["words"] == 14
    assert sum(top["in_train"].values()) == sum("Sign up for our letter" in row["text"] for row in world["train"])


def test_sources(world):
    n, both = {}, {}
    for part in ("train", "test"):
        for row in world[part]:
            if row["source"]:
                n.setdefault(row["source"], [0, 0])[row["label"]] += 1
                both.setdefault(row["source"], set()).add(part)
    got = world["report"]["sources"]
    assert got["n"] == len(n) and got["in_both_classes"] == sum(a > 0 and b > 0 for a, b in n.values())
    assert got["in_both_splits"] == sum(len(parts) == 2 for parts in both.values())
    assert got["rows_with_source"] == sum(map(sum, n.values())) and got["datasets"] == 3
