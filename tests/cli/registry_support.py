"""What the tests of the registry share: two trained models, their versions, and a copy of both for each test."""

import json
import shutil
import sqlite3
import subprocess

from infer_support import make_models
from train_support import bare_environment


class Place:
    """A working folder with models and a registry of its own."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def run(self, *arguments, code=0, **env):
        done = subprocess.run([str(self.program), *map(str, arguments)], capture_output=True, text=True,
                              env=bare_environment(self.folder, **env), cwd=self.folder)
        assert code is None or done.returncode == code, (arguments, done.returncode, done.stdout[-3000:], done.stderr[-3000:])
        return done

    def registry(self, *arguments, code=0, **env):
        return self.run("registry", *arguments, code=code, **env)

    def json(self, *arguments, **more):
        return json.loads(self.registry(*arguments, "--json", **more).stdout)

    def alias(self, name="best"):
        """Where an alias stands; None: nowhere."""
        for line in self.registry("list", code=None).stdout.splitlines():
            version = json.loads(line)
            if name in version["aliases"]:
                return version["version"]
        return None

    def database(self, statement, *values):
        with sqlite3.connect(self.folder / "runs/tracking.db") as connection:
            rows = connection.execute(statement, values).fetchall()
        connection.close()
        return rows

    def content(self, owner, path):
        """The stored file of a version or run."""
        ((sha,),) = self.database("SELECT sha256 FROM artifacts WHERE owner = ? AND path = ?", owner, path)
        return self.folder / "runs/artifacts/sha256" / sha[:2] / sha


def make_place(program, folder):
    """Versions of fake-news: 1 bert in int8, 2 the linear family, 3 bert unquantised."""
    make_models(program, folder)
    place = Place(program, folder)
    for run, settings in (("bert", []), ("linear", []), ("bert", ["dtype=f32"])):
        place.registry("add", run, *settings)
    return place


def copy_place(place, folder):
    shutil.copytree(place.folder, folder, symlinks=True, dirs_exist_ok=True)
    return Place(place.program, folder)
