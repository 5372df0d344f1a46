"""One article on two threads: ONNX Runtime, then ours, in turn, so that a noisy neighbour meets both; medians of the
rounds' medians, and the ratio of each round.
usage: int8_ratio.py MODEL.onnx minilm|bert int8|f32 LEVEL [LENGTHS=16,128,256,512] [ROUNDS=7]   peer: onnxruntime
Build first: cmake --preset release && ninja -C build/release bench_int8. Models: two classes, random weights, dynamic int8
per channel for int8 (quantize_dynamic)."""
import pathlib
import subprocess
import sys
import time

import numpy as np
import onnxruntime as ort

SECONDS = 0.25
file, shape, dtype, level = sys.argv[1:5]
lengths = [int(n) for n in (sys.argv[5] if len(sys.argv) > 5 else "16,128,256,512").split(",")]
rounds = int(sys.argv[6]) if len(sys.argv) > 6 else 7
program = pathlib.Path(__file__).parent.parent / "build/release/bench/bench_int8"
ours = subprocess.Popen([program, shape, dtype, "-", "2", level, str(SECONDS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        text=True)
name = ours.stdout.readline().strip()
options = ort.SessionOptions()
options.intra_op_num_threads = 2
options.add_session_config_entry("session.intra_op.allow_spinning", "1")
session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
rng = np.random.RandomState(0)


def peer(n):
    feed = dict(input_ids=rng.randint(1000, 30000, (1, n)), attention_mask=np.ones((1, n), np.int64),
                token_type_ids=np.zeros((1, n), np.int64))
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 5:
        begin = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - begin)
    return float(np.median(times[2:])) * 1e3


def own(n):
    ours.stdin.write(f"{n}\n")
    ours.stdin.flush()
    return float(ours.stdout.readline().split("p50 ")[1].split(" ms")[0])


print(f"{name}; ONNX Runtime {ort.__version__}; {shape} {dtype}")
for n in lengths:
    peer(n), own(n)
    pairs = [(peer(n), own(n)) for _ in range(rounds)]
    ratios = sorted(p / o for p, o in pairs)
    print(f"| {n} | {np.median([p for p, _ in pairs]):.2f} | {np.median([o for _, o in pairs]):.2f} | "
          f"**{np.median(ratios):.2f}** ({ratios[0]:.2f} to {ratios[-1]:.2f}) |", flush=True)
ours.stdin.close()
ours.wait()
