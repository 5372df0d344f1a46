#include "serve/background.h"
#include "serve/guard.h"
#include "serve/metrics.h"
#include "serve/recording.h"
#include "serve/route.h"
#include "serve/upload.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

struct fn_server {
  fn_server_options options;
  fn_infer_options infer; /* of the sessions */
  fn_counters *metrics;
  fn_batcher *batcher;
  fn_uploads *uploads;
  fn_background *background;
  fn_guard *guard;
  fn_prediction_log *log; /* NULL: none */
  pthread_mutex_t lock;   /* of engine and n_… */
  fn_engine *engine;
  uint64_t n_reloads, n_failed_reloads;
  fn_server_origin origin;   /* name "": none */
  pthread_mutex_t reloading; /* one at a time */
  atomic_bool drains, reload_is_claimed;
  atomic_size_t n_active, n_connections;
};

static size_t count_workers(const fn_server_options *o) {
  return o->serve->workers > 0 ? (size_t)o->serve->workers : (size_t)fn_cpu_available();
}

static fn_status open_engine(fn_engine **engine_out, const fn_server *s, const char *path, fn_err *err) {
  const fn_engine_options options = {.infer = &s->infer,
                                     .tensor = s->options.tensor,
                                     .n_workers = count_workers(&s->options),
                                     .embeddings = fn_predictions_enabled(s->options.predictions)};
  return fn_engine_open(engine_out, path, &options, err);
}

enum { N_BACKGROUND = 2, MAX_BACKGROUND = 256 };

static fn_status start(fn_server *s, fn_err *err) {
  FN_TRY(fn_counters_create(&s->metrics, err));
  FN_TRY(fn_uploads_create(&s->uploads, (size_t)s->options.serve->max_uploads, err));
  FN_TRY(fn_guard_create(&s->guard, &s->options, err));
  FN_TRY(open_engine(&s->engine, s, s->options.model, err));
  const fn_batcher_options batcher = {.n_workers = count_workers(&s->options),
                                      .batch_tokens = (size_t)s->options.serve->batch_tokens,
                                      .queue_tokens = (size_t)s->options.serve->queue_tokens};
  FN_TRY(fn_batcher_create(&s->batcher, &batcher, err));
  return fn_background_create(&s->background, N_BACKGROUND, MAX_BACKGROUND, err);
}

/* The log's database and the model are opened side by side: each takes a good part of the time that a start has. */
typedef struct opening {
  fn_server *server;
  fn_status status;
  fn_err err;
} opening;

static void tell(void *arg, const fn_err *what) {
  fn_server_event(arg, FN_SEVERITY_ERROR, "prediction_log", NULL, "%s", what->message);
}

static void *open_log(void *arg) {
  opening *o = arg;
  fn_server *s = o->server;
  o->status = fn_prediction_log_open(&s->log, s->options.predictions, s->options.state_folder, &o->err);
  if (o->status != FN_OK) return NULL;
  fn_prediction_log_watch(s->log, tell, s);
  fn_prediction_log_stats stats; /* a database that is away at the start, which is no failure */
  fn_prediction_log_get_stats(&stats, s->log);
  if (!stats.database_up && stats.last_error[0])
    fn_server_event(s, FN_SEVERITY_ERROR, "prediction_log", NULL, "rows wait in the spool: %s", stats.last_error);
  return NULL;
}

static fn_status start_with_log(fn_server *s, fn_err *err) {
  opening o = {.server = s};
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  const bool beside = pthread_create(&thread, NULL, open_log, &o) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  fn_status status = start(s, err);
  if (beside)
    pthread_join(thread, NULL);
  else
    open_log(&o);
  if (status == FN_OK && o.status != FN_OK) {
    status = o.status;
    if (err != NULL) *err = o.err;
  }
  return status;
}

fn_status fn_server_create(fn_server **server_out, const fn_server_options *options, fn_err *err) {
  fn_server *s = fn_mem_calloc(1, sizeof *s);
  if (s == NULL) return fn_err_no_memory(err, "a server");
  s->options = *options;
  s->infer = *options->infer;
  s->infer.batch_tokens = options->serve->batch_tokens;
  if (s->options.tmp_dir == NULL) s->options.tmp_dir = "/tmp";
  pthread_mutex_init(&s->lock, NULL);
  pthread_mutex_init(&s->reloading, NULL);
  const bool logs = fn_predictions_enabled(options->predictions);
  const fn_status status = logs ? start_with_log(s, err) : start(s, err);
  if (status != FN_OK) {
    fn_server_destroy(s);
    return status;
  }
  *server_out = s;
  return FN_OK;
}

void fn_server_destroy(fn_server *s) {
  if (s == NULL) return;
  fn_uploads_destroy(s->uploads);
  fn_batcher_destroy(s->batcher);
  fn_background_destroy(s->background);
  fn_prediction_log_close(s->log);
  fn_guard_destroy(s->guard);
  fn_engine_unref(s->engine);
  fn_counters_destroy(s->metrics);
  pthread_mutex_destroy(&s->reloading);
  pthread_mutex_destroy(&s->lock);
  free(s);
}

fn_status fn_server_expose(fn_server *s, fn_err *err) {
  fn_auth_expose(fn_guard_auth(s->guard));
  return fn_auth_check(fn_guard_auth(s->guard), err);
}

fn_status fn_server_check(fn_server *s, fn_err *err) {
  return s->log != NULL ? fn_prediction_log_check(s->log, err) : FN_OK;
}

const fn_server_options *fn_server_get_options(const fn_server *s) {
  return &s->options;
}
fn_batcher *fn_server_batcher(fn_server *s) {
  return s->batcher;
}
fn_uploads *fn_server_uploads(fn_server *s) {
  return s->uploads;
}
void fn_server_count_prediction(fn_server *s, const fn_prediction *prediction) {
  fn_counters_count_prediction(s->metrics, prediction);
}
fn_guard *fn_server_guard(const fn_server *s) {
  return s->guard;
}
fn_background *fn_server_background(fn_server *s) {
  return s->background;
}
fn_prediction_log *fn_server_log(const fn_server *s) {
  return s->log;
}
fn_counters *fn_server_metrics(const fn_server *s) {
  return s->metrics;
}

fn_engine *fn_server_engine(fn_server *s) {
  pthread_mutex_lock(&s->lock);
  fn_engine *engine = fn_engine_ref(s->engine);
  pthread_mutex_unlock(&s->lock);
  return engine;
}

void fn_server_get_reloads(uint64_t *done_out, uint64_t *failed_out, const fn_server *server) {
  fn_server *s = (fn_server *)(uintptr_t)server; /* its lock alone is written to */
  pthread_mutex_lock(&s->lock);
  *done_out = s->n_reloads;
  *failed_out = s->n_failed_reloads;
  pthread_mutex_unlock(&s->lock);
}

static fn_status reload(fn_server *s, const char *path, char *to_out, fn_err *err) {
  fn_engine *old = fn_server_engine(s), *engine = NULL;
  fn_status status = open_engine(&engine, s, path != NULL ? path : fn_engine_path(old), err);
  fn_engine_unref(old);
  pthread_mutex_lock(&s->lock);
  old = NULL;
  if (status == FN_OK) {
    if (to_out != NULL) snprintf(to_out, 288, "%s", fn_engine_get_info(engine)->id);
    old = s->engine;
    s->engine = engine;
    s->n_reloads++;
  } else {
    s->n_failed_reloads++;
  }
  pthread_mutex_unlock(&s->lock);
  fn_engine_unref(old);
  return status;
}

fn_status fn_server_reload(fn_server *s, const char *path, char to_out[288], fn_err *err) {
  fn_err own = {0};
  pthread_mutex_lock(&s->reloading);
  const fn_status status = reload(s, path, to_out, &own);
  pthread_mutex_unlock(&s->reloading);
  if (status == FN_OK) {
    fn_engine *engine = fn_server_engine(s);
    fn_server_event(s, FN_SEVERITY_INFO, "model_loaded", NULL, "now answers with %s", fn_engine_get_info(engine)->id);
    fn_engine_unref(engine);
  } else {
    fn_server_event(s, FN_SEVERITY_ERROR, "model_refused", NULL, "the model in service stays: %s", own.message);
    if (err != NULL) *err = own;
  }
  return status;
}

bool fn_server_claim_reload(fn_server *s) {
  return !atomic_exchange(&s->reload_is_claimed, true);
}
void fn_server_release_reload(fn_server *s) {
  atomic_store(&s->reload_is_claimed, false);
}

void fn_server_set_origin(fn_server *s, const fn_server_origin *origin) {
  pthread_mutex_lock(&s->lock);
  s->origin = *origin;
  pthread_mutex_unlock(&s->lock);
}

bool fn_server_get_origin(fn_server_origin *origin_out, const fn_server *server) {
  fn_server *s = (fn_server *)(uintptr_t)server; /* its lock alone is written to */
  pthread_mutex_lock(&s->lock);
  *origin_out = s->origin;
  pthread_mutex_unlock(&s->lock);
  return origin_out->name[0] != '\0';
}

void fn_server_drain(fn_server *s) {
  atomic_store(&s->drains, true);
}
void fn_server_cancel(fn_server *s) {
  atomic_store(&s->drains, true);
  fn_uploads_stop(s->uploads);
  fn_batcher_cancel(s->batcher);
}
bool fn_server_is_draining(const fn_server *s) {
  return atomic_load(&s->drains);
}
size_t fn_server_n_active(const fn_server *s) {
  return atomic_load(&s->n_active);
}

void fn_server_count_connection(fn_server *s, int change) {
  atomic_fetch_add(&s->n_connections, (size_t)change);
}
size_t fn_server_n_connections(const fn_server *s) {
  return atomic_load(&s->n_connections);
}

void fn_server_event(const fn_server *s, fn_severity severity, const char *code, const fn_exchange *exchange,
                     const char *format, ...) {
  char message[1200];
  if (s->options.events.event == NULL) return;
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  s->options.events.event(s->options.events.arg, severity, code, message, exchange);
}

/* ---- exchanges */

void fn_exchange_count(fn_exchange *x) {
  atomic_fetch_add(&x->server->n_active, 1);
}

void fn_exchange_finish(fn_exchange *x, uint64_t request_bytes, uint64_t response_bytes) {
  const double seconds = (double)(fn_clock_ns() - x->begin_ns) * 1e-9;
  fn_counters_count_exchange(x->server->metrics, x->route, x->request.method, x->response.status, seconds,
                             request_bytes, response_bytes);
  fn_server_event(x->server, x->response.status >= 500 ? FN_SEVERITY_WARNING : FN_SEVERITY_INFO,
                  x->code[0] ? x->code : "request", x, "%d", x->response.status);
  atomic_fetch_sub(&x->server->n_active, 1);
}

static fn_progress refuse_method(fn_exchange *x, unsigned allowed) {
  static const char *const names[] = {"GET", "POST", "DELETE", "PUT", "OPTIONS"};
  char list[64] = "";
  size_t n = 0;
  for (size_t i = 0; i < FN_COUNT_OF(names); i++) {
    if (!(allowed & 1u << i)) continue;
    n += (size_t)snprintf(list + n, sizeof list - n, "%s%s%s", n ? ", " : "", names[i], i == 0 ? ", HEAD" : "");
  }
  fn_response_header(&x->response, "Allow", list);
  return fn_exchange_fail(x, 405, "method_not_allowed", "this path takes %s", list);
}

/* Vertex AI says by itself where it asks. */
static void apply_aliases(fn_exchange *x) {
  const fn_serve_options *o = x->server->options.serve;
  if (o->predict_route != NULL && fn_str_is(x->request.path, o->predict_route) && x->request.method == FN_METHOD_POST)
    x->request.path = fn_str_from("/invocations");
  else if (o->health_route != NULL && fn_str_is(x->request.path, o->health_route) && x->request.method == FN_METHOD_GET)
    x->request.path = fn_str_from("/ping");
}

fn_progress fn_exchange_route(fn_exchange *x) {
  unsigned allowed = 0;
  apply_aliases(x);
  if (fn_guard_meet(x->server->guard, x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  x->route = fn_route_find(&allowed, &x->request);
  if (x->route != NULL) return fn_guard_admit(x->server->guard, x);
  if (allowed != 0) return refuse_method(x, allowed);
  return fn_exchange_fail(x, 404, "not_found", "there is nothing at this path; /docs lists what there is");
}

fn_progress fn_exchange_begin(fn_exchange *x) {
  if (x->route == NULL && fn_exchange_route(x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  if (fn_guard_admit_body(x->server->guard, x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  const uint64_t deadline = x->begin_ns + (uint64_t)x->server->options.serve->timeout_ms * 1000000u;
  if (x->deadline_ns == 0 || x->deadline_ns > deadline) x->deadline_ns = deadline;
  return x->route->begin(x);
}

/* ---- jobs */

static bool is_gone(void *arg) {
  fn_exchange *x = arg;
  return x->is_gone != NULL && x->is_gone(x);
}

static fn_progress refuse_ending(fn_exchange *x) {
  fn_response_header(&x->response, "Retry-After", "1");
  return fn_exchange_fail(x, 503, "shutting_down", "the server is ending; ask another, or this one again in a moment");
}

static void conclude(fn_exchange *x) {
  if (x->is_repeated && x->response.status == 200) {
    fn_buf_reset(&x->response.body);
    fn_response_header(&x->response, "Idempotency-Replayed", "true");
    x->route->finish(x);
  }
  fn_job_deinit(x->job);
  x->complete(x);
}

/* The response is made before the row is written, so that only what can be answered is recorded. */
static void answer(fn_exchange *x) {
  const fn_job *job = x->job;
  for (size_t i = 0; i < job->n; i++) fn_counters_count_prediction(x->server->metrics, &job->predictions[i]);
  if (fn_exchange_render_answers(x, job) != FN_OK)
    (void)fn_exchange_no_memory(x);
  else
    x->route->finish(x);
  if (x->response.status == 200)
    fn_exchange_record(x, job, conclude);
  else
    conclude(x);
}

static void on_done(void *arg) {
  fn_exchange *x = arg;
  const fn_job *job = x->job;
  switch (job->status) {
  case FN_OK: answer(x); return;
  case FN_E_CANCELLED:
    if (is_gone(x))
      (void)fn_exchange_fail(x, 499, "client_gone", "the client has hung up");
    else
      (void)refuse_ending(x);
    break;
  case FN_E_LIMIT:
    fn_response_header(&x->response, "Retry-After", "1");
    (void)fn_exchange_fail(x, 503, "timeout", "no worker was free within %lld ms (serve.timeout_ms)",
                           (long long)x->server->options.serve->timeout_ms);
    break;
  default: (void)fn_exchange_fail_err(x, &job->err);
  }
  conclude(x);
}

fn_progress fn_exchange_classify(fn_exchange *x, const fn_article *articles, size_t n, bool explain) {
  fn_err err = {0};
  unsigned retry_after = 1;
  if (fn_exchange_choose_ids(x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  fn_job *job = fn_arena_alloc(&x->arena, 1, sizeof *job);
  fn_prediction *predictions = fn_arena_alloc(&x->arena, n, sizeof *predictions);
  fn_explanation *explanations = explain ? fn_arena_alloc(&x->arena, n, sizeof *explanations) : NULL;
  if (job == NULL || predictions == NULL || (explain && explanations == NULL)) {
    return fn_exchange_no_memory(x);
  }
  *job = (fn_job){.engine = fn_server_engine(x->server),
                  .articles = articles,
                  .predictions = predictions,
                  .explanations = explanations,
                  .explain = *x->server->options.explain,
                  .n = n,
                  .deadline_ns = x->deadline_ns,
                  .is_gone = is_gone,
                  .done = on_done,
                  .arg = x};
  x->job = job;
  const fn_status status = fn_batcher_submit(x->server->batcher, job, &retry_after, &err);
  if (status == FN_OK) return FN_EXCHANGE_PENDING;
  fn_job_deinit(job);
  if (status == FN_E_CANCELLED) return refuse_ending(x);
  if (status != FN_E_LIMIT) return fn_exchange_fail_err(x, &err);
  char seconds[16];
  snprintf(seconds, sizeof seconds, "%u", retry_after);
  fn_response_header(&x->response, "Retry-After", seconds);
  return fn_exchange_fail(x, 503, "overloaded", "%s", err.message);
}
