"""`fakenews evaluate`: figures by split, file and dataset, the baselines beside them, exit codes."""

import csv
import json
import re
import shutil

import pytest
from infer_support import json_lines, make_models, write_csv
from terminal_support import on_terminal, screen
from train_support import metrics, write_corpus


@pytest.fixture(scope="module")
def trained(program, tmp_path_factory):
    return make_models(program, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def data(trained):
    return trained[0]


@pytest.fixture(scope="module")
def bert(trained):
    return trained[1]["bert"]


@pytest.fixture(scope="module")
def linear(trained):
    return trained[1]["linear"]


def figures(done):
    assert done.code == 0, done
    report = json.loads(done.stdout)
    return report, {system["name"]: system for system in report["systems"]}


def test_a_note_wipes_the_progress(program, tmp_path, data, linear):
    """Notes come while a progress line stands on the terminal."""
    code, text = on_terminal([program, "evaluate", "--model", linear, "--data", data], tmp_path)
    lines = screen(text)
    assert code == 0
    assert any(line.startswith("note: the model is of the linear family itself") for line in lines)
    assert re.search(r"\d+ of \d+ rows", text) and not any(re.match(r"\d+ of \d+ rows", line) for line in lines)


def test_three_systems(fakenews, bert, data):
    report, systems = figures(fakenews("evaluate", "--model", bert, "--data", data, "--json", "-"))
    assert list(systems) == ["model", "linear", "majority"]
    assert report["data"]["split"] == "test" and report["data"]["groups"] == "source"
    assert report["baselines"] == str(data) and report["model"]["family"] == "bert" and report["model"]["max_tokens"] == 48
    n = report["data"]["n"]
    for system in systems.values():
        m = system["metrics"]
        assert m["n"] == n == sum(map(sum, m["confusion"])) == m["support"]["real"] + m["support"]["fake"]
        assert sum(part["metrics"]["n"] for part in system["by_dataset"]) == n
        assert [part["dataset"] for part in system["by_dataset"]] == ["east", "west"]
        for name in ("loss", "accuracy", "roc_auc", "brier", "ece", "f1_weighted"):
            low, high = m["intervals"][name]
            assert low <= high
        assert m["intervals"]["n_groups"] == report["data"]["n_groups"] == 7
    assert systems["majority"]["metrics"]["roc_auc"] == 0.5
    assert 0 in [sum(column) for column in zip(*systems["majority"]["metrics"]["confusion"])]  # one class for all
    assert systems["linear"]["metrics"]["roc_auc"] > 0.9 and systems["model"]["metrics"]["roc_auc"] > 0.7


def test_figures_are_those_of_training_and_of_predict(fakenews, bert, linear, data, tmp_path):
    """The run's own test figures; and accuracy from the answers of predict."""
    for run in (bert, linear):
        last = {k: v for line in metrics(run) for k, v in line.items() if k.startswith("test/")}
        _, systems = figures(fakenews("evaluate", "--model", run, "--data", data, "--json", "-", "eval.baselines=false",
                                      "eval.resamples=0"))
        m = systems["model"]["metrics"]
        assert "intervals" not in m
        for name in ("loss", "accuracy", "f1_weighted", "roc_auc", "brier", "ece", "recall_fake"):
            assert m[name] == pytest.approx(last[f"test/{name}"], abs=1e-6), name
    corpus = write_corpus(tmp_path / "other.csv", n=80, seed=9)
    _, systems = figures(fakenews("evaluate", "--model", bert, "--data", corpus, "--json", "-"))
    answers = json_lines(fakenews("predict", "--model", bert, corpus).stdout)
    with open(corpus, newline="") as file:
        truth = [("real", "fake")[int(row["label"])] for row in csv.DictReader(file)]
    right = sum(a["label"] == t for a, t in zip(answers, truth, strict=True))
    assert systems["model"]["metrics"]["accuracy"] == right / 80


def test_splits(fakenews, linear, data):
    sizes = {}
    for split in ("train", "validation", "test"):
        done = fakenews("evaluate", "--model", linear, "--data", data, "--split", split, "--json", "-")
        sizes[split] = figures(done)[0]["data"]["n"]
        assert ("training split say nothing" in done.stderr) == (split == "train")
    assert sizes["train"] > sizes["test"] and sum(sizes.values()) > 200


def test_linear_model_stands_alone_with_the_majority(fakenews, linear, data):
    done = fakenews("evaluate", "--model", linear, "--data", data, "--json", "-")
    _, systems = figures(done)
    assert list(systems) == ["model", "majority"] and "linear family itself" in done.stderr


def test_linear_baseline_is_the_linear_family(fakenews, bert, linear, data):
    """The baseline beside a transformer is what family=linear trains."""
    _, beside = figures(fakenews("evaluate", "--model", bert, "--data", data, "--json", "-", "linear.hash_bits=12"))
    _, alone = figures(fakenews("evaluate", "--model", linear, "--data", data, "--json", "-"))
    assert beside["linear"]["metrics"] == alone["model"]["metrics"]


def test_file_with_and_without_baselines(fakenews, bert, data, tmp_path):
    corpus = write_corpus(tmp_path / "other.csv", n=60, seed=4, dataset=lambda i, label: "north")
    done = fakenews("evaluate", "--model", bert, "--data", corpus, "--json", "-")
    report, systems = figures(done)
    assert list(systems) == ["model"] and report["baselines"] is None and "--train" in done.stderr
    assert report["data"]["split"] is None and report["data"]["hash"] is None and report["data"]["n"] == 60
    report, systems = figures(fakenews("evaluate", "--model", bert, "--data", corpus, "--train", data, "--json", "-"))
    assert list(systems) == ["model", "linear", "majority"] and report["baselines"] == str(data)
    assert [part["dataset"] for part in systems["model"]["by_dataset"]] == ["north"]


def test_table_and_file(fakenews, bert, data, tmp_path):
    done = fakenews("evaluate", "--model", bert, "--data", data, "--json", "figures.json")
    assert done.code == 0, done
    assert json.loads((tmp_path / "figures.json").read_text())["schema"] == "fakenews.evaluation/1"
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split() == ["model", "linear", "majority"] for line in lines)
    accuracy = next(line for line in lines if line.startswith("accuracy "))
    assert accuracy.count("[") == 3
    assert any(line.startswith("east ") for line in lines) and any(line.startswith("west ") for line in lines)
    again = fakenews("evaluate", "--model", bert, "--data", data, "device.threads=1")
    assert again.stdout == done.stdout  # neither chance nor threads


def test_windows_reach_evaluation(fakenews, bert, data):
    cut, windows = (figures(fakenews("evaluate", "--model", bert, "--data", data, "--json", "-", "eval.baselines=false",
                                     f"infer.long={how}", "infer.max_tokens=16")) for how in ("cut", "windows"))
    assert cut[0]["model"]["long"] == "cut" and windows[0]["model"]["long"] == "windows"
    assert cut[1]["model"]["metrics"]["loss"] != windows[1]["model"]["metrics"]["loss"]


def test_bad_rows_are_left_out(fakenews, linear, tmp_path):
    write_csv(tmp_path / "in.csv", [["title", "text", "label"], ["a", "b", "0"], ["c", "d", "maybe"], ["e", "f", "1"], ["", "", "1"]])
    done = fakenews("evaluate", "--model", linear, "--data", "in.csv", "--json", "-")
    report, _ = figures(done)
    assert report["data"]["n"] == 2 and report["data"]["n_refused"] == 2 and report["data"]["groups"] == "cluster"
    assert 'in.csv:3: label "maybe" is none of 0, 1, real, fake' in done.stderr and "2 rows were left out" in done.stderr
    done = fakenews("evaluate", "--model", linear, "--data", "in.csv", "data.label_map={0:real,1:fake,maybe:drop}", "--json", "-")
    assert figures(done)[0]["data"]["n_refused"] == 1


def test_other_encodings(fakenews, linear, tmp_path):
    text = "title;text;label\nCafé – 5 €;Où ça?;0\nofficials said;figures;1\n"
    seen = []
    for codec, name in (("utf-8", None), ("utf-16", "utf-16le"), ("cp1252", "windows-1252")):
        (tmp_path / "in.csv").write_bytes(text.encode(codec))
        done = fakenews("evaluate", "--model", linear, "--data", "in.csv", "--json", "-")
        report, systems = figures(done)
        seen.append((report["data"]["n"], systems["model"]["metrics"]))
        assert (f"read as {name}" in done.stderr) == (name is not None)
    assert seen[0] == seen[1] == seen[2] and seen[0][0] == 2
    done = fakenews("evaluate", "--model", linear, "--data", "in.csv", "--json", "-", "data.delimiter=|")
    assert done.code == 2 and 'with data.delimiter=";" there are 3' in done.stderr


def test_one_class(fakenews, linear, tmp_path):
    write_csv(tmp_path / "in.csv", [["text", "label"], ["a", "0"], ["b", "0"], ["c", "0"]])
    _, systems = figures(fakenews("evaluate", "--model", linear, "--data", "in.csv", "--json", "-"))
    m = systems["model"]["metrics"]
    assert m["roc_auc"] is None and m["intervals"]["roc_auc"] == [None, None] and m["recall_fake"] is None


@pytest.mark.parametrize("arguments, part", [
    (["--split", "dev"], "--split takes train, validation or test, not \"dev\""),
    (["eval.resamples=-1"], "eval.resamples"),
])
def test_refused(fakenews, linear, data, arguments, part):
    done = fakenews("evaluate", "--model", linear, "--data", data, *arguments)
    assert done.code == 2 and part in done.stderr and done.stdout == "", done


def test_refused_data(fakenews, linear, tmp_path):
    done = fakenews("evaluate", "--model", linear, "--data", tmp_path)
    assert done.code == 2 and str(tmp_path) in done.stderr
    write_csv(tmp_path / "in.csv", [["title", "text"], ["a", "b"]])
    done = fakenews("evaluate", "--model", linear, "--data", "in.csv")
    assert done.code == 2 and "data.columns.label" in done.stderr
    done = fakenews("evaluate", "--model", linear, "--data", "in.csv", "--split", "test")
    assert done.code == 2 and "only prepared datasets have splits" in done.stderr
    assert fakenews("evaluate", "--model", linear, "--data", "gone.csv").code == 2


def test_labels_of_the_model(fakenews, bert, data, tmp_path):
    """A model whose labels stand the other way round is read by their names; one without `fake` is refused."""
    model = shutil.copytree(bert / "model", tmp_path / "m")
    config = json.loads((model / "config.json").read_text())
    straight = figures(fakenews("evaluate", "--model", bert, "--data", data, "--json", "-", "eval.baselines=false"))[1]
    config.update(id2label={"0": "FAKE", "1": "REAL"}, label2id={"FAKE": 0, "REAL": 1})
    (model / "config.json").write_text(json.dumps(config))
    turned = figures(fakenews("evaluate", "--model", model, "--data", data, "--json", "-", "eval.baselines=false"))[1]
    assert turned["model"]["metrics"]["roc_auc"] == pytest.approx(1 - straight["model"]["metrics"]["roc_auc"], abs=1e-12)
    config.update(id2label={"0": "spam", "1": "ham"}, label2id={"spam": 0, "ham": 1})
    (model / "config.json").write_text(json.dumps(config))
    done = fakenews("evaluate", "--model", model, "--data", data)
    assert done.code == 2 and 'one of them "fake" (id2label in config.json), not spam, ham' in done.stderr
    assert fakenews("predict", "--model", model, "--text", "a").code == 0
