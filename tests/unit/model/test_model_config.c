/* config.json: defaults, ranges, families, labels, heads, what is written. */
#include "same_config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static fn_status parse(fn_model_config *config, const char *text, fn_err *err) {
  return fn_model_config_parse(config, fn_str_from(text), "m/config.json", err);
}

static void refuses(const char *text, fn_status expected, const char *says) {
  fn_model_config config, before;
  memset(&config, 0x5a, sizeof config);
  before = config;
  fn_err err = {0};
  fn_status status = parse(&config, text, &err);
  if (status != expected || !strstr(err.message, says) || strncmp(err.message, "m/config.json", 13) != 0)
    fail_msg("%s\n  gives %s: %s\n  expected %s: … %s", text, fn_status_name(status), err.message,
             fn_status_name(expected), says);
  assert_memory_equal(&config, &before, sizeof config);
}

static void test_defaults_of_transformers(void **state) {
  (void)state;
  fn_model_config c;
  fn_err err = {0};
  assert_int_equal(parse(&c, "{\"model_type\": \"bert\"}", &err), FN_OK);
  assert_int_equal(c.vocab_size, 30522);
  assert_int_equal(c.hidden_size, 768);
  assert_int_equal(c.num_hidden_layers, 12);
  assert_int_equal(c.num_attention_heads, 12);
  assert_int_equal(c.intermediate_size, 3072);
  assert_int_equal(c.max_position_embeddings, 512);
  assert_int_equal(c.type_vocab_size, 2);
  assert_string_equal(c.hidden_act, "gelu");
  assert_true(c.hidden_dropout_prob == 0.1 && c.attention_probs_dropout_prob == 0.1 && c.classifier_dropout == 0.1);
  assert_true(c.layer_norm_eps == 1e-12 && c.initializer_range == 0.02);
  assert_int_equal(c.num_labels, 2);
  assert_string_equal(c.labels[0], "LABEL_0");
  assert_string_equal(c.labels[1], "LABEL_1");
  assert_int_equal(c.head_size, 0);
}

static void test_reads(void **state) {
  (void)state;
  fn_model_config c;
  fn_err err = {0};
  const char *text =
      "{\"model_type\":\"bert\",\"hidden_size\":52,\"num_attention_heads\":2,\"hidden_act\":\"gelu_new\","
      "\"hidden_dropout_prob\":0,\"classifier_dropout\":null,\"pad_token_id\":null,\"problem_type\":null,"
      "\"id2label\":{\"1\":\"b\",\"0\":\"a\",\"2\":\"c\"},\"use_cache\":true,\"is_decoder\":false,"
      "\"fakenews_head\":{\"type\":\"two_layer\",\"size\":7},\"unknown\":[1,{}]}";
  if (parse(&c, text, &err) != FN_OK) fail_msg("%s", err.message);
  assert_int_equal(c.hidden_size, 52);
  assert_string_equal(c.hidden_act, "gelu_new");
  assert_true(c.hidden_dropout_prob == 0 && c.classifier_dropout == 0); /* null follows hidden_dropout_prob */
  assert_int_equal(c.num_labels, 3);
  assert_string_equal(c.labels[2], "c");
  assert_int_equal(c.head_size, 7);
  assert_int_equal(parse(&c, "{\"model_type\":\"bert\",\"num_labels\":4,\"classifier_dropout\":0.25}", &err), FN_OK);
  assert_int_equal(c.num_labels, 4);
  assert_true(c.classifier_dropout == 0.25);
}

#define BERT "{\n\"model_type\": \"bert\",\n"

static void test_refuses_numbers(void **state) {
  (void)state;
  refuses("{", FN_E_INVALID, "not valid JSON");
  refuses("[]", FN_E_INVALID, "must be a JSON object");
  refuses(BERT "\"hidden_size\": 0}", FN_E_INVALID, ":3: hidden_size is 0, accepted are 1 to 65536");
  refuses(BERT "\"hidden_size\": \"768\"}", FN_E_INVALID, ":3: \"hidden_size\" must be an integer, not a string");
  refuses(BERT "\"hidden_size\": 768.0}", FN_E_INVALID, "must be an integer");
  refuses(BERT "\"hidden_size\": 4294967296}", FN_E_INVALID, "hidden_size");
  refuses(BERT "\"vocab_size\": -1}", FN_E_INVALID, ":3: vocab_size is -1");
  refuses(BERT "\"num_hidden_layers\": 100000}", FN_E_INVALID, "accepted are 1 to 1024");
  refuses(BERT "\n\"num_attention_heads\": 7}", FN_E_INVALID, "hidden_size 768 cannot be shared evenly by 7 heads");
  refuses(BERT "\"hidden_dropout_prob\": 1}", FN_E_INVALID, ":3: hidden_dropout_prob is 1, accepted is a probability");
  refuses(BERT "\"attention_probs_dropout_prob\": -0.1}", FN_E_INVALID, "attention_probs_dropout_prob is -0.1");
  refuses(BERT "\"classifier_dropout\": 2}", FN_E_INVALID, "classifier_dropout is 2");
  refuses(BERT "\"layer_norm_eps\": 0}", FN_E_INVALID, "layer_norm_eps is 0");
  refuses(BERT "\"initializer_range\": 1e9}", FN_E_INVALID, "initializer_range");
  refuses(BERT "\"pad_token_id\": 30522}", FN_E_INVALID, "pad_token_id is 30522, accepted are 0 to 30521");
  refuses(BERT "\"hidden_size\": 1,\n\"hidden_size\": 2}", FN_E_INVALID, "duplicate");
}

static void test_refuses_kinds(void **state) {
  (void)state;
  refuses("{}", FN_E_INVALID, "\"model_type\" is missing; accepted is \"bert\"");
  refuses("{\"model_type\":\"roberta\"}", FN_E_UNSUPPORTED, ":1: model_type \"roberta\" is not supported yet");
  refuses("{\"model_type\":\"gpt2\"}", FN_E_UNSUPPORTED, "model_type \"gpt2\" is not known; accepted is \"bert\"");
  refuses("{\"model_type\":\"a-name-that-is-far-longer-than-any-family-has\"}", FN_E_UNSUPPORTED, "is not known");
  refuses("{\"model_type\":3}", FN_E_INVALID, "\"model_type\" must be a string");
  refuses(BERT "\"hidden_act\": \"swish\"}", FN_E_UNSUPPORTED,
          ":3: hidden_act \"swish\" is not known; accepted are gelu, gelu_new, gelu_pytorch_tanh and relu");
  refuses(BERT "\"position_embedding_type\": \"relative_key\"}", FN_E_UNSUPPORTED, "accepted is \"absolute\"");
  refuses(BERT "\"problem_type\": \"regression\"}", FN_E_UNSUPPORTED, "\"regression\" is not supported");
  refuses(BERT "\"problem_type\": 1}", FN_E_UNSUPPORTED, "of this kind is not supported");
  refuses(BERT "\"is_decoder\": true}", FN_E_UNSUPPORTED, "is_decoder is true");
  refuses(BERT "\"quantization_config\": {\"bits\": 4}}", FN_E_UNSUPPORTED, "quantised weights");
  refuses(BERT "\"pruned_heads\": {\"0\": [1]}}", FN_E_UNSUPPORTED, "pruned heads");
}

static void test_refuses_labels_and_heads(void **state) {
  (void)state;
  refuses(BERT "\"num_labels\": 1}", FN_E_INVALID, "accepted are 2 to 8");
  refuses(BERT "\"id2label\": {\"0\": \"a\"}}", FN_E_UNSUPPORTED, "must name 2 to 8 labels");
  refuses(BERT "\"id2label\": [\"a\", \"b\"]}", FN_E_UNSUPPORTED, "must name 2 to 8 labels");
  refuses(BERT "\"id2label\": {\"0\": \"a\", \"2\": \"b\"}}", FN_E_INVALID, "id2label: \"1\" must be a name");
  refuses(BERT "\"id2label\": {\"0\": \"a\", \"1\": 2}}", FN_E_INVALID, "id2label: \"1\" must be a name");
  refuses(BERT "\"id2label\": {\"0\": \"a\", \"1\": \"a\"}}", FN_E_INVALID, "labels 0 and 1 are both \"a\"");
  refuses(BERT "\"id2label\": {\"0\": \"a\", \"1\": \"\"}}", FN_E_INVALID, "label 1 has no name");
  refuses(BERT "\"id2label\": {\"0\": \"a\", \"1\": \"0123456789012345678901234567890123\"}}", FN_E_INVALID,
          "1 to 31 bytes");
  refuses(BERT "\"fakenews_head\": {\"type\": \"three_layer\", \"size\": 5}}", FN_E_INVALID, "\"two_layer\"");
  refuses(BERT "\"fakenews_head\": {\"type\": \"two_layer\", \"size\": 0}}", FN_E_INVALID, "N from 1 to 65536");
  refuses(BERT "\"fakenews\": {\"text\": \"all\"}}", FN_E_INVALID, "accepted are title, text and title+text");
  refuses(BERT "\"fakenews_head\": 512}", FN_E_INVALID, "N from 1 to 65536");
}

static void test_written_reads_the_same(void **state) {
  (void)state;
  fn_model_config c, again;
  fn_model_config_init(&c);
  c.hidden_size = 26 * 3;
  c.num_attention_heads = 3;
  c.hidden_dropout_prob = 0.3;
  c.classifier_dropout = 0;
  c.layer_norm_eps = 1e-5;
  c.usage = (fn_model_usage){.known = true, .text = FN_TEXT_TITLE, .max_tokens = 64, .version = "1.2"};
  fn_err err = {0};
  for (int32_t head = 0; head <= 5; head += 5) {
    c.head_size = head;
    FN_AUTO_BUF fn_buf text;
    fn_buf_init(&text, 0);
    fn_model_config_format(&text, &c);
    if (fn_model_config_parse(&again, fn_buf_str(&text), "x", &err) != FN_OK) fail_msg("%s", err.message);
    same_config(&c, &again);
    assert_non_null(strstr(text.data, head ? "\"BertModel\"" : "\"BertForSequenceClassification\""));
    assert_int_equal(strstr(text.data, "fakenews_head") != NULL, head > 0);
  }
}

static void test_files(void **state) {
  (void)state;
  char dir[64] = "/tmp/fn-config-XXXXXX", path[128];
  assert_non_null(mkdtemp(dir));
  fn_model_config c, again;
  fn_err err = {0};
  assert_int_equal(fn_model_config_load(&c, dir, &err), FN_E_NOT_FOUND);
  assert_non_null(strstr(err.message, "no config.json in it; accepted is a Hugging Face directory"));
  assert_int_equal(fn_model_config_load(&c, "/nonexistent/model", &err), FN_E_NOT_FOUND);
  fn_model_config_init(&c);
  assert_int_equal(fn_model_config_save(&c, dir, &err), FN_OK);
  assert_int_equal(fn_model_config_load(&again, dir, &err), FN_OK);
  same_config(&c, &again);
  c.hidden_size = 5;
  assert_int_equal(fn_model_config_save(&c, dir, &err), FN_E_INVALID); /* never writes what it would not read */
  assert_int_equal(fn_model_config_load(&again, dir, &err), FN_OK);
  assert_int_equal(again.hidden_size, 768);
  snprintf(path, sizeof path, "%s/config.json", dir);
  unlink(path);
  rmdir(dir);
}

static void test_tokenizer_against_embedding(void **state) {
  (void)state;
  fn_model_config c;
  fn_model_config_init(&c);
  fn_tokenizer_info tokenizer = {.vocab_size = 30522};
  fn_err err = {0};
  assert_int_equal(fn_model_check_tokenizer(&c, &tokenizer, "m", "t", &err), FN_OK);
  tokenizer.vocab_size = 100;
  assert_int_equal(fn_model_check_tokenizer(&c, &tokenizer, "m", "t", &err), FN_OK);
  tokenizer.vocab_size = 30523;
  assert_int_equal(fn_model_check_tokenizer(&c, &tokenizer, "m", "t", &err), FN_E_INVALID);
  assert_string_equal(err.message, "t: the tokenizer gives ids up to 30522, but the embedding of m has only 30522 rows "
                                   "(vocab_size): they do not belong together; accepted is the tokenizer the model was "
                                   "trained with");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults_of_transformers),
      cmocka_unit_test(test_reads),
      cmocka_unit_test(test_refuses_numbers),
      cmocka_unit_test(test_refuses_kinds),
      cmocka_unit_test(test_refuses_labels_and_heads),
      cmocka_unit_test(test_written_reads_the_same),
      cmocka_unit_test(test_files),
      cmocka_unit_test(test_tokenizer_against_embedding),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
