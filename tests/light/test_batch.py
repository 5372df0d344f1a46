"""The tokenizers engine judges how sequences are made of a title and a text: special tokens, type ids and longest-first
cutting, for random lengths. Where one half is empty we make a single sequence, so there the single form is the judge."""

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

tokenizers = pytest.importorskip("tokenizers", reason="pip install tokenizers to run this judge")

REPO = Path(__file__).resolve().parents[2]
PROBE = Path(os.environ.get("FN_TOOLS", REPO / "build/dev/tests/tools")) / "data_probe"
TITLE, TEXT, BOTH = 0, 1, 2
LONGEST = 600


@pytest.fixture(scope="module")
def engine():
    """One token per word: t<i> has id 1000 + i, x<i> 100000 + i, as data_probe invents them."""
    vocabulary = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}
    vocabulary |= {f"t{i}": 1000 + i for i in range(LONGEST)} | {f"x{i}": 100000 + i for i in range(LONGEST)}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return made


def ours(cases):
    assert PROBE.exists(), f"{PROBE} is missing: build the dev preset, or set FN_TOOLS"
    given = "".join(" ".join(map(str, case)) + "\n" for case in cases)
    done = subprocess.run([PROBE, "pairs"], input=given, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def theirs(engine, case):
    mode, n_title, n_text, text_begin, max_tokens = case
    title = " ".join(f"t{i}" for i in range(n_title)) if mode != TEXT else ""
    text = " ".join(f"x{i}" for i in range(text_begin, n_text)) if mode != TITLE else ""
    engine.enable_truncation(max_tokens, strategy="longest_first")
    made = engine.encode(title, text) if title and text else engine.encode(title or text)
    return {"ids": made.ids, "type_ids": made.type_ids, "positions": list(range(len(made.ids))),
            "truncated": bool(made.overflowing), "length": len(made.ids)}


def make_cases():
    rng = random.Random(2018)
    for _ in range(4000):
        max_tokens = rng.choice([8, 9, 16, 31, 64, 128, 512])
        near = max_tokens // 2
        n_title = rng.choice([0, 1, rng.randrange(40), near, near + rng.randrange(-3, 4), rng.randrange(LONGEST)])
        n_text = rng.choice([0, 1, n_title, max_tokens - 3 - n_title, max_tokens - 2, near, rng.randrange(LONGEST)])
        n_title, n_text = max(0, n_title), min(max(0, n_text), LONGEST)
        text_begin = rng.choice([0, 0, rng.randrange(n_text + 1)])
        yield rng.choice([TITLE, TEXT, BOTH, BOTH, BOTH]), n_title, n_text, text_begin, max_tokens
    for n_title in range(12):  # every small pair at the smallest limits
        for n_text in range(12):
            for max_tokens in (8, 9, 10, 11):
                yield BOTH, n_title, n_text, 0, max_tokens


def test_same_sequences(engine):
    cases = list(make_cases())
    made = ours(cases)
    assert len(made) == len(cases)
    cut = 0
    for case, sequence in zip(cases, made):
        assert sequence == theirs(engine, case), case
        cut += sequence["truncated"]
    assert 1000 < cut < len(cases) - 500  # the cases cover both
