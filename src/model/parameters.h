/* The list of a model's tensors: names, shapes, places in the slab. */
#ifndef FN_MODEL_PARAMETERS_H
#define FN_MODEL_PARAMETERS_H

#include "model/traits.h"

enum { FN_ABSENT = -1 };

/* Indices into the list; FN_ABSENT when the family has no such tensor. */
typedef struct fn_linear_index {
  int32_t w, b;
} fn_linear_index;
typedef struct fn_norm_index {
  int32_t gamma, beta;
} fn_norm_index;

typedef struct fn_layer_index {
  fn_linear_index q, k, v, output, up, down;
  fn_norm_index attention_norm, ffn_norm;
} fn_layer_index;

typedef struct fn_parameters {
  fn_parameter *list;
  size_t n, slab_n;
  fn_arena names;
  int32_t word, position, type;
  fn_norm_index embedding_norm;
  fn_layer_index *layers; /* [L] */
  fn_linear_index pooler, classifier, head_dense;
} fn_parameters;

/* config has been checked. FN_E_LIMIT when the sizes do not fit into memory's addresses. */
FN_NODISCARD fn_status fn_parameters_init(fn_parameters *parameters_out, const fn_model_config *config,
                                          const fn_traits *traits, fn_err *err);
void fn_parameters_deinit(fn_parameters *parameters);

#endif
