/* Private to src/lib: what the public handles are, and the ways between public and inner types. */
#ifndef FN_LIB_INTERNAL_H
#define FN_LIB_INTERNAL_H

#include "infer/infer.h"

#include <fakenews/fakenews.h>

struct fakenews_classifier {
  fn_classifier *inner;
};

struct fakenews_session {
  const fn_classifier *classifier;
  fn_device *device;
  fn_session *inner;
};

fakenews_status fn_lib_status(fn_status status);
/* Fills *error (NULL is fine); returns status. */
fakenews_status fn_lib_fail(fakenews_error *error, fakenews_status status, const char *message);
/* What a public function returns after an inner one: *error is filled unless status is FN_OK. */
fakenews_status fn_lib_finish(fakenews_error *error, fn_status status, const fn_err *err);

/* Sized structs: `known` bytes of *from, which are the struct as this library has it, go to a caller whose struct has
 * `size`: cut, or followed by zeros. */
void fn_lib_copy_out(void *to, size_t size, const void *from, size_t known);
/* FN_E_INVALID unless size is [first, FN_LIB_MAX_STRUCT]: first is what the first version had. */
enum { FN_LIB_MAX_STRUCT = 4096 };
FN_NODISCARD fn_status fn_lib_check_size(size_t size, size_t first, const char *what, fn_err *err);

/* A sized struct that comes in, an older caller's filled up with zeros, which are defaults; of a newer caller's, what
 * is not known here must be zero (FN_E_UNSUPPORTED). `in` begins with uint32_t struct_size. */
FN_NODISCARD fn_status fn_lib_read_struct(void *out, size_t known, const void *in, size_t first, const char *what,
                                          fn_err *err);
/* FN_E_INVALID names options.<name>. */
FN_NODISCARD fn_status fn_lib_check_range(const char *name, int64_t value, int64_t least, int64_t most, fn_err *err);
fn_status fn_lib_refuse_null(const char *what, fn_err *err);

/* A session whose workers are in the parent process. NULL is none. */
bool fn_lib_is_forked(const fakenews_session *session);
fakenews_status fn_lib_fail_forked(fakenews_error *error);

FN_NODISCARD fn_status fn_lib_read_articles(fn_article *out, const fakenews_article *articles, size_t n, fn_err *err);
fakenews_prediction fn_lib_prediction(const fn_prediction *prediction, const fn_classifier_info *info);
enum { FN_LIB_FIRST_PREDICTION = offsetof(fakenews_prediction, reserved) + sizeof(int32_t) };

/* NULL: defaults. Checks every member against the model. infer_out->unsure is text of *unsure_out (initialised by the
 * caller). */
FN_NODISCARD fn_status fn_lib_read_options(fn_infer_options *infer_out, fn_device_options *device_out,
                                           fn_buf *unsure_out, const fakenews_session_options *options,
                                           const fn_classifier_info *info, fn_err *err);

/* Path of the bundled model for the file that holds this code; malloc'd. */
FN_NODISCARD fn_status fn_lib_default_model(char **path_out, fn_err *err);

#endif
