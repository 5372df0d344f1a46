/* A response as what a Lambda function answers; see lambda_event.h. */
#include "base/base64.h"
#include "base/json.h"
#include "serve/lambda_event.h"

#include <stdio.h>
#include <unistd.h>

enum { MAX_FIELDS = 64 };

/* ---- headers */

typedef struct headers {
  fn_field at[MAX_FIELDS];
  size_t n;
} headers;

static void add(headers *h, fn_str name, fn_str value) {
  if (h->n < MAX_FIELDS && !fn_str_equal_nocase(name, fn_str_from("Connection")))
    h->at[h->n++] = (fn_field){name, fn_str_trim(value)};
}

/* "Name: value\r\n"… and those that every answer has. */
static void collect(headers *h, const fn_exchange *x) {
  const fn_response *r = &x->response;
  h->n = 0;
  if (r->content_type != NULL) add(h, fn_str_from("Content-Type"), fn_str_from(r->content_type));
  add(h, fn_str_from("X-Request-Id"), fn_str_from(x->request.id));
  fn_str rest = fn_buf_str(&r->headers);
  while (rest.length > 0) {
    const char *end = memchr(rest.data, '\r', rest.length);
    const size_t length = end != NULL ? (size_t)(end - rest.data) : rest.length;
    const char *colon = memchr(rest.data, ':', length);
    if (colon != NULL) {
      const size_t n = (size_t)(colon - rest.data);
      add(h, fn_str_make(rest.data, n), fn_str_make(colon + 1, length - n - 1));
    }
    const size_t used = length + 2 < rest.length ? length + 2 : rest.length;
    rest = fn_str_make(rest.data + used, rest.length - used);
  }
}

static bool is_cookie(const fn_field *f) {
  return fn_str_equal_nocase(f->name, fn_str_from("Set-Cookie"));
}

/* Whether an earlier one has this name. */
static bool is_repeated(const headers *h, size_t i) {
  for (size_t k = 0; k < i; k++) {
    if (fn_str_equal_nocase(h->at[k].name, h->at[i].name)) return true;
  }
  return false;
}

static void write_name(fn_json_writer *w, fn_str name, void (*begin)(fn_json_writer *, const char *), fn_str value) {
  char key[128];
  snprintf(key, sizeof key, "%.*s", (int)(name.length < sizeof key ? name.length : 0), name.data);
  if (begin != NULL)
    begin(w, key);
  else
    fn_json_str(w, key, value);
}

static void write_lists(fn_json_writer *w, const headers *h) {
  fn_json_object(w, "multiValueHeaders");
  for (size_t i = 0; i < h->n; i++) {
    if (is_repeated(h, i)) continue;
    write_name(w, h->at[i].name, fn_json_array, fn_str_from(""));
    for (size_t k = i; k < h->n; k++) {
      if (fn_str_equal_nocase(h->at[k].name, h->at[i].name)) fn_json_str(w, NULL, h->at[k].value);
    }
    fn_json_end(w);
  }
  fn_json_end(w);
}

/* Values of one name joined by commas; of cookies, which cannot be joined, the last where nothing else takes them. */
static void write_singles(fn_json_writer *w, const headers *h, bool cookies_apart) {
  fn_json_object(w, "headers");
  for (size_t i = 0; i < h->n; i++) {
    if (is_repeated(h, i) || (is_cookie(&h->at[i]) && cookies_apart)) continue;
    FN_AUTO_BUF fn_buf value;
    fn_buf_init(&value, 1 << 16);
    for (size_t k = i; k < h->n; k++) {
      if (!fn_str_equal_nocase(h->at[k].name, h->at[i].name)) continue;
      if (is_cookie(&h->at[i])) fn_buf_reset(&value);
      if (value.length > 0) fn_buf_append_str(&value, ", ");
      fn_buf_append(&value, h->at[k].value.data, h->at[k].value.length);
    }
    write_name(w, h->at[i].name, NULL, fn_buf_str(&value));
  }
  fn_json_end(w);
  if (!cookies_apart) return;
  fn_json_array(w, "cookies");
  for (size_t i = 0; i < h->n; i++) {
    if (is_cookie(&h->at[i])) fn_json_str(w, NULL, h->at[i].value);
  }
  fn_json_end(w);
}

/* ---- body */

static bool is_textual(const char *type) {
  static const char *const types[] = {"text/",
                                      "application/json",
                                      "application/problem+json",
                                      "application/openmetrics-text",
                                      "application/javascript",
                                      "application/xml",
                                      "application/x-www-form-urlencoded"};
  for (size_t i = 0; type != NULL && i < FN_COUNT_OF(types); i++) {
    if (fn_str_starts_with(fn_str_from(type), types[i])) return true;
  }
  return type == NULL;
}

/* Takes a body that lies in a file into memory. */
static void load_body(fn_exchange *x, size_t max) {
  fn_response *r = &x->response;
  if (r->fd < 0) return;
  uint64_t done = 0;
  const bool fits = r->fd_bytes <= max && fn_buf_reserve(&r->body, (size_t)r->fd_bytes);
  while (fits && done < r->fd_bytes) {
    char piece[16384];
    const uint64_t left = r->fd_bytes - done;
    const ssize_t n = pread(r->fd, piece, left < sizeof piece ? (size_t)left : sizeof piece, (off_t)done);
    if (n <= 0) break;
    fn_buf_append(&r->body, piece, (size_t)n);
    done += (uint64_t)n;
  }
  if (!fits) {
    (void)fn_exchange_fail(x, 413, "answer_too_large", "the answer has %llu bytes; at most %zu can be sent back",
                           (unsigned long long)r->fd_bytes, max);
  } else if (done < r->fd_bytes) {
    (void)fn_exchange_fail(x, 500, "io", "the answer cannot be read back");
  }
  if (r->fd >= 0) close(r->fd);
  r->fd = -1;
}

/* ---- answers */

static void write_http(fn_buf *out, const fn_lambda_event *event, const fn_exchange *x) {
  const fn_response *r = &x->response;
  headers h;
  fn_json_writer w;
  collect(&h, x);
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "statusCode", r->status);
  if (event->kind == FN_LAMBDA_BALANCER) {
    char line[16];
    snprintf(line, sizeof line, "%d %s", r->status, r->status < 400 ? "OK" : "Error");
    fn_json_text(&w, "statusDescription", line);
  }
  if (event->multi_value)
    write_lists(&w, &h);
  else
    write_singles(&w, &h, event->kind == FN_LAMBDA_HTTP);
  const fn_str body = x->request.is_head ? fn_str_from("") : fn_buf_str(&r->body);
  const bool text = is_textual(r->content_type) && fn_utf8_valid(body, NULL);
  fn_json_bool(&w, "isBase64Encoded", !text);
  if (text) {
    fn_json_str(&w, "body", body);
  } else {
    FN_AUTO_BUF fn_buf encoded;
    fn_buf_init(&encoded, 0);
    fn_base64_encode(&encoded, body);
    fn_json_str(&w, "body", fn_buf_str(&encoded));
    if (encoded.failed) out->failed = true;
  }
  fn_json_end(&w);
}

/* The body itself, as JSON. */
static void write_value(fn_buf *out, const fn_exchange *x) {
  const fn_str body = fn_buf_str(&x->response.body);
  if (x->response.content_type != NULL && fn_str_starts_with(fn_str_from(x->response.content_type), "application/json"))
    fn_buf_append(out, body.data, body.length);
  else
    fn_buf_append_json(out, body);
}

/* What our error bodies say, whatever their style. */
static void write_error(fn_buf *out, const fn_exchange *x) {
  json_t *body = NULL;
  fn_json_error error;
  fn_str message = fn_buf_str(&x->response.body);
  if (fn_json_read(&body, message, 0, &error) == FN_OK) {
    const json_t *detail = json_object_get(body, "detail");
    if (detail == NULL) detail = json_object_get(body, "error");
    if (json_is_array(detail)) detail = json_object_get(json_array_get(detail, 0), "msg"); /* as FastAPI */
    if (json_is_string(detail)) message = fn_str_make(json_string_value(detail), json_string_length(detail));
  }
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "errorType", x->code[0] ? x->code : "error");
  fn_json_str(&w, "errorMessage", message);
  fn_json_array(&w, "stackTrace");
  fn_json_end(&w);
  fn_json_end(&w);
  json_decref(body);
}

static bool write_answer(fn_buf *out, const fn_lambda_event *event, const fn_exchange *x) {
  const bool failed = event->kind == FN_LAMBDA_DIRECT && x->response.status >= 400;
  if (failed)
    write_error(out, x);
  else if (event->kind == FN_LAMBDA_DIRECT)
    write_value(out, x);
  else
    write_http(out, event, x);
  return !failed;
}

bool fn_lambda_event_answer(fn_buf *out, const fn_lambda_event *event, fn_exchange *x) {
  const size_t max =
      event->kind == FN_LAMBDA_BALANCER ? (size_t)FN_LAMBDA_MAX_BALANCER_ANSWER : (size_t)FN_LAMBDA_MAX_ANSWER;
  const size_t before = out->length;
  load_body(x, max);
  bool answered = write_answer(out, event, x);
  if (out->length - before <= max || out->failed) return answered;
  const size_t length = out->length - before;
  out->length = before;
  (void)fn_exchange_fail(x, 413, "answer_too_large",
                         "the answer has %zu bytes as Lambda sends it; at most %zu can be sent back: ask for fewer "
                         "articles at once",
                         length, max);
  answered = write_answer(out, event, x);
  return answered;
}
