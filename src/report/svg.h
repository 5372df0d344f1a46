/* What the drawings share: coordinates in tenths of a unit, pens, and the twelve ways that runs are told apart. */
#ifndef FN_REPORT_SVG_H
#define FN_REPORT_SVG_H

#include "report/axis.h"
#include "report/html.h"

/* Six colours, four dashes and six marks: the first twelve runs differ in at least two of the three, so that nobody
 * needs to see hues (report.css has the colours for both schemes). Style FN_STYLE_CONTEXT is thin and grey. */
enum { FN_N_STYLES = 12, FN_STYLE_CONTEXT = -1 };

/* A path that is written with relative moves, which is shorter. */
typedef struct fn_pen {
  fn_buf *out;
  long x, y; /* tenths; where the pen is */
  bool down, line;
} fn_pen;
void fn_pen_init(fn_pen *pen, fn_buf *out);
/* To (x, y): a line when the pen is down, then it is down. Not finite coordinates lift it. */
void fn_pen_to(fn_pen *pen, double x, double y);

/* <text class="cls" x y>, escaped, cut after max code points. anchor: "start", "middle" or "end". */
void fn_svg_text(fn_buf *out, const char *cls, double x, double y, const char *anchor, const char *text, size_t max);
/* The mark of a style, 3 units around (x, y), as a path's data. */
void fn_svg_mark(fn_buf *out, int style, double x, double y);
/* A small picture of a style for legends and tables: a piece of its line with its mark. Hidden from readers of text. */
void fn_svg_swatch(fn_buf *out, int style);
/* "series s3" or "series context" */
void fn_svg_class(fn_buf *out, int style);
/* Moves labels at y[n] apart so that neighbours are `gap` from each other and all lie within [low, high] where there is
 * room. y need not be sorted; at most 64. */
void fn_svg_spread(double *y, size_t n, double gap, double low, double high);

#endif
