#include "train/sampler.h"

#include <assert.h>
#include <stdlib.h>

/* One group of rows with the order of the pass it is in. The random sampler is the case of a single group. */
typedef struct group {
  uint32_t *rows;  /* [n] ascending */
  uint32_t *order; /* [n] rows in the order of `pass` */
  size_t n;
  uint64_t pass; /* UINT64_MAX: none yet */
} group;

struct fn_sampler {
  uint64_t seed;
  size_t n_rows, batch_size, n_groups;
  group *groups;
  uint32_t *rows; /* slabs that the groups point into */
  uint32_t *order;
  uint32_t *turn; /* [n_groups] order of the groups in round `round` */
  uint64_t round;
};

/* Streams of the generator: one per use, so that no two shuffles share numbers. */
enum { STREAM_PASS = 0x7061, STREAM_TURN = 0x7475 };

static fn_rng stream_of(uint64_t seed, uint64_t use, uint64_t a, uint64_t b) {
  const uint64_t key[3] = {use, a, b};
  return fn_rng_make(seed, fn_hash64(key, sizeof key, 0));
}

/* Sorts rows by group (counting sort) and drops groups that have none. */
static void fill_groups(fn_sampler *s, const fn_sampler_options *o, size_t n_groups, size_t *begin) {
  for (size_t i = 0; i < o->n_rows; i++) begin[(o->sampling == FN_SAMPLING_EVEN ? o->groups[i] : 0) + 1]++;
  for (size_t g = 0; g < n_groups; g++) {
    const size_t n = begin[g + 1];
    begin[g + 1] += begin[g];
    if (n == 0) continue;
    s->groups[s->n_groups++] = (group){s->rows + begin[g], s->order + begin[g], n, UINT64_MAX};
  }
  for (size_t i = 0; i < o->n_rows; i++) {
    const size_t g = o->sampling == FN_SAMPLING_EVEN ? o->groups[i] : 0;
    s->rows[begin[g]++] = (uint32_t)i;
  }
}

fn_status fn_sampler_create(fn_sampler **sampler_out, const fn_sampler_options *o, fn_err *err) {
  if (o->n_rows == 0 || o->n_rows > UINT32_MAX || o->batch_size == 0)
    return fn_err_set(err, FN_E_INVALID, "sampler: %zu rows in batches of %zu; both must be at least 1", o->n_rows,
                      o->batch_size);
  const bool even = o->sampling == FN_SAMPLING_EVEN;
  const size_t n_groups = even ? o->n_groups : 1;
  for (size_t i = 0; even && i < o->n_rows; i++)
    if (o->groups[i] >= n_groups)
      return fn_err_set(err, FN_E_INVALID, "sampler: row %zu is in group %u of %zu", i, o->groups[i], n_groups);
  fn_sampler *s = fn_mem_calloc(1, sizeof *s);
  if (!s) return fn_err_no_memory(err, "the sampler");
  FN_AUTO_FREE size_t *begin = fn_mem_calloc(n_groups + 1, sizeof *begin);
  s->groups = fn_mem_calloc(n_groups, sizeof *s->groups);
  s->turn = fn_mem_calloc(n_groups, sizeof *s->turn);
  s->rows = fn_mem_calloc(o->n_rows, sizeof *s->rows);
  s->order = fn_mem_calloc(o->n_rows, sizeof *s->order);
  if (!begin || !s->groups || !s->turn || !s->rows || !s->order) {
    fn_sampler_destroy(s);
    return fn_err_no_memory(err, "the sampler");
  }
  s->seed = o->seed;
  s->n_rows = o->n_rows;
  s->batch_size = o->batch_size;
  s->round = UINT64_MAX;
  fill_groups(s, o, n_groups, begin);
  *sampler_out = s;
  return FN_OK;
}

void fn_sampler_destroy(fn_sampler *s) {
  if (!s) return;
  free(s->groups);
  free(s->turn);
  free(s->rows);
  free(s->order);
  free(s);
}

size_t fn_sampler_steps_per_epoch(const fn_sampler *s) {
  return (s->n_rows + s->batch_size - 1) / s->batch_size;
}

/* Row of the k-th draw that falls on group g, counted from the beginning of training. */
static uint32_t group_row(fn_sampler *s, size_t g, uint64_t k) {
  group *p = &s->groups[g];
  const uint64_t pass = k / p->n;
  if (p->pass != pass) {
    memcpy(p->order, p->rows, p->n * sizeof *p->order);
    fn_rng rng = stream_of(s->seed, STREAM_PASS, g, pass);
    fn_rng_shuffle(&rng, p->order, p->n);
    p->pass = pass;
  }
  return p->order[k % p->n];
}

static size_t group_in_turn(fn_sampler *s, uint64_t round, size_t slot) {
  if (s->round != round) {
    for (size_t g = 0; g < s->n_groups; g++) s->turn[g] = (uint32_t)g;
    fn_rng rng = stream_of(s->seed, STREAM_TURN, round, 0);
    fn_rng_shuffle(&rng, s->turn, s->n_groups);
    s->round = round;
  }
  return s->turn[slot];
}

void fn_sampler_draw(uint32_t *rows_out, size_t *n_out, fn_sampler *s, uint64_t epoch, size_t step) {
  assert(step < fn_sampler_steps_per_epoch(s));
  const size_t begin = step * s->batch_size;
  const size_t n = s->n_rows - begin < s->batch_size ? s->n_rows - begin : s->batch_size;
  for (size_t i = 0; i < n; i++) {
    const uint64_t draw = epoch * s->n_rows + begin + i; /* counted over all epochs */
    const uint64_t round = draw / s->n_groups;
    rows_out[i] = group_row(s, group_in_turn(s, round, draw % s->n_groups), round);
  }
  *n_out = n;
}
