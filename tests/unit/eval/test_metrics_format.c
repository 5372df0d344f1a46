/* What people and programs read: names, null for undefined, 80 columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eval/eval.h"

static const double p[] = {0.1, 0.4, 0.35, 0.8, 0.6};
static const int32_t labels[] = {0, 0, 1, 1, 0};

static fn_metrics metrics(size_t n) {
  fn_metrics m;
  assert_int_equal(fn_metrics_compute(&m, p, labels, n, NULL), FN_OK);
  return m;
}

static fn_metrics_intervals intervals(void) {
  const uint32_t groups[] = {0, 1, 2, 3, 4};
  fn_metrics_intervals i;
  assert_int_equal(fn_metrics_bootstrap(&i, p, labels, groups, 5, 5, 100, 1, NULL, NULL), FN_OK);
  return i;
}

static void test_json(void **state) {
  (void)state;
  fn_metrics m = metrics(5), one_class = metrics(2);
  fn_metrics_intervals i = intervals();
  fn_buf buf;
  fn_json_writer w;
  fn_buf_init(&buf, 0);
  fn_json_begin(&w, &buf, 0);
  fn_json_object(&w, NULL);
  fn_metrics_format_json(&w, "full", &(fn_metrics_entry){"m", &m, &i});
  fn_metrics_format_json(&w, "one_class", &(fn_metrics_entry){"m", &one_class, NULL});
  fn_json_end(&w);
  json_t *value = NULL;
  assert_int_equal(fn_json_parse(&value, fn_buf_str(&buf), "test", NULL), FN_OK);
  json_t *full = json_object_get(value, "full"), *one = json_object_get(value, "one_class");
  assert_int_equal(json_integer_value(json_object_get(full, "n")), 5);
  assert_true(json_real_value(json_object_get(full, "roc_auc")) == m.roc_auc); /* to the last bit */
  assert_true(json_real_value(json_object_get(full, "loss")) == m.log_loss);
  assert_true(json_real_value(json_object_get(full, "recall_fake")) == 0.5);
  json_t *confusion = json_object_get(full, "confusion");
  assert_int_equal(json_integer_value(json_array_get(json_array_get(confusion, 0), 1)), 1);
  json_t *low_high = json_object_get(json_object_get(full, "intervals"), "accuracy");
  assert_true(json_real_value(json_array_get(low_high, 0)) == i.accuracy.low);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(full, "intervals"), "n_groups")), 5);
  assert_true(json_is_null(json_object_get(one, "roc_auc")));
  assert_true(json_is_null(json_object_get(one, "precision_fake")));
  assert_null(json_object_get(one, "intervals"));
  json_decref(value);
  fn_buf_deinit(&buf);
}

/* Columns of the longest line, one a code point. */
static size_t widest(const char *text) {
  size_t width = 0, most = 0;
  for (; *text != '\0'; text++) {
    width = *text == '\n' ? 0 : width + (((unsigned char)*text & 0xC0) != 0x80);
    if (width > most) most = width;
  }
  return most;
}

static void test_table(void **state) {
  (void)state;
  fn_metrics m = metrics(5), one_class = metrics(2);
  fn_metrics_intervals i = intervals();
  const fn_metrics_entry entries[] = {{"a model with a rather long näme", &m, &i},
                                      {"linear", &m, &i},
                                      {"majority", &one_class, NULL},
                                      {"fourth", &m, &i}};
  fn_buf buf;
  fn_buf_init(&buf, 0);
  fn_metrics_format_table(&buf, "test", entries, 4);
  assert_false(buf.failed);
  assert_true(widest(buf.data) <= 80);
  assert_non_null(strstr(buf.data, "test: 5 rows (3 real, 2 fake), 5 groups\n"));
  assert_non_null(strstr(buf.data, "[95 % intervals: 100 resamples of whole groups]\n"));
  char cell[64], line[256];
  snprintf(cell, sizeof cell, "0.600 [%.3f %.3f]", i.accuracy.low, i.accuracy.high);
  assert_int_equal(strlen(cell), 19);
  snprintf(line, sizeof line, "\naccuracy           %s %s 1.000\n", cell, cell);
  assert_non_null(strstr(buf.data, line));   /* three abreast, nothing cut off */
  assert_non_null(strstr(buf.data, " -\n")); /* its AUC */
  assert_non_null(strstr(buf.data, "fake as real/fake  1 / 1"));
  assert_non_null(strstr(buf.data, "fourth"));
  assert_null(strstr(buf.data, "nan"));
  assert_null(strstr(buf.data, " \n"));
  fn_buf_deinit(&buf);
}

/* The longest figures there are: a loss of 34.5 nats with its interval. */
static void test_wide_figures(void **state) {
  (void)state;
  const double sure[] = {0.0, 1.0, 0.0, 1.0};
  const int32_t wrong[] = {1, 0, 1, 0};
  const uint32_t groups[] = {0, 1, 2, 3};
  fn_metrics m;
  fn_metrics_intervals i;
  assert_int_equal(fn_metrics_compute(&m, sure, wrong, 4, NULL), FN_OK);
  assert_int_equal(fn_metrics_bootstrap(&i, sure, wrong, groups, 4, 4, 50, 1, NULL, NULL), FN_OK);
  fn_buf buf;
  fn_buf_init(&buf, 0);
  fn_metrics_format_table(&buf, "test", &(fn_metrics_entry){"m", &m, &i}, 1);
  assert_non_null(strstr(buf.data, "\nloss               34.54 [34.54 34.54]\n"));
  fn_buf_deinit(&buf);
}

static void test_group_table(void **state) {
  (void)state;
  const fn_metrics by[] = {metrics(5), metrics(5), metrics(2), {.n = 0}};
  const char *const groups[] = {"liar", "a dataset whose name goes on and on"}, *const systems[] = {"model", "linear"};
  fn_buf buf;
  fn_buf_init(&buf, 0);
  fn_metrics_format_groups(&buf, "dataset", groups, 2, systems, 2, by);
  assert_true(widest(buf.data) <= 80);
  assert_non_null(strstr(buf.data, "liar                        5 0.400   0.600 0.667   0.600 0.667\n"));
  assert_non_null(strstr(buf.data, "a dataset whose name g      2 0.000   1.000     -       -     -\n"));
  fn_buf_deinit(&buf);
}

static void test_scalar_names(void **state) {
  (void)state;
  fn_metrics m = metrics(5);
  fn_metric_scalar all[FN_METRICS_N_SCALARS];
  fn_metrics_scalars(all, &m, NULL);
  assert_string_equal(all[0].name, "loss");
  assert_true(isnan(all[0].interval.low));
  for (size_t i = 0; i < FN_METRICS_N_SCALARS; i++) {
    assert_non_null(all[i].name);
    for (size_t k = 0; k < i; k++) assert_string_not_equal(all[i].name, all[k].name);
  }
  assert_string_equal(all[FN_METRICS_N_SCALARS - 1].name, "f1_fake");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_json),        cmocka_unit_test(test_table),        cmocka_unit_test(test_wide_figures),
      cmocka_unit_test(test_group_table), cmocka_unit_test(test_scalar_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
