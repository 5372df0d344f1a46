/* Files that must be refused, and what the message says; folders and forms that are accepted. */
#include "vocab.h"

#include <sys/stat.h>
#include <unistd.h>

static void refuse_vocab(const char *text, size_t length, const char *config, fn_status expected, const char *part) {
  fn_err err = {0};
  fn_tokenizer *t = NULL;
  assert_status(fn_tokenizer_parse_vocab(&t, fn_str_make(text, length), "d/vocab.txt", fn_str_from(config),
                                         "d/tokenizer_config.json", &err),
                expected);
  assert_contains(err.message, part);
  assert_null(t);
}

static void test_bad_vocab_is_refused(void **state) {
  (void)state;
  const struct {
    const char *text, *part;
    fn_status expected;
  } cases[] = {
      {"", "d/vocab.txt: holds no tokens", FN_E_INVALID},
      {"\n\n\n", "holds no tokens", FN_E_INVALID},
      {"[UNK]\n[CLS]\n[SEP]\na\nb\na\n", "d/vocab.txt:6: token \"a\" stands in line 4 already", FN_E_INVALID},
      {"[UNK]\n[CLS]\n[SEP]\na\nb\na \t\r\n", "d/vocab.txt:6: token \"a\" stands in line 4", FN_E_INVALID},
      {"[UNK]\n[CLS]\n\n[SEP]\n", "d/vocab.txt:3: the line is empty", FN_E_INVALID},
      {"[CLS]\n[SEP]\na\n", "d/vocab.txt: the vocabulary holds no \"[UNK]\"", FN_E_INVALID},
      {"[UNK]\n[SEP]\na\n", "the vocabulary holds no \"[CLS]\"", FN_E_INVALID},
      {"[UNK]\n[CLS]\na\n", "the vocabulary holds no \"[SEP]\"", FN_E_INVALID},
      {"[UNK]\n[CLS]\n[SEP]\na\xff\n", "d/vocab.txt:4: not UTF-8", FN_E_INVALID},
      {"\xEF\xBB\xBF[UNK]\n[CLS]\n[SEP]\n", "d/vocab.txt:1: begins with a byte order mark", FN_E_INVALID},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++)
    refuse_vocab(cases[i].text, strlen(cases[i].text), "", cases[i].expected, cases[i].part);
  refuse_vocab("[UNK]\n[CLS]\n[SEP]\na\0b\n", 22, "", FN_E_INVALID, "token 3 holds a line break or a zero byte");
  FN_AUTO_BUF fn_buf big;
  fn_buf_init(&big, 0);
  fn_buf_append_str(&big, "[UNK]\n[CLS]\n[SEP]\n");
  for (int i = 0; i < 1025; i++) fn_buf_append_char(&big, 'a');
  refuse_vocab(big.data, big.length, "", FN_E_LIMIT, "token 3 has 1025 bytes, at most 1024");
}

static void test_bad_config_is_refused(void **state) {
  (void)state;
  const char *text = "[UNK]\n[CLS]\n[SEP]\n";
  const struct {
    const char *config, *part;
    fn_status expected;
  } cases[] = {
      {"{", "d/tokenizer_config.json:1:1: not valid JSON", FN_E_INVALID},
      {"[]", "d/tokenizer_config.json: must be an object", FN_E_INVALID},
      {"{\"do_lower_case\": 1}", "\"do_lower_case\" must be true, false or null", FN_E_INVALID},
      {"{\"unk_token\": 7}", "\"unk_token\" must be a text", FN_E_INVALID},
      {"{\"unk_token\": \"<unk>\"}", "the vocabulary holds no \"<unk>\"", FN_E_INVALID},
      {"{\"added_tokens_decoder\": {\"9\": {\"content\": \"<new>\"}}}", "declares token 9 beside vocab.txt",
       FN_E_UNSUPPORTED},
  };
  for (size_t i = 0; i < FN_COUNT_OF(cases); i++)
    refuse_vocab(text, strlen(text), cases[i].config, cases[i].expected, cases[i].part);
}

static void test_accepted_vocab_forms(void **state) {
  (void)state;
  fn_tokenizer *a = make_vocab("[UNK]\n[CLS]\n[SEP]\na", ""); /* no line end, no [PAD], no [MASK] */
  fn_tokenizer *b = make_vocab("[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\n\r\n", "");
  fn_tokenizer *c =
      make_vocab("<u>\n<c>\n<s>\na\n", "{\"unk_token\": \"<u>\", \"cls_token\": {\"content\": \"<c>\"}, \"sep_token\": "
                                       "\"<s>\", \"model_max_length\": 1000000000000000019884624838656, "
                                       "\"added_tokens_decoder\": {\"0\": {\"content\": \"<u>\"}}}");
  const fn_tokenizer_info *ia = fn_tokenizer_get_info(a), *ib = fn_tokenizer_get_info(b),
                          *ic = fn_tokenizer_get_info(c);
  assert_int_equal(ia->vocab_size, 4);
  assert_int_equal(ia->pad_id, -1);
  assert_int_equal(ia->mask_id, -1);
  assert_memory_equal(&ia->hash, &ib->hash, sizeof ia->hash);
  assert_int_equal(ic->cls_id, 1);
  expect(c, "a<s>", "a@0-1 <s>@1-4");
  fn_tokenizer_destroy(a);
  fn_tokenizer_destroy(b);
  fn_tokenizer_destroy(c);
}

/* A whole tokenizer.json in which one member is exchanged. */
typedef struct parts {
  const char *head, *added, *normalizer, *pre_tokenizer, *post_processor, *model;
} parts;
#define VOCAB "{\"[UNK]\": 0, \"[CLS]\": 1, \"[SEP]\": 2, \"a\": 3}"
#define MODEL_WITH(unk, prefix, max, vocab)                                                                            \
  "{\"type\": \"WordPiece\", \"unk_token\": " unk ", \"continuing_subword_prefix\": " prefix                           \
  ", \"max_input_chars_per_word\": " max ", \"vocab\": " vocab "}"
static const parts good = {
    "\"version\": \"1.0\"",
    "[]",
    "{\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, \"strip_accents\": null, "
    "\"lowercase\": true}",
    "{\"type\": \"BertPreTokenizer\"}",
    "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 2], \"cls\": [\"[CLS]\", 1]}",
    MODEL_WITH("\"[UNK]\"", "\"##\"", "100", VOCAB)};

static fn_status parse_parts(fn_tokenizer **t, const parts *p, const char *config, fn_err *err) {
  FN_AUTO_BUF fn_buf json;
  fn_buf_init(&json, 0);
  fn_buf_printf(&json,
                "{%s, \"added_tokens\": %s, \"normalizer\": %s, \"pre_tokenizer\": %s, \"post_processor\": %s, "
                "\"model\": %s}",
                p->head, p->added, p->normalizer, p->pre_tokenizer, p->post_processor, p->model);
  return fn_tokenizer_parse_json(t, fn_buf_str(&json), "d/tokenizer.json", fn_str_from(config),
                                 "d/tokenizer_config.json", err);
}

static void refuse(parts changed, const char *config, fn_status expected, const char *part) {
  fn_err err = {0};
  fn_tokenizer *t = NULL;
  const char **fields = (const char **)&changed;
  const char *const *defaults = (const char *const *)&good;
  for (size_t i = 0; i < sizeof good / sizeof(char *); i++)
    if (!fields[i]) fields[i] = defaults[i];
  assert_status(parse_parts(&t, &changed, config, &err), expected);
  assert_contains(err.message, part);
  assert_null(t);
}

static void test_good_json_is_accepted(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tokenizer *t = NULL;
  assert_ok(parse_parts(&t, &good, "{\"do_lower_case\": true}", &err));
  assert_int_equal(fn_tokenizer_get_info(t)->vocab_size, 4);
  fn_tokenizer_destroy(t);
}

static void test_bad_models_are_refused(void **state) {
  (void)state;
#define REFUSE_MODEL(expected, part, ...) refuse((parts){.model = __VA_ARGS__}, "", expected, part)
  REFUSE_MODEL(FN_E_INVALID, "d/tokenizer.json: \"model\" must be an object", "7");
  REFUSE_MODEL(FN_E_UNSUPPORTED, "model.type is \"BPE\"; accepted is WordPiece", "{\"type\": \"BPE\"}");
  REFUSE_MODEL(FN_E_UNSUPPORTED, "model.type is \"BPE\"", "{\"merges\": [], \"vocab\": {}}");
  REFUSE_MODEL(FN_E_UNSUPPORTED, "model.type is \"Unigram\"", "{\"vocab\": []}");
  REFUSE_MODEL(FN_E_INVALID, "d/tokenizer.json: model: \"unk_token\" is missing", "{\"vocab\": {}}");
  REFUSE_MODEL(FN_E_INVALID, "\"vocab\" must be an object", MODEL_WITH("\"[UNK]\"", "\"##\"", "100", "[1]"));
  REFUSE_MODEL(FN_E_LIMIT, "model.vocab has 0 tokens", MODEL_WITH("\"[UNK]\"", "\"##\"", "100", "{}"));
  REFUSE_MODEL(FN_E_INVALID, "the id of \"b\" must be an integer from 0 to 1",
               MODEL_WITH("\"a\"", "\"##\"", "100", "{\"a\": 0, \"b\": 2}"));
  REFUSE_MODEL(FN_E_INVALID, "the id of \"b\"", MODEL_WITH("\"a\"", "\"##\"", "100", "{\"a\": 0, \"b\": -1}"));
  REFUSE_MODEL(FN_E_INVALID, "the id of \"b\"", MODEL_WITH("\"a\"", "\"##\"", "100", "{\"a\": 0, \"b\": 1.0}"));
  REFUSE_MODEL(FN_E_INVALID, "\"a\" and \"b\" have the same id 0",
               MODEL_WITH("\"a\"", "\"##\"", "100", "{\"a\": 0, \"b\": 0}"));
  REFUSE_MODEL(FN_E_INVALID, "duplicate object key", MODEL_WITH("\"a\"", "\"##\"", "100", "{\"a\": 0, \"a\": 1}"));
  REFUSE_MODEL(FN_E_INVALID, "the vocabulary holds no \"<u>\"", MODEL_WITH("\"<u>\"", "\"##\"", "100", VOCAB));
  REFUSE_MODEL(FN_E_INVALID, "\"max_input_chars_per_word\" is 0, accepted are 1 to 1000",
               MODEL_WITH("\"[UNK]\"", "\"##\"", "0", VOCAB));
  REFUSE_MODEL(FN_E_INVALID, "\"max_input_chars_per_word\" is 1001", MODEL_WITH("\"[UNK]\"", "\"##\"", "1001", VOCAB));
  REFUSE_MODEL(FN_E_INVALID, "is empty",
               MODEL_WITH("\"[UNK]\"", "\"##\"", "100", "{\"[UNK]\": 0, \"[CLS]\": 1, \"[SEP]\": 2, \"\": 3}"));
}

static void test_bad_parts_are_refused(void **state) {
  (void)state;
  refuse((parts){.head = "\"version\": \"2.0\""}, "", FN_E_UNSUPPORTED, "version is \"2.0\"");
  refuse((parts){.normalizer = "{\"type\": \"NFKC\"}"}, "", FN_E_UNSUPPORTED,
         "normalizer.type is \"NFKC\"; accepted are BertNormalizer, Lowercase and null");
  refuse((parts){.normalizer = "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": \"NFD\"}]}"},
         "", FN_E_UNSUPPORTED, "normalizer: a Sequence of several parts");
  refuse((parts){.normalizer = "{\"type\": \"BertNormalizer\", \"clean_text\": 1}"}, "", FN_E_INVALID,
         "d/tokenizer.json: normalizer: \"clean_text\" must be true or false");
  refuse((parts){.pre_tokenizer = "null"}, "", FN_E_UNSUPPORTED, "pre_tokenizer.type is \"null\"");
  refuse((parts){.pre_tokenizer = "{\"type\": \"Whitespace\"}"}, "", FN_E_UNSUPPORTED,
         "pre_tokenizer.type is \"Whitespace\"; accepted is BertPreTokenizer");
  refuse((parts){.post_processor = "{\"type\": \"RobertaProcessing\"}"}, "", FN_E_UNSUPPORTED,
         "post_processor.type is \"RobertaProcessing\"");
  refuse((parts){.post_processor = "{\"type\": \"TemplateProcessing\", \"single\": [], \"pair\": []}"}, "",
         FN_E_UNSUPPORTED, "another template than BERT's");
  refuse((parts){.post_processor = "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], \"cls\": [\"[CLS]\", 1]}"},
         "", FN_E_INVALID, "post_processor gives \"[SEP]\" the id 3, the vocabulary 2");
  refuse((parts){0}, "{\"do_lower_case\": false}", FN_E_INVALID,
         "d/tokenizer_config.json: \"do_lower_case\" is false, but normalizer.lowercase in d/tokenizer.json is true");
}

static void test_bad_added_tokens_are_refused(void **state) {
  (void)state;
#define REFUSE_ADDED(expected, part, text) refuse((parts){.added = text}, "", expected, part)
  REFUSE_ADDED(FN_E_INVALID, "\"added_tokens\" must be a list", "{}");
  REFUSE_ADDED(FN_E_INVALID, "must be an object", "[1]");
  REFUSE_ADDED(FN_E_INVALID, "added_tokens (id 4): \"content\" must be a text", "[{\"id\": 4}]");
  REFUSE_ADDED(FN_E_INVALID, "token 4 is empty", "[{\"id\": 4, \"content\": \"\"}]");
  REFUSE_ADDED(FN_E_INVALID, "id 9 leaves a gap, accepted are ids up to 4", "[{\"id\": 9, \"content\": \"b\"}]");
  REFUSE_ADDED(FN_E_INVALID, "id 3 is \"a\" in model.vocab", "[{\"id\": 3, \"content\": \"b\"}]");
  REFUSE_ADDED(FN_E_INVALID, "added token \"a\" (id 4) stands there already as id 3",
               "[{\"id\": 4, \"content\": \"a\"}]");
  REFUSE_ADDED(FN_E_INVALID, "added token \"b\" (id 5) stands there already as id 4",
               "[{\"id\": 4, \"content\": \"b\"}, {\"id\": 5, \"content\": \"b\", \"normalized\": false}]");
  REFUSE_ADDED(FN_E_INVALID, "added tokens 4 and 5 are the same text once normalised",
               "[{\"id\": 4, \"content\": \"b\"}, {\"id\": 5, \"content\": \"B\"}]");
  REFUSE_ADDED(FN_E_INVALID, "added token 4 is empty once normalised", "[{\"id\": 4, \"content\": \"\\u0301\"}]");
  REFUSE_ADDED(FN_E_INVALID, "\"lstrip\" must be true or false", "[{\"id\": 4, \"content\": \"b\", \"lstrip\": 1}]");
}

/* ---- folders */

static void write_text(const char *dir, const char *name, const char *text) {
  fn_err err = {0};
  FN_AUTO_FREE char *path = fn_path_join(dir, name);
  assert_ok(fn_file_write(path, text, strlen(text), &err));
}

static void test_folders(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tokenizer *t = NULL;
  char dir[] = "/tmp/fn-text-XXXXXX", path[64];
  assert_non_null(mkdtemp(dir));
  assert_status(fn_tokenizer_load(&t, dir, &err), FN_E_NOT_FOUND);
  assert_contains(err.message, "holds neither tokenizer.json nor vocab.txt");
  write_text(dir, "vocab.txt", "[UNK]\n[CLS]\n[SEP]\nA\na\n");
  assert_ok(fn_tokenizer_load(&t, dir, &err));
  expect(t, "A", "a@0-1");
  fn_tokenizer_destroy(t);
  write_text(dir, "tokenizer_config.json", "{\"do_lower_case\": false}");
  snprintf(path, sizeof path, "%s/vocab.txt", dir);
  assert_ok(fn_tokenizer_load(&t, path, &err));
  expect(t, "A", "A@0-1");
  fn_tokenizer_destroy(t);
  t = NULL;
  write_text(dir, "added_tokens.json", "{\"<new>\": 5}");
  assert_status(fn_tokenizer_load(&t, dir, &err), FN_E_UNSUPPORTED);
  assert_contains(err.message, "added_tokens.json: tokens added beside vocab.txt");
  write_text(dir, "added_tokens.json", "{}");
  assert_ok(fn_tokenizer_load(&t, dir, &err));
  fn_tokenizer_destroy(t);
  t = NULL;
  write_text(dir, "tokenizer.json", "{"); /* comes before vocab.txt */
  assert_status(fn_tokenizer_load(&t, dir, &err), FN_E_INVALID);
  assert_contains(err.message, "tokenizer.json:1:1: not valid JSON");
  snprintf(path, sizeof path, "%s/none", dir);
  assert_status(fn_tokenizer_load(&t, path, &err), FN_E_NOT_FOUND);
  write_text(dir, "model.bin", "");
  snprintf(path, sizeof path, "%s/model.bin", dir);
  assert_status(fn_tokenizer_load(&t, path, &err), FN_E_INVALID);
  assert_contains(err.message, "a tokenizer is a folder, a tokenizer.json or a vocab.txt");
  assert_null(t);
  assert_ok(fn_dir_remove(dir, &err));
}

/* What is saved loads as the same tokenizer, from tokenizer.json and from vocab.txt. */
static void test_save(void **state) {
  (void)state;
  fn_err err = {0};
  fn_tokenizer *a =
      make_vocab(vocab_text, "{\"do_lower_case\": false, \"strip_accents\": true, \"model_max_length\": 256}");
  fn_tokenizer *b = NULL;
  char dir[] = "/tmp/fn-text-XXXXXX", out[64], path[80];
  assert_non_null(mkdtemp(dir));
  snprintf(out, sizeof out, "%s/deep/er", dir);
  assert_ok(fn_tokenizer_save(a, out, &err));
  for (int round = 0; round < 2; round++) {
    assert_ok(fn_tokenizer_load(&b, out, &err));
    assert_memory_equal(fn_tokenizer_get_info(a), fn_tokenizer_get_info(b), sizeof(fn_tokenizer_info));
    assert_int_equal(b->spec.model_max_length, 256);
    expect(b, "École [SEP]x", "[UNK]@0-6 [SEP]@7-12 x@12-13");
    fn_tokenizer_destroy(b);
    snprintf(path, sizeof path, "%s/tokenizer.json", out);
    if (round == 0) assert_int_equal(unlink(path), 0);
  }
  fn_tokenizer_destroy(a);
  assert_ok(fn_dir_remove(dir, &err));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bad_vocab_is_refused),
      cmocka_unit_test(test_bad_config_is_refused),
      cmocka_unit_test(test_accepted_vocab_forms),
      cmocka_unit_test(test_good_json_is_accepted),
      cmocka_unit_test(test_bad_models_are_refused),
      cmocka_unit_test(test_bad_parts_are_refused),
      cmocka_unit_test(test_bad_added_tokens_are_refused),
      cmocka_unit_test(test_folders),
      cmocka_unit_test(test_save),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
