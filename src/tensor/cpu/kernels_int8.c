#include "tensor/cpu/activations.h"
#include "tensor/cpu/int8.h"
#include "tensor/cpu/level.h"

#include <math.h>

static vf load(const float *p, size_t lanes) {
  return lanes == 16 ? vf_load(p) : vf_load_n(p, lanes);
}

#define FN_CHANNELS(n) for (size_t i = 0, lanes; lanes = (n)-i < 16 ? (n)-i : 16, i < (n); i += 16)

static void quantise(const fn_int8_rows *rows, size_t row, const float *x, size_t n) {
  int8_t *q = rows->q + row * rows->stride;
  vf high = vf_zero();
  FN_CHANNELS(n) high = vf_max(vf_abs(load(x + i, lanes)), high);
  const float largest = vf_max_lane(high);
  const bool some = largest > 1e-30f;
  const vf inverse = vf_set(some ? 127.0f / largest : 0.0f), most = vf_set(127.0f), least = vf_set(-127.0f);
  int32_t sum = 0;
  FN_CHANNELS(n) {
    int32_t level[16];
    vi v = vf_round_i(vf_min(vf_max(vf_mul(load(x + i, lanes), inverse), least), most));
    memcpy(level, &v, sizeof level);
    for (size_t l = 0; l < lanes; l++) {
      q[i + l] = (int8_t)level[l];
      sum += level[l];
    }
  }
  for (size_t i = n; i % 4 != 0; i++) q[i] = 0;
  rows->scales[row] = some ? largest / 127.0f : 0.0f;
  rows->starts[row] = -64 * sum;
}

static void tile(float *y, const int8_t *q, int32_t start, const uint8_t *u, float row_scale, const float *scales,
                 const float *bias, size_t K4, size_t lanes) {
  int32_t acc[16];
  for (size_t n = 0; n < 16; n++) acc[n] = start;
  for (size_t k = 0; k < K4; k++, q += 4, u += 64)
    for (size_t n = 0; n < 16; n++)
      acc[n] += u[4 * n] * q[0] + u[4 * n + 1] * q[1] + u[4 * n + 2] * q[2] + u[4 * n + 3] * q[3];
  vi sum;
  memcpy(&sum, acc, sizeof sum);
  vf v = vf_fma(vi_to_f(sum), vf_mul(vf_set(row_scale), vf_load(scales)), bias ? load(bias, lanes) : vf_zero());
  if (lanes == 16)
    vf_store(y, v);
  else
    vf_store_n(y, v, lanes);
}

static vf activation_of(vf x, fn_activation kind) {
  switch (kind) {
  case FN_ACT_GELU: return gelu(NULL, x);
  case FN_ACT_GELU_TANH: return gelu_tanh(NULL, x);
  case FN_ACT_RELU: return relu(NULL, x);
  default: return hyperbolic_tangent(NULL, x);
  }
}

static void activate(float *y, fn_activation kind, size_t n) {
  FN_CHANNELS(n) {
    vf v = activation_of(load(y + i, lanes), kind);
    if (lanes == 16)
      vf_store(y + i, v);
    else
      vf_store_n(y + i, v, lanes);
  }
}

static void multiply(float *y, size_t stride, const fn_int8_rows *rows, size_t M, const fn_int8_weights *w,
                     size_t first, size_t last, const fn_activation *kind) {
  const size_t K4 = (w->K + 3) / 4;
  for (size_t m = 0; m < M; m++) {
    for (size_t n = first; n < last; n += 16)
      tile(y + m * stride + n, rows->q + m * rows->stride, rows->starts[m], w->tiles + n * K4 * 4, rows->scales[m],
           w->scales + n, w->bias ? w->bias + n : NULL, K4, w->N - n < 16 ? w->N - n : 16);
    if (kind) activate(y + m * stride + first, *kind, last - first);
  }
}

static void widen(float *y, const int8_t *x, float scale, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = (float)x[i] * scale;
}

const fn_int8_kernels *FN_LEVEL(fn_int8_kernels)(void) {
  static const fn_int8_kernels table = {.quantise = quantise, .multiply = multiply, .widen = widen};
  return &table;
}
