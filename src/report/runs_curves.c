/* Curves: a chart for each key, runs overlaid; the telling ones in sight, the others folded. */
#include "report/runs_internal.h"

static const char *const telling[] = {
    "train/loss", "val/loss",  "val/accuracy",        "val/roc_auc",         "val/f1_weighted",         "val/f1_macro",
    "val/ece",    "val/brier", "train/learning_rate", "train/gradient_norm", "train/tokens_per_second",
};
enum {
  N_IN_SIGHT = 11,
  SYSTEM_RANK = 2000,
  OTHER_RANK = 1000,
  MAX_BUCKETS = 230,
  MIN_BUCKETS = 6,
  ALL_BUCKETS = 24000
};

size_t fn_report_curve_rank(const char *key) {
  for (size_t i = 0; i < FN_COUNT_OF(telling); i++)
    if (strcmp(telling[i], key) == 0) return i;
  if (fn_report_by_time(key)) /* processor, memory and GPU before disk and network */
    return SYSTEM_RANK + (strstr(key, "cpu") ? 0 : strstr(key, "memory") ? 1 : strstr(key, "gpu") ? 2 : 3);
  if (strncmp(key, "val/", 4) == 0) return N_IN_SIGHT + 1;
  return OTHER_RANK;
}

size_t fn_report_window(const char *key, int64_t n_points) {
  const bool noisy = strncmp(key, "train/", 6) == 0 || strncmp(key, "system/", 7) == 0;
  if (!noisy || n_points < 40 || strcmp(key, "train/learning_rate") == 0) return 0;
  return 1 + (size_t)n_points / 40;
}

bool fn_report_by_time(const char *key) {
  return strncmp(key, "system/", 7) == 0;
}

size_t fn_report_buckets(size_t n_runs, size_t n_keys) {
  const size_t curves = n_runs * n_keys, n = ALL_BUCKETS / (curves ? curves : 1);
  return n > MAX_BUCKETS ? MAX_BUCKETS : n < MIN_BUCKETS ? MIN_BUCKETS : n;
}

static const fn_series *curve_of(const fn_report_run *run, const char *key) {
  for (size_t i = 0; i < run->n_curves; i++)
    if (strcmp(run->curves[i].key, key) == 0) return &run->curves[i].series;
  return NULL;
}

static bool has_steps(const fn_report_view *view, const char *key) {
  for (size_t r = 0; r < view->n_runs; r++) {
    const fn_series *s = curve_of(&view->report->runs[r], key);
    if (s && s->n_points + s->n_bad > 1) return true;
  }
  return false;
}

static const char *note_of(const char *key) {
  const int direction = fn_report_direction(key);
  return direction < 0 ? "Lower is better." : direction > 0 ? "Higher is better." : NULL;
}

static fn_status write_chart(fn_buf *out, const fn_report_view *view, const char *key, size_t number, fn_err *err) {
  char id[32];
  size_t n = 0;
  FN_AUTO_FREE fn_chart_line *lines = fn_mem_calloc(view->n_runs, sizeof *lines);
  if (!lines) return fn_err_no_memory(err, "a chart");
  snprintf(id, sizeof id, "chart%zu", number);
  for (size_t r = 0; r < view->n_runs; r++) {
    const fn_series *s = curve_of(&view->report->runs[r], key);
    if (!s || s->n_points + s->n_bad == 0) continue;
    lines[n++] = (fn_chart_line){view->rows[r].label, view->rows[r].name, view->rows[r].style, (int)r, s};
  }
  const fn_line_chart chart = {id, key, note_of(key), fn_report_by_time(key) ? "second" : "step", lines, n};
  return fn_line_chart_write(out, &chart, err);
}

static bool is_system(const char *key) {
  return fn_report_by_time(key);
}

typedef struct chosen {
  const char **keys;
  size_t n;
} chosen;

/* Keys with a curve, by rank and then by name. */
static fn_status choose(chosen *c, const fn_report_view *view, bool system, fn_err *err) {
  size_t n = 0, kept = 0;
  const char **keys = NULL;
  FN_TRY(fn_report_metric_keys(&keys, &n, view, err));
  for (size_t i = 0; i < n; i++)
    if (is_system(keys[i]) == system && has_steps(view, keys[i])) keys[kept++] = keys[i];
  for (size_t i = 1; i < kept; i++) /* a stable sort by rank: names are in order already */
    for (size_t k = i; k > 0 && fn_report_curve_rank(keys[k - 1]) > fn_report_curve_rank(keys[k]); k--) {
      const char *swap = keys[k];
      keys[k] = keys[k - 1];
      keys[k - 1] = swap;
    }
  *c = (chosen){keys, kept};
  return FN_OK;
}

static fn_status write_charts(fn_buf *out, const fn_report_view *view, const chosen *c, size_t from, size_t to,
                              size_t base, fn_err *err) {
  fn_buf_append_str(out, "<div class=\"charts\">\n");
  for (size_t i = from; i < to; i++) FN_TRY(write_chart(out, view, c->keys[i], base + i, err));
  fn_buf_append_str(out, "</div>\n");
  return FN_OK;
}

static void write_toolbar(fn_buf *out) {
  fn_buf_append_str(out, "<fieldset class=\"script toolbar\"><legend>How curves are drawn</legend>"
                         "<label>Axis <select id=\"axis\"><option value=\"auto\">as the values ask</option><option "
                         "value=\"linear\">linear</option>"
                         "<option value=\"log\">by decades</option></select></label> "
                         "<label>Smoothing <input type=\"range\" id=\"smoothing\" min=\"0\" max=\"40\" value=\"0\" "
                         "aria-describedby=\"smoothing-words\"></label> "
                         "<span id=\"smoothing-words\" class=\"hint\">as drawn</span></fieldset>\n"
                         "<p class=\"hint script\">Point at a drawing, or move into it with the tab key and use the "
                         "arrow keys: the values at that step "
                         "stand below it.</p>\n");
}

fn_status fn_report_write_curves(fn_buf *out, const fn_report_view *view, fn_err *err) {
  chosen c = {0};
  FN_TRY(choose(&c, view, false, err));
  size_t in_sight = 0;
  while (in_sight < c.n && fn_report_curve_rank(c.keys[in_sight]) < N_IN_SIGHT) in_sight++;
  fn_status status = FN_OK;
  fn_html_section_begin(out, "curves", "Curves");
  if (c.n == 0) fn_buf_append_str(out, "<p>No metric has more than one step; its figures stand in the tables.</p>\n");
  if (in_sight == 0) in_sight = c.n;
  if (c.n > 0) write_toolbar(out);
  if (in_sight > 0) status = write_charts(out, view, &c, 0, in_sight, 1, err);
  if (status == FN_OK && in_sight < c.n) {
    fn_html_add(out, "<details><summary>%zu more curves</summary>\n", c.n - in_sight);
    status = write_charts(out, view, &c, in_sight, c.n, 1, err);
    fn_buf_append_str(out, "</details>\n");
  }
  if (view->report->n_keys_without_curve > 0)
    fn_html_add(out,
                "<p class=\"hint\">%zu more metrics are not drawn: a page with all of them would be too large. Their "
                "figures stand in the "
                "table of all metrics.</p>\n",
                view->report->n_keys_without_curve);
  fn_html_section_end(out);
  free(c.keys);
  return status;
}

bool fn_report_has_system(const fn_report_view *view) {
  for (size_t r = 0; r < view->n_runs; r++)
    for (size_t i = 0; i < view->report->runs[r].n_metrics; i++)
      if (is_system(view->report->runs[r].metrics[i].key)) return true;
  return false;
}

fn_status fn_report_write_system(fn_buf *out, const fn_report_view *view, fn_err *err) {
  chosen c = {0};
  if (!fn_report_has_system(view)) return FN_OK;
  FN_TRY(choose(&c, view, true, err));
  fn_html_section_begin(out, "system", "The machine meanwhile");
  if (c.n == 0) fn_buf_append_str(out, "<p>The runs were too short for more than one look at the machine.</p>\n");
  const fn_status status = c.n > 0 ? write_charts(out, view, &c, 0, c.n, 1001, err) : FN_OK;
  fn_html_section_end(out);
  free(c.keys);
  return status;
}
