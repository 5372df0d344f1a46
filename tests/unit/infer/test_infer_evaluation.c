/* Figures of several systems over all rows and by dataset; labelled rows from files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "infer/evaluation.h"

#include <stdlib.h>

static char root[] = "/tmp/fn-evaluation-XXXXXX";
static fn_arena arena;
static fn_data_options data_options;

static int set_up(void **state) {
  (void)state;
  fn_arena_init(&arena);
  if (mkdtemp(root) == NULL) return -1;
  return fn_options_default(&data_options, &arena, &fn_data_option_table, NULL) == FN_OK ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  fn_arena_deinit(&arena);
  return fn_dir_remove(root, NULL) == FN_OK ? 0 : -1;
}

static char *put(const char *name, const char *text) {
  char *path = fn_path_join(root, name);
  assert_non_null(path);
  assert_int_equal(fn_file_write(path, text, strlen(text), NULL), FN_OK);
  return path;
}

static char reported[8][256];
static size_t n_reported;
static void on_refused(void *arg, const char *message) {
  (void)arg;
  if (n_reported < 8) snprintf(reported[n_reported++], sizeof reported[0], "%s", message);
}

static const char csv[] = "title,text,label,source,dataset\n"
                          "a,one,real,x.example,first\n"
                          "b,two,FAKE,y.example,second\n"
                          "c,three,perhaps,x.example,first\n"
                          "d,four\n"
                          ",,0,x.example,first\n"
                          "e,five,1,x.example,first\n"
                          "f,six,0,,second\n"
                          "g,seven,1,,\n";

static void test_file(void **state) {
  (void)state;
  char *path = put("rows.csv", csv);
  fn_labelled rows = {0};
  fn_err err = {0};
  n_reported = 0;
  if (fn_labelled_from_file(&rows, path, FN_TEXT_TITLE_TEXT, &data_options, on_refused, NULL, &err) != FN_OK) {
    fail_msg("%s", err.message);
  }
  const int32_t labels[] = {0, 1, 1, 0, 1};
  const uint32_t groups[] = {0, 1, 0, 2, 3}, datasets[] = {0, 1, 0, 1, 2};
  assert_int_equal(rows.n, 5);
  assert_memory_equal(rows.labels, labels, sizeof labels);
  assert_memory_equal(rows.groups, groups, sizeof groups);
  assert_memory_equal(rows.datasets, datasets, sizeof datasets);
  assert_int_equal(rows.n_groups, 4);
  assert_string_equal(rows.group_names[0], "x.example");
  assert_string_equal(rows.group_names[2], "row 3"); /* it names none */
  assert_string_equal(rows.dataset_names[1], "second");
  assert_string_equal(rows.dataset_names[2], "rows.csv");
  assert_true(rows.sources_known && fn_str_is(rows.articles[2].text, "five"));
  assert_int_equal(rows.n_refused, 3);
  assert_int_equal(n_reported, 3);
  assert_non_null(strstr(reported[0], "rows.csv:4: label \"perhaps\" is none of 0, 1, real, fake"));
  assert_non_null(strstr(reported[1], "rows.csv:5: "));
  assert_non_null(strstr(reported[2], "rows.csv:6: nothing to classify"));
  fn_labelled_deinit(&rows);
  free(path);
}

static void test_file_refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *says;
    fn_status status;
  } cases[] = {
      {"title,text\na,b\n", "data.columns.label", FN_E_NOT_FOUND},
      {"headline,label\na,0\n", "data.columns.text", FN_E_NOT_FOUND},
      {"title,text,label\na,b,maybe\n", "no row can be evaluated (1 left out)", FN_E_INVALID},
      {"title,text,label\n", "no row can be evaluated (0 left out)", FN_E_INVALID},
      {"", "empty", FN_E_INVALID},
      {"title,text,label\n\"a,b,0\n", "quote", FN_E_INVALID},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    char *path = put("bad.csv", cases[i].text);
    fn_labelled rows = {.n = 42};
    fn_err err = {0};
    assert_int_equal(fn_labelled_from_file(&rows, path, FN_TEXT_TITLE_TEXT, &data_options, NULL, NULL, &err),
                     cases[i].status);
    if (strstr(err.message, cases[i].says) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.message, cases[i].says);
    assert_int_equal(rows.n, 42);
    free(path);
  }
}

/* By dataset: exactly what the metrics of its rows alone are. */
static void test_by_dataset(void **state) {
  (void)state;
  enum { ROWS = 60 };
  int32_t labels[ROWS];
  uint32_t groups[ROWS], datasets[ROWS];
  double p[ROWS];
  static const char *names[] = {"a", "empty", "b"};
  fn_rng rng = fn_rng_make(3, 0);
  for (uint32_t i = 0; i < ROWS; i++) {
    labels[i] = (int32_t)fn_rng_below(&rng, 2);
    groups[i] = i / 4;
    datasets[i] = i % 3 == 0 ? 0 : 2;
    p[i] = fn_rng_uniform(&rng);
  }
  const fn_labelled rows = {.n = ROWS,
                            .labels = labels,
                            .groups = groups,
                            .datasets = datasets,
                            .dataset_names = names,
                            .n_groups = 15,
                            .n_datasets = 3};
  const fn_eval_options options = {.resamples = 50, .seed = 1, .baselines = true};
  fn_evaluation e;
  fn_evaluation_init(&e, &rows, &options);
  for (size_t s = 0; s < FN_EVALUATION_MAX_SYSTEMS; s++) {
    assert_int_equal(fn_evaluation_add(&e, "model", "a model", p, NULL, NULL), FN_OK);
  }
  assert_int_equal(fn_evaluation_add(&e, "model", "one too many", p, NULL, NULL), FN_E_LIMIT);
  assert_int_equal(e.systems[0].by_dataset[1].metrics.n, 0);
  for (uint32_t d = 0; d < 3; d += 2) {
    double q[ROWS];
    int32_t truth[ROWS];
    uint32_t part_groups[ROWS], number[15], n_groups = 0;
    size_t n = 0;
    memset(number, 0xFF, sizeof number);
    for (size_t i = 0; i < ROWS; i++) {
      if (datasets[i] != d) continue;
      if (number[groups[i]] == UINT32_MAX) number[groups[i]] = n_groups++;
      q[n] = p[i];
      truth[n] = labels[i];
      part_groups[n++] = number[groups[i]];
    }
    fn_metrics m;
    fn_metrics_intervals intervals;
    assert_int_equal(fn_metrics_compute(&m, q, truth, n, NULL), FN_OK);
    assert_int_equal(fn_metrics_bootstrap(&intervals, q, truth, part_groups, n, n_groups, 50, 1, NULL, NULL), FN_OK);
    assert_memory_equal(&e.systems[0].by_dataset[d].metrics, &m, sizeof m);
    assert_memory_equal(&e.systems[0].by_dataset[d].intervals, &intervals, sizeof intervals);
  }
  fn_evaluation_deinit(&e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_file),
      cmocka_unit_test(test_file_refused),
      cmocka_unit_test(test_by_dataset),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
