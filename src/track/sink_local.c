#include "track/sink_local.h"

#include "track/file_queue.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
  RETRY_MS = 3000,
  BUSY_MS = 2000,
  ANSWER_MS = 5000,
  LAST_MS = 1000,
  BEAT_MS = 30000,
  MAX_KEPT = 1 << 20,
  MAX_KEPT_BYTES = 64 << 20
};
#define MS 1000000ull

typedef struct local {
  fn_tracking_options store;
  fn_run_info run;
  int64_t resume_step;
  fn_arena texts;        /* of the options */
  fn_tracking *tracking; /* NULL: not open */
  fn_file_queue *files;
  _Atomic uint64_t deadline_ns; /* of statements; UINT64_MAX before the run has ended */
  bool hopeless;                /* what is there can never take this run */
  fn_err why;                   /* hopeless */
  uint64_t retry_ns, beat_ns;
  fn_track_event *kept; /* [n_kept] what could not be written yet */
  size_t n_kept, kept_capacity;
  fn_arena kept_texts;
  size_t n_lost; /* metrics beyond the bound */
} local;

/* ---- opening ---- */

/* Locks, space and broken connections pass. */
static bool may_pass(fn_status status) {
  return status == FN_E_IO || status == FN_E_NO_MEMORY;
}

static fn_status begin(local *s, fn_err *err) {
  FN_TRY(fn_tracking_run_begin(s->tracking, &s->run, err));
  if (s->resume_step >= 0) FN_TRY(fn_tracking_cut_metrics(s->tracking, s->run.id, s->resume_step, err));
  s->beat_ns = fn_clock_ns();
  return FN_OK;
}

static fn_status open_store(local *s, fn_err *err) {
  FN_TRY(fn_tracking_open(&s->tracking, &s->store, err));
  const fn_status status = begin(s, err);
  if (status == FN_OK) return FN_OK;
  fn_tracking_close(s->tracking);
  s->tracking = NULL;
  return status;
}

static fn_status be_open(local *s, fn_err *err) {
  if (s->tracking) return FN_OK;
  if (s->hopeless) return fn_err_set(err, s->why.status, "%s", s->why.message);
  const uint64_t now = fn_clock_ns();
  if (now < s->retry_ns) return fn_err_set(err, FN_E_IO, "%s", s->why.message);
  fn_err why = {0};
  const fn_status status = open_store(s, &why);
  if (status == FN_OK) return FN_OK;
  s->hopeless = !may_pass(status);
  s->retry_ns = fn_clock_ns() + RETRY_MS * MS;
  s->why = why;
  return fn_err_set(err, status, "%s", why.message);
}

/* ---- writing ---- */

/* Events of one kind, gathered until they are written together. */
typedef struct gathering {
  fn_track_pair *params, *tags;
  fn_metric_point *points;
  size_t n_params, n_tags, n_points;
} gathering;

/* A failure that does not pass loses what it met, and no more: the first is told. */
static fn_status put_up_with(fn_status status, fn_status *first, fn_err *why, const fn_err *met) {
  if (status == FN_OK) return FN_OK;
  if (*first == FN_OK) *first = status, *why = *met;
  return may_pass(status) ? status : FN_OK;
}

typedef fn_status (*pair_writer)(fn_tracking *tracking, const char *id, const fn_track_pair *pairs, size_t n,
                                 fn_err *err);

/* Together, or where one of them is refused one by one. Written twice they are the same. */
static fn_status write_pairs(const local *s, pair_writer write, const fn_track_pair *pairs, size_t *n, fn_err *err) {
  fn_status status = *n ? write(s->tracking, s->run.id, pairs, *n, err) : FN_OK;
  if (status != FN_OK && !may_pass(status) && *n > 1) {
    fn_status first = FN_OK;
    fn_err why = {0}, met = {0};
    for (size_t i = 0; i < *n; i++)
      if (put_up_with(write(s->tracking, s->run.id, &pairs[i], 1, &met), &first, &why, &met) != FN_OK) break;
    status = first == FN_OK ? FN_OK : fn_err_set(err, first, "%s", why.message);
  }
  if (!may_pass(status)) *n = 0;
  return status;
}

static fn_status write_points(const local *s, const fn_metric_point *points, size_t *n, fn_err *err) {
  fn_status status = *n ? fn_tracking_log_metrics(s->tracking, s->run.id, points, *n, err) : FN_OK;
  if (status != FN_OK && !may_pass(status) && *n > 1) {
    fn_status first = FN_OK;
    fn_err why = {0}, met = {0};
    for (size_t i = 0; i < *n; i++)
      if (put_up_with(fn_tracking_log_metrics(s->tracking, s->run.id, &points[i], 1, &met), &first, &why, &met) !=
          FN_OK)
        break;
    status = first == FN_OK ? FN_OK : fn_err_set(err, first, "%s", why.message);
  }
  if (!may_pass(status)) *n = 0;
  return status;
}

/* A failure that passes ends it: all of it comes again then. */
static fn_status write_gathered(const local *s, gathering *g, fn_err *err) {
  fn_status first = FN_OK;
  fn_err why = {0}, met = {0};
  fn_status status =
      put_up_with(write_pairs(s, fn_tracking_log_params, g->params, &g->n_params, &met), &first, &why, &met);
  if (status == FN_OK)
    status = put_up_with(write_pairs(s, fn_tracking_set_tags, g->tags, &g->n_tags, &met), &first, &why, &met);
  if (status == FN_OK) status = put_up_with(write_points(s, g->points, &g->n_points, &met), &first, &why, &met);
  if (status != FN_OK) return fn_err_set(err, status, "%s", met.message);
  return first == FN_OK ? FN_OK : fn_err_set(err, first, "%s", why.message);
}

static fn_status write_status(const local *s, const fn_track_event *e, fn_err *err) {
  return e->status == FN_RUN_RUNNING ? FN_OK : fn_tracking_run_end(s->tracking, s->run.id, e->status, e->time_ms, err);
}

static void gather(gathering *g, const fn_track_event *e) {
  const fn_track_pair pair = {e->key, e->value};
  if (e->kind == FN_TRACK_PARAM) g->params[g->n_params++] = pair;
  if (e->kind == FN_TRACK_TAG) g->tags[g->n_tags++] = pair;
  if (e->kind == FN_TRACK_METRIC) g->points[g->n_points++] = (fn_metric_point){e->key, e->number, e->step, e->time_ms};
}

/* Writes events up to the first that cannot be written now; *n_done of them need not come again. */
static fn_status write_events(size_t *n_done, local *s, const fn_track_event *events, size_t n, gathering *g,
                              fn_err *err) {
  fn_status first = FN_OK;
  fn_err why = {0}, met = {0};
  *n_done = 0;
  for (size_t i = 0; i <= n; i++) {
    if (i < n && events[i].kind != FN_TRACK_STATUS) {
      gather(g, &events[i]);
      continue;
    }
    if (put_up_with(write_gathered(s, g, &met), &first, &why, &met) != FN_OK) break;
    g->n_params = g->n_tags = g->n_points = 0;
    *n_done = i;
    if (i == n) break;
    if (put_up_with(write_status(s, &events[i], &met), &first, &why, &met) != FN_OK) break;
    *n_done = i + 1;
  }
  return first == FN_OK ? FN_OK : fn_err_set(err, first, "%s", why.message);
}

static fn_status write_all(size_t *n_done, local *s, const fn_track_event *events, size_t n, fn_err *err) {
  gathering g = {.params = fn_mem_alloc(n, sizeof *g.params),
                 .tags = fn_mem_alloc(n, sizeof *g.tags),
                 .points = fn_mem_alloc(n, sizeof *g.points)};
  *n_done = 0;
  const fn_status status = g.params && g.tags && g.points ? write_events(n_done, s, events, n, &g, err)
                                                          : fn_err_no_memory(err, "events of the run");
  free(g.params);
  free(g.tags);
  free(g.points);
  return status;
}

/* ---- keeping ---- */

static bool keep_one(local *s, const fn_track_event *e) {
  void *list = s->kept;
  fn_track_event copy = *e;
  if (fn_mem_grow(&list, &s->kept_capacity, s->n_kept + 1, sizeof *s->kept, MAX_KEPT, "events", NULL) != FN_OK)
    return false;
  s->kept = list;
  copy.key = e->key ? fn_arena_strndup(&s->kept_texts, e->key, strlen(e->key)) : NULL;
  copy.value = e->value ? fn_arena_strndup(&s->kept_texts, e->value, strlen(e->value)) : NULL;
  if ((e->key && !copy.key) || (e->value && !copy.value)) return false;
  s->kept[s->n_kept++] = copy;
  return true;
}

static void keep(local *s, const fn_track_event *events, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (events[i].kind == FN_TRACK_ARTIFACT) continue; /* `files` has it */
    const size_t bytes = s->kept_texts.used_bytes + s->n_kept * sizeof *s->kept;
    if ((events[i].kind == FN_TRACK_METRIC && bytes >= MAX_KEPT_BYTES) || !keep_one(s, &events[i])) s->n_lost++;
  }
}

/* What was kept comes first. */
static fn_status write_kept(local *s, fn_err *err) {
  size_t n_done = 0;
  if (s->n_kept == 0) return FN_OK;
  const fn_status status = write_all(&n_done, s, s->kept, s->n_kept, err);
  s->n_kept -= n_done;
  memmove(s->kept, s->kept + n_done, s->n_kept * sizeof *s->kept);
  if (s->n_kept == 0) {
    fn_arena_deinit(&s->kept_texts);
    fn_arena_init(&s->kept_texts);
  }
  return status;
}

/* A run of which the database says that it is interrupted, or that nobody has heard of for long. */
static fn_status beat(local *s, fn_err *err) {
  if (fn_clock_ns() - s->beat_ns < BEAT_MS * MS) return FN_OK;
  FN_TRY(fn_tracking_beat(s->tracking, s->run.id, err));
  s->beat_ns = fn_clock_ns();
  return FN_OK;
}

/* ---- files ---- */

static void hand_over_files(local *s, const fn_track_event *events, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (events[i].kind == FN_TRACK_ARTIFACT &&
        fn_file_queue_add(s->files, events[i].key, events[i].value, NULL) != FN_OK)
      s->n_lost++;
}

/* Names what is stored by now. */
static fn_status name_files(local *s, fn_err *err) {
  char owner[64];
  fn_artifact artifact;
  fn_status first = FN_OK;
  fn_err why = {0}, met = {0};
  snprintf(owner, sizeof owner, "run:%s", s->run.id);
  while (fn_file_queue_next(&artifact, s->files)) {
    if (put_up_with(fn_tracking_link(s->tracking, owner, artifact.path, &artifact, &met), &first, &why, &met) != FN_OK)
      break;
    fn_file_queue_named(s->files);
  }
  return first == FN_OK ? FN_OK : fn_err_set(err, first, "%s", why.message);
}

static fn_status log_events(void *self, const fn_track_event *events, size_t n, fn_err *err) {
  local *s = self;
  size_t n_done = 0;
  hand_over_files(s, events, n);
  fn_status status = be_open(s, err);
  if (s->hopeless) return status;
  if (status == FN_OK) status = write_kept(s, err);
  if (s->tracking && s->n_kept == 0 && n > 0) {
    fn_err met = {0};
    const fn_status written = write_all(&n_done, s, events, n, &met);
    if (status == FN_OK && written != FN_OK) status = fn_err_set(err, written, "%s", met.message);
  }
  keep(s, events + n_done, n - n_done);
  if (status == FN_OK) status = name_files(s, err);
  if (status == FN_OK) status = beat(s, err);
  return status;
}

/* What was measured and the status get a moment even when files get none. */
static void hurry(void *self, uint64_t deadline_ns) {
  local *s = self;
  const uint64_t least = fn_clock_ns() + LAST_MS * MS;
  atomic_store(&s->deadline_ns, deadline_ns > least ? deadline_ns : least);
  fn_file_queue_hurry(s->files, deadline_ns);
}

static bool goes_on(void *arg) {
  const local *s = arg;
  return fn_clock_ns() < atomic_load(&s->deadline_ns);
}

/* Waits for files as long as they may take. Their number that is missing, and why. */
static size_t close_files(local *s, fn_status status, fn_err *why) {
  size_t n = 0;
  fn_err met = {0}, failed = {0};
  for (int n_failed = may_pass(status) || !s->tracking ? 2 : 0; n_failed < 2 && fn_file_queue_wait(s->files);)
    n_failed = may_pass(name_files(s, &met)) ? n_failed + 1 : 0;
  if (fn_file_queue_settle(&n, &failed, s->files, &met) != FN_OK) failed = met;
  if (why->message[0]) return n;
  *why = failed.message[0] ? failed : met;
  if (n && !why->message[0]) snprintf(why->message, sizeof why->message, "the time for them was over");
  return n;
}

static fn_status close_sink(void *self, uint64_t deadline_ns, fn_err *err) {
  local *s = self;
  fn_err why = {0};
  fn_status status = FN_OK;
  s->retry_ns = 0;
  status = be_open(s, &why);
  if (status == FN_OK) status = write_kept(s, &why);
  fn_file_queue_hurry(s->files, s->tracking ? deadline_ns : 0);
  const size_t n_files = close_files(s, status, &why), n_rows = s->n_kept + s->n_lost;
  if (n_files + n_rows == 0) return FN_OK;
  return fn_err_set(err, FN_E_IO,
                    "%zu %sfiles of the run are not in the local store (%.300s); the run folder has them all%s",
                    n_files + n_rows, n_rows ? "parameters, metrics and " : "",
                    why.message[0] ? why.message : "they were too many to be held in memory",
                    n_files ? ", and `fakenews runs sync RUN` brings its files there" : "");
}

static void destroy(void *self) {
  local *s = self;
  fn_file_queue_destroy(s->files);
  fn_tracking_close(s->tracking);
  fn_arena_deinit(&s->texts);
  fn_arena_deinit(&s->kept_texts);
  free(s->kept);
  free(s);
}

static const char *copy(fn_arena *arena, const char *text) {
  return text ? fn_arena_strndup(arena, text, strlen(text)) : fn_arena_strndup(arena, "", 0);
}

/* Names and paths as databases take them. */
static const char *copy_clean(fn_arena *arena, const char *text) {
  if (!text || fn_utf8_valid(fn_str_from(text), NULL)) return copy(arena, text);
  FN_AUTO_BUF fn_buf clean;
  fn_buf_init(&clean, 0);
  fn_buf_append_utf8(&clean, fn_str_from(text));
  return clean.failed ? NULL : copy(arena, clean.data);
}

fn_status fn_local_sink_create(fn_sink *sink_out, const fn_local_sink_options *o, fn_err *err) {
  local *s = fn_mem_calloc(1, sizeof *s);
  if (!s) return fn_err_no_memory(err, "the local store of runs");
  fn_arena_init(&s->texts);
  fn_arena_init(&s->kept_texts);
  s->store = o->store;
  s->store.busy_ms = BUSY_MS;
  s->store.timeout_ms = ANSWER_MS;
  s->store.go_on = goes_on;
  s->store.go_on_arg = s;
  atomic_store(&s->deadline_ns, UINT64_MAX);
  s->store.url = copy(&s->texts, o->store.url);
  s->store.artifacts = copy(&s->texts, o->store.artifacts);
  s->run = *o->run;
  s->run.experiment_name = copy(&s->texts, o->run->experiment_name);
  s->run.name = copy_clean(&s->texts, o->run->name);
  s->run.user = copy_clean(&s->texts, o->run->user);
  s->run.folder = copy_clean(&s->texts, o->run->folder);
  s->resume_step = o->resume_step;
  if (!s->store.url || !s->store.artifacts || !s->run.experiment_name || !s->run.name || !s->run.user ||
      !s->run.folder) {
    destroy(s);
    return fn_err_no_memory(err, "the local store of runs");
  }
  const fn_file_queue_options files = {.artifacts = s->store.artifacts,
                                       .store = o->store.store,
                                       .folder = o->run->folder ? o->run->folder : "",
                                       .run = s->run.id};
  const fn_status status = fn_file_queue_create(&s->files, &files, err);
  if (status != FN_OK) {
    destroy(s);
    return status;
  }
  *sink_out =
      (fn_sink){.name = "local", .self = s, .log = log_events, .close = close_sink, .destroy = destroy, .hurry = hurry};
  return FN_OK;
}
