"""Answers of predict and figures of evaluate are what docs/schemas says; and what the schemas forbid is refused by them."""

import copy
import json
import sys
from pathlib import Path

import pytest

jsonschema = pytest.importorskip("jsonschema", reason="pip install jsonschema to run this judge")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))

from infer_support import json_lines, make_models, write_csv


@pytest.fixture(scope="module")
def trained(program, tmp_path_factory):
    return make_models(program, tmp_path_factory.mktemp("models"))


def validator(repo, name):
    schema = json.loads((repo / "docs/schemas" / name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("family", ["linear", "bert"])
def test_answers(fakenews, repo, trained, tmp_path, family):
    judge = validator(repo, "predict.schema.json")
    write_csv(tmp_path / "in.csv", [["title", "text"], ["a", "b"], ["", ""], ["c", "water " * 200], ["one"]])
    done = fakenews("predict", "--model", trained[1][family], "in.csv", "infer.long=windows")
    one = fakenews("predict", "--model", trained[1][family], "--text", "alone")
    answers = json_lines(done.stdout) + json_lines(one.stdout)
    assert done.code == 3 and len(answers) == 5
    for answer in answers:
        judge.validate(answer)
    for change in (dict(label=None), dict(probabilities={"real": 1.5}), dict(row=-1), dict(error="x"), dict(extra=1),
                   dict(model="name"), dict(n_tokens="3")):
        assert not judge.is_valid({**answers[0], **change}), change
    assert not judge.is_valid({k: v for k, v in answers[0].items() if k != "truncated"})
    done = fakenews("predict", "--model", trained[1][family], "in.csv", "infer.long=windows", "--on-error", "null")
    assert done.code == 0 and json_lines(done.stdout) == [{k: v for k, v in a.items() if k != "error"} for a in answers[:4]]
    for answer in json_lines(done.stdout):
        judge.validate(answer)
    for change in (dict(label="real"), dict(n_tokens=3), dict(error="")):
        assert not judge.is_valid({**answers[1], **change}), change


@pytest.mark.parametrize("family", ["linear", "bert"])
def test_explanations(fakenews, repo, trained, tmp_path, family):
    judge = validator(repo, "explain.schema.json")
    text = "Officials said so. A secret was exposed! Nobody told the doctor. " * 4
    write_csv(tmp_path / "in.csv", [["title", "text"], ["A title", text], ["One alone", ""]])
    done = fakenews("explain", "--model", trained[1][family], "in.csv")
    assert done.code == 0, done
    answers = json_lines(done.stdout)
    for answer in answers:
        judge.validate(answer)
    for change in (dict(logit=None), dict(parts=[]), dict(extra=1), dict(verdict=None), dict(n_forwards=0)):
        assert not judge.is_valid({**answers[0], **change}), change


def test_calibration(fakenews, repo, trained):
    judge = validator(repo, "calibration.schema.json")
    data, runs = trained
    for family in ("linear", "bert"):
        done = fakenews("calibrate", "--model", runs[family], "--data", data, "--out", "-")
        assert done.code == 0, done
        report = json.loads(done.stdout)
        judge.validate(report)
        for path, value in ((["prior"], 1), (["sets", 0, "part"], "all"), (["sets", 0, "temperatures"], []), (["data"], "x"),
                            (["sets", 0, "before", "ece"], 2), (["schema"], "x"), (["extra"], 1)):  # fmt: skip
            broken = copy.deepcopy(report)
            place = broken
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            assert not judge.is_valid(broken), path


@pytest.mark.parametrize("family, more", [("linear", []), ("bert", []), ("bert", ["eval.resamples=0"])])
def test_figures(fakenews, repo, trained, tmp_path, family, more):
    judge = validator(repo, "evaluation.schema.json")
    data, runs = trained
    write_csv(tmp_path / "one.csv", [["text", "label"], ["a", "0"], ["b", "0"]])
    for source in (data, tmp_path / "one.csv"):
        done = fakenews("evaluate", "--model", runs[family], "--data", source, "--json", "-", *more)
        assert done.code == 0, done
        report = json.loads(done.stdout)
        judge.validate(report)
    for path, value in ((["systems", 0, "metrics", "accuracy"], 2), (["data", "split"], "dev"), (["schema"], "x"),
                        (["systems", 0, "metrics", "confusion"], [[1]]), (["model", "id"], "name")):
        broken = copy.deepcopy(report)
        at = broken
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
        assert not judge.is_valid(broken), path
