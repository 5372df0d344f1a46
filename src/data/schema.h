/* Columns of a prepared dataset and the hash over its rows: shared by the writer and the reader. Private to src/data.
 */
#ifndef FN_DATA_SCHEMA_H
#define FN_DATA_SCHEMA_H

#include "data/arrow.h"
#include "data/dataset.h"

/* In the order of the files. */
typedef enum fn_column {
  FN_COLUMN_TITLE,
  FN_COLUMN_TEXT,
  FN_COLUMN_LABEL,
  FN_COLUMN_DATASET,
  FN_COLUMN_SOURCE,
  FN_COLUMN_SPLIT,
  FN_COLUMN_CLUSTER,
  FN_COLUMN_ROW,
  FN_COLUMN_HASH,
  FN_COLUMN_COUNT,
} fn_column;

extern const fn_arrow_field fn_columns[FN_COLUMN_COUNT];

enum { FN_ROW_HASH_LENGTH = 32 };
#define FN_ARROW_SHARD "data-00000-of-00001.arrow"

/* {"title": {"dtype": "string", "_type": "Value"}, …} as the member `key` of the open object: the features in the form
 * of `datasets`, with label a ClassLabel of real and fake. */
void fn_schema_format_features(fn_json_writer *json, const char *key);

/* Hash over rows in order: a chain, each link hashing the one before and the row. Everything counts but the split
 * column. Start with {0, 0}. */
fn_hash128 fn_row_hash_chain(fn_hash128 before, const fn_row *row);
/* Of the three chains and their lengths: fn_dataset_hash. */
fn_hash128 fn_row_hash_combine(const fn_hash128 chains[FN_SPLIT_COUNT], const size_t n_rows[FN_SPLIT_COUNT]);

#endif
