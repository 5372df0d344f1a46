#include "report/line_chart.h"

#include <math.h>

/* The drawing in its own units; on a phone one is about 0.85 pixel. report.js has the same numbers. */
enum { WIDTH = 360, HEIGHT = 240, LEFT = 44, RIGHT = 84, TOP = 12, BOTTOM = 36, N_MARKS = 4, TABLE_STEPS = 6 };

typedef struct plot {
  fn_axis x, y;
} plot;

static double place_x(const plot *p, double x) {
  return LEFT + fn_axis_at(&p->x, x) * (WIDTH - LEFT - RIGHT);
}
static double place_y(const plot *p, double y) {
  return HEIGHT - BOTTOM - fn_axis_at(&p->y, y) * (HEIGHT - TOP - BOTTOM);
}

static int compare_numbers(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* By decades where all values are positive and nine tenths of them span more than two: a warm-up from nothing does not
 * make a schedule one. */
static fn_status choose_log(bool *log_out, const fn_line_chart *chart, fn_err *err) {
  size_t n = 0;
  for (size_t i = 0; i < chart->n_lines; i++) n += 2 * chart->lines[i].series->n;
  FN_AUTO_FREE double *values = fn_mem_calloc(n, sizeof *values);
  if (!values) return fn_err_no_memory(err, "a chart");
  n = 0;
  for (size_t i = 0; i < chart->n_lines; i++)
    for (size_t k = 0; k < chart->lines[i].series->n; k++) {
      values[n++] = chart->lines[i].series->buckets[k].low.y;
      values[n++] = chart->lines[i].series->buckets[k].high.y;
    }
  qsort(values, n, sizeof *values, compare_numbers);
  *log_out = n > 0 && values[0] > 0 && fn_axis_wants_log(values[n / 20], values[n - 1 - n / 20]);
  return FN_OK;
}

/* False when there is nothing to draw. */
static bool make_axes(plot *p, const fn_line_chart *chart, bool log) {
  double x0 = (double)INFINITY, x1 = -(double)INFINITY, y0 = (double)INFINITY, y1 = -(double)INFINITY;
  for (size_t i = 0; i < chart->n_lines; i++) {
    const fn_series *s = chart->lines[i].series;
    for (size_t k = 0; k < s->n; k++) {
      x0 = fmin(x0, s->buckets[k].first.x);
      x1 = fmax(x1, s->buckets[k].last.x);
      y0 = fmin(y0, s->buckets[k].low.y);
      y1 = fmax(y1, s->buckets[k].high.y);
    }
  }
  if (x0 > x1) return false;
  if (x0 == x1) { /* one step: there is none before the first */
    if (x0 > 0) x0 -= 1;
    x1 += 1;
  }
  fn_axis_make(&p->x, x0, x1, false, true, 5);
  fn_axis_make(&p->y, y0, y1, log, false, 6);
  return true;
}

static void draw_grid(fn_buf *out, const plot *p, const char *x_name) {
  char text[32];
  fn_buf_append_str(out, "<g class=\"axes\"><path class=\"grid\" d=\"");
  for (size_t i = 0; i < p->y.n_ticks; i++)
    fn_html_add(out, "M%d %.*fH%d", LEFT, 1, place_y(p, p->y.ticks[i]), WIDTH - RIGHT);
  fn_html_add(out, "\"/><path class=\"edge\" d=\"M%d %dV%dH%d\"/>", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
  for (size_t i = 0; i < p->y.n_ticks; i++)
    fn_svg_text(out, "tick", LEFT - 5, place_y(p, p->y.ticks[i]) + 4, "end", fn_axis_text(text, p->y.ticks[i]), 12);
  for (size_t i = 0; i < p->x.n_ticks; i++)
    fn_svg_text(out, "tick", place_x(p, p->x.ticks[i]), HEIGHT - BOTTOM + 15, "middle",
                fn_axis_text(text, p->x.ticks[i]), 12);
  fn_svg_text(out, "tick", WIDTH - RIGHT, HEIGHT - 4, "end", x_name, 12);
  fn_buf_append_str(out, "</g>");
}

static void draw_path(fn_buf *out, const plot *p, const char *cls, const fn_point *points, size_t n) {
  fn_pen pen;
  fn_pen_init(&pen, out);
  fn_html_add(out, "<path class=\"%s\" d=\"", cls);
  for (size_t i = 0; i < n; i++)
    fn_pen_to(&pen, place_x(p, points[i].x), isnan(points[i].y) ? points[i].y : place_y(p, points[i].y));
  fn_buf_append_str(out, "\"/>");
}

/* A few marks along the line, so that it is known by its shape too: at its ends and at equal steps between. */
static void draw_marks(fn_buf *out, const plot *p, int style, const fn_point *points, size_t n) {
  double next = -(double)INFINITY;
  const double apart = (double)(WIDTH - LEFT - RIGHT) / N_MARKS;
  fn_buf_append_str(out, "<path class=\"mark\" d=\"");
  for (size_t i = 0; i < n; i++) {
    if (isnan(points[i].y)) continue;
    const double x = place_x(p, points[i].x);
    if (x < next && i + 1 < n) continue;
    fn_svg_mark(out, style, x, place_y(p, points[i].y));
    next = x + apart;
  }
  fn_buf_append_str(out, "\"/>");
}

/* Returns where the line ends; NaN: it has no point. */
static fn_status draw_line(double *end_out, fn_buf *out, const plot *p, const fn_chart_line *line, fn_err *err) {
  FN_AUTO_FREE fn_point *points = NULL;
  FN_AUTO_FREE fn_point *smooth = NULL;
  size_t n = 0, n_smooth = 0;
  FN_TRY(fn_series_points(&points, &n, line->series, false, err));
  FN_TRY(fn_series_points(&smooth, &n_smooth, line->series, true, err));
  const fn_point *main_points = n_smooth ? smooth : points;
  const size_t n_main = n_smooth ? n_smooth : n;
  *end_out = n_main ? place_y(p, main_points[n_main - 1].y) : (double)NAN;
  fn_buf_append_str(out, "<g class=\"");
  fn_svg_class(out, line->style);
  fn_html_add(out, "\" data-run=\"%d\">", line->id);
  if (n_smooth && line->style >= 0) draw_path(out, p, "raw", points, n);
  draw_path(out, p, "line", main_points, n_main);
  if (line->style >= 0) draw_marks(out, p, line->style, main_points, n_main);
  fn_buf_append_str(out, "</g>");
  return FN_OK;
}

static void draw_labels(fn_buf *out, const fn_line_chart *chart, const double *ends) {
  double y[FN_N_STYLES];
  const fn_chart_line *lines[FN_N_STYLES];
  size_t n = 0;
  for (size_t i = 0; i < chart->n_lines && n < FN_N_STYLES; i++) {
    if (chart->lines[i].style < 0 || isnan(ends[i])) continue;
    lines[n] = &chart->lines[i];
    y[n++] = ends[i] + 4;
  }
  fn_svg_spread(y, n, 12.5, TOP + 6, HEIGHT - BOTTOM);
  for (size_t i = 0; i < n; i++) {
    fn_buf_append_str(out, "<g class=\"");
    fn_svg_class(out, lines[i]->style);
    fn_html_add(out, "\" data-run=\"%d\">", lines[i]->id);
    fn_svg_text(out, "label", WIDTH - RIGHT + 8, y[i], "start", lines[i]->label, 10);
    fn_buf_append_str(out, "</g>");
  }
}

static fn_point extreme(const fn_series *s, bool high) {
  fn_point best = high ? s->buckets[0].high : s->buckets[0].low;
  for (size_t k = 1; k < s->n; k++) {
    const fn_point p = high ? s->buckets[k].high : s->buckets[k].low;
    if (high ? p.y > best.y : p.y < best.y) best = p;
  }
  return best;
}

static void describe(fn_buf *out, const fn_line_chart *chart, bool log) {
  char a[32], b[32], c[32];
  size_t told = 0;
  fn_html_add(out, "%s by %s, %zu %s%s.", chart->title, chart->x_name, chart->n_lines,
              chart->n_lines == 1 ? "run" : "runs", log ? ", axis by decades" : "");
  for (size_t i = 0; i < chart->n_lines; i++) {
    const fn_series *s = chart->lines[i].series;
    if (s->n == 0 || chart->lines[i].style < 0 || told++ == FN_N_STYLES) continue;
    const fn_point low = extreme(s, false);
    fn_buf_append_char(out, ' ');
    fn_html_cut(out, chart->lines[i].name, 40);
    fn_html_add(out, ": from %s to %s, lowest %s at %.*f.", fn_number_text(a, s->buckets[0].first.y),
                fn_number_text(b, s->buckets[s->n - 1].last.y), fn_number_text(c, low.y), 0, low.x);
  }
}

static void write_cell(fn_buf *out, double value) {
  char text[32];
  fn_html_add(out, "<td class=\"number\">%s</td>", fn_number_text(text, value));
}

/* The last value at or before x; the table says so. */
static void write_value_at(fn_buf *out, const fn_series *s, double x) {
  double value = (double)NAN;
  for (size_t k = 0; k < s->n && s->buckets[k].first.x <= x; k++)
    value = s->buckets[k].last.x <= x ? s->buckets[k].last.y : s->buckets[k].first.y;
  if (isnan(value))
    fn_buf_append_str(out, "<td class=\"number none\">–</td>");
  else
    write_cell(out, value);
}

static void write_table(fn_buf *out, const fn_line_chart *chart, const plot *p) {
  double x0 = p->x.low, x1 = p->x.high;
  const int n_steps = x1 - x0 < TABLE_STEPS ? 1 : TABLE_STEPS;
  fn_html_add(
      out,
      "<details><summary>The values as a table<span class=\"visually-hidden\"> of %s</span></summary>"
      "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Values of %s\"><table><caption><span>%s: the "
      "last value at or before a %s</span></caption>\n<thead><tr><th scope=\"col\">run</th>",
      chart->title, chart->title, chart->title, chart->x_name);
  for (int i = 1; i <= n_steps; i++)
    fn_html_add(out, "<th scope=\"col\" class=\"number\">%s %.*f</th>", chart->x_name, 0,
                floor(x0 + (x1 - x0) * i / n_steps));
  fn_buf_append_str(out, "<th scope=\"col\" class=\"number\">lowest</th><th scope=\"col\" class=\"number\">highest</th>"
                         "<th scope=\"col\" class=\"number\">values</th></tr></thead>\n<tbody>\n");
  for (size_t k = 0; k < chart->n_lines; k++) {
    const fn_series *s = chart->lines[k].series;
    if (s->n == 0) continue;
    fn_html_add(out, "<tr data-run=\"%d\"><th scope=\"row\">", chart->lines[k].id);
    fn_html_cut(out, chart->lines[k].name, 60);
    fn_buf_append_str(out, "</th>");
    for (int i = 1; i <= n_steps; i++) write_value_at(out, s, floor(x0 + (x1 - x0) * i / n_steps));
    write_cell(out, extreme(s, false).y);
    write_cell(out, extreme(s, true).y);
    write_cell(out, (double)(s->n_points + s->n_bad));
    fn_buf_append_str(out, "</tr>\n");
  }
  fn_buf_append_str(out, "</tbody></table></div></details>\n");
}

static void write_gaps(fn_buf *out, const fn_line_chart *chart) {
  size_t told = 0;
  for (size_t i = 0; i < chart->n_lines; i++) {
    const fn_series *s = chart->lines[i].series;
    if (s->n_bad == 0 || told++ == FN_N_STYLES) continue;
    fn_buf_append_str(out, "<p class=\"hint\"><bdi>");
    fn_html_cut(out, chart->lines[i].name, 60);
    fn_html_add(out, "</bdi>: %lld %s no number (NaN or infinite), first at %s %lld; the line is broken there.</p>\n",
                (long long)s->n_bad, s->n_bad == 1 ? "value is" : "values are", chart->x_name, (long long)s->first_bad);
  }
}

fn_status fn_line_chart_write(fn_buf *out, const fn_line_chart *chart, fn_err *err) {
  plot p;
  bool smoothed = false, log = false;
  fn_html_add(out, "<figure class=\"chart card\" id=\"%s\"><figcaption><h3>", chart->id);
  fn_html_key(out, chart->title, 250);
  fn_buf_append_str(out, "</h3>");
  if (chart->note) fn_html_add(out, "<p class=\"hint\">%s</p>", chart->note);
  fn_buf_append_str(out, "</figcaption>\n");
  FN_TRY(choose_log(&log, chart, err));
  if (!make_axes(&p, chart, log)) {
    fn_buf_append_str(out, "<p class=\"hint\">No value that could be drawn.</p>\n");
    write_gaps(out, chart);
    fn_buf_append_str(out, "</figure>\n");
    return FN_OK;
  }
  FN_AUTO_FREE double *ends = fn_mem_calloc(chart->n_lines, sizeof *ends);
  if (!ends) return fn_err_no_memory(err, "a chart");
  fn_html_add(
      out,
      "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s-t %s-d\" data-log=\"%d\" data-x=\"%s\"><title "
      "id=\"%s-t\">%s</title>"
      "<desc id=\"%s-d\">",
      WIDTH, HEIGHT, chart->id, chart->id, p.y.log, chart->x_name, chart->id, chart->title, chart->id);
  describe(out, chart, p.y.log);
  fn_buf_append_str(out, "</desc>\n");
  draw_grid(out, &p, chart->x_name);
  for (int top = 0; top < 2; top++) /* grey ones below the others */
    for (size_t i = 0; i < chart->n_lines; i++)
      if ((chart->lines[i].style >= 0) == top) FN_TRY(draw_line(&ends[i], out, &p, &chart->lines[i], err));
  draw_labels(out, chart, ends);
  for (size_t i = 0; i < chart->n_lines && !smoothed; i++) smoothed = chart->lines[i].series->alpha > 0;
  fn_html_add(out, "</svg>\n<p class=\"readout script\" aria-live=\"polite\"></p>\n");
  if (p.y.log)
    fn_buf_append_str(out,
                      "<p class=\"hint axis-note\">The axis goes by decades: the values span more than two.</p>\n");
  if (smoothed) fn_buf_append_str(out, "<p class=\"hint\">Heavy: smoothed; faint: each value.</p>\n");
  write_gaps(out, chart);
  write_table(out, chart, &p);
  fn_buf_append_str(out, "</figure>\n");
  return FN_OK;
}
