#include "registry/internal.h"

#include <stdlib.h>

void fn_version_deinit(fn_version *version) {
  fn_arena_deinit(&version->arena);
  *version = (fn_version){0};
}

/* ---- versions ---- */

#define COLUMNS "name, version, run_id, run_name, author, host, digest, card, created_ms, retired_ms"
enum { N_COLUMNS = 10, MAX_VERSIONS = 100000 };

/* All rows first, aliases and tags then: the connection takes one question at a time. */
typedef struct rows {
  fn_arena arena;
  fn_version_info *items;
  size_t n, capacity;
  size_t n_damaged;  /* rows that are no version */
  char damaged[256]; /* model of the first */
} rows;

/* What no version's number is (SQLite keeps a text where one is asked for) is left out. */
#define NUMBERED " version BETWEEN 1 AND 9223372036854775807"

static fn_status take_version(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  rows *x = arg;
  if (n != N_COLUMNS) return fn_err_set(err, FN_E_INTERNAL, "registry_versions: %zu columns", n);
  if (v[1].type != FN_SQL_INT || v[1].integer < 1) {
    if (x->n_damaged++ == 0)
      snprintf(x->damaged, sizeof x->damaged, "%.*s", (int)v[0].bytes.length, v[0].bytes.length ? v[0].bytes.data : "");
    return FN_OK;
  }
  void *items = x->items;
  FN_TRY(fn_mem_grow(&items, &x->capacity, x->n + 1, sizeof *x->items, MAX_VERSIONS, "versions", err));
  x->items = items;
  x->items[x->n++] = (fn_version_info){.name = fn_registry_text(&x->arena, &v[0]),
                                       .version = v[1].integer,
                                       .run_id = fn_registry_text(&x->arena, &v[2]),
                                       .run_name = fn_registry_text(&x->arena, &v[3]),
                                       .user = fn_registry_text(&x->arena, &v[4]),
                                       .host = fn_registry_text(&x->arena, &v[5]),
                                       .digest = fn_registry_text(&x->arena, &v[6]),
                                       .card = fn_registry_text(&x->arena, &v[7]),
                                       .created_ms = v[8].integer,
                                       .retired_ms = v[9].integer};
  return FN_OK;
}

static fn_status append_alias(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  fn_buf *out = arg;
  (void)n;
  (void)err;
  if (out->length > 0) fn_buf_append_str(out, ", ");
  fn_buf_append(out, v[0].bytes.data, v[0].bytes.length);
  return FN_OK;
}

static fn_status append_tag(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  fn_buf *out = arg;
  (void)n;
  (void)err;
  if (out->length > 1) fn_buf_append_char(out, ',');
  fn_buf_append_json(out, v[0].bytes);
  fn_buf_append_char(out, ':');
  fn_buf_append_json(out, v[1].bytes);
  return FN_OK;
}

static fn_status complete(fn_registry *r, rows *x, fn_version_info *info, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(info->name), fn_sql_int(info->version)};
  FN_AUTO_BUF fn_buf aliases, tags;
  fn_buf_init(&aliases, 1 << 20);
  fn_buf_init(&tags, 1 << 24);
  FN_TRY(fn_sql_query(r->sql, "SELECT alias FROM registry_aliases WHERE name = $1 AND version = $2 ORDER BY alias",
                      values, 2, append_alias, &aliases, err));
  fn_buf_append_char(&tags, '{');
  FN_TRY(fn_sql_query(r->sql, "SELECT tag, value FROM registry_tags WHERE name = $1 AND version = $2 ORDER BY tag",
                      values, 2, append_tag, &tags, err));
  fn_buf_append_char(&tags, '}');
  FN_TRY(fn_buf_check(&aliases, "aliases", err));
  FN_TRY(fn_buf_check(&tags, "tags", err));
  info->aliases = fn_arena_strndup(&x->arena, aliases.data ? aliases.data : "", aliases.length);
  info->tags = fn_arena_strndup(&x->arena, tags.data, tags.length);
  return info->aliases && info->tags ? FN_OK : fn_err_no_memory(err, "a version");
}

/* Aliases or tags of all rows in one answer, in the order of the rows: one question a version would be many round
 * trips. */
typedef struct joining {
  rows *x;
  size_t at; /* row that the text below is of */
  fn_buf text;
  bool tags;
} joining;

static fn_status close_row(joining *j, fn_err *err) {
  if (j->text.length == 0) return FN_OK;
  if (j->tags) fn_buf_append_char(&j->text, '}');
  FN_TRY(fn_buf_check(&j->text, "aliases and tags", err));
  const char *copy = fn_arena_strndup(&j->x->arena, j->text.data, j->text.length);
  if (copy == NULL) return fn_err_no_memory(err, "a version");
  *(j->tags ? &j->x->items[j->at].tags : &j->x->items[j->at].aliases) = copy;
  fn_buf_reset(&j->text);
  return FN_OK;
}

static bool is_row(const fn_version_info *info, const fn_sql_value *v) {
  return info->version == v[1].integer && fn_str_is(v[0].bytes, info->name);
}

/* name, version, text [, text]. Of a version that is not listed: passed over. */
static fn_status join_one(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  joining *j = arg;
  size_t i = j->at;
  while (i < j->x->n && !is_row(&j->x->items[i], v)) i++;
  if (i == j->x->n) return FN_OK;
  if (i != j->at) FN_TRY(close_row(j, err));
  j->at = i;
  if (!j->tags) return append_alias(&j->text, v + 2, n - 2, err);
  if (j->text.length == 0) fn_buf_append_char(&j->text, '{');
  return append_tag(&j->text, v + 2, n - 2, err);
}

static fn_status join(fn_registry *r, rows *x, bool tags, const char *all, const char *of_one, const char *name,
                      fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name ? name : "")};
  joining j = {.x = x, .tags = tags};
  fn_buf_init(&j.text, 1 << 24);
  fn_status status = fn_sql_query(r->sql, name ? of_one : all, values, name ? 1 : 0, join_one, &j, err);
  if (status == FN_OK) status = close_row(&j, err);
  fn_buf_deinit(&j.text);
  return status;
}

static fn_status complete_all(fn_registry *r, rows *x, const char *name, fn_err *err) {
  if (x->n == 1) return complete(r, x, &x->items[0], err);
  for (size_t i = 0; i < x->n; i++) x->items[i].aliases = "", x->items[i].tags = "{}";
  FN_TRY(join(r, x, false, "SELECT name, version, alias FROM registry_aliases ORDER BY name, version, alias",
              "SELECT name, version, alias FROM registry_aliases WHERE name = $1 ORDER BY name, version, alias", name,
              err));
  return join(r, x, true, "SELECT name, version, tag, value FROM registry_tags ORDER BY name, version, tag",
              "SELECT name, version, tag, value FROM registry_tags WHERE name = $1 ORDER BY name, version, tag", name,
              err);
}

static void free_rows(rows *x) {
  free(x->items);
  fn_arena_deinit(&x->arena);
}

static fn_status check_model(fn_registry *r, const char *name, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name)};
  int64_t n = 0;
  FN_TRY(fn_sql_query(r->sql, "SELECT COUNT(*) FROM registry_models WHERE name = $1", values, 1, fn_sql_take_int, &n,
                      err));
  return n > 0 ? FN_OK : fn_registry_no_model(r, name, err);
}

static fn_status list(fn_registry *r, rows *x, const char *name, bool retired, fn_version_emit emit, void *arg,
                      fn_err *err) {
  const fn_sql_value values[] = {fn_sql_int(retired ? 2 : 1), fn_sql_text(name)};
  if (name == NULL) {
    FN_TRY(fn_sql_query(r->sql,
                        "SELECT " COLUMNS " FROM registry_versions WHERE state BETWEEN 1 AND $1"
                        " ORDER BY name, version LIMIT 100000",
                        values, 1, take_version, x, err));
  } else {
    FN_TRY(check_model(r, name, err));
    FN_TRY(fn_sql_query(r->sql,
                        "SELECT " COLUMNS " FROM registry_versions WHERE state BETWEEN 1 AND $1 AND name = $2"
                        " ORDER BY version LIMIT 100000",
                        values, 2, take_version, x, err));
  }
  FN_TRY(complete_all(r, x, name, err));
  for (size_t i = 0; i < x->n; i++) FN_TRY(emit(arg, &x->items[i], err));
  if (x->n_damaged == 0) return FN_OK;
  return fn_err_set(err, FN_E_PARTIAL,
                    "table registry_versions: %zu row%s without a version's number, from 1, of %s: damaged, and left "
                    "out",
                    x->n_damaged, x->n_damaged == 1 ? "" : "s, the first", x->damaged);
}

fn_status fn_registry_list(fn_registry *r, const char *name, bool retired, fn_version_emit emit, void *arg,
                           fn_err *err) {
  rows x = {0};
  fn_arena_init(&x.arena);
  const fn_status status = list(r, &x, name, retired, emit, arg, err);
  free_rows(&x);
  return status;
}

static fn_status no_alias(fn_registry *r, const char *name, const char *alias, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name)};
  FN_AUTO_BUF fn_buf list;
  fn_buf_init(&list, 1 << 20);
  FN_TRY(fn_sql_query(r->sql, "SELECT alias FROM registry_aliases WHERE name = $1 ORDER BY alias LIMIT 20", values, 1,
                      append_alias, &list, err));
  if (list.length == 0) return fn_err_set(err, FN_E_NOT_FOUND, "%s has no alias %.60s, nor any other", name, alias);
  return fn_err_set(err, FN_E_NOT_FOUND, "%s has no alias %.60s; it has %s", name, alias, list.data);
}

static fn_status resolve(int64_t *version_out, fn_registry *r, const char *name, const char *alias, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name)};
  if (alias == NULL || fn_str_equal_nocase(fn_str_from(alias), fn_str_from("latest"))) {
    FN_TRY(fn_sql_query(r->sql,
                        "SELECT version FROM registry_versions WHERE name = $1 AND state = 1 AND" NUMBERED
                        " ORDER BY version DESC LIMIT 1",
                        values, 1, fn_sql_take_int, version_out, err));
    if (*version_out == 0) return fn_err_set(err, FN_E_NOT_FOUND, "%s has no version", name);
    return FN_OK;
  }
  FN_TRY(fn_registry_alias_version(version_out, r, name, alias, err));
  return *version_out > 0 ? FN_OK : no_alias(r, name, alias, err);
}

fn_status fn_registry_get(fn_version *version_out, fn_registry *r, const char *name, int64_t version, const char *alias,
                          fn_err *err) {
  rows x = {0};
  FN_TRY(check_model(r, name, err));
  if (version <= 0) FN_TRY(resolve(&version, r, name, alias, err));
  fn_status status = fn_registry_check_version(r, name, version, err);
  if (status != FN_OK) {
    if (alias == NULL) return status;
    return fn_err_prefix(err, status, "%s@%s", name, alias);
  }
  fn_arena_init(&x.arena);
  const fn_sql_value values[] = {fn_sql_text(name), fn_sql_int(version)};
  status = fn_sql_query(r->sql, "SELECT " COLUMNS " FROM registry_versions WHERE name = $1 AND version = $2", values, 2,
                        take_version, &x, err);
  if (status == FN_OK) status = complete_all(r, &x, name, err);
  if (status == FN_OK && x.n != 1)
    status = fn_err_set(err, FN_E_NOT_FOUND, "%s: version %lld went away", name, (long long)version);
  if (status != FN_OK) {
    free_rows(&x);
    return status;
  }
  *version_out = (fn_version){.info = x.items[0], .arena = x.arena};
  free(x.items);
  return FN_OK;
}

/* ---- aliases ---- */

typedef struct alias_listing {
  fn_alias_emit emit;
  void *arg;
  fn_arena arena;
} alias_listing;

static fn_status list_alias(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  alias_listing *l = arg;
  (void)n;
  const fn_alias_info info = {fn_registry_text(&l->arena, &v[0]), fn_registry_text(&l->arena, &v[1]), v[2].integer,
                              v[3].integer};
  return l->emit(l->arg, &info, err);
}

fn_status fn_registry_aliases(fn_registry *r, const char *name, fn_alias_emit emit, void *arg, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name)};
  alias_listing l = {.emit = emit, .arg = arg};
  FN_TRY(check_model(r, name, err));
  fn_arena_init(&l.arena);
  const fn_status status =
      fn_sql_query(r->sql, "SELECT name, alias, version, moved_ms FROM registry_aliases WHERE name = $1 ORDER BY alias",
                   values, 1, list_alias, &l, err);
  fn_arena_deinit(&l.arena);
  return status;
}

/* ---- the record ---- */

typedef struct audit_listing {
  fn_audit_emit emit;
  void *arg;
} audit_listing;

static fn_status list_entry(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  const audit_listing *l = arg;
  fn_arena arena;
  if (n != 12) return fn_err_set(err, FN_E_INTERNAL, "registry_audit: %zu columns", n);
  fn_arena_init(&arena);
  const fn_audit_entry entry = {.name = fn_registry_text(&arena, &v[0]),
                                .number = v[1].integer,
                                .time_ms = v[2].integer,
                                .user = fn_registry_text(&arena, &v[3]),
                                .host = fn_registry_text(&arena, &v[4]),
                                .action = fn_registry_text(&arena, &v[5]),
                                .key = fn_registry_text(&arena, &v[6]),
                                .from = v[7].integer,
                                .to = v[8].integer,
                                .forced = v[9].integer != 0,
                                .reason = fn_registry_text(&arena, &v[10]),
                                .details = fn_registry_text(&arena, &v[11])};
  const fn_status status = l->emit(l->arg, &entry, err);
  fn_arena_deinit(&arena);
  return status;
}

fn_status fn_registry_audit(fn_registry *r, const char *name, fn_audit_emit emit, void *arg, fn_err *err) {
  const fn_sql_value values[] = {fn_sql_text(name)};
  audit_listing l = {emit, arg};
  FN_TRY(check_model(r, name, err));
  return fn_sql_query(r->sql,
                      "SELECT name, number, time_ms, author, host, action, target, from_version, to_version, forced,"
                      " reason, details FROM registry_audit WHERE name = $1 ORDER BY number LIMIT 1000000",
                      values, 1, list_entry, &l, err);
}

/* Where an alias stood, one above the other; a rollback takes away what lies above where it went. */
typedef struct trail {
  const char *alias;
  int64_t *stack;
  size_t n, capacity;
} trail;

static fn_status follow(void *arg, const fn_audit_entry *e, fn_err *err) {
  trail *t = arg;
  if (strcmp(e->key, t->alias) != 0 || strcmp(e->action, "tag") == 0 || strcmp(e->action, "untag") == 0 || e->to == 0)
    return FN_OK;
  if (strcmp(e->action, "rollback") == 0) {
    while (t->n > 0 && t->stack[t->n - 1] != e->to) t->n--;
    if (t->n > 0) return FN_OK;
  }
  void *items = t->stack;
  FN_TRY(fn_mem_grow(&items, &t->capacity, t->n + 1, sizeof *t->stack, 1 << 20, "moves of an alias", err));
  t->stack = items;
  if (t->n == 0 || t->stack[t->n - 1] != e->to) t->stack[t->n++] = e->to;
  return FN_OK;
}

static fn_status find_previous(int64_t *current, int64_t *previous, fn_registry *r, trail *t, const char *name,
                               fn_err *err) {
  FN_TRY(fn_registry_audit(r, name, follow, t, err));
  FN_TRY(fn_registry_alias_version(current, r, name, t->alias, err));
  if (*current == 0) return no_alias(r, name, t->alias, err);
  while (t->n > 0 && t->stack[t->n - 1] == *current) t->n--;
  for (; t->n > 0; t->n--) {
    *previous = t->stack[t->n - 1];
    if (*previous != *current && fn_registry_check_version(r, name, *previous, NULL) == FN_OK) return FN_OK;
  }
  return fn_err_set(err, FN_E_NOT_FOUND, "%s@%s stood at no other version before that is still in use", name, t->alias);
}

fn_status fn_registry_previous(int64_t *current_out, int64_t *previous_out, fn_registry *r, const char *name,
                               const char *alias, fn_err *err) {
  int64_t current = 0, previous = 0;
  trail t = {.alias = alias};
  const fn_status status = find_previous(&current, &previous, r, &t, name, err);
  free(t.stack);
  if (status != FN_OK) return status;
  *current_out = current;
  *previous_out = previous;
  return FN_OK;
}
