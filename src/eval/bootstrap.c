#include "eval/sums.h"

#include <math.h>
#include <stdlib.h>

enum { ACCURACY, F1_WEIGHTED, F1_MACRO, ROC_AUC, BRIER, LOG_LOSS, ECE, N_INTERVALS };

typedef struct bootstrap {
  const fn_eval_row *rows; /* [n], index = group */
  size_t n, n_groups, n_resamples;
  uint64_t seed;
  uint32_t *counts; /* [n_workers][n_groups] how often each group was drawn */
  double *values;   /* [N_INTERVALS][n_resamples] */
} bootstrap;

static void resample(void *arg, size_t r, int worker) {
  bootstrap *b = arg;
  uint32_t *counts = b->counts + (size_t)worker * b->n_groups;
  memset(counts, 0, b->n_groups * sizeof *counts);
  fn_rng rng = fn_rng_make(b->seed, r);
  for (size_t i = 0; i < b->n_groups; i++) counts[fn_rng_below(&rng, b->n_groups)]++;
  fn_eval_sums sums;
  fn_eval_sums_make(&sums, b->rows, b->n, counts);
  fn_metrics m;
  fn_eval_sums_to_metrics(&m, &sums);
  const double value[N_INTERVALS] = {m.accuracy, m.weighted.f1, m.macro.f1, m.roc_auc, m.brier, m.log_loss, m.ece};
  for (size_t k = 0; k < N_INTERVALS; k++) b->values[k * b->n_resamples + r] = value[k];
}

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double quantile(const double *sorted, size_t n, double q) {
  double at = q * (double)(n - 1);
  size_t i = (size_t)at;
  if (i + 1 >= n) return sorted[n - 1];
  return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

/* Sorts values in place. */
static fn_interval percentile_interval(double *values, size_t n) {
  size_t defined = 0;
  for (size_t i = 0; i < n; i++) {
    if (!isnan(values[i])) values[defined++] = values[i];
  }
  if (2 * defined < n) return (fn_interval){FN_UNDEFINED, FN_UNDEFINED};
  qsort(values, defined, sizeof *values, compare_doubles);
  return (fn_interval){quantile(values, defined, 0.025), quantile(values, defined, 0.975)};
}

/* Puts each row's group where its index stood, so that a resample reads rows in one stream. */
static fn_status set_groups(fn_eval_row *rows, const uint32_t *groups, size_t n, size_t n_groups, fn_err *err) {
  for (size_t i = 0; i < n; i++) {
    uint32_t group = groups[rows[i].index];
    if (group >= n_groups) {
      return fn_err_set(err, FN_E_INVALID, "row %u: group %u is not below the number of groups, %zu", rows[i].index,
                        group, n_groups);
    }
    rows[i].index = group;
  }
  return FN_OK;
}

fn_status fn_metrics_bootstrap(fn_metrics_intervals *intervals_out, const double *p_fake, const int32_t *labels,
                               const uint32_t *groups, size_t n, size_t n_groups, int32_t n_resamples, uint64_t seed,
                               fn_pool *pool, fn_err *err) {
  if (n_resamples < 1 || n_resamples > FN_EVAL_MAX_RESAMPLES) {
    return fn_err_set(err, FN_E_INVALID, "bootstrap: %d resamples are not in [1,%d]", (int)n_resamples,
                      FN_EVAL_MAX_RESAMPLES);
  }
  if (n_groups == 0 || n_groups > n || n_groups > INT32_MAX) {
    return fn_err_set(err, FN_E_INVALID, "bootstrap: %zu groups for %zu rows", n_groups, n);
  }
  FN_AUTO_FREE fn_eval_row *rows = NULL;
  FN_TRY(fn_eval_rows_make(&rows, p_fake, labels, n, err));
  FN_TRY(set_groups(rows, groups, n, n_groups, err));
  const fn_interval undefined = {FN_UNDEFINED, FN_UNDEFINED};
  fn_metrics_intervals out = {undefined, undefined, undefined,         undefined,  undefined,
                              undefined, undefined, (int32_t)n_groups, n_resamples};
  if (n_groups >= 2) {
    size_t n_workers = (size_t)fn_pool_n_threads(pool), n_counts = 0;
    bootstrap b = {.rows = rows, .n = n, .n_groups = n_groups, .n_resamples = (size_t)n_resamples, .seed = seed};
    FN_AUTO_FREE uint32_t *counts =
        fn_size_mul(&n_counts, n_workers, n_groups) ? fn_mem_calloc(n_counts, sizeof *counts) : NULL;
    FN_AUTO_FREE double *values = fn_mem_calloc(b.n_resamples, N_INTERVALS * sizeof *values);
    if (counts == NULL || values == NULL) return fn_err_no_memory(err, "bootstrap resamples");
    b.counts = counts;
    b.values = values;
    fn_pool_run(pool, b.n_resamples, resample, &b);
    fn_interval *const to[N_INTERVALS] = {&out.accuracy, &out.f1_weighted, &out.f1_macro, &out.roc_auc,
                                          &out.brier,    &out.log_loss,    &out.ece};
    for (size_t k = 0; k < N_INTERVALS; k++) *to[k] = percentile_interval(values + k * b.n_resamples, b.n_resamples);
  }
  *intervals_out = out;
  return FN_OK;
}
