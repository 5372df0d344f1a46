/* fn_train as a library: what it reports, being stopped by its sink, and memory that runs out at any point. */
#include "../data/rows.h"
#include "../failing.h"
#include "linear/options.h"
#include "model/options.h"
#include "tensor/options.h"
#include "train/train.h"

static const fn_option_table *const tables[] = {&fn_data_option_table, &fn_model_option_table, &fn_train_option_table,
                                                &fn_linear_option_table, &fn_tensor_option_table};

/* What every test works on: a folder in memory with a small dataset, and settings of a small model. */
typedef struct bench {
  char dir[64], data[256], run[256];
  fn_config *config;
} bench;

static bench fixture;

static void write_rows(const char *dir) {
  static const size_t counts[FN_SPLIT_COUNT] = {20, 8, 6};
  fn_err err = {0};
  fn_dataset_writer *writer = NULL;
  made_row made;
  assert_ok(fn_dir_create(dir, &err));
  assert_ok(fn_dataset_writer_create(&writer, dir, &err));
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (size_t i = 0; i < counts[s]; i++) {
      make_row(&made, 40 + (uint64_t)s, i);
      assert_ok(fn_dataset_writer_append(writer, (fn_split)s, &made.row, &err));
    }
  assert_ok(fn_dataset_writer_finish(writer, NULL, &err));
  fn_dataset_writer_destroy(writer);
}

static int set_up(void **state) {
  (void)state;
  static const char *const settings[] = {
      "model.hidden_size=8",
      "model.num_hidden_layers=1",
      "model.num_attention_heads=2",
      "model.vocab_size=120",
      "model.max_position_embeddings=16",
      "model.intermediate_size=8",
      "train.max_tokens=16",
      "train.batch_size=8",
      "train.epochs=2",
      "train.save_every=2",
      "device.threads=1",
      "linear.hash_bits=10",
      "linear.c_grid=[1]",
  };
  fn_err err = {0};
  strcpy(fixture.dir, "/dev/shm/fn-train-XXXXXX");
  if (!mkdtemp(fixture.dir)) make_folder(fixture.dir);
  in_folder(fixture.data, fixture.dir, "data");
  in_folder(fixture.run, fixture.dir, "run");
  write_rows(fixture.data);
  assert_ok(fn_config_create(&fixture.config, tables, FN_COUNT_OF(tables), NULL, &err));
  for (size_t i = 0; i < FN_COUNT_OF(settings); i++) assert_ok(fn_config_override(fixture.config, settings[i], &err));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  fn_config_destroy(fixture.config);
  remove_folder(fixture.dir);
  return 0;
}

static fn_train_job make_job(const char *init, fn_train_sink sink) {
  return (fn_train_job){.config = fixture.config,
                        .tables = tables,
                        .n_tables = FN_COUNT_OF(tables),
                        .data = fixture.data,
                        .init = init,
                        .out = fixture.run,
                        .runs = fixture.dir,
                        .build = "unit test",
                        .sink = sink};
}

/* What a sink has seen. */
typedef struct seen {
  size_t counts[FN_TRAIN_DONE + 1];
  int64_t step;       /* of the latest step event */
  int64_t stop_after; /* asks to stop after this step; 0: never */
  bool done_last;
  char splits[64]; /* of evaluations with metrics */
} seen;

static bool watch(void *arg, const fn_train_event *e) {
  seen *s = arg;
  s->counts[e->kind]++;
  s->done_last = e->kind == FN_TRAIN_DONE;
  if (e->kind == FN_TRAIN_STEP) {
    assert_int_equal(e->step, s->step + 1);
    assert_true(e->n_steps == 6 && e->n_epochs == 2 && e->epoch == (e->step + 2) / 3);
    assert_true(e->loss > 0 && e->gradient_norm > 0 && e->n_tokens > 0 && e->n_rows > 0);
    s->step = e->step;
  }
  if (e->kind == FN_TRAIN_EVALUATION && e->metrics) {
    strcat(s->splits, e->split);
    strcat(s->splits, " ");
  }
  return s->stop_after == 0 || s->step < s->stop_after;
}

static void test_events(void **state) {
  (void)state;
  fn_err err = {0};
  seen s = {0};
  fn_train_result result = {0};
  const fn_train_job job = make_job("scratch", (fn_train_sink){watch, &s});
  assert_ok(fn_train(&result, &job, &err));
  assert_int_equal(s.counts[FN_TRAIN_BEGIN], 1);
  assert_int_equal(s.counts[FN_TRAIN_STEP], 6);
  assert_int_equal(s.counts[FN_TRAIN_EPOCH], 2);
  assert_int_equal(s.counts[FN_TRAIN_CHECKPOINT], 4); /* steps 2, 3, 4, 6 */
  assert_true(s.done_last);
  assert_string_equal(s.splits, "val val test ");
  assert_string_equal(result.run, fixture.run);
  assert_true(result.n_steps == 6 && result.validation.n == 8 && result.test.n == 6 && result.left_out.n == 0);
  free(result.run);
  remove_folder(fixture.run);
}

/* Stopped after every possible step, also those where an evaluation is due, then gone on with. */
static void test_stop_and_go_on(void **state) {
  (void)state;
  fn_err err = {0};
  for (int64_t stop = 1; stop <= 6; stop++) {
    seen s = {.stop_after = stop};
    fn_train_result result = {0};
    fn_train_job job = make_job("scratch", (fn_train_sink){watch, &s});
    assert_status(fn_train(&result, &job, &err), FN_E_CANCELLED);
    assert_int_equal(s.step, stop);
    assert_string_equal(result.run, fixture.run);
    free(result.run);
    s = (seen){.step = stop};
    job = make_job(NULL, (fn_train_sink){watch, &s});
    job.resume = fixture.run;
    job.data = job.out = NULL;
    assert_ok(fn_train(&result, &job, &err));
    assert_int_equal(s.counts[FN_TRAIN_STEP], 6 - stop);
    assert_string_equal(s.splits, stop < 3 || stop == 3 ? "val val test " : "val test ");
    free(result.run);
    remove_folder(fixture.run);
  }
}

/* The n-th allocation fails: the call says so, nothing leaks, and what is left is a run that can be gone on with or no
 * run at all. Steps between n grow, so that every stage is met in a second. */
static void torture(const char *init) {
  fn_err err = {0};
  size_t n_refused = 0;
  for (size_t n = 1;; n += 1 + n / 12) {
    fn_train_result result = {0};
    fn_train_job job = make_job(init, (fn_train_sink){0});
    countdown = n;
    const fn_status status = fn_train(&result, &job, &err);
    const bool reached = countdown == 0;
    countdown = 0;
    free(result.run);
    if (status != FN_OK) {
      n_refused++;
      if (fn_status_exit_code(status) != 1) fail_msg("allocation %zu: %s: %s", n, fn_status_name(status), err.message);
      if (fn_path_exists(fixture.run) && init) {
        job = make_job(NULL, (fn_train_sink){0});
        job.resume = fixture.run;
        job.out = NULL;
        assert_ok(fn_train(&result, &job, &err));
        free(result.run);
      }
    }
    remove_folder(fixture.run);
    if (!reached) break;
  }
  assert_true(n_refused > 20);
}

static void test_memory_runs_out(void **state) {
  (void)state;
  fn_err err = {0};
  assert_ok(fn_config_set(fixture.config, FN_CONFIG_OVERRIDE, "family", fn_str_from("bert"), "test", &err));
  torture("scratch");
  assert_ok(fn_config_set(fixture.config, FN_CONFIG_OVERRIDE, "family", fn_str_from("linear"), "test", &err));
  torture(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_events),
      cmocka_unit_test(test_stop_and_go_on),
      cmocka_unit_test(test_memory_runs_out),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
