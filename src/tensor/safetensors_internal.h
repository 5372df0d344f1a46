/* Shared by safetensors.c and safetensors_header.c only. */
#ifndef FN_TENSOR_SAFETENSORS_INTERNAL_H
#define FN_TENSOR_SAFETENSORS_INTERNAL_H

#include "tensor/safetensors.h"

struct fn_safetensors {
  fn_map map; /* data NULL when the caller owns the bytes */
  fn_arena arena;
  const char *path;
  fn_str header;
  fn_tensor_view *views; /* in the order of the data */
  const fn_tensor_view **by_name;
  size_t n;
  const char *(*metadata)[2];
  size_t n_metadata;
};

/* Fills views, by_name and metadata (in file->arena) from the header's JSON; data[n_data] is what follows the header.
 * Checks every rule about dtypes, shapes and offsets. */
FN_NODISCARD fn_status fn_safetensors_read_header(fn_safetensors *file, fn_str header, const unsigned char *data,
                                                  size_t n_data, fn_err *err);
/* *n_out = product of the dimensions, *size_out = bytes they take; false when either does not fit or the bits do not
 * fill whole bytes. */
bool fn_tensor_view_measure(size_t *n_out, size_t *size_out, fn_dtype dtype, const int64_t *shape, int32_t n_dims);

#endif
