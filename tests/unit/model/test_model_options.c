/* model.*: sizes from scratch, and what may be changed over a directory. */
#include "model/options.h"
#include "same_config.h"

#include <math.h>
#include <string.h>

static void fill(fn_model_options *options, const char *const *assignments) {
  static fn_config *config;
  static const fn_option_table *const tables[] = {&fn_model_option_table};
  fn_err err = {0};
  fn_config_destroy(config);
  config = NULL;
  assert_int_equal(fn_config_create(&config, tables, 1, NULL, &err), FN_OK);
  for (; *assignments; assignments++) {
    if (fn_config_override(config, *assignments, &err) != FN_OK) fail_msg("%s", err.message);
  }
  assert_int_equal(fn_config_fill(options, config, &fn_model_option_table, &err), FN_OK);
}
#define FILL(options, ...) fill(options, (const char *const[]){__VA_ARGS__, NULL})

static void test_scratch_defaults(void **state) {
  (void)state;
  fn_model_options o;
  fn_model_config c;
  fn_err err = {0};
  fill(&o, (const char *const[]){NULL});
  assert_int_equal(fn_model_options_vocab_size(&o), 8000);
  assert_int_equal(fn_model_options_scratch(&c, &o, 4321, &err), FN_OK);
  assert_int_equal(c.vocab_size, 4321);
  assert_int_equal(c.hidden_size, 128);
  assert_int_equal(c.num_hidden_layers, 2);
  assert_int_equal(c.num_attention_heads, 2);
  assert_int_equal(c.intermediate_size, 512);
  assert_int_equal(c.max_position_embeddings, 512);
  assert_string_equal(c.labels[1], "fake");
}

static void test_scratch_takes_every_option(void **state) {
  (void)state;
  fn_model_options o;
  fn_model_config c;
  fn_err err = {0};
  FILL(&o, "model.vocab_size=999", "model.hidden_size=60", "model.num_hidden_layers=3", "model.num_attention_heads=5",
       "model.intermediate_size=70", "model.max_position_embeddings=80", "model.type_vocab_size=4",
       "model.hidden_act=relu", "model.hidden_dropout_prob=0.2", "model.attention_probs_dropout_prob=0.3",
       "model.layer_norm_eps=1e-6", "model.initializer_range=0.5", "model.head_size=512");
  assert_int_equal(fn_model_options_vocab_size(&o), 999);
  assert_int_equal(fn_model_options_scratch(&c, &o, 999, &err), FN_OK);
  assert_int_equal(c.hidden_size, 60);
  assert_int_equal(c.num_hidden_layers, 3);
  assert_int_equal(c.num_attention_heads, 5);
  assert_int_equal(c.intermediate_size, 70);
  assert_int_equal(c.max_position_embeddings, 80);
  assert_int_equal(c.type_vocab_size, 4);
  assert_string_equal(c.hidden_act, "relu");
  assert_true(c.hidden_dropout_prob == 0.2 && c.attention_probs_dropout_prob == 0.3 && c.classifier_dropout == 0.2);
  assert_true(c.layer_norm_eps == 1e-6 && c.initializer_range == 0.5);
  assert_int_equal(c.head_size, 512);
  FILL(&o, "model.classifier_dropout=0.4");
  assert_int_equal(fn_model_options_scratch(&c, &o, 999, &err), FN_OK);
  assert_true(c.classifier_dropout == 0.4 && c.hidden_dropout_prob == 0.1);
}

static void test_scratch_refuses(void **state) {
  (void)state;
  fn_model_options o;
  fn_model_config c;
  fn_err err = {0};
  FILL(&o, "model.num_attention_heads=3");
  assert_int_equal(fn_model_options_scratch(&c, &o, 999, &err), FN_E_INVALID);
  assert_non_null(strstr(err.message, "settings model.*: hidden_size 128 cannot be shared evenly by 3 heads"));
  FILL(&o, "model.hidden_act=swish");
  assert_int_equal(fn_model_options_scratch(&c, &o, 999, &err), FN_E_UNSUPPORTED);
  assert_non_null(strstr(err.message, "hidden_act \"swish\""));
  FILL(&o, "model.hidden_act=a-name-that-is-far-longer-than-any-activation-has");
  assert_int_equal(fn_model_options_scratch(&c, &o, 999, &err), FN_E_UNSUPPORTED);
}

static void test_override(void **state) {
  (void)state;
  fn_model_options o;
  fn_model_config c, before;
  fn_err err = {0};
  fn_model_config_init(&c);
  FILL(&o, "model.hidden_dropout_prob=0", "model.head_size=512", "model.hidden_size=768");
  assert_int_equal(fn_model_options_override(&c, &o, "dir", &err), FN_OK);
  assert_true(c.hidden_dropout_prob == 0 && c.classifier_dropout == 0 && c.attention_probs_dropout_prob == 0.1);
  assert_int_equal(c.head_size, 512);
  FILL(&o, "model.classifier_dropout=0.5", "model.attention_probs_dropout_prob=0", "model.initializer_range=0.1");
  assert_int_equal(fn_model_options_override(&c, &o, "dir", &err), FN_OK);
  assert_true(c.classifier_dropout == 0.5 && c.attention_probs_dropout_prob == 0 && c.initializer_range == 0.1);
  assert_int_equal(c.head_size, 512);
  FILL(&o, "model.hidden_dropout_prob=0.25"); /* the file's own rate for the head stays */
  assert_int_equal(fn_model_options_override(&c, &o, "dir", &err), FN_OK);
  assert_true(c.hidden_dropout_prob == 0.25 && c.classifier_dropout == 0.5);

  static const char *const fixed[][2] = {
      {"model.hidden_size=128", "model.hidden_size: 128 was asked for, but the weights in dir have 768"},
      {"model.vocab_size=64", "model.vocab_size"},
      {"model.num_hidden_layers=1", "model.num_hidden_layers"},
      {"model.num_attention_heads=1", "model.num_attention_heads"},
      {"model.intermediate_size=1", "model.intermediate_size"},
      {"model.max_position_embeddings=8", "model.max_position_embeddings"},
      {"model.type_vocab_size=3", "model.type_vocab_size"},
      {"model.hidden_act=relu", "model.hidden_act: \"relu\" was asked for"},
      {"model.layer_norm_eps=1e-5", "model.layer_norm_eps: 1e-05 was asked for"},
  };
  for (size_t i = 0; i < FN_COUNT_OF(fixed); i++) {
    before = c;
    FILL(&o, fixed[i][0]);
    assert_int_equal(fn_model_options_override(&c, &o, "dir", &err), FN_E_INVALID);
    if (!strstr(err.message, fixed[i][1])) fail_msg("%s", err.message);
    same_config(&c, &before);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scratch_defaults),
      cmocka_unit_test(test_scratch_takes_every_option),
      cmocka_unit_test(test_scratch_refuses),
      cmocka_unit_test(test_override),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
