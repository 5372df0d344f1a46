/* Multiplications of the fast device: by packed weights, and the gradients of weights. */
#include "tensor/cpu/fast.h"

size_t fn_fast_right_floats(size_t K, size_t N) {
  return K * ((N + 15) / 16 * 16);
}

typedef struct pack_job {
  const fn_kernels *kernels;
  float *out;
  const float *src;
  size_t K, N, k_stride, n_stride;
} pack_job;

static void pack_panel(void *arg, size_t i, int worker) {
  const pack_job *j = arg;
  (void)worker;
  j->kernels->pack(j->out, j->src, j->K, j->N, j->k_stride, j->n_stride, i, i + 1);
}

static void pack_all(fn_device *d, float *out, const float *src, size_t K, size_t N, size_t k_stride, size_t n_stride) {
  pack_job job = {d->kernels, out, src, K, N, k_stride, n_stride};
  fn_pool_run(d->pool, (N + d->kernels->panel_width - 1) / d->kernels->panel_width, pack_panel, &job);
}

fn_right fn_fast_right(fn_device *d, const float *w, size_t rows, size_t columns, size_t stride, bool transposed,
                       const float *ready) {
  fn_right b = {.raw = w,
                .K = transposed ? columns : rows,
                .N = transposed ? rows : columns,
                .stride = stride,
                .transposed = transposed,
                .packed = ready};
  if (ready || d->onednn) return b;
  float *packed = fn_scratch_take(d, fn_fast_right_floats(b.K, b.N) * sizeof *packed);
  pack_all(d, packed, w, b.K, b.N, transposed ? 1 : stride, transposed ? stride : 1);
  b.packed = packed;
  return b;
}

size_t fn_fast_prepared_n(const fn_device *d, const fn_linear *l) {
  return d->onednn ? 0 : fn_fast_right_floats(l->n_in, l->n_out);
}

void fn_fast_prepare(fn_device *d, void *out, const fn_linear *l) {
  if (!d->onednn) pack_all(d, out, l->w, l->n_in, l->n_out, 1, l->n_in);
}

static void onednn_rows(const fn_device *d, float *c, size_t c_stride, const float *a, size_t a_stride, size_t M,
                        const fn_right *b, bool accumulate) {
  d->onednn->omp_set_num_threads(1);
  d->onednn->sgemm('N', b->transposed ? 'T' : 'N', (int64_t)M, (int64_t)b->N, (int64_t)b->K, 1.0f, a, (int64_t)a_stride,
                   b->raw, (int64_t)b->stride, accumulate ? 1.0f : 0.0f, c, (int64_t)c_stride);
}

void fn_fast_multiply(const fn_device *d, float *c, size_t c_stride, const float *a, size_t a_stride, size_t M,
                      const fn_right *b, bool accumulate) {
  if (!b->packed) {
    onednn_rows(d, c, c_stride, a, a_stride, M, b, accumulate);
    return;
  }
  const fn_left left = {a, a_stride, 1, d->kernels->rows_per_panel * a_stride};
  d->kernels->gemm(c, c_stride, &left, b->packed, M, b->N, b->K, accumulate);
}

/* Weight gradients: rows are summed in chunks, so that the packed chunk of x stays in the cache while all outputs pass.
 * A task owns OUT_BLOCK rows of dw, and adds the chunks in order: bits do not depend on threads. */
enum { ROW_CHUNK = 512, OUT_BLOCK = 48 };

typedef struct gradient_job {
  const fn_device *d;
  float *dw, *db;
  fn_mat dy, x;        /* the chunk's rows */
  const float *packed; /* x as right operand */
  float *left;         /* [n_threads][OUT_BLOCK' · ROW_CHUNK] */
  size_t left_floats;
} gradient_job;

static size_t left_floats(const fn_device *d, size_t chunk) {
  size_t r = d->kernels->rows_per_panel;
  return (OUT_BLOCK + r - 1) / r * r * chunk;
}

static void gradient_task(void *arg, size_t i, int worker) {
  const gradient_job *j = arg;
  const fn_kernels *k = j->d->kernels;
  size_t o = i * OUT_BLOCK, n = j->dy.n_cols - o < OUT_BLOCK ? j->dy.n_cols - o : OUT_BLOCK, K = j->dy.n_rows;
  const float *dy = fn_row(j->dy, 0) + o;
  if (j->dw && j->d->onednn) {
    j->d->onednn->omp_set_num_threads(1);
    j->d->onednn->sgemm('T', 'N', (int64_t)n, (int64_t)j->x.n_cols, (int64_t)K, 1.0f, dy, (int64_t)j->dy.stride,
                        fn_row(j->x, 0), (int64_t)j->x.stride, 1.0f, j->dw + o * j->x.n_cols, (int64_t)j->x.n_cols);
  } else if (j->dw) {
    float *left = j->left + (size_t)worker * j->left_floats;
    k->pack_left(left, dy, j->dy.stride, K, n);
    const fn_left a = {left, 1, k->rows_per_panel, k->rows_per_panel * K};
    k->gemm(j->dw + o * j->x.n_cols, j->x.n_cols, &a, j->packed, n, j->x.n_cols, K, true);
  }
  if (j->db) k->column_sums(j->db + o, dy, j->dy.stride, K, n);
}

void fn_fast_weight_gradient(fn_device *d, float *dw, float *db, fn_mat dy, fn_mat x) {
  if (!dw && !db) return;
  size_t mark = d->scratch_used, chunk = dy.n_rows < ROW_CHUNK ? dy.n_rows : ROW_CHUNK;
  gradient_job job = {.d = d, .dw = dw, .db = db};
  float *packed = NULL;
  if (dw && !d->onednn) {
    packed = fn_scratch_take(d, fn_fast_right_floats(chunk, x.n_cols) * sizeof *packed);
    job.left_floats = left_floats(d, chunk);
    job.left = fn_scratch_take(d, (size_t)d->n_threads * job.left_floats * sizeof *job.left);
    job.packed = packed;
  }
  for (size_t r = 0; r < dy.n_rows; r += chunk) {
    size_t n = dy.n_rows - r < chunk ? dy.n_rows - r : chunk;
    job.dy = fn_mat_rows(d, dy, r, n);
    job.x = fn_mat_rows(d, x, r, n);
    if (packed) pack_all(d, packed, fn_row(x, r), n, x.n_cols, x.stride, 1);
    fn_pool_run(d->pool, (dy.n_cols + OUT_BLOCK - 1) / OUT_BLOCK, gradient_task, &job);
  }
  d->scratch_used = mark;
}

size_t fn_fast_weight_gradient_scratch(const fn_device *d, size_t T, size_t widest) {
  size_t chunk = T < ROW_CHUNK ? T : ROW_CHUNK;
  return fn_scratch_need(fn_fast_right_floats(chunk, widest), sizeof(float)) +
         fn_scratch_need((size_t)d->n_threads * left_floats(d, chunk), sizeof(float));
}

typedef struct rows_job {
  const fn_device *d;
  fn_mat y, x;
  fn_right b;
  const float *bias;
  bool accumulate;
} rows_job;

static void rows_task(void *arg, size_t i, int worker) {
  const rows_job *j = arg;
  size_t first, last;
  (void)worker;
  fn_block_rows(&first, &last, i, j->x.n_rows);
  fn_fast_multiply(j->d, fn_row(j->y, first), j->y.stride, fn_row(j->x, first), j->x.stride, last - first, &j->b,
                   j->accumulate);
  if (j->bias)
    for (size_t r = first; r < last; r++) j->d->kernels->add(fn_row(j->y, r), j->bias, j->b.N);
}

void fn_fast_linear(fn_device *d, fn_mat y, fn_mat x, const fn_linear *l) {
  uint64_t begin = fn_profile_begin(d);
  size_t mark = d->scratch_used;
  rows_job job = {.d = d, .y = y, .x = x, .bias = l->b};
  job.b = fn_fast_right(d, l->w, l->n_out, l->n_in, l->n_in, true, l->prepared);
  fn_run_blocks(d, x.n_rows, rows_task, &job);
  d->scratch_used = mark;
  fn_profile_end(d, FN_PROFILE_HEAD, begin);
}

void fn_fast_linear_backward(fn_device *d, fn_mat dx, bool accumulate, fn_mat dy, fn_mat x, const fn_linear *l) {
  uint64_t begin = fn_profile_begin(d);
  size_t mark = d->scratch_used;
  if (dx.data) {
    rows_job job = {.d = d, .y = dx, .x = dy, .accumulate = accumulate};
    job.b = fn_fast_right(d, l->w, l->n_out, l->n_in, l->n_in, false, NULL);
    fn_run_blocks(d, dy.n_rows, rows_task, &job);
    d->scratch_used = mark;
  }
  fn_fast_weight_gradient(d, l->dw, l->db, dy, x);
  fn_profile_end(d, FN_PROFILE_HEAD, begin);
}

/* Projections side by side: each its own packed weight, all in one pass over a block's rows. */
typedef struct parts_job {
  const fn_device *d;
  fn_mat y, x;
  const fn_linear *parts;
  fn_right b[4];
  size_t n_parts;
  bool accumulate;
} parts_job;

static void qkv_task(void *arg, size_t i, int worker) {
  const parts_job *j = arg;
  size_t first, last, column = 0;
  (void)worker;
  fn_block_rows(&first, &last, i, j->x.n_rows);
  for (size_t p = 0; p < j->n_parts; column += j->parts[p++].n_out) {
    fn_fast_multiply(j->d, fn_row(j->y, first) + column, j->y.stride, fn_row(j->x, first), j->x.stride, last - first,
                     &j->b[p], false);
    if (!j->parts[p].b) continue;
    for (size_t r = first; r < last; r++) j->d->kernels->add(fn_row(j->y, r) + column, j->parts[p].b, j->b[p].N);
  }
}

void fn_fast_qkv(fn_device *d, fn_mat y, fn_mat x, const fn_linear *parts, size_t n_parts) {
  uint64_t begin = fn_profile_begin(d);
  size_t mark = d->scratch_used;
  parts_job job = {.d = d, .y = y, .x = x, .parts = parts, .n_parts = n_parts};
  assert(n_parts <= FN_COUNT_OF(job.b));
  for (size_t p = 0; p < n_parts; p++)
    job.b[p] = fn_fast_right(d, parts[p].w, parts[p].n_out, parts[p].n_in, parts[p].n_in, true, parts[p].prepared);
  fn_run_blocks(d, x.n_rows, qkv_task, &job);
  d->scratch_used = mark;
  fn_profile_end(d, FN_PROFILE_QKV, begin);
}

static void qkv_backward_task(void *arg, size_t i, int worker) {
  const parts_job *j = arg; /* y is dy, x is dx */
  size_t first, last, column = 0;
  (void)worker;
  fn_block_rows(&first, &last, i, j->x.n_rows);
  for (size_t p = 0; p < j->n_parts; column += j->parts[p++].n_out)
    fn_fast_multiply(j->d, fn_row(j->x, first), j->x.stride, fn_row(j->y, first) + column, j->y.stride, last - first,
                     &j->b[p], j->accumulate || p > 0);
}

void fn_fast_qkv_backward(fn_device *d, fn_mat dx, bool accumulate, fn_mat dy, fn_mat x, const fn_linear *parts,
                          size_t n_parts) {
  uint64_t begin = fn_profile_begin(d);
  size_t mark = d->scratch_used, column = 0;
  parts_job job = {.d = d, .y = dy, .x = dx, .parts = parts, .n_parts = n_parts, .accumulate = accumulate};
  assert(n_parts <= FN_COUNT_OF(job.b));
  for (size_t p = 0; p < n_parts; p++)
    job.b[p] = fn_fast_right(d, parts[p].w, parts[p].n_out, parts[p].n_in, parts[p].n_in, false, NULL);
  fn_run_blocks(d, dy.n_rows, qkv_backward_task, &job);
  d->scratch_used = mark;
  for (size_t p = 0; p < n_parts; column += parts[p++].n_out)
    fn_fast_weight_gradient(d, parts[p].dw, parts[p].db, fn_mat_columns(d, dy, column, parts[p].n_out), x);
  fn_profile_end(d, FN_PROFILE_QKV_BACKWARD, begin);
}
