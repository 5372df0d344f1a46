/* Hiding and removing runs. */
#include "track/tracking_internal.h"

/* ---- what came of a run ---- */

typedef struct version_walk {
  const char *id;
  fn_run_version_emit emit; /* NULL: one that is there, or being made, refuses the removal */
  void *arg;
} version_walk;

static fn_status refuse(const char *id, const char *model, int64_t version, bool is_made, fn_err *err) {
  if (is_made)
    return fn_err_set(
        err, FN_E_REFUSED,
        "run %.12s: version %lld of the model %s comes of it; retire that first (`fakenews registry rm %s/%lld`)", id,
        (long long)version, model, model, (long long)version);
  return fn_err_set(err, FN_E_REFUSED,
                    "run %.12s: `registry add` is making a version of the model %s of it; try again when it has "
                    "ended, or, should it have been killed, in a day",
                    id, model);
}

static fn_status take_version(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  const version_walk *w = arg;
  char name[256];
  if (n != 3 || v[0].bytes.length >= sizeof name) return FN_OK;
  if (v[0].bytes.length) memcpy(name, v[0].bytes.data, v[0].bytes.length);
  name[v[0].bytes.length] = '\0';
  const bool is_made = v[2].integer == 1;
  if (!w->emit) return refuse(w->id, name, v[1].integer, is_made, err);
  return is_made ? w->emit(w->arg, name, v[1].integer, err) : FN_OK;
}

/* False: no model was registered here yet. */
static fn_status has_registry(bool *has, fn_tracking *t, fn_err *err) {
  int64_t n = 0;
  FN_TRY(fn_sql_query(t->sql, "SELECT count(*) FROM schema_version WHERE name = 'registry'", NULL, 0, fn_sql_take_int,
                      &n, err));
  *has = n > 0;
  return FN_OK;
}

static fn_status walk_versions(fn_tracking *t, const version_walk *w, fn_err *err) {
  const fn_sql_value run = fn_sql_text(w->id);
  return fn_sql_query(t->sql,
                      "SELECT name, version, state FROM registry_versions WHERE run_id = $1 AND state IN (0, 1)"
                      " ORDER BY state DESC, name, version LIMIT 1000",
                      &run, 1, take_version, (void *)(uintptr_t)w, err);
}

fn_status fn_tracking_versions(fn_tracking *t, const char *id, fn_run_version_emit emit, void *arg, fn_err *err) {
  bool has;
  FN_TRY(has_registry(&has, t, err));
  return has ? walk_versions(t, &(version_walk){id, emit, arg}, err) : FN_OK;
}

/* Versions that were begun a day ago come to nothing: nobody can publish them any more. */
static fn_status check_free(fn_tracking *t, const char *id, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(id), fn_sql_int(fn_clock_unix_ms() - FN_VERSION_UNFINISHED_MS)};
  bool has;
  FN_TRY(has_registry(&has, t, err));
  if (!has) return FN_OK;
  FN_TRY(fn_sql_run(t->sql,
                    "UPDATE registry_versions SET state = -1 WHERE run_id = $1 AND state = 0 AND created_ms < $2",
                    values, 2, NULL, err));
  return walk_versions(t, &(version_walk){.id = id}, err);
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

typedef struct hiding {
  const char *id;
  bool deleted;
} hiding;

/* The run's row first: with PostgreSQL too, whoever makes a version of it (fn_registry_reserve) comes before and is
 * seen, or after and sees that the run is hidden. */
static fn_status hide(fn_tracking *t, void *arg, fn_err *err) {
  const hiding *h = arg;
  const fn_sql_value values[] = {fn_sql_text(h->id), fn_sql_int(h->deleted)};
  int64_t n = 0;
  FN_TRY(fn_sql_run(t->sql, "UPDATE runs SET deleted = $2 WHERE id = $1", values, 2, &n, err));
  if (n == 0) return fn_err_set(err, FN_E_NOT_FOUND, "no run %.40s", h->id);
  return h->deleted ? check_free(t, h->id, err) : FN_OK;
}

fn_status fn_tracking_set_deleted(fn_tracking *t, const char *id, bool deleted, fn_err *err) {
  hiding h = {id, deleted};
  fn_run_row row;
  if (deleted) FN_TRY(find_ended(&row, t, id, err));
  return fn_tracking_transact(t, hide, &h, err);
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

/* Its row once it is hidden. */
static fn_status hide_first(fn_run_row *row, char owner[64], fn_tracking *t, const char *id, fn_err *err) {
  FN_TRY(fn_tracking_set_deleted(t, id, true, err));
  FN_TRY(fn_tracking_row(row, t, id, err));
  snprintf(owner, 64, "run:%s", id);
  return FN_OK;
}

fn_status fn_tracking_purge(fn_tracking *t, const char *id, fn_err *err) {
  fn_run_row row;
  char owner[64];
  FN_TRY(hide_first(&row, owner, t, id, err));
  const fn_status status = fn_tracking_drop_owner(t, owner, err);
  if (status != FN_OK)
    return fn_err_prefix(err, status,
                         "run %.12s is hidden, and not all of its files could be removed; purge it again, or with "
                         "--leave-files",
                         id);
  return fn_tracking_transact(t, remove_rows, &row.number, err);
}

fn_status fn_tracking_forget(fn_tracking *t, const char *id, fn_err *err) {
  fn_run_row row;
  char owner[64];
  FN_TRY(hide_first(&row, owner, t, id, err));
  const fn_sql_value value = fn_sql_text(owner);
  FN_TRY(fn_sql_run(t->sql, "DELETE FROM artifacts WHERE owner = $1", &value, 1, NULL, err));
  return fn_tracking_transact(t, remove_rows, &row.number, err);
}
