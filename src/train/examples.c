#include "train/examples.h"

#include <stdlib.h>

void fn_examples_deinit(fn_examples *e) {
  free(e->rows);
  free(e->ids);
  free(e->groups);
  *e = (fn_examples){0};
}

static fn_status reserve(fn_examples *e, size_t needed, bool with_ids, fn_err *err) {
  size_t a = e->capacity, b = a, c = a;
  const char *what = "the rows of a split";
  FN_TRY(fn_mem_grow((void **)&e->rows, &a, needed, sizeof *e->rows, INT32_MAX, what, err));
  FN_TRY(fn_mem_grow((void **)&e->groups, &b, needed, sizeof *e->groups, INT32_MAX, what, err));
  if (with_ids) FN_TRY(fn_mem_grow((void **)&e->ids, &c, needed, sizeof *e->ids, INT32_MAX, what, err));
  e->capacity = a;
  return FN_OK;
}

fn_status fn_examples_add(fn_examples *e, const fn_dataset *dataset, const fn_token_cache *cache, fn_split split,
                          const fn_row_filter *filter, fn_err *err) {
  FN_CLEANUP(fn_row_index_deinit) fn_row_index index = {0};
  FN_TRY(fn_row_index_build(&index, dataset, split, filter, err));
  FN_TRY(reserve(e, e->n + index.n, cache != NULL, err));
  for (size_t i = 0; i < index.n; i++, e->n++) {
    fn_dataset_get(&e->rows[e->n], dataset, split, index.rows[i]);
    if (cache) fn_token_cache_get(&e->ids[e->n], cache, split, index.rows[i]);
    e->groups[e->n] = fn_row_index_group(&index, i);
    e->counts[index.labels[i]]++;
  }
  e->n_groups = 2 * index.n_datasets;
  return FN_OK;
}
