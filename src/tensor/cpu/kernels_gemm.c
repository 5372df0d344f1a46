#include "tensor/cpu/level.h"
#include "tensor/cpu/micro.h"
#include "tensor/cpu/pack.h"

/* Steps of k that one pass over C takes: a panel of B (384 × 48 floats) then stays in the second-level cache while all
 * rows of A pass by. Two such passes follow each other panel by panel, so that their part of C is still near. */
#define K_BLOCK  384
#define K_BLOCKS 2

void fn_k_pack(float *out, const float *src, size_t K, size_t N, size_t k_stride, size_t n_stride, size_t first,
               size_t last) {
  for (size_t p = first; p < last; p++) {
    size_t n0 = p * 16 * FN_NV, width = panel_width_at(N, n0, 16 * FN_NV), n = N - n0 < width ? N - n0 : width;
    float *panel = out + n0 * K;
    if (n_stride == 1)
      pack_panel_rows(panel, src + n0, K, k_stride, n, width);
    else
      pack_panel_columns(panel, src + n0 * n_stride, K, n_stride, n, width);
  }
}

/* One row of the matrix into the panels. */
FN_INLINE void pack_left_row(float *out, const float *src, size_t K, size_t k, size_t n) {
  const size_t whole = n / FN_MR * FN_MR;
  for (size_t m = 0; m < whole; m += FN_MR) memcpy(out + m * K + k * FN_MR, src + m, FN_MR * sizeof *src);
  if (whole == n) return;
  float *last = out + whole * K + k * FN_MR;
  memset(last, 0, FN_MR * sizeof *last);
  memcpy(last, src + whole, (n - whole) * sizeof *last);
}

FN_INLINE void add_row(float *sums, const float *src, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) vf_store(sums + i, vf_add(vf_load(sums + i), vf_load(src + i)));
  if (i < n) vf_store_n(sums + i, vf_add(vf_load_n(sums + i, n - i), vf_load_n(src + i, n - i)), n - i);
}

void fn_k_pack_left(float *out, float *sums, const float *src, size_t stride, size_t K, size_t n) {
  for (size_t k = 0; k < K; k++, src += stride) {
    if (k + PACK_AHEAD < K)
      for (size_t line = 0; line < n; line += 16) __builtin_prefetch(src + PACK_AHEAD * stride + line);
    pack_left_row(out, src, K, k, n);
    if (sums) add_row(sums, src, n);
  }
}

/* One panel of B against all rows; the switch makes the widths constants. */
static void panel_rows(float *c, size_t stride, const fn_left *a, const float *data, const float *b, size_t apart,
                       size_t M, size_t n, size_t width, size_t K, bool accumulate, const float *next) {
  size_t tail = n - (width - 16);
#define FN_PANEL(NV)                                                                                                   \
  if (apart == 16)                                                                                                     \
    micro_rows(FN_MR, NV, c, stride, data, a->row, a->column, a->panel, b, 16, 16 * NV, M, K, tail, accumulate, next); \
  else                                                                                                                 \
    micro_rows(FN_MR, NV, c, stride, data, a->row, a->column, a->panel, b, apart, 16, M, K, tail, accumulate, next);   \
  break
  switch (width / 16) {
#if defined(__AVX512F__)
  case 3: FN_PANEL(3);
  case 2: FN_PANEL(2);
#endif
  default: FN_PANEL(1);
  }
#undef FN_PANEL
}

/* Steps [k0, k0 + K) of every panel of B. */
static void blocks(float *c, size_t stride, const fn_left *a, const float *data, const fn_packed *b, size_t k0,
                   size_t K, size_t M, bool accumulate) {
  for (size_t n0 = 0; n0 < b->N; n0 += 16 * FN_NV) {
    size_t width = panel_width_at(b->N, n0, 16 * FN_NV), n = b->N - n0 < width ? b->N - n0 : width;
    const size_t step = b->tiles ? 16 : width;
    const float *panel = b->data + n0 * b->depth + k0 * step, *right = panel;
    if (n0 + width < b->N)
      right = b->data + (n0 + width) * b->depth + k0 * (b->tiles ? 16 : panel_width_at(b->N, n0 + width, 16 * FN_NV));
    for (size_t k = 0; k < K; k += K_BLOCK) {
      size_t kc = K - k < K_BLOCK ? K - k : K_BLOCK;
      panel_rows(c + n0, stride, a, data + k * a->column, panel + k * step, b->tiles ? 16 * b->depth : 16, M, n, width,
                 kc, accumulate || k > 0, k + kc < K ? panel + (k + kc) * step : right);
    }
  }
}

void fn_k_gemm(float *c, size_t stride, const fn_left *a, const fn_packed *b, size_t M, bool accumulate) {
  const size_t most = (size_t)K_BLOCK * K_BLOCKS;
  for (size_t k = 0; k < b->K; k += most)
    blocks(c, stride, a, a->data + k * a->column, b, b->k0 + k, b->K - k < most ? b->K - k : most, M,
           accumulate || k > 0);
}
