#include "tensor/cpu/activations.h"
#include "tensor/cpu/level.h"

#define FN_EACH_16(n)  for (size_t i = 0, lanes; lanes = (n)-i < 16 ? (n)-i : 16, i < (n); i += 16)
#define FN_LOAD(p)     (lanes == 16 ? vf_load((p) + i) : vf_load_n((p) + i, lanes))
#define FN_STORE(p, v) (lanes == 16 ? vf_store((p) + i, v) : vf_store_n((p) + i, v, lanes))

#define FN_FORWARD(function)                                                                                           \
  FN_EACH_16(n) {                                                                                                      \
    vf x = FN_LOAD(pre);                                                                                               \
    if (bias) {                                                                                                        \
      x = vf_add(x, FN_LOAD(bias));                                                                                    \
      if (y != pre) FN_STORE(pre, x);                                                                                  \
    }                                                                                                                  \
    FN_STORE(y, function(NULL, x));                                                                                    \
  }                                                                                                                    \
  return

void fn_k_bias_activation(float *y, float *pre, const float *bias, fn_activation kind, size_t n) {
  switch (kind) {
  case FN_ACT_GELU: FN_FORWARD(gelu);
  case FN_ACT_GELU_TANH: FN_FORWARD(gelu_tanh);
  case FN_ACT_RELU: FN_FORWARD(relu);
  case FN_ACT_TANH: FN_FORWARD(hyperbolic_tangent);
  }
}

#define FN_BACKWARD(function)                                                                                          \
  FN_EACH_16(n) {                                                                                                      \
    vf slope, value = function(&slope, FN_LOAD(x));                                                                    \
    if (y) FN_STORE(y, value);                                                                                         \
    FN_STORE(dx, vf_mul(FN_LOAD(dy), slope));                                                                          \
  }                                                                                                                    \
  return

void fn_k_activation_backward(float *dx, float *y, const float *dy, const float *x, fn_activation kind, size_t n) {
  switch (kind) {
  case FN_ACT_GELU: FN_BACKWARD(gelu);
  case FN_ACT_GELU_TANH: FN_BACKWARD(gelu_tanh);
  case FN_ACT_RELU: FN_BACKWARD(relu);
  case FN_ACT_TANH: FN_BACKWARD(hyperbolic_tangent);
  }
}
