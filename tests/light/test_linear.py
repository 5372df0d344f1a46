"""scikit-learn judges the linear family: TfidfVectorizer and LogisticRegression on the same rows, with the same tokens,
weights and grid (tests/linear_peer.py). The issue's bound: AUC within 0.005."""

import random

import pytest

np = pytest.importorskip("numpy", reason="pip install numpy to run this judge")
pytest.importorskip("sklearn", reason="pip install scikit-learn to run this judge")

from linear_peer import ARTICLE_SETS, Ours, Peer, auc, leave_one_out, read_set, weigh_evenly

# The peer's L-BFGS may stop at its limit of steps for a large C; its AUC is judged all the same.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NEUTRAL = """the a of to in and that on for with as at by from was were is are be has had it its this which council
minister committee budget school river village Tuesday March 2019 1,204 percent 4.5% vote plan report bridge farm "we"
(see) naïve Zürich São café 東京 Ελλάδα — … ½ U.S. x-ray e-mail under_score 👍 don't""".split()
MADE = [a + b + c + d for a in "bdfglmprst" for b in "aeoü" for c in "kmnrt" for d in ("", "ed", "S")]
LEAN = [["according", "spokesman", "said", "officials", "statement", "reported", "Reuters-style", "confirmed", "per"],
        ["SHOCKING", "truth", "exposed", "they", "WON'T", "believe!!!", "wake", "up", "BREAKING:", "secret"]]


def invent(n, seed, lean=0.05, noise=0.25):
    """Articles of two invented datasets; a little vocabulary leans to one class, and often to the wrong one."""
    rng = random.Random(seed)
    rows = []
    for _ in range(n):
        label = int(rng.random() < 0.4)

        def words(k):
            side = label if rng.random() > noise else 1 - label
            return " ".join(rng.choice(LEAN[side]) if rng.random() < lean else rng.choice(NEUTRAL + MADE)
                            for _ in range(k))

        rows.append({"title": words(rng.randrange(12)), "text": "\n ".join(words(rng.randrange(30)) for _ in range(4)),
                     "label": label, "dataset": rng.choice(["one", "one", "two"])})
    return weigh_evenly(rows)


@pytest.mark.parametrize("family, bits", [("word", 10), ("char", 10), ("word+char", 18)])
def test_same_logits_in_the_same_buckets(tmp_path, family, bits):
    """scikit-learn's n-grams, put into our buckets: the logits themselves agree."""
    train, test = invent(250, 1), invent(100, 2)
    for c in (0.5, 20):
        peer = Peer(family.split("+"), grid=[c], tol=1e-7, hash_bits=bits).fit(train, [])
        ours = Ours(tmp_path, f"linear.features={family}", f"linear.c_grid=[{c}]", f"linear.hash_bits={bits}",
                    "linear.tolerance=1e-5").fit(train, [])
        theirs = peer.logits(test)
        assert np.abs(ours.logits(test) - theirs).max() < 1e-3 * theirs.std()


def test_same_logits_with_title_or_text_missing(tmp_path):
    train = invent(200, 3)
    for i, row in enumerate(train):
        row["title"] = "" if i % 3 == 0 else row["title"]
        row["text"] = "" if i % 5 == 0 else row["text"]
    peer = Peer(["word", "char"], grid=[2], tol=1e-7, hash_bits=18).fit(train, [])
    ours = Ours(tmp_path, "linear.c_grid=[2]", "linear.tolerance=1e-5").fit(train, [])
    theirs = peer.logits(train)
    assert np.abs(ours.logits(train) - theirs).max() < 1e-3 * theirs.std()


@pytest.mark.parametrize("seed", [11, 12])
def test_auc_on_an_invented_corpus(tmp_path, seed):
    """Defaults: 2^18 buckets, C by validation."""
    train, validation, test = invent(600, seed), invent(200, seed + 100), invent(1500, seed + 200)
    peer = Peer(["word", "char"]).fit(train, validation)
    ours = Ours(tmp_path).fit(train, validation)
    theirs, mine = auc(test, peer.logits(test)), auc(test, ours.logits(test))
    print(f"scikit-learn {theirs:.4f} {peer.chosen}, ours {mine:.4f} {ours.summary}")
    assert 0.6 < theirs < 0.99  # neither hopeless nor trivial, or the comparison says nothing
    assert abs(mine - theirs) <= 0.005


@pytest.mark.parametrize("out", ["celebrity", "recovery"])
def test_auc_on_an_unseen_dataset(tmp_path, shared, out):
    """A sample of the reference data; tests/long/test_linear_full.py takes all of it."""
    sets = {name: read_set(shared, name) for name in ARTICLE_SETS}
    train, validation, test = leave_one_out(sets, out, sample=100)
    peer = Peer(["word", "char"]).fit(train, validation)
    ours = Ours(tmp_path).fit(train, validation)
    theirs, mine = auc(test, peer.logits(test)), auc(test, ours.logits(test))
    print(f"{out}: scikit-learn {theirs:.4f}, ours {mine:.4f}")
    assert mine >= theirs - 0.005


def test_threads_do_not_matter(tmp_path):
    train, validation = invent(300, 5), invent(100, 6)
    files = []
    for threads in (1, 2, 5):
        folder = tmp_path / str(threads)
        folder.mkdir()
        Ours(folder, threads=threads).fit(train, validation)
        files.append([(folder / "model" / name).read_bytes() for name in ("linear.safetensors", "config.json")])
    assert files[0] == files[1] == files[2]


def test_safetensors_reads_the_weights(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy", reason="pip install safetensors to run this judge")
    Ours(tmp_path, "linear.hash_bits=12").fit(invent(200, 7), invent(100, 8))
    tensors = safetensors.load_file(tmp_path / "model" / "linear.safetensors")
    assert {name: (t.shape, t.dtype.name) for name, t in tensors.items()} == {
        "bias": ((1,), "float64"), "word.weight": ((4096,), "float32"), "word.idf": ((4096,), "float32"),
        "char.weight": ((4096,), "float32"), "char.idf": ((4096,), "float32")}
    assert (tensors["word.idf"] >= 0).all() and np.abs(tensors["word.weight"]).max() > 0
