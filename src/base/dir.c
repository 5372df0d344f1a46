#define _XOPEN_SOURCE 700 /* nftw */
#include "base/file.h"
#include "base/sha256.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY ".tmp-"

/* After a stat that failed: is it sure that there is nothing? */
static bool is_missing(void) {
  return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG || errno == ELOOP || errno == EINVAL;
}

bool fn_path_exists(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0 || !is_missing();
}

bool fn_path_is_dir(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? S_ISDIR(st.st_mode) : !is_missing();
}

char *fn_path_join(const char *a, const char *b) {
  fn_buf buf;
  fn_buf_init(&buf, 1 << 16);
  if (b[0] != '/' && a[0]) {
    fn_buf_append_str(&buf, a);
    if (buf.length && buf.data[buf.length - 1] != '/') fn_buf_append_char(&buf, '/');
  }
  fn_buf_append_str(&buf, b);
  if (buf.failed) fn_buf_deinit(&buf);
  return buf.data;
}

fn_status fn_path_real(char **path_out, const char *path, fn_err *err) {
  *path_out = realpath(path, NULL);
  return *path_out ? FN_OK : fn_err_errno(err, errno, "%s", path);
}

const char *fn_path_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

fn_status fn_dir_create(const char *path, fn_err *err) {
  FN_AUTO_FREE char *copy = fn_str_dup(fn_str_from(path));
  if (!copy) return fn_err_no_memory(err, path);
  for (char *p = copy;; p++) {
    if (*p && (*p != '/' || p == copy)) continue;
    bool last = *p == 0;
    *p = 0;
    if (mkdir(copy, 0777) != 0 && (errno != EEXIST || (last && !fn_path_is_dir(copy))))
      return fn_err_errno(err, errno == ENOENT ? EIO : errno, "%s: cannot make this folder", copy);
    if (last) return FN_OK;
    *p = '/';
  }
}

fn_status fn_dir_create_beside(char **folder_out, const char *path, fn_err *err) {
  unsigned char random[8];
  char digits[2 * sizeof random + 1];
  FN_AUTO_BUF fn_buf name;
  fn_buf_init(&name, 1 << 16);
  FN_TRY(fn_random_bytes(random, sizeof random, err));
  fn_hex_format(digits, random, sizeof random);
  fn_buf_printf(&name, "%s%s%s", path, TEMPORARY, digits);
  FN_TRY(fn_buf_check(&name, "a path", err));
  FN_TRY(fn_dir_create(name.data, err));
  *folder_out = FN_STEAL(name.data);
  return FN_OK;
}

bool fn_dir_is_beside(const char *name, const char *base) {
  const size_t n = strlen(base);
  return strncmp(name, base, n) == 0 && strncmp(name + n, TEMPORARY, strlen(TEMPORARY)) == 0;
}

void fn_dir_sweep(const char *parent, int64_t before_ms) {
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  struct stat st;
  if (fn_dir_list(&names, &n, parent, NULL) != FN_OK) return;
  for (size_t i = 0; i < n; i++) {
    if (!strstr(names[i], TEMPORARY)) continue;
    FN_AUTO_FREE char *path = fn_path_join(parent, names[i]);
    if (!path || lstat(path, &st) != 0 || !S_ISDIR(st.st_mode)) continue;
    if ((int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000 >= before_ms) continue;
    const fn_status removed = fn_dir_remove(path, NULL);
    (void)removed;
  }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)st, (void)type, (void)ftw;
  return remove(path) == 0 || errno == ENOENT ? 0 : errno;
}

fn_status fn_dir_remove(const char *path, fn_err *err) {
  if (!fn_path_exists(path)) return FN_OK;
  int r = nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  if (r != 0) return fn_err_errno(err, r > 0 ? r : errno, "%s: cannot be removed", path);
  return FN_OK;
}

static int by_bytes(const void *a, const void *b) {
  const char *const *x = a, *const *y = b;
  return strcmp(*x, *y);
}

fn_status fn_dir_list(char ***names_out, size_t *n_out, const char *path, fn_err *err) {
  DIR *dir = opendir(path);
  if (!dir) return fn_err_errno(err, errno, "%s", path);
  fn_buf text;
  fn_buf_init(&text, 64 << 20);
  size_t n = 0;
  struct dirent *entry;
  while ((entry = readdir(dir))) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    fn_buf_append(&text, entry->d_name, strlen(entry->d_name) + 1);
    n++;
  }
  closedir(dir);
  fn_status status = fn_buf_check(&text, path, err);
  size_t bytes;
  char **names = NULL;
  if (status == FN_OK) {
    if (!fn_size_mul(&bytes, n + 1, sizeof *names) || !fn_size_add(&bytes, bytes, text.length + 1) ||
        !(names = malloc(bytes)))
      status = fn_err_no_memory(err, path);
  }
  if (status == FN_OK) {
    char *copy = (char *)(names + n + 1);
    if (text.length) memcpy(copy, text.data, text.length);
    for (size_t i = 0; i < n; i++) {
      names[i] = copy;
      copy += strlen(copy) + 1;
    }
    names[n] = NULL;
    qsort(names, n, sizeof *names, by_bytes);
    *names_out = names;
    *n_out = n;
  }
  fn_buf_deinit(&text);
  return status;
}

fn_status fn_dir_sync(const char *path, fn_err *err) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fn_err_errno(err, errno, "%s", path);
  fn_status status = FN_OK;
  if (fsync(fd) != 0 && errno != EINVAL) status = fn_err_errno(err, errno, "%s", path);
  close(fd);
  return status;
}

fn_status fn_path_rename(const char *from, const char *to, fn_err *err) {
  if (rename(from, to) != 0) return fn_err_errno(err, errno, "%s: cannot be renamed to %s", from, to);
  return FN_OK;
}

fn_status fn_link_replace(const char *path, const char *target, fn_err *err) {
  fn_buf temporary;
  fn_buf_init(&temporary, 1 << 16);
  fn_buf_printf(&temporary, "%s.tmp-%ld", path, (long)getpid());
  fn_status status = fn_buf_check(&temporary, path, err);
  if (status == FN_OK) {
    unlink(temporary.data);
    if (symlink(target, temporary.data) != 0)
      status = fn_err_errno(err, errno, "%s: cannot make this link", path);
    else if (rename(temporary.data, path) != 0) {
      status = fn_err_errno(err, errno, "%s: cannot be replaced", path);
      unlink(temporary.data);
    }
  }
  fn_buf_deinit(&temporary);
  return status;
}

/* ---- copying ---- */

enum { COPY_PIECE = 1 << 20, COPY_DEPTH = 32 };

static fn_status copy_bytes(int from, int to, const char *from_path, const char *to_path, fn_err *err) {
  FN_AUTO_FREE char *piece = fn_mem_alloc(COPY_PIECE, 1);
  if (!piece) return fn_err_no_memory(err, from_path);
  for (;;) {
    const ssize_t n = read(from, piece, COPY_PIECE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fn_err_errno(err, errno, "%s", from_path);
    if (n == 0) return FN_OK;
    for (ssize_t at = 0, done; at < n; at += done) {
      done = write(to, piece + at, (size_t)(n - at));
      if (done < 0 && errno == EINTR) done = 0;
      if (done < 0) return fn_err_errno(err, errno, "%s", to_path);
    }
  }
}

static fn_status copy_file(const char *from, const char *to, fn_err *err) {
  struct stat st;
  const int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would wait for its writer */
  if (in < 0) return fn_err_errno(err, errno, "%s", from);
  fn_status status = fstat(in, &st) == 0 ? FN_OK : fn_err_errno(err, errno, "%s", from);
  if (status == FN_OK && !S_ISREG(st.st_mode))
    status = fn_err_set(err, FN_E_INVALID, "%s: neither a file nor a folder", from);
  const int out = status == FN_OK ? open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
  if (status == FN_OK && out < 0) status = fn_err_errno(err, errno, "%s", to);
  if (status == FN_OK) status = copy_bytes(in, out, from, to, err);
  if (out >= 0 && close(out) != 0 && status == FN_OK) status = fn_err_errno(err, errno, "%s", to);
  close(in);
  return status;
}

static fn_status copy_tree(const char *from, const char *to, int depth, fn_err *err) {
  if (!fn_path_is_dir(from)) return copy_file(from, to, err);
  if (depth == COPY_DEPTH) return fn_err_set(err, FN_E_LIMIT, "%s: folders below folders, over %d", from, COPY_DEPTH);
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  FN_TRY(fn_dir_list(&names, &n, from, err));
  FN_TRY(fn_dir_create(to, err));
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *a = fn_path_join(from, names[i]);
    FN_AUTO_FREE char *b = fn_path_join(to, names[i]);
    if (!a || !b) return fn_err_no_memory(err, "a path");
    FN_TRY(copy_tree(a, b, depth + 1, err));
  }
  return FN_OK;
}

fn_status fn_tree_copy(const char *from, const char *to, fn_err *err) {
  return copy_tree(from, to, 0, err);
}
