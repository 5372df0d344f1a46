#include "tensor/cpu/level.h"
#include "tensor/cpu/micro.h"
#include "tensor/cpu/pack.h"

/* Steps of k that one pass over C takes: a panel of B (384 × 48 floats) then stays in the second-level cache while all
 * rows of A pass by. */
#define K_BLOCK 384

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

void fn_k_pack_left(float *out, const float *src, size_t stride, size_t K, size_t n) {
  for (size_t m = 0; m < n; m += FN_MR, out += (size_t)FN_MR * K) {
    const float *s = src + m;
    if (n - m >= FN_MR)
      for (size_t k = 0; k < K; k++) memcpy(out + k * FN_MR, s + k * stride, FN_MR * sizeof *s);
    else
      for (size_t k = 0; k < K; k++) {
        memset(out + k * FN_MR, 0, FN_MR * sizeof *s);
        memcpy(out + k * FN_MR, s + k * stride, (n - m) * sizeof *s);
      }
  }
}

/* One panel of B against all rows; the switch makes the widths constants. */
static void panel_rows(float *c, size_t stride, const fn_left *a, const float *data, const float *b, size_t M, size_t n,
                       size_t width, size_t K, bool accumulate, const float *next) {
  size_t tail = n - (width - 16);
  switch (width / 16) {
#if defined(__AVX512F__)
  case 3: micro_rows(FN_MR, 3, c, stride, data, a->row, a->column, a->panel, b, M, K, tail, accumulate, next); break;
  case 2: micro_rows(FN_MR, 2, c, stride, data, a->row, a->column, a->panel, b, M, K, tail, accumulate, next); break;
#endif
  default: micro_rows(FN_MR, 1, c, stride, data, a->row, a->column, a->panel, b, M, K, tail, accumulate, next); break;
  }
}

/* Where the multiplication reads its next panel: the same steps of the panel to the right, or the next steps. */
static const float *next_panel(const float *b, size_t N, size_t K, size_t n0, size_t k0, size_t kc) {
  size_t n1 = n0 + 16 * FN_NV;
  if (n1 < N) return b + n1 * K + k0 * panel_width_at(N, n1, 16 * FN_NV);
  return b + (k0 + kc < K ? k0 + kc : k0) * panel_width_at(N, 0, 16 * FN_NV);
}

void fn_k_gemm(float *c, size_t stride, const fn_left *a, const float *b, size_t M, size_t N, size_t K,
               bool accumulate) {
  for (size_t k0 = 0; k0 < K; k0 += K_BLOCK) {
    size_t kc = K - k0 < K_BLOCK ? K - k0 : K_BLOCK;
    for (size_t n0 = 0; n0 < N; n0 += 16 * FN_NV) {
      size_t width = panel_width_at(N, n0, 16 * FN_NV), n = N - n0 < width ? N - n0 : width;
      panel_rows(c + n0, stride, a, a->data + k0 * a->column, b + n0 * K + k0 * width, M, n, width, kc,
                 accumulate || k0 > 0, next_panel(b, N, K, n0, k0, kc));
    }
  }
}
