/* The n-th allocation fails, n = 1, 2, …, through loading, encoding, saving and building a vocabulary: every time the
 * call says so, gives nothing out, and (under the address sanitizer) leaks nothing. */
#include "../failing.h"
#include "vocab.h"

static const char json_text[] =
    "{\"added_tokens\": [{\"id\": 4, \"content\": \"NEW\"}, {\"id\": 2, \"content\": \"[SEP]\", \"special\": true}], "
    "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, "
    "\"lowercase\": "
    "true}, \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}, \"model\": {\"unk_token\": \"[UNK]\", "
    "\"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 100, \"vocab\": {\"[UNK]\": 0, \"[CLS]\": 1, "
    "\"[SEP]\": 2, \"a\": 3}}}";
static const char *const sentences[] = {"a new [SEP] news\u1baa\u0316\u0301 a, a; a a a a a a a a a a a", "the new a"};

static fn_status encode(const fn_tokenizer *t, fn_err *err) {
  fn_tokens tokens = {0};
  fn_status status = fn_tokenizer_encode(&tokens, t, fn_str_from(sentences[0]), 0, err);
  assert_true(status == FN_OK ? tokens.n > 10 : tokens.n == 0);
  fn_tokens_deinit(&tokens);
  return status;
}

static fn_status do_json(const char *dir, fn_err *err) {
  (void)dir;
  fn_tokenizer *t = NULL;
  fn_status status =
      fn_tokenizer_parse_json(&t, fn_str_from(json_text), "tokenizer.json", fn_str_from("{}"), "config", err);
  if (status == FN_OK)
    status = encode(t, err);
  else
    assert_null(t);
  fn_tokenizer_destroy(t);
  return status;
}

static fn_status do_vocab(const char *dir, fn_err *err) {
  fn_tokenizer *t = NULL, *again = NULL;
  fn_status status = fn_tokenizer_parse_vocab(&t, fn_str_from(vocab_text), "vocab.txt", fn_str_from(""), "config", err);
  if (status == FN_OK) status = encode(t, err);
  if (status == FN_OK) status = fn_tokenizer_save(t, dir, err);
  if (status == FN_OK) status = fn_tokenizer_load(&again, dir, err);
  if (status != FN_OK) assert_null(again);
  fn_tokenizer_destroy(t);
  fn_tokenizer_destroy(again);
  return status;
}

/* Not read again: a file that lacks something must be an error of its own. */
static fn_status do_save(const char *dir, fn_err *err) {
  fn_tokenizer *t = NULL;
  fn_status status = fn_tokenizer_parse_vocab(&t, fn_str_from(vocab_text), "vocab.txt", fn_str_from(""), "config", err);
  if (status == FN_OK) status = fn_tokenizer_save(t, dir, err);
  fn_tokenizer_destroy(t);
  return status;
}

static bool next(void *arg, fn_str *text_out) {
  size_t *at = arg;
  if (*at == FN_COUNT_OF(sentences)) return false;
  *text_out = fn_str_from(sentences[(*at)++]);
  return true;
}

static fn_status do_train(const char *dir, fn_err *err) {
  (void)dir;
  fn_tokenizer *t = NULL;
  size_t at = 0;
  fn_status status = fn_tokenizer_train(&t, next, &at, 64, 1, true, err);
  if (status != FN_OK) assert_null(t);
  fn_tokenizer_destroy(t);
  return status;
}

static void torture(fn_status (*work)(const char *dir, fn_err *err)) {
  char dir[] = "/tmp/fn-text-XXXXXX";
  assert_non_null(mkdtemp(dir));
  fn_err err = {0};
  size_t n = 0;
  for (bool done = false; !done;) {
    n_failed = 0;
    countdown = ++n;
    fn_status status = work(dir, &err);
    countdown = 0;
    /* A failure that jansson or the C library hides behind another error still is no success with less. */
    if (n_failed == 0) {
      assert_int_equal(status, FN_OK);
      done = true;
    } else {
      assert_int_not_equal(status, FN_OK);
      assert_true(err.message[0] != 0);
    }
  }
  assert_true(n > 10);
  assert_ok(fn_dir_remove(dir, &err));
}

static void test_json(void **state) {
  (void)state;
  torture(do_json);
}
static void test_vocab(void **state) {
  (void)state;
  torture(do_vocab);
}
static void test_save(void **state) {
  (void)state;
  torture(do_save);
}
static void test_train(void **state) {
  (void)state;
  torture(do_train);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_json),
      cmocka_unit_test(test_vocab),
      cmocka_unit_test(test_save),
      cmocka_unit_test(test_train),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
