"""Every allocation and every call on files of every command fails once (make torture; a sample: tests/cli/test_faults.py)."""

import pytest
from torture_support import COMMANDS, Round, fail_allocations, fail_calls, folder, world  # noqa: F401


@pytest.mark.parametrize("name", COMMANDS)
def test_every_allocation_fails(world, folder, name):
    n = fail_allocations(Round(world, name, folder / "round"))
    print(f"faults: {name}: each of {n} allocations")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("error, for_good", [("EIO", False), ("ENOSPC", True), ("EINTR", False), ("short", False)])
def test_every_call_fails(world, folder, name, error, for_good):
    n = fail_calls(Round(world, name, folder / "round"), error, for_good=for_good)
    print(f"faults: {name}: {error} at each of {n} calls{' and all that follow' if for_good else ''}")
