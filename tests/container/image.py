"""The image of deploy/container/Dockerfile without Docker: its instructions taken in a bare Debian root, and processes
started in what comes out as a container host would start them. Needs root and debootstrap."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
CACHE = REPO / "build/container"
BASE = CACHE / "debian-bookworm"
CERTIFICATES = Path("/etc/ssl/certs")

ENTER = """
root=$1 mode=$2; shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"; mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
case $mode in
  build) touch "$root/etc/resolv.conf"; mount --bind /etc/resolv.conf "$root/etc/resolv.conf" ;;
  run) mount -t tmpfs -o mode=0755,uid=10001,gid=10001 tmpfs "$root/var/lib/fakenews"; mount -o remount,bind,ro "$root" ;;
  lambda) mount -o remount,bind,ro "$root" ;;
esac
exec chroot "$@"
"""


def debian():
    """A bare root, made once."""
    if (BASE / ".ready").exists():
        return
    shutil.rmtree(BASE, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    sources = [*Path("/etc/apt").glob("sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    found = [m for s in sources for m in re.findall(r"https?://\S+/debian/?(?=\s|$)", s.read_text(), re.M)]
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", BASE, *(found[:1] or ["http://deb.debian.org/debian"])],
                   check=True, capture_output=True)
    shutil.copytree(CERTIFICATES, BASE / "etc/ssl/certs", dirs_exist_ok=True)  # where the mirror is asked over TLS
    (BASE / ".ready").touch()


class Image:
    def __init__(self, whole):
        self.whole = whole  # the first stage, too, is built in the root, not taken from build/release
        self.roots, self.env, self.user, self.health = {}, {}, None, None
        self.entrypoint, self.command, self.shell, self.workdir = [], [], ["/bin/sh", "-c"], "/"
        debian()
        shutil.rmtree(CACHE / "run", ignore_errors=True)
        for line in (REPO / "deploy/container/Dockerfile").read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                word, _, rest = line.partition(" ")
                print("+", line, flush=True)
                getattr(self, f"on_{word.lower()}")(rest)  # an unknown instruction is an error

    def enter(self, mode, words, user="0:0", env=None):
        """The command of a process whose / is the stage's root. mode: build; run (read-only but for /tmp and the volume);
        lambda (but for /tmp)."""
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **self.env, **(env or {})}
        return ["unshare", "-m", "bash", "-euc", ENTER, "enter", str(self.root), mode, f"--userspec={user}", str(self.root),
                "/usr/bin/env", "-i", *[f"{k}={v}" for k, v in environment.items()], *words]

    def start(self, mode="run", env=None, arguments=None):
        """As a container host starts it: entry point, command (or arguments instead), user, environment."""
        words = [*self.entrypoint, *(self.command if arguments is None else arguments)]
        return subprocess.Popen(self.enter(mode, words, self.user, env), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, cwd="/")

    def is_healthy(self, env=None):
        return subprocess.run(self.enter("run", [*self.shell, self.health], self.user, env), capture_output=True).returncode == 0

    # instructions

    def on_from(self, rest):
        base, _, name = rest.partition(" AS ")
        assert base == "debian:bookworm-slim", base
        self.root = CACHE / "run" / (name or "final")
        self.workdir = "/"
        self.roots[name] = self.root
        self.root.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", BASE, self.root], check=True)

    def on_workdir(self, rest):
        self.workdir = rest
        (self.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def on_copy(self, rest):
        words = shlex.split(rest)
        if words[0].startswith("--from="):
            source = self.roots[words[0][7:]] / words[1].lstrip("/")
            subprocess.run(["cp", "-a", f"{source}/.", self.root / words[2].lstrip("/")], check=True) if (
                self.root / words[2].lstrip("/")).is_dir() else shutil.copytree(source, self.root / words[2].lstrip("/"))
            return
        assert (REPO / words[0]).exists(), words
        if self.whole and words[0] == ".":
            tracked = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, check=True, capture_output=True).stdout
            packed = subprocess.run(["tar", "--null", "-T", "-", "-c"], cwd=REPO, input=tracked, check=True, capture_output=True)
            subprocess.run(["tar", "-x", "-C", self.root / self.workdir[1:]], input=packed.stdout, check=True)
        elif self.whole:
            target = self.root / self.workdir[1:] / words[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / words[0], target)

    def on_run(self, rest):
        if self.root == self.roots.get("build") and not self.whole:
            if "cmake --install" in rest:
                subprocess.run(["tools/build.sh", "release"], cwd=REPO, check=True, capture_output=True)
                subprocess.run(["cmake", "--install", "build/release", "--prefix", "/usr/local", "--strip"], cwd=REPO,
                               check=True, capture_output=True, env={**os.environ, "DESTDIR": str(self.root / "out")})
            return
        done = subprocess.run(self.enter("build", ["bash", "-c", f"cd {self.workdir} && {rest}"]), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def on_user(self, rest):
        self.user = rest

    def on_env(self, rest):
        self.env.update(word.split("=", 1) for word in shlex.split(rest))

    def on_volume(self, rest):
        assert (self.root / rest.lstrip("/")).is_dir(), rest

    def on_expose(self, rest):
        assert rest == self.env["PORT"]

    def on_stopsignal(self, rest):
        assert rest == "SIGTERM"

    def on_shell(self, rest):
        self.shell = json.loads(rest)

    def on_healthcheck(self, rest):
        self.health = rest.partition("CMD ")[2]

    def on_entrypoint(self, rest):
        self.entrypoint = json.loads(rest)

    def on_cmd(self, rest):
        self.command = json.loads(rest)
