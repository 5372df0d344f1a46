/* Rows of a prepared dataset as a model trains on them or is evaluated on. */
#ifndef FN_TRAIN_EXAMPLES_H
#define FN_TRAIN_EXAMPLES_H

#include "data/data.h"

/* n rows. Ids are views into the token cache, texts into the dataset; both outlive this. Zero-initialise; release with
 * deinit. */
typedef struct fn_examples {
  size_t n, capacity;
  fn_row *rows;        /* [n] */
  fn_article_ids *ids; /* [n]; NULL when no cache was given */
  uint32_t *groups;    /* [n] dataset × label, 0 … n_groups-1; not every group need have rows */
  size_t n_groups;
  size_t counts[2]; /* rows of each class */
} fn_examples;
void fn_examples_deinit(fn_examples *examples);

/* Appends the rows of a split that the filter lets through; several splits may follow one another. cache may be NULL
 * (but then always). FN_E_INVALID: a dataset named in filter does not exist. */
FN_NODISCARD fn_status fn_examples_add(fn_examples *examples, const fn_dataset *dataset, const fn_token_cache *cache,
                                       fn_split split, const fn_row_filter *filter, fn_err *err);
/* Tokens of row i as a sequence. */
static inline uint32_t fn_example_length(const fn_examples *e, size_t i, const fn_sequence_options *sequence) {
  return (uint32_t)fn_sequence_length(&e->ids[i], 0, sequence);
}

#endif
