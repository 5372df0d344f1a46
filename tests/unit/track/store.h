/* A store of runs for a test: SQLite in a folder of its own, or the PostgreSQL of FN_TEST_POSTGRESQL
 * (tests/cli/test_runs.py sets it). */
#ifndef FN_TESTS_UNIT_TRACK_STORE_H
#define FN_TESTS_UNIT_TRACK_STORE_H

#include "../test.h"
#include "track/track.h"

#define ID_A "aaaa000000000000000000000000000a"
#define ID_B "bbbb000000000000000000000000000b"
#define ID_C "cccc000000000000000000000000000c"

static char store_folder[64], store_url[400], store_files[128];

static inline fn_tracking *store_open(bool read_only) {
  fn_err err = {0};
  fn_tracking *tracking = NULL;
  const fn_tracking_options options = {.url = store_url, .artifacts = store_files, .read_only = read_only};
  assert_ok(fn_tracking_open(&tracking, &options, &err));
  return tracking;
}

static inline bool store_is_sqlite(void) {
  return !getenv("FN_TEST_POSTGRESQL");
}

/* An empty store. */
static inline int store_begin(void **state) {
  (void)state;
  fn_err err = {0};
  const char *postgresql = getenv("FN_TEST_POSTGRESQL");
  snprintf(store_folder, sizeof store_folder, "/tmp/fn-test-track-XXXXXX");
  if (!mkdtemp(store_folder)) return 1;
  snprintf(store_files, sizeof store_files, "%s/artifacts", store_folder);
  snprintf(store_url, sizeof store_url, "%s%s", postgresql ? postgresql : store_folder,
           postgresql ? "" : "/runs/tracking.db");
  if (!postgresql) return 0;
  static const char *const drop[] = {
      "DROP TABLE IF EXISTS experiments, runs, params, tags, metrics, metric_keys, metric_steps, artifacts, places",
      "DROP TABLE IF EXISTS schema_version"};
  fn_sql *sql = NULL;
  if (fn_sql_open(&sql, store_url, NULL, &err) != FN_OK) return 1;
  for (size_t i = 0; i < FN_COUNT_OF(drop); i++) assert_ok(fn_sql_run(sql, drop[i], NULL, 0, NULL, &err));
  fn_sql_close(sql);
  return 0;
}

static inline int store_end(void **state) {
  (void)state;
  return fn_dir_remove(store_folder, NULL) == FN_OK ? 0 : 1;
}

static inline void store_add(fn_tracking *tracking, const char *id, const char *name, int64_t start_ms) {
  fn_err err = {0};
  fn_run_info info = {.name = name, .user = "ann", .folder = "", .start_ms = start_ms};
  memcpy(info.id, id, FN_RUN_ID_LENGTH);
  assert_ok(fn_tracking_run_begin(tracking, &info, &err));
}

static inline void store_metric(fn_tracking *tracking, const char *id, const char *key, double value, int64_t step) {
  fn_err err = {0};
  const fn_metric_point point = {key, value, step, 1000 + step};
  assert_ok(fn_tracking_log_metrics(tracking, id, &point, 1, &err));
}

#endif
