"""The `datasets` library judges prepared datasets: load_from_disk opens ours, and we open what it saves again."""

import json
import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
datasets = pytest.importorskip("datasets", reason="pip install datasets to run this judge")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "light"))
from test_arrow import COLUMNS, SPLITS, dump, make_rows, probe  # noqa: E402

COUNTS = (2300, 150, 301)


@pytest.fixture
def made(tmp_path):
    rows = make_rows(8, COUNTS)
    (tmp_path / "ours").mkdir()
    return tmp_path / "ours", rows, probe("write", tmp_path / "ours", rows=rows).strip()


def test_load_from_disk(made):
    folder, rows, _ = made
    loaded = datasets.load_from_disk(str(folder))
    assert isinstance(loaded, datasets.DatasetDict) and list(loaded) == SPLITS
    for split in SPLITS:
        features = loaded[split].features
        assert list(features) == COLUMNS
        assert features["label"] == datasets.ClassLabel(names=["real", "fake"])
        assert features["label"].int2str(1) == "fake"
        assert all(features[name] == datasets.Value("int64") for name in ("cluster", "row"))
        assert str(loaded[split].split) == split
        assert loaded[split].to_list() == [row for row in rows if row["split"] == split]
    assert loaded.num_rows == dict(zip(SPLITS, COUNTS))
    assert loaded["train"].filter(lambda row: row["label"] == 1, load_from_cache_file=False).num_rows == \
        sum(row["label"] for row in rows if row["split"] == "train")


def test_empty_split(tmp_path):
    probe("write", tmp_path, rows=make_rows(9, (4, 0, 2)))
    assert datasets.load_from_disk(str(tmp_path)).num_rows == {"train": 4, "validation": 0, "test": 2}


def test_fingerprint_follows_content(tmp_path):
    rows = make_rows(10, (4, 4, 4))
    seen = []
    for name, variant in (("a", rows), ("b", rows), ("c", [{**rows[0], "title": "other"}, *rows[1:]])):
        (tmp_path / name).mkdir()
        probe("write", tmp_path / name, rows=variant)
        loaded = datasets.load_from_disk(str(tmp_path / name))
        seen.append([loaded[split]._fingerprint for split in SPLITS])
    assert seen[0] == seen[1]
    assert [a == c for a, c in zip(seen[0], seen[2])] == [False, True, True]
    assert len(set(seen[0])) == 3


@pytest.mark.parametrize("shards", [1, 3])
def test_saved_again(made, tmp_path, shards):
    folder, rows, digits = made
    loaded = datasets.load_from_disk(str(folder))
    loaded.save_to_disk(str(tmp_path / "again"), num_shards={split: shards for split in SPLITS})
    assert dump(tmp_path / "again") == (rows, digits)


def test_shuffled_and_selected(made, tmp_path):
    """Indices are flattened by save_to_disk; a split without rows has no file."""
    folder, rows, _ = made
    loaded = datasets.load_from_disk(str(folder))
    loaded["train"] = loaded["train"].shuffle(seed=1).select(range(50))
    loaded["validation"] = loaded["validation"].select([])
    loaded.save_to_disk(str(tmp_path / "again"))
    expected = [row for split in SPLITS for row in loaded[split].to_list()]
    assert dump(tmp_path / "again")[0] == expected
    assert len(expected) == 50 + COUNTS[2]


def test_swapped_labels_are_refused(made, tmp_path):
    folder, _, _ = made
    loaded = datasets.load_from_disk(str(folder))
    features = loaded["train"].features.copy()
    features["label"] = datasets.ClassLabel(names=["fake", "real"])
    loaded.cast(features).save_to_disk(str(tmp_path / "again"))
    status, message = probe("check", tmp_path / "again").split("\t")
    assert status == "invalid" and "features.label must be a ClassLabel with the names real, fake" in message


def test_what_the_program_prepares(fakenews, repo, tmp_path):
    """`data prepare` as a user calls it: a DatasetDict with ClassLabel(real, fake), counts as it printed them."""
    done = fakenews("data", "prepare", "--input", repo / "examples/news.csv", "--out", "data")
    assert done.code == 0, done
    loaded = datasets.load_from_disk(str(tmp_path / "data"))
    assert isinstance(loaded, datasets.DatasetDict) and list(loaded) == SPLITS
    counts = json.loads((tmp_path / "data/prepare.json").read_text(encoding="utf-8"))["splits"]
    for split in SPLITS:
        assert loaded[split].features["label"] == datasets.ClassLabel(names=["real", "fake"])
        labels = [loaded[split].features["label"].int2str(row["label"]) for row in loaded[split]]
        assert {name: labels.count(name) for name in ("real", "fake")} == counts[split] and len(labels) > 10
        assert all(row["text"] and row["split"] == split for row in loaded[split])
