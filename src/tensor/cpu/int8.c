/* The 8-bit device: the fast device's forward operations, with linear layers in 8 bits where their weights are. A row's
 * result depends on nothing but the row and the model, so work may be cut as the number of threads likes. */
#include "tensor/cpu/int8.h"
#include "tensor/cpu/fast.h"
#include "tensor/tiles.h"

/* Most rows that a task carries through a block: its activations stay in the second-level cache. Weights that stay
 * there as well may be read anew for every 32 rows, which lets threads of unequal speed end together. */
enum { MOST_ROWS = 64, NEAR_ROWS = 32, NEAR_BYTES = 3 << 19 };

typedef struct int8_job {
  const fn_device *d;
  fn_mat y, xhat, x, residual;
  const fn_linear *parts; /* of one input, side by side */
  size_t n_parts, n_tiles;
  const fn_linear *down; /* of the feed-forward block */
  fn_int8_rows *rows;    /* [n_threads], each for `block` rows; few rows: [1] for all of them */
  float *act;            /* [n_threads][block][F]; few rows: [R][F] */
  size_t block, share;   /* rows, or tiles of outputs, of a task */
  float *rstd;
  const fn_activation *kind;
  const fn_norm *norm;
} int8_job;

static size_t tiles_of(const fn_linear *l) {
  return fn_tiles_round(l->n_out) / 16;
}

/* Rows too few to give every thread a block worth its while: outputs are shared out instead, and each thread reads only
 * its part of the weights. */
static bool is_few(const fn_device *d, size_t R) {
  return d->n_threads > 1 && R < 16 * (size_t)d->n_threads && R <= MOST_ROWS;
}

/* Rows per task: the last thread to finish should finish soonest; of equals, the most rows, which read the weights
 * least often. */
static size_t block_of(const fn_device *d, size_t R, size_t weight_bytes) {
  const size_t threads = (size_t)d->n_threads, most = weight_bytes > NEAR_BYTES ? MOST_ROWS : NEAR_ROWS;
  size_t best = most, least = SIZE_MAX;
  for (size_t block = most; block >= 16; block -= 8) {
    const size_t n = (R + block - 1) / block, time = (n + threads - 1) / threads * block;
    if (time < least) {
      least = time;
      best = block;
    }
  }
  return R < best ? R : best;
}

static size_t rows_bytes(size_t n_rows, size_t width) {
  return fn_scratch_need(n_rows * ((width + 3) / 4 * 4), 1) + fn_scratch_need(n_rows, sizeof(float)) +
         fn_scratch_need(n_rows, sizeof(int32_t));
}

/* Places for n_rows quantised rows up to `width` wide, n of them. */
static fn_int8_rows *take_rows(fn_device *d, size_t n, size_t n_rows, size_t width) {
  fn_int8_rows *rows = fn_scratch_take(d, n * sizeof *rows);
  for (size_t i = 0; i < n; i++) {
    rows[i].stride = (width + 3) / 4 * 4;
    rows[i].q = fn_scratch_take(d, n_rows * rows[i].stride);
    rows[i].scales = fn_scratch_take(d, n_rows * sizeof(float));
    rows[i].starts = fn_scratch_take(d, n_rows * sizeof(int32_t));
  }
  return rows;
}

static void quantise(const int8_job *j, const fn_int8_rows *rows, const float *x, size_t stride, size_t M, size_t n) {
  for (size_t r = 0; r < M; r++) j->d->int8->quantise(rows, r, x + r * stride, n);
}

/* Outputs of tiles [first, last). */
static void multiply(const int8_job *j, float *y, size_t stride, const fn_int8_rows *rows, size_t M, const fn_linear *l,
                     size_t first, size_t last, const fn_activation *kind) {
  const fn_int8_weights w = {l->prepared, l->scales, l->b, l->n_in, l->n_out};
  assert(l->prepared && l->n_in <= FN_TILES_INT8_MOST_IN);
  last *= 16;
  j->d->int8->multiply(y, stride, rows, M, &w, 16 * first, last < l->n_out ? last : l->n_out, kind);
}

/* Tiles [first, last) of all parts. */
static void multiply_parts(const int8_job *j, float *y, size_t stride, const fn_int8_rows *rows, size_t M, size_t first,
                           size_t last) {
  size_t before = 0, column = 0;
  for (size_t p = 0; p < j->n_parts && before < last; column += j->parts[p++].n_out) {
    const size_t n = tiles_of(&j->parts[p]), from = first > before ? first - before : 0;
    const size_t to = last - before < n ? last - before : n;
    if (from < to) multiply(j, y + column, stride, rows, M, &j->parts[p], from, to, j->kind);
    before += n;
  }
}

/* Rows of xhat hold x Wᵀ + b: residual, norm. */
static void finish_rows(const int8_job *j, size_t first, size_t M) {
  for (size_t r = first; r < first + M; r++)
    j->d->int8->residual_norm(fn_row(j->y, r), j->rstd + r, fn_row(j->xhat, r), fn_row(j->residual, r), j->norm->gamma,
                              j->norm->beta, (float)j->norm->epsilon, j->norm->n);
}

/* Few rows: all of them against a share of the outputs. */
static void share_task(void *arg, size_t i, int worker) {
  const int8_job *j = arg;
  const size_t first = i * j->share, last = j->n_tiles - first < j->share ? j->n_tiles : first + j->share;
  (void)worker;
  multiply_parts(j, fn_row(j->y, 0), j->y.stride, j->rows, j->x.n_rows, first, last);
}

/* y = x Wᵀ + b of all parts, then `kind`. Shares are whole register tiles wide. */
static void multiply_few(int8_job *j, fn_mat y, fn_mat x, const fn_linear *parts, size_t n_parts,
                         const fn_activation *kind) {
  const size_t threads = (size_t)j->d->n_threads;
  int8_job job = *j;
  job.y = y;
  job.x = x;
  job.parts = parts;
  job.n_parts = n_parts;
  job.kind = kind;
  job.n_tiles = 0;
  for (size_t p = 0; p < n_parts; p++) job.n_tiles += tiles_of(&parts[p]);
  job.share = ((job.n_tiles + threads - 1) / threads + 2) / 3 * 3;
  quantise(j, j->rows, fn_row(x, 0), x.stride, x.n_rows, parts->n_in);
  fn_pool_run(j->d->pool, (job.n_tiles + job.share - 1) / job.share, share_task, &job);
}

static size_t task_rows(const int8_job *j, size_t *first, size_t i) {
  const size_t R = j->x.n_rows;
  *first = i * j->block;
  return R - *first < j->block ? R - *first : j->block;
}

/* Every task a block of rows, with places for rows up to `width` wide and F activations each. */
static void run_blocks(fn_device *d, int8_job *job, size_t width, size_t F, fn_task task) {
  const size_t threads = (size_t)d->n_threads, R = job->x.n_rows;
  size_t weight_bytes = job->down ? job->down->n_out * job->down->n_in : 0;
  for (size_t p = 0; p < job->n_parts; p++) weight_bytes += job->parts[p].n_out * job->parts[p].n_in;
  job->block = block_of(d, R, weight_bytes);
  job->rows = take_rows(d, threads, job->block, width);
  if (F > 0) job->act = fn_scratch_take(d, threads * job->block * F * sizeof *job->act);
  fn_pool_run(d->pool, (R + job->block - 1) / job->block, task, job);
}

static void parts_task(void *arg, size_t i, int worker) {
  const int8_job *j = arg;
  size_t first, M = task_rows(j, &first, i);
  quantise(j, &j->rows[worker], fn_row(j->x, first), j->x.stride, M, j->parts->n_in);
  multiply_parts(j, fn_row(j->y, first), j->y.stride, &j->rows[worker], M, 0, SIZE_MAX);
}

static void run_parts(fn_device *d, fn_mat y, fn_mat x, const fn_linear *l, size_t n_parts) {
  const size_t mark = d->scratch_used;
  int8_job job = {.d = d, .y = y, .x = x, .parts = l, .n_parts = n_parts};
  if (is_few(d, x.n_rows)) {
    job.rows = take_rows(d, 1, x.n_rows, l->n_in);
    multiply_few(&job, y, x, l, n_parts, NULL);
  } else {
    run_blocks(d, &job, l->n_in, 0, parts_task);
  }
  d->scratch_used = mark;
}

static void int8_linear(fn_device *d, fn_mat y, fn_mat x, const fn_linear *l) {
  uint64_t begin = fn_profile_begin(d);
  if (!l->scales) {
    fn_fast_linear(d, y, x, l);
    return;
  }
  run_parts(d, y, x, l, 1);
  fn_profile_end(d, FN_PROFILE_HEAD, begin);
}

static void int8_qkv(fn_device *d, fn_mat y, fn_mat x, const fn_linear *l, size_t n_parts) {
  uint64_t begin = fn_profile_begin(d);
  if (!l->scales) {
    fn_fast_qkv(d, y, x, l, n_parts);
    return;
  }
  run_parts(d, y, x, l, n_parts);
  fn_profile_end(d, FN_PROFILE_QKV, begin);
}

static void output_task(void *arg, size_t i, int worker) {
  const int8_job *j = arg;
  size_t first, M = task_rows(j, &first, i);
  quantise(j, &j->rows[worker], fn_row(j->x, first), j->x.stride, M, j->down->n_in);
  multiply(j, fn_row(j->xhat, first), j->xhat.stride, &j->rows[worker], M, j->down, 0, tiles_of(j->down), NULL);
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
  if (is_few(d, x.n_rows)) {
    job.rows = take_rows(d, 1, x.n_rows, l->n_in);
    multiply_few(&job, xhat, x, l, 1, NULL);
    finish_rows(&job, 0, x.n_rows);
  } else {
    run_blocks(d, &job, l->n_in, 0, output_task);
  }
  d->scratch_used = mark;
  fn_profile_end(d, FN_PROFILE_OUTPUT, begin);
}

static void ffn_task(void *arg, size_t i, int worker) {
  const int8_job *j = arg;
  const size_t F = j->down->n_in;
  const fn_int8_rows *rows = &j->rows[worker];
  float *act = j->act + (size_t)worker * j->block * F;
  size_t first, M = task_rows(j, &first, i);
  quantise(j, rows, fn_row(j->x, first), j->x.stride, M, j->parts->n_in);
  multiply(j, act, F, rows, M, j->parts, 0, tiles_of(j->parts), j->kind);
  quantise(j, rows, act, F, M, F);
  multiply(j, fn_row(j->xhat, first), j->xhat.stride, rows, M, j->down, 0, tiles_of(j->down), NULL);
  finish_rows(j, first, M);
}

static void int8_ffn(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, fn_mat pre, fn_mat x, const fn_linear *up,
                     const fn_linear *down, fn_activation kind, const fn_norm *norm, const fn_layout *layout,
                     const fn_dropout *drop) {
  uint64_t begin = fn_profile_begin(d);
  const size_t mark = d->scratch_used, F = up->n_out, width = up->n_in > F ? up->n_in : F;
  assert(!drop && !pre.data);
  if (!up->scales || !down->scales) {
    fn_fast_ffn(d, y, xhat, rstd, pre, x, up, down, kind, norm, layout, drop);
    return;
  }
  int8_job job = {.d = d, .y = y, .xhat = xhat, .x = x, .residual = x, .rstd = rstd, .norm = norm, .parts = up};
  job.n_parts = 1;
  job.down = down;
  job.kind = &kind;
  if (is_few(d, x.n_rows)) {
    job.rows = take_rows(d, 1, x.n_rows, width);
    const fn_mat act = fn_mat_make(fn_scratch_take(d, x.n_rows * F * sizeof(float)), x.n_rows, F);
    multiply_few(&job, act, x, up, 1, &kind);
    multiply_few(&job, xhat, act, down, 1, NULL);
    finish_rows(&job, 0, x.n_rows);
  } else {
    run_blocks(d, &job, width, F, ffn_task);
  }
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
  const size_t block = s->max_T < MOST_ROWS ? s->max_T : MOST_ROWS;
  const size_t own = fn_scratch_need(threads, sizeof(fn_int8_rows)) + threads * rows_bytes(block, widest) +
                     fn_scratch_need(threads * block * s->feed_forward, sizeof(float));
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
