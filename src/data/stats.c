#include "data/stats.h"

#include "data/names.h"
#include "data/token_cache.h"
#include "data/words.h"

#include <stdio.h>
#include <stdlib.h>

const int fn_stats_percentiles[FN_STATS_PERCENTILES] = {0, 5, 25, 50, 75, 95, 100};
const int fn_stats_limits[FN_STATS_LIMITS] = {128, 256, 384, 512};

struct fn_dataset_stats {
  fn_dataset *dataset;
  fn_token_cache *cache; /* NULL: none */
  fn_names datasets, sources;
  fn_stats_set *sets;
  fn_stats_source *by_source;
  char tokenizer[33];
  fn_stats_report report;
};

static int by_number(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Sorts lengths. */
static fn_length_stats summarise(uint64_t *lengths, size_t n) {
  fn_length_stats s = {.n = n};
  if (n == 0) return s;
  qsort(lengths, n, sizeof *lengths, by_number);
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)lengths[i];
  s.mean = sum / (double)n;
  for (int p = 0; p < FN_STATS_PERCENTILES; p++) {
    size_t rank = ((size_t)fn_stats_percentiles[p] * n + 99) / 100;
    s.at[p] = lengths[rank ? rank - 1 : 0];
  }
  return s;
}

typedef uint64_t (*length_of)(const fn_dataset_stats *s, fn_split split, size_t i);

static uint64_t words_of(const fn_dataset_stats *s, fn_split split, size_t i) {
  fn_row row;
  fn_dataset_get(&row, s->dataset, split, i);
  return fn_words_count(row.title) + fn_words_count(row.text);
}

/* Special tokens as data/batch.h adds them. */
static uint64_t tokens_of(const fn_dataset_stats *s, fn_split split, size_t i) {
  fn_article_ids ids;
  fn_token_cache_get(&ids, s->cache, split, i);
  return ids.n_title + ids.n_text + (ids.n_title && ids.n_text ? 3 : 2);
}

static fn_status measure(fn_length_stats out[FN_SPLIT_COUNT + 1], double over[FN_STATS_LIMITS],
                         const fn_dataset_stats *s, length_of length, fn_err *err) {
  size_t n = 0, begin = 0;
  for (int split = 0; split < FN_SPLIT_COUNT; split++) n += fn_dataset_n_rows(s->dataset, (fn_split)split);
  FN_AUTO_FREE uint64_t *lengths = fn_mem_alloc(n, sizeof *lengths);
  if (!lengths) return fn_err_no_memory(err, "lengths");
  for (int split = 0; split < FN_SPLIT_COUNT; split++) {
    size_t rows = fn_dataset_n_rows(s->dataset, (fn_split)split);
    for (size_t i = 0; i < rows; i++) lengths[begin + i] = length(s, (fn_split)split, i);
    out[split] = summarise(lengths + begin, rows);
    begin += rows;
  }
  out[FN_SPLIT_COUNT] = summarise(lengths, n);
  for (int l = 0; over && l < FN_STATS_LIMITS; l++) {
    size_t longer = 0;
    for (size_t i = 0; i < n; i++) longer += lengths[i] > (uint64_t)fn_stats_limits[l];
    over[l] = n ? (double)longer / (double)n : 0;
  }
  return FN_OK;
}

static int by_cluster(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static void count_clusters(fn_stats_report *r, int64_t *rows, size_t n) {
  qsort(rows, n, sizeof *rows, by_cluster);
  for (size_t begin = 0, end; begin < n; begin = end) {
    for (end = begin + 1; end < n && rows[end] == rows[begin]; end++) {
    }
    if (end - begin < 2) continue;
    r->n_clusters++;
    r->n_cluster_rows += end - begin;
  }
}

static fn_status count_source(fn_dataset_stats *s, const fn_row *row, size_t *capacity, fn_err *err) {
  if (row->source.length == 0) return s->report.n_no_source[row->label == 1]++, FN_OK;
  uint32_t number;
  FN_TRY(fn_names_add(&number, &s->sources, row->source, err));
  FN_TRY(fn_mem_grow((void **)&s->by_source, capacity, s->sources.n, sizeof *s->by_source, UINT32_MAX, "sources", err));
  if (number == s->report.n_sources) {
    s->by_source[number] = (fn_stats_source){s->sources.items[number], {0, 0}};
    s->report.n_sources++;
  }
  s->by_source[number].n_rows[row->label == 1]++;
  return FN_OK;
}

static fn_status count_set(fn_dataset_stats *s, const fn_row *row, int split, size_t *capacity, fn_err *err) {
  uint32_t number;
  FN_TRY(fn_names_add(&number, &s->datasets, row->dataset, err));
  FN_TRY(fn_mem_grow((void **)&s->sets, capacity, s->datasets.n, sizeof *s->sets, UINT32_MAX, "datasets", err));
  if (number == s->report.n_sets) {
    s->sets[number] = (fn_stats_set){.name = s->datasets.items[number]};
    s->report.n_sets++;
  }
  s->sets[number].n_rows[split][row->label == 1]++;
  return FN_OK;
}

static fn_status count_rows(fn_dataset_stats *s, fn_err *err) {
  size_t n = 0, at = 0, set_capacity = 0, source_capacity = 0;
  for (int split = 0; split < FN_SPLIT_COUNT; split++) n += fn_dataset_n_rows(s->dataset, (fn_split)split);
  FN_AUTO_FREE int64_t *clusters = fn_mem_alloc(n, sizeof *clusters);
  if (!clusters) return fn_err_no_memory(err, "clusters");
  for (int split = 0; split < FN_SPLIT_COUNT; split++)
    for (size_t i = 0; i < fn_dataset_n_rows(s->dataset, (fn_split)split); i++) {
      fn_row row;
      fn_dataset_get(&row, s->dataset, (fn_split)split, i);
      s->report.n_rows[split][row.label == 1]++;
      clusters[at++] = row.cluster;
      FN_TRY(count_source(s, &row, &source_capacity, err));
      FN_TRY(count_set(s, &row, split, &set_capacity, err));
    }
  count_clusters(&s->report, clusters, n);
  return FN_OK;
}

static int by_size(const void *a, const void *b) {
  const fn_stats_source *x = a, *y = b;
  uint64_t n = x->n_rows[0] + x->n_rows[1], m = y->n_rows[0] + y->n_rows[1];
  if (n != m) return n > m ? -1 : 1;
  size_t shorter = x->name.length < y->name.length ? x->name.length : y->name.length;
  int order = shorter ? memcmp(x->name.data, y->name.data, shorter) : 0;
  return order ? order : (x->name.length > y->name.length) - (x->name.length < y->name.length);
}

static fn_status refuse_encoding(fn_tokens *tokens, const void *arg, fn_str text, fn_err *err) {
  (void)tokens, (void)arg, (void)text;
  return fn_err_set(err, FN_E_NOT_FOUND, "no valid token cache");
}

/* A cache that is there is read without its tokenizer: its header (data/token_cache.h) says what to ask for, and
 * whatever is not valid would have to be encoded anew, which is refused. */
static bool open_cache(fn_dataset_stats *s, const char *path) {
  fn_map map;
  fn_err unused = {0};
  if (fn_map_open(&map, path, &unused) != FN_OK) return false;
  uint64_t hash[2];
  uint32_t vocab_size;
  bool whole = map.length >= 128;
  if (whole) {
    memcpy(hash, map.data + 16, sizeof hash);
    memcpy(&vocab_size, map.data + 80, sizeof vocab_size);
  }
  fn_map_close(&map);
  if (!whole || vocab_size > INT32_MAX) return false;
  fn_encoder encoder = {refuse_encoding, NULL, {hash[0], hash[1]}, (int32_t)vocab_size};
  if (fn_token_cache_open_with(&s->cache, s->dataset, &encoder, NULL, &unused) != FN_OK) return false;
  fn_hash_format(s->tokenizer, encoder.hash);
  return true;
}

static fn_status find_cache(fn_dataset_stats *s, const char *dir, fn_err *err) {
  FN_AUTO_FREE char *folder = fn_path_join(dir, "cache");
  if (!folder) return fn_err_no_memory(err, "a path");
  if (!fn_path_is_dir(folder)) return FN_OK;
  FN_AUTO_FREE char **names = NULL;
  size_t n;
  FN_TRY(fn_dir_list(&names, &n, folder, err));
  for (size_t i = 0; i < n && !s->cache; i++) {
    fn_str name = fn_str_from(names[i]);
    if (!fn_str_starts_with(name, "tokens-") || !fn_str_ends_with(name, ".bin")) continue;
    FN_AUTO_FREE char *path = fn_path_join(folder, names[i]);
    if (!path) return fn_err_no_memory(err, "a path");
    s->report.has_tokens = open_cache(s, path);
  }
  s->report.tokenizer = fn_str_from(s->tokenizer);
  return FN_OK;
}

static fn_status compute(fn_dataset_stats *s, const char *dir, fn_err *err) {
  fn_stats_report *r = &s->report;
  FN_TRY(fn_dataset_open(&s->dataset, dir, err));
  r->hash = fn_dataset_hash(s->dataset);
  FN_TRY(count_rows(s, err));
  if (r->n_sources) qsort(s->by_source, r->n_sources, sizeof *s->by_source, by_size);
  r->sources = s->by_source;
  r->sets = s->sets;
  FN_TRY(measure(r->words, NULL, s, words_of, err));
  FN_TRY(find_cache(s, dir, err));
  return r->has_tokens ? measure(r->tokens, r->over, s, tokens_of, err) : FN_OK;
}

fn_status fn_dataset_stats_compute(fn_dataset_stats **stats_out, const char *dir, fn_err *err) {
  fn_dataset_stats *s = fn_mem_calloc(1, sizeof *s);
  if (!s) return fn_err_no_memory(err, "statistics");
  fn_names_init(&s->datasets);
  fn_names_init(&s->sources);
  fn_status status = compute(s, dir, err);
  if (status != FN_OK) {
    fn_dataset_stats_destroy(s);
    return status;
  }
  *stats_out = s;
  return FN_OK;
}

const fn_stats_report *fn_dataset_stats_report(const fn_dataset_stats *stats) {
  return &stats->report;
}

void fn_dataset_stats_destroy(fn_dataset_stats *s) {
  if (!s) return;
  if (s->cache) fn_token_cache_close(s->cache);
  if (s->dataset) fn_dataset_close(s->dataset);
  fn_names_deinit(&s->datasets);
  fn_names_deinit(&s->sources);
  free(s->sets);
  free(s->by_source);
  free(s);
}
