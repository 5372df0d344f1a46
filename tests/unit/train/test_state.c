/* The training state survives its file exactly, and bad files are refused. */
#include "../test.h"
#include "train/record.h"
#include "train/state.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static char dir[] = "/tmp/fn-train-state-XXXXXX";

static int make_dir(void **state) {
  (void)state;
  return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state) {
  (void)state;
  return fn_dir_remove(dir, NULL) == FN_OK ? 0 : -1;
}

static char *in_dir(const char *name) {
  return fn_path_join(dir, name);
}

static fn_train_state example(void) {
  return (fn_train_state){
      .step = 120,
      .steps_per_epoch = 50,
      .seed = 2018,
      .best = {1.0 / 3, 100, 1},
      .log = {0.1 + 0.2, 1e-300, 20},
      .metrics_bytes = 4711,
      .evaluation_due = true,
      .identity = {"0.1.0 (abc)", "fast avx2, own GEMM", "0123", "4567"},
  };
}

static void write_text(const char *path, const char *text) {
  fn_err err = {0};
  assert_ok(fn_file_write(path, text, strlen(text), &err));
}

static void test_round_trip(void **state) {
  (void)state;
  fn_err err = {0};
  char *path = in_dir("state.json");
  fn_train_state s = example(), back;
  for (int infinite = 0; infinite < 2; infinite++) {
    if (infinite) s.best = (fn_best)FN_BEST_INIT;
    fn_buf text;
    fn_buf_init(&text, 0);
    fn_train_state_format(&text, &s);
    write_text(path, text.data);
    fn_buf_deinit(&text);
    assert_ok(fn_train_state_load(&back, path, &err));
    assert_true(back.best.loss == s.best.loss && back.log.loss == s.log.loss && back.log.weight == s.log.weight);
    assert_int_equal(back.best.step, s.best.step);
    assert_int_equal(back.best.n_since, s.best.n_since);
    assert_int_equal(back.step, 120);
    assert_int_equal(back.metrics_bytes, 4711);
    assert_int_equal(back.log.n_steps, 20);
    assert_true(back.evaluation_due && !back.stopped);
    assert_string_equal(back.identity.device, s.identity.device);
  }
  free(path);
}

static void test_bad_files(void **state) {
  (void)state;
  fn_err err = {0};
  char *path = in_dir("bad.json");
  fn_train_state s = example(), untouched = {.step = -5};
  fn_buf text;
  fn_buf_init(&text, 0);
  fn_train_state_format(&text, &s);
  static const struct {
    const char *from, *to;
  } changes[] = {
      {"\"step\": 120", "\"step\": 0"},         {"\"step\": 120", "\"step\": \"120\""},
      {"\"format\": 1", "\"format\": 2"},       {"\"seed\": 2018,", ""},
      {"\"identity\"", "\"identities\""},       {"\"best\"", "\"worst\""},
      {"\"build\": \"0.1.0", "\"build\": [\""}, {"4711", "-1"},
  };
  for (size_t i = 0; i < FN_COUNT_OF(changes); i++) {
    char *at = strstr(text.data, changes[i].from);
    assert_non_null(at);
    fn_buf changed;
    fn_buf_init(&changed, 0);
    fn_buf_append(&changed, text.data, (size_t)(at - text.data));
    fn_buf_append_str(&changed, changes[i].to);
    fn_buf_append_str(&changed, at + strlen(changes[i].from));
    write_text(path, changed.data);
    fn_buf_deinit(&changed);
    assert_status(fn_train_state_load(&untouched, path, &err), FN_E_INVALID);
    assert_contains(err.message, "bad.json");
    assert_int_equal(untouched.step, -5);
  }
  fn_buf_deinit(&text);
  free(path);
}

static void test_identity_names_what_differs(void **state) {
  (void)state;
  fn_err err = {0};
  fn_train_identity then = example().identity, now = then;
  assert_ok(fn_train_identity_check(&then, &now, "runs/x", &err));
  snprintf(now.build, sizeof now.build, "0.2.0 (def)");
  snprintf(now.data_hash, sizeof now.data_hash, "9999");
  assert_status(fn_train_identity_check(&then, &now, "runs/x", &err), FN_E_INVALID);
  assert_contains(err.message, "runs/x: cannot be resumed bit for bit");
  assert_contains(err.message, "build was \"0.1.0 (abc)\" and is \"0.2.0 (def)\"");
  assert_contains(err.message, "data was \"0123\" and is \"9999\"");
  assert_null(strstr(err.message, "device"));
}

static void test_record(void **state) {
  (void)state;
  fn_err err = {0};
  char *path = in_dir("run.json");
  for (int linear = 0; linear < 2; linear++) {
    fn_run_record r = {.identity = example().identity, .n_train = 70}, back = {0};
    snprintf(r.family, sizeof r.family, "%s", linear ? "linear" : "bert");
    r.data = fn_str_dup(fn_str_from("/data/\"news\""));
    if (!linear) r.init = fn_str_dup(fn_str_from("scratch"));
    fn_buf text;
    fn_buf_init(&text, 0);
    fn_run_record_format(&text, &r);
    write_text(path, text.data);
    fn_buf_deinit(&text);
    assert_ok(fn_run_record_load(&back, path, &err));
    assert_string_equal(back.data, r.data);
    if (linear)
      assert_null(back.init);
    else
      assert_string_equal(back.init, "scratch");
    assert_string_equal(back.identity.tokenizer_hash, "4567");
    fn_run_record_deinit(&r);
    fn_run_record_deinit(&back);
  }
  free(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_bad_files),
      cmocka_unit_test(test_identity_names_what_differs),
      cmocka_unit_test(test_record),
  };
  return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
