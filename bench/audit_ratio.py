"""Time of `data audit`, of its short form after `data prepare`, and of scikit-learn for the words alone, in turn.

    python bench/audit_ratio.py --data ../shared/data [--program build/release/fakenews] [--rounds 3]

scikit-learn gets the prepared rows in memory; its imports are not counted. It does what the audit does with words: counts
presence, finds the gap of each word, fits a logistic regression without the best 0, 1, 5, 20 and 100. It does no style, no
overlap, no folding."""

import argparse
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import normalize

FIELDS = ("title", "text")
ARTICLES = ("isot_partial", "buzzfeed_webis", "recovery")


def processor_seconds():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def seconds(function, *arguments):
    """(time on the clock, processor time of this process and its children)."""
    begin, used = time.perf_counter(), processor_seconds()
    function(*arguments)
    return time.perf_counter() - begin, processor_seconds() - used


def run(*command):
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)


def rows_of(folder, split):
    return pa.ipc.open_stream(str(folder / split / "data-00000-of-00001.arrow")).read_all().to_pylist()


def words_with_scikit_learn(train, test):
    y, y_test = (np.array([row["label"] for row in rows]) for rows in (train, test))
    parts = []
    for field in FIELDS:
        make = CountVectorizer(lowercase=False, token_pattern=r"\w+|[^\w\s]", min_df=5, binary=True)
        parts.append((make.fit_transform([row[field] for row in train]), make.transform([row[field] for row in test])))
    x, x_test = (csr_matrix(hstack(p)).astype(float) for p in zip(*parts))
    gap = np.abs(np.asarray(x[y == 1].mean(axis=0)).ravel() - np.asarray(x[y == 0].mean(axis=0)).ravel())
    order = np.argsort(-gap, kind="stable")
    idf = np.log((1 + len(y)) / (1 + np.asarray(x.sum(axis=0)).ravel())) + 1
    for removed in (0, 1, 5, 20, 100):
        keep = np.sort(order[removed:])
        fit, judge = (normalize(part[:, keep].multiply(idf[keep]).tocsr()) for part in (x, x_test))
        model = LogisticRegression(C=10, class_weight="balanced", max_iter=1000).fit(fit, y)
        roc_auc_score(y_test, model.decision_function(judge))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--program", type=Path, default=Path("build/release/fakenews"))
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="audit-"))
    inputs = [args.data / f"{name}.csv.gz" for name in ARTICLES]
    prepare = [args.program, "data", "prepare", "--replace"]
    run(*prepare, "--input", inputs[0], "--out", work / "isot")
    train, test = (rows_of(work / "isot", split) for split in ("train", "test"))
    times = {"prepare, 38.5 MB": [], "prepare and the short form": [], "audit of ISOT": [], "scikit-learn, words only": []}
    for _ in range(args.rounds):
        for name, off in (("prepare, 38.5 MB", "false"), ("prepare and the short form", "true")):
            times[name].append(seconds(run, *prepare, "--input", *inputs, "--out", work / "all", f"audit.after_prepare={off}"))
        times["audit of ISOT"].append(seconds(run, args.program, "data", "audit", work / "isot"))
        times["scikit-learn, words only"].append(seconds(words_with_scikit_learn, train, test))
    used = {name: statistics.median(cpu for _, cpu in values) for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:28} {min(wall for wall, _ in values):6.2f} s at least, processor time {used[name]:6.2f} s")
    print(f"processor time: the short form adds {used['prepare and the short form'] - used['prepare, 38.5 MB']:.2f} s; "
          f"scikit-learn / audit {used['scikit-learn, words only'] / used['audit of ISOT']:.1f}")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
