"""What all Python tests share: where the program is, how to run it, and which skips are allowed.

FN_BIN     the program (default build/dev/fakenews, then build/release/fakenews)
FN_TOOLS   helper programs built by tests/tools
FN_SHARED  reference data beside the repository (default ../shared); tests that need it are skipped without it
FN_STRICT  1: a test that is skipped for another reason than missing reference data counts as failed (tests/run.sh)
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests"))


def find_program():
    if "FN_BIN" in os.environ:
        return Path(os.environ["FN_BIN"]).resolve()
    for build in ("dev", "release"):
        path = REPO / "build" / build / "fakenews"
        if path.exists():
            return path
    return REPO / "build/release/fakenews"


FN_BIN = find_program()
os.environ["FN_BIN"] = str(FN_BIN)  # tests that read the variable themselves see the same program
FN_SHARED = Path(os.environ.get("FN_SHARED", REPO.parent / "shared")).resolve()


# A runner may have been started in the background or by nohup, with signals ignored or held back; the programs that are
# tested would inherit that. Nor are they to meet settings or a proxy of whoever runs the tests.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
os.umask(0o022)
for name in list(os.environ):
    if name.startswith(("FAKENEWS_", "MLFLOW_", "WANDB_", "KAGGLE_")) or name in ("DATABASE_URL", "STATE_DIRECTORY", "CACHE_DIRECTORY"):
        del os.environ[name]
for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1", "localhost"]))


class Done:
    """A finished command: its exit code, standard output and standard error."""

    def __init__(self, code, stdout, stderr):
        self.code, self.stdout, self.stderr = code, stdout, stderr

    def __repr__(self):
        return f"exit code {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


@pytest.fixture(scope="session")
def program():
    assert FN_BIN.exists(), f"{FN_BIN} is missing: run `make dev`, or set FN_BIN"
    return FN_BIN


@pytest.fixture
def fakenews(program, tmp_path):
    """fakenews("data", "prepare", …, input="", env={}, cwd=…) runs the program with a clean environment in tmp_path."""

    def run(*arguments, input="", env=None, cwd=None, timeout=120):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", **(env or {})}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        done = subprocess.run([program, *map(str, arguments)], input=input, capture_output=True, text=True,
                              errors="surrogateescape", env=environment, cwd=cwd or tmp_path, timeout=timeout)
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def shared():
    """The folder of reference data."""
    if not FN_SHARED.is_dir():
        pytest.skip(f"shared: no reference data at {FN_SHARED}")
    return FN_SHARED


@pytest.fixture(scope="session")
def installing(program):
    """with installing(): one test at a time, for installing writes its list of files into the build folder, and tests run
    side by side."""

    @contextlib.contextmanager
    def hold():
        with open(program.parent / "install.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    return hold


@pytest.fixture(scope="session")
def repo():
    return REPO


def allowed(reason):
    return "shared" in reason.lower() or "reference data" in reason.lower()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if os.environ.get("FN_STRICT") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not allowed(reason):
            report.outcome = "failed"
            report.longrepr = f"skipped where everything should be there: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    if os.environ.get("FN_STRICT") == "1" and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not allowed(reason):
            report.outcome = "failed"
            report.longrepr = f"skipped where everything should be there: {reason}"
    return report
