#include "net/head.h"

void fn_http_head_reset(fn_http_head *head) {
  *head = (fn_http_head){.length = -1};
}

/* text as a terminated copy, when it fits and is printable ASCII. */
static void copy(char *out, size_t size, fn_str text) {
  out[0] = 0;
  if (text.length >= size) return;
  for (size_t i = 0; i < text.length; i++)
    if (text.data[i] < ' ' || text.data[i] > '~') return;
  if (text.length) memcpy(out, text.data, text.length);
  out[text.length] = 0;
}

/* Digits at the front of *rest, removed from it. */
static bool take_number(uint64_t *out, fn_str *rest) {
  size_t n = 0;
  while (n < rest->length && rest->data[n] >= '0' && rest->data[n] <= '9') n++;
  int64_t value;
  if (n == 0 || !fn_str_to_int64(&value, fn_str_make(rest->data, n))) return false;
  *out = (uint64_t)value;
  *rest = fn_str_make(rest->data + n, rest->length - n);
  return true;
}

static bool take_char(fn_str *rest, char c) {
  if (rest->length == 0 || rest->data[0] != c) return false;
  *rest = fn_str_make(rest->data + 1, rest->length - 1);
  return true;
}

/* "bytes 10-19/100", "bytes 10-19/" with * for the length, "bytes * /100" (416). */
static void content_range(fn_http_head *head, fn_str value) {
  if (value.length < 6 || !fn_str_equal_nocase(fn_str_make(value.data, 6), fn_str_from("bytes "))) return;
  fn_str rest = fn_str_trim(fn_str_make(value.data + 6, value.length - 6));
  uint64_t first = 0, last = 0, total = 0;
  bool range = !take_char(&rest, '*');
  if (range && (!take_number(&first, &rest) || !take_char(&rest, '-') || !take_number(&last, &rest) || last < first))
    return;
  if (!take_char(&rest, '/')) return;
  bool known = !take_char(&rest, '*');
  if (known && (!take_number(&total, &rest) || (range && last >= total))) return;
  if (rest.length) return;
  head->has_range = range;
  head->range_first = first;
  head->has_total = known;
  head->range_total = total;
}

static void status_line(fn_http_head *head, fn_str line) {
  fn_http_head_reset(head);
  const char *space = memchr(line.data, ' ', line.length);
  if (!space) return;
  fn_str rest = fn_str_trim(fn_str_make(space, line.length - (size_t)(space - line.data)));
  uint64_t status;
  if (take_number(&status, &rest) && status >= 100 && status <= 999) head->status = (int)status;
}

void fn_http_head_line(fn_http_head *head, fn_str line) {
  line = fn_str_trim(line);
  if (fn_str_starts_with(line, "HTTP/")) {
    status_line(head, line);
    return;
  }
  const char *colon = line.length ? memchr(line.data, ':', line.length) : NULL;
  if (!colon) return;
  fn_str name = fn_str_make(line.data, (size_t)(colon - line.data));
  fn_str value = fn_str_trim(fn_str_make(colon + 1, line.length - name.length - 1));
  if (fn_str_equal_nocase(name, fn_str_from("etag"))) {
    bool strong = value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"';
    copy(head->etag, sizeof head->etag, strong ? value : fn_str_make(NULL, 0));
  } else if (fn_str_equal_nocase(name, fn_str_from("last-modified"))) {
    copy(head->last_modified, sizeof head->last_modified, value);
  } else if (fn_str_equal_nocase(name, fn_str_from("content-range"))) {
    content_range(head, value);
  } else if (fn_str_equal_nocase(name, fn_str_from("content-disposition"))) {
    if (!fn_name_from_disposition(head->name, value)) head->name[0] = 0;
  }
}

const char *fn_http_head_validator(const fn_http_head *head) {
  return head->etag[0] ? head->etag : head->last_modified[0] ? head->last_modified : NULL;
}
