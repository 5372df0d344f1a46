#include "model/hub.h"

#include <stdlib.h>

#define REF_MAX_BYTES ((size_t)256)

/* "owner/name@revision" in its parts; owner and revision may be empty. */
typedef struct hub_name {
  fn_str repository, revision; /* "owner/name", "main" */
  fn_str parts[2];
  size_t n_parts;
} hub_name;

/* What the Hub allows in names; nothing that could lead out of the cache folder. */
static bool is_plain(fn_str part) {
  if (part.length == 0 || part.length > 96 || part.data[0] == '.' || part.data[0] == '-') return false;
  for (size_t i = 0; i < part.length; i++) {
    char c = part.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

/* Branches may hold slashes ("refs/pr/1"), but no step upwards. */
static bool is_revision(fn_str revision) {
  size_t start = 0;
  for (size_t i = 0; i <= revision.length; i++) {
    if (i < revision.length && revision.data[i] != '/') continue;
    if (!is_plain(fn_str_make(revision.data + start, i - start))) return false;
    start = i + 1;
  }
  return true;
}

static bool parse_name(hub_name *out, const char *name) {
  hub_name n = {.revision = fn_str_from("main")};
  const char *at = strchr(name, '@');
  n.repository = fn_str_make(name, at ? (size_t)(at - name) : strlen(name));
  if (at) n.revision = fn_str_from(at + 1);
  const char *slash = memchr(name, '/', n.repository.length);
  size_t first = slash ? (size_t)(slash - name) : n.repository.length;
  n.parts[n.n_parts++] = fn_str_make(name, first);
  if (slash) n.parts[n.n_parts++] = fn_str_make(slash + 1, n.repository.length - first - 1);
  for (size_t i = 0; i < n.n_parts; i++) {
    if (!is_plain(n.parts[i])) return false;
  }
  if (!is_revision(n.revision)) return false;
  *out = n;
  return true;
}

static char *repository_dir(const hub_name *n, const char *hub_cache) {
  fn_buf path;
  fn_buf_init(&path, 1 << 16);
  fn_buf_append_str(&path, "models");
  for (size_t i = 0; i < n->n_parts; i++) {
    fn_buf_append_str(&path, "--");
    fn_buf_append(&path, n->parts[i].data, n->parts[i].length);
  }
  char *full = path.failed ? NULL : fn_path_join(hub_cache, path.data);
  fn_buf_deinit(&path);
  return full;
}

/* dir/snapshots/<commit>, the commit being refs/<revision>'s content or the revision itself; "" when neither exists. */
static fn_status find_snapshot(char **snapshot_out, const char *dir, fn_str revision, fn_err *err) {
  FN_AUTO_BUF fn_buf path;
  FN_AUTO_BUF fn_buf commit;
  fn_buf_init(&path, 1 << 16);
  fn_buf_init(&commit, 1 << 16);
  fn_buf_printf(&path, "%s/refs/%.*s", dir, (int)revision.length, revision.data);
  FN_TRY(fn_buf_check(&path, dir, err));
  if (fn_path_exists(path.data)) {
    FN_TRY(fn_file_read(&commit, path.data, REF_MAX_BYTES, err));
    fn_str trimmed = fn_str_trim(fn_buf_str(&commit));
    if (!is_plain(trimmed)) return fn_err_set(err, FN_E_INVALID, "%s: must hold the name of a commit", path.data);
    fn_buf_reset(&path);
    fn_buf_printf(&path, "%s/snapshots/%.*s", dir, (int)trimmed.length, trimmed.data);
  } else {
    fn_buf_reset(&path);
    fn_buf_printf(&path, "%s/snapshots/%.*s", dir, (int)revision.length, revision.data);
  }
  FN_TRY(fn_buf_check(&path, dir, err));
  char *snapshot = fn_str_dup(fn_path_is_dir(path.data) ? fn_buf_str(&path) : fn_str_from(""));
  if (!snapshot) return fn_err_no_memory(err, dir);
  *snapshot_out = snapshot;
  return FN_OK;
}

static fn_status is_complete(bool *complete_out, const char *dir, fn_err *err) {
  static const char *const files[] = {"config.json", "model.safetensors", "model.safetensors.index.json",
                                      "tokenizer.json", "vocab.txt"};
  bool there[FN_COUNT_OF(files)];
  for (size_t i = 0; i < FN_COUNT_OF(files); i++) {
    FN_AUTO_FREE char *path = fn_path_join(dir, files[i]);
    if (!path) return fn_err_no_memory(err, dir);
    there[i] = fn_path_exists(path);
  }
  *complete_out = there[0] && (there[1] || there[2]) && (there[3] || there[4]);
  return FN_OK;
}

static fn_status miss(const hub_name *n, const char *hub_cache, const char *problem, fn_err *err) {
  bool main = fn_str_is(n->revision, "main");
  return fn_err_set(err, FN_E_NOT_FOUND,
                    "%.*s: %s (looked in %s); download it with\n  hf download %.*s%s%.*s config.json model.safetensors "
                    "tokenizer.json%s",
                    (int)n->repository.length, n->repository.data, problem, hub_cache, (int)n->repository.length,
                    n->repository.data, main ? "" : " --revision ", main ? 0 : (int)n->revision.length,
                    n->revision.data, main ? "" : "\n(a model of the registry is models:/NAME@ALIAS)");
}

fn_status fn_hub_resolve(char **dir_out, const char *name, const char *hub_cache, fn_err *err) {
  if (fn_path_is_dir(name)) {
    char *dir = fn_str_dup(fn_str_from(name));
    if (!dir) return fn_err_no_memory(err, name);
    *dir_out = dir;
    return FN_OK;
  }
  if (fn_path_exists(name))
    return fn_err_set(
        err, FN_E_INVALID,
        "%s: a file; accepted is a Hugging Face directory (config.json, model.safetensors, tokenizer.json "
        "or vocab.txt) or owner/name in the local Hub cache",
        name);
  hub_name n;
  if (!parse_name(&n, name))
    return fn_err_set(
        err, FN_E_NOT_FOUND,
        "%s: no such directory; accepted is a Hugging Face directory or owner/name in the local Hub cache", name);
  FN_AUTO_FREE char *repository = repository_dir(&n, hub_cache);
  if (!repository) return fn_err_no_memory(err, name);
  FN_AUTO_FREE char *snapshot = NULL;
  FN_TRY(find_snapshot(&snapshot, repository, n.revision, err));
  FN_AUTO_FREE char *first = fn_str_dup(n.parts[0]);
  if (!first) return fn_err_no_memory(err, name);
  if ((!snapshot || !*snapshot) && n.n_parts == 2 &&
      fn_path_is_dir(first)) /* "runs/lates" is a path that was mistyped */
    return fn_err_set(err, FN_E_NOT_FOUND, "%s: no such directory in %s, and no model of this name in %s", name, first,
                      hub_cache);
  if ((!snapshot || !*snapshot) && n.n_parts == 1 && strchr(first, '.')) /* "news.fnm" is a file's name */
    return fn_err_set(err, FN_E_NOT_FOUND,
                      "%s: no such file or directory; accepted are a packed file, a model directory, a run folder, or "
                      "owner/name in the local Hub cache",
                      name);
  if (!snapshot || !*snapshot)
    return miss(&n, hub_cache, "neither a directory nor a model in the local Hub cache", err);
  bool complete = false;
  FN_TRY(is_complete(&complete, snapshot, err));
  if (!complete) return miss(&n, hub_cache, "not complete in the local Hub cache", err);
  *dir_out = FN_STEAL(snapshot);
  return FN_OK;
}
