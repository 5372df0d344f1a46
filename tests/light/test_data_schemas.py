"""prepare.json and `data stats --json` are what docs/schemas says, with every optional part there once."""

import csv
import json

import pytest

jsonschema = pytest.importorskip("jsonschema", reason="pip install jsonschema to run this judge")


def validator(repo, name):
    schema = json.loads((repo / "docs/schemas" / name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def write_news(path):
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["title", "text", "label", "source", "split"])
        for i in range(60):
            split = ["train", "train", "val", "test"][i // 2 % 4]
            out.writerow([f"Title {i}", f"Text {i} {i * 3} {i * 7}.", i % 2, f"s{i % 9}", split])


@pytest.mark.parametrize("settings", [
    [], ["data.split=given"], ["data.split=group"], ["data.near_duplicates=null", "data.rules=none"],
    ["data.label_map={0:fake,1:real}", "data.dataset=x", "data.text=title"],
])
def test_prepare_json(fakenews, repo, tmp_path, settings):
    write_news(tmp_path / "news.csv")
    done = fakenews("data", "prepare", "--input", "news.csv", "--out", "out", *settings)
    assert done.code == 0, done
    report = json.loads((tmp_path / "out/prepare.json").read_text(encoding="utf-8"))
    validator(repo, "prepare.schema.json").validate(report)
    assert report["rows"]["read"] == report["rows"]["kept"] + sum(n["rows"] for n in report["rows"]["dropped"].values())
    for setting in settings:
        assert setting.split("=")[0] in report["options"]
    assert ("method" in report["duplicates"]) == ("data.near_duplicates=null" not in settings)
    assert ("groups" in report["splits"]) == ("data.split=group" in settings)


@pytest.mark.parametrize("tokens", [False, True])
def test_stats_json(fakenews, repo, tmp_path, tokens):
    write_news(tmp_path / "news.csv")
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "title", "text"]) + "\n")
    done = fakenews("data", "prepare", "--input", "news.csv", "--out", "out",
                    *(["--tokenizer", "vocab.txt"] if tokens else []))
    assert done.code == 0, done
    stats = json.loads(fakenews("data", "stats", "out").stdout)
    validator(repo, "data-stats.schema.json").validate(stats)
    assert ("tokens" in stats) == tokens
