#include "monitor/spool.h"

#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = {'F', 'N', 'S', 'P', 'O', 'O', 'L', '1'};
enum { MAX_FILES = 16, FRAME = 16, PREFIX = 4 };

struct fn_spool {
  pthread_mutex_t mutex;
  char *folder, *path;
  int fd, number;
  uint64_t max_bytes;
  uint64_t size;        /* of the whole records; what lies beyond is cut off */
  uint64_t begin, next; /* first record that is not done with; first after those that were read */
  uint64_t n, n_read;   /* records that are not done with, and how many of them were read */
};

/* One record at data[at…), or 0. */
static size_t frame_at(fn_str *record, fn_str file, size_t at) {
  uint32_t length, zero;
  uint64_t checksum;
  if (file.length - at < FRAME) return 0;
  memcpy(&length, file.data + at, 4);
  memcpy(&zero, file.data + at + 4, 4);
  memcpy(&checksum, file.data + at + 8, 8);
  if (zero != 0 || length == 0 || length > file.length - at - FRAME) return 0;
  *record = fn_str_make(file.data + at + FRAME, length);
  return fn_hash64(record->data, record->length, at) == checksum ? FRAME + (size_t)length : 0;
}

uint64_t fn_spool_scan(fn_str file, bool (*see)(void *arg, fn_str record), void *arg) {
  if (file.length < sizeof magic || memcmp(file.data, magic, sizeof magic) != 0) return 0;
  size_t at = sizeof magic;
  fn_str record;
  for (size_t n; at < file.length && (n = frame_at(&record, file, at)) > 0; at += n)
    if (see && !see(arg, record)) return at + n;
  return at;
}

static fn_status write_at(int fd, const char *path, const void *data, size_t length, uint64_t at, fn_err *err) {
  for (size_t done = 0; done < length;) {
    const ssize_t n = pwrite(fd, (const char *)data + done, length - done, (off_t)(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fn_err_errno(err, errno, "%s", path);
    done += (size_t)n;
  }
  return FN_OK;
}

static fn_status sync_file(int fd, const char *path, fn_err *err) {
  return fdatasync(fd) == 0 ? FN_OK : fn_err_errno(err, errno, "%s", path);
}

static bool count_one(void *arg, fn_str record) {
  (void)record;
  ++*(uint64_t *)arg;
  return true;
}

/* What a file holds, from a mapping of its own. */
static fn_status measure(uint64_t *size_out, uint64_t *n, const char *path, fn_err *err) {
  fn_map map;
  FN_TRY(fn_map_open(&map, path, err));
  *size_out = fn_spool_scan(fn_str_make((const char *)map.data, map.length), count_one, n);
  fn_map_close(&map);
  return FN_OK;
}

/* Cuts off what is no whole record, or makes a new file of it. */
static fn_status begin_file(fn_spool *s, fn_err *err) {
  uint64_t size = 0, n = 0;
  FN_TRY(measure(&size, &n, s->path, err));
  if (ftruncate(s->fd, (off_t)size) != 0) return fn_err_errno(err, errno, "%s", s->path);
  if (size == 0) {
    FN_TRY(write_at(s->fd, s->path, magic, sizeof magic, 0, err));
    FN_TRY(sync_file(s->fd, s->path, err));
    FN_TRY(fn_dir_sync(s->folder, err));
    size = sizeof magic;
  }
  s->size = size;
  s->begin = s->next = sizeof magic;
  s->n = n;
  s->n_read = 0;
  return FN_OK;
}

static char *path_of(const fn_spool *s, int number) {
  char name[32];
  snprintf(name, sizeof name, "spool-%d.fns", number);
  return fn_path_join(s->folder, name);
}

static fn_status take_file(fn_spool *s, int number, bool create, fn_err *err) {
  char *path = path_of(s, number);
  int fd = -1;
  if (!path) return fn_err_no_memory(err, "the spool's path");
  const fn_status status = fn_lock_open(&fd, path, O_RDWR | (create ? O_CREAT : 0), 0600, err);
  if (status != FN_OK || fd < 0) {
    free(path);
    return status;
  }
  if (s->fd >= 0) { /* empty (fn_spool_adopt); removed while it is still locked */
    (void)unlink(s->path);
    close(s->fd);
  }
  free(s->path);
  s->fd = fd;
  s->path = path;
  s->number = number;
  return begin_file(s, err);
}

static fn_status take_first(fn_spool *s, fn_err *err) {
  for (int k = 0; k < MAX_FILES && s->fd < 0; k++) FN_TRY(take_file(s, k, true, err));
  return s->fd >= 0 ? FN_OK
                    : fn_err_set(err, FN_E_IO, "%s: %d processes have their spools here already", s->folder, MAX_FILES);
}

fn_status fn_spool_open(fn_spool **spool_out, const char *folder, uint64_t max_bytes, fn_err *err) {
  fn_spool *s = fn_mem_calloc(1, sizeof *s);
  if (!s) return fn_err_no_memory(err, "a spool");
  s->fd = -1;
  s->max_bytes = max_bytes;
  pthread_mutex_init(&s->mutex, NULL);
  s->folder = fn_str_dup(fn_str_from(folder));
  const fn_status status = s->folder ? take_first(s, err) : fn_err_no_memory(err, "a spool");
  if (status != FN_OK) {
    fn_spool_close(s);
    return status;
  }
  *spool_out = s;
  return FN_OK;
}

void fn_spool_close(fn_spool *s) {
  if (!s) return;
  if (s->fd >= 0) {
    if (s->size == sizeof magic) (void)unlink(s->path); /* while it is still ours */
    close(s->fd);
  }
  pthread_mutex_destroy(&s->mutex);
  free(s->folder);
  free(s->path);
  free(s);
}

static fn_status frame_all(fn_buf *out, uint64_t *n, const fn_spool *s, fn_str records, fn_err *err) {
  for (size_t at = 0; at < records.length;) {
    uint32_t length;
    memcpy(&length, records.data + at, PREFIX);
    const char *data = records.data + at + PREFIX;
    const uint32_t zero = 0;
    const uint64_t checksum = fn_hash64(data, length, s->size + out->length);
    fn_buf_append(out, &length, 4);
    fn_buf_append(out, &zero, 4);
    fn_buf_append(out, &checksum, 8);
    fn_buf_append(out, data, length);
    at += PREFIX + length;
    ++*n;
  }
  return fn_buf_check(out, "rows for the spool", err);
}

static fn_status append(fn_spool *s, fn_str records, fn_err *err) {
  FN_AUTO_BUF fn_buf frames;
  uint64_t n = 0;
  fn_buf_init(&frames, 0);
  FN_TRY(frame_all(&frames, &n, s, records, err));
  if (frames.length > s->max_bytes || s->size > s->max_bytes - frames.length)
    return fn_err_set(err, FN_E_LIMIT, "%s: full, %llu of %llu bytes (predictions.spool_mb)", s->path,
                      (unsigned long long)s->size, (unsigned long long)s->max_bytes);
  fn_status status = write_at(s->fd, s->path, frames.data, frames.length, s->size, err);
  if (status == FN_OK) status = sync_file(s->fd, s->path, err);
  if (status == FN_OK) {
    s->size += frames.length;
    s->n += n;
  } else {
    (void)!ftruncate(s->fd, (off_t)s->size); /* else the next append writes over it */
  }
  return status;
}

fn_status fn_spool_append(fn_spool *s, fn_str records, fn_err *err) {
  pthread_mutex_lock(&s->mutex);
  const fn_status status = append(s, records, err);
  pthread_mutex_unlock(&s->mutex);
  return status;
}

uint64_t fn_spool_bytes(fn_spool *s) {
  pthread_mutex_lock(&s->mutex);
  const uint64_t n = s->size - s->begin;
  pthread_mutex_unlock(&s->mutex);
  return n;
}

uint64_t fn_spool_max_bytes(const fn_spool *s) {
  return s->max_bytes;
}

typedef struct reading {
  fn_buf *out;
  size_t max_bytes;
  uint64_t n, n_records; /* bytes of the file that were taken */
} reading;

/* Walks over the records from `begin` on. FN_E_INVALID: damaged; a file that became shorter is, too. */
static fn_status walk(fn_spool *s, uint64_t begin, bool (*see)(void *arg, fn_str record), void *arg, fn_err *err) {
  fn_map map;
  FN_TRY(fn_map_open(&map, s->path, err));
  const size_t end = (size_t)s->size;
  const fn_str file = fn_str_make((const char *)map.data, map.length < end ? map.length : end);
  fn_str record;
  fn_status status = FN_OK;
  for (size_t at = (size_t)begin, n; at < end; at += n) {
    n = at < file.length ? frame_at(&record, file, at) : 0;
    if (n == 0) status = fn_err_set(err, FN_E_INVALID, "%s: damaged at byte %zu", s->path, at);
    if (n == 0 || !see(arg, record)) break;
  }
  fn_map_close(&map);
  return status;
}

static bool read_one(void *arg, fn_str record) {
  reading *r = arg;
  const uint32_t length = (uint32_t)record.length;
  if (r->out->length > 0 && r->out->length + record.length > r->max_bytes) return false;
  fn_buf_append(r->out, &length, PREFIX);
  fn_buf_append(r->out, record.data, record.length);
  r->n += FRAME + record.length;
  r->n_records++;
  return !r->out->failed;
}

fn_status fn_spool_read(fn_buf *out, bool *more, fn_spool *s, size_t max_bytes, fn_err *err) {
  reading r = {.out = out, .max_bytes = max_bytes};
  fn_buf_reset(out);
  pthread_mutex_lock(&s->mutex);
  fn_status status = s->begin < s->size ? walk(s, s->begin, read_one, &r, err) : FN_OK;
  if (status == FN_E_INVALID && r.n > 0) status = FN_OK; /* first what is whole */
  if (status == FN_OK) status = fn_buf_check(out, "rows of the spool", err);
  if (status == FN_OK) s->next = s->begin + r.n, s->n_read = r.n_records;
  pthread_mutex_unlock(&s->mutex);
  *more = status == FN_OK && r.n > 0;
  return status;
}

static fn_status advance(fn_spool *s, fn_err *err) {
  s->begin = s->next;
  s->n -= s->n_read;
  s->n_read = 0;
  if (s->begin < s->size) return FN_OK;
  if (ftruncate(s->fd, sizeof magic) != 0) return fn_err_errno(err, errno, "%s", s->path);
  s->size = s->begin = s->next = sizeof magic;
  return FN_OK; /* should the old length come back after a power loss, the rows are replayed again and found there */
}

fn_status fn_spool_advance(fn_spool *s, fn_err *err) {
  pthread_mutex_lock(&s->mutex);
  const fn_status status = advance(s, err);
  pthread_mutex_unlock(&s->mutex);
  return status;
}

static fn_status set_aside(fn_spool *s, fn_err *err) {
  char name[48];
  snprintf(name, sizeof name, "spool.damaged-%lld", (long long)fn_clock_unix_ms());
  char *aside = fn_path_join(s->folder, name);
  if (!aside) return fn_err_no_memory(err, "the spool's path");
  const int why = rename(s->path, aside) == 0 ? 0 : errno;
  free(aside);
  if (why != 0 && why != ENOENT) return fn_err_errno(err, why, "%s", s->path);
  if (s->fd >= 0) close(s->fd);
  s->fd = -1;
  s->size = s->begin = s->next = sizeof magic;
  s->n = s->n_read = 0;
  return take_first(s, err);
}

fn_status fn_spool_set_aside(uint64_t *n_lost, fn_spool *s, fn_err *err) {
  pthread_mutex_lock(&s->mutex);
  *n_lost = s->n;
  const fn_status status = set_aside(s, err);
  pthread_mutex_unlock(&s->mutex);
  return status;
}

fn_status fn_spool_each(fn_spool *s, bool (*see)(void *arg, fn_str record), void *arg, fn_err *err) {
  pthread_mutex_lock(&s->mutex);
  const fn_status status = s->begin < s->size ? walk(s, s->begin, see, arg, err) : FN_OK;
  pthread_mutex_unlock(&s->mutex);
  return status;
}

fn_status fn_spool_adopt(bool *taken_out, fn_spool *s, fn_err *err) {
  fn_status status = FN_OK;
  pthread_mutex_lock(&s->mutex);
  const int mine = s->number;
  for (int k = 0; k < MAX_FILES && status == FN_OK && s->size == sizeof magic && s->number == mine; k++)
    if (k != mine) status = take_file(s, k, false, err);
  *taken_out = s->number != mine && s->size > sizeof magic;
  pthread_mutex_unlock(&s->mutex);
  return status;
}
