/* The tracker: events reach every sink in order, a sink that fails is told of once, nothing waits. */
#include "store.h"
#include "track/file_queue.h"
#include "track/journal.h"
#include "track/sink_local.h"
#include "track/system_metrics.h"

#include <math.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A sink that writes down what it is given. */
typedef struct notebook {
  fn_buf text;
  int n_logs, n_system, n_metrics;
  bool fails, closed, destroyed;
  pthread_mutex_t *gate; /* held: the sink waits; also of `text` */
} notebook;

static fn_status note_events(void *self, const fn_track_event *events, size_t n, fn_err *err) {
  notebook *b = self;
  if (b->gate) pthread_mutex_lock(b->gate);
  b->n_logs++;
  for (size_t i = 0; i < n; i++) {
    const fn_track_event *e = &events[i];
    b->n_metrics += e->kind == FN_TRACK_METRIC;
    if (e->kind == FN_TRACK_METRIC && strncmp(e->key, "system/", 7) == 0)
      b->n_system++;
    else if (e->kind == FN_TRACK_METRIC)
      fn_buf_printf(&b->text, "%s=%g@%d ", e->key, e->number, (int)e->step);
    else if (e->kind == FN_TRACK_STATUS)
      fn_buf_printf(&b->text, "%s ", fn_run_status_names[e->status]);
    else
      fn_buf_printf(&b->text, "%s=%s ", e->key, e->value);
  }
  if (b->gate) pthread_mutex_unlock(b->gate);
  return b->fails ? fn_err_set(err, FN_E_IO, "the pen is empty") : FN_OK;
}
static fn_status note_close(void *self, uint64_t deadline_ns, fn_err *err) {
  (void)deadline_ns;
  ((notebook *)self)->closed = true;
  return ((notebook *)self)->fails ? fn_err_set(err, FN_E_IO, "pages are missing") : FN_OK;
}
static void note_destroy(void *self) {
  ((notebook *)self)->destroyed = true;
}
static fn_sink sink_of(notebook *b) {
  fn_buf_init(&b->text, 0);
  return (fn_sink){"notebook", b, note_events, note_close, note_destroy, NULL};
}

static void take_note(void *arg, const char *sink, const char *text) {
  fn_buf_printf(arg, "%s: %s\n", sink, text);
}

static const fn_run_info run = {.id = ID_A, .name = "r", .user = "ann", .folder = "", .start_ms = 1};

static fn_tracker *start(const fn_sink *sinks, size_t n, fn_buf *notes, bool system) {
  fn_err err = {0};
  fn_tracker *tracker = NULL;
  const fn_tracker_options options = {.run = &run,
                                      .sinks = sinks,
                                      .n_sinks = n,
                                      .flush_ms = 5,
                                      .max_queued_bytes = 1 << 20,
                                      .system_metrics = system,
                                      .system_interval_ms = 20,
                                      .note = take_note,
                                      .note_arg = notes};
  fn_buf_init(notes, 0);
  assert_ok(fn_tracker_create(&tracker, &options, &err));
  return tracker;
}

static void log_metric(fn_tracker *tracker, const char *key, double value, int64_t step) {
  const fn_track_event event = {.kind = FN_TRACK_METRIC, .key = key, .number = value, .step = step, .time_ms = 5};
  fn_tracker_log(tracker, &event);
}

static void rest(int ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* Until the sink has so many: 60 s at most, on a machine that is busy. */
static void wait_for_metrics(notebook *b, int n) {
  for (int i = 0, seen = -1; i < 12000 && seen < n; i++) {
    if (i > 0) rest(5);
    pthread_mutex_lock(b->gate);
    seen = b->n_metrics;
    pthread_mutex_unlock(b->gate);
  }
}

static void test_order(void **state) {
  (void)state;
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  notebook a = {.gate = &gate}, b = {.gate = &gate};
  fn_buf notes;
  const fn_sink sinks[] = {sink_of(&a), sink_of(&b)};
  fn_tracker *tracker = start(sinks, 2, &notes, false);
  char key[] = "lr", value[] = "1";
  const fn_track_event param = {.kind = FN_TRACK_PARAM, .key = key, .value = value};
  fn_tracker_log(tracker, &param);
  key[0] = value[0] = 'x'; /* it was copied */
  for (int i = 0; i < 3; i++) {
    log_metric(tracker, "loss", i, i);
    wait_for_metrics(&b, i + 1);
  }
  fn_tracker_finish(tracker, FN_RUN_FINISHED, 60000);
  assert_string_equal(a.text.data, "lr=1 loss=0@0 loss=1@1 loss=2@2 FINISHED ");
  assert_string_equal(b.text.data, a.text.data);
  assert_true(a.closed && a.destroyed && b.closed && b.destroyed && a.n_logs > 1);
  assert_int_equal(notes.length, 0);
  fn_buf_deinit(&a.text);
  fn_buf_deinit(&b.text);
}

static void test_failing_sink_is_told_of_once(void **state) {
  (void)state;
  notebook bad = {.fails = true}, good = {.fails = false};
  fn_buf notes;
  const fn_sink sinks[] = {sink_of(&bad), sink_of(&good)};
  fn_tracker *tracker = start(sinks, 2, &notes, false);
  for (int i = 0; i < 3; i++) {
    log_metric(tracker, "loss", i, i);
    rest(12);
  }
  fn_tracker_finish(tracker, FN_RUN_FAILED, 60000);
  assert_string_equal(notes.data, "notebook: the pen is empty\nnotebook: pages are missing\n");
  assert_string_equal(good.text.data, "loss=0@0 loss=1@1 loss=2@2 FAILED ");
  fn_buf_deinit(&notes);
  fn_buf_deinit(&bad.text);
  fn_buf_deinit(&good.text);
}

/* A sink that hangs holds up nobody; what does not fit is counted. */
static void test_slow_sink(void **state) {
  (void)state;
  enum { N = 40000 };
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  notebook slow = {.gate = &gate};
  fn_buf notes;
  const fn_sink sink = sink_of(&slow);
  pthread_mutex_lock(&gate);
  fn_tracker *tracker = start(&sink, 1, &notes, false);
  log_metric(tracker, "first", 1, 0);
  rest(30); /* the sink has it, and waits */
  const uint64_t begin = fn_clock_ns();
  for (int i = 0; i < N; i++) log_metric(tracker, "loss", i, i);
  const fn_track_event tag = {.kind = FN_TRACK_TAG, .key = "kept", .value = "whatever"};
  fn_tracker_log(tracker, &tag);
  assert_true(fn_clock_ns() - begin < 60000000000ull); /* the sink would wait for ever */
  pthread_mutex_unlock(&gate);
  fn_tracker_finish(tracker, FN_RUN_FINISHED, 60000);
  assert_contains(slow.text.data, "kept=whatever ");
  assert_contains(notes.data, "metrics were left out: they came faster than they could be written (track.queue_mb)");
  size_t n = 0;
  for (const char *at = slow.text.data; (at = strstr(at, "loss=")); at++) n++;
  char expected[32];
  snprintf(expected, sizeof expected, "tracker: %zu metrics", (size_t)N - n);
  assert_true(n > 0 && n < N);
  assert_contains(notes.data, expected);
  fn_buf_deinit(&notes);
  fn_buf_deinit(&slow.text);
}

/* A queue that fills is emptied before it is full, however long events may wait. */
static void test_full_queue_is_emptied(void **state) {
  (void)state;
  fn_err err = {0};
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  notebook book = {.gate = &gate};
  fn_buf notes;
  const fn_sink sink = sink_of(&book);
  fn_tracker *tracker = NULL;
  const fn_tracker_options options = {.run = &run,
                                      .sinks = &sink,
                                      .n_sinks = 1,
                                      .flush_ms = 600000,
                                      .max_queued_bytes = 1 << 16,
                                      .note = take_note,
                                      .note_arg = &notes};
  fn_buf_init(&notes, 0);
  assert_ok(fn_tracker_create(&tracker, &options, &err));
  for (int i = 0; i < 2000; i++) {
    log_metric(tracker, "loss", i, i);
    if (i % 100 == 0) wait_for_metrics(&book, i - 600); /* 537 fill half of it, 1,074 all */
  }
  fn_tracker_finish(tracker, FN_RUN_FINISHED, 60000);
  assert_int_equal(notes.length, 0);
  assert_contains(book.text.data, "loss=1999@1999");
  fn_buf_deinit(&notes);
  fn_buf_deinit(&book.text);
}

typedef struct writer {
  fn_tracker *tracker;
  int number;
} writer;

static void *write_some(void *arg) {
  const writer *w = arg;
  char key[16];
  snprintf(key, sizeof key, "thread%d", w->number);
  for (int i = 0; i < 500; i++) log_metric(w->tracker, key, i, i);
  return NULL;
}

static void test_many_threads(void **state) {
  (void)state;
  enum { THREADS = 4 };
  notebook b = {.n_logs = 0};
  fn_buf notes;
  const fn_sink sink = sink_of(&b);
  fn_tracker *tracker = start(&sink, 1, &notes, true);
  pthread_t threads[THREADS];
  writer writers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    writers[i] = (writer){tracker, i};
    assert_int_equal(pthread_create(&threads[i], NULL, write_some, &writers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  fn_tracker_finish(tracker, FN_RUN_FINISHED, 60000);
  for (int i = 0; i < THREADS; i++) {
    char last[32];
    snprintf(last, sizeof last, "thread%d=499@499 ", i);
    assert_contains(b.text.data, last);
  }
  assert_true(b.n_system >= 8); /* two looks at least */
  fn_buf_deinit(&b.text);
}

static bool has(const fn_system_metric *metrics, size_t n, const char *key, double low, double high) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(metrics[i].key, key) == 0) return metrics[i].value >= low && metrics[i].value <= high;
  return false;
}

static void test_system_metrics(void **state) {
  (void)state;
  fn_err err = {0};
  fn_system_sampler *sampler = NULL;
  fn_system_metric metrics[FN_SYSTEM_MAX_METRICS];
  assert_ok(fn_system_sampler_create(&sampler, "/tmp", &err));
  size_t n = fn_system_sampler_look(metrics, sampler);
  assert_false(has(metrics, n, "system/cpu_utilization_percentage", 0, 100));
  const clock_t end = clock() + CLOCKS_PER_SEC * 6 / 100;
  while (clock() < end) continue; /* the processor is used, however many others want it */
  n = fn_system_sampler_look(metrics, sampler);
  assert_true(has(metrics, n, "system/cpu_utilization_percentage", 0, 100));
  assert_true(has(metrics, n, "system/process_cpu_utilization_percentage", 0.01, 150));
  assert_true(has(metrics, n, "system/system_memory_usage_percentage", 0.1, 100));
  assert_true(has(metrics, n, "system/process_memory_usage_megabytes", 0.5, 1e5));
  assert_true(has(metrics, n, "system/disk_usage_percentage", 0, 100));
  assert_true(has(metrics, n, "system/network_receive_megabytes", 0, 1e9));
  fn_system_sampler_destroy(sampler);
}

/* ---- the local sink ---- */

static fn_sink local_sink_in(const char *folder, int64_t resume_step) {
  fn_err err = {0};
  fn_sink sink;
  fn_run_info in_folder = run;
  in_folder.folder = folder;
  const fn_local_sink_options options = {.store = {.url = store_url, .artifacts = store_files},
                                         .run = &in_folder,
                                         .resume_step = resume_step,
                                         .journal_bytes = 1 << 20};
  assert_ok(fn_local_sink_create(&sink, &options, &err));
  return sink;
}

static fn_sink local_sink(void) {
  return local_sink_in("", -1);
}

static fn_status count_points(void *arg, const fn_metric_point *point, fn_err *err) {
  (void)err;
  (void)point;
  ++*(int *)arg;
  return FN_OK;
}

static fn_status add_step(void *arg, const fn_metric_point *point, fn_err *err) {
  char *text = arg;
  (void)err;
  snprintf(text + strlen(text), 20, "%lld,", (long long)point->step);
  return FN_OK;
}

static fn_status take_status(void *arg, const fn_run_view *view, fn_err *err) {
  (void)err;
  *(fn_run_status *)arg = view->info.status;
  return FN_OK;
}

static void test_local_sink(void **state) {
  (void)state;
  fn_err err = {0};
  fn_buf notes;
  const fn_sink sink = local_sink();
  fn_tracker *tracker = start(&sink, 1, &notes, false);
  for (int i = 0; i < 300; i++) log_metric(tracker, i % 2 ? "loss" : "accuracy", i, i / 2);
  fn_tracker_finish(tracker, FN_RUN_FINISHED, 60000);
  assert_int_equal(notes.length, 0);
  fn_tracking *t = store_open(false);
  int n = 0;
  fn_run_status status = FN_RUN_RUNNING;
  assert_ok(fn_tracking_history(t, ID_A, NULL, count_points, &n, &err));
  assert_int_equal(n, 300);
  assert_ok(fn_tracking_get_run(t, ID_A, take_status, &status, &err));
  assert_int_equal(status, FN_RUN_FINISHED);
  fn_tracking_close(t);
}

static fn_status count_pairs(void *arg, const fn_run_view *view, fn_err *err) {
  (void)err;
  size_t *n = arg;
  n[0] = view->n_params, n[1] = view->n_tags, n[2] = view->n_metrics;
  return FN_OK;
}

/* A value that is refused takes none of its neighbours with it. */
static void test_refused_values(void **state) {
  (void)state;
  fn_err err = {0};
  const fn_sink sink = local_sink();
  const fn_track_event events[] = {
      {.kind = FN_TRACK_PARAM, .key = "a", .value = "1"},   {.kind = FN_TRACK_PARAM, .key = "b?", .value = "1"},
      {.kind = FN_TRACK_PARAM, .key = "a", .value = "2"},   {.kind = FN_TRACK_PARAM, .key = "c", .value = "3"},
      {.kind = FN_TRACK_TAG, .key = "who?", .value = "x"},  {.kind = FN_TRACK_TAG, .key = "team", .value = "desk"},
      {.kind = FN_TRACK_METRIC, .key = "loss", .step = 1},  {.kind = FN_TRACK_METRIC, .key = "l?", .step = 1},
      {.kind = FN_TRACK_METRIC, .key = "other", .step = 1},
  };
  size_t n[3] = {0};
  assert_status(sink.log(sink.self, events, FN_COUNT_OF(events), &err), FN_E_INVALID);
  assert_contains(err.message, "b?");
  assert_ok(sink.close(sink.self, 0, &err));
  fn_tracking *t = store_open(false);
  assert_ok(fn_tracking_get_run(t, ID_A, count_pairs, n, &err));
  assert_int_equal(n[0], 2);
  assert_int_equal(n[1], 1);
  assert_int_equal(n[2], 2);
  fn_tracking_close(t);
  sink.destroy(sink.self);
}

static void log_point(const fn_sink *sink, int64_t step, fn_status expected) {
  fn_err err = {0};
  const fn_track_event event = {.kind = FN_TRACK_METRIC, .key = "loss", .number = 1, .step = step, .time_ms = 5 + step};
  assert_status(sink->log(sink->self, &event, 1, &err), expected);
}

static void log_end(const fn_sink *sink) {
  const fn_track_event event = {.kind = FN_TRACK_STATUS, .status = FN_RUN_FINISHED, .time_ms = 90};
  const fn_status status = sink->log(sink->self, &event, 1, NULL);
  (void)status;
}

/* "1,2,3;FINISHED": steps of the run in the store, its status. */
static void assert_stored(const char *expected) {
  fn_err err = {0};
  fn_run_status status = FN_RUN_RUNNING;
  char text[200] = "";
  fn_tracking *t = store_open(false);
  assert_ok(fn_tracking_history(t, ID_A, NULL, add_step, text, &err));
  assert_ok(fn_tracking_get_run(t, ID_A, take_status, &status, &err));
  snprintf(text + strlen(text), sizeof text - strlen(text), ";%s", fn_run_status_names[status]);
  fn_tracking_close(t);
  assert_string_equal(text, expected);
}

/* The store is away at first: what came meanwhile stands on disk, and is written when the store is there. */
static void test_local_sink_waits_for_its_store(void **state) {
  (void)state;
  if (!store_is_sqlite()) return; /* another test of that: tests/cli/test_track_faults.py */
  fn_err err = {0};
  char folder[128], run_folder[128];
  snprintf(run_folder, sizeof run_folder, "%s/run", store_folder);
  snprintf(folder, sizeof folder, "%s/runs", store_folder);
  const fn_sink sink = local_sink_in(run_folder, -1);
  assert_ok(fn_file_write(folder, "", 0, &err)); /* a file where the folder belongs */
  log_point(&sink, 1, FN_E_IO);
  assert_true(fn_journal_waits(run_folder, "local"));
  log_point(&sink, 2, FN_E_IO); /* it is not tried again at once */
  log_end(&sink);
  assert_ok(fn_dir_remove(folder, &err));
  assert_ok(sink.close(sink.self, 0, &err));
  sink.destroy(sink.self);
  assert_false(fn_journal_waits(run_folder, "local"));
  assert_stored("1,2,;FINISHED");
}

/* What one process left is written by the one that resumes the run, and what is trained anew is not there twice. */
static void test_local_sink_takes_over(void **state) {
  (void)state;
  if (!store_is_sqlite()) return;
  fn_err err = {0};
  char folder[128], run_folder[128];
  snprintf(run_folder, sizeof run_folder, "%s/run", store_folder);
  snprintf(folder, sizeof folder, "%s/runs", store_folder);
  fn_sink sink = local_sink_in(run_folder, -1);
  assert_ok(fn_file_write(folder, "", 0, &err));
  for (int step = 1; step <= 4; step++) log_point(&sink, step, FN_E_IO);
  log_end(&sink);
  assert_status(sink.close(sink.self, 0, &err), FN_E_IO);
  assert_non_null(strstr(err.message, "runs sync"));
  sink.destroy(sink.self);

  sink = local_sink_in(run_folder, 2); /* still away */
  log_point(&sink, 3, FN_E_IO);
  sink.destroy(sink.self); /* killed */

  sink = local_sink_in(run_folder, 3);
  assert_ok(fn_dir_remove(folder, &err));
  log_point(&sink, 4, FN_OK);
  log_point(&sink, 5, FN_OK);
  log_end(&sink);
  assert_ok(sink.close(sink.self, 0, &err));
  sink.destroy(sink.self);
  assert_false(fn_journal_waits(run_folder, "local"));
  assert_stored("1,2,3,4,5,;FINISHED");
}

static void write_file(const char *name, const char *text) {
  fn_err err = {0};
  char path[200];
  snprintf(path, sizeof path, "%s/%s", store_folder, name);
  assert_ok(fn_file_write(path, text, strlen(text), &err));
}

/* Of a file that waits and is changed meanwhile the run's bytes are gone: it is left out, unless it is told of again.
 */
static void test_changed_before_stored(void **state) {
  (void)state;
  fn_err err = {0}, why = {0};
  char path[200], other[200], in_the_way[208];
  size_t n_missing = 9;
  fn_file_queue *queue = NULL;
  fn_artifact artifact;
  fn_tracking_close(store_open(false));
  write_file("a", "abc");
  write_file("blocked", "");
  snprintf(path, sizeof path, "%s/a", store_folder);
  snprintf(other, sizeof other, "%s/blocked", store_folder);
  snprintf(in_the_way, sizeof in_the_way, "%s/x", other);
  fn_file_queue_options options = {.artifacts = in_the_way, .folder = store_folder, .run = ID_A};
  for (int again = 0; again < 2; again++) {
    options.artifacts = in_the_way;
    assert_ok(fn_file_queue_create(&queue, &options, &err));
    assert_ok(fn_file_queue_add(queue, "a", path, &err));
    assert_false(fn_file_queue_wait(queue));
    assert_ok(fn_file_queue_settle(&n_missing, &why, queue, &err));
    assert_int_equal(n_missing, 1);
    fn_file_queue_destroy(queue);
    write_file("a", again ? "third" : "second");

    options.artifacts = store_files;
    assert_ok(fn_file_queue_create(&queue, &options, &err));
    assert_ok(fn_file_queue_add(queue, again ? "a" : "b", again ? path : other, &err));
    assert_true(fn_file_queue_wait(queue));
    assert_true(fn_file_queue_next(&artifact, queue));
    assert_string_equal(artifact.path, again ? "a" : "b");
    fn_file_queue_named(queue);
    assert_false(fn_file_queue_wait(queue));
    assert_ok(fn_file_queue_settle(&n_missing, &why, queue, &err));
    assert_int_equal(n_missing, !again);
    assert_int_equal(strstr(why.message, "was changed since") != NULL, !again);
    assert_false(fn_file_listing_exists(store_folder));
    fn_file_queue_destroy(queue);
  }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_begin, store_end)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_failing_sink_is_told_of_once),
      cmocka_unit_test(test_slow_sink),
      cmocka_unit_test(test_full_queue_is_emptied),
      cmocka_unit_test(test_many_threads),
      cmocka_unit_test(test_system_metrics),
      TEST(test_local_sink),
      TEST(test_refused_values),
      TEST(test_local_sink_waits_for_its_store),
      TEST(test_local_sink_takes_over),
      TEST(test_changed_before_stored),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
