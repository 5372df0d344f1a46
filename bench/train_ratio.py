"""Training speed and memory, as a ratio to PyTorch taken in one run on this machine.

Two loads: dense (every sequence fills the limit: no padding to be saved) and articles (real lengths; PyTorch pads each
batch to its longest sequence, as a Trainer does). Both sides take turns, round by round, so that a noisy neighbour
meets both; the ratio is the median over rounds. Steps include the optimiser; loading and evaluation are left out.

  python bench/train_ratio.py --model MINILM_DIR --data ../shared/data --python build/venv/bin/python

MINILM_DIR: a Hugging Face directory. --data: folder with the article sets; without it only the dense load is run.
"""

import argparse
import csv
import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

csv.field_size_limit(1 << 30)


# --- PyTorch, in a process of its own: python train_ratio.py --torch FILE …


def torch_side(a):
    """Steps over padded batches of the rows in a JSON-lines file of token ids."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(a.model, num_labels=2).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)
    rows = [json.loads(line) for line in Path(a.torch).read_text().splitlines()]
    seconds, tokens = [], []
    for step in range(a.steps):
        part = rows[step * a.batch:(step + 1) * a.batch]
        longest = max(len(r["ids"]) for r in part)
        ids = torch.tensor([r["ids"] + [0] * (longest - len(r["ids"])) for r in part])
        mask = torch.tensor([[1] * len(r["ids"]) + [0] * (longest - len(r["ids"])) for r in part])
        labels = torch.tensor([r["label"] for r in part])
        begin = time.monotonic()
        optimizer.zero_grad()
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.monotonic() - begin)
        tokens.append(sum(len(r["ids"]) for r in part))
    return {"seconds": seconds, "tokens": tokens}


# --- both sides


def measured(command, **options):
    """Standard output of a command and its peak resident memory in MB."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True, **options)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return out, usage.ru_maxrss / 1024


def tokens_per_second(seconds, tokens, skip=2):
    """Over all steps but the first ones, which warm up."""
    return sum(tokens[skip:]) / sum(seconds[skip:])


def run_torch(a, load):
    out, memory = measured([a.python, __file__, "--torch", load["ids"], "--model", a.model, "--batch", a.batch,
                            "--steps", a.steps, "--threads", a.threads])
    result = json.loads(out.splitlines()[-1])
    return tokens_per_second(result["seconds"], result["tokens"]), memory


def run_ours(a, load, work):
    out = work / "run"
    subprocess.run(["rm", "-rf", out], check=True)
    _, memory = measured([a.program, "train", "--data", load["data"], "--init", a.model, "--out", out, "--quiet",
                          f"train.max_steps={a.steps}", f"train.batch_size={a.batch}", f"train.max_tokens={a.max_tokens}",
                          "train.log_every=1", f"device.threads={a.threads}", *a.settings])
    stamps = [json.loads(line) for line in (out / "times.jsonl").read_text().splitlines()]
    at = [s["unix_ms"] for s in stamps if s["event"] == "step"]
    seconds = [(b - c) / 1000 for b, c in zip(at[1:], at)]
    mean = load["tokens_per_row"] * a.batch  # rows come in another order than there: the mean over steps counts
    return tokens_per_second(seconds, [mean] * len(seconds), skip=1), memory


def prepare(a, work, name, rows):
    """A prepared dataset of rows (title, text, label), and the ids of its training rows for PyTorch."""
    folder = work / name
    folder.mkdir()
    with open(folder / "rows.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["title", "text", "label"])
        writer.writerows(rows)
    subprocess.run([a.program, "data", "prepare", "--input", folder / "rows.csv", "--out", folder / "data", "--quiet",
                    "data.near_duplicates=null", "data.rules=none", "data.fractions=[0.98,0.01,0.01]"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    out, _ = measured([a.python, __file__, "--ids", folder / "data", "--model", a.model, "--max-tokens", a.max_tokens])
    (folder / "ids.jsonl").write_text(out)
    lengths = [len(json.loads(line)["ids"]) for line in out.splitlines()]
    if len(lengths) < a.steps * a.batch:
        raise SystemExit(f"{name}: {len(lengths)} rows are too few for {a.steps} steps of {a.batch}")
    return {"data": folder / "data", "ids": folder / "ids.jsonl", "tokens_per_row": statistics.mean(lengths),
            "fill": statistics.mean(lengths) / a.max_tokens}


def ids_of(a):
    import datasets
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(a.model)
    rows = list(datasets.load_from_disk(a.ids)["train"])
    random.Random(0).shuffle(rows)
    for row in rows:
        ids = tokenizer(row["title"], row["text"], truncation="longest_first", max_length=a.max_tokens)["input_ids"]
        print(json.dumps({"ids": ids, "label": row["label"]}))


def dense_rows(a):
    rng = random.Random(1)
    words = "market river council winter letter garden station engine paper island doctor village music window".split()
    n = int(a.steps * a.batch * 1.1) + 100
    return [(f"row {i}", " ".join(rng.choice(words) for _ in range(a.max_tokens)) + f" {i}", i % 2) for i in range(n)]


def article_rows(a):
    rows = []
    for name in ("isot_partial", "buzzfeed_webis", "recovery", "celebrity", "coaid_news"):
        with gzip.open(Path(a.data) / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            rows += [(r["title"], r["text"], r["label"]) for r in csv.DictReader(file) if r["title"] and r["text"]]
    random.Random(1).shuffle(rows)
    return rows[:int(a.steps * a.batch * 1.2) + 200]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True)
    p.add_argument("--data", help="folder with the article sets (*.csv.gz)")
    p.add_argument("--program", default="build/release/fakenews")
    p.add_argument("--python", default=sys.executable, help="interpreter with torch, transformers, datasets")
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--max-tokens", type=int, default=256)
    p.add_argument("--steps", type=int, default=12, help="per round")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--torch", help=argparse.SUPPRESS)
    p.add_argument("--ids", help=argparse.SUPPRESS)
    p.add_argument("settings", nargs="*", help="settings for our side, key=value")
    a = p.parse_args()
    if a.torch:
        print(json.dumps(torch_side(a)))
        return
    if a.ids:
        ids_of(a)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        loads = {f"dense {a.batch} x {a.max_tokens}": prepare(a, work, "dense", dense_rows(a))}
        if a.data:
            loads[f"articles {a.batch} x ≤ {a.max_tokens}"] = prepare(a, work, "articles", article_rows(a))
        print(f"{a.threads} threads, {a.rounds} rounds of {a.steps} steps\n")
        print("| load | real tokens | PyTorch, tokens/s | fakenews, tokens/s | ratio | peak memory, MB |\n|---|---|---|---|---|---|")
        for name, load in loads.items():
            pairs = [(run_torch(a, load), run_ours(a, load, work)) for _ in range(a.rounds)]
            theirs, ours = (statistics.median(x[i][0] for x in pairs) for i in (0, 1))
            ratio = statistics.median(b[0] / t[0] for t, b in pairs)
            memory = [max(x[i][1] for x in pairs) for i in (0, 1)]
            print(f"| {name} | {load['fill']:.0%} | {theirs:.0f} | {ours:.0f} | {ratio:.2f} | "
                  f"{memory[0]:.0f} / {memory[1]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
