"""Transformers judges what fn_tokenizer_save writes: AutoTokenizer has to open the folder as a BERT tokenizer with the same
ids, type ids, special tokens and cutting. And the reverse: what Transformers saves, we load with the same ids."""

import json
import random

import pytest
from light.tokenizer_peer import (assert_same, ours, packed, probe, published, random_texts, small_vocab, tokenizers,
                                  vocab_dir)

transformers = pytest.importorskip("transformers", reason="pip install transformers to run this judge")

NAMES = ("uncased, tokenizer.json", "uncased, vocab.txt", "cased, vocab.txt")


@pytest.fixture(scope="module")
def pairs(shared, tmp_path_factory):
    return published(shared, tmp_path_factory.mktemp("published"))


def saved(directory, out):
    done = probe("save", directory, out)
    assert done.returncode == 0, done.stderr.decode()
    return out


def same_ids(tokenizer, directory, texts):
    info = json.loads(probe("info", directory).stdout)
    for text, mine in zip(texts, ours(directory, texts)):
        assert tokenizer(text)["input_ids"] == [info["cls"], *mine[0], info["sep"]], ascii(text)


@pytest.mark.parametrize("name", NAMES)
def test_transformers_opens_what_we_save(pairs, tmp_path, name):
    directory, _ = pairs[name]
    out = saved(directory, tmp_path / "saved")
    auto = transformers.AutoTokenizer.from_pretrained(out)
    info = json.loads(probe("info", out).stdout)
    assert (auto.cls_token_id, auto.sep_token_id, auto.pad_token_id, auto.unk_token_id, auto.mask_token_id) == (
        info["cls"], info["sep"], info["pad"], info["unk"], info["mask"])
    assert len(auto) == info["vocab_size"]
    same_ids(auto, out, random_texts(1500, seed=4))
    # pairs, cut
    made = auto("the title of an article", "and its text, which is longer than the title " * 4, truncation="longest_first",
                max_length=24)
    assert len(made["input_ids"]) == 24 and made["token_type_ids"].count(1) == 24 - made["token_type_ids"].count(0)
    assert made["input_ids"].count(info["sep"]) == 2


@pytest.mark.parametrize("name", NAMES)
def test_transformers_opens_what_we_save_without_tokenizer_json(pairs, tmp_path, name):
    """vocab.txt and tokenizer_config.json alone are enough."""
    directory, _ = pairs[name]
    out = saved(directory, tmp_path / "saved")
    (out / "tokenizer.json").unlink()
    same_ids(transformers.AutoTokenizer.from_pretrained(out), out, random_texts(500, seed=4))


@pytest.mark.parametrize("config", [{}, {"do_lower_case": False}, {"strip_accents": False}, {"do_lower_case": False,
                                    "strip_accents": True}, {"tokenize_chinese_chars": False}])
def test_options_survive(tmp_path, config):
    directory = vocab_dir(tmp_path / "given", small_vocab(), **config)
    out = saved(directory, tmp_path / "saved")
    auto = transformers.AutoTokenizer.from_pretrained(out)
    texts = random_texts(800, seed=8)
    same_ids(auto, out, texts)
    same_ids(auto, directory, texts)
    assert probe("info", out).stdout == probe("info", directory).stdout


def test_built_vocabulary_opens(tmp_path):
    texts = random_texts(400, seed=2)
    assert probe("train", tmp_path / "built", 800, 2, 1, given=packed(texts)).returncode == 0
    same_ids(transformers.AutoTokenizer.from_pretrained(tmp_path / "built"), tmp_path / "built", texts)


@pytest.mark.parametrize("name", NAMES)
def test_we_open_what_transformers_saves(pairs, tmp_path, name):
    directory, _ = pairs[name]
    lowercase = json.loads(probe("info", directory).stdout)["lowercase"]
    vocab = {t: i for i, t in enumerate((saved(directory, tmp_path / "a") / "vocab.txt").read_text().split("\n")[:-1])}
    bert = transformers.BertTokenizer(vocab=vocab, do_lower_case=lowercase)
    bert.save_pretrained(tmp_path / "theirs")
    texts = random_texts(1000, seed=6)
    same_ids(bert, tmp_path / "theirs", texts)
    assert json.loads(probe("info", tmp_path / "theirs").stdout) == json.loads(probe("info", directory).stdout)


def test_we_open_what_transformers_saves_with_added_tokens(tmp_path):
    rng = random.Random(5)
    bert = transformers.BertTokenizer(vocab={t: i for i, t in enumerate(small_vocab())})
    bert.add_tokens(["<url>", "Läuft", transformers.AddedToken("<user>", lstrip=True, rstrip=True)])
    bert.add_special_tokens({"additional_special_tokens": ["[TITLE]"]} if not hasattr(bert, "extra_special_tokens")
                            else {"extra_special_tokens": ["[TITLE]"]})
    bert.save_pretrained(tmp_path)
    texts = ["".join(rng.choice(["<url>", "läuft ", "LÄUFT", "<user>", " ", "[TITLE]", "[title]", "news", "."])
                     for _ in range(rng.randint(1, 12))) for _ in range(500)]
    same_ids(bert, tmp_path, texts)
    assert_same(tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json")), tmp_path, texts)
