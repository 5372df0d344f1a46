/* Making devices; what runs over slabs: AdamW, the squared norm, zeroing. */
#include "../unit.h"
#include "tensor/device_internal.h"
#include "tensor/options.h"

#include <math.h>
#include <stdlib.h>

static fn_device *device_with(fn_backend backend, fn_cpu_level level, int n_threads) {
  fn_err err = {0};
  fn_device *d = NULL;
  const fn_device_options o = {backend, FN_GEMM_OWN, level, n_threads, NULL};
  if (fn_device_create(&d, &o, &err) != FN_OK) fail_msg("%s", err.message);
  return d;
}

static void test_create(void **state) {
  (void)state;
  fn_err err = {0};
  fn_device *d = (fn_device *)0x1;
  fn_device_options o = FN_DEVICE_OPTIONS_INIT;
  o.n_threads = 2000;
  assert_int_equal(fn_device_create(&d, &o, &err), FN_E_INVALID);
  assert_non_null(strstr(err.message, "device.threads"));
  assert_ptr_equal(d, (fn_device *)0x1);
  fn_device_destroy(NULL);

  char text[128];
  o.n_threads = 1;
  o.max_level = FN_CPU_C;
  assert_int_equal(fn_device_create(&d, &o, &err), FN_OK);
  assert_null(fn_device_pool(d));
  fn_device_describe(text, sizeof text, d);
  assert_string_equal(text, "fast c, own GEMM, 1 thread");
  fn_device_destroy(d);

  fn_pool *pool;
  assert_int_equal(fn_pool_create(&pool, 3, &err), FN_OK);
  o.backend = FN_BACKEND_REFERENCE_F64;
  o.pool = pool;
  assert_int_equal(fn_device_create(&d, &o, &err), FN_OK);
  assert_ptr_equal(fn_device_pool(d), pool);
  assert_int_equal(fn_device_element_size(d), 8);
  fn_device_describe(text, sizeof text, d);
  assert_string_equal(text, "reference f64, plain C, 3 threads");
  fn_device_destroy(d);
  fn_pool_destroy(pool);
}

static void test_options(void **state) {
  (void)state;
  fn_arena arena;
  fn_err err = {0};
  fn_tensor_options o;
  fn_arena_init(&arena);
  assert_int_equal(fn_options_default(&o, &arena, &fn_tensor_option_table, &err), FN_OK);
  const fn_device_options d = fn_tensor_options_device(&o), expected = FN_DEVICE_OPTIONS_INIT;
  assert_int_equal(d.backend, expected.backend);
  assert_int_equal(d.gemm, expected.gemm);
  assert_int_equal(d.max_level, expected.max_level);
  assert_int_equal(d.n_threads, expected.n_threads);
  assert_null(d.pool);
  fn_arena_deinit(&arena);
}

enum { N = 70000 };
static const fn_segment segments[] = {{0, 33000, 1, 0.01f, false},
                                      {33008, 7, 0.5f, 0, false},
                                      {33024, 20000, 1, 0.1f, true},
                                      {53024, 16500, 2, 0.1f, false}};

static void fill(float *x, uint64_t seed, double deviation) {
  fn_rng rng = fn_rng_make(seed, 1);
  for (size_t i = 0; i < N; i++) x[i] = (float)(deviation * fn_rng_normal(&rng));
}

/* Three steps in double, by the formula in device.h. */
static void judge(double *value, const float *gradient, double *m, double *v, size_t i, const fn_segment *s) {
  for (int t = 1; t <= 3; t++) {
    double g = (double)gradient[i] * 0.5 * t, lr = 1e-3 * (double)s->lr_multiplier;
    *value *= 1 - lr * (double)s->weight_decay;
    *m = 0.9 * *m + 0.1 * g;
    *v = 0.999 * *v + 0.001 * g * g;
    *value -= lr * (*m / (1 - pow(0.9, t))) / (sqrt(*v) / sqrt(1 - pow(0.999, t)) + 1e-8);
  }
}

static void run_adamw(fn_device *d, float *slabs[4]) {
  for (int t = 1; t <= 3; t++) {
    const fn_adamw_step step = {slabs[0], slabs[1], slabs[2], slabs[3], segments, FN_COUNT_OF(segments),
                                1e-3,     0.9,      0.999,    1e-8,     0.5 * t,  t};
    fn_device_adamw(d, &step);
  }
}

static void open_slabs(float *slabs[4]) {
  for (int i = 0; i < 4; i++) {
    slabs[i] = fn_mem_slab(N * sizeof(float));
    assert_non_null(slabs[i]);
  }
  fill(slabs[0], 1, 0.02);
  fill(slabs[1], 2, 0.001);
  for (int i = 0; i < 500; i++) slabs[1][i] = 0; /* no gradient: only the decay moves */
}

static void close_slabs(float *slabs[4]) {
  for (int i = 0; i < 4; i++) free(slabs[i]);
}

static void check_adamw(fn_backend backend, fn_cpu_level level, int n_threads) {
  float *slabs[4], *start[4];
  fn_device *d = device_with(backend, level, n_threads);
  open_slabs(slabs);
  open_slabs(start);
  run_adamw(d, slabs);
  for (size_t i = 0; i < N; i++) {
    const fn_segment *s = NULL;
    for (size_t k = 0; k < FN_COUNT_OF(segments); k++)
      if (i >= segments[k].offset && i < segments[k].offset + segments[k].n) s = &segments[k];
    double value = (double)start[0][i], m = 0, v = 0;
    if (s && !s->frozen) judge(&value, start[1], &m, &v, i, s);
    if (!(fabs((double)slabs[0][i] - value) <= 3e-8 + 1e-6 * fabs(value)))
      fail_msg("element %zu: %.9g, judge %.9g", i, (double)slabs[0][i], value);
    assert_true(fabs((double)slabs[2][i] - m) <= 1e-6 * fabs(m) + 1e-12);
    assert_true(fabs((double)slabs[3][i] - v) <= 1e-6 * fabs(v) + 1e-18);
    if (!s || s->frozen) assert_true(slabs[0][i] == start[0][i] && slabs[2][i] == 0 && slabs[3][i] == 0);
  }
  close_slabs(slabs);
  close_slabs(start);
  fn_device_destroy(d);
}

static void test_adamw(void **state) {
  (void)state;
  check_adamw(FN_BACKEND_REFERENCE, FN_CPU_C, 1);
  for (int level = 0; level <= (int)fn_cpu_level_detect(); level++)
    check_adamw(FN_BACKEND_FAST, (fn_cpu_level)level, 1 + level % 2);
}

/* The same bits at any number of threads, and for the norm at any level too. */
static void test_bits(void **state) {
  (void)state;
  float *one[4], *three[4];
  open_slabs(one);
  open_slabs(three);
  fn_device *a = device_with(FN_BACKEND_FAST, FN_CPU_AVX512, 1), *b = device_with(FN_BACKEND_FAST, FN_CPU_AVX512, 3);
  fn_device *c = device_with(FN_BACKEND_FAST, FN_CPU_C, 2);
  run_adamw(a, one);
  run_adamw(b, three);
  for (int i = 0; i < 4; i++) assert_memory_equal(one[i], three[i], N * sizeof(float));
  double norm = fn_device_squared_norm(a, one[1], segments, FN_COUNT_OF(segments)), sum = 0;
  assert_true(norm == fn_device_squared_norm(b, one[1], segments, FN_COUNT_OF(segments)));
  assert_true(norm == fn_device_squared_norm(c, one[1], segments, FN_COUNT_OF(segments)));
  for (size_t k = 0; k < FN_COUNT_OF(segments); k++)
    for (size_t i = 0; i < segments[k].n && !segments[k].frozen; i++)
      sum += (double)one[1][segments[k].offset + i] * (double)one[1][segments[k].offset + i];
  assert_true(sum > 0 && fabs(norm - sum) <= 1e-12 * sum);
  fn_device_zero(b, one[1], N - 1);
  for (size_t i = 0; i < N - 1; i++) assert_true(one[1][i] == 0);
  assert_true(one[1][N - 1] != 0);
  close_slabs(one);
  close_slabs(three);
  fn_device_destroy(a);
  fn_device_destroy(b);
  fn_device_destroy(c);
}

static void test_reserve(void **state) {
  (void)state;
  fn_err err = {0};
  fn_device *d = device_with(FN_BACKEND_FAST, FN_CPU_AVX512, 2);
  fn_device_shape small = {.max_T = 10, .max_B = 2, .longest = 8, .hidden = 32, .heads = 2, .feed_forward = 64};
  assert_int_equal(fn_device_reserve(d, &small, &err), FN_OK);
  size_t before = d->scratch_size;
  small.max_T = 5;
  assert_int_equal(fn_device_reserve(d, &small, &err), FN_OK);
  assert_int_equal(d->scratch_size, before);
  small.max_T = 1000;
  small.training = true;
  assert_int_equal(fn_device_reserve(d, &small, &err), FN_OK);
  assert_true(d->scratch_size > before);
  assert_null(fn_device_alloc(d, SIZE_MAX / 2));
  fn_device_destroy(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_create), cmocka_unit_test(test_options), cmocka_unit_test(test_adamw),
      cmocka_unit_test(test_bits),   cmocka_unit_test(test_reserve),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
