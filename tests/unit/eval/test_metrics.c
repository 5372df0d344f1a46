/* Metrics: values worked out by hand, ties, what is undefined, what is refused. tests/light/test_metrics.py compares
 * with scikit-learn on random inputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eval/eval.h"

#define assert_close(a, b, tolerance)                                                                                  \
  assert_true(fabs((a) - (b)) <= (tolerance)) /* cmocka 1.1.5 has none for double                                      \
                                               */

static fn_metrics compute(const double *p, const int32_t *labels, size_t n) {
  fn_metrics m;
  fn_err err = {0};
  if (fn_metrics_compute(&m, p, labels, n, &err) != FN_OK) fail_msg("%s", err.message);
  return m;
}

static void test_by_hand(void **state) {
  (void)state;
  const double p[] = {0.1, 0.4, 0.35, 0.8, 0.6};
  const int32_t labels[] = {0, 0, 1, 1, 0};
  fn_metrics m = compute(p, labels, 5);
  assert_int_equal(m.n, 5);
  assert_int_equal(m.confusion[0][0], 2);
  assert_int_equal(m.confusion[0][1], 1);
  assert_int_equal(m.confusion[1][0], 1);
  assert_int_equal(m.confusion[1][1], 1);
  assert_close(m.accuracy, 0.6, 1e-15);
  assert_close(m.by_class[0].precision, 2.0 / 3, 1e-15);
  assert_close(m.by_class[0].recall, 2.0 / 3, 1e-15);
  assert_close(m.by_class[1].precision, 0.5, 1e-15);
  assert_close(m.by_class[1].recall, 0.5, 1e-15);
  assert_close(m.macro.f1, (2.0 / 3 + 0.5) / 2, 1e-15);
  assert_close(m.weighted.f1, (3 * 2.0 / 3 + 2 * 0.5) / 5, 1e-15);
  assert_int_equal(m.weighted.support, 5);
  /* pairs (fake above real): .35 over .1; .8 over .1, .4, .6 */
  assert_close(m.roc_auc, 4.0 / 6, 1e-15);
  assert_close(m.brier, (0.01 + 0.16 + 0.4225 + 0.04 + 0.36) / 5, 1e-15);
  assert_close(m.log_loss, -(log(0.9) + log(0.6) + log(0.35) + log(0.8) + log(0.4)) / 5, 1e-15);
}

static void test_calibration_error(void **state) {
  (void)state;
  /* c = .9 (right), .9 (wrong): bin 14 of (13/15, 14/15]; c = .6 exactly at 9/15: bin 9, right */
  const double p[] = {0.9, 0.1, 0.4};
  const int32_t labels[] = {1, 1, 0};
  fn_metrics m = compute(p, labels, 3);
  assert_close(m.ece, (fabs(0.5 - 0.9) * 2 + fabs(1.0 - 0.6)) / 3, 1e-15);
  const double sure[] = {0.0, 1.0, 1.0};
  const int32_t truth[] = {0, 1, 0};
  assert_close(compute(sure, truth, 3).ece, 1.0 / 3, 1e-15);
  assert_close(compute(sure, truth, 2).ece, 0.0, 0.0);
  assert_close(compute(sure, truth, 3).log_loss, (-log(1e-15) - 2 * log(1.0 - 1e-15)) / 3, 1e-6);
}

static void test_ties(void **state) {
  (void)state;
  const double p[] = {0.5, 0.5, 0.5, 0.5};
  const int32_t labels[] = {0, 1, 0, 1};
  fn_metrics m = compute(p, labels, 4);
  assert_int_equal(m.confusion[0][0], 2); /* 0.5 is real */
  assert_int_equal(m.confusion[1][0], 2);
  assert_close(m.roc_auc, 0.5, 0.0);
  const double mixed[] = {0.2, 0.2, 0.2, 0.7};
  const int32_t truth[] = {0, 1, 0, 1};
  assert_close(compute(mixed, truth, 4).roc_auc, (0.5 + 0.5 + 1 + 1) / 4, 1e-15);
  const double zeros[] = {0.0, -0.0};
  assert_close(compute(zeros, labels, 2).roc_auc, 0.5, 0.0);
}

static void test_undefined(void **state) {
  (void)state;
  const double p[] = {0.1, 0.2};
  const int32_t reals[] = {0, 0}, both[] = {0, 1};
  fn_metrics m = compute(p, reals, 2);
  assert_true(isnan(m.roc_auc));
  assert_true(isnan(m.by_class[1].precision) && isnan(m.by_class[1].recall) && isnan(m.by_class[1].f1));
  assert_true(isnan(m.macro.f1));
  assert_close(m.weighted.f1, 1.0, 0.0); /* a class that never occurs has no weight */
  assert_close(m.accuracy, 1.0, 0.0);
  m = compute(p, both, 2); /* fake is never predicted */
  assert_true(isnan(m.by_class[1].precision) && isnan(m.weighted.precision));
  assert_close(m.by_class[1].recall, 0.0, 0.0);
  assert_close(m.by_class[1].f1, 0.0, 0.0);
  assert_close(m.roc_auc, 1.0, 0.0);
}

static void test_refused(void **state) {
  (void)state;
  fn_metrics m = {.n = 77};
  fn_err err = {0};
  const double p[] = {0.5, 1.5, (double)NAN}, good[] = {0.5};
  const int32_t labels[] = {0, 1, 1}, wrong[] = {2};
  assert_int_equal(fn_metrics_compute(&m, p, labels, 0, &err), FN_E_INVALID);
  assert_int_equal(fn_metrics_compute(&m, p, labels, 2, &err), FN_E_INVALID);
  assert_string_equal(err.message, "row 1: probability 1.5 is not in [0,1]");
  assert_int_equal(fn_metrics_compute(&m, p + 2, labels, 1, &err), FN_E_INVALID);
  assert_int_equal(fn_metrics_compute(&m, good, wrong, 1, &err), FN_E_INVALID);
  assert_string_equal(err.message, "row 0: label 2 is not 0 (real) or 1 (fake)");
  assert_int_equal(m.n, 77);
}

static void test_groups(void **state) {
  (void)state;
  const fn_str sources[] = {fn_str_from("b"), fn_str_from(""), fn_str_from("a"),
                            fn_str_from("b"), fn_str_from(""), fn_str_from("")};
  const int64_t clusters[] = {7, 7, 8, 9, 7, -1};
  const uint32_t expected[] = {0, 1, 2, 0, 1, 3}; /* a source keeps to itself even where its cluster is shared */
  uint32_t groups[6];
  size_t n = 0;
  assert_int_equal(fn_groups_make(groups, &n, sources, clusters, 6, NULL), FN_OK);
  assert_int_equal(n, 4);
  assert_memory_equal(groups, expected, sizeof expected);
  assert_int_equal(fn_groups_make(groups, &n, NULL, NULL, 6, NULL), FN_OK);
  assert_int_equal(n, 6);
  assert_int_equal(groups[5], 5);
  assert_int_equal(fn_groups_make(groups, &n, NULL, clusters, 6, NULL), FN_OK);
  assert_int_equal(n, 4);
  assert_int_equal(groups[4], 0);
  assert_int_equal(fn_groups_make(groups, &n, NULL, NULL, 0, NULL), FN_OK);
  assert_int_equal(n, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),   cmocka_unit_test(test_calibration_error), cmocka_unit_test(test_ties),
      cmocka_unit_test(test_undefined), cmocka_unit_test(test_refused),           cmocka_unit_test(test_groups),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
