#include "monitor/record.h"

#include "infer/reasons.h"

#include <math.h>
#include <stdlib.h>

const char fn_record_insert[] =
    "INSERT INTO predictions (" FN_RECORD_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
    "$14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34) "
    "ON CONFLICT (id) DO NOTHING";
const char fn_record_select[] = "SELECT " FN_RECORD_COLUMNS " FROM predictions WHERE id = $1";

/* ---- writing ---- */

static void put(fn_buf *out, const fn_sql_value *v) {
  fn_buf_append_char(out, (char)v->type);
  if (v->type == FN_SQL_INT) fn_buf_append(out, &v->integer, sizeof v->integer);
  if (v->type == FN_SQL_DOUBLE) fn_buf_append(out, &v->real, sizeof v->real);
  if (v->type != FN_SQL_TEXT && v->type != FN_SQL_BLOB) return;
  const uint32_t length = (uint32_t)v->bytes.length;
  fn_buf_append(out, &length, sizeof length);
  fn_buf_append(out, v->bytes.data, v->bytes.length);
}

bool fn_record_is_id(fn_str id) {
  static const char accepted[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  for (size_t i = 0; i < id.length; i++)
    if (!memchr(accepted, id.data[i], sizeof accepted - 1)) return false;
  return id.length >= 1 && id.length <= 64;
}

/* Texts of ours, which PostgreSQL takes as UTF-8 without NUL; titles and texts of others travel as bytes. */
static fn_status check(const fn_prediction_row *row, fn_err *err) {
  if (!fn_record_is_id(row->id))
    return fn_err_set(err, FN_E_INVALID, "prediction log: an id is 1 to 64 of A-Z a-z 0-9 . _ -");
  const struct {
    const char *name;
    fn_str text;
  } texts[] = {{"request_id", row->request_id}, {"route", row->route}, {"client", row->client},
               {"model", row->model},           {"label", row->label}, {"verdict", row->verdict},
               {"answer", row->answer}};
  for (size_t i = 0; i < FN_COUNT_OF(texts); i++) {
    const fn_str s = texts[i].text;
    if (!fn_utf8_valid(s, NULL) || (s.length > 0 && memchr(s.data, 0, s.length)))
      return fn_err_set(err, FN_E_INVALID, "prediction log: %s is no UTF-8, or has a NUL", texts[i].name);
  }
  if (row->title.length > INT32_MAX || row->text.length > INT32_MAX || row->answer.length > INT32_MAX)
    return fn_err_set(err, FN_E_LIMIT, "prediction log: a text of over 2 GiB");
  return FN_OK;
}

static fn_sql_value text_or_empty(fn_str text) {
  return fn_sql_str(fn_str_make(text.length ? text.data : "", text.length));
}

static void name_reasons(fn_buf *out, unsigned reasons) {
  for (int i = 0; i < FN_N_REASONS; i++) {
    if (!(reasons & 1u << i)) continue;
    if (out->length > 0) fn_buf_append_char(out, ',');
    fn_buf_append_str(out, fn_reason_names[i]);
  }
}

static fn_sql_value field(fn_str text, fn_predictions_text kept) {
  if (!text.data || kept != FN_TEXT_KEEP_FULL) return fn_sql_null();
  return fn_sql_blob(text.data, text.length);
}

static fn_sql_value digest(unsigned char out[FN_SHA256_BYTES], fn_str text, fn_predictions_text kept) {
  if (!text.data || kept == FN_TEXT_KEEP_NONE) return fn_sql_null();
  fn_sha256_bytes(out, text);
  return fn_sql_blob(out, FN_SHA256_BYTES);
}

static void fill_features(fn_sql_value *v, const fn_prediction_features *f) {
  v[FN_COLUMN_TITLE_BYTES] = fn_sql_int(f->title_bytes);
  v[FN_COLUMN_TEXT_BYTES] = fn_sql_int(f->text_bytes);
  v[FN_COLUMN_N_WORDS] = fn_sql_int(f->n_words);
  v[FN_COLUMN_UNKNOWN_SHARE] = fn_sql_double(f->unknown_share);
  v[FN_COLUMN_NON_LETTER_SHARE] = fn_sql_double(f->non_letter_share);
  v[FN_COLUMN_ENGLISH] = fn_sql_double(f->english);
  v[FN_COLUMN_NOVELTY] = fn_sql_double(f->novelty);
  v[FN_COLUMN_BYTES_PER_TOKEN] = fn_sql_double(f->bytes_per_token);
}

static void fill_answer(fn_sql_value *v, const fn_prediction_row *row, fn_str reasons) {
  v[FN_COLUMN_LABEL] = text_or_empty(row->label);
  v[FN_COLUMN_VERDICT] = text_or_empty(row->verdict);
  v[FN_COLUMN_P_FAKE] = fn_sql_double(row->p_fake);
  v[FN_COLUMN_LOGIT] = fn_sql_double(row->logit);
  v[FN_COLUMN_ENCODER_LOGIT] = fn_sql_double(row->encoder_logit);
  v[FN_COLUMN_LINEAR_LOGIT] = fn_sql_double(row->linear_logit);
  v[FN_COLUMN_PRIOR] = fn_sql_double(row->prior);
  v[FN_COLUMN_CALIBRATED] = fn_sql_int(row->calibrated);
  v[FN_COLUMN_REASONS] = text_or_empty(reasons);
  v[FN_COLUMN_N_TOKENS] = fn_sql_int(row->n_tokens);
  v[FN_COLUMN_N_WINDOWS] = fn_sql_int(row->n_windows);
  v[FN_COLUMN_TRUNCATED] = fn_sql_int(row->truncated);
  v[FN_COLUMN_ANSWER] = text_or_empty(row->answer);
}

fn_status fn_record_encode(fn_buf *out, const fn_prediction_row *row, fn_predictions_text kept, fn_err *err) {
  FN_TRY(check(row, err));
  unsigned char digests[2][FN_SHA256_BYTES];
  FN_AUTO_BUF fn_buf reasons;
  fn_buf_init(&reasons, 1024);
  name_reasons(&reasons, row->reasons);
  FN_AUTO_FREE int8_t *embedding = fn_mem_alloc(row->n_embedding, 1);
  if (!embedding) return fn_err_no_memory(err, "a prediction");
  fn_sql_value v[FN_N_COLUMNS];
  for (size_t i = 0; i < FN_N_COLUMNS; i++) v[i] = fn_sql_null();
  v[FN_COLUMN_ID] = fn_sql_str(row->id);
  v[FN_COLUMN_TIME] = fn_sql_int(row->time_ms ? row->time_ms : fn_clock_unix_ms());
  v[FN_COLUMN_REQUEST_ID] = text_or_empty(row->request_id);
  v[FN_COLUMN_ROUTE] = text_or_empty(row->route);
  v[FN_COLUMN_CLIENT] = text_or_empty(row->client);
  v[FN_COLUMN_MODEL] = text_or_empty(row->model);
  v[FN_COLUMN_TEXT_KEPT] = fn_sql_text(fn_predictions_text_names[kept]);
  v[FN_COLUMN_TITLE] = field(row->title, kept);
  v[FN_COLUMN_TEXT] = field(row->text, kept);
  v[FN_COLUMN_TITLE_SHA256] = digest(digests[0], row->title, kept);
  v[FN_COLUMN_TEXT_SHA256] = digest(digests[1], row->text, kept);
  fill_answer(v, row, fn_buf_str(&reasons));
  fill_features(v, &row->features);
  if (row->embedding && row->n_embedding > 0) {
    v[FN_COLUMN_EMBEDDING_SCALE] = fn_sql_double(fn_embedding_quantise(embedding, row->embedding, row->n_embedding));
    v[FN_COLUMN_EMBEDDING] = fn_sql_blob(embedding, row->n_embedding);
  }
  for (size_t i = 0; i < FN_N_COLUMNS; i++) put(out, &v[i]);
  return fn_buf_check(out, "a prediction", err);
}

/* ---- reading ---- */

static bool take(void *to, size_t n, fn_str *from) {
  if (from->length < n) return false;
  memcpy(to, from->data, n);
  *from = fn_str_make(from->data + n, from->length - n);
  return true;
}

static bool take_value(fn_sql_value *v, fn_str *from) {
  unsigned char type;
  uint32_t length;
  *v = fn_sql_null();
  if (!take(&type, 1, from)) return false;
  switch (type) {
  case FN_SQL_NULL: return true;
  case FN_SQL_INT: v->type = FN_SQL_INT; return take(&v->integer, sizeof v->integer, from);
  case FN_SQL_DOUBLE: v->type = FN_SQL_DOUBLE; return take(&v->real, sizeof v->real, from);
  case FN_SQL_TEXT:
  case FN_SQL_BLOB:
    if (!take(&length, sizeof length, from) || length > from->length) return false;
    v->type = (fn_sql_type)type;
    v->bytes = fn_str_make(from->data, length);
    *from = fn_str_make(from->data + length, from->length - length);
    return true;
  default: return false;
  }
}

bool fn_record_decode(fn_sql_value values[FN_N_COLUMNS], fn_str bytes) {
  for (size_t i = 0; i < FN_N_COLUMNS; i++)
    if (!take_value(&values[i], &bytes)) return false;
  return bytes.length == 0 && values[FN_COLUMN_ID].type == FN_SQL_TEXT && fn_record_is_id(values[FN_COLUMN_ID].bytes);
}

/* ---- a stored row ---- */

typedef struct copying {
  fn_stored_prediction *to;
  const fn_sql_value *values;
  bool failed;
} copying;

static fn_str bytes_at(copying *c, int column) {
  const fn_sql_value *v = &c->values[column];
  if (v->type != FN_SQL_TEXT && v->type != FN_SQL_BLOB) return fn_str_make(NULL, 0);
  char *copy = fn_arena_strndup(&c->to->arena, v->bytes.length ? v->bytes.data : "", v->bytes.length);
  if (!copy) c->failed = true;
  return fn_str_make(copy, copy ? v->bytes.length : 0);
}

static const char *text_at(copying *c, int column) {
  const fn_str s = bytes_at(c, column);
  return s.data ? s.data : "";
}

static const char *hex_at(copying *c, int column) {
  const fn_sql_value *v = &c->values[column];
  if (v->type != FN_SQL_BLOB) return NULL;
  char *hex = fn_arena_alloc(&c->to->arena, 2 * v->bytes.length + 1, 1);
  if (!hex) return c->failed = true, NULL;
  fn_hex_format(hex, v->bytes.data, v->bytes.length);
  return hex;
}

static double real_at(const copying *c, int column) {
  const fn_sql_value *v = &c->values[column];
  return v->type == FN_SQL_DOUBLE ? v->real : v->type == FN_SQL_INT ? (double)v->integer : (double)NAN;
}

static int64_t integer_at(const copying *c, int column) {
  return c->values[column].type == FN_SQL_INT ? c->values[column].integer : 0;
}

static fn_predictions_text kept_at(copying *c) {
  const char *name = text_at(c, FN_COLUMN_TEXT_KEPT);
  for (int i = 0; i < 3; i++)
    if (strcmp(name, fn_predictions_text_names[i]) == 0) return (fn_predictions_text)i;
  return FN_TEXT_KEEP_NONE;
}

static void copy_features(fn_prediction_features *f, const copying *c) {
  *f = (fn_prediction_features){.title_bytes = integer_at(c, FN_COLUMN_TITLE_BYTES),
                                .text_bytes = integer_at(c, FN_COLUMN_TEXT_BYTES),
                                .n_words = integer_at(c, FN_COLUMN_N_WORDS),
                                .unknown_share = real_at(c, FN_COLUMN_UNKNOWN_SHARE),
                                .non_letter_share = real_at(c, FN_COLUMN_NON_LETTER_SHARE),
                                .english = real_at(c, FN_COLUMN_ENGLISH),
                                .novelty = real_at(c, FN_COLUMN_NOVELTY),
                                .bytes_per_token = real_at(c, FN_COLUMN_BYTES_PER_TOKEN)};
}

static void copy_all(copying *c) {
  fn_stored_prediction *s = c->to;
  s->id = text_at(c, FN_COLUMN_ID);
  s->time_ms = integer_at(c, FN_COLUMN_TIME);
  s->request_id = text_at(c, FN_COLUMN_REQUEST_ID);
  s->route = text_at(c, FN_COLUMN_ROUTE);
  s->client = text_at(c, FN_COLUMN_CLIENT);
  s->model = text_at(c, FN_COLUMN_MODEL);
  s->text_kept = kept_at(c);
  s->title = bytes_at(c, FN_COLUMN_TITLE);
  s->text = bytes_at(c, FN_COLUMN_TEXT);
  s->title_sha256 = hex_at(c, FN_COLUMN_TITLE_SHA256);
  s->text_sha256 = hex_at(c, FN_COLUMN_TEXT_SHA256);
  s->label = text_at(c, FN_COLUMN_LABEL);
  s->verdict = text_at(c, FN_COLUMN_VERDICT);
  s->reasons = text_at(c, FN_COLUMN_REASONS);
  s->p_fake = real_at(c, FN_COLUMN_P_FAKE);
  s->logit = real_at(c, FN_COLUMN_LOGIT);
  s->encoder_logit = real_at(c, FN_COLUMN_ENCODER_LOGIT);
  s->linear_logit = real_at(c, FN_COLUMN_LINEAR_LOGIT);
  s->prior = real_at(c, FN_COLUMN_PRIOR);
  s->calibrated = integer_at(c, FN_COLUMN_CALIBRATED) != 0;
  s->truncated = integer_at(c, FN_COLUMN_TRUNCATED) != 0;
  s->n_tokens = integer_at(c, FN_COLUMN_N_TOKENS);
  s->n_windows = integer_at(c, FN_COLUMN_N_WINDOWS);
  copy_features(&s->features, c);
  const fn_str embedding = bytes_at(c, FN_COLUMN_EMBEDDING);
  s->embedding = (const int8_t *)embedding.data;
  s->n_embedding = embedding.length;
  s->embedding_scale = real_at(c, FN_COLUMN_EMBEDDING_SCALE);
  s->answer = text_at(c, FN_COLUMN_ANSWER);
}

fn_status fn_record_to_stored(fn_stored_prediction **stored_out, const fn_sql_value *values, fn_err *err) {
  fn_stored_prediction *s = fn_mem_calloc(1, sizeof *s);
  if (!s) return fn_err_no_memory(err, "a prediction");
  fn_arena_init(&s->arena);
  copying c = {.to = s, .values = values};
  copy_all(&c);
  if (c.failed) {
    fn_stored_prediction_destroy(s);
    return fn_err_no_memory(err, "a prediction");
  }
  *stored_out = s;
  return FN_OK;
}
