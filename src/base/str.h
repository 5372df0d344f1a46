/* Text: slices, growing buffers, small helpers. Nothing here depends on the locale. */
#ifndef FN_BASE_STR_H
#define FN_BASE_STR_H

#include "base/mem.h"

#include <string.h>

/* A view of bytes that somebody else owns; not terminated. data may be NULL when length is 0. */
typedef struct fn_str {
  const char *data;
  size_t length;
} fn_str;

static inline fn_str fn_str_make(const char *data, size_t length) {
  return (fn_str){data, length};
}
static inline fn_str fn_str_from(const char *text) {
  return (fn_str){text, text ? strlen(text) : 0};
}
static inline bool fn_str_equal(fn_str a, fn_str b) {
  return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}
static inline bool fn_str_is(fn_str a, const char *text) {
  return fn_str_equal(a, fn_str_from(text));
}
/* Without ASCII white space at both ends. */
fn_str fn_str_trim(fn_str s);
bool fn_str_starts_with(fn_str s, const char *prefix);
bool fn_str_ends_with(fn_str s, const char *suffix);
/* ASCII letters compared without case. */
bool fn_str_equal_nocase(fn_str a, fn_str b);
/* Whole slice as a number: no leading or trailing bytes, no locale, no hexadecimal. False when it is not one or does
 * not fit. fn_str_to_double also takes inf and nan. */
bool fn_str_to_int64(int64_t *out, fn_str s);
bool fn_str_to_double(double *out, fn_str s);
/* malloc'd, terminated copy; NULL when memory is short. */
char *fn_str_dup(fn_str s);
/* Copies text for people: control characters, marks of direction and line separators become spaces, bytes that are not
 * UTF-8 become U+FFFD, and what does not fit is left out by whole characters. out is always terminated. */
void fn_str_clean(char *out, size_t size, fn_str text);
/* Bytes of the valid UTF-8 sequence at data[0..length) (1-4), or 0 when it is not valid (overlong, surrogate, cut).
 * code_point_out may be NULL. */
size_t fn_utf8_decode(uint32_t *code_point_out, const char *data, size_t length);
/* Columns of a terminal that UTF-8 takes: two for a letter of East Asia or an emoji, none for a mark that is set upon
 * the letter before it, else one a character; bytes that are no UTF-8 one each. */
size_t fn_utf8_columns(fn_str text);
/* The first max characters (code points) of UTF-8; bytes that are none count as one each. */
fn_str fn_utf8_head(const char *text, size_t max);
/* Writes 1-4 bytes; returns how many. */
size_t fn_utf8_encode(char out[4], uint32_t code_point);
/* True when all of s is valid UTF-8; otherwise *at (may be NULL) is the offset of the first bad byte. */
bool fn_utf8_valid(fn_str s, size_t *at);
/* Edit distance (Levenshtein, bytes), for "did you mean"; inputs over 63 bytes count as far away (SIZE_MAX). */
size_t fn_str_distance(const char *a, const char *b);

/* A growing byte buffer with a bound. Errors are sticky: after a failed append `failed` is set, later appends do
 * nothing, and fn_buf_check reports once at the end. data is always terminated by a 0 that length does not count. */
typedef struct fn_buf {
  char *data;
  size_t length, capacity;
  size_t max;  /* bound in bytes; 0 means 1 GiB */
  bool failed; /* memory was short or the bound was reached */
} fn_buf;

void fn_buf_init(fn_buf *buf, size_t max_bytes);
void fn_buf_deinit(fn_buf *buf);
/* Empty, memory kept. */
void fn_buf_reset(fn_buf *buf);
void fn_buf_append(fn_buf *buf, const void *data, size_t length);
void fn_buf_append_str(fn_buf *buf, const char *text);
void fn_buf_append_char(fn_buf *buf, char c);
void fn_buf_printf(fn_buf *buf, const char *format, ...) FN_PRINTF(2, 3);
/* Shortest decimal form that reads back as the same double ("0.94", "1e-05"); inf and nan as "null". */
void fn_buf_append_double(fn_buf *buf, double value);
/* A JSON string with its quotes. Bytes that are not valid UTF-8 become U+FFFD. */
void fn_buf_append_json(fn_buf *buf, fn_str text);
/* Bytes that are not valid UTF-8 become U+FFFD. */
void fn_buf_append_utf8(fn_buf *buf, fn_str text);
/* The same, and what YAML does not hold as it is (control characters, line breaks of every kind, U+FEFF, U+FFFE,
 * U+FFFF) becomes \uXXXX: JSON becomes YAML with the same strings, and other text stays on its line. */
void fn_buf_append_yaml(fn_buf *buf, fn_str json);
/* An address without its password: what stands between the first ':' behind "://" and the last '@' becomes "***", for a
 * password that was not escaped may hold anything but spaces and quotes. Other text as it is. */
void fn_buf_append_address(fn_buf *buf, const char *text);
/* Whether it would leave something out. */
bool fn_str_has_password(const char *text);
/* Text for HTML, between tags or inside a quoted attribute: & < > " ' as references; bytes that are not UTF-8, and
 * control characters that HTML forbids, become U+FFFD. */
void fn_buf_append_html(fn_buf *buf, fn_str text);
/* Words of a text that begins at `column`, broken at spaces so that no line goes beyond `width` columns (one a code
 * point; a longer word stands alone); the lines after the first are indented. No line break at the end. */
void fn_buf_append_wrapped(fn_buf *buf, const char *text, size_t column, size_t indent, size_t width);
/* Makes room for at least extra more bytes; false (and failed) when that is not possible. */
bool fn_buf_reserve(fn_buf *buf, size_t extra);
FN_NODISCARD fn_status fn_buf_check(const fn_buf *buf, const char *what, fn_err *err);
static inline fn_str fn_buf_str(const fn_buf *buf) {
  return (fn_str){buf->data, buf->length};
}

#define FN_AUTO_BUF FN_CLEANUP(fn_buf_deinit)

#endif
