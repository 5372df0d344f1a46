/* One article through an encoder of random weights: milliseconds, and where they go.
 *   bench_int8 [minilm|bert] [int8|f32] [16,128,256,512] [threads] [level] [seconds per length]
 * Lengths "-": one a line from standard input, answered as it comes, for int8_ratio.py. Prints, for each length, the
 * median and the 99th hundredth of the times, tokens a second, and processor time of all threads by operation. Speed
 * does not depend on the weights. */
#include "../tests/unit/tensor/encoder.h"

#include <stdio.h>

static void check(fn_status status, const fn_err *err) {
  if (status == FN_OK) return;
  fprintf(stderr, "%s\n", err->message);
  exit(fn_status_exit_code(status));
}

static const char *argument(int argc, char **argv, int i, const char *otherwise) {
  return argc > i ? argv[i] : otherwise;
}

static fn_cpu_level level_of(const char *name) {
  for (int i = 0; i < FN_CPU_LEVEL_COUNT; i++)
    if (strcmp(name, fn_cpu_level_name((fn_cpu_level)i)) == 0) return (fn_cpu_level)i;
  fprintf(stderr, "%s is not a level of the CPU\n", name);
  exit(2);
}

static int compare(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

enum { MOST = 100000 };

static void bench(const encoder *e, fn_device *d, size_t T, double seconds) {
  static uint64_t times[MOST];
  fn_err err = {0};
  float logits[2];
  encoder_batch b;
  encoder_batch_open(&b, &e->shape, &T, 0, 1, 5);
  const fn_device_shape shape = encoder_device_shape(&e->shape, &b);
  float *workspace = fn_mem_slab(encoder_floats(&e->shape, &b) * sizeof *workspace);
  if (!workspace) abort();
  check(fn_device_reserve(d, &shape, &err), &err);
  size_t n = 0;
  for (int i = 0; i < 3; i++) encoder_forward(logits, e, d, &b, workspace);
  for (uint64_t begin = fn_clock_ns(); n < MOST && (n < 5 || fn_clock_ns() - begin < (uint64_t)(seconds * 1e9)); n++) {
    const uint64_t t = fn_clock_ns();
    encoder_forward(logits, e, d, &b, workspace);
    times[n] = fn_clock_ns() - t;
  }
  qsort(times, n, sizeof *times, compare);
  printf("s=%zu: p50 %.3f ms, p99 %.3f ms, least %.3f ms, %.0f tokens/s;", T, (double)times[n / 2] * 1e-6,
         (double)times[n * 99 / 100] * 1e-6, (double)times[0] * 1e-6, (double)T / ((double)times[n / 2] * 1e-9));
  fn_device_profile_enable(d, true);
  const size_t rounds = n / 4 + 1;
  for (size_t i = 0; i < rounds; i++) encoder_forward(logits, e, d, &b, workspace);
  const fn_profile_entry *entries;
  const size_t n_entries = fn_device_profile(d, &entries);
  for (size_t i = 0; i < n_entries; i++)
    if (entries[i].calls > 0) printf(" %s %.0f", entries[i].name, (double)entries[i].ns * 1e-3 / (double)rounds);
  printf(" us\n");
  fn_device_profile_enable(d, false);
  free(workspace);
  encoder_batch_close(&b);
}

static void bench_list(const encoder *e, fn_device *d, const char *p, double seconds) {
  while (*p >= '0' && *p <= '9') {
    char *end;
    const size_t T = (size_t)strtoull(p, &end, 10);
    if (T < 1 || T > e->shape.P) {
      fprintf(stderr, "lengths are 1 to %zu\n", e->shape.P);
      exit(2);
    }
    bench(e, d, T, seconds);
    p = *end == ',' ? end + 1 : end;
  }
  fflush(stdout);
}

int main(int argc, char **argv) {
  static const encoder_shape minilm = {384, 12, 1536, 6, 30522, 512, 2}, bert = {768, 12, 3072, 12, 30522, 512, 2};
  fn_err err = {0};
  const bool int8 = strcmp(argument(argc, argv, 2, "int8"), "f32") != 0;
  fn_device_options options = FN_DEVICE_OPTIONS_INIT;
  options.backend = int8 ? FN_BACKEND_INT8 : FN_BACKEND_FAST;
  options.n_threads = (int)strtol(argument(argc, argv, 4, "2"), NULL, 10);
  options.max_level = level_of(argument(argc, argv, 5, "amx"));
  const double seconds = strtod(argument(argc, argv, 6, "1"), NULL);
  fn_device *d;
  check(fn_device_create(&d, &options, &err), &err);
  char text[128];
  fn_device_describe(text, sizeof text, d);
  printf("%s\n", text);
  fflush(stdout);
  static encoder e;
  encoder_open(&e, strcmp(argument(argc, argv, 1, "minilm"), "bert") == 0 ? &bert : &minilm, int8, 1);
  const char *list = argument(argc, argv, 3, "16,128,256,512");
  char line[64];
  if (strcmp(list, "-") != 0) bench_list(&e, d, list, seconds);
  while (strcmp(list, "-") == 0 && fgets(line, sizeof line, stdin)) bench_list(&e, d, line, seconds);
  encoder_close(&e);
  fn_device_destroy(d);
  return 0;
}
