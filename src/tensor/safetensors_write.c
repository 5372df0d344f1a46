#include "tensor/safetensors_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The reference's order: dtype descending (so that wide types stay aligned), then name. */
static int compare_written(const void *a, const void *b) {
  const fn_tensor_view *x = a, *y = b;
  if (x->dtype != y->dtype) return x->dtype > y->dtype ? -1 : 1;
  return strcmp(x->name, y->name);
}

static int compare_text(const void *a, const void *b) {
  const char *const *x = a, *const *y = b;
  return strcmp(*x, *y);
}

static fn_status check_names(const fn_tensor_view *views, size_t n, const char *path, fn_err *err) {
  FN_AUTO_FREE const char **names = fn_mem_alloc(n, sizeof *names);
  if (!names) return fn_err_no_memory(err, path);
  for (size_t i = 0; i < n; i++) {
    names[i] = views[i].name;
    if (strcmp(names[i], "__metadata__") == 0)
      return fn_err_set(err, FN_E_INVALID, "%s: a tensor cannot be named \"__metadata__\"", path);
  }
  if (n > 0) qsort(names, n, sizeof *names, compare_text);
  for (size_t i = 1; i < n; i++) {
    if (strcmp(names[i - 1], names[i]) == 0)
      return fn_err_set(err, FN_E_INVALID, "%s: two tensors are named \"%s\"", path, names[i]);
  }
  return FN_OK;
}

static fn_status measure(fn_tensor_view *view, const char *path, fn_err *err) {
  if (view->n_dims < 0 || view->n_dims > FN_TENSOR_MAX_DIMS || (unsigned)view->dtype >= FN_DTYPE_COUNT ||
      !fn_tensor_view_measure(&view->n, &view->size_bytes, view->dtype, view->shape, view->n_dims))
    return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\" has a dtype or shape that cannot be written", path,
                      view->name);
  return FN_OK;
}

static void append_pair(fn_buf *header, const char *const pair[2], bool first) {
  if (!first) fn_buf_append_char(header, ',');
  fn_buf_append_json(header, fn_str_from(pair[0]));
  fn_buf_append_char(header, ':');
  fn_buf_append_json(header, fn_str_from(pair[1]));
}

static void append_tensor(fn_buf *header, const fn_tensor_view *view, size_t begin) {
  fn_buf_append_json(header, fn_str_from(view->name));
  fn_buf_printf(header, ":{\"dtype\":\"%s\",\"shape\":[", fn_dtype_name(view->dtype));
  for (int32_t i = 0; i < view->n_dims; i++)
    fn_buf_printf(header, "%s%lld", i == 0 ? "" : ",", (long long)view->shape[i]);
  fn_buf_printf(header, "],\"data_offsets\":[%zu,%zu]}", begin, begin + view->size_bytes);
}

/* Without white space, as the reference writes it. */
static fn_status format_header(fn_buf *header, const fn_tensor_view *views, size_t n, const char *const (*metadata)[2],
                               size_t n_metadata, size_t alignment, const char *path, fn_err *err) {
  fn_buf_append_char(header, '{');
  if (n_metadata > 0) {
    fn_buf_append_str(header, "\"__metadata__\":{");
    for (size_t i = 0; i < n_metadata; i++) append_pair(header, metadata[i], i == 0);
    fn_buf_append_char(header, '}');
  }
  size_t end = 0;
  for (size_t i = 0; i < n; i++) {
    if (i > 0 || n_metadata > 0) fn_buf_append_char(header, ',');
    append_tensor(header, &views[i], end);
    if (!fn_size_add(&end, end, views[i].size_bytes) || end > INT64_MAX)
      return fn_err_set(err, FN_E_LIMIT, "%s: the tensors are too large in all", path);
  }
  fn_buf_append_char(header, '}');
  while (!header->failed && (header->length + 8) % alignment != 0) fn_buf_append_char(header, ' ');
  return fn_buf_check(header, path, err);
}

static fn_status append_in_order(fn_writer *writer, const fn_tensor_view *views, size_t n,
                                 const char *const (*metadata)[2], size_t n_metadata, size_t alignment,
                                 fn_buf *header_out, fn_err *err) {
  FN_AUTO_BUF fn_buf header;
  fn_buf_init(&header, FN_SAFETENSORS_MAX_HEADER_BYTES);
  FN_TRY(format_header(&header, views, n, metadata, n_metadata, alignment, writer->path, err));
  unsigned char length[8];
  for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header.length >> (8 * i));
  FN_TRY(fn_writer_write(writer, length, sizeof length, err));
  FN_TRY(fn_writer_write(writer, header.data, header.length, err));
  for (size_t i = 0; i < n; i++) FN_TRY(fn_writer_write(writer, views[i].data, views[i].size_bytes, err));
  if (header_out) fn_buf_append(header_out, header.data, header.length);
  return FN_OK;
}

static fn_status check_all(const fn_tensor_view *tensors, size_t n, const char *path, fn_err *err) {
  if (n > FN_SAFETENSORS_MAX_TENSORS)
    return fn_err_set(err, FN_E_LIMIT, "%s: more than %zu tensors", path, FN_SAFETENSORS_MAX_TENSORS);
  return check_names(tensors, n, path, err);
}

fn_status fn_safetensors_append(fn_writer *writer, const fn_tensor_view *tensors, size_t n,
                                const char *const (*metadata)[2], size_t n_metadata, fn_err *err) {
  FN_TRY(check_all(tensors, n, writer->path, err));
  FN_AUTO_FREE fn_tensor_view *views = fn_mem_alloc(n, sizeof *views);
  if (!views) return fn_err_no_memory(err, writer->path);
  for (size_t i = 0; i < n; i++) {
    views[i] = tensors[i];
    FN_TRY(measure(&views[i], writer->path, err));
  }
  if (n > 0) qsort(views, n, sizeof *views, compare_written);
  return append_in_order(writer, views, n, metadata, n_metadata, 8, NULL, err);
}

fn_status fn_safetensors_append_aligned(fn_writer *writer, const fn_tensor_view *tensors, size_t n,
                                        const char *const (*metadata)[2], size_t n_metadata, fn_buf *header_out,
                                        fn_err *err) {
  static const unsigned char zeros[FN_SAFETENSORS_ALIGNMENT] = {0};
  enum { NAME = 32 };
  FN_TRY(check_all(tensors, n, writer->path, err));
  FN_AUTO_FREE fn_tensor_view *views = fn_mem_alloc(2 * n, sizeof *views);
  FN_AUTO_FREE char *names = fn_mem_alloc(n, NAME);
  if (!views || !names) return fn_err_no_memory(err, writer->path);
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    fn_tensor_view *v = &views[at++];
    *v = tensors[i];
    FN_TRY(measure(v, writer->path, err));
    size_t pad = (FN_SAFETENSORS_ALIGNMENT - v->size_bytes % FN_SAFETENSORS_ALIGNMENT) % FN_SAFETENSORS_ALIGNMENT;
    if (pad == 0) continue;
    snprintf(names + i * NAME, NAME, FN_SAFETENSORS_PAD "%zu", i);
    views[at++] = (fn_tensor_view){.name = names + i * NAME,
                                   .dtype = FN_U8,
                                   .n_dims = 1,
                                   .shape = {(int64_t)pad},
                                   .n = pad,
                                   .data = zeros,
                                   .size_bytes = pad};
  }
  return append_in_order(writer, views, at, metadata, n_metadata, FN_SAFETENSORS_ALIGNMENT, header_out, err);
}

fn_status fn_safetensors_write(const char *path, const fn_tensor_view *tensors, size_t n,
                               const char *const (*metadata)[2], size_t n_metadata, fn_err *err) {
  FN_AUTO_WRITER fn_writer writer = {0};
  FN_TRY(fn_writer_open(&writer, path, err));
  FN_TRY(fn_safetensors_append(&writer, tensors, n, metadata, n_metadata, err));
  return fn_writer_commit(&writer, err);
}
