#include "report/svg.h"

#include <math.h>

void fn_pen_init(fn_pen *pen, fn_buf *out) {
  *pen = (fn_pen){.out = out};
}

static void append_tenths(fn_buf *out, long tenths, bool first) {
  const long size = labs(tenths);
  if (!first && tenths >= 0) fn_buf_append_char(out, ' ');
  if (tenths < 0) fn_buf_append_char(out, '-');
  if (size >= 10 || size == 0) fn_buf_printf(out, "%ld", size / 10);
  if (size % 10) fn_buf_printf(out, ".%ld", size % 10);
}

void fn_pen_to(fn_pen *pen, double x, double y) {
  if (!isfinite(x) || !isfinite(y)) {
    pen->down = false;
    return;
  }
  const long X = lround(x * 10), Y = lround(y * 10);
  if (!pen->down) {
    fn_buf_append_char(pen->out, 'M');
    append_tenths(pen->out, X, true);
    append_tenths(pen->out, Y, false);
    pen->line = false;
  } else if (X == pen->x && Y == pen->y) {
    return;
  } else {
    if (!pen->line) fn_buf_append_char(pen->out, 'l');
    append_tenths(pen->out, X - pen->x, !pen->line);
    append_tenths(pen->out, Y - pen->y, false);
    pen->line = true;
  }
  pen->down = true;
  pen->x = X;
  pen->y = Y;
}

void fn_svg_text(fn_buf *out, const char *cls, double x, double y, const char *anchor, const char *text, size_t max) {
  fn_html_add(out, "<text class=\"%s\" x=\"%.*f\" y=\"%.*f\" text-anchor=\"%s\">", cls, 1, x, 1, y, anchor);
  fn_html_cut(out, text, max);
  fn_buf_append_str(out, "</text>");
}

void fn_svg_mark(fn_buf *out, int style, double x, double y) {
  static const char *const marks[] = {
      "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
      "m-2.7-2.7h5.4v5.4h-5.4z",
      "m0-3.4l3.4 6h-6.8z",
      "m0-3.8l3.8 3.8l-3.8 3.8l-3.8-3.8z",
      "m0 3.4l3.4-6h-6.8z",
      "m-1-3.2h2v2.2h2.2v2h-2.2v2.2h-2v-2.2h-2.2v-2h2.2z",
  };
  if (style >= 0) fn_html_add(out, "M%.*f %.*f%s", 1, x, 1, y, marks[style % 6]);
}

void fn_svg_class(fn_buf *out, int style) {
  if (style < 0)
    fn_buf_append_str(out, "series context");
  else
    fn_buf_printf(out, "series s%d d%d", style % 6, style % 4);
}

void fn_svg_swatch(fn_buf *out, int style) {
  fn_buf_append_str(
      out, "<svg class=\"swatch\" viewBox=\"0 0 32 12\" width=\"32\" height=\"12\" aria-hidden=\"true\"><g class=\"");
  fn_svg_class(out, style);
  fn_buf_append_str(out, "\"><path class=\"line\" d=\"M1 6h30\"/>");
  if (style >= 0) {
    fn_buf_append_str(out, "<path class=\"mark\" d=\"");
    fn_svg_mark(out, style, 16, 6);
    fn_buf_append_str(out, "\"/>");
  }
  fn_buf_append_str(out, "</g></svg>");
}

void fn_svg_spread(double *y, size_t n, double gap, double low, double high) {
  size_t order[64];
  if (n > FN_COUNT_OF(order)) n = FN_COUNT_OF(order);
  for (size_t i = 0; i < n; i++) {
    size_t at = i;
    for (; at > 0 && y[order[at - 1]] > y[i]; at--) order[at] = order[at - 1];
    order[at] = i;
  }
  for (size_t i = 0; i < n; i++) {
    const double least = i == 0 ? low : y[order[i - 1]] + gap;
    if (y[order[i]] < least) y[order[i]] = least;
  }
  for (size_t i = n; i-- > 0;) {
    const double most = i + 1 == n ? high : y[order[i + 1]] - gap;
    if (y[order[i]] > most) y[order[i]] = most;
  }
}
