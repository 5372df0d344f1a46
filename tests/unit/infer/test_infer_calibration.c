/* A calibration through JSON and back, what it refuses, and what it makes of logits. */
#include "../test.h"

#include "infer/calibration.h"

static fn_calibration make(void) {
  fn_calibration c = {.mode = FN_TEXT_TITLE_TEXT,
                      .max_tokens = 256,
                      .prior = 0.5,
                      .quantile = 0.01,
                      .model = "default@0123456789ab",
                      .data = "0123456789abcdef0123456789abcdef",
                      .grouped_by = "dataset",
                      .n_sets = 2};
  c.sets[0] = (fn_calibration_set){.part = FN_PART_BOTH,
                                   .scaling = {.k = 2,
                                               .weights = {0.25, 1.0 / 3.0},
                                               .bias = -0.1,
                                               .n_buckets = 3,
                                               .edges = {64, 256},
                                               .temperatures = {2.0, 1.5, 1.1}},
                                   .unsure = 0.8,
                                   .target = 0.9,
                                   .target_reached = true,
                                   .unlike = {0.7, (double)NAN},
                                   .n_rows = 1234,
                                   .n_groups = 7,
                                   .before = {0.9, 0.3, 0.75, 0.66},
                                   .after = {0.6, 0.02, 0.76, 0.68},
                                   .coverage = 0.3,
                                   .accuracy = 0.91};
  c.sets[1] = (fn_calibration_set){.part = FN_PART_LINEAR,
                                   .headline = true,
                                   .scaling = {.k = 1, .weights = {1.0}, .n_buckets = 1, .temperatures = {3.0}},
                                   .unsure = 0.5,
                                   .target = (double)NAN,
                                   .unlike = {(double)NAN, 2.5},
                                   .before = {0.9, 0.3, (double)NAN, 0.66},
                                   .after = {0.6, 0.02, 0.76, 0.68},
                                   .coverage = (double)NAN,
                                   .accuracy = (double)NAN};
  return c;
}

static void test_round_trip(void **state) {
  (void)state;
  fn_err err = {0};
  fn_calibration c = make(), back;
  FN_AUTO_BUF fn_buf first, second;
  fn_buf_init(&first, 0);
  fn_buf_init(&second, 0);
  fn_calibration_format(&first, &c);
  assert_ok(fn_calibration_parse(&back, fn_buf_str(&first), "c.json", &err));
  fn_calibration_format(&second, &back);
  assert_string_equal(first.data, second.data);
  assert_true(back.sets[0].scaling.weights[1] == 1.0 / 3.0 && back.sets[0].scaling.edges[1] == 256);
  assert_true(isnan(back.sets[1].target) && isnan(back.sets[0].unlike.bytes_per_token_below));
  assert_true(back.sets[1].headline && back.sets[1].scaling.k == 1 && back.max_tokens == 256 && !back.windows);
  c.max_tokens = 0;
  c.windows = true;
  fn_buf_reset(&first);
  fn_calibration_format(&first, &c);
  assert_ok(fn_calibration_parse(&back, fn_buf_str(&first), "c.json", &err));
  assert_true(back.max_tokens == 0 && back.windows);
}

/* One edit of the text, and what the message must hold. */
static void expect_refused(const char *from, const char *to, const char *message, fn_status status) {
  fn_err err = {0};
  fn_calibration c = make(), out = {.n_sets = 77};
  FN_AUTO_BUF fn_buf text, edited;
  fn_buf_init(&text, 0);
  fn_buf_init(&edited, 0);
  fn_calibration_format(&text, &c);
  const char *at = strstr(text.data, from);
  assert_non_null(at);
  fn_buf_append(&edited, text.data, (size_t)(at - text.data));
  fn_buf_append_str(&edited, to);
  fn_buf_append_str(&edited, at + strlen(from));
  assert_status(fn_calibration_parse(&out, fn_buf_str(&edited), "c.json", &err), status);
  assert_contains(err.message, "c.json");
  assert_contains(err.message, message);
  assert_int_equal(out.n_sets, 77);
}

#define TEN "0123456789"

static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *from, *to, *message;
    fn_status status;
  } cases[] = {
      {"calibration/1", "calibration/2", "fakenews.calibration/1", FN_E_UNSUPPORTED},
      {"\"schema\"", "\"shema\"", "schema", FN_E_INVALID},
      {"\"prior\": 0.5", "\"prior\": 0", "prior", FN_E_INVALID},
      {"\"prior\": 0.5", "\"prior\": \"half\"", "prior", FN_E_INVALID},
      {"\"quantile\"", "\"quantil\"", "quantil", FN_E_INVALID},
      {"\"text\": \"title+text\"", "\"text\": \"body\"", "title, text, title+text", FN_E_INVALID},
      {"\"long\": \"cut\"", "\"long\": 7", "long", FN_E_INVALID},
      {"\"max_tokens\": 256", "\"max_tokens\": 3", "max_tokens", FN_E_INVALID},
      {"\"max_tokens\": 256,", "", "max_tokens", FN_E_INVALID},
      {"\"model\": \"default",
       "\"model\": \"" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
           TEN TEN TEN TEN TEN "default",
       "model has more than 287 bytes", FN_E_INVALID},
      {"\"part\": \"both\"", "\"part\": \"all\"", "sets[0]: part must be one of encoder, linear, both", FN_E_INVALID},
      {"\"input\": \"headline\"", "\"input\": \"tweet\"", "sets[1]: input", FN_E_INVALID},
      {"\"part\": \"both\"", "\"part\": \"linear\"", "encoder has no place in part linear", FN_E_INVALID},
      {"\"encoder\": 0.25", "\"encoder\": -0.25", "sets[0].weights: \"encoder\"", FN_E_INVALID},
      {"\"encoder\": 0.25", "\"decoder\": 0.25", "decoder", FN_E_INVALID},
      {"\"bias\": -0.1", "\"bias\": null", "bias", FN_E_INVALID},
      {"1.5,", "0,", "sets[0]: temperatures[1]", FN_E_INVALID},
      {"1.5,", "1e9,", "sets[0]: temperatures[1]", FN_E_INVALID},
      {"256\n", "64\n", "sets[0]: edges[1]", FN_E_INVALID},
      {"256\n", "256.5\n", "sets[0]: edges[1]", FN_E_INVALID},
      {"64,", "", "sets[0]: edges", FN_E_INVALID},
      {"\"unsure_below\": 0.8", "\"unsure_below\": 0.4", "unsure_below", FN_E_INVALID},
      {"\"target_reached\": true", "\"target_reached\": 1", "target_reached", FN_E_INVALID},
      {"\"rows\": 1234", "\"rows\": -1", "rows", FN_E_INVALID},
      {"\"ece\": 0.3", "\"ece\": 3", "sets[0].before: \"ece\"", FN_E_INVALID},
      {"\"after\": {", "\"after\": {\"f1\": 1, ", "sets[0].after: f1", FN_E_INVALID},
      {"\"coverage\": 0.3", "\"coverage\": true", "coverage", FN_E_INVALID},
      {"{", "[", "c.json", FN_E_INVALID},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++) {
    expect_refused(cases[i].from, cases[i].to, cases[i].message, cases[i].status);
  }
}

static void test_sets_once(void **state) {
  (void)state;
  fn_err err = {0};
  fn_calibration c = make(), out;
  c.sets[1] = c.sets[0];
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  fn_calibration_format(&text, &c);
  assert_status(fn_calibration_parse(&out, fn_buf_str(&text), "c.json", &err), FN_E_INVALID);
  assert_contains(err.message, "stands twice");
  assert_status(fn_calibration_parse(&out, fn_str_from("[]"), "c.json", &err), FN_E_INVALID);
  assert_status(fn_calibration_parse(&out, fn_str_from("{}"), "c.json", &err), FN_E_INVALID);
  assert_status(fn_calibration_parse(&out, fn_str_from(""), "c.json", &err), FN_E_INVALID);
}

static void test_find_and_apply(void **state) {
  (void)state;
  fn_calibration c = make();
  const fn_calibration_set *both = fn_calibration_find(&c, FN_PART_BOTH, false);
  assert_ptr_equal(both, &c.sets[0]);
  assert_ptr_equal(fn_calibration_find(&c, FN_PART_LINEAR, true), &c.sets[1]);
  assert_null(fn_calibration_find(&c, FN_PART_BOTH, true)); /* nothing stands in */
  assert_null(fn_calibration_find(&c, FN_PART_ENCODER, false));
  const double logits[FN_N_HALVES] = {4.0, 3.0};
  assert_true(fabs(fn_calibration_apply(both, logits, 10) - (1.0 + 1.0 - 0.1) / 2.0) < 1e-15);
  assert_true(fabs(fn_calibration_apply(both, logits, 64) - (1.0 + 1.0 - 0.1) / 1.5) < 1e-15);
  const double linear_only[FN_N_HALVES] = {(double)NAN, 3.0};
  assert_true(fn_calibration_apply(&c.sets[1], linear_only, 10) == 1.0);
  c.mode = FN_TEXT_TITLE; /* reads nothing but titles: its normal input */
  assert_ptr_equal(fn_calibration_find(&c, FN_PART_BOTH, true), &c.sets[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_sets_once),
      cmocka_unit_test(test_find_and_apply),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
