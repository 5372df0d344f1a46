/* Elementary functions over simd.h. Coefficients: weighted minimax fits of tools/fit_vmath.py; errors are relative and
 * checked against libm in tests/unit/tensor/test_kernels.c. */
#ifndef FN_TENSOR_CPU_VMATH_H
#define FN_TENSOR_CPU_VMATH_H

#include "tensor/cpu/simd.h"

/* e^x to 2 ulp for x in [-87.3, 88.3]; below 0, above e^88.3. x = n ln 2 + r, |r| ≤ ln 2 / 2. */
FN_INLINE vf vf_exp(vf x) {
  vm under = vf_less(x, vf_set(-87.3f));
  x = vf_min(x, vf_set(88.3f));
  x = vf_max(x, vf_set(-87.3f));
  vi n = vf_round_i(vf_mul(x, vf_set(1.442695041f)));
  vf k = vi_to_f(n);
  vf r = vf_fnma(k, vf_set(0.693359375f), x); /* exact: 0.693359375 has 9 bits */
  r = vf_fnma(k, vf_set(-2.12194440e-4f), r);
  vf p = vf_set(1.381431823e-03f);
  p = vf_fma(p, r, vf_set(8.368851617e-03f));
  p = vf_fma(p, r, vf_set(4.166840017e-02f));
  p = vf_fma(p, r, vf_set(1.666651964e-01f));
  p = vf_fma(p, r, vf_set(4.999999404e-01f));
  p = vf_fma(vf_mul(r, r), p, r);
  p = vf_add(p, vf_set(1.0f));
  vf scale = vi_as_f(vi_shl(vi_add(n, vi_set(127)), 23));
  return vf_select(under, vf_zero(), vf_mul(p, scale));
}

/* Upper tail of the normal distribution: *tail = Φ(-|x|), *density = e^(-x²/2). Φ(-a) e^(a²/2) is a smooth falling
 * function, a polynomial in t = 1 / (1 + 0.3 a) (the form of Abramowitz & Stegun 26.2.17, fitted to 1.2e-7). */
FN_INLINE void vf_normal_tail(vf *tail, vf *density, vf x) {
  vf a = vf_abs(x);
  vf t = vf_div(vf_set(1.0f), vf_fma(a, vf_set(0.3f), vf_set(1.0f)));
  vf p = vf_set(3.619529679e-02f);
  p = vf_fma(p, t, vf_set(-1.593800187e-01f));
  p = vf_fma(p, t, vf_set(2.101210952e-01f));
  p = vf_fma(p, t, vf_set(-5.716966093e-02f));
  p = vf_fma(p, t, vf_set(1.304175705e-01f));
  p = vf_fma(p, t, vf_set(9.934681654e-02f));
  p = vf_fma(p, t, vf_set(1.208455786e-01f));
  p = vf_fma(p, t, vf_set(1.196232587e-01f));
  *density = vf_exp(vf_mul(vf_mul(a, a), vf_set(-0.5f)));
  *tail = vf_mul(vf_mul(p, t), *density);
}

/* tanh: odd polynomial below 0.63, 1 - 2 / (e^2|x| + 1) above. */
FN_INLINE vf vf_tanh(vf x) {
  vf a = vf_abs(x), z = vf_mul(x, x);
  vf p = vf_set(-5.648307502e-03f);
  p = vf_fma(p, z, vf_set(2.058981732e-02f));
  p = vf_fma(p, z, vf_set(-5.372512341e-02f));
  p = vf_fma(p, z, vf_set(1.333127469e-01f));
  p = vf_fma(p, z, vf_set(-3.333327472e-01f));
  vf small = vf_fma(vf_mul(p, z), x, x);
  vf e = vf_exp(vf_add(a, a));
  vf large = vf_sub(vf_set(1.0f), vf_div(vf_set(2.0f), vf_add(e, vf_set(1.0f))));
  large = vf_select(vf_less(x, vf_zero()), vf_neg(large), large);
  return vf_select(vf_less(a, vf_set(0.63f)), small, large);
}

/* Σ of n terms in sixteen chains. */
FN_INLINE vf vf_sum_of(const float *x, size_t n) {
  vf s = vf_zero();
  size_t i = 0;
  for (; i + 16 <= n; i += 16) s = vf_add(s, vf_load(x + i));
  return i < n ? vf_add(s, vf_load_n(x + i, n - i)) : s;
}

#endif
