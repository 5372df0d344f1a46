#include "data/duplicates.h"

#include "base/hash_inline.h"

#include <stdlib.h>

/* A band that many rows share (a template, a cookie notice) would make every pair of them a candidate. Each row is
 * compared with the last CROWD rows before it that are in other clusters, looked for among the last WINDOW; what is
 * left out is counted. */
enum { CROWD = 64, WINDOW = 16 * CROWD, N_SETS = 1024, STOP_EVERY = 1 << 12 };

/* The set of a row, kept for a while: rows are compared with several others. */
typedef struct row_set {
  uint32_t row, n;
  uint32_t *items; /* [n] rising, without repeats; NULL: nothing is kept here */
} row_set;

struct fn_near {
  double threshold;
  fn_minhash_bands bands;
  fn_sorter *sorters;                               /* [n_bands] */
  uint8_t refill[FN_MINHASH_BINS][FN_MINHASH_BINS]; /* for each bin: the bins to take from when it is empty */
};

fn_minhash_bands fn_minhash_choose(double threshold) {
  fn_minhash_bands best = {FN_MINHASH_BINS, 1};
  for (uint32_t rows = 1; rows <= 16; rows++) {
    uint32_t bands = FN_MINHASH_BINS / rows;
    double missed = 1, same = 1;
    for (uint32_t r = 0; r < rows; r++) same *= threshold;
    for (uint32_t b = 0; b < bands; b++) missed *= 1 - same;
    if (missed <= 0.005) best = (fn_minhash_bands){bands, rows};
  }
  return best;
}

double fn_jaccard(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b) {
  size_t common = 0, i = 0, k = 0;
  while (i < n_a && k < n_b) {
    uint32_t x = a[i], y = b[k];
    common += x == y;
    i += x <= y;
    k += y <= x;
  }
  size_t all = n_a + n_b - common;
  return all ? (double)common / (double)all : 0;
}

static void make_refill_orders(fn_near *near) {
  for (uint32_t b = 0; b < FN_MINHASH_BINS; b++) {
    uint32_t order[FN_MINHASH_BINS];
    for (uint32_t i = 0; i < FN_MINHASH_BINS; i++) order[i] = i;
    fn_rng rng = fn_rng_make(0, b);
    fn_rng_shuffle(&rng, order, FN_MINHASH_BINS);
    for (uint32_t i = 0; i < FN_MINHASH_BINS; i++) near->refill[b][i] = (uint8_t)order[i];
  }
}

fn_status fn_near_create(fn_near **near_out, double threshold, const char *folder, fn_err *err) {
  fn_near *near = fn_mem_calloc(1, sizeof *near);
  if (!near) return fn_err_no_memory(err, "near duplicates");
  near->threshold = threshold;
  near->bands = fn_minhash_choose(threshold);
  near->sorters = fn_mem_calloc(near->bands.n_bands, sizeof *near->sorters);
  if (!near->sorters) {
    free(near);
    return fn_err_no_memory(err, "near duplicates");
  }
  size_t pairs = FN_NEAR_BYTES / (2 * sizeof(fn_pair) * near->bands.n_bands);
  for (uint32_t b = 0; b < near->bands.n_bands; b++) fn_sorter_init(&near->sorters[b], folder, pairs);
  make_refill_orders(near);
  *near_out = near;
  return FN_OK;
}

void fn_near_destroy(fn_near *near) {
  if (!near) return;
  for (uint32_t b = 0; b < near->bands.n_bands; b++) fn_sorter_deinit(&near->sorters[b]);
  free(near->sorters);
  free(near);
}

size_t fn_near_n_bands(const fn_near *near) {
  return near->bands.n_bands;
}

/* The lowest hash of each bin; a bin without one takes that of the first bin that has one in an order of its own, so
 * that two rows with equal sets agree everywhere and others as often as they are similar. */
static void sign(const fn_near *near, uint32_t *signature, const uint64_t *shingles, size_t n) {
  uint64_t lowest[FN_MINHASH_BINS];
  for (size_t b = 0; b < FN_MINHASH_BINS; b++) lowest[b] = UINT64_MAX;
  for (size_t i = 0; i < n; i++) {
    uint64_t value = shingles[i] >> 7;
    size_t bin = shingles[i] & (FN_MINHASH_BINS - 1);
    if (value < lowest[bin]) lowest[bin] = value;
  }
  for (size_t b = 0; b < FN_MINHASH_BINS; b++) {
    size_t from = b;
    for (size_t next = 0; lowest[from] == UINT64_MAX && next < FN_MINHASH_BINS; next++) from = near->refill[b][next];
    signature[b] = (uint32_t)lowest[from];
  }
}

/* Replaces the words by the hashes of their runs of three. */
static size_t make_shingles(fn_words *words) {
  size_t n = words->n;
  if (n == 0) return 0;
  if (n < FN_SHINGLE_WORDS) {
    words->hashes[0] = fn_hash64_inline(words->hashes, n * sizeof *words->hashes, 3);
    return 1;
  }
  for (size_t i = 0; i + FN_SHINGLE_WORDS <= n; i++)
    words->hashes[i] = fn_hash64_inline(words->hashes + i, FN_SHINGLE_WORDS * sizeof *words->hashes, 3);
  return n - FN_SHINGLE_WORDS + 1;
}

/* Word triples of a row, in words->hashes. */
static fn_status shingles_of(size_t *n_out, fn_words *words, fn_str first, fn_str second, fn_err *err) {
  words->n = 0;
  FN_TRY(fn_words_append(words, first, err));
  FN_TRY(fn_words_append(words, second, err));
  *n_out = make_shingles(words);
  return FN_OK;
}

fn_status fn_near_sketch(uint64_t *keys_out, bool *any_out, const fn_near *near, fn_words *words, fn_str first,
                         fn_str second, fn_err *err) {
  size_t n;
  FN_TRY(shingles_of(&n, words, first, second, err));
  *any_out = n > 0;
  if (n == 0) return FN_OK;
  uint32_t signature[FN_MINHASH_BINS];
  sign(near, signature, words->hashes, n);
  for (uint32_t b = 0; b < near->bands.n_bands; b++)
    keys_out[b] = fn_hash64(signature + (size_t)b * near->bands.rows, near->bands.rows * sizeof *signature, b);
  return FN_OK;
}

typedef struct adding {
  fn_near *near;
  const uint32_t *rows;
  const uint64_t *keys;
  size_t n;
  fn_err *errors; /* [n_bands] */
} adding;

static void add_to_band(void *arg, size_t band, int worker) {
  (void)worker;
  const adding *a = arg;
  fn_err *err = &a->errors[band];
  for (size_t i = 0; i < a->n && err->status == FN_OK; i++)
    err->status = fn_sorter_add(&a->near->sorters[band], a->keys[i * a->near->bands.n_bands + band], a->rows[i], err);
}

fn_status fn_near_add(fn_near *near, const uint32_t *rows, const uint64_t *keys, size_t n, fn_pool *pool, fn_err *err) {
  uint32_t n_bands = near->bands.n_bands;
  FN_AUTO_FREE fn_err *errors = fn_mem_calloc(n_bands, sizeof *errors);
  if (!errors) return fn_err_no_memory(err, "near duplicates");
  adding a = {near, rows, keys, n, errors};
  fn_pool_run(pool, n_bands, add_to_band, &a);
  for (uint32_t b = 0; b < n_bands; b++)
    if (errors[b].status != FN_OK) return fn_err_set(err, errors[b].status, "%s", errors[b].message);
  return FN_OK;
}

/* Rows of one band in the order of their keys; those with one key are compared. */
typedef struct joining {
  const fn_near *near;
  fn_clusters *clusters;
  fn_near_texts texts;
  void *arg;
  fn_near_counts counts;
  fn_words words;
  row_set sets[N_SETS];    /* by row % N_SETS */
  size_t set_bytes;        /* of all of them */
  uint32_t recent[WINDOW]; /* rows of the run, by their number in it % WINDOW */
} joining;

static void forget_sets(joining *j) {
  for (size_t i = 0; i < N_SETS; i++) {
    free(j->sets[i].items);
    j->sets[i] = (row_set){0};
  }
  j->set_bytes = 0;
}

static void joining_deinit(joining **j) {
  if (!*j) return;
  forget_sets(*j);
  free((*j)->words.hashes);
  free(*j);
}

static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* Views stay valid until the next two calls. */
static fn_status find_set(row_set *set_out, joining *j, uint32_t row, fn_err *err) {
  row_set *set = &j->sets[row % N_SETS];
  if (set->items && set->row == row) return *set_out = *set, FN_OK;
  fn_str first, second;
  size_t n;
  FN_TRY(j->texts(j->arg, row, &first, &second, err));
  FN_TRY(shingles_of(&n, &j->words, first, second, err));
  uint32_t *items = fn_mem_alloc(n, sizeof *items);
  if (!items) return fn_err_no_memory(err, "word triples");
  for (size_t k = 0; k < n; k++) items[k] = (uint32_t)(j->words.hashes[k] >> 32);
  if (n) qsort(items, n, sizeof *items, by_value);
  size_t unique = n > 0;
  for (size_t k = 1; k < n; k++)
    if (items[k] != items[unique - 1]) items[unique++] = items[k];
  if (set->items) j->set_bytes -= set->n * sizeof *items;
  free(set->items);
  *set = (row_set){row, (uint32_t)unique, items};
  j->set_bytes += unique * sizeof *items;
  *set_out = *set;
  return FN_OK;
}

static fn_status compare(joining *j, uint32_t a, uint32_t b, fn_err *err) {
  row_set x, y;
  j->counts.n_candidates++;
  if (j->set_bytes > FN_NEAR_SET_BYTES) forget_sets(j);
  FN_TRY(find_set(&x, j, a, err));
  if (a % N_SETS == b % N_SETS) { /* both want one place */
    j->sets[a % N_SETS] = (row_set){0};
    j->set_bytes -= x.n * sizeof *x.items;
  }
  fn_status status = find_set(&y, j, b, err);
  if (status == FN_OK) {
    double small = x.n < y.n ? x.n : y.n, large = x.n < y.n ? y.n : x.n;
    bool near = small >= j->near->threshold * large && /* else the sizes alone forbid it */
                fn_jaccard(x.items, x.n, y.items, y.n) >= j->near->threshold;
    j->counts.n_pairs += near;
    if (near) fn_clusters_join(j->clusters, a, b);
  }
  if (a % N_SETS == b % N_SETS) free(x.items);
  return status;
}

/* Row number i of a run of rows with one key. */
static fn_status compare_with_run(joining *j, uint32_t row, size_t i, fn_err *err) {
  size_t tried = 0, k = i;
  while (k > 0 && tried < CROWD && i - k < WINDOW) {
    uint32_t other = j->recent[--k % WINDOW];
    if (fn_clusters_find(j->clusters, row) == fn_clusters_find(j->clusters, other)) continue;
    FN_TRY(compare(j, other, row, err));
    tried++;
  }
  j->counts.n_skipped += k;
  return FN_OK;
}

static fn_status join_band(joining *j, fn_sorter *sorter, fn_near_skip skip, bool (*stop)(void), fn_err *err) {
  FN_TRY(fn_sorter_finish(sorter, err));
  uint64_t key = 0;
  size_t in_run = 0;
  for (size_t n = 0;; n++) {
    fn_pair pair;
    bool more;
    if (n % STOP_EVERY == 0 && stop && stop())
      return fn_err_set(err, FN_E_CANCELLED, "stopped while looking for duplicates");
    FN_TRY(fn_sorter_next(&pair, &more, sorter, err));
    if (!more) return FN_OK;
    uint32_t row = (uint32_t)pair.value;
    if (skip && skip(j->arg, row)) continue;
    if (pair.key != key) in_run = 0;
    key = pair.key;
    FN_TRY(compare_with_run(j, row, in_run, err));
    j->recent[in_run++ % WINDOW] = row;
  }
}

fn_status fn_near_join(fn_near_counts *counts_out, fn_near *near, fn_clusters *clusters, fn_near_texts texts,
                       fn_near_skip skip, void *arg, bool (*stop)(void), fn_err *err) {
  joining FN_CLEANUP(joining_deinit) *j = fn_mem_calloc(1, sizeof *j);
  if (!j) return fn_err_no_memory(err, "near duplicates");
  j->near = near;
  j->clusters = clusters;
  j->texts = texts;
  j->arg = arg;
  for (uint32_t b = 0; b < near->bands.n_bands; b++) {
    FN_TRY(join_band(j, &near->sorters[b], skip, stop, err));
    fn_sorter_deinit(&near->sorters[b]);
  }
  *counts_out = j->counts;
  return FN_OK;
}
