#define _GNU_SOURCE /* sync_file_range */
#include "net/part.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_STATE = 1 << 16, MAX_RANGES = 1 << 16 };

/* Reads the state; false when there is none, it is damaged, or it belongs to another address. */
static bool load_state(fn_part *part, const char *url) {
  FN_AUTO_JSON json_t *state = NULL;
  fn_err ignored = {0};
  const char *saved, *validator, *name;
  int64_t range;
  if (!fn_path_exists(part->state_path)) return false;
  if (fn_json_load(&state, part->state_path, MAX_STATE, &ignored) != FN_OK) return false;
  const int64_t unknown = -1, none = 0;
  if (fn_json_get_string(&saved, state, "url", NULL, "", &ignored) != FN_OK ||
      fn_json_get_string(&validator, state, "validator", "", "", &ignored) != FN_OK ||
      fn_json_get_string(&name, state, "name", "", "", &ignored) != FN_OK ||
      fn_json_get_int(&part->total, state, "size_bytes", -1, INT64_MAX, &unknown, "", &ignored) != FN_OK ||
      fn_json_get_int(&range, state, "range_bytes", 0, INT64_MAX, &none, "", &ignored) != FN_OK)
    return false;
  part->range_bytes = (uint64_t)range;
  char clean[FN_NAME_MAX + 1];
  if (strcmp(saved, url) != 0 || strlen(validator) >= sizeof part->validator) return false;
  if (name[0] && (!fn_name_clean(clean, fn_str_from(name)) || strcmp(clean, name) != 0)) return false;
  memcpy(part->validator, validator, strlen(validator) + 1);
  memcpy(part->name, name, strlen(name) + 1);
  return true;
}

static fn_status save_state(const fn_part *part, const char *url, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, MAX_STATE);
  fn_json_writer w;
  fn_json_begin(&w, &text, 2);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "url", url);
  fn_json_text(&w, "validator", part->validator);
  fn_json_text(&w, "name", part->name);
  fn_json_int(&w, "size_bytes", part->total);
  if (part->range_bytes) fn_json_int(&w, "range_bytes", (int64_t)part->range_bytes);
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&text, part->state_path, err));
  return fn_file_write(part->state_path, text.data, text.length, err);
}

/* ---- ranges */

static void forget_ranges(fn_part *part) {
  free(part->has);
  part->has = NULL;
  part->range_bytes = part->n_ranges = 0;
}

static fn_status make_ranges(fn_part *part, fn_err *err) {
  part->n_ranges = (size_t)(((uint64_t)part->total + part->range_bytes - 1) / part->range_bytes);
  part->has = fn_mem_calloc(part->n_ranges, 1);
  return part->has ? FN_OK : fn_err_no_memory(err, part->path);
}

uint64_t fn_part_length(const fn_part *part) {
  return part->range_bytes ? (uint64_t)part->total + part->n_ranges : part->size;
}

/* Reads which ranges are whole; false when the file is not as its state says. */
static bool load_ranges(fn_part *part) {
  if (part->total <= 0 || (uint64_t)part->total / part->range_bytes >= MAX_RANGES) return false;
  if (make_ranges(part, NULL) != FN_OK || part->size != fn_part_length(part)) return false;
  if (pread(part->fd, part->has, part->n_ranges, (off_t)part->total) != (ssize_t)part->n_ranges) return false;
  part->size = 0;
  for (size_t i = 0; i < part->n_ranges && part->has[i]; i++) part->size += part->range_bytes;
  if (part->size < (uint64_t)part->total) return true;
  /* All of it is there: the last range is fetched again, so that the server says whether it is still the same. */
  part->has[part->n_ranges - 1] = 0;
  part->size -= part->range_bytes;
  return true;
}

fn_status fn_part_split(fn_part *part, uint64_t range_bytes, const char *url, fn_err *err) {
  const uint64_t least = (uint64_t)part->total / (MAX_RANGES / 2) + 1;
  part->range_bytes = range_bytes > least ? range_bytes : least;
  FN_TRY(make_ranges(part, err));
  for (size_t i = 0; i < part->size / part->range_bytes; i++) part->has[i] = 1;
  /* The state last, here and in fn_part_join: until it is saved the file is longer than the whole, which no server goes
   * on with, and whoever opens it meanwhile leaves it as it is. */
  if (ftruncate(part->fd, (off_t)fn_part_length(part)) != 0)
    return fn_err_errno(err, errno, "%s: cannot be written", part->path);
  FN_TRY(fn_part_write_at(part, (uint64_t)part->total, part->has, part->n_ranges, err));
  return save_state(part, url, err);
}

fn_status fn_part_note(fn_part *part, size_t range, fn_err *err) {
  part->has[range] = 1;
  return fn_part_write_at(part, (uint64_t)part->total + range, &part->has[range], 1, err);
}

fn_status fn_part_join(fn_part *part, const char *url, fn_err *err) {
  forget_ranges(part);
  FN_TRY(save_state(part, url, err));
  if (ftruncate(part->fd, (off_t)part->total) != 0)
    return fn_err_errno(err, errno, "%s: cannot be written", part->path);
  part->size = (uint64_t)part->total;
  return FN_OK;
}

/* ---- opening, writing */

static fn_status open_file(fn_part *part, const char *url, fn_err *err) {
  part->fd = open(part->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  struct stat st;
  if (part->fd < 0 || fstat(part->fd, &st) != 0) return fn_err_errno(err, errno, "%s: cannot be written", part->path);
  if (!S_ISREG(st.st_mode)) return fn_err_set(err, FN_E_INVALID, "%s: not a regular file", part->path);
  part->size = (uint64_t)st.st_size;
  if (part->size == 0) return FN_OK;
  if (load_state(part, url) && (!part->range_bytes || load_ranges(part))) return FN_OK;
  return fn_part_empty(part, err);
}

fn_status fn_part_open(fn_part *part_out, const char *folder, const char *name, const char *url, fn_err *err) {
  fn_part part = {.fd = -1, .total = -1};
  FN_AUTO_BUF fn_buf file;
  fn_buf_init(&file, 4096);
  fn_buf_printf(&file, "%s.part", name);
  fn_status status = fn_buf_check(&file, name, err);
  if (status == FN_OK) {
    part.path = fn_path_join(folder, file.data);
    fn_buf_append_str(&file, ".json");
    status = fn_buf_check(&file, name, err);
    if (status == FN_OK) part.state_path = fn_path_join(folder, file.data);
    if (!part.path || !part.state_path) status = fn_err_no_memory(err, name);
  }
  if (status == FN_OK) status = open_file(&part, url, err);
  if (status != FN_OK) {
    fn_part_close(&part);
    return status;
  }
  *part_out = part;
  return FN_OK;
}

fn_status fn_part_empty(fn_part *part, fn_err *err) {
  if (ftruncate(part->fd, 0) != 0) return fn_err_errno(err, errno, "%s: cannot be emptied", part->path);
  forget_ranges(part);
  part->size = 0;
  part->total = -1;
  part->validator[0] = part->name[0] = 0;
  return FN_OK;
}

fn_status fn_part_begin(fn_part *part, const char *url, const fn_http_head *head, fn_err *err) {
  FN_TRY(fn_part_empty(part, err));
  const char *validator = fn_http_head_validator(head);
  if (validator) memcpy(part->validator, validator, strlen(validator) + 1);
  memcpy(part->name, head->name, sizeof part->name);
  part->total = head->length;
  return save_state(part, url, err);
}

/* Has the disk begin with each 8 MiB as soon as they are there, so that the sync at the end, which waits for all of it,
 * finds little left. Only a hint: what it says of failures is told by that sync. */
static void begin_writing(const fn_part *part, uint64_t before, uint64_t after) {
  const uint64_t mask = ~(((uint64_t)1 << 23) - 1), from = before & mask, to = after & mask;
  if (to > from) (void)!sync_file_range(part->fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
}

/* *offset moves behind what is written, on failure too. */
static fn_status write_bytes(const fn_part *part, uint64_t *offset, const void *data, size_t length, fn_err *err) {
  const char *bytes = data;
  while (length > 0) {
    ssize_t n = pwrite(part->fd, bytes, length, (off_t)*offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return fn_err_errno(err, n < 0 ? errno : EIO, "%s: cannot be written; what is there is kept", part->path);
    bytes += n;
    length -= (size_t)n;
    *offset += (uint64_t)n;
    begin_writing(part, *offset - (uint64_t)n, *offset);
  }
  return FN_OK;
}

fn_status fn_part_write_at(const fn_part *part, uint64_t offset, const void *data, size_t length, fn_err *err) {
  return write_bytes(part, &offset, data, length, err);
}

fn_status fn_part_write(fn_part *part, const void *data, size_t length, fn_err *err) {
  return write_bytes(part, &part->size, data, length, err);
}

fn_status fn_part_sync(fn_part *part, fn_err *err) {
  if (fsync(part->fd) != 0 && errno != EINVAL) return fn_err_errno(err, errno, "%s: cannot be written", part->path);
  return FN_OK;
}

void fn_part_close(fn_part *part) {
  if (part->fd >= 0) close(part->fd);
  free(part->path);
  free(part->state_path);
  free(part->has);
  *part = (fn_part){.fd = -1};
}

void fn_part_remove(fn_part *part) {
  unlink(part->path);
  unlink(part->state_path);
}
