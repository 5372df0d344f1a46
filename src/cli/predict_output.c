#include "cli/predict_output.h"

#include "cli/cli.h"
#include "infer/scored_rows.h"

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

static fn_status keep_columns(fn_predict_output *o, const char *file, const fn_str *columns, size_t n, fn_err *err) {
  FN_TRY(fn_scored_check_columns(file, columns, n, o->model, "choose --format jsonl", err));
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

static fn_scored_format format_of(const fn_predict_output *o) {
  return (fn_scored_format){.model = o->model, .file = o->file, .n_columns = o->n_columns, .no_errors = o->no_errors};
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
  const fn_scored_format format = format_of(o);
  fn_scored_csv_header(&o->buf, &format, columns);
  return FN_OK;
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
  fn_scored_append_reasons(&line, row->prediction->reasons, ' ');
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
  const fn_scored_format format = format_of(o);
  switch (o->format) {
  case FN_PREDICT_TABLE: append_table(o, row); break;
  case FN_PREDICT_JSONL: fn_scored_json_row(&o->buf, &format, row); break;
  case FN_PREDICT_CSV: fn_scored_csv_row(&o->buf, &format, row); break;
  }
  return o->buf.length >= FLUSH_BYTES || o->buf.failed ? flush(o, err) : FN_OK;
}

fn_status fn_predict_output_finish(fn_predict_output *o, fn_err *err) {
  FN_TRY(flush(o, err));
  return o->to_file ? fn_writer_commit(&o->writer, err) : FN_OK;
}
