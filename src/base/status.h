/* Statuses and the caller-owned error.
 *
 * Every fallible function of the library has the form
 *     FN_NODISCARD fn_status fn_noun_verb(outputs…, object, inputs…, const options *, fn_err *err);
 * It returns FN_OK and fills its outputs, or returns another status, leaves its outputs untouched and, if err is
 * not NULL, says there what went wrong, where (file, line, key) and what would be accepted. */
#ifndef FN_BASE_STATUS_H
#define FN_BASE_STATUS_H

#include <stdarg.h>

#if defined(__GNUC__)
#define FN_NODISCARD          __attribute__((warn_unused_result))
#define FN_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define FN_NODISCARD
#define FN_PRINTF(fmt, first)
#endif

/* X(code, name, exit code of the program, HTTP status, meaning) — the one list of outcomes. */
#define FN_STATUS_LIST(X)                                                                                              \
  X(FN_OK, "ok", 0, 200, "done")                                                                                       \
  X(FN_E_INVALID, "invalid", 2, 422, "an argument, a setting or the content of a file is refused")                     \
  X(FN_E_NOT_FOUND, "not_found", 2, 404, "a file, column, model or setting that was named does not exist")             \
  X(FN_E_UNSUPPORTED, "unsupported", 2, 501, "well-formed, but of a kind that this program does not handle")           \
  X(FN_E_LIMIT, "limit", 2, 413, "larger than a stated bound")                                                         \
  X(FN_E_IO, "io", 1, 500, "reading or writing failed")                                                                \
  X(FN_E_NO_MEMORY, "no_memory", 1, 503, "an allocation failed")                                                       \
  X(FN_E_DIVERGED, "diverged", 1, 500, "training produced a loss that is not a finite number")                         \
  X(FN_E_CANCELLED, "cancelled", 1, 499, "the caller asked to stop")                                                   \
  X(FN_E_INTERNAL, "internal", 1, 500, "a library below failed in an unexpected way")                                  \
  X(FN_E_PARTIAL, "partial", 3, 207, "done in part: some rows were refused, each one reported")                        \
  X(FN_E_REFUSED, "refused", 4, 409, "a quality gate said no")

typedef enum fn_status {
#define FN_STATUS_ENUM(code, name, exit_code, http, meaning) code,
  FN_STATUS_LIST(FN_STATUS_ENUM)
#undef FN_STATUS_ENUM
} fn_status;

/* Caller's storage; zero-initialise ({0}) before first use. message is always terminated, cut at the end if longer. */
typedef struct fn_err {
  fn_status status;
  char message[1024];
} fn_err;

/* Short name ("invalid"), exit code and HTTP status of a status. Never NULL; an unknown value counts as internal. */
const char *fn_status_name(fn_status status);
int fn_status_exit_code(fn_status status);
int fn_status_http(fn_status status);

/* Stores status and message; err may be NULL. Returns status, so that `return fn_err_set(err, …)` reads well. */
fn_status fn_err_set(fn_err *err, fn_status status, const char *format, ...) FN_PRINTF(3, 4);
/* Puts "prefix: " before the message that is there (the place a lower layer could not know). Returns err's status. */
fn_status fn_err_prefix(fn_err *err, fn_status status, const char *format, ...) FN_PRINTF(3, 4);
/* FN_E_IO with strerror(errno_value) after the message; FN_E_NOT_FOUND for a path that leads nowhere (ENOENT, ENOTDIR),
 * FN_E_INVALID for one that leads to a folder, in a circle or is too long, FN_E_NO_MEMORY for ENOMEM. */
fn_status fn_err_errno(fn_err *err, int errno_value, const char *format, ...) FN_PRINTF(3, 4);
/* FN_E_NO_MEMORY, naming what was to be held. */
fn_status fn_err_no_memory(fn_err *err, const char *what);

/* Returns the status of a failed call at once. */
#define FN_TRY(call)                                                                                                   \
  do {                                                                                                                 \
    fn_status fn_try_status_ = (call);                                                                                 \
    if (fn_try_status_ != FN_OK) return fn_try_status_;                                                                \
  } while (0)

#endif
