/* From logits to an answer: calibration, prior, threshold, and when a calibration does not fit. */
#include "../test.h"

#include "infer/answer.h"

static fn_calibration make_calibration(void) {
  fn_calibration c = {.mode = FN_TEXT_TITLE_TEXT, .max_tokens = 256, .prior = 0.5, .n_sets = 2};
  c.sets[0] = (fn_calibration_set){.part = FN_PART_BOTH,
                                   .scaling = {.k = 2, .weights = {0.5, 0.25}, .n_buckets = 1, .temperatures = {1.0}},
                                   .unsure = 0.7,
                                   .unlike = {0.8, (double)NAN}};
  c.sets[1] = c.sets[0];
  c.sets[1].headline = true;
  c.sets[1].scaling.weights[0] = 0.1;
  return c;
}

static fn_classifier_info make_info(void) {
  return (fn_classifier_info){.dir = "m", .n_labels = 2, .labels = {"real", "fake"}, .fake = 1};
}

static fn_infer_options make_options(void) {
  return (fn_infer_options){.prior = (double)NAN, .unsure = "auto"};
}

/* What a session has before: raw probabilities of the mean logit, English of good length. */
static fn_prediction make_prediction(double encoder, double linear) {
  fn_prediction p = {.n_tokens = 100, .n_windows = 1, .message = "", .encoder_logit = encoder, .linear_logit = linear};
  p.logits[1] = 0.5 * (encoder + linear);
  p.probabilities[1] = fn_sigmoid(p.logits[1]);
  p.probabilities[0] = 1.0 - p.probabilities[1];
  p.label = p.logits[1] > 0.0;
  fn_evidence_read(&p.evidence, fn_str_from("Bridge to close"),
                   fn_str_from("The mayor said on Monday that the old bridge will be torn down next spring."));
  return p;
}

static fn_answering make_answering(const fn_calibration *c, const fn_infer_options *o) {
  fn_err err = {0};
  fn_answering a;
  const fn_classifier_info info = make_info();
  assert_ok(fn_answering_init(&a, o, c, &info, FN_PART_BOTH, FN_TEXT_TITLE_TEXT, 256, &err));
  return a;
}

static void test_calibrated(void **state) {
  (void)state;
  const fn_calibration c = make_calibration();
  fn_infer_options o = make_options();
  fn_answering a = make_answering(&c, &o);
  fn_prediction p = make_prediction(4.0, -2.0);
  fn_answer_finish(&p, &a, NULL);
  assert_true(p.calibrated && fabs(p.logit - 1.5) < 1e-15 && p.probabilities[1] == fn_sigmoid(1.5));
  assert_true(p.probabilities[0] + p.probabilities[1] == 1.0 && p.label == 1 && p.verdict == FN_VERDICT_FAKE);
  assert_true(p.threshold == 0.7 && p.prior == c.prior);
  p = make_prediction(1.0, 0.0);
  fn_answer_finish(&p, &a, NULL);
  assert_int_equal(p.verdict, FN_VERDICT_UNSURE); /* 0.62 < 0.7 */
  /* An article's own prior goes before the session's. */
  fn_prediction q = make_prediction(4.0, -2.0);
  fn_answer_finish(&q, &a, &(fn_article){.prior = 0.01});
  assert_true(q.prior == 0.01 && fabs(q.logit - fn_prior_shift(1.5, c.prior, 0.01)) < 1e-12);
  p = make_prediction(-4.0, -8.0);
  p.evidence.n_ngrams = 100;
  p.evidence.novelty = 0.9;
  fn_answer_finish(&p, &a, NULL);
  assert_int_equal(p.verdict, FN_VERDICT_REAL);
  assert_int_equal(p.reasons, FN_REASON_UNLIKE_TRAINING);
  p = make_prediction(4.0, 4.0);
  p.evidence = (fn_evidence){0};
  fn_evidence_read(&p.evidence, fn_str_from("Mayor says the old bridge must go next spring"), fn_str_from(""));
  fn_answer_finish(&p, &a, NULL); /* by the set of headlines */
  assert_true(p.calibrated && fabs(p.logit - 1.4) < 1e-15 && p.reasons == FN_REASON_HEADLINE_ONLY);
}

static void test_prior(void **state) {
  (void)state;
  const fn_calibration c = make_calibration();
  fn_infer_options o = make_options();
  o.prior = 0.1;
  fn_answering a = make_answering(&c, &o);
  fn_prediction p = make_prediction(4.0, -2.0);
  fn_answer_finish(&p, &a, NULL);
  assert_true(fabs(p.logit - (1.5 - log(9.0))) < 1e-14);
  assert_int_equal(p.label, 0);
  assert_int_equal(p.verdict, FN_VERDICT_UNSURE); /* 0.67 real */
  o.unsure = NULL;
  a = make_answering(&c, &o);
  p = make_prediction(4.0, -2.0);
  fn_answer_finish(&p, &a, NULL);
  assert_int_equal(p.verdict, FN_VERDICT_REAL);
}

static void test_not_calibrated(void **state) {
  (void)state;
  fn_infer_options o = make_options();
  fn_answering a = make_answering(NULL, &o);
  fn_prediction p = make_prediction(4.0, -2.0);
  fn_answer_finish(&p, &a, NULL);
  assert_true(!p.calibrated && p.logit == 1.0 && p.probabilities[1] == fn_sigmoid(1.0));
  assert_int_equal(p.verdict, FN_VERDICT_FAKE); /* auto has nothing to go by */
  o.unsure = "0.75";
  a = make_answering(NULL, &o);
  fn_answer_finish(&p, &a, NULL);
  assert_int_equal(p.verdict, FN_VERDICT_UNSURE);
  p.evidence = (fn_evidence){0};
  o.unsure = NULL;
  a = make_answering(NULL, &o);
  fn_answer_finish(&p, &a, NULL); /* nothing was read: a reason that forces it */
  assert_int_equal(p.verdict, FN_VERDICT_UNSURE);
  a.fake = -1;
  p = make_prediction(4.0, -2.0);
  fn_answer_finish(&p, &a, NULL);
  assert_true(p.verdict == FN_VERDICT_NONE && isnan(p.logit) && !p.calibrated);
}

/* Read in another way than when the calibration was made: only where that changed nothing. */
static void test_other_reading(void **state) {
  (void)state;
  const fn_calibration c = make_calibration();
  fn_infer_options o = make_options();
  o.long_texts = FN_INFER_WINDOWS;
  fn_answering a = make_answering(&c, &o);
  fn_prediction p = make_prediction(4.0, -2.0);
  assert_non_null(fn_answering_set(&a, &p));
  p.n_windows = 2;
  assert_null(fn_answering_set(&a, &p));
  p.n_windows = 1;
  p.truncated = true;
  assert_null(fn_answering_set(&a, &p));
  a.windows = false; /* as calibrated: cut */
  assert_non_null(fn_answering_set(&a, &p));
  a.max_tokens = 512;
  p.truncated = false;
  p.n_tokens = 257;
  assert_null(fn_answering_set(&a, &p));
  p.n_tokens = 256;
  assert_non_null(fn_answering_set(&a, &p));
  a.part = FN_PART_ENCODER; /* no set for it */
  assert_null(fn_answering_set(&a, &p));
  fn_answer_finish(&p, &a, NULL);
  assert_false(p.calibrated);
}

static void test_refused(void **state) {
  (void)state;
  fn_err err = {0};
  const fn_calibration c = make_calibration();
  fn_infer_options o = make_options();
  fn_classifier_info info = make_info();
  fn_answering a;
  static const char *const bad[] = {"0.49", "1.01", "nan", "", "Auto", "0.5x"};
  for (size_t i = 0; i < FN_COUNT_OF(bad); i++) {
    o.unsure = bad[i];
    assert_status(fn_answering_init(&a, &o, &c, &info, FN_PART_BOTH, c.mode, 256, &err), FN_E_INVALID);
    assert_contains(err.message, "infer.unsure");
  }
  o = make_options();
  o.prior = 0.2;
  assert_status(fn_answering_init(&a, &o, NULL, &info, FN_PART_BOTH, c.mode, 256, &err), FN_E_UNSUPPORTED);
  assert_contains(err.message, "m is not calibrated");
  assert_status(fn_answering_init(&a, &o, &c, &info, FN_PART_BOTH, FN_TEXT_TEXT, 256, &err), FN_E_UNSUPPORTED);
  assert_contains(err.message, "calibrated for reading title+text, not text");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_calibrated),    cmocka_unit_test(test_prior),   cmocka_unit_test(test_not_calibrated),
      cmocka_unit_test(test_other_reading), cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
