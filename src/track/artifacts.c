/* Files of runs and of model versions: kept once by their content under sha256/ab/abcd…, named by a table. */
#include "track/file_hash.h"
#include "track/tracking_internal.h"

#include <stdlib.h>

enum { MAX_DEPTH = 32, MAX_FILES = 1 << 20, MAX_OWNER = 600 };

/* ---- contents ---- */

static void content_key(char key[96], const char *sha256) {
  snprintf(key, 96, "sha256/%.2s/%s", sha256, sha256);
}

/* ---- putting ---- */

static fn_status check_owner(const char *owner, fn_err *err) {
  const size_t n = strlen(owner);
  if (n < MAX_OWNER && (strncmp(owner, "run:", 4) == 0 || strncmp(owner, "version:", 8) == 0)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "\"%.100s\" owns no files: run:ID and version:NAME/NUMBER do", owner);
}

/* Paths of files are freer than keys of metrics, but stay below the owner. */
static fn_status check_path(const char *path, fn_err *err) {
  const size_t n = strlen(path);
  bool fine = n > 0 && n <= 1000 && path[0] != '/' && fn_utf8_valid(fn_str_make(path, n), NULL);
  for (const char *part = path; fine; part += strcspn(part, "/") + 1) {
    const size_t length = strcspn(part, "/");
    fine = length > 0 && !(length == 1 && part[0] == '.') && !(length == 2 && part[0] == '.' && part[1] == '.');
    if (part[length] == '\0') break;
  }
  for (size_t i = 0; fine && i < n; i++) fine = (unsigned char)path[i] >= ' ' && path[i] != '\\';
  return fine ? FN_OK
              : fn_err_set(err, FN_E_INVALID,
                           "artifact \"%.200s\": a path inside the run is accepted, of 1 to 1000 bytes of UTF-8, with "
                           "no part empty, \".\" or \"..\"",
                           path);
}

fn_status fn_tracking_link(fn_tracking *t, const char *owner, const char *path, const fn_artifact *artifact,
                           fn_err *err) {
  int64_t place = 0;
  FN_TRY(check_owner(owner, err));
  FN_TRY(check_path(path, err));
  FN_TRY(fn_tracking_place_id(&place, t, err));
  const fn_sql_value values[] = {fn_sql_text(owner), fn_sql_text(path), fn_sql_text(artifact->sha256),
                                 fn_sql_int(artifact->n_bytes), fn_sql_int(place)};
  return fn_sql_run(t->sql,
                    "INSERT INTO artifacts (owner, path, sha256, n_bytes, place) VALUES ($1, $2, $3, $4, $5)"
                    " ON CONFLICT (owner, path) DO UPDATE SET sha256 = excluded.sha256, n_bytes = excluded.n_bytes,"
                    " place = excluded.place",
                    values, 5, NULL, err);
}

/* Whether a content is in the store already, and undamaged as far as can be told: by the checksum that the store keeps,
 * else by reading the file of a local store; what neither tells is put once more. */
static fn_status find_content(bool *found, fn_store *store, const char *key, const fn_artifact *artifact, fn_err *err) {
  fn_store_entry entry;
  *found = false;
  const fn_status status = fn_store_stat(&entry, store, key, err);
  if (status == FN_E_NOT_FOUND) {
    if (err) *err = (fn_err){0};
    return FN_OK;
  }
  FN_TRY(status);
  if (entry.size_bytes != (uint64_t)artifact->n_bytes) return FN_OK;
  if (entry.sha256[0]) return *found = strcmp(entry.sha256, artifact->sha256) == 0, FN_OK;
  if (fn_store_is_uri(fn_store_uri(store))) return FN_OK;
  fn_artifact stored = {.path = key};
  FN_AUTO_FREE char *path = fn_path_join(fn_store_uri(store), key);
  if (!path) return fn_err_no_memory(err, "a path");
  *found = fn_file_sha256(stored.sha256, &stored.n_bytes, path, NULL) == FN_OK &&
           strcmp(stored.sha256, artifact->sha256) == 0;
  return FN_OK;
}

static fn_status put_content(const fn_artifact *artifact, fn_store *store, const char *source, fn_err *err) {
  char key[96];
  bool found;
  content_key(key, artifact->sha256);
  FN_TRY(find_content(&found, store, key, artifact, err));
  return found ? FN_OK : fn_store_put(store, key, source, artifact->sha256, err);
}

fn_status fn_content_put(fn_artifact *artifact, fn_store *store, const char *source, fn_err *err) {
  FN_TRY(fn_file_sha256(artifact->sha256, &artifact->n_bytes, source, err));
  return put_content(artifact, store, source, err);
}

/* Whoever removed the same content before it was named here (a purge, an add that lost) has left none. */
fn_status fn_content_keep(const fn_artifact *artifact, fn_store *store, const char *source, fn_err *err) {
  char key[96];
  fn_store_entry entry;
  content_key(key, artifact->sha256);
  const fn_status status = fn_store_stat(&entry, store, key, err);
  if (status != FN_E_NOT_FOUND) return status;
  if (err) *err = (fn_err){0};
  return fn_store_put(store, key, source, artifact->sha256, err);
}

/* A file of a version is named before it is stored: nobody sees the version yet, and what a process that is killed here
 * leaves is found by its name (fn_version_add). A run can be seen, and names what there is; what is missing of it is
 * listed in its folder. */
static fn_status put_file(fn_tracking *t, const char *owner, const char *path, const char *source, fn_err *err) {
  fn_artifact artifact = {.path = path};
  FN_TRY(check_path(path, err));
  FN_TRY(fn_tracking_open_store(t, err));
  const bool is_version = strncmp(owner, "version:", 8) == 0;
  FN_TRY(fn_file_sha256(artifact.sha256, &artifact.n_bytes, source, err));
  if (is_version) FN_TRY(fn_tracking_link(t, owner, path, &artifact, err));
  FN_TRY(put_content(&artifact, t->store, source, err));
  if (!is_version) FN_TRY(fn_tracking_link(t, owner, path, &artifact, err));
  return fn_content_keep(&artifact, t->store, source, err);
}

static fn_status put_tree(fn_tracking *t, const char *owner, const char *path, const char *source, int depth,
                          fn_err *err) {
  if (!fn_path_is_dir(source)) return put_file(t, owner, path, source, err);
  if (depth == MAX_DEPTH) return fn_err_set(err, FN_E_LIMIT, "%s: folders below folders, over %d", source, MAX_DEPTH);
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  FN_TRY(fn_dir_list(&names, &n, source, err));
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *below = *path ? fn_path_join(path, names[i]) : fn_str_dup(fn_str_from(names[i]));
    FN_AUTO_FREE char *from = fn_path_join(source, names[i]);
    if (!below || !from) return fn_err_no_memory(err, "a path");
    FN_TRY(put_tree(t, owner, below, from, depth + 1, err));
  }
  return FN_OK;
}

fn_status fn_tracking_put(fn_tracking *t, const char *owner, const char *path, const char *source, fn_err *err) {
  FN_TRY(check_owner(owner, err));
  if (*path == '\0' && !fn_path_is_dir(source)) return check_path(path, err);
  return put_tree(t, owner, path, source, 0, err);
}

/* ---- listing and getting ---- */

typedef struct listing {
  fn_artifact *list;
  size_t n, capacity;
  fn_arena arena;
  const char *owner;
  bool any_path; /* to remove rows, not to write files: a path that leads out of a folder is taken too */
} listing;

static bool is_sha256(const char *digits) {
  for (size_t i = 0; i < 64; i++)
    if (!(digits[i] >= '0' && digits[i] <= '9') && !(digits[i] >= 'a' && digits[i] <= 'f')) return false;
  return true;
}

/* A database is shared, so its rows are other people's: no path in it may lead out of the folder that it is joined to.
 */
static fn_status check_row(const char *owner, const fn_sql_value *v, fn_err *err) {
  FN_AUTO_FREE char *path = fn_str_dup(v[0].bytes);
  if (!path) return fn_err_no_memory(err, "artifacts");
  if (strlen(path) != v[0].bytes.length)
    return fn_err_set(err, FN_E_INVALID, "the artifacts of %s: a path with a zero byte", owner);
  const fn_status status = check_path(path, err);
  if (status == FN_OK && v[2].integer >= 0 && is_sha256(v[1].bytes.data)) return FN_OK;
  if (status == FN_OK) (void)fn_err_set(err, FN_E_INVALID, "artifact \"%.200s\": no length and SHA-256", path);
  return fn_err_prefix(err, status == FN_E_NO_MEMORY ? status : FN_E_INVALID, "the row in the table artifacts of %s",
                       owner);
}

static fn_status take_artifact(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  listing *l = arg;
  void *list = l->list;
  if (n != 5 || v[1].bytes.length != 64) return FN_OK;
  if (!l->any_path) FN_TRY(check_row(l->owner, v, err));
  FN_TRY(fn_mem_grow(&list, &l->capacity, l->n + 1, sizeof *l->list, MAX_FILES, "artifacts", err));
  l->list = list;
  fn_artifact *a = &l->list[l->n];
  *a = (fn_artifact){.path = fn_arena_strndup(&l->arena, v[0].bytes.data, v[0].bytes.length), .n_bytes = v[2].integer};
  if (v[4].type == FN_SQL_TEXT && v[4].bytes.length) {
    a->host = fn_arena_strndup(&l->arena, v[3].bytes.data, v[3].bytes.length);
    a->place = fn_arena_strndup(&l->arena, v[4].bytes.data, v[4].bytes.length);
  }
  if (!a->path || (v[4].type == FN_SQL_TEXT && v[4].bytes.length && (!a->host || !a->place)))
    return fn_err_no_memory(err, "artifacts");
  memcpy(a->sha256, v[1].bytes.data, 64);
  a->sha256[64] = '\0';
  l->n++;
  return FN_OK;
}

static bool is_below(const char *path, const char *prefix) {
  const size_t n = strlen(prefix);
  return n == 0 || (strncmp(path, prefix, n) == 0 && (path[n] == '\0' || path[n] == '/' || prefix[n - 1] == '/'));
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const fn_artifact *)a)->path, ((const fn_artifact *)b)->path);
}

static fn_status load(listing *l, fn_tracking *t, const char *owner, const char *prefix, fn_err *err) {
  const fn_sql_value value = fn_sql_text(owner);
  fn_arena_init(&l->arena);
  l->owner = owner;
  FN_TRY(fn_sql_query(t->sql,
                      t->schema < 2 ? "SELECT path, sha256, n_bytes, NULL, NULL FROM artifacts WHERE owner = $1"
                                      " ORDER BY path LIMIT 1000000"
                                    : "SELECT path, sha256, n_bytes, host, uri FROM artifacts"
                                      " LEFT JOIN places ON places.id = place WHERE owner = $1"
                                      " ORDER BY path LIMIT 1000000",
                      &value, 1, take_artifact, l, err));
  size_t kept = 0;
  for (size_t i = 0; i < l->n; i++)
    if (is_below(l->list[i].path, prefix)) l->list[kept++] = l->list[i];
  l->n = kept;
  if (kept > 1) qsort(l->list, kept, sizeof *l->list, by_path); /* by bytes, whatever the database sorts by */
  return FN_OK;
}

static void listing_deinit(listing *l) {
  free(l->list);
  fn_arena_deinit(&l->arena);
}

fn_status fn_tracking_list(fn_tracking *t, const char *owner, const char *prefix, fn_artifact_emit emit, void *arg,
                           fn_err *err) {
  listing l = {.n = 0};
  fn_status status = load(&l, t, owner, prefix, err);
  for (size_t i = 0; i < l.n && status == FN_OK; i++) status = emit(arg, &l.list[i], err);
  listing_deinit(&l);
  return status;
}

static fn_status get_one(fn_tracking *t, const fn_artifact *a, const char *target, fn_err *err) {
  char key[96];
  FN_TRY(fn_tracking_open_store(t, err));
  content_key(key, a->sha256);
  FN_AUTO_FREE char *place = NULL;
  const fn_status status = fn_store_get(t->store, key, target, a->sha256, err);
  if (status == FN_E_NOT_FOUND) FN_TRY(fn_tracking_elsewhere(&place, t, a, err));
  if (place)
    return fn_err_set(err, FN_E_IO, "artifact %s: it was put into %s%s%s, and track.artifacts names %s", a->path, place,
                      *a->host ? " of the machine " : "", a->host, fn_store_uri(t->store));
  return status == FN_OK ? FN_OK
                         : fn_err_prefix(err, status == FN_E_NOT_FOUND ? FN_E_IO : status, "artifact %s", a->path);
}

static fn_status get_folder(fn_tracking *t, const listing *l, size_t skip, const char *folder, fn_err *err) {
  for (size_t i = 0; i < l->n; i++) {
    FN_AUTO_FREE char *target = fn_path_join(folder, l->list[i].path + skip);
    if (!target) return fn_err_no_memory(err, "a path");
    FN_AUTO_FREE char *parent = fn_str_dup(fn_str_make(target, (size_t)(strrchr(target, '/') - target)));
    if (!parent) return fn_err_no_memory(err, "a path");
    FN_TRY(fn_dir_create(parent, err));
    FN_TRY(get_one(t, &l->list[i], target, err));
  }
  return FN_OK;
}

static fn_status get_listed(fn_tracking *t, const listing *l, const char *prefix, const char *target, fn_err *err) {
  size_t skip = strlen(prefix);
  while (skip && prefix[skip - 1] == '/') skip--;
  if (l->n == 1 && l->list[0].path[skip] == '\0') return get_one(t, &l->list[0], target, err);
  if (skip) skip++;
  if (fn_path_exists(target)) return fn_err_set(err, FN_E_INVALID, "%s: exists already; name a new folder", target);
  FN_AUTO_FREE char *temporary = NULL;
  FN_TRY(fn_dir_create_beside(&temporary, target, err));
  fn_status status = get_folder(t, l, skip, temporary, err);
  if (status == FN_OK) status = fn_path_rename(temporary, target, err);
  if (status != FN_OK) {
    const fn_status removed = fn_dir_remove(temporary, NULL);
    (void)removed;
  }
  return status;
}

fn_status fn_tracking_get(fn_tracking *t, const char *owner, const char *prefix, const char *target, fn_err *err) {
  listing l = {.n = 0};
  fn_status status = load(&l, t, owner, prefix, err);
  if (status == FN_OK && l.n == 0)
    status = *prefix ? fn_err_set(err, FN_E_NOT_FOUND, "%s has no artifact \"%.200s\"", owner, prefix)
                     : fn_err_set(err, FN_E_NOT_FOUND, "%s has no artifacts", owner);
  if (status == FN_OK) status = get_listed(t, &l, prefix, target, err);
  listing_deinit(&l);
  return status;
}

/* ---- checking ---- */

static fn_status check_bytes(char *damage, const fn_store *store, const fn_artifact *a, const char *key, fn_err *err) {
  fn_artifact stored = {.path = key};
  FN_AUTO_FREE char *path = fn_path_join(fn_store_uri(store), key);
  if (!path) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_file_sha256(stored.sha256, &stored.n_bytes, path, err));
  if (strcmp(stored.sha256, a->sha256) != 0)
    snprintf(damage, FN_TRACKING_DAMAGE, "artifact %.200s: the SHA-256 of %.200s is another", a->path, path);
  return FN_OK;
}

static fn_status check_one(char *damage, fn_tracking *t, const fn_artifact *a, fn_err *err) {
  char key[96];
  fn_store_entry entry;
  FN_AUTO_FREE char *place = NULL;
  FN_TRY(fn_tracking_open_store(t, err));
  content_key(key, a->sha256);
  const fn_status status = fn_store_stat(&entry, t->store, key, err);
  if (status == FN_E_NOT_FOUND) {
    FN_TRY(fn_tracking_elsewhere(&place, t, a, err));
    if (place) return fn_err_prefix(err, FN_E_NOT_FOUND, "artifact %s was put into %s", a->path, place);
    if (err) *err = (fn_err){0};
    snprintf(damage, FN_TRACKING_DAMAGE, "artifact %.200s is not in %.200s any more", a->path, fn_store_uri(t->store));
    return FN_OK;
  }
  FN_TRY(status);
  const bool is_other = entry.sha256[0] && strcmp(entry.sha256, a->sha256) != 0;
  if (is_other || entry.size_bytes != (uint64_t)a->n_bytes)
    snprintf(damage, FN_TRACKING_DAMAGE, "artifact %.200s is another file in %.200s, or cut off", a->path,
             fn_store_uri(t->store));
  else if (!entry.sha256[0] && !fn_store_is_uri(fn_store_uri(t->store)))
    FN_TRY(check_bytes(damage, t->store, a, key, err));
  return FN_OK;
}

fn_status fn_tracking_check_files(char damage_out[FN_TRACKING_DAMAGE], fn_tracking *t, const char *owner, fn_err *err) {
  listing l = {.n = 0};
  damage_out[0] = '\0';
  fn_status status = load(&l, t, owner, "", err);
  if (status == FN_OK && l.n == 0) snprintf(damage_out, FN_TRACKING_DAMAGE, "it has no files");
  for (size_t i = 0; i < l.n && status == FN_OK && !damage_out[0]; i++)
    status = check_one(damage_out, t, &l.list[i], err);
  listing_deinit(&l);
  return status;
}

/* ---- dropping ---- */

typedef struct dropping {
  const char *owner;
  const fn_artifact *artifact;
} dropping;

/* Nobody names a content while it is counted and removed: SQLite's transactions that write come one after another, and
 * PostgreSQL is told so. Whoever puts the same content looks after naming it whether it is still there
 * (fn_content_keep), and puts it again. A removal that fails leaves the row, so that it can be done again. */
static fn_status drop_one(fn_tracking *t, void *arg, fn_err *err) {
  const dropping *d = arg;
  const fn_sql_value values[] = {fn_sql_text(d->owner), fn_sql_text(d->artifact->path)};
  const fn_sql_value content = fn_sql_text(d->artifact->sha256);
  int64_t n = 1;
  char key[96];
  if (fn_sql_get_kind(t->sql) == FN_SQL_POSTGRESQL)
    FN_TRY(fn_sql_run(t->sql, "LOCK TABLE artifacts IN SHARE ROW EXCLUSIVE MODE", NULL, 0, NULL, err));
  FN_TRY(fn_sql_run(t->sql, "DELETE FROM artifacts WHERE owner = $1 AND path = $2", values, 2, NULL, err));
  FN_TRY(
      fn_sql_query(t->sql, "SELECT count(*) FROM artifacts WHERE sha256 = $1", &content, 1, fn_sql_take_int, &n, err));
  if (n > 0) return FN_OK;
  content_key(key, d->artifact->sha256);
  return fn_tracking_remove_content(t, d->artifact, key, err);
}

/* What lies where this machine cannot look keeps its row, and the rest goes. */
fn_status fn_tracking_drop_owner(fn_tracking *t, const char *owner, fn_err *err) {
  listing l = {.any_path = true};
  const fn_sql_value value = fn_sql_text(owner);
  fn_err first = {0};
  fn_status status = load(&l, t, owner, "", err);
  for (size_t i = 0; i < l.n && status == FN_OK; i++) {
    fn_err why = {0};
    dropping d = {owner, &l.list[i]};
    status = fn_tracking_transact(t, drop_one, &d, &why);
    if (status == FN_OK) continue;
    if (first.status == FN_OK) first = why;
    if (status == FN_E_NOT_FOUND) status = FN_OK;
  }
  listing_deinit(&l);
  if (first.status == FN_E_NOT_FOUND) first.status = FN_E_IO;
  if (first.status != FN_OK) return fn_err_set(err, first.status, "%s", first.message);
  FN_TRY(status);
  return fn_sql_run(t->sql, "DELETE FROM artifacts WHERE owner = $1", &value, 1, NULL,
                    err); /* rows that name nothing */
}
