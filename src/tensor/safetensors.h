/* safetensors files: u64 little-endian header length N, N bytes of JSON, then the data without holes.
 * Reading maps the file; every offset, shape and size is checked before use (https://github.com/huggingface/safetensors,
 * "Format"). */
#ifndef FN_TENSOR_SAFETENSORS_H
#define FN_TENSOR_SAFETENSORS_H

#include "base/base.h"

typedef enum fn_dtype { FN_F32, FN_F16, FN_BF16, FN_F64, FN_I64, FN_I32, FN_I8, FN_U8, FN_BOOL, FN_DTYPE_COUNT } fn_dtype;
const char *fn_dtype_name(fn_dtype dtype); /* "F32" */
size_t fn_dtype_size(fn_dtype dtype);      /* bytes of one element */

typedef struct fn_tensor_view {
  const char *name;
  fn_dtype dtype;
  int32_t n_dims;
  int64_t shape[8];
  size_t n;          /* elements */
  const void *data;  /* in the mapping; not necessarily aligned to the element */
  size_t size_bytes;
} fn_tensor_view;

typedef struct fn_safetensors fn_safetensors;
FN_NODISCARD fn_status fn_safetensors_open(fn_safetensors **file_out, const char *path, fn_err *err);
/* Same over bytes that the caller keeps alive; name stands in errors. For fuzzing and embedded models. */
FN_NODISCARD fn_status fn_safetensors_parse(fn_safetensors **file_out, const void *data, size_t length,
                                            const char *name, fn_err *err);
void fn_safetensors_close(fn_safetensors *file);
size_t fn_safetensors_n(const fn_safetensors *file);
const fn_tensor_view *fn_safetensors_get(const fn_safetensors *file, size_t i);
const fn_tensor_view *fn_safetensors_find(const fn_safetensors *file, const char *name); /* NULL when absent */
const char *fn_safetensors_metadata(const fn_safetensors *file, const char *key);        /* NULL when absent */
/* Copies a tensor as float (F32, F16, BF16, F64 are converted): out[view->n]. */
FN_NODISCARD fn_status fn_tensor_view_to_f32(float *out, const fn_tensor_view *view, fn_err *err);

/* Writes tensors (views of the caller's memory) by rename. metadata: n pairs key, value. Order as the reference writer:
 * dtype descending in size of its list, then name; header padded with spaces to a multiple of 8. */
FN_NODISCARD fn_status fn_safetensors_write(const char *path, const fn_tensor_view *tensors, size_t n,
                                            const char *const (*metadata)[2], size_t n_metadata, fn_err *err);

#endif
