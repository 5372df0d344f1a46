#include "tensor/safetensors_internal.h"

#include <stdlib.h>
#include <string.h>

/* One tensor of a usual header takes about ten of these bytes ({ [ ,): more than that many in all cannot come from a
 * list of tensors, and would make the JSON parser allocate a hundred times the header's size. */
#define MAX_STRUCTURAL (FN_SAFETENSORS_MAX_TENSORS * 16)

static fn_status check_bounded(fn_str header, const char *path, fn_err *err) {
  size_t n = 0;
  for (size_t i = 0; i < header.length; i++) {
    char c = header.data[i];
    n += c == '{' || c == '[' || c == ',';
  }
  if (n <= MAX_STRUCTURAL) return FN_OK;
  return fn_err_set(err, FN_E_LIMIT, "%s: the header lists too much: at most %zu tensors are accepted", path,
                    FN_SAFETENSORS_MAX_TENSORS);
}

static fn_status read_metadata(fn_safetensors *file, json_t *object, fn_err *err) {
  if (!json_is_object(object))
    return fn_err_set(err, FN_E_INVALID, "%s: \"__metadata__\" must be an object of texts", file->path);
  const char *(*pairs)[2] = fn_arena_alloc(&file->arena, json_object_size(object), sizeof *pairs);
  if (!pairs) return fn_err_no_memory(err, file->path);
  const char *key;
  json_t *value;
  size_t n = 0;
  json_object_foreach(object, key, value) {
    if (!json_is_string(value))
      return fn_err_set(err, FN_E_INVALID, "%s: \"__metadata__\": the value of \"%s\" must be a text", file->path, key);
    pairs[n][0] = fn_arena_strndup(&file->arena, key, strlen(key));
    pairs[n][1] = fn_arena_strndup(&file->arena, json_string_value(value), json_string_length(value));
    if (!pairs[n][0] || !pairs[n][1]) return fn_err_no_memory(err, file->path);
    n++;
  }
  file->metadata = pairs;
  file->n_metadata = n;
  return FN_OK;
}

static fn_status read_dtype(fn_dtype *dtype_out, const json_t *info, const char *path, const char *name, fn_err *err) {
  const json_t *value = json_object_get(info, "dtype");
  if (!json_is_string(value))
    return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\": \"dtype\" must be a text such as \"F32\"", path, name);
  fn_str given = fn_str_make(json_string_value(value), json_string_length(value));
  for (int i = 0; i < FN_DTYPE_COUNT; i++) {
    if (fn_str_is(given, fn_dtype_name((fn_dtype)i))) {
      *dtype_out = (fn_dtype)i;
      return FN_OK;
    }
  }
  return fn_err_set(
      err, FN_E_UNSUPPORTED,
      "%s: tensor \"%s\": dtype \"%.32s\" is not known; known are BOOL, U8 to U64, I8 to I64, F4, F6, F8, "
      "F16, BF16, F32, F64 and C64 as the safetensors format spells them",
      path, name, given.data);
}

static fn_status read_shape(fn_tensor_view *view, const json_t *info, const char *path, fn_err *err) {
  const json_t *shape = json_object_get(info, "shape");
  if (!json_is_array(shape))
    return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\": \"shape\" must be a list of sizes", path, view->name);
  size_t n_dims = json_array_size(shape);
  if (n_dims > FN_TENSOR_MAX_DIMS)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: tensor \"%s\" has %zu dimensions, at most %d are handled", path,
                      view->name, n_dims, FN_TENSOR_MAX_DIMS);
  view->n_dims = (int32_t)n_dims;
  for (size_t i = 0; i < n_dims; i++) {
    const json_t *size = json_array_get(shape, i);
    if (!json_is_integer(size) || json_integer_value(size) < 0)
      return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\": \"shape\" must hold whole numbers of 0 or more", path,
                        view->name);
    view->shape[i] = json_integer_value(size);
  }
  return FN_OK;
}

static fn_status read_offsets(size_t range[2], const json_t *info, const char *path, const char *name, size_t n_data,
                              fn_err *err) {
  const json_t *offsets = json_object_get(info, "data_offsets");
  if (!json_is_array(offsets) || json_array_size(offsets) != 2)
    return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\": \"data_offsets\" must be [begin, end]", path, name);
  for (size_t i = 0; i < 2; i++) {
    const json_t *offset = json_array_get(offsets, i);
    if (!json_is_integer(offset) || json_integer_value(offset) < 0 ||
        (uint64_t)json_integer_value(offset) > (uint64_t)n_data)
      return fn_err_set(err, FN_E_INVALID,
                        "%s: tensor \"%s\": \"data_offsets\" must lie within the %zu bytes after the header", path,
                        name, n_data);
    range[i] = (size_t)json_integer_value(offset);
  }
  if (range[0] > range[1])
    return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\": \"data_offsets\" end before they begin: [%zu, %zu]", path,
                      name, range[0], range[1]);
  return FN_OK;
}

static fn_status read_tensor(fn_tensor_view *view, fn_safetensors *file, const char *name, const json_t *info,
                             const unsigned char *data, size_t n_data, fn_err *err) {
  view->name = fn_arena_strndup(&file->arena, name, strlen(name));
  if (!view->name) return fn_err_no_memory(err, file->path);
  if (!json_is_object(info))
    return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\" must be an object with dtype, shape and data_offsets",
                      file->path, name);
  size_t range[2];
  FN_TRY(read_dtype(&view->dtype, info, file->path, name, err));
  FN_TRY(read_shape(view, info, file->path, err));
  FN_TRY(read_offsets(range, info, file->path, name, n_data, err));
  if (!fn_tensor_view_measure(&view->n, &view->size_bytes, view->dtype, view->shape, view->n_dims))
    return fn_err_set(err, FN_E_INVALID,
                      "%s: tensor \"%s\": its shape is impossible: the product of the sizes does not fit, or its %s "
                      "elements do not fill whole bytes",
                      file->path, name, fn_dtype_name(view->dtype));
  if (view->size_bytes != range[1] - range[0])
    return fn_err_set(err, FN_E_INVALID,
                      "%s: tensor \"%s\": shape and dtype ask for %zu bytes, \"data_offsets\" give it %zu", file->path,
                      name, view->size_bytes, range[1] - range[0]);
  view->data = data + range[0];
  return FN_OK;
}

/* By place; the empty tensors at a place come before the one that fills it, by name so that the order is fixed. */
static int compare_place(const void *a, const void *b) {
  const fn_tensor_view *x = a, *y = b;
  uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;
  if (p != q) return p < q ? -1 : 1;
  if (x->size_bytes != y->size_bytes) return x->size_bytes < y->size_bytes ? -1 : 1;
  return strcmp(x->name, y->name);
}

static int compare_name(const void *a, const void *b) {
  const fn_tensor_view *const *x = a, *const *y = b;
  return strcmp((*x)->name, (*y)->name);
}

static fn_status check_contiguous(const fn_safetensors *file, const unsigned char *data, size_t n_data, fn_err *err) {
  size_t end = 0;
  for (size_t i = 0; i < file->n; i++) {
    const fn_tensor_view *view = &file->views[i];
    size_t begin = (size_t)((uintptr_t)view->data - (uintptr_t)data);
    if (begin != end)
      return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\" begins at byte %zu of the data, %s: it must begin at %zu",
                        file->path, view->name, begin, begin < end ? "inside the one before" : "which leaves a hole",
                        end);
    end = begin + view->size_bytes;
  }
  if (end != n_data)
    return fn_err_set(err, FN_E_INVALID, "%s: the tensors take %zu bytes, but %zu follow the header", file->path, end,
                      n_data);
  return FN_OK;
}

static fn_status index_views(fn_safetensors *file, const unsigned char *data, size_t n_data, fn_err *err) {
  if (file->n > 0) qsort(file->views, file->n, sizeof *file->views, compare_place);
  FN_TRY(check_contiguous(file, data, n_data, err));
  file->by_name = fn_arena_alloc(&file->arena, file->n, sizeof *file->by_name);
  if (!file->by_name) return fn_err_no_memory(err, file->path);
  for (size_t i = 0; i < file->n; i++) file->by_name[i] = &file->views[i];
  if (file->n > 0) qsort(file->by_name, file->n, sizeof *file->by_name, compare_name);
  return FN_OK;
}

fn_status fn_safetensors_read_header(fn_safetensors *file, fn_str header, const unsigned char *data, size_t n_data,
                                     fn_err *err) {
  FN_TRY(check_bounded(header, file->path, err));
  FN_AUTO_JSON json_t *root = NULL;
  fn_status status = fn_json_parse(&root, header, "header", err);
  if (status != FN_OK) return fn_err_prefix(err, status, "%s", file->path);
  if (!json_is_object(root))
    return fn_err_set(err, FN_E_INVALID, "%s: the header must be a JSON object of tensors", file->path);
  file->views = fn_arena_alloc(&file->arena, json_object_size(root), sizeof *file->views);
  if (!file->views) return fn_err_no_memory(err, file->path);
  const char *name;
  json_t *info;
  json_object_foreach(root, name, info) {
    if (strcmp(name, "__metadata__") == 0) {
      FN_TRY(read_metadata(file, info, err));
    } else if (file->n == FN_SAFETENSORS_MAX_TENSORS) {
      return fn_err_set(err, FN_E_LIMIT, "%s: more than %zu tensors", file->path, FN_SAFETENSORS_MAX_TENSORS);
    } else {
      FN_TRY(read_tensor(&file->views[file->n], file, name, info, data, n_data, err));
      file->n++;
    }
  }
  return index_views(file, data, n_data, err);
}
