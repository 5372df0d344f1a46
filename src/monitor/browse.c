#include "monitor/browse.h"

#include "monitor/record.h"

#include <math.h>

enum { PAGE = 64 };

/* A row with its last feedback; texts of the feedback live in the row's arena. */
typedef struct page_row {
  fn_stored_prediction *stored;
  fn_last_feedback feedback;
} page_row;

typedef struct page {
  page_row rows[PAGE];
  size_t n;
} page;

static fn_status take_row(void *arg, const fn_sql_value *values, size_t n, fn_err *err) {
  page *p = arg;
  if (n != FN_N_COLUMNS || p->n == PAGE) return FN_OK;
  FN_TRY(fn_record_to_stored(&p->rows[p->n].stored, values, err));
  p->n++;
  return FN_OK;
}

static const char *copy(page_row *row, fn_str text) {
  const char *out = fn_arena_strndup(&row->stored->arena, text.length ? text.data : "", text.length);
  return out ? out : "";
}

static fn_status take_feedback(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  page_row *row = arg;
  (void)err;
  if (n != 4) return FN_OK;
  (void)fn_feedback_label_parse(&row->feedback.label, v[0].bytes);
  row->feedback.name = copy(row, v[1].bytes);
  row->feedback.reason = copy(row, v[2].bytes);
  row->feedback.time_ms = v[3].integer;
  return FN_OK;
}

static fn_status add_feedback(page *p, fn_sql *sql, fn_err *err) {
  static const char select[] = "SELECT label, name, reason, time_ms FROM feedback WHERE prediction_id = $1 "
                               "ORDER BY time_ms DESC, id DESC LIMIT 1";
  for (size_t i = 0; i < p->n; i++) {
    const fn_sql_value id = fn_sql_text(p->rows[i].stored->id);
    p->rows[i].feedback = (fn_last_feedback){.name = "", .reason = ""};
    FN_TRY(fn_sql_query(sql, select, &id, 1, take_feedback, &p->rows[i], err));
  }
  return FN_OK;
}

#define SELECT       "SELECT " FN_RECORD_COLUMNS " FROM predictions p WHERE "
#define WITHIN       " AND time_ms >= $3 AND time_ms < $4"
#define HAS_FEEDBACK " AND EXISTS (SELECT 1 FROM feedback f WHERE f.prediction_id = p.id)"

/* By newest_first and with_feedback. A page begins behind the last row of the one before, ($1, $2). */
static const char *const statements[2][2] = {
    {SELECT "(time_ms, id) > ($1, $2)" WITHIN " ORDER BY time_ms, id LIMIT $5",
     SELECT "(time_ms, id) > ($1, $2)" WITHIN HAS_FEEDBACK " ORDER BY time_ms, id LIMIT $5"},
    {SELECT "(time_ms, id) < ($1, $2)" WITHIN " ORDER BY time_ms DESC, id DESC LIMIT $5",
     SELECT "(time_ms, id) < ($1, $2)" WITHIN HAS_FEEDBACK " ORDER BY time_ms DESC, id DESC LIMIT $5"},
};

static fn_status read_page(page *p, fn_sql *sql, const fn_browse_filter *f, int64_t time_ms, const char *id, int64_t n,
                           fn_err *err) {
  const fn_sql_value values[] = {fn_sql_int(time_ms), fn_sql_text(id), fn_sql_int(f->since_ms),
                                 fn_sql_int(f->until_ms > 0 ? f->until_ms : INT64_MAX), fn_sql_int(n)};
  FN_TRY(
      fn_sql_query(sql, statements[f->newest_first][f->with_feedback], values, FN_COUNT_OF(values), take_row, p, err));
  return f->with_feedback ? add_feedback(p, sql, err) : FN_OK;
}

static void empty_page(page *p) {
  for (size_t i = 0; i < p->n; i++) fn_stored_prediction_destroy(p->rows[i].stored);
  p->n = 0;
}

static fn_status emit_page(const page *p, const fn_browse_filter *f, fn_browse_emit emit, void *arg, fn_err *err) {
  for (size_t i = 0; i < p->n; i++)
    FN_TRY(emit(arg, p->rows[i].stored, f->with_feedback ? &p->rows[i].feedback : NULL, err));
  return FN_OK;
}

fn_status fn_browse(fn_sql *sql, const fn_browse_filter *filter, fn_browse_emit emit, void *arg, fn_err *err) {
  page *p = fn_mem_calloc(1, sizeof *p);
  if (!p) return fn_err_no_memory(err, "rows of the log");
  int64_t time_ms = filter->newest_first ? INT64_MAX : INT64_MIN, left = filter->limit > 0 ? filter->limit : INT64_MAX;
  char id[80] = "";
  fn_status status = FN_OK;
  for (bool more = true; more && status == FN_OK && left > 0;) {
    const int64_t n = left < PAGE ? left : PAGE;
    status = read_page(p, sql, filter, time_ms, id, n, err);
    if (status == FN_OK) status = emit_page(p, filter, emit, arg, err);
    more = p->n == (size_t)n;
    left -= n;
    if (p->n > 0) {
      time_ms = p->rows[p->n - 1].stored->time_ms;
      snprintf(id, sizeof id, "%.79s", p->rows[p->n - 1].stored->id);
    }
    empty_page(p);
  }
  free(p);
  return status;
}

/* ---- JSON ---- */

static void write_optional(fn_json_writer *w, const char *key, const char *value) {
  fn_json_text(w, key, value && *value ? value : NULL);
}

static void write_field(fn_json_writer *w, const char *key, fn_str value) {
  if (value.data)
    fn_json_str(w, key, value);
  else
    fn_json_null(w, key);
}

static void write_names(fn_json_writer *w, const char *key, const char *names) {
  fn_json_array(w, key);
  while (*names) {
    const size_t n = strcspn(names, ",");
    fn_json_str(w, NULL, fn_str_make(names, n));
    names += n + (names[n] == ',');
  }
  fn_json_end(w);
}

static void write_features(fn_json_writer *w, const fn_prediction_features *f) {
  fn_json_object(w, "features");
  fn_json_int(w, "title_bytes", f->title_bytes);
  fn_json_int(w, "text_bytes", f->text_bytes);
  fn_json_int(w, "n_words", f->n_words);
  fn_json_double(w, "unknown_share", f->unknown_share);
  fn_json_double(w, "non_letter_share", f->non_letter_share);
  fn_json_double(w, "english", f->english);
  fn_json_double(w, "novelty", f->novelty);
  fn_json_double(w, "bytes_per_token", f->bytes_per_token);
  fn_json_end(w);
}

static void write_embedding(fn_json_writer *w, const fn_stored_prediction *s) {
  if (s->n_embedding == 0) {
    fn_json_null(w, "embedding");
    return;
  }
  fn_json_object(w, "embedding");
  fn_json_double(w, "scale", s->embedding_scale);
  const int indent = w->indent;
  fn_json_array(w, "values");
  w->indent = 0; /* hundreds of numbers: one line, whatever the rest has */
  for (size_t i = 0; i < s->n_embedding; i++) fn_json_int(w, NULL, s->embedding[i]);
  fn_json_end(w);
  w->indent = indent;
  fn_json_end(w);
}

fn_status fn_stored_prediction_format(fn_json_writer *w, const char *key, const fn_stored_prediction *s, fn_err *err) {
  FN_AUTO_JSON json_t *answer = NULL;
  if (*s->answer) FN_TRY(fn_json_parse(&answer, fn_str_from(s->answer), "the stored answer", err));
  char time[21];
  fn_clock_format(time, s->time_ms);
  fn_json_object(w, key);
  fn_json_text(w, "id", s->id);
  fn_json_text(w, "time", time);
  fn_json_int(w, "time_ms", s->time_ms);
  write_optional(w, "request_id", s->request_id);
  write_optional(w, "route", s->route);
  write_optional(w, "client", s->client);
  fn_json_text(w, "model", s->model);
  fn_json_text(w, "text_kept", fn_predictions_text_names[s->text_kept]);
  write_field(w, "title", s->title);
  write_field(w, "text", s->text);
  fn_json_text(w, "title_sha256", s->title_sha256);
  fn_json_text(w, "text_sha256", s->text_sha256);
  fn_json_text(w, "label", s->label);
  write_optional(w, "verdict", s->verdict);
  fn_json_double(w, "p_fake", s->p_fake);
  fn_json_double(w, "logit", s->logit);
  fn_json_double(w, "encoder_logit", s->encoder_logit);
  fn_json_double(w, "linear_logit", s->linear_logit);
  fn_json_double(w, "prior", s->prior);
  fn_json_bool(w, "calibrated", s->calibrated);
  write_names(w, "reasons", s->reasons);
  fn_json_int(w, "n_tokens", s->n_tokens);
  fn_json_int(w, "n_windows", s->n_windows);
  fn_json_bool(w, "truncated", s->truncated);
  write_features(w, &s->features);
  write_embedding(w, s);
  if (answer)
    fn_json_value(w, "answer", answer);
  else
    fn_json_null(w, "answer");
  fn_json_end(w);
  return FN_OK;
}

/* ---- the same bits? ---- */

typedef struct comparing {
  fn_buf *out;
  size_t n;
} comparing;

static void compare_text(comparing *c, const char *name, const char *stored, const char *now) {
  if (strcmp(stored, now) == 0) return;
  fn_buf_printf(c->out, "%s: %s → %s\n", name, *stored ? stored : "none", *now ? now : "none");
  c->n++;
}

static void compare_integer(comparing *c, const char *name, int64_t stored, int64_t now) {
  if (stored == now) return;
  fn_buf_printf(c->out, "%s: %lld → %lld\n", name, (long long)stored, (long long)now);
  c->n++;
}

/* SQLite gives back 0 for -0, which is no difference. */
static void compare_real(comparing *c, const char *name, double stored, double now) {
  if (stored == now || (isnan(stored) && isnan(now))) return;
  fn_buf_printf(c->out, "%s: ", name);
  fn_buf_append_double(c->out, stored);
  fn_buf_append_str(c->out, " → ");
  fn_buf_append_double(c->out, now);
  fn_buf_append_char(c->out, '\n');
  c->n++;
}

/* Rows of before embeddings were kept have none; no difference either. */
static void compare_embedding(comparing *c, const fn_stored_prediction *a, const fn_stored_prediction *b) {
  if (a->n_embedding == 0 || b->n_embedding == 0) return;
  size_t n = 0;
  for (size_t i = 0; a->n_embedding == b->n_embedding && i < a->n_embedding; i++)
    n += a->embedding[i] != b->embedding[i];
  if (a->n_embedding == b->n_embedding && n == 0 && a->embedding_scale == b->embedding_scale) return;
  fn_buf_printf(c->out, "embedding: %zu of %zu values differ\n", n, a->n_embedding);
  c->n++;
}

static void compare_all(comparing *c, const fn_stored_prediction *a, const fn_stored_prediction *b) {
  compare_text(c, "model", a->model, b->model);
  compare_text(c, "label", a->label, b->label);
  compare_text(c, "verdict", a->verdict, b->verdict);
  compare_text(c, "reasons", a->reasons, b->reasons);
  compare_real(c, "encoder_logit", a->encoder_logit, b->encoder_logit);
  compare_real(c, "linear_logit", a->linear_logit, b->linear_logit);
  compare_real(c, "logit", a->logit, b->logit);
  compare_real(c, "p_fake", a->p_fake, b->p_fake);
  compare_real(c, "prior", a->prior, b->prior);
  compare_integer(c, "calibrated", a->calibrated, b->calibrated);
  compare_integer(c, "n_tokens", a->n_tokens, b->n_tokens);
  compare_integer(c, "n_windows", a->n_windows, b->n_windows);
  compare_integer(c, "truncated", a->truncated, b->truncated);
  compare_embedding(c, a, b);
}

fn_status fn_stored_prediction_compare(fn_buf *out, size_t *n_out, const fn_stored_prediction *stored,
                                       const fn_prediction_row *now, fn_err *err) {
  FN_AUTO_BUF fn_buf record;
  fn_buf_init(&record, 0);
  fn_sql_value values[FN_N_COLUMNS];
  fn_prediction_row row = *now;
  row.id = fn_str_from(stored->id);
  fn_stored_prediction *other = NULL;
  FN_TRY(fn_record_encode(&record, &row, stored->text_kept, err));
  if (!fn_record_decode(values, fn_buf_str(&record)))
    return fn_err_set(err, FN_E_INTERNAL, "a row cannot be read back");
  FN_TRY(fn_record_to_stored(&other, values, err));
  comparing c = {.out = out};
  compare_all(&c, stored, other);
  fn_stored_prediction_destroy(other);
  FN_TRY(fn_buf_check(out, "differences", err));
  *n_out = c.n;
  return FN_OK;
}
