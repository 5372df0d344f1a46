#include "data/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUFFER = 1 << 18 };

static fn_status failed(const fn_spill *spill, int error, fn_err *err) {
  return fn_err_errno(err, error, "%s: a temporary file", spill->folder);
}

/* A name that nobody else has, gone again at once. */
static int open_unnamed(const char *folder) {
  for (int attempt = 0; attempt < 100; attempt++) {
    FN_AUTO_BUF fn_buf name;
    fn_buf_init(&name, 1 << 16);
    fn_buf_printf(&name, "%s/.fakenews-spill-%ld-%llx", folder, (long)getpid(), (unsigned long long)fn_clock_ns());
    if (name.failed) return errno = ENOMEM, -1;
    int fd = open(name.data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd >= 0) unlink(name.data);
    return fd;
  }
  return -1;
}

fn_status fn_spill_open(fn_spill *spill_out, const char *folder, fn_err *err) {
  fn_spill spill = {.folder = folder, .buffer = fn_mem_alloc(BUFFER, 1)};
  if (!spill.buffer) return fn_err_no_memory(err, "a temporary file");
  spill.fd = open_unnamed(folder);
  if (spill.fd < 0) {
    fn_status status = failed(&spill, errno, err);
    free(spill.buffer);
    return status;
  }
  *spill_out = spill;
  return FN_OK;
}

void fn_spill_close(fn_spill *spill) {
  if (spill->buffer) close(spill->fd);
  free(spill->buffer);
  *spill = (fn_spill){0};
}

fn_status fn_spill_write_at(const fn_spill *spill, uint64_t offset, const void *data, size_t length, fn_err *err) {
  const unsigned char *p = data;
  while (length) {
    ssize_t n = pwrite(spill->fd, p, length, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed(spill, n < 0 ? errno : ENOSPC, err);
    p += n;
    offset += (uint64_t)n;
    length -= (size_t)n;
  }
  return FN_OK;
}

fn_status fn_spill_flush(fn_spill *spill, fn_err *err) {
  FN_TRY(fn_spill_write_at(spill, spill->size - spill->used, spill->buffer, spill->used, err));
  spill->used = 0;
  return FN_OK;
}

fn_status fn_spill_append(fn_spill *spill, const void *data, size_t length, fn_err *err) {
  if (length > BUFFER - spill->used) FN_TRY(fn_spill_flush(spill, err));
  if (length > BUFFER) {
    FN_TRY(fn_spill_write_at(spill, spill->size, data, length, err));
  } else if (length) {
    memcpy(spill->buffer + spill->used, data, length);
    spill->used += length;
  }
  spill->size += length;
  return FN_OK;
}

fn_status fn_spill_read(const fn_spill *spill, uint64_t offset, void *data, size_t length, fn_err *err) {
  unsigned char *p = data;
  while (length) {
    ssize_t n = pread(spill->fd, p, length, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed(spill, n < 0 ? errno : EIO, err);
    p += n;
    offset += (uint64_t)n;
    length -= (size_t)n;
  }
  return FN_OK;
}

fn_status fn_spill_cursor_init(fn_spill_cursor *cursor_out, const fn_spill *spill, uint64_t offset, uint64_t length,
                               size_t capacity, fn_err *err) {
  fn_spill_cursor cursor = {.spill = spill, .offset = offset, .end = offset + length, .capacity = capacity};
  cursor.buffer = fn_mem_alloc(capacity, 1);
  if (!cursor.buffer) return fn_err_no_memory(err, "a temporary file");
  *cursor_out = cursor;
  return FN_OK;
}

void fn_spill_cursor_deinit(fn_spill_cursor *cursor) {
  free(cursor->buffer);
  *cursor = (fn_spill_cursor){0};
}

fn_status fn_spill_next(const void **item_out, bool *more_out, fn_spill_cursor *c, size_t length, fn_err *err) {
  if (c->filled - c->at < length) {
    size_t rest = c->filled - c->at;
    memmove(c->buffer, c->buffer + c->at, rest);
    c->at = 0;
    c->filled = rest;
    uint64_t left = c->end - c->offset;
    size_t n = left < c->capacity - rest ? (size_t)left : c->capacity - rest;
    FN_TRY(fn_spill_read(c->spill, c->offset, c->buffer + rest, n, err));
    c->offset += n;
    c->filled += n;
  }
  *more_out = c->filled - c->at >= length && length > 0;
  *item_out = c->buffer + c->at;
  if (*more_out) c->at += length;
  return FN_OK;
}
