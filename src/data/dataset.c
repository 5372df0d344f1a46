#include "data/dataset.h"

#include "data/schema.h"

#include <assert.h>
#include <stdlib.h>

enum { MAX_JSON = 1 << 20, MAX_SHARDS = 4096 };

/* The columns that are read; `split` is not among them: the folder decides. */
static const fn_column wanted[] = {FN_COLUMN_TITLE,  FN_COLUMN_TEXT,    FN_COLUMN_LABEL, FN_COLUMN_DATASET,
                                   FN_COLUMN_SOURCE, FN_COLUMN_CLUSTER, FN_COLUMN_ROW,   FN_COLUMN_HASH};
enum { TITLE, TEXT, LABEL, DATASET, SOURCE, CLUSTER, ROW, HASH, N_WANTED };
_Static_assert(FN_COUNT_OF(wanted) == N_WANTED, "one index per column");

/* One Arrow file of a split: rows [first_row, first_row + its rows). */
typedef struct shard_file {
  fn_arrow_reader *reader;
  size_t first_row;
} shard_file;

typedef struct split_data {
  shard_file *shards;
  size_t n_shards, n_rows;
} split_data;

struct fn_dataset {
  char *dir;
  split_data splits[FN_SPLIT_COUNT];
  fn_hash128 hash;
};

static fn_status load_json(json_t **value_out, char **path_out, const char *dir, const char *name, fn_err *err) {
  char *path = fn_path_join(dir, name);
  if (!path) return fn_err_no_memory(err, "a path");
  fn_status status = fn_json_load(value_out, path, MAX_JSON, err);
  if (status == FN_OK && !json_is_object(*value_out)) {
    json_decref(*value_out);
    *value_out = NULL;
    status = fn_err_set(err, FN_E_INVALID, "%s: must be an object", path);
  }
  if (status == FN_OK)
    *path_out = path;
  else
    free(path);
  return status;
}

/* The labels must be what their numbers are taken for: 0 real, 1 fake. */
static fn_status check_info(const char *split_dir, fn_err *err) {
  FN_AUTO_JSON json_t *info = NULL;
  FN_AUTO_FREE char *path = NULL;
  FN_TRY(load_json(&info, &path, split_dir, "dataset_info.json", err));
  const json_t *label = json_object_get(json_object_get(info, "features"), "label");
  const json_t *names = json_object_get(label, "names");
  const char *type = json_string_value(json_object_get(label, "_type"));
  const char *first = json_string_value(json_array_get(names, 0)),
             *second = json_string_value(json_array_get(names, 1));
  if (!type || strcmp(type, "ClassLabel") != 0 || json_array_size(names) != 2 || !first || strcmp(first, "real") != 0 ||
      !second || strcmp(second, "fake") != 0)
    return fn_err_set(err, FN_E_INVALID, "%s: features.label must be a ClassLabel with the names real, fake", path);
  return FN_OK;
}

static fn_status open_shard(split_data *split, const char *split_dir, const char *filename, fn_err *err) {
  fn_arrow_field columns[N_WANTED];
  for (size_t c = 0; c < N_WANTED; c++) columns[c] = fn_columns[wanted[c]];
  FN_AUTO_FREE char *path = fn_path_join(split_dir, filename);
  if (!path) return fn_err_no_memory(err, "a path");
  shard_file *shard = &split->shards[split->n_shards];
  FN_TRY(fn_arrow_reader_open(&shard->reader, path, columns, N_WANTED, err));
  shard->first_row = split->n_rows;
  split->n_shards++;
  split->n_rows += fn_arrow_reader_n_rows(shard->reader);
  if (split->n_rows > INT32_MAX) return fn_err_set(err, FN_E_LIMIT, "%s: more than %d rows", split_dir, INT32_MAX);
  return FN_OK;
}

/* The files that state.json lists, in that order: `datasets` cuts large splits into several. */
static fn_status open_split(split_data *split, const char *split_dir, fn_err *err) {
  FN_AUTO_JSON json_t *state = NULL;
  FN_AUTO_FREE char *path = NULL;
  FN_TRY(load_json(&state, &path, split_dir, "state.json", err));
  const json_t *files = json_object_get(state, "_data_files");
  size_t n = json_array_size(files);
  if (!json_is_array(files) || n > MAX_SHARDS)
    return fn_err_set(err, FN_E_INVALID, "%s: _data_files must be a list of at most %d files", path, MAX_SHARDS);
  const json_t *indices = json_object_get(state, "_indices_data_files");
  if (indices && !json_is_null(indices))
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "%s: an index over the rows (_indices_data_files) is not read; "
                      "flatten_indices() and save again",
                      path);
  split->shards = fn_mem_calloc(n, sizeof *split->shards);
  if (!split->shards) return fn_err_no_memory(err, "a dataset");
  for (size_t i = 0; i < n; i++) {
    const char *name = json_string_value(json_object_get(json_array_get(files, i), "filename"));
    if (!name || !*name || *name == '.' || strchr(name, '/'))
      return fn_err_set(err, FN_E_INVALID, "%s: _data_files[%zu].filename must be a name in the same folder", path, i);
    FN_TRY(open_shard(split, split_dir, name, err));
  }
  return FN_OK;
}

/* Ranges of every row, and the hash: one pass over all texts. */
static fn_status check_rows(fn_dataset *dataset, fn_err *err) {
  fn_hash128 chains[FN_SPLIT_COUNT] = {{0, 0}};
  size_t n_rows[FN_SPLIT_COUNT];
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    n_rows[s] = dataset->splits[s].n_rows;
    for (size_t i = 0; i < n_rows[s]; i++) {
      fn_row row;
      fn_dataset_get(&row, dataset, (fn_split)s, i);
      const char *wrong = NULL;
      if (row.label != 0 && row.label != 1) wrong = "label must be 0 (real) or 1 (fake)";
      if (row.cluster < 0) wrong = "cluster must be 0 or more";
      if (row.row < 0) wrong = "row must be 0 or more";
      if (row.hash.length != FN_ROW_HASH_LENGTH) wrong = "hash must have 32 digits";
      if (wrong)
        return fn_err_set(err, FN_E_INVALID, "%s/%s: row %zu: %s", dataset->dir, fn_split_name((fn_split)s), i, wrong);
      chains[s] = fn_row_hash_chain(chains[s], &row);
    }
  }
  dataset->hash = fn_row_hash_combine(chains, n_rows);
  return FN_OK;
}

static fn_status read_splits(bool present[FN_SPLIT_COUNT], const char *dir, fn_err *err) {
  FN_AUTO_JSON json_t *dict = NULL;
  FN_AUTO_FREE char *path = NULL;
  fn_status status = load_json(&dict, &path, dir, "dataset_dict.json", err);
  if (status == FN_E_NOT_FOUND)
    return fn_err_set(err, status,
                      "%s: not a prepared dataset, it has no dataset_dict.json; `fakenews data prepare` "
                      "makes one",
                      dir);
  if (status != FN_OK) return status;
  const json_t *names = json_object_get(dict, "splits");
  if (!json_is_array(names)) return fn_err_set(err, FN_E_INVALID, "%s: splits must be a list", path);
  for (size_t i = 0; i < json_array_size(names); i++) {
    const char *name = json_string_value(json_array_get(names, i));
    int s = 0;
    while (s < FN_SPLIT_COUNT && (!name || strcmp(name, fn_split_name((fn_split)s)) != 0)) s++;
    if (s == FN_SPLIT_COUNT)
      return fn_err_set(err, FN_E_INVALID, "%s: unknown split \"%s\"; train, validation and test are accepted", path,
                        name ? name : "");
    present[s] = true;
  }
  return FN_OK;
}

static fn_status open_all(fn_dataset *dataset, const char *dir, fn_err *err) {
  bool present[FN_SPLIT_COUNT] = {false};
  dataset->dir = fn_str_dup(fn_str_from(dir));
  if (!dataset->dir) return fn_err_no_memory(err, "a dataset");
  FN_TRY(read_splits(present, dir, err));
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    if (!present[s]) continue;
    FN_AUTO_FREE char *split_dir = fn_path_join(dir, fn_split_name((fn_split)s));
    if (!split_dir) return fn_err_no_memory(err, "a path");
    FN_TRY(check_info(split_dir, err));
    FN_TRY(open_split(&dataset->splits[s], split_dir, err));
  }
  return check_rows(dataset, err);
}

fn_status fn_dataset_open(fn_dataset **dataset_out, const char *dir, fn_err *err) {
  fn_dataset *dataset = fn_mem_calloc(1, sizeof *dataset);
  if (!dataset) return fn_err_no_memory(err, "a dataset");
  fn_status status = open_all(dataset, dir, err);
  if (status != FN_OK) {
    fn_dataset_close(dataset);
    return status;
  }
  *dataset_out = dataset;
  return FN_OK;
}

void fn_dataset_close(fn_dataset *dataset) {
  if (!dataset) return;
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    split_data *split = &dataset->splits[s];
    for (size_t i = 0; i < split->n_shards; i++) fn_arrow_reader_close(split->shards[i].reader);
    free(split->shards);
  }
  free(dataset->dir);
  free(dataset);
}

const char *fn_dataset_dir(const fn_dataset *dataset) {
  return dataset->dir;
}
size_t fn_dataset_n_rows(const fn_dataset *dataset, fn_split split) {
  return dataset->splits[split].n_rows;
}
fn_hash128 fn_dataset_hash(const fn_dataset *dataset) {
  return dataset->hash;
}

void fn_dataset_get(fn_row *row_out, const fn_dataset *dataset, fn_split split, size_t i) {
  const split_data *data = &dataset->splits[split];
  assert(i < data->n_rows);
  size_t low = 0, high = data->n_shards; /* the last shard that begins at or before i; it holds rows, as i < n_rows */
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (data->shards[middle].first_row <= i)
      low = middle;
    else
      high = middle;
  }
  const fn_arrow_reader *reader = data->shards[low].reader;
  fn_arrow_place place = fn_arrow_reader_find(reader, i - data->shards[low].first_row);
  int64_t label = fn_arrow_reader_int64(reader, LABEL, place);
  *row_out = (fn_row){
      .title = fn_arrow_reader_text(reader, TITLE, place),
      .text = fn_arrow_reader_text(reader, TEXT, place),
      .dataset = fn_arrow_reader_text(reader, DATASET, place),
      .source = fn_arrow_reader_text(reader, SOURCE, place),
      .label = label == 0 || label == 1 ? (int32_t)label : -1, /* -1 only while open has not refused the file yet */
      .cluster = fn_arrow_reader_int64(reader, CLUSTER, place),
      .row = fn_arrow_reader_int64(reader, ROW, place),
      .hash = fn_arrow_reader_text(reader, HASH, place),
  };
}
