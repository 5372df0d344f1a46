#include "serve/exchange.h"

#include "serve/route.h"
#include "serve/route_page.h"

#include <stdio.h>
#include <unistd.h>

enum { MAX_RESPONSE = 64 << 20, MAX_HEADERS = 16 << 10 };

static fn_str find(const fn_field *fields, size_t n, const char *name, bool nocase) {
  for (size_t i = 0; i < n; i++) {
    if (nocase ? fn_str_equal_nocase(fields[i].name, fn_str_from(name)) : fn_str_is(fields[i].name, name))
      return fields[i].value.data != NULL ? fields[i].value : fn_str_from("");
  }
  return (fn_str){NULL, 0};
}

fn_str fn_request_header(const fn_request *r, const char *name) {
  return find(r->headers, r->n_headers, name, true);
}
fn_str fn_request_parameter(const fn_request *r, const char *name) {
  return find(r->parameters, r->n_parameters, name, false);
}

static fn_str before(fn_str s, char end) {
  const char *at = s.length > 0 ? memchr(s.data, end, s.length) : NULL;
  return fn_str_trim(at != NULL ? fn_str_make(s.data, (size_t)(at - s.data)) : s);
}

fn_str fn_request_media_type(const fn_request *r) {
  return before(fn_request_header(r, "Content-Type"), ';');
}

bool fn_request_accepts(const fn_request *r, const char *type) {
  fn_str rest = fn_request_header(r, "Accept");
  while (rest.length > 0) {
    const fn_str one = before(rest, ',');
    if (fn_str_equal_nocase(before(one, ';'), fn_str_from(type))) return true;
    const char *comma = memchr(rest.data, ',', rest.length);
    if (comma == NULL) break;
    rest = fn_str_make(comma + 1, rest.length - (size_t)(comma + 1 - rest.data));
  }
  return false;
}

void fn_response_header(fn_response *r, const char *name, const char *value) {
  fn_buf_printf(&r->headers, "%s: %s\r\n", name, value);
}

void fn_exchange_init(fn_exchange *x, fn_server *server) {
  *x = (fn_exchange){.server = server, .begin_ns = fn_clock_ns(), .response.fd = -1};
  fn_arena_init(&x->arena);
  fn_buf_init(&x->response.body, MAX_RESPONSE);
  fn_buf_init(&x->response.headers, MAX_HEADERS);
}

double fn_exchange_ms(const fn_exchange *x) {
  const uint64_t us = (fn_clock_ns() - x->begin_ns) / 1000;
  return (double)us / 1000.0;
}

struct fn_deferred {
  void (*release)(void *value);
  void *value;
  struct fn_deferred *next;
};

bool fn_exchange_defer(fn_exchange *x, void (*release)(void *value), void *value) {
  struct fn_deferred *d = fn_arena_alloc(&x->arena, 1, sizeof *d);
  if (d == NULL) {
    release(value);
    return false;
  }
  *d = (struct fn_deferred){release, value, x->deferred};
  x->deferred = d;
  return true;
}

void fn_exchange_deinit(fn_exchange *x) {
  for (struct fn_deferred *d = x->deferred; d != NULL; d = d->next) d->release(d->value);
  if (x->response.fd >= 0) close(x->response.fd);
  fn_buf_deinit(&x->response.body);
  fn_buf_deinit(&x->response.headers);
  fn_arena_deinit(&x->arena);
}

/* ---- errors */

static const char *status_title(int status) {
  static const struct {
    int status;
    const char *title;
  } titles[] = {{400, "Bad Request"},
                {401, "Unauthorized"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {406, "Not Acceptable"},
                {408, "Request Timeout"},
                {409, "Conflict"},
                {411, "Length Required"},
                {413, "Content Too Large"},
                {414, "URI Too Long"},
                {415, "Unsupported Media Type"},
                {417, "Expectation Failed"},
                {422, "Unprocessable Content"},
                {429, "Too Many Requests"},
                {431, "Request Header Fields Too Large"},
                {499, "Client Closed Request"},
                {500, "Internal Server Error"},
                {501, "Not Implemented"},
                {503, "Service Unavailable"},
                {505, "HTTP Version Not Supported"},
                {507, "Insufficient Storage"}};
  for (size_t i = 0; i < FN_COUNT_OF(titles); i++) {
    if (titles[i].status == status) return titles[i].title;
  }
  return "Error";
}

static void write_problem(fn_exchange *x, int status, const char *code, const char *detail) {
  fn_json_writer w;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  FN_AUTO_BUF fn_buf type;
  fn_buf_init(&type, 256);
  fn_buf_printf(&type, "urn:fakenews:%s", code);
  fn_json_text(&w, "type", type.failed ? "about:blank" : type.data);
  fn_json_text(&w, "title", status_title(status));
  fn_json_int(&w, "status", status);
  fn_json_text(&w, "detail", detail);
  fn_json_text(&w, "code", code);
  fn_json_text(&w, "request_id", x->request.id);
  fn_json_end(&w);
  x->response.content_type = "application/problem+json";
}

static void write_member(fn_exchange *x, const char *key, const char *detail) {
  fn_json_writer w;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, key, detail);
  fn_json_end(&w);
  x->response.content_type = "application/json";
}

static void write_mlflow(fn_exchange *x, int status, const char *detail) {
  fn_json_writer w;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "error_code", status < 500 ? "BAD_REQUEST" : "INTERNAL_ERROR");
  fn_json_text(&w, "message", detail);
  fn_json_end(&w);
  x->response.content_type = "application/json";
}

fn_progress fn_exchange_fail(fn_exchange *x, int http_status, const char *code, const char *format, ...) {
  char detail[1200];
  va_list args;
  va_start(args, format);
  vsnprintf(detail, sizeof detail, format, args);
  va_end(args);
  if (x->response.fd >= 0) close(x->response.fd);
  x->response.fd = -1;
  fn_buf_deinit(&x->response.body);
  fn_buf_init(&x->response.body, MAX_RESPONSE);
  x->response.status = http_status;
  snprintf(x->code, sizeof x->code, "%s", code);
  const fn_error_style nowhere = fn_request_accepts(&x->request, "text/html") ? FN_ERRORS_PAGE : FN_ERRORS_PROBLEM;
  switch (x->route != NULL ? x->route->errors : nowhere) {
  case FN_ERRORS_PROBLEM: write_problem(x, http_status, code, detail); break;
  case FN_ERRORS_DETAIL: write_member(x, "detail", detail); break;
  case FN_ERRORS_PLAIN: write_member(x, "error", detail); break;
  case FN_ERRORS_MLFLOW: write_mlflow(x, http_status, detail); break;
  case FN_ERRORS_PAGE: fn_page_fail(x, http_status, status_title(http_status), detail); break;
  }
  return FN_EXCHANGE_DONE;
}

fn_progress fn_exchange_no_memory(fn_exchange *x) {
  return fn_exchange_fail(x, 503, "no_memory", "memory is short; try again later");
}

fn_progress fn_exchange_fail_err(fn_exchange *x, const fn_err *err) {
  return fn_exchange_fail(x, fn_status_http(err->status), fn_status_name(err->status), "%s", err->message);
}

fn_progress fn_exchange_json(fn_exchange *x, int http_status) {
  if (x->response.body.failed) return fn_exchange_no_memory(x);
  x->response.status = http_status;
  x->response.content_type = "application/json";
  return FN_EXCHANGE_DONE;
}
