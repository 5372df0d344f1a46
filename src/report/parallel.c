#include "report/parallel.h"

#include <math.h>

enum {
  MIN_BETWEEN = 118,
  MAX_BETWEEN = 200,
  USUAL_WIDTH = 760,
  TWO_BETWEEN = 150, /* two axes, as of one parameter, fit a phone */
  LEFT = 52,
  RIGHT = 96,
  TOP = 34,
  HEIGHT = 256,
  BOTTOM = 14,
  ABSENT = 20,
  MAX_WORDS = 10
};

typedef struct scale {
  fn_axis axis;
  bool number;
  const char **words; /* distinct ones, as they come; malloc'd */
  size_t n_words;
} scale;

static bool as_number(double *out, const char *text) {
  return text && *text && fn_str_to_double(out, fn_str_from(text)) && isfinite(*out);
}

static size_t word_index(const scale *s, const char *text) {
  size_t i = 0;
  while (i < s->n_words && strcmp(s->words[i], text) != 0) i++;
  return i;
}

static fn_status make_scale(scale *s, const fn_parallel_axis *axis, size_t n, fn_err *err) {
  double low = (double)INFINITY, high = -(double)INFINITY, v;
  bool whole = true;
  *s = (scale){.number = true};
  for (size_t i = 0; i < n; i++) {
    if (!axis->values[i]) continue;
    if (!as_number(&v, axis->values[i])) {
      s->number = false;
      break;
    }
    whole = whole && v == floor(v);
    low = fmin(low, v);
    high = fmax(high, v);
  }
  if (s->number) {
    const bool log = fn_axis_wants_log(low, high);
    fn_axis_make(&s->axis, low, high, log, whole && !log && high - low < 1e9, 5);
    return FN_OK;
  }
  s->words = fn_mem_calloc(n, sizeof *s->words);
  if (!s->words) return fn_err_no_memory(err, "an axis");
  for (size_t i = 0; i < n; i++)
    if (axis->values[i] && word_index(s, axis->values[i]) == s->n_words) s->words[s->n_words++] = axis->values[i];
  return FN_OK;
}

static double place(const scale *s, const char *value) {
  double v = 0, at;
  const double bottom = HEIGHT - BOTTOM - ABSENT;
  if (!value) return HEIGHT - BOTTOM;
  if (s->number)
    at = as_number(&v, value) ? fn_axis_at(&s->axis, v) : 0;
  else
    at = s->n_words < 2 ? 0.5 : (double)word_index(s, value) / (double)(s->n_words - 1);
  return bottom - at * (bottom - TOP);
}

/* Few axes stand further apart. */
static int between(const fn_parallel *chart) {
  if (chart->n_axes == 2) return TWO_BETWEEN;
  const int share = USUAL_WIDTH / (int)(chart->n_axes - 1);
  return share < MIN_BETWEEN ? MIN_BETWEEN : share > MAX_BETWEEN ? MAX_BETWEEN : share;
}

/* Whether neighbours' names, of letters 6.6 wide, would run into each other on one line. The first begins at the left
 * edge, the last ends at the right one. */
static bool is_crowded(const fn_parallel *chart) {
  const double letter = 6.6, gap = 10;
  for (size_t a = 0; a + 1 < chart->n_axes; a++) {
    const double n = (double)strlen(chart->axes[a].name), next = (double)strlen(chart->axes[a + 1].name);
    const double right = a == 0 ? n * letter - LEFT : n * letter / 2;
    const double left = a + 2 == chart->n_axes ? next * letter - RIGHT : next * letter / 2;
    if (right + left + gap > between(chart)) return true;
  }
  return false;
}

static double place_x(const fn_parallel *chart, size_t axis) {
  return LEFT + (double)axis * between(chart);
}

static void draw_axis(fn_buf *out, const fn_parallel *chart, size_t a) {
  fn_html_add(out, "<path class=\"edge\" d=\"M%.*f %dV%d\"/>", 1, place_x(chart, a), TOP, HEIGHT - BOTTOM - ABSENT);
}

/* Above the lines, so that they can be read. */
static void draw_words(fn_buf *out, const fn_parallel *chart, size_t a, const scale *s, bool crowded) {
  char text[32];
  const double x = place_x(chart, a), bottom = HEIGHT - BOTTOM - ABSENT;
  const char *anchor = a == 0 ? "start" : a + 1 == chart->n_axes ? "end" : "middle";
  const double name_x = a == 0 ? 2 : a + 1 == chart->n_axes ? x + RIGHT - 4 : x;
  bool absent = false;
  /* Neighbours' names stand on two lines in turn where they are long. */
  fn_svg_text(out, "axis-name", name_x, crowded && a % 2 ? 10 : 23, anchor, chart->axes[a].name, 28);
  if (s->number) {
    for (size_t i = 0; i < s->axis.n_ticks; i++)
      fn_svg_text(out, "tick", x - 5, bottom - (bottom - TOP) * fn_axis_at(&s->axis, s->axis.ticks[i]) + 4, "end",
                  fn_axis_text(text, s->axis.ticks[i]), 12);
  } else {
    const size_t every = (s->n_words + MAX_WORDS - 1) / MAX_WORDS;
    for (size_t i = 0; i < s->n_words; i += every)
      fn_svg_text(out, "tick", x - 5, place(s, s->words[i]) + 4, "end", s->words[i][0] ? s->words[i] : "(empty)",
                  a == 0 ? 8 : 14);
  }
  for (size_t i = 0; i < chart->n_lines; i++) absent = absent || !chart->axes[a].values[i];
  if (absent) fn_svg_text(out, "tick", x, HEIGHT - 2, "middle", "not set", 12);
}

static void draw_lines(fn_buf *out, const fn_parallel *chart, const scale *scales, bool top) {
  for (size_t i = 0; i < chart->n_lines; i++) {
    fn_pen pen;
    if ((chart->styles[i] >= 0) != top) continue;
    fn_buf_append_str(out, "<g class=\"");
    fn_svg_class(out, chart->styles[i]);
    fn_html_add(out, "\" data-run=\"%d\"><path class=\"line\" d=\"", chart->ids[i]);
    fn_pen_init(&pen, out);
    for (size_t a = 0; a < chart->n_axes; a++)
      fn_pen_to(&pen, place_x(chart, a), place(&scales[a], chart->axes[a].values[i]));
    fn_buf_append_str(out, "\"/>");
    if (chart->styles[i] >= 0) {
      fn_buf_append_str(out, "<path class=\"mark\" d=\"");
      for (size_t a = 0; a < chart->n_axes; a++)
        fn_svg_mark(out, chart->styles[i], place_x(chart, a), place(&scales[a], chart->axes[a].values[i]));
      fn_buf_append_str(out, "\"/>");
    }
    fn_buf_append_str(out, "</g>");
  }
}

static void draw_labels(fn_buf *out, const fn_parallel *chart, const scale *last) {
  double y[FN_N_STYLES];
  size_t line[FN_N_STYLES], n = 0;
  for (size_t i = 0; i < chart->n_lines && n < FN_N_STYLES; i++)
    if (chart->styles[i] >= 0) {
      line[n] = i;
      y[n++] = place(last, chart->axes[chart->n_axes - 1].values[i]) + 4;
    }
  fn_svg_spread(y, n, 12.5, TOP, HEIGHT - 8);
  for (size_t i = 0; i < n; i++) {
    fn_buf_append_str(out, "<g class=\"");
    fn_svg_class(out, chart->styles[line[i]]);
    fn_html_add(out, "\" data-run=\"%d\">", chart->ids[line[i]]);
    fn_svg_text(out, "label", place_x(chart, chart->n_axes - 1) + 9, y[i], "start", chart->labels[line[i]], 14);
    fn_buf_append_str(out, "</g>");
  }
}

fn_status fn_parallel_write(fn_buf *out, const fn_parallel *chart, fn_err *err) {
  fn_status status = FN_OK;
  scale *scales = fn_mem_calloc(chart->n_axes, sizeof *scales);
  if (!scales) return fn_err_no_memory(err, "axes");
  for (size_t a = 0; a < chart->n_axes && status == FN_OK; a++)
    status = make_scale(&scales[a], &chart->axes[a], chart->n_lines, err);
  if (status == FN_OK) {
    const bool crowded = is_crowded(chart);
    const int width = LEFT + RIGHT + (int)(chart->n_axes - 1) * between(chart);
    fn_html_add(out, "<figure class=\"chart wide-chart card\" id=\"%s\"><figcaption><h3>%s</h3>", chart->id,
                chart->title);
    if (chart->note) fn_html_add(out, "<p class=\"hint\">%s</p>", chart->note);
    fn_html_add(out,
                "</figcaption>\n<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"%s\"><svg "
                "viewBox=\"0 0 %d %d\" "
                "width=\"%d\" height=\"%d\" role=\"img\" aria-labelledby=\"%s-t %s-d\"><title "
                "id=\"%s-t\">%s</title><desc id=\"%s-d\">",
                chart->title, width, HEIGHT, width, HEIGHT, chart->id, chart->id, chart->id, chart->title, chart->id);
    fn_html_add(out, "%zu runs as lines across %zu axes:", chart->n_lines, chart->n_axes);
    for (size_t a = 0; a < chart->n_axes; a++) fn_html_add(out, "%s %s", a ? "," : "", chart->axes[a].name);
    fn_buf_append_str(out, ". The table of what differs has the same values.</desc>\n<g class=\"axes\">");
    for (size_t a = 0; a < chart->n_axes; a++) draw_axis(out, chart, a);
    fn_buf_append_str(out, "</g>\n");
    draw_lines(out, chart, scales, false);
    draw_lines(out, chart, scales, true);
    fn_buf_append_str(out, "<g class=\"axes\">");
    for (size_t a = 0; a < chart->n_axes; a++) draw_words(out, chart, a, &scales[a], crowded);
    fn_buf_append_str(out, "</g>\n");
    draw_labels(out, chart, &scales[chart->n_axes - 1]);
    fn_buf_append_str(out, "</svg></div></figure>\n");
  }
  for (size_t a = 0; a < chart->n_axes; a++) free(scales[a].words);
  free(scales);
  return status;
}
