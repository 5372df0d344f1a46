#include "data/labels.h"

const char *fn_label_name(int label) {
  return label == FN_LABEL_REAL ? "real" : label == FN_LABEL_FAKE ? "fake" : "drop";
}

static fn_label plain(fn_str value) {
  if (fn_str_is(value, "0") || fn_str_equal_nocase(value, fn_str_from("real"))) return FN_LABEL_REAL;
  if (fn_str_is(value, "1") || fn_str_equal_nocase(value, fn_str_from("fake"))) return FN_LABEL_FAKE;
  return FN_LABEL_UNKNOWN;
}

static fn_label meaning(fn_str value) {
  return fn_str_equal_nocase(value, fn_str_from("drop")) ? FN_LABEL_DROP : plain(value);
}

fn_status fn_label_map_check(const fn_config_map *map, fn_err *err) {
  for (size_t i = 0; i < map->n; i++) {
    if (meaning(fn_str_trim(fn_str_from(map->values[i]))) == FN_LABEL_UNKNOWN)
      return fn_err_set(err, FN_E_INVALID, "data.label_map: %.80s: \"%.80s\" is none of real, fake, 0, 1, drop",
                        map->keys[i], map->values[i] ? map->values[i] : "null");
    for (size_t k = 0; k < i; k++)
      if (fn_str_equal_nocase(fn_str_trim(fn_str_from(map->keys[i])), fn_str_trim(fn_str_from(map->keys[k]))))
        return fn_err_set(err, FN_E_INVALID, "data.label_map: \"%.80s\" stands twice (letter case does not count)",
                          map->keys[i]);
  }
  return FN_OK;
}

fn_label fn_label_parse(const fn_config_map *map, fn_str value) {
  value = fn_str_trim(value);
  if (map->n == 0) return plain(value);
  for (size_t i = 0; i < map->n; i++)
    if (fn_str_equal_nocase(value, fn_str_trim(fn_str_from(map->keys[i]))))
      return meaning(fn_str_trim(fn_str_from(map->values[i])));
  return FN_LABEL_UNKNOWN;
}

void fn_label_list(fn_buf *out, const fn_config_map *map) {
  if (map->n == 0) fn_buf_append_str(out, "0, 1, real, fake");
  for (size_t i = 0; i < map->n && i < 12; i++) fn_buf_printf(out, "%s%.40s", i ? ", " : "", map->keys[i]);
  if (map->n > 12) fn_buf_printf(out, " and %zu more", map->n - 12);
}
