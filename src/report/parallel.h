/* Parallel coordinates: an axis for each parameter that differs, a line for each run across them all, and what came of
 * it on the last axis. */
#ifndef FN_REPORT_PARALLEL_H
#define FN_REPORT_PARALLEL_H

#include "report/svg.h"

typedef struct fn_parallel_axis {
  const char *name;
  const char *const *values; /* [n_lines]; NULL: not set, drawn below the axis. Numbers when all are, else words */
} fn_parallel_axis;

typedef struct fn_parallel {
  const char *id, *title, *note;
  const fn_parallel_axis *axes; /* two at least */
  size_t n_axes;
  const char *const *labels; /* [n_lines] short */
  const int *styles;         /* [n_lines] */
  const int *ids;            /* [n_lines] */
  size_t n_lines;
} fn_parallel;

/* One <figure>. The drawing is as wide as its axes need and scrolls inside the figure. FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_parallel_write(fn_buf *out, const fn_parallel *chart, fn_err *err);

#endif
