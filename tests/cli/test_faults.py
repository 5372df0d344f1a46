"""A sample of what tests/torture does in full: some allocation or call on files fails, in every command."""

import platform

import pytest
from torture_support import COMMANDS, Round, fail_allocations, fail_calls, folder, kill_at_calls, world  # noqa: F401

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no filter of system calls")
# Those in which a training writes its run take longest.
SHARE = {"train": 5, "tune": 3, "resume": 5}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_allocation_fails(world, folder, name):
    share = None if name == "predict-csv" else 2 * SHARE.get(name, 6)  # it is quick, so every one
    assert fail_allocations(Round(world, name, folder / "round"), share) > 50


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("error, for_good", [("EIO", False), ("ENOSPC", True), ("EINTR", False), ("short", False)])
def test_a_call_fails(world, folder, name, error, for_good):
    assert fail_calls(Round(world, name, folder / "round"), error, SHARE.get(name, 6), for_good) > 5


@pytest.mark.parametrize("name", ["train", "resume"])
def test_killed_before_a_call(world, folder, name):
    kills, inside = kill_at_calls(Round(world, name, folder / "round"), 6)
    assert kills > 5 and inside > 0
