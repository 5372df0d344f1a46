#include "serve/lambda_event.h"

#include "base/base64.h"
#include "base/json.h"
#include "serve/http_request.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_FIELDS = 200 };

/* What is read of one event. */
typedef struct reading {
  fn_exchange *exchange;
  const json_t *root;
  fn_lambda_event event;
  const char *trace_id;
} reading;

static fn_str text_of(const json_t *value) {
  if (!json_is_string(value)) return (fn_str){NULL, 0};
  return fn_str_make(json_string_value(value), json_string_length(value));
}
static fn_str member(const json_t *object, const char *key) {
  return text_of(json_object_get(object, key));
}
static const json_t *inside(const json_t *object, const char *a, const char *b) {
  return json_object_get(json_object_get(object, a), b);
}
static void release(void *value) {
  json_decref(value);
}
static void release_buffer(void *value) {
  free(value);
}

/* ---- fields: headers and query parameters */

typedef struct fields {
  fn_field *at;
  size_t n, capacity;
} fields;

static fn_progress add_field(fields *f, fn_exchange *x, const char *name, const json_t *value) {
  if (json_is_null(value)) return FN_EXCHANGE_PENDING; /* API Gateway's way to say that there is none */
  if (!json_is_string(value)) return fn_exchange_fail(x, 400, "bad_event", "\"%.80s\" must be text", name);
  if (f->n == f->capacity)
    return fn_exchange_fail(x, 431, "too_many_fields", "more than %zu headers or parameters", f->capacity);
  f->at[f->n++] = (fn_field){fn_str_from(name), text_of(value)};
  return FN_EXCHANGE_PENDING;
}

/* {"name": "value" or null, …} or {"name": ["value", …] or null, …} */
static fn_progress add_fields(fields *f, fn_exchange *x, const json_t *object) {
  const char *name;
  json_t *value, *one;
  size_t i;
  json_object_foreach((json_t *)(uintptr_t)object, name, value) {
    if (!json_is_array(value)) {
      if (add_field(f, x, name, value) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
      continue;
    }
    json_array_foreach(value, i, one) {
      if (add_field(f, x, name, one) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
    }
  }
  return FN_EXCHANGE_PENDING;
}

/* The member with lists where it is there, else the one with single values: they say the same otherwise. */
static const json_t *pick(const json_t *root, const char *lists, const char *singles) {
  const json_t *value = json_object_get(root, lists);
  return json_is_object(value) ? value : json_object_get(root, singles);
}

static bool make_fields(fields *f, fn_exchange *x) {
  *f = (fields){.at = fn_arena_alloc(&x->arena, MAX_FIELDS, sizeof(fn_field)), .capacity = MAX_FIELDS};
  return f->at != NULL;
}

/* Format 2.0 has cookies apart. */
static fn_progress add_cookies(fields *f, fn_exchange *x, const json_t *cookies) {
  FN_AUTO_BUF fn_buf all;
  fn_buf_init(&all, 1 << 16);
  size_t i;
  json_t *one;
  json_array_foreach(cookies, i, one) {
    const fn_str s = text_of(one);
    if (s.length > 0 && all.length > 0) fn_buf_append_str(&all, "; ");
    fn_buf_append(&all, s.data, s.length);
  }
  if (all.length == 0) return FN_EXCHANGE_PENDING;
  const char *copy = all.failed ? NULL : fn_arena_strndup(&x->arena, all.data, all.length);
  if (copy == NULL || f->n == f->capacity) return fn_exchange_no_memory(x);
  f->at[f->n++] = (fn_field){fn_str_from("Cookie"), fn_str_make(copy, all.length)};
  return FN_EXCHANGE_PENDING;
}

static bool has(const fields *f, const char *name) {
  for (size_t i = 0; i < f->n; i++) {
    if (fn_str_equal_nocase(f->at[i].name, fn_str_from(name))) return true;
  }
  return false;
}

static fn_progress read_headers(reading *r, const json_t *object) {
  fn_exchange *x = r->exchange;
  fields f;
  if (!make_fields(&f, x)) return fn_exchange_no_memory(x);
  if (add_fields(&f, x, object) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  const json_t *cookies = json_object_get(r->root, "cookies");
  if (r->event.kind == FN_LAMBDA_HTTP && json_is_array(cookies) && !has(&f, "Cookie") &&
      add_cookies(&f, x, cookies) == FN_EXCHANGE_DONE)
    return FN_EXCHANGE_DONE;
  if (r->trace_id != NULL && f.n < f.capacity && !has(&f, "X-Amzn-Trace-Id"))
    f.at[f.n++] = (fn_field){fn_str_from("X-Amzn-Trace-Id"), fn_str_from(r->trace_id)};
  if (r->event.kind == FN_LAMBDA_DIRECT && f.n < f.capacity)
    f.at[f.n++] = (fn_field){fn_str_from("Content-Type"), fn_str_from("application/json")};
  x->request.headers = f.at;
  x->request.n_headers = f.n;
  return fn_http_check_fields(x);
}

/* Load balancers pass parameters on as they came, the others have decoded them. */
static fn_progress read_parameters(reading *r) {
  fn_exchange *x = r->exchange;
  fields f;
  if (r->event.kind == FN_LAMBDA_HTTP) {
    const fn_str query = member(r->root, "rawQueryString");
    x->request.parameters = fn_form_parse(&x->request.n_parameters, &x->arena, query);
    if (x->request.parameters != NULL) return FN_EXCHANGE_PENDING;
    return fn_exchange_fail(x, 400, "bad_target", "the query has more than 100 parameters");
  }
  if (!make_fields(&f, x)) return fn_exchange_no_memory(x);
  const json_t *given = pick(r->root, "multiValueQueryStringParameters", "queryStringParameters");
  if (add_fields(&f, x, given) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  for (size_t i = 0; r->event.kind == FN_LAMBDA_BALANCER && i < f.n; i++) {
    f.at[i].name = fn_http_decode(&x->arena, f.at[i].name, true, NULL);
    f.at[i].value = fn_http_decode(&x->arena, f.at[i].value, true, NULL);
  }
  x->request.parameters = f.at;
  x->request.n_parameters = f.n;
  return FN_EXCHANGE_PENDING;
}

/* ---- path */

/* Without the stage's name that an HTTP API puts before the path when the stage is not the default one. */
static fn_str without_stage(fn_str path, fn_str stage) {
  if (stage.length == 0 || fn_str_is(stage, "$default") || path.length < stage.length + 1) return path;
  if (!fn_str_equal(fn_str_make(path.data + 1, stage.length), stage)) return path;
  const size_t n = stage.length + 1;
  if (path.length == n) return fn_str_from("/");
  return path.data[n] == '/' ? fn_str_make(path.data + n, path.length - n) : path;
}

/* Where the route is /{proxy+}: the path from where {proxy+} begins, so that a custom domain's base path is left out.
 */
static fn_str from_proxy(fn_str path, fn_str route, fn_str proxy) {
  const char *slash = route.length > 0 ? memchr(route.data, '/', route.length) : NULL; /* after "ANY " */
  if (slash == NULL || proxy.length == 0) return path;
  if (!fn_str_is(fn_str_make(slash, route.length - (size_t)(slash - route.data)), "/{proxy+}")) return path;
  size_t end = path.length;
  if (end > 0 && path.data[end - 1] == '/' && proxy.data[proxy.length - 1] != '/') end--;
  if (end < proxy.length + 1) return path;
  const size_t begin = end - proxy.length - 1;
  if (path.data[begin] != '/' || !fn_str_equal(fn_str_make(path.data + begin + 1, proxy.length), proxy)) return path;
  return fn_str_make(path.data + begin, path.length - begin);
}

static fn_progress read_path(reading *r) {
  fn_exchange *x = r->exchange;
  const bool http = r->event.kind == FN_LAMBDA_HTTP;
  fn_str path = member(r->root, http ? "rawPath" : "path");
  if (http) path = without_stage(path, text_of(inside(r->root, "requestContext", "stage")));
  if (r->event.kind != FN_LAMBDA_BALANCER)
    path = from_proxy(path, member(r->root, http ? "routeKey" : "resource"),
                      text_of(inside(r->root, "pathParameters", "proxy")));
  path = fn_http_decode(&x->arena, path, false, NULL);
  x->request.path = fn_str_from("/");
  if (path.length == 0 || path.data[0] != '/' || memchr(path.data, '\0', path.length) != NULL ||
      !fn_utf8_valid(path, NULL))
    return fn_exchange_fail(x, 400, "bad_target", "the path is not valid: it begins with / and is UTF-8 without NUL");
  x->request.path = path;
  return FN_EXCHANGE_PENDING;
}

/* ---- body */

static fn_progress read_body(reading *r) {
  fn_exchange *x = r->exchange;
  const json_t *body = json_object_get(r->root, "body");
  if (body == NULL || json_is_null(body)) return FN_EXCHANGE_PENDING;
  if (!json_is_string(body)) return fn_exchange_fail(x, 400, "bad_event", "\"body\" must be text or null");
  fn_str text = text_of(body);
  if (json_is_true(json_object_get(r->root, "isBase64Encoded"))) {
    fn_buf bytes;
    fn_buf_init(&bytes, 0);
    const bool decoded = fn_base64_decode(&bytes, text), failed = bytes.failed;
    text = fn_buf_str(&bytes);
    if (bytes.data != NULL && !fn_exchange_defer(x, release_buffer, bytes.data)) return fn_exchange_no_memory(x);
    if (failed) return fn_exchange_no_memory(x);
    if (!decoded)
      return fn_exchange_fail(x, 400, "bad_base64", "\"body\" is no base64, though isBase64Encoded is true");
  }
  x->request.body = text;
  return FN_EXCHANGE_PENDING;
}

/* ---- kinds */

static void set_client(reading *r, fn_str address) {
  snprintf(r->exchange->request.client, sizeof r->exchange->request.client, "%.*s",
           (int)(address.length < FN_CLIENT_BYTES ? address.length : 0), address.data != NULL ? address.data : "");
}

/* What the load balancer itself has appended: the last address. */
static fn_str last_of(fn_str list) {
  size_t begin = list.length;
  if (begin == 0) return list;
  while (begin > 0 && list.data[begin - 1] != ',') begin--;
  return fn_str_trim(fn_str_make(list.data + begin, list.length - begin));
}

static void read_peer(reading *r) {
  fn_request *q = &r->exchange->request;
  const json_t *context = json_object_get(r->root, "requestContext");
  switch (r->event.kind) {
  case FN_LAMBDA_REST: set_client(r, text_of(inside(context, "identity", "sourceIp"))); break;
  case FN_LAMBDA_HTTP: set_client(r, text_of(inside(context, "http", "sourceIp"))); break;
  default: set_client(r, last_of(fn_request_header(q, "X-Forwarded-For")));
  }
  const fn_str scheme = fn_request_header(q, "X-Forwarded-Proto");
  q->is_secure = scheme.data != NULL ? fn_str_equal_nocase(last_of(scheme), fn_str_from("https"))
                                     : r->event.kind != FN_LAMBDA_BALANCER;
}

/* An event that stands for a request of HTTP. */
static fn_progress read_http(reading *r) {
  fn_exchange *x = r->exchange;
  const json_t *method = json_object_get(r->root, "httpMethod");
  if (r->event.kind == FN_LAMBDA_HTTP) method = inside(json_object_get(r->root, "requestContext"), "http", "method");
  const bool has_body = json_is_string(json_object_get(r->root, "body"));
  fn_http_read_method(&x->request, json_is_string(method) ? json_string_value(method) : has_body ? "POST" : "GET");
  r->event.multi_value =
      r->event.kind == FN_LAMBDA_REST || json_is_object(json_object_get(r->root, "multiValueHeaders"));
  if (read_headers(r, pick(r->root, "multiValueHeaders", "headers")) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  read_peer(r);
  if (read_path(r) == FN_EXCHANGE_DONE || read_parameters(r) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  return read_body(r);
}

static bool is_ping(const json_t *root) {
  const fn_str source = member(root, "source");
  return json_is_true(json_object_get(root, "warmer")) || json_object_get(root, "ping") != NULL ||
         fn_str_is(source, "serverless-plugin-warmup") ||
         (fn_str_starts_with(source, "aws.") && fn_str_is(member(root, "detail-type"), "Scheduled Event"));
}

static fn_status ask(reading *r, fn_method method, const char *path, fn_str body) {
  fn_request *q = &r->exchange->request;
  q->method = method;
  q->path = fn_str_from(path);
  q->body = body;
  return FN_OK;
}

/* JSON of a value, which lives as long as the exchange. key: as {"key": value}. */
static bool write_json(fn_str *out, fn_exchange *x, const char *key, const json_t *value) {
  fn_buf text;
  fn_json_writer w;
  fn_buf_init(&text, 0);
  fn_json_begin(&w, &text, 0);
  if (key != NULL) fn_json_object(&w, NULL);
  fn_json_value(&w, key, value);
  if (key != NULL) fn_json_end(&w);
  const bool failed = text.failed;
  *out = fn_buf_str(&text);
  return fn_exchange_defer(x, release_buffer, text.data) && !failed;
}

static fn_status read_action(reading *r, fn_str action, fn_err *err) {
  fn_str body;
  const json_t *text = json_object_get(r->root, "Text");
  if (fn_str_is(action, "info")) return ask(r, FN_METHOD_GET, "/info", fn_str_from(""));
  if (!fn_str_is(action, "predict") || text == NULL)
    return fn_err_set(err, FN_E_INVALID, "\"Action\" takes \"predict\", with \"Text\" beside it, or \"info\"");
  if (!write_json(&body, r->exchange, "Text", text))
    return fn_err_set(err, FN_E_INVALID, "\"Text\" is nested too deeply, or memory is short");
  return ask(r, FN_METHOD_POST, "/predict", body);
}

static fn_status read_json(json_t **root_out, fn_exchange *x, fn_str text, fn_err *err) {
  fn_json_error error;
  const fn_status status = fn_json_read(root_out, text, FN_JSON_LARGE_AS_REAL, &error);
  if (status == FN_E_INVALID)
    return fn_err_set(err, status, "the event is no JSON: line %d, column %d: %s", error.line, error.column,
                      error.what);
  if (status != FN_OK || !fn_exchange_defer(x, release, *root_out)) return fn_err_no_memory(err, "the event");
  return FN_OK;
}

static fn_status read_direct(reading *r, fn_str json, bool is_body, fn_err *err) {
  static const struct {
    const char *key, *path;
  } shapes[] = {{"items", "/v1/classify/batch"},
                {"title", "/v1/classify"},
                {"text", "/v1/classify"},
                {"Text", "/predict"},
                {"inputs", "/"},
                {"instances", "/invocations"},
                {"dataframe_split", "/invocations"},
                {"dataframe_records", "/invocations"}};
  const fn_str action = member(r->root, "Action");
  if (action.data != NULL) return read_action(r, action, err);
  for (size_t i = 0; i < FN_COUNT_OF(shapes); i++) {
    if (json_object_get(r->root, shapes[i].key) != NULL) return ask(r, FN_METHOD_POST, shapes[i].path, json);
  }
  const json_t *body = json_object_get(r->root, "body");
  if (!is_body && (json_is_string(body) || json_is_object(body))) {
    json_t *inner = (json_t *)(uintptr_t)body;
    fn_str text = text_of(body);
    if (json_is_string(body)) {
      if (read_body(r) == FN_EXCHANGE_DONE) return FN_OK;
      text = r->exchange->request.body;
      FN_TRY(read_json(&inner, r->exchange, text, err));
    } else if (!write_json(&text, r->exchange, NULL, body)) {
      return fn_err_set(err, FN_E_INVALID, "\"body\" is nested too deeply, or memory is short");
    }
    r->root = inner;
    return read_direct(r, text, true, err);
  }
  return fn_err_set(err, FN_E_INVALID,
                    "the event is none that is known: API Gateway (REST or HTTP), Function URL, load balancer, "
                    "schedule, or an object with title, text, items, Text, Action, inputs, instances or body");
}

fn_status fn_lambda_event_read(fn_lambda_event *event_out, fn_exchange *x, fn_str json, const char *trace_id,
                               fn_err *err) {
  json_t *root = NULL;
  x->request.body = fn_str_from(""); /* there is none, which is all of it */
  FN_TRY(read_json(&root, x, json, err));
  reading r = {.exchange = x, .root = root, .trace_id = trace_id};
  bool http = true;
  if (json_is_object(inside(root, "requestContext", "elb")))
    r.event.kind = FN_LAMBDA_BALANCER;
  else if (fn_str_is(member(root, "version"), "2.0") || member(root, "rawPath").data != NULL)
    r.event.kind = FN_LAMBDA_HTTP;
  else if (member(root, "httpMethod").data != NULL && member(root, "path").data != NULL)
    r.event.kind = FN_LAMBDA_REST;
  else
    http = false;
  if (http) {
    (void)read_http(&r);
  } else {
    r.event.kind = FN_LAMBDA_DIRECT;
    (void)read_headers(&r, NULL);
    x->request.is_secure = true;
    FN_TRY(is_ping(root) ? ask(&r, FN_METHOD_GET, "/healthz", fn_str_from("")) : read_direct(&r, json, false, err));
  }
  *event_out = r.event;
  return FN_OK;
}
