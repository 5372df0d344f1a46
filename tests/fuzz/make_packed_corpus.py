"""Writes the seeds of fuzz_packed: very small models, packed by the program.

    python tests/fuzz/make_packed_corpus.py build/release/fakenews
"""

import subprocess
import sys
import tempfile
from pathlib import Path

OUT = Path(__file__).resolve().parent / "corpus" / "packed"
SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "news.csv"


def main():
    program = Path(sys.argv[1]).resolve()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        def run(*arguments):
            subprocess.run([program, *map(str, arguments), "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        run("data", "prepare", "--input", SAMPLE, "--out", "data")
        run("train", "--data", "data", "--init", "scratch", "--out", "bert", "train.max_steps=1", "model.vocab_size=90",
            "model.hidden_size=8", "model.num_hidden_layers=1", "model.num_attention_heads=2", "model.intermediate_size=12",
            "model.max_position_embeddings=16", "train.max_tokens=16")
        run("train", "--data", "data", "--out", "linear", "family=linear", "linear.hash_bits=10", "linear.c_grid=[1]",
            "linear.features=word")
        run("quantize", "--model", "bert", "--linear", "linear", "--out", OUT / "both", "--name", "both")
        run("quantize", "--model", "bert", "--out", OUT / "f32", "--name", "f32", "dtype=f32")
        run("quantize", "--model", "linear", "--out", OUT / "linear", "--name", "linear")
    whole = (OUT / "both").read_bytes()
    (OUT / "cut").write_bytes(whole[:3000])
    (OUT / "version").write_bytes(whole.replace(b'"version":"1"', b'"version":"2"'))
    for path in sorted(OUT.iterdir()):
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
