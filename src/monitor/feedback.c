#include "monitor/feedback.h"

#include <math.h>

const char *const fn_feedback_label_names[FN_N_FEEDBACK_LABELS] = {"real", "fake", "satire", "opinion", "mixed"};

bool fn_feedback_label_parse(fn_feedback_label *label_out, fn_str text) {
  for (int i = 0; i < FN_N_FEEDBACK_LABELS; i++)
    if (fn_str_is(text, fn_feedback_label_names[i])) return *label_out = (fn_feedback_label)i, true;
  return false;
}

static fn_status check_text(fn_str s, size_t max, const char *what, fn_err *err) {
  if (s.length > max)
    return fn_err_set(err, FN_E_INVALID, "feedback: %s has %zu bytes, at most %zu are accepted", what, s.length, max);
  if (!fn_utf8_valid(s, NULL) || (s.length > 0 && memchr(s.data, 0, s.length)))
    return fn_err_set(err, FN_E_INVALID, "feedback: %s is no UTF-8, or has a NUL", what);
  return FN_OK;
}

static fn_sql_value text_of(fn_str s) {
  return fn_sql_str(fn_str_make(s.length ? s.data : "", s.length));
}

/* The latest of a prediction, the latest of the same name and client, and how many there are. */
typedef struct before {
  int64_t time_ms, n;
  char corrects[40];
} before;

static fn_status take_time(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  before *b = arg;
  (void)err;
  if (n == 1) b->time_ms = v[0].integer;
  return FN_OK;
}

static fn_status take_id(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  before *b = arg;
  (void)err;
  if (n == 1) snprintf(b->corrects, sizeof b->corrects, "%.*s", (int)v[0].bytes.length, v[0].bytes.data);
  return FN_OK;
}

static fn_status count(int64_t *n_out, fn_sql *sql, fn_str prediction_id, fn_err *err) {
  static const char select[] = "SELECT count(*) FROM feedback WHERE prediction_id = $1";
  const fn_sql_value value = text_of(prediction_id);
  return fn_sql_query(sql, select, &value, 1, fn_sql_take_int, n_out, err);
}

static fn_status find_before(before *b, fn_sql *sql, const fn_feedback *f, fn_err *err) {
  static const char latest[] =
      "SELECT time_ms FROM feedback WHERE prediction_id = $1 ORDER BY time_ms DESC, id DESC LIMIT 1";
  static const char mine[] = "SELECT id FROM feedback WHERE prediction_id = $1 AND name = $2 AND client = $3 "
                             "ORDER BY time_ms DESC, id DESC LIMIT 1";
  const fn_sql_value values[] = {text_of(f->prediction_id), text_of(f->name), text_of(f->client)};
  FN_TRY(fn_sql_query(sql, latest, values, 1, take_time, b, err));
  return fn_sql_query(sql, mine, values, 3, take_id, b, err);
}

static fn_status add(fn_feedback_entry *entry, fn_sql *sql, const fn_feedback *f, fn_err *err) {
  static const char insert[] =
      "INSERT INTO feedback (id, prediction_id, time_ms, label, name, reason, client, corrects) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
  unsigned char random[16];
  before b = {0};
  FN_TRY(fn_random_bytes(random, sizeof random, err));
  FN_TRY(fn_sql_begin(sql, err));
  FN_TRY(count(&b.n, sql, f->prediction_id, err));
  if (b.n >= FN_FEEDBACK_MAX_REMARKS)
    return fn_err_set(err, FN_E_LIMIT, "feedback: %lld remarks on this prediction already, at most %d are taken",
                      (long long)b.n, (int)FN_FEEDBACK_MAX_REMARKS);
  FN_TRY(find_before(&b, sql, f, err));
  const int64_t now = fn_clock_unix_ms();
  *entry = (fn_feedback_entry){.id = "f_", .time_ms = now > b.time_ms ? now : b.time_ms + 1};
  fn_hex_format(entry->id + 2, random, sizeof random);
  memcpy(entry->corrects, b.corrects, sizeof entry->corrects);
  const fn_sql_value values[] = {fn_sql_text(entry->id),     text_of(f->prediction_id),
                                 fn_sql_int(entry->time_ms), fn_sql_text(fn_feedback_label_names[f->label]),
                                 text_of(f->name),           text_of(f->reason),
                                 text_of(f->client),         fn_sql_text(b.corrects[0] ? b.corrects : NULL)};
  FN_TRY(fn_sql_run(sql, insert, values, FN_COUNT_OF(values), NULL, err));
  return fn_sql_commit(sql, err);
}

fn_status fn_feedback_check(const fn_feedback *feedback, fn_err *err) {
  FN_TRY(check_text(feedback->prediction_id, 64, "prediction_id", err));
  FN_TRY(check_text(feedback->name, FN_FEEDBACK_MAX_NAME, "name", err));
  FN_TRY(check_text(feedback->reason, FN_FEEDBACK_MAX_REASON, "reason", err));
  return check_text(feedback->client, 64, "client", err);
}

fn_status fn_feedback_add(fn_feedback_entry *entry_out, fn_sql *sql, const fn_feedback *feedback, fn_err *err) {
  fn_feedback_entry entry;
  FN_TRY(fn_feedback_check(feedback, err));
  const fn_status status = add(&entry, sql, feedback, err);
  fn_sql_rollback(sql);
  if (status == FN_OK) *entry_out = entry;
  return status;
}

/* Columns of a feedback from v on: id, prediction_id, time_ms, label, name, reason, client, corrects. */
enum { N_FEEDBACK = 8 };
#define FEEDBACK_COLUMNS "f.id, f.prediction_id, f.time_ms, f.label, f.name, f.reason, f.client, f.corrects"
/* No later one of the same name and client. */
#define IS_LATEST                                                                                                      \
  "NOT EXISTS (SELECT 1 FROM feedback g WHERE g.prediction_id = f.prediction_id AND g.name = f.name AND "              \
  "g.client = f.client AND (g.time_ms, g.id) > (f.time_ms, f.id))"

static void read_feedback(fn_feedback *f, fn_feedback_entry *e, const fn_sql_value *v) {
  *f = (fn_feedback){.prediction_id = v[1].bytes, .name = v[4].bytes, .reason = v[5].bytes, .client = v[6].bytes};
  (void)fn_feedback_label_parse(&f->label, v[3].bytes);
  *e = (fn_feedback_entry){.time_ms = v[2].integer};
  snprintf(e->id, sizeof e->id, "%.*s", (int)v[0].bytes.length, v[0].bytes.data ? v[0].bytes.data : "");
  snprintf(e->corrects, sizeof e->corrects, "%.*s", (int)v[7].bytes.length, v[7].bytes.data ? v[7].bytes.data : "");
}

typedef struct listing {
  fn_feedback_emit emit;
  fn_disputed_emit emit_disputed;
  void *arg;
} listing;

static fn_status list_one(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  const listing *l = arg;
  fn_feedback f;
  fn_feedback_entry e;
  if (n != N_FEEDBACK + 1) return FN_OK;
  read_feedback(&f, &e, v);
  return l->emit(l->arg, &f, &e, v[N_FEEDBACK].integer != 0, err);
}

fn_status fn_feedback_list(int64_t *n_out, fn_sql *sql, fn_str prediction_id, int64_t limit, fn_feedback_emit emit,
                           void *arg, fn_err *err) {
  static const char select[] =
      "SELECT " FEEDBACK_COLUMNS ", CASE WHEN " IS_LATEST " THEN 1 ELSE 0 END "
      "FROM (SELECT * FROM feedback WHERE prediction_id = $1 ORDER BY time_ms DESC, id DESC LIMIT $2) f "
      "ORDER BY f.time_ms, f.id";
  const fn_sql_value values[] = {text_of(prediction_id), fn_sql_int(limit)};
  listing l = {.emit = emit, .arg = arg};
  int64_t n = 0;
  FN_TRY(count(&n, sql, prediction_id, err));
  FN_TRY(fn_sql_query(sql, select, values, FN_COUNT_OF(values), list_one, &l, err));
  *n_out = n;
  return FN_OK;
}

static fn_status list_disputed_one(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  const listing *l = arg;
  fn_disputed d = {0};
  if (n != N_FEEDBACK + 6) return FN_OK;
  read_feedback(&d.feedback, &d.entry, v);
  d.prediction_id = d.feedback.prediction_id;
  d.label = v[8].bytes;
  d.verdict = v[9].bytes;
  d.model = v[10].bytes;
  d.p_fake = v[11].type == FN_SQL_DOUBLE ? v[11].real : (double)NAN;
  d.time_ms = v[12].integer;
  d.title = v[13].bytes;
  return l->emit_disputed(l->arg, &d, err);
}

fn_status fn_feedback_list_disputed(fn_sql *sql, int64_t since_ms, int64_t until_ms, int64_t limit,
                                    fn_disputed_emit emit, void *arg, fn_err *err) {
  static const char select[] =
      "SELECT " FEEDBACK_COLUMNS ", p.label, p.verdict, p.model, p.p_fake, p.time_ms, p.title "
      "FROM feedback f JOIN predictions p ON p.id = f.prediction_id WHERE f.label <> p.label AND "
      "f.time_ms >= $1 AND f.time_ms < $2 AND " IS_LATEST " ORDER BY f.time_ms DESC, f.id DESC LIMIT $3";
  const fn_sql_value values[] = {fn_sql_int(since_ms), fn_sql_int(until_ms ? until_ms : INT64_MAX), fn_sql_int(limit)};
  listing l = {.emit_disputed = emit, .arg = arg};
  return fn_sql_query(sql, select, values, 3, list_disputed_one, &l, err);
}
