#include "track/sink_local.h"

#include "track/event_writer.h"
#include "track/file_queue.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { RETRY_MS = 3000, BUSY_MS = 2000, ANSWER_MS = 5000, LAST_MS = 1000, BEAT_MS = 30000 };
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
  bool begun;     /* the run, in the store, by this process */
  bool left_over; /* an earlier process left a journal */
  const char *place;
  uint64_t journal_bytes;
  fn_journal *journal; /* NULL: not needed yet */
  fn_err disk;         /* why something is not in the journal */
  size_t n_lost;       /* what is not even there */
  uint64_t locked_ns;  /* since when the store is locked; 0: it is not */
} local;

/* ---- opening ---- */

static fn_status begin(local *s, fn_err *err) {
  FN_TRY(fn_tracking_run_begin(s->tracking, &s->run, err));
  if (s->resume_step >= 0) FN_TRY(fn_tracking_cut_metrics(s->tracking, s->run.id, s->resume_step, err));
  s->beat_ns = fn_clock_ns();
  s->begun = true;
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
  s->hopeless = !fn_event_may_pass(status);
  s->retry_ns = fn_clock_ns() + RETRY_MS * MS;
  s->why = why;
  return fn_err_set(err, status, "%s", why.message);
}

/* ---- events that the store did not take ---- */

/* Opened when it is first needed: by events that the store does not take, or that an earlier process left. */
static fn_status open_journal(local *s, fn_err *err) {
  if (s->journal) return FN_OK;
  const fn_journal_options options = {.folder = s->run.folder,
                                      .name = FN_LOCAL_JOURNAL,
                                      .run = &s->run,
                                      .uri = s->place,
                                      .max_bytes = s->journal_bytes};
  if (!s->run.folder[0]) return fn_err_set(err, FN_E_NOT_FOUND, "the run has no folder for what is not stored");
  FN_TRY(fn_journal_open(&s->journal, &options, err));
  if (s->resume_step < 0 || (s->begun && fn_journal_n_waiting(s->journal) == 0)) return FN_OK;
  const fn_track_event resume = {
      .kind = FN_TRACK_RESUME, .step = s->resume_step, .time_ms = fn_clock_unix_ms(), .key = "", .value = ""};
  if (fn_journal_append(s->journal, &resume, 1, err) != FN_OK) fn_journal_hold(s->journal, &resume, 1);
  return FN_OK;
}

/* Artifacts are left to `files`. What fits nowhere is counted. */
static void keep(local *s, const fn_track_event *events, size_t n) {
  fn_err why = {0};
  for (size_t i = 0, to = 0; i < n; i = to + 1) {
    for (to = i; to < n && events[to].kind != FN_TRACK_ARTIFACT;) to++;
    if (to == i) continue;
    if (open_journal(s, &why) != FN_OK)
      s->n_lost += to - i;
    else if (fn_journal_append(s->journal, events + i, to - i, &why) != FN_OK)
      fn_journal_hold(s->journal, events + i, to - i);
  }
  if (why.message[0]) s->disk = why;
}

static size_t n_kept(const local *s) {
  return s->journal ? (size_t)(fn_journal_n_waiting(s->journal) + fn_journal_n_held(s->journal)) : 0;
}

/* What was kept comes first. */
static fn_status write_kept(local *s, fn_err *err) {
  uint64_t n = 0;
  fn_err why = {0};
  if (!s->journal && !s->left_over) return FN_OK;
  FN_TRY(open_journal(s, err));
  s->left_over = false;
  if (fn_journal_append(s->journal, NULL, 0, &why) != FN_OK) s->disk = why; /* what is held */
  return fn_event_replay(&n, s->tracking, &s->run, s->journal, err);
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
    if (fn_event_put_up_with(fn_tracking_link(s->tracking, owner, artifact.path, &artifact, &met), &first, &why,
                             &met) != FN_OK)
      break;
    fn_file_queue_named(s->files);
  }
  return first == FN_OK ? FN_OK : fn_err_set(err, first, "%s", why.message);
}

static fn_status take_events(local *s, const fn_track_event *events, size_t n, fn_err *err) {
  size_t n_done = 0;
  hand_over_files(s, events, n);
  fn_status status = be_open(s, err);
  if (status == FN_OK) status = write_kept(s, err);
  if (s->tracking && n_kept(s) == 0 && !s->left_over && n > 0) {
    fn_err met = {0};
    const fn_status written = fn_event_write(&n_done, s->tracking, s->run.id, events, n, &met);
    if (status == FN_OK && written != FN_OK) status = fn_err_set(err, written, "%s", met.message);
  }
  keep(s, events + n_done, n - n_done);
  if (status == FN_OK) status = name_files(s, err);
  if (status == FN_OK) status = beat(s, err);
  return status;
}

/* Another process that writes for a while is nothing to be told: the events are in the journal, and are written next.
 */
static bool is_locked(local *s, fn_status status, const fn_err *err) {
  enum { LOCKED_MS = 30000 };
  if (status != FN_E_IO || !strstr(err->message, "database is locked")) return s->locked_ns = 0, false;
  if (s->locked_ns == 0) s->locked_ns = fn_clock_ns();
  return fn_clock_ns() - s->locked_ns < LOCKED_MS * MS;
}

static fn_status log_events(void *self, const fn_track_event *events, size_t n, fn_err *err) {
  local *s = self;
  fn_err met = {0};
  const fn_status status = take_events(s, events, n, &met);
  if (is_locked(s, status, &met) || status == FN_OK) return FN_OK;
  return fn_err_set(err, status, "%s", met.message);
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
  for (int n_failed = fn_event_may_pass(status) || !s->tracking ? 2 : 0; n_failed < 2 && fn_file_queue_wait(s->files);)
    n_failed = fn_event_may_pass(name_files(s, &met)) ? n_failed + 1 : 0;
  if (fn_file_queue_settle(&n, &failed, s->files, &met) != FN_OK) failed = met;
  if (why->message[0]) return n;
  *why = failed.message[0] ? failed : met;
  if (n && !why->message[0]) snprintf(why->message, sizeof why->message, "the time for them was over");
  return n;
}

/* Of what went to the journal: held when its disk was full to the end, left out, lost. */
static size_t n_unkept(const local *s) {
  if (!s->journal) return 0;
  return fn_journal_n_held(s->journal) + fn_journal_n_lost(s->journal) + fn_journal_n_thinned(s->journal);
}

static fn_status close_sink(void *self, uint64_t deadline_ns, fn_err *err) {
  local *s = self;
  fn_err why = {0};
  fn_status status = FN_OK;
  s->retry_ns = 0;
  status = be_open(s, &why);
  if (status == FN_OK) status = write_kept(s, &why);
  fn_file_queue_hurry(s->files, s->tracking ? deadline_ns : 0);
  const size_t n_files = close_files(s, status, &why), n_rows = s->journal ? fn_journal_n_waiting(s->journal) : 0;
  const size_t n_lost = s->n_lost + n_unkept(s);
  if (s->journal && n_rows == 0) fn_journal_remove(s->journal);
  if (n_files + n_rows + n_lost == 0) return FN_OK;
  char lost[400] = "";
  if (n_lost)
    snprintf(lost, sizeof lost, "; %zu are lost (%.300s)", n_lost,
             s->disk.message[0] ? s->disk.message : "more than track.spool_mb waited");
  return fn_err_set(err, FN_E_IO,
                    "%zu %sfiles of the run are not in the local store (%.300s)%s; `fakenews runs sync RUN` brings "
                    "there what waits in the run folder",
                    n_files + n_rows, n_rows ? "parameters, metrics and " : "",
                    why.message[0] ? why.message : "it was away", lost);
}

static void destroy(void *self) {
  local *s = self;
  fn_file_queue_destroy(s->files);
  fn_tracking_close(s->tracking);
  fn_arena_deinit(&s->texts);
  fn_journal_close(s->journal);
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
  s->place = copy(&s->texts, o->place);
  s->journal_bytes = o->journal_bytes;
  s->left_over = s->run.folder && s->run.folder[0] && fn_journal_waits(s->run.folder, FN_LOCAL_JOURNAL);
  if (!s->place || !s->store.url || !s->store.artifacts || !s->run.experiment_name || !s->run.name || !s->run.user ||
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
