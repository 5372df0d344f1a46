/* models:/NAME@ALIAS and models:/NAME/3: versions, out of the registry in the database of runs or an MLflow server's.
 */
#include "base/hash.h"
#include "infer/infer.h"
#include "registry/model_copy.h"
#include "registry/model_fetch.h"
#include "registry/registry.h"
#include "registry/version_make.h"
#include "sql/sql.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- folders ---- */

/* An address without what it is asked with: user, password, and of the query all but the parameters that say which
 * database is meant. */
static fn_status append_address(fn_buf *out, const char *url, fn_err *err) {
  static const char *const places[] = {"host=", "hostaddr=", "port=", "dbname=", "service="};
  const char *authority = strstr(url, "://");
  authority = authority ? authority + 3 : url;
  const size_t n = strcspn(authority, "/?#");
  const char *host = authority;
  for (size_t i = 0; i < n; i++)
    if (authority[i] == '@') host = authority + i + 1;
  const size_t rest = strcspn(host, "?#");
  fn_buf_append(out, url, (size_t)(authority - url));
  fn_buf_append(out, host, rest);
  for (const char *p = host + rest; *p && *p != '#'; p += strcspn(p, "&#")) {
    p++; /* '?' or '&' */
    for (size_t i = 0; i < FN_COUNT_OF(places); i++)
      if (strncmp(p, places[i], strlen(places[i])) == 0) fn_buf_printf(out, "?%.*s", (int)strcspn(p, "&#"), p);
  }
  return fn_buf_check(out, "an address", err);
}

/* A file by its place from the root, as "runs/tracking.db" is another one in each folder. */
static fn_status append_database(fn_buf *out, const char *url, fn_err *err) {
  fn_sql_kind kind;
  if (!fn_sql_kind_of(&kind, url) || kind != FN_SQL_SQLITE) return append_address(out, url, err);
  const char *path = fn_str_starts_with(fn_str_from(url), "sqlite:") ? url + strlen("sqlite:") : url;
  const char *base = fn_path_base(path);
  size_t n = (size_t)(base - path);
  while (n > 1 && path[n - 1] == '/') n--; /* as a real path is written */
  FN_AUTO_FREE char *folder = fn_str_dup(n ? fn_str_make(path, n) : fn_str_from("."));
  FN_AUTO_FREE char *real = NULL;
  if (!folder) return fn_err_no_memory(err, "a path");
  if (fn_path_real(&real, folder, NULL) != FN_OK) { /* not there now: as it is written, from here */
    FN_AUTO_FREE char *here = NULL;
    FN_TRY(fn_path_real(&here, ".", err));
    real = fn_path_join(here, folder);
    if (!real) return fn_err_no_memory(err, "a path");
  }
  fn_buf_printf(out, "%s/%s", real, base);
  return fn_buf_check(out, "a path", err);
}

/* CACHE/registry/<digits>/<name> */
static fn_status model_folder(char **out, const fn_model_uri *u, const fn_model_source *s, fn_err *err) {
  char key[17];
  FN_TRY(fn_model_fetch_check_cache(s, u->text, err));
  FN_AUTO_BUF fn_buf address;
  fn_buf_init(&address, 1 << 16);
  FN_TRY(s->mlflow ? append_address(&address, s->mlflow->uri, err) : append_database(&address, s->tracking->url, err));
  fn_model_fetch_digits(key, address.data);
  FN_AUTO_FREE char *registries = NULL;
  FN_TRY(fn_model_fetch_join(&registries, s->cache, "registry", key, err));
  *out = fn_path_join(registries, u->name);
  return *out ? FN_OK : fn_err_no_memory(err, "a path");
}

/* ---- what the registry says ---- */

typedef struct backend {
  fn_tracking *tracking;
  fn_registry *registry;
  fn_mlflow *mlflow;
} backend;

static void close_backend(backend *b) {
  fn_registry_close(b->registry);
  fn_tracking_close(b->tracking);
  fn_mlflow_close(b->mlflow);
}

static fn_status open_backend(backend *b, const fn_model_source *s, fn_err *err) {
  if (s->mlflow) return fn_mlflow_open(&b->mlflow, s->mlflow, err);
  FN_TRY(fn_model_fetch_open_tracking(&b->tracking, s, err));
  return fn_registry_open(&b->registry, fn_tracking_sql(b->tracking), NULL, true, err);
}

typedef struct found {
  int64_t version;
  char digest[65];
  char label[96]; /* name of the copy's folder */
} found;

static fn_status ask_database(found *f, fn_registry *registry, const fn_model_uri *u, fn_err *err) {
  fn_version v;
  FN_TRY(fn_registry_get(&v, registry, u->name, u->version, u->alias[0] ? u->alias : NULL, err));
  f->version = v.info.version;
  snprintf(f->digest, sizeof f->digest, "%.64s", v.info.digest);
  fn_version_deinit(&v);
  return FN_OK;
}

static fn_status keep_first(void *arg, const fn_mlflow_model_version *v, fn_err *err) {
  (void)err;
  int64_t *version = arg;
  if (v->version > *version) *version = v->version;
  return FN_OK;
}

static fn_status ask_server_version(fn_mlflow_model_version *v, fn_mlflow *mlflow, const fn_model_uri *u, fn_err *err) {
  int64_t version = u->version;
  if (u->alias[0] && strcmp(u->alias, "latest") != 0) return fn_mlflow_alias_get(v, mlflow, u->name, u->alias, err);
  if (version == 0) FN_TRY(fn_mlflow_version_list(mlflow, u->name, keep_first, &version, err));
  if (version == 0) return fn_err_set(err, FN_E_NOT_FOUND, "%s has no version", u->name);
  return fn_mlflow_version_get(v, mlflow, u->name, version, err);
}

/* One whose files are on their way, or never came. */
static fn_status check_ready(const fn_mlflow_model_version *v, fn_err *err) {
  if (!v->status[0] || strcmp(v->status, "READY") == 0) return FN_OK;
  return fn_err_set(err, FN_E_IO, "version %lld of %.200s is not ready: the server says %.60s", (long long)v->version,
                    v->name, v->status);
}

/* A model that is deleted and made again counts from 1 once more; the time tells the two apart. */
static fn_status ask_server(found *f, fn_mlflow *mlflow, const fn_model_uri *u, fn_err *err) {
  fn_mlflow_model_version v;
  FN_TRY(ask_server_version(&v, mlflow, u, err));
  const fn_status status = check_ready(&v, err);
  f->version = v.version;
  snprintf(f->digest, sizeof f->digest, "%lld",
           (long long)json_integer_value(json_object_get(v.json, "creation_timestamp")));
  fn_mlflow_model_version_deinit(&v);
  return status;
}

static fn_status ask(found *f, const backend *b, const fn_model_uri *u, fn_err *err) {
  FN_TRY(b->mlflow ? ask_server(f, b->mlflow, u, err) : ask_database(f, b->registry, u, err));
  snprintf(f->label, sizeof f->label, "%lld-%.16s", (long long)f->version, f->digest);
  return FN_OK;
}

/* ---- fetching ---- */

typedef struct server_files {
  fn_mlflow *mlflow;
  const char *root, *part;
  bool proved; /* what comes is to answer: it is loaded once. A directory to train on may be of any model */
} server_files;

/* A server says no checksums, and what stands between may answer in its place: what is no model here is not sealed, so
 * that the next call asks again. */
static fn_status check_model(const char *path, fn_err *err) {
  fn_classifier *classifier;
  fn_status status = fn_classifier_load(&classifier, path, err);
  if (status == FN_OK) {
    status = fn_classifier_verify(classifier, err);
    fn_classifier_destroy(classifier);
  }
  if (status == FN_OK || status == FN_E_NO_MEMORY) return status;
  return fn_err_prefix(err, FN_E_IO, "what the server sent cannot be loaded");
}

static fn_status get_server_files(void *arg, const char *target, fn_err *err) {
  const server_files *w = arg;
  FN_TRY(fn_mlflow_get(w->mlflow, w->root, w->part, target, err));
  if (!w->proved) return FN_OK;
  if (strcmp(w->part, FN_VERSION_MODEL) == 0) return check_model(target, err);
  FN_AUTO_FREE char *packed = fn_path_join(target, fn_path_base(FN_VERSION_PACKED));
  if (packed == NULL) return fn_err_no_memory(err, "a path");
  if (!fn_path_exists(packed)) return fn_err_set(err, FN_E_NOT_FOUND, "there is no %s", FN_VERSION_PACKED);
  return check_model(packed, err);
}

static fn_status get_from_database(fn_tracking *tracking, const fn_model_uri *u, const found *f, const char *part,
                                   const char *target, fn_err *err) {
  fn_version_owner owner;
  fn_version_owner_format(owner, u->name, f->version);
  fn_model_fetch_artifacts wanted = {.tracking = tracking, .owner = owner, .part = part};
  return fn_copy_make(target, fn_model_fetch_get_artifacts, &wanted, err);
}

static fn_status get_from_server(fn_mlflow *mlflow, const fn_model_uri *u, const found *f, const char *part,
                                 fn_model_want want, const char *target, fn_err *err) {
  FN_AUTO_FREE char *root = NULL;
  FN_TRY(fn_mlflow_version_files(&root, mlflow, u->name, f->version, err));
  server_files wanted = {.mlflow = mlflow, .root = root, .part = part, .proved = want == FN_WANT_ANSWERS};
  return fn_copy_make(target, get_server_files, &wanted, err);
}

/* A copy that is not what it was when it was fetched is fetched anew. */
static fn_status get_part(const backend *b, const fn_model_uri *u, const found *f, const char *part, fn_model_want want,
                          const char *folder, fn_err *err) {
  bool whole;
  FN_AUTO_FREE char *target = fn_path_join(folder, part);
  if (target == NULL) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_copy_check(&whole, target, err));
  if (whole) return FN_OK;
  return b->mlflow ? get_from_server(b->mlflow, u, f, part, want, target, err)
                   : get_from_database(b->tracking, u, f, part, target, err);
}

/* What is used of a copy that has the part; NULL when memory is short. */
static char *path_of(const char *folder, fn_model_want want) {
  FN_AUTO_FREE char *packed = fn_path_join(folder, FN_VERSION_PACKED);
  if (packed == NULL) return NULL;
  if (want == FN_WANT_ANSWERS && fn_path_exists(packed)) return FN_STEAL(packed);
  return fn_path_join(folder, FN_VERSION_MODEL);
}

static fn_status get_version(fn_model_place *place, const backend *b, const fn_model_uri *u, const found *f,
                             fn_model_want want, const fn_model_source *s, fn_err *err) {
  FN_AUTO_FREE char *models = NULL;
  FN_TRY(model_folder(&models, u, s, err));
  FN_AUTO_FREE char *folder = fn_path_join(models, f->label);
  if (folder == NULL) return fn_err_no_memory(err, "a path");
  fn_status status = FN_E_NOT_FOUND;
  if (want == FN_WANT_ANSWERS) status = get_part(b, u, f, "fakenews", want, folder, err);
  if (status == FN_E_NOT_FOUND) status = get_part(b, u, f, FN_VERSION_MODEL, want, folder, err);
  if (status != FN_OK) return fn_err_prefix(err, status, "version %lld of %s", (long long)f->version, u->name);
  fn_copy_tidy(models);
  place->path = path_of(folder, want);
  place->version = f->version;
  snprintf(place->name, sizeof place->name, "%s", u->name);
  return place->path ? FN_OK : fn_err_no_memory(err, "a path");
}

/* Only a registry that is open and says that there is no such model, version or alias is believed. One that cannot be
 * opened, read or understood, or lets nobody in, is away, and so are files that cannot be had. */
static fn_status fetch_now(fn_model_place *place, const fn_model_uri *u, fn_model_want want, const fn_model_source *s,
                           fn_err *err) {
  backend b = {0};
  found f = {0};
  bool believed = false;
  fn_status status = open_backend(&b, s, err);
  if (status == FN_OK) {
    status = ask(&f, &b, u, err);
    believed = status == FN_E_NOT_FOUND;
  }
  if (status == FN_OK) status = get_version(place, &b, u, &f, want, s, err);
  close_backend(&b);
  place->away = status != FN_OK && status != FN_E_NO_MEMORY && status != FN_E_CANCELLED && !believed;
  return status;
}

enum { MAX_LABEL = 128 };
static fn_status find_last(char **path_out, char **copy_out, char label_out[MAX_LABEL], const fn_model_uri *u,
                           fn_model_want want, const fn_model_source *s, fn_err *err);

/* A version that cannot be loaded does not become the last good one; whoever asked for it is told so when it loads it.
 */
static void remember_good(const fn_model_uri *u, const fn_model_place *place, const fn_model_source *s) {
  FN_AUTO_FREE char *last = NULL;
  fn_classifier *classifier = NULL;
  char label[MAX_LABEL];
  if (!u->alias[0]) return;
  if (find_last(&last, NULL, label, u, FN_WANT_ANSWERS, s, NULL) == FN_OK && strcmp(last, place->path) == 0) return;
  if (fn_classifier_load(&classifier, place->path, NULL) != FN_OK) return;
  fn_classifier_destroy(classifier);
  fn_err why = {0};
  if (fn_model_remember(u, place, s, &why) != FN_OK) /* a cache that cannot be written to is used all the same */
    fn_model_fetch_tell(s, "where %s leads is not remembered: %.900s", u->text, why.message);
}

/* There is a copy to answer with. */
static bool has_last(const fn_model_uri *u, fn_model_want want, const fn_model_source *s) {
  fn_model_place last;
  if (s->unproven || fn_model_last(&last, u, want, s, NULL) != FN_OK) return false;
  fn_model_place_deinit(&last);
  return true;
}

static void forget(const fn_model_uri *u, const fn_model_source *s);

fn_status fn_model_fetch_version(fn_model_place *place, const fn_model_uri *u, fn_model_want want,
                                 const fn_model_source *s, fn_err *err) {
  fn_err why = {0};
  fn_model_fetch_hurry hurry;
  const fn_model_source *now = has_last(u, want, s) ? fn_model_fetch_hurried(&hurry, s) : s;
  const fn_status status = fetch_now(place, u, want, now, &why);
  if (status == FN_OK && !s->unproven) remember_good(u, place, s);
  if (status == FN_OK) return FN_OK;
  const bool away = place->away;
  if (away && !s->unproven && fn_model_last(place, u, want, s, NULL) == FN_OK) {
    place->stale = true;
    fn_model_fetch_tell(s, "%s cannot be fetched, the last copy is used: version %lld (%.900s)", u->text,
                        (long long)place->version, why.message);
    return FN_OK;
  }
  if (status == FN_E_NOT_FOUND && !away) forget(u, s);
  place->away = away;
  return fn_err_set(err, status, "%s", why.message);
}

/* ---- where an alias led last ---- */

static fn_status link_path(char **out, const fn_model_uri *u, const fn_model_source *s, fn_err *err) {
  enum { MAX_LINK = 150 };
  char name[300], digits[17];
  FN_AUTO_FREE char *folder = NULL;
  FN_TRY(model_folder(&folder, u, s, err));
  fn_model_fetch_digits(digits, u->alias);
  if (strlen(u->alias) <= MAX_LINK)
    snprintf(name, sizeof name, "@%s", u->alias);
  else /* a file's name takes 255 bytes, and the one it is made under is longer */
    snprintf(name, sizeof name, "@%.*s-%s", MAX_LINK, u->alias, digits);
  *out = fn_path_join(folder, name);
  return *out ? FN_OK : fn_err_no_memory(err, "a path");
}

fn_status fn_model_remember(const fn_model_uri *u, const fn_model_place *place, const fn_model_source *s, fn_err *err) {
  FN_AUTO_FREE char *link = NULL, *folder = NULL;
  if (u->form != FN_MODEL_REGISTRY || !u->alias[0]) return FN_OK;
  FN_TRY(link_path(&link, u, s, err));
  FN_TRY(model_folder(&folder, u, s, err));
  const size_t n = strlen(folder) + 1;
  if (strncmp(place->path, folder, n - 1) != 0) return FN_OK;
  FN_AUTO_FREE char *label = fn_str_dup(fn_str_make(place->path + n, strcspn(place->path + n, "/")));
  if (label == NULL) return fn_err_no_memory(err, "a path");
  return fn_link_replace(link, label, err);
}

/* A registry that says that there is no such alias takes its copy out of use: it must not come back when the registry
 * is away. */
static void forget(const fn_model_uri *u, const fn_model_source *s) {
  FN_AUTO_FREE char *link = NULL;
  if (u->alias[0] && s->cache && link_path(&link, u, s, NULL) == FN_OK) (void)unlink(link);
}

/* path: inside the folder of a copy, whose first part is what was sealed. */
static fn_status check_last(const char *copy, const char *path, fn_err *err) {
  bool whole;
  const char *part = path + strlen(copy) + 1;
  FN_AUTO_FREE char *sealed = fn_str_dup(fn_str_make(path, strlen(copy) + 1 + strcspn(part, "/")));
  if (sealed == NULL) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_copy_check(&whole, sealed, err));
  return whole ? FN_OK : fn_err_set(err, FN_E_NOT_FOUND, "%s: the copy is damaged", sealed);
}

/* The newest folder that a version was fetched into; "": none was. */
static fn_status find_label(char label[MAX_LABEL], const char *folder, int64_t version, fn_err *err) {
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  char exact[32];
  FN_TRY(fn_dir_list(&names, &n, folder, err));
  label[0] = '\0';
  snprintf(exact, sizeof exact, "%lld-", (long long)version);
  for (size_t i = 0; i < n; i++)
    if (strncmp(names[i], exact, strlen(exact)) == 0) snprintf(label, MAX_LABEL, "%.127s", names[i]);
  return FN_OK;
}

/* Where an alias led last, or a version's copy; its seal is not looked at. */
static fn_status find_last(char **path_out, char **copy_out, char label[MAX_LABEL], const fn_model_uri *u,
                           fn_model_want want, const fn_model_source *s, fn_err *err) {
  FN_AUTO_FREE char *link = NULL, *folder = NULL;
  if (u->form != FN_MODEL_REGISTRY || s->cache == NULL)
    return fn_err_set(err, FN_E_NOT_FOUND, "%s: there is no copy", u->text);
  FN_TRY(model_folder(&folder, u, s, err));
  if (u->alias[0]) {
    FN_TRY(link_path(&link, u, s, err));
    const ssize_t n = readlink(link, label, MAX_LABEL - 1);
    if (n <= 0) return fn_err_set(err, FN_E_NOT_FOUND, "%s: there is no copy of before", u->text);
    label[n] = '\0';
  } else { /* a version that was fetched before */
    FN_TRY(find_label(label, folder, u->version, err));
  }
  FN_AUTO_FREE char *copy = fn_path_join(folder, label);
  FN_AUTO_FREE char *path = copy ? path_of(copy, want) : NULL;
  if (path == NULL) return fn_err_no_memory(err, "a path");
  if (!label[0] || !fn_path_exists(path)) return fn_err_set(err, FN_E_NOT_FOUND, "%s: there is no copy", u->text);
  *path_out = FN_STEAL(path);
  if (copy_out) *copy_out = FN_STEAL(copy);
  return FN_OK;
}

fn_status fn_model_last(fn_model_place *place_out, const fn_model_uri *u, fn_model_want want, const fn_model_source *s,
                        fn_err *err) {
  FN_AUTO_FREE char *path = NULL, *copy = NULL;
  char label[MAX_LABEL];
  FN_TRY(find_last(&path, &copy, label, u, want, s, err));
  FN_TRY(check_last(copy, path, err));
  *place_out = (fn_model_place){.version = strtoll(label, NULL, 10)};
  snprintf(place_out->name, sizeof place_out->name, "%s", u->name);
  place_out->path = FN_STEAL(path);
  return FN_OK;
}

fn_status fn_model_current(int64_t *version_out, char digest_out[65], const fn_model_uri *u, const fn_model_source *s,
                           fn_err *err) {
  backend b = {0};
  found f = {0};
  fn_status status = open_backend(&b, s, err);
  if (status == FN_OK) status = ask(&f, &b, u, err);
  close_backend(&b);
  FN_TRY(status);
  *version_out = f.version;
  memcpy(digest_out, f.digest, sizeof f.digest);
  return FN_OK;
}
