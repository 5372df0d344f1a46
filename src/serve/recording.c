#include "serve/recording.h"

#include "serve/answer_json.h"
#include "serve/route.h"

#include <math.h>
#include <stdio.h>
#include <sys/random.h>

enum { MAX_KEY = 255 };

static bool is_key(fn_str key) {
  for (size_t i = 0; i < key.length; i++) {
    if (key.data[i] <= ' ' || key.data[i] > '~') return false;
  }
  return key.length >= 1 && key.length <= MAX_KEY;
}

fn_progress fn_exchange_choose_ids(fn_exchange *x) {
  const fn_str key = fn_request_header(&x->request, "Idempotency-Key");
  if (key.data == NULL) {
    if (x->id_seed[0] == 0 && x->id_seed[1] == 0) (void)!getrandom(x->id_seed, sizeof x->id_seed, 0);
    return FN_EXCHANGE_PENDING;
  }
  if (!is_key(key)) {
    return fn_exchange_fail(x, 400, "bad_idempotency_key",
                            "Idempotency-Key must be 1 to %d printable ASCII characters without spaces", (int)MAX_KEY);
  }
  fn_exchange_set_retry(x, key);
  return FN_EXCHANGE_PENDING;
}

void fn_exchange_set_retry(fn_exchange *x, fn_str key) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 4096);
  fn_buf_append(&text, x->key_id, strlen(x->key_id) + 1);
  fn_buf_append(&text, x->route->path, strlen(x->route->path) + 1);
  fn_buf_append(&text, key.data, key.length);
  const fn_hash128 hash = fn_hash_bytes(text.data, text.length);
  x->id_seed[0] = hash.high;
  x->id_seed[1] = hash.low;
}

void fn_exchange_prediction_id(char out[FN_PREDICTION_ID_BYTES], const fn_exchange *x, size_t i) {
  const uint64_t seed[3] = {x->id_seed[0], x->id_seed[1], i};
  out[0] = 'p';
  out[1] = '_';
  fn_hash_format(out + 2, fn_hash_bytes(seed, sizeof seed));
}

/* ---- answers */

static bool is_answered(const fn_exchange *x, const fn_job *job, size_t i) {
  return job->predictions[i].status == FN_OK && !(x->refused != NULL && x->refused[i]);
}

fn_status fn_exchange_render_answers(fn_exchange *x, const fn_job *job) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  x->answers = fn_arena_alloc(&x->arena, job->n, sizeof *x->answers);
  if (x->answers == NULL) return FN_E_NO_MEMORY;
  for (size_t i = 0; i < job->n; i++) {
    if (!is_answered(x, job, i)) continue;
    char id[FN_PREDICTION_ID_BYTES];
    fn_json_writer w;
    fn_buf_reset(&text);
    fn_json_begin(&w, &text, 0);
    fn_json_object(&w, NULL);
    fn_exchange_prediction_id(id, x, i);
    fn_json_text(&w, "id", fn_server_log(x->server) != NULL ? id : NULL);
    fn_json_text(&w, "model", fn_engine_get_info(job->engine)->id);
    fn_answer_json(&w, &job->predictions[i], &job->articles[i], job->engine,
                   job->explanations != NULL ? &job->explanations[i] : NULL);
    fn_json_end(&w);
    const char *copy = text.failed ? NULL : fn_arena_strndup(&x->arena, text.data, text.length);
    if (copy == NULL) return FN_E_NO_MEMORY;
    x->answers[i] = fn_str_make(copy, text.length);
  }
  return FN_OK;
}

/* ---- rows */

/* Those that go into the log, and which answers they are. */
typedef struct record {
  void (*then)(fn_exchange *exchange);
  size_t *places; /* [n] */
  size_t n;
} record;

/* The answer that was given when the id was first used. */
static fn_status repeat(fn_exchange *x, size_t place, const char *stored, fn_err *err) {
  const fn_str answer = fn_str_from(stored);
  const char *copy = fn_arena_strndup(&x->arena, answer.data, answer.length);
  if (copy == NULL) return fn_err_no_memory(err, "an answer");
  x->answers[place] = fn_str_make(copy, answer.length);
  x->is_repeated = true;
  return FN_OK;
}

void fn_server_note_log(const fn_server *server, const char *request_id, const fn_err *why) {
  fn_server_event(server, FN_SEVERITY_ERROR, "log_unavailable", NULL, "request %.100s: %s", request_id, why->message);
}

static void refuse(fn_exchange *x, const fn_err *err) {
  fn_server_note_log(x->server, x->request.id, err);
  fn_response_header(&x->response, "Retry-After", "1");
  (void)fn_exchange_fail(x, 503, "log_unavailable", "the answer could not be recorded; try again later");
}

/* Whether a stored answer was asked for as this one is: with the same prior, explained or not. What a model takes for a
 * prior by itself is compared within one model alone, for another one may have taken its place. */
static bool is_asked_alike(const fn_exchange *x, size_t place, const char *stored) {
  const fn_job *job = x->job;
  fn_json_error error;
  json_t *answer = NULL;
  if (job == NULL || fn_json_read(&answer, fn_str_from(stored), 0, &error) != FN_OK) return true;
  const char *model = json_string_value(json_object_get(answer, "model"));
  const bool same_model = model != NULL && strcmp(model, fn_engine_get_info(job->engine)->id) == 0;
  const double then = json_number_value(json_object_get(answer, "prior")), now = job->predictions[place].prior;
  const bool compares = same_model || job->articles[place].prior > 0.0;
  const bool explained = json_object_get(answer, "explanation") != NULL;
  json_decref(answer);
  return explained == (job->explanations != NULL) && (!compares || isnan(now) || fabs(then - now) < 1e-12);
}

static void on_recorded(void *arg, fn_status status, const fn_prediction_result *results, const fn_err *err) {
  fn_exchange *x = arg;
  const record *r = x->record;
  fn_err own = {0};
  if (status != FN_OK) {
    refuse(x, err);
    r->then(x);
    return;
  }
  for (size_t i = 0; i < r->n; i++) {
    const bool repeats = results[i].outcome == FN_PREDICTION_REPEATED;
    if (results[i].outcome == FN_PREDICTION_DIFFERS ||
        (repeats && !is_asked_alike(x, r->places[i], results[i].answer))) {
      (void)fn_exchange_fail(x, 422, "idempotency_mismatch",
                             "this Idempotency-Key was used with another text, prior or explain; choose a new one");
      break;
    }
    if (repeats && repeat(x, r->places[i], results[i].answer, &own) != FN_OK) {
      refuse(x, &own);
      break;
    }
  }
  r->then(x);
}

static void fill_row(fn_prediction_row *row, fn_exchange *x, const fn_job *job, size_t i, char *id) {
  const fn_article *article = &job->articles[i];
  fn_prediction_row_fill(row, fn_engine_get_info(job->engine), article, &job->predictions[i],
                         fn_session_embedding_size(fn_engine_session(job->engine, 0)));
  fn_exchange_prediction_id(id, x, i);
  row->id = fn_str_from(id);
  row->request_id = fn_str_from(x->request.id);
  row->route = fn_str_from(x->route->path);
  row->client = fn_str_from(x->key_id);
  row->answer = x->answers[i];
}

void fn_exchange_record(fn_exchange *x, const fn_job *job, void (*then)(fn_exchange *exchange)) {
  typedef char id[FN_PREDICTION_ID_BYTES];
  fn_err err = {0};
  fn_prediction_log *log = fn_server_log(x->server);
  if (log == NULL || x->answers == NULL) {
    then(x);
    return;
  }
  record *r = fn_arena_alloc(&x->arena, 1, sizeof *r);
  fn_prediction_row *rows = fn_arena_alloc(&x->arena, job->n, sizeof *rows);
  id *ids = fn_arena_alloc(&x->arena, job->n, sizeof *ids);
  size_t *places = fn_arena_alloc(&x->arena, job->n, sizeof *places);
  if (r == NULL || rows == NULL || ids == NULL || places == NULL) {
    (void)fn_err_no_memory(&err, "rows of the prediction log");
    refuse(x, &err);
    then(x);
    return;
  }
  *r = (record){.then = then, .places = places};
  for (size_t i = 0; i < job->n; i++) {
    if (!is_answered(x, job, i)) continue;
    fill_row(&rows[r->n], x, job, i, ids[i]);
    places[r->n++] = i;
  }
  x->record = r;
  if (r->n == 0) {
    then(x);
  } else if (fn_prediction_log_append(log, rows, r->n, on_recorded, x, &err) != FN_OK) {
    refuse(x, &err);
    then(x);
  }
}
