#include "serve/upload.h"

#include "base/thread.h"
#include "serve/recording.h"
#include "serve/route.h"
#include "serve/upload_internal.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct fn_uploads {
  pthread_mutex_t lock;
  pthread_cond_t idle;
  size_t n, max;
  bool stops;
};

fn_status fn_uploads_create(fn_uploads **uploads_out, size_t max, fn_err *err) {
  fn_uploads *s = fn_mem_calloc(1, sizeof *s);
  if (s == NULL) return fn_err_no_memory(err, "uploads");
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->idle, NULL);
  s->max = max;
  *uploads_out = s;
  return FN_OK;
}

void fn_uploads_stop(fn_uploads *s) {
  pthread_mutex_lock(&s->lock);
  s->stops = true;
  pthread_mutex_unlock(&s->lock);
}

void fn_uploads_destroy(fn_uploads *s) {
  if (s == NULL) return;
  pthread_mutex_lock(&s->lock);
  s->stops = true;
  while (s->n > 0) pthread_cond_wait(&s->idle, &s->lock);
  pthread_mutex_unlock(&s->lock);
  pthread_cond_destroy(&s->idle);
  pthread_mutex_destroy(&s->lock);
  free(s);
}

size_t fn_uploads_n_active(const fn_uploads *uploads) {
  fn_uploads *s = (fn_uploads *)(uintptr_t)uploads; /* its lock alone is written to */
  pthread_mutex_lock(&s->lock);
  const size_t n = s->n;
  pthread_mutex_unlock(&s->lock);
  return n;
}

static bool take_place(fn_uploads *s) {
  pthread_mutex_lock(&s->lock);
  const bool free_place = s->n < s->max && !s->stops;
  s->n += free_place;
  pthread_mutex_unlock(&s->lock);
  return free_place;
}

static void leave_place(fn_uploads *s) {
  pthread_mutex_lock(&s->lock);
  if (--s->n == 0) pthread_cond_broadcast(&s->idle);
  pthread_mutex_unlock(&s->lock);
}

static bool is_stopping(fn_uploads *s) {
  pthread_mutex_lock(&s->lock);
  const bool stops = s->stops;
  pthread_mutex_unlock(&s->lock);
  return stops;
}

/* ---- one upload */

static void destroy(fn_upload *u) {
  fn_multipart_destroy(u->multipart);
  fn_job_deinit(&u->job);
  fn_engine_unref(u->engine);
  fn_buf_deinit(&u->pending);
  fn_buf_deinit(&u->output.buf);
  if (u->output.fd >= 0) close(u->output.fd);
  pthread_cond_destroy(&u->wake);
  pthread_mutex_destroy(&u->lock);
  free(u->ring);
  free(u);
}

static void release(fn_upload *u) {
  pthread_mutex_lock(&u->lock);
  const bool last = --u->n_references == 0;
  pthread_mutex_unlock(&u->lock);
  if (last) destroy(u);
}

/* The exchange ends: the thread must not touch it any more. */
static void on_exchange_end(void *value) {
  fn_upload *u = value;
  pthread_mutex_lock(&u->lock);
  u->exchange = NULL;
  pthread_cond_signal(&u->wake);
  pthread_mutex_unlock(&u->lock);
  release(u);
}

/* With the lock held: for a while, since the server's end is not told. */
static void wait_a_while(fn_upload *u, long milliseconds) {
  fn_cond_wait_until(&u->wake, &u->lock, fn_clock_ns() + (uint64_t)milliseconds * 1000000);
}

static fn_status cancelled(fn_err *err) {
  return fn_err_set(err, FN_E_CANCELLED, "nobody waits for the answer");
}

static size_t take_ring(fn_upload *u, char *out, size_t capacity) {
  size_t n = u->ring_length < capacity ? u->ring_length : capacity;
  if (n > FN_UPLOAD_RING - u->ring_begin) n = FN_UPLOAD_RING - u->ring_begin;
  memcpy(out, u->ring + u->ring_begin, n);
  u->ring_begin = (u->ring_begin + n) % FN_UPLOAD_RING;
  u->ring_length -= n;
  return n;
}

fn_status fn_upload_pull(size_t *n_out, fn_upload *u, char *out, size_t capacity, fn_err *err) {
  *n_out = 0;
  if (u->has_whole) {
    const size_t n = u->whole.length < capacity ? u->whole.length : capacity;
    if (n > 0) memcpy(out, u->whole.data, n);
    u->whole = fn_str_make(u->whole.data + n, u->whole.length - n);
    *n_out = n;
    return FN_OK;
  }
  pthread_mutex_lock(&u->lock);
  while (u->exchange != NULL && u->ring_length == 0 && !u->ended && !is_stopping(u->uploads)) wait_a_while(u, 200);
  const bool lives = u->exchange != NULL && (u->ring_length > 0 || u->ended);
  if (lives && u->ring_length > 0) *n_out = take_ring(u, out, capacity);
  if (lives && u->wants_resume && u->ring_length < FN_UPLOAD_RING / 2) {
    u->wants_resume = false;
    u->exchange->resume(u->exchange);
  }
  pthread_mutex_unlock(&u->lock);
  return lives ? FN_OK : cancelled(err);
}

/* ---- classifying */

static void on_job_done(void *arg) {
  fn_upload *u = arg;
  pthread_mutex_lock(&u->lock);
  u->job_done = true;
  pthread_cond_signal(&u->wake);
  pthread_mutex_unlock(&u->lock);
}

/* libmicrohttpd does not watch a connection that waits, so it is asked. */
static bool is_gone(void *arg) {
  fn_upload *u = arg;
  pthread_mutex_lock(&u->lock);
  const fn_exchange *x = u->exchange;
  const bool gone = x == NULL || (x->is_gone != NULL && (u->ended || u->wants_resume) && x->is_gone(x));
  pthread_mutex_unlock(&u->lock);
  return gone;
}

/* Waits for room in the queue: an upload is patient. */
static fn_status submit(fn_upload *u, const fn_job *job, fn_err *err) {
  for (;;) {
    unsigned retry_after;
    u->job = *job;
    u->job.engine = fn_engine_ref(u->engine);
    const fn_status status = fn_batcher_submit(fn_server_batcher(u->server), &u->job, &retry_after, err);
    if (status != FN_E_LIMIT) return status;
    fn_job_deinit(&u->job);
    if (is_stopping(u->uploads) || is_gone(u)) return cancelled(err);
    pthread_mutex_lock(&u->lock);
    wait_a_while(u, 20);
    pthread_mutex_unlock(&u->lock);
  }
}

fn_status fn_upload_classify(fn_prediction *predictions_out, fn_upload *u, const fn_article *articles, size_t n,
                             fn_err *err) {
  fn_job_deinit(&u->job); /* of the block before, whose windows have been written by now */
  const fn_job job = {
      .articles = articles, .predictions = predictions_out, .n = n, .is_gone = is_gone, .done = on_job_done, .arg = u};
  u->job_done = false;
  FN_TRY(submit(u, &job, err));
  pthread_mutex_lock(&u->lock);
  while (!u->job_done) pthread_cond_wait(&u->wake, &u->lock);
  pthread_mutex_unlock(&u->lock);
  if (u->job.status == FN_E_CANCELLED) return cancelled(err);
  if (u->job.status != FN_OK) {
    *err = u->job.err;
    return u->job.status;
  }
  for (size_t i = 0; i < n; i++) fn_server_count_prediction(u->server, &predictions_out[i]);
  return fn_upload_record(u, err);
}

/* ---- the thread */

static void *run(void *arg) {
  fn_upload *u = arg;
  fn_uploads *uploads = u->uploads;
  char rest[4096];
  size_t n = 1;
  fn_err err = {0};
  fn_upload_run(u);
  /* Whatever came of it, the client is heard out: most do not listen before they have sent everything. */
  fn_status status = FN_OK;
  while (status == FN_OK && n > 0) status = fn_upload_pull(&n, u, rest, sizeof rest, &err);
  pthread_mutex_lock(&u->lock);
  fn_exchange *x = u->exchange;
  const bool ended = u->ended;
  u->is_over = true;
  if (x != NULL && u->wants_resume) x->resume(x);
  pthread_mutex_unlock(&u->lock);
  if (x != NULL && ended) { /* from here on it is this thread's alone */
    fn_upload_answer(u, x);
    x->complete(x);
  }
  release(u);
  leave_place(uploads);
  return NULL;
}

static bool start_thread(fn_upload *u) {
  pthread_t thread;
  pthread_attr_t attributes;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  const bool started = pthread_create(&thread, &attributes, run, u) == 0;
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return started;
}

static fn_upload *create(fn_exchange *x, const fn_upload_options *options) {
  fn_upload *u = fn_mem_calloc(1, sizeof *u);
  if (u == NULL) return NULL;
  fn_cond_init(&u->wake);
  pthread_mutex_init(&u->lock, NULL);
  u->server = x->server;
  u->uploads = fn_server_uploads(x->server);
  u->engine = fn_server_engine(x->server);
  u->options = *options;
  u->exchange = x;
  u->id_seed[0] = x->id_seed[0];
  u->id_seed[1] = x->id_seed[1];
  snprintf(u->request_id, sizeof u->request_id, "%s", x->request.id);
  snprintf(u->key_id, sizeof u->key_id, "%s", x->key_id);
  u->route = x->route->path;
  u->n_references = 1;
  u->output.fd = -1;
  u->has_whole = x->resume == NULL;
  u->ended = u->has_whole;
  u->whole = x->request.body;
  fn_buf_init(&u->pending, 0);
  fn_buf_init(&u->output.buf, 0);
  const fn_str type = fn_request_header(&x->request, "Content-Type");
  if (fn_str_equal_nocase(fn_request_media_type(&x->request), fn_str_from("multipart/form-data")))
    snprintf(u->content_type, sizeof u->content_type, "%.*s", (int)(type.length < 255 ? type.length : 255), type.data);
  u->ring = u->has_whole ? NULL : fn_mem_alloc(FN_UPLOAD_RING, 1);
  if (u->ring == NULL && !u->has_whole) {
    destroy(u);
    return NULL;
  }
  return u;
}

fn_progress fn_upload_begin(fn_exchange *x, const fn_upload_options *options) {
  fn_uploads *uploads = fn_server_uploads(x->server);
  if (fn_exchange_choose_ids(x) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  if (!take_place(uploads)) {
    fn_response_header(&x->response, "Retry-After", "5");
    return fn_exchange_fail(x, 503, "too_many_uploads",
                            "as many uploads as are allowed (serve.max_uploads) are at work; try again later");
  }
  fn_upload *u = create(x, options);
  if (u == NULL) {
    leave_place(uploads);
    return fn_exchange_no_memory(x);
  }
  x->state = u;
  u->n_references = 2; /* the exchange's and the thread's */
  const bool deferred = fn_exchange_defer(x, on_exchange_end, u);
  if (deferred && start_thread(u)) return FN_EXCHANGE_PENDING;
  release(u);
  leave_place(uploads);
  return fn_exchange_fail(x, 503, "no_thread", "no thread can be started; try again later");
}

fn_progress fn_upload_receive(fn_exchange *x, const char *data, size_t length, size_t *n_used) {
  fn_upload *u = x->state;
  pthread_mutex_lock(&u->lock);
  size_t n = u->is_over ? length : 0; /* nobody reads it */
  while (n < length && u->ring_length < FN_UPLOAD_RING) {
    const size_t at = (u->ring_begin + u->ring_length) % FN_UPLOAD_RING;
    const size_t room = at >= u->ring_begin ? FN_UPLOAD_RING - at : u->ring_begin - at;
    const size_t take = length - n < room ? length - n : room;
    memcpy(u->ring + at, data + n, take);
    u->ring_length += take;
    n += take;
  }
  u->ended |= length == 0;
  u->wants_resume = n < length;
  const bool alone = u->is_over && u->ended; /* the thread went before the end came, since the server ends */
  pthread_cond_signal(&u->wake);
  pthread_mutex_unlock(&u->lock);
  *n_used = n;
  if (alone) fn_upload_answer(u, x);
  return alone ? FN_EXCHANGE_DONE : FN_EXCHANGE_PENDING;
}
