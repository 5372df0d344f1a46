/* JSON: reading any bytes ends with jansson's verdict and values, and what was read comes out of our writer as JSON
 * that gives the same text when it is read and written again.
 */
#include "base/base.h"
#include "fuzz.h"

static void write_value(fn_json_writer *w, const char *key, const json_t *value, int depth) {
  const char *name;
  json_t *member;
  size_t i;
  if (json_is_object(value) && depth < 20) {
    fn_json_object(w, key);
    void *iterator = json_object_iter((json_t *)(uintptr_t)value);
    for (; iterator; iterator = json_object_iter_next((json_t *)(uintptr_t)value, iterator)) {
      name = json_object_iter_key(iterator);
      write_value(w, name, json_object_iter_value(iterator), depth + 1);
    }
    fn_json_end(w);
  } else if (json_is_array(value) && depth < 20) {
    fn_json_array(w, key);
    json_array_foreach(value, i, member) write_value(w, NULL, member, depth + 1);
    fn_json_end(w);
  } else if (json_is_string(value)) {
    fn_json_str(w, key, fn_str_make(json_string_value(value), json_string_length(value)));
  } else if (json_is_integer(value)) {
    fn_json_int(w, key, json_integer_value(value));
  } else if (json_is_real(value)) {
    fn_json_double(w, key, json_real_value(value));
  } else if (json_is_boolean(value)) {
    fn_json_bool(w, key, json_is_true(value));
  } else {
    fn_json_null(w, key);
  }
}

static bool deep(const json_t *value, int depth) {
  const json_t *member;
  size_t i;
  if (depth >= 20 && (json_is_object(value) || json_is_array(value))) return true;
  if (json_is_array(value)) {
    json_array_foreach(value, i, member) {
      if (deep(member, depth + 1)) return true;
    }
  }
  if (json_is_object(value)) {
    void *iterator = json_object_iter((json_t *)(uintptr_t)value);
    for (; iterator; iterator = json_object_iter_next((json_t *)(uintptr_t)value, iterator)) {
      if (deep(json_object_iter_value(iterator), depth + 1)) return true;
    }
  }
  return false;
}

static void read_members(const json_t *value) {
  fn_err err = {0};
  int64_t integer;
  double number;
  bool truth;
  const char *text;
  (void)!fn_json_get_int(&integer, value, "a", -5, 5, NULL, "input", &err);
  (void)!fn_json_get_double(&number, value, "a", 0, 1, NULL, "input", &err);
  (void)!fn_json_get_bool(&truth, value, "a", NULL, "input", &err);
  (void)!fn_json_get_string(&text, value, "a", NULL, "input", &err);
}

static void write_text(fn_buf *buf, const json_t *value, int indent) {
  fn_json_writer w;
  fn_err err = {0};
  fn_buf_init(buf, 64 << 20);
  fn_json_begin(&w, buf, indent);
  write_value(&w, NULL, value, 0);
  FUZZ_CHECK(fn_buf_check(buf, "output", &err) == FN_OK);
}

/* jansson's own loader is the judge: it accepts the same texts and reads the same values; but it overlooks a NUL byte
 * after a number. */
static void compare(const json_t *value, const uint8_t *data, size_t size) {
  if (!value && size > 0 && memchr(data, 0, size)) return;
  json_t *judged =
      json_loadb(size ? (const char *)data : "", size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
  FUZZ_CHECK((value != NULL) == (judged != NULL));
  if (value) FUZZ_CHECK(json_equal(value, judged));
  json_decref(judged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  json_t *value = NULL, *again = NULL;
  fn_err err = {0};
  const fn_status status = fn_json_parse(&value, fn_str_make((const char *)data, size), "input", &err);
  compare(value, data, size);
  if (status != FN_OK) {
    FUZZ_CHECK(!value && err.message[0]);
    return 0;
  }
  read_members(value);
  for (int indent = 0; indent <= 2 && !deep(value, 0); indent += 2) {
    fn_buf first, second;
    write_text(&first, value, indent);
    FUZZ_CHECK(fn_json_parse(&again, fn_buf_str(&first), "output", &err) == FN_OK);
    write_text(&second, again, indent);
    FUZZ_CHECK(fn_str_equal(fn_buf_str(&first), fn_buf_str(&second)));
    json_decref(again);
    fn_buf_deinit(&first);
    fn_buf_deinit(&second);
  }
  json_decref(value);
  return 0;
}
