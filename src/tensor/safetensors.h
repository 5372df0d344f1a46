/* safetensors files: u64 little-endian header length N, N bytes of JSON, then the data without holes.
 * Reading maps the file; every offset, shape and size is checked before use
 * (https://github.com/huggingface/safetensors, "Format"). Stricter than the reference in one point: duplicate names are
 * refused. */
#ifndef FN_TENSOR_SAFETENSORS_H
#define FN_TENSOR_SAFETENSORS_H

#include "base/base.h"

/* X(code, name, bits of one element), in the order of the reference: its writer sorts tensors by it, widest last here
 * and first in the file. Every type is understood in a header; fn_tensor_view_to_f32 says which can be converted. */
#define FN_DTYPE_LIST(X)                                                                                               \
  X(FN_BOOL, "BOOL", 8)                                                                                                \
  X(FN_F4, "F4", 4)                                                                                                    \
  X(FN_F6_E2M3, "F6_E2M3", 6)                                                                                          \
  X(FN_F6_E3M2, "F6_E3M2", 6)                                                                                          \
  X(FN_U8, "U8", 8)                                                                                                    \
  X(FN_I8, "I8", 8)                                                                                                    \
  X(FN_F8_E5M2, "F8_E5M2", 8)                                                                                          \
  X(FN_F8_E4M3, "F8_E4M3", 8)                                                                                          \
  X(FN_F8_E8M0, "F8_E8M0", 8)                                                                                          \
  X(FN_F8_E4M3FNUZ, "F8_E4M3FNUZ", 8)                                                                                  \
  X(FN_F8_E5M2FNUZ, "F8_E5M2FNUZ", 8)                                                                                  \
  X(FN_I16, "I16", 16)                                                                                                 \
  X(FN_U16, "U16", 16)                                                                                                 \
  X(FN_F16, "F16", 16)                                                                                                 \
  X(FN_BF16, "BF16", 16)                                                                                               \
  X(FN_I32, "I32", 32)                                                                                                 \
  X(FN_U32, "U32", 32)                                                                                                 \
  X(FN_F32, "F32", 32)                                                                                                 \
  X(FN_C64, "C64", 64)                                                                                                 \
  X(FN_F64, "F64", 64)                                                                                                 \
  X(FN_I64, "I64", 64)                                                                                                 \
  X(FN_U64, "U64", 64)
typedef enum fn_dtype {
#define FN_DTYPE_ENUM(code, name, bits) code,
  FN_DTYPE_LIST(FN_DTYPE_ENUM)
#undef FN_DTYPE_ENUM
      FN_DTYPE_COUNT
} fn_dtype;
const char *fn_dtype_name(fn_dtype dtype); /* "F32" */
size_t fn_dtype_bits(fn_dtype dtype);      /* bits of one element */
size_t fn_dtype_size(fn_dtype dtype);      /* bytes of one element; 0 for those below a byte (F4, F6) */

#define FN_TENSOR_MAX_DIMS              8
#define FN_SAFETENSORS_MAX_HEADER_BYTES ((size_t)100000000) /* as the reference */
#define FN_SAFETENSORS_MAX_TENSORS      ((size_t)262144)    /* bounds what a hostile header can make us allocate */

typedef struct fn_tensor_view {
  const char *name;
  fn_dtype dtype;
  int32_t n_dims; /* 0: a scalar */
  int64_t shape[FN_TENSOR_MAX_DIMS];
  size_t n;         /* elements */
  const void *data; /* in the mapping; not necessarily aligned to the element */
  size_t size_bytes;
} fn_tensor_view;

/* Immutable once open; may be shared by threads. Views, names and metadata live until close. */
typedef struct fn_safetensors fn_safetensors;
/* FN_E_INVALID when the file breaks a rule of the format, FN_E_UNSUPPORTED for more than 8 dimensions or a dtype that
 * the format does not know, FN_E_LIMIT beyond the bounds above. Every message names file and tensor. The file must not
 * be cut short while it is open (it is mapped). */
FN_NODISCARD fn_status fn_safetensors_open(fn_safetensors **file_out, const char *path, fn_err *err);
/* Same over bytes that the caller keeps alive; name stands in errors. For fuzzing and embedded models. */
FN_NODISCARD fn_status fn_safetensors_parse(fn_safetensors **file_out, const void *data, size_t length,
                                            const char *name, fn_err *err);
void fn_safetensors_close(fn_safetensors *file); /* NULL is fine */
size_t fn_safetensors_n(const fn_safetensors *file);
/* i < n; in the order of the data. */
const fn_tensor_view *fn_safetensors_get(const fn_safetensors *file, size_t i);
const fn_tensor_view *fn_safetensors_find(const fn_safetensors *file, const char *name); /* NULL when absent */
const char *fn_safetensors_metadata(const fn_safetensors *file, const char *key);        /* NULL when absent */
/* The header's JSON as it stands in the file, with the spaces that fill it up. */
fn_str fn_safetensors_header(const fn_safetensors *file);
/* Path or name given at opening, for messages. */
const char *fn_safetensors_path(const fn_safetensors *file);
/* Copies a tensor as float: out[view->n]. F32, F16 and BF16 are exact, F64 is rounded to nearest; any other dtype is
 * FN_E_UNSUPPORTED. */
FN_NODISCARD fn_status fn_tensor_view_to_f32(float *out, const fn_tensor_view *view, fn_err *err);

/* Writes tensors (views of the caller's memory; n and size_bytes are computed from dtype and shape, names must differ)
 * by rename. metadata: n pairs key, value. Order as the reference writer: dtype descending, then name by bytes; header
 * padded with spaces to a multiple of 8, so equal tensors give equal bytes. */
FN_NODISCARD fn_status fn_safetensors_write(const char *path, const fn_tensor_view *tensors, size_t n,
                                            const char *const (*metadata)[2], size_t n_metadata, fn_err *err);
/* Same into an open writer, which the caller commits: for several files that must appear together. */
FN_NODISCARD fn_status fn_safetensors_append(fn_writer *writer, const fn_tensor_view *tensors, size_t n,
                                             const char *const (*metadata)[2], size_t n_metadata, fn_err *err);

/* Same in the given order, every tensor at a multiple of 64 bytes from the beginning of the file, for files that are
 * mapped and used as they are. The format allows no holes, so what lies between is tensors of their own, called
 * "__pad.<n>" (U8, zeros). header_out (may be NULL): the header's JSON is appended to it. */
#define FN_SAFETENSORS_ALIGNMENT ((size_t)64)
#define FN_SAFETENSORS_PAD       "__pad."
FN_NODISCARD fn_status fn_safetensors_append_aligned(fn_writer *writer, const fn_tensor_view *tensors, size_t n,
                                                     const char *const (*metadata)[2], size_t n_metadata,
                                                     fn_buf *header_out, fn_err *err);

#define FN_AUTO_SAFETENSORS FN_CLEANUP(fn_cleanup_safetensors_)
static inline void fn_cleanup_safetensors_(fn_safetensors **file) {
  fn_safetensors_close(*file);
}

#endif
