#include "tensor/tiles.h"

#include <math.h>
#include <string.h>

size_t fn_tiles_int8_bytes(size_t n_out, size_t n_in) {
  size_t n;
  if (n_in == 0 || n_in > FN_TILES_INT8_MOST_IN || n_out > SIZE_MAX - 15) return 0;
  return fn_size_mul(&n, fn_tiles_round(n_out), (n_in + 3) / 4 * 4) ? n : 0;
}

size_t fn_tiles_f32_count(size_t n_out, size_t n_in) {
  size_t n;
  return n_out <= SIZE_MAX - 15 && fn_size_mul(&n, fn_tiles_round(n_out), n_in) ? n : 0;
}

/* x · inverse to the nearest whole number, half to even (adding 1.5 · 2⁵² leaves no bits below one), within ±most. */
static inline double level_of(double x, double inverse, double most) {
  double q = x * inverse + 0x1.8p52 - 0x1.8p52;
  return q > most ? most : q < -most ? -most : q;
}

/* Squared error of the best scale for the levels that `scale` gives, and that scale: with levels q fixed, Σ (x - s q)²
 * is least at s = Σ x q / Σ q². */
static double error_of(double *best, const float *x, size_t n, double scale, double most) {
  double inverse = 1 / scale, xq = 0, qq = 0, xx = 0;
  for (size_t i = 0; i < n; i++) {
    double v = (double)x[i], q = level_of(v, inverse, most);
    xq += v * q;
    qq += q * q;
    xx += v * v;
  }
  *best = qq > 0 ? xq / qq : scale;
  return qq > 0 ? xx - xq * xq / qq : xx;
}

/* The scale for values x in steps from -most to most. */
static float choose_scale(const float *x, size_t n, double most) {
  double largest = 0, least = HUGE_VAL, chosen = 0;
  for (size_t i = 0; i < n; i++) largest = fabs((double)x[i]) > largest ? fabs((double)x[i]) : largest;
  if (!(largest > 1e-30)) return 0; /* too small to divide by: zeros */
  for (int step = 0; step <= 16; step++) {
    double scale = largest * (1 - 0.03 * step) / most, best;
    double error = error_of(&best, x, n, scale, most);
    if (error < least) {
      least = error;
      chosen = best;
    }
  }
  return (float)chosen;
}

void fn_tiles_int8_make(uint8_t *tiles, float *scales, const float *w, size_t n_out, size_t n_in) {
  const size_t K = (n_in + 3) / 4 * 4, N = fn_tiles_round(n_out);
  memset(tiles, 64, N * K);
  for (size_t n = 0; n < N; n++) {
    scales[n] = n < n_out ? choose_scale(w + n * n_in, n_in, 63) : 0;
    if (!(scales[n] > 0)) continue;
    uint8_t *tile = tiles + n / 16 * 16 * K + n % 16 * 4;
    const double inverse = 1 / (double)scales[n];
    for (size_t k = 0; k < n_in; k++)
      tile[k / 4 * 64 + k % 4] = (uint8_t)(64 + (int)level_of((double)w[n * n_in + k], inverse, 63));
  }
}

void fn_tiles_f32_make(float *tiles, const float *w, size_t n_out, size_t n_in) {
  for (size_t n0 = 0; n0 < n_out; n0 += 16)
    for (size_t k = 0; k < n_in; k++)
      for (size_t n = n0; n < n0 + 16; n++) *tiles++ = n < n_out ? w[n * n_in + k] : 0.0f;
}

void fn_rows_int8_make(int8_t *rows, float *scales, const float *table, size_t n_rows, size_t width) {
  for (size_t r = 0; r < n_rows; r++, rows += width, table += width) {
    scales[r] = choose_scale(table, width, 127);
    const double inverse = scales[r] > 0 ? 1 / (double)scales[r] : 0;
    for (size_t i = 0; i < width; i++) rows[i] = (int8_t)level_of((double)table[i], inverse, 127);
  }
}
