/* A prepared dataset: a folder that also opens with `datasets.load_from_disk` (train, validation, test; Arrow streams),
 * memory-mapped and read-only. Token ids are a cache beside it, keyed by the tokenizer's hash. */
#ifndef FN_DATA_DATASET_H
#define FN_DATA_DATASET_H

#include "data/batch.h"

typedef enum fn_split { FN_SPLIT_TRAIN, FN_SPLIT_VALIDATION, FN_SPLIT_TEST, FN_SPLIT_COUNT } fn_split;
const char *fn_split_name(fn_split split); /* "train", "validation", "test" */

typedef struct fn_dataset fn_dataset; /* immutable after open; may be shared by threads */

FN_NODISCARD fn_status fn_dataset_open(fn_dataset **dataset_out, const char *dir, fn_err *err);
void fn_dataset_close(fn_dataset *dataset);
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

/* Token ids of every row for one tokenizer: opens DIR/cache/tokens-<hash>.bin, or makes it (with pool) and, when the
 * folder is writable, keeps it there. */
typedef struct fn_token_cache fn_token_cache;
FN_NODISCARD fn_status fn_token_cache_open(fn_token_cache **cache_out, const fn_dataset *dataset,
                                           const fn_tokenizer *tokenizer, fn_pool *pool, fn_err *err);
void fn_token_cache_close(fn_token_cache *cache);
void fn_token_cache_get(fn_article_ids *article_out, const fn_token_cache *cache, fn_split split, size_t i);

#endif
