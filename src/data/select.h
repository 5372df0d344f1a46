/* Rows of a split chosen for training or evaluation, with dense numbers for their groups: dataset, dataset × label,
 * source. One pass over the split. */
#ifndef FN_DATA_SELECT_H
#define FN_DATA_SELECT_H

#include "data/dataset.h"

/* Which rows: all, or by the name of their dataset. Both NULL: all rows. */
typedef struct fn_row_filter {
  const char *without; /* rows of this dataset are left out (data.leave_out) */
  const char *only;    /* rows of other datasets are left out */
} fn_row_filter;

typedef struct fn_row_index {
  size_t n;              /* rows chosen */
  uint32_t *rows;        /* [n] number of the row in the split, rising */
  int32_t *labels;       /* [n] 0 real, 1 fake */
  uint32_t *dataset_ids; /* [n] 0 … n_datasets-1 */
  uint32_t *source_ids; /* [n] 0 … n_sources-1: the source; where it is "", the near-duplicate cluster stands for it */
  size_t label_counts[2];

  size_t n_datasets;          /* in the whole dataset: the same name has the same id in every split and filter */
  const char **dataset_names; /* [n_datasets] sorted by bytes; a 0 byte in a name ends it here */
  size_t *group_counts;       /* [n_datasets * 2] chosen rows of group dataset_id * 2 + label; may be 0 */
  size_t n_sources;           /* among the chosen rows, by first appearance */
  const char **source_names;  /* [n_sources]; "cluster 17" where a cluster stands for the source */
  fn_arena arena;             /* holds all of the above */
} fn_row_index;

/* FN_E_INVALID, with the names that exist, when a name in filter is no dataset of any split. No row left is not an
 * error here: n = 0. Release with deinit. */
FN_NODISCARD fn_status fn_row_index_build(fn_row_index *index_out, const fn_dataset *dataset, fn_split split,
                                          const fn_row_filter *filter, fn_err *err);
void fn_row_index_deinit(fn_row_index *index);

/* dataset × label as one number, 0 … n_datasets * 2 - 1. */
static inline uint32_t fn_row_index_group(const fn_row_index *index, size_t i) {
  return index->dataset_ids[i] * 2 + (uint32_t)index->labels[i];
}

#endif
