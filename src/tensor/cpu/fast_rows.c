/* Row operations of the fast device: each task takes a block of rows. */
#include "tensor/cpu/fast.h"

typedef struct row_job {
  const fn_device *d;
  fn_mat y, x, z;
  float *rstd;
  const fn_norm *norm;
  const fn_norm_sums *sums;
  const fn_layout *layout;
  fn_dropout_state drop;
  fn_activation kind;
} row_job;

void fn_fast_zero(fn_device *d, void *x, size_t n) {
  (void)d;
  memset(x, 0, n * sizeof(float));
}

static void norm_task(void *arg, size_t i, int worker) {
  const row_job *j = arg;
  size_t first, last;
  (void)worker;
  fn_block_rows(&first, &last, i, j->x.n_rows);
  for (size_t r = first; r < last; r++)
    j->d->kernels->norm(fn_row(j->y, r), fn_row(j->z, r), j->rstd + r, fn_row(j->x, r), j->norm->gamma, j->norm->beta,
                        (float)j->norm->epsilon, j->norm->n);
}

void fn_fast_norm(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, fn_mat x, const fn_norm *norm) {
  row_job job = {.d = d, .y = y, .x = x, .z = xhat, .rstd = rstd, .norm = norm};
  fn_run_blocks(d, x.n_rows, norm_task, &job);
}

fn_norm_sums fn_norm_sums_take(fn_device *d, const fn_norm *norm, size_t R) {
  fn_norm_sums s = {.norm = norm, .n_blocks = fn_n_blocks(R)};
  s.sums = fn_scratch_take(d, s.n_blocks * 2 * norm->n * sizeof *s.sums);
  memset(s.sums, 0, s.n_blocks * 2 * norm->n * sizeof *s.sums);
  return s;
}

void fn_norm_sums_row(const fn_device *d, const fn_norm_sums *s, size_t block, float *dx, const float *dy,
                      const float *xhat, float rstd) {
  float *sums = s->sums + block * 2 * s->norm->n;
  d->kernels->norm_backward(dx, sums, sums + s->norm->n, dy, xhat, rstd, s->norm->gamma, s->norm->n);
}

void fn_norm_sums_add(fn_device *d, const fn_norm_sums *s) {
  for (size_t i = 0; i < s->n_blocks; i++) {
    if (s->norm->dgamma) d->kernels->add(s->norm->dgamma, s->sums + i * 2 * s->norm->n, s->norm->n);
    if (s->norm->dbeta) d->kernels->add(s->norm->dbeta, s->sums + (i * 2 + 1) * s->norm->n, s->norm->n);
  }
}

static void norm_backward_task(void *arg, size_t i, int worker) {
  const row_job *j = arg; /* y is dx, x is dy, z is xhat */
  size_t first, last;
  (void)worker;
  fn_block_rows(&first, &last, i, j->x.n_rows);
  for (size_t r = first; r < last; r++)
    fn_norm_sums_row(j->d, j->sums, i, fn_row(j->y, r), fn_row(j->x, r), fn_row(j->z, r), j->rstd[r]);
}

void fn_fast_norm_backward(fn_device *d, fn_mat dx, fn_mat dy, fn_mat xhat, const void *rstd, const fn_norm *norm) {
  size_t mark = d->scratch_used;
  fn_norm_sums sums = fn_norm_sums_take(d, norm, dy.n_rows);
  /* The task only reads rstd. */
  row_job job = {.d = d, .y = dx, .x = dy, .z = xhat, .norm = norm, .sums = &sums};
  memcpy(&job.rstd, &rstd, sizeof rstd);
  fn_run_blocks(d, dy.n_rows, norm_backward_task, &job);
  fn_norm_sums_add(d, &sums);
  d->scratch_used = mark;
}

static void activation_task(void *arg, size_t i, int worker) {
  const row_job *j = arg;
  size_t first, last;
  (void)worker;
  fn_block_rows(&first, &last, i, j->x.n_rows);
  for (size_t r = first; r < last; r++)
    j->d->kernels->bias_activation(fn_row(j->y, r), fn_row(j->x, r), NULL, j->kind, j->x.n_cols);
}

void fn_fast_activation(fn_device *d, fn_mat y, fn_mat x, fn_activation kind) {
  row_job job = {.d = d, .y = y, .x = x, .kind = kind};
  fn_run_blocks(d, x.n_rows, activation_task, &job);
}

static void activation_backward_task(void *arg, size_t i, int worker) {
  const row_job *j = arg; /* y is dx, z is dy */
  size_t first, last;
  (void)worker;
  fn_block_rows(&first, &last, i, j->x.n_rows);
  for (size_t r = first; r < last; r++)
    j->d->kernels->activation_backward(fn_row(j->y, r), NULL, fn_row(j->z, r), fn_row(j->x, r), j->kind, j->x.n_cols);
}

void fn_fast_activation_backward(fn_device *d, fn_mat dx, fn_mat dy, fn_mat x, fn_activation kind) {
  row_job job = {.d = d, .y = dx, .x = x, .z = dy, .kind = kind};
  fn_run_blocks(d, x.n_rows, activation_backward_task, &job);
}

static void dropout_task(void *arg, size_t i, int worker) {
  const row_job *j = arg;
  size_t first, last;
  (void)worker;
  fn_block_rows(&first, &last, i, j->x.n_rows);
  for (size_t r = first; r < last; r++)
    j->d->kernels->dropout(fn_row(j->y, r), fn_row(j->x, r), &j->drop, fn_key_of(j->layout, r), j->x.n_cols);
}

void fn_fast_dropout(fn_device *d, fn_mat y, fn_mat x, const fn_layout *layout, const fn_dropout *drop) {
  row_job job = {.d = d, .y = y, .x = x, .layout = layout, .drop = fn_dropout_make(drop)};
  if (!job.drop.active && y.data == x.data) return;
  fn_run_blocks(d, x.n_rows, dropout_task, &job);
}

static void add_task(void *arg, size_t i, int worker) {
  const row_job *j = arg;
  size_t first, last;
  (void)worker;
  fn_block_rows(&first, &last, i, j->x.n_rows);
  for (size_t r = first; r < last; r++) j->d->kernels->add(fn_row(j->y, r), fn_row(j->x, r), j->x.n_cols);
}

void fn_fast_add(fn_device *d, fn_mat y, fn_mat x) {
  row_job job = {.d = d, .y = y, .x = x};
  fn_run_blocks(d, x.n_rows, add_task, &job);
}

/* The rest concerns B rows, or is rare: on the calling thread. */

void fn_fast_gather_rows(fn_device *d, fn_mat y, fn_mat x, const int32_t *rows) {
  (void)d;
  for (size_t i = 0; i < y.n_rows; i++) memcpy(fn_row(y, i), fn_row(x, (size_t)rows[i]), y.n_cols * sizeof(float));
}

void fn_fast_scatter_add_rows(fn_device *d, fn_mat y, fn_mat x, const int32_t *rows) {
  for (size_t i = 0; i < x.n_rows; i++) d->kernels->add(fn_row(y, (size_t)rows[i]), fn_row(x, i), x.n_cols);
}

void fn_fast_segment_mean(fn_device *d, fn_mat y, fn_mat x, const fn_layout *layout) {
  for (size_t b = 0; b < layout->n_sequences; b++) {
    size_t begin = (size_t)layout->offsets[b], end = (size_t)layout->offsets[b + 1];
    float *yb = fn_row(y, b);
    memset(yb, 0, y.n_cols * sizeof *yb);
    d->kernels->column_sums(yb, fn_row(x, begin), x.stride, end - begin, y.n_cols);
    d->kernels->scale(yb, yb, 1.0f / (float)(end - begin), y.n_cols);
  }
}

void fn_fast_segment_mean_backward(fn_device *d, fn_mat dx, fn_mat dy, const fn_layout *layout) {
  for (size_t b = 0; b < layout->n_sequences; b++) {
    size_t begin = (size_t)layout->offsets[b], end = (size_t)layout->offsets[b + 1];
    for (size_t r = begin; r < end; r++)
      d->kernels->scale(fn_row(dx, r), fn_row(dy, b), 1.0f / (float)(end - begin), dy.n_cols);
  }
}
