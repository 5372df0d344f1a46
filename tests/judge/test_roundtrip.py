"""Directories go both ways: what we save Transformers loads with the same logits, and the reverse; after a round trip
the bytes of the weights are the same."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from model_support import REPO, Batch, forward, make_config, make_model, minilm_directory, probe, run_probe
from safetensors.numpy import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer, BertModel

sys.path.insert(0, str(REPO / "tests/cli"))
from train_support import TINY, bare_environment, prepare, write_corpus  # noqa: E402

CONFIG = dict(vocab_size=400, hidden_size=60, num_attention_heads=5, num_hidden_layers=2, intermediate_size=100,
              max_position_embeddings=48)
BATCH = Batch([48, 3, 20], 400, 2)


def logits_of(model, batch=BATCH):
    model.eval()
    with torch.no_grad():
        return forward(model, batch)[0].numpy()


def load(path):
    model, info = AutoModelForSequenceClassification.from_pretrained(path, output_loading_info=True,
                                                                            attn_implementation="eager")
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
    return model


@pytest.mark.parametrize("act", ["gelu", "gelu_new", "gelu_pytorch_tanh", "relu"])
def test_what_we_save_loads_there(tmp_path, act):
    """A fresh model of ours, never touched by Transformers."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.json").write_text(json.dumps(
        {**CONFIG, "model_type": "bert", "hidden_act": act, "initializer_range": 0.2, "classifier_dropout": 0.3,
         "id2label": {"0": "real", "1": "fake"}}))
    probe("create", tmp_path / "config", tmp_path / "ours", 5)
    model = load(tmp_path / "ours")
    assert type(model).__name__ == "BertForSequenceClassification"
    assert model.config.id2label == {0: "real", 1: "fake"} and model.config.label2id == {"real": 0, "fake": 1}
    assert model.config.hidden_act == act and model.config.classifier_dropout == 0.3 and model.dtype == torch.float32
    ours = run_probe(tmp_path / "ours", BATCH, tmp_path)["logits"]
    there = logits_of(model)
    assert np.abs(there).max() > 0.05
    assert np.abs(ours - there).max() <= 1e-4


def test_what_they_save_loads_here(tmp_path):
    model = make_model(make_config(**CONFIG, num_labels=4, classifier_dropout=0.2))
    model.save_pretrained(tmp_path / "theirs")
    batch = Batch([48, 3, 20], 400, 4)
    ours = run_probe(tmp_path / "theirs", batch, tmp_path)["logits"]
    assert np.abs(ours - logits_of(model, batch)).max() <= 1e-4
    probe("save", tmp_path / "theirs", tmp_path / "back")
    again = load(tmp_path / "back")
    np.testing.assert_array_equal(logits_of(again, batch), logits_of(model, batch))
    assert (tmp_path / "back/model.safetensors").read_bytes() == (tmp_path / "theirs/model.safetensors").read_bytes()
    for key in ("hidden_size", "num_attention_heads", "id2label", "label2id", "classifier_dropout", "hidden_dropout_prob",
                "layer_norm_eps", "initializer_range", "vocab_size", "type_vocab_size", "pad_token_id", "architectures"):
        assert getattr(again.config, key) == getattr(model.config, key), key


def test_sharded(tmp_path):
    model = make_model(make_config(**CONFIG))
    model.save_pretrained(tmp_path / "shards", max_shard_size="100KB")
    assert (tmp_path / "shards/model.safetensors.index.json").exists()
    assert len(list((tmp_path / "shards").glob("model-*.safetensors"))) > 2
    assert np.abs(run_probe(tmp_path / "shards", BATCH, tmp_path)["logits"] - logits_of(model)).max() <= 1e-4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(tmp_path, dtype):
    model = make_model(make_config(**CONFIG)).to(dtype)
    model.save_pretrained(tmp_path / "other")
    assert np.abs(run_probe(tmp_path / "other", BATCH, tmp_path)["logits"] - logits_of(model.float())).max() <= 1e-4


def test_two_layer_head_gives_them_the_encoder(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.json").write_text(json.dumps(
        {**CONFIG, "model_type": "bert", "fakenews_head": {"type": "two_layer", "size": 33}}))
    probe("create", tmp_path / "config", tmp_path / "ours", 5)
    assert AutoConfig.from_pretrained(tmp_path / "ours").architectures == ["BertModel"]
    encoder, info = AutoModel.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert isinstance(encoder, BertModel) and not info["missing_keys"] and not info["mismatched_keys"]
    weights = load_file(tmp_path / "ours/model.safetensors")
    pooled = encoder.eval()(**BATCH.padded()).pooler_output.detach().numpy()
    hidden = np.maximum(pooled @ weights["classifier.dense.weight"].T + weights["classifier.dense.bias"], 0)
    logits = hidden @ weights["classifier.out_proj.weight"].T + weights["classifier.out_proj.bias"]
    assert np.abs(run_probe(tmp_path / "ours", BATCH, tmp_path)["logits"] - logits).max() <= 1e-4


def test_old_checkpoint(tmp_path):
    """gamma and beta, the heads of pretraining, no classifier: a checkpoint of 2019."""
    model = make_model(make_config(**CONFIG))
    model.save_pretrained(tmp_path / "new")
    old = tmp_path / "old"
    old.mkdir()
    (old / "config.json").write_text((tmp_path / "new/config.json").read_text())
    tensors = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
               for name, value in load_file(tmp_path / "new/model.safetensors").items() if "classifier" not in name}
    tensors["cls.seq_relationship.weight"] = np.zeros((2, 60), dtype=np.float32)
    save_file(tensors, old / "model.safetensors")
    with pytest.raises(RuntimeError, match="missing: classifier.weight"):
        run_probe(old, BATCH, tmp_path)
    probe("save", old, tmp_path / "back")
    again = load(tmp_path / "back")
    theirs = dict(model.named_parameters())
    for name, p in again.named_parameters():
        if "classifier" not in name:
            assert torch.equal(p, theirs[name]), name


def test_bare_encoder(tmp_path):
    """sentence-transformers' MiniLM: names without bert., position_ids as a buffer, a head drawn anew."""
    source = minilm_directory()
    probe("save", source, tmp_path / "ours")
    encoder, theirs = AutoModel.from_pretrained(tmp_path / "ours"), AutoModel.from_pretrained(source)
    for (name, ours), (_, other) in zip(encoder.named_parameters(), theirs.named_parameters()):
        assert torch.equal(ours, other), name
    head = load(tmp_path / "ours").classifier
    assert head.weight.std().item() == pytest.approx(0.02, rel=0.15) and not head.bias.any()
    batch = Batch([200, 13], 30522, 2)
    assert np.abs(run_probe(tmp_path / "ours", batch, tmp_path)["logits"] -
                  logits_of(load(tmp_path / "ours"), batch)).max() <= 1e-4


@pytest.fixture(scope="module")
def trained(program, tmp_path_factory):
    """A model that `fakenews train` made from scratch, tokenizer and all."""
    folder = tmp_path_factory.mktemp("trained")
    data = prepare(program, folder, write_corpus(folder / "news.csv"))
    done = subprocess.run([program, "train", "--data", data, "--init", "scratch", "--out", "run", *TINY],
                          capture_output=True, text=True, env=bare_environment(folder), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run/model"


def test_trained_directory_answers_the_same_there(fakenews, trained, tmp_path):
    """From text to probabilities: pairs of title and text, cut longest first, a missing half, characters outside ASCII."""
    articles = [{"title": "Water prices rise", "text": "The council said the survey was published. " * 12},
                {"title": "They hide the miracle cure " * 9, "text": "Shocking proof: insiders never told the truth."},
                {"title": "", "text": "Officials published a review of the budget."},
                {"title": "Exposed!", "text": ""},
                {"title": "Zürich – “Überraschung”", "text": "Café naïve 中文 \U0001f600 e\u0301t\u00e9 ﬁn."}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(a) + "\n" for a in articles))
    done = fakenews("predict", "--model", trained, "in.jsonl", "--format", "jsonl")
    assert done.code == 0, done
    ours = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["row"] for row in ours] == list(range(len(articles)))
    model, tokenizer = load(trained).eval(), AutoTokenizer.from_pretrained(trained)
    usage = json.loads((trained / "config.json").read_text())["fakenews"]
    assert usage["text"] == "title+text"
    for row, article in zip(ours, articles):
        halves = [half for half in (article["title"], article["text"]) if half]
        encoded = tokenizer(*halves, truncation=True, max_length=usage["max_tokens"], return_tensors="pt")
        assert row["n_tokens"] == encoded.input_ids.shape[1]
        with torch.no_grad():
            there = torch.softmax(model(**encoded).logits[0], dim=0)
        for label, i in model.config.label2id.items():
            assert row["probabilities"][label] == pytest.approx(there[i].item(), abs=1e-5), (row, there)
