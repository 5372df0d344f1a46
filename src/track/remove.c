/* Hiding and removing runs. */
#include "track/tracking_internal.h"

fn_status fn_tracking_set_deleted(fn_tracking *t, const char *id, bool deleted, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(id), fn_sql_int(deleted)};
  int64_t n = 0;
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
  FN_TRY(fn_tracking_row(&row, t, id, err));
  if (row.status == FN_RUN_RUNNING)
    return fn_err_set(err, FN_E_INVALID, "run %.12s goes on; it can be removed when it has ended", id);
  snprintf(owner, sizeof owner, "run:%s", id);
  FN_TRY(fn_tracking_drop_owner(t, owner, err));
  return fn_tracking_transact(t, remove_rows, &row.number, err);
}
