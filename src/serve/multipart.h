/* multipart/form-data (RFC 7578, RFC 2046) in pieces of any size: a push parser with bounds. Strict about what matters:
 * lines end with CR LF, each part has a Content-Disposition of form-data with a name, the closing boundary must come.
 * Internal to src/serve. */
#ifndef FN_SERVE_MULTIPART_H
#define FN_SERVE_MULTIPART_H

#include "base/base.h"

enum { FN_MULTIPART_MAX_BOUNDARY = 70, FN_MULTIPART_MAX_HEAD = 8192, FN_MULTIPART_MAX_PARTS = 64 };

/* Views are valid during the call. */
typedef struct fn_multipart_part {
  fn_str name;
  fn_str file_name; /* data NULL: a field, no file. As the client sent it: never a path to use */
  fn_str content_type;
} fn_multipart_part;

/* A status other than FN_OK ends the parsing with it. */
typedef struct fn_multipart_events {
  fn_status (*part)(void *arg, const fn_multipart_part *part, fn_err *err);
  fn_status (*data)(void *arg, const char *data, size_t length, fn_err *err); /* of the part; length ≥ 1 */
  fn_status (*end)(void *arg, fn_err *err);                                   /* of the part */
  void *arg;
} fn_multipart_events;

typedef struct fn_multipart fn_multipart; /* used by one thread */

/* content_type: the header's value, with its boundary. FN_E_INVALID: it is no multipart/form-data, or has none. */
FN_NODISCARD fn_status fn_multipart_create(fn_multipart **parser_out, fn_str content_type,
                                           const fn_multipart_events *events, fn_err *err);
void fn_multipart_destroy(fn_multipart *parser); /* NULL is fine */
/* FN_E_INVALID: it is not well formed; FN_E_LIMIT: a part's head or the number of parts is over the bounds. */
FN_NODISCARD fn_status fn_multipart_feed(fn_multipart *parser, const char *data, size_t length, fn_err *err);
/* The body has ended. FN_E_INVALID when its closing boundary has not come. */
FN_NODISCARD fn_status fn_multipart_finish(const fn_multipart *parser, fn_err *err);

/* Parameter of a header's value ("boundary" of `multipart/form-data; boundary="x"`), quotes and backslashes taken off,
 * into out[capacity], terminated; false when there is none, it does not fit or is malformed. */
bool fn_header_parameter(char *out, size_t capacity, fn_str value, const char *name);

#endif
