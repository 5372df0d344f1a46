/* What the runs were started with: what differs first, the rest folded. */
#include "report/runs_internal.h"

enum { MAX_CELLS = 12000, MAX_AXES = 8, FEW_RUNS = 6 };

/* Runs as columns: reads well for few of them. */
static void write_by_param(fn_buf *out, const fn_report_view *view, size_t n) {
  fn_html_column columns[FEW_RUNS + 1] = {{"parameter", NULL, false}};
  for (size_t r = 0; r < view->n_runs; r++) columns[r + 1] = (fn_html_column){view->rows[r].name, NULL, false};
  fn_html_table_begin(out, "differing", "Parameters that differ", columns, view->n_runs + 1, false);
  for (size_t i = 0; i < n; i++) {
    fn_html_table_row(out, -1);
    fn_html_table_head(out, view->params[view->differing[i]]);
    for (size_t r = 0; r < view->n_runs; r++) fn_html_table_word(out, fn_report_param(view, view->differing[i], r));
    fn_html_table_row_end(out);
  }
  fn_html_table_end(out);
}

static fn_status write_by_run(fn_buf *out, const fn_report_view *view, size_t n, fn_err *err) {
  FN_AUTO_FREE fn_html_column *columns = fn_mem_calloc(n + 2, sizeof *columns);
  double v;
  if (!columns) return fn_err_no_memory(err, "a table");
  columns[0] = (fn_html_column){"run", NULL, false};
  for (size_t i = 0; i < n; i++) columns[i + 1] = (fn_html_column){view->params[view->differing[i]], NULL, false};
  columns[n + 1] = (fn_html_column){view->report->metric ? view->report->metric : "metric", NULL, true};
  fn_html_table_begin(out, "differing", "Parameters that differ, and what came of them", columns, n + 2, true);
  for (size_t k = 0; k < view->n_runs; k++) {
    const size_t r = view->order[k];
    fn_html_table_row(out, (int)r);
    fn_report_head(out, view, r, false);
    for (size_t i = 0; i < n; i++) {
      const char *value = fn_report_param(view, view->differing[i], r);
      if (value && fn_str_to_double(&v, fn_str_from(value)))
        fn_html_table_value(out, v, value);
      else
        fn_html_table_text(out, value);
    }
    fn_html_table_number(out, view->rows[r].score, r == view->best);
    fn_html_table_row_end(out);
  }
  fn_html_table_end(out);
  return FN_OK;
}

static void write_shared(fn_buf *out, const fn_report_view *view) {
  static const fn_html_column columns[] = {{"parameter", NULL, false}, {"value", NULL, false}};
  const size_t n = view->n_params - view->n_differing;
  if (n == 0) return;
  fn_html_add(out, "<details><summary>%zu parameters%s</summary>\n", n, view->n_runs > 1 ? " that do not differ" : "");
  fn_html_table_begin(out, "shared", view->n_runs > 1 ? "Parameters that do not differ" : "Parameters", columns, 2,
                      false);
  for (size_t p = 0, d = 0; p < view->n_params; p++) {
    for (d = 0; d < view->n_differing && view->differing[d] != p; d++) continue;
    if (d < view->n_differing) continue;
    fn_html_table_row(out, -1);
    fn_html_table_head(out, view->params[p]);
    fn_html_table_text(out, fn_report_shared_param(view, p));
    fn_html_table_row_end(out);
  }
  fn_html_table_end(out);
  fn_buf_append_str(out, "</details>\n");
}

fn_status fn_report_write_params(fn_buf *out, const fn_report_view *view, fn_err *err) {
  size_t n = view->n_differing;
  if (n > MAX_CELLS / view->n_runs) n = MAX_CELLS / view->n_runs;
  fn_html_section_begin(out, "parameters", view->n_runs > 1 ? "What differs" : "Parameters");
  if (view->n_params == 0)
    fn_buf_append_str(out, "<p>No parameters were recorded.</p>\n");
  else if (view->n_runs > 1 && view->n_differing == 0)
    fn_buf_append_str(out, "<p>The runs have the same parameters: whatever differs in their figures comes of something "
                           "else, data or source "
                           "for example.</p>\n");
  if (n > 0 && view->n_runs <= FEW_RUNS)
    write_by_param(out, view, n);
  else if (n > 0)
    FN_TRY(write_by_run(out, view, n, err));
  if (n < view->n_differing)
    fn_html_add(out, "<p class=\"hint\">%zu more parameters differ; this table would be too large with them.</p>\n",
                view->n_differing - n);
  write_shared(out, view);
  fn_html_section_end(out);
  return FN_OK;
}

/* In the order of what differs: what every run has, then what some lack. A run's name is beside its line. */
static size_t choose_axes(size_t axes[MAX_AXES], size_t *n_left_out, const fn_report_view *view) {
  size_t n = 0;
  *n_left_out = 0;
  for (size_t i = 0; i < view->n_differing; i++) {
    if (strcmp(view->params[view->differing[i]], "name") == 0) continue;
    if (n < MAX_AXES)
      axes[n++] = view->differing[i];
    else
      ++*n_left_out;
  }
  return n;
}

bool fn_report_has_parallel(const fn_report_view *view) {
  size_t axes[MAX_AXES], n_left_out;
  return view->n_runs > 1 && view->report->metric && choose_axes(axes, &n_left_out, view) > 0;
}

fn_status fn_report_write_parallel(fn_buf *out, const fn_report_view *view, fn_err *err) {
  size_t chosen[MAX_AXES], n_left_out;
  const size_t n_axes = choose_axes(chosen, &n_left_out, view), n = view->n_runs;
  char note[320], more[120] = "";
  FN_AUTO_FREE const char **labels = fn_mem_calloc(n, sizeof *labels);
  FN_AUTO_FREE const char **scores = fn_mem_calloc(n, sizeof *scores);
  FN_AUTO_FREE char *texts = fn_mem_calloc(n, 32);
  FN_AUTO_FREE int *styles = fn_mem_calloc(n, sizeof *styles);
  FN_AUTO_FREE int *ids = fn_mem_calloc(n, sizeof *ids);
  if (!labels || !scores || !texts || !styles || !ids) return fn_err_no_memory(err, "parallel coordinates");
  for (size_t r = 0; r < n; r++) {
    labels[r] = view->rows[r].label;
    styles[r] = view->rows[r].style;
    ids[r] = (int)r;
    snprintf(texts + 32 * r, 32, "%.9g", view->rows[r].score);
    scores[r] = view->rows[r].place == SIZE_MAX ? NULL : texts + 32 * r;
  }
  fn_parallel_axis axes[MAX_AXES + 1];
  for (size_t a = 0; a < n_axes; a++)
    axes[a] = (fn_parallel_axis){view->params[chosen[a]], view->values + chosen[a] * n};
  axes[n_axes] = (fn_parallel_axis){view->report->metric, scores};
  if (n_left_out > 0)
    snprintf(more, sizeof more, " %zu more parameters differ; there is no room for their axes.", n_left_out);
  snprintf(note, sizeof note, "Each line is a run; the last axis is what came of it (%s).%s",
           view->report->direction < 0   ? "lower is better"
           : view->report->direction > 0 ? "higher is better"
                                         : "direction not known",
           more);
  const fn_parallel chart = {
      "parallel-chart", "Parameters and what came of them", note, axes, n_axes + 1, labels, styles, ids, n};
  fn_html_section_begin(out, "parallel", "Parallel coordinates");
  FN_TRY(fn_parallel_write(out, &chart, err));
  fn_html_section_end(out);
  return FN_OK;
}
