/* Attention of one head over one sequence, tiled: scores exist for 48 queries × 256 keys at a time, the soft maximum is
 * carried along (Milakov & Gimelshein 2018, "Online normalizer calculation for softmax"; Dao et al. 2022,
 * "FlashAttention"), its log Σ exp is kept per query, and the backward pass computes the scores again. Memory is linear
 * in the length. */
#include "tensor/cpu/level.h"
#include "tensor/cpu/micro.h"
#include "tensor/cpu/pack.h"
#include "tensor/cpu/philox.h"
#include "tensor/cpu/vmath.h"

#include <math.h>

#define Q_TILE 48
#define K_TILE 256
#define W      (16 * FN_ATTENTION_NV)
#define LOWEST                                                                                                         \
  (-1e30f) /* below every score, yet finite: e^(-inf - LOWEST) is 0 where e^(-inf + inf) is not a number               \
            */

static size_t up(size_t n, size_t to) {
  return (n + to - 1) / to * to;
}

/* Packed [D, keys] (transposed) or [keys, D]. */
static void pack_transposed(float *out, const float *src, size_t stride, size_t n, size_t D) {
  for (size_t n0 = 0; n0 < n; n0 += W) {
    size_t width = panel_width_at(n, n0, W), here = n - n0 < width ? n - n0 : width;
    pack_panel_columns(out + n0 * D, src + n0 * stride, D, stride, here, width);
  }
}
static void pack_plain(float *out, const float *src, size_t stride, size_t n, size_t D) {
  for (size_t c0 = 0; c0 < D; c0 += W) {
    size_t width = panel_width_at(D, c0, W), here = D - c0 < width ? D - c0 : width;
    pack_panel_rows(out + c0 * n, src + c0, n, stride, here, width);
  }
}

/* C[M, N] (+)= A B over packed B with K_all rows of which [k0, k0 + K) take part. C's rows hold round_up(N, 16). */
static void multiply(float *c, size_t stride, const float *a, size_t row, size_t column, const float *b, size_t M,
                     size_t N, size_t K_all, size_t k0, size_t K, bool accumulate) {
  for (size_t n0 = 0; n0 < N; n0 += W) {
    size_t width = panel_width_at(N, n0, W);
    const float *panel = b + n0 * K_all + k0 * width;
#if defined(__AVX512F__)
    if (width == W) {
      micro_rows(FN_ATTENTION_MR, FN_ATTENTION_NV, c + n0, stride, a, row, column, FN_ATTENTION_MR * row, panel, 16, W,
                 M, K, 16, accumulate, NULL);
      continue;
    }
#endif
    micro_rows(FN_ATTENTION_MR, 1, c + n0, stride, a, row, column, FN_ATTENTION_MR * row, panel, 16, 16, M, K, 16,
               accumulate, NULL);
  }
}

/* Scratch in floats; see plan_of. */
typedef struct plan {
  float *kt, *vp, *vt, *kp; /* packed keys (scaled) and values, both ways round */
  float *s, *ds, *out;      /* tiles: [Q_TILE][K_TILE] twice, [Q_TILE][Dp] */
  float *qp, *gp, *dk, *dv; /* packed query and gradient tiles; sums over queries */
} plan;

static size_t plan_of(plan *p, float *base, size_t n_k, size_t D, bool training) {
  size_t np = up(n_k, 16), Dp = up(D, 16), used = 0;
  plan q = {0};
#define FN_TAKE(member, n)                                                                                             \
  if (base) q.member = base + used;                                                                                    \
  used += up(n, 16)
  FN_TAKE(kt, np * D);
  FN_TAKE(s, Q_TILE * K_TILE);
  FN_TAKE(out, Q_TILE * Dp);
  if (!training) {
    FN_TAKE(vp, n_k * Dp);
  } else {
    FN_TAKE(vt, np * D);
    FN_TAKE(kp, n_k * Dp);
    FN_TAKE(ds, Q_TILE * K_TILE);
    FN_TAKE(qp, Q_TILE * Dp);
    FN_TAKE(gp, Q_TILE * Dp);
    FN_TAKE(dk, n_k * Dp);
    FN_TAKE(dv, n_k * Dp);
  }
#undef FN_TAKE
  *p = q;
  return used;
}

size_t fn_k_attention_scratch(size_t longest, size_t D, bool training) {
  plan p;
  size_t forward = plan_of(&p, NULL, longest, D, false), backward = training ? plan_of(&p, NULL, longest, D, true) : 0;
  return forward > backward ? forward : backward;
}

/* Keys that queries [q0, q0 + n) can see at all. */
static void visible(size_t *first, size_t *last, const fn_head_task *t, size_t q0, size_t n) {
  *first = 0;
  *last = t->n_k;
  if (t->window <= 0) return;
  int32_t low = INT32_MAX, high = 0, half = t->window / 2;
  for (size_t i = q0; i < q0 + n; i++) {
    low = t->q_positions[i] < low ? t->q_positions[i] : low;
    high = t->q_positions[i] > high ? t->q_positions[i] : high;
  }
  if (low > half) *first = (size_t)(low - half) / K_TILE * K_TILE;
  if ((size_t)high + (size_t)half + 1 < *last) *last = (size_t)high + (size_t)half + 1;
}

/* Scores of sixteen keys from k0 on: -inf beyond the sequence and outside the window. */
FN_INLINE vf seen(vf score, const fn_head_task *t, int32_t position, size_t k0, size_t lanes) {
  if (lanes < 16) score = vf_select(vm_first(lanes), score, vf_set(-INFINITY));
  if (t->window > 0) {
    static const uint32_t lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    vf distance = vf_abs(vf_sub(vi_to_f(vi_add(vi_load(lane), vi_set((uint32_t)k0))), vf_set((float)position)));
    const int32_t half = t->window / 2;
    score = vf_select(vf_less(vf_set((float)half), distance), vf_set(-INFINITY), score);
  }
  return score;
}

#define FN_KEYS(n) for (size_t i = 0, lanes; lanes = (n)-i < 16 ? (n)-i : 16, i < (n); i += 16)

static fn_row_key key_of(const fn_head_task *t, size_t query) {
  return (fn_row_key){t->head, t->q_draws[query], (uint32_t)t->q_positions[query]};
}

/* p = e^(s - max) in place, masked and scaled by dropout; returns the sum before dropout. */
static float exponentials(float *s, const fn_head_task *t, size_t query, size_t k0, size_t n, float max) {
  const fn_dropout_state *d = t->dropout;
  const int32_t position = t->q_positions[query];
  vf m = vf_set(max), sum = vf_zero();
  if (!d->active) {
    FN_KEYS(n) {
      vf p = vf_exp(vf_sub(seen(vf_load(s + i), t, position, k0 + i, lanes), m));
      sum = vf_add(sum, p);
      vf_store(s + i, p);
    }
    return vf_sum(sum);
  }
  const vi threshold = vi_set(d->threshold);
  const vf scale = vf_set((float)d->scale);
  for (size_t group = 0; group * 128 < n; group++) {
    fn_bits128 bits = dropout_bits(d, key_of(t, query), k0 / 128 + group);
#pragma GCC unroll 8
    for (int part = 0; part < 8; part++) {
      size_t i = group * 128 + (size_t)part * 16;
      if (i >= n) break;
      vf p = vf_exp(vf_sub(seen(vf_load(s + i), t, position, k0 + i, n - i < 16 ? n - i : 16), m));
      sum = vf_add(sum, p);
      vf_store(s + i, vf_mul(p, dropout_mask(&bits, part, threshold, scale)));
    }
  }
  return vf_sum(sum);
}

static void soften_tile(const fn_head_task *t, const plan *p, float *max, float *sum, size_t q0, size_t n_q, size_t k0,
                        size_t n, bool first) {
  size_t Dp = up(t->D, 16);
  for (size_t r = 0; r < n_q; r++) {
    float *s = p->s + r * K_TILE;
    vf high = vf_set(LOWEST);
    FN_KEYS(n) high = vf_max(seen(vf_load(s + i), t, t->q_positions[q0 + r], k0 + i, lanes), high);
    float top = vf_max_lane(high), before = first ? LOWEST : max[r];
    top = top > before ? top : before;
    float here = exponentials(s, t, q0 + r, k0, n, top);
    if (first) {
      sum[r] = here;
    } else {
      vf correction = vf_exp(vf_set(before - top));
      float factor[16];
      vf_store(factor, correction);
      sum[r] = sum[r] * factor[0] + here;
      if (top > before)
        for (size_t c = 0; c < Dp; c += 16)
          vf_store(p->out + r * Dp + c, vf_mul(vf_load(p->out + r * Dp + c), correction));
    }
    max[r] = top;
  }
}

/* A head's rows lie a whole matrix row apart, which the hardware does not fetch by itself: asked for a tile ahead of
 * their use. */
static void fetch_rows(const float *x, size_t stride, size_t n_rows, size_t D) {
  for (size_t r = 0; r < n_rows; r++)
    for (size_t line = 0; line < D; line += 16) __builtin_prefetch(x + r * stride + line, 0, 2);
}

static void store_row(float *to, const float *from, float factor, size_t n) {
  fn_k_scale(to, from, factor, n);
}

void fn_k_attention(const fn_head_task *t) {
  plan p;
  plan_of(&p, t->scratch, t->n_k, t->D, false);
  size_t D = t->D, Dp = up(D, 16);
  pack_transposed(p.kt, t->k, t->stride_k, t->n_k, D);
  fn_k_scale(p.kt, p.kt, t->scale, up(t->n_k, 16) * D);
  pack_plain(p.vp, t->v, t->stride_v, t->n_k, D);
  for (size_t q0 = 0; q0 < t->n_q; q0 += Q_TILE) {
    size_t n_q = t->n_q - q0 < Q_TILE ? t->n_q - q0 : Q_TILE, rest = t->n_q - q0 - n_q, begin, end;
    float max[Q_TILE], sum[Q_TILE];
    visible(&begin, &end, t, q0, n_q);
    fetch_rows(t->context + q0 * t->stride_context, t->stride_context, n_q, D);
    fetch_rows(t->q + (q0 + n_q) * t->stride_q, t->stride_q, rest < Q_TILE ? rest : Q_TILE, D);
    for (size_t k0 = begin; k0 < end; k0 += K_TILE) {
      size_t n = end - k0 < K_TILE ? end - k0 : K_TILE;
      /* Panels start at multiples of W, which divides K_TILE: the tile is a matrix of its own. */
      multiply(p.s, K_TILE, t->q + q0 * t->stride_q, t->stride_q, 1, p.kt + k0 * D, n_q,
               k0 + K_TILE < t->n_k ? K_TILE : t->n_k - k0, D, 0, D, false);
      soften_tile(t, &p, max, sum, q0, n_q, k0, n, k0 == begin);
      multiply(p.out, Dp, p.s, K_TILE, 1, p.vp, n_q, D, t->n_k, k0, n, k0 > begin);
    }
    for (size_t r = 0; r < n_q; r++) {
      /* NOLINTNEXTLINE: set by the first tile; there is one, because every query sees itself */
      store_row(t->context + (q0 + r) * t->stride_context, p.out + r * Dp, 1.0f / sum[r], D);
      if (t->lse) t->lse[q0 + r] = max[r] + logf(sum[r]);
    }
  }
}

/* From scores and dP to dropped probabilities (in s) and dS (in ds):
 *   P = e^(s - lse), M = mask / share kept;  s ← P M;  ds ← P (M dP - δ),  δ = Σ_keys P M dP = dO · O. */
static void score_gradients(const fn_head_task *t, const plan *p, const float *delta, size_t q0, size_t n_q, size_t k0,
                            size_t n) {
  const fn_dropout_state *d = t->dropout;
  const vi threshold = vi_set(d->threshold);
  const vf scale = vf_set((float)d->scale);
  for (size_t r = 0; r < n_q; r++) {
    float *s = p->s + r * K_TILE, *ds = p->ds + r * K_TILE;
    const vf lse = vf_set(t->lse[q0 + r]), minus_delta = vf_set(-delta[r]);
    const int32_t position = t->q_positions[q0 + r];
    for (size_t group = 0; group * 128 < n; group++) {
      fn_bits128 bits;
      if (d->active) bits = dropout_bits(d, key_of(t, q0 + r), k0 / 128 + group);
#pragma GCC unroll 8
      for (int part = 0; part < 8; part++) {
        size_t i = group * 128 + (size_t)part * 16;
        if (i >= n) break;
        vf probability = vf_exp(vf_sub(seen(vf_load(s + i), t, position, k0 + i, n - i < 16 ? n - i : 16), lse));
        vf gradient = vf_load(ds + i), dropped = probability;
        if (d->active) {
          vf mask = dropout_mask(&bits, part, threshold, scale);
          dropped = vf_mul(probability, mask);
          gradient = vf_mul(gradient, mask);
        }
        vf_store(s + i, dropped);
        vf_store(ds + i, vf_mul(probability, vf_add(gradient, minus_delta)));
      }
    }
  }
}

static float dot(const float *x, const float *y, size_t n) {
  vf s = vf_zero();
  size_t i = 0;
  for (; i + 16 <= n; i += 16) s = vf_fma(vf_load(x + i), vf_load(y + i), s);
  if (i < n) s = vf_fma(vf_load_n(x + i, n - i), vf_load_n(y + i, n - i), s);
  return vf_sum(s);
}

/* What the tile of queries from q0 on will read. */
static void fetch_backward_rows(const fn_head_task *t, size_t q0) {
  if (q0 >= t->n_q) return;
  const size_t n = t->n_q - q0 < Q_TILE ? t->n_q - q0 : Q_TILE;
  fetch_rows(t->q + q0 * t->stride_q, t->stride_q, n, t->D);
  fetch_rows(t->dcontext + q0 * t->stride_dcontext, t->stride_dcontext, n, t->D);
  fetch_rows(t->context_in + q0 * t->stride_context, t->stride_context, n, t->D);
}

static void backward_queries(const fn_head_task *t, const plan *p, size_t q0, size_t n_q) {
  size_t D = t->D, Dp = up(D, 16), begin, end;
  const float *q = t->q + q0 * t->stride_q, *g = t->dcontext + q0 * t->stride_dcontext;
  float delta[Q_TILE];
  for (size_t r = 0; r < n_q; r++)
    delta[r] = dot(g + r * t->stride_dcontext, t->context_in + (q0 + r) * t->stride_context, D);
  pack_plain(p->qp, q, t->stride_q, n_q, D);
  pack_plain(p->gp, g, t->stride_dcontext, n_q, D);
  visible(&begin, &end, t, q0, n_q);
  fetch_rows(t->dq + q0 * t->stride_dq, t->stride_dq, n_q, D);
  fetch_backward_rows(t, q0 + n_q);
  for (size_t k0 = begin; k0 < end; k0 += K_TILE) {
    size_t n = end - k0 < K_TILE ? end - k0 : K_TILE, N = k0 + K_TILE < t->n_k ? K_TILE : t->n_k - k0;
    multiply(p->s, K_TILE, q, t->stride_q, 1, p->kt + k0 * D, n_q, N, D, 0, D, false);
    multiply(p->ds, K_TILE, g, t->stride_dcontext, 1, p->vt + k0 * D, n_q, N, D, 0, D, false);
    score_gradients(t, p, delta, q0, n_q, k0, n);
    multiply(p->dv + k0 * Dp, Dp, p->s, 1, K_TILE, p->gp, n, D, n_q, 0, n_q, true);
    multiply(p->dk + k0 * Dp, Dp, p->ds, 1, K_TILE, p->qp, n, D, n_q, 0, n_q, true);
    multiply(p->out, Dp, p->ds, K_TILE, 1, p->kp, n_q, D, t->n_k, k0, n, k0 > begin);
  }
  for (size_t r = 0; r < n_q; r++) store_row(t->dq + (q0 + r) * t->stride_dq, p->out + r * Dp, t->scale, D);
}

void fn_k_attention_backward(const fn_head_task *t) {
  plan p;
  plan_of(&p, t->scratch, t->n_k, t->D, true);
  size_t D = t->D, Dp = up(D, 16);
  fetch_backward_rows(t, 0);
  pack_transposed(p.kt, t->k, t->stride_k, t->n_k, D);
  fn_k_scale(p.kt, p.kt, t->scale, up(t->n_k, 16) * D);
  pack_transposed(p.vt, t->v, t->stride_v, t->n_k, D);
  pack_plain(p.kp, t->k, t->stride_k, t->n_k, D);
  memset(p.dk, 0, t->n_k * Dp * sizeof *p.dk);
  memset(p.dv, 0, t->n_k * Dp * sizeof *p.dv);
  for (size_t q0 = 0; q0 < t->n_q; q0 += Q_TILE) {
    const size_t n_q = t->n_q - q0 < Q_TILE ? t->n_q - q0 : Q_TILE;
    if (q0 + n_q == t->n_q) { /* the last one: where the sums will go */
      fetch_rows(t->dk, t->stride_dk, t->n_k, D);
      fetch_rows(t->dv, t->stride_dv, t->n_k, D);
    }
    backward_queries(t, &p, q0, n_q);
  }
  for (size_t j = 0; j < t->n_k; j++) {
    store_row(t->dk + j * t->stride_dk, p.dk + j * Dp, t->scale, D);
    store_row(t->dv + j * t->stride_dv, p.dv + j * Dp, 1.0f, D);
  }
}
