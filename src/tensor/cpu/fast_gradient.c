/* Gradients of weights. Rows are summed in chunks: all workers pack the chunk's input and its output gradients, which
 * serve every product of them, then each task adds to its own block of dw. Chunks come in order, so bits do not depend
 * on threads. */
#include "tensor/cpu/fast.h"

enum { ROW_CHUNK = 384, OUT_BLOCK = 96, IN_BLOCK = 384 };

typedef struct gradient_job {
  const fn_device *d;
  const fn_gradient *parts;
  size_t n_parts, n_out_blocks; /* of all parts */
  fn_mat x;                     /* the chunk's rows are [first, first + n) */
  size_t first, n;
  float *right; /* x packed */
  float *left;  /* [n_out_blocks][OUT_BLOCK' · ROW_CHUNK] */
} gradient_job;

static size_t blocks_of(size_t n, size_t block) {
  return (n + block - 1) / block;
}

static size_t left_floats(const fn_device *d, size_t chunk) {
  return blocks_of(OUT_BLOCK, d->kernels->rows_per_panel) * d->kernels->rows_per_panel * chunk;
}

/* A block of outputs: outputs [first, first + n) of a part. */
typedef struct out_block {
  const fn_gradient *part;
  size_t first, n;
} out_block;

static out_block find_block(const gradient_job *j, size_t i) {
  const fn_gradient *part = j->parts;
  for (; i >= blocks_of(part->dy.n_cols, OUT_BLOCK); part++) i -= blocks_of(part->dy.n_cols, OUT_BLOCK);
  size_t first = i * OUT_BLOCK, rest = part->dy.n_cols - first;
  return (out_block){part, first, rest < OUT_BLOCK ? rest : OUT_BLOCK};
}

static void pack_task(void *arg, size_t i, int worker) {
  const gradient_job *j = arg;
  const fn_kernels *k = j->d->kernels;
  (void)worker;
  if (i < j->n_out_blocks) {
    const out_block o = find_block(j, i);
    k->pack_left(j->left + i * left_floats(j->d, ROW_CHUNK), o.part->db ? o.part->db + o.first : NULL,
                 fn_row(o.part->dy, j->first) + o.first, o.part->dy.stride, j->n, o.n);
  } else {
    i -= j->n_out_blocks;
    k->pack(j->right, fn_row(j->x, j->first), j->n, j->x.n_cols, j->x.stride, 1, i, i + 1);
  }
}

static void multiply_task(void *arg, size_t i, int worker) {
  const gradient_job *j = arg;
  const fn_kernels *k = j->d->kernels;
  const size_t n_in_blocks = blocks_of(j->x.n_cols, IN_BLOCK), block = i / n_in_blocks;
  const size_t c = i % n_in_blocks * IN_BLOCK, rest = j->x.n_cols - c;
  const out_block o = find_block(j, block);
  (void)worker;
  if (!o.part->dw) return;
  const fn_packed right = {
      .data = j->right + c * j->n, .depth = j->n, .K = j->n, .N = rest < IN_BLOCK ? rest : IN_BLOCK};
  const fn_left left = {j->left + block * left_floats(j->d, ROW_CHUNK), 1, k->rows_per_panel, k->rows_per_panel * j->n};
  k->gemm(o.part->dw + o.first * j->x.n_cols + c, j->x.n_cols, &left, &right, o.n, true);
}

/* oneDNN packs for itself: a task takes all rows. */
static void onednn_task(void *arg, size_t i, int worker) {
  const gradient_job *j = arg;
  const out_block o = find_block(j, i);
  const float *dy = fn_row(o.part->dy, 0) + o.first;
  const size_t stride = o.part->dy.stride;
  (void)worker;
  if (o.part->dw) {
    j->d->onednn->omp_set_num_threads(1);
    j->d->onednn->sgemm('T', 'N', (int64_t)o.n, (int64_t)j->x.n_cols, (int64_t)j->x.n_rows, 1.0f, dy, (int64_t)stride,
                        fn_row(j->x, 0), (int64_t)j->x.stride, 1.0f, o.part->dw + o.first * j->x.n_cols,
                        (int64_t)j->x.n_cols);
  }
  if (o.part->db) j->d->kernels->column_sums(o.part->db + o.first, dy, stride, j->x.n_rows, o.n);
}

void fn_fast_weight_gradients(fn_device *d, const fn_gradient *parts, size_t n_parts, fn_mat x) {
  const size_t mark = d->scratch_used, n_right = blocks_of(x.n_cols, d->kernels->panel_width);
  gradient_job job = {.d = d, .parts = parts, .n_parts = n_parts, .x = x};
  bool any = false;
  for (size_t p = 0; p < n_parts; p++) {
    job.n_out_blocks += blocks_of(parts[p].dy.n_cols, OUT_BLOCK);
    any = any || parts[p].dw || parts[p].db;
  }
  if (!any) return;
  if (d->onednn) {
    fn_pool_run(d->pool, job.n_out_blocks, onednn_task, &job);
    return;
  }
  job.right = fn_scratch_take(d, fn_fast_right_floats(ROW_CHUNK, x.n_cols) * sizeof *job.right);
  job.left = fn_scratch_take(d, job.n_out_blocks * left_floats(d, ROW_CHUNK) * sizeof *job.left);
  for (; job.first < x.n_rows; job.first += job.n) {
    job.n = x.n_rows - job.first < ROW_CHUNK ? x.n_rows - job.first : ROW_CHUNK;
    fn_pool_run(d->pool, job.n_out_blocks + n_right, pack_task, &job);
    fn_pool_run(d->pool, job.n_out_blocks * blocks_of(x.n_cols, IN_BLOCK), multiply_task, &job);
  }
  d->scratch_used = mark;
}

size_t fn_fast_weight_gradients_scratch(const fn_device *d, size_t n_in, size_t n_out) {
  if (d->onednn) return 0;
  return fn_scratch_need(fn_fast_right_floats(ROW_CHUNK, n_in), sizeof(float)) +
         fn_scratch_need((blocks_of(n_out, OUT_BLOCK) + FN_MAX_PARTS) * left_floats(d, ROW_CHUNK), sizeof(float));
}
