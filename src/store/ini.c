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

bool fn_ini_has_section(fn_str text, const char *section) {
  fn_str line;
  while (take_line(&line, &text))
    if (line.length && line.data[0] == '[' && is_section(line, section)) return true;
  return false;
}

bool fn_ini_find(fn_buf *out, fn_str text, const char *section, const char *key) {
  fn_str line, found = {NULL, 0};
  bool inside = false;
  size_t indent = SIZE_MAX; /* of the setting before, in this section */
  while (take_line(&line, &text)) {
    size_t n = 0;
    while (n < line.length && (line.data[n] == ' ' || line.data[n] == '\t')) n++;
    const fn_str bare = fn_str_trim(line);
    if (bare.length == 0 || bare.data[0] == '#' || bare.data[0] == ';') continue;
    if (n > indent) continue; /* it goes on with the setting before: "s3 =" has settings of its own below it */
    if (line.data[0] == '[') {
      inside = is_section(line, section);
      indent = SIZE_MAX;
      continue;
    }
    indent = n;
    const char *equals = memchr(line.data, '=', line.length), *colon = memchr(line.data, ':', line.length);
    if (colon && (!equals || colon < equals)) equals = colon;
    if (!inside || !equals) continue;
    const fn_str name = fn_str_trim(fn_str_make(line.data, (size_t)(equals - line.data)));
    if (fn_str_equal_nocase(name, fn_str_from(key)))
      found = fn_str_trim(fn_str_make(equals + 1, line.length - (size_t)(equals + 1 - line.data)));
  }
  if (found.length == 0) return false;
  fn_buf_append(out, found.data, found.length);
  return true;
}
