/* What is in a prepared dataset: `data stats`. */
#ifndef FN_DATA_STATS_H
#define FN_DATA_STATS_H

#include "data/dataset.h"

/* Lengths of the articles of one split, title and text together. */
enum { FN_STATS_PERCENTILES = 7 };
extern const int fn_stats_percentiles[FN_STATS_PERCENTILES]; /* 0, 5, 25, 50, 75, 95, 100 */
typedef struct fn_length_stats {
  uint64_t n;
  double mean;
  uint64_t at[FN_STATS_PERCENTILES]; /* nearest rank */
} fn_length_stats;

enum { FN_STATS_LIMITS = 4 };
extern const int fn_stats_limits[FN_STATS_LIMITS]; /* 128, 256, 384, 512 tokens */

typedef struct fn_dataset_stats fn_dataset_stats;

typedef struct fn_stats_set {
  fn_str name;
  uint64_t n_rows[FN_SPLIT_COUNT][2];
} fn_stats_set;
typedef struct fn_stats_source {
  fn_str name;
  uint64_t n_rows[2];
} fn_stats_source;

typedef struct fn_stats_report {
  uint64_t n_rows[FN_SPLIT_COUNT][2];         /* [split][real, fake] */
  fn_length_stats words[FN_SPLIT_COUNT + 1];  /* the last one: all splits; words are separated by white space */
  bool has_tokens;                            /* a token cache was found */
  fn_str tokenizer;                           /* hash that names the cache; "" without one */
  fn_length_stats tokens[FN_SPLIT_COUNT + 1]; /* special tokens counted: 3, or 2 where title or text is empty */
  double over[FN_STATS_LIMITS];               /* share of rows that are longer than fn_stats_limits tokens */
  const fn_stats_set *sets;
  size_t n_sets;
  const fn_stats_source *sources; /* most rows first, ties by name */
  size_t n_sources;               /* all of them */
  uint64_t n_no_source[2];
  uint64_t n_clusters;     /* near-duplicate clusters of two or more rows among the rows that are kept */
  uint64_t n_cluster_rows; /* rows in them */
  fn_hash128 hash;
} fn_stats_report;

/* dir: folder of a prepared dataset. FN_E_INVALID / FN_E_NOT_FOUND when it is none. */
FN_NODISCARD fn_status fn_dataset_stats_compute(fn_dataset_stats **stats_out, const char *dir, fn_err *err);
const fn_stats_report *fn_dataset_stats_report(const fn_dataset_stats *stats);
void fn_dataset_stats_destroy(fn_dataset_stats *stats);

/* Appends the report as one line of JSON, with the max_sources largest sources. */
void fn_dataset_stats_format_json(fn_buf *out, const fn_stats_report *report, size_t max_sources);

#endif
