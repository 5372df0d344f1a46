/* The parts on cases that can be worked out by hand. */
#include "../test.h"
#include "audit/keys.h"
#include "audit/probe.h"
#include "audit/style.h"

#include <math.h>
#include <stdio.h>

static void fits_a_threshold(void **state) {
  (void)state;
  fn_err err = {0};
  fn_audit_rule rule;
  const uint8_t labels[] = {0, 0, 0, 1, 1, 1};
  assert_ok(fn_audit_fit(&rule, (const float[]){1, 2, 5, 3, 6, 7}, labels, 6, &err));
  assert_int_equal(rule.side, 1);
  assert_float_equal(rule.threshold, 2, 0); /* > 2: all fakes, one real; > 5 comes later and is no better */
  assert_float_equal(rule.balanced_accuracy, 5.0 / 6, 1e-12);
  assert_ok(fn_audit_fit(&rule, (const float[]){9, 9, 9, 0, 0, 0}, labels, 6, &err));
  assert_int_equal(rule.side, 0);
  assert_float_equal(rule.threshold, 0, 0);
  assert_float_equal(rule.balanced_accuracy, 1, 0);
  assert_ok(fn_audit_fit(&rule, (const float[]){4, 4, 4, 4, 4, 4}, labels, 6, &err));
  assert_float_equal(rule.balanced_accuracy, 0.5, 0);
}

static void auc_counts_ties_half(void **state) {
  (void)state;
  fn_err err = {0};
  double auc;
  const uint8_t labels[] = {0, 1, 0, 1};
  assert_ok(fn_audit_auc(&auc, (const double[]){1, 1, 2, 3}, labels, 4, &err));
  assert_float_equal(auc, (0.5 + 0 + 1 + 1) / 4, 1e-12);
}

/* Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3. */
static void intervals(void **state) {
  (void)state;
  double low, high, z = fn_audit_quantile(0.05);
  assert_true(fabs(z - 1.959963984540054) < 1e-9);
  fn_audit_wilson(&low, &high, 81, 263, z);
  assert_float_equal(low, 0.2553, 5e-5);
  assert_float_equal(high, 0.3662, 5e-5);
  fn_audit_wilson(&low, &high, 0, 20, z);
  assert_float_equal(low, 0, 0);
  assert_float_equal(high, 0.1611, 5e-5);
  uint64_t n[2][2] = {{80, 20}, {10, 90}};
  assert_float_equal(fn_audit_balanced(&low, &high, n, z), 0.85, 1e-12);
  double low_real, low_fake, unused;
  fn_audit_wilson(&low_real, &unused, 80, 100, z);
  fn_audit_wilson(&low_fake, &unused, 90, 100, z);
  assert_true(fabs(low - (0.85 - hypot(0.8 - low_real, 0.9 - low_fake) / 2)) < 1e-9);
  assert_true(high > 0.85 && high < 1);
}

static void measure(float out[FN_N_STYLES], const char *text) {
  fn_style_measure(out, fn_str_from(text));
}
#define assert_style(style, expected) assert_float_equal(v[FN_STYLE_##style], expected, 1e-6)

static void counts_of_style(void **state) {
  (void)state;
  float v[FN_N_STYLES];
  measure(v, "");
  assert_style(ABSENCE, 1);
  assert_style(WORDS, 0);
  assert_style(CAPITALS, 0);
  measure(v, "BREAKING: He said \"No!\" in June 2017... (VIDEO) Really?  ");
  assert_style(LENGTH, 57);
  assert_style(WORDS, 9);
  assert_style(SENTENCES, 2);
  assert_style(EXCLAMATION, 1);
  assert_style(QUESTION, 1);
  assert_style(STRAIGHT_QUOTES, 2);
  assert_style(ELLIPSES, 1);
  assert_style(COLONS, 1);
  assert_style(ROUND_BRACKETS, 1);
  assert_style(MONTHS, 1);
  assert_style(YEARS, 1);
  assert_style(DIGITS, 4.0 / 57);
  assert_style(CAPITAL_WORDS, 2.0 / 8);
  assert_style(DOUBLE_SPACES, 1);
  assert_style(EDGE_SPACE, 1);
  assert_style(END_MARK, 1);
  assert_style(ABSENCE, 0);
  measure(v, "\xE2\x80\x9C"
             "caf\xC3\xA9\xE2\x80\x9D \xE2\x80\x94 \xE2\x80\xA6\nx");
  assert_style(CURLY_QUOTES, 2);
  assert_style(DASHES, 1);
  assert_style(ELLIPSES, 1);
  assert_style(LINE_BREAKS, 1);
  assert_style(BEYOND_ASCII, 5.0 / 12);
  assert_style(MOJIBAKE, 0);
}

static void left_overs(void **state) {
  (void)state;
  float v[FN_N_STYLES];
  measure(v, "caf\xC3\x83\xC2\xA9 it\xC3\xA2\xE2\x82\xAC\xE2\x84\xA2s \xFF bad"); /* cafÃ© itâ€™s */
  assert_style(MOJIBAKE, 3);
  measure(v, "a &amp; b &nbsp; <br/> <p class=\"x\">c</p> 3 < 4 & 5 > 2 &; AT&T");
  assert_style(HTML, 5);
  assert_style(STRAIGHT_QUOTES, 2);
  measure(v, "see http://a.b/c and https://d.e, www.f.g or http://www.h.i");
  assert_style(URLS, 4);
  measure(v, "x\xC2\xA0y\xE2\x80\x8Bz\tw");
  assert_style(INVISIBLE, 3);
  measure(v, "WASHINGTON (Wire) - He said");
  assert_style(DATELINE, 1);
  measure(v, "BEIRUT, June 3 \xE2\x80\x94 He said");
  assert_style(DATELINE, 1);
  measure(v, "He said that the well-known man - a US citizen - left");
  assert_style(DATELINE, 0);
  measure(v, "On Monday and Tuesday, Mondays too");
  assert_style(WEEKDAYS, 2);
  measure(v, "He arrived on time in May 1899, not 20170");
  assert_style(YEARS, 0);
  assert_style(MONTHS, 0); /* "May" is a verb as well */
}

typedef struct heard {
  size_t n, words[4], begin[4], end[4];
  uint64_t hash[4];
} heard;

static void hear(void *arg, uint64_t hash, size_t n_words, size_t begin, size_t end) {
  heard *h = arg;
  assert_true(h->n < 4);
  h->words[h->n] = n_words;
  h->begin[h->n] = begin;
  h->end[h->n] = end;
  h->hash[h->n++] = hash;
}

static void sentences_are_found_again(void **state) {
  (void)state;
  fn_audit_keys a, b;
  heard x = {0}, y = {0};
  const char *text =
      "Too short. One two three, four five six seven eight! ONE two \"three\" four\tfive six seven eight";
  fn_audit_keys_make(&a, fn_str_from(text), hear, &x);
  assert_int_equal(a.n_words, 18);
  assert_int_equal(x.n, 2);
  assert_int_equal(x.words[0], 8);
  assert_int_equal(x.begin[0], 11);
  assert_int_equal(text[x.end[0]], '!');
  assert_true(x.hash[0] == x.hash[1]); /* case, marks and spaces do not count */
  fn_audit_keys_make(&b, fn_str_from("one two three four five six seven nine"), hear, &y);
  assert_int_equal(y.n, 1);
  assert_true(y.hash[0] != x.hash[0]);
  assert_true(b.head == 0 && b.tail == 0); /* fewer than 16 words */
}

static void heads_tails_and_wholes(void **state) {
  (void)state;
  fn_audit_keys a, b, c;
  const char *body = "a b c d e f g h ";
  char one[200], two[200];
  snprintf(one, sizeof one, "%s1 2 3 4 5 6 7 8 9", body);
  snprintf(two, sizeof two, "%s0 0 2 3 4 5 6 7 8 9", body);
  fn_audit_keys_make(&a, fn_str_from(one), NULL, NULL);
  fn_audit_keys_make(&b, fn_str_from(two), NULL, NULL);
  assert_true(a.head == b.head && a.tail == b.tail && a.all != b.all);
  fn_audit_keys_make(&c, fn_str_from("A, B - C: d e f g h \xE2\x80\x94 1 2 3 4 5 6 7 8 9."), NULL, NULL);
  assert_true(a.head == c.head && a.tail == c.tail && a.all == c.all);
  fn_audit_keys_make(&c, fn_str_from("x b c d e f g h 1 2 3 4 5 6 7 8 8"), NULL, NULL);
  assert_true(a.head != c.head && a.tail != c.tail);
  fn_audit_keys_make(&c, fn_str_from(""), NULL, NULL);
  assert_int_equal(c.n_words, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fits_a_threshold),
      cmocka_unit_test(auc_counts_ties_half),
      cmocka_unit_test(intervals),
      cmocka_unit_test(counts_of_style),
      cmocka_unit_test(left_overs),
      cmocka_unit_test(sentences_are_found_again),
      cmocka_unit_test(heads_tails_and_wholes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
