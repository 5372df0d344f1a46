/* Values side by side: a row each, with its interval as a whisker and reference lines (a baseline) across all rows. */
#ifndef FN_REPORT_BARS_H
#define FN_REPORT_BARS_H

#include "report/svg.h"

typedef struct fn_bar {
  const char *label;
  double value, low, high; /* NaN: not known */
  int style, id;
} fn_bar;
typedef struct fn_bar_line {
  const char *label;
  double value;
} fn_bar_line;

typedef struct fn_bars {
  const char *id, *title, *note;
  double low, high; /* ends of the axis */
  const fn_bar *bars;
  size_t n_bars;
  const fn_bar_line *lines;
  size_t n_lines;
} fn_bars;

/* One <figure>. */
void fn_bars_write(fn_buf *out, const fn_bars *chart);

#endif
