"""The Hugging Face engine beside ours: the same texts through both, ids and byte offsets compared. Shared by the light
and the heavy judges of src/text."""

import csv
import gzip
import json
import os
import random
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

tokenizers = pytest.importorskip("tokenizers", reason="pip install tokenizers to run this judge")

REPO = Path(__file__).resolve().parents[2]
PROBE = Path(os.environ.get("FN_TOOLS", REPO / "build/dev/tests/tools")) / "text_probe"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
SETS = ("isot_partial", "buzzfeed_webis", "recovery", "celebrity", "coaid_news", "constraint2021", "liar", "fa_kes")


def probe(*arguments, given=b""):
    assert PROBE.exists(), f"{PROBE} is missing: build the dev preset, or set FN_TOOLS"
    return subprocess.run([PROBE, *map(str, arguments)], input=given, capture_output=True)


def packed(texts):
    parts = (t if isinstance(t, bytes) else t.encode() for t in texts)
    return b"".join(struct.pack("<I", len(p)) + p for p in parts)


def ours(directory, texts, max_tokens=0):
    """(ids, begins, ends) of each text, as arrays."""
    done = probe("encode", directory, max_tokens, given=packed(texts))
    assert done.returncode == 0, done.stderr.decode()
    numbers, at, out = np.frombuffer(done.stdout, np.int32), 0, []
    for _ in texts:
        n = int(numbers[at])
        out.append(tuple(numbers[at + 1 + k * n:at + 1 + (k + 1) * n] for k in range(3)))
        at += 1 + 3 * n
    assert at == len(numbers)
    return out


def byte_at(text):
    """Byte offset of each code point of a text, and its length at the end."""
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    sizes = 1 + (points > 0x7F).astype(np.int32) + (points > 0x7FF) + (points > 0xFFFF)
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


def theirs(encoding, text):
    """(ids, begins, ends) in bytes, from the engine's offsets in code points."""
    offsets = np.array(encoding.offsets, np.int32).reshape(-1, 2)
    if not text.isascii():
        offsets = byte_at(text)[offsets]
    return np.array(encoding.ids, np.int32), offsets[:, 0], offsets[:, 1]


def differences(engine, directory, texts, limit=5):
    """What differs, as readable lines (at most `limit`), and in how many texts."""
    found, lines = 0, []
    for start in range(0, len(texts), 20000):
        part = texts[start:start + 20000]
        encodings = engine.encode_batch(part, add_special_tokens=False)
        for text, encoding, mine in zip(part, encodings, ours(directory, part)):
            want = theirs(encoding, text)
            if all(np.array_equal(a, b) for a, b in zip(mine, want)):
                continue
            found += 1
            if len(lines) < limit:
                lines.append(f"{ascii(text)[:300]}\n  ours   {[a.tolist()[:40] for a in mine]}"
                             f"\n  theirs {[a.tolist()[:40] for a in want]}")
    return found, lines


def assert_same(engine, directory, texts):
    found, lines = differences(engine, directory, texts)
    assert found == 0, f"{found} of {len(texts)} texts differ\n" + "\n".join(lines)


def vocab_dir(tmp, vocab, **config):
    """A folder with vocab.txt (copied from a path, or given as tokens) and tokenizer_config.json."""
    tmp.mkdir(parents=True, exist_ok=True)
    text = vocab.read_bytes() if isinstance(vocab, Path) else "".join(t + "\n" for t in vocab).encode()
    (tmp / "vocab.txt").write_bytes(text)
    (tmp / "tokenizer_config.json").write_text(json.dumps(config))
    return tmp


def published(shared, tmp):
    """The published tokenizers: name → (our folder or file, the engine)."""
    base = shared / "tokenizers"
    uncased, cased = base / "bert-base-uncased", base / "bert-base-cased"
    bert = tokenizers.BertWordPieceTokenizer
    return {
        "uncased, tokenizer.json": (uncased, tokenizers.Tokenizer.from_file(str(uncased / "tokenizer.json"))),
        "uncased, vocab.txt": (uncased / "vocab.txt", bert(str(uncased / "vocab.txt"))),
        "cased, vocab.txt": (vocab_dir(tmp / "cased", cased / "vocab.txt", do_lower_case=False),
                             bert(str(cased / "vocab.txt"), lowercase=False)),
    }


# A small invented vocabulary, for machines without the published ones: every letter alone and continuing, so that hardly
# a word is [UNK], and pieces to choose from.
def small_vocab():
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789éüßñøœαβγδωабвгдежъ中文字日本語カナ가각각יאبتक्"
    pieces = "the in ing ed news paper un able press re port er ers ly ##s fa ke real zeitung über".split()
    marks = [chr(c) for c in (0x300, 0x301, 0x323, 0x0345, 0x1BAA, 0x302E, 0x08D4, 0x1D165, 0x1E94A)]
    punctuation = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["’", "“", "”", "—", "…", "。"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *punctuation]
    for piece in [*letters, *marks, *pieces]:
        tokens += [piece] if piece.startswith("##") else [piece, "##" + piece]
    return list(dict.fromkeys(tokens))


def data_texts(shared, sets=SETS, step=1):
    csv.field_size_limit(1 << 30)
    texts = []
    for name in sets:
        with gzip.open(shared / "data" / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            for i, row in enumerate(csv.DictReader(file)):
                if i % step == 0:
                    texts += [row["title"], row["text"]]
    return texts


RANGES = [(0x20, 0x7E), (0xA0, 0x17F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F),
          (0xE00, 0xE7F), (0xF00, 0xFFF), (0x1100, 0x11FF), (0x1B00, 0x1BFF), (0x1E00, 0x1FFF), (0x2000, 0x206F),
          (0x20A0, 0x214F), (0x3000, 0x30FF), (0x4E00, 0x4E80), (0xAC00, 0xAD00), (0xF900, 0xFAFF), (0xFE00, 0xFE2F),
          (0xFF00, 0xFFEF), (0x1D160, 0x1D1AF), (0x1E000, 0x1E02F), (0x1F300, 0x1F6FF), (0x1F900, 0x1FAFF),
          (0x2B740, 0x2B930), (0xE0000, 0xE007F), (0xE000, 0xE010), (0x378, 0x379), (0x40000, 0x40010)]
MARKS = [c for a, b in ((0x300, 0x36F), (0x591, 0x5C7), (0x8D4, 0x8FF), (0x93C, 0x93C), (0x1DC0, 0x1DFF), (0x302A, 0x302F),
                        (0xF71, 0xF84), (0x1B44, 0x1B44), (0x1BAA, 0x1BAA), (0xA953, 0xA953), (0x1D165, 0x1D172),
                        (0x1E000, 0x1E02A), (0x1E944, 0x1E94A), (0x3099, 0x309A), (0x64B, 0x65F))
         for c in range(a, b + 1)]
CONTROLS = [*range(0x20), *range(0x7F, 0xA1), 0xAD, 0x200B, 0x200C, 0x200D, 0x2028, 0x2029, 0x202F, 0x3000, 0xFEFF, 0xFFFD,
            0xFFFE, 0x180E, 0x85, 0x1680]
SPECIALS = ["[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "[cls]", "[MASK", "MASK]", "[[SEP]]", "##ing", "[ SEP ]"]
WORDS = "the news Zeitung İstanbul ŒUVRE naïve Straße ὈΔΥΣΣΕΎΣ unbelievably don't U.S. $5,000.00 e-mail 中国 한국어 ру́сский".split()


def random_text(rng):
    """One of many kinds of trouble, or a mixture."""
    def char():
        kind = rng.random()
        if kind < 0.35:
            return chr(rng.randint(0x20, 0x7E))
        if kind < 0.7:
            return chr(rng.randint(*rng.choice(RANGES)))
        if kind < 0.85:
            return chr(rng.choice(MARKS))
        if kind < 0.93:
            return chr(rng.choice(CONTROLS))
        return chr(rng.choice(CODE_POINTS))

    def piece():
        kind = rng.randrange(8)
        if kind == 0:
            return "".join(char() for _ in range(rng.randint(0, 60)))
        if kind == 1:
            return rng.choice(WORDS) + rng.choice(["", " ", "  ", "\u00a0", "\n", "-"])
        if kind == 2:
            return rng.choice(SPECIALS) + rng.choice(["", " ", "x"])
        if kind == 3:  # around the limit of 100 characters, with marks that vanish
            return rng.choice("aé中ǖ") * rng.randint(95, 105) + chr(rng.choice(MARKS)) + rng.choice(["", "b", " "])
        if kind == 4:  # a run of marks in any order
            return rng.choice("eéİ가 ") + "".join(chr(rng.choice(MARKS)) for _ in range(rng.randint(1, 12)))
        if kind == 5:
            return "".join(chr(rng.randint(*rng.choice(RANGES))) for _ in range(rng.randint(1, 20)))
        if kind == 6:
            return "👩‍👩‍👧‍👦🇩🇪1️⃣👍🏽" [rng.randrange(8):][:rng.randint(1, 9)]
        return "".join(rng.choice("abcdefghijklmnopqrstuvwxyzE.,' ") for _ in range(rng.randint(1, 150)))

    return "".join(piece() for _ in range(rng.randint(0, 6)))


def random_texts(n, seed):
    rng = random.Random(seed)
    return [random_text(rng) for _ in range(n)]
