/* What the files of the fast device share. Everything is fp32; matrices hold floats. */
#ifndef FN_TENSOR_CPU_FAST_H
#define FN_TENSOR_CPU_FAST_H

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/onednn.h"
#include "tensor/device_internal.h"

static inline float *fn_row(fn_mat m, size_t i) {
  return (float *)m.data + i * m.stride;
}

/* Work is cut by shape alone: rows per task for R rows. Large enough that a task's rows pay for streaming the packed
 * weights through the cache, small enough that every thread of a usual machine gets some. */
static inline size_t fn_row_block(size_t R) {
  if (R >= 1024) return 64;
  return R >= 256 ? 48 : R >= 64 ? 24 : 8;
}
static inline size_t fn_n_blocks(size_t R) {
  size_t block = fn_row_block(R);
  return (R + block - 1) / block;
}
/* Calls task(arg, i, worker) for every row block i. */
static inline void fn_run_blocks(fn_device *d, size_t R, fn_task task, void *arg) {
  fn_pool_run(d->pool, fn_n_blocks(R), task, arg);
}
/* Rows [*first, *last) of block i. */
static inline void fn_block_rows(size_t *first, size_t *last, size_t i, size_t R) {
  size_t block = fn_row_block(R);
  *first = i * block;
  *last = R - *first < block ? R : *first + block;
}

/* Where rows do not depend on each other and nothing is summed over them, own kernels' bits depend on no cut (oneDNN's
 * do): blocks as large as
 * lets every thread have one, so that large weights are read from beyond the cache less often. */
enum { FN_WIDE_ROWS = 128 };
static inline size_t fn_wide_block(const fn_device *d, size_t R) {
  const size_t threads = (size_t)d->n_threads, share = ((R + threads - 1) / threads + 7) / 8 * 8;
  const size_t least = fn_row_block(R), most = share < FN_WIDE_ROWS ? share : FN_WIDE_ROWS;
  return d->onednn || R >= 1024 || most < least ? least : most;
}
static inline void fn_run_wide(fn_device *d, size_t R, fn_task task, void *arg) {
  const size_t block = fn_wide_block(d, R);
  fn_pool_run(d->pool, (R + block - 1) / block, task, arg);
}
static inline void fn_wide_rows(const fn_device *d, size_t *first, size_t *last, size_t i, size_t R) {
  const size_t block = fn_wide_block(d, R);
  *first = i * block;
  *last = R - *first < block ? R : *first + block;
}

/* Right operand B[K,N] of a multiplication: packed, or (oneDNN) as it stands. */
typedef struct fn_right {
  fn_packed packed; /* data NULL: not packed */
  const float *raw;
  size_t K, N, stride;
  bool transposed; /* B is the transpose of raw */
} fn_right;

/* B = Wᵀ (transposed) or W, of W[rows, columns] stored row by row `stride` apart. Packs into scratch memory, by all
 * workers; `ready` (may be NULL) was made by fn_fast_prepare. */
fn_right fn_fast_right(fn_device *d, const float *w, size_t rows, size_t columns, size_t stride, bool transposed,
                       const float *ready);
size_t fn_fast_right_floats(size_t K, size_t N);
/* Packs B[K,N], element (k, n) at src[k·k_stride + n·n_stride], by all workers. */
void fn_fast_pack(fn_device *d, float *out, const float *src, size_t K, size_t N, size_t k_stride, size_t n_stride);
/* Columns [n0, n0 + N), n0 a multiple of FN_SLICE, or rows [k0, k0 + K) of B. */
enum { FN_SLICE = 768 };
fn_right fn_right_columns(const fn_right *b, size_t n0, size_t N);
fn_right fn_right_rows(const fn_right *b, size_t k0, size_t K);
/* C[M, N] (+)= A B on the calling thread; rows of A lie a_stride apart. */
void fn_fast_multiply(const fn_device *d, float *c, size_t c_stride, const float *a, size_t a_stride, size_t M,
                      const fn_right *b, bool accumulate);

/* Gradients of linear layers that share their input x: for each part dw[n_out, n_in] += dyᵀ x, db[n_out] += column sums
 * of dy; either may be NULL. By all workers. */
typedef struct fn_gradient {
  float *dw, *db;
  fn_mat dy;
} fn_gradient;
enum { FN_MAX_PARTS = 4 };
void fn_fast_weight_gradients(fn_device *d, const fn_gradient *parts, size_t n_parts, fn_mat x);
/* Scratch bytes of that for inputs up to n_in wide and outputs up to n_out in all parts together. */
size_t fn_fast_weight_gradients_scratch(const fn_device *d, size_t n_in, size_t n_out);

/* dgamma and dbeta are sums over rows: each row block adds its own in scratch memory, then blocks are added in order.
 */
typedef struct fn_norm_sums {
  float *sums; /* [n_blocks][2][n] */
  const fn_norm *norm;
  size_t n_blocks;
} fn_norm_sums;
fn_norm_sums fn_norm_sums_take(fn_device *d, const fn_norm *norm, size_t R);
void fn_norm_sums_row(const fn_device *d, const fn_norm_sums *s, size_t block, float *dx, const float *dy,
                      const float *xhat, float rstd);
void fn_norm_sums_add(fn_device *d, const fn_norm_sums *s);

static inline fn_row_key fn_key_of(const fn_layout *layout, size_t row) {
  return layout ? (fn_row_key){0, layout->draws[row], (uint32_t)layout->positions[row]} : (fn_row_key){0, 0, 0};
}

/* Operations, by file. */
size_t fn_fast_prepared_n(const fn_device *d, const fn_linear *l);
void fn_fast_prepare(fn_device *d, void *out, const fn_linear *l);
void fn_fast_to_float(fn_device *d, float *y, fn_mat x);
void fn_fast_zero(fn_device *d, void *x, size_t n);
void fn_fast_embed(fn_device *d, fn_mat y, const fn_embedding *e, const int32_t *ids, const int32_t *positions,
                   const int32_t *types);
void fn_fast_embed_backward(fn_device *d, fn_mat dy, const fn_embedding *e, const int32_t *ids,
                            const int32_t *positions, const int32_t *types);
void fn_fast_linear(fn_device *d, fn_mat y, fn_mat x, const fn_linear *l);
void fn_fast_linear_backward(fn_device *d, fn_mat dx, bool accumulate, fn_mat dy, fn_mat x, const fn_linear *l);
void fn_fast_norm(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, fn_mat x, const fn_norm *norm);
void fn_fast_norm_backward(fn_device *d, fn_mat dx, fn_mat dy, fn_mat xhat, const void *rstd, const fn_norm *norm);
void fn_fast_activation(fn_device *d, fn_mat y, fn_mat x, fn_activation kind);
void fn_fast_activation_backward(fn_device *d, fn_mat dx, fn_mat dy, fn_mat x, fn_activation kind);
void fn_fast_dropout(fn_device *d, fn_mat y, fn_mat x, const fn_layout *layout, const fn_dropout *drop);
void fn_fast_add(fn_device *d, fn_mat y, fn_mat x);
void fn_fast_gather_rows(fn_device *d, fn_mat y, fn_mat x, const int32_t *rows);
void fn_fast_scatter_add_rows(fn_device *d, fn_mat y, fn_mat x, const int32_t *rows);
void fn_fast_segment_mean(fn_device *d, fn_mat y, fn_mat x, const fn_layout *layout);
void fn_fast_segment_mean_backward(fn_device *d, fn_mat dx, fn_mat dy, const fn_layout *layout);
void fn_fast_attention(fn_device *d, fn_mat context, void *lse, fn_mat q, fn_mat k, fn_mat v, const fn_attention *a);
void fn_fast_attention_backward(fn_device *d, fn_mat dq, fn_mat dk, fn_mat dv, fn_mat dcontext, fn_mat context,
                                const void *lse, fn_mat q, fn_mat k, fn_mat v, const fn_attention *a);
void fn_fast_embed_norm(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, const fn_embedding *e, const fn_norm *norm,
                        const int32_t *ids, const int32_t *types, const fn_layout *layout, const fn_dropout *drop);
void fn_fast_embed_norm_backward(fn_device *d, fn_mat dy, fn_mat xhat, const void *rstd, const fn_embedding *e,
                                 const fn_norm *norm, const int32_t *ids, const int32_t *types, const fn_layout *layout,
                                 const fn_dropout *drop);
void fn_fast_qkv(fn_device *d, fn_mat y, fn_mat x, const fn_linear *parts, size_t n_parts);
void fn_fast_qkv_backward(fn_device *d, fn_mat dx, bool accumulate, fn_mat dy, fn_mat x, const fn_linear *parts,
                          size_t n_parts);
void fn_fast_output(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, fn_mat x, fn_mat residual, const fn_linear *l,
                    const fn_norm *norm, const fn_layout *layout, const fn_dropout *drop);
void fn_fast_output_backward(fn_device *d, fn_mat dx, fn_mat dy, fn_mat x, fn_mat xhat, const void *rstd,
                             const fn_linear *l, const fn_norm *norm, const fn_layout *layout, const fn_dropout *drop);
void fn_fast_ffn(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, fn_mat pre, fn_mat x, const fn_linear *up,
                 const fn_linear *down, fn_activation kind, const fn_norm *norm, const fn_layout *layout,
                 const fn_dropout *drop);
void fn_fast_ffn_backward(fn_device *d, fn_mat dy, fn_mat pre, fn_mat x, fn_mat xhat, const void *rstd,
                          const fn_linear *up, const fn_linear *down, fn_activation kind, const fn_norm *norm,
                          const fn_layout *layout, const fn_dropout *drop);

#endif
