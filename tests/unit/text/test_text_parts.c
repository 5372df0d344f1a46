/* The parts below the tokenizer: trie, code points, cutting of pairs, and time that stays linear. */
#include "text/trie.h"
#include "vocab.h"

#include <time.h>

/* ---- trie: against a plain list of strings */

enum { N_KEYS = 3000 };
static char keys[N_KEYS][12];

static void make_keys(void) {
  fn_rng rng = fn_rng_make(5, 0);
  for (size_t i = 0; i < N_KEYS; i++) {
    size_t n = 1 + fn_rng_below(&rng, 9);
    for (size_t k = 0; k < n; k++) keys[i][k] = (char)("ab\xc3\xff"[fn_rng_below(&rng, 4)]);
    keys[i][n] = 0;
  }
}

/* Index of the first occurrence of a key. */
static int32_t first_of(const char *key, size_t n_keys) {
  for (size_t i = 0; i < n_keys; i++)
    if (strcmp(keys[i], key) == 0) return (int32_t)i;
  return -1;
}

static void test_trie_finds_the_longest_key(void **state) {
  (void)state;
  fn_err err = {0};
  fn_trie t;
  fn_trie_init(&t);
  make_keys();
  size_t length = 77;
  assert_int_equal(fn_trie_longest(&length, &t, 0, "abc", 3), -1); /* empty */
  assert_int_equal(fn_trie_find_first(&t, "abc", 0, 3), 3);
  for (size_t i = 0; i < N_KEYS; i++) {
    int32_t found;
    assert_ok(fn_trie_add(&t, &found, fn_str_from(keys[i]), (int32_t)i, &err));
    int32_t first = first_of(keys[i], i);
    assert_int_equal(found, first);
  }
  fn_rng rng = fn_rng_make(6, 0);
  for (int round = 0; round < 2000; round++) {
    char text[16];
    size_t n = fn_rng_below(&rng, 15);
    for (size_t k = 0; k < n; k++) text[k] = (char)("ab\xc3\xff"[fn_rng_below(&rng, 4)]);
    int32_t best = -1;
    size_t best_length = 0;
    for (size_t k = 1; k <= n; k++) {
      char prefix[16];
      memcpy(prefix, text, k);
      prefix[k] = 0;
      int32_t found = first_of(prefix, N_KEYS);
      if (found >= 0) best = found, best_length = k;
    }
    length = 0;
    assert_int_equal(fn_trie_longest(&length, &t, 0, text, n), best);
    if (best >= 0) assert_int_equal(length, best_length);
  }
  fn_trie_deinit(&t);
}

static void test_trie_continues_from_a_node(void **state) {
  (void)state;
  fn_err err = {0};
  fn_trie t;
  int32_t found;
  size_t length = 0;
  fn_trie_init(&t);
  assert_ok(fn_trie_add(&t, &found, fn_str_from("##ing"), 7, &err));
  uint32_t node = fn_trie_walk(&t, fn_str_from("##"));
  assert_true(node != 0);
  assert_int_equal(fn_trie_longest(&length, &t, node, "ings", 4), 7);
  assert_int_equal(length, 3);
  assert_int_equal(fn_trie_longest(&length, &t, node, "in", 2), -1);
  assert_int_equal(fn_trie_walk(&t, fn_str_from("#x")), 0);
  assert_int_equal(fn_trie_find_first(&t, "ab#", 0, 3), 2);
  assert_int_equal(fn_trie_find_first(&t, "ab#", 3, 3), 3);
  fn_trie_deinit(&t);
}

/* ---- code points */

static void test_reading_back_is_reading_forward(void **state) {
  (void)state;
  fn_rng rng = fn_rng_make(9, 0);
  for (int round = 0; round < 5000; round++) {
    char text[24];
    size_t n = fn_rng_below(&rng, sizeof text), starts[24], n_starts = 0;
    uint32_t points[24], c;
    for (size_t i = 0; i < n; i++) /* bytes that often make valid sequences */
      text[i] = (char)("a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\xff\xed\xa0"[fn_rng_below(&rng, 13)]);
    for (size_t at = 0; at < n; n_starts++) {
      starts[n_starts] = at;
      at += fn_char_read(&points[n_starts], text + at, n - at);
    }
    for (size_t end = n; n_starts-- > 0; end = starts[n_starts]) {
      assert_int_equal(end - fn_char_read_back(&c, text, 0, end), starts[n_starts]);
      assert_int_equal(c, points[n_starts]);
    }
  }
}

static void test_tables_are_sound(void **state) {
  (void)state;
  uint32_t out[FN_CHAR_MAX_DECOMPOSED], lower[FN_CHAR_MAX_LOWER], n_marks = 0;
  for (uint32_t c = 0; c <= 0x10FFFF; c++) {
    const fn_char *record = fn_char_get(c);
    assert_true(record->rank < FN_CHAR_RANKS);
    size_t n = fn_char_decompose(out, c, record);
    assert_true(n >= 1 && n <= FN_CHAR_MAX_DECOMPOSED);
    for (size_t i = 0; i < n; i++) { /* decompositions are full */
      assert_true(out[i] <= 0x10FFFF);
      assert_int_equal(fn_char_get(out[i])->n_decomposed, 0);
    }
    n = fn_char_lower(lower, c, record);
    assert_true(n >= 1 && n <= FN_CHAR_MAX_LOWER && lower[0] <= 0x10FFFF);
    n_marks += (record->flags & FN_CHAR_MARK) != 0;
  }
  assert_true(n_marks > 1500);
  assert_int_equal(fn_char_lower(lower, 0x130, fn_char_get(0x130)), 2);
  assert_true(lower[0] == 'i' && lower[1] == 0x307);
  assert_int_equal(fn_char_decompose(out, 0xD55C, fn_char_get(0xD55C)), 3); /* 한 */
  assert_true(out[0] == 0x1112 && out[1] == 0x1161 && out[2] == 0x11AB);
}

/* ---- cutting */

/* One token at a time from the longer text; from the first while both are as long, so that the second keeps the odd
 * one. */
static void cut_slowly(size_t *first, size_t *second, size_t room) {
  while (*first + *second > room) {
    if (*second > *first)
      --*second;
    else
      --*first;
  }
}

static void test_pair_cut(void **state) {
  (void)state;
  for (size_t max = 0; max < 24; max++)
    for (size_t a = 0; a < 30; a++)
      for (size_t b = 0; b < 30; b++) {
        size_t first = a, second = b, want_first = a, want_second = b, room = max > 3 ? max - 3 : 0;
        fn_pair_cut(&first, &second, 3, max);
        cut_slowly(&want_first, &want_second, room);
        if (a > b && room % 2 == 1 && want_first + 1 == want_second) { /* the longer one keeps the odd token */
          want_first++;
          want_second--;
        }
        assert_int_equal(first, want_first);
        assert_int_equal(second, want_second);
      }
  size_t single = 600, none = 0;
  fn_pair_cut(&single, &none, 2, 512);
  assert_true(single == 510 && none == 0);
}

/* ---- hostile lengths: processor time, so that a busy machine does not fail the test */

static double seconds_for(const fn_tokenizer *t, const char *piece, size_t n_pieces) {
  fn_err err = {0};
  fn_tokens tokens = {0};
  fn_buf text;
  fn_buf_init(&text, 0);
  for (size_t i = 0; i < n_pieces; i++) fn_buf_append_str(&text, piece);
  assert_ok(fn_buf_check(&text, "text", &err));
  clock_t begin = clock();
  assert_ok(fn_tokenizer_encode(&tokens, t, fn_buf_str(&text), 0, &err));
  double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
  fn_tokens_deinit(&tokens);
  fn_buf_deinit(&text);
  return seconds;
}

static void test_hostile_texts_take_linear_time(void **state) {
  (void)state;
  const char *added =
      "{\"added_tokens\": [{\"id\": 4, \"content\": \"##x\"}, {\"id\": 5, \"content\": \"xx\", \"lstrip\": "
      "true, \"rstrip\": true, \"special\": true}], \"normalizer\": {\"type\": \"BertNormalizer\", "
      "\"clean_text\": true, \"handle_chinese_chars\": true, \"lowercase\": true}, \"pre_tokenizer\": "
      "{\"type\": \"BertPreTokenizer\"}, \"model\": {\"unk_token\": \"[UNK]\", "
      "\"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 100, \"vocab\": {\"[UNK]\": "
      "0, \"[CLS]\": 1, \"[SEP]\": 2, \"a\": 3}}}";
  fn_err err = {0};
  fn_tokenizer *plain = make_vocab(vocab_text, ""), *with_added = NULL;
  assert_ok(fn_tokenizer_parse_json(&with_added, fn_str_from(added), "tokenizer.json", fn_str_from(""), "", &err));
  static const char *const pieces[] = {"a",      " ",       "\u0301",   "\u1baa\u0316",
                                       "\u200b", "a\u200b", "é",        "中",
                                       ".",      "\xff",    "x \u2003", "[",
                                       "[SEP",   "xx ",     "x",        "\u200b aaaaaaaaaaaaaaaaaaa\x01"};
  for (size_t i = 0; i < FN_COUNT_OF(pieces); i++) {
    size_t n = ((size_t)1 << 18) /
               strlen(pieces[i]); /* 256 KiB: anything quadratic would take minutes, and a sanitizer ten times more */
    assert_true(seconds_for(plain, pieces[i], n) < 5.0);
    assert_true(seconds_for(with_added, pieces[i], n) < 5.0);
  }
  fn_tokenizer_destroy(plain);
  fn_tokenizer_destroy(with_added);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_trie_finds_the_longest_key),
      cmocka_unit_test(test_trie_continues_from_a_node),
      cmocka_unit_test(test_reading_back_is_reading_forward),
      cmocka_unit_test(test_tables_are_sound),
      cmocka_unit_test(test_pair_cut),
      cmocka_unit_test(test_hostile_texts_take_linear_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
