/* Multiplications of the fast device: by packed weights, and the gradients of weights. */
#include "tensor/cpu/fast.h"
#include "tensor/tiles.h"

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

void fn_fast_pack(fn_device *d, float *out, const float *src, size_t K, size_t N, size_t k_stride, size_t n_stride) {
  pack_job job = {d->kernels, out, src, K, N, k_stride, n_stride};
  fn_pool_run(d->pool, (N + d->kernels->panel_width - 1) / d->kernels->panel_width, pack_panel, &job);
}

fn_right fn_fast_right(fn_device *d, const float *w, size_t rows, size_t columns, size_t stride, bool transposed,
                       const float *ready) {
  fn_right b = {.raw = w,
                .K = transposed ? columns : rows,
                .N = transposed ? rows : columns,
                .stride = stride,
                .transposed = transposed};
  b.packed = (fn_packed){.data = ready, .depth = b.K, .K = b.K, .N = b.N, .tiles = ready != NULL};
  if (ready || d->onednn) return b;
  float *packed = fn_scratch_take(d, fn_fast_right_floats(b.K, b.N) * sizeof *packed);
  fn_fast_pack(d, packed, w, b.K, b.N, transposed ? 1 : stride, transposed ? stride : 1);
  b.packed.data = packed;
  return b;
}

fn_right fn_right_columns(const fn_right *b, size_t n0, size_t N) {
  fn_right r = *b;
  assert(n0 % FN_SLICE == 0 && n0 + N <= b->N);
  r.N = r.packed.N = N;
  if (r.raw) r.raw += b->transposed ? n0 * b->stride : n0;
  if (r.packed.data) r.packed.data += n0 * b->packed.depth;
  return r;
}

fn_right fn_right_rows(const fn_right *b, size_t k0, size_t K) {
  fn_right r = *b;
  assert(k0 + K <= b->K);
  r.K = r.packed.K = K;
  if (r.raw) r.raw += b->transposed ? k0 : k0 * b->stride;
  r.packed.k0 += k0;
  return r;
}

size_t fn_fast_prepared_n(const fn_device *d, const fn_linear *l) {
  return d->onednn ? 0 : fn_tiles_f32_count(l->n_out, l->n_in);
}

typedef struct prepare_job {
  float *out;
  const fn_linear *l;
} prepare_job;

static void prepare_tile(void *arg, size_t i, int worker) {
  const prepare_job *j = arg;
  const size_t K = j->l->n_in, rest = j->l->n_out - 16 * i;
  (void)worker;
  fn_tiles_f32_make(j->out + 16 * i * K, (const float *)j->l->w + 16 * i * K, rest < 16 ? rest : 16, K);
}

void fn_fast_prepare(fn_device *d, void *out, const fn_linear *l) {
  prepare_job job = {out, l};
  if (!d->onednn) fn_pool_run(d->pool, (l->n_out + 15) / 16, prepare_tile, &job);
}

static void onednn_rows(const fn_device *d, float *c, size_t c_stride, const float *a, size_t a_stride, size_t M,
                        const fn_right *b, bool accumulate) {
  d->onednn->omp_set_num_threads(1);
  d->onednn->sgemm('N', b->transposed ? 'T' : 'N', (int64_t)M, (int64_t)b->N, (int64_t)b->K, 1.0f, a, (int64_t)a_stride,
                   b->raw, (int64_t)b->stride, accumulate ? 1.0f : 0.0f, c, (int64_t)c_stride);
}

void fn_fast_multiply(const fn_device *d, float *c, size_t c_stride, const float *a, size_t a_stride, size_t M,
                      const fn_right *b, bool accumulate) {
  if (!b->packed.data) {
    onednn_rows(d, c, c_stride, a, a_stride, M, b, accumulate);
    return;
  }
  const fn_left left = {a, a_stride, 1, d->kernels->rows_per_panel * a_stride};
  d->kernels->gemm(c, c_stride, &left, &b->packed, M, accumulate);
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
  fn_wide_rows(j->d, &first, &last, i, j->x.n_rows);
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
  fn_run_wide(d, x.n_rows, rows_task, &job);
  d->scratch_used = mark;
  fn_profile_end(d, FN_PROFILE_HEAD, begin);
}

void fn_fast_linear_backward(fn_device *d, fn_mat dx, bool accumulate, fn_mat dy, fn_mat x, const fn_linear *l) {
  uint64_t begin = fn_profile_begin(d);
  size_t mark = d->scratch_used;
  if (dx.data) {
    rows_job job = {.d = d, .y = dx, .x = dy, .accumulate = accumulate};
    job.b = fn_fast_right(d, l->w, l->n_out, l->n_in, l->n_in, false, NULL);
    fn_run_wide(d, dy.n_rows, rows_task, &job);
    d->scratch_used = mark;
  }
  const fn_gradient gradient = {l->dw, l->db, dy};
  fn_fast_weight_gradients(d, &gradient, 1, x);
  fn_profile_end(d, FN_PROFILE_HEAD, begin);
}

/* Projections side by side: each its own packed weight, all in one pass over a block's rows. */
typedef struct parts_job {
  const fn_device *d;
  fn_mat y, x;
  const fn_linear *parts;
  fn_right b[FN_MAX_PARTS];
  size_t n_parts;
  bool accumulate;
} parts_job;

static void qkv_task(void *arg, size_t i, int worker) {
  const parts_job *j = arg;
  size_t first, last, column = 0;
  (void)worker;
  fn_wide_rows(j->d, &first, &last, i, j->x.n_rows);
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
  fn_run_wide(d, x.n_rows, qkv_task, &job);
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
  fn_gradient gradients[FN_MAX_PARTS];
  parts_job job = {.d = d, .y = dy, .x = dx, .parts = parts, .n_parts = n_parts, .accumulate = accumulate};
  assert(n_parts <= FN_COUNT_OF(job.b));
  for (size_t p = 0; p < n_parts; p++)
    job.b[p] = fn_fast_right(d, parts[p].w, parts[p].n_out, parts[p].n_in, parts[p].n_in, false, NULL);
  fn_run_blocks(d, dy.n_rows, qkv_backward_task, &job);
  d->scratch_used = mark;
  for (size_t p = 0; p < n_parts; column += parts[p++].n_out)
    gradients[p] = (fn_gradient){parts[p].dw, parts[p].db, fn_mat_columns(d, dy, column, parts[p].n_out)};
  fn_fast_weight_gradients(d, gradients, n_parts, x);
  fn_profile_end(d, FN_PROFILE_QKV_BACKWARD, begin);
}
