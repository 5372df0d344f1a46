#include "track/file_queue.h"

#include "base/hash.h"
#include "base/thread.h"
#include "track/tracking_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { RETRY_S = 10, MAX_FILES = 1 << 20, MAX_IN_A_ROW = 2 };
#define S 1000000000ull

/* In order: its content is put into the store, then named in the database by the caller, then looked for once more,
 * since a purge may have removed it before it was named. */
typedef enum item_state { ITEM_WAITS, ITEM_STORED, ITEM_NAMED, ITEM_KEPT, ITEM_GONE } item_state;

typedef struct item {
  item_state state;
  fn_listed_file file;
  uint64_t stamp;       /* of the file when it was hashed; 0: not known */
  uint64_t retry_ns;    /* the next attempt; UINT64_MAX: at the end, or never again */
  fn_artifact artifact; /* from ITEM_STORED on */
} item;

struct fn_file_queue {
  fn_store_options store_options; /* the caller's, with our sink before theirs */
  fn_download_sink theirs;
  char *artifacts, *folder;
  char *place; /* artifacts, from the root where it is a folder: for whoever stores what is listed later */
  char run[FN_RUN_ID_LENGTH];
  _Atomic uint64_t deadline_ns; /* UINT64_MAX: none */

  pthread_t thread;
  bool started;
  pthread_mutex_t mutex; /* of what follows */
  pthread_cond_t wake, done;
  item *items;              /* texts are of the arena */
  size_t n, capacity, next; /* next: none before it is ITEM_STORED or waits to be */
  fn_arena arena;
  bool ending, ended; /* no more is added; the thread does no more */
  fn_err why;         /* the first failure since something was stored */
  fn_err gone;        /* the first file that never will be */
};

/* With the lock. */
static size_t find_stored(const fn_file_queue *q) {
  size_t i = q->next;
  while (i < q->n && q->items[i].state != ITEM_STORED) i++;
  return i;
}

/* ---- the thread ---- */

static bool goes_on(const fn_file_queue *q) {
  return fn_clock_ns() < atomic_load(&q->deadline_ns);
}

static bool on_event(void *arg, const fn_download_event *event) {
  const fn_file_queue *q = arg;
  return goes_on(q) && (!q->theirs.event || q->theirs.event(q->theirs.arg, event));
}

/* The next file to store, or SIZE_MAX and when there will be one. */
static size_t pick(uint64_t *when, const fn_file_queue *q) {
  const uint64_t now = fn_clock_ns();
  *when = UINT64_MAX;
  for (size_t i = 0; i < q->n; i++) {
    if (q->items[i].state != ITEM_WAITS && q->items[i].state != ITEM_NAMED) continue;
    if (q->items[i].retry_ns <= now) return i;
    if (q->items[i].retry_ns < *when) *when = q->items[i].retry_ns;
  }
  return SIZE_MAX;
}

/* *changed: it is not what was told of any more. */
static fn_status store_one(fn_artifact *artifact, bool *changed, fn_store **store, const fn_file_queue *q,
                           const item *it, fn_err *err) {
  const char *path = it->file.path;
  if (!*store) FN_TRY(fn_store_open(store, q->artifacts, &q->store_options, err));
  if (it->state == ITEM_NAMED) return fn_content_keep(artifact, *store, path, err);
  *changed = (it->stamp == 0 || it->stamp != fn_hash_file_stamp(path)) && fn_listed_file_is_changed(&it->file);
  if (*changed) return fn_err_set(err, FN_E_INVALID, "%s was changed since the training told of it", path);
  return fn_content_put(artifact, *store, path, err);
}

/* What was tried and failed: later again, at the end once more. With the lock. */
static void put_off(fn_file_queue *q, item *it, bool changed, fn_status status, const fn_err *err) {
  if (q->why.status == FN_OK) q->why = *err;
  if (changed || (it->state == ITEM_WAITS && !fn_path_exists(it->file.path))) { /* checkpoints come and go */
    it->state = ITEM_GONE;
    if (q->gone.status == FN_OK) q->gone = *err;
    return;
  }
  const bool may_pass = status == FN_E_IO || status == FN_E_NO_MEMORY;
  it->retry_ns = may_pass && !q->ending ? fn_clock_ns() + RETRY_S * S : UINT64_MAX;
}

/* True: the service does not work, or somebody does not want to wait. With the lock. */
static bool is_hopeless(const fn_file_queue *q, fn_status status, int n_in_a_row) {
  return !goes_on(q) || (q->ending && (n_in_a_row >= MAX_IN_A_ROW || status == FN_E_CANCELLED));
}

static void *work(void *arg) {
  fn_file_queue *q = arg;
  fn_store *store = NULL;
  int n_in_a_row = 0;
  bool was_ending = false;
  pthread_mutex_lock(&q->mutex);
  while (goes_on(q)) {
    uint64_t when;
    if (q->ending && !was_ending) { /* what failed before gets one more attempt */
      for (size_t i = 0; i < q->n; i++) q->items[i].retry_ns = 0;
      n_in_a_row = 0;
      was_ending = true;
    }
    const size_t i = pick(&when, q);
    if (i == SIZE_MAX && q->ending && find_stored(q) == q->n) break;
    if (i == SIZE_MAX) {
      fn_cond_wait_until(&q->wake, &q->mutex, when);
      continue;
    }
    fn_err err = {0};
    const item before = q->items[i];
    const bool named = before.state == ITEM_NAMED;
    bool changed = false;
    fn_artifact artifact = named ? before.artifact : (fn_artifact){.path = before.file.key};
    pthread_mutex_unlock(&q->mutex);
    const fn_status status = store_one(&artifact, &changed, &store, q, &before, &err);
    pthread_mutex_lock(&q->mutex);
    item *it = &q->items[i];                                               /* they may have moved */
    if (changed && strcmp(it->file.hash, before.file.hash) != 0) continue; /* it was told of again */
    n_in_a_row = status == FN_OK || changed ? 0 : n_in_a_row + 1;
    if (status == FN_OK) {
      it->artifact = artifact;
      it->state = named ? ITEM_KEPT : ITEM_STORED;
      q->why = (fn_err){0};
      pthread_cond_broadcast(&q->done);
    } else {
      put_off(q, it, changed, status, &err);
      if (!changed && is_hopeless(q, status, n_in_a_row)) break;
    }
  }
  q->ended = true;
  pthread_cond_broadcast(&q->done);
  pthread_mutex_unlock(&q->mutex);
  fn_store_close(store);
  return NULL;
}

/* ---- adding and naming ---- */

/* With the lock. The thread inherits the signals that its maker blocks. */
static fn_status start(fn_file_queue *q, fn_err *err) {
  if (q->started) return FN_OK;
  const int error = pthread_create(&q->thread, NULL, work, q);
  if (error) return fn_err_errno(err, error, "the thread that stores files");
  q->started = true;
  return FN_OK;
}

/* With the lock. */
static fn_status push(fn_file_queue *q, const fn_listed_file *file, uint64_t stamp, fn_err *err) {
  void *list = q->items;
  for (size_t i = 0; i < q->n; i++) { /* a training that is resumed tells of what the folder listed */
    item *it = &q->items[i];
    if (it->state != ITEM_WAITS || strcmp(it->file.key, file->key) != 0 || strcmp(it->file.path, file->path) != 0)
      continue;
    memcpy(it->file.hash, file->hash, sizeof it->file.hash);
    it->stamp = stamp;
    return FN_OK;
  }
  FN_TRY(fn_mem_grow(&list, &q->capacity, q->n + 1, sizeof *q->items, MAX_FILES, "files", err));
  q->items = list;
  fn_listed_file copy = *file;
  copy.key = fn_arena_strndup(&q->arena, file->key, strlen(file->key));
  copy.path = fn_arena_strndup(&q->arena, file->path, strlen(file->path));
  if (!copy.key || !copy.path) return fn_err_no_memory(err, "files");
  q->items[q->n++] = (item){.state = ITEM_WAITS, .file = copy, .stamp = stamp};
  return FN_OK;
}

fn_status fn_file_queue_add(fn_file_queue *q, const char *key, const char *path, fn_err *err) {
  fn_listed_file file = {.key = key, .path = path};
  const uint64_t stamp = fn_hash_file_stamp(path);
  fn_listed_file_hash(file.hash, path);
  /* A disk that cannot take the line now may take it at the end (fn_file_queue_settle). */
  if (*q->folder && fn_file_listing_append(q->folder, q->run, q->place, &file, NULL) == FN_E_NO_MEMORY)
    return fn_err_no_memory(err, "files");
  pthread_mutex_lock(&q->mutex);
  fn_status status = push(q, &file, stamp, err);
  if (status == FN_OK) status = start(q, err);
  pthread_cond_broadcast(&q->wake);
  pthread_mutex_unlock(&q->mutex);
  return status;
}

bool fn_file_queue_next(fn_artifact *out, fn_file_queue *q) {
  pthread_mutex_lock(&q->mutex);
  const size_t i = find_stored(q);
  const bool found = i < q->n;
  if (found) *out = q->items[i].artifact;
  pthread_mutex_unlock(&q->mutex);
  return found;
}

void fn_file_queue_named(fn_file_queue *q) {
  pthread_mutex_lock(&q->mutex);
  const size_t i = find_stored(q);
  if (i < q->n) q->items[i].state = ITEM_NAMED, q->items[i].retry_ns = 0;
  pthread_cond_broadcast(&q->wake);
  while (q->next < q->n && q->items[q->next].state >= ITEM_NAMED) q->next++;
  pthread_mutex_unlock(&q->mutex);
}

/* ---- the end ---- */

void fn_file_queue_hurry(fn_file_queue *q, uint64_t deadline_ns) {
  uint64_t before = atomic_load(&q->deadline_ns);
  while (deadline_ns < before && !atomic_compare_exchange_weak(&q->deadline_ns, &before, deadline_ns)) continue;
}

bool fn_file_queue_wait(fn_file_queue *q) {
  pthread_mutex_lock(&q->mutex);
  q->ending = true;
  pthread_cond_broadcast(&q->wake);
  if (q->started)
    while (!q->ended && find_stored(q) == q->n) pthread_cond_wait(&q->done, &q->mutex);
  const bool found = find_stored(q) < q->n;
  pthread_mutex_unlock(&q->mutex);
  return found;
}

static void end_thread(fn_file_queue *q) {
  if (!q->started) return;
  fn_file_queue_hurry(q, 0);
  pthread_mutex_lock(&q->mutex);
  q->ending = true;
  pthread_cond_broadcast(&q->wake);
  pthread_mutex_unlock(&q->mutex);
  pthread_join(q->thread, NULL);
  q->started = false;
}

/* A file that was told of again later, with other bytes, is missed by nobody. */
static bool is_superseded(const fn_file_queue *q, size_t i) {
  for (size_t k = i + 1; k < q->n; k++)
    if (strcmp(q->items[k].file.key, q->items[i].file.key) == 0) return true;
  return false;
}

fn_status fn_file_queue_settle(size_t *n_missing_out, fn_err *why, fn_file_queue *q, fn_err *err) {
  end_thread(q);
  size_t n = 0, n_gone = 0;
  FN_AUTO_FREE fn_listed_file *left = fn_mem_alloc(q->n + 1, sizeof *left);
  if (!left) return fn_err_no_memory(err, "files");
  for (size_t i = 0; i < q->n; i++) {
    if (q->items[i].state < ITEM_KEPT) left[n++] = q->items[i].file;
    n_gone += q->items[i].state == ITEM_GONE && !is_superseded(q, i);
  }
  *n_missing_out = n + n_gone;
  *why = q->why.message[0] || n_gone == 0 ? q->why : q->gone;
  return *q->folder ? fn_file_listing_save(q->folder, q->run, q->place, left, n, err) : FN_OK;
}

/* ---- making ---- */

void fn_file_queue_destroy(fn_file_queue *q) {
  if (!q) return;
  end_thread(q);
  pthread_cond_destroy(&q->wake);
  pthread_cond_destroy(&q->done);
  pthread_mutex_destroy(&q->mutex);
  fn_arena_deinit(&q->arena);
  free(q->items);
  free(q->artifacts);
  free(q->place);
  free(q->folder);
  free(q);
}

/* A list that is damaged, or of another run whose folder was copied, is written anew. */
static fn_status take_up(fn_file_queue *q, fn_err *err) {
  fn_file_listing l;
  if (!*q->folder || !fn_file_listing_exists(q->folder)) return FN_OK;
  fn_status status = fn_file_listing_load(&l, q->folder, NULL);
  if (status == FN_E_NO_MEMORY) return fn_err_no_memory(err, "files");
  if (status != FN_OK) return fn_file_listing_save(q->folder, q->run, q->place, NULL, 0, err);
  const size_t n = strcmp(l.run, q->run) == 0 ? l.n : 0;
  for (size_t i = 0; i < n && status == FN_OK; i++) status = push(q, &l.list[i], 0, err);
  if (status == FN_OK) status = fn_file_listing_save(q->folder, q->run, q->place, l.list, n, err);
  fn_file_listing_deinit(&l);
  return status;
}

fn_status fn_file_queue_create(fn_file_queue **queue_out, const fn_file_queue_options *o, fn_err *err) {
  fn_file_queue *q = fn_mem_calloc(1, sizeof *q);
  if (!q) return fn_err_no_memory(err, "files");
  fn_cond_init(&q->wake);
  fn_cond_init(&q->done);
  pthread_mutex_init(&q->mutex, NULL);
  fn_arena_init(&q->arena);
  atomic_store(&q->deadline_ns, UINT64_MAX);
  if (o->store) q->store_options = *o->store;
  q->theirs = q->store_options.sink;
  q->store_options.sink = (fn_download_sink){.event = on_event, .arg = q};
  snprintf(q->run, sizeof q->run, "%s", o->run);
  q->artifacts = fn_str_dup(fn_str_from(o->artifacts));
  q->folder = fn_str_dup(fn_str_from(o->folder));
  fn_status status = q->artifacts && q->folder ? FN_OK : fn_err_no_memory(err, "files");
  if (status == FN_OK) status = fn_track_place(&q->place, o->artifacts, err);
  if (status == FN_OK) status = take_up(q, err);
  if (status != FN_OK) {
    fn_file_queue_destroy(q);
    return status;
  }
  *queue_out = q;
  return FN_OK;
}
