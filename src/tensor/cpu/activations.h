/* Activations over simd.h, with their slopes (NULL: not wanted). */
#ifndef FN_TENSOR_CPU_ACTIVATIONS_H
#define FN_TENSOR_CPU_ACTIVATIONS_H

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

#endif
