#include "mlflow/stores.h"

#include "net/url.h"

#include "store/options.h"
#include "store/store.h"

#include <sys/stat.h>

/* The store asks the client's tick, as the server's own requests do. */
static bool on_event(void *arg, const fn_download_event *event) {
  fn_mlflow *m = arg;
  const fn_download_sink *outer = &m->options.store->sink;
  if (outer->event && !outer->event(outer->arg, event)) return false;
  return fn_mlflow_tick(m, event->kind == FN_DOWNLOAD_DATA ? event->n_bytes : m->moved_bytes);
}

/* The folder of "/a", "file:/a", "file:///a" and "file://localhost/a", the latter ones with %XX for bytes; *path_out
 * stays NULL for what is no folder, or a relative one. */
static fn_status folder_of(char **path_out, const char *root, fn_err *err) {
  const bool is_address = strncmp(root, "file:", 5) == 0;
  if (is_address) root += 5;
  if (is_address && strncmp(root, "//localhost/", 12) == 0) root += 11;
  while (root[0] == '/' && root[1] == '/') root++;
  if (*root != '/') return FN_OK;
  FN_AUTO_BUF fn_buf path;
  fn_buf_init(&path, FN_URL_MAX);
  if (is_address)
    fn_url_decode(&path, fn_str_from(root));
  else
    fn_buf_append_str(&path, root);
  FN_TRY(fn_buf_check(&path, "a path", err));
  if (strlen(path.data) != path.length)
    return fn_err_set(err, FN_E_INVALID, "a folder of files holds %%00 in its name");
  *path_out = FN_STEAL(path.data);
  return FN_OK;
}

static fn_status open_root(fn_store **store_out, fn_mlflow *m, const char *root, fn_err *err) {
  char shown[200];
  fn_mlflow_clean(shown, sizeof shown, fn_str_from(root));
  if (!m->options.store)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: the files stand in %s, which is not reached from here", m->uri,
                      shown);
  fn_str text = fn_str_from(root);
  bool known = fn_str_starts_with(text, "s3://") || fn_str_starts_with(text, "gs://") ||
               fn_str_starts_with(text, "file:") || *root == '/';
  if (!known)
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "%s: the files stand in %s; mlflow-artifacts:, s3://, gs://, file: and absolute paths are "
                      "reached (a server with --serve-artifacts hands all of them through)",
                      m->uri, shown);
  fn_store_options options = *m->options.store;
  options.sink = (fn_download_sink){on_event, m};
  /* MLflow's own name for where S3 is goes before those of AWS, not before ours */
  const char *endpoint = fn_environment_get(options.environment, "MLFLOW_S3_ENDPOINT_URL");
  fn_bucket_options buckets = {.part_mb = 0};
  if (endpoint && options.buckets && !options.buckets->s3_endpoint) {
    buckets = *options.buckets;
    buckets.s3_endpoint = endpoint;
    options.buckets = &buckets;
  }
  FN_AUTO_FREE char *folder = NULL;
  FN_TRY(folder_of(&folder, root, err));
  return fn_store_open(store_out, folder ? folder : root, &options, err);
}

static bool is_below(const char *path, const char *folder) {
  size_t n = strlen(folder);
  while (n > 1 && folder[n - 1] == '/') n--;
  return n > 0 && strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0' || n == 1);
}

/* A server's word is not enough to write into a folder of this machine: it must run here, or the folder be allowed; and
 * no part of the path may be a link, which could lead anywhere else. */
static fn_status check_folder(const fn_mlflow *m, const char *given, const char *key, fn_err *err) {
  FN_AUTO_FREE char *root = NULL;
  FN_TRY(folder_of(&root, given, err));
  if (!root && !fn_str_starts_with(fn_str_from(given), "file:")) return FN_OK;
  if (!root) return fn_err_set(err, FN_E_UNSUPPORTED, "%s names a relative folder for files", m->uri);
  FN_AUTO_FREE char *path = fn_path_join(root, key);
  if (!path) return fn_err_no_memory(err, "a path");
  char shown[200];
  fn_mlflow_clean(shown, sizeof shown, fn_str_from(root));
  bool allowed = m->is_here;
  for (size_t i = 0; i < m->options.n_local_roots && !allowed; i++) allowed = is_below(root, m->options.local_roots[i]);
  if (strstr(path, "/../") || !allowed)
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "%s keeps files in the folder %s of its own machine; start it with --serve-artifacts and an "
                      "--artifacts-destination, or, where this machine has the same folder, allow it by "
                      "track.artifact_roots=[%s]",
                      m->uri, shown, shown);
  for (char *at = strchr(path + 1, '/');; at = strchr(at + 1, '/')) {
    struct stat st;
    if (at) *at = '\0';
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
      return fn_err_set(err, FN_E_UNSUPPORTED,
                        "%s has files put into the folder %s, and a part of that path is a symbolic link, which is not "
                        "followed; start the server with --serve-artifacts, or name the folder itself",
                        m->uri, shown);
    if (!at) return FN_OK;
    *at = '/';
  }
}

/* What the store says counts for whoever waits as a failure of the server. */
static fn_status told(fn_mlflow *m, fn_status status) {
  m->failure = (fn_mlflow_failure){.temporary = status == FN_E_IO};
  return status;
}

fn_status fn_mlflow_store_put(fn_mlflow *m, const char *root, const char *path, const char *source, fn_err *err) {
  fn_store *store = NULL;
  FN_TRY(told(m, open_root(&store, m, root, err)));
  fn_status status = check_folder(m, root, path, err);
  if (status == FN_OK) status = fn_store_put(store, path, source, NULL, err);
  fn_store_close(store);
  return told(m, status);
}

fn_status fn_mlflow_store_get(fn_mlflow *m, const char *root, const char *path, const char *target, fn_err *err) {
  fn_store *store = NULL;
  FN_TRY(told(m, open_root(&store, m, root, err)));
  fn_status status = fn_store_get(store, path, target, NULL, err);
  fn_store_close(store);
  return told(m, status);
}

typedef struct listing {
  fn_mlflow *mlflow;
  fn_mlflow_file_emit emit;
  void *arg;
  size_t n;
} listing;

static fn_status on_entry(void *arg, const fn_store_entry *entry, fn_err *err) {
  listing *l = arg;
  if (++l->n > FN_MLFLOW_MAX_FILES)
    return fn_err_set(err, FN_E_LIMIT, "%s: more than %d files", l->mlflow->uri, FN_MLFLOW_MAX_FILES);
  return l->emit(l->arg, entry->key, entry->size_bytes, err);
}

fn_status fn_mlflow_store_list(fn_mlflow *m, const char *root, const char *path, fn_mlflow_file_emit emit, void *arg,
                               fn_err *err) {
  fn_store *store = NULL;
  FN_TRY(told(m, open_root(&store, m, root, err)));
  listing l = {m, emit, arg, 0};
  fn_status status = fn_store_list(store, path, on_entry, &l, err);
  fn_store_close(store);
  return told(m, status);
}
