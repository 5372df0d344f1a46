#include "tensor/cpu/level.h"
#include "tensor/cpu/vmath.h"

/* GELU(x) = x Φ(x) = max(x, 0) - |x| Φ(-|x|): no cancellation on either side (Hendrycks & Gimpel 2016). The slope is
 * Φ(x) + x φ(x), and shares the exponential. */
FN_INLINE vf gelu(vf *slope, vf x) {
  vf tail, density;
  vf_normal_tail(&tail, &density, x);
  if (slope) {
    vf phi = vf_select(vf_less(x, vf_zero()), tail, vf_sub(vf_set(1.0f), tail));
    *slope = vf_fma(vf_mul(x, vf_set(0.3989422804f)), density, phi);
  }
  return vf_fnma(vf_abs(x), tail, vf_max(x, vf_zero()));
}

/* x · 0.5 (1 + tanh u) = x / (1 + e^-2u), u = √(2/π) (x + 0.044715 x³). */
FN_INLINE vf gelu_tanh(vf *slope, vf x) {
  const vf a = vf_set(1.595769122f), b = vf_set(0.07135481627f); /* 2√(2/π), that times 0.044715 */
  vf x2 = vf_mul(x, x), u2 = vf_mul(x, vf_fma(b, x2, a));
  vf e = vf_exp(vf_neg(u2)), s = vf_div(vf_set(1.0f), vf_add(vf_set(1.0f), e));
  if (slope) { /* 1 - s = e s, without cancellation */
    vf du2 = vf_fma(vf_mul(vf_set(3.0f), b), x2, a);
    *slope = vf_fma(vf_mul(vf_mul(x, s), vf_mul(e, s)), du2, s);
  }
  return vf_mul(x, s);
}

FN_INLINE vf relu(vf *slope, vf x) {
  if (slope) *slope = vf_select(vf_less(vf_zero(), x), vf_set(1.0f), vf_zero());
  return vf_max(x, vf_zero());
}

FN_INLINE vf hyperbolic_tangent(vf *slope, vf x) {
  vf t = vf_tanh(x);
  if (slope) *slope = vf_fnma(t, t, vf_set(1.0f));
  return t;
}

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
