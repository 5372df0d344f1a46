"""`fakenews calibrate`: from rows and from tables of logits, into packed files and beside directories; what it refuses; and what
predict and evaluate then make of it."""

import csv
import json
import math
import random
import shutil

import pytest
from infer_support import json_lines, make_models

ARTICLE = "The mayor said on Monday that the old bridge will be torn down next spring and that a new one will be built."


@pytest.fixture(scope="module")
def trained(program, tmp_path_factory):
    return make_models(program, tmp_path_factory.mktemp("models"))


@pytest.fixture
def linear(trained, tmp_path):
    """A copy of its own: a calibration lies beside the model's files."""
    return shutil.copytree(trained[1]["linear"] / "model", tmp_path / "linear")


@pytest.fixture
def bert(trained, tmp_path):
    return shutil.copytree(trained[1]["bert"] / "model", tmp_path / "bert")


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def write_logits(path, n=600, halves=("linear",), factor=3.0, seed=3, **more):
    """Rows whose logits are `factor` times too large, in three datasets; **more: a column or None."""
    rng = random.Random(seed)
    columns = ["dataset", "label", *(f"{h}_logit" for h in halves), *more]
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(columns)
        for i in range(n):
            truth = rng.gauss(0, 1.5)
            label = int(rng.random() < sigmoid(truth))
            logits = [factor * (truth + rng.gauss(0, 0.3)) for _ in halves]
            out.writerow(["abc"[i % 3], label, *logits, *(f(i) for f in more.values())])
    return path


def test_a_table_of_logits(fakenews, linear, tmp_path):
    write_logits(tmp_path / "logits.csv")
    before = fakenews("predict", "--model", linear, "--text", ARTICLE)
    raw = json_lines(before.stdout)[0]
    assert raw["calibrated"] is False
    done = fakenews("calibrate", "--model", linear, "--predictions", "logits.csv", "--out", linear / "calibration.json")
    assert done.code == 0 and done.stderr == "", done
    assert "linear, articles: 600 rows, 3 groups" in done.stdout and "log loss" in done.stdout
    c = json.loads((linear / "calibration.json").read_text())
    (s,) = c["sets"]
    assert c["model"] == raw["model"] and c["grouped_by"] == "dataset" and c["prior"] == 0.5
    assert s["part"] == "linear" and s["input"] == "article" and s["rows"] == 600 and s["groups"] == 3
    assert s["weights"] == {"linear": 1} and 2.3 < s["temperatures"][0] < 4.2
    assert s["after"]["ece"] < s["before"]["ece"] and s["after"]["nll"] < s["before"]["nll"]
    assert s["novelty_above"] is None and s["bytes_per_token_below"] is None
    assert s["target_reached"] and s["accuracy"] > 0.8
    # and what predict makes of it
    answer = json_lines(fakenews("predict", "--model", linear, "--text", ARTICLE).stdout)[0]
    z = math.log(raw["probabilities"]["fake"] / raw["probabilities"]["real"]) / s["temperatures"][0]
    assert answer["calibrated"] is True and answer["probabilities"]["fake"] == pytest.approx(sigmoid(z), abs=1e-12)
    assert answer["model"] != raw["model"]  # it answers otherwise, so it has another checksum
    likely = max(answer["probabilities"].values())
    assert answer["verdict"] == ("unsure" if likely < s["unsure_below"] else answer["label"])
    rare = json_lines(fakenews("predict", "--model", linear, "--text", ARTICLE, "infer.prior=0.02").stdout)[0]
    assert rare["probabilities"]["fake"] == pytest.approx(sigmoid(z + math.log(0.02 / 0.98)), abs=1e-12)
    # a headline is another kind of input, which was not calibrated
    headline = json_lines(fakenews("predict", "--model", linear, "--title", ARTICLE).stdout)[0]
    assert headline["calibrated"] is False and "headline_only" in headline["reasons"]
    # once more gives the same, also with a calibration beside the model
    done = fakenews("calibrate", "--model", linear, "--predictions", "logits.csv", "--out", "again.json")
    assert done.code == 0 and "calibration.json" in done.stderr
    assert (tmp_path / "again.json").read_text() == (linear / "calibration.json").read_text()
    done = fakenews("calibrate", "--model", linear, "--predictions", "logits.csv", "--out", "-")
    assert done.stdout == (tmp_path / "again.json").read_text()


def test_columns_that_may_be_there(fakenews, linear, tmp_path):
    write_logits(tmp_path / "x.csv", mode=lambda i: "headline" if i % 2 else "article", n_tokens=lambda i: 20 + i,
                 novelty=lambda i: i / 1000, bytes_per_token=lambda i: 3 + i / 600)  # fmt: skip
    done = fakenews("calibrate", "--model", linear, "--predictions", "x.csv", "--out", "-", "calibrate.quantile=0.1",
                    "calibrate.even=false")
    assert done.code == 0, done
    c = json.loads(done.stdout)
    article, headline = c["sets"]
    assert (article["input"], headline["input"]) == ("article", "headline") and article["rows"] == headline["rows"] == 300
    assert article["novelty_above"] == pytest.approx(0.54, abs=0.01)  # a tenth of 0, 0.002, … 0.598 is above
    assert article["bytes_per_token_below"] == pytest.approx(3.1, abs=0.01)
    rows = list(csv.DictReader(open(tmp_path / "x.csv", newline="")))
    articles = [r for r in rows if r["mode"] == "article"]
    assert c["prior"] == pytest.approx(sum(int(r["label"]) for r in articles) / len(articles))


def test_through_a_model(fakenews, trained, linear, bert):
    data, _ = trained
    for model in (linear, bert):
        done = fakenews("calibrate", "--model", model, "--data", data, "--out", model / "calibration.json")
        assert done.code == 0, done
        assert ("trained on other rows of the same sets" in done.stderr) == (model == bert)  # the linear family does not say
        c = json.loads((model / "calibration.json").read_text())
        part = "linear" if model == linear else "encoder"
        assert [(s["part"], s["input"]) for s in c["sets"]] == [(part, "article"), (part, "headline")]
        assert c["text"] == "title+text" and c["max_tokens"] == (None if model == linear else 48)
        assert c["sets"][0]["rows"] == c["sets"][1]["rows"] and c["sets"][0]["groups"] == 2
        assert (c["sets"][0]["novelty_above"] is not None) == (model == linear)
        answer = json_lines(fakenews("predict", "--model", model, "--title", ARTICLE).stdout)[0]
        assert answer["calibrated"] is True
        long = " ".join([ARTICLE] * 20)
        cut = json_lines(fakenews("predict", "--model", model, "--text", long).stdout)[0]
        windows = json_lines(fakenews("predict", "--model", model, "--text", long, "infer.long=windows").stdout)[0]
        assert cut["calibrated"] is True and windows["calibrated"] is (model == linear)  # nobody calibrated that
        done = fakenews("evaluate", "--model", model, "--data", data, "--json", "-", "eval.resamples=0")
        report = json.loads(done.stdout)
        names = [s["name"] for s in report["systems"]]
        assert names[:2] == ["model", "calibrated"] and report["verdicts"]["n_calibrated"] == report["data"]["n"]
        v = report["verdicts"]
        assert v["coverage"] == pytest.approx(1 - v["n_unsure"] / report["data"]["n"])
        table = fakenews("evaluate", "--model", model, "--data", data, "eval.resamples=0").stdout
        assert "calibrated" in table and "unsure for the rest" in table


def test_thresholds_from_rows_beside_a_table(fakenews, trained, linear, tmp_path):
    """The table decides all but where unlike_training begins."""
    data, _ = trained
    write_logits(tmp_path / "x.csv", mode=lambda i: "title" if i % 2 else "title+text")
    alone = json.loads(fakenews("calibrate", "--model", linear, "--predictions", "x.csv", "--out", "-").stdout)
    done = fakenews("calibrate", "--model", linear, "--predictions", "x.csv", "--data", data, "--out", "-")
    assert done.code == 0, done
    both = json.loads(done.stdout)
    rows = json.loads(fakenews("calibrate", "--model", linear, "--data", data, "--out", "-").stdout)
    for a, b, r in zip(alone["sets"], both["sets"], rows["sets"], strict=True):
        assert a["novelty_above"] is None and b["novelty_above"] == r["novelty_above"]
        assert {**a, "novelty_above": 0} == {**b, "novelty_above": 0}
    assert both["sets"][0]["novelty_above"] is not None and both["data"] == alone["data"]


def test_a_source_is_one_group_in_all_splits(fakenews, trained, linear):
    data, _ = trained
    done = fakenews("calibrate", "--model", linear, "--data", data, "--out", "-", "calibrate.groups=source")
    assert done.code == 0 and json.loads(done.stdout)["sets"][0]["groups"] == 7  # outlet0 … outlet6, in validation and test
    done = fakenews("calibrate", "--model", linear, "--data", data, "--out", "c.json", "calibrate.groups=source")
    assert all(f"outlet{i} " in done.stdout for i in range(7))


def test_sources_as_groups(fakenews, linear, tmp_path):
    write_logits(tmp_path / "x.csv", source=lambda i: f"outlet {i % 30}")
    done = fakenews("calibrate", "--model", linear, "--predictions", "x.csv", "--out", "-", "calibrate.groups=source")
    c = json.loads(done.stdout)
    assert c["grouped_by"] == "source" and c["sets"][0]["groups"] == 30
    table = fakenews("calibrate", "--model", linear, "--predictions", "x.csv", "--out", "c.json", "calibrate.groups=source")
    assert "30 groups in 20 parts" in table.stdout


def test_packed(fakenews, trained, linear, bert, tmp_path):
    data, _ = trained
    done = fakenews("quantize", "--model", bert, "--linear", linear, "--out", "both.fnm", "dtype=f32")
    assert done.code == 0, done
    raw = json_lines(fakenews("predict", "--model", "both.fnm", "--text", ARTICLE).stdout)[0]
    done = fakenews("calibrate", "--model", "both.fnm", "--data", data, "--out", "both.json")
    assert done.code == 0, done
    sets = json.loads((tmp_path / "both.json").read_text())["sets"]
    assert [s["part"] for s in sets] == ["encoder", "encoder", "linear", "linear", "both", "both"]
    assert set(sets[4]["weights"]) == {"encoder", "linear"}
    old = (tmp_path / "both.fnm").read_bytes()
    for out in ("copy.fnm", "both.fnm"):  # the last one over the file itself
        done = fakenews("calibrate", "--model", "both.fnm", "--data", data, "--out", out)
        assert done.code == 0, done
        for part in ("both", "linear", "encoder"):
            answer = json_lines(fakenews("predict", "--model", out, "--text", ARTICLE, f"infer.part={part}").stdout)[0]
            assert answer["calibrated"] is True and answer["model"] != raw["model"], (out, part)
        if out == "copy.fnm":
            assert (tmp_path / "both.fnm").read_bytes() == old
    info = fakenews("model", "info", "both.fnm", "--json")
    assert info.code == 0 and "fakenews.calibration/1" in info.stdout


@pytest.mark.parametrize("text,part", [
    ("label,linear_logit\n1,2\n", "at least 30 are needed"),
    ("label,score\n1,2\n", "encoder_logit"),
    ("linear_logit\n2\n", "label"),
    ("label,linear_logit,dataset\n1,2,a\n2,1,a\n", "x.csv:3: label \"2\""),
    ("label,linear_logit,dataset\n1,two,a\n", "x.csv:2: linear_logit \"two\""),
    ("label,linear_logit,dataset\n1,inf,a\n", "x.csv:2: linear_logit \"inf\""),
    ("label,linear_logit,dataset\n1,,a\n", "x.csv:2: neither"),
    ("label,linear_logit,mode\n1,2,tweet\n", "x.csv:2: mode \"tweet\" is not article (title+text, text) or headline (title)"),
    ("label,linear_logit,n_tokens\n1,2,-4\n", "x.csv:2: n_tokens \"-4\""),
    ("label,linear_logit\n1,2,3\n", "x.csv:2"),
    ("label,encoder_logit\n" + "1,2\n0,1\n" * 40, "has logits of the encoder, which"),
    ("label,linear_logit,dataset\n" + "1,2,a\n0,1,a\n" * 40, "2 are needed"),
    ("label,linear_logit,dataset\n" + "1,2,a\n0,1,b\n" * 40, "every fake row is in the group \"a\""),
    ("label,linear_logit,dataset\n" + "1,2,a\n1,1,b\n" * 40, "both classes are needed"),
])  # fmt: skip
def test_refused_tables(fakenews, linear, tmp_path, text, part):
    (tmp_path / "x.csv").write_text(text)
    done = fakenews("calibrate", "--model", linear, "--predictions", "x.csv", "--out", "out.json")
    assert done.code == 2 and part in done.stderr, done
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("arguments,part", [
    ([], "--data or --predictions"),
    (["--predictions", "none.csv"], "none.csv"),
    (["--predictions", "x.csv", "calibrate.edges=[9,3]"], "calibrate.edges"),
    (["--predictions", "x.csv", "calibrate.edges=[a]"], "calibrate.edges"),
    (["--predictions", "x.csv", "calibrate.edges=[1,2,3,4,5,6,7,8]"], "at most 7"),
    (["--predictions", "x.csv", "calibrate.target=0.4"], "calibrate.target"),
    (["--predictions", "x.csv", "calibrate.groups=source"], "2 are needed"),
])  # fmt: skip
def test_refused_arguments(fakenews, linear, tmp_path, arguments, part):
    write_logits(tmp_path / "x.csv")
    done = fakenews("calibrate", "--model", linear, "--out", "out.json", *arguments)
    assert done.code == 2 and part in done.stderr, done
    assert not (tmp_path / "out.json").exists()


def test_headlines_that_cannot_be_fitted(fakenews, linear, tmp_path):
    write_logits(tmp_path / "x.csv", mode=lambda i: "headline" if i < 20 else "")
    done = fakenews("calibrate", "--model", linear, "--predictions", "x.csv", "--out", "-")
    assert done.code == 0 and "headlines alone are not calibrated: 20 rows of headlines" in done.stderr
    assert [s["input"] for s in json.loads(done.stdout)["sets"]] == ["article"]


def test_a_calibration_of_another_model(fakenews, linear, bert, tmp_path):
    write_logits(tmp_path / "x.csv")
    assert fakenews("calibrate", "--model", linear, "--predictions", "x.csv", "--out", "c.json").code == 0
    shutil.copy(tmp_path / "c.json", bert / "calibration.json")
    done = fakenews("predict", "--model", bert, "--text", ARTICLE)
    assert done.code == 2 and "was made for the model linear@" in done.stderr and "calibration.json" in done.stderr
    shutil.copy(tmp_path / "c.json", linear / "calibration.json")
    text = (tmp_path / "c.json").read_text()
    (linear / "calibration.json").write_text(text.replace('"prior": 0.5', '"prior": 1.5'))
    done = fakenews("predict", "--model", linear, "--text", ARTICLE)
    assert done.code == 2 and "calibration.json" in done.stderr and "prior" in done.stderr
