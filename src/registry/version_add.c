#include "registry/version_add.h"

#include "mlflow/mlmodel.h"
#include "track/tracking_internal.h"

#include <stdlib.h>
#include <unistd.h>

enum { MAX_CARD_BYTES = 4 << 20 };

/* The tokenizer's files once more where MLflow looks for them: the store keeps each content once. */
static fn_status put_tokenizer(fn_tracking *tracking, const char *owner, const char *model, fn_err *err) {
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  if (!fn_path_is_dir(model)) return FN_OK; /* a packed file */
  FN_TRY(fn_dir_list(&names, &n, model, err));
  for (size_t i = 0; i < n; i++) {
    if (!fn_mlmodel_is_tokenizer_file(names[i])) continue;
    FN_AUTO_FREE char *from = fn_path_join(model, names[i]);
    FN_AUTO_FREE char *to = fn_path_join(FN_MLMODEL_COMPONENTS, names[i]);
    if (from == NULL || to == NULL) return fn_err_no_memory(err, "a path");
    FN_TRY(fn_tracking_put(tracking, owner, to, from, err));
  }
  return FN_OK;
}

static fn_status add_artifact(void *arg, const fn_artifact *a, fn_err *err) {
  (void)err;
  fn_sha256 *sha = arg;
  fn_sha256_add(sha, a->path, strlen(a->path) + 1);
  fn_sha256_add(sha, a->sha256, sizeof a->sha256);
  return FN_OK;
}

static fn_status digest_of(char out[65], fn_tracking *tracking, const char *owner, fn_err *err) {
  fn_sha256 sha;
  unsigned char digest[FN_SHA256_BYTES];
  fn_sha256_init(&sha);
  FN_TRY(fn_tracking_list(tracking, owner, "", add_artifact, &sha, err));
  fn_sha256_get(&sha, digest);
  fn_hex_format(out, digest, sizeof digest);
  return FN_OK;
}

/* The files that stand in it, without the state of a training; what lies in folders below is none of a model's: a
 * checkpoint, or all that there is where the path was a mistake. */
static fn_status copy_files(const char *from, const char *to, fn_err *err) {
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  FN_TRY(fn_dir_list(&names, &n, from, err));
  FN_TRY(fn_dir_create(to, err));
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *source = fn_path_join(from, names[i]);
    FN_AUTO_FREE char *copy = fn_path_join(to, names[i]);
    if (source == NULL || copy == NULL) return fn_err_no_memory(err, "a path");
    if (fn_mlmodel_is_model_file(source)) FN_TRY(fn_tree_copy(source, copy, err));
  }
  return FN_OK;
}

/* Everything is made of one copy: somebody may train on in the directory, and what is packed and measured has to be
 * what is stored. */
static fn_status copy_model(char **model_out, const fn_version_source *s, const char *origin, const char *folder,
                            fn_err *err) {
  char now[65];
  fn_version_source own = *s;
  const bool is_packed = !fn_path_is_dir(s->model);
  FN_AUTO_FREE char *model = fn_path_join(folder, is_packed ? FN_VERSION_PACKED : FN_VERSION_MODEL);
  FN_AUTO_FREE char *inner = fn_path_join(folder, "fakenews");
  if (model == NULL || inner == NULL) return fn_err_no_memory(err, "a path");
  if (is_packed) FN_TRY(fn_dir_create(inner, err));
  FN_TRY(is_packed ? fn_tree_copy(s->model, model, err) : copy_files(s->model, model, err));
  own.model = model;
  FN_TRY(fn_version_origin(now, &own, err));
  if (strcmp(now, origin) != 0)
    return fn_err_set(err, FN_E_INVALID, "%s changed while it was copied: add it when nobody writes to it", s->model);
  *model_out = FN_STEAL(model);
  return FN_OK;
}

/* What is wrong with the copy is wrong with what it was made of. */
static fn_status name_source(fn_err *err, fn_status status, const char *copy, const char *source) {
  fn_err why = {0};
  if (err) why = *err;
  const char *at = strstr(why.message, copy);
  if (at == NULL) return status;
  return fn_err_set(err, status, "%.*s%s%s", (int)(at - why.message), why.message, source, at + strlen(copy));
}

static fn_status fill(int64_t *version, bool *found, fn_registry *registry, fn_tracking *tracking,
                      const fn_version_source *s, const char *owner, const char *origin, const char *folder,
                      fn_err *err) {
  char digest[65];
  fn_version_source own = *s;
  FN_AUTO_FREE char *model = NULL;
  FN_AUTO_BUF fn_buf card;
  fn_buf_init(&card, MAX_CARD_BYTES);
  FN_TRY(copy_model(&model, s, origin, folder, err));
  own.model = model;
  const fn_status status = fn_version_make(&card, folder, &own, err);
  if (status != FN_OK) return name_source(err, status, model, s->model);
  FN_TRY(fn_tracking_put(tracking, owner, "", folder, err));
  FN_TRY(put_tokenizer(tracking, owner, model, err));
  FN_TRY(digest_of(digest, tracking, owner, err));
  const fn_version_info info = {.name = s->name,
                                .version = *version,
                                .run_id = s->run_id,
                                .run_name = s->run_name,
                                .digest = digest,
                                .card = card.data};
  return fn_registry_publish(version, found, registry, &info, err);
}

enum { MAX_UNFINISHED = 100 };

/* What is stored of a version that came to nothing; one that was published meanwhile, or may have been, keeps its
 * files. */
static void drop(fn_registry *registry, fn_tracking *tracking, const char *name, int64_t version) {
  fn_version_owner owner;
  bool ours = false;
  fn_version_owner_format(owner, name, version);
  if (fn_registry_condemn(&ours, registry, name, version, NULL) != FN_OK || !ours) return;
  if (fn_tracking_drop_owner(tracking, owner, NULL) == FN_OK) fn_registry_abandon(registry, name, version);
}

/* What processes that were killed have left: nobody makes a version for a day. */
static void sweep(fn_registry *registry, fn_tracking *tracking, const char *name) {
  int64_t versions[MAX_UNFINISHED];
  size_t n = 0;
  if (fn_registry_unfinished(versions, &n, MAX_UNFINISHED, registry, name,
                             fn_clock_unix_ms() - FN_VERSION_UNFINISHED_MS, NULL))
    return;
  for (size_t i = 0; i < n; i++) drop(registry, tracking, name, versions[i]);
}

fn_status fn_version_add(int64_t *version_out, bool *found_out, fn_registry *registry, fn_tracking *tracking,
                         const fn_version_source *s, const char *scratch, fn_err *err) {
  char origin[65];
  fn_version_owner owner;
  int64_t version = 0;
  bool found = false;
  FN_AUTO_FREE char *folder = NULL;
  FN_TRY(fn_version_origin(origin, s, err));
  FN_TRY(fn_registry_reserve(&version, &found, registry, s->name, origin, s->run_id, err));
  if (found) return *version_out = version, *found_out = true, FN_OK;
  sweep(registry, tracking, s->name);
  const int64_t ticket = version;
  fn_version_owner_format(owner, s->name, ticket);
  FN_AUTO_FREE char *place = fn_path_join(scratch, "version");
  fn_status status = place ? fn_dir_create_beside(&folder, place, err) : fn_err_no_memory(err, "a path");
  /* the folder's name becomes part of the model's id, which stands in the card */
  FN_AUTO_FREE char *named = status == FN_OK ? fn_path_join(folder, s->name) : NULL;
  if (status == FN_OK) status = named ? fn_dir_create(named, err) : fn_err_no_memory(err, "a path");
  if (status == FN_OK) status = fill(&version, &found, registry, tracking, s, owner, origin, named, err);
  if (folder != NULL && fn_dir_remove(folder, NULL) != FN_OK && status == FN_OK)
    status = fn_err_set(err, FN_E_IO, "%s: cannot be removed", folder);
  if (status != FN_OK || found) drop(registry, tracking, s->name, ticket);
  FN_TRY(status);
  *version_out = version;
  *found_out = found;
  return FN_OK;
}

fn_status fn_version_purge(fn_registry *registry, fn_tracking *tracking, const char *name, int64_t version,
                           const char *reason, fn_err *err) {
  fn_version_owner owner;
  bool retired = false;
  FN_TRY(fn_registry_is_retired(&retired, registry, name, version, err));
  if (!retired) {
    fn_err why = {0};
    const fn_status status = fn_registry_retire(registry, name, version, reason, &why);
    if (status != FN_OK && (fn_registry_is_retired(&retired, registry, name, version, NULL) != FN_OK || !retired))
      return fn_err_set(err, status, "%s", why.message); /* nobody else was faster */
  }
  fn_version_owner_format(owner, name, version);
  FN_TRY(fn_tracking_drop_owner(tracking, owner, err));
  return fn_registry_note_purge(registry, name, version, reason, err);
}
