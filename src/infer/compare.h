/* Two models over the same rows, pair by pair: what packing (or any other change) costs. */
#ifndef FN_INFER_COMPARE_H
#define FN_INFER_COMPARE_H

#include "data/dataset.h"
#include "eval/eval.h"
#include "infer/infer.h"

typedef struct fn_comparison_part {
  const char *name;               /* a dataset's, or "all" */
  size_t n, n_flipped;            /* rows; rows whose label is another afterwards */
  double worst_logit, mean_logit; /* |difference| of the logit of fake against real: greatest, mean */
  fn_metrics before, after;       /* n = 0 where the rows have one class only and nothing can be measured */
} fn_comparison_part;

/* The rows that were compared, in order. */
typedef struct fn_comparison_rows {
  size_t n;
  double *before, *after; /* [n] logit of fake against real */
  int32_t *labels;
  uint32_t *parts; /* [n] which of the parts */
} fn_comparison_rows;

typedef struct fn_comparison {
  fn_comparison_part *parts; /* [n_parts]; the first is all rows, the others datasets in order of appearance */
  size_t n_parts;
  double seconds_before, seconds_after; /* spent in classifying */
  fn_comparison_rows rows;
  fn_arena arena;
} fn_comparison;
void fn_comparison_deinit(fn_comparison *comparison);

/* Called between blocks; false ends with FN_E_CANCELLED. */
typedef bool (*fn_comparison_progress)(void *arg, size_t n_done, size_t n_all);

enum { FN_COMPARE_ALL = (1 << FN_SPLIT_COUNT) - 1 };
/* Every row of the splits (bits 1 << fn_split) that both can read. Both sessions' models must be binary with a label
 * "fake" (FN_E_INVALID). */
FN_NODISCARD fn_status fn_comparison_run(fn_comparison *comparison_out, fn_session *before, fn_session *after,
                                         const fn_dataset *dataset, unsigned splits, fn_comparison_progress progress,
                                         void *arg, fn_err *err);
/* Two halves that answer together: the same rows (FN_E_INVALID otherwise) by the mean of their logits. */
FN_NODISCARD fn_status fn_comparison_mean(fn_comparison *comparison_out, const fn_comparison *a, const fn_comparison *b,
                                          fn_err *err);
/* An object under key: n, flipped, worst and mean logit, and [before, after] of accuracy, roc_auc and ece, for all rows
 * and by dataset. */
void fn_comparison_format_json(fn_json_writer *w, const char *key, const fn_comparison *comparison);

#endif
