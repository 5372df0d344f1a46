/* Weights and batches of the golden cases: the formula of formula.py, bit for bit. */
#ifndef FN_TESTS_GOLDEN_FORMULA_H
#define FN_TESTS_GOLDEN_FORMULA_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t golden_name_hash(const char *name) {
  uint64_t h = 0xCBF29CE484222325u;
  for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x100000001B3u;
  return h;
}

/* Number i (from 0) of the stream of a name: splitmix64. */
static inline uint64_t golden_bits(uint64_t seed, const char *name, uint64_t i) {
  uint64_t z = (seed ^ golden_name_hash(name)) + (i + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

static inline double golden_uniform(uint64_t seed, const char *name, uint64_t i) {
  return (double)(golden_bits(seed, name, i) >> 40) * 0x1p-24;
}

static inline int golden_ends_with(const char *text, const char *suffix) {
  size_t n = strlen(text), m = strlen(suffix);
  return n >= m && strcmp(text + n - m, suffix) == 0;
}

/* n values of a parameter; columns is the second dimension of a matrix, ignored for vectors. */
static inline void golden_tensor(float *out, uint64_t seed, const char *name, size_t n, int32_t columns) {
  double center = 0, scale;
  if (golden_ends_with(name, "LayerNorm.weight")) {
    center = 1;
    scale = 0.3;
  } else if (golden_ends_with(name, "bias")) {
    scale = 0.1;
  } else {
    scale = sqrt(3.0 / (double)columns);
  }
  for (size_t i = 0; i < n; i++) {
    double u = golden_uniform(seed, name, i);
    out[i] = (float)(center + scale * (2.0 * u - 1.0));
  }
}

#endif
