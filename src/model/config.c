#include "model/config.h"

#include <math.h>
#include <stdio.h>

/* Bounds far above any published model; they keep every product of two sizes within 64 bits. */
static const struct {
  const char *key;
  size_t offset;
  int32_t min, max;
} ranges[] = {
    {"vocab_size", offsetof(fn_model_config, vocab_size), 1, 1 << 24},
    {"hidden_size", offsetof(fn_model_config, hidden_size), 1, 1 << 16},
    {"num_hidden_layers", offsetof(fn_model_config, num_hidden_layers), 1, 1 << 10},
    {"num_attention_heads", offsetof(fn_model_config, num_attention_heads), 1, 1 << 10},
    {"intermediate_size", offsetof(fn_model_config, intermediate_size), 1, 1 << 20},
    {"max_position_embeddings", offsetof(fn_model_config, max_position_embeddings), 1, 1 << 20},
    {"type_vocab_size", offsetof(fn_model_config, type_vocab_size), 1, 1 << 8},
};

static const char *const activations[] = {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu"};
static const char *const later_families[] = {"albert",     "camembert", "deberta-v2", "distilbert", "electra",
                                             "modernbert", "mpnet",     "roberta",    "xlm-roberta"};

static void copy_text(char *out, size_t size, const char *text) {
  snprintf(out, size, "%s", text);
}

void fn_model_config_init(fn_model_config *config) {
  *config = (fn_model_config){
      .vocab_size = 30522,
      .hidden_size = 768,
      .num_hidden_layers = 12,
      .num_attention_heads = 12,
      .intermediate_size = 3072,
      .max_position_embeddings = 512,
      .type_vocab_size = 2,
      .num_labels = 2,
      .hidden_dropout_prob = 0.1,
      .attention_probs_dropout_prob = 0.1,
      .classifier_dropout = 0.1,
      .layer_norm_eps = 1e-12,
      .initializer_range = 0.02,
  };
  copy_text(config->family, sizeof config->family, "bert");
  copy_text(config->hidden_act, sizeof config->hidden_act, "gelu");
  copy_text(config->labels[0], sizeof config->labels[0], "real");
  copy_text(config->labels[1], sizeof config->labels[1], "fake");
}

static fn_status check_family(const char *family, const char *name, fn_err *err) {
  if (strcmp(family, "bert") == 0) return FN_OK;
  for (size_t i = 0; i < FN_COUNT_OF(later_families); i++) {
    if (strcmp(family, later_families[i]) == 0)
      return fn_err_set(err, FN_E_UNSUPPORTED, "%s: model_type \"%s\" is not supported yet; accepted is \"bert\"", name,
                        family);
  }
  return fn_err_set(err, FN_E_UNSUPPORTED, "%s: model_type \"%s\" is not known; accepted is \"bert\"", name, family);
}

static fn_status check_activation(const char *activation, const char *name, fn_err *err) {
  for (size_t i = 0; i < FN_COUNT_OF(activations); i++) {
    if (strcmp(activation, activations[i]) == 0) return FN_OK;
  }
  return fn_err_set(err, FN_E_UNSUPPORTED,
                    "%s: hidden_act \"%s\" is not known; accepted are gelu, gelu_new, gelu_pytorch_tanh and relu", name,
                    activation);
}

static fn_status check_share(double value, const char *key, const char *name, fn_err *err) {
  if (value >= 0 && value < 1) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%s: %s is %g, accepted is a probability from 0 to below 1", name, key, value);
}

static fn_status check_numbers(const fn_model_config *c, const char *name, fn_err *err) {
  for (size_t i = 0; i < FN_COUNT_OF(ranges); i++) {
    int32_t value;
    memcpy(&value, (const char *)c + ranges[i].offset, sizeof value);
    if (value < ranges[i].min || value > ranges[i].max)
      return fn_err_set(err, FN_E_INVALID, "%s: %s is %d, accepted are %d to %d", name, ranges[i].key, value,
                        ranges[i].min, ranges[i].max);
  }
  if (c->hidden_size % c->num_attention_heads != 0)
    return fn_err_set(err, FN_E_INVALID,
                      "%s: hidden_size %d cannot be shared evenly by %d heads (num_attention_heads); it must be a "
                      "multiple",
                      name, c->hidden_size, c->num_attention_heads);
  if (c->pad_token_id < 0 || c->pad_token_id >= c->vocab_size)
    return fn_err_set(err, FN_E_INVALID, "%s: pad_token_id is %d, accepted are 0 to %d (vocab_size - 1)", name,
                      c->pad_token_id, c->vocab_size - 1);
  if (c->head_size < 0 || c->head_size > 1 << 16)
    return fn_err_set(err, FN_E_INVALID, "%s: the head's size is %d, accepted are 0 (one layer) to %d", name,
                      c->head_size, 1 << 16);
  FN_TRY(check_share(c->hidden_dropout_prob, "hidden_dropout_prob", name, err));
  FN_TRY(check_share(c->attention_probs_dropout_prob, "attention_probs_dropout_prob", name, err));
  FN_TRY(check_share(c->classifier_dropout, "classifier_dropout", name, err));
  if (!(c->layer_norm_eps > 0 && c->layer_norm_eps <= 1))
    return fn_err_set(err, FN_E_INVALID, "%s: layer_norm_eps is %g, accepted is above 0 to 1", name, c->layer_norm_eps);
  if (!(c->initializer_range >= 0 && c->initializer_range <= 10))
    return fn_err_set(err, FN_E_INVALID, "%s: initializer_range is %g, accepted is 0 to 10", name,
                      c->initializer_range);
  return FN_OK;
}

static fn_status check_labels(const fn_model_config *c, const char *name, fn_err *err) {
  if (c->num_labels < 2 || c->num_labels > FN_MODEL_MAX_LABELS)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: %d labels (id2label), accepted are 2 to %d", name, c->num_labels,
                      FN_MODEL_MAX_LABELS);
  for (int32_t i = 0; i < c->num_labels; i++) {
    if (c->labels[i][0] == '\0') return fn_err_set(err, FN_E_INVALID, "%s: id2label: label %d has no name", name, i);
    for (int32_t j = 0; j < i; j++) {
      if (strcmp(c->labels[i], c->labels[j]) == 0)
        return fn_err_set(err, FN_E_INVALID, "%s: id2label: labels %d and %d are both \"%s\"", name, j, i,
                          c->labels[i]);
    }
  }
  return FN_OK;
}

fn_status fn_model_config_check(const fn_model_config *config, const char *name, fn_err *err) {
  FN_TRY(check_family(config->family, name, err));
  FN_TRY(check_activation(config->hidden_act, name, err));
  FN_TRY(check_numbers(config, name, err));
  return check_labels(config, name, err);
}

fn_status fn_model_check_tokenizer(const fn_model_config *config, const fn_tokenizer_info *tokenizer, const char *dir,
                                   const char *tokenizer_dir, fn_err *err) {
  if (tokenizer->vocab_size <= config->vocab_size) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "%s: the tokenizer gives ids up to %d, but the embedding of %s has only %d rows (vocab_size): they "
                    "do not belong together; accepted is the tokenizer the model was trained with",
                    tokenizer_dir, tokenizer->vocab_size - 1, dir, config->vocab_size);
}
