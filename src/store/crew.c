#include "store/crew.h"

#include "base/thread.h"

#include <pthread.h>

enum { MAX_NOTES = 32, MAX_NOTE = 400 };
static const uint64_t TICK_NS = 100000000; /* how often the caller's sink is asked */

typedef struct worker {
  fn_crew *crew;
  fn_store store; /* the caller's, with a connection and a sink of its own */
  pthread_t thread;
  uint64_t n_bytes; /* of the task that it does */
} worker;

typedef struct note {
  char text[MAX_NOTE];
  double wait_s;
} note;

struct fn_crew {
  fn_store *store;
  fn_crew_work work;
  pthread_mutex_t lock; /* of everything below */
  pthread_cond_t changed;
  pthread_mutex_t keys_lock; /* of the driver's credentials */
  size_t front, back;        /* tasks that nobody took: front … back - 1 */
  bool stop;
  uint64_t n_bytes; /* of the tasks that are done */
  fn_status status; /* the first failure, and its text */
  fn_err err;
  note notes[MAX_NOTES]; /* for the caller's sink; more at once are left out */
  size_t n_notes;
  size_t n_workers, n_working;
  worker workers[FN_CREW_MAX];
};

static bool on_event(void *arg, const fn_download_event *e) {
  worker *w = arg;
  fn_crew *c = w->crew;
  pthread_mutex_lock(&c->lock);
  if (e->kind == FN_DOWNLOAD_DATA) w->n_bytes = e->n_bytes;
  if (e->kind == FN_DOWNLOAD_RETRY && c->n_notes < MAX_NOTES) {
    note *n = &c->notes[c->n_notes++];
    snprintf(n->text, sizeof n->text, "%s", e->text ? e->text : "");
    n->wait_s = e->wait_s;
  }
  const bool go_on = !c->stop;
  pthread_mutex_unlock(&c->lock);
  return go_on;
}

static bool next_task(size_t *i_out, fn_crew *c) {
  if (c->stop || c->front >= c->back) return false;
  *i_out = c->work.from_back ? --c->back : c->front++;
  return true;
}

static void *run(void *arg) {
  worker *w = arg;
  fn_crew *c = w->crew;
  size_t i;
  pthread_mutex_lock(&c->lock);
  while (next_task(&i, c)) {
    pthread_mutex_unlock(&c->lock);
    fn_err err = {0};
    const fn_status status = c->work.task(c->work.arg, &w->store, i, &err);
    pthread_mutex_lock(&c->lock);
    if (status == FN_OK) c->n_bytes += w->n_bytes;
    w->n_bytes = 0;
    if (status == FN_OK) continue;
    if (c->status == FN_OK && !c->stop) {
      c->status = status;
      c->err = err;
    }
    c->front = c->back; /* nothing more is begun */
    c->stop = c->stop || status != FN_E_IO;
  }
  c->n_working--;
  pthread_cond_signal(&c->changed);
  pthread_mutex_unlock(&c->lock);
  return NULL;
}

static fn_status start_worker(fn_crew *c, fn_err *err) {
  worker *w = &c->workers[c->n_workers];
  w->crew = c;
  w->store = *c->store;
  w->store.options.sink = (fn_download_sink){on_event, w};
  w->store.http = NULL;
  FN_TRY(fn_http_create(&w->store.http, c->store->options.net, c->store->options.agent, err));
  pthread_mutex_lock(&c->lock);
  c->n_working++;
  pthread_mutex_unlock(&c->lock);
  const fn_status status = fn_thread_start(&w->thread, run, w, "a thread that moves parts of files", err);
  if (status == FN_OK) {
    c->n_workers++;
    return FN_OK;
  }
  pthread_mutex_lock(&c->lock);
  c->n_working--;
  pthread_mutex_unlock(&c->lock);
  fn_http_destroy(w->store.http);
  return status;
}

fn_status fn_crew_start(fn_crew **crew_out, fn_store *store, const fn_crew_work *work, size_t n_threads, fn_err *err) {
  fn_crew *c = fn_mem_calloc(1, sizeof *c);
  if (!c) return fn_err_no_memory(err, "connections of a store");
  c->store = store;
  c->work = *work;
  c->front = work->first;
  c->back = work->n;
  fn_cond_init(&c->changed);
  pthread_mutex_init(&c->lock, NULL);
  pthread_mutex_init(&c->keys_lock, NULL);
  store->keys_lock = &c->keys_lock;
  fn_status status = FN_OK;
  for (size_t i = 0; status == FN_OK && i < n_threads && i < FN_CREW_MAX; i++) status = start_worker(c, err);
  if (c->n_workers == 0) { /* with fewer than asked for it takes longer, that is all */
    fn_crew_destroy(c);
    return status;
  }
  *crew_out = c;
  return FN_OK;
}

bool fn_crew_take(fn_crew *c, size_t i) {
  pthread_mutex_lock(&c->lock);
  const bool taken = !c->stop && c->front == i && c->front < c->back;
  if (taken) c->front++;
  pthread_mutex_unlock(&c->lock);
  return taken;
}

static uint64_t count(const fn_crew *c) {
  uint64_t n = c->n_bytes;
  for (size_t i = 0; i < c->n_workers; i++) n += c->workers[i].n_bytes;
  return n;
}

uint64_t fn_crew_bytes(fn_crew *c) {
  pthread_mutex_lock(&c->lock);
  const uint64_t n = count(c);
  pthread_mutex_unlock(&c->lock);
  return n;
}

fn_status fn_crew_tell(fn_crew *c, fn_err *err) {
  note notes[MAX_NOTES];
  pthread_mutex_lock(&c->lock);
  const size_t n = c->n_notes;
  if (n) memcpy(notes, c->notes, n * sizeof *notes);
  c->n_notes = 0;
  pthread_mutex_unlock(&c->lock);
  for (size_t i = 0; i < n; i++)
    FN_TRY(fn_store_tell(
        c->store,
        (fn_download_event){.kind = FN_DOWNLOAD_RETRY, .text = notes[i].text, .total = -1, .wait_s = notes[i].wait_s},
        err));
  return FN_OK;
}

/* One turn of the wait; false when nobody works any more. */
static bool rest(uint64_t *n_bytes_out, fn_crew *c) {
  pthread_mutex_lock(&c->lock);
  if (c->n_working > 0) fn_cond_wait_until(&c->changed, &c->lock, fn_clock_ns() + TICK_NS);
  const bool works = c->n_working > 0;
  *n_bytes_out = count(c);
  pthread_mutex_unlock(&c->lock);
  return works;
}

static void stop(fn_crew *c) {
  pthread_mutex_lock(&c->lock);
  c->stop = true;
  pthread_mutex_unlock(&c->lock);
}

fn_status fn_crew_wait(fn_crew *c, fn_download_event event, fn_err *err) {
  const uint64_t before = event.n_bytes;
  fn_status told = FN_OK;
  bool works = true;
  for (uint64_t n = 0, last = UINT64_MAX; works; last = n) {
    works = rest(&n, c);
    if (told != FN_OK) continue;
    event.kind = n == last && works ? FN_DOWNLOAD_WAIT : FN_DOWNLOAD_DATA;
    event.n_bytes = before + n;
    told = fn_crew_tell(c, err);
    if (told == FN_OK) told = fn_store_tell(c->store, event, err);
    if (told != FN_OK) stop(c);
  }
  if (told != FN_OK) return told;
  pthread_mutex_lock(&c->lock);
  const fn_status status = c->status;
  pthread_mutex_unlock(&c->lock);
  return status == FN_OK ? FN_OK : fn_err_set(err, status, "%s", c->err.message);
}

void fn_crew_destroy(fn_crew *c) {
  if (!c) return;
  stop(c);
  for (size_t i = 0; i < c->n_workers; i++) {
    pthread_join(c->workers[i].thread, NULL);
    fn_http_destroy(c->workers[i].store.http);
  }
  c->store->keys_lock = NULL;
  pthread_mutex_destroy(&c->keys_lock);
  pthread_mutex_destroy(&c->lock);
  pthread_cond_destroy(&c->changed);
  free(c);
}
