/* The kernels of the fast device: one table per level of the CPU, each function on one thread over plain memory. The
 * sources kernels_*.c are compiled once per level; FN_LEVEL gives their functions the level's suffix. */
#ifndef FN_TENSOR_CPU_KERNELS_H
#define FN_TENSOR_CPU_KERNELS_H

#include "tensor/dropout.h"

/* Left operand of a multiplication: element (m, k) at data[m/R·panel + m%R·row + k·column], R = rows_per_panel of the
 * table. Row-major with leading dimension ld is {data, ld, 1, R·ld}. */
typedef struct fn_left {
  const float *data;
  size_t row, column, panel;
} fn_left;

/* Right operand of a multiplication: N columns of a packed matrix of `depth` rows, of which rows [k0, k0 + K) take
 * part. data is the first panel's beginning, so the columns start at a multiple of panel_width. With `tiles` the panels
 * are 16 wide whatever the level (tensor/tiles.h). */
typedef struct fn_packed {
  const float *data;
  size_t depth, k0, K, N;
  bool tiles;
} fn_packed;

/* Where a row's random numbers come from. */
typedef struct fn_row_key {
  uint32_t head, draw, position;
} fn_row_key;

/* One (sequence, head): n_q query rows (a slice of the sequence's), n_k key rows, D channels each. */
typedef struct fn_head_task {
  const float *q, *k, *v; /* rows `stride_*` apart */
  size_t stride_q, stride_k, stride_v;
  size_t n_q, n_k, D;
  float scale;
  int32_t window;
  const int32_t *q_positions; /* [n_q] */
  const uint32_t *q_draws;    /* [n_q] */
  uint32_t head;
  const fn_dropout_state *dropout;
  float *context; /* forward: out */
  size_t stride_context;
  float *lse;                         /* [n_q]; forward: out */
  const float *context_in, *dcontext; /* backward */
  size_t stride_dcontext;
  float *dq, *dk, *dv;
  size_t stride_dq, stride_dk, stride_dv;
  float *scratch; /* attention_scratch(n_k, D, training) floats, 64-byte aligned */
} fn_head_task;

typedef struct fn_adamw_range {
  float *value, *m, *v;
  const float *gradient;
  size_t n;
  float gradient_scale, decay /* 1 - lr λ */, beta1_rest /* 1 - β₁ */, beta2, beta2_rest, step_size /* lr/(1-β₁ᵗ) */,
      root_correction /* √(1-β₂ᵗ) */, epsilon;
} fn_adamw_range;

typedef struct fn_kernels {
  size_t rows_per_panel, panel_width;

  /* Panels [first, last) of B[K,N] into `out` (B's whole packed form: K · round_up(N, 16) floats): element (k, n) is
   * src[k·k_stride + n·n_stride], one of the strides being 1. Panel p lies at out + p·panel_width·K. */
  void (*pack)(float *out, const float *src, size_t K, size_t N, size_t k_stride, size_t n_stride, size_t first,
               size_t last);
  /* Left operand from n columns of a row-major matrix: rows m = 0 … n-1 are src's columns, k its rows. For fn_left
   * {out, 1, rows_per_panel, rows_per_panel·K}; out holds round_up(n, rows_per_panel) · K floats. In the same pass the
   * columns' sums are added to sums[n], rows in order; NULL: not wanted. */
  void (*pack_left)(float *out, float *sums, const float *src, size_t stride, size_t K, size_t n);
  /* C[M,N] = A B or += A B. Every element is one chain of fused multiply-adds in order of k. */
  void (*gemm)(float *c, size_t stride, const fn_left *a, const fn_packed *b, size_t M, bool accumulate);

  /* One row of n channels each. */
  void (*norm)(float *y, float *xhat, float *rstd, const float *x, const float *gamma, const float *beta, float epsilon,
               size_t n);
  /* dgamma, dbeta (may be NULL) are added to. dx may be dy. */
  void (*norm_backward)(float *dx, float *dgamma, float *dbeta, const float *dy, const float *xhat, float rstd,
                        const float *gamma, size_t n);
  /* x = residual + dropout(x + bias); bias may be NULL. */
  void (*bias_dropout_residual)(float *x, const float *bias, const float *residual, const fn_dropout_state *d,
                                fn_row_key key, size_t n);
  void (*dropout)(float *y, const float *x, const fn_dropout_state *d, fn_row_key key, size_t n);
  void (*add)(float *y, const float *x, size_t n);                                  /* y += x */
  void (*scale)(float *y, const float *x, float factor, size_t n);                  /* y = x factor */
  void (*sum3)(float *y, const float *a, const float *b, const float *c, size_t n); /* b, c may be NULL */
  /* pre += bias (may be NULL); y = act(pre). y may be pre. */
  void (*bias_activation)(float *y, float *pre, const float *bias, fn_activation kind, size_t n);
  /* dx = dy · act'(x); if y is not NULL, y = act(x). dx may be dy, y may be x. */
  void (*activation_backward)(float *dx, float *y, const float *dy, const float *x, fn_activation kind, size_t n);
  /* sum[c] += Σ over rows of x[row·stride + c], c < n, rows in order. */
  void (*column_sums)(float *sum, const float *x, size_t stride, size_t n_rows, size_t n);

  size_t (*attention_scratch)(size_t longest, size_t D, bool training); /* floats */
  void (*attention)(const fn_head_task *task);
  void (*attention_backward)(const fn_head_task *task);

  void (*adamw)(const fn_adamw_range *range);
  double (*squared_norm)(const float *x, size_t n);
} fn_kernels;

/* The last two are part of builds for x86-64 only. */
const fn_kernels *fn_kernels_c(void);
const fn_kernels *fn_kernels_avx2(void);
const fn_kernels *fn_kernels_avx512(void);

#endif
