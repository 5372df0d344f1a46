/* Training speed of the encoder on random tokens: the counterpart of a PyTorch step on the same shapes.
 *   bench_train_step [minilm|bert] [rows] [length] [threads] [steps] [own|onednn] [dense|lengths]
 * One step is zero, forward, backward, norm, AdamW, all dropouts at 0.1. `lengths` draws row lengths between length/8
 * and length, as articles have them. Prints tokens per second (median and best step), peak memory, and the processor
 * time by operation of the step that took least of it: on a shared machine the one that others disturbed least. */
#include "bench.h"
#include "model/config.h"
#include "model/model.h"
#include "tensor/ops.h"

#include <assert.h>
#include <sys/resource.h>

typedef struct bench {
  fn_device *device;
  fn_model *model;
  fn_batch batch;
  fn_segment *segments;
  float *m, *v;
  int32_t *numbers;
  uint32_t *draws;
} bench;

static void make_batch(bench *b, int32_t rows, int32_t length, bool dense) {
  size_t B = (size_t)rows, T = B * (size_t)length;
  fn_rng rng = fn_rng_make(1, 2);
  b->numbers = need(fn_mem_calloc(3 * T + 2 * B + 1, sizeof *b->numbers));
  b->draws = need(fn_mem_calloc(B, sizeof *b->draws));
  b->batch = (fn_batch){.B = rows, .ids = b->numbers, .type_ids = b->numbers + T, .positions = b->numbers + 2 * T};
  b->batch.offsets = b->numbers + 3 * T;
  b->batch.labels = b->batch.offsets + B + 1;
  b->batch.draws = b->draws;
  b->batch.weights = need(fn_mem_calloc(B, sizeof(float)));
  for (int32_t r = 0; r < rows; r++) {
    int32_t n = dense ? length : length / 8 + (int32_t)fn_rng_below(&rng, (uint64_t)(length - length / 8 + 1));
    n = n < 1 ? 1 : n;
    for (int32_t i = 0; i < n; i++, b->batch.T++) {
      b->batch.ids[b->batch.T] = 1000 + (int32_t)fn_rng_below(&rng, 29000);
      b->batch.positions[b->batch.T] = i;
    }
    b->batch.offsets[r + 1] = b->batch.T;
    b->batch.longest = n > b->batch.longest ? n : b->batch.longest;
    b->batch.weights[r] = 1;
    b->draws[r] = (uint32_t)r;
  }
}

static void make_model(bench *b, const char *which) {
  fn_err err = {0};
  fn_model_config c;
  fn_model_config_init(&c);
  if (strcmp(which, "minilm") == 0) {
    c.hidden_size = 384;
    c.num_hidden_layers = 6;
    c.intermediate_size = 1536;
  }
  check(fn_model_create(&b->model, &c, b->device, 1, &err), &err);
  check(fn_model_plan(b->model, b->batch.T, b->batch.B, b->batch.longest, true, &err), &err);
  size_t n = fn_model_n_parameters(b->model), slab = fn_model_slab_n(b->model);
  b->m = need(fn_mem_slab(slab * sizeof(float)));
  b->v = need(fn_mem_slab(slab * sizeof(float)));
  b->segments = need(fn_mem_calloc(n, sizeof *b->segments));
  for (size_t i = 0; i < n; i++) {
    const fn_parameter *p = fn_model_parameter(b->model, i);
    b->segments[i] = (fn_segment){p->offset, p->n, 1, p->decay ? 0.01f : 0, false};
  }
}

/* Seconds on the clock; *processor_out: of processor time. */
static double step(double *processor_out, bench *b, int64_t index) {
  fn_err err = {0};
  double loss;
  uint64_t begin = fn_clock_ns(), processor_begin = fn_clock_processor_ns();
  const fn_dropout_key key = {7, (uint64_t)index};
  float *gradients = fn_model_gradients(b->model);
  size_t n = fn_model_n_parameters(b->model);
  fn_device_zero(b->device, gradients, fn_model_slab_n(b->model));
  check(fn_model_forward_backward(&loss, NULL, b->model, &b->batch, 1.0 / b->batch.B, 0, &key, &err), &err);
  double norm = fn_device_squared_norm(b->device, gradients, b->segments, n);
  const fn_adamw_step args = {.values = fn_model_values(b->model),
                              .gradients = gradients,
                              .m = b->m,
                              .v = b->v,
                              .segments = b->segments,
                              .n_segments = n,
                              .lr = 1e-5,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .epsilon = 1e-8,
                              .gradient_scale = norm > 1 ? 1 / norm : 1,
                              .step = index};
  fn_device_adamw(b->device, &args);
  *processor_out = (double)(fn_clock_processor_ns() - processor_begin) * 1e-9;
  return (double)(fn_clock_ns() - begin) * 1e-9;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The profile of the step that took least processor time so far. */
enum { MAX_OPERATIONS = 64 };
typedef struct best_step {
  double seconds;
  size_t n;
  fn_profile_entry entries[MAX_OPERATIONS];
} best_step;

static void keep_best(best_step *best, const bench *b, double seconds) {
  const fn_profile_entry *entries;
  size_t n = fn_device_profile(b->device, &entries);
  assert(n <= MAX_OPERATIONS);
  if (best->n == 0 || seconds < best->seconds) {
    best->seconds = seconds;
    best->n = n;
    memcpy(best->entries, entries, n * sizeof *entries);
  }
  fn_device_profile_enable(b->device, true);
}

static void report(const bench *b, const char *which, double *seconds, int n_steps, const best_step *best) {
  struct rusage usage;
  char device[128];
  double rest = best->seconds, tokens = b->batch.T;
  qsort(seconds, (size_t)n_steps, sizeof *seconds, compare);
  getrusage(RUSAGE_SELF, &usage);
  fn_device_describe(device, sizeof device, b->device);
  printf("%s %d rows, %d tokens, %s: %.0f tokens/s (best %.0f), %.0f per second of processor time, peak %ld MB\n",
         which, b->batch.B, b->batch.T, device, tokens / seconds[n_steps / 2], tokens / seconds[0],
         tokens / best->seconds, usage.ru_maxrss / 1024);
  for (size_t i = 0; i < best->n; i++) {
    const double s = (double)best->entries[i].ns * 1e-9;
    printf("  %-32s %7.1f ms %5.1f %%\n", best->entries[i].name, s * 1e3, 100 * s / best->seconds);
    rest -= s;
  }
  printf("  %-32s %7.1f ms %5.1f %%\n", "the rest", rest * 1e3, 100 * rest / best->seconds);
}

static const char *argument(int argc, char **argv, int i, const char *fallback) {
  return argc > i ? argv[i] : fallback;
}

int main(int argc, char **argv) {
  bench b = {0};
  fn_err err = {0};
  const char *which = argument(argc, argv, 1, "minilm");
  fn_device_options options = FN_DEVICE_OPTIONS_INIT;
  int n_steps = (int)strtol(argument(argc, argv, 5, "5"), NULL, 10);
  options.n_threads = (int)strtol(argument(argc, argv, 4, "2"), NULL, 10);
  if (strcmp(argument(argc, argv, 6, "own"), "onednn") == 0) options.gemm = FN_GEMM_ONEDNN;
  if (strcmp(argument(argc, argv, 6, "own"), "avx2") == 0) options.max_level = FN_CPU_AVX2;
  if (strcmp(argument(argc, argv, 6, "own"), "c") == 0) options.max_level = FN_CPU_C;
  check(fn_device_create(&b.device, &options, &err), &err);
  make_batch(&b, (int32_t)strtol(argument(argc, argv, 2, "16"), NULL, 10),
             (int32_t)strtol(argument(argc, argv, 3, "256"), NULL, 10),
             strcmp(argument(argc, argv, 7, "dense"), "dense") == 0);
  make_model(&b, which);
  double *seconds = need(fn_mem_calloc((size_t)n_steps, sizeof *seconds));
  double processor;
  step(&processor, &b, 1);
  fn_device_profile_enable(b.device, true);
  best_step best = {0};
  for (int i = 0; i < n_steps; i++) {
    seconds[i] = step(&processor, &b, i + 2);
    keep_best(&best, &b, processor);
  }
  report(&b, which, seconds, n_steps, &best);
  free(seconds);
  free(b.m);
  free(b.v);
  free(b.segments);
  free(b.numbers);
  free(b.draws);
  free(b.batch.weights);
  fn_model_destroy(b.model);
  fn_device_destroy(b.device);
  return 0;
}
