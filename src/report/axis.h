/* Where values lie on an axis, and where its marks stand. */
#ifndef FN_REPORT_AXIS_H
#define FN_REPORT_AXIS_H

#include "base/base.h"

enum { FN_AXIS_MAX_TICKS = 12 };

typedef struct fn_axis {
  double low, high; /* the ends, low < high */
  bool log;         /* by decades: both ends are positive */
  double ticks[FN_AXIS_MAX_TICKS];
  size_t n_ticks;
} fn_axis;

/* An axis for values from low to high (any finite numbers; equal ones get room on both sides), with marks at 1, 2 or 5
 * times a power of ten, `n_ticks` of them or fewer (2 … 12). A log axis needs low > 0, else it is linear. `whole`:
 * marks at whole numbers alone. */
void fn_axis_make(fn_axis *axis_out, double low, double high, bool log, bool whole, size_t n_ticks);
/* Share of the way from low to high: 0 … 1, cut there. */
double fn_axis_at(const fn_axis *axis, double value);
/* Whether values from low to high are better drawn by decades: all positive, over more than two of them. */
bool fn_axis_wants_log(double low, double high);
/* A mark's text: "0.25", "10k", "1e-05". */
const char *fn_axis_text(char out[32], double tick);

#endif
