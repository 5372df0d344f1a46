/* Facade of src/eval: metrics of a binary classifier, in double. Class 1 = fake is the positive class; a tie at 0.5 is
 * real (label 0); what is undefined (no positive, one class only) is NaN and shows as null.
 *
 *   fn_metrics m;
 *   FN_TRY(fn_metrics_compute(&m, p_fake, labels, n, err));
 *   FN_TRY(fn_groups_make(groups, &n_groups, sources, clusters, n, err));
 *   FN_TRY(fn_metrics_bootstrap(&intervals, p_fake, labels, groups, n, n_groups, 1000, seed, pool, err)); */
#ifndef FN_EVAL_EVAL_H
#define FN_EVAL_EVAL_H

#include "base/base.h"

#include <math.h>

#define FN_UNDEFINED          ((double)NAN) /* value of a metric that the rows do not define */
#define FN_EVAL_ECE_BINS      15
#define FN_EVAL_MAX_RESAMPLES 1000000

typedef struct fn_class_metrics {
  double precision, recall, f1; /* precision: NaN when the class is never predicted; recall: when it never occurs */
  int64_t support;              /* rows whose true class it is */
} fn_class_metrics;

typedef struct fn_metrics {
  int64_t n;
  int64_t confusion[2][2]; /* [true][predicted] */
  double accuracy;
  fn_class_metrics by_class[2];
  fn_class_metrics macro;    /* plain mean over both classes, NaN as soon as one of them is */
  fn_class_metrics weighted; /* mean weighted by support; a class that never occurs has no weight */
  double roc_auc;            /* mid-rank (ties count half); NaN with one class */
  double brier;              /* mean (p_fake - label)^2 */
  double log_loss;           /* mean cross-entropy in nats, p clipped to [1e-15, 1-1e-15] */
  double ece;                /* expected calibration error of c = max(p, 1-p), the probability of the predicted class:
                              * Σ_m |B_m|/n · |accuracy(B_m) - mean c(B_m)| over 15 bins ((m-1)/15, m/15]
                              * (Guo et al. 2017, "On calibration of modern neural networks") */
} fn_metrics;

/* p_fake[n] in [0,1], labels[n] in {0,1}; every row counts once. FN_E_INVALID: n = 0, a value outside its range (named
 * with its row). O(n log n); thread-safe. */
FN_NODISCARD fn_status fn_metrics_compute(fn_metrics *metrics_out, const double *p_fake, const int32_t *labels,
                                          size_t n, fn_err *err);

/* Dense group ids for the bootstrap: rows of one source belong together; a row without source ("") goes with the
 * rows of its near-duplicate cluster, and alone when that is < 0. sources or clusters may be NULL (none known).
 * groups_out[n] gets ids 0 … *n_groups_out-1 in order of first appearance. */
FN_NODISCARD fn_status fn_groups_make(uint32_t *groups_out, size_t *n_groups_out, const fn_str *sources,
                                      const int64_t *clusters, size_t n, fn_err *err);

/* 95 % percentile interval by resampling whole groups (sources, or clusters where the source is unknown) with
 * replacement (Field & Welsh 2007, "Bootstrapping clustered data": the randomised cluster bootstrap). Resample r is
 * drawn from the stream fn_rng_make(seed, r) alone, so neither threads nor order change it. Percentiles interpolate
 * linearly (Hyndman & Fan 1996, type 7). A resample in which a metric is undefined (AUC: one class drawn) is left out
 * of that metric's interval; NaN when that happens to more than half of them, or with fewer than 2 groups.
 * groups[n]: dense ids 0 … n_groups-1. Cost O(n log n + n_resamples · n), cut over pool by resample (NULL: caller). */
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

/* The scalar metrics under the names that runs, tables and JSON share: loss, accuracy, f1_weighted, f1_macro, roc_auc,
 * brier, ece, precision_weighted, recall_weighted, then precision_, recall_ and f1_ of real and of fake. A run's metric
 * is a split's prefix and this name: "val/f1_weighted". */
#define FN_METRICS_N_SCALARS 15
typedef struct fn_metric_scalar {
  const char *name;
  double value;         /* NaN: undefined */
  fn_interval interval; /* NaN, NaN: not estimated */
} fn_metric_scalar;
void fn_metrics_scalars(fn_metric_scalar out[FN_METRICS_N_SCALARS], const fn_metrics *metrics,
                        const fn_metrics_intervals *intervals);

/* One system's figures for the writers below; intervals may be NULL. */
typedef struct fn_metrics_entry {
  const char *name;
  const fn_metrics *metrics;
  const fn_metrics_intervals *intervals;
} fn_metrics_entry;

/* An object under key (NULL inside arrays): n, the scalars, confusion[true][predicted], support by class and, where
 * known, intervals by metric as [low, high]. docs/schemas/metrics.schema.json. */
void fn_metrics_format_json(fn_json_writer *w, const char *key, const fn_metrics_entry *entry);
/* Systems side by side, one metric a line, at most 80 columns (three systems with intervals; more follow below), with
 * rows, classes, groups, and the confusion matrix of each. For people; not to be parsed. */
void fn_metrics_format_table(fn_buf *out, const char *title, const fn_metrics_entry *entries, size_t n);
/* One line a group: rows, share of fakes, then accuracy and AUC of each system (at most three). metrics[g*n_systems+s]
 * may have n = 0 (shown as "-"). */
void fn_metrics_format_groups(fn_buf *out, const char *title, const char *const *groups, size_t n_groups,
                              const char *const *systems, size_t n_systems, const fn_metrics *metrics);

#endif
