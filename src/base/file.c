#include "base/file.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

fn_status fn_file_read(fn_buf *buf, const char *path, size_t max_bytes, fn_err *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fn_err_errno(err, errno, "%s", path);
  fn_status status = FN_OK;
  size_t total = 0;
  char chunk[1 << 16];
  for (;;) {
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) status = fn_err_errno(err, errno == ENOENT ? EIO : errno, "%s", path);
    if (n <= 0) break;
    total += (size_t)n;
    if (total > max_bytes) {
      status = fn_err_set(err, FN_E_LIMIT, "%s: longer than %zu bytes", path, max_bytes);
      break;
    }
    fn_buf_append(buf, chunk, (size_t)n);
    if (buf->failed) {
      status = fn_buf_check(buf, path, err);
      break;
    }
  }
  close(fd);
  return status;
}

fn_status fn_map_open(fn_map *map_out, const char *path, fn_err *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe without a writer is refused, not waited for */
  if (fd < 0) return fn_err_errno(err, errno, "%s", path);
  struct stat st;
  if (fstat(fd, &st) != 0) {
    fn_status status = fn_err_errno(err, errno, "%s", path);
    close(fd);
    return status;
  }
  if (!S_ISREG(st.st_mode)) {
    close(fd);
    return fn_err_set(err, FN_E_INVALID, "%s: not a regular file", path);
  }
  fn_map map = {0};
  if (st.st_size > 0) {
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
      fn_status status = fn_err_errno(err, errno, "%s: cannot be mapped", path);
      close(fd);
      return status;
    }
    map = (fn_map){p, (size_t)st.st_size};
  }
  close(fd);
  *map_out = map;
  return FN_OK;
}

void fn_map_close(fn_map *map) {
  if (map->data) {
    const void *p = map->data;
    munmap((void *)(uintptr_t)p, map->length);
  }
  *map = (fn_map){0};
}

/* Opens a new file beside path, with the permissions of mode that the user's umask leaves. */
static int open_temporary(fn_buf *name, const char *path, mode_t mode) {
  for (int attempt = 0; attempt < 100; attempt++) {
    fn_buf_reset(name);
    fn_buf_printf(name, "%s.tmp-%ld-%llx", path, (long)getpid(), (unsigned long long)fn_clock_ns());
    if (name->failed) {
      errno = ENOMEM;
      return -1;
    }
    int fd = open(name->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  return -1;
}

/* What path leads to, for a link is written through. A device or a pipe must never be replaced, nor what /dev/stdout
 * leads to: *special_out says that it takes bytes as they come. */
static fn_status resolve_target(char **name_out, bool *special_out, const char *path, fn_err *err) {
  struct stat st;
  const bool exists = stat(path, &st) == 0;
  const bool descriptor =
      strncmp(path, "/dev/std", 8) == 0 || strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/", 6) == 0;
  *special_out = exists && (descriptor || !S_ISREG(st.st_mode));
  if (exists && S_ISDIR(st.st_mode))
    return fn_err_set(err, FN_E_INVALID, "%s: a folder; the name of a file is accepted", path);
  if (exists && !*special_out) return fn_path_real(name_out, path, err);
  *name_out = fn_str_dup(fn_str_from(path));
  return *name_out ? FN_OK : fn_err_no_memory(err, path);
}

static fn_status open_writer(fn_writer *writer_out, const char *path, mode_t mode, fn_err *err) {
  FN_AUTO_BUF fn_buf temporary;
  fn_buf_init(&temporary, 1 << 16);
  bool special;
  FN_AUTO_FREE char *name = NULL;
  FN_TRY(resolve_target(&name, &special, path, err));
  int fd = special ? open(name, O_WRONLY | O_APPEND | O_CLOEXEC) : open_temporary(&temporary, name, mode);
  if (fd < 0) return fn_err_errno(err, errno, "%s: cannot be written", path);
  FILE *file = fdopen(fd, "wb");
  if (!file) {
    const fn_status status = fn_err_errno(err, errno, "%s: cannot be written", path);
    close(fd);
    if (!special) unlink(temporary.data);
    return status;
  }
  *writer_out = (fn_writer){.file = file, .path = FN_STEAL(name), .temporary = FN_STEAL(temporary.data)};
  return FN_OK;
}

fn_status fn_writer_open(fn_writer *writer_out, const char *path, fn_err *err) {
  return open_writer(writer_out, path, 0666, err);
}

fn_status fn_writer_write(fn_writer *writer, const void *data, size_t length, fn_err *err) {
  if (writer->error == 0 && length > 0 && fwrite(data, 1, length, writer->file) != length)
    writer->error = errno ? errno : EIO;
  if (writer->error) return fn_err_errno(err, writer->error, "%s: cannot be written", writer->path);
  writer->n_bytes += length;
  return FN_OK;
}

fn_status fn_writer_patch(fn_writer *writer, uint64_t offset, const void *data, size_t length, fn_err *err) {
  if (writer->error == 0 && (fseeko(writer->file, (off_t)offset, SEEK_SET) != 0 ||
                             fwrite(data, 1, length, writer->file) != length || fseeko(writer->file, 0, SEEK_END) != 0))
    writer->error = errno ? errno : EIO;
  if (writer->error) return fn_err_errno(err, writer->error, "%s: cannot be written", writer->path);
  return FN_OK;
}

static fn_status sync_parent(const char *path, fn_err *err) {
  const char *base = fn_path_base(path);
  char *parent = base == path ? fn_str_dup(fn_str_from(".")) : fn_str_dup(fn_str_make(path, (size_t)(base - path)));
  if (!parent) return fn_err_no_memory(err, path);
  fn_status status = fn_dir_sync(parent, err);
  free(parent);
  return status;
}

fn_status fn_writer_commit(fn_writer *writer, fn_err *err) {
  const bool renamed = writer->temporary != NULL;
  if (writer->error == 0 && fflush(writer->file) != 0) writer->error = errno ? errno : EIO;
  if (writer->error == 0 && renamed && fsync(fileno(writer->file)) != 0 && errno != EINVAL) writer->error = errno;
  if (fclose(writer->file) != 0 && writer->error == 0) writer->error = errno;
  writer->file = NULL;
  if (writer->error == 0 && renamed && rename(writer->temporary, writer->path) != 0) writer->error = errno;
  fn_status status = FN_OK;
  if (writer->error) {
    if (renamed) unlink(writer->temporary);
    status = fn_err_errno(err, writer->error, "%s: cannot be written", writer->path);
  } else if (renamed) {
    status = sync_parent(writer->path, err);
  }
  fn_writer_abort(writer);
  return status;
}

void fn_writer_abort(fn_writer *writer) {
  if (writer->file) {
    fclose(writer->file);
    if (writer->temporary) unlink(writer->temporary);
  }
  free(writer->path);
  free(writer->temporary);
  *writer = (fn_writer){0};
}

static fn_status write_file(const char *path, mode_t mode, const void *data, size_t length, fn_err *err) {
  fn_writer writer;
  FN_TRY(open_writer(&writer, path, mode, err));
  fn_status status = fn_writer_write(&writer, data, length, err);
  if (status == FN_OK) status = fn_writer_commit(&writer, err);
  fn_writer_abort(&writer);
  return status;
}

fn_status fn_file_write(const char *path, const void *data, size_t length, fn_err *err) {
  return write_file(path, 0666, data, length, err);
}

fn_status fn_file_write_private(const char *path, const void *data, size_t length, fn_err *err) {
  return write_file(path, 0600, data, length, err);
}
