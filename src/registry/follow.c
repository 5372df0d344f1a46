#include "registry/follow.h"

#include "base/rng.h"
#include "base/thread.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { MAX_WAITS = 120 }; /* of every_ms between two attempts to fetch the same */

struct fn_follow {
  fn_follow_options options;
  fn_model_uri uri;
  fn_model_source source;
  fn_store_options store; /* the caller's, with a sink that ends a transfer */
  fn_mlflow_options mlflow;
  fn_rng rng;
  pthread_t thread;
  pthread_mutex_t lock; /* of stopping, with changed */
  pthread_cond_t changed;
  atomic_bool stopping;
  fn_follow_state state;
  bool away;  /* told */
  char *path; /* in use */
  /* the version that could not be had */
  int64_t bad;
  char bad_digest[65];
  bool refused;
  unsigned n_attempts, skip; /* questions that are let pass until the next attempt */
};

static bool go_on(void *arg, const fn_download_event *event) {
  (void)event;
  return !atomic_load(&((fn_follow *)arg)->stopping);
}

static bool tick(void *arg) {
  return !atomic_load(&((fn_follow *)arg)->stopping);
}

static void tell(fn_follow *f, fn_follow_what what, const char *text) {
  f->options.tell(f->options.arg, what, &f->state, text);
}

static void fail(fn_follow *f, fn_follow_what what, const char *text) {
  f->state.n_failures++;
  tell(f, what, text);
}

/* ---- one round ---- */

static bool ask(int64_t *version, char digest[65], fn_follow *f) {
  fn_err err = {0};
  if (fn_model_current(version, digest, &f->uri, &f->source, &err) == FN_OK) {
    f->state.asked_ms = fn_clock_unix_ms();
    f->state.asked_ns = fn_clock_ns();
    if (f->away) tell(f, FN_FOLLOW_BACK, "the registry answers again");
    f->away = false;
    return true;
  }
  if (atomic_load(&f->stopping)) return false;
  f->state.n_failures++;
  if (!f->away) tell(f, FN_FOLLOW_AWAY, err.message);
  f->away = true;
  return false;
}

static void note_bad(fn_follow *f, int64_t version, const char *digest, bool refused) {
  const bool again = f->bad == version && strcmp(f->bad_digest, digest) == 0;
  f->n_attempts = again ? f->n_attempts + 1 : 1;
  f->bad = version;
  f->refused = refused;
  memcpy(f->bad_digest, digest, sizeof f->bad_digest);
  f->skip = f->n_attempts > 7 ? MAX_WAITS : (1u << f->n_attempts) - 1;
}

/* Whether a version is left alone for now. */
static bool is_left(fn_follow *f, int64_t version, const char *digest) {
  if (f->bad != version || strcmp(f->bad_digest, digest) != 0) return false;
  if (f->refused) return true;
  if (f->skip == 0) return false;
  f->skip--;
  return true;
}

/* Whether a refusal says more of this machine at this moment (memory, descriptors, disk) than of the version. */
static bool may_pass(fn_status status) {
  return status == FN_E_NOT_FOUND /* another process mends the copy */ || status == FN_E_NO_MEMORY ||
         status == FN_E_IO || status == FN_E_LIMIT || status == FN_E_INTERNAL;
}

static void take(fn_follow *f, int64_t version, const char *digest) {
  fn_err err = {0};
  fn_model_place place;
  fn_status status = fn_model_fetch(&place, &f->uri, FN_WANT_ANSWERS, &f->source, &err);
  if (atomic_load(&f->stopping)) {
    if (status == FN_OK) fn_model_place_deinit(&place);
    return;
  }
  if (status != FN_OK) {
    note_bad(f, version, digest, false);
    fail(f, FN_FOLLOW_FETCH, err.message);
    return;
  }
  status = strcmp(place.path, f->path) == 0 ? FN_OK : f->options.take(f->options.arg, place.path, &err);
  if (status != FN_OK) {
    note_bad(f, version, digest, !may_pass(status));
    fail(f, FN_FOLLOW_REFUSED, err.message);
    fn_model_place_deinit(&place);
    return;
  }
  const bool moved = place.version != f->state.version;
  f->state.version = place.version;
  free(f->path);
  f->path = FN_STEAL(place.path);
  place.path = f->path;
  if (fn_model_remember(&f->uri, &place, &f->source, &err) != FN_OK) f->state.n_failures++;
  f->bad = 0;
  if (moved) tell(f, FN_FOLLOW_MOVED, "");
}

static void go_round(fn_follow *f) {
  int64_t version = 0;
  char digest[65] = "";
  if (ask(&version, digest, f)) {
    char label[96];
    snprintf(label, sizeof label, "/%lld-%.16s", (long long)version, digest);
    const bool same = version == f->state.version && strstr(f->path, label) != NULL;
    if (same)
      f->bad = 0;
    else if (!is_left(f, version, digest))
      take(f, version, digest);
  }
  f->options.tell(f->options.arg, FN_FOLLOW_MOVED, &f->state, NULL);
}

static void wait_round(fn_follow *f) {
  const double jitter = 0.8 + 0.4 * fn_rng_uniform(&f->rng);
  const int64_t ms = (int64_t)((double)f->options.every_ms * jitter);
  const uint64_t until = fn_clock_ns() + (uint64_t)ms * 1000000;
  pthread_mutex_lock(&f->lock);
  while (!atomic_load(&f->stopping) && fn_clock_ns() < until) fn_cond_wait_until(&f->changed, &f->lock, until);
  pthread_mutex_unlock(&f->lock);
}

static void *run(void *arg) {
  fn_follow *f = arg;
  for (;;) {
    wait_round(f);
    if (atomic_load(&f->stopping)) return NULL;
    go_round(f);
  }
}

/* ---- */

fn_follow_state fn_follow_first(const fn_model_place *in_use) {
  return (fn_follow_state){.version = in_use->version,
                           .asked_ms = in_use->stale ? 0 : fn_clock_unix_ms(),
                           .asked_ns = fn_clock_ns(),
                           .n_failures = in_use->stale};
}

static void destroy(fn_follow *f) {
  pthread_cond_destroy(&f->changed);
  pthread_mutex_destroy(&f->lock);
  free(f->path);
  free(f);
}

static fn_status start_thread(fn_follow *f, fn_err *err) {
  return fn_thread_start(&f->thread, run, f, "a thread that follows the registry", err);
}

fn_status fn_follow_start(fn_follow **follow_out, const fn_follow_options *options, const fn_model_place *in_use,
                          fn_err *err) {
  uint64_t seed;
  FN_TRY(fn_random_bytes(&seed, sizeof seed, err));
  fn_follow *f = fn_mem_calloc(1, sizeof *f);
  if (f == NULL) return fn_err_no_memory(err, "a follower");
  fn_cond_init(&f->changed);
  pthread_mutex_init(&f->lock, NULL);
  f->options = *options;
  f->uri = *options->uri;
  f->source = *options->source;
  f->source.unproven = true;
  f->source.note = NULL;
  if (options->source->store) f->store = *options->source->store;
  f->store.sink = (fn_download_sink){go_on, f};
  f->source.store = &f->store;
  if (options->source->mlflow) {
    f->mlflow = *options->source->mlflow;
    f->mlflow.tick = tick;
    f->mlflow.tick_arg = f;
    f->mlflow.store = &f->store;
    f->source.mlflow = &f->mlflow;
  }
  f->rng = fn_rng_make(seed, 0);
  f->state = fn_follow_first(in_use);
  f->away = in_use->stale;
  f->path = fn_str_dup(fn_str_from(in_use->path));
  fn_status status = f->path ? start_thread(f, err) : fn_err_no_memory(err, "a follower");
  if (status != FN_OK) {
    destroy(f);
    return status;
  }
  *follow_out = f;
  return FN_OK;
}

void fn_follow_stop(fn_follow *f) {
  if (f == NULL) return;
  pthread_mutex_lock(&f->lock);
  atomic_store(&f->stopping, true);
  pthread_cond_signal(&f->changed);
  pthread_mutex_unlock(&f->lock);
  pthread_join(f->thread, NULL);
  destroy(f);
}
