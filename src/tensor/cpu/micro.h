/* The innermost multiplication: a tile of MR rows × NV vectors of C in registers, one column of A broadcast against one
 * row of packed B per step (Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication"). MR and NV
 * are constants at every call, so the loops unroll and the tile stays in registers. */
#ifndef FN_TENSOR_CPU_MICRO_H
#define FN_TENSOR_CPU_MICRO_H

#include "tensor/cpu/simd.h"

#include <stdbool.h>

/* The vectors of a row of B lie `apart` floats from each other, rows `step`: (16, 16 NV) in a panel, (16 depth, 16) in
 * tiles. tail: lanes of the last vector that exist in C, 1 … 16. ahead: memory that will be read soon, brought into the
 * second-level cache at one line per two steps; NULL (a constant at every call): nothing. */
FN_INLINE void micro(const int MR, const int NV, float *c, size_t stride, const float *a, size_t row, size_t column,
                     const float *b, size_t apart, size_t step, size_t K, size_t tail, bool accumulate,
                     const char *ahead) {
  vf acc[12][3];
#pragma GCC unroll 12
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 3
    for (int j = 0; j < NV; j++) {
      acc[i][j] = vf_zero();
      if (accumulate) {
        const float *p = c + (size_t)i * stride + 16 * j;
        acc[i][j] = j == NV - 1 && tail < 16 ? vf_load_n(p, tail) : vf_load(p);
      }
    }
  for (size_t k = 0; k < K; k++) {
    vf bk[3];
    if (ahead && k % 2 == 0) __builtin_prefetch(ahead + 32 * k, 0, 2);
#pragma GCC unroll 3
    for (int j = 0; j < NV; j++) bk[j] = vf_load(b + (size_t)j * apart);
#pragma GCC unroll 12
    for (int i = 0; i < MR; i++) {
      vf ai = vf_set(a[(size_t)i * row]);
#pragma GCC unroll 3
      for (int j = 0; j < NV; j++) acc[i][j] = vf_fma(ai, bk[j], acc[i][j]);
    }
    a += column;
    b += step;
  }
#pragma GCC unroll 12
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 3
    for (int j = 0; j < NV; j++) {
      float *p = c + (size_t)i * stride + 16 * j;
      if (j == NV - 1 && tail < 16)
        vf_store_n(p, acc[i][j], tail);
      else
        vf_store(p, acc[i][j]);
    }
}

/* M rows by the largest tiles that fit. Rows of A lie `row` apart within groups of MR, groups `panel` apart. next: the
 * packed panel that comes after this one (as `ahead` above, K · 32 bytes per tile of rows). */
FN_INLINE void micro_rows(const int MR, const int NV, float *c, size_t stride, const float *a, size_t row,
                          size_t column, size_t panel, const float *b, size_t apart, size_t step, size_t M, size_t K,
                          size_t tail, bool accumulate, const float *next) {
  size_t m = 0;
  const char *ahead = (const char *)next;
  for (; m + (size_t)MR <= M; m += (size_t)MR, a += panel, ahead = ahead ? ahead + 32 * K : NULL) {
    if (next)
      for (size_t i = m + (size_t)MR; i < m + 2 * (size_t)MR && i < M; i++)
        for (size_t j = 0; j < 16 * (size_t)NV; j += 16) __builtin_prefetch(c + i * stride + j, 1);
    micro(MR, NV, c + m * stride, stride, a, row, column, b, apart, step, K, tail, accumulate, ahead);
  }
#define FN_REST(rows)                                                                                                  \
  if (MR > rows && M - m >= rows) {                                                                                    \
    micro(rows, NV, c + m * stride, stride, a, row, column, b, apart, step, K, tail, accumulate, ahead);               \
    m += rows;                                                                                                         \
    a += rows * row;                                                                                                   \
  }
  FN_REST(8)
  FN_REST(4)
  FN_REST(2)
  FN_REST(1)
#undef FN_REST
}

#endif
