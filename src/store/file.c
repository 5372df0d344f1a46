/* A folder as a store. */
#include "store/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 18, MAX_DEPTH = 64 };
/* From here on libcrypto's SHA-256 pays for being loaded: it is several times faster than ours. */
#define LARGE_BYTES ((int64_t)4 << 20)

static char *path_of(const fn_store *store, const char *key) {
  return fn_path_join(store->state, key);
}

/* What a failure to write into the folder means to a user. */
static fn_status explain_write(const fn_store *store, const char *path, fn_status status, fn_err *err) {
  if (status != FN_E_IO && status != FN_E_INVALID) return status;
  /* The nearest folder that is there decides. */
  FN_AUTO_FREE char *folder = fn_str_dup(fn_str_from(path));
  if (!folder) return status;
  for (char *slash = strrchr(folder, '/'); slash; slash = strrchr(folder, '/')) {
    *slash = 0;
    struct stat st;
    if (stat(*folder ? folder : "/", &st) != 0) continue;
    if (access(*folder ? folder : "/", W_OK) == 0 || (errno != EROFS && errno != EACCES)) return status;
    const int reason = errno;
    (void)fn_err_errno(err, reason, "%.300s: this store can only be read: %.300s cannot be written to", store->uri,
                       *folder ? folder : "/");
    if (err) err->status = FN_E_INVALID;
    return FN_E_INVALID;
  }
  return status;
}

typedef struct copy {
  const fn_store *store;
  const char *from, *to, *name; /* name: what is shown */
  fn_sha256 sha;
  fn_digester *digester; /* instead; NULL for small files and without libcrypto */
} copy;

static fn_status copy_bytes(copy *c, fn_writer *w, int fd, int64_t total, fn_err *err) {
  FN_AUTO_FREE char *piece = fn_mem_alloc(PIECE, 1);
  if (!piece) return fn_err_no_memory(err, c->from);
  FN_TRY(fn_store_tell(c->store, (fn_download_event){.kind = FN_DOWNLOAD_BEGIN, .text = c->name, .total = total}, err));
  for (uint64_t done = 0;;) {
    ssize_t n = read(fd, piece, PIECE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fn_err_errno(err, errno, "%s: reading failed", c->from);
    if (n == 0) return FN_OK;
    if (c->digester) FN_TRY(fn_digester_add(c->digester, piece, (size_t)n, err));
    if (!c->digester) fn_sha256_add(&c->sha, piece, (size_t)n);
    FN_TRY(fn_writer_write(w, piece, (size_t)n, err));
    done += (uint64_t)n;
    FN_TRY(fn_store_tell(
        c->store, (fn_download_event){.kind = FN_DOWNLOAD_DATA, .text = c->name, .n_bytes = done, .total = total},
        err));
  }
}

static fn_status check_copy(copy *c, const char *wanted, fn_err *err) {
  fn_sums is = {.kinds = FN_SUM_SHA256}, should = {.kinds = wanted ? FN_SUM_SHA256 : 0};
  if (c->digester) {
    fn_digests digests;
    FN_TRY(fn_digester_end(&digests, c->digester, err));
    memcpy(is.sha256, digests.sha256, sizeof is.sha256);
  } else {
    unsigned char digest[FN_SHA256_BYTES];
    fn_sha256_get(&c->sha, digest);
    fn_hex_format(is.sha256, digest, sizeof digest);
  }
  if (wanted) memcpy(should.sha256, wanted, sizeof should.sha256);
  return fn_sums_check(&is, &should, c->name, err);
}

/* from → to, which appears only when its digest is the one that was wanted. */
static fn_status copy_file(copy *c, const char *wanted, fn_err *err) {
  const int fd = open(c->from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fn_err_errno(err, errno, "%s", c->from);
  struct stat st;
  fn_status status = fstat(fd, &st) == 0 ? FN_OK : fn_err_errno(err, errno, "%s", c->from);
  if (status == FN_OK && !S_ISREG(st.st_mode))
    status = fn_err_set(err, S_ISDIR(st.st_mode) ? FN_E_NOT_FOUND : FN_E_INVALID, "%s: not a regular file", c->from);
  FN_AUTO_WRITER fn_writer w = {0};
  if (status == FN_OK) status = fn_writer_open(&w, c->to, err);
  fn_sha256_init(&c->sha);
  if (status == FN_OK && wanted && st.st_size >= LARGE_BYTES &&
      fn_digester_create(&c->digester, FN_DIGEST_SHA256, NULL) != FN_OK)
    c->digester = NULL;
  if (status == FN_OK) status = copy_bytes(c, &w, fd, (int64_t)st.st_size, err);
  if (status == FN_OK) status = check_copy(c, wanted, err);
  fn_digester_destroy(c->digester);
  close(fd);
  FN_TRY(status);
  return fn_writer_commit(&w, err);
}

static fn_status file_get(fn_store *store, const char *key, const char *to_path, const char *sha256, fn_err *err) {
  FN_AUTO_FREE char *path = path_of(store, key);
  if (!path) return fn_err_no_memory(err, key);
  copy c = {.store = store, .from = path, .to = to_path, .name = path};
  return copy_file(&c, sha256, err);
}

static fn_status file_put(fn_store *store, const char *key, const char *from_path, const char *sha256, fn_err *err) {
  FN_AUTO_FREE char *path = path_of(store, key);
  if (!path) return fn_err_no_memory(err, key);
  copy c = {.store = store, .from = from_path, .to = path, .name = path};
  struct stat st;
  if (stat(from_path, &st) != 0) return fn_err_errno(err, errno, "%s", from_path);
  fn_status status = fn_store_make_parents(path, err);
  if (status == FN_OK) status = copy_file(&c, sha256, err);
  return status == FN_OK ? FN_OK : explain_write(store, path, status, err);
}

static fn_status file_read(fn_buf *out, fn_store *store, const char *key, size_t max_bytes, fn_err *err) {
  FN_AUTO_FREE char *path = path_of(store, key);
  if (!path) return fn_err_no_memory(err, key);
  return fn_file_read(out, path, max_bytes, err);
}

static fn_status file_write(fn_store *store, const char *key, fn_str data, fn_err *err) {
  FN_AUTO_FREE char *path = path_of(store, key);
  if (!path) return fn_err_no_memory(err, key);
  fn_status status = fn_store_make_parents(path, err);
  if (status == FN_OK) status = fn_file_write(path, data.data, data.length, err);
  return status == FN_OK ? FN_OK : explain_write(store, path, status, err);
}

static fn_status file_stat(fn_store_entry *entry_out, fn_store *store, const char *key, fn_err *err) {
  FN_AUTO_FREE char *path = path_of(store, key);
  struct stat st;
  if (!path) return fn_err_no_memory(err, key);
  if (stat(path, &st) != 0) return fn_err_errno(err, errno, "%s", path);
  if (!S_ISREG(st.st_mode)) return fn_err_set(err, FN_E_NOT_FOUND, "%s: a folder, not a file", path);
  *entry_out = (fn_store_entry){.key = key,
                                .size_bytes = (uint64_t)st.st_size,
                                .modified_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000};
  return FN_OK;
}

static fn_status file_remove(fn_store *store, const char *key, fn_err *err) {
  FN_AUTO_FREE char *path = path_of(store, key);
  if (!path) return fn_err_no_memory(err, key);
  if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR) return FN_OK;
  if (errno == EISDIR) return fn_err_set(err, FN_E_INVALID, "%s: a folder, not a file", path);
  const fn_status status = fn_err_errno(err, errno, "%s: cannot be removed", path);
  return explain_write(store, path, status, err);
}

/* ---- list */

/* Names that fn_writer gives to what is not whole yet, NAME.tmp-PID-TIME; after a crash they may stay. */
static bool is_temporary(const char *name) {
  const char *mark = strstr(name, ".tmp-");
  if (!mark) return false;
  mark += 5 + strspn(mark + 5, "0123456789");
  return *mark == '-' && mark[1] && strspn(mark + 1, "0123456789abcdef") == strlen(mark + 1);
}

typedef struct listing {
  fn_store *store;
  fn_status (*each)(void *arg, const fn_store_entry *entry, fn_err *err);
  void *arg;
} listing;

static fn_status list_folder(const listing *l, const char *folder, int depth, fn_err *err);

static fn_status list_one(const listing *l, const char *key, int depth, fn_err *err) {
  FN_AUTO_FREE char *path = path_of(l->store, key);
  struct stat st;
  const char *why;
  if (!path) return fn_err_no_memory(err, key);
  if (!fn_name_is_inside(fn_str_from(key), &why)) return FN_OK; /* no key: nothing of ours */
  if (stat(path, &st) != 0) return errno == ENOENT || errno == ELOOP ? FN_OK : fn_err_errno(err, errno, "%s", path);
  if (S_ISDIR(st.st_mode)) return list_folder(l, key, depth + 1, err);
  if (!S_ISREG(st.st_mode)) return FN_OK;
  const fn_store_entry entry = {.key = key,
                                .size_bytes = (uint64_t)st.st_size,
                                .modified_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000};
  return l->each(l->arg, &entry, err);
}

static fn_status list_folder(const listing *l, const char *folder, int depth, fn_err *err) {
  FN_AUTO_FREE char *path = *folder ? path_of(l->store, folder) : fn_str_dup(fn_str_from(l->store->state));
  FN_AUTO_FREE char **names = NULL;
  size_t n;
  if (!path) return fn_err_no_memory(err, folder);
  if (depth > MAX_DEPTH)
    return fn_err_set(err, FN_E_LIMIT, "%s: more than %d folders inside each other", path, MAX_DEPTH);
  fn_err local = {0};
  const fn_status status = fn_dir_list(&names, &n, path, &local);
  if (status == FN_E_NOT_FOUND) return FN_OK;
  if (status != FN_OK) return fn_err_set(err, status, "%s", local.message);
  for (size_t i = 0; i < n; i++) {
    if (is_temporary(names[i])) continue;
    FN_AUTO_FREE char *key = *folder ? fn_path_join(folder, names[i]) : fn_str_dup(fn_str_from(names[i]));
    if (!key) return fn_err_no_memory(err, folder);
    FN_TRY(list_one(l, key, depth, err));
  }
  return FN_OK;
}

static fn_status file_list(fn_store *store, const char *folder,
                           fn_status (*each)(void *arg, const fn_store_entry *entry, fn_err *err), void *arg,
                           fn_err *err) {
  const listing l = {store, each, arg};
  return list_folder(&l, folder, 0, err);
}

static void file_close(fn_store *store) {
  free(store->state);
}

fn_status fn_store_open_file(fn_store *store, const char *path, fn_err *err) {
  static const fn_store_driver driver = {.lacks = "",
                                         .get = file_get,
                                         .put = file_put,
                                         .read = file_read,
                                         .write = file_write,
                                         .list = file_list,
                                         .stat = file_stat,
                                         .remove = file_remove,
                                         .close = file_close};
  struct stat st;
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') n--;
  char *root = fn_str_dup(fn_str_make(path, n));
  if (!root) return fn_err_no_memory(err, path);
  if (stat(root, &st) == 0 && !S_ISDIR(st.st_mode)) {
    const fn_status status = fn_err_set(err, FN_E_INVALID, "%s: a file; an artifact store is a folder", root);
    free(root);
    return status;
  }
  store->driver = &driver;
  store->state = root;
  return FN_OK;
}
