#include "base/hash.h"
#include "infer/infer.h"
#include "net/digest.h"
#include "net/url.h"
#include "sql/sql.h"
#include "store/store.h"
#include "track/model_copy.h"
#include "track/model_uri.h"
#include "track/registry.h"
#include "track/version_make.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILES = 100000, MAX_ATTEMPTS = 3 };

/* ---- folders ---- */

static void short_hash(char out[17], const char *text) {
  char all[33];
  fn_hash_format(all, fn_hash_bytes(text, strlen(text)));
  memcpy(out, all, 16);
  out[16] = '\0';
}

/* a/b/c; malloc'd. */
static fn_status join(char **out, const char *a, const char *b, const char *c, fn_err *err) {
  FN_AUTO_FREE char *ab = fn_path_join(a, b);
  char *abc = ab ? fn_path_join(ab, c) : NULL;
  if (abc == NULL) return fn_err_no_memory(err, "a path");
  *out = abc;
  return FN_OK;
}

static fn_status check_cache(const fn_model_source *s, const char *text, fn_err *err) {
  if (s->cache != NULL) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%.200s: there is no folder for copies of models; set XDG_CACHE_HOME or HOME",
                    text);
}

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
  FN_AUTO_FREE char *folder =
      base == path ? fn_str_dup(fn_str_from(".")) : fn_str_dup(fn_str_make(path, (size_t)(base - path)));
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
  FN_TRY(check_cache(s, u->text, err));
  FN_AUTO_BUF fn_buf address;
  fn_buf_init(&address, 1 << 16);
  FN_TRY(s->mlflow ? append_address(&address, s->mlflow->uri, err) : append_database(&address, s->tracking->url, err));
  short_hash(key, address.data);
  FN_AUTO_FREE char *registries = NULL;
  FN_TRY(join(&registries, s->cache, "registry", key, err));
  *out = fn_path_join(registries, u->name);
  return *out ? FN_OK : fn_err_no_memory(err, "a path");
}

static void tell(const fn_model_source *s, const char *text) {
  if (s->note) s->note(s->arg, text);
}

/* ---- versions ---- */

typedef struct found {
  int64_t version;
  char digest[65];
  char label[96]; /* name of the copy's folder */
} found;

static fn_status open_tracking(fn_tracking **out, const fn_model_source *s, fn_err *err) {
  fn_tracking_options options = *s->tracking;
  options.read_only = true;
  options.store = s->store;
  return fn_tracking_open(out, &options, err);
}

static fn_status ask_database(found *f, fn_tracking *tracking, const fn_model_uri *u, fn_err *err) {
  fn_registry *registry;
  fn_version v;
  FN_TRY(fn_registry_open(&registry, fn_tracking_sql(tracking), NULL, true, err));
  const fn_status status = fn_registry_get(&v, registry, u->name, u->version, u->alias[0] ? u->alias : NULL, err);
  fn_registry_close(registry);
  FN_TRY(status);
  f->version = v.info.version;
  snprintf(f->digest, sizeof f->digest, "%.64s", v.info.digest);
  snprintf(f->label, sizeof f->label, "%lld-%.16s", (long long)f->version, f->digest);
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

/* A model that is deleted and made again counts from 1 once more; the time tells the two apart. */
static fn_status ask_server(found *f, fn_mlflow *mlflow, const fn_model_uri *u, fn_err *err) {
  fn_mlflow_model_version v;
  FN_TRY(ask_server_version(&v, mlflow, u, err));
  if (*v.status && strcmp(v.status, "READY") != 0) {
    const fn_status status = fn_err_set(err, FN_E_NOT_FOUND, "version %lld of %s is not ready: the server says %.60s",
                                        (long long)v.version, u->name, v.status);
    fn_mlflow_model_version_deinit(&v);
    return status;
  }
  f->version = v.version;
  snprintf(f->digest, sizeof f->digest, "%lld",
           (long long)json_integer_value(json_object_get(v.json, "creation_timestamp")));
  snprintf(f->label, sizeof f->label, "%lld-%.16s", (long long)v.version, f->digest);
  fn_mlflow_model_version_deinit(&v);
  return FN_OK;
}

/* What fn_copy_make asks for. */
typedef struct wanted {
  fn_tracking *tracking;
  fn_mlflow *mlflow;
  const char *owner, *part; /* owner: of the artifacts; root: of the server's files */
  const char *root;
  bool proved; /* what comes is loaded once */
} wanted;

static fn_status get_artifacts(void *arg, const char *target, fn_err *err) {
  const wanted *w = arg;
  return fn_tracking_get(w->tracking, w->owner, w->part, target, err);
}

/* A server keeps no checksums that we could ask for, but a packed file has its own: what is to answer is loaded and
 * checked before it counts as a copy. */
static fn_status prove(const char *target, const char *part, fn_err *err) {
  fn_classifier *classifier = NULL;
  FN_AUTO_FREE char *packed = fn_path_join(target, fn_path_base(FN_VERSION_PACKED));
  if (packed == NULL) return fn_err_no_memory(err, "a path");
  const bool is_packed = strcmp(part, FN_VERSION_MODEL) != 0;
  if (is_packed && !fn_path_exists(packed)) return fn_err_set(err, FN_E_NOT_FOUND, "there is no packed file");
  fn_status status = fn_classifier_load(&classifier, is_packed ? packed : target, err);
  if (status == FN_OK) status = fn_classifier_verify(classifier, err);
  fn_classifier_destroy(classifier);
  if (status == FN_OK || status == FN_E_NO_MEMORY) return status;
  return fn_err_prefix(err, FN_E_IO, "what the server sent cannot be loaded");
}

static fn_status get_files(void *arg, const char *target, fn_err *err) {
  const wanted *w = arg;
  FN_TRY(fn_mlflow_get(w->mlflow, w->root, w->part, target, err));
  return w->proved ? prove(target, w->part, err) : FN_OK;
}

static fn_status get_from_database(fn_tracking *tracking, const fn_model_uri *u, const found *f, const char *part,
                                   const char *target, fn_err *err) {
  char owner[320];
  snprintf(owner, sizeof owner, "version:%s/%lld", u->name, (long long)f->version);
  wanted w = {.tracking = tracking, .owner = owner, .part = part};
  return fn_copy_make(target, get_artifacts, &w, err);
}

static fn_status get_from_server(fn_mlflow *mlflow, const fn_model_uri *u, const found *f, const char *part,
                                 fn_model_want want, const char *target, fn_err *err) {
  FN_AUTO_FREE char *root = NULL;
  FN_TRY(fn_mlflow_version_files(&root, mlflow, u->name, f->version, err));
  wanted w = {.mlflow = mlflow, .root = root, .part = part, .proved = want == FN_WANT_ANSWERS};
  return fn_copy_make(target, get_files, &w, err);
}

typedef struct backend {
  fn_tracking *tracking;
  fn_mlflow *mlflow;
} backend;

static void close_backend(backend *b) {
  fn_tracking_close(b->tracking);
  fn_mlflow_close(b->mlflow);
}

static fn_status open_backend(backend *b, const fn_model_source *s, fn_err *err) {
  return s->mlflow ? fn_mlflow_open(&b->mlflow, s->mlflow, err) : open_tracking(&b->tracking, s, err);
}

static fn_status ask(found *f, const backend *b, const fn_model_uri *u, fn_err *err) {
  return b->mlflow ? ask_server(f, b->mlflow, u, err) : ask_database(f, b->tracking, u, err);
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

static fn_status fetch_version(fn_model_place *place, const backend *b, const fn_model_uri *u, fn_model_want want,
                               const fn_model_source *s, fn_err *err) {
  found f = {0};
  FN_AUTO_FREE char *models = NULL;
  FN_TRY(model_folder(&models, u, s, err));
  FN_TRY(ask(&f, b, u, err));
  FN_AUTO_FREE char *folder = fn_path_join(models, f.label);
  if (folder == NULL) return fn_err_no_memory(err, "a path");
  fn_status status = FN_E_NOT_FOUND;
  if (want == FN_WANT_ANSWERS) status = get_part(b, u, &f, "fakenews", want, folder, err);
  if (status == FN_E_NOT_FOUND) status = get_part(b, u, &f, FN_VERSION_MODEL, want, folder, err);
  if (status != FN_OK) return fn_err_prefix(err, status, "version %lld of %s", (long long)f.version, u->name);
  fn_copy_tidy(models);
  place->path = path_of(folder, want);
  place->version = f.version;
  snprintf(place->name, sizeof place->name, "%s", u->name);
  return place->path ? FN_OK : fn_err_no_memory(err, "a path");
}

/* Whether asking was in vain: nothing is known to be wrong with the name. */
static bool is_away(fn_status status) {
  return status == FN_E_IO;
}

/* A version that cannot be loaded does not become the last good one; whoever asked for it is told so when it loads it.
 */
static fn_status remember_good(const fn_model_uri *u, const fn_model_place *place, const fn_model_source *s,
                               fn_err *err) {
  fn_model_place last;
  fn_classifier *classifier = NULL;
  if (!u->alias[0]) return FN_OK;
  if (fn_model_last(&last, u, FN_WANT_ANSWERS, s, NULL) == FN_OK) {
    const bool same = strcmp(last.path, place->path) == 0;
    fn_model_place_deinit(&last);
    if (same) return FN_OK;
  }
  if (fn_classifier_load(&classifier, place->path, NULL) != FN_OK) return FN_OK;
  fn_classifier_destroy(classifier);
  return fn_model_remember(u, place, s, err);
}

static fn_status fetch_registry(fn_model_place *place, const fn_model_uri *u, fn_model_want want,
                                const fn_model_source *s, fn_err *err) {
  backend b = {0};
  fn_err why = {0};
  fn_status status = open_backend(&b, s, &why);
  if (status == FN_OK) status = fetch_version(place, &b, u, want, s, &why);
  close_backend(&b);
  if (status == FN_OK) return s->unproven ? FN_OK : remember_good(u, place, s, err);
  if (is_away(status) && !s->unproven && fn_model_last(place, u, want, s, NULL) == FN_OK) {
    char text[1200];
    place->stale = true;
    snprintf(text, sizeof text, "%s cannot be fetched, the last copy is used: version %lld (%.900s)", u->text,
             (long long)place->version, why.message);
    tell(s, text);
    return FN_OK;
  }
  return fn_err_set(err, status, "%s", why.message);
}

/* ---- where an alias led last ---- */

static fn_status link_path(char **out, const fn_model_uri *u, const fn_model_source *s, fn_err *err) {
  enum { MAX_LINK = 150 };
  char name[300], digits[17];
  FN_AUTO_FREE char *folder = NULL;
  FN_TRY(model_folder(&folder, u, s, err));
  short_hash(digits, u->alias);
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

/* path: inside the folder of a copy, whose first part is what was sealed. */
static fn_status check_last(const char *copy, const char *path, fn_err *err) {
  bool whole;
  const char *part = path + strlen(copy) + 1;
  FN_AUTO_FREE char *sealed = fn_str_dup(fn_str_make(path, strlen(copy) + 1 + strcspn(part, "/")));
  if (sealed == NULL) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_copy_check(&whole, sealed, err));
  return whole ? FN_OK : fn_err_set(err, FN_E_NOT_FOUND, "%s: the copy is damaged", sealed);
}

fn_status fn_model_last(fn_model_place *place_out, const fn_model_uri *u, fn_model_want want, const fn_model_source *s,
                        fn_err *err) {
  FN_AUTO_FREE char *link = NULL, *folder = NULL;
  char label[128], exact[32];
  if (u->form != FN_MODEL_REGISTRY || s->cache == NULL)
    return fn_err_set(err, FN_E_NOT_FOUND, "%s: there is no copy", u->text);
  FN_TRY(model_folder(&folder, u, s, err));
  if (u->alias[0]) {
    FN_TRY(link_path(&link, u, s, err));
    const ssize_t n = readlink(link, label, sizeof label - 1);
    if (n <= 0) return fn_err_set(err, FN_E_NOT_FOUND, "%s: there is no copy of before", u->text);
    label[n] = '\0';
  } else { /* a version that was fetched before */
    FN_AUTO_FREE char **names = NULL;
    size_t n_names = 0;
    FN_TRY(fn_dir_list(&names, &n_names, folder, err));
    label[0] = '\0';
    snprintf(exact, sizeof exact, "%lld-", (long long)u->version);
    for (size_t i = 0; i < n_names; i++)
      if (strncmp(names[i], exact, strlen(exact)) == 0) snprintf(label, sizeof label, "%.127s", names[i]);
  }
  FN_AUTO_FREE char *copy = fn_path_join(folder, label);
  FN_AUTO_FREE char *path = copy ? path_of(copy, want) : NULL;
  if (path == NULL) return fn_err_no_memory(err, "a path");
  if (!label[0] || !fn_path_exists(path)) return fn_err_set(err, FN_E_NOT_FOUND, "%s: there is no copy", u->text);
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

/* ---- runs ---- */

static fn_status keep_folder(void *arg, const fn_run_view *run, fn_err *err) {
  char **folder = arg;
  free(*folder);
  *folder = fn_str_dup(fn_str_from(run->info.folder ? run->info.folder : ""));
  return *folder ? FN_OK : fn_err_no_memory(err, "a path");
}

static fn_status add_artifact(void *arg, const fn_artifact *a, fn_err *err) {
  (void)err;
  fn_buf_printf(arg, "%s %s\n", a->sha256, a->path);
  return FN_OK;
}

static fn_status fetch_run(char **path, fn_tracking *tracking, const fn_model_uri *u, const fn_model_source *s,
                           fn_err *err) {
  char id[FN_RUN_ID_LENGTH], owner[64], key[17];
  FN_AUTO_BUF fn_buf list;
  fn_buf_init(&list, 0);
  FN_TRY(check_cache(s, u->text, err));
  FN_TRY(fn_tracking_find(id, tracking, u->name, err));
  snprintf(owner, sizeof owner, "run:%s", id);
  FN_TRY(fn_tracking_list(tracking, owner, u->path, add_artifact, &list, err));
  FN_TRY(fn_buf_check(&list, "artifacts", err));
  if (list.length == 0) { /* its folder may still be there */
    FN_AUTO_FREE char *folder = NULL;
    FN_TRY(fn_tracking_get_run(tracking, id, keep_folder, &folder, err));
    FN_AUTO_FREE char *local = folder && *folder ? fn_path_join(folder, u->path) : NULL;
    if (local && fn_path_exists(local)) return *path = FN_STEAL(local), FN_OK;
    return fn_err_set(
        err, FN_E_NOT_FOUND,
        "run %s has no artifact %.200s, and its folder is not here; track.log_model=true stores the model", id,
        u->path);
  }
  short_hash(key, list.data);
  FN_AUTO_FREE char *folder = NULL, *copy = NULL;
  FN_TRY(join(&folder, s->cache, "runs", id, err));
  FN_TRY(join(&copy, folder, key, u->path, err));
  bool whole;
  FN_TRY(fn_copy_check(&whole, copy, err));
  wanted w = {.tracking = tracking, .owner = owner, .part = u->path};
  if (!whole) FN_TRY(fn_copy_make(copy, get_artifacts, &w, err));
  fn_copy_tidy(folder);
  *path = FN_STEAL(copy);
  return FN_OK;
}

/* ---- stores ---- */

typedef struct keys {
  fn_buf stamp; /* what tells this content from another */
  char **list;
  size_t n, capacity;
} keys;

static void keys_deinit(keys *k) {
  for (size_t i = 0; i < k->n; i++) free(k->list[i]);
  free(k->list);
  fn_buf_deinit(&k->stamp);
}

static fn_status take_key(void *arg, const fn_store_entry *e, fn_err *err) {
  keys *k = arg;
  void *list = k->list;
  FN_TRY(fn_mem_grow(&list, &k->capacity, k->n + 1, sizeof *k->list, MAX_FILES, "files", err));
  k->list = list;
  k->list[k->n] = fn_str_dup(fn_str_from(e->key));
  if (k->list[k->n] == NULL) return fn_err_no_memory(err, "files");
  k->n++;
  fn_buf_printf(&k->stamp, "%s %llu %lld %s\n", e->key, (unsigned long long)e->size_bytes, (long long)e->modified_ms,
                e->sha256);
  return FN_OK;
}

/* What a bucket lists is other people's: it must stay below the folder of the copy. */
static fn_status check_listed(const char *key, const char *where, fn_err *err) {
  const char *why = "";
  if (fn_name_is_inside(fn_str_from(key), &why)) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%.300s lists \"%.200s\", which %s", where, key, why);
}

typedef struct listed {
  fn_store *store;
  const char *key;
  const keys *keys;
  bool changed; /* meanwhile: it is worth another attempt */
} listed;

static fn_status list_keys(keys *k, fn_store *store, const char *key, fn_err *err);

/* The files as they were listed, or FN_E_IO: whoever puts a new model there meanwhile must leave no mixture here. */
static fn_status get_all(void *arg, const char *folder, fn_err *err) {
  listed *l = arg;
  keys after = {.n = 0};
  fn_status status = fn_dir_create(folder, err);
  for (size_t i = 0; i < l->keys->n && status == FN_OK; i++) {
    FN_AUTO_FREE char *target = NULL;
    status = check_listed(l->keys->list[i], fn_store_uri(l->store), err);
    if (status == FN_OK) target = fn_path_join(folder, l->keys->list[i]);
    if (status == FN_OK)
      status = target ? fn_store_get(l->store, l->keys->list[i], target, NULL, err) : fn_err_no_memory(err, "a path");
  }
  if (status == FN_OK) status = list_keys(&after, l->store, l->key, err);
  l->changed = status == FN_OK && !fn_str_is(fn_buf_str(&after.stamp), l->keys->stamp.data);
  if (l->changed)
    status = fn_err_set(err, FN_E_IO, "%.300s: the files changed while they were fetched", fn_store_uri(l->store));
  keys_deinit(&after);
  return status;
}

static fn_status list_keys(keys *k, fn_store *store, const char *key, fn_err *err) {
  fn_store_entry entry;
  fn_buf_init(&k->stamp, 0);
  if (key != NULL) {
    FN_TRY(fn_store_stat(&entry, store, key, err));
    entry.key = key;
    FN_TRY(take_key(k, &entry, err));
  } else {
    FN_TRY(fn_store_list(store, "", take_key, k, err));
    if (k->n == 0) return fn_err_set(err, FN_E_NOT_FOUND, "%s: there is nothing here", fn_store_uri(store));
  }
  return fn_buf_check(&k->stamp, "files", err);
}

static fn_status fetch_listed(char **folder_out, bool *changed_out, fn_store *store, const keys *k, const char *key,
                              const char *base, fn_err *err) {
  char stamp[17];
  bool whole;
  short_hash(stamp, k->stamp.data);
  FN_AUTO_FREE char *folder = fn_path_join(base, stamp);
  FN_AUTO_FREE char *link = fn_path_join(base, "current");
  if (folder == NULL || link == NULL) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_copy_check(&whole, folder, err));
  listed l = {.store = store, .key = key, .keys = k};
  fn_status status = whole ? FN_OK : fn_copy_make(folder, get_all, &l, err);
  *changed_out = l.changed;
  FN_TRY(status);
  FN_TRY(fn_link_replace(link, stamp, err));
  fn_copy_tidy(base);
  *folder_out = FN_STEAL(folder);
  return FN_OK;
}

/* The copy of what is at the address now. base: CACHE/stores/<digits>. */
static fn_status fetch_now(char **folder_out, const char *address, const char *key, const char *base,
                           const fn_model_source *s, fn_err *err) {
  fn_store *store = NULL;
  bool changed = true;
  fn_status status = fn_store_open(&store, address, s->store, err);
  for (int attempt = 0; attempt < MAX_ATTEMPTS && changed && (status == FN_OK || attempt > 0); attempt++) {
    keys k = {.n = 0};
    changed = false;
    status = list_keys(&k, store, key, err);
    if (status == FN_OK) status = fetch_listed(folder_out, &changed, store, &k, key, base, err);
    keys_deinit(&k);
  }
  fn_store_close(store);
  return status;
}

/* The copy that was taken last; FN_E_NOT_FOUND when there is none, or it is not what it was. */
static fn_status last_copy(char **folder_out, const char *base, fn_err *err) {
  char stamp[64];
  bool whole = false;
  FN_AUTO_FREE char *link = fn_path_join(base, "current");
  const ssize_t n = link ? readlink(link, stamp, sizeof stamp - 1) : -1;
  if (n <= 0) return fn_err_set(err, FN_E_NOT_FOUND, "there is no copy");
  stamp[n] = '\0';
  FN_AUTO_FREE char *folder = fn_path_join(base, stamp);
  if (folder == NULL) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_copy_check(&whole, folder, err));
  if (!whole) return fn_err_set(err, FN_E_NOT_FOUND, "the last copy is damaged");
  *folder_out = FN_STEAL(folder);
  return FN_OK;
}

static fn_status fetch_store(fn_model_place *place, const fn_model_uri *u, const fn_model_source *s, fn_err *err) {
  char digits[17];
  fn_err why = {0};
  FN_AUTO_FREE char *base = NULL, *folder = NULL;
  const char *slash = strrchr(u->text, '/');
  const bool is_http = strncmp(u->text, "http", 4) == 0;
  const bool is_file = is_http || fn_str_ends_with(fn_str_from(u->text), ".fnm");
  FN_TRY(check_cache(s, u->text, err));
  if (slash == NULL || (is_file && !slash[1]))
    return fn_err_set(err, FN_E_INVALID, "%.200s: the name of a packed file is expected behind the last /", u->text);
  short_hash(digits, u->text);
  FN_TRY(join(&base, s->cache, "stores", digits, err));
  FN_AUTO_FREE char *address =
      fn_str_dup(is_file ? fn_str_make(u->text, (size_t)(slash - u->text)) : fn_str_from(u->text));
  if (address == NULL) return fn_err_no_memory(err, "an address");
  fn_status status = fetch_now(&folder, address, is_file ? slash + 1 : NULL, base, s, &why);
  if (status != FN_OK) {
    if (!is_away(status) || last_copy(&folder, base, NULL) != FN_OK) return fn_err_set(err, status, "%s", why.message);
    char text[1200];
    snprintf(text, sizeof text, "%.200s: no answer, the last copy is used (%.900s)", u->text, why.message);
    tell(s, text);
    place->stale = true;
  }
  place->path = is_file ? fn_path_join(folder, slash + 1) : fn_str_dup(fn_str_from(folder));
  return place->path ? FN_OK : fn_err_no_memory(err, "a path");
}

fn_status fn_model_fetch(fn_model_place *place_out, const fn_model_uri *u, fn_model_want want, const fn_model_source *s,
                         fn_err *err) {
  fn_model_place place = {0};
  fn_status status = FN_OK;
  if (u->form == FN_MODEL_REGISTRY) {
    status = fetch_registry(&place, u, want, s, err);
  } else if (u->form == FN_MODEL_RUN) {
    fn_tracking *tracking = NULL;
    status = open_tracking(&tracking, s, err);
    if (status == FN_OK) status = fetch_run(&place.path, tracking, u, s, err);
    fn_tracking_close(tracking);
  } else {
    status = fetch_store(&place, u, s, err);
  }
  if (status != FN_OK) {
    fn_model_place_deinit(&place);
    return status;
  }
  *place_out = place;
  return FN_OK;
}
