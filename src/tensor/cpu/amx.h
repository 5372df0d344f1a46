/* Products of bytes on the matrix unit (AMX-INT8): tiles of 16 rows × 16 outputs, 64 inputs a step. Its right operand
 * is the tile of tensor/tiles.h as it lies. For inputs that are a multiple of 64; sums are the same whole numbers. */
#ifndef FN_TENSOR_CPU_AMX_H
#define FN_TENSOR_CPU_AMX_H

#if defined(__AMX_INT8__)

#include "tensor/cpu/int8.h"
#include "tensor/cpu/simd_int8.h"

/* Registers: 0 1 / 2 3 sums of rows 0-15 / 16-31 by outputs 0-15 16-31; 4 5 rows; 6 7 outputs. */
typedef struct amx_config { /* the palette of LDTILECFG */
  uint8_t palette, start_row, reserved[14];
  uint16_t bytes_per_row[16];
  uint8_t rows[16];
} amx_config;

static void amx_configure(size_t upper, size_t lower) {
  amx_config c = {.palette = 1};
  for (size_t i = 0; i < 8; i++) {
    c.bytes_per_row[i] = 64;
    c.rows[i] = (uint8_t)(i == 2 || i == 3 || i == 5 ? lower : i < 2 || i == 4 ? upper : 16);
  }
  _tile_loadconfig(&c);
}

/* Sums of `rows` rows by one tile of outputs into y. */
FN_INLINE void amx_finish(float *y, size_t stride, const int32_t *sums, size_t rows, const float *row_scales,
                          const int32_t *starts, const float *scales, const float *bias, size_t lanes) {
  const vf scale = vf_load(scales), b = !bias ? vf_zero() : lanes == 16 ? vf_load(bias) : vf_load_n(bias, lanes);
  for (size_t r = 0; r < rows; r++, y += stride) {
    const vi sum = vi_add(_mm512_loadu_si512(sums + 16 * r), vi_set((uint32_t)starts[r]));
    const vf v = vf_fma(vi_to_f(sum), vf_mul(vf_set(row_scales[r]), scale), b);
    if (lanes == 16)
      vf_store(y, v);
    else
      vf_store_n(y, v, lanes);
  }
}

/* Up to 32 rows by one or two tiles of outputs; configured for `upper` and `lower` rows (lower 0: up to 16 rows). */
FN_INLINE void amx_tile(float *y, size_t stride, const fn_int8_rows *rows, size_t first_row, size_t upper, size_t lower,
                        const fn_int8_weights *w, size_t n0, const bool two, size_t lanes, const bool below) {
  int32_t sums[4][256] __attribute__((aligned(64)));
  const int8_t *q = rows->q + first_row * rows->stride;
  const uint8_t *u = w->tiles + n0 * w->K, *right = u + 16 * w->K;
  const size_t q_stride = rows->stride;
  _tile_zero(0);
  if (two) _tile_zero(1);
  if (below) _tile_zero(2);
  if (below && two) _tile_zero(3);
  for (size_t k = 0; k < w->K; k += 64) { /* all loads first: a product between them costs four times the time */
    _tile_loadd(4, q + k, q_stride);
    _tile_loadd(6, u + 16 * k, 64);
    if (two) _tile_loadd(7, right + 16 * k, 64);
    if (below) _tile_loadd(5, q + 16 * q_stride + k, q_stride);
    _tile_dpbsud(0, 4, 6);
    if (two) _tile_dpbsud(1, 4, 7);
    if (below) _tile_dpbsud(2, 5, 6);
    if (below && two) _tile_dpbsud(3, 5, 7);
  }
  _tile_stored(0, sums[0], 64);
  if (two) _tile_stored(1, sums[1], 64);
  if (below) _tile_stored(2, sums[2], 64);
  if (below && two) _tile_stored(3, sums[3], 64);
  for (size_t half = 0; half < (below ? 2 : 1); half++)
    for (size_t j = 0; j < (two ? 2 : 1); j++)
      amx_finish(y + 16 * half * stride + 16 * j, stride, sums[2 * half + j], half ? lower : upper,
                 rows->scales + first_row + 16 * half, rows->starts + first_row + 16 * half, w->scales + n0 + 16 * j,
                 w->bias ? w->bias + n0 + 16 * j : NULL, j == (two ? 1 : 0) ? lanes : 16);
}

/* Rows of the group from m on: up to 16 above, up to 16 below. */
FN_INLINE void amx_group(size_t *upper, size_t *lower, size_t M, size_t m) {
  *upper = M - m < 16 ? M - m : 16;
  *lower = M - m - *upper < 16 ? M - m - *upper : 16;
}

/* Columns [first, last) of fn_int8_kernels.multiply, without an activation. *configured: rows above and below that the
 * unit is set for, 0 at first; setting takes as long as twenty of its products. */
static void amx_multiply(float *y, size_t stride, const fn_int8_rows *rows, size_t M, const fn_int8_weights *w,
                         size_t first, size_t last, size_t *configured) {
  for (size_t m = 0; m < M; m += 32) {
    size_t upper, lower;
    amx_group(&upper, &lower, M, m);
    if (*configured != 32 * upper + lower) amx_configure(upper, lower > 0 ? lower : 1);
    *configured = 32 * upper + lower;
    for (size_t n0 = first; n0 < last; n0 += 32) {
      const bool two = last - n0 > 16;
      const size_t lanes = (last - n0 < 32 ? last - n0 - 1 : 31) % 16 + 1;
      float *to = y + m * stride + n0;
      if (lower > 0 && two)
        amx_tile(to, stride, rows, m, upper, lower, w, n0, true, lanes, true);
      else if (lower > 0)
        amx_tile(to, stride, rows, m, upper, lower, w, n0, false, lanes, true);
      else if (two)
        amx_tile(to, stride, rows, m, upper, lower, w, n0, true, lanes, false);
      else
        amx_tile(to, stride, rows, m, upper, lower, w, n0, false, lanes, false);
    }
  }
}

#endif
#endif
