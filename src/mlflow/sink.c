#include "mlflow/sink.h"

#include "base/thread.h"
#include "mlflow/send.h"
#include "net/net.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>

/* Seconds between attempts: doubled from the first to the last (base/backoff.h). What a server asks
 * for (Retry-After) counts up to the bound. */
static const double FIRST_WAIT_S = 0.5, LAST_WAIT_S = 60, MAX_ASKED_WAIT_S = 600, TIMEOUT_S = 30;
/* How long a file may stand still on its way while other events wait. */
static const double STILL_S = 2, CLOSING_STILL_S = 0.5;
/* What is left of the wait at the end when somebody asks to stop. */
enum { INTERRUPTED_MS = 1000, LOOK_NS = 50 * 1000 * 1000 };

typedef struct mlflow_sink {
  fn_mlflow *mlflow;
  fn_journal *journal;
  fn_mlflow_sender *sender;
  bool (*interrupted)(void);
  char *model; /* the file that its model's directory is known by; NULL: none was told. Of the thread that logs */
  pthread_t thread;
  bool started;
  pthread_mutex_t mutex;
  pthread_cond_t wake, idle; /* the sender has work or is to end; it has nothing to do, or failed */
  /* under mutex */
  bool closing, stopping, failed;
  uint64_t deadline_ns;        /* of closing */
  bool hopeless;               /* at the end: what waits will not arrive by waiting longer */
  bool only_files;             /* failed: at files, the rest is there */
  uint64_t n_logged;           /* calls */
  uint64_t n_lasting_failures; /* at files in a row, while closing */
  uint64_t n_failures;         /* in a row */
  fn_err failure;              /* the latest */
} mlflow_sink;

/* ---- the thread that sends ---- */

static bool goes_on(void *arg) {
  mlflow_sink *s = arg;
  pthread_mutex_lock(&s->mutex);
  const bool stopping = s->stopping, closing = s->closing;
  pthread_mutex_unlock(&s->mutex);
  return !stopping && !fn_mlflow_sender_gives_way(s->sender, closing ? CLOSING_STILL_S : STILL_S);
}

static double wait_after(const mlflow_sink *s, uint64_t n_failures) {
  const double asked = fn_mlflow_last_failure(s->mlflow)->retry_after_s;
  return fn_mlflow_wait_s(FIRST_WAIT_S, LAST_WAIT_S, n_failures, fmin(asked, MAX_ASKED_WAIT_S));
}

/* Sleeps until woken to end, something comes that does not wait for the files that failed, or the time is over; with
 * the mutex held. `was_closing`: as it was when the attempt began, for the end may have begun during it. */
static void sleep_locked(mlflow_sink *s, double seconds, bool was_closing) {
  const uint64_t end = fn_clock_ns() + (uint64_t)(seconds * 1e9);
  const uint64_t n_logged = s->n_logged;
  while (!s->stopping && s->closing == was_closing && !(s->only_files && s->n_logged != n_logged) &&
         fn_clock_ns() < end) {
    fn_cond_wait_until(&s->wake, &s->mutex, end);
  }
}

static void note_failure(mlflow_sink *s, fn_status status, const fn_err *err) {
  s->failed = true;
  s->n_failures++;
  s->failure = *err;
  s->failure.status = status;
}

/* At the end: the server has moved for good, or asks for more time than is left. */
static bool is_too_late(const mlflow_sink *s, const fn_mlflow_sent *sent) {
  const uint64_t now = fn_clock_ns();
  const double left_s = s->deadline_ns > now ? (double)(s->deadline_ns - now) / 1e9 : 0;
  return sent->moved || sent->asked_s > left_s;
}

/* At the end: whether another attempt at once is of use, after a failure that time does not mend. Each file has one. */
static bool is_tried_again(mlflow_sink *s, const fn_mlflow_sent *sent) {
  if (sent->only_files && ++s->n_lasting_failures < fn_journal_n_unsent(s->journal)) return true;
  s->hopeless = true;
  return false;
}

static void after_failure(mlflow_sink *s, const fn_mlflow_sent *sent, bool was_closing) {
  const bool lasts = !sent->temporary || is_too_late(s, sent);
  if (was_closing && lasts && is_tried_again(s, sent)) {
    fn_mlflow_sender_hurry(s->sender);
    return;
  }
  pthread_cond_broadcast(&s->idle);
  sleep_locked(s, sent->only_files ? sent->wait_s : wait_after(s, s->n_failures), was_closing);
}

static void *send_all(void *arg) {
  mlflow_sink *s = arg;
  bool was_closing = false;
  pthread_mutex_lock(&s->mutex);
  while (!s->stopping) {
    if (s->closing && !was_closing) fn_mlflow_sender_hurry(s->sender);
    was_closing = s->closing;
    const uint64_t n_logged = s->n_logged;
    pthread_mutex_unlock(&s->mutex);
    fn_mlflow_sent sent;
    fn_err err = {0};
    const fn_status status = fn_mlflow_send_some(&sent, s->sender, &err);
    pthread_mutex_lock(&s->mutex);
    if (sent.n_events > 0 || sent.progress) s->n_failures = s->n_lasting_failures = 0;
    if (status == FN_OK && sent.more) continue;
    if (status != FN_OK) {
      s->only_files = sent.only_files;
      if (status != FN_E_CANCELLED) note_failure(s, status, &err);
      if (!s->stopping && !(sent.only_files && s->n_logged != n_logged)) after_failure(s, &sent, was_closing);
      continue;
    }
    s->failed = s->only_files = false;
    pthread_cond_broadcast(&s->idle);
    if (!s->stopping && fn_journal_n_unsent(s->journal) == 0) pthread_cond_wait(&s->wake, &s->mutex);
  }
  pthread_mutex_unlock(&s->mutex);
  return NULL;
}

/* ---- the sink ---- */

/* What the disk does not take now is held until it does. */
static void write_or_hold(mlflow_sink *s, const fn_track_event *events, size_t n, fn_status *status, fn_err *err) {
  if (*status == FN_OK) *status = fn_journal_append(s->journal, events, n, err);
  if (*status != FN_OK) fn_journal_hold(s->journal, events, n);
}

/* A tag that says how many points of metrics never came; before the last event. */
static void tell_left_out(mlflow_sink *s, fn_status *status, fn_err *err) {
  const uint64_t n = fn_journal_n_thinned(s->journal) + fn_journal_n_lost(s->journal);
  if (n == 0) return;
  char text[32];
  (void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
  const fn_track_event tag = {.kind = FN_TRACK_TAG, .key = "fakenews.mlflow.points_left_out", .value = text};
  write_or_hold(s, &tag, 1, status, err);
}

/* The model of a training that has come to its end is its run's logged model; before the last event. */
static void tell_model(mlflow_sink *s, const fn_track_event *last, fn_status *status, fn_err *err) {
  const fn_track_event model = {.kind = FN_TRACK_MODEL, .key = "model", .value = s->model};
  if (s->model && last->status == FN_RUN_FINISHED) write_or_hold(s, &model, 1, status, err);
}

static void see_model(mlflow_sink *s, const fn_track_event *e) {
  if (e->kind != FN_TRACK_ARTIFACT || strcmp(e->key, "model/config.json") != 0) return;
  free(s->model);
  s->model = fn_str_dup(fn_str_from(e->value)); /* memory is short: the model is files of the run alone */
}

/* Whether the server is told, or why not. */
static fn_status state(mlflow_sink *s, fn_err *err) {
  fn_status status = FN_OK;
  pthread_mutex_lock(&s->mutex);
  if (s->failed)
    status = fn_err_set(err, s->failure.status, "%s; the %s wait in the run's folder", s->failure.message,
                        s->only_files ? "files" : "events");
  pthread_mutex_unlock(&s->mutex);
  return status;
}

/* A file that stands elsewhere (the data's prepare.json) is copied into the run's folder: from there alone files are
 * sent, also later and from a folder that was moved. *copy_out: its path; NULL: it is in the folder already. */
static fn_status keep_file(char **copy_out, const mlflow_sink *s, const fn_track_event *e, fn_err *err) {
  const char *folder = fn_journal_folder(s->journal), *why = "";
  const size_t n = strlen(folder);
  if ((strncmp(e->value, folder, n) == 0 && e->value[n] == '/') || !fn_name_is_inside(fn_str_from(e->key), &why))
    return FN_OK;
  FN_AUTO_FREE char *files = fn_path_join(folder, "track/files");
  FN_AUTO_FREE char *copy = files ? fn_path_join(files, e->key) : NULL;
  FN_AUTO_FREE char *above = copy ? fn_str_dup(fn_str_make(copy, strlen(copy) - strlen(fn_path_base(copy)))) : NULL;
  if (!above) return fn_err_no_memory(err, "a path");
  fn_map map;
  FN_TRY(fn_dir_create(above, err));
  FN_TRY(fn_map_open(&map, e->value, err));
  const fn_status status = fn_file_write(copy, map.data, map.length, err);
  fn_map_close(&map);
  if (status == FN_OK) *copy_out = FN_STEAL(copy);
  return status;
}

/* The name that was given, and not that of the folder; now, for the folder may be moved before it is sent. */
static bool takes_name(fn_track_event *e, const mlflow_sink *s) {
  const char *name = fn_journal_head_of(s->journal)->name;
  if (e->kind != FN_TRACK_TAG || !*name || strcmp(e->key, "mlflow.runName") != 0 ||
      strcmp(e->value, fn_path_base(fn_journal_folder(s->journal))) != 0)
    return false;
  e->value = name;
  return true;
}

/* A file that cannot be copied is told as it is, and counted where it is sent. */
static fn_status append(mlflow_sink *s, const fn_track_event *events, size_t n, fn_err *err) {
  size_t from = 0;
  fn_status status = FN_OK;
  for (size_t i = 0; i < n; i++) {
    const bool is_last = events[i].kind == FN_TRACK_STATUS && events[i].status != FN_RUN_RUNNING;
    FN_AUTO_FREE char *copy = NULL;
    fn_track_event e = events[i];
    see_model(s, &e);
    const bool moved = e.kind == FN_TRACK_ARTIFACT && keep_file(&copy, s, &e, NULL) == FN_OK && copy;
    if (!is_last && !moved && !takes_name(&e, s)) continue;
    if (moved) e.value = copy;
    write_or_hold(s, events + from, i - from, &status, err);
    if (is_last) tell_left_out(s, &status, err);
    if (is_last) tell_model(s, &e, &status, err);
    write_or_hold(s, &e, 1, &status, err);
    from = i + 1;
  }
  write_or_hold(s, events + from, n - from, &status, err);
  return status;
}

static fn_status sink_log(void *self, const fn_track_event *events, size_t n, fn_err *err) {
  mlflow_sink *s = self;
  const fn_status status = append(s, events, n, err);
  pthread_mutex_lock(&s->mutex);
  s->n_logged += n > 0;
  pthread_cond_broadcast(&s->wake);
  pthread_mutex_unlock(&s->mutex);
  if (status == FN_OK) return state(s, err);
  return fn_err_prefix(err, status, "the run's folder takes no events, which are held in memory (%d MiB) until it does",
                       FN_JOURNAL_MAX_HELD >> 20);
}

static void wait_idle_locked(mlflow_sink *s, uint64_t deadline_ns) {
  bool interrupted = false;
  while (fn_journal_n_unsent(s->journal) > 0 && !s->hopeless && fn_clock_ns() < deadline_ns) {
    if (!interrupted && s->interrupted && s->interrupted()) {
      interrupted = true;
      const uint64_t soon = fn_clock_ns() + INTERRUPTED_MS * 1000000ull;
      if (soon < deadline_ns) deadline_ns = soon;
    }
    fn_cond_wait_until(&s->idle, &s->mutex, fn_clock_ns() + LOOK_NS); /* a signal does not wake it */
  }
}

/* What did not get there. */
static fn_status outcome(mlflow_sink *s, const fn_err *disk, fn_err *err) {
  const unsigned long long n = fn_journal_n_waiting(s->journal), thinned = fn_journal_n_thinned(s->journal),
                           lost = fn_journal_n_lost(s->journal) + fn_journal_n_held(s->journal);
  const long long rejected = (long long)fn_journal_remote_of(s->journal)->n_rejected;
  char left_out[400] = "";
  int used = 0;
  if (thinned > 0)
    used = snprintf(left_out, sizeof left_out, "; %llu points of metrics were left out (track.spool_mb)", thinned);
  if (lost > 0)
    (void)snprintf(left_out + used, sizeof left_out - (size_t)used,
                   "; %llu events are lost, for the run's folder did not take them%s%.200s%s", lost,
                   disk->message[0] ? " (" : "", disk->message, disk->message[0] ? ")" : "");
  if (n > 0)
    return fn_err_set(err, FN_E_IO, "%llu %s wait for %s (%.500s)%s; bring them there: fakenews runs sync %s", n,
                      s->only_files ? "files" : "events", fn_mlflow_uri(s->mlflow),
                      s->failed ? s->failure.message : "time was up", left_out, fn_journal_folder(s->journal));
  if (rejected > 0)
    return fn_err_set(err, FN_E_INVALID, "%s refuses %lld events: %.500s%s", fn_mlflow_uri(s->mlflow), rejected,
                      fn_mlflow_sender_rejection(s->sender), left_out);
  return thinned + lost > 0 ? fn_err_set(err, lost ? FN_E_IO : FN_E_LIMIT, "%s is not told of all%s",
                                         fn_mlflow_uri(s->mlflow), left_out)
                            : FN_OK;
}

static fn_status sink_close(void *self, uint64_t deadline_ns, fn_err *err) {
  mlflow_sink *s = self;
  fn_err disk = {0};
  (void)!fn_journal_append(s->journal, NULL, 0, &disk); /* what is held; its failure is told below */
  pthread_mutex_lock(&s->mutex);
  s->closing = true; /* an attempt at once, whatever it waits for */
  s->deadline_ns = deadline_ns;
  s->n_failures = 0;
  pthread_cond_broadcast(&s->wake);
  wait_idle_locked(s, deadline_ns);
  s->stopping = true;
  pthread_cond_broadcast(&s->wake);
  pthread_mutex_unlock(&s->mutex);
  if (s->started) pthread_join(s->thread, NULL);
  s->started = false;
  return outcome(s, &disk, err);
}

static void sink_destroy(void *self) {
  mlflow_sink *s = self;
  if (!s) return;
  if (s->started) {
    pthread_mutex_lock(&s->mutex);
    s->stopping = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
  }
  fn_mlflow_sender_destroy(s->sender);
  fn_journal_close(s->journal);
  fn_mlflow_close(s->mlflow);
  free(s->model);
  pthread_cond_destroy(&s->wake);
  pthread_cond_destroy(&s->idle);
  pthread_mutex_destroy(&s->mutex);
  free(s);
}

/* MLflow keeps every point: of steps after this one it may have two, and those told before now are of the past. */
static fn_status tell_resumed(mlflow_sink *s, int64_t step, fn_err *err) {
  char key[64], time[21];
  if (step < 0 || (!fn_journal_remote_of(s->journal)->run_id && fn_journal_n_waiting(s->journal) == 0)) return FN_OK;
  (void)snprintf(key, sizeof key, "fakenews.mlflow.resumed_from.%lld", (long long)step);
  fn_clock_format(time, fn_clock_unix_ms());
  const fn_track_event tag = {.kind = FN_TRACK_TAG, .key = key, .value = time};
  return fn_journal_append(s->journal, &tag, 1, err);
}

static fn_status start(mlflow_sink *s, const fn_mlflow_sink_options *options, fn_err *err) {
  fn_mlflow_options server = options->server;
  server.once = true;
  server.timeout_s = TIMEOUT_S;
  server.tick = goes_on;
  server.tick_arg = s;
  s->interrupted = options->interrupted;
  FN_TRY(fn_mlflow_open(&s->mlflow, &server, err));
  const fn_journal_options journal = {.folder = options->folder,
                                      .name = "mlflow",
                                      .run = options->run,
                                      .uri = fn_mlflow_uri(s->mlflow),
                                      .workspace = fn_mlflow_workspace(s->mlflow),
                                      .experiment_id = options->experiment_id,
                                      .run_id = options->run_id,
                                      .max_bytes = options->max_bytes};
  FN_TRY(fn_journal_open(&s->journal, &journal, err));
  FN_TRY(fn_mlflow_use_workspace(s->mlflow, fn_journal_head_of(s->journal)->workspace, err));
  const char *told = fn_journal_remote_of(s->journal)->status;
  const fn_track_event again = {.kind = FN_TRACK_STATUS, .status = FN_RUN_RUNNING, .time_ms = fn_clock_unix_ms()};
  if (*told && strcmp(told, fn_run_status_names[FN_RUN_RUNNING]) != 0) /* it had ended, and goes on */
    FN_TRY(fn_journal_append(s->journal, &again, 1, err));
  FN_TRY(tell_resumed(s, options->resume_step, err));
  FN_TRY(fn_mlflow_sender_create(&s->sender, s->mlflow, s->journal, NULL, err));
  FN_TRY(fn_thread_start(&s->thread, send_all, s, "a thread that sends to MLflow", err));
  s->started = true;
  return FN_OK;
}

fn_status fn_mlflow_sink_create(fn_sink *sink_out, const fn_mlflow_sink_options *options, fn_err *err) {
  mlflow_sink *s = fn_mem_calloc(1, sizeof *s);
  if (!s) return fn_err_no_memory(err, "a sink");
  pthread_mutex_init(&s->mutex, NULL);
  fn_cond_init(&s->wake);
  fn_cond_init(&s->idle);
  const fn_status status = start(s, options, err);
  if (status != FN_OK) {
    sink_destroy(s);
    return status;
  }
  *sink_out = (fn_sink){.name = "mlflow", .self = s, .log = sink_log, .close = sink_close, .destroy = sink_destroy};
  return FN_OK;
}
