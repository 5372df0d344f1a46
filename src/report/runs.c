#include "report/runs_internal.h"

static fn_status write_sections(fn_buf *out, const fn_report_view *view, fn_err *err) {
  const bool parallel = fn_report_has_parallel(view);
  fn_html_link links[12];
  size_t n = 0;
  links[n++] = (fn_html_link){"runs", "Runs"};
  links[n++] = (fn_html_link){"parameters", view->n_runs > 1 ? "What differs" : "Parameters"};
  links[n++] = (fn_html_link){"curves", "Curves"};
  if (parallel) links[n++] = (fn_html_link){"parallel", "Parallel coordinates"};
  links[n++] = (fn_html_link){"test", "Test"};
  if (fn_report_has_system(view)) links[n++] = (fn_html_link){"system", "Machine"};
  links[n++] = (fn_html_link){"files", "Files"};
  links[n++] = (fn_html_link){"lineage", "Where it comes from"};
  links[n++] = (fn_html_link){"metrics", "All metrics"};
  fn_html_contents(out, links, n);
  fn_report_write_summary(out, view);
  FN_TRY(fn_report_write_params(out, view, err));
  FN_TRY(fn_report_write_curves(out, view, err));
  if (parallel) FN_TRY(fn_report_write_parallel(out, view, err));
  FN_TRY(fn_report_write_quality(out, view, err));
  FN_TRY(fn_report_write_system(out, view, err));
  fn_report_write_artifacts(out, view);
  fn_report_write_lineage(out, view);
  return fn_report_write_metrics(out, view, err);
}

static fn_status write_page(fn_buf *out, const fn_report_view *view, fn_err *err) {
  const fn_runs_report *report = view->report;
  FN_AUTO_BUF fn_buf title, lead, made, data;
  char time[21];
  fn_buf_init(&title, 1 << 16);
  fn_buf_init(&lead, 1 << 16);
  fn_buf_init(&made, 1 << 16);
  fn_buf_init(&data, 0);
  const char *experiment = report->runs[0].experiment ? report->runs[0].experiment : "";
  for (size_t r = 1; r < report->n_runs; r++)
    if (!report->runs[r].experiment || strcmp(report->runs[r].experiment, experiment) != 0) experiment = "";
  if (report->title)
    fn_buf_append_str(&title, report->title);
  else if (report->n_runs == 1)
    fn_buf_printf(&title, "Run %.200s",
                  report->runs[0].name && *report->runs[0].name ? report->runs[0].name : report->runs[0].id);
  else
    fn_buf_printf(&title, "%zu runs%s%.200s", report->n_runs, *experiment ? " of " : "", experiment);
  fn_clock_format(time, report->made_ms);
  fn_buf_printf(&lead, "How %s: what %s, how the training went, and what came of it.",
                report->n_runs == 1 ? "it was trained" : "they were trained",
                report->n_runs == 1 ? "it was set to" : "differs between them");
  fn_buf_printf(&made, "Made %s by fakenews %s: %.1000s", time, report->version ? report->version : "",
                report->command ? report->command : "");
  FN_TRY(fn_buf_check(&title, "a title", err));
  FN_TRY(fn_buf_check(&lead, "a title", err));
  FN_TRY(fn_buf_check(&made, "a title", err));
  const fn_html_page page = {title.data, lead.data, made.data};
  FN_TRY(fn_html_begin(out, &page, err));
  FN_TRY(write_sections(out, view, err));
  FN_TRY(fn_report_write_json(&data, view, err));
  FN_TRY(fn_buf_check(&data, "the data of a report", err));
  FN_TRY(fn_html_end(out, &page, &data, err));
  return fn_buf_check(out, "the page", err);
}

fn_status fn_runs_report_write(fn_buf *out, const fn_runs_report *report, fn_err *err) {
  fn_report_view view;
  if (report->n_runs == 0) return fn_err_set(err, FN_E_INVALID, "a report needs one run at least");
  if (report->n_runs > FN_REPORT_MAX_RUNS)
    return fn_err_set(err, FN_E_INVALID, "%zu runs: a report takes %d at most", report->n_runs,
                      (int)FN_REPORT_MAX_RUNS);
  FN_TRY(fn_report_view_make(&view, report, err));
  const fn_status status = write_page(out, &view, err);
  fn_report_view_release(&view);
  return status;
}
