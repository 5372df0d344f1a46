/* Texts and the tokens that the Hugging Face engine makes of them (tokenizers 0.23.3, BertWordPieceTokenizer over the
 * same vocabulary; offsets turned into bytes). tests/light/test_tokenizer.py asks the engine itself, at length. */
#include "vocab.h"

static fn_tokenizer *uncased, *cased;

static int set_up(void **state) {
  (void)state;
  uncased = make_vocab(vocab_text, "");
  cased = make_vocab(vocab_text, "{\"do_lower_case\": false}");
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  fn_tokenizer_destroy(uncased);
  fn_tokenizer_destroy(cased);
  return 0;
}

static void test_words_and_pieces(void **state) {
  (void)state;
  expect(uncased, "the unaffable newspapers.",
         "the@0-3 un@4-6 ##aff@6-9 ##able@9-13 news@14-18 ##paper@18-23 ##s@23-24 .@24-25");
  expect(uncased, "  The\tUNAFFABLE\n\n", "the@2-5 un@6-8 ##aff@8-11 ##able@11-15");
  expect(cased, "  The\tUNAFFABLE\n\n", "[UNK]@2-5 [UNK]@6-15");
  expect(uncased, "$_-!", "$@0-1 _@1-2 -@2-3 !@3-4");
  expect(uncased, "7x1 7\u0661", "7@0-1 ##x@1-2 ##1@2-3 [UNK]@4-7");
  expect(uncased, "z thez", "[UNK]@0-1 [UNK]@2-6");
  expect(uncased, "don’t", "[UNK]@0-3 ’@3-6 [UNK]@6-7");
  expect(uncased, "", "");
  expect(uncased, " \n", "");
}

static void test_accents_and_case(void **state) {
  (void)state;
  expect(uncased, "école École e\u0301cole",
         "e@0-2 ##c@2-3 ##o@3-4 ##l@4-5 ##e@5-6 e@7-9 ##c@9-10 ##o@10-11 ##l@11-12 ##e@12-13 e@14-15 ##c@17-18 "
         "##o@18-19 ##l@19-20 ##e@20-21");
  expect(cased, "école École e\u0301cole",
         "é@0-2 ##c@2-3 ##o@3-4 ##l@4-5 ##e@5-6 É@7-9 ##c@9-10 ##o@10-11 ##l@11-12 ##e@12-13 [UNK]@14-21");
  /* Hangul falls apart, lower case knows no final sigma, ß stays, İ loses its dot as an accent before it is lowered. */
  expect(uncased, "각 σας ΣΑΣ ß İx",
         "\u1100@0-3 ##\u1161@0-3 ##\u11a8@0-3 σ@4-6 ##α@6-8 ##ς@8-10 σ@11-13 ##α@13-15 ##σ@15-17 ß@18-20 i@21-23 "
         "##x@23-24");
  /* Without stripping, İ becomes two code points that come from one place. */
  fn_tokenizer *kept = make_vocab(vocab_text, "{\"strip_accents\": false}");
  expect(kept, "xİ É", "x@0-1 ##i@1-3 ##\u0307@1-3 é@4-6");
  fn_tokenizer_destroy(kept);
  expect(uncased, "K\u212a;\u037e`\u1fef", "k@0-1 ##k@1-4 ;@4-5 ;@5-7 `@7-8 `@8-11");
}

static void test_characters_set_apart_or_dropped(void **state) {
  (void)state;
  expect(uncased, "中文the\uf900a", "中@0-3 文@3-6 the@6-9 \u8c48@9-12 a@12-13");
  expect(uncased, "\U0002b73f\U0002b740\U0002b820x", "[UNK]@0-4 [UNK]@4-8 [UNK]@8-13"); /* 2B820 … 2B91F is not CJK */
  expect(uncased, "x\u2003x\u3000x\u2028x\xc2\x85x\vx", "x@0-1 x@4-5 x@8-9 x@12-13 ##x@15-16 ##x@17-18");
  expect(uncased, "a\u200bx\ufffdx\u00ad \ue000x", "a@0-1 ##x@4-5 ##x@8-9 x@15-16");
  expect_n(uncased, "a\0x", 3, 0, "a@0-1 ##x@2-3");
}

/* Marks that are no nonspacing marks to the engine survive and are reordered among the others; places are handed out in
 * the order of the text. */
static void test_canonical_order(void **state) {
  (void)state;
  expect(uncased, "a\u0316\u1baax", "a@0-1 ##\u1baa@1-3 ##x@6-7");
  expect(uncased, "a\u1baa\u0316x", "a@0-1 ##\u1baa@1-4 ##x@6-7");
  expect(uncased, "e\u0323\u302e\u1baa\u0301 x", "e@0-1 ##\u1baa@1-3 ##\u302e@6-9 x@12-13");
  expect(uncased, "\u0344x", "x@2-3");
  expect(uncased, "\u302e", "\u302e@0-3");
}

static void test_special_tokens_in_text(void **state) {
  (void)state;
  const char *expected = "the@0-3 [SEP]@4-9 x@10-11 [MASK]@11-17 a@17-18 [@19-20 [UNK]@20-23 ]@23-24 [@25-26 "
                         "[SEP]@26-31 ]@31-32";
  expect(uncased, "the [SEP] x[MASK]a [sep] [[SEP]]", expected);
  expect(cased, "the [SEP] x[MASK]a [sep] [[SEP]]", expected);
}

static void test_long_words(void **state) {
  (void)state;
  char text[512];
  memset(text, 'a', 100);
  fn_tokens tokens = {0};
  fn_err err = {0};
  assert_ok(fn_tokenizer_encode(&tokens, uncased, fn_str_make(text, 100), 0, &err));
  assert_int_equal(tokens.n, 100);
  text[100] = 'a';
  expect_n(uncased, text, 101, 0, "[UNK]@0-101");
  for (size_t i = 0; i < 202; i++) text[i] = "é"[i % 2];
  assert_ok(fn_tokenizer_encode(&tokens, uncased, fn_str_make(text, 200), 0, &err));
  assert_int_equal(tokens.n, 100); /* counted in code points, as they are after normalising */
  expect_n(uncased, text, 202, 0, "[UNK]@0-202");
  fn_tokens_deinit(&tokens);
}

static void test_bad_bytes(void **state) {
  (void)state;
  expect(uncased, "a\xffx \xed\xa0\x80 x\xc3", "a@0-1 ##x@2-3 x@8-9");
  fn_tokenizer *t = NULL;
  fn_err err = {0};
  fn_str json =
      fn_str_from("{\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}, \"model\": {"
                  "\"unk_token\": \"?\", \"continuing_subword_prefix\": \"\", \"max_input_chars_per_word\": 9, "
                  "\"vocab\": {\"?\": 0, \"[CLS]\": 1, \"[SEP]\": 2, \"\ufffd\": 3, \"a\": 4}}}");
  assert_ok(fn_tokenizer_parse_json(&t, json, "tokenizer.json", fn_str_from(""), "", &err));
  expect(t,
         "a\xff"
         "a \xed\xa0\x80",
         "a@0-1 \ufffd@1-2 a@2-3 \ufffd@4-5 \ufffd@5-6 \ufffd@6-7");
  fn_tokenizer_destroy(t);
}

static void test_first_tokens_only(void **state) {
  (void)state;
  const char *text = "the unaffable [SEP] é";
  expect_n(uncased, text, strlen(text), 1, "the@0-3");
  expect_n(uncased, text, strlen(text), 3, "the@0-3 un@4-6 ##aff@6-9");
  expect_n(uncased, text, strlen(text), 5, "the@0-3 un@4-6 ##aff@6-9 ##able@9-13 [SEP]@14-19");
  expect_n(uncased, text, strlen(text), 99, "the@0-3 un@4-6 ##aff@6-9 ##able@9-13 [SEP]@14-19 e@20-22");
}

static void test_storage_is_reused(void **state) {
  (void)state;
  fn_tokens tokens = {0};
  fn_err err = {0};
  assert_ok(fn_tokenizer_encode(&tokens, uncased, fn_str_from("the news the news the news the news x"), 0, &err));
  size_t capacity = tokens.capacity;
  const int32_t *ids = tokens.ids;
  assert_ok(fn_tokenizer_encode(&tokens, uncased, fn_str_from("the"), 0, &err));
  assert_int_equal(tokens.n, 1);
  assert_true(tokens.capacity == capacity && tokens.ids == ids);
  assert_ok(fn_tokenizer_encode(&tokens, uncased, (fn_str){NULL, 0}, 0, &err));
  assert_int_equal(tokens.n, 0);
  fn_tokens_deinit(&tokens);
}

static void test_text_over_the_limit_is_refused(void **state) {
  (void)state;
  fn_tokens tokens = {0};
  fn_err err = {0};
  fn_str text = {"the", ((size_t)1 << 31) + 1}; /* refused before it is looked at */
  assert_status(fn_tokenizer_encode(&tokens, uncased, text, 0, &err), FN_E_LIMIT);
  assert_contains(err.message, "2147483649");
  fn_tokens_deinit(&tokens);
}

static void test_info_and_token_texts(void **state) {
  (void)state;
  const fn_tokenizer_info *a = fn_tokenizer_get_info(uncased), *b = fn_tokenizer_get_info(cased);
  assert_true(a->lowercase && !b->lowercase);
  assert_int_equal(a->pad_id, 0);
  assert_int_equal(a->unk_id, 1);
  assert_int_equal(a->cls_id, 2);
  assert_int_equal(a->sep_id, 3);
  assert_int_equal(a->mask_id, 4);
  assert_true(a->hash.low != b->hash.low);
  assert_string_equal(fn_tokenizer_token(uncased, 20), "##aff");
  assert_null(fn_tokenizer_token(uncased, -1));
  assert_null(fn_tokenizer_token(uncased, a->vocab_size));
  assert_non_null(fn_tokenizer_token(uncased, a->vocab_size - 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words_and_pieces),
      cmocka_unit_test(test_accents_and_case),
      cmocka_unit_test(test_characters_set_apart_or_dropped),
      cmocka_unit_test(test_canonical_order),
      cmocka_unit_test(test_special_tokens_in_text),
      cmocka_unit_test(test_long_words),
      cmocka_unit_test(test_bad_bytes),
      cmocka_unit_test(test_first_tokens_only),
      cmocka_unit_test(test_storage_is_reused),
      cmocka_unit_test(test_text_over_the_limit_is_refused),
      cmocka_unit_test(test_info_and_token_texts),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
