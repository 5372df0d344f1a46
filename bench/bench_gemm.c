/* Own multiplication against oneDNN at the shapes of training, beside what the cores can do from registers alone.
 *   bench_gemm [avx512|avx2] [threads] [seconds per figure]
 * Three products of each linear layer over T = 4096 rows: forward y = x Wᵀ, dx = dy W, dw += dyᵀ x; packing and the
 * sharing out among threads are part of it. The three take turns, call by call, so that a noisy neighbour meets all;
 * figures are GF/s, the best of the calls that fit into the time; with one thread, of processor time. oneDNN is held to
 * AVX2 from outside: ONEDNN_MAX_CPU_ISA=AVX2 bench_gemm avx2. */
#include "bench.h"
#include "tensor/ops.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ROWS = 4096 };

/* Fused multiply-adds from registers only: 12 chains are enough to hide their latency. */
enum { FMA_STEPS = 500000, FMA_CHAINS = 12 };

#if defined(__x86_64__)
#define FN_FMA_LOOP(name, isa, type, set, fma, store)                                                                  \
  __attribute__((target(isa))) static void name(float *out) {                                                          \
    type x = set(0.999f), acc[FMA_CHAINS];                                                                             \
    for (int i = 0; i < FMA_CHAINS; i++) acc[i] = set((float)i);                                                       \
    for (int s = 0; s < FMA_STEPS; s++)                                                                                \
      _Pragma("GCC unroll 12") for (int i = 0; i < FMA_CHAINS; i++) acc[i] = fma(acc[i], x, x);                        \
    for (int i = 0; i < FMA_CHAINS; i++) store(out + 16 * i, acc[i]);                                                  \
  }
FN_FMA_LOOP(fma_avx512, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_storeu_ps)
FN_FMA_LOOP(fma_avx2, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_storeu_ps)
#endif

typedef struct ceiling_job {
  bool wide;
  float out[64][16 * FMA_CHAINS];
} ceiling_job;

static void ceiling_task(void *arg, size_t i, int worker) {
  ceiling_job *j = arg;
  (void)worker;
#if defined(__x86_64__)
  if (j->wide)
    fma_avx512(j->out[i]);
  else
    fma_avx2(j->out[i]);
#else
  (void)i;
#endif
}

static uint64_t now(size_t n_threads) {
  return n_threads == 1 ? fn_clock_processor_ns() : fn_clock_ns();
}

static double seconds_since(uint64_t begin, size_t n_threads) {
  return (double)(now(n_threads) - begin) * 1e-9;
}

/* GF/s of one run; 0 where there is no such loop. */
static double ceiling(fn_device *device, size_t n_threads, ceiling_job *job) {
#if defined(__x86_64__)
  uint64_t begin = now(n_threads);
  fn_pool_run(fn_device_pool(device), n_threads, ceiling_task, job);
  return 2e-9 * (job->wide ? 16 : 8) * FMA_CHAINS * FMA_STEPS * (double)n_threads / seconds_since(begin, n_threads);
#else
  (void)device;
  (void)n_threads;
  (void)job;
  return 0;
#endif
}

typedef struct layer {
  fn_mat x, y;
  fn_linear l;
} layer;

static fn_mat random_mat(fn_device *d, size_t n_rows, size_t n_cols) {
  fn_rng rng = fn_rng_make(1, n_rows + n_cols);
  float *p = need(fn_device_alloc(d, n_rows * n_cols));
  for (size_t i = 0; i < n_rows * n_cols; i++) p[i] = (float)fn_rng_below(&rng, 2001) * 1e-3f - 1;
  return fn_mat_make(p, n_rows, n_cols);
}

enum product { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT };

static double gflops(fn_device *d, layer *y, enum product product, size_t n_threads) {
  const fn_ops *ops = fn_device_ops(d);
  const fn_mat none = {0};
  fn_linear l = y->l;
  if (product != WEIGHT_GRADIENT) l.dw = NULL;
  uint64_t begin = now(n_threads);
  if (product == FORWARD)
    ops->linear(d, y->y, y->x, &l);
  else
    ops->linear_backward(d, product == WEIGHT_GRADIENT ? none : y->x, false, y->y, y->x, &l);
  return 2e-9 * ROWS * (double)l.n_in * (double)l.n_out / seconds_since(begin, n_threads);
}

static void keep_more(double *most, double x) {
  *most = x > *most ? x : *most;
}

static fn_device *make_device(fn_gemm gemm, fn_cpu_level level, int n_threads) {
  fn_err err = {0};
  fn_device *d;
  fn_device_options options = FN_DEVICE_OPTIONS_INIT;
  options.gemm = gemm;
  options.max_level = level;
  options.n_threads = n_threads;
  check(fn_device_create(&d, &options, &err), &err);
  const fn_device_shape shape = {.max_T = ROWS,
                                 .max_B = 16,
                                 .longest = 256,
                                 .hidden = 768,
                                 .heads = 12,
                                 .feed_forward = 3072,
                                 .head_width = 768,
                                 .training = true};
  check(fn_device_reserve(d, &shape, &err), &err);
  return d;
}

int main(int argc, char **argv) {
  static const size_t shapes[][2] = {{384, 384}, {384, 1536}, {1536, 384}, {768, 768}, {768, 3072}, {3072, 768}};
  const bool wide = argc < 2 || strcmp(argv[1], "avx2") != 0;
  const fn_cpu_level level = wide ? FN_CPU_AVX512 : FN_CPU_AVX2;
  const int n_threads = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 2;
  const double seconds = argc > 3 ? strtod(argv[3], NULL) : 0.5;
  const size_t n_used = (size_t)(n_threads < 64 ? n_threads : 64);
  char text[128];
  fn_device *devices[2] = {make_device(FN_GEMM_OWN, level, n_threads), make_device(FN_GEMM_ONEDNN, level, n_threads)};
  fn_device *d = devices[0];
  ceiling_job *job = need(fn_mem_calloc(1, sizeof *job));
  job->wide = wide && fn_cpu_level_present(FN_CPU_AVX512);
  fn_device_describe(text, sizeof text, devices[1]);
  printf("%s, GF/s\n\n| in → out | forward own / oneDNN | dx own / oneDNN | dw own / oneDNN | from registers alone |\n"
         "|---|---|---|---|---|\n",
         text);
  for (size_t s = 0; s < FN_COUNT_OF(shapes); s++) {
    layer y = {.x = random_mat(d, ROWS, shapes[s][0]), .y = random_mat(d, ROWS, shapes[s][1])};
    fn_mat w = random_mat(d, shapes[s][1], shapes[s][0]), dw = random_mat(d, shapes[s][1], shapes[s][0]);
    double most = 0;
    y.l = (fn_linear){.n_in = shapes[s][0], .n_out = shapes[s][1], .w = w.data, .dw = dw.data};
    printf("| %zu → %zu |", shapes[s][0], shapes[s][1]);
    for (enum product p = FORWARD; p <= WEIGHT_GRADIENT; p++) {
      double own = 0, onednn = 0;
      for (uint64_t begin = now(n_used); seconds_since(begin, n_used) < seconds;) {
        keep_more(&own, gflops(devices[0], &y, p, n_used));
        keep_more(&onednn, gflops(devices[1], &y, p, n_used));
        keep_more(&most, ceiling(d, n_used, job));
      }
      printf(" %.0f / %.0f |", own, onednn);
    }
    printf(" %.0f |\n", most);
    fn_device_free(d, y.x.data);
    fn_device_free(d, y.y.data);
    fn_device_free(d, w.data);
    fn_device_free(d, dw.data);
  }
  free(job);
  fn_device_destroy(devices[0]);
  fn_device_destroy(devices[1]);
  return 0;
}
