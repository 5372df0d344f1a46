#include "track/tracker.h"

#include "base/thread.h"
#include "track/run_clock.h"
#include "track/system_metrics.h"

#include <pthread.h>
#include <stdlib.h>

enum { MAX_SINKS = 8, TICK_MS = 20000, MAX_EVENTS = 1 << 26 };
#define MS 1000000ull

/* Events in order, with their texts. */
typedef struct queue {
  fn_track_event *events;
  size_t n, capacity;
  fn_arena texts;
  size_t n_bytes;
} queue;

typedef struct sink_state {
  fn_sink sink;
  fn_status failing; /* FN_OK: it works */
  uint64_t told;     /* hash of what was told last: nothing is told twice in a row */
} sink_state;

struct fn_tracker {
  sink_state sinks[MAX_SINKS];
  size_t n_sinks;
  fn_run_clock clock;
  int64_t start_ms, flush_ms, system_interval_ms;
  size_t max_queued_bytes;
  void (*note)(void *arg, const char *sink, const char *text);
  void *note_arg;
  fn_system_sampler *sampler; /* NULL: no system metrics. The thread's alone, as `taken` */
  queue taken;

  pthread_t thread;
  pthread_mutex_t mutex; /* of what follows */
  pthread_cond_t wake, handed_out;
  queue waiting;
  uint64_t first_ns; /* when the oldest event of `waiting` came */
  bool filling;      /* half of max_queued_bytes is taken */
  size_t n_dropped, n_told;
  uint64_t n_logged, n_taken, n_handed; /* events that came, that `taken` and those before hold, that the sinks had */
  bool flushing;
  bool ending;
  fn_run_status outcome; /* how it ended */
  uint64_t deadline_ns;
};

static void queue_reset(queue *q) {
  fn_arena_deinit(&q->texts);
  fn_arena_init(&q->texts);
  q->n = q->n_bytes = 0;
}

static void queue_deinit(queue *q) {
  fn_arena_deinit(&q->texts);
  free(q->events);
}

static bool copy_text(const char **text, fn_arena *arena, size_t *n_bytes) {
  if (!*text) return true;
  const size_t n = strlen(*text);
  *text = fn_arena_strndup(arena, *text, n);
  *n_bytes += n + 1;
  return *text != NULL;
}

/* Names and values are UTF-8 everywhere they go to; a folder's name need not be. */
static bool clean_text(const char **text, fn_arena *arena, size_t *n_bytes) {
  if (!*text || fn_utf8_valid(fn_str_from(*text), NULL)) return copy_text(text, arena, n_bytes);
  FN_AUTO_BUF fn_buf clean;
  fn_buf_init(&clean, 0);
  fn_buf_append_utf8(&clean, fn_str_from(*text));
  *text = clean.data;
  return !clean.failed && copy_text(text, arena, n_bytes);
}

static bool queue_add(queue *q, const fn_track_event *event) {
  fn_track_event copy = *event;
  size_t n_bytes = sizeof copy;
  void *list = q->events;
  if (fn_mem_grow(&list, &q->capacity, q->n + 1, sizeof *q->events, MAX_EVENTS, "events", NULL) != FN_OK) return false;
  q->events = list;
  const bool is_path = event->kind == FN_TRACK_ARTIFACT;
  if (!clean_text(&copy.key, &q->texts, &n_bytes)) return false;
  if (!(is_path ? copy_text : clean_text)(&copy.value, &q->texts, &n_bytes)) return false;
  q->events[q->n++] = copy;
  q->n_bytes += n_bytes;
  return true;
}

void fn_tracker_log(fn_tracker *t, const fn_track_event *event) {
  pthread_mutex_lock(&t->mutex);
  const bool fits = event->kind != FN_TRACK_METRIC || t->waiting.n_bytes < t->max_queued_bytes;
  if (!fits || !queue_add(&t->waiting, event)) t->n_dropped++;
  t->n_logged++;
  /* The thread comes before the queue is full, whatever flush_ms is. */
  const bool is_filling = t->waiting.n_bytes >= t->max_queued_bytes / 2;
  if (t->first_ns == 0 || (is_filling && !t->filling)) pthread_cond_signal(&t->wake);
  if (t->first_ns == 0) t->first_ns = fn_clock_ns();
  t->filling = is_filling;
  pthread_mutex_unlock(&t->mutex);
}

/* ---- the tracker's thread ---- */

/* Sleeps until there is something to do. What waited stands in `taken` then. True: it was the last time. */
static bool take(fn_tracker *t, uint64_t tick_ns) {
  pthread_mutex_lock(&t->mutex);
  for (;;) {
    const uint64_t now = fn_clock_ns();
    uint64_t until = tick_ns;
    if (t->waiting.n && t->first_ns + (uint64_t)t->flush_ms * MS < until)
      until = t->first_ns + (uint64_t)t->flush_ms * MS;
    if (t->ending || t->filling || t->flushing || now >= until) break;
    fn_cond_wait_until(&t->wake, &t->mutex, until);
  }
  const queue other = t->taken;
  t->taken = t->waiting;
  t->waiting = other;
  t->first_ns = 0;
  t->filling = t->flushing = false;
  t->n_taken = t->n_logged;
  const bool last = t->ending;
  pthread_mutex_unlock(&t->mutex);
  return last;
}

static void tell(fn_tracker *t, const char *sink, const char *text) {
  if (t->note) t->note(t->note_arg, sink, text);
}

/* When a sink begins to fail, and when one that could not write does so again. */
static void follow(fn_tracker *t, sink_state *s, fn_status status, const fn_err *err) {
  if (status != FN_OK) {
    const uint64_t hash = fn_hash64(err->message, strlen(err->message), 0);
    if (hash != s->told && s->failing != status) tell(t, s->sink.name, err->message);
    s->told = hash;
  } else if (s->failing == FN_E_IO) {
    tell(t, s->sink.name, "works again");
    s->told = 0;
  }
  s->failing = status;
}

static void hand_out(fn_tracker *t) {
  for (size_t i = 0; i < t->n_sinks; i++) {
    fn_err err = {0};
    sink_state *s = &t->sinks[i];
    const fn_status status = s->sink.log(s->sink.self, t->taken.events, t->taken.n, &err);
    if (t->taken.n || status != FN_OK) follow(t, s, status, &err);
  }
}

static void tell_of_drops(fn_tracker *t) {
  char text[160];
  pthread_mutex_lock(&t->mutex);
  const size_t n = t->n_dropped - t->n_told;
  const bool first = t->n_told == 0;
  const bool due = n > 0 && (first || t->ending);
  if (due) t->n_told = t->n_dropped;
  pthread_mutex_unlock(&t->mutex);
  if (!due) return;
  snprintf(text, sizeof text, "%zu metrics were left out: they came faster than they could be written (track.queue_mb)",
           n);
  tell(t, "tracker", text);
}

static void tell_of_handing(fn_tracker *t) {
  pthread_mutex_lock(&t->mutex);
  t->n_handed = t->n_taken;
  pthread_cond_broadcast(&t->handed_out);
  pthread_mutex_unlock(&t->mutex);
}

void fn_tracker_flush(fn_tracker *t, int64_t timeout_ms) {
  const uint64_t deadline_ns = fn_clock_ns() + (uint64_t)timeout_ms * MS;
  pthread_mutex_lock(&t->mutex);
  const uint64_t n = t->n_logged;
  while (t->n_handed < n && fn_clock_ns() < deadline_ns) {
    if (t->n_taken < n && !t->flushing) {
      t->flushing = true;
      pthread_cond_signal(&t->wake);
    }
    fn_cond_wait_until(&t->handed_out, &t->mutex, deadline_ns);
  }
  pthread_mutex_unlock(&t->mutex);
}

int64_t fn_tracker_now_ms(const fn_tracker *t) {
  return fn_run_clock_ms(&t->clock);
}

/* Straight to what is handed out next. The thread's alone. */
static void add_taken(fn_tracker *t, const fn_track_event *event) {
  if (queue_add(&t->taken, event)) return;
  pthread_mutex_lock(&t->mutex);
  t->n_dropped++;
  pthread_mutex_unlock(&t->mutex);
}

/* The step counts looks since the start of the run, also over an interruption. */
static void look_at_system(fn_tracker *t) {
  fn_system_metric metrics[FN_SYSTEM_MAX_METRICS];
  const size_t n = fn_system_sampler_look(metrics, t->sampler);
  const int64_t now = fn_tracker_now_ms(t);
  for (size_t i = 0; i < n; i++) {
    const fn_track_event event = {.kind = FN_TRACK_METRIC,
                                  .key = metrics[i].key,
                                  .number = metrics[i].value,
                                  .step = (now - t->start_ms) / t->system_interval_ms,
                                  .time_ms = now};
    add_taken(t, &event);
  }
}

static void add_outcome(fn_tracker *t) {
  const fn_track_event event = {.kind = FN_TRACK_STATUS, .status = t->outcome, .time_ms = fn_tracker_now_ms(t)};
  add_taken(t, &event);
}

static void close_sinks(fn_tracker *t) {
  for (size_t i = 0; i < t->n_sinks; i++) {
    fn_err err = {0};
    const fn_sink *s = &t->sinks[i].sink;
    if (s->close(s->self, t->deadline_ns, &err) != FN_OK) tell(t, s->name, err.message);
  }
}

static void *work(void *arg) {
  fn_tracker *t = arg;
  uint64_t look_ns = fn_clock_ns(), tick_ns = look_ns + TICK_MS * MS;
  for (bool last = false; !last;) {
    last = take(t, t->sampler && look_ns < tick_ns ? look_ns : tick_ns);
    if (t->sampler && (last || fn_clock_ns() >= look_ns)) {
      look_at_system(t);
      look_ns = fn_clock_ns() + (uint64_t)t->system_interval_ms * MS;
    }
    if (last) add_outcome(t);
    if (t->taken.n || last || fn_clock_ns() >= tick_ns) {
      hand_out(t);
      tick_ns = fn_clock_ns() + TICK_MS * MS;
    }
    queue_reset(&t->taken);
    tell_of_handing(t);
    tell_of_drops(t);
  }
  close_sinks(t);
  return NULL;
}

/* ---- making and ending ---- */

static void release(fn_tracker *t) {
  for (size_t i = 0; i < t->n_sinks; i++) t->sinks[i].sink.destroy(t->sinks[i].sink.self);
  fn_system_sampler_destroy(t->sampler);
  queue_deinit(&t->waiting);
  queue_deinit(&t->taken);
  pthread_cond_destroy(&t->wake);
  pthread_cond_destroy(&t->handed_out);
  pthread_mutex_destroy(&t->mutex);
  free(t);
}

/* Signals that ask for something are for the thread that trains. */
static fn_status start(fn_tracker *t, fn_err *err) {
  return fn_thread_start(&t->thread, work, t, "the thread that tracks", err);
}

fn_status fn_tracker_create(fn_tracker **tracker_out, const fn_tracker_options *o, fn_err *err) {
  fn_tracker *t = o->n_sinks <= MAX_SINKS ? fn_mem_calloc(1, sizeof *t) : NULL;
  if (!t) {
    for (size_t i = 0; i < o->n_sinks; i++) o->sinks[i].destroy(o->sinks[i].self);
    return fn_err_no_memory(err, "the tracker");
  }
  fn_cond_init(&t->wake);
  fn_cond_init(&t->handed_out);
  pthread_mutex_init(&t->mutex, NULL);
  fn_arena_init(&t->waiting.texts);
  fn_arena_init(&t->taken.texts);
  for (size_t i = 0; i < o->n_sinks; i++) t->sinks[i].sink = o->sinks[i];
  t->n_sinks = o->n_sinks;
  t->start_ms = o->run->start_ms;
  t->clock = fn_run_clock_make(o->run->start_ms);
  t->flush_ms = o->flush_ms;
  t->system_interval_ms = o->system_interval_ms > 0 ? o->system_interval_ms : 10000;
  t->max_queued_bytes = o->max_queued_bytes;
  t->note = o->note;
  t->note_arg = o->note_arg;
  fn_status status = FN_OK;
  if (o->system_metrics)
    status = fn_system_sampler_create(&t->sampler, o->run->folder && *o->run->folder ? o->run->folder : ".", err);
  if (status == FN_OK) status = start(t, err);
  if (status != FN_OK) {
    release(t);
    return status;
  }
  *tracker_out = t;
  return FN_OK;
}

void fn_tracker_finish(fn_tracker *t, fn_run_status status, int64_t timeout_ms) {
  if (!t) return;
  pthread_mutex_lock(&t->mutex);
  t->outcome = status;
  t->ending = true;
  t->deadline_ns = fn_clock_ns() + (uint64_t)timeout_ms * MS;
  pthread_cond_signal(&t->wake);
  pthread_mutex_unlock(&t->mutex);
  for (size_t i = 0; i < t->n_sinks; i++)
    if (t->sinks[i].sink.hurry) t->sinks[i].sink.hurry(t->sinks[i].sink.self, t->deadline_ns);
  pthread_join(t->thread, NULL);
  release(t);
}
