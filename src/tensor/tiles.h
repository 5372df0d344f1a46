/* The forms in which a packed file keeps weights. Every level of the CPU streams them as they are.
 *
 * A linear layer W [n_out, n_in] is cut into tiles of 16 outputs; outputs and inputs that do not exist are padding.
 *   8 bits: [n_out/16][n_in/4][16][4] of u in [1, 127]:  W[n, k] ≈ scale[n] (u - 64). Seven bits, so that vpmaddubsw,
 *           which adds two products of an unsigned and a signed byte in sixteen bits, never saturates against
 *           activations in [-127, 127]: 2 · 127 · 127 = 32,258 < 32,768. Padding is u = 64, scale 0.
 *   fp32:   [n_out/16][n_in][16], padding 0.
 * Tiles are best 64-byte aligned. Results are pure functions of the arguments: the same bytes on every machine. */
#ifndef FN_TENSOR_TILES_H
#define FN_TENSOR_TILES_H

#include "base/base.h"

/* Most inputs of an 8-bit layer: below it no sum of products leaves 32 bits, 65,536 · 127 · 127 < 2³¹. */
enum { FN_TILES_INT8_MOST_IN = 65536 };

/* Outputs or tables of 16: n rounded up. */
static inline size_t fn_tiles_round(size_t n) {
  return (n + 15) / 16 * 16;
}

/* Bytes of the tiles; 0 when n_in is 0, above FN_TILES_INT8_MOST_IN, or the size does not fit. */
size_t fn_tiles_int8_bytes(size_t n_out, size_t n_in);
/* w[n_out · n_in] finite. scales[fn_tiles_round(n_out)]. The scale of each output is the one with the least squared
 * error among some that cut off the largest weights and the one that does not. */
void fn_tiles_int8_make(uint8_t *tiles, float *scales, const float *w, size_t n_out, size_t n_in);

/* Floats of the tiles; 0 when that does not fit. */
size_t fn_tiles_f32_count(size_t n_out, size_t n_in);
void fn_tiles_f32_make(float *tiles, const float *w, size_t n_out, size_t n_in);

/* table[n_rows · width] ≈ scales[row] · rows[…], values in [-127, 127]; scales[n_rows], chosen as above. */
void fn_rows_int8_make(int8_t *rows, float *scales, const float *table, size_t n_rows, size_t width);

#endif
