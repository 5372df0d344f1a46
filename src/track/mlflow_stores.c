#include "track/mlflow_stores.h"

#include "store/store.h"

/* The store asks the client's tick, as the server's own requests do. */
static bool on_event(void *arg, const fn_download_event *event) {
  fn_mlflow *m = arg;
  const fn_download_sink *outer = &m->options.store->sink;
  if (outer->event && !outer->event(outer->arg, event)) return false;
  return fn_mlflow_tick(m, event->kind == FN_DOWNLOAD_DATA ? event->n_bytes : m->moved_bytes);
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
  return fn_store_open(store_out, root, &options, err);
}

/* What the store says counts for whoever waits as a failure of the server. */
static fn_status told(fn_mlflow *m, fn_status status) {
  m->failure = (fn_mlflow_failure){.temporary = status == FN_E_IO};
  return status;
}

fn_status fn_mlflow_store_put(fn_mlflow *m, const char *root, const char *path, const char *source, fn_err *err) {
  fn_store *store = NULL;
  FN_TRY(told(m, open_root(&store, m, root, err)));
  fn_status status = fn_store_put(store, path, source, NULL, err);
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
