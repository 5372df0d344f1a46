"""WordPiece beside its fastest peer (PyPI nanotoken) and Hugging Face's engine: MB of article text a second.

    pip install nanotoken tokenizers
    python bench/tokenizer_ratio.py --data ../shared/data --tokenizer ../shared/tokenizers/bert-base-uncased

Title and text of the three article sets, 37.5 MB. All programs run in turn, in every round anew (so that a first pass is
one); the best of the rounds counts, for each on its own. "Call by call" is one thread and a call a text; "batch" is as
many threads as --threads says and keeps all ids. The peer's tokenizer holds a cache of words over its passes, as ours
does. Ids are compared first.
"""

import argparse
import csv
import gzip
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
SETS = ("isot_partial", "buzzfeed_webis", "recovery")


def read_texts(folder):
    csv.field_size_limit(1 << 30)
    texts = []
    for name in SETS:
        with gzip.open(folder / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            texts += [row["title"] + " " + row["text"] for row in csv.DictReader(file)]
    return texts


def packed(texts):
    return b"".join(struct.pack("<I", len(t)) + t for t in (text.encode() for text in texts))


def ours(probe, tokenizer, given, passes, threads):
    done = subprocess.run([probe, "speed", tokenizer, str(passes), str(threads)], input=given, capture_output=True,
                          check=True)
    return json.loads(done.stdout)["seconds"]


def compare_ids(probe, tokenizer, texts, peer):
    """Ids only: the peer gives no places."""
    some = texts[::25]
    out = subprocess.run([probe, "encode", tokenizer, "0"], input=packed(some), capture_output=True, check=True).stdout
    numbers, at = memoryview(out).cast("i"), 0
    for text in some:
        n = numbers[at]
        mine = numbers[at + 1:at + 1 + n].tolist()
        if mine != [int(i) for i in peer.encode(text)][1:-1] and mine != [int(i) for i in peer.encode(text)]:
            sys.exit(f"ids differ: {text[:200]!r}")
        at += 1 + 3 * n
    return len(some)


def timed(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with tokenizer.json")
    parser.add_argument("--probe", type=Path, default=REPO / "build/dev/tests/tools/text_probe")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(args.threads)
    import nanotoken

    texts = read_texts(args.data)
    given, megabytes = packed(texts), sum(len(t.encode()) for t in texts) / 1e6
    file = str(args.tokenizer / "tokenizer.json")
    same = compare_ids(args.probe, args.tokenizer, texts, nanotoken.Tokenizer(file))
    best = {}

    def note(name, seconds):
        best[name] = min(best.get(name, seconds), seconds)

    for _ in range(args.rounds):
        for kind, threads in (("call by call", 1), ("batch", args.threads)):
            peer = nanotoken.Tokenizer(file)
            run = (lambda: [peer.encode(t) for t in texts]) if threads == 1 else (lambda: peer.encode_batch(texts))
            seconds = [timed(run) for _ in range(3)]
            note(("nanotoken", kind, "first"), seconds[0])
            note(("nanotoken", kind, "warm"), min(seconds[1:]))
            seconds = ours(args.probe, args.tokenizer, given, 3, threads)
            note(("fakenews", kind, "first"), seconds[0])
            note(("fakenews", kind, "warm"), min(seconds[1:]))
    print(f"{len(texts)} texts, {megabytes:.1f} MB, best of {args.rounds} rounds, batch on {args.threads} threads; "
          f"ids compared on {same} texts")
    print("| | pass | nanotoken, MB/s | fakenews, MB/s | ratio |\n|---|---|---|---|---|")
    for kind in ("call by call", "batch"):
        for state in ("first", "warm"):
            a, b = (megabytes / best[name, kind, state] for name in ("nanotoken", "fakenews"))
            print(f"| {kind} | {state} | {a:.0f} | {b:.0f} | {b / a:.2f} |")


if __name__ == "__main__":
    main()
