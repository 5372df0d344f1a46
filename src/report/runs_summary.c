/* Which runs, which is best and how far that carries, what went wrong. */
#include "report/runs_internal.h"

#include <math.h>

static const char *direction_words(int direction) {
  return direction < 0 ? "lower is better" : direction > 0 ? "higher is better" : "direction not known";
}

/* Columns beside the ranking metric, where a run has them. */
static const char *const shown[] = {"val/loss",     "val/accuracy", "val/roc_auc", "test/accuracy",
                                    "test/roc_auc", "test/loss",    "test/ece",    "left_out/accuracy"};
enum { MAX_FIGURES = FN_COUNT_OF(shown) + 1 };

typedef struct figures {
  const char *keys[MAX_FIGURES];
  size_t n;
} figures;

static bool any_has(const fn_report_view *view, const char *key) {
  for (size_t r = 0; r < view->n_runs; r++)
    if (fn_report_find_metric(&view->report->runs[r], key)) return true;
  return false;
}

static void choose_figures(figures *f, const fn_report_view *view) {
  f->n = 0;
  if (view->report->metric && any_has(view, view->report->metric)) f->keys[f->n++] = view->report->metric;
  for (size_t i = 0; i < FN_COUNT_OF(shown); i++) {
    if (!any_has(view, shown[i]) || (f->n > 0 && strcmp(f->keys[0], shown[i]) == 0)) continue;
    f->keys[f->n++] = shown[i];
  }
}

/* The figure with its 95 % interval where one was recorded. */
static void write_figure(fn_buf *out, const fn_report_run *run, const char *key, bool best) {
  const fn_report_metric *m = fn_report_find_metric(run, key);
  char low[32], high[32];
  fn_html_table_number(out, fn_report_figure(run, key), best);
  if (!m || isnan(m->low) || isnan(m->high) || out->failed) return;
  out->length -= strlen("</td>");
  fn_html_add(out, " <small>%s … %s</small></td>", fn_number_text(low, m->low), fn_number_text(high, m->high));
}

static void write_row(fn_buf *out, const fn_report_view *view, size_t r, const figures *f) {
  const fn_report_run *run = &view->report->runs[r];
  char text[32];
  fn_html_table_row(out, (int)r);
  fn_report_head(out, view, r, true);
  fn_html_add(out, "<td class=\"word status-%s\">%s</td>", strcmp(run->status, "FINISHED") == 0 ? "done" : "other",
              run->status);
  for (size_t i = 0; i < f->n; i++) write_figure(out, run, f->keys[i], i == 0 && r == view->best);
  if (run->best_step >= 0)
    fn_html_table_number(out, (double)run->best_step, false);
  else
    fn_html_table_text(out, NULL);
  if (run->start_ms > 0) {
    char time[21];
    fn_clock_format(time, run->start_ms);
    time[10] = ' ', time[16] = 0;
    fn_html_table_value(out, (double)run->start_ms, time);
  } else {
    fn_html_table_text(out, NULL);
  }
  if (run->start_ms > 0 && run->end_ms >= run->start_ms)
    fn_html_table_value(out, (double)(run->end_ms - run->start_ms),
                        fn_duration_text(text, run->end_ms - run->start_ms));
  else
    fn_html_table_text(out, NULL);
  fn_buf_append_str(out, "<td class=\"word\"><code>");
  fn_html_cut(out, run->data_hash && *run->data_hash ? run->data_hash : "–", 12);
  fn_buf_append_str(out, "</code></td><td class=\"word\"><code>");
  fn_html_cut(out, run->revision && *run->revision ? run->revision : "–", 12);
  fn_buf_append_str(out, "</code></td>");
  fn_html_table_row_end(out);
}

/* Who comes behind the best, or is as good: two runs with the same figure have no order. */
static void write_next(fn_buf *out, const fn_report_view *view) {
  const double best = view->rows[view->best].score;
  const fn_report_row *next = NULL;
  char text[32];
  size_t n_same = 0;
  for (size_t r = 0; r < view->n_runs; r++) {
    const fn_report_row *row = &view->rows[r];
    if (row->place == 1) next = row;
    n_same += r != view->best && row->score == best;
  }
  if (!next) return;
  if (n_same == 0)
    fn_html_add(out, "; next <bdi>%s</bdi> with %s", next->name, fn_number_text(text, next->score));
  else if (n_same == 1)
    fn_html_add(out, "; <bdi>%s</bdi> has the same", next->name);
  else
    fn_html_add(out, "; <bdi>%s</bdi> and %zu more have the same", next->name, n_same - 1);
}

static void write_verdict(fn_buf *out, const fn_report_view *view) {
  const fn_runs_report *report = view->report;
  char a[32];
  const char *metric = report->metric ? report->metric : "";
  if (view->n_runs < 2) return;
  if (report->direction == 0) {
    fn_html_add(
        out, "<p>No run is called best: it is not known whether a higher or a lower <code>%s</code> is better.</p>\n",
        metric);
    return;
  }
  if (view->best == SIZE_MAX) {
    fn_html_add(out, "<p>No run is called best: none has a value of <code>%s</code>.</p>\n", metric);
    return;
  }
  fn_buf_append_str(out, "<p class=\"verdict\">Best: <strong><bdi>");
  fn_html_text(out, view->rows[view->best].name);
  fn_html_add(out, "</bdi></strong> with <code>%s</code> %s (%s)", metric,
              fn_number_text(a, view->rows[view->best].score), direction_words(report->direction));
  write_next(out, view);
  fn_buf_append_str(out, ". ");
  if (strncmp(metric, "test/", 5) == 0)
    fn_buf_append_str(out, "Runs that are chosen by the test rows read better there than on new ones.");
  else
    fn_buf_append_str(out, "A difference this page gives no interval for may be chance: another seed would say.");
  fn_buf_append_str(out, "</p>\n");
}

static void write_data_remark(fn_buf *out, const fn_report_view *view) {
  const fn_report_run *runs = view->report->runs;
  for (size_t r = 1; r < view->n_runs; r++) {
    const char *a = runs[0].data_hash ? runs[0].data_hash : "", *b = runs[r].data_hash ? runs[r].data_hash : "";
    if (strcmp(a, b) == 0) continue;
    fn_buf_append_str(out, "<p class=\"careful\"><strong>Not all runs have the same data:</strong> figures of "
                           "different rows do not compare. "
                           "Look at the column “data”.</p>\n");
    return;
  }
}

void fn_report_write_summary(fn_buf *out, const fn_report_view *view) {
  figures f;
  fn_html_column columns[MAX_FIGURES + 8];
  size_t n = 0;
  choose_figures(&f, view);
  columns[n++] = (fn_html_column){"run", NULL, false};
  columns[n++] = (fn_html_column){"status", NULL, false};
  for (size_t i = 0; i < f.n; i++) {
    const int direction =
        i == 0 && f.keys[0] == view->report->metric ? view->report->direction : fn_report_direction(f.keys[i]);
    columns[n++] = (fn_html_column){f.keys[i], direction_words(direction), true};
  }
  columns[n++] = (fn_html_column){"best step", NULL, true};
  columns[n++] = (fn_html_column){"start", "UTC", true};
  columns[n++] = (fn_html_column){"duration", NULL, true};
  columns[n++] = (fn_html_column){"data", NULL, false};
  columns[n++] = (fn_html_column){"source revision", NULL, false};
  fn_html_section_begin(out, "runs", "Runs");
  write_verdict(out, view);
  write_data_remark(out, view);
  if (view->n_runs > 1)
    fn_buf_append_str(out, "<p class=\"script toolbar\"><button type=\"button\" id=\"all\">Draw all</button> <button "
                           "type=\"button\" id=\"none\">Draw "
                           "none</button></p>\n");
  fn_html_table_begin(
      out, "summary",
      "Figures of validation are those of the model that was kept; 95 % intervals where one was recorded", columns, n,
      true);
  for (size_t i = 0; i < view->n_runs; i++) write_row(out, view, view->order[i], &f);
  fn_html_table_end(out);
  if (view->n_runs > FN_N_STYLES)
    fn_html_add(out,
                "<p class=\"hint\">The %d that come first by <code>%s</code> are drawn in lines of their own, the "
                "others thin and grey.</p>\n",
                (int)FN_REPORT_N_FIRST, view->report->metric ? view->report->metric : "");
  fn_report_write_notes(out, view);
  fn_html_section_end(out);
}

/* Statuses that a reader must know of, and what they mean. */
static const char *const statuses[][2] = {
    {"FAILED", "ended with an error; the figures are of the steps before"},
    {"INTERRUPTED", "the process was gone without saying how it ended; --resume goes on"},
    {"KILLED", "stopped by a person or a signal; --resume goes on"},
    {"RUNNING", "still going on: figures will change"},
    {"SCHEDULED", "not begun"},
};
enum { MAX_NAMED = 12, MAX_NOTES = 40 };

/* "FAILED, 2 runs: …: A, B". */
static void write_named(fn_buf *out, const fn_report_view *view, const char *word, const char *meaning,
                        bool (*fits)(const fn_report_run *run, const char *word)) {
  size_t n = 0;
  for (size_t r = 0; r < view->n_runs; r++) n += fits(&view->report->runs[r], word);
  if (n == 0) return;
  fn_html_add(out, "<li><strong>%s</strong>, %zu %s: %s: ", word, n, n == 1 ? "run" : "runs", meaning);
  for (size_t r = 0, told = 0; r < view->n_runs && told < MAX_NAMED; r++) {
    if (!fits(&view->report->runs[r], word)) continue;
    fn_html_add(out, "%s<bdi>%s</bdi>", told++ ? ", " : "", view->rows[r].name);
  }
  if (n > MAX_NAMED) fn_html_add(out, " and %zu more", n - MAX_NAMED);
  fn_buf_append_str(out, ".</li>\n");
}

static bool has_status(const fn_report_run *run, const char *word) {
  return strcmp(run->status, word) == 0;
}
static bool has_no_metrics(const fn_report_run *run, const char *word) {
  (void)word;
  return run->n_metrics == 0;
}

static const char *tag(const fn_report_run *run, const char *key) {
  for (size_t i = 0; i < run->n_tags; i++)
    if (strcmp(run->tags[i].key, key) == 0) return run->tags[i].value;
  return NULL;
}

static void write_note(fn_buf *out, const fn_report_view *view, size_t r, const char *what, const char *text) {
  if (!text || !*text) return;
  fn_html_add(out, "<li><bdi>%s</bdi>, %s: ", view->rows[r].name, what);
  fn_html_cut(out, text, 500);
  fn_buf_append_str(out, "</li>\n");
}

void fn_report_write_notes(fn_buf *out, const fn_report_view *view) {
  static const char head[] = "<h3>Remarks</h3>\n<ul class=\"remarks\">\n";
  const size_t begin = out->length;
  fn_buf_append_str(out, head);
  for (size_t i = 0; i < FN_COUNT_OF(statuses); i++) write_named(out, view, statuses[i][0], statuses[i][1], has_status);
  write_named(out, view, "Without metrics", "nothing was measured yet", has_no_metrics);
  for (size_t r = 0; r < view->n_runs && r < MAX_NOTES; r++) {
    write_note(out, view, r, "error", tag(&view->report->runs[r], "fakenews.error"));
    write_note(out, view, r, "note", tag(&view->report->runs[r], "mlflow.note.content"));
  }
  if (!out->failed && out->length == begin + strlen(head))
    out->length = begin; /* nothing to remark */
  else
    fn_buf_append_str(out, "</ul>\n");
}
