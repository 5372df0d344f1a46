/* Small models and batches for tests of passes. */
#ifndef FN_TESTS_MODEL_SUPPORT_H
#define FN_TESTS_MODEL_SUPPORT_H

#include "../unit.h"
#include "model/config.h"
#include "model/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static inline fn_device *open_device(fn_backend backend, fn_gemm gemm, int n_threads) {
  fn_err err = {0};
  fn_device *d = NULL;
  const fn_device_options o = {backend, gemm, FN_CPU_AVX512, n_threads, NULL};
  if (fn_device_create(&d, &o, &err) != FN_OK) fail_msg("%s", err.message);
  return d;
}

static inline fn_model_config small_config(int32_t V, int32_t C, int32_t L, int32_t H, int32_t F, int32_t longest) {
  fn_model_config c;
  fn_model_config_init(&c);
  c.vocab_size = V;
  c.hidden_size = C;
  c.num_hidden_layers = L;
  c.num_attention_heads = H;
  c.intermediate_size = F;
  c.max_position_embeddings = longest;
  c.initializer_range = 0.3;
  return c;
}

/* Sequences of the given lengths; draws number them from first_draw on. Ids are a function of (seed, draw, place), so
 * that the same draw has the same row in every batch. */
static inline void open_batch(fn_batch *batch, const fn_model_config *c, const int32_t *lengths, int32_t B,
                              uint32_t first_draw, uint64_t seed) {
  size_t T = 0, n = (size_t)B;
  for (int32_t b = 0; b < B; b++) T += (size_t)lengths[b];
  *batch = (fn_batch){.B = B};
  batch->ids = calloc(3 * T, sizeof *batch->ids);
  batch->offsets = calloc(2 * n + 1, sizeof *batch->offsets);
  batch->weights = calloc(n, sizeof *batch->weights);
  batch->draws = calloc(n, sizeof *batch->draws);
  assert_true(batch->ids && batch->offsets && batch->weights && batch->draws);
  batch->type_ids = batch->ids + T;
  batch->positions = batch->ids + 2 * T;
  batch->labels = batch->offsets + n + 1;
  for (int32_t b = 0; b < B; b++) {
    fn_rng rng = fn_rng_make(seed, first_draw + (uint32_t)b);
    batch->draws[b] = first_draw + (uint32_t)b;
    batch->labels[b] = (int32_t)fn_rng_below(&rng, (uint64_t)c->num_labels);
    batch->weights[b] = (float)(0.5 + fn_rng_uniform(&rng));
    for (int32_t s = 0; s < lengths[b]; s++, batch->T++) {
      batch->ids[batch->T] = (int32_t)fn_rng_below(&rng, (uint64_t)c->vocab_size);
      batch->type_ids[batch->T] = 2 * s >= lengths[b];
      batch->positions[batch->T] = s;
    }
    batch->offsets[b + 1] = batch->T;
    batch->longest = lengths[b] > batch->longest ? lengths[b] : batch->longest;
  }
}

static inline void close_batch(fn_batch *batch) {
  free(batch->ids);
  free(batch->offsets);
  free(batch->weights);
  free(batch->draws);
}

#define ok(call)                                                                                                       \
  do {                                                                                                                 \
    fn_err ok_err_ = {0};                                                                                              \
    fn_err *e = &ok_err_;                                                                                              \
    if ((call) != FN_OK) fail_msg("%s: %s", #call, ok_err_.message);                                                   \
  } while (0)

/* Biases and norms off their initial zeros and ones, so that they are seen. */
static inline void disturb(fn_model *m, double deviation) {
  fn_rng rng = fn_rng_make(99, 1);
  for (size_t i = 0; i < m->parameters.n; i++) {
    const fn_parameter *p = &m->parameters.list[i];
    for (size_t k = 0; k < p->n && p->n_dims == 1; k++) {
      double x = deviation * fn_rng_normal(&rng);
      if (fn_device_element_size(m->device) == sizeof(double))
        ((double *)m->values)[p->offset + k] += x;
      else
        ((float *)m->values)[p->offset + k] += (float)x;
    }
  }
}

#endif
