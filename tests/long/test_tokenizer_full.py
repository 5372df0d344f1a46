"""The long form of tests/light/test_tokenizer.py: each code point as a text of its own, alone and between letters, with
every combination of the normaliser's options; all texts of the reference data; more random texts. About ten minutes, nearly
all of it the engine's."""

import pytest
from light.test_tokenizer import ALONE, BEFORE_MARKS, BETWEEN, NAMES, grouped, pairs  # noqa: F401 (pairs is a fixture)
from light.tokenizer_peer import CODE_POINTS, SETS, assert_same, data_texts, random_texts, small_vocab, tokenizers


@pytest.mark.parametrize("name", NAMES)
def test_every_code_point_alone(pairs, name):  # noqa: F811
    directory, engine = pairs[name]
    assert_same(engine, directory, [chr(c) for c in CODE_POINTS])


@pytest.mark.parametrize("name", NAMES)
def test_every_code_point_between_letters(pairs, name):  # noqa: F811
    directory, engine = pairs[name]
    assert_same(engine, directory, ["in" + chr(c) + "go" for c in CODE_POINTS])


@pytest.mark.parametrize("data", SETS)
@pytest.mark.parametrize("name", NAMES)
def test_all_texts(pairs, shared, name, data):  # noqa: F811
    directory, engine = pairs[name]
    texts = data_texts(shared, sets=(data,))
    assert len(texts) > 900
    assert_same(engine, directory, texts)


@pytest.mark.parametrize("bits", range(16))
def test_every_code_point_with_every_option(tmp_path, bits):
    clean, chinese, strip, lowercase = (bool(bits >> i & 1) for i in range(4))
    engine = tokenizers.Tokenizer(tokenizers.models.WordPiece({t: i for i, t in enumerate(small_vocab())}, unk_token="[UNK]"))
    engine.normalizer = tokenizers.normalizers.BertNormalizer(clean, chinese, strip, lowercase)
    engine.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    engine.save(str(tmp_path / "tokenizer.json"))
    assert_same(engine, tmp_path, grouped([ALONE, BETWEEN, BEFORE_MARKS]) + random_texts(3000, seed=100 + bits))


def test_classes_around_added_tokens_for_every_code_point(tmp_path):
    engine = tokenizers.Tokenizer(tokenizers.models.WordPiece({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
    engine.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    engine.add_tokens([tokenizers.AddedToken("SINGLE", single_word=True, normalized=False),
                       tokenizers.AddedToken("STRIP", lstrip=True, rstrip=True, normalized=False)])
    engine.save(str(tmp_path / "tokenizer.json"))
    assert_same(engine, tmp_path, grouped(["SINGLE{0}SINGLE STRIP{0}STRIP"]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", NAMES)
def test_more_random_texts(pairs, name, seed):  # noqa: F811
    directory, engine = pairs[name]
    assert_same(engine, directory, random_texts(10000, seed=seed))
