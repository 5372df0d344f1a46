/* What tells the families of encoders apart, as data: the encoder is written once and asks here. */
#ifndef FN_MODEL_TRAITS_H
#define FN_MODEL_TRAITS_H

#include "model/model.h"
#include "tensor/ops.h"

typedef enum fn_norm_place { FN_NORM_POST, FN_NORM_PRE } fn_norm_place; /* after the residual sum, or before a block */
typedef enum fn_position_scheme { FN_POSITION_NONE, FN_POSITION_LEARNED, FN_POSITION_ROTARY } fn_position_scheme;
/* What the head reads: the first token through a dense layer with tanh, the first token as it is, the mean of all. */
typedef enum fn_pooling { FN_POOL_FIRST_DENSE, FN_POOL_FIRST, FN_POOL_MEAN } fn_pooling;

typedef struct fn_traits {
  const char *family; /* model_type in config.json */
  const char *prefix; /* of the encoder's parameter names */
  fn_norm_place norm_place;
  bool attention_bias, ffn_bias;
  fn_position_scheme positions;
  int32_t position_offset; /* row of the position table that the first token takes */
  bool token_types, shared_layers;
  int32_t embedding_width; /* 0: hidden_size */
  fn_pooling pooling;
  int32_t window, global_every; /* window 0: all tokens see all; otherwise layers i with i % global_every == 0 do */
} fn_traits;

/* Traits of a model_type; NULL when the family is not known. */
const fn_traits *fn_traits_find(const char *family);
/* Says which traits the encoder does not compute yet (FN_E_UNSUPPORTED). */
FN_NODISCARD fn_status fn_traits_check(const fn_traits *traits, const fn_model_config *config, fn_err *err);
/* hidden_act to the device's activation; FN_E_UNSUPPORTED for a name that is not known. */
FN_NODISCARD fn_status fn_traits_activation(fn_activation *out, const char *hidden_act, fn_err *err);
/* Attention window of a layer: 0 = none. */
static inline int32_t fn_traits_window(const fn_traits *t, int32_t layer) {
  return t->window > 0 && (t->global_every <= 0 || layer % t->global_every != 0) ? t->window : 0;
}

#endif
