/* A prepared dataset: a folder that also opens with `datasets.load_from_disk` (train, validation, test; Arrow streams),
 * memory-mapped and read-only. Token ids are a cache beside it, keyed by the tokenizer's hash. */
#ifndef FN_DATA_DATASET_H
#define FN_DATA_DATASET_H

#include "data/batch.h"

typedef enum fn_split { FN_SPLIT_TRAIN, FN_SPLIT_VALIDATION, FN_SPLIT_TEST, FN_SPLIT_COUNT } fn_split;
const char *fn_split_name(fn_split split); /* "train", "validation", "test" */

typedef struct fn_dataset fn_dataset; /* immutable after open; may be shared by threads */

/* dir as fn_dataset_writer writes it, or as `datasets` saves such a DatasetDict again (several files a split, other
 * flat columns, a split that is not there = no rows). One pass over all texts checks every row and makes the hash.
 * FN_E_NOT_FOUND: not a prepared dataset. FN_E_INVALID, FN_E_UNSUPPORTED, FN_E_LIMIT: as data/arrow.h says; labels that
 * are not ClassLabel(real, fake). Texts are not checked to be UTF-8: the tokenizer reads any bytes. */
FN_NODISCARD fn_status fn_dataset_open(fn_dataset **dataset_out, const char *dir, fn_err *err);
void fn_dataset_close(fn_dataset *dataset);
/* The folder as given to open; lives as long as the dataset. */
const char *fn_dataset_dir(const fn_dataset *dataset);
size_t fn_dataset_n_rows(const fn_dataset *dataset, fn_split split);
/* Hash over the rows of all splits (texts, labels, order): stands in run records. */
fn_hash128 fn_dataset_hash(const fn_dataset *dataset);

/* One row; views into the mapping, valid until close. */
typedef struct fn_row {
  fn_str title, text;
  fn_str dataset, source; /* "" when unknown */
  int32_t label;          /* 0 real, 1 fake */
  int64_t cluster;        /* near-duplicate cluster */
  int64_t row;            /* index in the input, counted over all input files */
  fn_str hash;            /* 32 hexadecimal digits */
} fn_row;
/* i < n_rows. */
void fn_dataset_get(fn_row *row_out, const fn_dataset *dataset, fn_split split, size_t i);

/* Token ids of every row for one tokenizer: opens DIR/cache/tokens-<hash>.bin, or makes it and, where the folder can be
 * written, keeps it there by rename; where it cannot (read-only, disk full) the ids stay in memory. pool (NULL: the
 * caller alone) tokenises blocks of rows; the same bytes come out at any number of threads. A file that is damaged or
 * made for other rows is rebuilt, never trusted. Immutable after open; may be shared by threads; the dataset must
 * outlive it. FN_E_LIMIT: a text that the tokenizer refuses. File format and more: data/token_cache.h. */
typedef struct fn_token_cache fn_token_cache;
FN_NODISCARD fn_status fn_token_cache_open(fn_token_cache **cache_out, const fn_dataset *dataset,
                                           const fn_tokenizer *tokenizer, fn_pool *pool, fn_err *err);
void fn_token_cache_close(fn_token_cache *cache);
/* i < fn_dataset_n_rows(dataset, split). Views, valid until close. */
void fn_token_cache_get(fn_article_ids *article_out, const fn_token_cache *cache, fn_split split, size_t i);

#endif
