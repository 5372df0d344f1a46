#include "model/config.h"
#include "model/options.h"

#include <math.h>
#include <stdio.h>

static void take_int(int32_t *value, int64_t option, int32_t fallback) {
  *value = option == INT64_MIN ? fallback : (int32_t)option;
}

static void take_double(double *value, double option) {
  if (!isnan(option)) *value = option;
}

static fn_status take_activation(fn_model_config *config, const fn_model_options *o, fn_err *err) {
  if (!o->hidden_act) return FN_OK;
  if (strlen(o->hidden_act) >= sizeof config->hidden_act)
    return fn_err_set(err, FN_E_UNSUPPORTED, "model.hidden_act: \"%.40s…\" is not known", o->hidden_act);
  snprintf(config->hidden_act, sizeof config->hidden_act, "%s", o->hidden_act);
  return FN_OK;
}

int32_t fn_model_options_vocab_size(const fn_model_options *o) {
  return o->vocab_size == INT64_MIN ? 8000 : (int32_t)o->vocab_size;
}

fn_status fn_model_options_scratch(fn_model_config *config_out, const fn_model_options *o, int32_t vocab_size,
                                   fn_err *err) {
  fn_model_config c;
  fn_model_config_init(&c);
  c.vocab_size = vocab_size;
  take_int(&c.hidden_size, o->hidden_size, 128);
  take_int(&c.num_hidden_layers, o->num_hidden_layers, 2);
  take_int(&c.num_attention_heads, o->num_attention_heads, 2);
  take_int(&c.intermediate_size, o->intermediate_size, 512);
  take_int(&c.max_position_embeddings, o->max_position_embeddings, 512);
  take_int(&c.type_vocab_size, o->type_vocab_size, 2);
  take_int(&c.head_size, o->head_size, 0);
  take_double(&c.hidden_dropout_prob, o->hidden_dropout_prob);
  take_double(&c.attention_probs_dropout_prob, o->attention_probs_dropout_prob);
  c.classifier_dropout = c.hidden_dropout_prob;
  take_double(&c.classifier_dropout, o->classifier_dropout);
  take_double(&c.layer_norm_eps, o->layer_norm_eps);
  take_double(&c.initializer_range, o->initializer_range);
  FN_TRY(take_activation(&c, o, err));
  FN_TRY(fn_model_config_check(&c, "settings model.*", err));
  *config_out = c;
  return FN_OK;
}

static fn_status same_int(int64_t option, int32_t value, const char *key, const char *dir, fn_err *err) {
  if (option == INT64_MIN || option == value) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "model.%s: %lld was asked for, but the weights in %s have %d; leave the setting out, or train with "
                    "--init scratch",
                    key, (long long)option, dir, value);
}

static fn_status same_encoder(const fn_model_config *c, const fn_model_options *o, const char *dir, fn_err *err) {
  FN_TRY(same_int(o->vocab_size, c->vocab_size, "vocab_size", dir, err));
  FN_TRY(same_int(o->hidden_size, c->hidden_size, "hidden_size", dir, err));
  FN_TRY(same_int(o->num_hidden_layers, c->num_hidden_layers, "num_hidden_layers", dir, err));
  FN_TRY(same_int(o->num_attention_heads, c->num_attention_heads, "num_attention_heads", dir, err));
  FN_TRY(same_int(o->intermediate_size, c->intermediate_size, "intermediate_size", dir, err));
  FN_TRY(same_int(o->max_position_embeddings, c->max_position_embeddings, "max_position_embeddings", dir, err));
  FN_TRY(same_int(o->type_vocab_size, c->type_vocab_size, "type_vocab_size", dir, err));
  if (o->hidden_act && strcmp(o->hidden_act, c->hidden_act) != 0)
    return fn_err_set(
        err, FN_E_INVALID,
        "model.hidden_act: \"%.60s\" was asked for, but the weights in %s were trained with \"%s\"; leave "
        "the setting out, or train with --init scratch",
        o->hidden_act, dir, c->hidden_act);
  if (!isnan(o->layer_norm_eps) && !(o->layer_norm_eps <= c->layer_norm_eps && o->layer_norm_eps >= c->layer_norm_eps))
    return fn_err_set(err, FN_E_INVALID,
                      "model.layer_norm_eps: %g was asked for, but the weights in %s were trained with %g; leave the "
                      "setting out, or train with --init scratch",
                      o->layer_norm_eps, dir, c->layer_norm_eps);
  return FN_OK;
}

fn_status fn_model_options_override(fn_model_config *config, const fn_model_options *o, const char *dir, fn_err *err) {
  FN_TRY(same_encoder(config, o, dir, err));
  fn_model_config c = *config;
  bool follows = !(c.classifier_dropout < c.hidden_dropout_prob || c.classifier_dropout > c.hidden_dropout_prob);
  take_double(&c.hidden_dropout_prob, o->hidden_dropout_prob);
  take_double(&c.attention_probs_dropout_prob, o->attention_probs_dropout_prob);
  if (follows) c.classifier_dropout = c.hidden_dropout_prob;
  take_double(&c.classifier_dropout, o->classifier_dropout);
  take_double(&c.initializer_range, o->initializer_range);
  take_int(&c.head_size, o->head_size, c.head_size);
  FN_TRY(fn_model_config_check(&c, "settings model.*", err));
  *config = c;
  return FN_OK;
}
