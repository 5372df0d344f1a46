"""A sample of what tests/torture does in full: some allocation or call on files fails, in every command."""

import platform
import tempfile
from pathlib import Path

import pytest
from torture_support import COMMANDS, FAST, Round, World, fail_allocations, fail_calls, kill_at_calls

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no filter of system calls")
# Those in which a training writes its run take longest.
SHARE = {"train": 5, "tune": 3, "resume": 5}


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(dir=FAST, prefix="fn-faults-") as path:
        yield Path(path)


@pytest.fixture(scope="module")
def world(program, folder):
    (folder / "world").mkdir()
    return World(program, folder / "world")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_allocation_fails(world, folder, name):
    assert fail_allocations(Round(world, name, folder / "round"), 2 * SHARE.get(name, 6)) > 50


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("error, for_good", [("EIO", False), ("ENOSPC", True), ("EINTR", False), ("short", False)])
def test_a_call_fails(world, folder, name, error, for_good):
    assert fail_calls(Round(world, name, folder / "round"), error, SHARE.get(name, 6), for_good) > 5


@pytest.mark.parametrize("name", ["train", "resume"])
def test_killed_before_a_call(world, folder, name):
    kills, inside = kill_at_calls(Round(world, name, folder / "round"), 6)
    assert kills > 5 and inside > 0
