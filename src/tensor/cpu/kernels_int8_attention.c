/* Attention of one head over one sequence in whole numbers: see fn_int8_head. A few queries at a time have all their
 * scores in memory, so the largest is known before the first exponential. */
#include "tensor/cpu/level_int8.h"
#include "tensor/cpu/simd_int8.h"

/* Queries at a time: a multiple of the rows of every register tile. */
#define QUERIES 24
/* Keys whose products are summed in 32 bits: 4,096 · 511 · 1,024 < 2³¹. */
#define KEYS   1024
#define MOST_P 4096.0f
#define MOST_V 511.0f

static size_t up(size_t n, size_t to) {
  return (n + to - 1) / to * to;
}

typedef struct plan {
  uint8_t *keys; /* tiles [n_k/16][D/4][16][4] */
  float *key_scales;
  int16_t *values; /* tiles [D/16][n_k/2][16][2] */
  float *value_scales;
  fn_int8_rows queries;
  float *scores, *out; /* [QUERIES][n_k], [QUERIES][D] */
  int16_t *p;          /* [QUERIES][n_k] */
  size_t keys16, D16;  /* n_k and D rounded up */
} plan;

static size_t plan_of(plan *p, unsigned char *base, size_t n_k, size_t D) {
  size_t used = 0;
  *p = (plan){.keys16 = up(n_k, 16), .D16 = up(D, 16)};
  p->queries.stride = up(D, 4);
#define FN_TAKE(member, n)                                                                                             \
  if (base) p->member = (void *)(base + used);                                                                         \
  used += up((n) * sizeof *p->member, 64)
  FN_TAKE(keys, p->keys16 * up(D, 4));
  FN_TAKE(key_scales, p->keys16);
  FN_TAKE(values, p->D16 * up(n_k, 2));
  FN_TAKE(value_scales, p->D16);
  FN_TAKE(queries.q, QUERIES * p->queries.stride);
  FN_TAKE(queries.scales, up(QUERIES, 16));
  FN_TAKE(queries.starts, up(QUERIES, 16));
  FN_TAKE(scores, QUERIES * p->keys16);
  FN_TAKE(out, QUERIES * p->D16);
  FN_TAKE(p, QUERIES * p->keys16);
#undef FN_TAKE
  return used;
}

size_t fn_k_int8_attention_scratch(size_t longest, size_t D) {
  plan p;
  return plan_of(&p, NULL, longest, D);
}

FN_INLINE vf load(const float *p, size_t lanes) {
  return lanes == 16 ? vf_load(p) : vf_load_n(p, lanes);
}
/* No product of a row by its own inverse is beyond `most` + 1/2; the maximum makes what is no number -most. */
FN_INLINE vi levels_of(vf x, vf inverse, float most) {
  return vf_round_i(vf_max(vf_mul(x, inverse), vf_set(-most)));
}

/* A head's rows lie a whole matrix row apart, which the hardware does not fetch by itself. */
#define AHEAD 24
FN_INLINE void fetch(const float *x, size_t D) {
  for (size_t i = 0; i < D; i += 16) __builtin_prefetch(x + i);
}

/* Up to sixteen rows of D: the scales and inverses that make the largest of each row `most` levels, row r in lane r;
 * of rows that do not exist, or of nothing but zeros, 0. */
static void row_scales(float *scales, float *inverses, const float *x, size_t stride, size_t n, size_t D, float most) {
  vf high[16];
  for (size_t r = 0; r < 16; r++) {
    high[r] = vf_zero();
    if (r >= n) continue;
    size_t i = 0;
    for (; i + 16 <= D; i += 16) high[r] = vf_max(vf_abs(vf_load(x + r * stride + i)), high[r]);
    if (i < D) high[r] = vf_max(vf_abs(vf_load_n(x + r * stride + i, D - i)), high[r]);
  }
  vf_transpose(high);
  for (size_t half = 8; half > 0; half /= 2)
    for (size_t r = 0; r < half; r++) high[r] = vf_max(high[r], high[r + half]);
  const vm some = vf_less(vf_set(1e-30f), high[0]);
  vf_store(scales, vf_select(some, vf_div(high[0], vf_set(most)), vf_zero()));
  vf_store(inverses, vf_select(some, vf_div(vf_set(most), high[0]), vf_zero()));
}

/* Keys as the weights of a layer whose outputs are scores; factor goes into their scales. */
static void pack_keys(const plan *p, const fn_int8_head *h, float factor) {
  const size_t D = h->D, D4 = up(D, 4);
  for (size_t n0 = 0; n0 < p->keys16; n0 += 16) {
    const float *k = h->k + n0 * h->stride_k;
    const size_t n = h->n_k - n0 < 16 ? h->n_k - n0 : 16;
    uint8_t *tile = p->keys + n0 * D4;
    float inverses[16];
    for (size_t r = 0; r < 16 && n0 + AHEAD + r < h->n_k; r++) fetch(k + (AHEAD + r) * h->stride_k, D);
    row_scales(p->key_scales + n0, inverses, k, h->stride_k, n, D, 63);
    vf_store(p->key_scales + n0, vf_mul(vf_load(p->key_scales + n0), vf_set(factor)));
    for (size_t r = 0; r < 16; r++, k += h->stride_k) {
      const vf inverse = vf_set(inverses[r]);
      for (size_t i = 0; i < D4; i += 16) {
        const size_t lanes = r >= n || i >= D ? 0 : D - i < 16 ? D - i : 16;
        const vf x = lanes == 16 ? vf_load(k + i) : lanes > 0 ? vf_load_n(k + i, lanes) : vf_zero();
        uint32_t four[4];
        vi_store_16_bytes((int8_t *)four, vi_add(levels_of(x, inverse, 63), vi_set(64)));
        for (size_t j = 0; j < 4 && i + 4 * j < D4; j++) memcpy(tile + (i / 4 + j) * 64 + 4 * r, &four[j], 4);
      }
    }
  }
}

/* As fn_k_int8_quantise, up to sixteen rows at a time. */
static void pack_queries(const fn_int8_rows *rows, const float *x, size_t stride, size_t n, size_t D) {
  for (size_t r0 = 0; r0 < n; r0 += 16) {
    float inverses[16];
    vf sums[16];
    row_scales(rows->scales + r0, inverses, x + r0 * stride, stride, n - r0 < 16 ? n - r0 : 16, D, 127);
    for (size_t r = 0; r < 16; r++) {
      vi sum = vi_set(0);
      if (r0 + r < n) {
        const float *row = x + (r0 + r) * stride;
        int8_t *q = rows->q + (r0 + r) * rows->stride;
        const vf inverse = vf_set(inverses[r]);
        size_t i = 0;
        for (; i + 16 <= D; i += 16) {
          vi level = levels_of(vf_load(row + i), inverse, 127);
          vi_store_16_bytes(q + i, level);
          sum = vi_add(sum, level);
        }
        if (i < D) {
          vi level = levels_of(vf_load_n(row + i, D - i), inverse, 127);
          vi_store_bytes(q + i, level, D - i);
          sum = vi_add(sum, level);
          for (i = D; i % 4 != 0; i++) q[i] = 0;
        }
      }
      sums[r] = vi_as_f(sum);
    }
    vf_transpose(sums);
    vi sum = vf_as_i(sums[0]);
    for (size_t r = 1; r < 16; r++) sum = vi_add(sum, vf_as_i(sums[r]));
    sum = vi_shl(vi_sub(vi_set(0), sum), 6);
    memcpy(rows->starts + r0, &sum, sizeof sum);
  }
}

/* Values in pairs of keys, with one scale for each channel. */
static void pack_values(const plan *p, const fn_int8_head *h) {
  const size_t pairs = up(h->n_k, 2) / 2, stride = h->stride_v;
  for (size_t c = 0; c < h->D; c += 16) {
    const size_t lanes = h->D - c < 16 ? h->D - c : 16;
    const float *v = h->v + c;
    int16_t *tile = p->values + c * 2 * pairs;
    vf high[4] = {vf_set(1e-30f), vf_zero(), vf_zero(), vf_zero()};
    size_t n = 0;
    for (; n + 4 <= h->n_k; n += 4)
#pragma GCC unroll 4
      for (size_t k = 0; k < 4; k++) {
        if (c == 0 && n + AHEAD < h->n_k) fetch(v + (n + k + AHEAD) * stride, h->D);
        high[k] = vf_max(vf_abs(load(v + (n + k) * stride, lanes)), high[k]);
      }
    for (; n < h->n_k; n++) high[0] = vf_max(vf_abs(load(v + n * stride, lanes)), high[0]);
    high[0] = vf_max(vf_max(high[0], high[1]), vf_max(high[2], high[3]));
    const vf inverse = vf_div(vf_set(MOST_V), high[0]);
    vf_store(p->value_scales + c, vf_mul(high[0], vf_set(1.0f / MOST_V)));
    for (n = 0; n < pairs; n++) {
      const bool both = 2 * n + 1 < h->n_k;
      vi even = levels_of(load(v + 2 * n * stride, lanes), inverse, MOST_V);
      vi odd = levels_of(both ? load(v + (2 * n + 1) * stride, lanes) : vf_zero(), inverse, MOST_V);
      vi words = vi_add(vi_and(even, vi_set(0xffff)), vi_shl(odd, 16));
      memcpy(tile + 32 * n, &words, sizeof words);
    }
  }
}

/* 4,096 · 2^x, rounded, for x in [-40, 0]: 2^f for |f| ≤ 1/2 to 2.8e-6 (tools/fit_vmath.py). */
FN_INLINE vi power_of(vf x) {
  vi whole = vf_round_i(x);
  vf f = vf_sub(x, vi_to_f(whole));
  vf y = vf_set(9.582576342e-03f * MOST_P);
  y = vf_fma(y, f, vf_set(5.590682849e-02f * MOST_P));
  y = vf_fma(y, f, vf_set(2.402410656e-01f * MOST_P));
  y = vf_fma(y, f, vf_set(6.931241155e-01f * MOST_P));
  y = vf_fma(y, f, vf_set(MOST_P));
  return vf_round_i(vi_as_f(vi_add(vf_as_i(y), vi_shl(whole, 23))));
}

/* p = 4,096 · 2^(score - largest), rounded: scores come with log2 e in them. What lies below 2^-40 is 0. Returns Σ p.
 */
static int32_t soften(int16_t *p, const float *scores, size_t n) {
  vf high[2] = {vf_set(-1e30f), vf_set(-1e30f)};
  const vf least = vf_set(-40.0f);
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    high[0] = vf_max(vf_load(scores + i), high[0]);
    high[1] = vf_max(vf_load(scores + i + 16), high[1]);
  }
  for (; i + 16 <= n; i += 16) high[0] = vf_max(vf_load(scores + i), high[0]);
  if (i < n) high[0] = vf_max(vf_select(vm_first(n - i), vf_load_n(scores + i, n - i), high[0]), high[0]);
  const vf top = vf_set(vf_max_lane(vf_max(high[0], high[1])));
  vi sum = vi_set(0);
  for (i = 0; i + 16 <= n; i += 16) {
    vi level = power_of(vf_max(vf_sub(vf_load(scores + i), top), least));
    sum = vi_add(sum, level);
    vi_store_words(p + i, level);
  }
  if (i < n) {
    vf x = vf_max(vf_sub(vf_load_n(scores + i, n - i), top), least);
    vi level = power_of(vf_select(vm_first(n - i), x, least)); /* 2^-28: 0 */
    sum = vi_add(sum, level);
    vi_store_words(p + i, level);
  }
  return vi_sum(sum);
}

/* MR queries by NV vectors of channels over keys [first, last), first even: out = or += the sums. */
FN_INLINE void weigh(const int MR, const int NV, float *out, const plan *p, size_t row, size_t c, size_t first,
                     size_t last, size_t n_k) {
  vi acc[8][2];
  const size_t pairs = up(n_k, 2) / 2;
  const int16_t *w = p->p + row * p->keys16 + first, *v = p->values + c * 2 * pairs + 16 * first;
#pragma GCC unroll 8
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 2
    for (int j = 0; j < NV; j++) acc[i][j] = vi_set(0);
  for (size_t n = first; n < last; n += 2, w += 2, v += 32) {
    v64 x[2];
#pragma GCC unroll 2
    for (int j = 0; j < NV; j++) x[j] = v64_load_words(v + (size_t)j * 32 * pairs);
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) {
      v64 two = v64_two(w + (size_t)i * p->keys16);
#pragma GCC unroll 2
      for (int j = 0; j < NV; j++) acc[i][j] = vi_dot_words(acc[i][j], x[j], two);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 2
    for (int j = 0; j < NV; j++) {
      float *o = out + ((size_t)i + row) * p->D16 + c + 16 * (size_t)j;
      vf y = vi_to_f(acc[i][j]);
      vf_store(o, first == 0 ? y : vf_add(vf_load(o), y));
    }
}

static void weigh_rows(const plan *p, size_t n, size_t c, const int NV, size_t first, size_t last, size_t n_k) {
  size_t m = 0;
#define FN_STEP(MR)                                                                                                    \
  if (NV == 2)                                                                                                         \
    weigh(MR, 2, p->out, p, m, c, first, last, n_k);                                                                   \
  else                                                                                                                 \
    weigh(MR, 1, p->out, p, m, c, first, last, n_k);                                                                   \
  m += (MR)
#define FN_REST(MR)                                                                                                    \
  if (FN_WORDS_MR > (MR) && n - m >= (MR)) {                                                                           \
    FN_STEP(MR);                                                                                                       \
  }
  while (n - m >= FN_WORDS_MR) {
    FN_STEP(FN_WORDS_MR);
  }
  FN_REST(4)
  FN_REST(2)
  FN_REST(1)
#undef FN_REST
#undef FN_STEP
}

void fn_k_int8_attention(const fn_int8_head *h) {
  plan p;
  const size_t D = h->D, n_k = h->n_k;
  plan_of(&p, h->scratch, n_k, D);
  pack_keys(&p, h, h->scale * 1.44269504f);
  pack_values(&p, h);
  const fn_int8_weights keys = {p.keys, p.key_scales, NULL, D, n_k};
  for (size_t q0 = 0; q0 < h->n_q; q0 += QUERIES) {
    const size_t n = h->n_q - q0 < QUERIES ? h->n_q - q0 : QUERIES;
    float scale[QUERIES];
    for (size_t r = q0 + n; r < h->n_q && r < q0 + 2 * QUERIES; r++) fetch(h->q + r * h->stride_q, D);
    pack_queries(&p.queries, h->q + q0 * h->stride_q, h->stride_q, n, D);
    fn_k_int8_multiply(p.scores, p.keys16, &p.queries, n, &keys, 0, n_k, NULL);
    for (size_t r = 0; r < n; r++) scale[r] = 1.0f / (float)soften(p.p + r * p.keys16, p.scores + r * p.keys16, n_k);
    for (size_t first = 0; first < n_k; first += KEYS) {
      const size_t last = n_k - first < KEYS ? n_k : first + KEYS;
      size_t c = 0;
      for (; FN_WORDS_NV == 2 && c + 32 <= p.D16; c += 32) weigh_rows(&p, n, c, 2, first, last, n_k);
      for (; c < p.D16; c += 16) weigh_rows(&p, n, c, 1, first, last, n_k);
    }
    for (size_t r = 0; r < n; r++) {
      float *y = h->context + (q0 + r) * h->stride_context;
      for (size_t i = 0; i < D; i += 16) {
        const size_t lanes = D - i < 16 ? D - i : 16;
        vf v = vf_mul(vf_load(p.out + r * p.D16 + i), vf_mul(vf_load(p.value_scales + i), vf_set(scale[r])));
        if (lanes == 16)
          vf_store(y + i, v);
        else
          vf_store_n(y + i, v, lanes);
      }
    }
  }
}
