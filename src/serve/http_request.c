#include "serve/http_request.h"

#include <stdio.h>
#include <sys/random.h>

enum { MAX_TARGET = 8192, MAX_FIELDS = 100 };

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

fn_str fn_http_decode(fn_arena *arena, fn_str s, bool plus, bool *malformed_out) {
  char *out = fn_arena_alloc(arena, s.length + 1, 1);
  size_t n = 0;
  if (out == NULL) return fn_str_from("");
  for (size_t i = 0; i < s.length; i++) {
    char c = s.data[i];
    if (c == '%') {
      const int high = i + 2 < s.length ? digit(s.data[i + 1]) : -1;
      const int low = i + 2 < s.length ? digit(s.data[i + 2]) : -1;
      if (high >= 0 && low >= 0) {
        c = (char)(high * 16 + low);
        i += 2;
        if (c == '\0' && malformed_out != NULL) *malformed_out = true;
      } else if (malformed_out != NULL) {
        *malformed_out = true;
      }
    } else if (c == '+' && plus) {
      c = ' ';
    }
    out[n++] = c;
  }
  return fn_str_make(out, n);
}

fn_field *fn_form_parse(size_t *n_out, fn_arena *arena, fn_str text) {
  size_t n = 0;
  fn_field *fields = fn_arena_alloc(arena, MAX_FIELDS, sizeof *fields);
  if (fields == NULL) return NULL;
  while (text.length > 0) {
    const char *end = memchr(text.data, '&', text.length);
    const size_t length = end != NULL ? (size_t)(end - text.data) : text.length;
    const char *equals = memchr(text.data, '=', length);
    const size_t name = equals != NULL ? (size_t)(equals - text.data) : length;
    if (length > 0) {
      if (n == MAX_FIELDS) return NULL;
      fields[n].name = fn_http_decode(arena, fn_str_make(text.data, name), true, NULL);
      fields[n++].value = name < length
                              ? fn_http_decode(arena, fn_str_make(text.data + name + 1, length - name - 1), true, NULL)
                              : fn_str_from("");
    }
    const size_t used = end != NULL ? length + 1 : length;
    text = fn_str_make(text.data + used, text.length - used);
  }
  *n_out = n;
  return fields;
}

static bool is_target(fn_str s) {
  for (size_t i = 0; i < s.length; i++) {
    const unsigned char c = (unsigned char)s.data[i];
    if (c <= ' ' || c == 127 || c == '#') return false;
  }
  return s.length > 0;
}

void fn_http_read_target(fn_exchange *x, const char *target) {
  const size_t length = strnlen(target, MAX_TARGET + 1);
  fn_request *r = &x->request;
  bool malformed = !is_target(fn_str_make(target, length));
  r->path = fn_str_from("/");
  if (length > MAX_TARGET) {
    (void)fn_exchange_fail(x, 414, "target_too_long", "the path and query have more than %d bytes", (int)MAX_TARGET);
    return;
  }
  /* Absolute form, as proxies send it: scheme and host are left out. */
  if (strncmp(target, "http://", 7) == 0 || strncmp(target, "https://", 8) == 0) {
    target = strchr(target + 8, '/');
    if (target == NULL) target = "/";
  }
  const char *copy = fn_arena_strndup(&x->arena, target, strlen(target));
  if (copy == NULL) return;
  const char *query = strchr(copy, '?');
  const size_t n_path = query != NULL ? (size_t)(query - copy) : strlen(copy);
  if (strcmp(copy, "*") == 0) {
    r->path = fn_str_from(copy);
    return;
  }
  r->path = fn_http_decode(&x->arena, fn_str_make(copy, n_path), false, &malformed);
  if (query != NULL) {
    r->parameters = fn_form_parse(&r->n_parameters, &x->arena, fn_str_from(query + 1));
    malformed |= r->parameters == NULL;
  }
  if (malformed || r->path.length == 0 || r->path.data[0] != '/' || !fn_utf8_valid(r->path, NULL)) {
    r->path = fn_str_from("/");
    (void)fn_exchange_fail(
        x, 400, "bad_target",
        "the request's path is not valid: it begins with /, %%XX stands for a byte of UTF-8 other than 0");
  }
}

void fn_http_read_method(fn_request *r, const char *method) {
  static const struct {
    const char *name;
    fn_method method;
  } methods[] = {{"GET", FN_METHOD_GET},       {"HEAD", FN_METHOD_GET}, {"POST", FN_METHOD_POST},
                 {"DELETE", FN_METHOD_DELETE}, {"PUT", FN_METHOD_PUT},  {"OPTIONS", FN_METHOD_OPTIONS}};
  r->method = FN_METHOD_OTHER;
  r->is_head = strcmp(method, "HEAD") == 0;
  for (size_t i = 0; i < FN_COUNT_OF(methods); i++) {
    if (strcmp(method, methods[i].name) == 0) r->method = methods[i].method;
  }
}

static bool is_id_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

void fn_http_choose_id(fn_exchange *x) {
  const fn_str given = fn_request_header(&x->request, "X-Request-Id");
  bool fits = given.length >= 1 && given.length < FN_REQUEST_ID_BYTES;
  for (size_t i = 0; fits && i < given.length; i++) fits = is_id_byte(given.data[i]);
  if (fits) {
    memcpy(x->request.id, given.data, given.length);
    x->request.id[given.length] = '\0';
    return;
  }
  unsigned char random[16] = {0};
  (void)!getrandom(random, sizeof random, 0);
  for (size_t i = 0; i < sizeof random; i++) snprintf(x->request.id + 2 * i, 3, "%02x", random[i]);
}

/* RFC 9110, 5.6.2: token. */
static bool is_token(fn_str s) {
  for (size_t i = 0; i < s.length; i++) {
    const unsigned char c = (unsigned char)s.data[i];
    if (c <= ' ' || c >= 127 || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL) return false;
  }
  return s.length > 0;
}

/* Bytes up to the next 0, which is left out of it; data NULL: there is none. */
static fn_str take_piece(fn_str *rest) {
  const char *end = rest->length > 0 ? memchr(rest->data, '\0', rest->length) : NULL;
  if (end == NULL) return (fn_str){NULL, 0};
  const fn_str piece = fn_str_make(rest->data, (size_t)(end - rest->data));
  *rest = fn_str_make(end + 1, rest->length - piece.length - 1);
  return piece;
}
/* The second 0, where LF stood. */
static bool take_end(fn_str *rest) {
  if (rest->length == 0 || rest->data[0] != '\0') return false;
  *rest = fn_str_make(rest->data + 1, rest->length - 1);
  return true;
}

bool fn_http_head_is_exact(fn_str head, size_t n_target) {
  if (!is_token(take_piece(&head)) || n_target >= head.length || head.data[n_target] != '\0') return false;
  head = fn_str_make(head.data + n_target + 1, head.length - n_target - 1);
  if (take_piece(&head).length != sizeof "HTTP/1.1" - 1 || !take_end(&head)) return false;
  while (head.length > 2) {
    if (!is_token(take_piece(&head)) || take_piece(&head).data == NULL || !take_end(&head)) return false;
  }
  const bool has_last = take_end(&head);
  return has_last && take_end(&head);
}

static bool parse_length(uint64_t *out, fn_str s) {
  uint64_t n = 0;
  if (s.length == 0 || s.length > 18) return false;
  for (size_t i = 0; i < s.length; i++) {
    if (s.data[i] < '0' || s.data[i] > '9') return false;
    n = n * 10 + (uint64_t)(s.data[i] - '0');
  }
  *out = n;
  return true;
}

/* RFC 3986, 3.2: a name or address and a port. */
static bool is_host(fn_str s) {
  for (size_t i = 0; i < s.length; i++) {
    const unsigned char c = (unsigned char)s.data[i];
    if (c <= ' ' || c >= 127 || strchr("\"#/<>?@\\^`{|},", c) != NULL) return false;
  }
  return true;
}

typedef struct framing {
  size_t n_lengths, n_encodings, n_hosts;
  fn_str length, encoding, host;
  bool expects_other;
} framing;

static fn_progress look(framing *f, fn_exchange *x) {
  const fn_request *r = &x->request;
  for (size_t i = 0; i < r->n_headers; i++) {
    const fn_str name = r->headers[i].name, value = r->headers[i].value;
    if (!is_token(name)) return fn_exchange_fail(x, 400, "bad_header", "a header's name is no token");
    for (size_t k = 0; k < value.length; k++) {
      const unsigned char c = (unsigned char)value.data[k];
      if ((c < ' ' && c != '\t') || c == 127)
        return fn_exchange_fail(x, 400, "bad_header", "header %.*s has a control character", (int)name.length,
                                name.data);
    }
    if (fn_str_equal_nocase(name, fn_str_from("Content-Length"))) {
      f->n_lengths++;
      f->length = value;
    } else if (fn_str_equal_nocase(name, fn_str_from("Transfer-Encoding"))) {
      f->n_encodings++;
      f->encoding = value;
    } else if (fn_str_equal_nocase(name, fn_str_from("Host"))) {
      f->n_hosts++;
      f->host = value;
    } else if (fn_str_equal_nocase(name, fn_str_from("Expect"))) {
      f->expects_other |= !fn_str_equal_nocase(value, fn_str_from("100-continue"));
    }
  }
  return FN_EXCHANGE_PENDING;
}

fn_progress fn_http_check_fields(fn_exchange *x) {
  framing f = {0};
  return look(&f, x);
}

fn_progress fn_http_check(uint64_t *length_out, fn_exchange *x, const char *version) {
  framing f = {0};
  const bool one_one = strcmp(version, "HTTP/1.1") == 0;
  if (!one_one && strcmp(version, "HTTP/1.0") != 0)
    return fn_exchange_fail(x, 505, "bad_version", "HTTP/1.1 and HTTP/1.0 are spoken here");
  if (look(&f, x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  if (f.n_hosts > 1 || (one_one && f.n_hosts == 0) || !is_host(f.host))
    return fn_exchange_fail(x, 400, "bad_host", "exactly one Host header is needed, a name or address and a port");
  if (f.n_lengths > 1 || (f.n_lengths > 0 && f.n_encodings > 0) || f.n_encodings > 1) {
    return fn_exchange_fail(x, 400, "ambiguous_length",
                            "the body's length must be told once: one Content-Length, or Transfer-Encoding: chunked");
  }
  if (f.n_encodings > 0 && (!one_one || !fn_str_equal_nocase(f.encoding, fn_str_from("chunked"))))
    return fn_exchange_fail(x, 501, "bad_encoding", "of transfer encodings only chunked is known, with HTTP/1.1");
  *length_out = 0;
  if (f.n_lengths > 0 && !parse_length(length_out, f.length))
    return fn_exchange_fail(x, 400, "bad_length", "Content-Length is not a number of bytes");
  if (f.expects_other) return fn_exchange_fail(x, 417, "bad_expectation", "of expectations only 100-continue is known");
  if (fn_str_is(x->request.path, "*") && x->request.method != FN_METHOD_OPTIONS)
    return fn_exchange_fail(x, 400, "bad_target", "the target * belongs to OPTIONS alone");
  return FN_EXCHANGE_PENDING;
}
