/* Fused blocks of the fast device. A task carries a block of rows through multiplication, bias, dropout, residual and
 * norm while they are in its cache. */
#include "tensor/cpu/fast.h"

typedef struct block_job {
  const fn_device *d;
  fn_mat y, xhat, x, residual, pre; /* forward */
  fn_mat dx, dy, dl, dact;          /* backward */
  float *rstd;
  fn_right up, down;
  const float *up_bias, *down_bias;
  float *rows; /* [n_threads][block][FN_SLICE] activations */
  size_t F;
  fn_activation kind;
  const fn_norm *norm;
  const fn_norm_sums *sums;
  const fn_layout *layout;
  fn_dropout_state drop;
} block_job;

/* Rows of xhat hold x Wᵀ: bias, dropout, residual, norm. */
static void finish_rows(const block_job *j, fn_mat residual, size_t first, size_t last) {
  const fn_kernels *k = j->d->kernels;
  for (size_t r = first; r < last; r++) {
    float *h = fn_row(j->xhat, r);
    k->bias_dropout_residual(h, j->down_bias, fn_row(residual, r), &j->drop, fn_key_of(j->layout, r), j->norm->n);
    k->norm(fn_row(j->y, r), h, j->rstd + r, h, j->norm->gamma, j->norm->beta, (float)j->norm->epsilon, j->norm->n);
  }
}

static void output_task(void *arg, size_t i, int worker) {
  const block_job *j = arg;
  size_t first, last;
  (void)worker;
  fn_wide_rows(j->d, &first, &last, i, j->x.n_rows);
  fn_fast_multiply(j->d, fn_row(j->xhat, first), j->xhat.stride, fn_row(j->x, first), j->x.stride, last - first,
                   &j->down, false);
  finish_rows(j, j->residual, first, last);
}

void fn_fast_output(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, fn_mat x, fn_mat residual, const fn_linear *l,
                    const fn_norm *norm, const fn_layout *layout, const fn_dropout *drop) {
  uint64_t begin = fn_profile_begin(d);
  size_t mark = d->scratch_used;
  block_job job = {.d = d, .y = y, .xhat = xhat, .x = x, .residual = residual, .rstd = rstd, .norm = norm};
  job.down = fn_fast_right(d, l->w, l->n_out, l->n_in, l->n_in, true, l->prepared);
  job.down_bias = l->b;
  job.layout = layout;
  job.drop = fn_dropout_make(drop);
  fn_run_wide(d, x.n_rows, output_task, &job);
  d->scratch_used = mark;
  fn_profile_end(d, FN_PROFILE_OUTPUT, begin);
}

/* dy ← gradient of the sum before the norm (and so of the residual); dl ← that through dropout. */
static void start_rows(const block_job *j, size_t block, size_t first, size_t last) {
  const fn_kernels *k = j->d->kernels;
  for (size_t r = first; r < last; r++) {
    float *g = fn_row(j->dy, r);
    fn_norm_sums_row(j->d, j->sums, block, g, g, fn_row(j->xhat, r), j->rstd[r]);
    k->dropout(fn_row(j->dl, r), g, &j->drop, fn_key_of(j->layout, r), j->norm->n);
  }
}

static void output_backward_task(void *arg, size_t i, int worker) {
  const block_job *j = arg;
  size_t first, last;
  (void)worker;
  fn_block_rows(&first, &last, i, j->dy.n_rows);
  start_rows(j, i, first, last);
  fn_fast_multiply(j->d, fn_row(j->dx, first), j->dx.stride, fn_row(j->dl, first), j->dl.stride, last - first, &j->down,
                   false);
}

static fn_mat scratch_mat(fn_device *d, size_t n_rows, size_t n_cols) {
  return fn_mat_make(fn_scratch_take(d, n_rows * n_cols * sizeof(float)), n_rows, n_cols);
}

void fn_fast_output_backward(fn_device *d, fn_mat dx, fn_mat dy, fn_mat x, fn_mat xhat, const void *rstd,
                             const fn_linear *l, const fn_norm *norm, const fn_layout *layout, const fn_dropout *drop) {
  uint64_t begin = fn_profile_begin(d);
  size_t mark = d->scratch_used;
  fn_norm_sums sums = fn_norm_sums_take(d, norm, dy.n_rows);
  block_job job = {.d = d, .dx = dx, .dy = dy, .xhat = xhat, .norm = norm, .sums = &sums, .layout = layout};
  memcpy(&job.rstd, &rstd, sizeof rstd); /* only read */
  job.dl = scratch_mat(d, dy.n_rows, dy.n_cols);
  job.drop = fn_dropout_make(drop);
  job.down = fn_fast_right(d, l->w, l->n_out, l->n_in, l->n_in, false, NULL);
  fn_run_blocks(d, dy.n_rows, output_backward_task, &job);
  fn_norm_sums_add(d, &sums);
  const fn_gradient gradient = {l->dw, l->db, job.dl};
  fn_fast_weight_gradients(d, &gradient, 1, x);
  d->scratch_used = mark;
  fn_profile_end(d, FN_PROFILE_OUTPUT_BACKWARD, begin);
}

/* The inner width goes slice by slice, so that a slice's activations are still in the cache when `down` reads them. */
static void ffn_task(void *arg, size_t i, int worker) {
  const block_job *j = arg;
  size_t first, last;
  fn_wide_rows(j->d, &first, &last, i, j->x.n_rows);
  float *act = j->rows + (size_t)worker * fn_wide_block(j->d, j->x.n_rows) * FN_SLICE;
  for (size_t f = 0; f < j->F; f += FN_SLICE) {
    const size_t n = j->F - f < FN_SLICE ? j->F - f : FN_SLICE;
    const fn_right up = fn_right_columns(&j->up, f, n), down = fn_right_rows(&j->down, f, n);
    float *pre = j->pre.data ? fn_row(j->pre, first) + f : act;
    const size_t stride = j->pre.data ? j->pre.stride : FN_SLICE;
    fn_fast_multiply(j->d, pre, stride, fn_row(j->x, first), j->x.stride, last - first, &up, false);
    for (size_t r = 0; r < last - first; r++)
      j->d->kernels->bias_activation(act + r * FN_SLICE, pre + r * stride, j->up_bias ? j->up_bias + f : NULL, j->kind,
                                     n);
    fn_fast_multiply(j->d, fn_row(j->xhat, first), j->xhat.stride, act, FN_SLICE, last - first, &down, f > 0);
  }
  finish_rows(j, j->x, first, last);
}

void fn_fast_ffn(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, fn_mat pre, fn_mat x, const fn_linear *up,
                 const fn_linear *down, fn_activation kind, const fn_norm *norm, const fn_layout *layout,
                 const fn_dropout *drop) {
  uint64_t begin = fn_profile_begin(d);
  size_t mark = d->scratch_used;
  block_job job = {.d = d, .y = y, .xhat = xhat, .x = x, .pre = pre, .rstd = rstd, .norm = norm, .kind = kind};
  job.up = fn_fast_right(d, up->w, up->n_out, up->n_in, up->n_in, true, up->prepared);
  job.down = fn_fast_right(d, down->w, down->n_out, down->n_in, down->n_in, true, down->prepared);
  job.up_bias = up->b;
  job.down_bias = down->b;
  job.F = up->n_out;
  job.rows = fn_scratch_take(d, (size_t)d->n_threads * fn_wide_block(d, x.n_rows) * FN_SLICE * sizeof *job.rows);
  job.layout = layout;
  job.drop = fn_dropout_make(drop);
  fn_run_wide(d, x.n_rows, ffn_task, &job);
  d->scratch_used = mark;
  fn_profile_end(d, FN_PROFILE_FFN, begin);
}

static void ffn_backward_task(void *arg, size_t i, int worker) {
  const block_job *j = arg;
  size_t first, last;
  (void)worker;
  fn_block_rows(&first, &last, i, j->dy.n_rows);
  start_rows(j, i, first, last);
  for (size_t f = 0; f < j->F; f += FN_SLICE) {
    const size_t n = j->F - f < FN_SLICE ? j->F - f : FN_SLICE;
    const fn_right down = fn_right_columns(&j->down, f, n), up = fn_right_rows(&j->up, f, n);
    float *dact = fn_row(j->dact, first) + f, *pre = fn_row(j->pre, first) + f;
    fn_fast_multiply(j->d, dact, j->dact.stride, fn_row(j->dl, first), j->dl.stride, last - first, &down, false);
    for (size_t r = 0; r < last - first; r++) { /* pre becomes the activation, which the gradient of `down` needs */
      float *g = dact + r * j->dact.stride, *p = pre + r * j->pre.stride;
      j->d->kernels->activation_backward(g, p, g, p, j->kind, n);
    }
    fn_fast_multiply(j->d, fn_row(j->dy, first), j->dy.stride, dact, j->dact.stride, last - first, &up, true);
  }
}

void fn_fast_ffn_backward(fn_device *d, fn_mat dy, fn_mat pre, fn_mat x, fn_mat xhat, const void *rstd,
                          const fn_linear *up, const fn_linear *down, fn_activation kind, const fn_norm *norm,
                          const fn_layout *layout, const fn_dropout *drop) {
  uint64_t begin = fn_profile_begin(d);
  size_t mark = d->scratch_used;
  fn_norm_sums sums = fn_norm_sums_take(d, norm, dy.n_rows);
  block_job job = {.d = d, .dy = dy, .pre = pre, .xhat = xhat, .norm = norm, .sums = &sums, .layout = layout};
  memcpy(&job.rstd, &rstd, sizeof rstd); /* only read */
  job.dl = scratch_mat(d, dy.n_rows, dy.n_cols);
  job.F = up->n_out;
  job.dact = scratch_mat(d, dy.n_rows, job.F);
  job.kind = kind;
  job.drop = fn_dropout_make(drop);
  job.up = fn_fast_right(d, up->w, up->n_out, up->n_in, up->n_in, false, NULL);
  job.down = fn_fast_right(d, down->w, down->n_out, down->n_in, down->n_in, false, NULL);
  fn_run_blocks(d, dy.n_rows, ffn_backward_task, &job);
  fn_norm_sums_add(d, &sums);
  const fn_gradient of_down = {down->dw, down->db, job.dl}, of_up = {up->dw, up->db, job.dact};
  fn_fast_weight_gradients(d, &of_down, 1, pre);
  fn_fast_weight_gradients(d, &of_up, 1, x);
  d->scratch_used = mark;
  fn_profile_end(d, FN_PROFILE_FFN_BACKWARD, begin);
}
