"""`fakenews log`: rows of the prediction log listed, shown, exported, deleted, answered again."""

import csv
import io
import json
from pathlib import Path

import jsonschema
import pytest
from infer_support import json_lines, make_models
from log_support import ids, probe, select, stored


@pytest.fixture
def state(tmp_path):
    """A log of 30 rows with their texts, two of them disputed; {"STATE_DIRECTORY": …} for the program."""
    folder = tmp_path / "state"
    assert len(ids(probe("write", "-", folder, "rows=30", "text=full"))) == 30
    probe("feedback", "-", folder, "p_00000002", "real", "ann")  # was fake
    probe("feedback", "-", folder, "p_00000004", "fake", "ann")  # agrees
    probe("feedback", "-", folder, "p_00000005", "satire", "bob")
    probe("feedback", "-", folder, "p_00000007", "fake", "bob")
    probe("feedback", "-", folder, "p_00000007", "real", "bob")  # corrects himself: agrees
    return {"STATE_DIRECTORY": str(folder)}


def test_list(fakenews, state, repo):
    done = fakenews("log", "list", env=state)
    rows = json_lines(done.stdout)
    assert done.code == 0 and len(rows) == 20 and rows == sorted(rows, key=lambda r: (r["time_ms"], r["id"]), reverse=True)
    schema = json.loads((repo / "docs/schemas/prediction.schema.json").read_text())
    for row in rows:
        jsonschema.validate(row, schema)
    assert len(json_lines(fakenews("log", "list", "--limit", "100", "--since", "1h", env=state).stdout)) == 30
    assert len(json_lines(fakenews("log", "list", "--limit", "7", env=state).stdout)) == 7
    done = fakenews("log", "list", "--until", "2020-01-01", env=state)
    assert done.code == 0 and done.stdout == "" and "no such predictions" in done.stderr
    text = fakenews("log", "list", "--format", "text", "--limit", "1", env=state).stdout
    assert text.count("\n") == 1 and "p_000000" in text and "0.7500" in text and "Title " in text
    disputed = json_lines(fakenews("log", "list", "--disputed", env=state).stdout)
    assert [(d["prediction_id"], d["feedback"]) for d in disputed] == [("p_00000005", "satire"), ("p_00000002", "real")]
    of_past = fakenews("log", "list", "--disputed", "--until", "2001-01-01", env=state)
    assert of_past.code == 0 and of_past.stdout == ""
    assert "but satire, says bob: because" in fakenews("log", "list", "--disputed", "--format", "text", env=state).stdout


def test_show(fakenews, state):
    done = fakenews("log", "show", "p_00000007", env=state)
    shown = json.loads(done.stdout)
    assert done.code == 0 and shown["prediction"]["title"] == "Title 7" and shown["prediction"]["n_tokens"] == 34
    assert shown["prediction"]["answer"]["halves"] == {"encoder": 0.9, "linear": 1.4}
    first, second = shown["feedback"]
    assert (first["label"], first["latest"], second["label"], second["latest"]) == ("fake", False, "real", True)
    assert second["corrects"] == first["id"]
    done = fakenews("log", "show", "p_none", env=state)
    assert done.code == 2 and done.stdout == "" and "no prediction p_none" in done.stderr


def test_export(fakenews, state, tmp_path):
    done = fakenews("log", "export", env=state)
    assert done.code == 0 and {r["id"] for r in json_lines(done.stdout)} == set(stored(state["STATE_DIRECTORY"]))
    done = fakenews("log", "export", "--format", "csv", "--out", "all.csv", env=state)
    rows = {r["id"]: r for r in csv.DictReader((tmp_path / "all.csv").open(newline=""))}
    assert done.code == 0 and done.stdout == "" and len(rows) == 30 and rows["p_00000003"]["title"] == "Title 3"


def test_feedback_becomes_training_rows(fakenews, state, tmp_path):
    done = fakenews("log", "export", "--with-feedback", "--format", "csv", env=state)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {(r["prediction_id"], r["label"], r["predicted"]) for r in rows} == {
        ("p_00000002", "real", "fake"), ("p_00000004", "fake", "fake"), ("p_00000007", "real", "real")}
    assert "left out because people call them satire, opinion or mixed: 1" in done.stderr
    every = json_lines(fakenews("log", "export", "--with-feedback", "--labels", "all", env=state).stdout)
    assert {r["prediction_id"][-1]: r["label"] for r in every} == {"2": "real", "4": "fake", "5": "satire", "7": "real"}


def test_training_rows_can_be_prepared(fakenews, tmp_path):
    """What `log export --with-feedback` writes goes into `data prepare` as it is."""
    state = {"STATE_DIRECTORY": str(tmp_path / "state")}
    probe("write", "-", tmp_path / "state", "rows=40", "text=full", "feedback=1")
    for name in ("csv", "jsonl"):
        assert fakenews("log", "export", "--with-feedback", "--format", name, "--out", f"f.{name}", env=state).code == 0
        done = fakenews("data", "prepare", "--input", f"f.{name}", "--out", f"d-{name}", "data.near_duplicates=null",
                        "audit.after_prepare=false")  # fmt: skip
        assert done.code == 0, done
        splits = json.loads(fakenews("data", "stats", f"d-{name}", "--json").stdout)["splits"]
        assert [sum(split[label] for split in splits.values()) for label in ("real", "fake")] == [20, 20]
        sample = fakenews("data", "sample", f"d-{name}", "--split", "train", "--n", splits["train"]["real"] + splits["train"]["fake"])
        rows = list(csv.DictReader(io.StringIO(sample.stdout)))
        assert len(rows) > 20 and all((row["label"] == "fake") == (int(row["title"].split()[1]) // 2 % 2 == 1) for row in rows)


def test_rows_without_text(fakenews, tmp_path):
    state = {"STATE_DIRECTORY": str(tmp_path / "state")}
    probe("write", "-", tmp_path / "state", "rows=3")
    probe("feedback", "-", tmp_path / "state", "p_00000000", "real", "ann")
    row = json_lines(fakenews("log", "list", env=state).stdout)[0]
    assert row["title"] is None and row["text"] is None and len(row["text_sha256"]) == 64 and row["text_kept"] == "hash"
    done = fakenews("log", "export", "--with-feedback", env=state)
    assert done.code == 0 and done.stdout == "" and "predictions.text=full keeps them" in done.stderr
    done = fakenews("log", "replay", "p_00000000", env=state)
    assert done.code == 2 and "predictions.text=full can be replayed" in done.stderr
    folder = tmp_path / "state"
    assert not any(b"Title 0" in path.read_bytes() for path in folder.iterdir())


def test_rm_and_purge(fakenews, state):
    folder = state["STATE_DIRECTORY"]
    assert fakenews("log", "rm", "p_00000007", "p_00000008", env=state).code == 0
    assert len(stored(folder)) == 28 and select(folder, "SELECT count(*) FROM feedback WHERE prediction_id = 'p_00000007'") == [(0,)]
    done = fakenews("log", "rm", "p_00000007", env=state)
    assert done.code == 2 and "no prediction p_00000007" in done.stderr
    assert not any(b"Title 7" in path.read_bytes() for path in Path(folder).iterdir())  # not even in SQLite's free pages
    probe("write", "-", folder, "first=100", "rows=1200", "days=100", "callers=32")
    done = fakenews("log", "purge", env=state)
    assert done.code == 0 and "1200 predictions were deleted" in done.stderr and len(stored(folder)) == 28
    assert "0 predictions were deleted" in fakenews("log", "purge", env=state).stderr
    done = fakenews("log", "purge", "predictions.keep_days=null", env=state)
    assert done.code == 2 and "--before" in done.stderr
    assert fakenews("log", "purge", "--before", "0m", env=state).code == 0 and stored(folder) == []


def test_replay(fakenews, program, tmp_path):
    """A stored answer is given again with the same bits; under another model it is said what differs."""
    _, models = make_models(program, tmp_path)
    state = {"STATE_DIRECTORY": str(tmp_path / "state")}
    for name, model in models.items():
        (key,), = probe("classify", "-", tmp_path / "state", model, "Moon is rented, they say", "Nobody told the doctor. " * 9)
        done = fakenews("log", "replay", key, "--model", model, "device.threads=2", env=state)
        assert done.code == 0 and f"{key}: the same bits by {name}@" in done.stdout, done
        other = models["bert" if name == "linear" else "linear"]
        done = fakenews("log", "replay", key, "--model", other, env=state)
        assert done.code == 4 and done.stdout.startswith("model: ") and "linear_logit: " in done.stdout, done
        assert "name that one with --model" in done.stderr
    done = fakenews("log", "replay", key, "--model", models["bert"], "infer.max_tokens=8", env=state)
    assert done.code == 4 and "n_tokens: " in done.stdout and "settings infer.* must be those" in done.stderr
    shown = json.loads(fakenews("log", "show", key, env=state).stdout)["prediction"]
    assert len(shown["embedding"]["values"]) > 8 and max(map(abs, shown["embedding"]["values"])) == 127
    assert shown["features"]["text_bytes"] == 24 * 9 and shown["features"]["n_words"] == 5 + 4 * 9


def test_places(fakenews, tmp_path):
    """$STATE_DIRECTORY, else $XDG_STATE_HOME/fakenews, else ~/.local/state/fakenews; DATABASE_URL and PG* before them."""
    key = ("keys", "add", "--role", "admin")
    assert fakenews(*key).code == 0 and (tmp_path / ".local/state/fakenews/predictions.db").exists()
    assert fakenews(*key, env={"XDG_STATE_HOME": str(tmp_path / "xdg")}).code == 0 and (tmp_path / "xdg/fakenews/predictions.db").exists()
    assert fakenews(*key, env={"STATE_DIRECTORY": f"{tmp_path}/a:{tmp_path}/b"}).code == 0 and (tmp_path / "a/predictions.db").exists()
    assert fakenews(*key, env={"DATABASE_URL": "sqlite:here.db"}).code == 0 and (tmp_path / "here.db").exists()
    assert fakenews(*key, "predictions.url=there.db", env={"DATABASE_URL": "sqlite:here.db"}).code == 0 and (tmp_path / "there.db").exists()
    done = fakenews(*key, env={"PGHOST": "/nowhere"})
    assert done.code == 1 and "postgresql://: PostgreSQL: " in done.stderr and "/nowhere" in done.stderr


@pytest.mark.parametrize("arguments,message", [
    (["list", "--limit", "0"], "--limit takes a whole number from 1"),
    (["list", "--since", "yesterday"], "how long ago (90d, 12h, 30m), not \"yesterday\""),
    (["list", "--since", "2026-02-30"], "not \"2026-02-30\""),
    (["list", "--format", "csv"], "--format takes text or jsonl"),
    (["list", "x"], "\"x\" is not expected here"),
    (["show"], "log show takes one id"),
    (["show", "a", "b"], "log show takes one id"),
    (["export", "--labels", "some"], "--labels takes real-fake or all"),
    (["rm"], "log rm takes the ids"),
    (["purge", "--before", "soon"], "--before takes a day"),
    (["list"], "there is no prediction log here"),
    (["list", "predictions.url=none"], "predictions.url is none"),
    (["list", "predictions.url=mysql://h/d"], "accepted are a path, sqlite:PATH and postgresql://"),
])  # fmt: skip
def test_refused(fakenews, arguments, message):
    done = fakenews("log", *arguments)
    assert done.code == 2 and done.stdout == "" and message in done.stderr, done


def test_no_place(fakenews, tmp_path):
    (tmp_path / "file").write_text("")
    done = fakenews("keys", "add", "--role", "admin", env={"STATE_DIRECTORY": str(tmp_path / "file/x")})
    assert done.code == 2 and "predictions.url=PATH" in done.stderr and "predictions.url=none" in done.stderr
    done = fakenews("keys", "add", "--role", "admin", env={"HOME": ""})
    assert done.code == 2 and "there is no state folder" in done.stderr
    (tmp_path / "no.db").write_text("this is no database, but a text that somebody wrote. " * 40)
    done = fakenews("keys", "add", "--role", "admin", "predictions.url=no.db")
    assert done.code == 2 and "no.db" in done.stderr and "not a database" in done.stderr
