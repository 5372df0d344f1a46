/* Settings of src/model: model.*, with config.json's names. */
#ifndef FN_MODEL_OPTIONS_H
#define FN_MODEL_OPTIONS_H

#include "config/config.h"
#include "model/model.h"

/* INT64_MIN, NaN and NULL stand for null: what config.json says, or the small sizes of a model from scratch. */
typedef struct fn_model_options {
  int64_t vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, max_position_embeddings,
      type_vocab_size, head_size;
  const char *hidden_act;
  double hidden_dropout_prob, attention_probs_dropout_prob, classifier_dropout, layer_norm_eps, initializer_range;
} fn_model_options;

extern const fn_option_table fn_model_option_table;

/* Entries to ask of a vocabulary that is built for a model from scratch. */
int32_t fn_model_options_vocab_size(const fn_model_options *options);

/* A model from scratch over a vocabulary of vocab_size entries: small sizes (2 layers of 128, 2 heads, feed-forward
 * 512, 512 positions) where the options are null. FN_E_INVALID when the sizes do not fit together. */
FN_NODISCARD fn_status fn_model_options_scratch(fn_model_config *config_out, const fn_model_options *options,
                                                int32_t vocab_size, fn_err *err);

/* The options over a config that was loaded from dir: dropout rates, head and initializer_range replace the file's; the
 * sizes of the encoder belong to the weights, so one that differs is FN_E_INVALID. classifier_dropout follows
 * hidden_dropout_prob while the file and the options leave them equal. *config is untouched on failure. */
FN_NODISCARD fn_status fn_model_options_override(fn_model_config *config, const fn_model_options *options,
                                                 const char *dir, fn_err *err);

#endif
