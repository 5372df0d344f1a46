#include "store/ini.h"

enum { MAX_SECTION = 256 };

static bool take_line(fn_str *line, fn_str *rest) {
  if (rest->length == 0) return false;
  const char *end = memchr(rest->data, '\n', rest->length);
  const size_t n = end ? (size_t)(end - rest->data) : rest->length;
  *line = fn_str_make(rest->data, n);
  *rest = fn_str_make(rest->data + n + (end != NULL), rest->length - n - (end != NULL));
  return true;
}

/* The name between the brackets, runs of spaces as one, without quotes. */
static bool is_section(fn_str line, const char *section) {
  char name[MAX_SECTION];
  size_t n = 0;
  const char *end = memchr(line.data, ']', line.length);
  if (!end) return false;
  fn_str inside = fn_str_trim(fn_str_make(line.data + 1, (size_t)(end - line.data) - 1));
  for (size_t i = 0; i < inside.length && n + 1 < sizeof name; i++) {
    const char c = inside.data[i] == '\t' ? ' ' : inside.data[i];
    if (c == '"' || c == '\'' || (c == ' ' && n && name[n - 1] == ' ')) continue;
    name[n++] = c;
  }
  return fn_str_is(fn_str_make(name, n), section);
}

/* Notepad's mark at the front is none of the first section. */
static fn_str without_mark(fn_str text) {
  const bool marked = text.length >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0;
  return marked ? fn_str_make(text.data + 3, text.length - 3) : text;
}

bool fn_ini_has_section(fn_str text, const char *section) {
  fn_str line;
  text = without_mark(text);
  while (take_line(&line, &text))
    if (line.length && line.data[0] == '[' && is_section(line, section)) return true;
  return false;
}

static bool is_setting(fn_str *name_out, fn_str *value_out, fn_str line) {
  const char *equals = memchr(line.data, '=', line.length), *colon = memchr(line.data, ':', line.length);
  if (colon && (!equals || colon < equals)) equals = colon;
  if (!equals) return false;
  *name_out = fn_str_trim(fn_str_make(line.data, (size_t)(equals - line.data)));
  *value_out = fn_str_trim(fn_str_make(equals + 1, line.length - (size_t)(equals + 1 - line.data)));
  return true;
}

bool fn_ini_find_below(fn_buf *out, fn_str text, const char *section, const char *outer, const char *key) {
  fn_str line, found = {NULL, 0}, name, value;
  bool inside = false, below = false; /* in the section; lines that are indented belong to `outer` */
  size_t indent = SIZE_MAX;           /* of the setting before, in this section */
  text = without_mark(text);
  while (take_line(&line, &text)) {
    size_t n = 0;
    while (n < line.length && (line.data[n] == ' ' || line.data[n] == '\t')) n++;
    const fn_str bare = fn_str_trim(line);
    if (bare.length == 0 || bare.data[0] == '#' || bare.data[0] == ';') continue;
    const bool deeper = n > indent;
    if (line.data[0] == '[') {
      inside = is_section(line, section);
      below = false;
      indent = SIZE_MAX;
      continue;
    }
    if (!deeper) indent = n;
    if (!is_setting(&name, &value, line) || !inside) continue;
    if (!deeper) below = outer && fn_str_equal_nocase(name, fn_str_from(outer));
    if (deeper == (outer != NULL) && (deeper ? below : true) && fn_str_equal_nocase(name, fn_str_from(key)))
      found = value;
  }
  if (found.length == 0) return false;
  fn_buf_append(out, found.data, found.length);
  return true;
}

bool fn_ini_find(fn_buf *out, fn_str text, const char *section, const char *key) {
  return fn_ini_find_below(out, text, section, NULL, key);
}
