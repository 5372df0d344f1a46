/* The bootstrap against a plain one that writes every resample out, row by row, and sorts it anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "eval/eval.h"

#define assert_close(a, b, tolerance)                                                                                  \
  assert_true(fabs((a) - (b)) <= (tolerance)) /* cmocka 1.1.5 has none for double                                      \
                                               */

enum { N = 240, N_GROUPS = 17, N_RESAMPLES = 200 };
static double p[N];
static int32_t labels[N];
static uint32_t groups[N];

/* Scores on a grid (ties), labels that follow them, groups of uneven size. */
static int set_up(void **state) {
  (void)state;
  fn_rng rng = fn_rng_make(11, 0);
  for (size_t i = 0; i < N; i++) {
    p[i] = (double)fn_rng_below(&rng, 21) / 20.0;
    labels[i] = fn_rng_uniform(&rng) < 0.25 + 0.5 * p[i] ? 1 : 0;
    uint64_t a = fn_rng_below(&rng, N_GROUPS), b = fn_rng_below(&rng, N_GROUPS);
    groups[i] = (uint32_t)(i < N_GROUPS ? i : a < b ? a : b);
  }
  return 0;
}

static fn_metrics_intervals bootstrap(const uint32_t *by, size_t n_groups, int32_t n_resamples, uint64_t seed,
                                      int n_threads) {
  fn_metrics_intervals out;
  fn_err err = {0};
  fn_pool *pool = NULL;
  if (n_threads > 0) assert_int_equal(fn_pool_create(&pool, n_threads, NULL), FN_OK);
  if (fn_metrics_bootstrap(&out, p, labels, by, N, n_groups, n_resamples, seed, pool, &err) != FN_OK) {
    fail_msg("%s", err.message);
  }
  fn_pool_destroy(pool);
  return out;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* numpy.percentile of the defined values. */
static fn_interval percentiles(double *values, size_t n) {
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (!isnan(values[i])) values[kept++] = values[i];
  }
  qsort(values, kept, sizeof *values, compare);
  double ends[2];
  for (int k = 0; k < 2; k++) {
    double at = (k ? 0.975 : 0.025) * (double)(kept - 1);
    size_t i = (size_t)at;
    ends[k] = values[i] + (at - (double)i) * (values[i + 1 < kept ? i + 1 : i] - values[i]);
  }
  return (fn_interval){ends[0], ends[1]};
}

static void assert_interval(fn_interval a, fn_interval b) {
  assert_close(a.low, b.low, 1e-12);
  assert_close(a.high, b.high, 1e-12);
}

static void test_equals_plain(void **state) {
  (void)state;
  static double values[7][N_RESAMPLES], q[N * N_GROUPS];
  static int32_t truth[N * N_GROUPS];
  for (uint64_t r = 0; r < N_RESAMPLES; r++) {
    fn_rng rng = fn_rng_make(5, r);
    size_t n = 0;
    for (int k = 0; k < N_GROUPS; k++) {
      uint64_t drawn = fn_rng_below(&rng, N_GROUPS);
      for (size_t i = 0; i < N; i++) {
        if (groups[i] != drawn) continue;
        q[n] = p[i];
        truth[n++] = labels[i];
      }
    }
    fn_metrics m;
    assert_int_equal(fn_metrics_compute(&m, q, truth, n, NULL), FN_OK);
    const double row[7] = {m.accuracy, m.weighted.f1, m.macro.f1, m.roc_auc, m.brier, m.log_loss, m.ece};
    for (size_t k = 0; k < 7; k++) values[k][r] = row[k];
  }
  fn_metrics_intervals out = bootstrap(groups, N_GROUPS, N_RESAMPLES, 5, 0);
  assert_interval(out.accuracy, percentiles(values[0], N_RESAMPLES));
  assert_interval(out.f1_weighted, percentiles(values[1], N_RESAMPLES));
  assert_interval(out.f1_macro, percentiles(values[2], N_RESAMPLES));
  assert_interval(out.roc_auc, percentiles(values[3], N_RESAMPLES));
  assert_interval(out.brier, percentiles(values[4], N_RESAMPLES));
  assert_interval(out.log_loss, percentiles(values[5], N_RESAMPLES));
  assert_interval(out.ece, percentiles(values[6], N_RESAMPLES));
  assert_int_equal(out.n_groups, N_GROUPS);
  assert_int_equal(out.n_resamples, N_RESAMPLES);
}

static void test_deterministic(void **state) {
  (void)state;
  fn_metrics_intervals one = bootstrap(groups, N_GROUPS, N_RESAMPLES, 3, 1);
  fn_metrics_intervals three = bootstrap(groups, N_GROUPS, N_RESAMPLES, 3, 3);
  fn_metrics_intervals other = bootstrap(groups, N_GROUPS, N_RESAMPLES, 4, 1);
  assert_memory_equal(&one, &three, sizeof one);
  assert_true(one.roc_auc.low != other.roc_auc.low);
}

/* Rows of one group that stand or fall together make the interval wider than rows on their own would. */
static void test_groups_widen(void **state) {
  (void)state;
  static uint32_t single[N];
  double saved[N];
  memcpy(saved, p, sizeof p);
  for (size_t i = 0; i < N; i++) {
    single[i] = (uint32_t)i;
    p[i] = (groups[i] % 3 == 0) == (labels[i] == 1) ? 0.2 : 0.8; /* whole groups are wrong */
  }
  fn_metrics_intervals rows = bootstrap(single, N, 500, 1, 0), whole = bootstrap(groups, N_GROUPS, 500, 1, 0);
  memcpy(p, saved, sizeof p);
  assert_true(whole.accuracy.high - whole.accuracy.low > 2 * (rows.accuracy.high - rows.accuracy.low));
}

static void test_undefined(void **state) {
  (void)state;
  static uint32_t one_group[N];
  fn_metrics_intervals out = bootstrap(one_group, 1, N_RESAMPLES, 1, 0);
  assert_true(isnan(out.accuracy.low) && isnan(out.ece.high));
  assert_int_equal(out.n_groups, 1);
  /* Three groups, one of them fake: a third of the resamples has a single class and no AUC. */
  int32_t saved[N];
  memcpy(saved, labels, sizeof labels);
  static uint32_t thirds[N];
  for (size_t i = 0; i < N; i++) {
    thirds[i] = (uint32_t)(3 * i / N);
    labels[i] = thirds[i] == 2;
  }
  out = bootstrap(thirds, 3, 1000, 1, 0);
  assert_true(out.roc_auc.low >= 0.0 && out.roc_auc.low < out.roc_auc.high && out.roc_auc.high <= 1.0);
  assert_true(out.accuracy.low >= 0.0);
  for (size_t i = 0; i < N; i++) labels[i] = 0; /* one class: no resample has an AUC */
  out = bootstrap(groups, N_GROUPS, N_RESAMPLES, 1, 0);
  assert_true(isnan(out.roc_auc.low) && isnan(out.roc_auc.high));
  assert_true(out.brier.low >= 0.0);
  memcpy(labels, saved, sizeof labels);
}

static void test_refused(void **state) {
  (void)state;
  fn_metrics_intervals out = {.n_groups = 99};
  fn_err err = {0};
  assert_int_equal(fn_metrics_bootstrap(&out, p, labels, groups, N, N_GROUPS, 0, 1, NULL, &err), FN_E_INVALID);
  assert_int_equal(fn_metrics_bootstrap(&out, p, labels, groups, N, 0, 10, 1, NULL, &err), FN_E_INVALID);
  assert_int_equal(fn_metrics_bootstrap(&out, p, labels, groups, N, 3, 10, 1, NULL, &err), FN_E_INVALID);
  assert_non_null(strstr(err.message, "is not below the number of groups, 3"));
  assert_int_equal(out.n_groups, 99);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equals_plain), cmocka_unit_test(test_deterministic), cmocka_unit_test(test_groups_widen),
      cmocka_unit_test(test_undefined),    cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
