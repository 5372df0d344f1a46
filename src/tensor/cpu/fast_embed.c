/* Embeddings of the fast device. */
#include "tensor/cpu/fast.h"
#include "tensor/cpu/int8.h"

typedef struct embed_job {
  const fn_device *d;
  fn_mat y, xhat;
  float *rstd;
  const fn_embedding *e;
  const fn_norm *norm;
  const fn_norm_sums *sums;
  const int32_t *ids, *positions, *types;
  const fn_layout *layout;
  fn_dropout_state drop;
  float *places; /* [n_threads][width] */
} embed_job;

static void run_forward(fn_device *d, embed_job *job, fn_task task) {
  const size_t mark = d->scratch_used;
  job->places = fn_scratch_take(d, (size_t)d->n_threads * job->e->width * sizeof *job->places);
  fn_run_blocks(d, job->y.n_rows, task, job);
  d->scratch_used = mark;
}

/* A row of a table: as it stands, or of 8 bits and widened into `place`. */
static const float *table_row(const embed_job *j, float *place, const void *table, const float *scales, size_t row) {
  const size_t n = j->e->width;
  if (!table) return NULL;
  if (!scales) return (const float *)table + row * n;
  j->d->int8->widen(place, (const int8_t *)table + row * n, scales[row], n);
  return place;
}

/* place: [width], where a position's row may be widened; the word's goes into y. */
static void embed_row(const embed_job *j, float *y, float *place, size_t r) {
  const fn_embedding *e = j->e;
  const size_t p = e->position ? (size_t)(j->positions[r] + e->position_offset) : 0;
  const float *type = e->type ? (const float *)e->type + (size_t)j->types[r] * e->width : NULL;
  j->d->kernels->sum3(y, table_row(j, y, e->word, e->word_scales, (size_t)j->ids[r]), type,
                      table_row(j, place, e->position, e->position_scales, p), e->width);
}

static void embed_task(void *arg, size_t i, int worker) {
  const embed_job *j = arg;
  size_t first, last;
  fn_block_rows(&first, &last, i, j->y.n_rows);
  float *place = j->places + (size_t)worker * j->e->width;
  for (size_t r = first; r < last; r++) embed_row(j, fn_row(j->y, r), place, r);
}

void fn_fast_embed(fn_device *d, fn_mat y, const fn_embedding *e, const int32_t *ids, const int32_t *positions,
                   const int32_t *types) {
  embed_job job = {.d = d, .y = y, .e = e, .ids = ids, .positions = positions, .types = types};
  run_forward(d, &job, embed_task);
}

static void embed_norm_task(void *arg, size_t i, int worker) {
  const embed_job *j = arg;
  const fn_kernels *k = j->d->kernels;
  size_t first, last, n = j->e->width;
  fn_block_rows(&first, &last, i, j->y.n_rows);
  float *place = j->places + (size_t)worker * n;
  for (size_t r = first; r < last; r++) {
    float *h = fn_row(j->xhat, r), *y = fn_row(j->y, r);
    embed_row(j, h, place, r);
    k->norm(y, h, j->rstd + r, h, j->norm->gamma, j->norm->beta, (float)j->norm->epsilon, n);
    if (j->drop.active) k->dropout(y, y, &j->drop, fn_key_of(j->layout, r), n);
  }
}

void fn_fast_embed_norm(fn_device *d, fn_mat y, fn_mat xhat, void *rstd, const fn_embedding *e, const fn_norm *norm,
                        const int32_t *ids, const int32_t *types, const fn_layout *layout, const fn_dropout *drop) {
  uint64_t begin = fn_profile_begin(d);
  embed_job job = {.d = d, .y = y, .xhat = xhat, .rstd = rstd, .e = e, .norm = norm, .ids = ids, .types = types};
  job.positions = layout->positions;
  job.layout = layout;
  job.drop = fn_dropout_make(drop);
  run_forward(d, &job, embed_norm_task);
  fn_profile_end(d, FN_PROFILE_EMBED, begin);
}

/* Tables' gradients: a task owns CHANNELS channels of every table and adds the tokens in order, so that neither threads
 * nor repeated ids change a bit. */
enum { CHANNELS = 64 };

static void scatter_task(void *arg, size_t i, int worker) {
  const embed_job *j = arg; /* y is dy */
  const fn_embedding *e = j->e;
  size_t c = i * CHANNELS, n = e->width - c < CHANNELS ? e->width - c : CHANNELS;
  (void)worker;
  for (size_t r = 0; r < j->y.n_rows; r++) {
    const float *g = fn_row(j->y, r) + c;
    if (e->d_word && j->ids[r] != e->pad_id)
      j->d->kernels->add((float *)e->d_word + (size_t)j->ids[r] * e->width + c, g, n);
    if (e->d_type) j->d->kernels->add((float *)e->d_type + (size_t)j->types[r] * e->width + c, g, n);
    if (e->d_position)
      j->d->kernels->add((float *)e->d_position + (size_t)(j->positions[r] + e->position_offset) * e->width + c, g, n);
  }
}

void fn_fast_embed_backward(fn_device *d, fn_mat dy, const fn_embedding *e, const int32_t *ids,
                            const int32_t *positions, const int32_t *types) {
  if (!e->d_word && !e->d_type && !e->d_position) return;
  embed_job job = {.d = d, .y = dy, .e = e, .ids = ids, .positions = positions, .types = types};
  fn_pool_run(d->pool, (e->width + CHANNELS - 1) / CHANNELS, scatter_task, &job);
}

static void embed_norm_backward_task(void *arg, size_t i, int worker) {
  const embed_job *j = arg;
  size_t first, last;
  (void)worker;
  fn_block_rows(&first, &last, i, j->y.n_rows);
  for (size_t r = first; r < last; r++) {
    float *g = fn_row(j->y, r);
    if (j->drop.active) j->d->kernels->dropout(g, g, &j->drop, fn_key_of(j->layout, r), j->e->width);
    fn_norm_sums_row(j->d, j->sums, i, g, g, fn_row(j->xhat, r), j->rstd[r]);
  }
}

void fn_fast_embed_norm_backward(fn_device *d, fn_mat dy, fn_mat xhat, const void *rstd, const fn_embedding *e,
                                 const fn_norm *norm, const int32_t *ids, const int32_t *types, const fn_layout *layout,
                                 const fn_dropout *drop) {
  uint64_t begin = fn_profile_begin(d);
  size_t mark = d->scratch_used;
  fn_norm_sums sums = fn_norm_sums_take(d, norm, dy.n_rows);
  embed_job job = {.d = d, .y = dy, .xhat = xhat, .e = e, .norm = norm, .sums = &sums, .layout = layout};
  memcpy(&job.rstd, &rstd, sizeof rstd); /* only read */
  job.drop = fn_dropout_make(drop);
  fn_run_blocks(d, dy.n_rows, embed_norm_backward_task, &job);
  fn_norm_sums_add(d, &sums);
  d->scratch_used = mark;
  fn_fast_embed_backward(d, dy, e, ids, layout->positions, types);
  fn_profile_end(d, FN_PROFILE_EMBED_BACKWARD, begin);
}
