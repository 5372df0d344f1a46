/* Calibration of a binary classifier from logits, in double: temperature scaling, stacking of several logits,
 * correction for another share of fakes, and the band in which no verdict is given. Every figure comes from
 * cross-fitting: fit on all groups of rows but some, judge on those. Pure functions; the same rows give the same bits.
 *
 *   fn_calibrate_rows rows = {.n = n, .k = 1, .logits = z, .labels = y, .folds = folds, .n_folds = n_folds};
 *   fn_calibrate_result r;
 *   FN_TRY(fn_calibrate(&r, z_cross, &rows, &options, err));
 *   p = fn_sigmoid(fn_scaling_apply(&r.scaling, z, n_tokens)); */
#ifndef FN_EVAL_CALIBRATE_H
#define FN_EVAL_CALIBRATE_H

#include "eval/eval.h"

#define FN_SCALING_MAX_INPUTS  4
#define FN_SCALING_MAX_BUCKETS 8
#define FN_TEMPERATURE_MIN     0.05
#define FN_TEMPERATURE_MAX     50.0
#define FN_CALIBRATE_MAX_FOLDS 20 /* more groups than that are put together into so many folds */

/* 1 / (1 + e^-z), without overflow. */
double fn_sigmoid(double z);
/* Calibrated logit from `from`, the share of fakes it stands for, to `to`; both in (0,1). The likelihood ratio stays:
 * z + logit(to) - logit(from) (Saerens, Latinne & Decaestecker 2002, "Adjusting the outputs of a classifier to new a
 * priori probabilities", equation 2.4). */
double fn_prior_shift(double z, double from, double to);

/* Several logits of one row to one calibrated logit of fake: (Σ weights·logits + bias) / temperature. */
typedef struct fn_scaling {
  int32_t k; /* logits a row, [1, FN_SCALING_MAX_INPUTS] */
  double weights[FN_SCALING_MAX_INPUTS];
  double bias;
  int32_t n_buckets;                         /* [1, FN_SCALING_MAX_BUCKETS] lengths with a temperature of their own */
  int64_t edges[FN_SCALING_MAX_BUCKETS - 1]; /* [n_buckets-1] rising: bucket b has edges[b-1] ≤ n_tokens < edges[b] */
  double temperatures[FN_SCALING_MAX_BUCKETS]; /* [n_buckets] > 0 */
} fn_scaling;
double fn_scaling_apply(const fn_scaling *scaling, const double *logits, int64_t n_tokens);

/* Rows to fit on. */
typedef struct fn_calibrate_rows {
  size_t n, k;
  const double *logits;    /* [n][k] finite, positive towards fake */
  const int32_t *labels;   /* [n] 0 real, 1 fake */
  const double *weights;   /* [n] ≥ 0; NULL: every row counts once */
  const int64_t *n_tokens; /* [n]; NULL: lengths are not known, one temperature for all */
  const uint32_t *folds;   /* [n] 0 … n_folds-1; only fn_calibrate reads them */
  size_t n_folds;
} fn_calibrate_rows;

/* Weights that make every (cell, label) count the same in sum: n / (cells that occur · rows of the cell); mean 1.
 * cells[n]: dense ids 0 … n_cells-1, e.g. of the dataset. */
FN_NODISCARD fn_status fn_calibrate_weights_even(double *weights_out, const uint32_t *cells, size_t n_cells,
                                                 const int32_t *labels, size_t n, fn_err *err);
/* Groups (dense ids) to folds that are left out as a whole: one fold a group; with more than max_folds groups the
 * largest first, each into the fold with the fewest rows. FN_E_INVALID: fewer than 2 groups. */
FN_NODISCARD fn_status fn_calibrate_folds(uint32_t *folds_out, size_t *n_folds_out, const uint32_t *groups, size_t n,
                                          size_t n_groups, size_t max_folds, fn_err *err);

/* The temperature T in [FN_TEMPERATURE_MIN, FN_TEMPERATURE_MAX] that minimises the weighted mean cross-entropy of
 * sigmoid(logits / T) (Guo et al. 2017, "On calibration of modern neural networks"). The loss is convex in 1/T:
 * Newton's method there, kept inside a bracket. FN_E_INVALID: no row has a weight, a logit is not finite. */
FN_NODISCARD fn_status fn_temperature_fit(double *temperature_out, const double *logits, const int32_t *labels,
                                          const double *weights, size_t n, fn_err *err);

/* weights[k], bias that minimise   Σ_i w_i ℓ_i / Σ_i w_i + ridge/2 · Σ_j (s_j v_j)²,   s_j² = weighted mean of logit j
 * squared: logistic regression on inputs of size 1, so that ridge has no unit; with_bias = false: bias 0. Weights are ≥
 * 0: an input that would get a negative one is left out, since an answer must not fall when one of its halves rises
 * (Breiman 1996, "Stacked regressions"). Newton with step halving. FN_E_INVALID: one class has no weight. */
FN_NODISCARD fn_status fn_stack_fit(double *weights_out, double *bias_out, const fn_calibrate_rows *rows, double ridge,
                                    bool with_bias, fn_err *err);

/* What is fitted, the fewest numbers first. */
typedef enum fn_scaling_kind {
  FN_SCALE_NOTHING,     /* the mean of the logits as it is */
  FN_SCALE_TEMPERATURE, /* the mean of the logits, over a temperature */
  FN_SCALE_WEIGHTS,     /* a weight for each logit; with k = 1 the same as a temperature */
  FN_SCALE_AFFINE,      /* weights and a bias: the share of fakes that the rows seem to have is learnt as well */
} fn_scaling_kind;
typedef struct fn_scaling_form {
  fn_scaling_kind kind;
  int32_t n_buckets;                         /* as in fn_scaling; 1: one temperature; not with FN_SCALE_NOTHING */
  int64_t edges[FN_SCALING_MAX_BUCKETS - 1]; /* a bucket with few rows or one class takes the temperature of all */
  double ridge;                              /* of the weights */
} fn_scaling_form;
/* Weights and bias, then the temperatures of what they give; a single temperature is folded in (it stands as 1) where
 * weights are fitted. Errors as of the two above. */
FN_NODISCARD fn_status fn_scaling_fit(fn_scaling *scaling_out, const fn_calibrate_rows *rows,
                                      const fn_scaling_form *form, fn_err *err);
/* z_out[n]: calibrated logits of each fold by the scaling fitted on the other folds. FN_E_INVALID names the fold whose
 * absence leaves one class only. */
FN_NODISCARD fn_status fn_scaling_crossfit(double *z_out, const fn_calibrate_rows *rows, const fn_scaling_form *form,
                                           fn_err *err);

/* As in fn_metrics, but weighted (NULL: as fn_metrics says, to rounding). */
typedef struct fn_calibrate_figures {
  double nll, ece, auc, accuracy; /* auc: NaN with one class */
} fn_calibrate_figures;
FN_NODISCARD fn_status fn_calibrate_figures_compute(fn_calibrate_figures *figures_out, const double *p_fake,
                                                    const int32_t *labels, const double *weights, size_t n,
                                                    fn_err *err);

/* Where verdicts are given: rows whose max(p, 1-p) is at least `threshold`. */
typedef struct fn_band {
  double threshold; /* [0.5, 1] */
  bool reached;     /* accepted rows are right as often as asked */
  double coverage;  /* share of the rows that are accepted */
  double accuracy;  /* of those; NaN: none */
} fn_band;
/* The band with the largest coverage whose accepted rows reach accuracy `target`; where none with a coverage of at
 * least min_coverage does, the one with the best accuracy among those, and reached = false. */
FN_NODISCARD fn_status fn_band_choose(fn_band *band_out, const double *p_fake, const int32_t *labels,
                                      const double *weights, size_t n, double target, double min_coverage, fn_err *err);
/* coverage and accuracy of a threshold on other rows. */
void fn_band_judge(fn_band *band_out, double threshold, const double *p_fake, const int32_t *labels,
                   const double *weights, size_t n);

typedef struct fn_calibrate_plan {
  double ridge;                              /* of the stack; > 0 */
  double target;                             /* accuracy of accepted rows, [0.5, 1] */
  double min_coverage;                       /* [0, 1] */
  double gain;                               /* cross-fitted nats that a freer form must win to be taken; ≥ 0 */
  int32_t n_edges;                           /* 0: lengths are not tried */
  int64_t edges[FN_SCALING_MAX_BUCKETS - 1]; /* in tokens, rising */
} fn_calibrate_plan;
void fn_calibrate_plan_init(fn_calibrate_plan *plan);

typedef struct fn_calibrate_result {
  fn_scaling scaling; /* fitted on all rows */
  fn_scaling_form form;
  fn_calibrate_figures before; /* of sigmoid(mean of the row's logits) */
  fn_calibrate_figures after;  /* cross-fitted */
  fn_band band;                /* threshold chosen on all cross-fitted rows, with its coverage and accuracy there */
  fn_band judged; /* cross-fitted twice: for each fold a threshold from the others alone (scaled by what was fitted
                   * without them and without the fold), judged on the fold; threshold is NaN, for there are many */
} fn_calibrate_result;
/* Tries the kinds in their order, then temperatures by length; each freer form is taken only if it lowers the
 * cross-fitted loss by plan.gain. z_cross_out[n]: cross-fitted logits of the form that was taken. O(n
 * · n_folds²). */
FN_NODISCARD fn_status fn_calibrate(fn_calibrate_result *result_out, double *z_cross_out, const fn_calibrate_rows *rows,
                                    const fn_calibrate_plan *plan, fn_err *err);

#endif
