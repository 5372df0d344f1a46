#include "train/run_dir.h"

#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_NAME_BYTES = 100, MAX_SAME_SECOND = 1000 };

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

void fn_run_dir_close(fn_run_dir *run) {
  close_fd(&run->metrics);
  close_fd(&run->times);
  close_fd(&run->lock);
  free(run->path);
  free(run->checkpoints);
  run->path = run->checkpoints = NULL;
}

char *fn_run_dir_file(const fn_run_dir *run, const char *name) {
  return fn_path_join(run->path, name);
}

static fn_status open_log(int *fd, const fn_run_dir *run, const char *name, fn_err *err) {
  FN_AUTO_FREE char *path = fn_run_dir_file(run, name);
  if (!path) return fn_err_no_memory(err, "a path");
  *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  return *fd >= 0 ? FN_OK : fn_err_errno(err, errno, "%s", path);
}

/* One process per run: the lock goes away with the process, however it ends. */
static fn_status lock(fn_run_dir *run, fn_err *err) {
  FN_TRY(fn_lock_open(&run->lock, run->path, O_RDONLY | O_DIRECTORY, 0, err));
  if (run->lock >= 0) return FN_OK;
  return fn_err_set(err, FN_E_INVALID, "%s: another process is training in this run", run->path);
}

static fn_status open_all(fn_run_dir *run, fn_err *err) {
  run->checkpoints = fn_path_join(run->path, "checkpoints");
  if (!run->checkpoints) return fn_err_no_memory(err, "a path");
  FN_TRY(lock(run, err));
  FN_TRY(fn_dir_create(run->checkpoints, err));
  FN_TRY(open_log(&run->metrics, run, "metrics.jsonl", err));
  FN_TRY(open_log(&run->times, run, "times.jsonl", err));
  struct stat st;
  if (fstat(run->metrics, &st) != 0) return fn_err_errno(err, errno, "%s/metrics.jsonl", run->path);
  run->metrics_bytes = st.st_size;
  return FN_OK;
}

/* A name that is safe as part of a path. */
static fn_status check_name(const char *name, fn_err *err) {
  const size_t n = strlen(name);
  bool good = n > 0 && n <= MAX_NAME_BYTES && name[0] != '.';
  for (size_t i = 0; good && i < n; i++) good = (unsigned char)name[i] > ' ' && name[i] != '/' && name[i] != '\\';
  if (good) return FN_OK;
  return fn_err_set(
      err, FN_E_INVALID,
      "name: \"%.*s\" cannot be part of a folder's name: 1 to %d bytes without space, slash or leading dot",
      MAX_NAME_BYTES, name, MAX_NAME_BYTES);
}

/* Folder "<path>.tmp-…" with the files of a new run. */
static fn_status make_folder(char **folder_out, const char *path, const fn_run_file *files, size_t n, fn_err *err) {
  FN_AUTO_BUF fn_buf name;
  fn_buf_init(&name, 1 << 16);
  fn_buf_printf(&name, "%s.tmp-%ld-%llx", path, (long)getpid(), (unsigned long long)fn_clock_ns());
  FN_TRY(fn_buf_check(&name, "a path", err));
  FN_AUTO_FREE char *folder = fn_str_dup(fn_buf_str(&name));
  if (!folder) return fn_err_no_memory(err, "a path");
  fn_status status = fn_dir_create(folder, err);
  for (size_t i = 0; i < n && status == FN_OK; i++) {
    FN_AUTO_FREE char *file = fn_path_join(folder, files[i].name);
    status =
        file ? fn_file_write(file, files[i].text.data, files[i].text.length, err) : fn_err_no_memory(err, "a path");
  }
  if (status != FN_OK) {
    const fn_status removed = fn_dir_remove(folder, NULL); /* the first cause is the one to tell */
    (void)removed;
    return status;
  }
  *folder_out = FN_STEAL(folder);
  return FN_OK;
}

/* Gives the folder its name. *taken: something stands there already. */
static fn_status rename_folder(bool *taken, const char *folder, const char *path, fn_err *err) {
  *taken = false;
  if (rename(folder, path) == 0) return FN_OK;
  *taken = errno == EEXIST || errno == ENOTEMPTY;
  return *taken ? FN_OK : fn_err_errno(err, errno, "%s: cannot be renamed to %s", folder, path);
}

static fn_status sync_parent(const char *path, fn_err *err) {
  FN_AUTO_FREE char *parent = fn_str_dup(fn_str_make(path, (size_t)(fn_path_base(path) - path)));
  if (!parent) return fn_err_no_memory(err, "a path");
  return fn_dir_sync(parent[0] ? parent : ".", err);
}

/* The first free name of this second; whoever renames first has it. */
static fn_status place_under_root(char **path_out, const char *folder, const char *base, fn_err *err) {
  for (int i = 1; i <= MAX_SAME_SECOND; i++) {
    FN_AUTO_BUF fn_buf path;
    fn_buf_init(&path, 1 << 16);
    fn_buf_append_str(&path, base);
    if (i > 1) fn_buf_printf(&path, "-%d", i);
    FN_TRY(fn_buf_check(&path, "the run's path", err));
    bool taken = false;
    FN_TRY(rename_folder(&taken, folder, path.data, err));
    if (taken) continue;
    *path_out = fn_str_dup(fn_buf_str(&path));
    return *path_out ? FN_OK : fn_err_no_memory(err, "a path");
  }
  return fn_err_set(err, FN_E_LIMIT, "%s: more than %d runs were started in this second", base, MAX_SAME_SECOND);
}

static fn_status create_under_root(char **path_out, const char *root, const char *name, int64_t unix_ms,
                                   const fn_run_file *files, size_t n, fn_err *err) {
  FN_TRY(fn_dir_create(root, err));
  char time[21];
  fn_clock_format(time, unix_ms);
  for (char *c = time; *c; c++)
    if (*c == ':') *c = '-';
  FN_AUTO_BUF fn_buf base;
  fn_buf_init(&base, 1 << 16);
  fn_buf_printf(&base, "%s/%s-%s", root, time, name);
  FN_TRY(fn_buf_check(&base, "the run's path", err));
  FN_AUTO_FREE char *folder = NULL;
  FN_TRY(make_folder(&folder, base.data, files, n, err));
  const fn_status status = place_under_root(path_out, folder, base.data, err);
  if (status != FN_OK) {
    const fn_status removed = fn_dir_remove(folder, NULL);
    (void)removed;
  }
  return status;
}

static fn_status refuse_path(const char *path, fn_err *err) {
  if (!fn_path_is_dir(path)) return fn_err_set(err, FN_E_INVALID, "%s: exists and is not a folder", path);
  return fn_err_set(err, FN_E_INVALID,
                    "%s: the folder is not empty; name a new one, or go on with a run by --resume %s", path, path);
}

static bool is_empty_folder(const char *path) {
  char **names = NULL;
  size_t n = 1;
  if (!fn_path_is_dir(path) || fn_dir_list(&names, &n, path, NULL) != FN_OK) return false;
  free(names);
  return n == 0;
}

fn_status fn_run_dir_check(const char *path, const char *name, fn_err *err) {
  FN_TRY(check_name(name, err));
  return path && fn_path_exists(path) && !is_empty_folder(path) ? refuse_path(path, err) : FN_OK;
}

static fn_status create_at(char **path_out, const char *given, const fn_run_file *files, size_t n, fn_err *err) {
  size_t length = strlen(given);
  while (length > 1 && given[length - 1] == '/') length--;
  FN_AUTO_FREE char *path = fn_str_dup(fn_str_make(given, length));
  FN_AUTO_FREE char *folder = NULL;
  if (!path) return fn_err_no_memory(err, "a path");
  if (fn_path_exists(path) && !is_empty_folder(path)) return refuse_path(path, err);
  FN_TRY(make_folder(&folder, path, files, n, err));
  bool taken = false;
  fn_status status = rename_folder(&taken, folder, path, err);
  if (taken) status = refuse_path(path, err);
  if (status != FN_OK) {
    const fn_status removed = fn_dir_remove(folder, NULL);
    (void)removed;
    return status;
  }
  *path_out = FN_STEAL(path);
  return FN_OK;
}

fn_status fn_run_dir_create(fn_run_dir *run_out, const char *path, const char *root, const char *name, int64_t unix_ms,
                            const fn_run_file *files, size_t n_files, fn_err *err) {
  FN_AUTO_RUN_DIR fn_run_dir run = FN_RUN_DIR_INIT;
  if (path)
    FN_TRY(create_at(&run.path, path, files, n_files, err));
  else
    FN_TRY(create_under_root(&run.path, root, name, unix_ms, files, n_files, err));
  FN_TRY(sync_parent(run.path, err));
  FN_TRY(open_all(&run, err));
  *run_out = run;
  run = (fn_run_dir)FN_RUN_DIR_INIT;
  return FN_OK;
}

/* Temporary files of a process that was killed while it wrote. */
static fn_status remove_leftovers(const fn_run_dir *run, fn_err *err) {
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  FN_TRY(fn_dir_list(&names, &n, run->path, err));
  for (size_t i = 0; i < n; i++) {
    if (!strstr(names[i], ".tmp-")) continue;
    FN_AUTO_FREE char *path = fn_run_dir_file(run, names[i]);
    if (!path) return fn_err_no_memory(err, "a path");
    FN_TRY(fn_dir_remove(path, err));
  }
  return FN_OK;
}

fn_status fn_run_dir_open(fn_run_dir *run_out, const char *path, fn_err *err) {
  FN_AUTO_RUN_DIR fn_run_dir run = FN_RUN_DIR_INIT;
  FN_AUTO_FREE char *record = fn_path_join(path, "run.json");
  if (!record) return fn_err_no_memory(err, "a path");
  if (!fn_path_is_dir(path)) return fn_err_set(err, FN_E_NOT_FOUND, "%s: no such run folder", path);
  if (!fn_path_exists(record))
    return fn_err_set(err, FN_E_INVALID, "%s: not the folder of a training run (it has no run.json)", path);
  run.path = fn_str_dup(fn_str_from(path));
  if (!run.path) return fn_err_no_memory(err, "a path");
  FN_TRY(open_all(&run, err));
  FN_TRY(remove_leftovers(&run, err));
  *run_out = run;
  run = (fn_run_dir)FN_RUN_DIR_INIT;
  return FN_OK;
}

fn_status fn_run_dir_set_latest(const fn_run_dir *run, const char *root, fn_err *err) {
  FN_AUTO_FREE char *latest = fn_path_join(root, "latest");
  if (!latest) return fn_err_no_memory(err, "a path");
  return fn_link_replace(latest, fn_path_base(run->path), err);
}

static fn_status append(int fd, const fn_run_dir *run, const char *name, fn_str line, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  fn_buf_append(&text, line.data, line.length);
  fn_buf_append_char(&text, '\n');
  FN_TRY(fn_buf_check(&text, "a line of the log", err));
  for (size_t done = 0; done < text.length;) {
    const ssize_t n = write(fd, text.data + done, text.length - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fn_err_errno(err, errno, "%s/%s", run->path, name);
    done += (size_t)n;
  }
  return FN_OK;
}

fn_status fn_run_dir_metric(fn_run_dir *run, fn_str line, fn_err *err) {
  FN_TRY(append(run->metrics, run, "metrics.jsonl", line, err));
  run->metrics_bytes += (int64_t)line.length + 1;
  return FN_OK;
}

fn_status fn_run_dir_stamp(fn_run_dir *run, const char *what, int64_t step, fn_err *err) {
  const int64_t now_ms = fn_clock_unix_ms();
  char time[21];
  fn_clock_format(time, now_ms);
  FN_AUTO_BUF fn_buf line;
  fn_json_writer w;
  fn_buf_init(&line, 4096);
  fn_json_begin(&w, &line, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "event", what);
  fn_json_int(&w, "step", step);
  fn_json_text(&w, "time", time);
  fn_json_int(&w, "unix_ms", now_ms);
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&line, "a line of the log", err));
  return append(run->times, run, "times.jsonl", fn_buf_str(&line), err);
}

fn_status fn_run_dir_sync(fn_run_dir *run, fn_err *err) {
  if (fsync(run->metrics) != 0) return fn_err_errno(err, errno, "%s/metrics.jsonl", run->path);
  return FN_OK;
}

fn_status fn_run_dir_cut(fn_run_dir *run, int64_t n_bytes, fn_err *err) {
  if (n_bytes > run->metrics_bytes)
    return fn_err_set(err, FN_E_INVALID, "%s/metrics.jsonl: has %lld bytes, the checkpoint knows of %lld", run->path,
                      (long long)run->metrics_bytes, (long long)n_bytes);
  if (ftruncate(run->metrics, n_bytes) != 0)
    return fn_err_errno(err, errno, "%s/metrics.jsonl: cannot be cut back", run->path);
  run->metrics_bytes = n_bytes;
  return fn_run_dir_sync(run, err);
}
