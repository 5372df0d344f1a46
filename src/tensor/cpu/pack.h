/* Packed right operands: panels of up to W columns (W a multiple of 16), each [K][width] with width rounded up to 16
 * and columns that do not exist set to zero. Panel p starts at p·W·K. */
#ifndef FN_TENSOR_CPU_PACK_H
#define FN_TENSOR_CPU_PACK_H

#include "tensor/cpu/simd.h"

FN_INLINE size_t panel_width_at(size_t N, size_t n0, size_t W) {
  size_t rest = N - n0;
  return rest < W ? (rest + 15) / 16 * 16 : W;
}

/* Rows that lie far apart are beyond what the hardware fetches by itself: asked for this many rows ahead. */
#define PACK_AHEAD 12

/* One panel whose rows are contiguous: copied. */
FN_INLINE void pack_panel_rows(float *out, const float *src, size_t K, size_t k_stride, size_t n, size_t width) {
  for (size_t k = 0; k < K; k++, src += k_stride, out += width) {
    size_t j = 0;
    if (k + PACK_AHEAD < K)
      for (size_t line = 0; line < n; line += 16) __builtin_prefetch(src + PACK_AHEAD * k_stride + line);
    for (; j + 16 <= n; j += 16) vf_store(out + j, vf_load(src + j));
    if (j < n) vf_store(out + j, vf_load_n(src + j, n - j));
  }
}

/* One panel whose columns are contiguous: transposed in blocks of 16 × 16. */
FN_INLINE void pack_panel_columns(float *out, const float *src, size_t K, size_t n_stride, size_t n, size_t width) {
  for (size_t j = 0; j < n; j += 16) {
    size_t columns = n - j < 16 ? n - j : 16;
    const float *s = src + j * n_stride;
    size_t k = 0;
    if (columns == 16)
      for (; k + 16 <= K; k += 16) {
        vf block[16];
        for (size_t i = 0; i < 16; i++) block[i] = vf_load(s + i * n_stride + k);
        vf_transpose(block);
        for (size_t i = 0; i < 16; i++) vf_store(out + (k + i) * width + j, block[i]);
      }
    for (; k < K; k++)
      for (size_t i = 0; i < 16; i++) out[k * width + j + i] = i < columns ? s[i * n_stride + k] : 0.0f;
  }
}

#endif
