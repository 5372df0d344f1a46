/* POST /v1/classify/csv, and /predict/ of the second predecessor with a file. */
#include "serve/route_handlers.h"
#include "serve/serve.h"
#include "serve/upload.h"
#include "serve/validation.h"

/* More in one block gain nothing, and others' requests wait behind it. */
enum { BLOCK = 32, MAX_BLOCK = 64 };

static bool is_on(const fn_exchange *x, const char *name) {
  const fn_str value = fn_request_parameter(&x->request, name);
  return value.data != NULL && !fn_str_is(value, "0") && !fn_str_is(value, "false");
}

/* Query parameter batch_size, a hint as it was with the predecessor: 0 or none is the default. */
static fn_progress read_block(size_t *rows_out, fn_exchange *x) {
  const fn_str given = fn_request_parameter(&x->request, "batch_size");
  fn_validation_error error = {.loc = {"query", "batch_size"}, .index = -1};
  int64_t n = 0;
  *rows_out = BLOCK;
  if (given.data == NULL) return FN_EXCHANGE_PENDING;
  const bool is_number = fn_str_to_int64(&n, fn_str_trim(given));
  if (is_number && n >= 0) {
    if (n > 0) *rows_out = n > MAX_BLOCK ? MAX_BLOCK : (size_t)n;
    return FN_EXCHANGE_PENDING;
  }
  if (x->route->errors != FN_ERRORS_DETAIL)
    return fn_exchange_fail(x, 422, "invalid", "batch_size must be a whole number from 0 up");
  error.kind = is_number ? FN_VALIDATION_NEGATIVE : FN_VALIDATION_INTEGER;
  error.text = fn_arena_strndup(&x->arena, given.data, given.length);
  return fn_validation_fail(x, &error);
}

fn_progress fn_handle_csv(fn_exchange *x) {
  fn_upload_options options = {.bom = is_on(x, "bom"), .raw = is_on(x, "raw")};
  static const char *const lines[] = {"application/jsonl", "application/x-ndjson", "application/jsonlines"};
  const fn_str type = fn_request_media_type(&x->request);
  for (size_t i = 0; i < FN_COUNT_OF(lines); i++) {
    if (fn_request_accepts(&x->request, lines[i])) options.form = FN_UPLOAD_LINES;
  }
  if (!fn_str_equal_nocase(type, fn_str_from("multipart/form-data")) &&
      !fn_str_equal_nocase(type, fn_str_from("text/csv")))
    return fn_exchange_fail(x, 415, "media_type", "the body must be text/csv, or multipart/form-data with a file");
  if (read_block(&options.block_rows, x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  return fn_upload_begin(x, &options);
}

fn_progress fn_handle_predict_csv(fn_exchange *x) {
  fn_upload_options options = {.form = FN_UPLOAD_TITLES};
  if (read_block(&options.block_rows, x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  return fn_upload_begin(x, &options);
}
