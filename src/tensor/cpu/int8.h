/* Kernels of the 8-bit engine: one table per level of the CPU, each function on one thread over plain memory. Sums of
 * products are exact, everything else rounds as simd.h says, so that all levels give the same bits.
 *
 * y[r, n] = fma((float)(Σ q[r, k] (u[n, k] - 64)), row scale · output scale, bias): the sum starts at -64 Σ q[r, k]. */
#ifndef FN_TENSOR_CPU_INT8_H
#define FN_TENSOR_CPU_INT8_H

#include "tensor/ops.h"

/* Rows of 8-bit activations, `stride` bytes apart (a multiple of 4; bytes up to the next multiple of 4 are zero). */
typedef struct fn_int8_rows {
  int8_t *q;
  size_t stride;
  float *scales;   /* [rows] */
  int32_t *starts; /* [rows] -64 Σ q */
} fn_int8_rows;

/* Tiles of tensor/tiles.h; K inputs, N outputs. bias may be NULL. */
typedef struct fn_int8_weights {
  const uint8_t *tiles;
  const float *scales, *bias;
  size_t K, N;
} fn_int8_weights;

/* One (sequence, head) of attention: n_q query rows (a slice of the sequence's), n_k key rows, D channels each.
 *   scores  queries in 8 bits (one scale a row), keys in 7 (one scale a row): exact sums
 *   p       e^(score - largest score of the row) in 12 bits, so that what many small ones add up to is kept
 *   context values in 10 bits (one scale a channel over the sequence), exact sums over up to 1,024 keys at a time,
 *           divided by Σ p. */
typedef struct fn_int8_head {
  const float *q, *k, *v; /* rows `stride` floats apart */
  size_t stride_q, stride_k, stride_v;
  size_t n_q, n_k, D;
  float scale;
  float *context;
  size_t stride_context;
  void *scratch; /* attention_scratch(n_k, D) bytes, 64-byte aligned */
} fn_int8_head;

typedef struct fn_int8_kernels {
  /* One row of n: scale = largest magnitude / 127 (IEEE division), q = x · (127 / largest), half to even. Rows without
   * a magnitude above 1e-30 are zeros. n is at most FN_TILES_INT8_MOST_IN. */
  void (*quantise)(const fn_int8_rows *rows, size_t row, const float *x, size_t n);
  /* Columns [first, last) (multiples of 16, last may be N) of y[M, N], whose rows lie `stride` apart; then GELU or
   * whatever `activation` is, or nothing. */
  void (*multiply)(float *y, size_t stride, const fn_int8_rows *rows, size_t M, const fn_int8_weights *w, size_t first,
                   size_t last, const fn_activation *activation);
  /* y = norm(x + residual) of one row of n, x overwritten; y may be residual. rstd[1]. */
  void (*residual_norm)(float *y, float *rstd, float *x, const float *residual, const float *gamma, const float *beta,
                        float epsilon, size_t n);
  void (*widen)(float *y, const int8_t *x, float scale, size_t n); /* y = scale · x */
  size_t (*attention_scratch)(size_t longest, size_t D);
  void (*attention)(const fn_int8_head *head);
} fn_int8_kernels;

/* All but the first are part of builds for x86-64 only. */
const fn_int8_kernels *fn_int8_kernels_c(void);
const fn_int8_kernels *fn_int8_kernels_avx2(void);
const fn_int8_kernels *fn_int8_kernels_avxvnni(void);
const fn_int8_kernels *fn_int8_kernels_avx512(void);
const fn_int8_kernels *fn_int8_kernels_avx512vnni(void);
const fn_int8_kernels *fn_int8_kernels_amx(void);

#endif
