#include "net/part.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_STATE = 1 << 16 };

/* Reads the state; false when there is none, it is damaged, or it belongs to another address. */
static bool load_state(fn_part *part, const char *url) {
  FN_AUTO_JSON json_t *state = NULL;
  fn_err ignored = {0};
  const char *saved, *validator, *name;
  if (!fn_path_exists(part->state_path)) return false;
  if (fn_json_load(&state, part->state_path, MAX_STATE, &ignored) != FN_OK) return false;
  const int64_t unknown = -1;
  if (fn_json_get_string(&saved, state, "url", NULL, "", &ignored) != FN_OK ||
      fn_json_get_string(&validator, state, "validator", "", "", &ignored) != FN_OK ||
      fn_json_get_string(&name, state, "name", "", "", &ignored) != FN_OK ||
      fn_json_get_int(&part->total, state, "size_bytes", -1, INT64_MAX, &unknown, "", &ignored) != FN_OK)
    return false;
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
  fn_json_end(&w);
  FN_TRY(fn_buf_check(&text, part->state_path, err));
  return fn_file_write(part->state_path, text.data, text.length, err);
}

static fn_status open_file(fn_part *part, const char *url, fn_err *err) {
  part->fd = open(part->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  struct stat st;
  if (part->fd < 0 || fstat(part->fd, &st) != 0) return fn_err_errno(err, errno, "%s: cannot be written", part->path);
  if (!S_ISREG(st.st_mode)) return fn_err_set(err, FN_E_INVALID, "%s: not a regular file", part->path);
  part->size = (uint64_t)st.st_size;
  if (part->size == 0) return FN_OK;
  return load_state(part, url) ? FN_OK : fn_part_empty(part, err);
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

fn_status fn_part_write(fn_part *part, const void *data, size_t length, fn_err *err) {
  const char *bytes = data;
  while (length > 0) {
    ssize_t n = pwrite(part->fd, bytes, length, (off_t)part->size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return fn_err_errno(err, n < 0 ? errno : EIO, "%s: cannot be written; what is there is kept", part->path);
    bytes += n;
    length -= (size_t)n;
    part->size += (uint64_t)n;
  }
  return FN_OK;
}

fn_status fn_part_sync(fn_part *part, fn_err *err) {
  if (fsync(part->fd) != 0 && errno != EINVAL) return fn_err_errno(err, errno, "%s: cannot be written", part->path);
  return FN_OK;
}

void fn_part_close(fn_part *part) {
  if (part->fd >= 0) close(part->fd);
  free(part->path);
  free(part->state_path);
  *part = (fn_part){.fd = -1};
}

void fn_part_remove(fn_part *part) {
  unlink(part->path);
  unlink(part->state_path);
}
