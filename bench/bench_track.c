/* What tracking costs a training: METRICS values a step, STEPS steps, into a new store in FOLDER.
 *   bench_track FOLDER [metrics] [steps] [step_us] [flush_ms]
 * step_us stands for the training: the thread sleeps so long between two steps. flush_ms 1 makes every step a commit of
 * its own, as when steps take longer than track.flush_ms. Prints the processor time of the thread that trains, and of
 * all threads, for a step and for all; then counts what is in the store. */
#include "bench.h"
#include "track/sink_local.h"

#include <sys/stat.h>
#include <time.h>

static double thread_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void note(void *arg, const char *sink, const char *text) {
  (void)arg;
  fprintf(stderr, "%s: %s\n", sink, text);
}

static fn_status count(void *arg, const fn_metric_point *point, fn_err *err) {
  (void)point;
  (void)err;
  ++*(int64_t *)arg;
  return FN_OK;
}

static int64_t number(int argc, char **argv, int i, int64_t otherwise) {
  int64_t n;
  return i < argc && fn_str_to_int64(&n, fn_str_from(argv[i])) && n > 0 ? n : otherwise;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  const int64_t metrics = number(argc, argv, 2, 1000), steps = number(argc, argv, 3, 10000);
  const int64_t step_us = number(argc, argv, 4, 6000), flush_ms = number(argc, argv, 5, 1);
  fn_err err = {0};
  char url[4000], files[4000];
  snprintf(url, sizeof url, "%s/tracking.db", argv[1]);
  snprintf(files, sizeof files, "%s/artifacts", argv[1]);
  check(fn_dir_create(argv[1], &err), &err);
  fn_run_info run = {.name = "bench", .user = "", .folder = "", .start_ms = fn_clock_unix_ms()};
  unsigned char random[16];
  check(fn_random_bytes(random, sizeof random, &err), &err);
  fn_run_id_make(run.id, random);
  const fn_local_sink_options local = {.store = {.url = url, .artifacts = files}, .run = &run, .resume_step = -1};
  fn_sink sink;
  fn_tracker *tracker = NULL;
  check(fn_local_sink_create(&sink, &local, &err), &err);
  const fn_tracker_options options = {.run = &run,
                                      .sinks = &sink,
                                      .n_sinks = 1,
                                      .flush_ms = flush_ms,
                                      .max_queued_bytes = (size_t)64 << 20,
                                      .system_metrics = true,
                                      .system_interval_ms = 10000,
                                      .note = note};
  check(fn_tracker_create(&tracker, &options, &err), &err);
  char(*keys)[48] = need(fn_mem_calloc((size_t)metrics, sizeof *keys));
  for (int64_t i = 0; i < metrics; i++) snprintf(keys[i], sizeof keys[i], "layer.%lld/weight_norm", (long long)i);
  double logging = 0;
  const uint64_t before = fn_clock_processor_ns(), begin = fn_clock_ns();
  for (int64_t s = 1; s <= steps; s++) {
    const double from = thread_seconds();
    const int64_t now = fn_clock_unix_ms();
    for (int64_t i = 0; i < metrics; i++) {
      const fn_track_event event = {
          .kind = FN_TRACK_METRIC, .key = keys[i], .number = 1.0 / (double)(s + i), .step = s, .time_ms = now};
      fn_tracker_log(tracker, &event);
    }
    logging += thread_seconds() - from;
    nanosleep(&(struct timespec){.tv_sec = step_us / 1000000, .tv_nsec = step_us % 1000000 * 1000}, NULL);
  }
  fn_tracker_finish(tracker, FN_RUN_FINISHED, 60000);
  const double total = (double)(fn_clock_processor_ns() - before) / 1e9;
  printf(
      "%lld metrics x %lld steps in %.1f s: %.1f us a step on the thread that trains (%.2f s in all), %.2f ms a step "
      "of all threads (%.1f s in all)\n",
      (long long)metrics, (long long)steps, (double)(fn_clock_ns() - begin) / 1e9, logging / (double)steps * 1e6,
      logging, total / (double)steps * 1e3, total);
  fn_tracking *store = NULL;
  const fn_tracking_options reading = {.url = url, .artifacts = files};
  int64_t points = 0;
  struct stat size;
  const uint64_t read_ns = fn_clock_ns();
  check(fn_tracking_open(&store, &reading, &err), &err);
  check(fn_tracking_history(store, run.id, keys[0], count, &points, &err), &err);
  fn_tracking_close(store);
  printf("store: %lld of %lld points of a metric, read in %.2f s; %.1f MB\n", (long long)points, (long long)steps,
         (double)(fn_clock_ns() - read_ns) / 1e9, stat(url, &size) == 0 ? (double)size.st_size / 1e6 : 0);
  free(keys);
  return points == steps ? 0 : 1;
}
