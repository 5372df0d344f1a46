/* Labelled articles to evaluate on: a split of a prepared dataset, or a file with a label column. */
#ifndef FN_INFER_LABELLED_H
#define FN_INFER_LABELLED_H

#include "data/dataset.h"
#include "data/encoding.h"
#include "data/options.h"
#include "infer/infer.h"

/* Zero-initialise; release with deinit. */
typedef struct fn_labelled {
  size_t n;
  fn_article *articles;       /* [n] */
  int32_t *labels;            /* [n] 0 real, 1 fake */
  uint32_t *groups;           /* [n] 0 … n_groups-1: sources, near-duplicate clusters where unknown */
  uint32_t *datasets;         /* [n] 0 … n_datasets-1 */
  const char **dataset_names; /* [n_datasets] */
  const char **group_names;   /* [n_groups] the source; "cluster 17" or "row 4" where it is not known */
  size_t n_groups, n_datasets;
  bool sources_known;   /* at least one row says where it is from */
  size_t n_refused;     /* rows of a file that were left out: bad, without label, or nothing to read */
  fn_encoding encoding; /* of a file: what it was read as */
  fn_arena arena;
} fn_labelled;
void fn_labelled_deinit(fn_labelled *labelled);

/* Views into the dataset, which outlives it. FN_E_INVALID: the split has no rows. */
FN_NODISCARD fn_status fn_labelled_from_dataset(fn_labelled *labelled_out, const fn_dataset *dataset, fn_split split,
                                                fn_err *err);

/* Called with each row of a file that is left out. */
typedef void (*fn_labelled_refused)(void *arg, const char *message);
/* A file of articles (CSV, JSON lines; data/input.h), read with the columns and the label map of options. Rows without
 * source stand alone; near-duplicates are not looked for. mode: what must not be empty. FN_E_NOT_FOUND names a missing
 * column; FN_E_INVALID: no row is left. */
FN_NODISCARD fn_status fn_labelled_from_file(fn_labelled *labelled_out, const char *path, fn_text_mode mode,
                                             const fn_data_options *options, fn_labelled_refused refused, void *arg,
                                             fn_err *err);

#endif
