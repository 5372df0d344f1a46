/* The vocabulary builder on small texts; tests/light/test_tokenizer_train.py compares it with the engine's. */
#include "vocab.h"

typedef struct list {
  const char *const *texts;
  size_t n, at;
} list;

static bool next(void *arg, fn_str *text_out) {
  list *l = arg;
  if (l->at == l->n) return false;
  *text_out = fn_str_from(l->texts[l->at++]);
  return true;
}

static fn_status train(fn_tokenizer **t, const char *const *texts, size_t n, int32_t vocab_size, int min_frequency,
                       bool lowercase, fn_err *err) {
  list l = {texts, n, 0};
  return fn_tokenizer_train(t, next, &l, vocab_size, min_frequency, lowercase, err);
}

static void expect_vocab(const fn_tokenizer *t, const char *expected) {
  FN_AUTO_BUF fn_buf got;
  fn_buf_init(&got, 0);
  for (int32_t i = 0; i < fn_tokenizer_get_info(t)->vocab_size; i++)
    fn_buf_printf(&got, "%s%s", i ? " " : "", fn_tokenizer_token(t, i));
  assert_string_equal(got.data, expected);
}

static const char *const texts[] = {"Low low low lower, lowest!", "new newer newest newest",
                                    "wider WIDE wide wider low"};

static void test_pieces_by_frequency(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tokenizer *t = NULL;
  /* l+##o and ##o+##w stand 6 times: l has the smaller number and goes first. The engine agrees on all of it. */
  assert_ok(train(&t, texts, 3, 40, 2, true, &err));
  expect_vocab(
      t, "[PAD] [UNK] [CLS] [SEP] [MASK] ! , d e i l n o r s t w ##d ##e ##i ##o ##r ##s ##t ##w lo low ne wi ##de "
         "new wide ##es ##est ##er newest wider");
  assert_true(fn_tokenizer_get_info(t)->lowercase);
  expect(t, "lower wides", "low@0-3 ##er@3-5 wide@6-10 ##s@10-11");
  expect(t, "[MASK]x", "[MASK]@0-6 [UNK]@6-7");
  fn_tokenizer_destroy(t);
}

static void test_case_and_frequency_matter(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tokenizer *t = NULL;
  assert_ok(train(&t, texts, 3, 60, 4, false, &err));
  expect_vocab(
      t, "[PAD] [UNK] [CLS] [SEP] [MASK] ! , D E I L W d e i l n o r s t w ##D ##E ##I ##d ##e ##i ##o ##r ##s ##t "
         "##w ##ow low ne ##er new");
  fn_tokenizer_destroy(t);
}

static void test_same_texts_same_vocabulary(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tokenizer *a = NULL, *b = NULL;
  const char *const other_order[] = {texts[2], texts[0], texts[1]};
  assert_ok(train(&a, texts, 3, 45, 1, true, &err));
  assert_ok(train(&b, other_order, 3, 45, 1, true, &err));
  assert_memory_equal(fn_tokenizer_get_info(a), fn_tokenizer_get_info(b), sizeof(fn_tokenizer_info));
  fn_tokenizer_destroy(a);
  fn_tokenizer_destroy(b);
}

/* More characters than fit: the most frequent stay, with room for their continuing forms. */
static void test_size_is_never_exceeded(void **state) {
  (void)state;
  fn_err err = {0};
  for (int32_t size = 16; size < 60; size++) {
    fn_tokenizer *t = NULL;
    assert_ok(train(&t, texts, 3, size, 1, true, &err));
    assert_true(fn_tokenizer_get_info(t)->vocab_size <= size);
    fn_tokenizer_destroy(t);
  }
  fn_tokenizer *t = NULL;
  assert_ok(train(&t, texts, 3, 16, 1, true, &err)); /* room for 5: e 14, w 14, l 6, o 6, then d before r (both 5) … */
  assert_null(strstr(fn_tokenizer_token(t, 5), "!"));
  fn_tokenizer_destroy(t);
}

static void test_long_words_and_cut_characters(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tokenizer *t = NULL;
  char word[102];
  for (size_t i = 0; i < 101; i++) word[i] = "zy"[i % 2];
  word[101] = 0; /* 101 characters: would be [UNK], so nothing is learnt from it */
  const char *const given[] = {word, "ab ab"};
  assert_ok(train(&t, given, 2, 64, 1, true, &err));
  expect_vocab(t, "[PAD] [UNK] [CLS] [SEP] [MASK] a b ##b ab");
  fn_tokenizer_destroy(t);
}

/* The pair (a, a) overlaps itself; a piece can come about in two ways. */
static void test_repeats(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tokenizer *t = NULL;
  const char *const given[] = {"aaaaa aaaaa aaa", "abab ababab"};
  assert_ok(train(&t, given, 2, 64, 1, true, &err));
  for (int32_t i = 0; i < fn_tokenizer_get_info(t)->vocab_size; i++)
    for (int32_t k = 0; k < i; k++) assert_string_not_equal(fn_tokenizer_token(t, i), fn_tokenizer_token(t, k));
  expect(t, "aaaaa ababab", "aaaaa@0-5 ababab@6-12");
  fn_tokenizer_destroy(t);
}

static void test_bad_requests_are_refused(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tokenizer *t = NULL;
  const char *const empty[] = {"", " \n", "\u0301"};
  assert_status(train(&t, texts, 3, 15, 1, true, &err), FN_E_INVALID);
  assert_contains(err.message, "accepted are 16 to 1048576");
  assert_status(train(&t, texts, 3, (1 << 20) + 1, 1, true, &err), FN_E_INVALID);
  assert_status(train(&t, empty, 3, 100, 1, true, &err), FN_E_INVALID);
  assert_contains(err.message, "no words");
  assert_status(train(&t, empty, 0, 100, 1, true, &err), FN_E_INVALID);
  assert_null(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pieces_by_frequency),           cmocka_unit_test(test_case_and_frequency_matter),
      cmocka_unit_test(test_same_texts_same_vocabulary),    cmocka_unit_test(test_size_is_never_exceeded),
      cmocka_unit_test(test_long_words_and_cut_characters), cmocka_unit_test(test_repeats),
      cmocka_unit_test(test_bad_requests_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
