#include "config/value.h"

#include <math.h>

/* One item of a list or map, or a whole scalar: quotes removed. *rest points after it. A quoted "null" is text. */
typedef struct item {
  fn_str text;
  bool quoted;
} item;

static fn_status bad(const fn_option *option, fn_str text, fn_err *err) {
  FN_AUTO_BUF fn_buf what;
  fn_buf_init(&what, 4096);
  fn_option_describe(&what, option);
  int shown = text.length < 80 ? (int)text.length : 80;
  return fn_err_set(err, FN_E_INVALID, "%s: \"%.*s\" is not accepted; it takes %s", option->key, shown, text.data,
                    what.data ? what.data : "another value");
}

/* Reads up to (not including) a character of `stops` at the top level. */
static bool next_item(item *out, fn_arena *arena, fn_str *rest, const char *stops) {
  *rest = fn_str_trim(*rest);
  if (rest->length && (rest->data[0] == '"' || rest->data[0] == '\'')) {
    char quote = rest->data[0];
    char *copy = fn_arena_alloc(arena, rest->length + 1, 1);
    if (!copy) return false;
    size_t n = 0, i = 1;
    for (; i < rest->length && rest->data[i] != quote; i++) {
      const char next = i + 1 < rest->length ? rest->data[i + 1] : '\0';
      if (rest->data[i] == '\\' && (next == quote || next == '\\')) i++; /* as Hydra: \t stays what it is */
      copy[n++] = rest->data[i];
    }
    if (i == rest->length) return false;
    *out = (item){fn_str_make(copy, n), true};
    *rest = fn_str_trim(fn_str_make(rest->data + i + 1, rest->length - i - 1));
    return rest->length == 0 || strchr(stops, rest->data[0]) != NULL;
  }
  size_t n = 0;
  while (n < rest->length && !strchr(stops, rest->data[n])) n++;
  *out = (item){fn_str_trim(fn_str_make(rest->data, n)), false};
  *rest = fn_str_make(rest->data + n, rest->length - n);
  return true;
}

static bool parse_list(fn_config_list *out, fn_arena *arena, fn_str text) {
  if (text.length < 2 || text.data[0] != '[' || text.data[text.length - 1] != ']') return false;
  fn_str rest = fn_str_trim(fn_str_make(text.data + 1, text.length - 2));
  const char **items = fn_arena_alloc(arena, text.length, sizeof *items);
  if (!items) return false;
  size_t n = 0;
  while (rest.length) {
    item it;
    if (!next_item(&it, arena, &rest, ",")) return false;
    if (it.text.length == 0 && !it.quoted) return false;
    items[n] = fn_arena_strndup(arena, it.text.data, it.text.length);
    if (!items[n++]) return false;
    if (rest.length == 0) break;
    rest = fn_str_trim(fn_str_make(rest.data + 1, rest.length - 1));
    if (rest.length == 0) return false;
  }
  *out = (fn_config_list){items, n};
  return true;
}

static bool parse_map(fn_config_map *out, fn_arena *arena, fn_str text) {
  if (text.length < 2 || text.data[0] != '{' || text.data[text.length - 1] != '}') return false;
  fn_str rest = fn_str_trim(fn_str_make(text.data + 1, text.length - 2));
  const char **keys = fn_arena_alloc(arena, text.length, sizeof *keys);
  const char **values = fn_arena_alloc(arena, text.length, sizeof *values);
  if (!keys || !values) return false;
  size_t n = 0;
  while (rest.length) {
    item key, value;
    if (!next_item(&key, arena, &rest, ":,") || rest.length == 0 || rest.data[0] != ':') return false;
    rest = fn_str_make(rest.data + 1, rest.length - 1);
    if (!next_item(&value, arena, &rest, ",")) return false;
    keys[n] = fn_arena_strndup(arena, key.text.data, key.text.length);
    values[n] = fn_arena_strndup(arena, value.text.data, value.text.length);
    if (!keys[n] || !values[n]) return false;
    for (size_t i = 0; i < n; i++)
      if (strcmp(keys[i], keys[n]) == 0) return false;
    n++;
    if (rest.length == 0) break;
    rest = fn_str_trim(fn_str_make(rest.data + 1, rest.length - 1));
  }
  *out = (fn_config_map){keys, values, n};
  return true;
}

/* Range "[a,b]", "(a,b)", "[a,)": either end may be missing. */
static bool in_range(double x, const char *range) {
  if (!range) return true;
  size_t n = strlen(range);
  const char *comma = strchr(range, ',');
  if (n < 3 || !comma) return true;
  double low = -HUGE_VAL, high = HUGE_VAL;
  (void)fn_str_to_double(&low, fn_str_make(range + 1, (size_t)(comma - range) - 1));
  (void)fn_str_to_double(&high, fn_str_make(comma + 1, n - (size_t)(comma - range) - 2));
  bool above = range[0] == '(' ? x > low : x >= low;
  bool below = range[n - 1] == ')' ? x < high : x <= high;
  return above && below;
}

static int choice_of(const char *range, fn_str text) {
  int i = 0;
  for (const char *p = range;; i++) {
    const char *end = strchr(p, '|');
    size_t n = end ? (size_t)(end - p) : strlen(p);
    if (fn_str_equal_nocase(fn_str_make(p, n), text)) return i;
    if (!end) return -1;
    p = end + 1;
  }
}

static bool parse_bool(bool *out, fn_str text) {
  bool yes = fn_str_equal_nocase(text, fn_str_from("true"));
  if (!yes && !fn_str_equal_nocase(text, fn_str_from("false"))) return false;
  *out = yes;
  return true;
}

fn_status fn_value_parse(fn_value *value_out, fn_arena *arena, const fn_option *option, fn_str text, fn_err *err) {
  text = fn_str_trim(text);
  fn_value value = {.integer = INT64_MIN, .number = (double)NAN};
  bool composite = option->type == FN_OPTION_LIST || option->type == FN_OPTION_MAP;
  item it = {text, false};
  if (!composite) {
    fn_str rest = text;
    if (!next_item(&it, arena, &rest, "") || rest.length) return bad(option, text, err);
  }
  if (!it.quoted && (fn_str_is(it.text, "null") || fn_str_is(it.text, "~"))) {
    if (!option->nullable) return bad(option, text, err);
    value.is_null = true;
    *value_out = value;
    return FN_OK;
  }
  bool ok = false;
  switch (option->type) {
  case FN_OPTION_BOOL: ok = parse_bool(&value.boolean, it.text); break;
  case FN_OPTION_INT:
    ok = fn_str_to_int64(&value.integer, it.text) && in_range((double)value.integer, option->range);
    break;
  case FN_OPTION_FLOAT:
    ok = fn_str_to_double(&value.number, it.text) && isfinite(value.number) && in_range(value.number, option->range);
    break;
  case FN_OPTION_ENUM: ok = (value.choice = choice_of(option->range, it.text)) >= 0; break;
  case FN_OPTION_STRING:
    value.string = fn_arena_strndup(arena, it.text.data ? it.text.data : "", it.text.length);
    if (!value.string) return fn_err_no_memory(err, option->key);
    ok = it.text.length == 0 || memchr(it.text.data, 0, it.text.length) == NULL;
    break;
  case FN_OPTION_LIST: ok = parse_list(&value.list, arena, text); break;
  case FN_OPTION_MAP: ok = parse_map(&value.map, arena, text); break;
  }
  if (!ok) return bad(option, text, err);
  *value_out = value;
  return FN_OK;
}

void fn_value_store(void *options, const fn_option *option, const fn_value *value) {
  void *member = (char *)options + option->offset;
  switch (option->type) {
  case FN_OPTION_BOOL: *(bool *)member = value->boolean; break;
  case FN_OPTION_INT: *(int64_t *)member = value->integer; break;
  case FN_OPTION_FLOAT: *(double *)member = value->number; break;
  case FN_OPTION_ENUM: *(int *)member = value->choice; break;
  case FN_OPTION_STRING: *(const char **)member = value->string; break;
  case FN_OPTION_LIST: *(fn_config_list *)member = value->list; break;
  case FN_OPTION_MAP: *(fn_config_map *)member = value->map; break;
  }
}

/* "[1,)" reads "from 1", "(0,)" "above 0"; a range with two ends stays an interval. */
static void describe_range(fn_buf *out, const char *range) {
  const size_t n = strlen(range);
  if (n > 3 && strcmp(range + n - 2, ",)") == 0)
    fn_buf_printf(out, "%s%.*s", range[0] == '[' ? " from " : " above ", (int)(n - 3), range + 1);
  else
    fn_buf_printf(out, " in %s", range);
}

void fn_option_describe(fn_buf *out, const fn_option *option) {
  switch (option->type) {
  case FN_OPTION_BOOL: fn_buf_append_str(out, "true or false"); break;
  case FN_OPTION_INT: fn_buf_append_str(out, "an integer"); break;
  case FN_OPTION_FLOAT: fn_buf_append_str(out, "a number"); break;
  case FN_OPTION_STRING: fn_buf_append_str(out, "text"); break;
  case FN_OPTION_LIST: fn_buf_append_str(out, "a list [a,b]"); break;
  case FN_OPTION_MAP: fn_buf_append_str(out, "a map {a:x,b:y}"); break;
  case FN_OPTION_ENUM:
    fn_buf_append_str(out, "one of ");
    for (const char *p = option->range; *p; p++) {
      if (*p == '|')
        fn_buf_append_str(out, ", ");
      else
        fn_buf_append_char(out, *p);
    }
    break;
  }
  if ((option->type == FN_OPTION_INT || option->type == FN_OPTION_FLOAT) && option->range)
    describe_range(out, option->range);
  if (option->nullable) fn_buf_append_str(out, ", or null");
}
