"""Training speed and memory, as a ratio to PyTorch taken in one run on this machine.

Shapes: `minilm` is the model of --model; `bert` is BERT-base with random weights, made on the fly with the same
vocabulary, and both sides read the same folder. `dense`: every sequence fills the limit, so there is no padding to be
saved. `articles`: real lengths; PyTorch pads each batch to its longest sequence, as a Trainer does. Both sides train
on the same rows, each in its own order, and take turns, round by round, so that a noisy neighbour meets both; the
ratio is the median over rounds. Steps include the optimiser; loading and evaluation are left out.

  python bench/train_ratio.py --model MINILM_DIR --data ../shared/data --python build/venv/bin/python

MINILM_DIR: a Hugging Face directory. --data: folder with the article sets, for shapes of articles. With --work DIR what
was prepared and each round's figures stay there: a long measurement can be made in pieces, and the table is of all of
them. With --processor-time both sides get one thread and their processor time counts instead of the clock: for machines
that others use at the same time.
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

# Name: model, load, sequences, tokens at most, steps a round.
SHAPES = {"minilm-dense": ("minilm", "dense", 16, 256, 8),
          "minilm-articles": ("minilm", "articles", 16, 256, 12),
          "bert-dense": ("bert", "dense", 8, 256, 5),
          "bert-articles": ("bert", "articles", 8, 256, 8)}


# --- PyTorch, in a process of its own: python train_ratio.py --torch FILE …


def torch_side(a):
    """Steps over padded batches of the rows in a JSON-lines file of token ids."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    clock = time.process_time if a.processor_time else time.monotonic
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
        begin = clock()
        optimizer.zero_grad()
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(clock() - begin)
        tokens.append(sum(len(r["ids"]) for r in part))
    return {"seconds": seconds, "tokens": tokens}


def make_bert(a):
    """BERT-base as its authors configured it, with the tokenizer of --model."""
    import torch
    import transformers

    torch.manual_seed(0)
    transformers.BertForSequenceClassification(transformers.BertConfig()).save_pretrained(a.make_bert)
    transformers.AutoTokenizer.from_pretrained(a.model).save_pretrained(a.make_bert)


def ids_of(a):
    """Token ids of the training rows, in the order in which PyTorch takes them."""
    import datasets
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(a.model)
    rows = list(datasets.load_from_disk(a.ids)["train"])
    random.Random(0).shuffle(rows)
    for row in rows:
        ids = tokenizer(row["title"], row["text"], truncation="longest_first", max_length=a.max_tokens)["input_ids"]
        print(json.dumps({"ids": ids, "label": row["label"]}))


# --- both sides


def measured(command, **options):
    """Standard output of a command, its peak resident memory in MB and its processor time in seconds."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True, **options)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return out, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def run_torch(a, load):
    out, memory, _ = measured([a.python, __file__, "--torch", load["ids"], "--model", load["model"], "--batch",
                               load["batch"], "--steps", load["steps"], "--threads", a.threads,
                               *["--processor-time"] * a.processor_time])
    result = json.loads(out.splitlines()[-1])
    return sum(result["tokens"][1:]) / sum(result["seconds"][1:]), memory  # the first step warms up


def train(a, load, out, steps):
    """Peak memory and processor time of a run of ours."""
    subprocess.run(["rm", "-rf", out], check=True)
    return measured([a.program, "train", "--data", load["data"], "--init", load["model"], "--out", out, "--quiet",
                     f"train.max_steps={steps}", f"train.batch_size={load['batch']}",
                     f"train.max_tokens={load['max_tokens']}", "train.log_every=1", f"device.threads={a.threads}",
                     *a.settings])[1:]


def run_ours(a, load, work):
    out = work / "run"
    # All steps together are all rows once, so a step's share of tokens is the mean; the first step warms up.
    tokens = load["mean"] * load["batch"] * (load["steps"] - 1)
    if a.processor_time:
        first = train(a, load, out, 1)[1]
        memory, seconds = train(a, load, out, load["steps"])
        return tokens / (seconds - first), memory
    memory, _ = train(a, load, out, load["steps"])
    stamps = [json.loads(line) for line in (out / "times.jsonl").read_text().splitlines()]
    at = [s["unix_ms"] for s in stamps if s["event"] == "step"]
    return tokens / (at[-1] - at[0]) * 1000, memory


def prepare(a, work, name):
    """A model and a prepared dataset for a shape: exactly the rows of `steps` batches, and their ids for PyTorch."""
    model, kind, batch, max_tokens, steps = SHAPES[name]
    model = Path(a.model) if model == "minilm" else work / "bert-base"
    if not model.exists():
        measured([a.python, __file__, "--model", a.model, "--make-bert", model])
    folder = work / name
    if not (folder / "ids.jsonl").exists():
        folder.mkdir(exist_ok=True)
        n = steps * batch
        rows = dense_rows(n + 16, max_tokens) if kind == "dense" else article_rows(a, n + 16)
        with open(folder / "rows.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["title", "text", "label", "split"])
            writer.writerows((*row, "train" if i < n else "validation" if i < n + 8 else "test")
                             for i, row in enumerate(rows))
        subprocess.run([a.program, "data", "prepare", "--input", folder / "rows.csv", "--out", folder / "data", "--quiet",
                        "data.near_duplicates=null", "data.rules=none", "data.split=given"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        out = measured([a.python, __file__, "--ids", folder / "data", "--model", model, "--max-tokens", max_tokens])[0]
        (folder / "ids.jsonl").write_text(out)
    lengths = [len(json.loads(line)["ids"]) for line in (folder / "ids.jsonl").read_text().splitlines()]
    if len(lengths) != steps * batch:
        raise SystemExit(f"{name}: {len(lengths)} rows are not {steps} steps of {batch}")
    return {"model": model, "data": folder / "data", "ids": folder / "ids.jsonl", "batch": batch, "steps": steps,
            "max_tokens": max_tokens, "mean": statistics.mean(lengths)}


def dense_rows(n, max_tokens):
    rng = random.Random(1)
    words = "market river council winter letter garden station engine paper island doctor village music window".split()
    return [(f"row {i}", " ".join(rng.choice(words) for _ in range(max_tokens)) + f" {i}", i % 2) for i in range(n)]


def article_rows(a, n):
    rows = {}
    for name in ("isot_partial", "buzzfeed_webis", "recovery", "celebrity", "coaid_news"):
        with gzip.open(Path(a.data) / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            for r in csv.DictReader(file):
                if len(r["title"].split()) > 2 and len(r["text"].split()) > 10 and r["label"] in ("0", "1"):
                    rows[r["text"].lower().strip()] = (r["title"], r["text"], r["label"])
    return random.Random(1).sample(list(rows.values()), n)


def measure(a, work, name):
    """Runs the rounds of a shape and prints its line of the table."""
    load, file = prepare(a, work, name), work / f"{name}{'-processor' if a.processor_time else ''}.jsonl"
    load["steps"] = a.steps or load["steps"]
    for _ in range(a.rounds):
        pair = run_torch(a, load), run_ours(a, load, work)
        with open(file, "a", encoding="utf-8") as out:
            out.write(json.dumps(pair) + "\n")
    if not file.exists():  # --rounds 0 prepares only
        return
    pairs = [json.loads(line) for line in file.read_text().splitlines()]
    theirs, ours = (statistics.median(x[i][0] for x in pairs) for i in (0, 1))
    ratios = sorted(b[0] / t[0] for t, b in pairs)
    memory = [max(x[i][1] for x in pairs) for i in (0, 1)]
    print(f"| {name} {load['batch']} × {load['max_tokens']} | {load['mean']:.0f} | {theirs:.0f} | {ours:.0f} | "
          f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}, {len(pairs)} rounds) | "
          f"{memory[0]:.0f} / {memory[1]:.0f} |", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True)
    p.add_argument("--data", help="folder with the article sets (*.csv.gz)")
    p.add_argument("--shapes", nargs="+", choices=SHAPES, help="default: all for which there is data")
    p.add_argument("--program", default="build/release/fakenews")
    p.add_argument("--python", default=sys.executable, help="interpreter with torch, transformers, datasets")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--work", help="folder that keeps what was prepared and measured")
    p.add_argument("--settings", nargs="*", default=[], help="settings for our side, key=value")
    for name in ("--torch", "--ids", "--make-bert"):
        p.add_argument(name, help=argparse.SUPPRESS)
    for name in ("--batch", "--max-tokens"):
        p.add_argument(name, type=int, help=argparse.SUPPRESS)
    p.add_argument("--steps", type=int, help="a round (default: of the shape, which takes each row once)")
    p.add_argument("--processor-time", action="store_true", help="one thread, processor time instead of the clock")
    a = p.parse_args()
    if a.processor_time:
        a.threads = 1
    if a.torch:
        print(json.dumps(torch_side(a)))
    elif a.ids:
        ids_of(a)
    elif a.make_bert:
        make_bert(a)
    else:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(a.work or folder)
            work.mkdir(exist_ok=True)
            print(f"{a.threads} thread{'s' * (a.threads > 1)}{', processor time' * a.processor_time}\n\n| shape | tokens a row | PyTorch, tokens/s | fakenews, tokens/s | ratio | "
                  "peak memory, MB (PyTorch / fakenews) |\n|---|---|---|---|---|---|")
            for name in a.shapes or [s for s in SHAPES if a.data or SHAPES[s][1] == "dense"]:
                measure(a, work, name)


if __name__ == "__main__":
    main()
