/* Answers of an upload into the prediction log, block by block: as those of other requests, before they are given. */
#include "serve/answer_json.h"
#include "serve/recording.h"
#include "serve/upload_internal.h"

typedef char prediction_id[FN_PREDICTION_ID_BYTES];

static void write_id(prediction_id out, const fn_upload *u, uint64_t row) {
  const uint64_t seed[3] = {u->id_seed[0], u->id_seed[1], row};
  out[0] = 'p';
  out[1] = '_';
  fn_hash_format(out + 2, fn_hash_bytes(seed, sizeof seed));
}

static void on_recorded(void *arg, fn_status status, const fn_prediction_result *results, const fn_err *err) {
  fn_upload *u = arg;
  pthread_mutex_lock(&u->lock);
  u->record_status = status;
  if (err != NULL) u->record_err = *err;
  for (size_t i = 0; status == FN_OK && i < u->n_recording; i++) {
    if (results[i].outcome == FN_PREDICTION_DIFFERS) u->record_status = FN_E_REFUSED;
  }
  u->job_done = true;
  pthread_cond_signal(&u->wake);
  pthread_mutex_unlock(&u->lock);
}

static fn_status wait_for_log(fn_upload *u, fn_err *err) {
  pthread_mutex_lock(&u->lock);
  while (!u->job_done) pthread_cond_wait(&u->wake, &u->lock);
  pthread_mutex_unlock(&u->lock);
  if (u->record_status == FN_OK) return FN_OK;
  if (u->record_status == FN_E_REFUSED) {
    fn_upload_fail(u, 422, "idempotency_mismatch", "this Idempotency-Key was used with another text; choose a new one");
  } else {
    fn_server_note_log(u->server, u->request_id, &u->record_err);
    fn_upload_fail(u, 503, "log_unavailable", "the answers could not be recorded; try again later");
  }
  return fn_err_set(err, FN_E_CANCELLED, "not recorded");
}

static bool render(fn_str *out, fn_arena *arena, fn_upload *u, const char *id, size_t i) {
  FN_AUTO_BUF fn_buf text;
  fn_json_writer w;
  fn_buf_init(&text, 0);
  fn_json_begin(&w, &text, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "id", id);
  fn_json_text(&w, "model", fn_engine_get_info(u->engine)->id);
  fn_answer_json(&w, &u->job.predictions[i], &u->job.articles[i], u->engine, NULL);
  fn_json_end(&w);
  const char *copy = text.failed ? NULL : fn_arena_strndup(arena, text.data, text.length);
  *out = fn_str_make(copy, text.length);
  return copy != NULL;
}

static fn_status append(fn_upload *u, fn_arena *arena, fn_err *err) {
  const fn_job *job = &u->job;
  fn_prediction_row *rows = fn_arena_alloc(arena, job->n, sizeof *rows);
  prediction_id *ids = fn_arena_alloc(arena, job->n, sizeof *ids);
  if (rows == NULL || ids == NULL) return fn_err_no_memory(err, "rows of the prediction log");
  size_t n = 0;
  for (size_t i = 0; i < job->n; i++) {
    if (job->predictions[i].status != FN_OK) continue;
    fn_prediction_row *row = &rows[n];
    fn_prediction_row_fill(row, fn_engine_get_info(u->engine), &job->articles[i], &job->predictions[i],
                           fn_session_embedding_size(fn_engine_session(u->engine, 0)));
    write_id(ids[n], u, u->n_classified + i);
    row->id = fn_str_from(ids[n]);
    row->request_id = fn_str_from(u->request_id);
    row->route = fn_str_from(u->route);
    row->client = fn_str_from(u->key_id);
    if (!render(&row->answer, arena, u, ids[n], i)) return fn_err_no_memory(err, "an answer");
    n++;
  }
  u->n_classified += job->n;
  u->n_recording = n;
  u->job_done = n == 0;
  u->record_status = FN_OK;
  if (n == 0) return FN_OK;
  return fn_prediction_log_append(fn_server_log(u->server), rows, n, on_recorded, u, err);
}

fn_status fn_upload_record(fn_upload *u, fn_err *err) {
  if (fn_server_log(u->server) == NULL) return FN_OK;
  fn_arena arena;
  fn_arena_init(&arena);
  fn_status status = append(u, &arena, err);
  fn_arena_deinit(&arena);
  if (status == FN_OK) return wait_for_log(u, err);
  fn_server_note_log(u->server, u->request_id, err);
  fn_upload_fail(u, 503, "log_unavailable", "the answers could not be recorded; try again later");
  return status;
}
