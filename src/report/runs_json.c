/* The data block: what the script draws from, and what people may read with any JSON tool. */
#include "report/runs_internal.h"

#include <math.h>

enum { MAX_PARAM_CELLS = 20000, MAX_VALUE = 300 };

static void append_number(fn_buf *out, double value) {
  char text[32];
  if (!isfinite(value)) {
    fn_buf_append_str(out, "null");
    return;
  }
  snprintf(text, sizeof text, "%.6g", value);
  fn_buf_append_str(out, text);
}

static void write_texts(fn_json_writer *w, const fn_report_run *run) {
  const fn_report_pair texts[] = {
      {"id", run->id},       {"name", run->name},           {"status", run->status}, {"experiment", run->experiment},
      {"user", run->user},   {"parent", run->parent},       {"folder", run->folder}, {"family", run->family},
      {"data", run->data},   {"data_hash", run->data_hash}, {"init", run->init},     {"revision", run->revision},
      {"build", run->build}, {"device", run->device},
  };
  for (size_t i = 0; i < FN_COUNT_OF(texts); i++)
    if (texts[i].value && *texts[i].value) fn_json_text(w, texts[i].key, texts[i].value);
}

static void write_cut(fn_json_writer *w, const char *key, const char *value) {
  fn_str s = fn_str_from(value);
  if (s.length > MAX_VALUE) s.length = MAX_VALUE; /* a character that is cut becomes U+FFFD */
  fn_json_str(w, key, s);
}

static void write_run(fn_json_writer *w, const fn_report_view *view, size_t r) {
  const fn_report_run *run = &view->report->runs[r];
  const size_t most = MAX_PARAM_CELLS / view->n_runs;
  fn_json_object(w, NULL);
  fn_json_text(w, "letter", view->rows[r].letter);
  write_texts(w, run);
  fn_json_int(w, "start_ms", run->start_ms);
  fn_json_int(w, "end_ms", run->end_ms);
  fn_json_int(w, "best_step", run->best_step);
  fn_json_double(w, "score", view->rows[r].score);
  fn_json_object(w, "params");
  for (size_t i = 0; i < view->n_differing && i < most; i++) {
    const char *value = fn_report_param(view, view->differing[i], r);
    if (value) write_cut(w, view->params[view->differing[i]], value);
  }
  fn_json_end(w);
  fn_json_object(w, "metrics");
  for (size_t i = 0; i < run->n_metrics && i < most; i++) fn_json_double(w, run->metrics[i].key, run->metrics[i].last);
  fn_json_end(w);
  fn_json_object(w, "confusion");
  for (size_t i = 0; i < run->n_splits; i++) {
    fn_json_array(w, run->splits[i].name);
    for (int k = 0; k < 4; k++) fn_json_int(w, NULL, run->splits[i].confusion[k / 2][k % 2]);
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_end(w);
}

static void write_shared(fn_json_writer *w, const fn_report_view *view) {
  fn_json_object(w, "shared_params");
  for (size_t p = 0; p < view->n_params; p++) {
    bool differs = false;
    for (size_t d = 0; d < view->n_differing && !differs; d++) differs = view->differing[d] == p;
    const char *value = differs ? NULL : fn_report_shared_param(view, p);
    if (value) write_cut(w, view->params[p], value);
  }
  fn_json_end(w);
}

/* {"run":0,"x":[…],"y":[…]}: as drawn, null where the line is broken. By hand: the writer gives all digits. */
static fn_status write_curve(fn_buf *out, size_t r, const fn_series *series, fn_err *err) {
  FN_AUTO_FREE fn_point *points = NULL;
  size_t n = 0;
  FN_TRY(fn_series_points(&points, &n, series, false, err));
  fn_buf_printf(out, "{\"run\":%zu,\"x\":[", r);
  for (size_t i = 0; i < n; i++) fn_buf_printf(out, i ? ",%.0f" : "%.0f", points[i].x);
  fn_buf_append_str(out, "],\"y\":[");
  for (size_t i = 0; i < n; i++) {
    if (i) fn_buf_append_char(out, ',');
    append_number(out, points[i].y);
  }
  fn_buf_append_str(out, "]}");
  return FN_OK;
}

static fn_status write_curves(fn_buf *out, const fn_report_view *view, fn_err *err) {
  const char **keys = NULL;
  size_t n = 0;
  bool first_key = true;
  fn_status status = FN_OK;
  FN_TRY(fn_report_metric_keys(&keys, &n, view, err));
  fn_buf_append_str(out, ",\n\"curves\": {");
  for (size_t k = 0; k < n && status == FN_OK; k++) {
    bool first = true;
    for (size_t r = 0; r < view->n_runs && status == FN_OK; r++) {
      const fn_report_run *run = &view->report->runs[r];
      for (size_t i = 0; i < run->n_curves; i++) {
        if (strcmp(run->curves[i].key, keys[k]) != 0) continue;
        if (first) {
          fn_buf_append_str(out, first_key ? "\n" : ",\n");
          fn_buf_append_json(out, fn_str_from(keys[k]));
        }
        fn_buf_append_str(out, first ? ": [" : ",\n");
        status = write_curve(out, r, &run->curves[i].series, err);
        first = first_key = false;
      }
    }
    if (!first) fn_buf_append_char(out, ']');
  }
  fn_buf_append_str(out, "}");
  free(keys);
  return status;
}

fn_status fn_report_write_json(fn_buf *out, const fn_report_view *view, fn_err *err) {
  fn_json_writer w;
  char time[21];
  fn_clock_format(time, view->report->made_ms);
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "format", 1);
  fn_json_text(&w, "made", time);
  fn_json_text(&w, "metric", view->report->metric);
  fn_json_text(&w, "direction", view->report->direction < 0 ? "lower" : view->report->direction > 0 ? "higher" : NULL);
  fn_json_array(&w, "runs");
  for (size_t r = 0; r < view->n_runs; r++) write_run(&w, view, r);
  fn_json_end(&w);
  write_shared(&w, view);
  FN_TRY(write_curves(out, view, err));
  fn_json_end(&w);
  return FN_OK;
}
