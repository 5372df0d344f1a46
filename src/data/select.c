#include "data/select.h"

#include <inttypes.h>
#include <stdlib.h>

/* Distinct names, numbered by first appearance: open addressing, load at most a half. */
typedef struct name_table {
  fn_str *names;
  size_t n, capacity;
  uint32_t *slots; /* [n_slots] 1 + number, 0 = free */
  size_t n_slots;
} name_table;

static void deinit_names(name_table *table) {
  free(table->names);
  free(table->slots);
}

/* Where the name is, or the free slot where it would be put. */
static size_t find_slot(const name_table *table, fn_str name) {
  size_t mask = table->n_slots - 1, slot = (size_t)fn_hash64(name.data, name.length, 0) & mask;
  while (table->slots[slot] && !fn_str_equal(table->names[table->slots[slot] - 1], name)) slot = (slot + 1) & mask;
  return slot;
}

static fn_status grow_slots(name_table *table, fn_err *err) {
  size_t n_slots = table->n_slots ? table->n_slots * 2 : 64;
  uint32_t *slots = fn_mem_calloc(n_slots, sizeof *slots);
  if (!slots) return fn_err_no_memory(err, "names of groups");
  free(table->slots);
  table->slots = slots;
  table->n_slots = n_slots;
  for (size_t i = 0; i < table->n; i++) table->slots[find_slot(table, table->names[i])] = (uint32_t)i + 1;
  return FN_OK;
}

/* Number of the name; arena NULL keeps the view, otherwise a new name is copied there. */
static fn_status intern(uint32_t *id_out, name_table *table, fn_str name, fn_arena *arena, fn_err *err) {
  if (2 * (table->n + 1) > table->n_slots) FN_TRY(grow_slots(table, err));
  size_t slot = find_slot(table, name);
  if (!table->slots[slot]) {
    FN_TRY(fn_mem_grow((void **)&table->names, &table->capacity, table->n + 1, sizeof *table->names, INT32_MAX,
                       "names of groups", err));
    if (arena) {
      const char *copy = fn_arena_strndup(arena, name.data, name.length);
      if (!copy) return fn_err_no_memory(err, "names of groups");
      name.data = copy;
    }
    table->names[table->n++] = name;
    table->slots[slot] = (uint32_t)table->n;
  }
  *id_out = table->slots[slot] - 1;
  return FN_OK;
}

/* Terminated copies of the names in index's arena. */
static fn_status copy_names(const char ***names_out, fn_row_index *index, const name_table *table, fn_err *err) {
  const char **names = fn_arena_alloc(&index->arena, table->n ? table->n : 1, sizeof *names);
  if (!names) return fn_err_no_memory(err, "names of groups");
  for (size_t i = 0; i < table->n; i++) {
    names[i] = fn_arena_strndup(&index->arena, table->names[i].data, table->names[i].length);
    if (!names[i]) return fn_err_no_memory(err, "names of groups");
  }
  *names_out = names;
  return FN_OK;
}

static int compare_names(const void *a, const void *b) {
  const fn_str *x = a, *y = b;
  size_t common = x->length < y->length ? x->length : y->length;
  int order = common ? memcmp(x->data, y->data, common) : 0;
  return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* All datasets of all splits, sorted, so that ids do not depend on the split. */
static fn_status collect_datasets(name_table *datasets, const fn_dataset *dataset, fn_err *err) {
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t i = 0; i < fn_dataset_n_rows(dataset, (fn_split)s); i++) {
      fn_row row;
      uint32_t id;
      fn_dataset_get(&row, dataset, (fn_split)s, i);
      FN_TRY(intern(&id, datasets, row.dataset, NULL, err));
    }
  if (datasets->n == 0) return FN_OK;
  qsort(datasets->names, datasets->n, sizeof *datasets->names, compare_names);
  memset(datasets->slots, 0, datasets->n_slots * sizeof *datasets->slots);
  for (size_t i = 0; i < datasets->n; i++) datasets->slots[find_slot(datasets, datasets->names[i])] = (uint32_t)i + 1;
  return FN_OK;
}

static fn_status check_filter_name(const name_table *datasets, const char *name, fn_err *err) {
  if (!name || (datasets->n > 0 && datasets->slots[find_slot(datasets, fn_str_from(name))])) return FN_OK;
  FN_AUTO_BUF fn_buf list;
  fn_buf_init(&list, 512); /* a longer list is cut */
  for (size_t i = 0; i < datasets->n && list.length + datasets->names[i].length < 400; i++) {
    if (i) fn_buf_append_str(&list, ", ");
    fn_buf_append(&list, datasets->names[i].data, datasets->names[i].length);
  }
  return fn_err_set(err, FN_E_INVALID, "there is no dataset \"%s\" among the rows; there are: %s", name,
                    list.data ? list.data : "");
}

/* The source, or its cluster's name. The two cannot meet: a 0x01 byte, which no cleaned text holds, marks a cluster
 * while numbering; choose_rows drops it in the end. */
static fn_str source_key(char scratch[32], const fn_row *row) {
  if (row->source.length > 0) return row->source;
  int length = snprintf(scratch, 32, "\001cluster %" PRId64, row->cluster);
  return fn_str_make(scratch, (size_t)length);
}

static fn_status choose_rows(fn_row_index *index, const fn_dataset *dataset, fn_split split,
                             const fn_row_filter *filter, name_table *datasets, name_table *sources, fn_err *err) {
  for (size_t i = 0; i < fn_dataset_n_rows(dataset, split); i++) {
    fn_row row;
    char scratch[32];
    fn_dataset_get(&row, dataset, split, i);
    if (filter && filter->without && fn_str_is(row.dataset, filter->without)) continue;
    if (filter && filter->only && !fn_str_is(row.dataset, filter->only)) continue;
    size_t n = index->n;
    FN_TRY(intern(&index->dataset_ids[n], datasets, row.dataset, NULL, err));
    FN_TRY(intern(&index->source_ids[n], sources, source_key(scratch, &row), &index->arena, err));
    index->rows[n] = (uint32_t)i;
    index->labels[n] = row.label;
    index->label_counts[row.label]++;
    index->group_counts[fn_row_index_group(index, n)]++;
    index->n++;
  }
  for (size_t i = 0; i < sources->n; i++)
    if (sources->names[i].length > 0 && sources->names[i].data[0] == '\001')
      sources->names[i] = fn_str_make(sources->names[i].data + 1, sources->names[i].length - 1);
  return FN_OK;
}

static fn_status build_index(fn_row_index *index, const fn_dataset *dataset, fn_split split,
                             const fn_row_filter *filter, name_table *datasets, name_table *sources, fn_err *err) {
  FN_TRY(collect_datasets(datasets, dataset, err));
  if (filter) FN_TRY(check_filter_name(datasets, filter->without, err));
  if (filter) FN_TRY(check_filter_name(datasets, filter->only, err));
  size_t n_rows = fn_dataset_n_rows(dataset, split), room = n_rows ? n_rows : 1;
  index->rows = fn_arena_alloc(&index->arena, room, sizeof *index->rows);
  index->labels = fn_arena_alloc(&index->arena, room, sizeof *index->labels);
  index->dataset_ids = fn_arena_alloc(&index->arena, room, sizeof *index->dataset_ids);
  index->source_ids = fn_arena_alloc(&index->arena, room, sizeof *index->source_ids);
  index->group_counts = fn_arena_alloc(&index->arena, 2 * datasets->n + 1, sizeof *index->group_counts);
  if (!index->rows || !index->labels || !index->dataset_ids || !index->source_ids || !index->group_counts)
    return fn_err_no_memory(err, "the rows of a split");
  FN_TRY(choose_rows(index, dataset, split, filter, datasets, sources, err));
  index->n_datasets = datasets->n;
  index->n_sources = sources->n;
  FN_TRY(copy_names(&index->dataset_names, index, datasets, err));
  return copy_names(&index->source_names, index, sources, err);
}

fn_status fn_row_index_build(fn_row_index *index_out, const fn_dataset *dataset, fn_split split,
                             const fn_row_filter *filter, fn_err *err) {
  fn_row_index index = {0};
  name_table datasets = {0}, sources = {0};
  fn_arena_init(&index.arena);
  fn_status status = build_index(&index, dataset, split, filter, &datasets, &sources, err);
  deinit_names(&datasets);
  deinit_names(&sources);
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
