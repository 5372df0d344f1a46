#include "registry/model_copy.h"

#include "base/lock.h"
#include "net/url.h"
#include "track/file_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILES = 100000, MAX_DEPTH = 32, MAX_SEAL_BYTES = 64 << 20, HOUR_MS = 3600 * 1000 };

/* ---- what a copy consists of ---- */

typedef struct file {
  char *path; /* inside the copy; "" when it is one file */
  char sha256[65];
  int64_t n_bytes, mtime_ns, ctime_ns;
  uint64_t inode;
} file;

typedef struct files {
  file *list;
  size_t n, capacity;
} files;

static void files_deinit(files *f) {
  for (size_t i = 0; i < f->n; i++) free(f->list[i].path);
  free(f->list);
}

static fn_status add(files *f, const file *one, fn_str path, fn_err *err) {
  void *list = f->list;
  FN_TRY(fn_mem_grow(&list, &f->capacity, f->n + 1, sizeof *f->list, MAX_FILES, "files of a copy", err));
  f->list = list;
  f->list[f->n] = *one;
  f->list[f->n].path = fn_str_dup(path);
  if (f->list[f->n].path == NULL) return fn_err_no_memory(err, "files of a copy");
  f->n++;
  return FN_OK;
}

static int64_t nanoseconds(struct timespec t) {
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static char *below(const char *root, const char *path) {
  return *path ? fn_path_join(root, path) : fn_str_dup(fn_str_from(root));
}

/* In an order that depends on the names alone. FN_E_INVALID: something that is no file of a model. */
static fn_status walk(files *f, const char *root, const char *path, int depth, fn_err *err) {
  struct stat st;
  FN_AUTO_FREE char *whole = below(root, path);
  if (whole == NULL) return fn_err_no_memory(err, "a path");
  if (lstat(whole, &st) != 0) return fn_err_errno(err, errno, "%s", whole);
  if (S_ISREG(st.st_mode)) {
    const file one = {.n_bytes = st.st_size,
                      .mtime_ns = nanoseconds(st.st_mtim),
                      .ctime_ns = nanoseconds(st.st_ctim),
                      .inode = st.st_ino};
    return add(f, &one, fn_str_from(path), err);
  }
  if (!S_ISDIR(st.st_mode) || depth == MAX_DEPTH) return fn_err_set(err, FN_E_INVALID, "%s: no file of a model", whole);
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  FN_TRY(fn_dir_list(&names, &n, whole, err));
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *inside = *path ? fn_path_join(path, names[i]) : fn_str_dup(fn_str_from(names[i]));
    if (inside == NULL) return fn_err_no_memory(err, "a path");
    FN_TRY(walk(f, root, inside, depth + 1, err));
  }
  return FN_OK;
}

static fn_status hash(file *one, const char *root, fn_err *err) {
  int64_t n_bytes;
  FN_AUTO_FREE char *whole = below(root, one->path);
  if (whole == NULL) return fn_err_no_memory(err, "a path");
  return fn_file_sha256(one->sha256, &n_bytes, whole, err);
}

/* ---- seals ---- */

static fn_status seal_path(char **out, const char *path, fn_err *err) {
  FN_AUTO_BUF fn_buf name;
  fn_buf_init(&name, 1 << 16);
  fn_buf_printf(&name, "%s.checked", path);
  FN_TRY(fn_buf_check(&name, "a path", err));
  *out = FN_STEAL(name.data);
  return FN_OK;
}

static fn_status write_seal(const char *seal, const files *f, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_SEAL_BYTES);
  for (size_t i = 0; i < f->n; i++) {
    const file *one = &f->list[i];
    fn_buf_printf(&text, "%s %" PRId64 " %" PRId64 " %" PRId64 " %" PRIu64 " %s\n", one->sha256, one->n_bytes,
                  one->mtime_ns, one->ctime_ns, one->inode, one->path);
  }
  FN_TRY(fn_buf_check(&text, "the seal of a copy", err));
  return fn_file_write(seal, text.data, text.length, err);
}

/* False for a line that is none of ours. */
static bool parse_line(file *one, fn_str *path, const char *line, size_t n) {
  char head[200];
  int at = 0;
  snprintf(head, sizeof head, "%.*s", (int)(n < sizeof head ? n : sizeof head - 1), line);
  *one = (file){.path = NULL};
  if (sscanf(head, "%64[0-9a-f] %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNu64 " %n", one->sha256, &one->n_bytes,
             &one->mtime_ns, &one->ctime_ns, &one->inode, &at) != 5 ||
      at == 0 || (size_t)at > n || strlen(one->sha256) != 64)
    return false;
  *path = fn_str_make(line + at, n - (size_t)at);
  return true;
}

/* FN_E_NOT_FOUND: there is none, or a text that is none. */
static fn_status read_seal(files *f, const char *seal, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  FN_TRY(fn_file_read(&text, seal, MAX_SEAL_BYTES, err));
  if (text.length == 0) return fn_err_set(err, FN_E_NOT_FOUND, "%s: no seal of a copy", seal);
  for (const char *line = text.data, *end = text.data + text.length; line < end;) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    file one;
    fn_str path;
    if (stop == NULL || !parse_line(&one, &path, line, (size_t)(stop - line)))
      return fn_err_set(err, FN_E_NOT_FOUND, "%s: no seal of a copy", seal);
    FN_TRY(add(f, &one, path, err));
    line = stop + 1;
  }
  return FN_OK;
}

static fn_status seal_copy(const char *root, const char *seal, fn_err *err) {
  files f = {.n = 0};
  fn_status status = walk(&f, root, "", 0, err);
  for (size_t i = 0; i < f.n && status == FN_OK; i++) {
    const char *why = "";
    if (f.list[i].path[0] && !fn_name_is_inside(fn_str_from(f.list[i].path), &why))
      status = fn_err_set(err, FN_E_INVALID, "the file \"%.200s\" of a model %s", f.list[i].path, why);
    if (status == FN_OK) status = hash(&f.list[i], root, err);
  }
  if (status == FN_OK && f.n == 0) status = fn_err_set(err, FN_E_NOT_FOUND, "%s: there is no file in it", root);
  if (status == FN_OK) status = write_seal(seal, &f, err);
  files_deinit(&f);
  return status;
}

/* ---- checking ---- */

/* Takes the digests that still hold; *changed: some had to be computed. */
static bool compare(files *is, const files *was, const char *root, bool *changed) {
  *changed = false;
  if (is->n != was->n) return false;
  for (size_t i = 0; i < is->n; i++) {
    file *a = &is->list[i];
    const file *b = &was->list[i];
    if (a->n_bytes != b->n_bytes || strcmp(a->path, b->path) != 0) return false;
    if (a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns && a->inode == b->inode) {
      memcpy(a->sha256, b->sha256, sizeof a->sha256);
      continue;
    }
    *changed = true;
    if (hash(a, root, NULL) != FN_OK || strcmp(a->sha256, b->sha256) != 0) return false;
  }
  return true;
}

static int64_t changed_ms(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0 ? nanoseconds(st.st_mtim) / 1000000 : -1;
}

/* A cache that cannot be written to is used all the same: then nothing is remembered. */
static void note_use(const char *seal, const files *f, bool changed) {
  if (changed) {
    const fn_status written = write_seal(seal, f, NULL);
    (void)written;
  } else if (changed_ms(seal) < fn_clock_unix_ms() - HOUR_MS) {
    const int touched = utimensat(AT_FDCWD, seal, NULL, 0);
    (void)touched;
  }
}

/* Whether what stands at path is what the seal says. */
static bool is_whole(const char *path, const char *seal) {
  files was = {.n = 0}, is = {.n = 0};
  bool changed = false, whole = false;
  if (read_seal(&was, seal, NULL) == FN_OK && walk(&is, path, "", 0, NULL) == FN_OK)
    whole = compare(&is, &was, path, &changed);
  if (whole) note_use(seal, &is, changed);
  files_deinit(&was);
  files_deinit(&is);
  return whole;
}

fn_status fn_copy_check(bool *whole_out, const char *path, fn_err *err) {
  FN_AUTO_FREE char *seal = NULL;
  *whole_out = false;
  FN_TRY(seal_path(&seal, path, err));
  *whole_out = fn_path_exists(path) && is_whole(path, seal);
  return FN_OK;
}

/* ---- making ---- */

/* The seal is there before the copy, so that no copy is without one. */
static fn_status fill(const char *path, const char *inner, const char *seal, fn_copy_get get, void *arg, fn_err *err) {
  FN_TRY(get(arg, inner, err));
  FN_TRY(seal_copy(inner, seal, err));
  if (fn_path_rename(inner, path, err) == FN_OK) return FN_OK;
  bool whole = false; /* somebody else was faster */
  const fn_status checked = fn_copy_check(&whole, path, NULL);
  if (checked != FN_OK || !whole) return err ? err->status : FN_E_IO;
  if (err) *err = (fn_err){0};
  return FN_OK;
}

/* Takes what stands there out of the way by rename: whoever reads it meanwhile keeps it, and a good copy that another
 * process has put there since it was looked at comes back. */
static fn_status put_aside(bool *mended_out, const char *path, const char *seal, const char *temporary, fn_err *err) {
  FN_AUTO_FREE char *aside = fn_path_join(temporary, "aside");
  *mended_out = false;
  if (aside == NULL) return fn_err_no_memory(err, "a path");
  if (!fn_path_exists(path)) return FN_OK;
  if (rename(path, aside) != 0) return errno == ENOENT ? FN_OK : fn_err_errno(err, errno, "%s", path);
  *mended_out = is_whole(aside, seal) && rename(aside, path) == 0;
  return FN_OK;
}

/* A folder that is being filled is locked; one that is not belongs to a process that was killed. */
static int lock_folder(const char *path) {
  int fd;
  return fn_lock_open(&fd, path, O_RDONLY | O_DIRECTORY, 0, NULL) == FN_OK ? fd : -1;
}

/* Removes what processes that were killed in their fetch left beside the copy: a server that is killed again and again
 * would fill the disk. One that was made just now may not be locked yet. */
static void sweep_dead(const char *path) {
  enum { NEW_MS = 60000 };
  FN_AUTO_FREE char *folder = fn_str_dup(fn_str_make(path, (size_t)(fn_path_base(path) - path)));
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  if (folder == NULL || fn_dir_list(&names, &n, folder, NULL) != FN_OK) return;
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *one = fn_path_join(folder, names[i]);
    if (one == NULL || !fn_dir_is_beside(names[i], fn_path_base(path))) continue;
    if (changed_ms(one) > fn_clock_unix_ms() - NEW_MS) continue;
    const int lock = lock_folder(one);
    if (lock < 0) continue;
    const fn_status removed = fn_dir_remove(one, NULL);
    (void)removed;
    close(lock);
  }
}

fn_status fn_copy_make(const char *path, fn_copy_get get, void *arg, fn_err *err) {
  FN_AUTO_FREE char *seal = NULL, *temporary = NULL;
  bool mended = false;
  FN_TRY(seal_path(&seal, path, err));
  sweep_dead(path);
  FN_TRY(fn_dir_create_beside(&temporary, path, err));
  const int lock = lock_folder(temporary);
  FN_AUTO_FREE char *inner = fn_path_join(temporary, "copy");
  fn_status status = inner ? put_aside(&mended, path, seal, temporary, err) : fn_err_no_memory(err, "a path");
  if (status == FN_OK && !mended) status = fill(path, inner, seal, get, arg, err);
  const fn_status removed = fn_dir_remove(temporary, NULL);
  (void)removed;
  if (lock >= 0) close(lock);
  return status;
}

/* ---- tidying ---- */

/* When something in the folder of a copy, or the folder itself, was used last. */
static int64_t used_ms(const char *folder) {
  FN_AUTO_FREE char *seal = NULL;
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  int64_t last = changed_ms(folder);
  if (seal_path(&seal, folder, NULL) != FN_OK || fn_dir_list(&names, &n, folder, NULL) != FN_OK) return INT64_MAX;
  if (changed_ms(seal) > last) last = changed_ms(seal);
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *inside = fn_path_join(folder, names[i]);
    if (inside == NULL) return INT64_MAX;
    if (changed_ms(inside) > last) last = changed_ms(inside);
  }
  return last;
}

static bool is_linked(const char *parent, char *const *names, size_t n, const char *name) {
  char target[300];
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *path = fn_path_join(parent, names[i]);
    const ssize_t length = path ? readlink(path, target, sizeof target - 1) : -1;
    if (length < 0) continue;
    target[length] = '\0';
    if (strcmp(target, name) == 0) return true;
  }
  return false;
}

void fn_copy_tidy(const char *parent) {
  enum { DAY_MS = 24 * HOUR_MS };
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  struct stat st;
  fn_dir_sweep(parent, fn_clock_unix_ms() - DAY_MS);
  if (fn_dir_list(&names, &n, parent, NULL) != FN_OK) return;
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *path = fn_path_join(parent, names[i]);
    FN_AUTO_FREE char *seal = NULL;
    if (path == NULL || lstat(path, &st) != 0 || !S_ISDIR(st.st_mode)) continue;
    if (used_ms(path) >= fn_clock_unix_ms() - FN_COPY_DAYS * (int64_t)DAY_MS) continue;
    if (is_linked(parent, names, n, names[i]) || seal_path(&seal, path, NULL) != FN_OK) continue;
    const fn_status removed = fn_dir_remove(path, NULL), unsealed = fn_dir_remove(seal, NULL);
    (void)removed, (void)unsealed;
  }
}
