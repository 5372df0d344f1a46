"""The Hugging Face engine's WordPieceTrainer judges the vocabulary builder.

The engine numbers continuing characters ("##a") in the order of a randomly seeded hash map, and breaks ties between equally
frequent pairs by these numbers, so two of its own runs differ. Told our numbers beforehand (as special tokens, which it
numbers first), it has to choose the same pieces in the same order, to the last one.
"""

import json
import random

import pytest
from light.tokenizer_peer import CODE_POINTS, assert_same, data_texts, packed, probe, random_texts, tokenizers

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def build(out, texts, size, min_frequency, lowercase):
    done = probe("train", out, size, min_frequency, int(lowercase), given=packed(texts))
    assert done.returncode == 0, done.stderr.decode()
    return (out / "vocab.txt").read_text().split("\n")[:-1], float(done.stdout)


def parts(lowercase):
    return tokenizers.normalizers.BertNormalizer(lowercase=lowercase), tokenizers.pre_tokenizers.BertPreTokenizer()


def short_words(texts, lowercase):
    """Texts without those that hold words over 100 characters: such a word would be [UNK], so ours learns nothing from it."""
    normalizer, splitter = parts(lowercase)
    return [t for t in texts if all(len(w) <= 100 for w, _ in splitter.pre_tokenize_str(normalizer.normalize_str(t)))]


def theirs(texts, vocab, size, min_frequency, lowercase):
    """The engine's vocabulary given the alphabet that leads ours."""
    n = len(SPECIALS)
    while n < len(vocab) and (len(vocab[n]) == 1 or (len(vocab[n]) == 3 and vocab[n].startswith("##"))):
        n += 1
    alphabet = [t for t in vocab[len(SPECIALS):n] if len(t) == 1]
    model = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    model.normalizer, model.pre_tokenizer = parts(lowercase)
    trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=size, min_frequency=min_frequency, special_tokens=vocab[:n],
                                                   limit_alphabet=len(alphabet), show_progress=False)
    model.train_from_iterator(texts, trainer)
    out = model.get_vocab()
    return sorted(out, key=out.get), alphabet


def compare(tmp_path, texts, size, min_frequency, lowercase):
    texts = short_words(texts, lowercase)
    vocab, seconds = build(tmp_path / "out", texts, size, min_frequency, lowercase)
    want, _ = theirs(texts, vocab, size, min_frequency, lowercase)
    assert vocab == want
    return vocab, seconds


def invented(seed, n):
    """Texts over few letters, so that equally frequent pairs, overlaps and pieces with two origins abound."""
    rng = random.Random(seed)
    letters = rng.choice(["ab", "abc", "aAbB.", "aé中b", "abcdefgh"])
    return [" ".join("".join(rng.choice(letters) for _ in range(rng.randint(1, 12))) for _ in range(rng.randint(1, 30)))
            for _ in range(n)]


@pytest.mark.parametrize("seed", range(40))
def test_same_pieces_on_invented_texts(tmp_path, seed):
    rng = random.Random(seed)
    compare(tmp_path, invented(seed, rng.choice([3, 30, 100])), rng.choice([40, 80, 200, 400]), rng.choice([0, 1, 2, 3]),
            rng.random() < 0.7)


@pytest.mark.parametrize("lowercase", [True, False])
def test_same_pieces_on_articles(tmp_path, shared, lowercase):
    vocab, seconds = compare(tmp_path, data_texts(shared, sets=("fa_kes", "celebrity"), step=3), 4000, 2, lowercase)
    assert len(vocab) == 4000


def test_alphabet_holds_the_most_frequent_characters(tmp_path):
    """Of more characters than fit, those that stand most often; the smaller code point when both stand as often."""
    rng = random.Random(3)
    letters = [chr(c) for c in CODE_POINTS if chr(c).isalpha() and c > 0x3000][:3000]
    counts = {c: rng.randint(1, 5) for c in letters}
    texts = [f"{c}b " * n for c, n in counts.items()]
    vocab, _ = build(tmp_path / "out", texts, 2400, 1, False)
    normalizer = tokenizers.normalizers.BertNormalizer(lowercase=False)
    kept = {c: n for c, n in counts.items() if normalizer.normalize_str(c).strip() == c}
    order = sorted([("b", 10 ** 9), *kept.items()], key=lambda item: (-item[1], item[0]))[:1000]
    got = [t for t in vocab[5:] if len(t) == 1]
    assert got == sorted(c for c, _ in order)


def test_five_megabytes_take_seconds(tmp_path, shared):
    texts, size = [], 0
    for text in data_texts(shared, sets=("isot_partial",)):
        texts.append(text)
        size += len(text.encode())
        if size > 5e6:
            break
    vocab, seconds = build(tmp_path / "out", texts, 8000, 2, True)
    assert len(vocab) == 8000
    assert seconds < 8, f"{seconds} s of processor time; measured: 1 to 2"


def test_what_is_built_works_in_the_engine(tmp_path):
    texts = random_texts(300, seed=1)
    vocab, _ = build(tmp_path / "out", texts, 900, 2, True)
    assert vocab[:5] == SPECIALS and len(vocab) <= 900
    engine = tokenizers.Tokenizer.from_file(str(tmp_path / "out/tokenizer.json"))
    assert_same(engine, tmp_path / "out", random_texts(300, seed=2))
    info = json.loads(probe("info", tmp_path / "out").stdout)
    assert (info["pad"], info["unk"], info["cls"], info["sep"], info["mask"]) == (0, 1, 2, 3, 4)
