/* Reading JSON into jansson's values, with the bounds and the error text of this project. Duplicate keys are refused.
 * Values are reference-counted by jansson; release with json_decref. */
#ifndef FN_BASE_JSON_H
#define FN_BASE_JSON_H

#include "base/str.h"

#include <jansson.h>

/* Where and why a text is no JSON. */
typedef struct fn_json_error {
  int line, column; /* from 1; columns in code points */
  size_t at;        /* byte, from 0 */
  const char *what; /* static text */
} fn_json_error;
/* Flags: an integer beyond 64 bits is read as a double, and not refused; \u0000 in a string is refused, and not read.
 */
enum { FN_JSON_LARGE_AS_REAL = 1, FN_JSON_REFUSE_NUL = 2 };

/* RFC 8259, any value at the top. Refused besides what is no JSON: bytes that are not UTF-8, a key twice or with a NUL,
 * more than 2048 levels, numbers beyond a double. FN_E_INVALID fills *error_out; FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_json_read(json_t **value_out, fn_str text, unsigned flags, fn_json_error *error_out);
/* The same, with the message; name (a path or "standard input") stands in errors: "name:line:column: what". */
FN_NODISCARD fn_status fn_json_parse(json_t **value_out, fn_str text, const char *name, fn_err *err);
FN_NODISCARD fn_status fn_json_load(json_t **value_out, const char *path, size_t max_bytes, fn_err *err);

/* Members of an object with their type and range checked. A missing member is an error unless `fallback` is not NULL,
 * whose value is then taken. name stands in errors: "name: key must be …, not …". */
FN_NODISCARD fn_status fn_json_get_int(int64_t *out, const json_t *object, const char *key, int64_t min, int64_t max,
                                       const int64_t *fallback, const char *name, fn_err *err);
FN_NODISCARD fn_status fn_json_get_double(double *out, const json_t *object, const char *key, double min, double max,
                                          const double *fallback, const char *name, fn_err *err);
FN_NODISCARD fn_status fn_json_get_bool(bool *out, const json_t *object, const char *key, const bool *fallback,
                                        const char *name, fn_err *err);
/* Borrowed text, valid while object lives. */
FN_NODISCARD fn_status fn_json_get_string(const char **out, const json_t *object, const char *key, const char *fallback,
                                          const char *name, fn_err *err);

/* For showing: NaN where it is not there or no number. */
double fn_json_number(const json_t *object, const char *key);

#define FN_AUTO_JSON FN_CLEANUP(fn_cleanup_json_)
static inline void fn_cleanup_json_(json_t **value) {
  json_decref(*value);
}

/* Writing: objects in order, built in an fn_buf. Indent 0 writes one line.
 *   fn_json_writer w; fn_json_begin(&w, &buf, 2); fn_json_object(&w, NULL); fn_json_str(&w, "label", s);
 * fn_json_end(&w); key is NULL inside arrays and at the top. */
typedef struct fn_json_writer {
  fn_buf *buf;
  int indent, depth;
  bool empty[32]; /* nothing written yet at this depth */
  char close[32];
} fn_json_writer;
void fn_json_begin(fn_json_writer *w, fn_buf *buf, int indent);
void fn_json_object(fn_json_writer *w, const char *key);
void fn_json_array(fn_json_writer *w, const char *key);
void fn_json_end(fn_json_writer *w); /* closes the innermost object or array */
void fn_json_str(fn_json_writer *w, const char *key, fn_str value);
void fn_json_text(fn_json_writer *w, const char *key, const char *value); /* NULL writes null */
void fn_json_int(fn_json_writer *w, const char *key, int64_t value);
void fn_json_double(fn_json_writer *w, const char *key, double value); /* not finite writes null */
void fn_json_bool(fn_json_writer *w, const char *key, bool value);
void fn_json_null(fn_json_writer *w, const char *key);
/* A value that was read, with all below it; members in the order they had. */
void fn_json_value(fn_json_writer *w, const char *key, const json_t *value);

#endif
