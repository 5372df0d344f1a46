/* Reasons from numbers; a verdict from probability, threshold and reasons. */
#include "../test.h"

#include "infer/calibration.h"

static const char sentence[] = "The mayor said on Monday that the old bridge will be torn down next spring.";

static fn_evidence evidence_of(const char *title, const char *text) {
  fn_evidence e = {0};
  fn_evidence_read(&e, fn_str_from(title), fn_str_from(text));
  return e;
}

static void test_reasons(void **state) {
  (void)state;
  fn_evidence e = evidence_of("", sentence);
  assert_int_equal(fn_reasons_find(&e, NULL), 0);
  e = evidence_of("Mayor says the old bridge must go", "");
  assert_int_equal(fn_reasons_find(&e, NULL), FN_REASON_HEADLINE_ONLY);
  e = evidence_of("Mayor says the old bridge must go", "  \n ");
  assert_int_equal(fn_reasons_find(&e, NULL), FN_REASON_HEADLINE_ONLY);
  e = evidence_of("Bridge must go", "");
  assert_int_equal(fn_reasons_find(&e, NULL), FN_REASON_HEADLINE_ONLY | FN_REASON_TOO_SHORT);
  e = evidence_of("", "the old bridge must");
  assert_int_equal(fn_reasons_find(&e, NULL), FN_REASON_TOO_SHORT);
  e = evidence_of("", "the old bridge must go");
  assert_int_equal(fn_reasons_find(&e, NULL), 0);
  e = evidence_of("Bridge", "must go in the spring"); /* words of both count */
  assert_int_equal(fn_reasons_find(&e, NULL), 0);
  e = evidence_of("", "Der alte Zaun soll nach dem Winter endlich verschwinden");
  assert_int_equal(fn_reasons_find(&e, NULL), FN_REASON_NOT_ENGLISH);
  e = evidence_of(
      "", "经过漫长的一夜，政府推迟了新法律的表决，市民在广场上等待"); /* not short, though no word was counted */
  assert_int_equal(fn_reasons_find(&e, NULL), FN_REASON_NOT_ENGLISH);
  e = evidence_of("", "https://www.example.com/a/b");
  assert_int_equal(fn_reasons_find(&e, NULL), FN_REASON_NOT_ENGLISH | FN_REASON_TOO_SHORT);
}

static void test_unknown_tokens(void **state) {
  (void)state;
  int32_t ids[20];
  uint32_t begin[20], end[20];
  for (int i = 0; i < 20; i++) {
    ids[i] = i < 2 ? 100 : 7;
    begin[i] = (uint32_t)i * 5 + 3;
    end[i] = begin[i] + 4;
  }
  const fn_tokens tokens = {.ids = ids, .begin = begin, .end = end, .n = 20}, none = {0};
  fn_evidence e = evidence_of("", sentence);
  fn_evidence_add_tokens(&e, &none, 100);
  fn_evidence_add_tokens(&e, &tokens, 100);
  assert_int_equal(e.n_tokens, 20);
  assert_int_equal(e.n_unknown, 2);
  assert_int_equal(e.n_bytes, 99);
  assert_int_equal(fn_reasons_find(&e, NULL), 0); /* one in ten is allowed */
  ids[5] = 100;
  fn_evidence_add_tokens(&e, &tokens, 100);
  assert_int_equal(fn_reasons_find(&e, NULL), FN_REASON_UNKNOWN_TOKENS);
  assert_true(fn_evidence_bytes_per_token(&e) == 198.0 / 40.0);
}

static void test_unlike_training(void **state) {
  (void)state;
  fn_unlike_limits limits = {.novelty_above = 0.6, .bytes_per_token_below = 3.0};
  fn_evidence e = evidence_of("", sentence);
  assert_int_equal(fn_reasons_find(&e, &limits), 0); /* nothing was measured */
  e.n_ngrams = 100;
  e.novelty = 0.61;
  assert_int_equal(fn_reasons_find(&e, &limits), FN_REASON_UNLIKE_TRAINING);
  e.novelty = 0.6;
  assert_int_equal(fn_reasons_find(&e, &limits), 0);
  e.novelty = 0.9;
  e.n_ngrams = 31; /* too few */
  assert_int_equal(fn_reasons_find(&e, &limits), 0);
  e.n_ngrams = 0; /* an encoder alone */
  e.n_tokens = 100;
  e.n_bytes = 299;
  assert_int_equal(fn_reasons_find(&e, &limits), FN_REASON_UNLIKE_TRAINING);
  e.n_bytes = 300;
  assert_int_equal(fn_reasons_find(&e, &limits), 0);
  e.n_ngrams = 100; /* the linear half's measure goes first */
  e.n_bytes = 100;
  e.novelty = 0.5;
  assert_int_equal(fn_reasons_find(&e, &limits), 0);
  limits = (fn_unlike_limits){(double)NAN, (double)NAN};
  e.novelty = 1.0;
  assert_int_equal(fn_reasons_find(&e, &limits), 0);
}

static void test_verdict(void **state) {
  (void)state;
  assert_int_equal(fn_verdict_make(0.5, (double)NAN, 0), FN_VERDICT_REAL);
  assert_int_equal(fn_verdict_make(0.51, (double)NAN, 0), FN_VERDICT_FAKE);
  assert_int_equal(fn_verdict_make(0.51, 0.8, 0), FN_VERDICT_UNSURE);
  assert_int_equal(fn_verdict_make(0.8, 0.8, 0), FN_VERDICT_FAKE);
  assert_int_equal(fn_verdict_make(0.125, 0.875, 0), FN_VERDICT_REAL);
  assert_int_equal(fn_verdict_make(0.99, 0.8, FN_REASON_HEADLINE_ONLY | FN_REASON_UNLIKE_TRAINING), FN_VERDICT_FAKE);
  const unsigned forced[] = {FN_REASON_NOT_ENGLISH, FN_REASON_TOO_SHORT, FN_REASON_UNKNOWN_TOKENS};
  for (size_t i = 0; i < 3; i++) assert_int_equal(fn_verdict_make(0.99, (double)NAN, forced[i]), FN_VERDICT_UNSURE);
  for (int i = 0; i < FN_N_REASONS; i++) assert_true(strlen(fn_reason_meanings[i]) > 10 && fn_reason_names[i][0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reasons),
      cmocka_unit_test(test_unknown_tokens),
      cmocka_unit_test(test_unlike_training),
      cmocka_unit_test(test_verdict),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
