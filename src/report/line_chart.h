/* Curves over a number, usually the step: one <figure> with a drawing that has a title and a description, and the same
 * values as a folded table. */
#ifndef FN_REPORT_LINE_CHART_H
#define FN_REPORT_LINE_CHART_H

#include "report/series.h"
#include "report/svg.h"

typedef struct fn_chart_line {
  const char *label;       /* short, beside the line's end */
  const char *name;        /* for the table and the description */
  int style;               /* 0 … FN_N_STYLES-1, or FN_STYLE_CONTEXT: no label */
  int id;                  /* what the script knows it by */
  const fn_series *series; /* may have no point */
} fn_chart_line;

typedef struct fn_line_chart {
  const char *id;     /* of the figure, unique on the page; letters and digits */
  const char *title;  /* "val/loss" */
  const char *note;   /* under the title: which direction is better …; NULL: none */
  const char *x_name; /* "step" */
  const fn_chart_line *lines;
  size_t n_lines;
} fn_line_chart;

/* A drawing by decades where the values ask for it. FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_line_chart_write(fn_buf *out, const fn_line_chart *chart, fn_err *err);

#endif
