/* Hiding and removing runs. */
#include "track/tracking_internal.h"

/* ---- what came of a run ---- */

typedef struct version_walk {
  fn_run_version_emit emit;
  void *arg;
} version_walk;

static fn_status take_version(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  const version_walk *w = arg;
  char name[256];
  if (n != 2 || v[0].bytes.length >= sizeof name) return FN_OK;
  if (v[0].bytes.length) memcpy(name, v[0].bytes.data, v[0].bytes.length);
  name[v[0].bytes.length] = '\0';
  return w->emit(w->arg, name, v[1].integer, err);
}

static fn_status take_count(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  (void)err;
  if (n == 1) *(int64_t *)arg = v[0].integer;
  return FN_OK;
}

fn_status fn_tracking_versions(fn_tracking *t, const char *id, fn_run_version_emit emit, void *arg, fn_err *err) {
  version_walk w = {emit, arg};
  const fn_sql_value run = fn_sql_text(id);
  int64_t n = 0;
  FN_TRY(fn_sql_query(t->sql, "SELECT count(*) FROM schema_version WHERE name = 'registry'", NULL, 0, take_count, &n,
                      err));
  if (n == 0) return FN_OK; /* no model was registered here yet */
  return fn_sql_query(t->sql,
                      "SELECT name, version FROM registry_versions WHERE run_id = $1 AND state <> 2"
                      " ORDER BY name, version LIMIT 1000",
                      &run, 1, take_version, &w, err);
}

typedef struct refusal {
  const char *id;
} refusal;

static fn_status refuse(void *arg, const char *model, int64_t version, fn_err *err) {
  const refusal *r = arg;
  return fn_err_set(err, FN_E_REFUSED,
                    "run %.12s: version %lld of the model %s comes of it; retire that first (`fakenews registry`)",
                    r->id, (long long)version, model);
}

static fn_status check_free(fn_tracking *t, const char *id, fn_err *err) {
  refusal r = {id};
  return fn_tracking_versions(t, id, refuse, &r, err);
}

/* ---- hiding, removing ---- */

/* The row of a run that is not written any more: what a training tells a run that was hidden would be lost. A run whose
 * process was killed has ended. */
static fn_status find_ended(fn_run_row *row, fn_tracking *t, const char *id, fn_err *err) {
  int64_t gone[256];
  size_t n = 0;
  FN_TRY(fn_tracking_reap(gone, &n, FN_COUNT_OF(gone), t, err));
  FN_TRY(fn_tracking_row(row, t, id, err));
  if (row->status != FN_RUN_RUNNING) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "run %.12s goes on; it can be removed when it has ended", id);
}

fn_status fn_tracking_set_deleted(fn_tracking *t, const char *id, bool deleted, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(id), fn_sql_int(deleted)};
  fn_run_row row;
  int64_t n = 0;
  if (deleted) {
    FN_TRY(find_ended(&row, t, id, err));
    FN_TRY(check_free(t, id, err));
  }
  FN_TRY(fn_sql_run(t->sql, "UPDATE runs SET deleted = $2 WHERE id = $1", values, 2, &n, err));
  return n ? FN_OK : fn_err_set(err, FN_E_NOT_FOUND, "no run %.40s", id);
}

static fn_status remove_rows(fn_tracking *t, void *arg, fn_err *err) {
  static const char *const statements[] = {
      "DELETE FROM params WHERE run = $1",      "DELETE FROM tags WHERE run = $1",
      "DELETE FROM metrics WHERE run = $1",     "DELETE FROM metric_steps WHERE run = $1",
      "DELETE FROM metric_keys WHERE run = $1", "DELETE FROM runs WHERE number = $1",
  };
  const fn_sql_value run = fn_sql_int(*(const int64_t *)arg);
  for (size_t i = 0; i < FN_COUNT_OF(statements); i++) FN_TRY(fn_sql_run(t->sql, statements[i], &run, 1, NULL, err));
  return FN_OK;
}

fn_status fn_tracking_purge(fn_tracking *t, const char *id, fn_err *err) {
  fn_run_row row;
  char owner[64];
  FN_TRY(fn_tracking_set_deleted(t, id, true, err));
  FN_TRY(fn_tracking_row(&row, t, id, err));
  snprintf(owner, sizeof owner, "run:%s", id);
  const fn_status status = fn_tracking_drop_owner(t, owner, err);
  if (status != FN_OK)
    return fn_err_prefix(err, status, "run %.12s is hidden, and not all of its files could be removed; purge it again",
                         id);
  return fn_tracking_transact(t, remove_rows, &row.number, err);
}
