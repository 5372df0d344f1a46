"""Writes corpus/arrow/: small streams by PyArrow, of the forms that are read and of those that are refused.

    python tests/fuzz/make_arrow_corpus.py        (made with PyArrow 26.0.1; the unit test test_data_arrow reads them)
"""

from pathlib import Path

import pyarrow as pa

OUT = Path(__file__).resolve().parent / "corpus" / "arrow"
TITLES = [f"title {i} ü" for i in range(5)]
NUMBERS = [i * 1000003 - 5 for i in range(5)]


def table(titles=pa.string(), numbers=pa.int64(), **more):
    return pa.table({"title": pa.array(TITLES, titles), "n": pa.array(NUMBERS, numbers), **more})


def stream(name, made, batch_rows=2, options=None):
    with pa.OSFile(str(OUT / name), "wb") as file:
        with pa.ipc.new_stream(file, made.schema, options=options) as writer:
            if made.num_rows == 0:
                return
            writer.write_table(made, max_chunksize=batch_rows)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    stream("pyarrow.arrow", table().replace_schema_metadata({"huggingface": '{"info": {}}'}))
    plain = [True, False, True, None, False]
    stream("extra-columns.arrow", pa.table({
        "flag": pa.array(plain), "title": TITLES, "score": pa.array([0.5] * 5), "blob": pa.array([b"x"] * 5),
        "none": pa.nulls(5), "day": pa.array([0] * 5, pa.date32()), "n": NUMBERS,
        "wide": pa.array(["w"] * 5, pa.large_string()), "four": pa.array([b"1234"] * 5, pa.binary(4))}))
    made = table()
    with pa.OSFile(str(OUT / "empty-batches.arrow"), "wb") as file, pa.ipc.new_stream(file, made.schema) as writer:
        for start, length in ((0, 0), (0, 2), (2, 0), (2, 0), (2, 3), (5, 0)):
            columns = [made["title"].combine_chunks().slice(start, length), made["n"].combine_chunks().slice(start, length)]
            writer.write_batch(pa.record_batch(columns, schema=made.schema))
    stream("no-rows.arrow", table().slice(0, 0))
    longer = pa.table({"title": ["before", *TITLES, "after"], "n": [0, *NUMBERS, 0]})
    stream("sliced.arrow", longer.slice(1, 5))
    stream("large-string.arrow", table(titles=pa.large_string()))
    stream("string-view.arrow", table(titles=pa.string_view()))
    stream("dictionary.arrow", pa.table({"title": pa.array(TITLES).dictionary_encode(), "n": NUMBERS}))
    small = pa.table({"title": TITLES, "n": pa.array([1] * 5, pa.int32())})
    stream("int32.arrow", small)
    stream("uint64.arrow", small.cast(pa.schema([("title", pa.string()), ("n", pa.uint64())])))
    stream("float.arrow", small.cast(pa.schema([("title", pa.string()), ("n", pa.float64())])))
    stream("list.arrow", table(more=pa.array([[1], [2, 3], [], [4], [5]])))
    stream("nulls.arrow", pa.table({"title": ["a", None, "b", "c", "d"], "n": NUMBERS}))
    stream("zstd.arrow", table(), options=pa.ipc.IpcWriteOptions(compression="zstd"))
    with pa.OSFile(str(OUT / "file-format.arrow"), "wb") as file, pa.ipc.new_file(file, made.schema) as writer:
        writer.write_table(made)
    arrays = [pa.array(TITLES), pa.array(NUMBERS), pa.array(TITLES)]
    stream("twice.arrow", pa.Table.from_arrays(arrays, names=["title", "n", "title"]))
    stream("missing.arrow", table().drop_columns(["n"]))


if __name__ == "__main__":
    main()
