/* The 8-bit device: the fast device's forward operations, with linear layers in 8 bits where their weights are. A row's
 * result depends on nothing but the row and the model, so work may be cut as the number of threads likes. */
#include "tensor/cpu/int8.h"
#include "tensor/cpu/fast.h"
#include "tensor/tiles.h"

/* Rows that a task carries through a block. */
enum { ROWS = 32 };

typedef struct int8_job {
  const fn_device *d;
  fn_mat y, xhat, x, residual;
  const fn_linear *parts, *down; /* down: of the feed-forward block */
  size_t n_parts, column;
  fn_int8_rows *rows; /* [n_threads] */
  float *act;         /* [n_threads][ROWS][F] */
  float *rstd;
  const fn_activation *kind;
  const fn_norm *norm;
} int8_job;

static size_t rows_bytes(size_t width) {
  const size_t q = fn_scratch_need(ROWS * (width + 3) / 4 * 4, 1);
  return q + fn_scratch_need(ROWS, sizeof(float)) + fn_scratch_need(ROWS, sizeof(int32_t));
}

/* Places for quantised rows up to `width` wide, one for each thread. */
static fn_int8_rows *take_rows(fn_device *d, size_t width) {
  fn_int8_rows *rows = fn_scratch_take(d, (size_t)d->n_threads * sizeof *rows);
  for (int i = 0; i < d->n_threads; i++) {
    rows[i].stride = (width + 3) / 4 * 4;
    rows[i].q = fn_scratch_take(d, ROWS * rows[i].stride);
    rows[i].scales = fn_scratch_take(d, ROWS * sizeof(float));
    rows[i].starts = fn_scratch_take(d, ROWS * sizeof(int32_t));
  }
  return rows;
}

static fn_int8_weights weights_of(const fn_linear *l) {
  assert(l->prepared && l->n_in <= FN_TILES_INT8_MOST_IN);
  return (fn_int8_weights){l->prepared, l->scales, l->b, l->n_in, l->n_out};
}

static void quantise(const int8_job *j, const fn_int8_rows *rows, const float *x, size_t stride, size_t M, size_t n) {
  for (size_t r = 0; r < M; r++) j->d->int8->quantise(rows, r, x + r * stride, n);
}

static void multiply(const int8_job *j, float *y, size_t stride, const fn_int8_rows *rows, size_t M, const fn_linear *l,
                     const fn_activation *kind) {
  const fn_int8_weights w = weights_of(l);
  j->d->int8->multiply(y, stride, rows, M, &w, 0, l->n_out, kind);
}

static size_t task_rows(size_t *first, size_t i, size_t R) {
  *first = i * ROWS;
  return R - *first < ROWS ? R - *first : ROWS;
}

static void run(fn_device *d, size_t R, fn_task task, int8_job *job) {
  fn_pool_run(d->pool, (R + ROWS - 1) / ROWS, task, job);
}

static void parts_task(void *arg, size_t i, int worker) {
  const int8_job *j = arg;
  size_t first, M = task_rows(&first, i, j->x.n_rows), column = 0;
  quantise(j, &j->rows[worker], fn_row(j->x, first), j->x.stride, M, j->parts->n_in);
  for (size_t p = 0; p < j->n_parts; column += j->parts[p++].n_out)
    multiply(j, fn_row(j->y, first) + column, j->y.stride, &j->rows[worker], M, &j->parts[p], NULL);
}

static void parts(fn_device *d, fn_mat y, fn_mat x, const fn_linear *l, size_t n_parts) {
  const size_t mark = d->scratch_used;
  int8_job job = {.d = d, .y = y, .x = x, .parts = l, .n_parts = n_parts, .rows = take_rows(d, l->n_in)};
  run(d, x.n_rows, parts_task, &job);
  d->scratch_used = mark;
}

static void int8_linear(fn_device *d, fn_mat y, fn_mat x, const fn_linear *l) {
  uint64_t begin = fn_profile_begin(d);
  if (!l->scales) {
    fn_fast_linear(d, y, x, l);
    return;
  }
  parts(d, y, x, l, 1);
  fn_profile_end(d, FN_PROFILE_HEAD, begin);
}

static void int8_qkv(fn_device *d, fn_mat y, fn_mat x, const fn_linear *l, size_t n_parts) {
  uint64_t begin = fn_profile_begin(d);
  if (!l->scales) {
    fn_fast_qkv(d, y, x, l, n_parts);
    return;
  }
  parts(d, y, x, l, n_parts);
  fn_profile_end(d, FN_PROFILE_QKV, begin);
}

/* Rows of xhat hold x Wᵀ + b: residual, norm. */
static void finish_rows(const int8_job *j, size_t first, size_t M) {
  const fn_kernels *k = j->d->kernels;
  const fn_dropout_state off = {0};
  for (size_t r = first; r < first + M; r++) {
    float *h = fn_row(j->xhat, r);
    k->bias_dropout_residual(h, NULL, fn_row(j->residual, r), &off, (fn_row_key){0}, j->norm->n);
    k->norm(fn_row(j->y, r), h, j->rstd + r, h, j->norm->gamma, j->norm->beta, (float)j->norm->epsilon, j->norm->n);
  }
}

static void output_task(void *arg, size_t i, int worker) {
  const int8_job *j = arg;
  size_t first, M = task_rows(&first, i, j->x.n_rows);
  quantise(j, &j->rows[worker], fn_row(j->x, first), j->x.stride, M, j->down->n_in);
  multiply(j, fn_row(j->xhat, first), j->xhat.stride, &j->rows[worker], M, j->down, NULL);
  finish_rows(j, first, M);
}

static void int8_output(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, fn_mat x, fn_mat residual, const fn_linear *l,
                        const fn_norm *norm, const fn_layout *layout, const fn_dropout *drop) {
  uint64_t begin = fn_profile_begin(d);
  const size_t mark = d->scratch_used;
  assert(!drop);
  if (!l->scales) {
    fn_fast_output(d, y, xhat, rstd, x, residual, l, norm, layout, drop);
    return;
  }
  int8_job job = {.d = d, .y = y, .xhat = xhat, .x = x, .residual = residual, .rstd = rstd, .norm = norm, .down = l};
  job.rows = take_rows(d, l->n_in);
  run(d, x.n_rows, output_task, &job);
  d->scratch_used = mark;
  fn_profile_end(d, FN_PROFILE_OUTPUT, begin);
}

static void ffn_task(void *arg, size_t i, int worker) {
  const int8_job *j = arg;
  const size_t F = j->down->n_in;
  const fn_int8_rows *rows = &j->rows[worker];
  float *act = j->act + (size_t)worker * ROWS * F;
  size_t first, M = task_rows(&first, i, j->x.n_rows);
  quantise(j, rows, fn_row(j->x, first), j->x.stride, M, j->parts->n_in);
  multiply(j, act, F, rows, M, j->parts, j->kind);
  quantise(j, rows, act, F, M, F);
  multiply(j, fn_row(j->xhat, first), j->xhat.stride, rows, M, j->down, NULL);
  finish_rows(j, first, M);
}

static void int8_ffn(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, fn_mat pre, fn_mat x, const fn_linear *up,
                     const fn_linear *down, fn_activation kind, const fn_norm *norm, const fn_layout *layout,
                     const fn_dropout *drop) {
  uint64_t begin = fn_profile_begin(d);
  const size_t mark = d->scratch_used, F = up->n_out;
  assert(!drop && !pre.data);
  if (!up->scales || !down->scales) {
    fn_fast_ffn(d, y, xhat, rstd, pre, x, up, down, kind, norm, layout, drop);
    return;
  }
  int8_job job = {.d = d, .y = y, .xhat = xhat, .x = x, .residual = x, .rstd = rstd, .norm = norm, .parts = up};
  job.down = down;
  job.kind = &kind;
  job.rows = take_rows(d, up->n_in > F ? up->n_in : F);
  job.act = fn_scratch_take(d, (size_t)d->n_threads * ROWS * F * sizeof *job.act);
  run(d, x.n_rows, ffn_task, &job);
  d->scratch_used = mark;
  fn_profile_end(d, FN_PROFILE_FFN, begin);
}

typedef struct attention_job {
  const fn_device *d;
  const fn_attention *a;
  fn_mat context, q, k, v;
  unsigned char *scratch;
  size_t scratch_bytes; /* of one thread */
} attention_job;

static size_t attention_bytes(const fn_device *d, size_t longest, size_t D) {
  return fn_scratch_need(d->int8->attention_scratch(longest, D), 1);
}

/* One task per (sequence, head). */
static void attention_task(void *arg, size_t i, int worker) {
  const attention_job *j = arg;
  const fn_attention *a = j->a;
  const size_t b = i / a->n_heads, column = i % a->n_heads * a->head_size;
  const size_t q0 = (size_t)a->queries->offsets[b], k0 = (size_t)a->keys->offsets[b];
  const fn_int8_head head = {
      .q = fn_row(j->q, q0) + column,
      .k = fn_row(j->k, k0) + column,
      .v = fn_row(j->v, k0) + column,
      .stride_q = j->q.stride,
      .stride_k = j->k.stride,
      .stride_v = j->v.stride,
      .n_q = (size_t)a->queries->offsets[b + 1] - q0,
      .n_k = (size_t)a->keys->offsets[b + 1] - k0,
      .D = a->head_size,
      .scale = (float)a->scale,
      .context = fn_row(j->context, q0) + column,
      .stride_context = j->context.stride,
      .scratch = j->scratch + (size_t)worker * j->scratch_bytes,
  };
  j->d->int8->attention(&head);
}

static void int8_attention(fn_device *d, fn_mat context, void *lse, fn_mat q, fn_mat k, fn_mat v,
                           const fn_attention *a) {
  uint64_t begin = fn_profile_begin(d);
  const size_t mark = d->scratch_used;
  assert(!a->dropout);
  if (a->window > 0) { /* in fp32 */
    fn_fast_attention(d, context, lse, q, k, v, a);
    return;
  }
  attention_job job = {.d = d, .a = a, .context = context, .q = q, .k = k, .v = v};
  job.scratch_bytes = attention_bytes(d, a->keys->longest, a->head_size);
  job.scratch = fn_scratch_take(d, (size_t)d->n_threads * job.scratch_bytes);
  fn_pool_run(d->pool, a->keys->n_sequences * a->n_heads, attention_task, &job);
  d->scratch_used = mark;
  fn_profile_end(d, FN_PROFILE_ATTENTION, begin);
}

static size_t scratch_bytes(const fn_device *d, const fn_device_shape *s) {
  const size_t threads = (size_t)d->n_threads;
  size_t widest = s->hidden > s->feed_forward ? s->hidden : s->feed_forward;
  widest = widest > s->head_width ? widest : s->head_width;
  const size_t own = fn_scratch_need(threads, sizeof(fn_int8_rows)) + threads * rows_bytes(widest) +
                     fn_scratch_need(threads * ROWS * s->feed_forward, sizeof(float));
  const size_t fast = fn_fast_ops.scratch_bytes(d, s);
  const size_t attention = threads * attention_bytes(d, s->longest, s->heads > 0 ? s->hidden / s->heads : s->hidden);
  const size_t most = own > fast ? own : fast;
  return most > attention ? most : attention;
}

const fn_ops fn_int8_ops = {
    .scratch_bytes = scratch_bytes,
    .prepared_n = fn_fast_prepared_n,
    .prepare = fn_fast_prepare,
    .zero = fn_fast_zero,
    .embed = fn_fast_embed,
    .linear = int8_linear,
    .norm = fn_fast_norm,
    .activation = fn_fast_activation,
    .dropout = fn_fast_dropout,
    .add = fn_fast_add,
    .gather_rows = fn_fast_gather_rows,
    .scatter_add_rows = fn_fast_scatter_add_rows,
    .segment_mean = fn_fast_segment_mean,
    .attention = int8_attention,
    .to_float = fn_fast_to_float,
    .embed_norm = fn_fast_embed_norm,
    .qkv = int8_qkv,
    .linear_dropout_residual_norm = int8_output,
    .ffn = int8_ffn,
};
