#include "registry/internal.h"

#include <stdlib.h>

/* state -1: came to nothing, 0: being made, 1: a version, 2: retired. The version of the first two is a ticket below 0;
 * older databases have the number there that it would have had. */
static const char *const steps[] = {
    "CREATE TABLE registry_models (name TEXT PRIMARY KEY, created_ms BIGINT NOT NULL, last_version BIGINT NOT NULL,"
    " last_change BIGINT NOT NULL);"
    "CREATE TABLE registry_versions (name TEXT NOT NULL, version BIGINT NOT NULL, state BIGINT NOT NULL,"
    " origin TEXT NOT NULL, digest TEXT NOT NULL, run_id TEXT NOT NULL, run_name TEXT NOT NULL,"
    " created_ms BIGINT NOT NULL, retired_ms BIGINT NOT NULL, author TEXT NOT NULL, host TEXT NOT NULL,"
    " card TEXT NOT NULL, PRIMARY KEY (name, version));"
    "CREATE INDEX registry_versions_origin ON registry_versions (name, origin);"
    "CREATE INDEX registry_versions_run ON registry_versions (run_id);"
    "CREATE TABLE registry_aliases (name TEXT NOT NULL, alias TEXT NOT NULL, version BIGINT NOT NULL,"
    " moved_ms BIGINT NOT NULL, PRIMARY KEY (name, alias));"
    "CREATE TABLE registry_tags (name TEXT NOT NULL, version BIGINT NOT NULL, tag TEXT NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY (name, version, tag));"
    "CREATE TABLE registry_audit (name TEXT NOT NULL, number BIGINT NOT NULL, time_ms BIGINT NOT NULL,"
    " author TEXT NOT NULL, host TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, from_version BIGINT NOT "
    "NULL,"
    " to_version BIGINT NOT NULL, forced BIGINT NOT NULL, reason TEXT NOT NULL, details TEXT NOT NULL,"
    " PRIMARY KEY (name, number));",
};

static fn_status check_tables(fn_sql *sql, fn_err *err) {
  int64_t version = 0;
  FN_TRY(fn_sql_schema(&version, sql, "registry", FN_COUNT_OF(steps), err));
  if (version > 0) return FN_OK;
  return fn_err_set(err, FN_E_NOT_FOUND,
                    "there is no registry here yet; `fakenews registry add RUN --name NAME` begins one");
}

fn_status fn_registry_open(fn_registry **registry_out, fn_sql *sql, const fn_registry_actor *actor, bool read_only,
                           fn_err *err) {
  FN_TRY(read_only ? check_tables(sql, err) : fn_sql_migrate(sql, "registry", steps, FN_COUNT_OF(steps), err));
  fn_registry *r = fn_mem_calloc(1, sizeof *r);
  if (r == NULL) return fn_err_no_memory(err, "the registry");
  r->sql = sql;
  snprintf(r->user, sizeof r->user, "%s", actor && actor->user ? actor->user : "");
  snprintf(r->host, sizeof r->host, "%s", actor && actor->host ? actor->host : "");
  *registry_out = r;
  return FN_OK;
}

void fn_registry_close(fn_registry *registry) {
  free(registry);
}

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

fn_status fn_registry_check_name(const char *name, fn_err *err) {
  const size_t n = strlen(name);
  bool good = n > 0 && n <= FN_REGISTRY_MAX_NAME && is_word(name[0]);
  for (size_t i = 0; good && i < n; i++) good = is_word(name[i]) || name[i] == '.' || name[i] == '-';
  if (good) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "\"%.60s\" cannot be a model's name: letters, digits, _ . and - are taken, 255 at most, the first "
                    "a letter, a digit or _",
                    name);
}

fn_status fn_registry_check_alias(const char *alias, fn_err *err) {
  const size_t n = strlen(alias);
  bool good = n > 0 && n <= FN_REGISTRY_MAX_NAME;
  for (size_t i = 0; good && i < n; i++) good = is_word(alias[i]) || alias[i] == '-';
  if (!good)
    return fn_err_set(err, FN_E_INVALID, "\"%.60s\" cannot be an alias: letters, digits, _ and - are taken, 1 to 255",
                      alias);
  if (fn_str_equal_nocase(fn_str_from(alias), fn_str_from("latest")))
    return fn_err_set(err, FN_E_INVALID, "\"%s\" cannot be an alias: models:/NAME/latest is the newest version", alias);
  if ((alias[0] == 'v' || alias[0] == 'V') && n > 1 && strspn(alias + 1, "0123456789") == n - 1)
    return fn_err_set(err, FN_E_INVALID, "\"%.60s\" cannot be an alias: v and digits would be taken for a version",
                      alias);
  return FN_OK;
}

void fn_version_owner_format(fn_version_owner out, const char *name, int64_t version) {
  snprintf(out, sizeof(fn_version_owner), "version:%.255s/%lld", name, (long long)version);
}

/* ---- what the other parts share ---- */

typedef struct nearest {
  const char *name;
  fn_buf list;
  size_t n;
} nearest;

static fn_status take_name(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  nearest *x = arg;
  (void)n;
  (void)err;
  if (x->n++ < 8) fn_buf_printf(&x->list, "%s%.*s", x->n > 1 ? ", " : "", (int)v[0].bytes.length, v[0].bytes.data);
  return FN_OK;
}

fn_status fn_registry_no_model(fn_registry *r, const char *name, fn_err *err) {
  nearest x = {.name = name};
  fn_buf_init(&x.list, 4096);
  fn_status status =
      fn_sql_query(r->sql, "SELECT name FROM registry_models ORDER BY name LIMIT 9", NULL, 0, take_name, &x, err);
  if (status == FN_OK)
    status = x.n == 0 ? fn_err_set(err, FN_E_NOT_FOUND,
                                   "no model %.60s: the registry is empty; `fakenews registry add RUN --name %.60s` "
                                   "adds one",
                                   name, name)
                      : fn_err_set(err, FN_E_NOT_FOUND, "no model %.60s in the registry, which has %s%s", name,
                                   x.list.data ? x.list.data : "", x.n > 8 ? ", …" : "");
  fn_buf_deinit(&x.list);
  return status;
}

fn_status fn_registry_lock(int64_t *number_out, fn_registry *r, const char *name, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name)};
  int64_t n = 0;
  FN_TRY(fn_sql_run(r->sql, "UPDATE registry_models SET last_change = last_change + 1 WHERE name = $1", values, 1, &n,
                    err));
  if (n == 0) return fn_registry_no_model(r, name, err);
  return fn_sql_query(r->sql, "SELECT last_change FROM registry_models WHERE name = $1", values, 1, fn_sql_take_int,
                      number_out, err);
}

fn_status fn_registry_record(fn_registry *r, const fn_audit_entry *e, int64_t number, fn_err *err) {
  const fn_str reason = fn_str_from(e->reason ? e->reason : "");
  if (reason.length > FN_REGISTRY_MAX_TEXT || !fn_utf8_valid(reason, NULL))
    return fn_err_set(err, FN_E_INVALID, "a reason is UTF-8 of %d bytes at most", FN_REGISTRY_MAX_TEXT);
  const fn_sql_value values[] = {fn_sql_text(e->name),
                                 fn_sql_int(number),
                                 fn_sql_int(fn_clock_unix_ms()),
                                 fn_sql_text(r->user),
                                 fn_sql_text(r->host),
                                 fn_sql_text(e->action),
                                 fn_sql_text(e->key ? e->key : ""),
                                 fn_sql_int(e->from),
                                 fn_sql_int(e->to),
                                 fn_sql_int(e->forced),
                                 fn_sql_str(reason),
                                 fn_sql_text(e->details ? e->details : "")};
  return fn_sql_run(r->sql,
                    "INSERT INTO registry_audit (name, number, time_ms, author, host, action, target, from_version,"
                    " to_version, forced, reason, details) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                    values, FN_COUNT_OF(values), NULL, err);
}

fn_status fn_registry_is_retired(bool *retired_out, fn_registry *r, const char *name, int64_t version, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_int(version)};
  int64_t state = 0;
  FN_TRY(fn_sql_query(r->sql, "SELECT state FROM registry_versions WHERE name = $1 AND version = $2", values, 2,
                      fn_sql_take_int, &state, err));
  *retired_out = state == 2;
  return *retired_out ? FN_OK : fn_registry_check_version(r, name, version, err);
}

fn_status fn_registry_check_version(fn_registry *r, const char *name, int64_t version, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_int(version)};
  int64_t state = 0, last = 0;
  FN_TRY(fn_sql_query(r->sql, "SELECT state FROM registry_versions WHERE name = $1 AND version = $2", values, 2,
                      fn_sql_take_int, &state, err));
  if (state == 1) return FN_OK;
  if (state == 2) return fn_err_set(err, FN_E_NOT_FOUND, "version %lld of %s was retired", (long long)version, name);
  FN_TRY(fn_sql_query(r->sql,
                      "SELECT version FROM registry_versions WHERE name = $1 AND state = 1 ORDER BY version DESC"
                      " LIMIT 1",
                      values, 1, fn_sql_take_int, &last, err));
  if (last == 0) return fn_err_set(err, FN_E_NOT_FOUND, "%s has no version %lld", name, (long long)version);
  return fn_err_set(err, FN_E_NOT_FOUND, "%s has no version %lld; its newest is %lld", name, (long long)version,
                    (long long)last);
}

fn_status fn_registry_alias_version(int64_t *version_out, fn_registry *r, const char *name, const char *alias,
                                    fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_text(alias)};
  *version_out = 0;
  return fn_sql_query(r->sql, "SELECT version FROM registry_aliases WHERE name = $1 AND alias = $2", values, 2,
                      fn_sql_take_int, version_out, err);
}
