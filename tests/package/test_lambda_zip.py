"""The package for AWS Lambda, as `make lambda-zip` has left it: static, and at home in a root that has nothing else."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/cli"))
from lambda_support import Function, Runtime, event  # noqa: E402

ZIP = ROOT / "build/lambda/fakenews-lambda.zip"

@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """The zip's content below <root>/var/task."""
    root = tmp_path_factory.mktemp("root")
    for folder in ("var/task", "proc", "tmp"):
        (root / folder).mkdir(parents=True)
    with zipfile.ZipFile(ZIP) as z:
        for entry in z.infolist():
            Path(z.extract(entry, root / "var/task")).chmod(entry.external_attr >> 16 & 0o777)
    return root / "var/task"


def enter(root, *, namespace=True):
    """The command that starts bootstrap with `root` as /, read-only but for /tmp, with /proc as Lambda has it: in a user
    namespace, or as root without one."""
    script = ('mount --bind "$0" "$0" && mount --rbind /proc "$0/proc" && mount -t tmpfs tmpfs "$0/tmp" && '
              'mount -o remount,bind,ro "$0" && exec /usr/sbin/chroot "$0" /var/task/bootstrap')
    return ["unshare", *(["-r"] if namespace else []), "-m", "sh", "-c", script, str(root)]


def can_enter():
    """User namespaces are switched off on some machines; root needs none."""
    return subprocess.run(["unshare", "-r", "-m", "true"], capture_output=True).returncode == 0


def test_content():
    with zipfile.ZipFile(ZIP) as z:
        entries = {i.filename: i for i in z.infolist()}
    assert list(entries) == ["bootstrap", "share/fakenews/default.fnm"]
    assert entries["bootstrap"].external_attr >> 16 == 0o100755
    assert entries["share/fakenews/default.fnm"].external_attr >> 16 == 0o100644
    assert sum(i.file_size for i in entries.values()) < 250e6  # Lambda's limit, unpacked
    assert ZIP.stat().st_size < 50e6  # and that of an upload without a bucket
    assert {i.date_time for i in entries.values()} == {(1980, 1, 2, 0, 0, 0)}


def test_program_is_static(task):
    head = subprocess.run(["readelf", "-lW", "-d", task / "bootstrap"], capture_output=True, text=True, check=True).stdout
    assert "INTERP" not in head and "NEEDED" not in head, head
    assert "GNU_RELRO" in head


def test_answers_in_an_empty_root(task):
    root = task.parents[1]
    with Runtime() as api, Function(None, "/", api, env={"STATE_DIRECTORY": ""},
                                    command=enter(root, namespace=can_enter())) as function:
        id = api.offer(event("http"))
        status = api.outcome(id).json["statusCode"]
        ready, answered = ((t - function.started) * 1000 for t in (api.first_next, api.arrived[id]))
        assert status == 200
        for name in ("rest", "balancer", "predecessor", "function_url"):
            assert api.ask(event(name))[0] == 200
        again = api.ask(event("function_url"))[1]
        assert again["id"].startswith("p_")  # SQLite is inside: the row is in this sandbox's /tmp
        peak = next(line for line in open(f"/proc/{function.process.pid}/status") if line.startswith("VmHWM"))
        assert function.stop() == 0, function.log
    assert [p.name for p in sorted(root.rglob("*")) if p.is_file()] == ["bootstrap", "default.fnm"]
    print(f"\n{ZIP.name}: first event asked for after {ready:.1f} ms, answered after {answered:.1f} ms; "
          f"peak memory {int(peak.split()[1]) / 1024:.0f} MiB")


def test_says_what_it_cannot_do(task):
    def run(*words):
        return subprocess.run([task / "bootstrap", *words], capture_output=True, text=True, env={"HOME": "/nowhere"})

    served = run("serve", "predictions.url=none")
    assert served.returncode != 0 and "AWS Lambda" in served.stderr and "no HTTP" in served.stderr
    logged = run("serve", "predictions.url=postgresql://127.0.0.1/x")
    assert logged.returncode != 0 and "static build" in logged.stderr
    predicted = run("predict", "--title", "Council approves budget")
    assert predicted.returncode == 0, predicted.stderr


def test_same_bytes_again(tmp_path):
    kept = tmp_path / "first.zip"
    shutil.copy(ZIP, kept)
    environment = {**os.environ, "TZ": "Pacific/Auckland", "LC_ALL": "C"}
    old_mask = os.umask(0o077)
    try:
        subprocess.run([ROOT / "tools/lambda_zip.sh"], check=True, env=environment, capture_output=True)
    finally:
        os.umask(old_mask)
    assert kept.read_bytes() == ZIP.read_bytes()
