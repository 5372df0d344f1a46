#include "serve/lambda.h"

#include "base/json.h"
#include "serve/guard.h"
#include "serve/http_request.h"
#include "serve/lambda_client.h"
#include "serve/lambda_event.h"
#include "serve/route.h"

#include <pthread.h>
#include <stdio.h>

/* Kept from the time that Lambda gives, to send the answer. */
enum { MARGIN_MS = 50 };

/* What the loop keeps between events. */
typedef struct loop {
  fn_server *server;
  fn_lambda_client client;
  fn_lambda_reply event, reply;
  fn_buf answer;
} loop;

/* Where the loop waits for the exchange that a worker has. */
typedef struct bell {
  pthread_mutex_t lock;
  pthread_cond_t rung;
  bool rang;
} bell;

static void complete(fn_exchange *x) {
  bell *b = x->transport;
  pthread_mutex_lock(&b->lock);
  b->rang = true;
  pthread_cond_signal(&b->rung);
  pthread_mutex_unlock(&b->lock);
}

/* Uploads may be longer than other bodies; which it is the route says. */
static fn_progress check_length(fn_exchange *x, const fn_serve_options *o) {
  if (fn_exchange_route(x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  const bool upload = x->route->body == FN_BODY_UPLOAD;
  const int64_t max = upload ? o->max_upload_bytes : o->max_body_bytes;
  if (x->request.body.length <= (uint64_t)max) return FN_EXCHANGE_PENDING;
  return fn_exchange_fail(x, 413, "too_large", "the body has %zu bytes; at most %lld are taken (%s)",
                          x->request.body.length, (long long)max,
                          upload ? "serve.max_upload_bytes" : "serve.max_body_bytes");
}

static void answer(fn_exchange *x) {
  bell b = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
  x->transport = &b;
  x->complete = complete;
  if (check_length(x, fn_server_get_options(x->server)->serve) == FN_EXCHANGE_DONE) return;
  if (fn_exchange_begin(x) == FN_EXCHANGE_DONE) return;
  pthread_mutex_lock(&b.lock);
  while (!b.rang) pthread_cond_wait(&b.rung, &b.lock);
  pthread_mutex_unlock(&b.lock);
}

/* ---- one event */

static const char *header(loop *l, fn_exchange *x, const char *name) {
  const fn_str value = fn_lambda_reply_header(&l->event, name);
  return value.data != NULL ? fn_arena_strndup(&x->arena, value.data, value.length) : NULL;
}

/* The invocation's id, unless the client has chosen one. */
static void choose_id(fn_exchange *x, const char *invocation) {
  if (fn_request_header(&x->request, "X-Request-Id").data == NULL && strlen(invocation) < sizeof x->request.id)
    snprintf(x->request.id, sizeof x->request.id, "%s", invocation);
  else
    fn_http_choose_id(x);
}

static void set_deadline(fn_exchange *x, const char *unix_ms) {
  int64_t ms;
  if (unix_ms == NULL || !fn_str_to_int64(&ms, fn_str_from(unix_ms))) return;
  const int64_t left = ms - MARGIN_MS - fn_clock_unix_ms();
  x->deadline_ns = left <= 0 ? 1 : left > 86400000 ? 0 : x->begin_ns + (uint64_t)left * 1000000u;
}

static fn_status post(loop *l, const char *invocation, const char *what, const char *headers, fn_err *err) {
  char path[160];
  snprintf(path, sizeof path, "/runtime/invocation/%s/%s", invocation, what);
  return fn_lambda_client_call(&l->reply, &l->client, "POST", path, headers, fn_buf_str(&l->answer), err);
}

static void write_failure(fn_buf *out, const char *type, const char *message) {
  fn_json_writer w;
  fn_buf_reset(out);
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "errorType", type);
  fn_json_text(&w, "errorMessage", message);
  fn_json_array(&w, "stackTrace");
  fn_json_end(&w);
  fn_json_end(&w);
}

/* What the API thinks of an answer: 202; 400, 403 and 413 concern this invocation alone; 500 and more, the sandbox. */
static fn_status judge(const loop *l, const char *invocation, fn_err *err) {
  const fn_lambda_reply *r = &l->reply;
  if (r->status < 300) return FN_OK;
  if (r->status >= 500) return fn_err_set(err, FN_E_IO, "the Runtime API answers %d: this sandbox ends", r->status);
  fn_server_event(l->server, FN_SEVERITY_ERROR, "lambda_refused", NULL,
                  "the Runtime API answers %d to the answer of %s: %.*s", r->status, invocation,
                  (int)(r->body.length < 300 ? r->body.length : 300), r->body.data != NULL ? r->body.data : "");
  return FN_OK;
}

/* The answer in l->answer; true: it is one, false: the function's error. */
static bool serve(loop *l, const char *invocation, fn_exchange *x) {
  fn_lambda_event event = {.kind = FN_LAMBDA_DIRECT};
  fn_err err = {0};
  const fn_status status =
      fn_lambda_event_read(&event, x, fn_buf_str(&l->event.body), header(l, x, "Lambda-Runtime-Trace-Id"), &err);
  choose_id(x, invocation);
  if (status != FN_OK)
    (void)fn_exchange_fail(x, fn_status_http(status), "bad_event", "%s", err.message);
  else if (x->response.status == 0)
    answer(x);
  fn_guard_finish(fn_server_guard(l->server), x);
  fn_buf_reset(&l->answer);
  return fn_lambda_event_answer(&l->answer, &event, x);
}

static fn_status take(loop *l, fn_err *err) {
  FN_TRY(fn_lambda_client_call(&l->event, &l->client, "GET", "/runtime/invocation/next", "", fn_str_from(""), err));
  if (l->event.status != 200)
    return fn_err_set(err, FN_E_IO, "the Runtime API answers %d where the next event is asked for", l->event.status);
  fn_exchange x;
  fn_exchange_init(&x, l->server);
  fn_exchange_count(&x);
  const char *invocation = header(l, &x, "Lambda-Runtime-Aws-Request-Id");
  if (invocation == NULL || strlen(invocation) > 100 || strpbrk(invocation, "/?# ") != NULL) {
    (void)fn_exchange_fail(&x, 500, "bad_event", "no invocation id");
    fn_exchange_finish(&x, 0, 0);
    fn_exchange_deinit(&x);
    return fn_err_set(err, FN_E_INVALID, "the Runtime API gave an event without Lambda-Runtime-Aws-Request-Id");
  }
  set_deadline(&x, header(l, &x, "Lambda-Runtime-Deadline-Ms"));
  bool answered = serve(l, invocation, &x);
  char type[96] = "";
  if (!answered)
    snprintf(type, sizeof type, "Lambda-Runtime-Function-Error-Type: %s\r\n", x.code[0] ? x.code : "error");
  fn_exchange_finish(&x, l->event.body.length, l->answer.length);
  if (l->answer.failed) {
    fn_buf_deinit(&l->answer);
    fn_buf_init(&l->answer, 0);
    write_failure(&l->answer, "no_memory", "memory is short; give the function more");
    snprintf(type, sizeof type, "Lambda-Runtime-Function-Error-Type: no_memory\r\n");
    answered = false;
  }
  fn_status status = post(l, invocation, answered ? "response" : "error", type, err);
  if (status == FN_OK && l->reply.status == 413 && answered) {
    write_failure(&l->answer, "answer_too_large", "the Runtime API does not take an answer of this size");
    status = post(l, invocation, "error", "Lambda-Runtime-Function-Error-Type: answer_too_large\r\n", err);
  }
  if (status == FN_OK) status = judge(l, invocation, err);
  fn_exchange_deinit(&x);
  return status;
}

fn_status fn_lambda_run(fn_server *server, const char *api, int stop_fd, fn_err *err) {
  loop l = {.server = server};
  fn_status status = fn_lambda_client_init(&l.client, api, stop_fd, err);
  fn_lambda_reply_init(&l.event);
  fn_lambda_reply_init(&l.reply);
  fn_buf_init(&l.answer, 0);
  while (status == FN_OK) status = take(&l, err);
  fn_buf_deinit(&l.answer);
  fn_lambda_reply_deinit(&l.event);
  fn_lambda_reply_deinit(&l.reply);
  fn_lambda_client_deinit(&l.client);
  return status == FN_E_CANCELLED ? FN_OK : status;
}

fn_status fn_lambda_report(const char *api, const fn_err *cause, fn_err *err) {
  fn_lambda_client client;
  fn_lambda_reply reply;
  fn_status status = fn_lambda_client_init(&client, api, -1, err);
  FN_AUTO_BUF fn_buf body;
  fn_buf_init(&body, 1 << 16);
  write_failure(&body, fn_status_name(cause->status), cause->message);
  fn_lambda_reply_init(&reply);
  if (status == FN_OK)
    status = fn_lambda_client_call(&reply, &client, "POST", "/runtime/init/error",
                                   "Lambda-Runtime-Function-Error-Type: Runtime.InitError\r\n", fn_buf_str(&body), err);
  fn_lambda_reply_deinit(&reply);
  fn_lambda_client_deinit(&client);
  return status;
}
