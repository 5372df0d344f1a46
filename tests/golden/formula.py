"""Weights and batches of the golden cases: a counter-based formula that formula.h states again in C, so that goldens
hold outputs only. Any value follows from (seed, name, index) alone; both sides give the same bits."""

import math

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def name_hash(name):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def bits(seed, name, n):
    """n 64-bit numbers: splitmix64 (Steele et al. 2014) at counters 1 … n from seed xor the name's hash."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed ^ name_hash(name)) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(seed, name, n):
    """n doubles in [0, 1) with 24 bits."""
    return (bits(seed, name, n) >> np.uint64(40)).astype(np.float64) * 2.0**-24


def tensor(seed, name, shape):
    """float32 values of a parameter: norms around 1, biases around 0, matrices with variance 1/fan-in, so that signals
    neither die nor explode and every gradient is far from zero."""
    n = math.prod(shape)
    if name.endswith("LayerNorm.weight"):
        center, scale = 1.0, 0.3
    elif name.endswith("bias"):
        center, scale = 0.0, 0.1
    else:
        center, scale = 0.0, math.sqrt(3.0 / shape[1])
    return (center + scale * (2.0 * uniform(seed, name, n) - 1.0)).astype(np.float32).reshape(shape)


def batch(seed, lengths, vocab_size, n_labels):
    """ids, type_ids (0 in the first half of a sequence, 1 in the second), labels, weights in [0.5, 1.5)."""
    total = sum(lengths)
    ids = (bits(seed, "ids", total) % np.uint64(vocab_size)).astype(np.int32)
    type_ids = np.concatenate([(2 * np.arange(s) >= s).astype(np.int32) for s in lengths])
    labels = (bits(seed, "labels", len(lengths)) % np.uint64(n_labels)).astype(np.int32)
    weights = (0.5 + uniform(seed, "weights", len(lengths))).astype(np.float32)
    return ids, type_ids, labels, weights


def picks(seed, name, n, count):
    """Elements of a tensor whose gradient a golden records."""
    return sorted({int(i) for i in bits(seed, "pick " + name, count) % np.uint64(n)})
