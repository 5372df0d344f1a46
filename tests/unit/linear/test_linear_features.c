/* Features against a slow implementation that follows the text of features.h, and the hash against fixed values, since
 * it is part of the file format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "linear/chars.h"
#include "linear/features.h"

static fn_feature_spec spec_of(fn_text_mode mode, int bits) {
  return (fn_feature_spec){mode, bits, {1, 3}, {2, 5}};
}

/* ---- the slow implementation: whole arrays, one n-gram after the other ---- */

#define K 0x9E3779B97F4A7C15u
enum { MAX = 4096 };

static uint64_t slow_mix(uint64_t h) {
  h = (h ^ (h >> 33)) * 0xFF51AFD7ED558CCDu;
  h = (h ^ (h >> 33)) * 0xC4CEB9FE1A85EC53u;
  return h ^ (h >> 33);
}

static size_t slow_decode(uint32_t *out, fn_str s) {
  size_t n = 0;
  for (size_t i = 0; i < s.length;) {
    size_t bytes = fn_utf8_decode(&out[n], s.data + i, s.length - i);
    if (bytes == 0) out[n] = 0xFFFD;
    n++;
    i += bytes ? bytes : 1;
  }
  return n;
}

static void slow_count(uint32_t *counts, const uint64_t *x, size_t n, uint64_t seed, int bits) {
  uint64_t h = seed;
  for (size_t i = n; i-- > 0;) h = (h ^ x[i]) * K;
  counts[slow_mix(h) >> (64 - bits)]++;
}

static size_t slow_n_tokens;

static void slow_words(uint32_t *counts, const uint32_t *c, size_t n, const fn_feature_spec *s) {
  uint64_t tokens[MAX];
  size_t n_tokens = 0;
  for (size_t i = 0; i < n;) {
    size_t end = i + 1;
    if (fn_char_classify(c[i]) == FN_CHAR_WORD) {
      while (end < n && fn_char_classify(c[end]) == FN_CHAR_WORD) end++;
    }
    if (fn_char_classify(c[i]) != FN_CHAR_SPACE) {
      uint64_t h = 1;
      for (size_t k = i; k < end; k++) h = (h ^ c[k]) * K;
      tokens[n_tokens++] = slow_mix(h);
    }
    i = end;
  }
  slow_n_tokens = n_tokens;
  for (size_t order = (size_t)s->min[0]; order <= (size_t)s->max[0]; order++) {
    for (size_t i = 0; i + order <= n_tokens; i++) slow_count(counts, tokens + i, order, 2, s->hash_bits);
  }
}

/* scikit-learn's _char_wb_ngrams, loop for loop. */
static void slow_chars(uint32_t *counts, const uint32_t *c, size_t n, const fn_feature_spec *s) {
  for (size_t i = 0; i < n;) {
    if (fn_char_classify(c[i]) == FN_CHAR_SPACE) {
      i++;
      continue;
    }
    uint64_t w[MAX] = {' '};
    size_t length = 1;
    while (i < n && fn_char_classify(c[i]) != FN_CHAR_SPACE) w[length++] = c[i++];
    w[length++] = ' ';
    for (size_t order = (size_t)s->min[1]; order <= (size_t)s->max[1]; order++) {
      size_t offset = 0, first = order < length ? order : length;
      slow_count(counts, w, first, 3, s->hash_bits);
      while (offset + order < length) {
        offset++;
        slow_count(counts, w + offset, order, 3, s->hash_bits);
      }
      if (offset == 0) break;
    }
  }
}

static void check(const fn_feature_spec *s, fn_str title, fn_str text) {
  uint32_t document[MAX];
  size_t n = 0, n_buckets = fn_feature_spec_n_buckets(s);
  if (s->mode != FN_TEXT_TEXT) n += slow_decode(document, title);
  if (s->mode == FN_TEXT_TITLE_TEXT) document[n++] = '\n';
  if (s->mode != FN_TEXT_TITLE) n += slow_decode(document + n, text);
  fn_feature_counter counter;
  assert_int_equal(fn_feature_counter_init(&counter, s, NULL), FN_OK);
  for (int family = 0; family < FN_N_FAMILIES; family++) {
    uint32_t *expected = calloc(n_buckets, sizeof *expected);
    assert_non_null(expected);
    (family == FN_FAMILY_WORD ? slow_words : slow_chars)(expected, document, n, s);
    fn_feature_counter_add(&counter, s, family, title, text);
    if (family == FN_FAMILY_WORD) assert_int_equal(fn_feature_count_tokens(s, title, text), slow_n_tokens);
    assert_memory_equal(counter.counts, expected, n_buckets * sizeof *expected);
    size_t different = 0;
    for (size_t b = 0; b < n_buckets; b++) different += expected[b] > 0;
    assert_int_equal(counter.n, different);
    fn_feature_counter_clear(&counter);
    for (size_t b = 0; b < n_buckets; b++) assert_int_equal(counter.counts[b], 0);
    free(expected);
  }
  fn_feature_counter_deinit(&counter);
}

static void test_examples(void **state) {
  (void)state;
  static const char *const texts[][2] = {
      {"", ""},
      {"a", ""},
      {"", " \t\n "},
      {"SHOCKING: you won't believe!!!", "The U.S. said  \"no\"\r\n(1,234.5%)."},
      {"ab", "cd"},
      {"na\xC3\xAFve caf\x65\xCC\x81", "\xF0\x9F\x98\x80\xF0\x9F\x98\x80 \xE4\xB8\xAD\xE6\x96\x87\xE3\x80\x80x"},
      {"bad \xFF\xFE bytes \xC3", "\xE2\x80\xA8line\x1Cseparator\xC2\xA0nbsp_under_score \xC2\xB2\xC2\xBD"},
      {"one-word-that-is-much-longer-than-eight-characters", "x"},
  };
  for (size_t i = 0; i < FN_COUNT_OF(texts); i++) {
    for (int mode = 0; mode < 3; mode++) {
      fn_feature_spec s = spec_of((fn_text_mode)mode, 12);
      check(&s, fn_str_from(texts[i][0]), fn_str_from(texts[i][1]));
    }
  }
}

static void test_random(void **state) {
  (void)state;
  static const char *const pieces[] = {"a",
                                       "B",
                                       "7",
                                       "_",
                                       " ",
                                       "  ",
                                       "\n",
                                       ".",
                                       "!",
                                       "\xC3\xA9",
                                       "\xE2\x80\x94",
                                       "\xF0\x9F\xA6\x8A",
                                       "\xFF",
                                       "\xC2\xA0",
                                       "word",
                                       "\xE0\xA4\x95\xE0\xA5\x8D"};
  for (uint64_t seed = 0; seed < 300; seed++) {
    fn_rng rng = fn_rng_make(99, seed);
    fn_buf buf;
    fn_buf_init(&buf, 0);
    for (size_t n = fn_rng_below(&rng, 60); n > 0; n--) {
      fn_buf_append_str(&buf, pieces[fn_rng_below(&rng, FN_COUNT_OF(pieces))]);
    }
    size_t cut = fn_rng_below(&rng, buf.length + 1);
    const char *data = buf.data ? buf.data : "";
    fn_feature_spec s = spec_of(FN_TEXT_TITLE_TEXT, 11);
    s.min[0] = 1 + (int32_t)fn_rng_below(&rng, 3);
    s.max[0] = s.min[0] + (int32_t)fn_rng_below(&rng, 3);
    s.min[1] = 1 + (int32_t)fn_rng_below(&rng, 8);
    s.max[1] = s.min[1] + (int32_t)fn_rng_below(&rng, (uint64_t)(9 - s.min[1]));
    check(&s, fn_str_make(data, cut), fn_str_make(data + cut, buf.length - cut));
    fn_buf_deinit(&buf);
  }
}

/* Worked out in Python from the text of features.h. A change here is a new file format. */
static void test_hash_is_fixed(void **state) {
  (void)state;
  fn_feature_counter counter;
  fn_feature_spec s = spec_of(FN_TEXT_TITLE, 18);
  assert_int_equal(fn_feature_counter_init(&counter, &s, NULL), FN_OK);
  fn_feature_counter_add(&counter, &s, FN_FAMILY_WORD, fn_str_from("Z\xC3\xBCrich, 2019"), fn_str_from("x"));
  const uint32_t words[] = {4404, 92275, 138684, 95633, 84110};
  assert_int_equal(counter.n, FN_COUNT_OF(words));
  for (size_t i = 0; i < FN_COUNT_OF(words); i++) assert_int_equal(counter.counts[words[i]], 1);
  fn_feature_counter_clear(&counter);
  fn_feature_counter_add(&counter, &s, FN_FAMILY_CHAR, fn_str_from("a  \xE2\x82\xACs"), fn_str_from("x"));
  const uint32_t chars[] = {35376, 225760, 234619, 54563};
  assert_int_equal(counter.n, FN_COUNT_OF(chars));
  for (size_t i = 0; i < FN_COUNT_OF(chars); i++) assert_int_equal(counter.counts[chars[i]], 1);
  fn_feature_counter_deinit(&counter);
}

static void test_classes(void **state) {
  (void)state;
  static const struct {
    uint32_t c;
    fn_char_class class;
  } expected[] = {
      {0, FN_CHAR_OTHER},      {'\t', FN_CHAR_SPACE},    {0x1C, FN_CHAR_SPACE},   {0x20, FN_CHAR_SPACE},
      {'a', FN_CHAR_WORD},     {'Z', FN_CHAR_WORD},      {'0', FN_CHAR_WORD},     {'_', FN_CHAR_WORD},
      {'@', FN_CHAR_OTHER},    {'[', FN_CHAR_OTHER},     {'`', FN_CHAR_OTHER},    {0x7F, FN_CHAR_OTHER},
      {0x85, FN_CHAR_SPACE},   {0xA0, FN_CHAR_SPACE},    {0xAA, FN_CHAR_WORD},    {0xB2, FN_CHAR_WORD},
      {0xD7, FN_CHAR_OTHER},   {0xE9, FN_CHAR_WORD},     {0x301, FN_CHAR_OTHER},  {0x1680, FN_CHAR_SPACE},
      {0x200B, FN_CHAR_OTHER}, {0x2028, FN_CHAR_SPACE},  {0x3000, FN_CHAR_SPACE}, {0x4E2D, FN_CHAR_WORD},
      {0xFFFD, FN_CHAR_OTHER}, {0x1F600, FN_CHAR_OTHER}, {0x1D7FF, FN_CHAR_WORD}, {0x10FFFF, FN_CHAR_OTHER},
  };
  for (size_t i = 0; i < FN_COUNT_OF(expected); i++)
    assert_int_equal(fn_char_classify(expected[i].c), expected[i].class);
}

static void test_options(void **state) {
  (void)state;
  fn_linear_options o;
  fn_arena arena;
  fn_feature_spec s = {0};
  fn_err err = {0};
  fn_arena_init(&arena);
  assert_int_equal(fn_options_default(&o, &arena, &fn_linear_option_table, &err), FN_OK);
  assert_int_equal(fn_feature_spec_make(&s, FN_TEXT_TITLE_TEXT, &o, &err), FN_OK);
  assert_true(s.hash_bits == 18 && s.min[0] == 1 && s.max[0] == 2 && s.min[1] == 3 && s.max[1] == 5);
  o.features = FN_LINEAR_CHAR;
  assert_int_equal(fn_feature_spec_make(&s, FN_TEXT_TITLE, &o, &err), FN_OK);
  assert_true(s.max[0] == 0 && s.max[1] == 5 && s.mode == FN_TEXT_TITLE);
  static const char *const wrong[][2] = {{"3", "2"}, {"0", "2"}, {"1", "9"}, {"x", "2"}, {"1", ""}};
  for (size_t i = 0; i < FN_COUNT_OF(wrong); i++) {
    o.char_ngrams = (fn_config_list){wrong[i], 2};
    assert_int_equal(fn_feature_spec_make(&s, FN_TEXT_TITLE, &o, &err), FN_E_INVALID);
    assert_non_null(strstr(err.message, "linear.char_ngrams must be [shortest,longest]"));
  }
  fn_arena_deinit(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_examples), cmocka_unit_test(test_random),  cmocka_unit_test(test_hash_is_fixed),
      cmocka_unit_test(test_classes),  cmocka_unit_test(test_options),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
