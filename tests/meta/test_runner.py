"""The runner notices failing tests: without this proof a green run says nothing."""

import os
import subprocess
import sys

import pytest
from meta.source import REPO


def run(*arguments):
    return subprocess.run([REPO / "tests/run.sh", *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "FN_PYTHON": sys.executable})


def test_passing_pytest_part(tmp_path):
    (tmp_path / "test_x.py").write_text("def test_x():\n    assert True\n")
    done = run(tmp_path)
    assert done.returncode == 0 and "1 passed" in done.stdout


@pytest.mark.parametrize("body", [
    "def test_x():\n    assert False\n",
    "import missing_module\n",
    "def no_test():\n    pass\n",
])  # fmt: skip
def test_failing_or_empty_pytest_part_fails(tmp_path, body):
    (tmp_path / "test_x.py").write_text(body)
    done = run(tmp_path)
    assert done.returncode == 1 and "FAILED:" in done.stdout


def test_unexpected_skip_fails(tmp_path):
    (tmp_path / "conftest.py").write_text((REPO / "tests/conftest.py").read_text().replace("parents[1]", "parent"))
    (tmp_path / "test_x.py").write_text("import pytest\ndef test_x():\n    pytest.skip('no such package')\n")
    assert run(tmp_path).returncode == 1
    (tmp_path / "test_x.py").write_text("import pytest\ndef test_x():\n    pytest.skip('shared: no data')\n")
    assert run(tmp_path).returncode == 0


@pytest.mark.parametrize("program, code", [("/bin/true", 0), ("/bin/false", 1)])
def test_failing_ctest_part_fails(tmp_path, program, code):
    (tmp_path / "CTestTestfile.cmake").write_text(f"add_test(always {program})\n")
    assert run("--build", tmp_path, "unit").returncode == code


def test_ctest_part_without_tests_fails(tmp_path):
    (tmp_path / "CTestTestfile.cmake").write_text("")
    assert run("--build", tmp_path, "unit").returncode == 1


@pytest.mark.parametrize("expected, code", [(1, 0), (2, 1)])
def test_failing_cmocka_test_fails(tmp_path, expected, code):
    (tmp_path / "x.c").write_text(f"""#include "unit.h"
static void compare(void **state) {{ (void)state; assert_int_equal(1, {expected}); }}
int main(void) {{
  const struct CMUnitTest tests[] = {{cmocka_unit_test(compare)}};
  return cmocka_run_group_tests(tests, NULL, NULL);
}}
""")
    build = ["gcc", f"-I{REPO}/tests/unit", "x.c", "-lcmocka", "-o", "x"]
    subprocess.run(build, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "x"], capture_output=True).returncode == code
    (tmp_path / "CTestTestfile.cmake").write_text(f"add_test(x {tmp_path}/x)\n")
    assert run("--build", tmp_path, "unit").returncode == code


def test_every_menu_entry_exists():
    done = subprocess.run(["make", "-C", REPO, "--no-print-directory", "help"], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        if line.startswith("  make "):
            target = line.split()[1]
            subprocess.run(["make", "-C", REPO, "-n", target], capture_output=True, check=True)


def test_deps_only_lists_when_told(tmp_path):
    script = REPO / "tools/deps.sh"
    done = subprocess.run([script, "build"], env={"NO_INSTALL": "1", "PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert done.returncode == 0 and "apt-get install" in done.stdout and "libjansson-dev" in done.stdout
    done = subprocess.run(["/bin/bash", script, "build"], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1 and "libjansson-dev" in done.stderr, "another system gets the names"
