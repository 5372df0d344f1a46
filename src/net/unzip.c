#include "net/unzip.h"

#include "base/library.h"
#include "net/url.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <zip.h>
#include <zlib.h>

enum { PIECE = 1 << 17 };

#define STAGING ".unpack"

/* X(name): zip_name of libzip is the member `name`. */
#define ZIP_FUNCTIONS(X)                                                                                               \
  X(open)                                                                                                              \
  X(discard)                                                                                                           \
  X(get_num_entries)                                                                                                   \
  X(stat_index)                                                                                                        \
  X(file_get_external_attributes)                                                                                      \
  X(fopen_index)                                                                                                       \
  X(fread)                                                                                                             \
  X(fclose)                                                                                                            \
  X(strerror)                                                                                                          \
  X(file_strerror)                                                                                                     \
  X(error_init_with_code)                                                                                              \
  X(error_strerror)                                                                                                    \
  X(error_fini)

typedef struct zip_functions {
#define ZIP_MEMBER(name) __typeof__(zip_##name) *name;
  ZIP_FUNCTIONS(ZIP_MEMBER)
#undef ZIP_MEMBER
} zip_functions;

/* Written once under pthread_once, read-only afterwards. */
static zip_functions library;
static fn_err failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  static const char *const names[] = {"libzip.so.5", "libzip.so.4", NULL};
  static const fn_symbol symbols[] = {
#define SYMBOL(member) {"zip_" #member, offsetof(zip_functions, member)},
      ZIP_FUNCTIONS(SYMBOL)
#undef SYMBOL
  };
  if (fn_library_load(&library, names, symbols, FN_COUNT_OF(symbols), "libzip4", &failure) != FN_OK)
    return; /* kept in failure */
}

struct fn_unzipped {
  char *folder, *staging;
};

typedef struct entry {
  zip_uint64_t index;
  fn_str name; /* the archive's own */
  uint64_t size;
  uint32_t crc;
} entry;

typedef struct unzipping {
  const zip_functions *z;
  zip_t *zip;
  const fn_unzip_request *request;
  const fn_unzipped *to;
  fn_arena arena;
  entry *entries; /* [n] files */
  size_t n;
  uint64_t total, done;
} unzipping;

static fn_status open_archive(unzipping *u, fn_err *err) {
  int code = 0;
  u->zip = u->z->open(u->request->archive, ZIP_RDONLY, &code);
  if (u->zip) return FN_OK;
  zip_error_t error;
  u->z->error_init_with_code(&error, code);
  fn_status status =
      fn_err_set(err, code == ZIP_ER_MEMORY ? FN_E_NO_MEMORY : FN_E_INVALID, "%s: cannot be read as a ZIP archive: %s",
                 u->request->archive, u->z->error_strerror(&error));
  u->z->error_fini(&error);
  return status;
}

/* Whether the entry is a link or a device: types of Unix in the upper half of its attributes. */
static bool is_special(const unzipping *u, zip_uint64_t index) {
  zip_uint8_t system = 0;
  zip_uint32_t attributes = 0;
  if (u->z->file_get_external_attributes(u->zip, index, 0, &system, &attributes) != 0) return false;
  const unsigned type = (attributes >> 16) & S_IFMT;
  return system == ZIP_OPSYS_UNIX && type != 0 && type != S_IFREG && type != S_IFDIR;
}

/* Names that are taken in the folder while it is filled: the first part must be none of them. */
static bool is_reserved(const unzipping *u, fn_str name) {
  const char *slash = memchr(name.data, '/', name.length);
  const fn_str first = fn_str_make(name.data, slash ? (size_t)(slash - name.data) : name.length);
  const char *archive = fn_path_base(u->request->archive);
  return fn_str_is(first, FN_RECEIPT_NAME) || fn_str_is(first, STAGING) || fn_str_is(first, archive) ||
         (fn_str_starts_with(first, archive) && fn_str_ends_with(first, ".json"));
}

static fn_status look_at(unzipping *u, zip_uint64_t index, fn_err *err) {
  const char *archive = u->request->archive, *why;
  zip_stat_t st;
  if (u->z->stat_index(u->zip, index, 0, &st) != 0)
    return fn_err_set(err, FN_E_INVALID, "%s: %s", archive, u->z->strerror(u->zip));
  const zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_CRC;
  if ((st.valid & needed) != needed)
    return fn_err_set(err, FN_E_INVALID, "%s: an entry without a name or size", archive);
  fn_str name = fn_str_from(st.name);
  const bool folder = name.length > 1 && name.data[name.length - 1] == '/';
  if (folder) name.length--;
  if (!fn_name_is_inside(name, &why))
    return fn_err_set(err, FN_E_INVALID, "%s: refused: the name \"%.200s\" inside it %s", archive, st.name, why);
  if (is_special(u, index))
    return fn_err_set(err, FN_E_INVALID, "%s: refused: \"%.200s\" inside it is a link or a device", archive, st.name);
  if ((st.valid & ZIP_STAT_ENCRYPTION_METHOD) && st.encryption_method != ZIP_EM_NONE)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: \"%.200s\" inside it is encrypted", archive, st.name);
  if (folder) return FN_OK;
  if (is_reserved(u, name))
    return fn_err_set(err, FN_E_INVALID, "%s: refused: it holds \"%.200s\", a name that this program keeps for itself",
                      archive, st.name);
  if (st.size > u->request->max_bytes || u->total > u->request->max_bytes - st.size)
    return fn_err_set(err, FN_E_LIMIT, "%s: unpacks to more than the %llu bytes that %s allows", archive,
                      (unsigned long long)u->request->max_bytes, u->request->max_key);
  u->total += st.size;
  u->entries[u->n++] = (entry){index, name, st.size, st.crc};
  return FN_OK;
}

static int by_name(const void *a, const void *b) {
  const entry *x = a, *y = b;
  return strcmp(x->name.data, y->name.data);
}

static fn_status look_at_all(unzipping *u, fn_err *err) {
  const zip_int64_t n = u->z->get_num_entries(u->zip, 0);
  if (n > FN_UNZIP_MAX_FILES)
    return fn_err_set(err, FN_E_LIMIT, "%s: %lld files inside; at most %d are unpacked", u->request->archive,
                      (long long)n, FN_UNZIP_MAX_FILES);
  u->entries = fn_arena_alloc(&u->arena, n > 0 ? (size_t)n : 1, sizeof *u->entries);
  if (!u->entries) return fn_err_no_memory(err, u->request->archive);
  for (zip_int64_t i = 0; i < n; i++) FN_TRY(look_at(u, (zip_uint64_t)i, err));
  if (u->n == 0) return fn_err_set(err, FN_E_INVALID, "%s: no file is in this archive", u->request->archive);
  qsort(u->entries, u->n, sizeof *u->entries, by_name);
  for (size_t i = 1; i < u->n; i++)
    if (fn_str_equal(u->entries[i - 1].name, u->entries[i].name))
      return fn_err_set(err, FN_E_INVALID, "%s: refused: \"%.200s\" stands in it twice", u->request->archive,
                        u->entries[i].name.data);
  return FN_OK;
}

/* CRC-32 of a file. */
static fn_status crc_of(uint32_t *crc_out, const char *path, fn_err *err) {
  fn_map map;
  FN_TRY(fn_map_open(&map, path, err));
  uLong crc = crc32_z(0, NULL, 0);
  if (map.length) crc = crc32_z(crc, map.data, map.length);
  fn_map_close(&map);
  *crc_out = (uint32_t)crc;
  return FN_OK;
}

/* A file that stands where an entry goes must have its content, unless it may be replaced. */
static fn_status check_targets(const unzipping *u, fn_err *err) {
  for (size_t i = 0; i < u->n; i++) {
    const entry *e = &u->entries[i];
    FN_AUTO_FREE char *path = fn_path_join(u->request->folder, e->name.data);
    if (!path) return fn_err_no_memory(err, e->name.data);
    struct stat st;
    if (lstat(path, &st) != 0) {
      if (errno != ENOTDIR) continue;
      return fn_err_set(err, FN_E_INVALID, "%s: a file is in the way of a folder of this path", path);
    }
    if (u->request->replace) continue;
    uint32_t crc = 0;
    bool same = S_ISREG(st.st_mode) && (uint64_t)st.st_size == e->size;
    if (same) FN_TRY(crc_of(&crc, path, err));
    if (!same || crc != e->crc)
      return fn_err_set(err, FN_E_INVALID,
                        "%s is there already and is another file than the one in the archive; "
                        "--replace overwrites it",
                        path);
  }
  return FN_OK;
}

static fn_status make_parent(const char *path, fn_err *err) {
  const char *base = fn_path_base(path);
  FN_AUTO_FREE char *parent = fn_str_dup(fn_str_make(path, (size_t)(base - path)));
  if (!parent) return fn_err_no_memory(err, path);
  return fn_dir_create(parent, err);
}

static fn_status copy_out(unzipping *u, zip_file_t *file, const entry *e, fn_writer *writer, unsigned char *piece,
                          fn_err *err) {
  for (uint64_t size = 0;;) {
    zip_int64_t n = u->z->fread(file, piece, PIECE);
    if (n < 0)
      return fn_err_set(err, FN_E_INVALID, "%s: \"%.200s\" inside it is damaged: %s", u->request->archive, e->name.data,
                        u->z->file_strerror(file));
    size += (uint64_t)n;
    if (size > e->size || (n == 0 && size != e->size))
      return fn_err_set(err, FN_E_INVALID, "%s: \"%.200s\" inside it has not the size that the archive says",
                        u->request->archive, e->name.data);
    if (n == 0) return FN_OK;
    FN_TRY(fn_writer_write(writer, piece, (size_t)n, err));
    u->done += (uint64_t)n;
    if (u->request->progress && !u->request->progress(u->request->arg, u->done, u->total))
      return fn_err_set(err, FN_E_CANCELLED, "stopped while unpacking");
  }
}

static fn_status unpack_one(unzipping *u, const entry *e, unsigned char *piece, fn_receipt *receipt, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(u->to->staging, e->name.data);
  if (!path) return fn_err_no_memory(err, e->name.data);
  FN_TRY(make_parent(path, err));
  zip_file_t *file = u->z->fopen_index(u->zip, e->index, 0);
  if (!file)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: \"%.200s\" inside it cannot be unpacked: %s", u->request->archive,
                      e->name.data, u->z->strerror(u->zip));
  FN_AUTO_WRITER fn_writer writer = {0};
  fn_status status = fn_writer_open(&writer, path, err);
  if (status == FN_OK) status = copy_out(u, file, e, &writer, piece, err);
  u->z->fclose(file);
  if (status == FN_OK) status = fn_writer_commit(&writer, err);
  FN_TRY(status);
  fn_digests digests;
  FN_TRY(fn_digest_file(&digests, path, NULL, NULL, err));
  return fn_receipt_add(receipt, e->name.data, e->size, digests.sha256, err);
}

static fn_status unpack(unzipping *u, fn_receipt *receipt, fn_err *err) {
  FN_TRY(open_archive(u, err));
  FN_TRY(look_at_all(u, err));
  FN_TRY(check_targets(u, err));
  FN_AUTO_FREE unsigned char *piece = fn_mem_alloc(PIECE, 1);
  if (!piece) return fn_err_no_memory(err, u->request->archive);
  FN_TRY(fn_dir_remove(u->to->staging, err)); /* of a process that was killed */
  FN_TRY(fn_dir_create(u->to->staging, err));
  for (size_t i = 0; i < u->n; i++) FN_TRY(unpack_one(u, &u->entries[i], piece, receipt, err));
  return FN_OK;
}

fn_status fn_unzip(fn_unzipped **unzipped_out, fn_receipt *receipt, const fn_unzip_request *request, fn_err *err) {
  pthread_once(&once, load);
  if (failure.status != FN_OK) return fn_err_set(err, failure.status, "ZIP archives: %s", failure.message);
  fn_unzipped *to = fn_mem_calloc(1, sizeof *to);
  if (to) *to = (fn_unzipped){fn_str_dup(fn_str_from(request->folder)), fn_path_join(request->folder, STAGING)};
  if (!to || !to->folder || !to->staging) {
    if (to) free(to->folder), free(to->staging);
    free(to);
    return fn_err_no_memory(err, request->archive);
  }
  unzipping u = {.z = &library, .request = request, .to = to};
  fn_arena_init(&u.arena);
  fn_status status = unpack(&u, receipt, err);
  fn_arena_deinit(&u.arena);
  if (u.zip) u.z->discard(u.zip);
  if (status != FN_OK) {
    fn_unzipped_destroy(to);
    return status;
  }
  *unzipped_out = to;
  return FN_OK;
}

fn_status fn_unzipped_place(fn_unzipped *unzipped, const fn_receipt *receipt, fn_err *err) {
  for (size_t i = 0; i < receipt->n_files; i++) {
    FN_AUTO_FREE char *from = fn_path_join(unzipped->staging, receipt->files[i].name);
    FN_AUTO_FREE char *to = fn_path_join(unzipped->folder, receipt->files[i].name);
    if (!from || !to) return fn_err_no_memory(err, receipt->files[i].name);
    FN_TRY(make_parent(to, err));
    FN_TRY(fn_path_rename(from, to, err));
  }
  return fn_dir_sync(unzipped->folder, err);
}

void fn_unzipped_destroy(fn_unzipped *unzipped) {
  if (!unzipped) return;
  const fn_status removed = fn_dir_remove(unzipped->staging, NULL);
  (void)removed; /* what stays is removed by the next call */
  free(unzipped->folder);
  free(unzipped->staging);
  free(unzipped);
}
