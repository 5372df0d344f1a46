/* Added tokens with their flags. Expected tokens from the Hugging Face engine (tokenizers 0.23.3). */
#include "vocab.h"

#define MODEL                                                                                                          \
  "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, "              \
  "\"strip_accents\": null, \"lowercase\": true}, \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}, \"model\": {"   \
  "\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\", "                         \
  "\"max_input_chars_per_word\": 100, \"vocab\": {\"[UNK]\": 0, \"[CLS]\": 1, \"[SEP]\": 2, \"a\": 3, \"##a\": 4, "    \
  "\"x\": 5, \"##x\": 6, \"new\": 7, \"##s\": 8, \"##er\": 9}}"

static fn_tokenizer *make(const char *added) {
  fn_err err = {0};
  fn_tokenizer *t = NULL;
  FN_AUTO_BUF fn_buf json;
  fn_buf_init(&json, 0);
  fn_buf_printf(&json, "{\"added_tokens\": [%s], " MODEL "}", added);
  assert_ok(fn_tokenizer_parse_json(&t, fn_buf_str(&json), "tokenizer.json", fn_str_from(""), "", &err));
  return t;
}

#define CHECK(added, ...)                                                                                              \
  do {                                                                                                                 \
    fn_tokenizer *made = make(added);                                                                                  \
    const char *const cases[][2] = {__VA_ARGS__};                                                                      \
    for (size_t i = 0; i < FN_COUNT_OF(cases); i++) expect(made, cases[i][0], cases[i][1]);                            \
    fn_tokenizer_destroy(made);                                                                                        \
  } while (0)

static void test_leftmost_longest(void **state) {
  (void)state;
  CHECK("{\"id\": 10, \"content\": \"<x\", \"normalized\": false}, {\"id\": 11, \"content\": \"<x>\", \"normalized\": "
        "false}, {\"id\": 12, \"content\": \"x>a\", \"normalized\": false}",
        {"a<x>a", "a@0-1 <x>@1-4 a@4-5"}, {"a<xx>a", "a@0-1 <x@1-3 x>a@3-6"},
        {"A<X>", "a@0-1 [UNK]@1-2 x@2-3 [UNK]@3-4"});
}

static void test_single_word(void **state) {
  (void)state;
  CHECK("{\"id\": 10, \"content\": \"NEW\", \"single_word\": true, \"normalized\": false}",
        {"NEW aNEW NEWa NEW.NEW", "NEW@0-3 [UNK]@4-8 new@9-12 ##a@12-13 NEW@14-17 [UNK]@17-18 NEW@18-21"},
        {"NEW_ NEW\u0301", "new@0-3 [UNK]@3-4 new@5-8"});
}

static void test_white_space_is_taken(void **state) {
  (void)state;
  CHECK("{\"id\": 10, \"content\": \"<m>\", \"lstrip\": true, \"special\": true}",
        {"a \u00a0<m> a", "a@0-1 <m>@1-7 a@8-9"}, {"  <m> <m>", "<m>@0-5 <m>@5-9"});
  CHECK("{\"id\": 10, \"content\": \"<m>\", \"rstrip\": true, \"special\": true}", {"a <m>\t a", "a@0-1 <m>@2-7 a@7-8"},
        {"<m> <m>  ", "<m>@0-4 <m>@4-9"});
}

/* Looked for after normalising, in its own normalised form; its place is that of the original characters. */
static void test_normalized(void **state) {
  (void)state;
  CHECK("{\"id\": 10, \"content\": \"Née\"}", {"a NÉE nee n\u00e9\u0301e", "a@0-1 Née@2-6 Née@7-10 Née@11-17"},
        {"xneex", "x@0-1 Née@1-4 x@4-5"});
  CHECK("{\"id\": 10, \"content\": \"NEWS\", \"single_word\": true}, {\"id\": 11, \"content\": \"[A]\", \"special\": "
        "true}",
        {"news newser [A]news [a]",
         "NEWS@0-4 new@5-8 ##s@8-9 ##er@9-11 [A]@12-15 NEWS@15-19 [UNK]@20-21 a@21-22 [UNK]@22-23"});
}

static void test_vocabulary_grows(void **state) {
  (void)state;
  fn_tokenizer *t = make("{\"id\": 11, \"content\": \"two\"}, {\"id\": 10, \"content\": \"one\"}");
  assert_int_equal(fn_tokenizer_get_info(t)->vocab_size, 12);
  assert_string_equal(fn_tokenizer_token(t, 11), "two");
  expect(t, "one Two", "one@0-3 two@4-7");
  fn_tokenizer_destroy(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_leftmost_longest),     cmocka_unit_test(test_single_word),
      cmocka_unit_test(test_white_space_is_taken), cmocka_unit_test(test_normalized),
      cmocka_unit_test(test_vocabulary_grows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
