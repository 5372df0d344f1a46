#include "base/json.h"

#include <math.h>

void fn_json_begin(fn_json_writer *w, fn_buf *buf, int indent) {
  *w = (fn_json_writer){.buf = buf, .indent = indent};
  w->empty[0] = true;
}

static void new_line(fn_json_writer *w) {
  if (w->indent <= 0 || w->depth == 0) return;
  fn_buf_append_char(w->buf, '\n');
  for (int i = 0; i < w->depth * w->indent; i++) fn_buf_append_char(w->buf, ' ');
}

/* Comma, line and key in front of a value. */
static void lead(fn_json_writer *w, const char *key) {
  if (!w->empty[w->depth]) fn_buf_append_str(w->buf, w->indent > 0 || w->depth == 0 ? "," : ", ");
  w->empty[w->depth] = false;
  new_line(w);
  if (key) {
    fn_buf_append_json(w->buf, fn_str_from(key));
    fn_buf_append_str(w->buf, ": ");
  }
}

static void open_level(fn_json_writer *w, const char *key, char open, char close) {
  lead(w, key);
  fn_buf_append_char(w->buf, open);
  if (w->depth + 1 >= (int)FN_COUNT_OF(w->empty)) {
    w->buf->failed = true;
    return;
  }
  w->depth++;
  w->empty[w->depth] = true;
  w->close[w->depth] = close;
}

void fn_json_object(fn_json_writer *w, const char *key) {
  open_level(w, key, '{', '}');
}
void fn_json_array(fn_json_writer *w, const char *key) {
  open_level(w, key, '[', ']');
}

void fn_json_end(fn_json_writer *w) {
  if (w->depth == 0) return;
  char close = w->close[w->depth];
  bool empty = w->empty[w->depth];
  w->depth--;
  if (!empty && w->indent > 0) {
    fn_buf_append_char(w->buf, '\n');
    for (int i = 0; i < w->depth * w->indent; i++) fn_buf_append_char(w->buf, ' ');
  }
  fn_buf_append_char(w->buf, close);
  if (w->depth == 0 && w->indent > 0) fn_buf_append_char(w->buf, '\n');
}

void fn_json_str(fn_json_writer *w, const char *key, fn_str value) {
  lead(w, key);
  fn_buf_append_json(w->buf, value);
}

void fn_json_text(fn_json_writer *w, const char *key, const char *value) {
  if (value)
    fn_json_str(w, key, fn_str_from(value));
  else
    fn_json_null(w, key);
}

void fn_json_int(fn_json_writer *w, const char *key, int64_t value) {
  lead(w, key);
  fn_buf_printf(w->buf, "%lld", (long long)value);
}

void fn_json_double(fn_json_writer *w, const char *key, double value) {
  lead(w, key);
  fn_buf_append_double(w->buf, value);
}

void fn_json_bool(fn_json_writer *w, const char *key, bool value) {
  lead(w, key);
  fn_buf_append_str(w->buf, value ? "true" : "false");
}

void fn_json_null(fn_json_writer *w, const char *key) {
  lead(w, key);
  fn_buf_append_str(w->buf, "null");
}

void fn_json_value(fn_json_writer *w, const char *key, const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_OBJECT: {
    fn_json_object(w, key);
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, name, member) fn_json_value(w, name, member); /* only read */
    fn_json_end(w);
    break;
  }
  case JSON_ARRAY:
    fn_json_array(w, key);
    for (size_t i = 0; i < json_array_size(value); i++) fn_json_value(w, NULL, json_array_get(value, i));
    fn_json_end(w);
    break;
  case JSON_STRING: fn_json_str(w, key, fn_str_make(json_string_value(value), json_string_length(value))); break;
  case JSON_INTEGER: fn_json_int(w, key, json_integer_value(value)); break;
  case JSON_REAL: fn_json_double(w, key, json_real_value(value)); break;
  case JSON_TRUE:
  case JSON_FALSE: fn_json_bool(w, key, json_is_true(value)); break;
  default: fn_json_null(w, key); break;
  }
}
