/* Row operations: norms, dropout, residuals, sums. */
#include "tensor/cpu/level.h"
#include "tensor/cpu/philox.h"
#include "tensor/cpu/vmath.h"

#include <math.h>

/* Runs `body` with i = 0, 16, … and `lanes` channels left (16, or fewer at the end). */
#define FN_CHANNELS(n) for (size_t i = 0, lanes; lanes = (n)-i < 16 ? (n)-i : 16, i < (n); i += 16)

static inline vf load(const float *p, size_t lanes) {
  return lanes == 16 ? vf_load(p) : vf_load_n(p, lanes);
}
static inline void store(float *p, vf v, size_t lanes) {
  if (lanes == 16)
    vf_store(p, v);
  else
    vf_store_n(p, v, lanes);
}

/* Two passes: the mean first, then the mean of squared differences. */
void fn_k_norm(float *y, float *xhat, float *rstd, const float *x, const float *gamma, const float *beta, float epsilon,
               size_t n) {
  float mean = vf_sum(vf_sum_of(x, n)) / (float)n;
  vf m = vf_set(mean), sum = vf_zero();
  FN_CHANNELS(n) {
    vf d = vf_sub(load(x + i, lanes), m);
    if (lanes < 16) d = vf_select(vm_first(lanes), d, vf_zero());
    sum = vf_fma(d, d, sum);
  }
  *rstd = 1.0f / sqrtf(vf_sum(sum) / (float)n + epsilon);
  vf r = vf_set(*rstd);
  FN_CHANNELS(n) {
    vf h = vf_mul(vf_sub(load(x + i, lanes), m), r);
    store(xhat + i, h, lanes);
    store(y + i, vf_fma(h, load(gamma + i, lanes), load(beta + i, lanes)), lanes);
  }
}

void fn_k_norm_backward(float *dx, float *dgamma, float *dbeta, const float *dy, const float *xhat, float rstd,
                        const float *gamma, size_t n) {
  vf sum = vf_zero(), sum_h = vf_zero();
  FN_CHANNELS(n) {
    vf d = load(dy + i, lanes), h = load(xhat + i, lanes), g = vf_mul(d, load(gamma + i, lanes));
    sum = vf_add(sum, g);
    sum_h = vf_fma(g, h, sum_h);
    if (dgamma) store(dgamma + i, vf_fma(d, h, load(dgamma + i, lanes)), lanes);
    if (dbeta) store(dbeta + i, vf_add(load(dbeta + i, lanes), d), lanes);
  }
  vf mean = vf_set(vf_sum(sum) / (float)n), mean_h = vf_set(vf_sum(sum_h) / (float)n), r = vf_set(rstd);
  FN_CHANNELS(n) {
    vf g = vf_mul(load(dy + i, lanes), load(gamma + i, lanes));
    g = vf_fnma(load(xhat + i, lanes), mean_h, vf_sub(g, mean));
    store(dx + i, vf_mul(g, r), lanes);
  }
}

/* Walks a row in groups of 128 channels, one generator call each. */
#define FN_MASKED(n, mask, body)                                                                                       \
  {                                                                                                                    \
    const vi threshold = vi_set(d->threshold);                                                                         \
    const vf scale = vf_set((float)d->scale);                                                                          \
    for (size_t group = 0; group * 128 < (n); group++) {                                                               \
      fn_bits128 bits = dropout_bits(d, key, group);                                                                   \
      _Pragma("GCC unroll 8") for (int part = 0; part < 8; part++) {                                                   \
        size_t i = group * 128 + (size_t)part * 16;                                                                    \
        if (i >= (n)) break;                                                                                           \
        size_t lanes = (n)-i < 16 ? (n)-i : 16;                                                                        \
        vf mask = dropout_mask(&bits, part, threshold, scale);                                                         \
        body                                                                                                           \
      }                                                                                                                \
    }                                                                                                                  \
  }

void fn_k_bias_dropout_residual(float *x, const float *bias, const float *residual, const fn_dropout_state *d,
                                fn_row_key key, size_t n) {
  if (!d->active) {
    FN_CHANNELS(n) {
      vf v = load(x + i, lanes);
      if (bias) v = vf_add(v, load(bias + i, lanes));
      store(x + i, vf_add(v, load(residual + i, lanes)), lanes);
    }
    return;
  }
  FN_MASKED(n, mask, {
    vf v = load(x + i, lanes);
    if (bias) v = vf_add(v, load(bias + i, lanes));
    store(x + i, vf_add(vf_mul(v, mask), load(residual + i, lanes)), lanes);
  })
}

void fn_k_dropout(float *y, const float *x, const fn_dropout_state *d, fn_row_key key, size_t n) {
  if (!d->active) {
    if (y != x) memcpy(y, x, n * sizeof *y);
    return;
  }
  FN_MASKED(n, mask, { store(y + i, vf_mul(load(x + i, lanes), mask), lanes); })
}

void fn_k_add(float *y, const float *x, size_t n) {
  FN_CHANNELS(n) store(y + i, vf_add(load(y + i, lanes), load(x + i, lanes)), lanes);
}

void fn_k_scale(float *y, const float *x, float factor, size_t n) {
  FN_CHANNELS(n) store(y + i, vf_mul(load(x + i, lanes), vf_set(factor)), lanes);
}

void fn_k_sum3(float *y, const float *a, const float *b, const float *c, size_t n) {
  FN_CHANNELS(n) {
    vf v = load(a + i, lanes);
    if (b) v = vf_add(v, load(b + i, lanes));
    if (c) v = vf_add(v, load(c + i, lanes));
    store(y + i, v, lanes);
  }
}

void fn_k_column_sums(float *sum, const float *x, size_t stride, size_t n_rows, size_t n) {
  FN_CHANNELS(n) {
    vf s = load(sum + i, lanes);
    for (size_t r = 0; r < n_rows; r++) s = vf_add(s, load(x + r * stride + i, lanes));
    store(sum + i, s, lanes);
  }
}

/* Blocks of x² in double: lane l of sixteen sums elements l, l+16, …; then one tree. Plain C: the same at all levels.
 */
double fn_k_squared_norm(const float *x, size_t n) {
  double s[16] = {0};
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (size_t l = 0; l < 16; l++) s[l] += (double)x[i + l] * (double)x[i + l];
  for (size_t l = 0; i + l < n; l++) s[l] += (double)x[i + l] * (double)x[i + l];
  for (size_t half = 8; half > 0; half /= 2)
    for (size_t l = 0; l < half; l++) s[l] += s[l + half];
  return s[0];
}

void fn_k_adamw(const fn_adamw_range *a) {
  const vf scale = vf_set(a->gradient_scale), decay = vf_set(a->decay), rest1 = vf_set(a->beta1_rest);
  const vf beta2 = vf_set(a->beta2), rest2 = vf_set(a->beta2_rest), step = vf_set(a->step_size);
  const vf root = vf_set(a->root_correction), epsilon = vf_set(a->epsilon);
  FN_CHANNELS(a->n) {
    vf g = vf_mul(load(a->gradient + i, lanes), scale), m = load(a->m + i, lanes), v = load(a->v + i, lanes);
    m = vf_fma(rest1, vf_sub(g, m), m);
    v = vf_fma(vf_mul(rest2, g), g, vf_mul(beta2, v));
    vf denominator = vf_add(vf_div(vf_sqrt(v), root), epsilon);
    vf value = vf_mul(load(a->value + i, lanes), decay);
    store(a->value + i, vf_fnma(step, vf_div(m, denominator), value), lanes);
    store(a->m + i, m, lanes);
    store(a->v + i, v, lanes);
  }
}
