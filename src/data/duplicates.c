#include "data/duplicates.h"

#include "base/hash_inline.h"
#include "data/words.h"

#include <math.h>
#include <stdlib.h>

/* A band that many rows share (a template, a cookie notice) would make every pair of them a candidate. Each row is
 * compared with the last CROWD rows before it that are in other clusters; what is left out is counted. */
enum { CHUNK = 256, CROWD = 64 };

static int compare_hash(const fn_hash128 *a, const fn_hash128 *b) {
  if (a->high != b->high) return a->high < b->high ? -1 : 1;
  if (a->low != b->low) return a->low < b->low ? -1 : 1;
  return 0;
}

typedef struct hashed_row {
  fn_hash128 hash;
  uint32_t row;
} hashed_row;

static int by_hash(const void *a, const void *b) {
  const hashed_row *x = a, *y = b;
  int order = compare_hash(&x->hash, &y->hash);
  return order ? order : (x->row > y->row) - (x->row < y->row);
}

fn_status fn_duplicates_exact(uint32_t *first_out, const fn_hash128 *hashes, size_t n, fn_err *err) {
  FN_AUTO_FREE hashed_row *sorted = fn_mem_alloc(n, sizeof *sorted);
  if (!sorted) return fn_err_no_memory(err, "hashes of rows");
  for (size_t i = 0; i < n; i++) sorted[i] = (hashed_row){hashes[i], (uint32_t)i};
  qsort(sorted, n, sizeof *sorted, by_hash);
  for (size_t i = 0, first = 0; i < n; i++) {
    if (compare_hash(&sorted[i].hash, &sorted[first].hash) != 0) first = i;
    first_out[sorted[i].row] = sorted[first].row;
  }
  return FN_OK;
}

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

/* Sets and signatures of all rows, made chunk by chunk. */
typedef struct sketches {
  size_t n;
  fn_duplicate_texts texts;
  const void *arg;
  const uint8_t *skip;
  uint32_t *signatures;                             /* [n][FN_MINHASH_BINS] */
  uint32_t **sets;                                  /* [n] rising, without repeats; into the chunk's block */
  uint32_t *sizes;                                  /* [n] 0: nothing to compare */
  uint32_t **blocks;                                /* [chunks] owned */
  fn_err *errors;                                   /* [chunks] */
  uint8_t refill[FN_MINHASH_BINS][FN_MINHASH_BINS]; /* for each bin: the bins to take from when it is empty */
} sketches;

static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* The lowest hash of each bin; a bin without one takes that of the first bin that has one in an order of its own, so
 * that two rows with equal sets agree everywhere and others as often as they are similar. */
static void sign(const sketches *s, uint32_t *signature, const uint64_t *shingles, size_t n) {
  uint64_t lowest[FN_MINHASH_BINS];
  for (size_t b = 0; b < FN_MINHASH_BINS; b++) lowest[b] = UINT64_MAX;
  for (size_t i = 0; i < n; i++) {
    uint64_t value = shingles[i] >> 7;
    size_t bin = shingles[i] & (FN_MINHASH_BINS - 1);
    if (value < lowest[bin]) lowest[bin] = value;
  }
  for (size_t b = 0; b < FN_MINHASH_BINS; b++) {
    size_t from = b;
    for (size_t next = 0; lowest[from] == UINT64_MAX && next < FN_MINHASH_BINS; next++) from = s->refill[b][next];
    signature[b] = (uint32_t)lowest[from];
  }
}

static void make_refill_orders(sketches *s) {
  for (uint32_t b = 0; b < FN_MINHASH_BINS; b++) {
    uint32_t order[FN_MINHASH_BINS];
    for (uint32_t i = 0; i < FN_MINHASH_BINS; i++) order[i] = i;
    fn_rng rng = fn_rng_make(0, b);
    fn_rng_shuffle(&rng, order, FN_MINHASH_BINS);
    for (uint32_t i = 0; i < FN_MINHASH_BINS; i++) s->refill[b][i] = (uint8_t)order[i];
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

typedef struct growing {
  uint32_t *items;
  size_t n, capacity;
} growing;

static fn_status sketch_row(sketches *s, size_t i, fn_words *words, growing *sets, fn_err *err) {
  fn_str first, second;
  s->texts(s->arg, i, &first, &second);
  words->n = 0;
  FN_TRY(fn_words_append(words, first, err));
  FN_TRY(fn_words_append(words, second, err));
  size_t n = make_shingles(words);
  if (n == 0) return FN_OK;
  sign(s, s->signatures + i * FN_MINHASH_BINS, words->hashes, n);
  FN_TRY(fn_mem_grow((void **)&sets->items, &sets->capacity, sets->n + n, sizeof *sets->items,
                     SIZE_MAX / sizeof *sets->items, "word triples", err));
  uint32_t *set = sets->items + sets->n;
  for (size_t k = 0; k < n; k++) set[k] = (uint32_t)(words->hashes[k] >> 32);
  qsort(set, n, sizeof *set, by_value);
  size_t unique = 1;
  for (size_t k = 1; k < n; k++)
    if (set[k] != set[unique - 1]) set[unique++] = set[k];
  s->sizes[i] = (uint32_t)unique;
  sets->n += unique;
  return FN_OK;
}

static void sketch_chunk(void *arg, size_t chunk, int worker) {
  (void)worker;
  sketches *s = arg;
  size_t begin = chunk * CHUNK, end = begin + CHUNK < s->n ? begin + CHUNK : s->n;
  fn_words words = {0};
  growing sets = {0};
  fn_err *err = &s->errors[chunk];
  for (size_t i = begin; i < end && err->status == FN_OK; i++)
    if (!s->skip || !s->skip[i]) err->status = sketch_row(s, i, &words, &sets, err);
  free(words.hashes);
  s->blocks[chunk] = sets.items;
  size_t at = 0;
  for (size_t i = begin; i < end; i++) {
    s->sets[i] = sets.items + at;
    at += s->sizes[i];
  }
}

static fn_status sketch_all(sketches *s, fn_pool *pool, fn_err *err) {
  size_t chunks = (s->n + CHUNK - 1) / CHUNK, cells;
  if (!fn_size_mul(&cells, s->n, FN_MINHASH_BINS)) return fn_err_no_memory(err, "signatures");
  s->signatures = fn_mem_alloc(cells, sizeof *s->signatures);
  s->sets = fn_mem_calloc(s->n, sizeof *s->sets);
  s->sizes = fn_mem_calloc(s->n, sizeof *s->sizes);
  s->blocks = fn_mem_calloc(chunks, sizeof *s->blocks);
  s->errors = fn_mem_calloc(chunks, sizeof *s->errors);
  if (!s->signatures || !s->sets || !s->sizes || !s->blocks || !s->errors) return fn_err_no_memory(err, "signatures");
  make_refill_orders(s);
  fn_pool_run(pool, chunks, sketch_chunk, s);
  for (size_t c = 0; c < chunks; c++)
    if (s->errors[c].status != FN_OK) return fn_err_set(err, s->errors[c].status, "%s", s->errors[c].message);
  return FN_OK;
}

static void sketches_deinit(sketches *s) {
  for (size_t c = 0; s->blocks && c < (s->n + CHUNK - 1) / CHUNK; c++) free(s->blocks[c]);
  free(s->blocks);
  free(s->signatures);
  free(s->sets);
  free(s->sizes);
  free(s->errors);
}

typedef struct banded_row {
  uint64_t key;
  uint32_t row;
} banded_row;

static int by_key(const void *a, const void *b) {
  const banded_row *x = a, *y = b;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  return (x->row > y->row) - (x->row < y->row);
}

static void compare(fn_near_counts *counts, fn_clusters *clusters, const sketches *s, double threshold, uint32_t a,
                    uint32_t b) {
  double small = s->sizes[a] < s->sizes[b] ? s->sizes[a] : s->sizes[b];
  double large = s->sizes[a] < s->sizes[b] ? s->sizes[b] : s->sizes[a];
  counts->n_candidates++;
  if (small < threshold * large) return; /* the sizes alone forbid it */
  if (fn_jaccard(s->sets[a], s->sizes[a], s->sets[b], s->sizes[b]) < threshold) return;
  counts->n_pairs++;
  fn_clusters_join(clusters, a, b);
}

/* Rows [begin, end) of one band share a key. */
static void compare_run(fn_near_counts *counts, fn_clusters *clusters, const sketches *s, double threshold,
                        const banded_row *run, size_t n) {
  for (size_t i = 1; i < n; i++) {
    size_t tried = 0, k = i;
    while (k > 0 && tried < CROWD && i - k < 16 * CROWD) {
      k--;
      if (fn_clusters_find(clusters, run[i].row) == fn_clusters_find(clusters, run[k].row)) continue;
      compare(counts, clusters, s, threshold, run[k].row, run[i].row);
      tried++;
    }
    counts->n_skipped += k;
  }
}

fn_status fn_duplicates_near(fn_near_counts *counts_out, fn_clusters *clusters, fn_duplicate_texts texts,
                             const void *arg, const uint8_t *skip, double threshold, fn_pool *pool, bool (*stop)(void),
                             fn_err *err) {
  sketches FN_CLEANUP(sketches_deinit) s = {.n = clusters->n, .texts = texts, .arg = arg, .skip = skip};
  fn_near_counts counts = {0};
  FN_TRY(sketch_all(&s, pool, err));
  FN_AUTO_FREE banded_row *band = fn_mem_alloc(s.n, sizeof *band);
  if (!band) return fn_err_no_memory(err, "bands");
  fn_minhash_bands bands = fn_minhash_choose(threshold);
  for (uint32_t b = 0; b < bands.n_bands; b++) {
    if (stop && stop()) return fn_err_set(err, FN_E_CANCELLED, "stopped while looking for duplicates");
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
      if (s.sizes[i] == 0) continue;
      const uint32_t *signature = s.signatures + i * FN_MINHASH_BINS + (size_t)b * bands.rows;
      band[n++] = (banded_row){fn_hash64(signature, bands.rows * sizeof *signature, b), (uint32_t)i};
    }
    qsort(band, n, sizeof *band, by_key);
    for (size_t begin = 0, end; begin < n; begin = end) {
      for (end = begin + 1; end < n && band[end].key == band[begin].key; end++) {
      }
      if (end - begin > 1) compare_run(&counts, clusters, &s, threshold, band + begin, end - begin);
    }
  }
  *counts_out = counts;
  return FN_OK;
}
