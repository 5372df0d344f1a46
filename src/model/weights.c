#include "model/weights.h"

#include <stdlib.h>

#define INDEX_MAX_BYTES ((size_t)64 << 20)

typedef struct shard {
  const char *name; /* in the index's JSON */
  fn_safetensors *file;
} shard;

struct fn_weights {
  char *path;
  shard *shards;
  size_t n_shards, shard_capacity;
  const fn_tensor_view **views; /* sorted by name */
  size_t n;
};

static int compare_views(const void *a, const void *b) {
  const fn_tensor_view *const *x = a, *const *y = b;
  return strcmp((*x)->name, (*y)->name);
}

static fn_status open_shard(fn_safetensors **file_out, fn_weights *w, const char *name, const char *path, fn_err *err) {
  FN_TRY(fn_mem_grow((void **)&w->shards, &w->shard_capacity, w->n_shards + 1, sizeof *w->shards, FN_WEIGHTS_MAX_SHARDS,
                     w->path, err));
  fn_safetensors *file = NULL;
  FN_TRY(fn_safetensors_open(&file, path, err));
  w->shards[w->n_shards++] = (shard){name, file};
  *file_out = file;
  return FN_OK;
}

static fn_status open_single(fn_weights *w, fn_err *err) {
  fn_safetensors *file;
  FN_TRY(open_shard(&file, w, "model.safetensors", w->path, err));
  w->n = fn_safetensors_n(file);
  w->views = fn_mem_calloc(w->n, sizeof *w->views);
  if (!w->views) return fn_err_no_memory(err, w->path);
  for (size_t i = 0; i < w->n; i++) w->views[i] = fn_safetensors_get(file, i);
  return FN_OK;
}

/* The shard of that name, opened at its first use. The index comes from outside: its files must lie beside it. */
static fn_status get_shard(fn_safetensors **file_out, fn_weights *w, const char *dir, const char *name, fn_err *err) {
  for (size_t i = 0; i < w->n_shards; i++) {
    if (strcmp(w->shards[i].name, name) == 0) {
      *file_out = w->shards[i].file;
      return FN_OK;
    }
  }
  if (strchr(name, '/') || !fn_str_ends_with(fn_str_from(name), ".safetensors"))
    return fn_err_set(err, FN_E_INVALID,
                      "%s: weight_map: \"%.100s\" is not accepted: shards are .safetensors files in the same directory",
                      w->path, name);
  FN_AUTO_FREE char *path = fn_path_join(dir, name);
  if (!path) return fn_err_no_memory(err, w->path);
  return open_shard(file_out, w, name, path, err);
}

static fn_status read_weight_map(fn_weights *w, const char *dir, json_t *root, fn_err *err) {
  json_t *map = json_object_get(root, "weight_map");
  if (!json_is_object(map))
    return fn_err_set(err, FN_E_INVALID, "%s: \"weight_map\" must be an object: {tensor: file}", w->path);
  w->views = fn_mem_calloc(json_object_size(map), sizeof *w->views);
  if (!w->views) return fn_err_no_memory(err, w->path);
  const char *name;
  json_t *value;
  json_object_foreach(map, name, value) {
    if (!json_is_string(value))
      return fn_err_set(err, FN_E_INVALID, "%s: weight_map: \"%s\" must name a file", w->path, name);
    fn_safetensors *file;
    FN_TRY(get_shard(&file, w, dir, json_string_value(value), err));
    const fn_tensor_view *view = fn_safetensors_find(file, name);
    if (!view)
      return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\" is not in %s, where weight_map has it", w->path, name,
                        json_string_value(value));
    w->views[w->n++] = view;
  }
  for (size_t i = 0; i < w->n_shards; i++) w->shards[i].name = ""; /* the JSON that holds the names goes */
  return FN_OK;
}

static fn_status open_sharded(fn_weights *w, const char *dir, fn_err *err) {
  FN_AUTO_JSON json_t *root = NULL;
  FN_TRY(fn_json_load(&root, w->path, INDEX_MAX_BYTES, err));
  return read_weight_map(w, dir, root, err);
}

static fn_status choose(bool *there_out, fn_weights *w, const char *dir, const char *name, fn_err *err) {
  free(w->path);
  w->path = fn_path_join(dir, name);
  if (!w->path) return fn_err_no_memory(err, dir);
  *there_out = fn_path_exists(w->path);
  return FN_OK;
}

static fn_status none(const char *dir, fn_err *err) {
  FN_AUTO_FREE char *pickled = fn_path_join(dir, "pytorch_model.bin");
  if (!pickled) return fn_err_no_memory(err, dir);
  if (fn_path_exists(pickled))
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "%s: holds pytorch_model.bin but no model.safetensors; accepted is model.safetensors, which "
                      "Transformers writes with AutoModel.from_pretrained(\"%s\").save_pretrained(\"%s\")",
                      dir, dir, dir);
  return fn_err_set(err, FN_E_NOT_FOUND, "%s: no model.safetensors in it (nor model.safetensors.index.json)", dir);
}

static fn_status open_weights(fn_weights *w, const char *dir, fn_err *err) {
  bool there = false;
  FN_TRY(choose(&there, w, dir, "model.safetensors", err));
  if (there) {
    FN_TRY(open_single(w, err));
  } else {
    FN_TRY(choose(&there, w, dir, "model.safetensors.index.json", err));
    if (!there) return none(dir, err);
    FN_TRY(open_sharded(w, dir, err));
  }
  if (w->n > 0) qsort(w->views, w->n, sizeof *w->views, compare_views);
  return FN_OK;
}

fn_status fn_weights_open(fn_weights **weights_out, const char *dir, fn_err *err) {
  FN_AUTO_WEIGHTS fn_weights *w = fn_mem_calloc(1, sizeof *w);
  if (!w) return fn_err_no_memory(err, dir);
  FN_TRY(open_weights(w, dir, err));
  *weights_out = FN_STEAL(w);
  return FN_OK;
}

/* Index first, then every .safetensors file of the directory that it names, in the order of first use. */
static fn_status hash_shards(fn_hash128 *hash_out, const fn_weights *w, fn_err *err) {
  FN_AUTO_FREE fn_hash128 *hashes = fn_mem_calloc(w->n_shards + 1, sizeof *hashes);
  if (!hashes) return fn_err_no_memory(err, w->path);
  FN_TRY(fn_hash_file(&hashes[0], w->path, err));
  for (size_t i = 0; i < w->n_shards; i++)
    FN_TRY(fn_hash_file(&hashes[i + 1], fn_safetensors_path(w->shards[i].file), err));
  *hash_out = fn_hash_bytes(hashes, (w->n_shards + 1) * sizeof *hashes);
  return FN_OK;
}

fn_status fn_weights_hash(fn_hash128 *hash_out, const char *dir, fn_err *err) {
  FN_AUTO_WEIGHTS fn_weights *w = NULL;
  FN_TRY(fn_weights_open(&w, dir, err));
  if (w->n_shards != 1 || strcmp(fn_safetensors_path(w->shards[0].file), w->path) != 0)
    return hash_shards(hash_out, w, err);
  return fn_hash_file(hash_out, w->path, err);
}

void fn_weights_close(fn_weights *w) {
  if (!w) return;
  for (size_t i = 0; i < w->n_shards; i++) fn_safetensors_close(w->shards[i].file);
  free(w->shards);
  free(w->views);
  free(w->path);
  free(w);
}

size_t fn_weights_n(const fn_weights *w) {
  return w->n;
}

const fn_tensor_view *fn_weights_get(const fn_weights *w, size_t i) {
  return w->views[i];
}

size_t fn_weights_find(const fn_weights *w, const char *name) {
  size_t low = 0, high = w->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(name, w->views[middle]->name);
    if (order == 0) return middle;
    if (order < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return SIZE_MAX;
}

const char *fn_weights_path(const fn_weights *w) {
  return w->path;
}
