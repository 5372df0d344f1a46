/* The engine for inference: tiles, kernels of every level against plain C to the bit, and whole passes whose bits are
 * committed. */
#include "encoder.h"

#include "../unit.h"
#include "base/clock.h"
#include "tensor/cpu/detect.h"
#include "tensor/cpu/peak.h"

#include <stdio.h>

static const char *name_of(int level) {
  return fn_cpu_level_name((fn_cpu_level)level);
}
#define EACH_LEVEL(level)                                                                                              \
  for (int level = FN_CPU_C; level < FN_CPU_LEVEL_COUNT; level++)                                                      \
    if (fn_cpu_level_present((fn_cpu_level)level))

static int set_up(void **state) {
  (void)state;
  if (fn_cpu_level_present(FN_CPU_AMX)) assert_true(fn_cpu_amx_enable());
  for (int level = FN_CPU_C; level < FN_CPU_LEVEL_COUNT; level++)
    if (!fn_cpu_level_present((fn_cpu_level)level)) printf("skipped: this machine has no %s\n", name_of(level));
  return 0;
}

static void *need(size_t n_bytes) {
  void *p = fn_mem_slab(n_bytes);
  assert_non_null(p);
  return p;
}

static float *random_floats(size_t n, double deviation, uint64_t seed) {
  float *x = need(n * sizeof *x);
  fn_rng rng = fn_rng_make(seed, 0);
  for (size_t i = 0; i < n; i++) x[i] = (float)(deviation * fn_rng_normal(&rng));
  return x;
}

/* ---- tiles ---- */

static void test_tiles(void **state) {
  static const size_t shapes[][2] = {{1, 1}, {16, 4}, {17, 5}, {26, 78}, {312, 41}, {50, 384}};
  (void)state;
  for (size_t s = 0; s < FN_COUNT_OF(shapes); s++) {
    const size_t N = shapes[s][0], K = shapes[s][1], K4 = (K + 3) / 4, rounded = fn_tiles_round(N);
    float *w = random_floats(N * K, 0.1, s), *scales = need(rounded * sizeof *scales);
    assert_int_equal(fn_tiles_int8_bytes(N, K), rounded * K4 * 4);
    uint8_t *tiles = need(rounded * K4 * 4);
    memset(w + (N / 2) * K, 0, K * sizeof *w); /* an output that is all zeros */
    fn_tiles_int8_make(tiles, scales, w, N, K);
    for (size_t n = 0; n < rounded; n++) {
      double largest = 0, error = 0, plain = 0;
      for (size_t k = 0; k < K && n < N; k++) largest = fmax(largest, fabs((double)w[n * K + k]));
      for (size_t k = 0; k < K4 * 4; k++) {
        const int u = tiles[n / 16 * 16 * K4 * 4 + k / 4 * 64 + n % 16 * 4 + k % 4];
        if (n >= N || k >= K) {
          assert_int_equal(u, 64);
          continue;
        }
        assert_in_range(u, 1, 127);
        const double x = (double)w[n * K + k], step = largest / 63;
        error += pow(x - (double)scales[n] * (u - 64), 2);
        plain += largest > 0 ? pow(x - step * rint(x / step), 2) : 0;
      }
      assert_true(n < N ? error <= plain * (1 + 1e-5) + 1e-12 : scales[n] == 0);
    }
    free(w);
    free(scales);
    free(tiles);
  }
  assert_int_equal(fn_tiles_int8_bytes(16, 0), 0);
  assert_int_equal(fn_tiles_int8_bytes(16, FN_TILES_INT8_MOST_IN + 1), 0);
  assert_int_equal(fn_tiles_int8_bytes(SIZE_MAX / 2, 8), 0);
  assert_int_equal(fn_tiles_f32_count(SIZE_MAX - 3, 8), 0);
}

static void test_tiles_f32(void **state) {
  enum { N = 37, K = 13 };
  (void)state;
  float *w = random_floats(N * K, 1, 3), *tiles = need(fn_tiles_f32_count(N, K) * sizeof *tiles);
  assert_int_equal(fn_tiles_f32_count(N, K), 48 * K);
  fn_tiles_f32_make(tiles, w, N, K);
  for (size_t n = 0; n < 48; n++)
    for (size_t k = 0; k < K; k++)
      assert_true(tiles[n / 16 * 16 * K + k * 16 + n % 16] == (n < N ? w[n * K + k] : 0.0f));
  free(w);
  free(tiles);
}

static void test_rows(void **state) {
  enum { R = 9, W = 26 };
  (void)state;
  float *table = random_floats(R * W, 0.05, 4), scales[R], *back = need(W * sizeof *back);
  int8_t rows[R * W];
  memset(table + 3 * W, 0, W * sizeof *table);
  fn_rows_int8_make(rows, scales, table, R, W);
  assert_true(scales[3] == 0);
  for (size_t r = 0; r < R; r++) EACH_LEVEL(level) {
      fn_int8_kernels_of((fn_cpu_level)level)->widen(back, rows + r * W, scales[r], W);
      for (size_t i = 0; i < W; i++) {
        assert_true(rows[r * W + i] >= -127);
        assert_true(back[i] == (float)rows[r * W + i] * scales[r]);
        assert_true(fabs((double)(back[i] - table[r * W + i])) <= 0.05 * 4 / 127 * 30);
      }
    }
  free(table);
  free(back);
}

/* ---- kernels against plain C ---- */

enum { GUARD = 64, GUARD_BYTE = 0x5a };

static void expect_guard(const void *memory, size_t n, const char *what, int level) {
  const unsigned char *p = memory;
  for (size_t i = 0; i < n; i++)
    if (p[i] != GUARD_BYTE) fail_msg("%s: %s: byte %zu after the end was written to", name_of(level), what, i);
}

static int8_t level_of(float x, float largest) {
  if (!(largest > 1e-30f)) return 0;
  float v = x * (127.0f / largest);
  v = v > -127 ? v : -127;
  v = v < 127 ? v : 127;
  return (int8_t)rintf(v);
}

static void check_quantise(int level, const float *x, size_t n) {
  const size_t stride = (n + 3) / 4 * 4;
  int8_t *q = need(stride + GUARD);
  float scale[2] = {0, 7}, largest = 0;
  int32_t start[2] = {0, 7}, sum = 0;
  memset(q, GUARD_BYTE, stride + GUARD);
  const fn_int8_rows rows = {q, stride, scale, start};
  fn_int8_kernels_of((fn_cpu_level)level)->quantise(&rows, 0, x, n);
  for (size_t i = 0; i < n; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
  for (size_t i = 0; i < stride; i++) {
    const int8_t expected = i < n ? level_of(x[i], largest) : 0;
    if (q[i] != expected) fail_msg("%s: n %zu at %zu: %d, not %d", name_of(level), n, i, q[i], expected);
    sum += q[i];
  }
  assert_true(scale[0] == (largest > 1e-30f ? largest / 127.0f : 0.0f));
  assert_int_equal(start[0], -64 * sum);
  assert_true(scale[1] == 7 && start[1] == 7);
  expect_guard(q + stride, GUARD, "quantise", level);
  free(q);
}

static void test_quantise(void **state) {
  (void)state;
  EACH_LEVEL(level) {
    for (size_t n = 1; n < 400; n += n < 70 ? 1 : 61) {
      float *x = random_floats(n, 2, n);
      check_quantise(level, x, n);
      for (size_t i = 0; i < n; i++) x[i] = i % 3 ? -1.0f : 1.0f;
      check_quantise(level, x, n);                                             /* all at ±127 */
      for (size_t i = 0; i < n; i++) x[i] = (float)((int)(i % 255) - 127) / 2; /* halves: to even */
      x[0] = 127;
      check_quantise(level, x, n);
      for (size_t i = 0; i < n; i++) x[i] = 1e-38f * (float)(i % 5);
      check_quantise(level, x, n);
      x[n / 2] = 1e38f;
      check_quantise(level, x, n);
      free(x);
    }
    const float odd[5] = {NAN, 1, -INFINITY, 0, 2}, nan[3] = {1, NAN, -2};
    check_quantise(level, odd, 5);
    check_quantise(level, nan, 3);
  }
}

typedef struct product {
  size_t M, N, K;
  uint8_t *tiles;
  float *scales, *bias;
  fn_int8_rows rows;
} product;

static size_t up4(size_t n) {
  return (n + 3) / 4 * 4;
}

static product product_open(size_t M, size_t N, size_t K, uint64_t seed, bool extreme) {
  product p = {.M = M, .N = N, .K = K};
  fn_rng rng = fn_rng_make(seed, M * N + K);
  const size_t rounded = fn_tiles_round(N);
  p.tiles = need(rounded * up4(K));
  p.scales = random_floats(rounded, 0.01, seed + 1);
  p.bias = random_floats(N, 1, seed + 2);
  p.rows = (fn_int8_rows){need(M * up4(K)), up4(K), random_floats(M, 0.1, seed + 3), need(M * sizeof(int32_t))};
  for (size_t n = 0; n < rounded; n++)
    for (size_t k = 0; k < up4(K); k++) {
      uint8_t *u = &p.tiles[n / 16 * 16 * up4(K) + k / 4 * 64 + n % 16 * 4 + k % 4];
      *u = n >= N || k >= K ? 64 : extreme ? (n % 2 ? 127 : 1) : (uint8_t)(1 + fn_rng_below(&rng, 127));
    }
  for (size_t m = 0; m < M; m++) {
    int32_t sum = 0;
    for (size_t k = 0; k < K; k++) {
      int q = extreme ? (m % 2 ? 127 : -127) : (int)fn_rng_below(&rng, 255) - 127;
      p.rows.q[m * up4(K) + k] = (int8_t)q;
      sum += q;
    }
    p.rows.starts[m] = -64 * sum;
  }
  return p;
}

static void product_close(product *p) {
  free(p->tiles);
  free(p->scales);
  free(p->bias);
  free(p->rows.q);
  free(p->rows.scales);
  free(p->rows.starts);
}

static float expected_of(const product *p, size_t m, size_t n, bool bias) {
  int64_t sum = 0;
  for (size_t k = 0; k < p->K; k++)
    sum += p->rows.q[m * up4(p->K) + k] * (p->tiles[n / 16 * 16 * up4(p->K) + k / 4 * 64 + n % 16 * 4 + k % 4] - 64);
  assert_true(sum >= INT32_MIN && sum <= INT32_MAX);
  return fmaf((float)sum, p->rows.scales[m] * p->scales[n], bias ? p->bias[n] : 0.0f);
}

/* Columns [first, last) of every level against the formula. */
static void check_product(size_t M, size_t N, size_t K, size_t first, size_t last, bool extreme, bool bias) {
  product p = product_open(M, N, K, 7, extreme);
  const size_t stride = N + 5, n_bytes = M * stride * sizeof(float);
  float *y = need(n_bytes + GUARD);
  const fn_int8_weights w = {p.tiles, p.scales, bias ? p.bias : NULL, K, N};
  EACH_LEVEL(level) {
    memset(y, GUARD_BYTE, n_bytes + GUARD);
    fn_int8_kernels_of((fn_cpu_level)level)->multiply(y, stride, &p.rows, M, &w, first, last, NULL);
    for (size_t m = 0; m < M; m++) {
      expect_guard(y + m * stride, first * sizeof *y, "product", level);
      expect_guard(y + m * stride + last, (stride - last) * sizeof *y, "product", level);
      for (size_t n = first; n < last; n++) {
        const float expected = expected_of(&p, m, n, bias);
        if (y[m * stride + n] != expected)
          fail_msg("%s: [%zu,%zu,%zu] at %zu, %zu: %.9g, not %.9g", name_of(level), M, N, K, m, n,
                   (double)y[m * stride + n], (double)expected);
      }
    }
    expect_guard(y + M * stride, GUARD, "product", level);
  }
  product_close(&p);
  free(y);
}

static void test_multiply(void **state) {
  static const size_t shapes[][3] = {{1, 1, 1},     {1, 16, 4},    {3, 26, 26},    {7, 47, 78}, {8, 48, 96},
                                     {9, 130, 312}, {33, 80, 128}, {5, 112, 1536}, {16, 33, 7}, {37, 70, 128},
                                     {64, 100, 64}, {16, 48, 192}, {20, 150, 256}, {12, 96, 40}};
  (void)state;
  for (size_t s = 0; s < FN_COUNT_OF(shapes); s++)
    for (int bias = 0; bias < 2; bias++)
      check_product(shapes[s][0], shapes[s][1], shapes[s][2], 0, shapes[s][1], false, bias);
  for (size_t M = 1; M < 36; M++) {
    check_product(M, 64, 20, 0, 64, false, true);
    check_product(M, 64, 64, 0, 64, false, true);
  }
  check_product(4, 200, 36, 64, 128, false, true); /* a slice of the columns */
  check_product(4, 200, 36, 128, 200, false, true);
}

/* All activations ±127, all weights 1 or 127: the sums nearest to what vpmaddubsw would saturate at, and the longest
 * sum that is allowed. */
static void test_multiply_extremes(void **state) {
  (void)state;
  check_product(9, 32, 384, 0, 32, true, true);
  check_product(2, 16, FN_TILES_INT8_MOST_IN, 0, 16, true, true);
}

/* ---- activations ---- */

static double activated(double x, fn_activation kind) {
  const double u = 0.79788456080286535588 * (x + 0.044715 * x * x * x);
  switch (kind) {
  case FN_ACT_GELU: return 0.5 * x * erfc(-x / sqrt(2.0));
  case FN_ACT_GELU_TANH: return x / (1 + exp(-2 * u));
  case FN_ACT_RELU: return x > 0 ? x : 0;
  default: return tanh(x);
  }
}

/* After the product; K = 1 and q u = 127 · (± 63), so that bias chooses the value. Absolute error at most 1e-6, of GELU
 * 4e-5. */
static void test_activation(void **state) {
  enum { N = 4000 };
  (void)state;
  product p = product_open(1, N, 4, 1, false);
  float *y = need(N * sizeof *y), *first = need(N * sizeof *y);
  for (size_t n = 0; n < N; n++) {
    p.scales[n] = 0;
    p.bias[n] = (float)((double)n - N / 2.0) * 0.005f;
  }
  const fn_int8_weights w = {p.tiles, p.scales, p.bias, 4, N};
  for (int kind = FN_ACT_GELU; kind <= FN_ACT_TANH; kind++) {
    const fn_activation activation = (fn_activation)kind;
    EACH_LEVEL(level) {
      fn_int8_kernels_of((fn_cpu_level)level)->multiply(y, N, &p.rows, 1, &w, 0, N, &activation);
      if (level == FN_CPU_C) memcpy(first, y, N * sizeof *y);
      if (memcmp(first, y, N * sizeof *y) != 0) fail_msg("%s: activation %d: other bits than c", name_of(level), kind);
      for (size_t n = 0; n < N; n++) {
        const double expected = activated((double)p.bias[n], activation);
        const double allowed = kind == FN_ACT_GELU ? 4e-5 : 1e-6;
        if (!(fabs((double)y[n] - expected) <= allowed + 4e-7 * fabs(expected)))
          fail_msg("%s: activation %d of %g: %.9g, not %.9g", name_of(level), kind, (double)p.bias[n], (double)y[n],
                   expected);
      }
    }
  }
  product_close(&p);
  free(y);
  free(first);
}

/* ---- attention ---- */

static int level_in(float x, float inverse, float most) {
  float v = x * inverse;
  v = v > -most ? v : -most;
  return (int)rintf(v < most ? v : most);
}

static float largest_of(const float *x, size_t stride, size_t n) {
  float largest = 0;
  for (size_t i = 0; i < n; i++) largest = fabsf(x[i * stride]) > largest ? fabsf(x[i * stride]) : largest;
  return largest;
}

/* 4,096 · 2^x as the kernels compute it: x in [-40, 0]. */
static int32_t power_of(float x) {
  static const float c[5] = {9.582576342e-03f * 4096, 5.590682849e-02f * 4096, 2.402410656e-01f * 4096,
                             6.931241155e-01f * 4096, 4096};
  x = x > -40 ? x : -40;
  const float whole = rintf(x), f = x - whole;
  float y = c[0];
  for (int i = 1; i < 5; i++) y = fmaf(y, f, c[i]);
  return (int32_t)rintf(ldexpf(y, (int)whole));
}

/* One query by the formulas of fn_int8_head. */
static void attend_plainly(float *context, const fn_int8_head *h, const float *q) {
  float *scores = need(h->n_k * sizeof *scores), top = -1e30f;
  int32_t *p = need(h->n_k * sizeof *p), sum = 0;
  const float largest = largest_of(q, 1, h->D), factor = h->scale * 1.44269504f;
  for (size_t n = 0; n < h->n_k; n++) {
    const float *k = h->k + n * h->stride_k, most = largest_of(k, 1, h->D);
    int32_t dot = 0;
    for (size_t d = 0; d < h->D; d++) dot += level_in(q[d], 127.0f / largest, 127) * level_in(k[d], 63.0f / most, 63);
    scores[n] = fmaf((float)dot, (largest / 127.0f) * (most / 63.0f * factor), 0);
    top = scores[n] > top ? scores[n] : top;
  }
  for (size_t n = 0; n < h->n_k; n++) sum += p[n] = power_of(scores[n] - top);
  for (size_t d = 0; d < h->D; d++) {
    const float most = fmaxf(largest_of(h->v + d, h->stride_v, h->n_k), 1e-30f);
    float total = 0;
    for (size_t first = 0; first < h->n_k; first += 1024) {
      int32_t part = 0;
      for (size_t n = first; n < h->n_k && n < first + 1024; n++)
        part += p[n] * level_in(h->v[n * h->stride_v + d], 511.0f / most, 511);
      total = first == 0 ? (float)part : total + (float)part;
    }
    context[d] = total * ((most * (1.0f / 511.0f)) * (1.0f / (float)sum));
  }
  free(scores);
  free(p);
}

static void attend_in_double(double *context, const fn_int8_head *h, const float *q) {
  double sum = 0, top = -HUGE_VAL;
  double *s = need(h->n_k * sizeof *s);
  for (size_t n = 0; n < h->n_k; n++) {
    for (size_t d = 0; d < h->D; d++) s[n] += (double)q[d] * (double)h->k[n * h->stride_k + d] * (double)h->scale;
    top = fmax(top, s[n]);
  }
  for (size_t n = 0; n < h->n_k; n++) sum += s[n] = exp(s[n] - top);
  for (size_t d = 0; d < h->D; d++) {
    context[d] = 0;
    for (size_t n = 0; n < h->n_k; n++) context[d] += s[n] / sum * (double)h->v[n * h->stride_v + d];
  }
  free(s);
}

static void check_attention(size_t n_q, size_t n_k, size_t D, double deviation) {
  const size_t stride = 3 * D + 3, out_stride = D + 1, n_bytes = n_q * out_stride * sizeof(float);
  float *qkv = random_floats(n_k * stride, deviation, n_k), *y = need(n_bytes + GUARD), *expected = need(D * sizeof *y);
  double *judge = need(D * sizeof *judge), worst = 0;
  fn_int8_head h = {.q = qkv, .k = qkv + D, .v = qkv + 2 * D, .stride_q = stride, .stride_k = stride};
  h.stride_v = stride;
  h.n_q = n_q;
  h.n_k = n_k;
  h.D = D;
  h.scale = (float)(1 / sqrt((double)D));
  h.context = y;
  h.stride_context = out_stride;
  EACH_LEVEL(level) {
    const fn_int8_kernels *k = fn_int8_kernels_of((fn_cpu_level)level);
    const size_t n_scratch = k->attention_scratch(n_k, D);
    unsigned char *scratch = need(n_scratch + GUARD);
    memset(scratch, GUARD_BYTE, n_scratch + GUARD);
    memset(y, GUARD_BYTE, n_bytes + GUARD);
    h.scratch = scratch;
    k->attention(&h);
    for (size_t r = 0; r < n_q; r++) {
      attend_plainly(expected, &h, h.q + r * stride);
      attend_in_double(judge, &h, h.q + r * stride);
      for (size_t d = 0; d < D; d++) {
        if (y[r * out_stride + d] != expected[d])
          fail_msg("%s: %zu of %zu keys, D %zu: [%zu,%zu]: %.9g, not %.9g", name_of(level), n_q, n_k, D, r, d,
                   (double)y[r * out_stride + d], (double)expected[d]);
        worst = fmax(worst, fabs((double)expected[d] - judge[d]));
      }
      expect_guard(y + r * out_stride + D, sizeof *y, "attention", level);
    }
    expect_guard((unsigned char *)y + n_bytes, GUARD, "attention", level);
    expect_guard(scratch + n_scratch, GUARD, "attention's scratch", level);
    free(scratch);
  }
  if (!(worst <= 0.1 * deviation)) fail_msg("%zu keys, D %zu: error %g", n_k, D, worst);
  free(qkv);
  free(y);
  free(expected);
  free(judge);
}

static void test_attention(void **state) {
  (void)state;
  check_attention(1, 1, 26, 1);
  check_attention(1, 300, 64, 1);
  for (size_t n = 1; n < 60; n += 1 + n / 20) check_attention(n, n, n % 3 == 0 ? 32 : 26, 1.5);
  check_attention(30, 257, 64, 1);
  check_attention(3, 2050, 48, 1);
  check_attention(2, 31, 20, 0); /* nothing but zeros */
}

/* ---- whole passes ---- */

static const encoder_shape small = {.C = 78, .H = 3, .F = 150, .L = 3, .V = 300, .P = 140, .K = 2};
static const size_t lengths[] = {1, 17, 130, 2, 64, 33, 3};
enum { SEQUENCES = 7 };

static fn_device *device_of(fn_backend backend, int level, int n_threads) {
  fn_err err = {0};
  fn_device *d;
  const fn_device_options o = {backend, FN_GEMM_OWN, (fn_cpu_level)level, n_threads, NULL};
  if (fn_device_create(&d, &o, &err) != FN_OK) fail_msg("%s", err.message);
  return d;
}

/* Logits of sequences [first, first + n) as one batch. */
static void pass(float *logits, const encoder *e, fn_device *d, size_t first, size_t n) {
  fn_err err = {0};
  encoder_batch b;
  encoder_batch_open(&b, &e->shape, lengths, first, n, 5);
  const fn_device_shape shape = encoder_device_shape(&e->shape, &b);
  float *workspace = need(encoder_floats(&e->shape, &b) * sizeof *workspace);
  if (fn_device_reserve(d, &shape, &err) != FN_OK) fail_msg("%s", err.message);
  encoder_forward(logits, e, d, &b, workspace);
  free(workspace);
  encoder_batch_close(&b);
}

/* Every level, 1 to 3 threads, batches cut anyhow: the same bits, and those that are committed here. */
static void check_hash(bool int8, const char *committed) {
  static const size_t cuts[][SEQUENCES + 1] = {{7}, {1, 1, 1, 1, 1, 1, 1}, {3, 4}, {2, 1, 4}};
  const fn_backend backend = int8 ? FN_BACKEND_INT8 : FN_BACKEND_FAST;
  encoder e;
  encoder_open(&e, &small, int8, 21);
  float logits[SEQUENCES][2];
  EACH_LEVEL(level)
  for (int n_threads = 1; n_threads <= 3; n_threads++) {
    fn_device *d = device_of(backend, level, n_threads);
    for (size_t c = 0; c < FN_COUNT_OF(cuts); c++) {
      char hash[33];
      memset(logits, 0, sizeof logits);
      for (size_t first = 0, i = 0; first < SEQUENCES; first += cuts[c][i++])
        pass(logits[first], &e, d, first, cuts[c][i]);
      fn_hash_format(hash, fn_hash_bytes(logits, sizeof logits));
      if (strcmp(hash, committed) != 0)
        fail_msg("%s, %d threads, cut %zu: %s (%.9g %.9g, %.9g %.9g)", name_of(level), n_threads, c, hash,
                 (double)logits[0][0], (double)logits[0][1], (double)logits[2][0], (double)logits[2][1]);
    }
    fn_device_destroy(d);
  }
  encoder_close(&e);
}

static void test_hash_f32(void **state) {
  (void)state;
  check_hash(false, "a3f48f064e6c803bb5543efd0ebe4808");
}

static void test_hash_int8(void **state) {
  (void)state;
  check_hash(true, "edb2533e6d2cd8cd45b5383117a8a24e");
}

/* Eight bits against fp32 on the same weights. */
static void test_int8_is_near(void **state) {
  (void)state;
  encoder e, f;
  float logits[2][SEQUENCES][2];
  encoder_open(&e, &small, true, 21);
  encoder_open(&f, &small, false, 21);
  fn_device *d = device_of(FN_BACKEND_INT8, FN_CPU_AMX, 2), *g = device_of(FN_BACKEND_FAST, FN_CPU_AMX, 2);
  pass(logits[0][0], &e, d, 0, SEQUENCES);
  pass(logits[1][0], &f, g, 0, SEQUENCES);
  double worst = 0;
  for (size_t b = 0; b < SEQUENCES; b++)
    for (size_t k = 0; k < 2; k++) worst = fmax(worst, fabs((double)(logits[0][b][k] - logits[1][b][k])));
  if (!(worst <= 0.08)) fail_msg("logits differ by up to %g", worst);
  fn_device_destroy(d);
  fn_device_destroy(g);
  encoder_close(&e);
  encoder_close(&f);
}

/* ---- speed ---- */

/* Nanoseconds of one call, the least of many. */
static double least_of(const fn_int8_kernels *k, float *y, const product *p, const fn_activation *kind, int rounds) {
  const fn_int8_weights w = {p->tiles, p->scales, p->bias, p->K, p->N};
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < rounds; i++) {
    const uint64_t begin = fn_clock_ns();
    for (size_t m = 0; m < p->M; m += 32) { /* rows of a task, as the device cuts them */
      const fn_int8_rows rows = {p->rows.q + m * p->rows.stride, p->rows.stride, p->rows.scales + m,
                                 p->rows.starts + m};
      k->multiply(y + m * p->N, p->N, &rows, p->M - m < 32 ? p->M - m : 32, &w, 0, p->N, kind);
    }
    const uint64_t t = fn_clock_ns() - begin;
    least = t < least ? t : least;
  }
  return (double)least;
}

/* One thread. */
static void bench(void) {
  static const size_t shapes[][2] = {{384, 384}, {384, 1536}, {1536, 384}, {768, 768}, {768, 3072}, {3072, 768}};
  static const size_t rows[] = {256, 16};
  const fn_activation gelu = FN_ACT_GELU;
  printf("| level | rows | in → out | us | Gop/s | from registers | share | with GELU, us "
         "|\n|---|---|---|---|---|---|---|---|\n");
  EACH_LEVEL(level) {
    double ceiling = fn_cpu_peak((fn_cpu_level)level, true);
    for (size_t m = 0; m < FN_COUNT_OF(rows); m++)
      for (size_t s = 0; s < FN_COUNT_OF(shapes); s++) {
        product p = product_open(rows[m], shapes[s][1], shapes[s][0], 1, false);
        float *y = need(p.M * p.N * sizeof *y);
        const fn_int8_kernels *k = fn_int8_kernels_of((fn_cpu_level)level);
        const int rounds = level == FN_CPU_C ? 2 : 60;
        const double ns = least_of(k, y, &p, NULL, rounds), with = least_of(k, y, &p, &gelu, rounds);
        const double rate = 2.0 * (double)(p.M * p.N * p.K) / ns, again = fn_cpu_peak((fn_cpu_level)level, true);
        ceiling = again > ceiling ? again : ceiling;
        printf("| %s | %zu | %zu → %zu | %.1f | %.0f | %.0f | %.2f | %.1f |\n", name_of(level), p.M, p.K, p.N,
               ns * 1e-3, rate, ceiling, ceiling > 0 ? rate / ceiling : 0, with * 1e-3);
        product_close(&p);
        free(y);
      }
  }
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
    set_up(NULL);
    bench();
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tiles),      cmocka_unit_test(test_tiles_f32),    cmocka_unit_test(test_rows),
      cmocka_unit_test(test_quantise),   cmocka_unit_test(test_multiply),     cmocka_unit_test(test_multiply_extremes),
      cmocka_unit_test(test_activation), cmocka_unit_test(test_attention),    cmocka_unit_test(test_hash_f32),
      cmocka_unit_test(test_hash_int8),  cmocka_unit_test(test_int8_is_near),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
