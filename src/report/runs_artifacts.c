/* Files that the runs left, and where runs and models come from. */
#include "report/runs_internal.h"

enum { MAX_FILES = 60, MAX_OPEN_RUNS = 40 };

static void write_file(fn_buf *out, const fn_report_artifact *file) {
  char text[32];
  fn_html_table_row(out, -1);
  fn_buf_append_str(out, "<th scope=\"row\">");
  if (file->place) {
    fn_buf_append_str(out, "<a href=\"");
    fn_html_href(out, file->place);
    fn_buf_append_str(out, "\">");
  }
  fn_html_cut(out, file->path, 120);
  fn_buf_append_str(out, file->place ? "</a></th>" : "</th>");
  fn_html_table_value(out, (double)file->n_bytes, fn_bytes_text(text, file->n_bytes));
  fn_buf_append_str(out, "<td><code>");
  fn_html_cut(out, file->sha256 ? file->sha256 : "", 12);
  fn_buf_append_str(out, "</code></td>");
  fn_html_table_row_end(out);
}

void fn_report_write_artifacts(fn_buf *out, const fn_report_view *view) {
  static const fn_html_column columns[] = {
      {"file", NULL, false}, {"size", NULL, true}, {"SHA-256 begins", NULL, false}};
  size_t n_without = 0, n_shown = 0;
  fn_html_section_begin(out, "files", "Files");
  for (size_t r = 0; r < view->n_runs; r++) {
    const fn_report_run *run = &view->report->runs[r];
    char id[32], text[32];
    int64_t bytes = 0;
    if (run->n_artifacts == 0 || n_shown >= MAX_OPEN_RUNS) {
      n_without += run->n_artifacts == 0;
      continue;
    }
    n_shown++;
    for (size_t i = 0; i < run->n_artifacts; i++) bytes += run->artifacts[i].n_bytes;
    snprintf(id, sizeof id, "files-%zu", r);
    fn_html_add(out, "<details><summary><bdi>%s</bdi>: %zu files, %s</summary>\n", view->rows[r].name, run->n_artifacts,
                fn_bytes_text(text, bytes));
    fn_html_table_begin(out, id, "Files of the run", columns, FN_COUNT_OF(columns), false);
    for (size_t i = 0; i < run->n_artifacts && i < MAX_FILES; i++) write_file(out, &run->artifacts[i]);
    fn_html_table_end(out);
    if (run->n_artifacts > MAX_FILES)
      fn_html_add(out, "<p class=\"hint\">and %zu more</p>\n", run->n_artifacts - MAX_FILES);
    fn_buf_append_str(out, "</details>\n");
  }
  if (n_without > 0)
    fn_html_add(out, "<p class=\"hint\">%zu %s no files in the store.</p>\n", n_without,
                n_without == 1 ? "run has" : "runs have");
  fn_html_section_end(out);
}

static void write_step(fn_buf *out, const char *what, const char *value, const char *hash) {
  if (!value || !*value) return;
  fn_html_add(out, "<div><dt>%s</dt><dd>", what);
  fn_html_cut(out, value, 300);
  if (hash && *hash) {
    fn_buf_append_str(out, " <code>");
    fn_html_cut(out, hash, 16);
    fn_buf_append_str(out, "</code>");
  }
  fn_buf_append_str(out, "</dd></div>\n");
}

void fn_report_write_lineage(fn_buf *out, const fn_report_view *view) {
  fn_html_section_begin(out, "lineage", "Where it comes from");
  for (size_t r = 0; r < view->n_runs && r < MAX_OPEN_RUNS; r++) {
    const fn_report_run *run = &view->report->runs[r];
    fn_html_add(out, "<details%s><summary><bdi>%s</bdi></summary>\n<dl class=\"lineage\">\n",
                view->n_runs <= 3 ? " open" : "", view->rows[r].name);
    for (size_t i = 0; i < run->n_models; i++) write_step(out, "model version", run->models[i], NULL);
    write_step(out, "run", run->id, NULL);
    write_step(out, "folder", run->folder, NULL);
    write_step(out, "part of run", run->parent, NULL);
    write_step(out, "by", run->user, NULL);
    write_step(out, "command", run->command, NULL);
    write_step(out, "program", run->build, NULL);
    write_step(out, "source revision", run->revision, NULL);
    write_step(out, "computed on", run->device, NULL);
    write_step(out, "begun from", run->init, run->init_hash);
    write_step(out, "data", run->data, run->data_hash);
    fn_buf_append_str(out, "</dl></details>\n");
  }
  if (view->n_runs > MAX_OPEN_RUNS)
    fn_html_add(out, "<p class=\"hint\">and %zu more runs; the data block of this page has them.</p>\n",
                view->n_runs - MAX_OPEN_RUNS);
  fn_html_section_end(out);
}
