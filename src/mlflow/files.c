/* Files of runs and models: through the server's proxy here, in other places through src/store (mlflow_stores.c). */
#include "mlflow/stores.h"
#include "net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the proxy ---- */

/* root "mlflow-artifacts:/1/ab/artifacts" and path "model": "1/ab/artifacts/model". */
static fn_status proxy_path(fn_buf *out, const fn_mlflow *m, const char *root, const char *path, fn_err *err) {
  const char *inside = root + strlen("mlflow-artifacts:");
  if (strncmp(inside, "//", 2) == 0)
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "%s: %.200s names another server for files: only the tracking server's own are reached", m->uri,
                      root);
  while (*inside == '/') inside++;
  size_t n = strlen(inside);
  while (n > 0 && inside[n - 1] == '/') n--;
  fn_buf_append(out, inside, n);
  if (*path) fn_buf_printf(out, "%s%s", n > 0 ? "/" : "", path);
  const char *why = "";
  FN_TRY(fn_buf_check(out, "a path", err));
  if (!fn_name_is_inside(fn_buf_str(out), &why))
    return fn_err_set(err, FN_E_INVALID, "%s: the path \"%.200s\" of a file is refused: %s", m->uri, out->data, why);
  return FN_OK;
}

static fn_status proxy_url(fn_buf *url, const fn_mlflow *m, const char *path, fn_err *err) {
  fn_buf_printf(url, "%s/api/2.0/mlflow-artifacts/artifacts/", m->uri);
  fn_url_encode(url, fn_str_from(path), "/");
  return fn_buf_check(url, "an address", err);
}

static fn_status proxy_put(fn_mlflow *m, const char *path, const char *source, fn_err *err) {
  FN_AUTO_BUF fn_buf url;
  fn_buf_init(&url, FN_URL_MAX);
  FN_TRY(proxy_url(&url, m, path, err));
  int file = open(source, O_RDONLY | O_CLOEXEC);
  if (file < 0) return fn_err_errno(err, errno, "%s", source);
  struct stat st;
  fn_status status = fstat(file, &st) == 0 ? FN_OK : fn_err_errno(err, errno, "%s", source);
  static const fn_call_pair type[] = {{"Content-Type", "application/octet-stream"}};
  fn_call_request request = {.method = "PUT", .url = url.data, .headers = type, .n_headers = 1};
  fn_mlflow_prepare(&request, m);
  request.body_file = file;
  request.from_file = true;
  request.body_length = status == FN_OK ? (uint64_t)st.st_size : 0;
  request.timeout_s = 0; /* as long as it moves */
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  if (status == FN_OK) status = fn_mlflow_run_call(&answer, m, &request, "upload", err);
  close(file);
  return status;
}

typedef struct download {
  fn_mlflow *mlflow;
  fn_writer writer;
  uint64_t n_listed; /* 0: not known */
} download;

static fn_status on_data(void *arg, const fn_call_answer *head, const void *data, size_t length, fn_err *err) {
  (void)head;
  download *d = arg;
  if (d->writer.n_bytes + length > (uint64_t)d->mlflow->options.net->max_bytes)
    return fn_err_set(err, FN_E_LIMIT, "%s: longer than net.max_bytes allows", d->writer.path);
  if (d->n_listed && d->writer.n_bytes + length > d->n_listed)
    return fn_err_set(err, FN_E_IO, "%s: the server listed %llu bytes of %s, and sends more", d->mlflow->uri,
                      (unsigned long long)d->n_listed, fn_path_base(d->writer.path));
  return fn_writer_write(&d->writer, data, length, err);
}

static bool on_download_tick(void *arg, uint64_t n_sent, uint64_t n_received) {
  (void)n_sent, (void)n_received;
  const fn_mlflow *m = ((download *)arg)->mlflow;
  return !m->options.tick || m->options.tick(m->options.tick_arg);
}

/* What came is what was listed: a proxy's page of an error, or half a file, is not taken for it. */
static fn_status check_size(const fn_mlflow *m, const char *path, uint64_t n_listed, uint64_t n_bytes, fn_err *err) {
  if (n_listed == 0 || n_listed == n_bytes) return FN_OK;
  return fn_err_set(err, FN_E_IO, "%s: the server listed %llu bytes of %.200s, and sent %llu", m->uri,
                    (unsigned long long)n_listed, path, (unsigned long long)n_bytes);
}

static fn_status proxy_get(fn_mlflow *m, const char *path, uint64_t n_listed, const char *target, fn_err *err) {
  FN_AUTO_BUF fn_buf url;
  fn_buf_init(&url, FN_URL_MAX);
  FN_TRY(proxy_url(&url, m, path, err));
  download d = {.mlflow = m, .n_listed = n_listed};
  FN_TRY(fn_writer_open(&d.writer, target, err));
  fn_call_request request = {.url = url.data};
  fn_mlflow_prepare(&request, m);
  request.timeout_s = 0;
  request.sink = on_data;
  request.tick = on_download_tick;
  request.arg = &d;
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  fn_status status = fn_mlflow_run_call(&answer, m, &request, "download", err);
  if (status == FN_OK) status = check_size(m, path, n_listed, d.writer.n_bytes, err);
  if (status == FN_OK) status = fn_writer_commit(&d.writer, err);
  fn_writer_abort(&d.writer);
  return status;
}

/* Walks a folder of the proxy; `path` is as the proxy knows it, `shown` from the root on. */
typedef struct walk {
  fn_mlflow *mlflow;
  fn_mlflow_file_emit emit;
  void *arg;
  size_t n_files;
} walk;

static fn_status walk_entry(walk *w, const char *path, const char *shown, const json_t *entry, int depth, fn_err *err);

static fn_status walk_folder(walk *w, const char *path, const char *shown, int depth, fn_err *err) {
  if (depth > FN_MLFLOW_MAX_DEPTH)
    return fn_err_set(err, FN_E_LIMIT, "%s: folders of files more than %d deep", w->mlflow->uri, FN_MLFLOW_MAX_DEPTH);
  FN_AUTO_BUF fn_buf url;
  fn_buf_init(&url, FN_URL_MAX);
  fn_buf_printf(&url, "%s/api/2.0/mlflow-artifacts/artifacts", w->mlflow->uri);
  FN_TRY(fn_buf_check(&url, "an address", err));
  const fn_call_pair query[] = {{"path", path}};
  fn_call_request request = {.url = url.data, .query = query, .n_query = 1};
  fn_mlflow_prepare(&request, w->mlflow);
  FN_AUTO_ANSWER fn_call_answer answer = {0};
  FN_TRY(fn_mlflow_run_call(&answer, w->mlflow, &request, "list of files", err));
  FN_AUTO_JSON json_t *object = NULL;
  FN_TRY(fn_mlflow_parse(&object, fn_buf_str(&answer.body), "list of files", err));
  const json_t *files = NULL;
  FN_TRY(fn_mlflow_read_files(&files, object, err));
  for (size_t i = 0; i < json_array_size(files); i++)
    FN_TRY(walk_entry(w, path, shown, json_array_get(files, i), depth, err));
  return FN_OK;
}

static fn_status walk_entry(walk *w, const char *path, const char *shown, const json_t *entry, int depth, fn_err *err) {
  const char *name = fn_mlflow_text(entry, "path");
  FN_AUTO_FREE char *full = fn_path_join(path, name);
  FN_AUTO_FREE char *below = *shown ? fn_path_join(shown, name) : fn_str_dup(fn_str_from(name));
  if (!full || !below) return fn_err_no_memory(err, "a path");
  if (json_is_true(json_object_get(entry, "is_dir"))) return walk_folder(w, full, below, depth + 1, err);
  if (++w->n_files > FN_MLFLOW_MAX_FILES)
    return fn_err_set(err, FN_E_LIMIT, "%s: more than %d files", w->mlflow->uri, FN_MLFLOW_MAX_FILES);
  json_int_t size = json_integer_value(json_object_get(entry, "file_size"));
  return w->emit(w->arg, below, size > 0 ? (uint64_t)size : 0, err);
}

/* ---- one file or list, wherever it stands ---- */

static bool is_proxy(const char *root) {
  return fn_str_starts_with(fn_str_from(root), "mlflow-artifacts:");
}

static fn_status put_file(fn_mlflow *m, const char *root, const char *path, const char *source, fn_err *err) {
  if (!is_proxy(root)) return fn_mlflow_store_put(m, root, path, source, err);
  FN_AUTO_BUF fn_buf inside;
  fn_buf_init(&inside, FN_URL_MAX);
  FN_TRY(proxy_path(&inside, m, root, path, err));
  return proxy_put(m, inside.data, source, err);
}

/* n_listed: bytes by the server's list; 0: not known. */
static fn_status get_file(fn_mlflow *m, const char *root, const char *path, uint64_t n_listed, const char *target,
                          fn_err *err) {
  if (!is_proxy(root)) {
    struct stat st;
    FN_TRY(fn_mlflow_store_get(m, root, path, target, err));
    return stat(target, &st) == 0 ? check_size(m, path, n_listed, (uint64_t)st.st_size, err) : FN_OK;
  }
  FN_AUTO_BUF fn_buf inside;
  fn_buf_init(&inside, FN_URL_MAX);
  FN_TRY(proxy_path(&inside, m, root, path, err));
  return proxy_get(m, inside.data, n_listed, target, err);
}

fn_status fn_mlflow_list(fn_mlflow *m, const char *root, const char *path, fn_mlflow_file_emit emit, void *arg,
                         fn_err *err) {
  if (!is_proxy(root)) return fn_mlflow_store_list(m, root, path, emit, arg, err);
  FN_AUTO_BUF fn_buf inside;
  fn_buf_init(&inside, FN_URL_MAX);
  FN_TRY(proxy_path(&inside, m, root, path, err));
  walk w = {m, emit, arg, 0};
  return walk_folder(&w, inside.data, path, 0, err);
}

static fn_status put_folder(fn_mlflow *m, const char *root, const char *path, const char *source, int depth,
                            fn_err *err) {
  if (depth > FN_MLFLOW_MAX_DEPTH)
    return fn_err_set(err, FN_E_LIMIT, "%s: folders more than %d deep", source, FN_MLFLOW_MAX_DEPTH);
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  FN_TRY(fn_dir_list(&names, &n, source, err));
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *from = fn_path_join(source, names[i]);
    FN_AUTO_FREE char *to = *path ? fn_path_join(path, names[i]) : fn_str_dup(fn_str_from(names[i]));
    if (!from || !to) return fn_err_no_memory(err, "a path");
    FN_TRY(fn_path_is_dir(from) ? put_folder(m, root, to, from, depth + 1, err) : put_file(m, root, to, from, err));
  }
  return FN_OK;
}

fn_status fn_mlflow_put(fn_mlflow *m, const char *root, const char *path, const char *source, fn_err *err) {
  m->failure = (fn_mlflow_failure){0};
  m->moved_ns = fn_clock_ns();
  m->moved_bytes = 0;
  return fn_path_is_dir(source) ? put_folder(m, root, path, source, 0, err) : put_file(m, root, path, source, err);
}

/* ---- fetching a folder ---- */

typedef struct listed_file {
  char *path;
  uint64_t n_bytes; /* 0: not known */
} listed_file;

typedef struct fetch {
  listed_file *files;
  size_t n, capacity;
} fetch;

static fn_status on_file(void *arg, const char *path, uint64_t n_bytes, fn_err *err) {
  fetch *f = arg;
  FN_TRY(fn_mem_grow((void **)&f->files, &f->capacity, f->n + 1, sizeof *f->files, FN_MLFLOW_MAX_FILES, "files", err));
  char *copy = fn_str_dup(fn_str_from(path));
  if (!copy) return fn_err_no_memory(err, "a path");
  f->files[f->n++] = (listed_file){copy, n_bytes};
  return FN_OK;
}

static fn_status fetch_all(fn_mlflow *m, const char *root, const char *prefix, const char *part, const fetch *f,
                           fn_err *err) {
  size_t skip = *prefix ? strlen(prefix) + 1 : 0;
  FN_TRY(fn_dir_create(part, err));
  for (size_t i = 0; i < f->n; i++) {
    const char *path = f->files[i].path, *why = "";
    if (strlen(path) <= skip || !fn_name_is_inside(fn_str_from(path + skip), &why))
      return fn_err_set(err, FN_E_INVALID, "%s: a file's path is refused: %s", m->uri, why);
    FN_AUTO_FREE char *to = fn_path_join(part, path + skip);
    FN_AUTO_FREE char *folder = to ? fn_str_dup(fn_str_make(to, strlen(to) - strlen(fn_path_base(to)))) : NULL;
    if (!to || !folder) return fn_err_no_memory(err, "a path");
    FN_TRY(fn_dir_create(folder, err));
    FN_TRY(get_file(m, root, path, f->files[i].n_bytes, to, err));
  }
  return FN_OK;
}

fn_status fn_mlflow_get(fn_mlflow *m, const char *root, const char *path, const char *target, fn_err *err) {
  if (fn_path_exists(target)) return fn_err_set(err, FN_E_INVALID, "%s: is there already", target);
  fetch f = {0};
  fn_status status = fn_mlflow_list(m, root, path, on_file, &f, err);
  if (status == FN_OK && f.n == 0) {
    status = *path ? get_file(m, root, path, 0, target, err)
                   : fn_err_set(err, FN_E_NOT_FOUND, "%s: there is no file below %.200s", m->uri, root);
  } else if (status == FN_OK && f.n == 1 && strcmp(f.files[0].path, path) == 0) {
    status = get_file(m, root, path, f.files[0].n_bytes, target, err);
  } else if (status == FN_OK) {
    FN_AUTO_FREE char *part = NULL;
    status = fn_dir_create_beside(&part, target, err);
    if (status == FN_OK) status = fetch_all(m, root, path, part, &f, err);
    if (status == FN_OK) status = fn_path_rename(part, target, err);
    if (status != FN_OK && part && fn_dir_remove(part, NULL) != FN_OK)
      (void)fn_err_prefix(err, status, "%s stays behind", part);
  }
  for (size_t i = 0; i < f.n; i++) free(f.files[i].path);
  free(f.files);
  return status;
}
