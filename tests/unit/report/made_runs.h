/* Runs made up for tests of the report: of any number, with curves of any length, in the shapes that trainings have. */
#ifndef FN_TESTS_MADE_RUNS_H
#define FN_TESTS_MADE_RUNS_H

#include "base/rng.h"
#include "report/report.h"

#include <math.h>

typedef struct made_options {
  size_t n_runs, n_steps, n_params, n_keys; /* n_keys: metrics beyond the usual ones */
  bool hostile;                             /* every text tries to break out */
} made_options;

typedef struct made_runs {
  fn_arena arena;
  fn_report_run *runs;
  fn_runs_report report;
} made_runs;

#define MADE_HOSTILE                                                                                                   \
  "</script><script>window.broken=1</script><!--\"'><img src=x onerror=window.broken=1>\xFF\x01 \xE2\x80\xAE"

static inline char *made_text(made_runs *m, const char *format, ...) FN_PRINTF(2, 3);
static inline char *made_text(made_runs *m, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return fn_arena_strndup(&m->arena, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static const char *const made_metric_names[] = {"loss", "accuracy", "roc_auc", "f1_weighted", "brier", "ece"};
enum { MADE_TRAIN = 4, MADE_VAL = 6, MADE_SYSTEM = 2, MADE_USUAL = MADE_TRAIN + MADE_VAL + MADE_SYSTEM };

static inline double made_noise(size_t run, size_t key, size_t step) {
  uint64_t x = run * 7919 + key * 104729 + step * 1299709 + 12345;
  x ^= x >> 33, x *= 0xFF51AFD7ED558CCDULL, x ^= x >> 33, x *= 0xC4CEB9FE1A85EC53ULL, x ^= x >> 33;
  return (double)(x >> 11) / 9007199254740992.0 - 0.5;
}

static inline double made_value(size_t run, size_t key, size_t i, size_t n) {
  const double t = (double)i / (double)(n > 1 ? n - 1 : 1), rate = 1 + (double)(run % 5),
               noise = made_noise(run, key, i);
  const double loss = 0.2 + 0.03 * (double)(run % 7) + 0.5 * exp(-rate * 2 * t);
  switch (key) {
  case 0: return loss * (1 + 0.4 * noise);
  case 1: return 5e-4 / (double)(1 + run % 3) * fmin(t * 10, 1) * (1.0001 - t) + 1e-9;
  case 2: return exp(-2 * t) * (1.2 + noise) + 0.05;
  case 3: return 21000 + 4000 * noise + 500 * (double)run;
  case 4: return loss + 0.25 * t * t * t;
  case 5: return 1 - loss / 1.6 + 0.02 * noise;
  case 6: return 1 - loss / 2.4 + 0.01 * noise;
  case 7: return 1 - loss / 1.5;
  case 8: return loss / 4;
  case 9: return 0.03 + 0.05 * t + 0.01 * noise;
  case 10: return 88 + 20 * noise;
  default: return 2100 + 300 * t + 10 * (double)run;
  }
}

static inline void made_curves(made_runs *m, fn_report_run *run, size_t r, const made_options *o) {
  static const char *const keys[MADE_USUAL] = {"train/loss",
                                               "train/learning_rate",
                                               "train/gradient_norm",
                                               "train/tokens_per_second",
                                               "val/loss",
                                               "val/accuracy",
                                               "val/roc_auc",
                                               "val/f1_weighted",
                                               "val/brier",
                                               "val/ece",
                                               "system/cpu_utilization_percentage",
                                               "system/system_memory_usage_megabytes"};
  const size_t n_keys = MADE_USUAL + o->n_keys, n_test = FN_COUNT_OF(made_metric_names);
  const size_t buckets = fn_report_buckets(o->n_runs, n_keys);
  fn_report_metric *metrics = fn_arena_alloc(&m->arena, n_keys + n_test, sizeof *metrics);
  fn_report_curve *curves = fn_arena_alloc(&m->arena, n_keys, sizeof *curves);
  const double none = (double)NAN;
  fn_err err = {0};
  for (size_t k = 0; k < n_keys; k++) {
    const size_t n = k >= 4 && k < 10 ? (o->n_steps + 11) / 12 : o->n_steps, every = k >= 4 && k < 10 ? 12 : 1;
    curves[k].key = metrics[k].key = k < MADE_USUAL ? keys[k]
                                     : o->hostile   ? made_text(m, "%s%zu", MADE_HOSTILE, k)
                                                    : made_text(m, "more/%zu", k);
    fn_series_init(&curves[k].series, buckets, fn_report_window(curves[k].key, (int64_t)n));
    metrics[k].min = (double)INFINITY, metrics[k].max = -(double)INFINITY,
    metrics[k].kept = metrics[k].low = metrics[k].high = none;
    for (size_t i = 0; i < n; i++) {
      double v = made_value(r, k, i, n);
      if (o->hostile && i % 50 == 20) v = i % 100 == 20 ? none : (double)INFINITY;
      if (fn_series_add(&curves[k].series, (int64_t)((i + 1) * every), v, &err) != FN_OK) abort();
      metrics[k].last = v;
      metrics[k].last_step = (int64_t)((i + 1) * every);
      metrics[k].min = fmin(metrics[k].min, v);
      metrics[k].max = fmax(metrics[k].max, v);
      metrics[k].n++;
    }
    if (k == 4 && n > 0) metrics[k].kept = metrics[k].min;
  }
  for (size_t k = 0; k < n_test; k++) {
    const double v = made_value(r, 4 + k, 0, 1) * (k == 1 ? 1.1 : 0.9);
    metrics[n_keys + k] = (fn_report_metric){
        made_text(m, "test/%s", made_metric_names[k]), v, v, v, none, none, none, 1, (int64_t)o->n_steps, NULL};
    if (k == 1 && r == 0) metrics[n_keys + k].low = v - 0.03, metrics[n_keys + k].high = v + 0.02;
  }
  run->metrics = metrics;
  run->n_metrics = n_keys + n_test;
  run->curves = curves;
  run->n_curves = n_keys;
}

static inline void made_params(made_runs *m, fn_report_run *run, size_t r, const made_options *o) {
  static const char *const presets[] = {"headline", "article", "long"};
  fn_report_pair *params = fn_arena_alloc(&m->arena, o->n_params + 5, sizeof *params);
  size_t n = 0;
  params[n++] = (fn_report_pair){"train.learning_rate", made_text(m, "%g", 1e-5 * pow(3, (double)(r % 6)))};
  run->params = params;
  run->n_params = n;
  if (o->n_params == 0) return; /* one that differs, and no other */
  params[n++] = (fn_report_pair){"train.batch_size", made_text(m, "%d", 8 << (r % 3))};
  params[n++] = (fn_report_pair){"model.hidden_dropout_prob", made_text(m, "%g", 0.05 * (double)(1 + r % 4))};
  if (r != 2) params[n++] = (fn_report_pair){"preset", o->hostile ? MADE_HOSTILE : presets[r % 3]};
  params[n++] = (fn_report_pair){"train.epochs", "3"};
  for (size_t i = 0; i < o->n_params; i++)
    params[n++] = (fn_report_pair){o->hostile ? made_text(m, "%zu%s", i, MADE_HOSTILE)
                                              : made_text(m, "group%zu.option_%zu", i / 20, i),
                                   o->hostile ? made_text(m, "%s%zu", MADE_HOSTILE, r) : made_text(m, "value %zu", i)};
  run->params = params;
  run->n_params = n;
}

static inline void made_run(made_runs *m, fn_report_run *run, size_t r, const made_options *o) {
  static const char *const statuses[] = {"FINISHED", "FINISHED", "FINISHED", "INTERRUPTED", "FAILED", "RUNNING"};
  static const char *const presets[] = {"headline", "article", "long"};
  fn_report_artifact *files = fn_arena_alloc(&m->arena, 3, sizeof *files);
  fn_report_split *split = fn_arena_alloc(&m->arena, 1, sizeof *split);
  const char *bad = o->hostile ? MADE_HOSTILE : NULL;
  run->id = made_text(m, "%032zx", r + 0xABCDEF);
  run->name =
      bad ? made_text(m, "%s%zu", bad, r)
          : made_text(m, "2026-11-26T1%zu-20-37Z-%s-lr%g", r % 10, presets[r % 3], 1e-5 * pow(3, (double)(r % 6)));
  run->experiment = bad ? bad : "Default";
  run->user = bad ? bad : "editor";
  run->status = bad && r == 0 ? bad : statuses[r % 6];
  run->family = r == 1 ? "linear" : "bert";
  run->data = bad ? bad : "/home/editor/data";
  run->data_hash = bad ? bad : "992e8c65fa99708c1c0278026b3208f0";
  run->init = "sentence-transformers/all-MiniLM-L6-v2";
  run->init_hash = "78860fb5a06bc89653c803859ec56814";
  run->revision = bad ? bad : "593fe5e094cc";
  run->build = "0.1.0 (593fe5e094cc)";
  run->device = "fast avx512, own GEMM";
  run->folder = bad ? bad : made_text(m, "/home/editor/runs/%s", run->name);
  run->start_ms = 1795694400000 + (int64_t)r * 3600000;
  run->end_ms = r % 6 == 5 ? 0 : run->start_ms + 754000 + (int64_t)r * 61000;
  run->best_step = (int64_t)o->n_steps / 2;
  files[0] = (fn_report_artifact){bad ? bad : "config.yaml", "aa11", "runs/x/config.yaml", 4200};
  files[1] = (fn_report_artifact){"model/model.safetensors", "bb22", bad ? bad : "javascript:alert(1)", 91000000};
  files[2] = (fn_report_artifact){"result.json", "cc33", NULL, 1800};
  run->artifacts = files;
  run->n_artifacts = 3;
  const double accuracy = fmin(0.99, fmax(0, made_value(r, 5, 0, 1) * 1.1));
  const int64_t right = (int64_t)(1240 * accuracy);
  *split = (fn_report_split){"test", {{right, 1240 - right}, {1239 - right, right}}};
  run->splits = split;
  run->n_splits = 1;
  made_params(m, run, r, o);
  made_curves(m, run, r, o);
}

static inline void made_init(made_runs *m, const made_options *o) {
  *m = (made_runs){0};
  fn_arena_init(&m->arena);
  m->runs = fn_arena_alloc(&m->arena, o->n_runs, sizeof *m->runs);
  for (size_t r = 0; r < o->n_runs; r++) made_run(m, &m->runs[r], r, o);
  m->report = (fn_runs_report){.command = o->hostile ? MADE_HOSTILE : "fakenews runs report --out page.html",
                               .version = "0.1.0",
                               .made_ms = 1795734400000,
                               .metric = "val/loss",
                               .direction = -1,
                               .runs = m->runs,
                               .n_runs = o->n_runs};
}

static inline void made_deinit(made_runs *m) {
  for (size_t r = 0; r < m->report.n_runs; r++) {
    for (size_t k = 0; k < m->runs[r].n_curves; k++) {
      fn_series s = m->runs[r].curves[k].series;
      fn_series_deinit(&s);
    }
  }
  fn_arena_deinit(&m->arena);
}

#endif
