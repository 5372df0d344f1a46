#include "model/traits.h"

static const fn_traits families[] = {
    {
        .family = "bert",
        .prefix = "bert.",
        .norm_place = FN_NORM_POST,
        .attention_bias = true,
        .ffn_bias = true,
        .positions = FN_POSITION_LEARNED,
        .token_types = true,
        .pooling = FN_POOL_FIRST_DENSE,
    },
};

const fn_traits *fn_traits_find(const char *family) {
  for (size_t i = 0; i < FN_COUNT_OF(families); i++)
    if (strcmp(families[i].family, family) == 0) return &families[i];
  return NULL;
}

fn_status fn_traits_check(const fn_traits *t, const fn_model_config *c, fn_err *err) {
  const char *what = NULL;
  if (t->norm_place != FN_NORM_POST) what = "norms before the blocks";
  if (t->positions == FN_POSITION_ROTARY) what = "rotary positions";
  if (t->embedding_width != 0 && t->embedding_width != c->hidden_size) what = "embeddings narrower than the layers";
  if (!what) return FN_OK;
  return fn_err_set(err, FN_E_UNSUPPORTED, "model_type \"%s\" needs %s, which this program does not compute yet",
                    t->family, what);
}

fn_status fn_traits_activation(fn_activation *out, const char *hidden_act, fn_err *err) {
  static const struct {
    const char *name;
    fn_activation kind;
  } known[] = {{"gelu", FN_ACT_GELU},
               {"gelu_new", FN_ACT_GELU_TANH},
               {"gelu_pytorch_tanh", FN_ACT_GELU_TANH},
               {"relu", FN_ACT_RELU}};
  for (size_t i = 0; i < FN_COUNT_OF(known); i++)
    if (strcmp(known[i].name, hidden_act) == 0) {
      *out = known[i].kind;
      return FN_OK;
    }
  return fn_err_set(err, FN_E_UNSUPPORTED,
                    "hidden_act \"%s\" is not known; accepted are gelu, gelu_new, gelu_pytorch_tanh and relu",
                    hidden_act);
}
