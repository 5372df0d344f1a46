"""`fakenews data sample`: rows of a split as CSV, the same for the same seed, both labels in their shares."""

import csv
import io

import pytest
from infer_support import json_lines, make_models

HEADER = ["title", "text", "label", "dataset", "source", "split", "cluster", "row", "hash"]


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    return make_models(program, tmp_path_factory.mktemp("models"))


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_sample(fakenews, made, tmp_path):
    data, models = made
    whole = fakenews("data", "sample", data, "--split", "train", "--n", "168")
    assert whole.code == 0 and whole.stderr == "", whole
    everything = rows(whole.stdout)
    assert list(everything[0]) == HEADER and len(everything) == 168 and {r["split"] for r in everything} == {"train"}
    done = fakenews("data", "sample", data, "--split", "train", "--n", "50", "--out", "some.csv")
    assert done.code == 0 and done.stdout == "", done
    text = (tmp_path / "some.csv").read_text(encoding="utf-8")
    some = rows(text)
    assert len(some) == 50 and all(row in everything for row in some)
    assert [int(r["row"]) for r in some] == [int(r["row"]) for r in everything if r in some]  # in the order of the split
    for label in ("real", "fake"):
        share = 50 * sum(r["label"] == label for r in everything) / 168
        assert abs(sum(r["label"] == label for r in some) - share) <= 0.5
    again = fakenews("data", "sample", data, "--split", "train", "--n", "50", "--seed", "0")
    other = fakenews("data", "sample", data, "--split", "train", "--n", "50", "--seed", "1")
    assert again.stdout == text and other.stdout != text and len(rows(other.stdout)) == 50


def test_every_row_is_drawn_about_as_often(fakenews, made):
    """36 test rows, 12 drawn with each of 60 seeds: 20 draws a row are expected; 4 and 36 are more than four deviations off."""
    data, _ = made
    counts = {}
    for seed in range(60):
        done = fakenews("data", "sample", data, "--n", "12", "--seed", seed)
        assert done.code == 0, done
        for row in rows(done.stdout):
            counts[row["row"]] = counts.get(row["row"], 0) + 1
    assert len(counts) == 36 and sum(counts.values()) == 720
    assert 4 < min(counts.values()) and max(counts.values()) < 36


def test_it_opens_again(fakenews, made, tmp_path):
    data, models = made
    assert fakenews("data", "sample", data, "--n", "20", "--out", "s.csv").code == 0
    done = fakenews("predict", "--model", models["linear"], "s.csv", "--format", "csv")
    assert done.code == 0 and [r["hash"] for r in rows(done.stdout)] == [r["hash"] for r in rows((tmp_path / "s.csv").read_text())]
    assert len(json_lines(fakenews("predict", "--model", models["linear"], "s.csv").stdout)) == 20
    done = fakenews("evaluate", "--model", models["linear"], "--data", "s.csv")
    assert done.code == 0 and "left out" not in done.stderr, done
    assert fakenews("data", "sample", data, "--split", "train", "--n", "168", "--out", "t.csv").code == 0
    done = fakenews("data", "prepare", "--input", "t.csv", "--out", "again")
    assert done.code == 0, done


@pytest.mark.parametrize("arguments, part", [
    (["--n", "37"], "the test split has 36 rows; of these 1 to 36 can be drawn, not 37"),
    (["--n", "0"], "1 to 36 can be drawn, not 0"),
    (["--n", "-1"], '--n takes a whole number from 0, not "-1"'),
    (["--n", "many"], "--n takes a whole number"),
    (["--seed", "x"], "--seed takes a whole number"),
    (["--split", "dev"], "--split takes train, validation or test"),
])  # fmt: skip
def test_refused(fakenews, made, tmp_path, arguments, part):
    done = fakenews("data", "sample", made[0], *arguments, "--out", "s.csv")
    assert done.code == 2 and part in done.stderr and done.stdout == "", done
    assert not (tmp_path / "s.csv").exists()


def test_no_folder(fakenews):
    assert "one folder" in fakenews("data", "sample").stderr
    assert fakenews("data", "sample", "nowhere").code == 2
