/* Refusals in the words of FastAPI, which clients of the second predecessor know: 422 {"detail": [{"type", "loc",
 * "msg", "input"}]}. Internal to src/serve. */
#ifndef FN_SERVE_VALIDATION_H
#define FN_SERVE_VALIDATION_H

#include "serve/exchange.h"

#include "base/json.h"

typedef enum fn_validation {
  FN_VALIDATION_MISSING,
  FN_VALIDATION_STRING,    /* is no string */
  FN_VALIDATION_EMPTY,     /* a string without a word */
  FN_VALIDATION_OBJECT,    /* is no object */
  FN_VALIDATION_INTEGER,   /* is no integer */
  FN_VALIDATION_NEGATIVE,  /* an integer below 0 */
  FN_VALIDATION_NO_JSON,   /* text is what is wrong, index where */
  FN_VALIDATION_NO_UPLOAD, /* a field where a file should be */
} fn_validation;

typedef struct fn_validation_error {
  fn_validation kind;
  const char *loc[2];  /* "body", "title"; the second may be NULL */
  int64_t index;       /* that follows in loc; -1: none */
  const json_t *input; /* that was given; NULL: null, or text */
  const char *text;    /* input as a string; of NO_JSON: what is wrong */
} fn_validation_error;

/* Replaces the response. Returns FN_EXCHANGE_DONE. */
fn_progress fn_validation_fail(fn_exchange *x, const fn_validation_error *error);

#endif
