"""What the tests of predict and evaluate share: a prepared corpus, and a model of each family trained on it."""

import csv
import io
import json
import subprocess

from train_support import TINY, bare_environment, prepare, write_corpus


def make_models(program, folder):
    """(prepared data, {"linear": run, "bert": run})"""
    corpus = write_corpus(folder / "news.csv", n=240, dataset=lambda i, label: "east" if i % 3 else "west")
    data = prepare(program, folder, corpus)
    runs = {}
    for family, settings in (("linear", ["family=linear", "linear.hash_bits=12"]),
                             ("bert", ["--init", "scratch", *TINY, "train.epochs=3"])):
        runs[family] = folder / family
        done = subprocess.run([program, "train", "--data", data, "--out", runs[family], *settings], capture_output=True,
                              text=True, env=bare_environment(folder), cwd=folder)
        assert done.returncode == 0, done.stderr
    return data, runs


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def csv_rows(text):
    return list(csv.reader(io.StringIO(text, newline="")))


def write_csv(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path
