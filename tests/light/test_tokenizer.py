"""The Hugging Face engine judges WordPiece: ids, byte offsets, type ids, cutting of pairs, added tokens.

Every code point is asked here in groups (apart by spaces, and between letters), with other options a sample of them, and
every twentieth text of the reference data; tests/long/test_tokenizer_full.py asks each code point alone, with all
options, and takes all texts.
"""

import json
import random

import numpy as np
import pytest
from light.tokenizer_peer import (CODE_POINTS, assert_same, data_texts, ours, probe, published, random_texts, small_vocab,
                                  theirs, tokenizers, vocab_dir)

NAMES = ("uncased, tokenizer.json", "uncased, vocab.txt", "cased, vocab.txt")


@pytest.fixture(scope="module")
def pairs(shared, tmp_path_factory):
    return published(shared, tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Invented vocabularies: (folder, engine), uncased and cased."""
    tmp, bert, out = tmp_path_factory.mktemp("small"), tokenizers.BertWordPieceTokenizer, []
    for lowercase in (True, False):
        folder = vocab_dir(tmp / str(lowercase), small_vocab(), do_lower_case=lowercase)
        out.append((folder, bert({t: i for i, t in enumerate(small_vocab())}, lowercase=lowercase)))
    return out


# Each code point alone, between letters, and before marks that get reordered.
ALONE, BETWEEN, BEFORE_MARKS = " {} ", "in{}go ", "e{}\u0302\u1baa\u0323s "


def grouped(forms, points=CODE_POINTS, size=64):
    """Texts in which each code point stands in each form, `size` to a text."""
    return ["".join(form.format(chr(c)) for c in points[start:start + size])
            for form in forms for start in range(0, len(points), size)]


def test_every_code_point_uncased(pairs):
    directory, engine = pairs["uncased, tokenizer.json"]
    assert_same(engine, directory, grouped([ALONE, BETWEEN]))


def test_every_code_point_cased(pairs):
    directory, engine = pairs["cased, vocab.txt"]
    assert_same(engine, directory, grouped([ALONE, BETWEEN]))


@pytest.mark.parametrize("first", (0, 1))
def test_some_code_points_with_a_small_vocabulary(small, first):
    directory, engine = small[first]
    assert_same(engine, directory, grouped([ALONE, BETWEEN, BEFORE_MARKS], CODE_POINTS[:0x3000] + CODE_POINTS[first::16]))


@pytest.mark.parametrize("name", NAMES)
def test_random_texts(pairs, name):
    directory, engine = pairs[name]
    assert_same(engine, directory, random_texts(10000, seed=2018))


def test_random_texts_with_a_small_vocabulary(small):
    for directory, engine in small:
        assert_same(engine, directory, random_texts(3000, seed=7))


@pytest.mark.parametrize("name", NAMES)
def test_data_sample(pairs, shared, name):
    directory, engine = pairs[name]
    assert_same(engine, directory, data_texts(shared, step=20))


# ---- options of the normaliser and the model


@pytest.mark.parametrize("bits", range(16))
def test_normalizer_options(tmp_path, bits):
    """Every combination of clean_text, handle_chinese_chars, strip_accents, lowercase, with another word length."""
    clean, chinese, strip, lowercase = (bool(bits >> i & 1) for i in range(4))
    engine = tokenizers.Tokenizer(tokenizers.models.WordPiece(
        {t: i for i, t in enumerate(small_vocab())}, unk_token="[UNK]", max_input_chars_per_word=11 + bits))
    engine.normalizer = tokenizers.normalizers.BertNormalizer(clean, chinese, strip, lowercase)
    engine.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    engine.save(str(tmp_path / "tokenizer.json"))
    texts = random_texts(1000, seed=bits) + grouped([ALONE, BETWEEN, BEFORE_MARKS], CODE_POINTS[bits::48])
    assert_same(engine, tmp_path, texts)


@pytest.mark.parametrize("normalizer", [None, tokenizers.normalizers.Lowercase(),
                                        tokenizers.normalizers.Sequence([tokenizers.normalizers.BertNormalizer()])])
def test_other_forms_of_parts(tmp_path, normalizer):
    engine = tokenizers.Tokenizer(tokenizers.models.WordPiece(
        {t: i for i, t in enumerate(small_vocab())}, unk_token="[UNK]"))
    if normalizer:
        engine.normalizer = normalizer
    engine.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([tokenizers.pre_tokenizers.BertPreTokenizer()])
    engine.save(str(tmp_path / "tokenizer.json"))
    assert_same(engine, tmp_path, random_texts(1000, seed=3))


# ---- added tokens


def added_engine(tmp_path, rng):
    engine = tokenizers.Tokenizer(tokenizers.models.WordPiece(
        {t: i for i, t in enumerate(small_vocab())}, unk_token="[UNK]"))
    lowercase = rng.random() < 0.7
    engine.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=lowercase)
    engine.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    contents = ["[SEP]", "[MASK]", "new", "newer", "news paper", "News", "ÉCOLE", "e\u0301cole!", " lead", "trail ", "中文", "[",
                "<x>", "<xy>", "y>", "\u1baa", "a\u0323\u0302", "the", "in", "7", "_", "\u200dz"]
    seen = set()
    for content in rng.sample(contents, rng.randint(1, 8)):
        normalized = rng.random() < 0.5
        key = (normalized, engine.normalizer.normalize_str(content) if normalized else content)
        if key in seen or not key[1]:
            continue
        seen.add(key)
        engine.add_tokens([tokenizers.AddedToken(
            content, single_word=rng.random() < 0.3, lstrip=rng.random() < 0.3, rstrip=rng.random() < 0.3,
            normalized=normalized, special=rng.random() < 0.3)])
    engine.save(str(tmp_path / "tokenizer.json"))
    return engine, contents


def added_text(rng, contents):
    def piece():
        kind = rng.randrange(4)
        if kind == 0:
            return rng.choice(contents)
        if kind == 1:
            return rng.choice([" ", "  ", "\u00a0", "\t", "\u2003", "\u0301", "", "_", "1", "\u200d", "\u1baa", "é", "."])
        if kind == 2:
            return rng.choice([str.upper, str.lower, str.title])(rng.choice(contents))
        return rng.choice(["the", "news", "paper", "x", "in", "school", "<", "]"])
    return "".join(piece() for _ in range(rng.randint(1, 12)))


@pytest.mark.parametrize("seed", range(60))
def test_added_tokens(tmp_path, seed):
    """Contents that overlap, nest and differ in case only, with all flags, in texts made of them."""
    rng = random.Random(seed)
    engine, contents = added_engine(tmp_path, rng)
    assert_same(engine, tmp_path, [added_text(rng, contents) for _ in range(400)])


def test_word_and_space_classes_of_added_tokens(tmp_path):
    """What single_word, lstrip and rstrip see on either side."""
    engine = tokenizers.Tokenizer(tokenizers.models.WordPiece({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
    engine.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    engine.add_tokens([tokenizers.AddedToken("SINGLE", single_word=True, normalized=False),
                       tokenizers.AddedToken("STRIP", lstrip=True, rstrip=True, normalized=False)])
    engine.save(str(tmp_path / "tokenizer.json"))
    assert_same(engine, tmp_path, grouped(["SINGLE{0}SINGLE STRIP{0}STRIP"], CODE_POINTS[:0x3000] + CODE_POINTS[::16]))


# ---- pairs


def test_cutting_of_pairs(pairs, shared):
    """Ids, type ids and offsets of [CLS] title [SEP] text [SEP], cut longest-first, for real titles and texts."""
    directory, engine = pairs["uncased, tokenizer.json"]
    texts = data_texts(shared, sets=("celebrity", "fa_kes"), step=2)
    encoded = ours(directory, texts)
    rng = random.Random(1)
    cases = []
    for i in range(0, len(texts), 2):
        swap = rng.random() < 0.2  # the longer one first
        first, second = (i + 1, i) if swap else (i, i + 1)
        if texts[first] and texts[second]:
            cases.append((first, second, rng.choice([8, 9, 16, 33, 64, 128, 255, 256, 512])))
    lines = "".join(f"{len(encoded[a][0])} {len(encoded[b][0])} 3 {m}\n" for a, b, m in cases)
    cuts = np.array(probe("cut", given=lines.encode()).stdout.split(), np.int64).reshape(-1, 2)
    assert len(cuts) == len(cases) > 500
    n_cut = 0
    for (a, b, limit), (n, m) in zip(cases, cuts):
        engine.enable_truncation(limit, strategy="longest_first")
        want = engine.encode(texts[a], texts[b])
        n_cut += bool(want.overflowing)
        ids = [101, *encoded[a][0][:n], 102, *encoded[b][0][:m], 102]
        assert ids == want.ids
        assert [0] * (n + 2) + [1] * (m + 1) == want.type_ids
        for text, mine, count, offsets in ((texts[a], encoded[a], n, want.offsets[1:1 + n]),
                                           (texts[b], encoded[b], m, want.offsets[2 + n:2 + n + m])):
            _, begins, ends = theirs(type("E", (), {"ids": [], "offsets": offsets}), text)
            assert np.array_equal(mine[1][:count], begins) and np.array_equal(mine[2][:count], ends)
    engine.no_truncation()
    assert n_cut > 300


def test_cutting_of_all_small_pairs():
    word = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "a": 1, "b": 2, "[CLS]": 3, "[SEP]": 4}, "[UNK]"))
    word.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    word.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 4), ("[CLS]", 3))
    cases = [(n, m, limit) for limit in range(3, 20) for n in range(20) for m in range(20)]
    lines = "".join(f"{n} {m} 3 {limit}\n" for n, m, limit in cases)
    cuts = np.array(probe("cut", given=lines.encode()).stdout.split(), np.int64).reshape(-1, 2)
    for limit in range(3, 20):
        word.enable_truncation(limit, strategy="longest_first")
        for (n, m, this), (first, second) in zip(cases, cuts):
            if this == limit:
                ids = word.encode("a " * n, "b " * m).ids
                assert (ids.count(1), ids.count(2)) == (first, second), (n, m, limit)


# ---- what the engine cannot be asked


def test_first_tokens_are_a_prefix(small):
    directory, _ = small[0]
    texts = random_texts(300, seed=5)
    whole = ours(directory, texts)
    for limit in (1, 2, 7, 30):
        for mine, all_of_it in zip(ours(directory, texts, limit), whole):
            assert all(np.array_equal(a, b[:limit]) for a, b in zip(mine, all_of_it))


def broken_utf8(rng):
    data = bytearray(random_texts(1, seed=rng.random())[0].encode()[:200])
    for _ in range(rng.randint(1, 10)):
        at = rng.randint(0, len(data))
        kind = rng.randrange(4)
        if kind == 0:
            data[at:at] = bytes([rng.randint(0x80, 0xFF)])
        elif kind == 1:
            del data[at:at + 1]
        elif kind == 2:
            data[at:at] = rng.choice([b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xf0\x9f"])
        else:
            data[at:at + 1] = bytes([rng.randint(0, 255)])
    return bytes(data)


def replaced(data):
    """The text with each bad byte as U+FFFD, and the byte that each of its code points begins at."""
    text, starts, at = [], [], 0
    while at < len(data):
        for n in (1, 2, 3, 4):
            try:
                text.append(data[at:at + n].decode())
                break
            except UnicodeDecodeError:
                continue
        else:
            text.append("\ufffd")
            n = 1
        starts.append(at)
        at += n
    return "".join(text), np.array([*starts, at], np.int32)


def test_bad_bytes_are_replacement_characters(small, tmp_path):
    """With and without clean_text, which drops them."""
    engine = tokenizers.Tokenizer(tokenizers.models.WordPiece(
        {t: i for i, t in enumerate(small_vocab() + ["\ufffd", "##\ufffd"])}, unk_token="[UNK]"))
    engine.normalizer = tokenizers.normalizers.BertNormalizer(clean_text=False)
    engine.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    engine.save(str(tmp_path / "tokenizer.json"))
    rng = random.Random(11)
    given = [broken_utf8(rng) for _ in range(2000)]
    for directory, judge in (small[0], (tmp_path, engine)):
        texts = [replaced(data) for data in given]
        encodings = judge.encode_batch([text for text, _ in texts], add_special_tokens=False)
        for data, (_, starts), want, mine in zip(given, texts, encodings, ours(directory, given)):
            offsets = starts[np.array(want.offsets, np.int32).reshape(-1, 2)]
            assert mine[0].tolist() == want.ids, data
            assert np.array_equal(mine[1], offsets[:, 0]) and np.array_equal(mine[2], offsets[:, 1]), data


# ---- saving and hashing


def test_save_and_load_again(pairs, tmp_path):
    for i, (directory, engine) in enumerate(pairs.values()):
        out = tmp_path / str(i)
        assert probe("save", directory, out).returncode == 0
        again = tokenizers.Tokenizer.from_file(str(out / "tokenizer.json"))
        texts = random_texts(500, seed=i)
        assert [e.ids for e in again.encode_batch(texts)] == [e.ids for e in engine.encode_batch(texts)]
        assert_same(again, out, texts)
        assert json.loads(probe("info", out).stdout) == json.loads(probe("info", directory).stdout)
        (out / "tokenizer.json").unlink()  # now from vocab.txt and tokenizer_config.json
        assert json.loads(probe("info", out).stdout) == json.loads(probe("info", directory).stdout)


def test_hash_follows_what_decides_ids(pairs, shared, tmp_path):
    info = {name: json.loads(probe("info", directory).stdout) for name, (directory, _) in pairs.items()}
    assert info["uncased, tokenizer.json"] == info["uncased, vocab.txt"]
    vocab = (shared / "tokenizers/bert-base-uncased/vocab.txt")
    hashes = {info["uncased, vocab.txt"]["hash"]}
    hashes.add(json.loads(probe("info", vocab_dir(tmp_path / "a", vocab, do_lower_case=False)).stdout)["hash"])
    hashes.add(json.loads(probe("info", vocab_dir(tmp_path / "b", vocab, strip_accents=False)).stdout)["hash"])
    hashes.add(json.loads(probe("info", vocab_dir(tmp_path / "c", vocab, tokenize_chinese_chars=False)).stdout)["hash"])
    other = vocab_dir(tmp_path / "d", vocab)
    (other / "vocab.txt").write_text(vocab.read_text().replace("\n[unused5]\n", "\n[unused5!]\n"))
    hashes.add(json.loads(probe("info", other).stdout)["hash"])
    assert len(hashes) == 5
    other = vocab_dir(tmp_path / "e", vocab, strip_accents=True)  # says what holds anyway
    assert json.loads(probe("info", other).stdout) == info["uncased, vocab.txt"]
