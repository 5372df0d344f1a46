/* What came of it: accuracy beside its interval, the baselines and the calibration; confusion matrices; all metrics. */
#include "report/runs_internal.h"

#include <math.h>

enum { MAX_MATRICES = 24, MAX_METRIC_CELLS = 12000 };

typedef struct quality {
  double accuracy, low, high;
  bool by_groups; /* the interval was recorded with the run; else it is Wilson's over rows */
  const char *interval_of;
  double majority, ece, loss, roc_auc;
  int64_t n_rows;
} quality;

static void find_quality(quality *q, const fn_report_run *run, const char *split) {
  char key[80];
  snprintf(key, sizeof key, "%s/accuracy", split);
  const fn_report_metric *m = fn_report_find_metric(run, key);
  const fn_report_split *s = fn_report_find_split(run, split);
  const double none = (double)NAN;
  *q = (quality){.accuracy = fn_report_figure(run, key), .low = none, .high = none, .majority = none};
  snprintf(key, sizeof key, "%s/ece", split);
  q->ece = fn_report_figure(run, key);
  snprintf(key, sizeof key, "%s/loss", split);
  q->loss = fn_report_figure(run, key);
  snprintf(key, sizeof key, "%s/roc_auc", split);
  q->roc_auc = fn_report_figure(run, key);
  if (s) {
    const double real = (double)(s->confusion[0][0] + s->confusion[0][1]),
                 fake = (double)(s->confusion[1][0] + s->confusion[1][1]);
    q->n_rows = (int64_t)(real + fake);
    if (q->n_rows > 0) {
      q->majority = fmax(real, fake) / (real + fake);
      fn_report_wilson(&q->low, &q->high, (double)(s->confusion[0][0] + s->confusion[1][1]), real + fake);
    }
  }
  if (m && !isnan(m->low) && !isnan(m->high)) {
    q->low = m->low, q->high = m->high;
    q->by_groups = true;
    q->interval_of = m->interval_of;
  }
}

/* A run of the linear family on the same data: what the words alone give. SIZE_MAX: none. */
static size_t linear_of(const fn_report_view *view, size_t run) {
  const char *data = view->report->runs[run].data_hash;
  for (size_t r = 0; data && *data && r < view->n_runs; r++) {
    const fn_report_run *other = &view->report->runs[r];
    if (other->family && strcmp(other->family, "linear") == 0 && other->data_hash &&
        strcmp(other->data_hash, data) == 0)
      return r;
  }
  return SIZE_MAX;
}

static void write_interval(fn_buf *out, const quality *q) {
  char a[32], b[32];
  if (isnan(q->low)) {
    fn_buf_append_str(out, "<td>none was recorded</td>");
    return;
  }
  fn_html_add(out, "<td class=\"number\">%s … %s <small>%s</small></td>", fn_number_text(a, q->low),
              fn_number_text(b, q->high),
              q->interval_of ? q->interval_of
              : q->by_groups ? "recorded with the run"
                             : "by rows");
}

static void write_row(fn_buf *out, const fn_report_view *view, size_t r, const char *split, const quality *q) {
  const size_t linear = linear_of(view, r);
  char key[80], text[32];
  snprintf(key, sizeof key, "%s/accuracy", split);
  fn_html_table_row(out, (int)r);
  fn_report_head(out, view, r, false);
  fn_html_table_number(out, q->accuracy, false);
  write_interval(out, q);
  fn_html_table_number(out, q->majority, false);
  if (linear == r)
    fn_buf_append_str(out, "<td>is linear itself</td>");
  else if (linear == SIZE_MAX || isnan(fn_report_figure(&view->report->runs[linear], key)))
    fn_buf_append_str(out, "<td>no linear run on this data here</td>");
  else
    fn_html_add(out, "<td class=\"number\">%s <small>run %s</small></td>",
                fn_number_text(text, fn_report_figure(&view->report->runs[linear], key)), view->rows[linear].letter);
  fn_html_table_number(out, q->ece, false);
  fn_html_table_number(out, q->loss, false);
  fn_html_table_number(out, q->roc_auc, false);
  fn_html_table_number(out, q->n_rows > 0 ? (double)q->n_rows : (double)NAN, false);
  fn_html_table_row_end(out);
}

static fn_status write_bars(fn_buf *out, const fn_report_view *view, const char *split, fn_err *err) {
  FN_AUTO_FREE fn_bar *bars = fn_mem_calloc(view->n_runs, sizeof *bars);
  size_t n = 0, n_lines = 0;
  double low = 1, majority = (double)NAN;
  bool one_majority = true;
  char id[64], title[96];
  if (!bars) return fn_err_no_memory(err, "bars");
  for (size_t r = 0; r < view->n_runs; r++) {
    quality q;
    find_quality(&q, &view->report->runs[r], split);
    if (view->rows[r].style < 0 || isnan(q.accuracy) || q.accuracy < 0 || q.accuracy > 1) continue;
    bars[n++] = (fn_bar){view->rows[r].label, q.accuracy, q.low, q.high, view->rows[r].style, (int)r};
    low = fmin(low, isnan(q.low) ? q.accuracy : fmin(q.accuracy, q.low));
    if (isnan(q.majority)) continue;
    if (!isnan(majority) && q.majority != majority) one_majority = false;
    majority = q.majority;
    low = fmin(low, majority);
  }
  if (n == 0) return FN_OK;
  fn_bar_line lines[1];
  if (one_majority && !isnan(majority)) lines[n_lines++] = (fn_bar_line){"always the commoner label", majority};
  snprintf(id, sizeof id, "bars-%s", strcmp(split, "test") == 0 ? "test" : "leftout");
  snprintf(title, sizeof title, "Accuracy on %s", split);
  const fn_bars chart = {id,
                         title,
                         "The mark is the figure, the line its 95 % interval. Higher is better.",
                         floor(low * 10) / 10,
                         1,
                         bars,
                         n,
                         lines,
                         n_lines};
  fn_bars_write(out, &chart);
  return FN_OK;
}

static void write_matrices(fn_buf *out, const fn_report_view *view, const char *split) {
  static const char *const classes[] = {"real", "fake"};
  size_t n = 0, left = 0;
  fn_buf_append_str(out, "<div class=\"charts\">\n");
  for (size_t r = 0; r < view->n_runs; r++) {
    const fn_report_split *s = fn_report_find_split(&view->report->runs[r], split);
    char id[64], title[240];
    if (!s) continue;
    if (n >= MAX_MATRICES || (view->n_runs > MAX_MATRICES && view->rows[r].style < 0)) {
      left++;
      continue;
    }
    n++;
    snprintf(id, sizeof id, "confusion-%s-%zu", strcmp(split, "test") == 0 ? "test" : "leftout", r);
    snprintf(title, sizeof title, "%s, %s", view->rows[r].name, split);
    const int64_t counts[4] = {s->confusion[0][0], s->confusion[0][1], s->confusion[1][0], s->confusion[1][1]};
    const fn_matrix matrix = {id, title, classes, 2, counts};
    fn_buf_append_str(out, "<div class=\"card\">");
    fn_matrix_write(out, &matrix);
    fn_buf_append_str(out, "</div>\n");
  }
  fn_buf_append_str(out, "</div>\n");
  if (left > 0)
    fn_html_add(out, "<p class=\"hint\">%zu more runs have a matrix; those that come first are shown.</p>\n", left);
}

static bool split_is_known(const fn_report_view *view, const char *split) {
  char key[80];
  snprintf(key, sizeof key, "%s/accuracy", split);
  for (size_t r = 0; r < view->n_runs; r++)
    if (fn_report_find_metric(&view->report->runs[r], key) || fn_report_find_split(&view->report->runs[r], split))
      return true;
  return false;
}

static fn_status write_split(fn_buf *out, const fn_report_view *view, const char *split, const char *words,
                             fn_err *err) {
  static const fn_html_column columns[] = {
      {"run", NULL, false},
      {"accuracy", "higher is better", true},
      {"95 % interval", NULL, true},
      {"majority baseline", "always the commoner label", true},
      {"linear baseline", "n-grams of words", true},
      {"calibration error", "ECE, lower is better", true},
      {"loss", "lower is better", true},
      {"ROC AUC", "higher is better", true},
      {"rows", NULL, true},
  };
  bool by_rows = false;
  fn_html_add(out, "<h3>%s</h3>\n", words);
  FN_TRY(write_bars(out, view, split, err));
  fn_html_table_begin(out, strcmp(split, "test") == 0 ? "quality-test" : "quality-leftout",
                      "Accuracy never alone: interval, baselines, calibration", columns, FN_COUNT_OF(columns), true);
  for (size_t i = 0; i < view->n_runs; i++) {
    const size_t r = view->order[i];
    quality q;
    find_quality(&q, &view->report->runs[r], split);
    if (isnan(q.accuracy) && q.n_rows == 0) continue;
    by_rows = by_rows || (!isnan(q.low) && !q.by_groups);
    write_row(out, view, r, split, &q);
  }
  fn_html_table_end(out);
  if (by_rows)
    fn_buf_append_str(
        out,
        "<p class=\"hint\">Intervals “by rows” are Wilson's and take every row as independent of the others. Rows of "
        "one "
        "publisher are not, so the true ones are wider; <code>fakenews evaluate</code> draws whole publishers.</p>\n");
  write_matrices(out, view, split);
  return FN_OK;
}

fn_status fn_report_write_quality(fn_buf *out, const fn_report_view *view, fn_err *err) {
  const bool test = split_is_known(view, "test"), left_out = split_is_known(view, "left_out");
  fn_html_section_begin(out, "test", "Test");
  if (!test && !left_out)
    fn_buf_append_str(
        out, "<p>No run was tested: figures of validation say too much good of what was chosen by them.</p>\n");
  if (test) FN_TRY(write_split(out, view, "test", "Rows that training never saw", err));
  if (left_out)
    FN_TRY(write_split(out, view, "left_out", "Rows of sets that were left out of training", err));
  else if (test)
    fn_buf_append_str(out, "<p class=\"hint\">No set was left out of training (<code>data.leave_out</code>), so "
                           "nothing here says how the models do "
                           "on publishers they have never seen; that is usually far worse.</p>\n");
  fn_html_section_end(out);
  return FN_OK;
}

fn_status fn_report_write_metrics(fn_buf *out, const fn_report_view *view, fn_err *err) {
  const char **keys = NULL;
  size_t n = 0, told = 0;
  FN_TRY(fn_report_metric_keys(&keys, &n, view, err));
  fn_html_section_begin(out, "metrics", "All metrics");
  if (n == 0) fn_buf_append_str(out, "<p>None were recorded.</p>\n");
  if (n > 0) {
    static const fn_html_column columns[] = {{"metric", NULL, false}, {"run", NULL, false},   {"last", NULL, true},
                                             {"at step", NULL, true}, {"lowest", NULL, true}, {"highest", NULL, true},
                                             {"values", NULL, true}};
    fn_html_add(out, "<details><summary>%zu metrics of %zu %s</summary>\n", n, view->n_runs,
                view->n_runs == 1 ? "run" : "runs");
    fn_html_table_begin(out, "all-metrics", "Every metric of every run", columns, FN_COUNT_OF(columns), true);
    for (size_t k = 0; k < n && told < MAX_METRIC_CELLS / 6; k++)
      for (size_t r = 0; r < view->n_runs && told < MAX_METRIC_CELLS / 6; r++) {
        const fn_report_metric *m = fn_report_find_metric(&view->report->runs[r], keys[k]);
        char text[32];
        if (!m) continue;
        told++;
        fn_html_table_row(out, (int)r);
        fn_html_table_head(out, m->key);
        fn_html_table_text(out, view->rows[r].label);
        fn_html_table_value(out, m->last, fn_number_text(text, m->last));
        fn_html_table_number(out, (double)m->last_step, false);
        fn_html_table_value(out, m->min, fn_number_text(text, m->min));
        fn_html_table_value(out, m->max, fn_number_text(text, m->max));
        fn_html_table_number(out, (double)m->n, false);
        fn_html_table_row_end(out);
      }
    fn_html_table_end(out);
    if (told >= MAX_METRIC_CELLS / 6)
      fn_html_add(out, "<p class=\"hint\">The first %zu rows; <code>fakenews runs export</code> gives all.</p>\n",
                  told);
    fn_buf_append_str(out, "</details>\n");
  }
  fn_html_section_end(out);
  free(keys);
  return FN_OK;
}
