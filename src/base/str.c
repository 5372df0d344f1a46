#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

fn_str fn_str_trim(fn_str s) {
  while (s.length && is_space(s.data[0])) s = (fn_str){s.data + 1, s.length - 1};
  while (s.length && is_space(s.data[s.length - 1])) s.length--;
  return s;
}

bool fn_str_starts_with(fn_str s, const char *prefix) {
  size_t n = strlen(prefix);
  return s.length >= n && (n == 0 || memcmp(s.data, prefix, n) == 0);
}

bool fn_str_ends_with(fn_str s, const char *suffix) {
  size_t n = strlen(suffix);
  return s.length >= n && (n == 0 || memcmp(s.data + s.length - n, suffix, n) == 0);
}

bool fn_str_equal_nocase(fn_str a, fn_str b) {
  if (a.length != b.length) return false;
  for (size_t i = 0; i < a.length; i++)
    if (lower(a.data[i]) != lower(b.data[i])) return false;
  return true;
}

bool fn_str_to_int64(int64_t *out, fn_str s) {
  size_t i = 0;
  bool negative = false;
  if (s.length && (s.data[0] == '-' || s.data[0] == '+')) negative = s.data[i++] == '-';
  if (i == s.length) return false;
  int64_t value = 0;
  for (; i < s.length; i++) {
    if (s.data[i] < '0' || s.data[i] > '9') return false;
    int digit = s.data[i] - '0';
    if (__builtin_mul_overflow(value, (int64_t)10, &value)) return false;
    if (__builtin_sub_overflow(value, (int64_t)digit, &value)) return false; /* negative range is the larger one */
  }
  if (!negative && value == INT64_MIN) return false;
  *out = negative ? value : -value;
  return true;
}

/* strtod in the "C" locale whatever the caller's is: the point is the only decimal sign that is accepted, and when the
 * locale has another one the text is rewritten to it. */
bool fn_str_to_double(double *out, fn_str s) {
  char text[64];
  if (s.length == 0 || s.length >= sizeof text - 8) return false;
  size_t n = 0;
  const char *point = localeconv()->decimal_point;
  for (size_t i = 0; i < s.length; i++) {
    char c = lower(s.data[i]);
    bool part = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == 'e' || c == '.';
    if (!part && !fn_str_equal_nocase(s, fn_str_from("inf")) && !fn_str_equal_nocase(s, fn_str_from("-inf")) &&
        !fn_str_equal_nocase(s, fn_str_from("nan")))
      return false;
    if (c == '.') {
      size_t m = strlen(point);
      if (m > 4 || n + m >= sizeof text - 1) return false;
      memcpy(text + n, point, m);
      n += m;
    } else {
      if (n >= sizeof text - 1) return false;
      text[n++] = c;
    }
  }
  text[n] = 0;
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end) return false;
  *out = value;
  return true;
}

char *fn_str_dup(fn_str s) {
  char *copy = fn_mem_alloc(s.length + 1, 1);
  if (!copy) return NULL;
  if (s.length) memcpy(copy, s.data, s.length);
  copy[s.length] = 0;
  return copy;
}

size_t fn_utf8_decode(uint32_t *code_point_out, const char *data, size_t length) {
  if (length == 0) return 0;
  const unsigned char *p = (const unsigned char *)data;
  uint32_t c = p[0];
  size_t n;
  if (c < 0x80)
    n = 1;
  else if (c >= 0xC2 && c < 0xE0)
    n = 2, c &= 0x1F;
  else if (c >= 0xE0 && c < 0xF0)
    n = 3, c &= 0x0F;
  else if (c >= 0xF0 && c < 0xF5)
    n = 4, c &= 0x07;
  else
    return 0;
  if (n > length) return 0;
  for (size_t i = 1; i < n; i++) {
    if ((p[i] & 0xC0) != 0x80) return 0;
    c = c << 6 | (p[i] & 0x3Fu);
  }
  if ((n == 3 && (c < 0x800 || (c >= 0xD800 && c < 0xE000))) || (n == 4 && (c < 0x10000 || c > 0x10FFFF))) return 0;
  if (code_point_out) *code_point_out = c;
  return n;
}

fn_str fn_utf8_head(const char *text, size_t max) {
  size_t at = 0;
  for (size_t left = strlen(text); left > 0 && max > 0; max--) {
    const size_t n = fn_utf8_decode(NULL, text + at, left);
    at += n ? n : 1;
    left -= n ? n : 1;
  }
  return fn_str_make(text, at);
}

size_t fn_utf8_encode(char out[4], uint32_t c) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = n - 1; i > 0; i--) {
    out[i] = (char)(0x80 | (c & 0x3F));
    c >>= 6;
  }
  out[0] = (char)((n == 2 ? 0xC0u : n == 3 ? 0xE0u : 0xF0u) | c);
  return n;
}

/* By Unicode's East Asian Width (W, F) and general categories, in blocks, in the order of their numbers: what is
 * rare counts as its neighbours do. */
static size_t columns_of_sign(uint32_t c) {
  static const struct {
    uint32_t first, last;
    size_t columns;
  } ranges[] = {
      {0x0300, 0x036F, 0},   {0x0591, 0x05BD, 0},   {0x064B, 0x065F, 0},   {0x1100, 0x115F, 2},   {0x200B, 0x200F, 0},
      {0x20D0, 0x20F0, 0},   {0x231A, 0x231B, 2},   {0x23E9, 0x23EC, 2},   {0x23F0, 0x23F0, 2},   {0x23F3, 0x23F3, 2},
      {0x2614, 0x2615, 2},   {0x2648, 0x2653, 2},   {0x26A1, 0x26A1, 2},   {0x26AA, 0x26AB, 2},   {0x26BD, 0x26BE, 2},
      {0x26D4, 0x26D4, 2},   {0x2705, 0x2705, 2},   {0x270A, 0x270B, 2},   {0x2728, 0x2728, 2},   {0x274C, 0x274C, 2},
      {0x2753, 0x2755, 2},   {0x2757, 0x2757, 2},   {0x2795, 0x2797, 2},   {0x2B1B, 0x2B1C, 2},   {0x2B50, 0x2B50, 2},
      {0x2E80, 0x303E, 2},   {0x3041, 0x4DBF, 2},   {0x4E00, 0xA4CF, 2},   {0xA960, 0xA97C, 2},   {0xAC00, 0xD7A3, 2},
      {0xF900, 0xFAFF, 2},   {0xFE00, 0xFE0F, 0},   {0xFE10, 0xFE19, 2},   {0xFE20, 0xFE2F, 0},   {0xFE30, 0xFE6F, 2},
      {0xFF01, 0xFF60, 2},   {0xFFE0, 0xFFE6, 2},   {0x16FE0, 0x18DFF, 2}, {0x1B000, 0x1B2FF, 2}, {0x1F004, 0x1F004, 2},
      {0x1F18E, 0x1F18E, 2}, {0x1F191, 0x1F19A, 2}, {0x1F200, 0x1F320, 2}, {0x1F32D, 0x1F335, 2}, {0x1F337, 0x1F37C, 2},
      {0x1F37E, 0x1F64F, 2}, {0x1F680, 0x1F6FF, 2}, {0x1F7E0, 0x1F7EB, 2}, {0x1F900, 0x1FAFF, 2}, {0x20000, 0x3FFFD, 2},
      {0xE0100, 0xE01EF, 0}};
  for (size_t i = 0; c >= ranges[0].first && i < FN_COUNT_OF(ranges); i++)
    if (c <= ranges[i].last) return c >= ranges[i].first ? ranges[i].columns : 1;
  return 1;
}

size_t fn_utf8_columns(fn_str text) {
  size_t n = 0;
  for (size_t i = 0, size; i < text.length; i += size) {
    uint32_t c = 0;
    size = fn_utf8_decode(&c, text.data + i, text.length - i);
    if (size == 0) size = 1, c = 0;
    n += columns_of_sign(c);
  }
  return n;
}

bool fn_utf8_valid(fn_str s, size_t *at) {
  size_t i = 0;
  while (i < s.length) {
    uint64_t eight; /* ASCII eight at a time */
    if (s.length - i >= 8) {
      memcpy(&eight, s.data + i, 8);
      if ((eight & 0x8080808080808080u) == 0) {
        i += 8;
        continue;
      }
    }
    size_t n = fn_utf8_decode(NULL, s.data + i, s.length - i);
    if (n == 0) {
      if (at) *at = i;
      return false;
    }
    i += n;
  }
  return true;
}

size_t fn_str_distance(const char *a, const char *b) {
  size_t n = strlen(a), m = strlen(b);
  if (n > 63 || m > 63) return SIZE_MAX;
  unsigned char row[64];
  for (size_t j = 0; j <= m; j++) row[j] = (unsigned char)j;
  for (size_t i = 1; i <= n; i++) {
    unsigned char diagonal = row[0];
    row[0] = (unsigned char)i;
    for (size_t j = 1; j <= m; j++) {
      unsigned change = diagonal + (lower(a[i - 1]) != lower(b[j - 1]) ? 1u : 0u);
      unsigned insert = row[j - 1] + 1u, drop = row[j] + 1u;
      diagonal = row[j];
      unsigned best = change < insert ? change : insert;
      row[j] = (unsigned char)(best < drop ? best : drop);
    }
  }
  return row[m];
}

void fn_buf_init(fn_buf *buf, size_t max_bytes) {
  *buf = (fn_buf){.max = max_bytes};
}

void fn_buf_deinit(fn_buf *buf) {
  free(buf->data);
  *buf = (fn_buf){0};
}

void fn_buf_reset(fn_buf *buf) {
  buf->length = 0;
  buf->failed = false;
  if (buf->data) buf->data[0] = 0;
}

bool fn_buf_reserve(fn_buf *buf, size_t extra) {
  if (buf->failed) return false;
  size_t max = buf->max ? buf->max : (size_t)1 << 30;
  size_t needed;
  if (!fn_size_add(&needed, buf->length, extra) || needed > max) {
    buf->failed = true;
    return false;
  }
  if (needed + 1 <= buf->capacity) return true;
  size_t next = buf->capacity ? buf->capacity : 256;
  while (next < needed + 1) next *= 2;
  char *grown = realloc(buf->data, next);
  if (!grown) {
    buf->failed = true;
    return false;
  }
  buf->data = grown;
  buf->data[buf->length] = 0; /* a text also where nothing is appended */
  buf->capacity = next;
  return true;
}

void fn_buf_append(fn_buf *buf, const void *data, size_t length) {
  if (!fn_buf_reserve(buf, length)) return;
  if (length) memcpy(buf->data + buf->length, data, length);
  buf->length += length;
  buf->data[buf->length] = 0;
}

void fn_buf_append_str(fn_buf *buf, const char *text) {
  fn_buf_append(buf, text, strlen(text));
}
void fn_buf_append_char(fn_buf *buf, char c) {
  fn_buf_append(buf, &c, 1);
}

void fn_buf_printf(fn_buf *buf, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  char small[256];
  int n = vsnprintf(small, sizeof small, format, args);
  if (n < 0)
    buf->failed = true;
  else if ((size_t)n < sizeof small)
    fn_buf_append(buf, small, (size_t)n);
  else if (fn_buf_reserve(buf, (size_t)n)) {
    vsnprintf(buf->data + buf->length, (size_t)n + 1, format, again);
    buf->length += (size_t)n;
  }
  va_end(again);
  va_end(args);
}

void fn_buf_append_utf8(fn_buf *buf, fn_str text) {
  for (size_t bad; !fn_utf8_valid(text, &bad);) {
    fn_buf_append(buf, text.data, bad);
    fn_buf_append_str(buf, "\xEF\xBF\xBD");
    text = fn_str_make(text.data + bad + 1, text.length - bad - 1);
  }
  fn_buf_append(buf, text.data, text.length);
}

/* From the ':' of an address to its '@'. */
static bool find_password(size_t *begin, size_t *end, const char *text) {
  const char *authority = strstr(text, "://");
  const char *colon = authority ? strchr(authority + 3, ':') : NULL, *at = NULL;
  for (const char *p = colon; p && *p && !strchr(" \t\r\n\"'", *p); p++)
    if (*p == '@') at = p;
  if (!at) return false;
  *begin = (size_t)(colon + 1 - text);
  *end = (size_t)(at - text);
  return true;
}

bool fn_str_has_password(const char *text) {
  size_t begin, end;
  return find_password(&begin, &end, text);
}

void fn_buf_append_address(fn_buf *buf, const char *text) {
  size_t begin = 0, end = 0;
  if (find_password(&begin, &end, text)) {
    fn_buf_append(buf, text, begin);
    fn_buf_append_str(buf, "***");
  }
  fn_buf_append_str(buf, text + end);
}

static bool is_plain_in_yaml(uint32_t c) {
  return c >= 0x20 && !(c >= 0x7F && c < 0xA0) && c != 0x2028 && c != 0x2029 && c != 0xFEFF && c != 0xFFFE &&
         c != 0xFFFF;
}

void fn_buf_append_yaml(fn_buf *buf, fn_str json) {
  size_t start = 0;
  for (size_t i = 0; i < json.length;) {
    uint32_t c;
    const size_t n = fn_utf8_decode(&c, json.data + i, json.length - i);
    if (n > 0 && is_plain_in_yaml(c)) {
      i += n;
      continue;
    }
    fn_buf_append(buf, json.data + start, i - start);
    fn_buf_printf(buf, "\\u%04x", n > 0 ? (unsigned)c : 0xFFFDu);
    start = i += n > 0 ? n : 1;
  }
  if (json.length > start) fn_buf_append(buf, json.data + start, json.length - start);
}

void fn_buf_append_json(fn_buf *buf, fn_str text) {
  fn_buf_append_char(buf, '"');
  size_t start = 0, i = 0;
  while (i < text.length) {
    unsigned char c = (unsigned char)text.data[i];
    size_t n = c < 0x80 ? 1 : fn_utf8_decode(NULL, text.data + i, text.length - i);
    if (n > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) {
      i += n;
      continue;
    }
    fn_buf_append(buf, text.data + start, i - start);
    if (n == 0)
      fn_buf_append_str(buf, "\xEF\xBF\xBD");
    else if (c == '"')
      fn_buf_append_str(buf, "\\\"");
    else if (c == '\\')
      fn_buf_append_str(buf, "\\\\");
    else if (c == '\n')
      fn_buf_append_str(buf, "\\n");
    else if (c == '\r')
      fn_buf_append_str(buf, "\\r");
    else if (c == '\t')
      fn_buf_append_str(buf, "\\t");
    else
      fn_buf_printf(buf, "\\u%04x", c);
    start = ++i;
  }
  if (text.length > start) fn_buf_append(buf, text.data + start, text.length - start);
  fn_buf_append_char(buf, '"');
}

fn_status fn_buf_check(const fn_buf *buf, const char *what, fn_err *err) {
  if (!buf->failed) return FN_OK;
  size_t max = buf->max ? buf->max : (size_t)1 << 30;
  if (buf->length >= max / 2) return fn_err_set(err, FN_E_LIMIT, "%s: longer than %zu bytes", what, max);
  return fn_err_no_memory(err, what);
}

/* Bytes up to the next space. What stands in [brackets] stays together, as in "[--text TEXT]"; an interval such as
 * [0,1) holds no space. */
static size_t word_length(const char *text) {
  size_t n = 0;
  if (text[0] == '[' && text[1] == '-') n = strcspn(text, "]");
  return n + strcspn(text + n, " ");
}

void fn_buf_append_wrapped(fn_buf *buf, const char *text, size_t column, size_t indent, size_t width) {
  bool begun = false; /* the line has a word */
  while (*text) {
    const size_t length = word_length(text), columns = fn_utf8_columns(fn_str_make(text, length));
    if ((begun || column > indent) && column + begun + columns > width) {
      fn_buf_printf(buf, "\n%*s", (int)indent, "");
      column = indent;
    } else if (begun) {
      fn_buf_append_char(buf, ' ');
      column++;
    }
    fn_buf_append(buf, text, length);
    column += columns;
    begun = true;
    text += length;
    while (*text == ' ') text++;
  }
}

void fn_buf_append_html(fn_buf *buf, fn_str text) {
  for (size_t i = 0; i < text.length;) {
    uint32_t code = 0;
    const size_t length = fn_utf8_decode(&code, text.data + i, text.length - i);
    const bool control = (code < 0x20 && code != '\t' && code != '\n' && code != '\r') || (code >= 0x7F && code < 0xA0);
    if (length == 0 || control)
      fn_buf_append_str(buf, "\xEF\xBF\xBD");
    else if (code == '&')
      fn_buf_append_str(buf, "&amp;");
    else if (code == '<')
      fn_buf_append_str(buf, "&lt;");
    else if (code == '>')
      fn_buf_append_str(buf, "&gt;");
    else if (code == '"')
      fn_buf_append_str(buf, "&quot;");
    else if (code == '\'')
      fn_buf_append_str(buf, "&#39;");
    else
      fn_buf_append(buf, text.data + i, length);
    i += length ? length : 1;
  }
}

void fn_str_clean(char *out, size_t size, fn_str text) {
  size_t n = 0;
  for (size_t i = 0; i < text.length;) {
    uint32_t c = 0xFFFD;
    const size_t length = fn_utf8_decode(&c, text.data + i, text.length - i);
    const bool steers = c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
                        (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
    const char *from = length == 0 ? "\xEF\xBF\xBD" : steers ? " " : text.data + i;
    const size_t written = length == 0 ? 3 : steers ? 1 : length;
    if (n + written >= size) break;
    memcpy(out + n, from, written);
    n += written;
    i += length ? length : 1;
  }
  out[n] = '\0';
}
