#include "wandb/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

enum { FRAME = 7, FULL = 1, FIRST = 2, MIDDLE = 3, LAST = 4, MAX_PENDING = 256 * 1024 * 1024 };

struct fn_wandb_log {
  int file;
  char *path;
  uint64_t size; /* flushed */
  fn_buf pending;
};

static void add_frame(fn_wandb_log *log, unsigned char type, const char *data, size_t length) {
  uLong crc = crc32(0, &type, 1);
  if (length > 0) crc = crc32(crc, (const unsigned char *)data, (uInt)length); /* at most a block */
  const unsigned char head[FRAME] = {(unsigned char)crc,
                                     (unsigned char)(crc >> 8),
                                     (unsigned char)(crc >> 16),
                                     (unsigned char)(crc >> 24),
                                     (unsigned char)length,
                                     (unsigned char)(length >> 8),
                                     type};
  fn_buf_append(&log->pending, head, sizeof head);
  fn_buf_append(&log->pending, data, length);
}

void fn_wandb_log_add(fn_wandb_log *log, fn_str record) {
  const char *data = record.data;
  size_t left = record.length;
  bool first = true;
  do {
    size_t room = FN_WANDB_BLOCK - (size_t)((log->size + log->pending.length) % FN_WANDB_BLOCK);
    if (room < FRAME) { /* no frame fits */
      static const char zeros[FRAME] = {0};
      fn_buf_append(&log->pending, zeros, room);
      room = FN_WANDB_BLOCK;
    }
    const size_t n = left < room - FRAME ? left : room - FRAME;
    const bool last = n == left;
    add_frame(log, first ? (last ? FULL : FIRST) : (last ? LAST : MIDDLE), data, n);
    if (n > 0) data += n;
    left -= n;
    first = false;
    if (last) break;
  } while (!log->pending.failed);
}

fn_status fn_wandb_log_flush(fn_wandb_log *log, fn_err *err) {
  if (log->pending.failed) return fn_err_no_memory(err, "records for W&B");
  for (size_t done = 0; done < log->pending.length;) {
    const ssize_t n = write(log->file, log->pending.data + done, log->pending.length - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int error = n < 0 ? errno : ENOSPC;
      if (ftruncate(log->file, (off_t)log->size) != 0) return fn_err_errno(err, errno, "%s", log->path);
      return fn_err_errno(err, error, "%s", log->path);
    }
    done += (size_t)n;
  }
  log->size += log->pending.length;
  fn_buf_reset(&log->pending);
  return FN_OK;
}

fn_status fn_wandb_log_create(fn_wandb_log **log_out, const char *path, fn_err *err) {
  fn_wandb_log *log = fn_mem_calloc(1, sizeof *log);
  if (!log) return fn_err_no_memory(err, "a file for W&B");
  fn_buf_init(&log->pending, MAX_PENDING);
  log->path = fn_str_dup(fn_str_from(path));
  log->file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  fn_status status = FN_OK;
  if (log->file < 0) status = fn_err_errno(err, errno, "%s", path);
  if (status == FN_OK && !log->path) status = fn_err_no_memory(err, "a path");
  if (status == FN_OK) {
    static const unsigned char head[FN_WANDB_HEAD] = {':', 'W', '&', 'B', 0xE1, 0xBE, 0};
    fn_buf_append(&log->pending, head, sizeof head);
    status = fn_wandb_log_flush(log, err);
  }
  if (status != FN_OK) {
    if (log->file >= 0) close(log->file);
    log->file = -1;
    fn_buf_deinit(&log->pending);
    free(log->path);
    free(log);
    return status;
  }
  *log_out = log;
  return FN_OK;
}

fn_status fn_wandb_log_close(fn_wandb_log *log, fn_err *err) {
  if (!log) return FN_OK;
  fn_status status = fn_wandb_log_flush(log, err);
  if (fdatasync(log->file) != 0 && status == FN_OK) status = fn_err_errno(err, errno, "%s", log->path);
  if (close(log->file) != 0 && status == FN_OK) status = fn_err_errno(err, errno, "%s", log->path);
  fn_buf_deinit(&log->pending);
  free(log->path);
  free(log);
  return status;
}
