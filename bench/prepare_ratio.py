"""`data prepare` beside what a user would write in Python: CSV files to a tokenised dataset on disk.

    pip install pandas datasets transformers
    python bench/prepare_ratio.py --data ../shared/data --tokenizer ../shared/tokenizers/bert-base-uncased

The peer reads with pandas, drops exact copies, tokenises with a Hugging Face tokenizer in two processes and saves with
`datasets`. Ours does more: boilerplate rules, near duplicates found and verified, conflicting labels, a split, everything
counted. Both start from the same CSV files (unpacked by this script first, so that both read plain text; ours is also
timed on the packed ones) and take turns; the short audit that ends a run otherwise is off; a folder is new every time and gone afterwards. The peer's imports are timed
apart. Ours is timed from start to end of the process.
"""

import argparse
import gzip
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
SETS = ("isot_partial", "buzzfeed_webis", "recovery")


def peer_side(tokenizer, out, files):
    """In a process of its own; prints seconds."""
    begin = time.perf_counter()
    import pandas
    from datasets import Dataset, disable_progress_bars
    from transformers import AutoTokenizer

    disable_progress_bars()
    imported = time.perf_counter()
    rows = pandas.concat([pandas.read_csv(file) for file in files]).dropna(subset=["text"]).drop_duplicates("text")
    rows["text"] = rows.title.fillna("") + " " + rows.text
    encode = AutoTokenizer.from_pretrained(tokenizer)
    dataset = Dataset.from_pandas(rows[["text", "label"]].reset_index(drop=True))
    dataset.map(lambda batch: encode(batch["text"], truncation=True, max_length=512), batched=True, num_proc=2).save_to_disk(out)
    print(json.dumps({"imports": imported - begin, "work": time.perf_counter() - imported,
                      "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def run_peer(args, files, out):
    command = [args.python, __file__, "--peer", str(out), "--tokenizer", str(args.tokenizer), "--data", str(args.data),
               "--files", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def run_ours(args, files, out, threads):
    begin = time.perf_counter()
    command = ["/usr/bin/time", "-f", "%M", args.program, "data", "prepare", "--input", *files, "--out", out, "--tokenizer",
               args.tokenizer, f"device.threads={threads}", "audit.after_prepare=false"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    if done.returncode:
        sys.exit(done.stderr)
    return {"work": seconds, "peak_mb": int(done.stderr.split()[-1]) / 1024}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--program", default=REPO / "build/release/fakenews")
    parser.add_argument("--python", default=sys.executable, help="with pandas, datasets and transformers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--zstd", action="store_true", help="also time ours on .zst files (needs the zstd program)")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--files", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer_side(str(args.tokenizer), args.peer, args.files)
    with tempfile.TemporaryDirectory(dir=REPO / "build") as name:
        folder = Path(name)
        packed, plain, zstd = [args.data / f"{s}.csv.gz" for s in SETS], [], []
        for path in packed:
            plain.append(folder / path.name[:-3])
            plain[-1].write_bytes(gzip.decompress(path.read_bytes()))
            if args.zstd:
                zstd.append(folder / (plain[-1].name + ".zst"))
                subprocess.run(["zstd", "-q", plain[-1], "-o", zstd[-1]], check=True)
        kinds = {"peer, plain, 2 processes": lambda out: run_peer(args, plain, out),
                 "fakenews, plain, 2 threads": lambda out: run_ours(args, plain, out, 2),
                 "fakenews, gzip, 2 threads": lambda out: run_ours(args, packed, out, 2),
                 "fakenews, gzip, 1 thread": lambda out: run_ours(args, packed, out, 1)}
        if args.zstd:
            kinds["fakenews, zstd, 2 threads"] = lambda out: run_ours(args, zstd, out, 2)
        results = {kind: [] for kind in kinds}
        for _ in range(args.rounds):
            for kind, run in kinds.items():
                results[kind].append(run(folder / "out"))
                shutil.rmtree(folder / "out")
        megabytes = sum(path.stat().st_size for path in plain) / 1e6
    print(f"{megabytes:.1f} MB of CSV, medians of {args.rounds} rounds\n\n| | seconds | imports | peak MB | ratio |\n|---|---|---|---|---|")
    peer = statistics.median(r["work"] for r in results["peer, plain, 2 processes"])
    for kind, runs in results.items():
        work, peak = (statistics.median(r[key] for r in runs) for key in ("work", "peak_mb"))
        imports = f"{statistics.median(r['imports'] for r in runs):.2f}" if "imports" in runs[0] else ""
        print(f"| {kind} | {work:.2f} | {imports} | {peak:.0f} | {peer / work:.1f} |")


if __name__ == "__main__":
    main()
