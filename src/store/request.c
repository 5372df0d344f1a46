/* Attempts at requests, with the events that a user sees. */
#include "store/driver.h"

/* What the callbacks of a request need. */
typedef struct context {
  fn_store *store;
  const fn_store_call *call; /* NULL: nothing of a file travels */
} context;

static bool on_tick(void *arg, uint64_t n_sent, uint64_t n_received) {
  (void)n_received;
  const context *c = arg;
  const bool sends = c->call && c->call->from_file && c->call->total >= 0;
  const fn_download_event event = {.kind = sends ? FN_DOWNLOAD_DATA : FN_DOWNLOAD_WAIT,
                                   .text = c->store->uri,
                                   .n_bytes = sends ? c->call->done + n_sent : 0,
                                   .total = sends ? c->call->total : -1};
  return fn_store_tell(c->store, event, NULL) == FN_OK;
}

static void on_retry(void *arg, const char *why, double wait_s) {
  const context *c = arg;
  const fn_download_event event = {.kind = FN_DOWNLOAD_RETRY, .text = why, .total = -1, .wait_s = wait_s};
  if (fn_store_tell(c->store, event, NULL) != FN_OK) return; /* the wait asks again, and stops */
}

static fn_status on_data(void *arg, const fn_call_answer *head, const void *data, size_t length, fn_err *err) {
  const context *c = arg;
  return c->call->sink(c->call->arg, head, data, length, err);
}

fn_status fn_store_ask(fn_call_answer *answer, fn_store *store, const fn_call_request *request, fn_err *err) {
  context c = {.store = store};
  fn_call_request r = *request;
  r.tick = on_tick;
  r.on_retry = on_retry;
  r.arg = &c;
  return fn_call_retry(answer, store->http, &r, err);
}

fn_status fn_store_perform(fn_call_answer *answer, fn_store *store, const fn_store_call *call,
                           const fn_call_request *request, fn_err *err) {
  context c = {.store = store, .call = call};
  fn_call_request r = *request;
  r.method = call->method;
  r.body = call->body;
  r.from_file = call->from_file;
  r.body_file = call->body_file;
  r.body_offset = call->body_offset;
  r.body_length = call->body_length;
  r.max_answer_bytes = call->max_answer_bytes;
  r.sink = call->sink ? on_data : NULL;
  r.tick = on_tick;
  r.on_retry = on_retry;
  r.arg = &c;
  const fn_status status = fn_call_run(answer, store->http, &r, err);
  /* What a server echoes in an error's text is not to be shown by whoever explains it. */
  if (status == FN_OK && (answer->status < 200 || answer->status > 299) && answer->body.data) {
    fn_call_wipe(answer->body.data, &r);
    answer->body.length = strlen(answer->body.data);
  }
  return status;
}

fn_status fn_store_run(fn_call_answer *answer, fn_store *store, const fn_store_call *call, fn_err *err) {
  fn_err reason = {0};
  unsigned learnt = 0;
  context c = {.store = store};
  const fn_call_request waiting = {.url = store->uri, .tick = on_tick, .on_retry = on_retry, .arg = &c};
  for (int64_t n_failures = 1;; n_failures++) {
    reason.message[0] = 0;
    const fn_status status = store->driver->call(answer, store, call, &reason);
    const unsigned more = status == FN_OK ? store->driver->renew(store, answer) & ~learnt : 0;
    learnt |= more;
    if (more) {
      n_failures--; /* no failure of the service's */
      continue;
    }
    const bool sunk = call->sink && answer->n_received && answer->status >= 200 && answer->status < 300;
    const bool again = answer->retry && (status == FN_OK || status == FN_E_IO) && !sunk;
    if (again && status == FN_OK && store->driver->explain(store, answer, call->key, &reason) == FN_OK) return FN_OK;
    const fn_status paused =
        again ? fn_call_pause(store->http, &waiting, answer, n_failures, reason.message, err) : FN_E_IO;
    if (paused == FN_OK) continue;
    if (paused == FN_E_CANCELLED) return paused;
    if (status == FN_OK) return FN_OK;
    if (n_failures == 1) return fn_err_set(err, status, "%s", reason.message);
    return fn_err_set(err, status, "%.900s (%lld attempts failed in a row)", reason.message, (long long)n_failures);
  }
}

fn_status fn_store_expect(fn_call_answer *answer, fn_store *store, const fn_store_call *call, fn_err *err) {
  FN_TRY(fn_store_run(answer, store, call, err));
  if (answer->status >= 200 && answer->status < 300) return FN_OK;
  return store->driver->explain(store, answer, call->key, err);
}
