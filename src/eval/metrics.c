#include "eval/sums.h"

#include <math.h>
#include <stdlib.h>

static int compare_rows(const void *a, const void *b) {
  const fn_eval_row *x = a, *y = b;
  if (x->p != y->p) return x->p < y->p ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index; /* a total order: the same result from every qsort */
}

static uint8_t calibration_bin(double confidence) {
  double at = ceil(confidence * FN_EVAL_ECE_BINS) - 1.0;
  if (at < 0.0) return 0;
  return at >= FN_EVAL_ECE_BINS ? FN_EVAL_ECE_BINS - 1 : (uint8_t)at;
}

fn_status fn_eval_rows_make(fn_eval_row **rows_out, const double *p_fake, const int32_t *labels, size_t n,
                            fn_err *err) {
  if (n == 0) return fn_err_set(err, FN_E_INVALID, "metrics need at least one row");
  if (n > UINT32_MAX) return fn_err_set(err, FN_E_LIMIT, "metrics take at most %u rows", UINT32_MAX);
  fn_eval_row *rows = fn_mem_alloc(n, sizeof *rows);
  if (rows == NULL) return fn_err_no_memory(err, "sorted rows of the metrics");
  for (size_t i = 0; i < n; i++) {
    fn_status status = FN_OK;
    if (!(p_fake[i] >= 0.0 && p_fake[i] <= 1.0)) {
      status = fn_err_set(err, FN_E_INVALID, "row %zu: probability %g is not in [0,1]", i, p_fake[i]);
    } else if (labels[i] != 0 && labels[i] != 1) {
      status = fn_err_set(err, FN_E_INVALID, "row %zu: label %d is not 0 (real) or 1 (fake)", i, (int)labels[i]);
    }
    if (status != FN_OK) {
      free(rows);
      return status;
    }
    double p = p_fake[i], p_true = labels[i] ? p : 1.0 - p;
    rows[i] = (fn_eval_row){.p = p,
                            .loss = -log(fmin(fmax(p_true, 1e-15), 1.0 - 1e-15)),
                            .index = (uint32_t)i,
                            .label = (uint8_t)labels[i],
                            .bin = calibration_bin(fmax(p, 1.0 - p))};
  }
  qsort(rows, n, sizeof *rows, compare_rows);
  *rows_out = rows;
  return FN_OK;
}

void fn_eval_sums_make(fn_eval_sums *sums_out, const fn_eval_row *rows, size_t n, const uint32_t *counts) {
  fn_eval_sums s = {0};
  double reals_below = 0.0, tied_reals = 0.0, tied_fakes = 0.0;
  for (size_t i = 0; i < n; i++) {
    const fn_eval_row *row = &rows[i];
    if (i > 0 && row->p != rows[i - 1].p) { /* a run of equal scores ends: mid-rank, ties count half */
      s.pairs += tied_fakes * (reals_below + 0.5 * tied_reals);
      reals_below += tied_reals;
      tied_reals = tied_fakes = 0.0;
    }
    double count = counts ? (double)counts[row->index] : 1.0;
    if (count == 0.0) continue;
    int predicted = row->p > 0.5;
    double p_true = row->label ? row->p : 1.0 - row->p;
    s.confusion[row->label][predicted] += count;
    s.brier += count * (1.0 - p_true) * (1.0 - p_true);
    s.log_loss += count * row->loss;
    s.gap[row->bin] += count * ((predicted == row->label ? 1.0 : 0.0) - fmax(row->p, 1.0 - row->p));
    if (row->label) {
      tied_fakes += count;
    } else {
      tied_reals += count;
    }
  }
  s.pairs += tied_fakes * (reals_below + 0.5 * tied_reals);
  *sums_out = s;
}

static double ratio(double numerator, double denominator) {
  return denominator > 0.0 ? numerator / denominator : FN_UNDEFINED;
}

static fn_class_metrics class_metrics(const double confusion[2][2], int k) {
  double hit = confusion[k][k], missed = confusion[k][1 - k], wrong = confusion[1 - k][k];
  return (fn_class_metrics){.precision = ratio(hit, hit + wrong),
                            .recall = ratio(hit, hit + missed),
                            .f1 = ratio(2.0 * hit, 2.0 * hit + missed + wrong),
                            .support = (int64_t)(hit + missed)};
}

/* A weight of 0 drops its term: 0 · NaN would say that a class which never occurs spoils the mean. */
static double mean2(double a, double b, double weight_a, double weight_b) {
  if (weight_a == 0.0) return b;
  if (weight_b == 0.0) return a;
  return (weight_a * a + weight_b * b) / (weight_a + weight_b);
}

static fn_class_metrics average(const fn_class_metrics c[2], double w0, double w1) {
  return (fn_class_metrics){.precision = mean2(c[0].precision, c[1].precision, w0, w1),
                            .recall = mean2(c[0].recall, c[1].recall, w0, w1),
                            .f1 = mean2(c[0].f1, c[1].f1, w0, w1),
                            .support = c[0].support + c[1].support};
}

void fn_eval_sums_to_metrics(fn_metrics *metrics_out, const fn_eval_sums *sums) {
  const double(*c)[2] = sums->confusion;
  double reals = c[0][0] + c[0][1], fakes = c[1][0] + c[1][1], n = reals + fakes, ece = 0.0;
  for (int b = 0; b < FN_EVAL_ECE_BINS; b++) ece += fabs(sums->gap[b]);
  fn_metrics m = {.n = (int64_t)n,
                  .confusion = {{(int64_t)c[0][0], (int64_t)c[0][1]}, {(int64_t)c[1][0], (int64_t)c[1][1]}},
                  .accuracy = ratio(c[0][0] + c[1][1], n),
                  .by_class = {class_metrics(c, 0), class_metrics(c, 1)},
                  .roc_auc = ratio(sums->pairs, reals * fakes),
                  .brier = ratio(sums->brier, n),
                  .log_loss = ratio(sums->log_loss, n),
                  .ece = ratio(ece, n)};
  m.macro = average(m.by_class, 1.0, 1.0);
  m.weighted = average(m.by_class, reals, fakes);
  *metrics_out = m;
}

fn_status fn_metrics_compute(fn_metrics *metrics_out, const double *p_fake, const int32_t *labels, size_t n,
                             fn_err *err) {
  FN_AUTO_FREE fn_eval_row *rows = NULL;
  FN_TRY(fn_eval_rows_make(&rows, p_fake, labels, n, err));
  fn_eval_sums sums;
  fn_eval_sums_make(&sums, rows, n, NULL);
  fn_eval_sums_to_metrics(metrics_out, &sums);
  return FN_OK;
}
