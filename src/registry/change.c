#include "base/sha256.h"
#include "registry/internal.h"
#include "track/tracking.h"

/* Ends a transaction with what its last call said. */
static fn_status end(fn_registry *r, fn_status status, fn_err *err) {
  if (status == FN_OK) status = fn_sql_commit(r->sql, err);
  if (status != FN_OK) fn_sql_rollback(r->sql);
  return status;
}

/* ---- adding ---- */

static fn_status find_origin(int64_t *version_out, fn_registry *r, const char *name, const char *origin, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_text(origin)};
  *version_out = 0;
  return fn_sql_query(r->sql,
                      "SELECT version FROM registry_versions WHERE name = $1 AND origin = $2 AND state = 1"
                      " ORDER BY version LIMIT 1",
                      values, 2, fn_sql_take_int, version_out, err);
}

/* Holds the run's row until the transaction's end: whoever purges it waits, and then sees the version that comes of it
 * (remove.c). */
static fn_status hold_run(fn_registry *r, const char *run_id, fn_err *err) {
  const fn_sql_value id = fn_sql_text(run_id);
  int64_t n = 0;
  FN_TRY(fn_sql_run(r->sql, "UPDATE runs SET deleted = deleted WHERE id = $1 AND deleted = 0", &id, 1, &n, err));
  return n ? FN_OK
           : fn_err_set(err, FN_E_REFUSED,
                        "run %.12s was removed: no version is made of it (`fakenews runs rm --restore %.12s` brings "
                        "back one that is hidden)",
                        run_id, run_id);
}

/* A model whose row is held until the transaction's end; made when it is new. One statement: between two, PostgreSQL
 * lets another take away a model whose first version came to nothing. */
static fn_status hold_model(fn_registry *r, const char *name, int64_t now_ms, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_int(now_ms)};
  int64_t n = 0;
  FN_TRY(fn_sql_run(r->sql,
                    "INSERT INTO registry_models (name, created_ms, last_version, last_change) VALUES ($1, $2, 0, 0)"
                    " ON CONFLICT (name) DO UPDATE SET last_version = registry_models.last_version",
                    values, 2, NULL, err));
  FN_TRY(fn_sql_query(r->sql, "SELECT COUNT(*) FROM registry_models WHERE name = $1", values, 1, fn_sql_take_int, &n,
                      err));
  return n == 1 ? FN_OK : fn_err_set(err, FN_E_INTERNAL, "%s: the registry did not keep the model", name);
}

/* Below zero, so that it is no version's number, and by chance, so that no two are the same: what is made a version
 * under it comes to nothing when it was given up meanwhile. */
static fn_status make_ticket(int64_t *ticket, fn_err *err) {
  uint64_t random;
  FN_TRY(fn_random_bytes(&random, sizeof random, err));
  *ticket = -1 - (int64_t)(random >> 2);
  return FN_OK;
}

static fn_status reserve(int64_t *version, bool *found, fn_registry *r, const char *name, const char *origin,
                         const char *run_id, fn_err *err) {
  const int64_t now = fn_clock_unix_ms();
  FN_TRY(hold_model(r, name, now, err));
  FN_TRY(find_origin(version, r, name, origin, err));
  *found = *version > 0;
  if (*found) return FN_OK;
  if (*run_id) FN_TRY(hold_run(r, run_id, err));
  FN_TRY(make_ticket(version, err));
  const fn_sql_value row[] = {fn_sql_text(name),    fn_sql_int(*version), fn_sql_text(origin), fn_sql_int(now),
                              fn_sql_text(r->user), fn_sql_text(r->host), fn_sql_text(run_id)};
  return fn_sql_run(r->sql,
                    "INSERT INTO registry_versions (name, version, state, origin, digest, run_id, run_name, created_ms,"
                    " retired_ms, author, host, card) VALUES ($1, $2, 0, $3, '', $7, '', $4, 0, $5, $6, '')",
                    row, FN_COUNT_OF(row), NULL, err);
}

fn_status fn_registry_reserve(int64_t *version_out, bool *found_out, fn_registry *r, const char *name,
                              const char *origin, const char *run_id, fn_err *err) {
  int64_t version = 0;
  bool found = false;
  FN_TRY(fn_registry_check_name(name, err));
  FN_TRY(fn_sql_begin(r->sql, err));
  fn_status status = reserve(&version, &found, r, name, origin, run_id ? run_id : "", err);
  if (status == FN_OK && found)
    fn_sql_rollback(r->sql); /* nothing was begun */
  else
    status = end(r, status, err);
  if (status != FN_OK) return status;
  *version_out = version;
  *found_out = found;
  return FN_OK;
}

static fn_status take_origin(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  (void)n;
  (void)err;
  snprintf(arg, 80, "%.*s", (int)v[0].bytes.length, v[0].bytes.data ? v[0].bytes.data : "");
  return FN_OK;
}

/* The next number: versions count in the order in which they can be seen, and what came to nothing has none. */
static fn_status next_number(int64_t *version, fn_registry *r, const char *name, fn_err *err) {
  const fn_sql_value value = fn_sql_text(name);
  FN_TRY(fn_sql_run(r->sql, "UPDATE registry_models SET last_version = last_version + 1 WHERE name = $1", &value, 1,
                    NULL, err));
  FN_TRY(fn_sql_query(r->sql, "SELECT last_version FROM registry_models WHERE name = $1", &value, 1, fn_sql_take_int,
                      version, err));
  return *version > 0 ? FN_OK : fn_err_set(err, FN_E_INTERNAL, "%s: the registry gave out no number", name);
}

static fn_status move_files(fn_registry *r, const char *name, int64_t from, int64_t to, fn_err *err) {
  fn_version_owner before, after;
  fn_version_owner_format(before, name, from);
  fn_version_owner_format(after, name, to);
  const fn_sql_value values[] = {fn_sql_text(before), fn_sql_text(after)};
  return fn_sql_run(r->sql, "UPDATE artifacts SET owner = $2 WHERE owner = $1", values, 2, NULL, err);
}

static fn_status publish(int64_t *version, bool *found, fn_registry *r, const fn_version_info *info, fn_err *err) {
  int64_t change = 0, number = 0, n = 0;
  char origin[80] = "";
  FN_TRY(fn_registry_lock(&change, r, info->name, err));
  const fn_sql_value ticket[] = {fn_sql_text(info->name), fn_sql_int(info->version)};
  FN_TRY(fn_sql_query(r->sql, "SELECT origin FROM registry_versions WHERE name = $1 AND version = $2", ticket, 2,
                      take_origin, origin, err));
  FN_TRY(find_origin(version, r, info->name, origin, err));
  *found = *version > 0;
  if (*found) return FN_OK;
  FN_TRY(next_number(&number, r, info->name, err));
  const fn_sql_value row[] = {fn_sql_text(info->name),
                              fn_sql_int(info->version),
                              fn_sql_text(info->digest),
                              fn_sql_text(info->run_id ? info->run_id : ""),
                              fn_sql_text(info->run_name ? info->run_name : ""),
                              fn_sql_int(fn_clock_unix_ms()),
                              fn_sql_text(info->card),
                              fn_sql_int(number)};
  FN_TRY(fn_sql_run(r->sql,
                    "UPDATE registry_versions SET version = $8, state = 1, digest = $3, run_id = $4, run_name = $5,"
                    " created_ms = $6, card = $7 WHERE name = $1 AND version = $2 AND state = 0",
                    row, FN_COUNT_OF(row), &n, err));
  if (n != 1)
    return fn_err_set(err, FN_E_REFUSED,
                      "a version of %s was given up before it was whole (it took over a day, or the clock of another "
                      "machine is ahead); nothing was added: add it again",
                      info->name);
  FN_TRY(move_files(r, info->name, info->version, number, err));
  const fn_audit_entry entry = {.name = info->name, .action = "add", .to = number};
  *version = number;
  return fn_registry_record(r, &entry, change, err);
}

fn_status fn_registry_publish(int64_t *version_out, bool *found_out, fn_registry *r, const fn_version_info *info,
                              fn_err *err) {
  int64_t version = 0;
  bool found = false;
  FN_TRY(fn_sql_begin(r->sql, err));
  const fn_status status = publish(&version, &found, r, info, err);
  if (status == FN_OK && found)
    fn_sql_rollback(r->sql); /* nothing changed */
  else
    FN_TRY(end(r, status, err));
  *version_out = version;
  *found_out = found;
  return FN_OK;
}

typedef struct numbers {
  int64_t *items;
  size_t n, max;
} numbers;

static fn_status take_number(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  numbers *x = arg;
  (void)err;
  if (n == 1 && x->n < x->max) x->items[x->n++] = v[0].integer;
  return FN_OK;
}

fn_status fn_registry_unfinished(int64_t *versions_out, size_t *n_out, size_t max, fn_registry *r, const char *name,
                                 int64_t before_ms, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_int(before_ms)};
  numbers x = {.items = versions_out, .max = max};
  FN_TRY(fn_sql_query(r->sql,
                      "SELECT version FROM registry_versions WHERE name = $1 AND state <= 0 AND created_ms < $2"
                      " ORDER BY version LIMIT 1000",
                      values, 2, take_number, &x, err));
  *n_out = x.n;
  return FN_OK;
}

fn_status fn_registry_condemn(bool *ours_out, fn_registry *r, const char *name, int64_t version, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_int(version)};
  int64_t n_changed = 0;
  *ours_out = false;
  FN_TRY(fn_sql_run(r->sql, "UPDATE registry_versions SET state = -1 WHERE name = $1 AND version = $2 AND state <= 0",
                    values, 2, &n_changed, err));
  *ours_out = n_changed > 0;
  return FN_OK;
}

void fn_registry_abandon(fn_registry *r, const char *name, int64_t version) {
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_int(version)};
  if (fn_sql_begin(r->sql, NULL) != FN_OK) return;
  fn_status status = fn_sql_run(r->sql, "DELETE FROM registry_versions WHERE name = $1 AND version = $2 AND state <= 0",
                                values, 2, NULL, NULL);
  if (status == FN_OK) /* a model that never had a version is none */
    status = fn_sql_run(r->sql,
                        "DELETE FROM registry_models WHERE name = $1 AND last_version = 0 AND last_change = 0 AND NOT"
                        " EXISTS (SELECT 1 FROM registry_versions WHERE registry_versions.name = $1)",
                        values, 1, NULL, NULL);
  if (end(r, status, NULL) != FN_OK) return; /* the next one that sweeps goes on */
}

/* ---- aliases ---- */

static fn_status put_alias(fn_registry *r, const fn_alias_move *m, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(m->name), fn_sql_text(m->alias), fn_sql_int(m->version),
                                 fn_sql_int(fn_clock_unix_ms())};
  if (m->version == 0)
    return fn_sql_run(r->sql, "DELETE FROM registry_aliases WHERE name = $1 AND alias = $2", values, 2, NULL, err);
  return fn_sql_run(r->sql,
                    "INSERT INTO registry_aliases (name, alias, version, moved_ms) VALUES ($1, $2, $3, $4)"
                    " ON CONFLICT (name, alias) DO UPDATE SET version = $3, moved_ms = $4",
                    values, FN_COUNT_OF(values), NULL, err);
}

static fn_status refuse(const fn_alias_move *m, int64_t current, fn_err *err) {
  char where[40] = "nowhere";
  if (current > 0) snprintf(where, sizeof where, "at version %lld", (long long)current);
  return fn_err_set(
      err, FN_E_REFUSED,
      "%s@%s was moved by somebody else in the meantime and now stands %s; nothing was changed (`fakenews "
      "registry show %s` tells who it was)",
      m->name, m->alias, where, m->name);
}

static fn_status move_alias(fn_registry *r, const fn_alias_move *m, fn_err *err) {
  int64_t number = 0, current = 0;
  FN_TRY(fn_registry_lock(&number, r, m->name, err));
  FN_TRY(fn_registry_alias_version(&current, r, m->name, m->alias, err));
  if (m->expected >= 0 && current != m->expected) return refuse(m, current, err);
  if (m->version > 0) FN_TRY(fn_registry_check_version(r, m->name, m->version, err));
  if (m->version == 0 && current == 0) return fn_err_set(err, FN_E_NOT_FOUND, "%s has no alias %s", m->name, m->alias);
  FN_TRY(put_alias(r, m, err));
  const fn_audit_entry entry = {.name = m->name,
                                .action = m->version == 0 ? "unalias" : m->action,
                                .key = m->alias,
                                .from = current,
                                .to = m->version,
                                .forced = m->forced,
                                .reason = m->reason,
                                .details = m->details};
  return fn_registry_record(r, &entry, number, err);
}

fn_status fn_registry_move_alias(fn_registry *r, const fn_alias_move *move, fn_err *err) {
  FN_TRY(fn_registry_check_alias(move->alias, err));
  FN_TRY(fn_sql_begin(r->sql, err));
  return end(r, move_alias(r, move, err), err);
}

/* ---- tags, retiring ---- */

static fn_status set_tag(fn_registry *r, const char *name, int64_t version, const char *key, const char *value,
                         fn_err *err) {
  int64_t number = 0;
  FN_TRY(fn_registry_lock(&number, r, name, err));
  FN_TRY(fn_registry_check_version(r, name, version, err));
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_int(version), fn_sql_text(key), fn_sql_text(value)};
  if (value == NULL) {
    int64_t n = 0;
    FN_TRY(fn_sql_run(r->sql, "DELETE FROM registry_tags WHERE name = $1 AND version = $2 AND tag = $3", values, 3, &n,
                      err));
    if (n == 0)
      return fn_err_set(err, FN_E_NOT_FOUND, "version %lld of %s has no tag %.60s", (long long)version, name, key);
  } else {
    FN_TRY(fn_sql_run(r->sql,
                      "INSERT INTO registry_tags (name, version, tag, value) VALUES ($1, $2, $3, $4)"
                      " ON CONFLICT (name, version, tag) DO UPDATE SET value = $4",
                      values, FN_COUNT_OF(values), NULL, err));
  }
  const fn_audit_entry entry = {
      .name = name, .action = value ? "tag" : "untag", .key = key, .to = version, .reason = value};
  return fn_registry_record(r, &entry, number, err);
}

fn_status fn_registry_set_tag(fn_registry *r, const char *name, int64_t version, const char *key, const char *value,
                              fn_err *err) {
  const fn_str v = fn_str_from(value ? value : "");
  FN_TRY(fn_track_check_key(key, "tag", err));
  if (v.length > FN_REGISTRY_MAX_TEXT || !fn_utf8_valid(v, NULL))
    return fn_err_set(err, FN_E_INVALID, "a tag's value is UTF-8 of %d bytes at most", FN_REGISTRY_MAX_TEXT);
  FN_TRY(fn_sql_begin(r->sql, err));
  return end(r, set_tag(r, name, version, key, value, err), err);
}

static fn_status take_alias(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  (void)n, (void)err;
  if (v->type == FN_SQL_TEXT) snprintf(arg, 300, "%.*s", (int)v->bytes.length, v->bytes.data);
  return FN_OK;
}

static fn_status retire(fn_registry *r, const char *name, int64_t version, const char *reason, fn_err *err) {
  int64_t number = 0;
  char alias[300] = "";
  FN_TRY(fn_registry_lock(&number, r, name, err));
  FN_TRY(fn_registry_check_version(r, name, version, err));
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_int(version), fn_sql_int(fn_clock_unix_ms())};
  FN_TRY(fn_sql_query(r->sql,
                      "SELECT alias FROM registry_aliases WHERE name = $1 AND version = $2 ORDER BY alias LIMIT 1",
                      values, 2, take_alias, alias, err));
  if (alias[0])
    return fn_err_set(err, FN_E_REFUSED,
                      "version %lld of %s is in use: the alias %.255s points at it; move it first (`fakenews registry "
                      "alias %s@%.255s VERSION`)",
                      (long long)version, name, alias, name, alias);
  FN_TRY(fn_sql_run(r->sql, "UPDATE registry_versions SET state = 2, retired_ms = $3 WHERE name = $1 AND version = $2",
                    values, 3, NULL, err));
  const fn_audit_entry entry = {.name = name, .action = "retire", .from = version, .reason = reason};
  return fn_registry_record(r, &entry, number, err);
}

fn_status fn_registry_retire(fn_registry *r, const char *name, int64_t version, const char *reason, fn_err *err) {
  FN_TRY(fn_sql_begin(r->sql, err));
  return end(r, retire(r, name, version, reason, err), err);
}

static fn_status note_purge(fn_registry *r, const char *name, int64_t version, const char *reason, fn_err *err) {
  int64_t number = 0;
  FN_TRY(fn_registry_lock(&number, r, name, err));
  const fn_audit_entry entry = {.name = name, .action = "purge", .from = version, .reason = reason};
  return fn_registry_record(r, &entry, number, err);
}

fn_status fn_registry_note_purge(fn_registry *r, const char *name, int64_t version, const char *reason, fn_err *err) {
  FN_TRY(fn_sql_begin(r->sql, err));
  return end(r, note_purge(r, name, version, reason, err), err);
}
