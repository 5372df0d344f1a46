#include "sql/driver.h"

#include <stdio.h>
#include <stdlib.h>

struct fn_sql {
  const fn_sql_driver *driver;
  void *handle;
  bool in_transaction;
};

fn_status fn_sql_open(fn_sql **sql_out, const char *url, const fn_sql_options *options, fn_err *err) {
  fn_sql_options filled = options ? *options : (fn_sql_options){0};
  if (filled.busy_ms == 0) filled.busy_ms = 5000;
  if (filled.timeout_ms == 0) filled.timeout_ms = 30000;
  char where[300];
  fn_sql_kind kind;
  fn_sql_describe(where, sizeof where, url);
  if (!fn_sql_kind_of(&kind, url))
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "%s: no database of this kind; accepted are a path, sqlite:PATH and postgresql://… (a path that "
                      "begins with a word and \":\" stands behind sqlite: or ./)",
                      where);
  if (kind == FN_SQL_POSTGRESQL && !fn_sql_address_is_whole(url)) /* libpq would say so with parts of a password */
    return fn_err_set(
        err, FN_E_INVALID,
        "%s: no address postgresql://USER:PASSWORD@HOST:PORT/DATABASE?KEY=VALUE&…; in a user and a password "
        "the characters / ? # %% @ : [ ] and spaces stand as %%2F %%3F %%23 %%25 %%40 %%3A %%5B %%5D %%20",
        where);
  fn_sql *sql = fn_mem_calloc(1, sizeof *sql);
  if (!sql) return fn_err_no_memory(err, "a database connection");
  sql->driver = kind == FN_SQL_SQLITE ? &fn_sql_sqlite : &fn_sql_postgresql;
  const fn_status status = sql->driver->open(&sql->handle, url, where, &filled, err);
  if (status != FN_OK) {
    free(sql);
    return status;
  }
  *sql_out = sql;
  return FN_OK;
}

void fn_sql_close(fn_sql *sql) {
  if (!sql) return;
  fn_sql_rollback(sql);
  sql->driver->close(sql->handle);
  free(sql);
}

fn_sql_kind fn_sql_get_kind(const fn_sql *sql) {
  return sql->driver->kind;
}

bool fn_sql_in_place(const fn_sql *sql) {
  return !sql->driver->in_place || sql->driver->in_place(sql->handle);
}

fn_status fn_sql_run(fn_sql *sql, const char *text, const fn_sql_value *values, size_t n, int64_t *n_changed_out,
                     fn_err *err) {
  return sql->driver->run(sql->handle, text, values, n, n_changed_out, err);
}

fn_status fn_sql_run_many(fn_sql *sql, const char *text, const fn_sql_value *values, size_t n, size_t n_rows,
                          int64_t *n_changed_out, fn_err *err) {
  if (sql->in_transaction) return sql->driver->run_many(sql->handle, text, values, n, n_rows, n_changed_out, err);
  FN_TRY(fn_sql_begin(sql, err));
  fn_status status = sql->driver->run_many(sql->handle, text, values, n, n_rows, n_changed_out, err);
  if (status == FN_OK) status = fn_sql_commit(sql, err);
  fn_sql_rollback(sql);
  return status;
}

fn_status fn_sql_query(fn_sql *sql, const char *text, const fn_sql_value *values, size_t n, fn_sql_row row, void *arg,
                       fn_err *err) {
  return sql->driver->query(sql->handle, text, values, n, row, arg, err);
}

fn_status fn_sql_take_int(void *arg, const fn_sql_value *values, size_t n, fn_err *err) {
  (void)err;
  if (n > 0 && values[0].type == FN_SQL_INT) *(int64_t *)arg = values[0].integer;
  return FN_OK;
}

fn_status fn_sql_begin(fn_sql *sql, fn_err *err) {
  FN_TRY(sql->driver->begin(sql->handle, err));
  sql->in_transaction = true;
  return FN_OK;
}

fn_status fn_sql_commit(fn_sql *sql, fn_err *err) {
  FN_TRY(sql->driver->commit(sql->handle, err));
  sql->in_transaction = false;
  return FN_OK;
}

void fn_sql_rollback(fn_sql *sql) {
  if (!sql->in_transaction) return;
  sql->driver->rollback(sql->handle);
  sql->in_transaction = false;
}

fn_status fn_sql_compact(fn_sql *sql, fn_err *err) {
  if (sql->driver->kind != FN_SQL_SQLITE) return FN_OK;
  const fn_status status = sql->driver->script(sql->handle, "PRAGMA wal_checkpoint(TRUNCATE)", err);
  return status == FN_E_IO ? FN_OK : status;
}

static const char create_versions[] =
    "CREATE TABLE IF NOT EXISTS schema_version (name TEXT PRIMARY KEY, version BIGINT NOT NULL)";

static fn_status find_version(int64_t *version, fn_sql *sql, const char *name, fn_err *err) {
  const fn_sql_value value = fn_sql_text(name);
  return fn_sql_query(sql, "SELECT version FROM schema_version WHERE name = $1", &value, 1, fn_sql_take_int, version,
                      err);
}

static fn_status check_version(int64_t version, const char *name, size_t n_steps, fn_err *err) {
  if (version >= 0 && (uint64_t)version <= n_steps) return FN_OK;
  return fn_err_set(err, FN_E_UNSUPPORTED,
                    "the database was written by a newer program: its schema \"%s\" has version %lld, this program "
                    "knows up to %zu; update the program, or name another database",
                    name, (long long)version, n_steps);
}

fn_status fn_sql_schema(int64_t *version_out, fn_sql *sql, const char *name, size_t n_steps, fn_err *err) {
  fn_err why = {0};
  int64_t version = 0;
  const fn_status status = find_version(&version, sql, name, &why);
  if (status != FN_OK && status != FN_E_INTERNAL) return fn_err_set(err, status, "%s", why.message);
  FN_TRY(check_version(version, name, n_steps, err)); /* FN_E_INTERNAL: the table is not there yet */
  *version_out = version;
  return FN_OK;
}

static fn_status migrate_locked(fn_sql *sql, const char *name, const char *const *steps, size_t n_steps, fn_err *err) {
  int64_t version = 0;
  const fn_sql_driver *driver = sql->driver;
  if (driver->lock_schema) FN_TRY(driver->script(sql->handle, driver->lock_schema, err));
  FN_TRY(driver->script(sql->handle, create_versions, err));
  FN_TRY(find_version(&version, sql, name, err));
  FN_TRY(check_version(version, name, n_steps, err));
  if ((size_t)version == n_steps) return FN_OK;
  for (size_t i = (size_t)version; i < n_steps; i++) FN_TRY(driver->script(sql->handle, steps[i], err));
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_int((int64_t)n_steps)};
  return fn_sql_run(sql,
                    "INSERT INTO schema_version (name, version) VALUES ($1, $2) "
                    "ON CONFLICT (name) DO UPDATE SET version = excluded.version",
                    values, 2, NULL, err);
}

fn_status fn_sql_migrate(fn_sql *sql, const char *name, const char *const *steps, size_t n_steps, fn_err *err) {
  /* Mostly there is nothing to do, and then no lock is taken. Where the table is not there yet this fails. */
  int64_t version = 0;
  if (find_version(&version, sql, name, NULL) == FN_OK && version == (int64_t)n_steps) return FN_OK;
  FN_TRY(fn_sql_begin(sql, err));
  fn_status status = migrate_locked(sql, name, steps, n_steps, err);
  if (status == FN_OK) status = fn_sql_commit(sql, err);
  fn_sql_rollback(sql);
  return status;
}
