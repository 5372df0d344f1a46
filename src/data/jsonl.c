#include "data/jsonl.h"

#include <stdlib.h>

struct fn_jsonl {
  fn_record_builder builder;
  fn_buf bytes;    /* the line so far, when it came in more than one piece */
  json_t *known;   /* set of the columns' names; the keys are their storage */
  fn_str *columns; /* [n_columns] views of those keys */
  size_t n_columns, capacity;
  uint64_t line; /* of the next byte, from 1 */
  bool too_long; /* the line passed the limit: its rest is skipped */
};

fn_status fn_jsonl_create(fn_jsonl **jsonl_out, const fn_record_limits *limits, fn_err *err) {
  fn_jsonl *jsonl = fn_mem_calloc(1, sizeof *jsonl);
  if (!jsonl) return fn_err_no_memory(err, "a JSON lines parser");
  fn_record_builder_init(&jsonl->builder, limits);
  fn_buf_init(&jsonl->bytes, limits->max_record_bytes);
  jsonl->line = 1;
  jsonl->known = json_object();
  if (!jsonl->known) {
    fn_jsonl_destroy(jsonl);
    return fn_err_no_memory(err, "a JSON lines parser");
  }
  *jsonl_out = jsonl;
  return FN_OK;
}

void fn_jsonl_destroy(fn_jsonl *jsonl) {
  if (!jsonl) return;
  fn_record_builder_deinit(&jsonl->builder);
  fn_buf_deinit(&jsonl->bytes);
  json_decref(jsonl->known);
  free(jsonl->columns);
  free(jsonl);
}

void fn_jsonl_set_complaint(fn_jsonl *jsonl, const char *complaint) {
  jsonl->builder.complaint = complaint;
}

const fn_str *fn_jsonl_columns(const fn_jsonl *jsonl, size_t *n_out) {
  *n_out = jsonl->n_columns;
  return jsonl->columns;
}

/* New keys of an object become columns; over the limit the record is refused. */
static fn_status add_columns(fn_jsonl *jsonl, const json_t *object, fn_err *err) {
  /* jansson's iteration takes no const object though it does not change it. */
  json_t *mutable = (json_t *)(uintptr_t)object;
  for (void *i = json_object_iter(mutable); i; i = json_object_iter_next(mutable, i)) {
    const char *key = json_object_iter_key(i);
    if (json_object_get(jsonl->known, key)) continue;
    if (jsonl->n_columns >= jsonl->builder.limits.max_fields) {
      fn_record_builder_refuse(&jsonl->builder, FN_E_LIMIT, jsonl->line, "more than %zu different keys in the file",
                               jsonl->builder.limits.max_fields);
      return FN_OK;
    }
    FN_TRY(fn_mem_grow((void **)&jsonl->columns, &jsonl->capacity, jsonl->n_columns + 1, sizeof *jsonl->columns,
                       jsonl->builder.limits.max_fields + 1, "columns", err));
    if (json_object_set_new_nocheck(jsonl->known, key, json_true()) != 0)
      return fn_err_no_memory(err, "a column's name");
    const char *name = json_object_iter_key(json_object_iter_at(jsonl->known, key));
    jsonl->columns[jsonl->n_columns++] = fn_str_from(name);
  }
  return FN_OK;
}

/* JSON text of what is no string: a number keeps its kind (1.0 stays a real). */
static fn_status add_other(fn_jsonl *jsonl, const json_t *value, fn_err *err) {
  if (json_is_real(value)) {
    fn_buf FN_AUTO_BUF text = {0};
    fn_buf_append_double(&text, json_real_value(value));
    if (text.data && !strpbrk(text.data, ".en")) fn_buf_append_str(&text, ".0");
    FN_TRY(fn_buf_check(&text, "a number", err));
    return fn_record_builder_add(&jsonl->builder, text.data, text.length, err);
  }
  FN_AUTO_FREE char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  if (!text) return fn_err_no_memory(err, "a JSON value");
  return fn_record_builder_add(&jsonl->builder, text, strlen(text), err);
}

static fn_status add_fields(fn_jsonl *jsonl, const json_t *object, fn_err *err) {
  for (size_t i = 0; i < jsonl->n_columns; i++) {
    const json_t *value = json_object_get(object, jsonl->columns[i].data);
    fn_value_kind kind = FN_VALUE_MISSING;
    if (json_is_string(value)) {
      kind = FN_VALUE_STRING;
      FN_TRY(fn_record_builder_add(&jsonl->builder, json_string_value(value), json_string_length(value), err));
    } else if (value && !json_is_null(value)) {
      kind = FN_VALUE_OTHER;
      FN_TRY(add_other(jsonl, value, err));
    }
    FN_TRY(fn_record_builder_close(&jsonl->builder, kind, err));
  }
  return FN_OK;
}

/* One line without its end. *ready stays false when it is blank. */
static fn_status parse_line(bool *ready, fn_record *record_out, fn_jsonl *jsonl, fn_str line, fn_err *err) {
  fn_record_builder *b = &jsonl->builder;
  fn_record_builder_reset(b, jsonl->line);
  size_t at;
  if (jsonl->too_long) {
    fn_record_builder_refuse(b, FN_E_LIMIT, jsonl->line, "the line is longer than %zu bytes",
                             b->limits.max_record_bytes);
  } else if (fn_str_trim(line).length == 0) {
    return FN_OK;
  } else if (!fn_utf8_valid(line, &at)) {
    fn_record_builder_refuse(b, FN_E_INVALID, jsonl->line, "byte %zu (0x%02x) %s", at + 1, (unsigned char)line.data[at],
                             b->complaint);
  } else {
    fn_json_error error;
    FN_AUTO_JSON json_t *object = NULL;
    const fn_status status = fn_json_read(&object, line, FN_JSON_REFUSE_NUL, &error);
    if (status == FN_E_NO_MEMORY) return fn_err_no_memory(err, "a JSON line");
    if (status != FN_OK) {
      fn_record_builder_refuse(b, FN_E_INVALID, jsonl->line, "not JSON at byte %zu: %s; one object a line is accepted",
                               error.at + 1, error.what);
    } else if (!json_is_array(object) && !json_is_object(object)) {
      fn_record_builder_refuse(b, FN_E_INVALID, jsonl->line, "JSON, but no object; one object a line is accepted");
    } else if (!json_is_object(object)) {
      fn_record_builder_refuse(b, FN_E_INVALID, jsonl->line,
                               "a JSON array; one object a line is accepted (jq -c '.[]' makes that of an array)");
    } else {
      FN_TRY(add_columns(jsonl, object, err));
      FN_TRY(add_fields(jsonl, object, err));
    }
  }
  *record_out = fn_record_builder_finish(b);
  *ready = true;
  return FN_OK;
}

/* Keeps the beginning of a line whose end is not here yet. */
static fn_status keep(fn_jsonl *jsonl, const char *data, size_t length, fn_err *err) {
  if (jsonl->too_long) return FN_OK;
  if (length > jsonl->builder.limits.max_record_bytes - jsonl->bytes.length) {
    jsonl->too_long = true;
    fn_buf_reset(&jsonl->bytes);
    return FN_OK;
  }
  fn_buf_append(&jsonl->bytes, data, length);
  return fn_buf_check(&jsonl->bytes, "a JSON line", err);
}

fn_status fn_jsonl_feed(fn_record_event *event_out, fn_record *record_out, size_t *used_out, fn_jsonl *jsonl,
                        const char *data, size_t length, fn_err *err) {
  size_t used = 0;
  bool ready = false;
  while (used < length && !ready) {
    const char *p = data + used;
    const char *newline = memchr(p, '\n', length - used);
    size_t n = newline ? (size_t)(newline - p) : length - used;
    bool whole = newline && jsonl->bytes.length == 0 && n <= jsonl->builder.limits.max_record_bytes;
    if (!whole) FN_TRY(keep(jsonl, p, n, err));
    used += n + (newline ? 1 : 0);
    if (!newline) break;
    FN_TRY(parse_line(&ready, record_out, jsonl, whole ? fn_str_make(p, n) : fn_buf_str(&jsonl->bytes), err));
    fn_buf_reset(&jsonl->bytes);
    jsonl->too_long = false;
    jsonl->line++;
  }
  *used_out = used;
  *event_out = ready ? FN_RECORD_READY : FN_RECORD_NONE;
  return FN_OK;
}

fn_status fn_jsonl_finish(fn_record_event *event_out, fn_record *record_out, fn_jsonl *jsonl, fn_err *err) {
  bool ready = false;
  if (jsonl->bytes.length || jsonl->too_long)
    FN_TRY(parse_line(&ready, record_out, jsonl, fn_buf_str(&jsonl->bytes), err));
  fn_buf_reset(&jsonl->bytes);
  jsonl->too_long = false;
  *event_out = ready ? FN_RECORD_READY : FN_RECORD_NONE;
  return FN_OK;
}
