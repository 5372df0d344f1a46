/* Facade of src/eval: metrics of a binary classifier, in double. Class 1 = fake is the positive class; a tie at 0.5 is
 * real (label 0); what is undefined (no positive, one class only) is NaN and shows as null. */
#ifndef FN_EVAL_EVAL_H
#define FN_EVAL_EVAL_H

#include "base/base.h"

typedef struct fn_class_metrics {
  double precision, recall, f1;
  int64_t support;
} fn_class_metrics;

typedef struct fn_metrics {
  int64_t n;
  int64_t confusion[2][2]; /* [true][predicted] */
  double accuracy;
  fn_class_metrics by_class[2];
  fn_class_metrics macro, weighted;
  double roc_auc;          /* mid-rank (ties count half) */
  double brier;            /* mean (p_fake - label)^2 */
  double log_loss;         /* mean cross-entropy, p clipped to [1e-15, 1-1e-15] */
  double ece;              /* expected calibration error of p(predicted class), 15 equal-width bins */
} fn_metrics;

/* p_fake[n] in [0,1], labels[n] in {0,1}, weights NULL or [n] ≥ 0 is not supported: every row counts once. */
FN_NODISCARD fn_status fn_metrics_compute(fn_metrics *metrics_out, const double *p_fake, const int32_t *labels,
                                          size_t n, fn_err *err);

/* 95 % percentile interval by resampling whole groups (sources, or clusters where the source is unknown) with
 * replacement. groups[n]: dense ids 0 … n_groups-1. Deterministic in seed. NaN where fewer than 2 groups. */
typedef struct fn_interval {
  double low, high;
} fn_interval;
typedef struct fn_metrics_intervals {
  fn_interval accuracy, f1_weighted, f1_macro, roc_auc, brier, log_loss, ece;
  int32_t n_groups, n_resamples;
} fn_metrics_intervals;
FN_NODISCARD fn_status fn_metrics_bootstrap(fn_metrics_intervals *intervals_out, const double *p_fake,
                                            const int32_t *labels, const uint32_t *groups, size_t n, size_t n_groups,
                                            int32_t n_resamples, uint64_t seed, fn_pool *pool, fn_err *err);

#endif
