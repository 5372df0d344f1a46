#include "infer/scored_rows.h"

#include "data/csv.h"

#include <math.h>

double fn_scored_window_share(const fn_prediction *p, int32_t w) {
  double total = 0.0;
  for (int32_t i = 0; i < p->n_windows; i++) total += fabs(p->window_logits[i]);
  return total > 0.0 ? p->window_logits[w] / total : 0.0;
}

void fn_scored_append_reasons(fn_buf *out, unsigned reasons, char between) {
  bool any = false;
  for (int i = 0; i < FN_N_REASONS; i++) {
    if (!(reasons & 1u << i)) continue;
    if (any) fn_buf_append_char(out, between);
    fn_buf_append_str(out, fn_reason_names[i]);
    any = true;
  }
}

/* ---- CSV ---- */

static bool is_answer_column(fn_str name, const fn_classifier_info *model) {
  static const char *const fixed[] = {"predicted_label", "verdict",   "calibrated",    "reasons", "n_tokens",
                                      "truncated",       "n_windows", "window_shares", "model",   "error"};
  for (size_t i = 0; i < FN_COUNT_OF(fixed); i++) {
    if (fn_str_is(name, fixed[i])) return true;
  }
  static const char prefix[] = "probability_";
  const size_t n = sizeof prefix - 1;
  for (int32_t k = 0; k < model->n_labels && fn_str_starts_with(name, prefix); k++) {
    if (fn_str_is(fn_str_make(name.data + n, name.length - n), model->labels[k])) return true;
  }
  return false;
}

fn_status fn_scored_check_columns(const char *file, const fn_str *columns, size_t n, const fn_classifier_info *model,
                                  const char *hint, fn_err *err) {
  for (size_t i = 0; i < n; i++) {
    if (!is_answer_column(columns[i], model)) continue;
    return fn_err_set(err, FN_E_INVALID, "%s: column \"%.*s\" would stand twice in CSV output; rename it, or %s", file,
                      (int)columns[i].length, columns[i].data, hint);
  }
  return FN_OK;
}

static void append_cell(fn_buf *out, const fn_scored_format *f, fn_str cell) {
  const char first = cell.length > 0 ? cell.data[0] : '\0';
  if (!f->escapes || first == '\0' || !strchr("=+-@\t\r", first)) {
    fn_csv_append_field(out, cell);
    return;
  }
  FN_AUTO_BUF fn_buf quoted;
  fn_buf_init(&quoted, cell.length + 2);
  fn_buf_append_char(&quoted, '\'');
  fn_buf_append(&quoted, cell.data, cell.length);
  fn_csv_append_field(out, fn_buf_str(&quoted));
  out->failed |= quoted.failed;
}

void fn_scored_csv_header(fn_buf *out, const fn_scored_format *f, const fn_str *columns) {
  for (size_t i = 0; i < f->n_columns; i++) {
    append_cell(out, f, columns[i]);
    fn_buf_append_char(out, ',');
  }
  fn_buf_append_str(out, "predicted_label");
  for (int32_t k = 0; k < f->model->n_labels; k++) {
    FN_AUTO_BUF fn_buf name;
    fn_buf_init(&name, 0);
    fn_buf_printf(&name, "probability_%s", f->model->labels[k]);
    fn_buf_append_char(out, ',');
    fn_csv_append_field(out, fn_buf_str(&name));
    out->failed |= name.failed;
  }
  fn_buf_append_str(out, ",verdict,calibrated,reasons,n_tokens,truncated,n_windows,window_shares,model,error\n");
}

void fn_scored_csv_row(fn_buf *out, const fn_scored_format *f, const fn_scored_row *row) {
  const fn_prediction *p = row->prediction;
  for (size_t i = 0; i < f->n_columns; i++) {
    if (i < row->n_fields) append_cell(out, f, row->fields[i]);
    fn_buf_append_char(out, ',');
  }
  if (p != NULL) fn_csv_append_field(out, fn_str_from(f->model->labels[p->label]));
  for (int32_t k = 0; k < f->model->n_labels; k++) {
    fn_buf_append_char(out, ',');
    if (p != NULL) fn_buf_append_double(out, p->probabilities[k]);
  }
  if (p != NULL) {
    const char *verdict = fn_verdict_names[p->verdict];
    fn_buf_printf(out, ",%s,%s,", verdict ? verdict : "", p->calibrated ? "true" : "false");
    fn_scored_append_reasons(out, p->reasons, ' ');
    fn_buf_printf(out, ",%lld,%s,%d,", (long long)p->n_tokens, p->truncated ? "true" : "false", (int)p->n_windows);
    for (int32_t w = 0; p->window_logits != NULL && w < p->n_windows; w++)
      fn_buf_printf(out, "%s%.4f", w ? " " : "", fn_scored_window_share(p, w));
    fn_buf_append_char(out, ',');
  } else {
    fn_buf_append_str(out, ",,,,,,,,");
  }
  fn_csv_append_field(out, fn_str_from(f->model->id));
  fn_buf_append_char(out, ',');
  if (!f->no_errors) append_cell(out, f, fn_str_from(row->message));
  fn_buf_append_char(out, '\n');
}

/* ---- JSON lines ---- */

static void append_windows(fn_json_writer *w, const fn_prediction *p) {
  if (p->window_logits == NULL) return;
  fn_json_array(w, "windows");
  for (int32_t i = 0; i < p->n_windows; i++) {
    fn_json_object(w, NULL);
    fn_json_double(w, "logit", p->window_logits[i]);
    fn_json_double(w, "share", fn_scored_window_share(p, i));
    fn_json_end(w);
  }
  fn_json_end(w);
}

void fn_scored_json_row(fn_buf *out, const fn_scored_format *f, const fn_scored_row *row) {
  const fn_prediction *p = row->prediction;
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  if (f->file != NULL) fn_json_text(&w, "file", f->file);
  fn_json_int(&w, "row", (int64_t)row->row);
  if (row->has_title) {
    fn_json_str(&w, "title", row->title);
  } else {
    fn_json_null(&w, "title");
  }
  if (p != NULL) {
    fn_json_text(&w, "label", f->model->labels[p->label]);
    fn_json_object(&w, "probabilities");
    for (int32_t k = 0; k < f->model->n_labels; k++) fn_json_double(&w, f->model->labels[k], p->probabilities[k]);
    fn_json_end(&w);
    fn_json_text(&w, "verdict", fn_verdict_names[p->verdict]);
    fn_json_bool(&w, "calibrated", p->calibrated);
    fn_json_array(&w, "reasons");
    for (int i = 0; i < FN_N_REASONS; i++) {
      if (p->reasons & 1u << i) fn_json_text(&w, NULL, fn_reason_names[i]);
    }
    fn_json_end(&w);
    fn_json_int(&w, "n_tokens", p->n_tokens);
    fn_json_bool(&w, "truncated", p->truncated);
    fn_json_int(&w, "n_windows", p->n_windows);
    append_windows(&w, p);
  } else {
    static const char *const missing[] = {"label",   "probabilities", "verdict",   "calibrated",
                                          "reasons", "n_tokens",      "truncated", "n_windows"};
    for (size_t i = 0; i < FN_COUNT_OF(missing); i++) fn_json_null(&w, missing[i]);
  }
  fn_json_text(&w, "model", f->model->id);
  if (p == NULL && !f->no_errors) fn_json_text(&w, "error", row->message);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
}
