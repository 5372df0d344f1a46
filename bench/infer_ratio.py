"""Inference beside ONNX Runtime and OpenVINO, in one run: one article by length, a corpus, start, memory.

    pip install onnx onnxruntime openvino torch transformers tokenizers
    python bench/infer_ratio.py --program build/release/fakenews --minilm DIR [--bert DIR] --articles FILE.csv [--rounds 3]

DIR: classifiers as Hugging Face directories (`fakenews train` makes them); BERT-base is drawn at random when --bert is not
given. OpenVINO is held to fp32 (left alone it computes in bf16 where the processor can). Programs take turns in every round; what is printed is the median of the rounds of each, and the ratio's least and
greatest round. Every program has --threads threads (2). ONNX Runtime's int8 is its own dynamic quantisation, per channel.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LENGTHS = (16, 128, 256, 512)
NAMES = ("input_ids", "attention_mask", "token_type_ids")


def export(directory, prefix):
    """prefix.onnx and prefix.int8.onnx"""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import BertForSequenceClassification
    model = BertForSequenceClassification.from_pretrained(directory, attn_implementation="eager").eval()

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, ids, mask, types):
            return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).logits

    x = torch.ones(2, 16, dtype=torch.long)
    torch.onnx.export(Logits(), (x, x, x * 0), f"{prefix}.onnx", input_names=list(NAMES), output_names=["logits"],
                      dynamic_axes={n: {0: "b", 1: "s"} for n in NAMES}, opset_version=17, dynamo=False)
    quantize_dynamic(f"{prefix}.onnx", f"{prefix}.int8.onnx", weight_type=QuantType.QInt8, per_channel=True)


def draw_bert(directory, vocabulary):
    """A BERT-base of random weights with the tokenizer of another directory."""
    import shutil
    import torch
    from transformers import BertConfig, BertForSequenceClassification
    torch.manual_seed(0)
    BertForSequenceClassification(BertConfig(num_labels=2, id2label={0: "real", 1: "fake"},
                                             label2id={"real": 0, "fake": 1})).save_pretrained(directory)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        if (vocabulary / name).exists():
            shutil.copy(vocabulary / name, directory / name)


# ---- peers, each in a process of its own so that nothing lingers


def peer_main(kind, file, threads, task):
    import numpy as np
    begin = time.perf_counter()
    task = json.loads(task)
    if kind == "ort":
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])

        def run(feed):
            return session.run(None, feed)
    else:
        import openvino as ov
        core = ov.Core()
        model = core.compile_model(file, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
                                                   "INFERENCE_PRECISION_HINT": "f32"})

        def run(feed):
            return model([feed[n] for n in NAMES])
    if task["what"] == "latency":
        rng, out = np.random.RandomState(0), {}
        for n in task["lengths"]:
            feed = {NAMES[0]: rng.randint(1000, 30000, (1, n)), NAMES[1]: np.ones((1, n), np.int64),
                    NAMES[2]: np.zeros((1, n), np.int64)}
            times, end = [], time.perf_counter() + task["seconds"]
            while time.perf_counter() < end or len(times) < 15:
                a = time.perf_counter()
                run(feed)
                times.append(time.perf_counter() - a)
            out[n] = statistics.median(times[2:]) * 1e3
        print(json.dumps(out))
        return
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(task["tokenizer"])
    tokenizer.enable_truncation(256, strategy="longest_first")
    if task["what"] == "start":
        encoded = tokenizer.encode(task["text"])
        ids = np.array([encoded.ids])
        run({NAMES[0]: ids, NAMES[1]: np.ones_like(ids), NAMES[2]: np.array([encoded.type_ids])})
        with open("/proc/self/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        print(json.dumps({"rss_mb": peak / 1024}))
        return
    csv.field_size_limit(1 << 30)
    with open(task["articles"], newline="", encoding="utf-8") as handle:
        rows = [(r["title"], r["text"]) for r in csv.DictReader(handle)]
    begin = time.perf_counter()
    encoded = tokenizer.encode_batch(rows)
    order = sorted(range(len(rows)), key=lambda i: len(encoded[i].ids))
    for at in range(0, len(order), 16):  # length-sorted, padded to the longest of its batch
        block = [encoded[i] for i in order[at:at + 16]]
        longest = max(len(e.ids) for e in block)
        feed = {name: np.zeros((len(block), longest), np.int64) for name in NAMES}
        for i, e in enumerate(block):
            feed[NAMES[0]][i, :len(e.ids)] = e.ids
            feed[NAMES[1]][i, :len(e.ids)] = 1
            feed[NAMES[2]][i, :len(e.ids)] = e.type_ids
        run(feed)
    print(json.dumps({"seconds": time.perf_counter() - begin, "rows": len(rows)}))


def peer(kind, file, threads, task):
    done = subprocess.run([sys.executable, __file__, "--peer", kind, str(file), str(threads), json.dumps(task)],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def ours(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def latency_ours(program, model, threads, *settings):
    figures = json.loads(ours(program, "bench", "--model", model, "--tokens", ",".join(map(str, LENGTHS)), "--threads",
                              threads, "--json", *settings))
    return {r["tokens"]: r["p50_ms"] for r in figures["results"]}, figures


def show(title, goal, peers, mine, length=None):
    """One row: medians, and the ratio to the fastest peer with the range over the rounds."""
    best = min(peers, key=lambda name: statistics.median(peers[name]))
    ratios = [p / m for p, m in zip(peers[best], mine)]
    others = ", ".join(f"{name} {statistics.median(v):.2f}" for name, v in peers.items())
    print(f"| {title} | {others} | {statistics.median(mine):.2f} | **{statistics.median(peers[best]) / statistics.median(mine):.2f}** "
          f"({min(ratios):.2f}–{max(ratios):.2f}) | {goal} |", flush=True)


def measure_latency(a, name, directory, work, goals):
    files = {}
    for dtype in ("int8", "f32"):
        files[dtype] = work / f"{name}.{dtype}.fnm"
        ours(a.program, "quantize", "--model", directory, "--out", files[dtype], f"dtype={dtype}", "-q")
    export(directory, work / name)
    task = {"what": "latency", "lengths": LENGTHS, "seconds": a.seconds}
    rounds = {"int8": [], "f32": []}
    for _ in range(a.rounds):
        rounds["int8"].append((peer("ort", work / f"{name}.int8.onnx", a.threads, task), None,
                               latency_ours(a.program, files["int8"], a.threads, *a.settings)[0]))
        rounds["f32"].append((peer("ort", work / f"{name}.onnx", a.threads, task),
                              peer("openvino", work / f"{name}.onnx", a.threads, task),
                              latency_ours(a.program, files["f32"], a.threads, *a.settings)[0]))
    for dtype in ("int8", "f32"):
        for n in LENGTHS:
            peers = {f"ORT {dtype}": [r[0][str(n)] for r in rounds[dtype]]}
            if dtype == "f32":
                peers["OpenVINO f32"] = [r[1][str(n)] for r in rounds[dtype]]
            show(f"{name} {dtype}, {n} tokens, ms", goals.get((dtype, n), ""), peers, [r[2][n] for r in rounds[dtype]])
    return files["int8"]


def measure_corpus(a, directory, model, work):
    task = {"what": "corpus", "articles": str(a.articles), "tokenizer": str(directory / "tokenizer.json")}
    theirs, mine, out = [], [], work / "answers.jsonl"
    for _ in range(a.rounds):
        theirs.append(peer("ort", work / "MiniLM.int8.onnx", a.threads, task)["seconds"])
        begin = time.perf_counter()
        ours(a.program, "predict", "--model", model, a.articles, "-o", out, "--threads", a.threads, "infer.part=encoder", *a.settings)
        mine.append(time.perf_counter() - begin)
    rows = sum(1 for _ in open(out))
    show(f"corpus of {rows} articles, 256 tokens at most, s", "≥ 3", {"ORT int8, sorted, padded": theirs}, mine)
    print(f"\n{rows / statistics.median(mine):.0f} articles a second, start included\n")


def measure_start(a, directory, model, work):
    text = "Scientists admit that the moon is rented, officials say"
    task = {"what": "start", "text": text, "tokenizer": str(directory / "tokenizer.json")}
    theirs, mine, rss_theirs, rss_mine = [], [], [], []
    for _ in range(max(a.rounds, 5)):
        begin = time.perf_counter()
        rss_theirs.append(peer("ort", work / "MiniLM.int8.onnx", a.threads, task)["rss_mb"])
        theirs.append((time.perf_counter() - begin) * 1e3)
        command = [a.program, "predict", "--model", str(model), "--text", text, "--threads", str(a.threads), *a.settings]
        begin = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        mine.append((time.perf_counter() - begin) * 1e3)
        # time(1) is small: what a process forks from counts as its own memory until it executes another program
        done = subprocess.run(["/usr/bin/time", "-f", "%M", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        rss_mine.append(int(done.stderr.split()[-1]) / 1024)
    show("process start → first answer, ms", "≤ 15 ms", {"ORT + tokenizers": theirs}, mine)
    show("resident memory at most, MB", "≤ 48 MB", {"ORT + tokenizers": rss_theirs}, rss_mine)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", default=Path(__file__).resolve().parents[1] / "build/release/fakenews", type=Path)
    p.add_argument("--minilm", required=True, type=Path)
    p.add_argument("--bert", type=Path)
    p.add_argument("--articles", type=Path, help="CSV with title and text")
    p.add_argument("--default", type=Path, help="packed model for start and memory (default: MiniLM's)")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=1.5)
    p.add_argument("--only", nargs="*", default=["minilm", "bert", "corpus", "start"])
    p.add_argument("settings", nargs="*", help="key=value for fakenews, e.g. device.cpu_level=avx2")
    a = p.parse_args()
    a.program = str(a.program)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        print("| work | peers | fakenews | ratio (rounds) | goal |\n|---|---|---|---|---|")
        model = None
        if {"minilm", "corpus", "start"} & set(a.only):
            goals = {("int8", 16): "≥ 2", ("int8", 256): "≥ 2.5", ("int8", 512): "≥ 2.5", ("f32", 256): "≥ 1.3", ("f32", 512): "≥ 1.3"}
            if "minilm" in a.only:
                model = measure_latency(a, "MiniLM", a.minilm, work, goals)
            else:
                model = work / "MiniLM.int8.fnm"
                ours(a.program, "quantize", "--model", a.minilm, "--out", model, "-q")
                export(a.minilm, work / "MiniLM")
        if "bert" in a.only:
            directory = a.bert or work / "bert"
            if not a.bert:
                draw_bert(directory, a.minilm)
            measure_latency(a, "BERT-base", directory, work, {("int8", 256): "≥ 1.8", ("f32", 256): "≥ 1.3"})
        if "corpus" in a.only and a.articles:
            measure_corpus(a, a.minilm, model, work)
        if "start" in a.only:
            measure_start(a, a.minilm, a.default or model, work)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--peer":
        peer_main(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    else:
        main()
