/* Private to src/eval: the sums from which every metric follows. Counts are doubles because a bootstrap resample counts
 * a row several times; they stay exact below 2^53. */
#ifndef FN_EVAL_SUMS_H
#define FN_EVAL_SUMS_H

#include "eval/eval.h"

/* A row as the metrics see it, in ascending order of p. */
typedef struct fn_eval_row {
  double p;       /* probability of fake */
  double loss;    /* cross-entropy */
  uint32_t index; /* caller's row; the bootstrap puts the row's group here */
  uint8_t label;  /* 0 or 1 */
  uint8_t bin;    /* calibration bin of max(p, 1-p) */
} fn_eval_row;

typedef struct fn_eval_sums {
  double confusion[2][2];
  double brier, log_loss;
  double gap[FN_EVAL_ECE_BINS]; /* Σ (correct - confidence) */
  double pairs;                 /* Σ over (fake, real) pairs: 1 when the fake ranks higher, 1/2 on a tie */
} fn_eval_sums;

/* Checks and sorts; rows_out is malloc'd, [n]. */
FN_NODISCARD fn_status fn_eval_rows_make(fn_eval_row **rows_out, const double *p_fake, const int32_t *labels, size_t n,
                                         fn_err *err);
/* One pass over sorted rows. counts NULL: each row once; else row i counts counts[rows[i].index] times. */
void fn_eval_sums_make(fn_eval_sums *sums_out, const fn_eval_row *rows, size_t n, const uint32_t *counts);
void fn_eval_sums_to_metrics(fn_metrics *metrics_out, const fn_eval_sums *sums);

#endif
