/* Heads of requests as we read them: the first line is the method and the target, then come header lines; what follows
 * an empty line is a form. Also the whole as libmicrohttpd would leave a head. */
#include "fuzz.h"
#include "serve/http_request.h"
#include "serve/multipart.h"
#include "serve/route.h"

#include <string.h>

enum { MAX_HEADERS = 64 };

static fn_str take_line(fn_str *rest) {
  const char *end = rest->length > 0 ? memchr(rest->data, '\n', rest->length) : NULL;
  const size_t n = end != NULL ? (size_t)(end - rest->data) : rest->length, used = n + (end != NULL);
  const fn_str line = fn_str_make(rest->data, n);
  *rest = fn_str_make(rest->data + used, rest->length - used);
  return line;
}

static void read_headers(fn_exchange *x, fn_str *rest, fn_field *fields) {
  size_t n = 0;
  while (rest->length > 0 && n < MAX_HEADERS) {
    const fn_str line = take_line(rest);
    if (line.length == 0) break;
    const char *colon = memchr(line.data, ':', line.length);
    const size_t name = colon != NULL ? (size_t)(colon - line.data) : line.length;
    fields[n].name = fn_str_make(line.data, name);
    fields[n++].value = colon != NULL ? fn_str_trim(fn_str_make(colon + 1, line.length - name - 1)) : fn_str_from("");
  }
  x->request.headers = fields;
  x->request.n_headers = n;
}

static void check_request(fn_exchange *x) {
  const fn_request *r = &x->request;
  FUZZ_CHECK(fn_str_is(r->path, "*") || (r->path.length > 0 && r->path.data[0] == '/'));
  FUZZ_CHECK(fn_utf8_valid(r->path, NULL) && memchr(r->path.data, '\0', r->path.length) == NULL);
  FUZZ_CHECK(r->n_parameters <= 100);
  fn_http_choose_id(x);
  const size_t n = strlen(r->id);
  FUZZ_CHECK(n >= 1 && n < FN_REQUEST_ID_BYTES);
  for (size_t i = 0; i < n; i++) FUZZ_CHECK(r->id[i] > ' ' && r->id[i] < 127 && r->id[i] != '"');
  unsigned allowed = 0;
  const fn_route *route = fn_route_find(&allowed, &x->request);
  if (route != NULL) FUZZ_CHECK(route->methods & (unsigned)r->method);
  FUZZ_CHECK(strlen(r->parameter) < sizeof r->parameter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 1 << 14) return 0;
  fn_exchange x;
  fn_field fields[MAX_HEADERS];
  char method[32], target[10000], value[64];
  fn_str rest = fn_str_make((const char *)data, size);
  (void)fn_http_head_is_exact(rest, size % 7);
  const fn_str line = take_line(&rest);
  const char *space = line.length > 0 ? memchr(line.data, ' ', line.length) : NULL;
  const size_t n_method = space != NULL ? (size_t)(space - line.data) : 0;
  snprintf(method, sizeof method, "%.*s", (int)n_method, line.length > 0 ? line.data : "");
  snprintf(target, sizeof target, "%.*s", space != NULL ? (int)(line.length - n_method - 1) : 0,
           space != NULL ? space + 1 : "");
  static const fn_route plain = {.errors = FN_ERRORS_PROBLEM}; /* pages need a server */
  fn_exchange_init(&x, NULL);
  x.route = &plain;
  fn_http_read_method(&x.request, method);
  fn_http_read_target(&x, target);
  read_headers(&x, &rest, fields);
  uint64_t length = 0;
  check_request(&x);
  if (fn_http_check(&length, &x, "HTTP/1.1") == FN_EXCHANGE_DONE)
    FUZZ_CHECK(x.response.status >= 400 && x.response.status <= 505);
  (void)fn_request_accepts(&x.request, "text/html");
  (void)fn_header_parameter(value, sizeof value, fn_request_header(&x.request, "Content-Type"), "boundary");
  size_t n = 0;
  const fn_field *form = fn_form_parse(&n, &x.arena, rest);
  FUZZ_CHECK(form == NULL || n <= 100);
  fn_exchange_deinit(&x);
  return 0;
}
