"""PyArrow judges prepared datasets: it reads every stream that we write, equal to the rows that went in, and we read
what it writes. (tests/judge/test_datasets.py does the same with the `datasets` library.)"""

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow", reason="pip install pyarrow to run this judge")

REPO = Path(__file__).resolve().parents[2]
PROBE = Path(os.environ.get("FN_TOOLS", REPO / "build/dev/tests/tools")) / "data_probe"
SPLITS = ["train", "validation", "test"]
COLUMNS = ["title", "text", "label", "dataset", "source", "split", "cluster", "row", "hash"]
NUMBERS = {"label", "cluster", "row"}
SCHEMA = pa.schema([(name, pa.int64() if name in NUMBERS else pa.string()) for name in COLUMNS])
ALPHABET = [*"abc XYZ,.\"'\n\t", "é", "ß", "中", "🙂", "\u0301", "\ufeff", "\u2028", "\x01"]


def probe(*arguments, rows=None, check=True):
    assert PROBE.exists(), f"{PROBE} is missing: build the dev preset, or set FN_TOOLS"
    given = None if rows is None else "".join(json.dumps(row) + "\n" for row in rows)
    done = subprocess.run([PROBE, *map(str, arguments)], input=given, capture_output=True, text=True)
    if check:
        assert done.returncode == 0, done.stderr
    return done.stdout


def make_rows(seed, counts):
    rng = random.Random(seed)

    def text(longest):
        return "".join(rng.choices(ALPHABET, k=rng.randrange(longest + 1)))

    return [{"split": split, "title": text(60), "text": text(rng.choice([0, 500, 3000])), "label": rng.randrange(2),
             "dataset": rng.choice(["alpha", "beta"]), "source": rng.choice(["", "a.example", "b.example"]),
             "cluster": rng.randrange(2**62), "row": i, "hash": f"{rng.getrandbits(128):032x}"}
            for split, n in zip(SPLITS, counts) for i in range(n)]


def read_stream(path):
    with pa.ipc.open_stream(path.read_bytes()) as reader:  # not mapped: some tests write the file anew
        return reader.read_all()


def dump(folder):
    lines = [json.loads(line) for line in probe("dump", folder).split("\n") if line]
    return lines[:-1], lines[-1]["hash"]


@pytest.mark.parametrize("counts", [(5, 2, 1), (2500, 0, 1000), (0, 0, 0), (1001, 999, 1)])
def test_pyarrow_reads_ours(tmp_path, counts):
    rows = make_rows(sum(counts), counts)
    digits = probe("write", tmp_path, rows=rows).strip()
    back = []
    for split, n in zip(SPLITS, counts):
        table = read_stream(tmp_path / split / "data-00000-of-00001.arrow")
        table.validate(full=True)
        assert table.schema.equals(SCHEMA), table.schema
        assert table.num_rows == n
        features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
        assert list(features) == COLUMNS
        assert features["label"] == {"names": ["real", "fake"], "_type": "ClassLabel"}
        assert features == json.loads((tmp_path / split / "dataset_info.json").read_text())["features"]
        assert [batch.num_rows for batch in table.to_batches()] == [1000] * (n // 1000) + ([n % 1000] if n % 1000 else [])
        back += table.to_pylist()
    assert back == rows
    assert dump(tmp_path) == (rows, digits)


def test_body_is_aligned(tmp_path):
    """Every buffer starts at a multiple of 64 bytes of the file, so that a mapping is read as it is."""
    probe("write", tmp_path, rows=make_rows(3, (1500, 0, 0)))
    with pa.memory_map(str(tmp_path / "train" / "data-00000-of-00001.arrow")) as file:
        base = file.read_buffer(0).address
        file.seek(0)
        for batch in pa.ipc.open_stream(file):
            for column in batch.columns:
                for buffer in column.buffers():
                    assert buffer is None or buffer.size == 0 or (buffer.address - base) % 64 == 0


def test_bytes_depend_on_rows_only(tmp_path):
    rows = make_rows(4, (300, 40, 50))
    mixed = sorted(rows, key=lambda row: row["row"])  # the splits take turns, the order within each is the same
    hashes = [probe("write", tmp_path / name, rows=order) for name, order in
              (("a", rows), ("b", rows), ("c", mixed)) if not (tmp_path / name).mkdir()]
    assert hashes[0] == hashes[1] == hashes[2]
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 10
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() == (tmp_path / "c" / file).read_bytes()


def test_hash_sees_every_change(tmp_path):
    rows = make_rows(5, (3, 1, 1))
    changes = [("title", "x"), ("text", "x"), ("dataset", "x"), ("source", "x"), ("label", 1 - rows[1]["label"]),
               ("cluster", 1), ("row", 77), ("hash", "0" * 32), ("split", "test")]
    variants = [rows, [rows[1], rows[0], *rows[2:]], rows[:-1]] + \
        [[rows[0], {**rows[1], key: value}, *rows[2:]] for key, value in changes]
    seen = set()
    for i, variant in enumerate(variants):
        (tmp_path / str(i)).mkdir()
        digits = probe("write", tmp_path / str(i), rows=variant)
        assert digits not in seen, f"variant {i}"
        seen.add(digits)


def test_ours_reads_pyarrow(tmp_path):
    """The files of a dataset written again by PyArrow, in batches of other sizes and with other columns between."""
    rows = make_rows(6, (700, 20, 30))
    digits = probe("write", tmp_path, rows=rows).strip()
    for split, batch in zip(SPLITS, (137, 1, 30)):
        path = tmp_path / split / "data-00000-of-00001.arrow"
        table = read_stream(path)
        again = pa.table({"score": pa.array([0.5] * table.num_rows)} |
                         {name: table[name] for name in reversed(COLUMNS)} |
                         {"flag": pa.array([None] * table.num_rows, pa.bool_())})
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, again.schema) as writer:
            writer.write_table(again, max_chunksize=batch)
    assert dump(tmp_path) == (rows, digits)


@pytest.mark.parametrize("change, expected", [
    (lambda t: t.set_column(1, "text", t["text"].cast(pa.large_string())), "column text is large_string; string is accepted"),
    (lambda t: t.set_column(3, "dataset", t["dataset"].dictionary_encode()), "column dataset is dictionary-encoded"),
    (lambda t: t.set_column(2, "label", t["label"].cast(pa.int8())), "column label is int8; int64 is accepted"),
    (lambda t: t.set_column(2, "label", pa.array([0, 2])), "label must be 0 (real) or 1 (fake)"),
    (lambda t: t.set_column(0, "title", pa.array(["a", None])), "column title holds nulls"),
    (lambda t: t.drop_columns(["source"]), "there is no column source"),
])
def test_refused(tmp_path, change, expected):
    probe("write", tmp_path, rows=make_rows(7, (2, 0, 0)))
    path = tmp_path / "train" / "data-00000-of-00001.arrow"
    table = change(read_stream(path))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    status, message = probe("check", tmp_path).split("\t")
    assert status in ("invalid", "unsupported")
    assert expected in message and "train" in message
