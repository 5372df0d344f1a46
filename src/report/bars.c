#include "report/bars.h"

#include <math.h>

enum { WIDTH = 360, LEFT = 104, RIGHT = 50, TOP = 24, ROW = 24, BOTTOM = 26 };

static double place(const fn_axis *axis, double v) {
  return LEFT + fn_axis_at(axis, v) * (WIDTH - LEFT - RIGHT);
}

static void draw_bar(fn_buf *out, const fn_axis *axis, const fn_bar *bar, double y) {
  char text[32];
  fn_buf_append_str(out, "<g class=\"");
  fn_svg_class(out, bar->style);
  fn_html_add(out, "\" data-run=\"%d\">", bar->id);
  fn_svg_text(out, "label", LEFT - 8, y + 4, "end", bar->label, 13);
  if (isnan(bar->value)) {
    fn_svg_text(out, "tick", LEFT + 4, y + 4, "start", "not known", 12);
  } else {
    if (!isnan(bar->low) && !isnan(bar->high))
      fn_html_add(out, "<path class=\"whisker\" d=\"M%.*f %.*fv8m0-4H%.*fm0-4v8\"/>", 1, place(axis, bar->low), 1,
                  y - 4, 1, place(axis, bar->high));
    fn_buf_append_str(out, "<path class=\"mark\" d=\"");
    fn_svg_mark(out, bar->style < 0 ? 0 : bar->style, place(axis, bar->value), y);
    fn_buf_append_str(out, "\"/>");
    fn_svg_text(out, "value", WIDTH - RIGHT + 8, y + 4, "start", fn_number_text(text, bar->value), 8);
  }
  fn_buf_append_str(out, "</g>\n");
}

static void describe(fn_buf *out, const fn_bars *chart) {
  char a[32], b[32], c[32];
  for (size_t i = 0; i < chart->n_bars && i < 40; i++) {
    const fn_bar *bar = &chart->bars[i];
    fn_html_cut(out, bar->label, 40);
    fn_html_add(out, " %s", isnan(bar->value) ? "not known" : fn_number_text(a, bar->value));
    if (!isnan(bar->low)) fn_html_add(out, " (%s to %s)", fn_number_text(b, bar->low), fn_number_text(c, bar->high));
    fn_buf_append_str(out, ". ");
  }
  for (size_t i = 0; i < chart->n_lines; i++)
    fn_html_add(out, "%s %s. ", chart->lines[i].label, fn_number_text(a, chart->lines[i].value));
}

void fn_bars_write(fn_buf *out, const fn_bars *chart) {
  fn_axis axis;
  char text[32];
  const double height = TOP + BOTTOM + (double)chart->n_bars * ROW, bottom = height - BOTTOM;
  fn_axis_make(&axis, chart->low, chart->high, false, false, 5);
  axis.low = chart->low, axis.high = chart->high;
  fn_html_add(out, "<figure class=\"chart card\" id=\"%s\"><figcaption><h3>%s</h3>", chart->id, chart->title);
  if (chart->note) fn_html_add(out, "<p class=\"hint\">%s</p>", chart->note);
  fn_html_add(out,
              "</figcaption>\n<svg viewBox=\"0 0 %d %.*f\" role=\"img\" aria-labelledby=\"%s-t %s-d\"><title "
              "id=\"%s-t\">%s</title>"
              "<desc id=\"%s-d\">",
              WIDTH, 0, height, chart->id, chart->id, chart->id, chart->title, chart->id);
  describe(out, chart);
  fn_buf_append_str(out, "</desc>\n<g class=\"axes\"><path class=\"grid\" d=\"");
  for (size_t i = 0; i < axis.n_ticks; i++)
    fn_html_add(out, "M%.*f %dV%.*f", 1, place(&axis, axis.ticks[i]), TOP, 1, bottom);
  fn_buf_append_str(out, "\"/>");
  for (size_t i = 0; i < axis.n_ticks; i++)
    fn_svg_text(out, "tick", place(&axis, axis.ticks[i]), bottom + 15, "middle", fn_axis_text(text, axis.ticks[i]), 12);
  double at[8];
  const size_t n_lines = chart->n_lines < FN_COUNT_OF(at) ? chart->n_lines : FN_COUNT_OF(at);
  for (size_t i = 0; i < n_lines; i++) {
    at[i] = place(&axis, chart->lines[i].value);
    fn_html_add(out, "<path class=\"reference\" d=\"M%.*f %dV%.*f\"/>", 1, at[i], TOP - 4, 1, bottom);
  }
  for (size_t i = 0; i < n_lines; i++)
    fn_svg_text(out, "tick", at[i], i % 2 ? 9 : TOP - 7, at[i] > WIDTH - 120 ? "end" : "middle", chart->lines[i].label,
                28);
  fn_buf_append_str(out, "</g>\n");
  for (size_t i = 0; i < chart->n_bars; i++) draw_bar(out, &axis, &chart->bars[i], TOP + ROW * ((double)i + 0.5));
  fn_buf_append_str(out, "</svg></figure>\n");
}
