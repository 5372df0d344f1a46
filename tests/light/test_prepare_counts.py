"""`data prepare` comes to the rows, splits and bytes it came to when it held everything in memory, at any number of
threads (tests/golden/make_prepare_counts.py says where the counts come from)."""

import json

import pytest
from golden.make_prepare_counts import CASES, GOLDEN, prepare

EXPECTED = json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("case", CASES)
def test_counts_and_bytes_are_the_same(program, request, tmp_path, case):
    data = None if case.startswith("sample") else request.getfixturevalue("shared") / "data"
    for threads in (1, 3):
        got = prepare(program, data, case, tmp_path / str(threads), [f"device.threads={threads}"])
        assert got == EXPECTED[case], f"{threads} threads"
