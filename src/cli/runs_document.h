/* All that is known of a run, gathered for a page, a file or a comparison. */
#ifndef FN_CLI_RUNS_DOCUMENT_H
#define FN_CLI_RUNS_DOCUMENT_H

#include "cli/runs_support.h"

enum { FN_CURVE_WIDTH = 24 };

/* Points of one metric, thinned out to the cells of a drawing. */
typedef struct fn_runs_curve {
  double first; /* value of the first point */
  double sum[FN_CURVE_WIDTH];
  int64_t n[FN_CURVE_WIDTH];
  int64_t seen;
} fn_runs_curve;

/* curves_out[run->n_metrics]. */
FN_NODISCARD fn_status fn_runs_curves(fn_runs_curve *curves_out, fn_tracking *tracking, const fn_run_view *run,
                                      fn_err *err);
/* "▁▂▅█"; nothing for fewer than two points. */
void fn_runs_draw(fn_buf *out, const fn_runs_curve *curve);
/* {"run": …, "metrics": {…first, last, min, max, step, points}, "artifacts": […], "versions": […]}. */
FN_NODISCARD fn_status fn_runs_document(fn_buf *out, fn_tracking *tracking, const fn_run_view *run,
                                        const fn_runs_curve *curves, fn_err *err);

#endif
