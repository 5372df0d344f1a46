/* Devices side by side: the same operation on the double reference (judge) and on a device under test, on random data.
 * Matrices of the device under test have gaps between rows and guards around them, which must stay as they were. */
#ifndef FN_TESTS_OPS_HARNESS_H
#define FN_TESTS_OPS_HARNESS_H

#include "../unit.h"
#include "tensor/device_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define GUARD_BITS 0x7fc0beefu /* a quiet NaN: computing with it shows */
enum { GUARD = 32, GAP = 5, MAX_PAIRS = 64 };

/* One matrix on both sides. */
typedef struct pair {
  size_t n_rows, n_cols, stride;
  double *judge;
  float *memory; /* GUARD + n_rows * stride + GUARD */
} pair;

typedef struct harness {
  fn_device *judge, *device;
  fn_rng rng;
  pair pairs[MAX_PAIRS];
  size_t n;
  char name[128];
} harness;

static inline void harness_open(harness *h, fn_backend backend, fn_gemm gemm, fn_cpu_level level, int n_threads,
                                const fn_device_shape *shape) {
  fn_err err = {0};
  *h = (harness){.rng = fn_rng_make(11, (uint64_t)level)};
  const fn_device_options judge = {FN_BACKEND_REFERENCE_F64, FN_GEMM_OWN, FN_CPU_AVX512, 1, NULL};
  const fn_device_options device = {backend, gemm, level, n_threads, NULL};
  if (fn_device_create(&h->judge, &judge, &err) != FN_OK || fn_device_create(&h->device, &device, &err) != FN_OK ||
      fn_device_reserve(h->judge, shape, &err) != FN_OK || fn_device_reserve(h->device, shape, &err) != FN_OK)
    fail_msg("%s", err.message);
  fn_device_describe(h->name, sizeof h->name, h->device);
}

/* Forgets the matrices, after a look at their guards. */
static inline void harness_reset(harness *h) {
  for (size_t i = 0; i < h->n; i++) {
    const pair *p = &h->pairs[i];
    size_t n = 2 * GUARD + p->n_rows * p->stride;
    for (size_t k = 0; k < n; k++) {
      bool inside = k >= GUARD && k < n - GUARD && (k - GUARD) % p->stride < p->n_cols;
      uint32_t bits;
      memcpy(&bits, &p->memory[k], sizeof bits);
      if (!inside && bits != GUARD_BITS) fail_msg("%s: matrix %zu: guard %zu was written to", h->name, i, k);
    }
    free(p->judge);
    free(p->memory);
  }
  h->n = 0;
}

static inline void harness_close(harness *h) {
  harness_reset(h);
  assert_int_equal(h->device->scratch_used, 0);
  assert_int_equal(h->judge->scratch_used, 0);
  fn_device_destroy(h->judge);
  fn_device_destroy(h->device);
}

/* Random matrix, normal(0, deviation); gap: elements between rows. */
static inline size_t make(harness *h, size_t n_rows, size_t n_cols, double deviation, size_t gap) {
  assert_true(h->n < MAX_PAIRS);
  pair *p = &h->pairs[h->n];
  *p = (pair){n_rows, n_cols, n_cols + gap, NULL, NULL};
  size_t n = 2 * GUARD + n_rows * p->stride;
  p->judge = calloc(n_rows * p->stride + 1, sizeof *p->judge);
  p->memory = malloc(n * sizeof *p->memory);
  assert_true(p->judge && p->memory);
  const uint32_t guard = GUARD_BITS;
  for (size_t k = 0; k < n; k++) memcpy(&p->memory[k], &guard, sizeof guard);
  for (size_t r = 0; r < n_rows; r++)
    for (size_t c = 0; c < n_cols; c++) {
      float x = (float)(deviation * fn_rng_normal(&h->rng));
      p->judge[r * p->stride + c] = (double)x;
      p->memory[GUARD + r * p->stride + c] = x;
    }
  return h->n++;
}
static inline size_t make_mat(harness *h, size_t n_rows, size_t n_cols) {
  return make(h, n_rows, n_cols, 1, GAP);
}
static inline size_t make_vector(harness *h, size_t n) {
  return make(h, 1, n, 1, 0);
}

static inline fn_mat on_judge(const harness *h, size_t i) {
  const pair *p = &h->pairs[i];
  return (fn_mat){p->judge, p->n_rows, p->n_cols, p->stride};
}
static inline fn_mat on_device(const harness *h, size_t i) {
  const pair *p = &h->pairs[i];
  return (fn_mat){p->memory + GUARD, p->n_rows, p->n_cols, p->stride};
}

/* Both sides agree to tolerance · (largest of the judge's, at least `floor`). */
static inline void agree(const harness *h, size_t i, double tolerance, const char *what) {
  const pair *p = &h->pairs[i];
  double largest = 1e-3, worst = 0;
  for (size_t r = 0; r < p->n_rows; r++)
    for (size_t c = 0; c < p->n_cols; c++) largest = fmax(largest, fabs(p->judge[r * p->stride + c]));
  for (size_t r = 0; r < p->n_rows; r++)
    for (size_t c = 0; c < p->n_cols; c++) {
      double off = fabs((double)p->memory[GUARD + r * p->stride + c] - p->judge[r * p->stride + c]);
      if (!(off <= tolerance * largest))
        fail_msg("%s: %s [%zu,%zu] at [%zu,%zu]: %.9g, judge %.9g, tolerance %g of %g", h->name, what, p->n_rows,
                 p->n_cols, r, c, (double)p->memory[GUARD + r * p->stride + c], p->judge[r * p->stride + c], tolerance,
                 largest);
      worst = fmax(worst, off);
    }
}

/* Host arrays of a batch: sequences of the given lengths. */
typedef struct rows {
  size_t T, B, longest;
  int32_t *offsets, *positions, *ids, *types, *first, *first_offsets, *zeros;
  uint32_t *draws, *row_draws;
} rows;

static inline void rows_open(rows *r, fn_rng *rng, const size_t *lengths, size_t B, int32_t n_ids, int32_t n_types) {
  *r = (rows){.B = B};
  for (size_t b = 0; b < B; b++) {
    r->T += lengths[b];
    r->longest = lengths[b] > r->longest ? lengths[b] : r->longest;
  }
  int32_t *p = calloc(3 * r->T + 5 * B + 2 + r->T, sizeof *p);
  assert_non_null(p);
  r->positions = p;
  r->ids = p + r->T;
  r->types = p + 2 * r->T;
  r->row_draws = (uint32_t *)(p + 3 * r->T);
  r->offsets = p + 4 * r->T;
  r->first = r->offsets + B + 1;
  r->first_offsets = r->first + B;
  r->zeros = r->first_offsets + B + 1;
  r->draws = (uint32_t *)(r->zeros + B);
  size_t t = 0;
  for (size_t b = 0; b < B; b++) {
    r->first[b] = (int32_t)t;
    r->first_offsets[b + 1] = (int32_t)b + 1;
    r->draws[b] = (uint32_t)(17 * b + 3);
    for (size_t s = 0; s < lengths[b]; s++, t++) {
      r->positions[t] = (int32_t)s;
      r->row_draws[t] = r->draws[b];
      r->ids[t] = (int32_t)fn_rng_below(rng, (uint64_t)n_ids);
      r->types[t] = (int32_t)fn_rng_below(rng, (uint64_t)n_types);
    }
    r->offsets[b + 1] = (int32_t)t;
  }
}
static inline void rows_close(rows *r) {
  free(r->positions);
}
static inline fn_layout layout_of(const rows *r) {
  return (fn_layout){r->T, r->B, r->longest, r->offsets, r->positions, r->row_draws};
}
static inline fn_layout first_of(const rows *r) {
  return (fn_layout){r->B, r->B, 1, r->first_offsets, r->zeros, r->draws};
}

/* Runs `test` on every device of this machine and says which levels it lacks. */
static inline void each_device(void (*test)(harness *), const fn_device_shape *shape) {
  static const struct {
    fn_backend backend;
    fn_gemm gemm;
    fn_cpu_level level;
    int n_threads;
  } devices[] = {
      {FN_BACKEND_REFERENCE, FN_GEMM_OWN, FN_CPU_C, 1},    {FN_BACKEND_FAST, FN_GEMM_OWN, FN_CPU_C, 2},
      {FN_BACKEND_FAST, FN_GEMM_OWN, FN_CPU_AVX2, 1},      {FN_BACKEND_FAST, FN_GEMM_OWN, FN_CPU_AVX512, 2},
      {FN_BACKEND_FAST, FN_GEMM_ONEDNN, FN_CPU_AVX512, 2},
  };
  for (size_t i = 0; i < FN_COUNT_OF(devices); i++) {
    harness h;
    fn_device *probe = NULL;
    const fn_device_options options = {devices[i].backend, devices[i].gemm, devices[i].level, 1, NULL};
    if (!fn_cpu_level_present(devices[i].level)) {
      printf("skipped: this machine has no %s\n", fn_cpu_level_name(devices[i].level));
      continue;
    }
    if (fn_device_create(&probe, &options, NULL) == FN_E_UNSUPPORTED) {
      printf("skipped: no oneDNN on this machine\n");
      continue;
    }
    fn_device_destroy(probe);
    harness_open(&h, devices[i].backend, devices[i].gemm, devices[i].level, devices[i].n_threads, shape);
    test(&h);
    harness_close(&h);
  }
}

#endif
