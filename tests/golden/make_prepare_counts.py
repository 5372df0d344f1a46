"""What `data prepare` makes of the sample corpus and the reference sets, as counts and hashes: prepare_counts.json.

    python tests/golden/make_prepare_counts.py build/release/fakenews --data ../shared/data

Made once by version 0.1.0 at commit d6f8ffa, which held all rows in memory; whatever reads, sorts and writes in another
way must come to the same rows, splits and bytes. tests/light/test_prepare_counts.py compares. Made anew only when the
meaning of a count or of a setting changes on purpose.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).with_name("prepare_counts.json")
SETS = ("isot_partial", "buzzfeed_webis", "recovery", "celebrity", "coaid_news", "constraint2021", "liar", "fa_kes")
SAMPLE = "examples/news.csv"
# name → (inputs: a file of the project or names of reference sets, settings)
CASES = {
    "sample": (SAMPLE, []),
    "sample, title, 0.5": (SAMPLE, ["data.text=title", "data.near_duplicates=0.5"]),
    **{name: ((name,), []) for name in SETS},
    "all": (SETS, ["data.seed=7"]),
    "all, 0.5": (SETS, ["data.near_duplicates=0.5"]),
    "all, titles": (SETS, ["data.text=title"]),
    "all, no near": (SETS, ["data.near_duplicates=null", "data.rules=none"]),
    "articles by source": (SETS[:3], ["data.split=group", "data.near_duplicates=0.6"]),
    "all by dataset": (SETS, ["data.split=group", "data.group=dataset"]),
    "tweets twice, given": (("constraint2021", "constraint2021"), ["data.split=given", "data.near_duplicates=0.5"]),
    "twice by source": (("buzzfeed_webis", "recovery", "buzzfeed_webis"), ["data.split=group"]),
}


def prepare(program, data, case, out, more=()):
    """Counts of one case; the folder `out` is made."""
    inputs, settings = CASES[case]
    paths = [REPO / inputs] if isinstance(inputs, str) else [data / f"{name}.csv.gz" for name in inputs]
    done = subprocess.run([program, "data", "prepare", "--input", *paths, "--out", out, *settings, *more],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{case}: {done.stderr}")
    report = json.loads((out / "prepare.json").read_text())
    counts = {key: report[key] for key in ("dataset_hash", "rows", "duplicates", "splits")}
    counts["rules"] = [[rule["name"], rule["real"], rule["fake"]] for rule in report["rules"]["rows_cut"]]
    counts["arrow"] = hashlib.sha256(b"".join(
        (out / split / "data-00000-of-00001.arrow").read_bytes() for split in ("train", "validation", "test"))).hexdigest()
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = {case: prepare(args.program, args.data, case, Path(folder) / str(i)) for i, case in enumerate(CASES)}
    lines = ",\n".join(f"{json.dumps(case)}: {json.dumps(value)}" for case, value in counts.items())
    GOLDEN.write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
