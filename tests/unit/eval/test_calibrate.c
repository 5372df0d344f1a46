/* Temperature, stack, folds, figures, band. tests/light/test_calibration.py has scikit-learn and SciPy as judges on
 * larger rows; here stand cases that can be worked out by hand, and what must be refused. */
#include "../test.h"

#include "eval/calibrate.h"

/* p = 3/4 of the rows with logit z = 2 are fake, and 3/4 of those with -2 are real: sigmoid(2/T) = 3/4, T = 2/ln 3. */
static const double four_logits[] = {2, 2, 2, 2, -2, -2, -2, -2};
static const int32_t four_labels[] = {1, 1, 1, 0, 0, 0, 0, 1};

static void test_sigmoid(void **state) {
  (void)state;
  assert_true(fn_sigmoid(0.0) == 0.5);
  assert_true(fabs(fn_sigmoid(2.0) - 0.88079707797788244) < 3e-16);
  assert_true(fn_sigmoid(1000.0) == 1.0 && fn_sigmoid(-1000.0) == 0.0);
  assert_true(fabs(fn_sigmoid(-30.0) - 9.357622968839299e-14) < 1e-28);
}

static void test_temperature(void **state) {
  (void)state;
  fn_err err = {0};
  double t;
  assert_ok(fn_temperature_fit(&t, four_logits, four_labels, NULL, 8, &err));
  assert_true(fabs(t - 2.0 / log(3.0)) < 1e-12);
  const double weights[] = {1, 1, 1, 3, 1, 1, 1, 3}; /* half of either side: nothing is known */
  assert_ok(fn_temperature_fit(&t, four_logits, four_labels, weights, 8, &err));
  assert_true(t == FN_TEMPERATURE_MAX);
  const double sure[] = {1, 1, 1, 0, 1, 1, 1, 0}; /* separable */
  assert_ok(fn_temperature_fit(&t, four_logits, four_labels, sure, 8, &err));
  assert_true(t == FN_TEMPERATURE_MIN);
}

static void test_temperature_refuses(void **state) {
  (void)state;
  fn_err err = {0};
  double t = 7.0;
  double bad[] = {1.0, (double)NAN};
  const int32_t labels[] = {0, 1}, wrong[] = {0, 2};
  const double none[] = {0.0, 0.0}, negative[] = {1.0, -1.0};
  assert_status(fn_temperature_fit(&t, bad, labels, NULL, 2, &err), FN_E_INVALID);
  assert_contains(err.message, "row 1");
  bad[1] = 1.0;
  assert_status(fn_temperature_fit(&t, bad, wrong, NULL, 2, &err), FN_E_INVALID);
  assert_contains(err.message, "label 2");
  assert_status(fn_temperature_fit(&t, bad, labels, none, 2, &err), FN_E_INVALID);
  assert_status(fn_temperature_fit(&t, bad, labels, negative, 2, &err), FN_E_INVALID);
  assert_status(fn_temperature_fit(&t, bad, labels, NULL, 0, &err), FN_E_INVALID);
  assert_true(t == 7.0);
}

static void test_prior(void **state) {
  (void)state;
  double z = log(0.8 / 0.2);
  /* p = 0.8 at one half; at one in ten: 0.8·0.1 / (0.8·0.1 + 0.2·0.9) = 4/13 */
  assert_true(fabs(fn_sigmoid(fn_prior_shift(z, 0.5, 0.1)) - 4.0 / 13.0) < 1e-15);
  assert_true(fabs(fn_prior_shift(fn_prior_shift(z, 0.5, 0.1), 0.1, 0.5) - z) < 1e-15);
  assert_true(fn_prior_shift(z, 0.3, 0.3) == z);
}

/* One input of either sign. With no penalty to speak of, the intercept and slope of two points are exact: at z = 2 a
 * share of 3/4, at z = -1 of 1/4: 2v + b = ln 3, -v + b = -ln 3, so v = 2/3 ln 3 and b = -1/3 ln 3. */
static void test_stack_of_one(void **state) {
  (void)state;
  fn_err err = {0};
  const double logits[] = {2, 2, 2, 2, -1, -1, -1, -1};
  fn_calibrate_rows rows = {.n = 8, .k = 1, .logits = logits, .labels = four_labels};
  double v = 0, b = 0;
  assert_ok(fn_stack_fit(&v, &b, &rows, 1e-12, true, &err));
  assert_true(fabs(v - 2.0 / 3.0 * log(3.0)) < 1e-9);
  assert_true(fabs(b + 1.0 / 3.0 * log(3.0)) < 1e-9);
  rows.logits = four_logits; /* the same without a bias: 2v = ln 3 */
  assert_ok(fn_stack_fit(&v, &b, &rows, 1e-12, false, &err));
  assert_true(fabs(v - 0.5 * log(3.0)) < 1e-9 && b == 0.0);
}

static void test_stack_drops_the_contrary(void **state) {
  (void)state;
  fn_err err = {0};
  const double logits[] = {2, -3, 2, -1, 2, -3, 2, 1, -2, 3, -2, 1, -2, 3, -2, -1}; /* second: the other way round */
  fn_calibrate_rows rows = {.n = 8, .k = 2, .logits = logits, .labels = four_labels};
  double v[2] = {9, 9}, b = 9, alone, alone_bias;
  assert_ok(fn_stack_fit(v, &b, &rows, 1e-3, true, &err));
  assert_true(v[0] > 0.0 && v[1] == 0.0);
  rows = (fn_calibrate_rows){.n = 8, .k = 1, .logits = four_logits, .labels = four_labels};
  assert_ok(fn_stack_fit(&alone, &alone_bias, &rows, 1e-3, true, &err));
  assert_true(fabs(alone - v[0]) < 1e-12 && fabs(alone_bias - b) < 1e-12);
}

static void test_stack_refuses(void **state) {
  (void)state;
  fn_err err = {0};
  double v[2], b;
  const int32_t reals[8] = {0};
  const double weights[] = {1, 1, 1, 0, 0, 0, 0, 1};
  fn_calibrate_rows rows = {.n = 8, .k = 1, .logits = four_logits, .labels = reals};
  assert_status(fn_stack_fit(v, &b, &rows, 1e-3, true, &err), FN_E_INVALID);
  assert_contains(err.message, "all rows to calibrate on are real");
  rows.labels = four_labels;
  rows.weights = weights; /* only fakes count */
  assert_status(fn_stack_fit(v, &b, &rows, 1e-3, true, &err), FN_E_INVALID);
  assert_contains(err.message, "fake");
  rows.k = 5;
  assert_status(fn_stack_fit(v, &b, &rows, 1e-3, true, &err), FN_E_LIMIT);
}

static void test_buckets(void **state) {
  (void)state;
  fn_scaling s = {
      .k = 2, .weights = {1.0, 0.5}, .bias = 1.0, .n_buckets = 3, .edges = {10, 20}, .temperatures = {1, 2, 4}};
  const double z[] = {2.0, 2.0};
  assert_true(fn_scaling_apply(&s, z, 0) == 4.0 && fn_scaling_apply(&s, z, 9) == 4.0);
  assert_true(fn_scaling_apply(&s, z, 10) == 2.0 && fn_scaling_apply(&s, z, 19) == 2.0);
  assert_true(fn_scaling_apply(&s, z, 20) == 1.0 && fn_scaling_apply(&s, z, INT64_MAX) == 1.0);
}

static void test_even_weights(void **state) {
  (void)state;
  fn_err err = {0};
  const uint32_t cells[] = {0, 0, 0, 2, 2, 2};
  const int32_t labels[] = {0, 0, 1, 1, 1, 1};
  double w[6], sum = 0.0;
  assert_ok(fn_calibrate_weights_even(w, cells, 3, labels, 6, &err));
  for (int i = 0; i < 6; i++) sum += w[i];
  assert_true(fabs(sum - 6.0) < 1e-12); /* mean 1 */
  assert_true(fabs(w[0] + w[1] - w[2]) < 1e-12 && fabs(w[3] + w[4] + w[5] - w[2]) < 1e-12);
}

static void test_folds(void **state) {
  (void)state;
  fn_err err = {0};
  const uint32_t groups[] = {3, 3, 3, 3, 0, 0, 1, 2, 2};
  uint32_t folds[9];
  size_t n = 0;
  assert_ok(fn_calibrate_folds(folds, &n, groups, 9, 4, 20, &err));
  assert_int_equal(n, 4);
  assert_memory_equal(folds, groups, sizeof folds);
  assert_ok(fn_calibrate_folds(folds, &n, groups, 9, 4, 2, &err));
  assert_int_equal(n, 2);
  /* 4 rows here, 2 and 2 there, and the last one to the first of the two */
  for (int i = 4; i < 9; i++) assert_int_equal(folds[i] == folds[0], i < 4 || i == 6);
  assert_status(fn_calibrate_folds(folds, &n, groups, 9, 1, 20, &err), FN_E_INVALID);
}

/* The weighted figures with weights of 1 are those of fn_metrics; doubling a row is a weight of 2. */
static void test_figures(void **state) {
  (void)state;
  fn_err err = {0};
  enum { N = 200 };
  double p[N + 20], weights[N];
  int32_t labels[N + 20];
  fn_rng rng = fn_rng_make(5, 1);
  for (int i = 0; i < N; i++) {
    p[i] = i % 7 == 0 ? 0.5 : floor(fn_rng_uniform(&rng) * 40.0) / 40.0;
    labels[i] = fn_rng_uniform(&rng) < 0.2 + 0.6 * p[i];
    weights[i] = i < 20 ? 2.0 : 1.0;
  }
  memcpy(p + N, p, 20 * sizeof *p);
  memcpy(labels + N, labels, 20 * sizeof *labels);
  fn_calibrate_figures f;
  fn_metrics m;
  for (int doubled = 0; doubled < 2; doubled++) {
    assert_ok(fn_calibrate_figures_compute(&f, p, labels, doubled ? weights : NULL, N, &err));
    assert_ok(fn_metrics_compute(&m, p, labels, doubled ? N + 20 : N, &err));
    assert_true(fabs(f.nll - m.log_loss) < 1e-12 && fabs(f.ece - m.ece) < 1e-12);
    assert_true(fabs(f.auc - m.roc_auc) < 1e-12 && fabs(f.accuracy - m.accuracy) < 1e-12);
  }
  for (int i = 0; i < N; i++) labels[i] = 1;
  assert_ok(fn_calibrate_figures_compute(&f, p, labels, NULL, N, &err));
  assert_true(isnan(f.auc));
  p[3] = 1.5;
  assert_status(fn_calibrate_figures_compute(&f, p, labels, NULL, N, &err), FN_E_INVALID);
  assert_contains(err.message, "row 3");
}

static void test_band(void **state) {
  (void)state;
  fn_err err = {0};
  /* confidences 0.95 0.9 0.8 0.7 0.6; right, right, wrong, right, wrong */
  const double p[] = {0.95, 0.1, 0.8, 0.7, 0.4};
  const int32_t labels[] = {1, 0, 0, 1, 1};
  fn_band b;
  assert_ok(fn_band_choose(&b, p, labels, NULL, 5, 0.7, 0.0, &err));
  assert_true(b.reached && b.coverage == 0.8 && b.accuracy == 0.75 && fabs(b.threshold - 0.65) < 1e-12);
  assert_ok(fn_band_choose(&b, p, labels, NULL, 5, 0.9, 0.0, &err));
  assert_true(b.reached && b.coverage == 0.4 && b.accuracy == 1.0 && fabs(b.threshold - 0.85) < 1e-12);
  assert_ok(fn_band_choose(&b, p, labels, NULL, 5, 0.9, 0.5, &err)); /* not with half of the rows */
  assert_true(!b.reached && b.coverage == 0.8 && b.accuracy == 0.75);
  assert_ok(fn_band_choose(&b, p, labels, NULL, 5, 0.5, 0.0, &err));
  assert_true(b.reached && b.coverage == 1.0 && b.threshold == 0.5);
  const double weights[] = {1, 1, 0, 1, 0};
  assert_ok(fn_band_choose(&b, p, labels, weights, 5, 1.0, 0.0, &err));
  assert_true(b.reached && b.coverage == 1.0);
  fn_band_judge(&b, 0.65, p, labels, NULL, 5);
  assert_true(b.coverage == 0.8 && b.accuracy == 0.75);
  fn_band_judge(&b, 0.99, p, labels, NULL, 5);
  assert_true(b.coverage == 0.0 && isnan(b.accuracy));
  assert_status(fn_band_choose(&b, p, labels, NULL, 0, 0.9, 0.0, &err), FN_E_INVALID);
}

/* Rows of three groups: overconfident by a factor of 3, with lengths, and a second logit that knows something else. */
enum { N_ROWS = 1500 };
typedef struct table {
  double logits[N_ROWS][2];
  int32_t labels[N_ROWS];
  int64_t n_tokens[N_ROWS];
  uint32_t folds[N_ROWS];
} table;

static void fill(table *t, double short_factor) {
  fn_rng rng = fn_rng_make(7, 3);
  for (int i = 0; i < N_ROWS; i++) {
    double z = fn_rng_normal(&rng) * 1.5, other = fn_rng_normal(&rng);
    t->labels[i] = fn_rng_uniform(&rng) < fn_sigmoid(z + other);
    t->n_tokens[i] = i % 2 ? 20 : 200;
    t->logits[i][0] = z * (i % 2 ? 3.0 * short_factor : 3.0);
    t->logits[i][1] = other;
    t->folds[i] = (uint32_t)i % 3;
  }
}

static void test_calibrate_chooses(void **state) {
  (void)state;
  fn_err err = {0};
  table *t = calloc(1, sizeof *t);
  double *first = calloc(N_ROWS, sizeof *first), *z = calloc(N_ROWS, sizeof *z);
  fn_calibrate_plan plan;
  fn_calibrate_result r;
  fn_calibrate_plan_init(&plan);
  fill(t, 1.0);
  for (int i = 0; i < N_ROWS; i++) first[i] = t->logits[i][0];
  fn_calibrate_rows rows = {.n = N_ROWS, .k = 1, .logits = first, .labels = t->labels, .n_tokens = t->n_tokens};
  rows.folds = t->folds;
  rows.n_folds = 3;
  assert_ok(fn_calibrate(&r, z, &rows, &plan, &err));
  assert_true(r.form.kind == FN_SCALE_TEMPERATURE && r.form.n_buckets == 1); /* the freer forms gain nothing */
  assert_true(r.scaling.temperatures[0] > 3.0 && r.scaling.temperatures[0] < 5.0);
  assert_true(r.after.nll < r.before.nll - 0.1 && r.after.ece < 0.5 * r.before.ece);
  assert_true(r.band.reached && r.band.accuracy >= 0.9 && r.band.coverage > 0.1);
  assert_true(fabs(r.judged.coverage - r.band.coverage) < 0.1);
  /* what stands in z_cross is the scaling without the row's fold */
  fn_scaling without;
  double w[N_ROWS];
  for (int i = 0; i < N_ROWS; i++) w[i] = t->folds[i] != 1;
  rows.weights = w;
  assert_ok(fn_scaling_fit(&without, &rows, &r.form, &err));
  assert_true(fabs(z[1] - fn_scaling_apply(&without, first + 1, 20)) < 1e-12);
  rows.weights = NULL;

  for (int i = 0; i < N_ROWS; i++) first[i] /= r.scaling.temperatures[0]; /* nothing is left to do */
  assert_ok(fn_calibrate(&r, z, &rows, &plan, &err));
  assert_true(r.form.kind == FN_SCALE_NOTHING && r.scaling.temperatures[0] == 1.0 && r.scaling.weights[0] == 1.0);
  assert_true(r.after.nll == r.before.nll && z[7] == first[7]);

  fill(t, 4.0); /* short rows are four times as overconfident */
  for (int i = 0; i < N_ROWS; i++) first[i] = t->logits[i][0];
  assert_ok(fn_calibrate(&r, z, &rows, &plan, &err));
  assert_int_equal(r.form.n_buckets, 3);
  assert_true(r.scaling.temperatures[0] > 2.5 * r.scaling.temperatures[1]);

  fill(t, 1.0); /* with both logits: 1/3 and 1, as they were made */
  rows.k = 2;
  rows.logits = &t->logits[0][0];
  assert_ok(fn_calibrate(&r, z, &rows, &plan, &err));
  assert_true(r.form.kind == FN_SCALE_WEIGHTS && r.scaling.temperatures[0] == 1.0);
  assert_true(fabs(r.scaling.weights[0] - 1.0 / 3.0) < 0.06 && fabs(r.scaling.weights[1] - 1.0) < 0.25);
  assert_true(r.scaling.bias == 0.0);                                              /* it would gain nothing */
  for (int i = 0; i < N_ROWS; i++) t->logits[i][1] = t->logits[i][0] *= 1.0 / 3.0; /* two of a kind: nothing to weigh */
  assert_ok(fn_calibrate(&r, z, &rows, &plan, &err));
  assert_true(r.form.kind <= FN_SCALE_TEMPERATURE && r.scaling.weights[0] == 0.5 && r.scaling.weights[1] == 0.5);
  for (int i = 0; i < N_ROWS; i++) t->labels[i] = i % 3 == 0; /* fold 0 has all fakes */
  assert_status(fn_calibrate(&r, z, &rows, &plan, &err), FN_E_INVALID);
  assert_contains(err.message, "without group 0");
  free(t);
  free(first);
  free(z);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sigmoid),
      cmocka_unit_test(test_temperature),
      cmocka_unit_test(test_temperature_refuses),
      cmocka_unit_test(test_prior),
      cmocka_unit_test(test_stack_of_one),
      cmocka_unit_test(test_stack_drops_the_contrary),
      cmocka_unit_test(test_stack_refuses),
      cmocka_unit_test(test_buckets),
      cmocka_unit_test(test_even_weights),
      cmocka_unit_test(test_folds),
      cmocka_unit_test(test_figures),
      cmocka_unit_test(test_band),
      cmocka_unit_test(test_calibrate_chooses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
