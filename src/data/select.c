#include "data/select.h"
#include "data/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What is needed while the rows are chosen. */
typedef struct index_build {
  fn_row_index *index;
  const fn_dataset *dataset;
  fn_split split;
  const fn_row_filter *filter;
  fn_names datasets, sources;
  uint32_t *dataset_ids; /* [datasets.n] place in the order of names, by place of first appearance */
} index_build;

static int compare_names(const void *a, const void *b) {
  const fn_str *x = *(const fn_str *const *)a, *y = *(const fn_str *const *)b;
  size_t common = x->length < y->length ? x->length : y->length;
  int order = common ? memcmp(x->data, y->data, common) : 0;
  return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* All datasets of all splits, numbered in the order of their names, so that ids do not depend on the split. */
static fn_status collect_datasets(index_build *b, fn_err *err) {
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t i = 0; i < fn_dataset_n_rows(b->dataset, (fn_split)s); i++) {
      fn_row row;
      uint32_t number;
      fn_dataset_get(&row, b->dataset, (fn_split)s, i);
      FN_TRY(fn_names_add(&number, &b->datasets, row.dataset, err));
    }
  size_t n = b->datasets.n;
  FN_AUTO_FREE const fn_str **order = fn_mem_calloc(n, sizeof *order);
  b->dataset_ids = fn_mem_calloc(n, sizeof *b->dataset_ids);
  b->index->dataset_names = fn_arena_alloc(&b->index->arena, n + 1, sizeof *b->index->dataset_names);
  if (!order || !b->dataset_ids || !b->index->dataset_names) return fn_err_no_memory(err, "names of datasets");
  for (size_t i = 0; i < n; i++) order[i] = &b->datasets.items[i];
  if (n > 0) qsort(order, n, sizeof *order, compare_names);
  for (size_t i = 0; i < n; i++) {
    b->dataset_ids[order[i] - b->datasets.items] = (uint32_t)i;
    b->index->dataset_names[i] = fn_arena_strndup(&b->index->arena, order[i]->data, order[i]->length);
    if (!b->index->dataset_names[i]) return fn_err_no_memory(err, "names of datasets");
  }
  b->index->n_datasets = n;
  return FN_OK;
}

static fn_status check_filter_name(const fn_row_index *index, const char *name, fn_err *err) {
  if (!name) return FN_OK;
  for (size_t i = 0; i < index->n_datasets; i++)
    if (strcmp(index->dataset_names[i], name) == 0) return FN_OK;
  FN_AUTO_BUF fn_buf list;
  fn_buf_init(&list, 512); /* a longer list is cut */
  for (size_t i = 0; i < index->n_datasets && list.length + strlen(index->dataset_names[i]) < 400; i++) {
    if (i) fn_buf_append_str(&list, ", ");
    fn_buf_append_str(&list, index->dataset_names[i]);
  }
  return fn_err_set(err, FN_E_INVALID, "there is no dataset \"%s\" among the rows; there are: %s", name,
                    list.data ? list.data : "");
}

/* The source, or its cluster's name. The two cannot meet: a 0x01 byte marks a cluster while numbering. */
static fn_str source_key(char scratch[32], const fn_row *row) {
  if (row->source.length > 0) return row->source;
  int length = snprintf(scratch, 32, "\001cluster %" PRId64, row->cluster);
  return fn_str_make(scratch, (size_t)length);
}

static fn_status add_row(index_build *b, size_t i, const fn_row *row, fn_err *err) {
  fn_row_index *index = b->index;
  size_t n = index->n;
  uint32_t number;
  char scratch[32];
  FN_TRY(fn_names_add(&number, &b->datasets, row->dataset, err)); /* it is there */
  FN_TRY(fn_names_add(&index->source_ids[n], &b->sources, source_key(scratch, row), err));
  index->dataset_ids[n] = b->dataset_ids[number];
  index->rows[n] = (uint32_t)i;
  index->labels[n] = row->label;
  index->label_counts[row->label]++;
  index->group_counts[fn_row_index_group(index, n)]++;
  index->n++;
  return FN_OK;
}

static fn_status name_sources(index_build *b, fn_err *err) {
  fn_row_index *index = b->index;
  index->n_sources = b->sources.n;
  index->source_names = fn_arena_alloc(&index->arena, b->sources.n + 1, sizeof *index->source_names);
  if (!index->source_names) return fn_err_no_memory(err, "names of sources");
  for (size_t i = 0; i < b->sources.n; i++) {
    fn_str name = b->sources.items[i];
    size_t mark = name.length > 0 && name.data[0] == '\001';
    index->source_names[i] = fn_arena_strndup(&index->arena, name.data + mark, name.length - mark);
    if (!index->source_names[i]) return fn_err_no_memory(err, "names of sources");
  }
  return FN_OK;
}

static fn_status build_index(index_build *b, fn_err *err) {
  const char *without = b->filter ? b->filter->without : NULL, *only = b->filter ? b->filter->only : NULL;
  fn_row_index *index = b->index;
  FN_TRY(collect_datasets(b, err));
  FN_TRY(check_filter_name(index, without, err));
  FN_TRY(check_filter_name(index, only, err));
  size_t n_rows = fn_dataset_n_rows(b->dataset, b->split);
  index->rows = fn_arena_alloc(&index->arena, n_rows + 1, sizeof *index->rows);
  index->labels = fn_arena_alloc(&index->arena, n_rows + 1, sizeof *index->labels);
  index->dataset_ids = fn_arena_alloc(&index->arena, n_rows + 1, sizeof *index->dataset_ids);
  index->source_ids = fn_arena_alloc(&index->arena, n_rows + 1, sizeof *index->source_ids);
  index->group_counts = fn_arena_alloc(&index->arena, 2 * index->n_datasets + 1, sizeof *index->group_counts);
  if (!index->rows || !index->labels || !index->dataset_ids || !index->source_ids || !index->group_counts)
    return fn_err_no_memory(err, "the rows of a split");
  for (size_t i = 0; i < n_rows; i++) {
    fn_row row;
    fn_dataset_get(&row, b->dataset, b->split, i);
    if (without && fn_str_is(row.dataset, without)) continue;
    if (only && !fn_str_is(row.dataset, only)) continue;
    FN_TRY(add_row(b, i, &row, err));
  }
  return name_sources(b, err);
}

fn_status fn_row_index_build(fn_row_index *index_out, const fn_dataset *dataset, fn_split split,
                             const fn_row_filter *filter, fn_err *err) {
  fn_row_index index = {0};
  index_build b = {.index = &index, .dataset = dataset, .split = split, .filter = filter};
  fn_arena_init(&index.arena);
  fn_names_init(&b.datasets);
  fn_names_init(&b.sources);
  fn_status status = build_index(&b, err);
  fn_names_deinit(&b.datasets);
  fn_names_deinit(&b.sources);
  free(b.dataset_ids);
  if (status != FN_OK) {
    fn_arena_deinit(&index.arena);
    return status;
  }
  *index_out = index;
  return FN_OK;
}

void fn_row_index_deinit(fn_row_index *index) {
  fn_arena_deinit(&index->arena);
  *index = (fn_row_index){0};
}
