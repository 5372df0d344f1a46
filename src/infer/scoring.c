#include "infer/scoring.h"

#include <stdlib.h>

/* Answers, progress and a wish to stop wait for a block: one of long articles in windows must not take minutes. */
enum { BLOCK_ROWS = 256, BLOCK_BYTES = 64 << 10 };

/* A row of the block under way; strings live in the block's arena. */
typedef struct block_row {
  uint64_t row;
  fn_str *fields;
  size_t n_fields;
  fn_article article;
  bool has_title;
  char *message; /* NULL: to be classified */
} block_row;

typedef struct scoring {
  fn_scoring_counts *counts;
  fn_input *input;
  fn_scorer scorer;
  fn_arena arena;
  block_row rows[BLOCK_ROWS];
  size_t n;
  fn_article articles[BLOCK_ROWS]; /* of the rows without message */
  fn_prediction predictions[BLOCK_ROWS];
} scoring;

static fn_status check_columns(const scoring *s, fn_err *err) {
  size_t i;
  if (fn_input_get_format(s->input) == FN_INPUT_JSONL) return FN_OK; /* its keys come with the rows */
  const fn_text_mode mode = s->scorer.mode;
  if (mode == FN_TEXT_TITLE) {
    return fn_input_require(&i, s->input, s->scorer.column_title, "data.columns.title", err);
  }
  if (mode == FN_TEXT_TITLE_TEXT && fn_input_find(&i, s->input, s->scorer.column_title)) return FN_OK;
  return fn_input_require(&i, s->input, s->scorer.column_text, "data.columns.text", err);
}

static fn_status set_message(scoring *s, block_row *to, const fn_input_row *row, const char *what, fn_err *err) {
  FN_AUTO_BUF fn_buf buf;
  fn_buf_init(&buf, 4096);
  if (row != NULL) {
    fn_buf_printf(&buf, "%s:%llu: ", fn_input_name(s->input), (unsigned long long)row->line);
  }
  fn_buf_append_str(&buf, what);
  FN_TRY(fn_buf_check(&buf, "a message", err));
  to->message = fn_arena_strndup(&s->arena, buf.data, buf.length);
  return to->message ? FN_OK : fn_err_no_memory(err, "a row");
}

/* *out is the value of a column; true when the row has it. A value that is no string refuses the row. */
static fn_status take_value(fn_str *out, bool *has, scoring *s, block_row *to, const fn_input_row *row,
                            const char *column, fn_err *err) {
  size_t i;
  if (column == NULL || !fn_input_find(&i, s->input, column) || i >= row->n_fields || row->kinds[i] == FN_VALUE_MISSING)
    return FN_OK;
  if (row->kinds[i] == FN_VALUE_OTHER) {
    char what[160];
    snprintf(what, sizeof what, "\"%.80s\" is not a string", column);
    return to->message ? FN_OK : set_message(s, to, row, what, err);
  }
  *has = true;
  *out = to->fields[i];
  return FN_OK;
}

static fn_status copy_fields(scoring *s, block_row *to, const fn_input_row *row, fn_err *err) {
  to->fields = fn_arena_alloc(&s->arena, row->n_fields, sizeof *to->fields);
  if (to->fields == NULL) return fn_err_no_memory(err, "a row");
  to->n_fields = row->n_fields;
  for (size_t i = 0; i < row->n_fields; i++) {
    fn_str field = row->fields[i];
    char *copy = fn_arena_strndup(&s->arena, field.length ? field.data : "", field.length);
    if (copy == NULL) return fn_err_no_memory(err, "a row");
    to->fields[i] = fn_str_make(copy, field.length);
  }
  return FN_OK;
}

static fn_status take_row(scoring *s, const fn_input_row *row, fn_err *err) {
  block_row *to = &s->rows[s->n];
  bool has_text = false;
  *to = (block_row){.row = row->index};
  if (row->status != FN_OK) {
    FN_TRY(set_message(s, to, NULL, row->message, err));
  } else {
    FN_TRY(copy_fields(s, to, row, err));
    FN_TRY(take_value(&to->article.title, &to->has_title, s, to, row, s->scorer.column_title, err));
    FN_TRY(take_value(&to->article.text, &has_text, s, to, row, s->scorer.column_text, err));
  }
  s->n++;
  return FN_OK;
}

static fn_status emit_row(scoring *s, const block_row *row, const fn_prediction *prediction, fn_err *err) {
  fn_scored_row scored = {.row = row->row,
                          .title = row->article.title,
                          .has_title = row->has_title,
                          .text = row->article.text,
                          .n_fields = row->n_fields,
                          .fields = row->fields,
                          .prediction = prediction,
                          .message = row->message ? row->message : ""};
  FN_AUTO_BUF fn_buf message;
  fn_buf_init(&message, 4096);
  if (prediction != NULL && prediction->status != FN_OK) {
    fn_buf_printf(&message, "%s: row %llu: %s", fn_input_name(s->input), (unsigned long long)row->row,
                  prediction->message);
    FN_TRY(fn_buf_check(&message, "a message", err));
    scored.prediction = NULL;
    scored.message = message.data;
  }
  s->counts->n_rows++;
  s->counts->n_refused += scored.prediction == NULL;
  return s->scorer.emit(s->scorer.arg, &scored, err);
}

/* Classifies what the block holds, hands it out and empties it. */
static fn_status flush(scoring *s, fn_err *err) {
  size_t n_articles = 0, next = 0;
  for (size_t i = 0; i < s->n; i++) {
    if (s->rows[i].message == NULL) s->articles[n_articles++] = s->rows[i].article;
  }
  if (n_articles > 0) FN_TRY(s->scorer.classify(s->scorer.arg, s->predictions, s->articles, n_articles, err));
  for (size_t i = 0; i < s->n; i++) {
    const fn_prediction *prediction = s->rows[i].message == NULL ? &s->predictions[next++] : NULL;
    FN_TRY(emit_row(s, &s->rows[i], prediction, err));
  }
  s->n = 0;
  fn_arena_deinit(&s->arena);
  fn_arena_init(&s->arena);
  return FN_OK;
}

static fn_status run(scoring *s, fn_err *err) {
  FN_TRY(check_columns(s, err));
  for (;;) {
    fn_input_row row;
    bool more;
    fn_status status = fn_input_next(&row, &more, s->input, err);
    if (status != FN_OK) {
      FN_TRY(flush(s, NULL)); /* what was read before is answered; a failure of its own comes first */
      return status;
    }
    if (!more) break;
    FN_TRY(take_row(s, &row, err));
    if (s->n == s->scorer.block_rows || s->arena.used_bytes >= BLOCK_BYTES) FN_TRY(flush(s, err));
  }
  return flush(s, err);
}

fn_status fn_score_rows(fn_scoring_counts *counts, fn_input *input, const fn_scorer *scorer, fn_err *err) {
  scoring *s = fn_mem_calloc(1, sizeof *s);
  if (s == NULL) return fn_err_no_memory(err, "rows to classify");
  s->counts = counts;
  s->input = input;
  s->scorer = *scorer;
  if (s->scorer.block_rows == 0 || s->scorer.block_rows > BLOCK_ROWS) s->scorer.block_rows = BLOCK_ROWS;
  fn_arena_init(&s->arena);
  fn_status status = run(s, err);
  fn_arena_deinit(&s->arena);
  free(s);
  return status;
}

/* ---- with a session */

typedef struct with_session {
  fn_session *session;
  fn_scored_emit emit;
  void *arg;
} with_session;

static fn_status classify(void *arg, fn_prediction *predictions_out, const fn_article *articles, size_t n,
                          fn_err *err) {
  const with_session *w = arg;
  return fn_session_classify(predictions_out, w->session, articles, n, err);
}

static fn_status emit(void *arg, const fn_scored_row *row, fn_err *err) {
  const with_session *w = arg;
  return w->emit(w->arg, row, err);
}

fn_status fn_score_input(fn_scoring_counts *counts, fn_input *input, fn_session *session,
                         const fn_data_options *columns, fn_scored_emit emit_row_to, void *arg, fn_err *err) {
  with_session w = {session, emit_row_to, arg};
  const fn_scorer scorer = {.mode = fn_session_mode(session),
                            .column_title = columns->column_title,
                            .column_text = columns->column_text,
                            .classify = classify,
                            .emit = emit,
                            .arg = &w};
  return fn_score_rows(counts, input, &scorer, err);
}
