/* Linear layers in 8 bits, and the rows around them. */
#include "tensor/cpu/activations.h"
#include "tensor/cpu/amx.h"
#include "tensor/cpu/level_int8.h"
#include "tensor/cpu/simd_int8.h"

#include <math.h>

FN_INLINE vf load(const float *p, size_t lanes) {
  return lanes == 16 ? vf_load(p) : vf_load_n(p, lanes);
}
FN_INLINE void store(float *p, vf v, size_t lanes) {
  if (lanes == 16)
    vf_store(p, v);
  else
    vf_store_n(p, v, lanes);
}

#define FN_CHANNELS(n) for (size_t i = 0, lanes; lanes = (n)-i < 16 ? (n)-i : 16, i < (n); i += 16)

static float largest_of(const float *x, size_t n) {
  vf high[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
  size_t i = 0;
  for (; i + 64 <= n; i += 64)
#pragma GCC unroll 4
    for (size_t k = 0; k < 4; k++) high[k] = vf_max(vf_abs(vf_load(x + i + 16 * k)), high[k]);
  for (; i + 16 <= n; i += 16) high[0] = vf_max(vf_abs(vf_load(x + i)), high[0]);
  if (i < n) high[1] = vf_max(vf_abs(vf_load_n(x + i, n - i)), high[1]);
  return vf_max_lane(vf_max(vf_max(high[0], high[1]), vf_max(high[2], high[3])));
}

void fn_k_int8_quantise(const fn_int8_rows *rows, size_t row, const float *x, size_t n) {
  int8_t *q = rows->q + row * rows->stride;
  const float largest = largest_of(x, n);
  const bool some = largest > 1e-30f;
  /* No product is beyond ±127.5; the maximum makes what is no number -127. */
  const vf inverse = vf_set(some ? 127.0f / largest : 0.0f), least = vf_set(-127.0f);
  vi sum = vi_set(0);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    vi level = vf_round_i(vf_max(vf_mul(vf_load(x + i), inverse), least));
    vi_store_16_bytes(q + i, level);
    sum = vi_add(sum, level);
  }
  if (i < n) {
    vi level = vf_round_i(vf_max(vf_mul(vf_load_n(x + i, n - i), inverse), least));
    vi_store_bytes(q + i, level, n - i);
    sum = vi_add(sum, level); /* lanes beyond n are 0 */
    for (i = n; i % 4 != 0; i++) q[i] = 0;
  }
  rows->scales[row] = some ? largest / 127.0f : 0.0f;
  rows->starts[row] = -64 * vi_sum(sum);
}

/* GELU(x) = x Φ(x) with Φ(x) = 1/2 + x P(x²) up to 4.4, where P makes it 1: absolute error at most 4e-5, a
 * thousandth of a step of 8 bits (tools/fit_vmath.py). */
FN_INLINE vf gelu_cheap(vf x) {
  vf a = vf_min(vf_max(x, vf_set(-4.4f)), vf_set(4.4f)), z = vf_mul(a, a);
  vf p = vf_set(3.5717172275e-11f);
  p = vf_fma(p, z, vf_set(-3.7561278532e-09f));
  p = vf_fma(p, z, vf_set(1.7416380160e-07f));
  p = vf_fma(p, z, vf_set(-4.7264993555e-06f));
  p = vf_fma(p, z, vf_set(8.4312763647e-05f));
  p = vf_fma(p, z, vf_set(-1.0551341111e-03f));
  p = vf_fma(p, z, vf_set(9.6436031163e-03f));
  p = vf_fma(p, z, vf_set(-6.6077604890e-02f));
  p = vf_fma(p, z, vf_set(3.9876246452e-01f));
  return vf_mul(x, vf_fma(a, p, vf_set(0.5f)));
}

#define FN_ACTIVATE(function)                                                                                          \
  FN_CHANNELS(n) store(y + i, function, lanes);                                                                        \
  return

static void activate(float *y, fn_activation kind, size_t n) {
  switch (kind) {
  case FN_ACT_GELU: FN_ACTIVATE(gelu_cheap(load(y + i, lanes)));
  case FN_ACT_GELU_TANH: FN_ACTIVATE(gelu_tanh(NULL, load(y + i, lanes)));
  case FN_ACT_RELU: FN_ACTIVATE(relu(NULL, load(y + i, lanes)));
  case FN_ACT_TANH: FN_ACTIVATE(hyperbolic_tangent(NULL, load(y + i, lanes)));
  }
}

/* Where a tile of rows × tiles of outputs reads and writes. */
typedef struct place {
  float *y;
  size_t stride;
  const int8_t *q;
  size_t q_stride;
  const float *row_scales;
  const int32_t *starts;
  const uint8_t *u;
  size_t apart; /* bytes from one tile to the next */
  size_t K4;
  const float *scales, *bias;
  size_t tail; /* outputs of the last vector that exist */
} place;

/* MR rows by NV vectors, held in registers. ahead: the tiles after these are fetched into the second-level cache. */
FN_INLINE void micro(const int MR, const int NV, const bool ahead, const place *p) {
  vacc acc[8][3];
#pragma GCC unroll 8
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 3
    for (int j = 0; j < NV; j++) acc[i][j] = vacc_set(p->starts[i]);
  const int8_t *q = p->q;
  const uint8_t *u = p->u;
  const size_t q_stride = p->q_stride, apart = p->apart;
  for (const int8_t *end = q + 4 * p->K4; q < end; q += 4, u += 64) {
    v64 w[3];
#pragma GCC unroll 3
    for (int j = 0; j < NV; j++) {
      w[j] = v64_load(u + (size_t)j * apart);
      if (ahead) __builtin_prefetch(u + (size_t)(j + NV) * apart, 0, 2);
    }
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) {
      v64 a = v64_four(q + (size_t)i * q_stride);
#pragma GCC unroll 3
      for (int j = 0; j < NV; j++) acc[i][j] = vacc_dot(acc[i][j], w[j], a);
    }
  }
#pragma GCC unroll 3
  for (int j = 0; j < NV; j++) {
    const size_t lanes = j == NV - 1 ? p->tail : 16;
    const vf scale = vf_load(p->scales + 16 * j), bias = p->bias ? load(p->bias + 16 * j, lanes) : vf_zero();
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++)
      store(p->y + (size_t)i * p->stride + 16 * j,
            vf_fma(vi_to_f(vacc_sum(acc[i][j])), vf_mul(vf_set(p->row_scales[i]), scale), bias), lanes);
  }
}

static void micro_rows(const int NV, place p, size_t M) {
  size_t m = 0;
#define FN_STEP(MR, ahead)                                                                                             \
  micro(MR, NV, ahead, &p);                                                                                            \
  m += (MR);                                                                                                           \
  p.y += (MR)*p.stride;                                                                                                \
  p.q += (MR)*p.q_stride;                                                                                              \
  p.row_scales += (MR);                                                                                                \
  p.starts += (MR)
#define FN_REST(MR)                                                                                                    \
  if (FN_INT8_MR > (MR) && M - m >= (MR)) {                                                                            \
    FN_STEP(MR, true);                                                                                                 \
  }
  if (M >= FN_INT8_MR) {
    FN_STEP(FN_INT8_MR, true);
  }
  while (M - m >= FN_INT8_MR) {
    FN_STEP(FN_INT8_MR, false);
  }
  FN_REST(4)
  FN_REST(2)
  FN_REST(1)
#undef FN_REST
#undef FN_STEP
}

void fn_k_int8_multiply(float *y, size_t stride, const fn_int8_rows *rows, size_t M, const fn_int8_weights *w,
                        size_t first, size_t last, const fn_activation *kind) {
  const size_t K4 = (w->K + 3) / 4;
#if defined(__AMX_INT8__)
  if (w->K % 64 == 0 && M >= 4) { /* a column of activations at a time, while it is near */
    size_t configured = 0;
    for (size_t n0 = first, n; n0 < last; n0 += n) {
      n = last - n0 < 64 ? last - n0 : 64;
      amx_multiply(y, stride, rows, M, w, n0, n0 + n, &configured);
      for (size_t m = 0; kind && m < M; m++) activate(y + m * stride + n0, *kind, n);
    }
    _tile_release();
    return;
  }
#endif
  for (size_t n0 = first, n; n0 < last; n0 += n) {
    n = last - n0 < 16 * FN_INT8_NV ? last - n0 : 16 * FN_INT8_NV;
    const place p = {.y = y + n0,
                     .stride = stride,
                     .q = rows->q,
                     .q_stride = rows->stride,
                     .row_scales = rows->scales,
                     .starts = rows->starts,
                     .u = w->tiles + n0 * K4 * 4,
                     .apart = 64 * K4,
                     .K4 = K4,
                     .scales = w->scales + n0,
                     .bias = w->bias ? w->bias + n0 : NULL,
                     .tail = (n - 1) % 16 + 1};
    switch ((n + 15) / 16) {
#if defined(__AVX512F__)
    case 3: micro_rows(3, p, M); break;
    case 2: micro_rows(2, p, M); break;
#endif
    default: micro_rows(1, p, M); break;
    }
    for (size_t m = 0; kind && m < M; m++) activate(y + m * stride + n0, *kind, n);
  }
}

/* Mean, then the mean of squared differences, each in four chains of sixteen lanes. */
static void residual_norm(float *y, float *rstd, float *x, const float *residual, const float *gamma, const float *beta,
                          float epsilon, size_t n) {
  const size_t whole = n / 64 * 64;
  vf sum[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
  for (size_t i = 0; i < whole; i += 64)
#pragma GCC unroll 4
    for (size_t k = 0; k < 4; k++) {
      vf v = vf_add(vf_load(x + i + 16 * k), vf_load(residual + i + 16 * k));
      vf_store(x + i + 16 * k, v);
      sum[k] = vf_add(sum[k], v);
    }
  for (size_t i = whole; i < n; i += 16) {
    const size_t lanes = n - i < 16 ? n - i : 16;
    vf v = vf_add(load(x + i, lanes), load(residual + i, lanes));
    store(x + i, v, lanes);
    sum[0] = vf_add(sum[0], v);
  }
  const vf mean = vf_set(vf_sum(vf_add(vf_add(sum[0], sum[1]), vf_add(sum[2], sum[3]))) / (float)n);
  for (size_t k = 0; k < 4; k++) sum[k] = vf_zero();
  for (size_t i = 0; i < whole; i += 64)
#pragma GCC unroll 4
    for (size_t k = 0; k < 4; k++) {
      vf d = vf_sub(vf_load(x + i + 16 * k), mean);
      sum[k] = vf_fma(d, d, sum[k]);
    }
  for (size_t i = whole; i < n; i += 16) {
    const size_t lanes = n - i < 16 ? n - i : 16;
    vf d = vf_sub(load(x + i, lanes), mean);
    if (lanes < 16) d = vf_select(vm_first(lanes), d, vf_zero());
    sum[0] = vf_fma(d, d, sum[0]);
  }
  *rstd = 1.0f / sqrtf(vf_sum(vf_add(vf_add(sum[0], sum[1]), vf_add(sum[2], sum[3]))) / (float)n + epsilon);
  const vf r = vf_set(*rstd);
  FN_CHANNELS(n) {
    vf h = vf_mul(vf_sub(load(x + i, lanes), mean), r);
    store(y + i, vf_fma(h, load(gamma + i, lanes), load(beta + i, lanes)), lanes);
  }
}

static void widen(float *y, const int8_t *x, float scale, size_t n) {
  FN_CHANNELS(n) store(y + i, vf_mul(vf_load_bytes(x + i, lanes), vf_set(scale)), lanes);
}

const fn_int8_kernels *FN_LEVEL(fn_int8_kernels)(void) {
  static const fn_int8_kernels table = {
      .quantise = fn_k_int8_quantise,
      .multiply = fn_k_int8_multiply,
      .residual_norm = residual_norm,
      .widen = widen,
      .attention_scratch = fn_k_int8_attention_scratch,
      .attention = fn_k_int8_attention,
  };
  return &table;
}
