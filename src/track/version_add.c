#include "track/version_add.h"

#include "track/tracking_internal.h"

#include <stdlib.h>
#include <unistd.h>

enum { MAX_CARD_BYTES = 4 << 20 };

/* The tokenizer's files once more where MLflow looks for them: the store keeps each content once. */
static fn_status put_tokenizer(fn_tracking *tracking, const char *owner, const char *model, fn_err *err) {
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  FN_TRY(fn_dir_list(&names, &n, model, err));
  for (size_t i = 0; i < n; i++) {
    if (!fn_version_is_tokenizer_file(names[i])) continue;
    FN_AUTO_FREE char *from = fn_path_join(model, names[i]);
    FN_AUTO_FREE char *to = fn_path_join("components/tokenizer", names[i]);
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

static fn_status fill(int64_t *version, fn_registry *registry, fn_tracking *tracking, const fn_version_source *s,
                      const char *owner, const char *folder, fn_err *err) {
  char digest[65];
  FN_AUTO_BUF fn_buf card;
  fn_buf_init(&card, MAX_CARD_BYTES);
  FN_TRY(fn_version_make(&card, folder, s, err));
  FN_TRY(fn_tracking_put(tracking, owner, "", folder, err));
  FN_TRY(fn_tracking_put(tracking, owner, FN_VERSION_MODEL, s->model, err));
  FN_TRY(put_tokenizer(tracking, owner, s->model, err));
  FN_TRY(digest_of(digest, tracking, owner, err));
  const fn_version_info info = {.name = s->name,
                                .version = *version,
                                .run_id = s->run_id,
                                .run_name = s->run_name,
                                .digest = digest,
                                .card = card.data};
  return fn_registry_publish(version, registry, &info, err);
}

static fn_status make_folder(char **out, const char *scratch, fn_err *err) {
  unsigned char random[8];
  char name[40] = "version-";
  FN_TRY(fn_random_bytes(random, sizeof random, err));
  fn_hex_format(name + strlen(name), random, sizeof random);
  FN_AUTO_FREE char *path = fn_path_join(scratch, name);
  if (path == NULL) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_dir_create(path, err));
  *out = FN_STEAL(path);
  return FN_OK;
}

enum { MAX_UNFINISHED = 100, UNFINISHED_MS = 24 * 3600 * 1000 };

/* What processes that were killed have left: nobody makes a version for a day. */
static void sweep(fn_registry *registry, fn_tracking *tracking, const char *name) {
  int64_t versions[MAX_UNFINISHED];
  size_t n = 0;
  char owner[320];
  if (fn_registry_unfinished(versions, &n, MAX_UNFINISHED, registry, name, fn_clock_unix_ms() - UNFINISHED_MS, NULL))
    return;
  for (size_t i = 0; i < n; i++) {
    snprintf(owner, sizeof owner, "version:%s/%lld", name, (long long)versions[i]);
    if (fn_tracking_drop_owner(tracking, owner, NULL) == FN_OK) fn_registry_abandon(registry, name, versions[i]);
  }
}

fn_status fn_version_add(int64_t *version_out, bool *found_out, fn_registry *registry, fn_tracking *tracking,
                         const fn_version_source *s, const char *scratch, fn_err *err) {
  char origin[65], owner[320];
  int64_t version = 0;
  bool found = false;
  FN_AUTO_FREE char *folder = NULL;
  FN_TRY(fn_version_origin(origin, s, err));
  FN_TRY(fn_registry_reserve(&version, &found, registry, s->name, origin, err));
  if (found) return *version_out = version, *found_out = true, FN_OK;
  sweep(registry, tracking, s->name);
  const int64_t number = version;
  snprintf(owner, sizeof owner, "version:%s/%lld", s->name, (long long)number);
  fn_status status = make_folder(&folder, scratch, err);
  if (status == FN_OK) status = fill(&version, registry, tracking, s, owner, folder, err);
  if (folder != NULL && fn_dir_remove(folder, NULL) != FN_OK && status == FN_OK)
    status = fn_err_set(err, FN_E_IO, "%s: cannot be removed", folder);
  if (status != FN_OK || version != number) { /* what is stored of it belongs to nobody */
    if (fn_tracking_drop_owner(tracking, owner, NULL) == FN_OK) fn_registry_abandon(registry, s->name, number);
  }
  FN_TRY(status);
  *version_out = version;
  *found_out = version != number;
  return FN_OK;
}
