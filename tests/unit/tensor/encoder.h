/* A generated encoder over the table of operations, for tests and benches of devices that infer: weights are a pure
 * function of the seed, made of whole numbers and powers of two, so that every machine has the same ones. */
#ifndef FN_TESTS_ENCODER_H
#define FN_TESTS_ENCODER_H

#include "tensor/ops.h"
#include "tensor/tiles.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct encoder_shape {
  size_t C, H, F, L, V, P, K; /* P positions, K classes */
} encoder_shape;

enum { ENCODER_Q, ENCODER_K, ENCODER_V, ENCODER_OUT, ENCODER_UP, ENCODER_DOWN, ENCODER_LINEARS };
typedef struct encoder_layer {
  fn_linear linears[ENCODER_LINEARS];
  fn_norm attention_norm, ffn_norm;
} encoder_layer;

typedef struct encoder {
  encoder_shape shape;
  bool int8;
  encoder_layer layers[12];
  fn_embedding embedding;
  fn_norm embedding_norm;
  fn_linear pooler, classifier;
  void *memory[512]; /* to be freed */
  size_t n_memory;
  uint64_t state; /* of the generator: weights by the million, so a short one */
} encoder;

static inline void *encoder_take(encoder *e, size_t n_bytes) {
  void *p = fn_mem_slab(n_bytes);
  assert(p && e->n_memory < 512);
  if (!p) abort();
  return e->memory[e->n_memory++] = p;
}

/* n numbers spread around `middle` by up to `spread`, a sum of two uniform ones. */
static inline float *encoder_numbers(encoder *e, size_t n, float middle, float spread) {
  float *x = encoder_take(e, n * sizeof *x);
  for (size_t i = 0; i < n; i++) {
    e->state = e->state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    const int a = (int)(e->state >> 54), b = (int)(e->state >> 44 & 1023);
    x[i] = middle + spread * (float)(a + b - 1023) * 0x1p-10f;
  }
  return x;
}

static inline fn_norm encoder_norm(encoder *e) {
  return (fn_norm){.n = e->shape.C,
                   .gamma = encoder_numbers(e, e->shape.C, 1, 0.25f),
                   .beta = encoder_numbers(e, e->shape.C, 0, 0.25f),
                   .epsilon = 0x1p-40};
}

static inline fn_linear encoder_linear(encoder *e, size_t n_out, size_t n_in, bool int8) {
  float spread = 2;
  for (size_t n = n_in; n >= 4; n /= 4) spread /= 2;
  float *w = encoder_numbers(e, n_out * n_in, 0, spread);
  fn_linear l = {.n_in = n_in, .n_out = n_out, .b = encoder_numbers(e, n_out, 0, 0.25f)};
  if (int8) {
    float *scales = encoder_take(e, fn_tiles_round(n_out) * sizeof *scales);
    uint8_t *tiles = encoder_take(e, fn_tiles_int8_bytes(n_out, n_in));
    fn_tiles_int8_make(tiles, scales, w, n_out, n_in);
    l.prepared = tiles;
    l.scales = scales;
  } else {
    float *tiles = encoder_take(e, fn_tiles_f32_count(n_out, n_in) * sizeof *tiles);
    fn_tiles_f32_make(tiles, w, n_out, n_in);
    l.prepared = tiles;
  }
  return l;
}

static inline const void *encoder_table(encoder *e, const float **scales_out, size_t n) {
  float *table = encoder_numbers(e, n * e->shape.C, 0, 1);
  if (!e->int8) return table;
  float *scales = encoder_take(e, n * sizeof *scales);
  int8_t *rows = encoder_take(e, n * e->shape.C);
  fn_rows_int8_make(rows, scales, table, n, e->shape.C);
  *scales_out = scales;
  return rows;
}

static inline void encoder_open(encoder *e, const encoder_shape *s, bool int8, uint64_t seed) {
  *e = (encoder){.shape = *s, .int8 = int8, .state = seed};
  e->embedding.width = s->C;
  e->embedding.word = encoder_table(e, &e->embedding.word_scales, s->V);
  e->embedding.position = encoder_table(e, &e->embedding.position_scales, s->P);
  e->embedding.type = encoder_numbers(e, 2 * s->C, 0, 1);
  e->embedding_norm = encoder_norm(e);
  assert(s->L <= 12);
  for (size_t i = 0; i < s->L; i++) {
    encoder_layer *l = &e->layers[i];
    for (int k = ENCODER_Q; k < ENCODER_LINEARS; k++)
      l->linears[k] = encoder_linear(e, k == ENCODER_UP ? s->F : s->C, k == ENCODER_DOWN ? s->F : s->C, int8);
    l->attention_norm = encoder_norm(e);
    l->ffn_norm = encoder_norm(e);
  }
  e->pooler = encoder_linear(e, s->C, s->C, int8);
  e->classifier = encoder_linear(e, s->K, s->C, false);
}

static inline void encoder_close(encoder *e) {
  for (size_t i = 0; i < e->n_memory; i++) free(e->memory[i]);
}

/* Packed sequences; ids are a function of (seed, sequence, position). */
typedef struct encoder_batch {
  size_t T, B, longest;
  int32_t *offsets, *positions, *ids, *types, *first, *first_offsets, *zeros;
  uint32_t *draws;
  void *memory;
} encoder_batch;

static inline void encoder_batch_open(encoder_batch *b, const encoder_shape *s, const size_t *lengths, size_t first,
                                      size_t B, uint64_t seed) {
  *b = (encoder_batch){.B = B};
  for (size_t i = 0; i < B; i++) {
    b->T += lengths[first + i];
    b->longest = lengths[first + i] > b->longest ? lengths[first + i] : b->longest;
  }
  int32_t *p = b->memory = fn_mem_calloc(4 * b->T + 4 * B + 2, sizeof *p);
  if (!p) abort();
  b->positions = p;
  b->ids = p + b->T;
  b->types = p + 2 * b->T;
  b->draws = (uint32_t *)(p + 3 * b->T);
  b->offsets = p + 4 * b->T;
  b->first_offsets = b->offsets + B + 1;
  b->first = b->first_offsets + B + 1;
  b->zeros = b->first + B;
  int32_t t = 0;
  for (size_t i = 0; i < B; i++) {
    fn_rng rng = fn_rng_make(seed, first + i);
    b->first[i] = t;
    b->first_offsets[i + 1] = (int32_t)i + 1;
    for (size_t k = 0; k < lengths[first + i]; k++, t++) {
      b->positions[t] = (int32_t)k;
      b->ids[t] = (int32_t)fn_rng_below(&rng, s->V);
      b->types[t] = (int32_t)fn_rng_below(&rng, 2);
    }
    b->offsets[i + 1] = t;
  }
}

static inline void encoder_batch_close(encoder_batch *b) {
  free(b->memory);
}

static inline fn_device_shape encoder_device_shape(const encoder_shape *s, const encoder_batch *b) {
  return (fn_device_shape){.max_T = b->T,
                           .max_B = b->B,
                           .longest = b->longest,
                           .hidden = s->C,
                           .heads = s->H,
                           .feed_forward = s->F,
                           .head_width = s->C};
}

/* Floats of `workspace` below. */
static inline size_t encoder_floats(const encoder_shape *s, const encoder_batch *b) {
  return b->T * (6 * s->C + s->H + 1) + b->B * (5 * s->C + s->K) + 256;
}

/* logits[B, K], by the operations in the order of src/model: the last layer only for the first row of each sequence.
 * workspace: encoder_floats. The device has been reserved for the shape. */
static inline void encoder_forward(float *logits, const encoder *e, fn_device *d, const encoder_batch *b,
                                   float *workspace) {
  const fn_ops *ops = fn_device_ops(d);
  const size_t C = e->shape.C, T = b->T, B = b->B;
  const fn_layout all = {T, B, b->longest, b->offsets, b->positions, b->draws};
  const fn_layout few = {B, B, 1, b->first_offsets, b->zeros, b->draws};
  float *w = workspace;
#define ENCODER_MAT(name, rows, columns)                                                                               \
  const fn_mat name = fn_mat_make(w, rows, columns);                                                                   \
  w += (rows) * (columns)
  ENCODER_MAT(x, T, C);
  ENCODER_MAT(hat, T, C);
  ENCODER_MAT(qkv, T, 3 * C);
  ENCODER_MAT(context, T, C);
  ENCODER_MAT(lse, T, e->shape.H);
  ENCODER_MAT(rstd, T, 1);
  ENCODER_MAT(x1, B, C);
  ENCODER_MAT(q1, B, C);
  ENCODER_MAT(context1, B, C);
  ENCODER_MAT(pooled, B, C);
  ENCODER_MAT(activated, B, C);
  ENCODER_MAT(out, B, e->shape.K);
#undef ENCODER_MAT
  const fn_mat none = {0};
  ops->embed_norm(d, x, hat, rstd.data, &e->embedding, &e->embedding_norm, b->ids, b->types, &all, NULL);
  for (size_t i = 0; i < e->shape.L; i++) {
    const encoder_layer *l = &e->layers[i];
    const bool last = i + 1 == e->shape.L;
    const fn_mat kv = fn_mat_make(qkv.data, T, 2 * C), rows = last ? x1 : x, from = last ? context1 : context;
    const fn_mat rows_hat = fn_mat_make(hat.data, rows.n_rows, C);
    fn_attention a = {.n_heads = e->shape.H, .head_size = C / e->shape.H, .keys = &all};
    a.scale = 1 / sqrt((double)a.head_size);
    a.queries = last ? &few : &all;
    if (last) {
      ops->qkv(d, kv, x, l->linears + ENCODER_K, 2);
      ops->gather_rows(d, x1, x, b->first);
      ops->linear(d, q1, x1, &l->linears[ENCODER_Q]);
      ops->attention(d, context1, lse.data, q1, fn_mat_columns(d, kv, 0, C), fn_mat_columns(d, kv, C, C), &a);
    } else {
      ops->qkv(d, qkv, x, l->linears, 3);
      ops->attention(d, context, lse.data, fn_mat_columns(d, qkv, 0, C), fn_mat_columns(d, qkv, C, C),
                     fn_mat_columns(d, qkv, 2 * C, C), &a);
    }
    ops->linear_dropout_residual_norm(d, rows, rows_hat, rstd.data, from, rows, &l->linears[ENCODER_OUT],
                                      &l->attention_norm, a.queries, NULL);
    ops->ffn(d, rows, rows_hat, rstd.data, none, rows, &l->linears[ENCODER_UP], &l->linears[ENCODER_DOWN], FN_ACT_GELU,
             &l->ffn_norm, a.queries, NULL);
  }
  ops->linear(d, pooled, x1, &e->pooler);
  ops->activation(d, activated, pooled, FN_ACT_TANH);
  ops->linear(d, out, activated, &e->classifier);
  ops->to_float(d, logits, out);
}

#endif
