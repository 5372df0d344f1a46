#include "cli/predict_output.h"

#include "cli/cli.h"
#include "data/csv.h"

#include <math.h>

enum { FLUSH_BYTES = 1 << 16, MAX_BUFFER = 1 << 30 };

fn_status fn_predict_output_open(fn_predict_output *output_out, fn_predict_format format, const char *path,
                                 const fn_classifier_info *model, int width, fn_err *err) {
  fn_predict_output o = {.format = format, .model = model, .width = width, .to_file = path != NULL};
  if (path != NULL) FN_TRY(fn_writer_open(&o.writer, path, err));
  fn_buf_init(&o.buf, MAX_BUFFER);
  fn_arena_init(&o.arena);
  *output_out = o;
  return FN_OK;
}

void fn_predict_output_close(fn_predict_output *o) {
  if (o->to_file) fn_writer_abort(&o->writer);
  fn_buf_deinit(&o->buf);
  fn_arena_deinit(&o->arena);
}

static fn_status flush(fn_predict_output *o, fn_err *err) {
  FN_TRY(fn_buf_check(&o->buf, "answers", err));
  if (o->to_file) {
    FN_TRY(fn_writer_write(&o->writer, o->buf.data, o->buf.length, err));
  } else {
    FN_TRY(fn_cli_print(fn_buf_str(&o->buf), err));
  }
  fn_buf_reset(&o->buf);
  return FN_OK;
}

/* Window w's part in the sum of all windows' |logits|: positive towards fake; the absolute shares sum to 1. */
static double window_share(const fn_prediction *p, int32_t w) {
  double total = 0.0;
  for (int32_t i = 0; i < p->n_windows; i++) total += fabs(p->window_logits[i]);
  return total > 0.0 ? p->window_logits[w] / total : 0.0;
}

static void append_reasons(fn_buf *out, unsigned reasons, char between) {
  bool any = false;
  for (int i = 0; i < FN_N_REASONS; i++) {
    if (!(reasons & 1u << i)) continue;
    if (any) fn_buf_append_char(out, between);
    fn_buf_append_str(out, fn_reason_names[i]);
    any = true;
  }
}

/* ---- CSV ---- */

static void append_answer_columns(fn_buf *out, const fn_classifier_info *model) {
  fn_buf_append_str(out, "predicted_label");
  for (int32_t k = 0; k < model->n_labels; k++) {
    FN_AUTO_BUF fn_buf name;
    fn_buf_init(&name, 0);
    fn_buf_printf(&name, "probability_%s", model->labels[k]);
    fn_buf_append_char(out, ',');
    fn_csv_append_field(out, fn_buf_str(&name));
    out->failed |= name.failed;
  }
  fn_buf_append_str(out, ",verdict,calibrated,reasons,n_tokens,truncated,n_windows,window_shares,model,error\n");
}

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

static fn_status keep_columns(fn_predict_output *o, const char *file, const fn_str *columns, size_t n, fn_err *err) {
  for (size_t i = 0; i < n; i++) {
    if (!is_answer_column(columns[i], o->model)) continue;
    return fn_err_set(err, FN_E_INVALID,
                      "%s: column \"%.*s\" would stand twice in CSV output; rename it, or choose --format jsonl", file,
                      (int)columns[i].length, columns[i].data);
  }
  o->columns = fn_arena_alloc(&o->arena, n, sizeof *o->columns);
  if (o->columns == NULL) return fn_err_no_memory(err, "names of columns");
  for (; o->n_columns < n; o->n_columns++) {
    fn_str name = columns[o->n_columns];
    char *copy = fn_arena_strndup(&o->arena, name.length ? name.data : "", name.length);
    if (copy == NULL) return fn_err_no_memory(err, "names of columns");
    o->columns[o->n_columns] = fn_str_make(copy, name.length);
  }
  return FN_OK;
}

static fn_status begin_csv(fn_predict_output *o, const char *file, const fn_str *columns, size_t n, fn_err *err) {
  if (o->begun) {
    bool same = n == o->n_columns;
    for (size_t i = 0; same && i < n; i++) same = fn_str_equal(columns[i], o->columns[i]);
    if (same) return FN_OK;
    return fn_err_set(err, FN_E_INVALID,
                      "%s: its columns are not those of the files before it; CSV output has one header: classify it on "
                      "its own, or choose --format jsonl",
                      file);
  }
  FN_TRY(keep_columns(o, file, columns, n, err));
  for (size_t i = 0; i < n; i++) {
    fn_csv_append_field(&o->buf, columns[i]);
    fn_buf_append_char(&o->buf, ',');
  }
  append_answer_columns(&o->buf, o->model);
  return FN_OK;
}

static void append_csv(fn_predict_output *o, const fn_scored_row *row) {
  fn_buf *out = &o->buf;
  const fn_prediction *p = row->prediction;
  for (size_t i = 0; i < o->n_columns; i++) {
    if (i < row->n_fields) fn_csv_append_field(out, row->fields[i]);
    fn_buf_append_char(out, ',');
  }
  if (p != NULL) fn_csv_append_field(out, fn_str_from(o->model->labels[p->label]));
  for (int32_t k = 0; k < o->model->n_labels; k++) {
    fn_buf_append_char(out, ',');
    if (p != NULL) fn_buf_append_double(out, p->probabilities[k]);
  }
  if (p != NULL) {
    const char *verdict = fn_verdict_names[p->verdict];
    fn_buf_printf(out, ",%s,%s,", verdict ? verdict : "", p->calibrated ? "true" : "false");
    append_reasons(out, p->reasons, ' ');
    fn_buf_printf(out, ",%lld,%s,%d,", (long long)p->n_tokens, p->truncated ? "true" : "false", (int)p->n_windows);
    for (int32_t w = 0; p->window_logits != NULL && w < p->n_windows; w++)
      fn_buf_printf(out, "%s%.4f", w ? " " : "", window_share(p, w));
    fn_buf_append_char(out, ',');
  } else {
    fn_buf_append_str(out, ",,,,,,,,");
  }
  fn_csv_append_field(out, fn_str_from(o->model->id));
  fn_buf_append_char(out, ',');
  if (!o->no_errors) fn_csv_append_field(out, fn_str_from(row->message));
  fn_buf_append_char(out, '\n');
}

/* ---- JSON lines ---- */

static void append_windows(fn_json_writer *w, const fn_prediction *p) {
  if (p->window_logits == NULL) return;
  fn_json_array(w, "windows");
  for (int32_t i = 0; i < p->n_windows; i++) {
    fn_json_object(w, NULL);
    fn_json_double(w, "logit", p->window_logits[i]);
    fn_json_double(w, "share", window_share(p, i));
    fn_json_end(w);
  }
  fn_json_end(w);
}

static void append_jsonl(fn_predict_output *o, const fn_scored_row *row) {
  const fn_prediction *p = row->prediction;
  fn_json_writer w;
  fn_json_begin(&w, &o->buf, 0);
  fn_json_object(&w, NULL);
  if (o->file != NULL) fn_json_text(&w, "file", o->file);
  fn_json_int(&w, "row", (int64_t)row->row);
  if (row->has_title) {
    fn_json_str(&w, "title", row->title);
  } else {
    fn_json_null(&w, "title");
  }
  if (p != NULL) {
    fn_json_text(&w, "label", o->model->labels[p->label]);
    fn_json_object(&w, "probabilities");
    for (int32_t k = 0; k < o->model->n_labels; k++) fn_json_double(&w, o->model->labels[k], p->probabilities[k]);
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
  fn_json_text(&w, "model", o->model->id);
  if (p == NULL && !o->no_errors) fn_json_text(&w, "error", row->message);
  fn_json_end(&w);
  fn_buf_append_char(&o->buf, '\n');
}

/* ---- table ---- */

/* Columns up to the title, with those of the tokens, which a narrow terminal does without. */
enum { PLAIN_WIDTH = 28, TOKENS_WIDTH = 10, NARROW = 64, MIN_TITLE = 8 };

static bool shows_tokens(const fn_predict_output *o) {
  return o->width >= NARROW;
}

/* The verdict where there is one, for that is what should be read. */
static const char *shown_label(const fn_predict_output *o, const fn_prediction *p) {
  if (p == NULL) return "refused";
  return p->verdict == FN_VERDICT_NONE ? o->model->labels[p->label] : fn_verdict_names[p->verdict];
}

static void append_article(fn_predict_output *o, const fn_scored_row *row, size_t room) {
  FN_AUTO_BUF fn_buf line;
  fn_str shown = row->has_title && row->title.length ? row->title : row->text;
  fn_buf_init(&line, 4096);
  if (row->prediction->reasons == 0) {
    fn_print_line(&o->buf, shown, room);
    return;
  }
  fn_buf_append_char(&line, '[');
  append_reasons(&line, row->prediction->reasons, ' ');
  fn_buf_append_str(&line, "] ");
  fn_buf_append(&line, shown.data, shown.length < 1024 ? shown.length : 1024);
  fn_print_line(&o->buf, fn_buf_str(&line), room);
}

static void append_table(fn_predict_output *o, const fn_scored_row *row) {
  const fn_prediction *p = row->prediction;
  const bool has_tokens = shows_tokens(o);
  int room = o->width - PLAIN_WIDTH - (has_tokens ? TOKENS_WIDTH : 0);
  if (room < MIN_TITLE) room = MIN_TITLE;
  fn_buf_printf(&o->buf, "%6llu  %-9.9s  ", (unsigned long long)row->row, shown_label(o, p));
  if (p != NULL) {
    char tokens[32];
    snprintf(tokens, sizeof tokens, "%lld%s", (long long)p->n_tokens, p->truncated ? "+" : " ");
    fn_buf_printf(&o->buf, "%7.4f  ", p->probabilities[p->label]);
    if (has_tokens) fn_buf_printf(&o->buf, "%8s  ", tokens);
    append_article(o, row, (size_t)room);
  } else {
    fn_print_line(&o->buf, fn_str_from(row->message), (size_t)o->width - PLAIN_WIDTH + 9);
  }
  while (o->buf.length > 0 && o->buf.data[o->buf.length - 1] == ' ') o->buf.data[--o->buf.length] = '\0';
  fn_buf_append_char(&o->buf, '\n');
}

/* ---- */

fn_status fn_predict_output_input(fn_predict_output *o, const char *file, const fn_str *columns, size_t n_columns,
                                  fn_err *err) {
  const char *name = file ? file : "--text";
  if (o->format == FN_PREDICT_CSV) FN_TRY(begin_csv(o, name, columns, n_columns, err));
  if (o->format == FN_PREDICT_TABLE) {
    if (!o->begun) {
      fn_buf_printf(&o->buf, "model %s\n\n%6s  %-9s  %7s  ", o->model->id, "row",
                    o->model->n_labels == 2 && o->model->fake >= 0 ? "verdict" : "label", "prob.");
      fn_buf_append_str(&o->buf, shows_tokens(o) ? " tokens   title\n" : "title\n");
    }
    if (file != NULL) {
      fn_buf_append_str(&o->buf, "# ");
      fn_print_line(&o->buf, fn_str_from(file), (size_t)o->width - 2);
      fn_buf_append_char(&o->buf, '\n');
    }
  }
  o->begun = true;
  o->file = file;
  return FN_OK;
}

fn_status fn_predict_output_row(fn_predict_output *o, const fn_scored_row *row, fn_err *err) {
  switch (o->format) {
  case FN_PREDICT_TABLE: append_table(o, row); break;
  case FN_PREDICT_JSONL: append_jsonl(o, row); break;
  case FN_PREDICT_CSV: append_csv(o, row); break;
  }
  return o->buf.length >= FLUSH_BYTES || o->buf.failed ? flush(o, err) : FN_OK;
}

fn_status fn_predict_output_finish(fn_predict_output *o, fn_err *err) {
  FN_TRY(flush(o, err));
  return o->to_file ? fn_writer_commit(&o->writer, err) : FN_OK;
}
