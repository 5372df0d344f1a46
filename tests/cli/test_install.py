"""`make install` (cmake --install) and `make uninstall`, into a folder of the test."""

import os
import re
import subprocess

import pytest

EXPECTED = {
    "bin/fakenews", "share/man/man1/fakenews.1", "share/bash-completion/completions/fakenews",
    "share/zsh/site-functions/_fakenews", "share/fish/vendor_completions.d/fakenews.fish",
    "share/doc/fakenews/README.md", "share/doc/fakenews/CHANGELOG.md", "share/doc/fakenews/docs/options.md",
    "share/doc/fakenews/docs/schemas/predict.schema.json", "share/doc/fakenews/docs/images/page-desk.png", "include/fakenews/fakenews.h", "lib/libfakenews.so",
    "lib/libfakenews.so.0", "lib/libfakenews.a", "lib/pkgconfig/fakenews.pc",
    "share/doc/fakenews/examples/consumer/classify.c", "share/doc/fakenews/examples/python/classify.py",
}  # fmt: skip


@pytest.mark.parametrize("prefix", ["/usr", "/opt/a b"])
def test_install_and_uninstall(program, repo, tmp_path, prefix, installing):
    with installing():
        check_install_and_uninstall(program, repo, tmp_path, prefix)


def check_install_and_uninstall(program, repo, tmp_path, prefix):
    build = program.parent
    assert (build / "cmake_install.cmake").exists(), f"{build} is no build folder"
    assert (build / "said/fakenews.1").exists(), f"{build}: build all of it first"
    environment = {**os.environ, "DESTDIR": str(tmp_path)}
    root = tmp_path / prefix.lstrip("/")
    foreign = root / "share/man/man1/other.1"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("stays")
    subprocess.run(["cmake", "--install", build, "--prefix", prefix], env=environment, capture_output=True, check=True)
    files = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
    assert EXPECTED <= files
    assert all(p == "bin/fakenews" or re.match("share/|include/fakenews/|lib/(pkgconfig/)?(lib)?fakenews", p) for p in files)
    done = subprocess.run([root / "bin/fakenews", "--version"], capture_output=True, text=True, env={"PATH": ""})
    assert done.returncode == 0 and done.stdout.startswith("fakenews ")
    said = subprocess.run([program, "help", "--man"], capture_output=True, check=True).stdout
    assert (root / "share/man/man1/fakenews.1").read_bytes() == said
    assert (root / "share/zsh/site-functions/_fakenews").read_text().startswith("#compdef fakenews\n")
    assert [p for p in tmp_path.iterdir()] == [tmp_path / prefix.split("/")[1]]  # nothing outside of PREFIX
    subprocess.run([repo / "tools/uninstall.sh", build], env=environment, check=True)
    assert [p for p in root.rglob("*") if p.is_file()] == [foreign]
    assert not (root / "share/doc/fakenews").exists() and not (root / "include/fakenews").exists()


def test_uninstall_without_install(repo, tmp_path):
    done = subprocess.run([repo / "tools/uninstall.sh", tmp_path], capture_output=True, text=True)
    assert done.returncode == 2 and "nothing was installed" in done.stderr
