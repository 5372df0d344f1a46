/* Kernels of every level: accuracy against libm in double, and bits: the same at all levels, and for a row
 * whatever stands beside it. */
#include "../unit.h"
#include "tensor/cpu/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const fn_kernels *tables[FN_CPU_LEVEL_COUNT];

static int set_up(void **state) {
  (void)state;
  tables[FN_CPU_C] = fn_kernels_c();
#if defined(__x86_64__)
  if (fn_cpu_level_present(FN_CPU_AVX2)) tables[FN_CPU_AVX2] = fn_kernels_avx2();
  if (fn_cpu_level_present(FN_CPU_AVX512)) tables[FN_CPU_AVX512] = fn_kernels_avx512();
#endif
  if (!tables[FN_CPU_AVX2]) printf("skipped: this machine or build has no avx2\n");
  if (!tables[FN_CPU_AVX512]) printf("skipped: this machine or build has no avx512\n");
  return 0;
}

static float *random_floats(size_t n, double deviation, uint64_t seed) {
  float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);
  fn_rng rng = fn_rng_make(seed, 0);
  assert_non_null(x);
  for (size_t i = 0; i < n; i++) x[i] = (float)(deviation * fn_rng_normal(&rng));
  return x;
}

static double value_of(double x, fn_activation kind) {
  double u = 0.79788456080286535588 * (x + 0.044715 * x * x * x);
  switch (kind) {
  case FN_ACT_GELU: return 0.5 * x * erfc(-x / sqrt(2.0));
  case FN_ACT_GELU_TANH: return x / (1 + exp(-2 * u));
  case FN_ACT_RELU: return x > 0 ? x : 0;
  default: return tanh(x);
  }
}

static double slope_of(double x, fn_activation kind) {
  double u = 0.79788456080286535588 * (x + 0.044715 * x * x * x), s = 1 / (1 + exp(-2 * u)), t = tanh(x);
  switch (kind) {
  case FN_ACT_GELU: return 0.5 * erfc(-x / sqrt(2.0)) + x * 0.39894228040143267794 * exp(-0.5 * x * x);
  case FN_ACT_GELU_TANH: return s + x * s * (1 - s) * 2 * 0.79788456080286535588 * (1 + 3 * 0.044715 * x * x);
  case FN_ACT_RELU: return x > 0 ? 1 : 0;
  default: return 1 - t * t;
  }
}

/* Over [-12, 12] in steps of 1e-4: relative where the value is not tiny, absolute elsewhere. */
static void test_activations(void **state) {
  (void)state;
  for (int level = 0; level < FN_CPU_LEVEL_COUNT; level++)
    for (int kind = FN_ACT_GELU; tables[level] && kind <= FN_ACT_TANH; kind++)
      for (int i = -120000; i < 120000; i += 16) {
        float x[16], y[16], slope[16], one[16];
        for (int k = 0; k < 16; k++) {
          x[k] = (float)((i + k) * 1e-4);
          one[k] = 1;
        }
        tables[level]->activation_backward(slope, y, one, x, (fn_activation)kind, 16);
        for (int k = 0; k < 16; k++) {
          double value = value_of((double)x[k], (fn_activation)kind), s = slope_of((double)x[k], (fn_activation)kind);
          if (!(fabs((double)y[k] - value) <= 4e-7 * fabs(value) + 3e-8) || !(fabs((double)slope[k] - s) <= 4e-7))
            fail_msg("level %d kind %d at %g: %.9g (%.9g), slope %.9g (%.9g)", level, kind, (double)x[k], (double)y[k],
                     value, (double)slope[k], s);
        }
      }
}

/* Not-a-number and infinity must come out again: a diverged training is to be seen. */
static void test_not_finite(void **state) {
  (void)state;
  for (int level = 0; level < FN_CPU_LEVEL_COUNT; level++) {
    if (!tables[level]) continue;
    for (int kind = FN_ACT_GELU; kind <= FN_ACT_GELU_TANH; kind++) {
      float x[3] = {NAN, INFINITY, 1}, y[3];
      tables[level]->bias_activation(y, x, NULL, (fn_activation)kind, 3);
      assert_true(isnan(y[0]) && !isfinite(y[1]) && isfinite(y[2]));
    }
    float x[4] = {1, NAN, 2, 3}, y[4], hat[4], rstd, one[4] = {1, 1, 1, 1};
    tables[level]->norm(y, hat, &rstd, x, one, one, 1e-12f, 4);
    assert_true(isnan(y[0]) && isnan(y[3]));
  }
}

static void multiply(const fn_kernels *k, float *c, const float *a, const float *b, size_t M, size_t N, size_t K,
                     bool transposed, size_t first, size_t last) {
  float *packed = aligned_alloc(64, (K * (N + 64) * sizeof *packed + 63) / 64 * 64);
  assert_non_null(packed);
  k->pack(packed, b, K, N, transposed ? 1 : N, transposed ? K : 1, 0, (N + k->panel_width - 1) / k->panel_width);
  const fn_left left = {a + first * K, K, 1, k->rows_per_panel * K};
  const fn_packed right = {.data = packed, .depth = K, .K = K, .N = N};
  k->gemm(c, N, &left, &right, last - first, false);
  free(packed);
  (void)M;
}

/* Every element is one chain of fused multiply-adds over k: the same bits as the plain loop with fmaf. */
static void test_gemm_bits(void **state) {
  static const size_t shapes[][3] = {{1, 1, 1}, {5, 47, 3}, {8, 48, 384}, {23, 50, 400}, {12, 130, 769}};
  (void)state;
  for (size_t s = 0; s < FN_COUNT_OF(shapes); s++) {
    size_t M = shapes[s][0], N = shapes[s][1], K = shapes[s][2];
    float *a = random_floats(M * K, 1, 1), *b = random_floats(N * K, 1, 2), *c = random_floats(M * N, 1, 3);
    for (int level = FN_CPU_C; level < FN_CPU_LEVEL_COUNT; level++) {
      if (!tables[level]) continue;
      for (int transposed = 0; transposed < 2; transposed++) {
        multiply(tables[level], c, a, b, M, N, K, transposed, 0, M);
        for (size_t i = 0; i < M * N; i++) {
          float sum = 0;
          for (size_t k = 0; k < K; k++) {
            float x = a[i / N * K + k], y = transposed ? b[i % N * K + k] : b[k * N + i % N];
            sum = fmaf(x, y, sum);
          }
          if (c[i] != sum)
            fail_msg("level %d, shape %zu, element %zu: %.9g, not %.9g", level, s, i, (double)c[i], (double)sum);
        }
      }
      /* One row alone gives the bits it has among others. */
      float *alone = random_floats(N, 1, 4);
      multiply(tables[level], c, a, b, M, N, K, true, 0, M);
      multiply(tables[level], alone, a, b, M, N, K, true, M - 1, M);
      assert_memory_equal(alone, c + (M - 1) * N, N * sizeof *c);
      free(alone);
    }
    free(a);
    free(b);
    free(c);
  }
}

/* c + a b at the edges: any exponents, results below the smallest normal number, sums that cancel but for the last
 * bits. */
static void test_fma_edges(void **state) {
  enum { N = 48, ROUNDS = 3000 };
  (void)state;
  fn_rng rng = fn_rng_make(3, 3);
  for (int round = 0; round < ROUNDS; round++) {
    float a[1], b[N], before[N], c[N];
    uint32_t bits = fn_rng_u32(&rng);
    memcpy(a, &bits, sizeof bits);
    for (size_t n = 0; n < N; n++) {
      bits = fn_rng_u32(&rng);
      memcpy(&b[n], &bits, sizeof bits);
      bits = fn_rng_u32(&rng);
      memcpy(&before[n], &bits, sizeof bits);
      if (n % 3 > 0) { /* the rounded product again, off by a few of its last places; n % 3 = 2: of usual size */
        if (n % 3 == 2) b[n] = (float)fn_rng_normal(&rng) / a[0];
        before[n] = -(a[0] * b[n]);
        memcpy(&bits, &before[n], sizeof bits);
        bits += (uint32_t)fn_rng_below(&rng, 5) - 2;
        memcpy(&before[n], &bits, sizeof bits);
      }
    }
    for (int level = FN_CPU_C; level < FN_CPU_LEVEL_COUNT; level++) {
      const fn_kernels *k = tables[level];
      if (!k) continue;
      float packed[N] __attribute__((aligned(64)));
      memcpy(c, before, sizeof c);
      k->pack(packed, b, 1, N, N, 1, 0, (N + k->panel_width - 1) / k->panel_width);
      const fn_left left = {a, 1, 1, k->rows_per_panel};
      const fn_packed right = {.data = packed, .depth = 1, .K = 1, .N = N};
      k->gemm(c, N, &left, &right, 1, true);
      for (size_t n = 0; n < N; n++) {
        const float expected = fmaf(a[0], b[n], before[n]);
        if (memcmp(&c[n], &expected, sizeof expected) != 0 && !(isnan(c[n]) && isnan(expected)))
          fail_msg("level %d: %a * %a + %a = %a, not %a", level, (double)a[0], (double)b[n], (double)before[n],
                   (double)c[n], (double)expected);
      }
    }
  }
}

/* Row kernels with explicit arithmetic: all levels must agree to the bit. */
static void row_kernels_agree(const fn_kernels *low, const fn_kernels *high) {
  for (size_t n = 1; n < 200; n += 13) {
    float *x = random_floats(n, 2, n), *gamma = random_floats(n, 1, n + 1), *beta = random_floats(n, 1, n + 2);
    float *out[2][4], rstd[2];
    const fn_dropout d = {0.1, 1, 2, 3, 4};
    const fn_dropout_state drop = fn_dropout_make(&d);
    for (int l = 0; l < 2; l++) {
      const fn_kernels *k = l ? high : low;
      for (int i = 0; i < 4; i++) out[l][i] = random_floats(n, 1, 9);
      k->norm(out[l][0], out[l][1], &rstd[l], x, gamma, beta, 1e-12f, n);
      k->activation_backward(out[l][2], out[l][3], gamma, x, FN_ACT_GELU, n);
      k->bias_dropout_residual(out[l][2], beta, gamma, &drop, (fn_row_key){1, 2, 3}, n);
      k->norm_backward(out[l][3], out[l][1], out[l][0], gamma, x, rstd[l], beta, n);
    }
    assert_true(rstd[0] == rstd[1]);
    for (int i = 0; i < 4; i++) {
      assert_memory_equal(out[0][i], out[1][i], n * sizeof(float));
      free(out[0][i]);
      free(out[1][i]);
    }
    free(x);
    free(gamma);
    free(beta);
  }
}

static void test_levels_agree(void **state) {
  (void)state;
  for (int level = FN_CPU_AVX2; level < FN_CPU_LEVEL_COUNT; level++)
    if (tables[level]) row_kernels_agree(tables[FN_CPU_C], tables[level]);
}

static void attend(const fn_kernels *k, float *context, float *lse, const float *qkv, size_t n, size_t D) {
  size_t floats = k->attention_scratch(n, D, false);
  float *scratch = random_floats(floats, 1, 5);
  int32_t *positions = calloc(n, sizeof *positions);
  uint32_t *draws = calloc(n, sizeof *draws);
  const fn_dropout_state off = fn_dropout_make(NULL);
  assert_true(positions && draws);
  for (size_t i = 0; i < n; i++) positions[i] = (int32_t)i;
  const fn_head_task t = {.q = qkv,
                          .k = qkv + D,
                          .v = qkv + 2 * D,
                          .stride_q = 3 * D,
                          .stride_k = 3 * D,
                          .stride_v = 3 * D,
                          .n_q = n,
                          .n_k = n,
                          .D = D,
                          .scale = 0.3f,
                          .q_positions = positions,
                          .q_draws = draws,
                          .dropout = &off,
                          .context = context,
                          .stride_context = D,
                          .lse = lse,
                          .scratch = scratch};
  k->attention(&t);
  free(scratch);
  free(positions);
  free(draws);
}

static void attention_agrees(const fn_kernels *low, const fn_kernels *high) {
  static const size_t lengths[] = {1, 17, 48, 255, 300};
  for (size_t i = 0; i < FN_COUNT_OF(lengths); i++) {
    size_t n = lengths[i], D = i % 2 ? 32 : 26;
    float *qkv = random_floats(n * 3 * D, 1.5, 3), *out[2], *lse[2];
    for (int l = 0; l < 2; l++) {
      out[l] = random_floats(n * D, 1, 4);
      lse[l] = random_floats(n, 1, 4);
      attend(l ? high : low, out[l], lse[l], qkv, n, D);
    }
    assert_memory_equal(out[0], out[1], n * D * sizeof(float));
    assert_memory_equal(lse[0], lse[1], n * sizeof(float));
    for (int l = 0; l < 2; l++) {
      free(out[l]);
      free(lse[l]);
    }
    free(qkv);
  }
}

static void test_attention_levels_agree(void **state) {
  (void)state;
  for (int level = FN_CPU_AVX2; level < FN_CPU_LEVEL_COUNT; level++)
    if (tables[level]) attention_agrees(tables[FN_CPU_C], tables[level]);
}

/* In slices of columns and of steps: the bits of the whole. */
static void test_gemm_slices(void **state) {
  enum { M = 23, N = 500, K = 900, CUT = 480, STEP = 397 }; /* CUT: a multiple of every panel width */
  (void)state;
  float *a = random_floats(M * K, 1, 1), *b = random_floats(N * K, 1, 2), *c = random_floats(M * N, 1, 3);
  float *whole = random_floats(M * N, 1, 4), *packed = random_floats(K * (N + 64), 1, 5);
  for (int level = FN_CPU_C; level < FN_CPU_LEVEL_COUNT; level++) {
    const fn_kernels *k = tables[level];
    if (!k) continue;
    multiply(k, whole, a, b, M, N, K, false, 0, M);
    k->pack(packed, b, K, N, N, 1, 0, (N + k->panel_width - 1) / k->panel_width);
    for (size_t n0 = 0; n0 < N; n0 += CUT)
      for (size_t k0 = 0; k0 < K; k0 += STEP) {
        const fn_left left = {a + k0, K, 1, k->rows_per_panel * K};
        const fn_packed right = {.data = packed + n0 * K,
                                 .depth = K,
                                 .k0 = k0,
                                 .K = K - k0 < STEP ? K - k0 : STEP,
                                 .N = N - n0 < CUT ? N - n0 : CUT};
        k->gemm(c + n0, N, &left, &right, M, k0 > 0);
      }
    assert_memory_equal(c, whole, M * N * sizeof *c);
  }
  free(a);
  free(b);
  free(c);
  free(whole);
  free(packed);
}

/* Columns as rows of the left operand, and their sums in the order of the rows; nothing beyond is written. */
static void test_pack_left(void **state) {
  static const size_t widths[] = {1, 7, 48, 96, 93};
  enum { K = 37, STRIDE = 101, GUARD = 32 };
  (void)state;
  float *x = random_floats(K * STRIDE, 1, 1);
  for (int level = FN_CPU_C; level < FN_CPU_LEVEL_COUNT; level++)
    for (size_t w = 0; tables[level] && w < FN_COUNT_OF(widths); w++) {
      const size_t n = widths[w], R = tables[level]->rows_per_panel, n_packed = (n + R - 1) / R * R * K;
      float *out = random_floats(n_packed + GUARD, 1, 2), *guard = random_floats(n_packed + GUARD, 1, 2);
      float *sums = random_floats(n + GUARD, 1, 3), *before = random_floats(n + GUARD, 1, 3);
      tables[level]->pack_left(out, sums, x, STRIDE, K, n);
      for (size_t m = 0; m < n; m++) {
        float sum = before[m];
        for (size_t k = 0; k < K; k++) {
          assert_true(out[m / R * R * K + k * R + m % R] == x[k * STRIDE + m]);
          sum += x[k * STRIDE + m];
        }
        assert_true(sums[m] == sum);
      }
      assert_memory_equal(out + n_packed, guard + n_packed, GUARD * sizeof *out);
      assert_memory_equal(sums + n, before + n, GUARD * sizeof *sums);
      free(out);
      free(guard);
      free(sums);
      free(before);
    }
  free(x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_activations),  cmocka_unit_test(test_not_finite),
      cmocka_unit_test(test_gemm_bits),    cmocka_unit_test(test_fma_edges),
      cmocka_unit_test(test_gemm_slices),  cmocka_unit_test(test_pack_left),
      cmocka_unit_test(test_levels_agree), cmocka_unit_test(test_attention_levels_agree),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
