#include "monitor/database.h"

#include "monitor/record.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* The schema, one step a version. Titles and texts are bytes as they came; reasons are names joined by ','. */
static const char *const steps[] = {
    "CREATE TABLE predictions ("
    " id TEXT PRIMARY KEY, time_ms BIGINT NOT NULL, request_id TEXT NOT NULL, route TEXT NOT NULL,"
    " client TEXT NOT NULL, model TEXT NOT NULL, text_kept TEXT NOT NULL, title BYTEA, text BYTEA,"
    " title_sha256 BYTEA, text_sha256 BYTEA, label TEXT NOT NULL, verdict TEXT NOT NULL,"
    " p_fake DOUBLE PRECISION, logit DOUBLE PRECISION, encoder_logit DOUBLE PRECISION, linear_logit DOUBLE PRECISION,"
    " prior DOUBLE PRECISION, calibrated BIGINT NOT NULL, reasons TEXT NOT NULL, n_tokens BIGINT NOT NULL,"
    " n_windows BIGINT NOT NULL, truncated BIGINT NOT NULL, title_bytes BIGINT NOT NULL, text_bytes BIGINT NOT NULL,"
    " n_words BIGINT NOT NULL, unknown_share DOUBLE PRECISION, non_letter_share DOUBLE PRECISION,"
    " english DOUBLE PRECISION, novelty DOUBLE PRECISION, bytes_per_token DOUBLE PRECISION,"
    " embedding BYTEA, embedding_scale DOUBLE PRECISION, answer TEXT NOT NULL);"
    "CREATE INDEX predictions_time ON predictions (time_ms, id);"
    "CREATE TABLE feedback ("
    " id TEXT PRIMARY KEY, prediction_id TEXT NOT NULL, time_ms BIGINT NOT NULL, label TEXT NOT NULL,"
    " name TEXT NOT NULL, reason TEXT NOT NULL, client TEXT NOT NULL, corrects TEXT);"
    "CREATE INDEX feedback_prediction ON feedback (prediction_id, time_ms);"
    "CREATE INDEX feedback_time ON feedback (time_ms);"
    "CREATE TABLE api_keys ("
    " id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, sha256 BYTEA NOT NULL, created_ms BIGINT NOT NULL,"
    " revoked_ms BIGINT NOT NULL)",
    /* Whether a word is the latest of its author is asked of every word that is listed. */
    "CREATE INDEX feedback_author ON feedback (prediction_id, name, client, time_ms, id)",
};

static fn_status refuse_folder(const char *folder, const fn_err *why, fn_err *err) {
  if (why->status == FN_E_NO_MEMORY) return fn_err_no_memory(err, folder);
  return fn_err_set(err, FN_E_INVALID,
                    "predictions.url: the folder %s of the prediction log cannot be used (%.300s); name another place "
                    "with predictions.url=PATH or STATE_DIRECTORY, or turn the log off with predictions.url=none",
                    folder, why->message);
}

fn_status fn_database_url(char **url_out, const fn_predictions_options *options, const char *state_folder,
                          fn_err *err) {
  if (!fn_predictions_enabled(options))
    return fn_err_set(err, FN_E_INVALID, "predictions.url is none: there is no prediction log, feedback or key");
  if (options->url) {
    char *copy = fn_str_dup(fn_str_from(options->url));
    if (!copy) return fn_err_no_memory(err, "predictions.url");
    *url_out = copy;
    return FN_OK;
  }
  if (!state_folder || !*state_folder)
    return fn_err_set(
        err, FN_E_INVALID,
        "predictions.url: there is no state folder (STATE_DIRECTORY, XDG_STATE_HOME and HOME are not set); "
        "name a database with predictions.url=PATH, or turn the log off with predictions.url=none");
  fn_err why = {0};
  if (fn_dir_create(state_folder, &why) != FN_OK) return refuse_folder(state_folder, &why, err);
  if (access(state_folder, W_OK | X_OK) != 0) {
    (void)fn_err_errno(&why, errno, "%s", state_folder);
    return refuse_folder(state_folder, &why, err);
  }
  char *path = fn_path_join(state_folder, "predictions.db");
  if (!path) return fn_err_no_memory(err, "predictions.url");
  *url_out = path;
  return FN_OK;
}

fn_status fn_database_open(fn_sql **sql_out, const char *url, const fn_sql_options *sql_options, fn_err *err) {
  fn_sql *sql = NULL;
  FN_TRY(fn_sql_open(&sql, url, sql_options, err));
  const fn_status status = fn_sql_migrate(sql, "monitor", steps, FN_COUNT_OF(steps), err);
  if (status != FN_OK) {
    fn_sql_close(sql);
    return status;
  }
  *sql_out = sql;
  return FN_OK;
}

static fn_status see_row(void *arg, const fn_sql_value *values, size_t n, fn_err *err) {
  return n == FN_N_COLUMNS ? fn_record_to_stored(arg, values, err) : FN_OK;
}

fn_status fn_prediction_load(fn_stored_prediction **stored_out, fn_sql *sql, fn_str id, fn_err *err) {
  const fn_sql_value value = fn_sql_str(id);
  fn_stored_prediction *stored = NULL;
  FN_TRY(fn_sql_query(sql, fn_record_select, &value, 1, see_row, &stored, err));
  if (!stored)
    return fn_err_set(err, FN_E_NOT_FOUND, "no prediction %.*s", id.length > 64 ? 64 : (int)id.length, id.data);
  *stored_out = stored;
  return FN_OK;
}

static const char purge_feedback[] =
    "DELETE FROM feedback WHERE prediction_id IN (SELECT id FROM predictions WHERE time_ms < $1 ORDER BY time_ms, id "
    "LIMIT $2)";
static const char purge_predictions[] =
    "DELETE FROM predictions WHERE id IN (SELECT id FROM predictions WHERE time_ms < $1 ORDER BY time_ms, id LIMIT $2)";

static fn_status purge(int64_t *n, fn_sql *sql, int64_t before_ms, int64_t max_rows, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_int(before_ms), fn_sql_int(max_rows)};
  FN_TRY(fn_sql_begin(sql, err));
  FN_TRY(fn_sql_run(sql, purge_feedback, values, 2, NULL, err));
  FN_TRY(fn_sql_run(sql, purge_predictions, values, 2, n, err));
  return fn_sql_commit(sql, err);
}

fn_status fn_database_purge(size_t *n_out, fn_sql *sql, int64_t before_ms, int64_t max_rows, fn_err *err) {
  /* Mostly there is nothing, and then nothing is locked. */
  static const char any[] = "SELECT count(*) FROM (SELECT 1 FROM predictions WHERE time_ms < $1 LIMIT 1) AS found";
  const fn_sql_value value = fn_sql_int(before_ms);
  int64_t n = 0;
  FN_TRY(fn_sql_query(sql, any, &value, 1, fn_sql_take_int, &n, err));
  if (n > 0) {
    const fn_status status = purge(&n, sql, before_ms, max_rows, err);
    fn_sql_rollback(sql);
    FN_TRY(status);
  }
  *n_out = (size_t)n;
  return FN_OK;
}

static fn_status remove_one(fn_sql *sql, fn_str id, fn_err *err) {
  const fn_sql_value value = fn_sql_str(id);
  int64_t n = 0;
  FN_TRY(fn_sql_begin(sql, err));
  FN_TRY(fn_sql_run(sql, "DELETE FROM feedback WHERE prediction_id = $1", &value, 1, NULL, err));
  FN_TRY(fn_sql_run(sql, "DELETE FROM predictions WHERE id = $1", &value, 1, &n, err));
  if (n == 0) return fn_err_set(err, FN_E_NOT_FOUND, "no prediction %.*s", (int)id.length, id.data);
  return fn_sql_commit(sql, err);
}

fn_status fn_database_remove(fn_sql *sql, fn_str id, fn_err *err) {
  const fn_status status = remove_one(sql, id, err);
  fn_sql_rollback(sql);
  return status;
}
