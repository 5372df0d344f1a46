/* The run folder: names, logs that are cut back, locks, what must be refused. */
#include "../test.h"
#include "train/checkpoint.h"
#include "train/run_dir.h"

#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/fn-train-run-XXXXXX";

static int make_root(void **state) {
  (void)state;
  return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state) {
  (void)state;
  return fn_dir_remove(root, NULL) == FN_OK ? 0 : -1;
}

static const fn_run_file record[] = {{"run.json", {"{}", 2}}};

static char *path_of(const char *name) {
  return fn_path_join(root, name);
}

static void test_names_follow_the_time(void **state) {
  (void)state;
  fn_err err = {0};
  fn_run_dir a = FN_RUN_DIR_INIT, b = FN_RUN_DIR_INIT;
  const int64_t when = 1795353637000; /* 2026-11-22T13:20:37Z */
  assert_ok(fn_run_dir_create(&a, NULL, root, "try", when, record, 1, &err));
  assert_ok(fn_run_dir_create(&b, NULL, root, "try", when, record, 1, &err));
  assert_string_equal(fn_path_base(a.path), "2026-11-22T13-20-37Z-try");
  assert_string_equal(fn_path_base(b.path), "2026-11-22T13-20-37Z-try-2");
  assert_ok(fn_run_dir_set_latest(&b, root, &err));
  char *latest = path_of("latest");
  char target[256] = {0};
  assert_true(readlink(latest, target, sizeof target - 1) > 0);
  assert_string_equal(target, "2026-11-22T13-20-37Z-try-2");
  free(latest);
  fn_run_dir_close(&a);
  fn_run_dir_close(&b);
  assert_ok(fn_run_dir_check(NULL, "fine", &err));
  const char *const bad[] = {"", "a/b", "a b", ".hidden", "tab\t"};
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) assert_status(fn_run_dir_check(NULL, bad[i], &err), FN_E_INVALID);
}

static void test_folder_must_be_new(void **state) {
  (void)state;
  fn_err err = {0};
  fn_run_dir run = FN_RUN_DIR_INIT, other = FN_RUN_DIR_INIT;
  char *path = path_of("given");
  assert_ok(fn_run_dir_create(&run, path, root, "x", 0, record, 1, &err));
  assert_status(fn_run_dir_check(path, "x", &err), FN_E_INVALID);
  assert_status(fn_run_dir_create(&other, path, root, "x", 0, record, 1, &err), FN_E_INVALID);
  assert_contains(err.message, "not empty");
  assert_status(fn_run_dir_open(&other, root, &err), FN_E_INVALID);
  assert_contains(err.message, "run.json");
  assert_status(fn_run_dir_open(&other, "/nonexistent/run", &err), FN_E_NOT_FOUND);
  fn_run_dir_close(&run);
  free(path);
}

static void test_metrics_are_cut_back(void **state) {
  (void)state;
  fn_err err = {0};
  fn_run_dir run = FN_RUN_DIR_INIT, again = FN_RUN_DIR_INIT;
  char *path = path_of("metrics"), *leftover = path_of("metrics/result.json.tmp-7");
  char *metrics = path_of("metrics/metrics.jsonl");
  assert_ok(fn_run_dir_create(&run, path, root, "x", 0, record, 1, &err));
  assert_ok(fn_file_write(leftover, "half", 4, &err));
  assert_ok(fn_run_dir_metric(&run, fn_str_from("{\"step\":1}"), &err));
  const int64_t at = run.metrics_bytes;
  assert_int_equal(at, 11);
  assert_ok(fn_run_dir_metric(&run, fn_str_from("{\"step\":2}"), &err));
  assert_ok(fn_run_dir_stamp(&run, "step", 2, &err));
  assert_status(fn_run_dir_open(&again, path, &err), FN_E_INVALID); /* still in use */
  assert_contains(err.message, "another process");
  fn_run_dir_close(&run);
  assert_ok(fn_run_dir_open(&again, path, &err));
  assert_false(fn_path_exists(leftover));
  assert_int_equal(again.metrics_bytes, 22);
  assert_status(fn_run_dir_cut(&again, 23, &err), FN_E_INVALID);
  assert_ok(fn_run_dir_cut(&again, at, &err));
  assert_ok(fn_run_dir_metric(&again, fn_str_from("{\"step\":3}"), &err));
  fn_run_dir_close(&again);
  fn_buf text;
  fn_buf_init(&text, 0);
  assert_ok(fn_file_read(&text, metrics, 1000, &err));
  assert_string_equal(text.data, "{\"step\":1}\n{\"step\":3}\n");
  fn_buf_deinit(&text);
  free(path);
  free(leftover);
  free(metrics);
}

static void make_step(const char *dir, int64_t step) {
  fn_err err = {0};
  char *path = fn_checkpoint_path(dir, step), *model = fn_path_join(path, "model");
  assert_ok(fn_dir_create(model, &err));
  free(path);
  free(model);
}

static bool has_step(const char *dir, int64_t step) {
  char *path = fn_checkpoint_path(dir, step);
  const bool there = fn_path_exists(path);
  free(path);
  return there;
}

static void test_prune_and_recover(void **state) {
  (void)state;
  fn_err err = {0};
  char *dir = path_of("checkpoints"), *last = path_of("checkpoints/last"), *half = path_of("checkpoints/writing-60");
  char *best = path_of("checkpoints/best");
  int64_t step = -1;
  assert_ok(fn_dir_create(dir, &err));
  assert_ok(fn_checkpoint_link_step(&step, dir, "last", &err));
  assert_int_equal(step, 0);
  for (int64_t s = 10; s <= 60; s += 10) make_step(dir, s);
  assert_ok(fn_checkpoint_prune(dir, 60, 20, 1, &err));
  assert_true(has_step(dir, 60) && has_step(dir, 20) && has_step(dir, 50));
  assert_false(has_step(dir, 10) || has_step(dir, 30) || has_step(dir, 40));
  /* As if the process had died after step-60 appeared and before `last` moved on from 50. */
  assert_ok(fn_dir_create(half, &err));
  assert_ok(fn_link_replace(last, "step-50", &err));
  assert_ok(fn_checkpoint_recover(dir, 50, 20, 1, &err));
  assert_false(has_step(dir, 60) || fn_path_exists(half));
  assert_true(has_step(dir, 50) && has_step(dir, 20));
  assert_ok(fn_checkpoint_link_step(&step, dir, "best", &err));
  assert_int_equal(step, 20);
  make_step(dir, 10); /* or before it removed what was too many */
  make_step(dir, 30);
  assert_ok(fn_checkpoint_recover(dir, 50, 20, 1, &err));
  assert_true(has_step(dir, 30));
  assert_false(has_step(dir, 10));
  assert_ok(fn_checkpoint_recover(dir, 50, 0, 0, &err)); /* no evaluation yet: no best */
  assert_false(fn_path_exists(best));
  assert_ok(fn_link_replace(last, "elsewhere", &err));
  assert_status(fn_checkpoint_link_step(&step, dir, "last", &err), FN_E_INVALID);
  free(dir);
  free(last);
  free(half);
  free(best);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names_follow_the_time),
      cmocka_unit_test(test_folder_must_be_new),
      cmocka_unit_test(test_metrics_are_cut_back),
      cmocka_unit_test(test_prune_and_recover),
  };
  return cmocka_run_group_tests(tests, make_root, remove_root);
}
