#include "tensor/safetensors.h"

#include "tensor/safetensors_internal.h"

#include <stdlib.h>
#include <string.h>

static uint64_t read_u64(const unsigned char *p) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; i--) value = value << 8 | p[i];
  return value;
}

static fn_status read_file(fn_safetensors *file, const unsigned char *data, size_t length, fn_err *err) {
  if (length < 8)
    return fn_err_set(err, FN_E_INVALID,
                      "%s: %zu bytes long; a safetensors file begins with 8 bytes that give the length of its header",
                      file->path, length);
  uint64_t n = read_u64(data);
  if (n > FN_SAFETENSORS_MAX_HEADER_BYTES)
    return fn_err_set(err, FN_E_LIMIT,
                      "%s: not a safetensors file, or a damaged one: its header would be %llu bytes long, at most %zu "
                      "are accepted",
                      file->path, (unsigned long long)n, FN_SAFETENSORS_MAX_HEADER_BYTES);
  if (n > length - 8)
    return fn_err_set(err, FN_E_INVALID,
                      "%s: cut short: its header takes %llu bytes, the file has only %zu after the first 8", file->path,
                      (unsigned long long)n, length - 8);
  const unsigned char *header = data + 8;
  file->header = fn_str_make((const char *)header, (size_t)n);
  return fn_safetensors_read_header(file, fn_str_make((const char *)header, (size_t)n), header + n,
                                    length - 8 - (size_t)n, err);
}

static fn_safetensors *new_file(const char *path) {
  fn_safetensors *file = fn_mem_calloc(1, sizeof *file);
  if (!file) return NULL;
  fn_arena_init(&file->arena);
  file->path = fn_arena_strndup(&file->arena, path, strlen(path));
  if (!file->path) {
    fn_safetensors_close(file);
    return NULL;
  }
  return file;
}

fn_status fn_safetensors_open(fn_safetensors **file_out, const char *path, fn_err *err) {
  FN_AUTO_SAFETENSORS fn_safetensors *file = new_file(path);
  if (!file) return fn_err_no_memory(err, path);
  FN_TRY(fn_map_open(&file->map, path, err));
  FN_TRY(read_file(file, file->map.data, file->map.length, err));
  *file_out = FN_STEAL(file);
  return FN_OK;
}

fn_status fn_safetensors_parse(fn_safetensors **file_out, const void *data, size_t length, const char *name,
                               fn_err *err) {
  FN_AUTO_SAFETENSORS fn_safetensors *file = new_file(name);
  if (!file) return fn_err_no_memory(err, name);
  FN_TRY(read_file(file, data, length, err));
  *file_out = FN_STEAL(file);
  return FN_OK;
}

void fn_safetensors_close(fn_safetensors *file) {
  if (!file) return;
  fn_map_close(&file->map);
  fn_arena_deinit(&file->arena);
  free(file);
}

size_t fn_safetensors_n(const fn_safetensors *file) {
  return file->n;
}

const fn_tensor_view *fn_safetensors_get(const fn_safetensors *file, size_t i) {
  return &file->views[i];
}

fn_str fn_safetensors_header(const fn_safetensors *file) {
  return file->header;
}

const char *fn_safetensors_path(const fn_safetensors *file) {
  return file->path;
}

const fn_tensor_view *fn_safetensors_find(const fn_safetensors *file, const char *name) {
  size_t low = 0, high = file->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(name, file->by_name[middle]->name);
    if (order == 0) return file->by_name[middle];
    if (order < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return NULL;
}

const char *fn_safetensors_metadata(const fn_safetensors *file, const char *key) {
  for (size_t i = 0; i < file->n_metadata; i++) {
    if (strcmp(file->metadata[i][0], key) == 0) return file->metadata[i][1];
  }
  return NULL;
}
