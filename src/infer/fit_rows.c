/* Rows to fit a calibration on: from a session, or from a table of logits. */
#include "data/input.h"
#include "data/labels.h"
#include "infer/fitting.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_ROWS = 1 << 26, ROWS_PER_CALL = 256 };

void fn_fit_rows_deinit(fn_fit_rows *r) {
  free(r->rows);
  fn_arena_deinit(&r->arena);
  *r = (fn_fit_rows){0};
}

static fn_status append(fn_fit_rows *r, const fn_fit_row *row, fn_err *err) {
  void *rows = r->rows;
  FN_TRY(fn_mem_grow(&rows, &r->capacity, r->n + 1, sizeof *row, MAX_ROWS, "rows to calibrate on", err));
  r->rows = rows;
  r->rows[r->n++] = *row;
  return FN_OK;
}

static fn_status keep(fn_str *out, fn_fit_rows *r, fn_str text, fn_err *err) {
  char *copy = fn_arena_strndup(&r->arena, text.length ? text.data : "", text.length);
  if (copy == NULL) return fn_err_no_memory(err, "names of groups");
  *out = fn_str_make(copy, text.length);
  return FN_OK;
}

/* ---- from a session ---- */

typedef struct scoring {
  fn_fit_rows *to;
  fn_session *session;
  const fn_labelled *labelled;
  fn_str *datasets, *sources; /* names by number */
  fn_article articles[ROWS_PER_CALL];
  size_t rows[ROWS_PER_CALL]; /* of the articles */
  fn_prediction predictions[ROWS_PER_CALL];
  size_t n;
} scoring;

static fn_status flush(scoring *s, fn_err *err) {
  FN_TRY(fn_session_classify(s->predictions, s->session, s->articles, s->n, err));
  for (size_t i = 0; i < s->n; i++) {
    const fn_prediction *p = &s->predictions[i];
    const fn_labelled *l = s->labelled;
    if (p->status != FN_OK) {
      s->to->n_refused++;
      continue;
    }
    const fn_fit_row row = {.logits = {p->encoder_logit, p->linear_logit},
                            .label = l->labels[s->rows[i]],
                            .headline = p->evidence.headline_only && fn_session_mode(s->session) != FN_TEXT_TITLE,
                            .n_tokens = p->n_tokens,
                            .novelty = fn_evidence_novelty(&p->evidence),
                            .bytes_per_token = fn_evidence_bytes_per_token(&p->evidence),
                            .dataset = s->datasets[l->datasets[s->rows[i]]],
                            .source = s->sources[l->groups[s->rows[i]]]};
    FN_TRY(append(s->to, &row, err));
  }
  s->n = 0;
  return FN_OK;
}

static bool is_blank(fn_str s) {
  return fn_str_trim(s).length == 0;
}

/* Every row, then the titles alone of those that have both. */
static fn_status score(scoring *s, bool with_headlines, fn_evaluation_progress keep_going, void *arg, fn_err *err) {
  const size_t n = s->labelled->n, n_all = with_headlines ? 2 * n : n;
  for (size_t k = 0; k < n_all; k++) {
    fn_article a = s->labelled->articles[k % n];
    if (k >= n && (is_blank(a.title) || is_blank(a.text))) continue; /* was read as what it is */
    if (k >= n) a.text = fn_str_make(NULL, 0);
    s->rows[s->n] = k % n;
    s->articles[s->n++] = a;
    if (s->n < ROWS_PER_CALL) continue;
    FN_TRY(flush(s, err));
    if (keep_going != NULL && !keep_going(arg, k + 1, n_all))
      return fn_err_set(err, FN_E_CANCELLED, "calibration was stopped");
  }
  return s->n > 0 ? flush(s, err) : FN_OK;
}

static fn_status name_groups(scoring *s, fn_err *err) {
  const fn_labelled *l = s->labelled;
  s->datasets = fn_arena_alloc(&s->to->arena, l->n_datasets, sizeof *s->datasets);
  s->sources = fn_arena_alloc(&s->to->arena, l->n_groups, sizeof *s->sources);
  if (s->datasets == NULL || s->sources == NULL) return fn_err_no_memory(err, "names of groups");
  for (size_t d = 0; d < l->n_datasets; d++)
    FN_TRY(keep(&s->datasets[d], s->to, fn_str_from(l->dataset_names[d]), err));
  for (size_t g = 0; g < l->n_groups; g++) {
    FN_TRY(keep(&s->sources[g], s->to, fn_str_from(l->group_names[g]), err));
  }
  return FN_OK;
}

fn_status fn_fit_rows_add_session(fn_fit_rows *rows, fn_session *session, const fn_classifier_info *model,
                                  const fn_labelled *labelled, fn_evaluation_progress keep_going, void *arg,
                                  fn_err *err) {
  FN_TRY(fn_evaluation_check_labels(model, err));
  scoring *s = fn_mem_calloc(1, sizeof *s);
  if (s == NULL) return fn_err_no_memory(err, "rows to calibrate on");
  s->to = rows;
  s->session = session;
  s->labelled = labelled;
  fn_status status = name_groups(s, err);
  if (status == FN_OK) {
    status = score(s, fn_session_mode(session) == FN_TEXT_TITLE_TEXT, keep_going, arg, err);
  }
  free(s);
  return status;
}

/* ---- from a table ---- */

typedef struct table {
  fn_fit_rows *to;
  fn_input *input;
  const fn_data_options *options;
} table;

static fn_str field(const table *t, const fn_input_row *row, const char *column) {
  size_t i;
  if (!fn_input_find(&i, t->input, column) || i >= row->n_fields) return fn_str_make(NULL, 0);
  return fn_str_trim(row->fields[i]);
}

static fn_status refuse(const table *t, const fn_input_row *row, const char *column, fn_str value, const char *wanted,
                        fn_err *err) {
  return fn_err_set(err, FN_E_INVALID, "%s:%llu: %s \"%.*s\" is not %s", fn_input_name(t->input),
                    (unsigned long long)row->line, column, value.length < 60 ? (int)value.length : 60,
                    value.length ? value.data : "", wanted);
}

/* An empty field is NaN. */
static fn_status read_number(double *out, const table *t, const fn_input_row *row, const char *column, fn_err *err) {
  fn_str value = field(t, row, column);
  *out = (double)NAN;
  if (value.length == 0) return FN_OK;
  if (fn_str_to_double(out, value) && isfinite(*out)) return FN_OK;
  return refuse(t, row, column, value, "a finite number", err);
}

static fn_status read_label(int32_t *out, bool *dropped, const table *t, const fn_input_row *row, fn_err *err) {
  fn_str value = field(t, row, t->options->column_label);
  fn_label label = fn_label_parse(&t->options->label_map, value);
  *dropped = label == FN_LABEL_DROP;
  *out = (int32_t)label;
  if (label != FN_LABEL_UNKNOWN) return FN_OK;
  return refuse(t, row, t->options->column_label, value, "a label: 0, 1, real, fake, or what data.label_map says", err);
}

static fn_status read_kind(bool *headline, const table *t, const fn_input_row *row, fn_err *err) {
  fn_str value = field(t, row, "mode");
  static const char *const articles[] = {"", "article", "text", "title+text"};
  *headline = fn_str_equal_nocase(value, fn_str_from("headline")) || fn_str_equal_nocase(value, fn_str_from("title"));
  for (size_t i = 0; i < FN_COUNT_OF(articles); i++) {
    if (fn_str_equal_nocase(value, fn_str_from(articles[i]))) return FN_OK;
  }
  if (*headline) return FN_OK;
  return refuse(t, row, "mode", value, "article (title+text, text) or headline (title)", err);
}

static fn_status take_row(table *t, const fn_input_row *row, fn_err *err) {
  fn_fit_row r = {.n_tokens = -1};
  bool dropped;
  double tokens;
  if (row->status != FN_OK) return fn_err_set(err, FN_E_INVALID, "%s", row->message);
  FN_TRY(read_label(&r.label, &dropped, t, row, err));
  if (dropped) return FN_OK;
  FN_TRY(read_kind(&r.headline, t, row, err));
  FN_TRY(read_number(&r.logits[FN_HALF_ENCODER], t, row, "encoder_logit", err));
  FN_TRY(read_number(&r.logits[FN_HALF_LINEAR], t, row, "linear_logit", err));
  FN_TRY(read_number(&tokens, t, row, "n_tokens", err));
  FN_TRY(read_number(&r.novelty, t, row, "novelty", err));
  FN_TRY(read_number(&r.bytes_per_token, t, row, "bytes_per_token", err));
  if (tokens < 0.0 || tokens > 1e9) return refuse(t, row, "n_tokens", field(t, row, "n_tokens"), "a count", err);
  if (!isnan(tokens)) r.n_tokens = (int64_t)tokens;
  if (isnan(r.logits[FN_HALF_ENCODER]) && isnan(r.logits[FN_HALF_LINEAR])) {
    return fn_err_set(err, FN_E_INVALID, "%s:%llu: neither encoder_logit nor linear_logit", fn_input_name(t->input),
                      (unsigned long long)row->line);
  }
  FN_TRY(keep(&r.dataset, t->to, field(t, row, t->options->column_dataset), err));
  FN_TRY(keep(&r.source, t->to, field(t, row, t->options->column_source), err));
  return append(t->to, &r, err);
}

static fn_status check_columns(const table *t, fn_err *err) {
  size_t i;
  if (fn_input_get_format(t->input) != FN_INPUT_CSV) return FN_OK; /* keys come with the rows */
  FN_TRY(fn_input_require(&i, t->input, t->options->column_label, "data.columns.label", err));
  if (fn_input_find(&i, t->input, "linear_logit")) return FN_OK;
  return fn_input_require(&i, t->input, "encoder_logit", NULL, err);
}

static fn_status read_table(table *t, fn_err *err) {
  FN_TRY(check_columns(t, err));
  for (;;) {
    fn_input_row row;
    bool more;
    FN_TRY(fn_input_next(&row, &more, t->input, err));
    if (!more) return FN_OK;
    FN_TRY(take_row(t, &row, err));
  }
}

fn_status fn_fit_rows_add_file(fn_fit_rows *rows, const char *path, const fn_data_options *options, fn_err *err) {
  fn_input_options reading;
  table t = {.to = rows, .options = options};
  FN_TRY(fn_label_map_check(&options->label_map, err));
  FN_TRY(fn_input_options_from(&reading, options, err));
  FN_TRY(fn_input_open(&t.input, path, &reading, err));
  fn_status status = read_table(&t, err);
  fn_input_close(t.input);
  return status;
}
