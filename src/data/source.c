#include "data/source.h"

#include "data/zstd_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { PIECE = 1 << 16 };

struct fn_source {
  char *name;
  int fd; /* -1: bytes come from read */
  fn_read read;
  void *arg;
  bool gzip, member_open, ended; /* member_open: inside a gzip member or a zstd frame */
  z_stream inflater;
  fn_zstd_reader *zstd;   /* NULL: not zstd */
  fn_source_watch *watch; /* NULL: nobody's */
  size_t begin, end;      /* raw bytes not used yet: piece[begin, end) */
  unsigned char piece[PIECE];
};

static fn_status read_file(void *arg, void *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  const fn_source *source = arg;
  for (;;) {
    ssize_t n = read(source->fd, buffer, capacity);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fn_err_errno(err, errno, "%s: reading failed", source->name);
    *n_out = (size_t)n;
    return FN_OK;
  }
}

static void watch(const fn_source *source, size_t n) {
  if (!source->watch) return;
  fn_hasher_add(source->watch->hasher, source->piece, n);
  source->watch->n_bytes += n;
}

void fn_source_set_watch(fn_source *source, fn_source_watch *watched) {
  source->watch = watched;
  watch(source, source->end);
}

/* Refills the empty piece. */
static fn_status fill(fn_source *source, fn_err *err) {
  source->begin = source->end = 0;
  size_t n;
  FN_TRY(source->read(source->arg, source->piece, PIECE, &n, err));
  source->end = n;
  watch(source, n);
  if (n == 0) source->ended = true;
  return FN_OK;
}

/* A file whose name promises what its bytes are not. */
static fn_status check_name(const fn_source *source, fn_err *err) {
  static const struct {
    const char *ending, *name, *begin;
  } kinds[] = {{".gz", "gzip", "0x1f 0x8b"}, {".zst", "zstd", "0x28 0xb5 0x2f 0xfd"}};
  for (size_t i = 0; i < FN_COUNT_OF(kinds); i++)
    if (fn_str_ends_with(fn_str_from(source->name), kinds[i].ending))
      return fn_err_set(
          err, FN_E_INVALID,
          "%s: named %s, but it is not %s (it begins with 0x%02x, %s with %s); unpacked files are accepted "
          "under a name without %s",
          source->name, kinds[i].ending, kinds[i].name, source->piece[0], kinds[i].name, kinds[i].begin,
          kinds[i].ending);
  return FN_OK;
}

/* Looks at the first four bytes and decides whether this is gzip or zstd. */
static fn_status begin(fn_source *source, fn_err *err) {
  while (source->end < 4 && !source->ended) {
    size_t n;
    FN_TRY(source->read(source->arg, source->piece + source->end, PIECE - source->end, &n, err));
    source->end += n;
    if (n == 0) source->ended = true;
  }
  source->gzip = source->end >= 2 && source->piece[0] == 0x1F && source->piece[1] == 0x8B;
  if (source->gzip) {
    if (inflateInit2(&source->inflater, 15 + 16) != Z_OK) {
      source->gzip = false;
      return fn_err_no_memory(err, "the gzip reader");
    }
    source->member_open = true;
    return FN_OK;
  }
  if (fn_zstd_begins(source->piece, source->end)) {
    fn_err local = {0};
    fn_status status = fn_zstd_reader_create(&source->zstd, &local);
    if (status != FN_OK) return fn_err_set(err, status, "%s: %s", source->name, local.message);
    return FN_OK;
  }
  return source->end > 0 ? check_name(source, err) : FN_OK;
}

static fn_status create(fn_source **source_out, int fd, fn_read read, void *arg, const char *name, fn_err *err) {
  fn_source *source = fn_mem_calloc(1, sizeof *source);
  char *copy = source ? fn_str_dup(fn_str_from(name)) : NULL;
  if (!copy) {
    free(source);
    if (fd >= 0) close(fd);
    return fn_err_no_memory(err, "an input");
  }
  source->name = copy;
  source->fd = fd;
  source->read = read ? read : read_file;
  source->arg = read ? arg : source;
  fn_status status = begin(source, err);
  if (status != FN_OK) {
    fn_source_close(source);
    return status;
  }
  *source_out = source;
  return FN_OK;
}

fn_status fn_source_open(fn_source **source_out, const char *path, fn_err *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fn_err_errno(err, errno, "%s", path);
  struct stat st;
  if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
    close(fd);
    return fn_err_set(err, FN_E_INVALID, "%s: a folder; a CSV, JSON lines or text file is accepted", path);
  }
  return create(source_out, fd, NULL, NULL, path, err);
}

fn_status fn_source_open_stream(fn_source **source_out, fn_read read, void *arg, const char *name, fn_err *err) {
  return create(source_out, -1, read, arg, name, err);
}

void fn_source_close(fn_source *source) {
  if (!source) return;
  if (source->gzip) inflateEnd(&source->inflater);
  fn_zstd_reader_destroy(source->zstd);
  if (source->fd >= 0) close(source->fd);
  free(source->name);
  free(source);
}

/* After the end of a member: another one, zero padding (as tar and tapes leave it), or the end. */
static fn_status next_member(fn_source *source, fn_err *err) {
  for (;;) {
    while (source->begin < source->end && source->piece[source->begin] == 0) source->begin++;
    if (source->begin < source->end) break;
    if (source->ended) return FN_OK;
    FN_TRY(fill(source, err));
  }
  if (source->piece[source->begin] != 0x1F)
    return fn_err_set(err, FN_E_INVALID, "%s: bytes that are not gzip follow the gzip data", source->name);
  if (inflateReset(&source->inflater) != Z_OK) return fn_err_set(err, FN_E_INTERNAL, "%s: gzip reset", source->name);
  source->member_open = true;
  return FN_OK;
}

static fn_status read_gzip(fn_source *source, unsigned char *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  size_t n = 0;
  while (n == 0 && capacity > 0) {
    if (!source->member_open) {
      FN_TRY(next_member(source, err));
      if (!source->member_open) break;
    }
    if (source->begin == source->end && !source->ended) FN_TRY(fill(source, err));
    if (source->begin == source->end)
      return fn_err_set(err, FN_E_INVALID, "%s: the gzip data end too early: the file is cut", source->name);
    size_t room = capacity - n < UINT32_MAX ? capacity - n : UINT32_MAX;
    size_t there = source->end - source->begin;
    source->inflater.next_in = source->piece + source->begin;
    source->inflater.avail_in = (uInt)there;
    source->inflater.next_out = buffer + n;
    source->inflater.avail_out = (uInt)room;
    int result = inflate(&source->inflater, Z_NO_FLUSH);
    source->begin += there - source->inflater.avail_in;
    n += room - source->inflater.avail_out;
    if (result == Z_STREAM_END)
      source->member_open = false;
    else if (result == Z_MEM_ERROR)
      return fn_err_no_memory(err, "the gzip reader");
    else if (result != Z_OK && result != Z_BUF_ERROR)
      return fn_err_set(err, FN_E_INVALID, "%s: damaged gzip data (%s)", source->name,
                        source->inflater.msg ? source->inflater.msg : "wrong check sum");
  }
  *n_out = n;
  return FN_OK;
}

static fn_status read_zstd(fn_source *source, unsigned char *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  size_t n = 0;
  while (n == 0 && capacity > 0) {
    size_t used;
    bool between;
    if (source->begin == source->end && !source->ended) FN_TRY(fill(source, err));
    size_t there = source->end - source->begin;
    if (there == 0 && !source->member_open) break;
    const char *wrong =
        fn_zstd_reader_step(&used, &n, &between, source->zstd, source->piece + source->begin, there, buffer, capacity);
    if (wrong) return fn_err_set(err, FN_E_INVALID, "%s: damaged zstd data (%s)", source->name, wrong);
    source->begin += used;
    source->member_open = !between;
    if (there == 0 && n == 0)
      return fn_err_set(err, FN_E_INVALID, "%s: the zstd data end too early: the file is cut", source->name);
  }
  *n_out = n;
  return FN_OK;
}

fn_status fn_source_read(fn_source *source, void *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  if (source->gzip) return read_gzip(source, buffer, capacity, n_out, err);
  if (source->zstd) return read_zstd(source, buffer, capacity, n_out, err);
  if (source->begin == source->end && !source->ended) FN_TRY(fill(source, err));
  size_t n = source->end - source->begin;
  if (n > capacity) n = capacity;
  memcpy(buffer, source->piece + source->begin, n);
  source->begin += n;
  *n_out = n;
  return FN_OK;
}
