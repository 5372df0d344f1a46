#include "serve/items.h"

#include "data/input.h"
#include "serve/serve.h"

#include <stdio.h>

static void release_json(void *value) {
  json_decref(value);
}

fn_status fn_items_parse(json_t **value_out, fn_exchange *x, fn_json_error *error_out) {
  json_t *value = NULL;
  FN_TRY(fn_json_read(&value, x->request.body, FN_JSON_LARGE_AS_REAL | FN_JSON_REFUSE_NUL, error_out));
  if (!fn_exchange_defer(x, release_json, value)) return FN_E_NO_MEMORY;
  *value_out = value;
  return FN_OK;
}

static bool grow(fn_items *items, fn_exchange *x) {
  if (items->n < items->capacity) return true;
  const size_t capacity = items->capacity ? 2 * items->capacity : 8;
  fn_article *articles = fn_arena_alloc(&x->arena, capacity, sizeof *articles);
  if (articles == NULL) return false;
  if (items->n > 0) memcpy(articles, items->articles, items->n * sizeof *articles);
  items->articles = articles;
  items->capacity = capacity;
  return true;
}

fn_progress fn_items_add(fn_items *items, fn_exchange *x, fn_str title, fn_str text, const char *where, int status) {
  const size_t max = (size_t)fn_server_get_options(x->server)->serve->max_items;
  if (items->n == max)
    return fn_exchange_fail(x, 413, "too_many", "more than %zu articles in one request (serve.max_items)", max);
  if (fn_str_trim(title).length == 0 && fn_str_trim(text).length == 0)
    return fn_exchange_fail(x, status, "empty", "%s: article %zu has no words", where, items->n);
  if (!grow(items, x)) return fn_exchange_no_memory(x);
  items->articles[items->n++] = (fn_article){.title = title, .text = text};
  return FN_EXCHANGE_PENDING;
}

static fn_str string_of(const json_t *value) {
  return json_is_string(value) ? fn_str_make(json_string_value(value), json_string_length(value)) : fn_str_from("");
}

/* Member title or text, in any case: the predecessors' clients write Text. */
static const json_t *member(const json_t *object, const char *name) {
  const char *key;
  json_t *value;
  const json_t *exact = json_object_get(object, name);
  if (exact != NULL) return exact;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    if (fn_str_equal_nocase(fn_str_from(key), fn_str_from(name))) return value;
  }
  return NULL;
}

static bool is_text(const json_t *value) {
  return value == NULL || json_is_null(value) || json_is_string(value);
}

static fn_progress read_columns(fn_items *items, fn_exchange *x, const json_t *title, const json_t *text,
                                const char *where, int status) {
  const size_t n = json_array_size(title != NULL ? title : text);
  if ((title != NULL && !json_is_array(title)) || (text != NULL && !json_is_array(text)) ||
      (title != NULL && text != NULL && json_array_size(text) != n))
    return fn_exchange_fail(x, status, "invalid", "%s: title and text must be lists of the same length", where);
  for (size_t i = 0; i < n; i++) {
    const json_t *a = json_array_get(title, i), *b = json_array_get(text, i);
    if (!is_text(a) || !is_text(b))
      return fn_exchange_fail(x, status, "invalid", "%s: title and text must be strings", where);
    if (fn_items_add(items, x, string_of(a), string_of(b), where, status) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  }
  return FN_EXCHANGE_PENDING;
}

static fn_progress read_object(fn_items *items, fn_exchange *x, const json_t *value, const char *where, int status) {
  const json_t *title = member(value, "title"), *text = member(value, "text");
  if (title == NULL && text == NULL)
    return fn_exchange_fail(x, status, "invalid", "%s: an article has member title, text or both", where);
  if (json_is_array(title) || json_is_array(text)) return read_columns(items, x, title, text, where, status);
  if (!is_text(title) || !is_text(text))
    return fn_exchange_fail(x, status, "invalid", "%s: title and text must be strings", where);
  return fn_items_add(items, x, string_of(title), string_of(text), where, status);
}

static fn_progress read_one(fn_items *items, fn_exchange *x, const json_t *value, const char *where, int status) {
  /* a row of a matrix with one column */
  if (json_is_array(value) && json_array_size(value) == 1) value = json_array_get(value, 0);
  if (json_is_string(value)) return fn_items_add(items, x, fn_str_from(""), string_of(value), where, status);
  if (json_is_object(value)) return read_object(items, x, value, where, status);
  return fn_exchange_fail(x, status, "invalid",
                          "%s must be a text, a list of texts, or of objects with title, text or both", where);
}

fn_progress fn_items_read(fn_items *items, fn_exchange *x, const json_t *value, const char *where, int status) {
  if (!json_is_array(value)) return read_one(items, x, value, where, status);
  for (size_t i = 0; i < json_array_size(value); i++) {
    if (read_one(items, x, json_array_get(value, i), where, status) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  }
  return FN_EXCHANGE_PENDING;
}

/* Index of the column of that name in any case, or n. */
static size_t find_column(const json_t *columns, const char *name) {
  size_t i = 0;
  while (i < json_array_size(columns) && !fn_str_equal_nocase(string_of(json_array_get(columns, i)), fn_str_from(name)))
    i++;
  return i;
}

fn_progress fn_items_read_split(fn_items *items, fn_exchange *x, const json_t *value, int status) {
  const json_t *columns = json_object_get(value, "columns"), *data = json_object_get(value, "data");
  const size_t n = json_array_size(columns), title = find_column(columns, "title"), text = find_column(columns, "text");
  if (!json_is_array(columns) || !json_is_array(data) || (title == n && text == n)) {
    return fn_exchange_fail(x, status, "invalid",
                            "dataframe_split must have \"columns\", among them title or text, and \"data\"");
  }
  for (size_t i = 0; i < json_array_size(data); i++) {
    const json_t *row = json_array_get(data, i);
    const json_t *a = json_array_get(row, title), *b = json_array_get(row, text);
    if (json_array_size(row) != n || !is_text(a) || !is_text(b))
      return fn_exchange_fail(x, status, "invalid", "dataframe_split: row %zu has no %zu cells with strings", i, n);
    if (fn_items_add(items, x, string_of(a), string_of(b), "dataframe_split", status) == FN_EXCHANGE_DONE)
      return FN_EXCHANGE_DONE;
  }
  return FN_EXCHANGE_PENDING;
}

/* ---- CSV and JSON lines */

static fn_status read_body(void *arg, void *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  (void)err;
  fn_str *rest = arg;
  const size_t n = rest->length < capacity ? rest->length : capacity;
  if (n > 0) memcpy(buffer, rest->data, n);
  *rest = fn_str_make(rest->data + n, rest->length - n);
  *n_out = n;
  return FN_OK;
}

static bool copy(fn_str *out, fn_exchange *x, fn_str s) {
  const char *data = fn_arena_strndup(&x->arena, s.length ? s.data : "", s.length);
  *out = fn_str_make(data, s.length);
  return data != NULL;
}

static fn_progress add_row(fn_items *items, fn_exchange *x, const fn_input *in, const fn_input_row *row, int status) {
  size_t i;
  fn_str title = fn_str_from(""), text = fn_str_from("");
  if (row->status != FN_OK) return fn_exchange_fail(x, status, "invalid", "%s", row->message);
  if (fn_input_find(&i, in, "title") && !copy(&title, x, row->fields[i])) return fn_exchange_no_memory(x);
  if (fn_input_find(&i, in, "text") && !copy(&text, x, row->fields[i])) return fn_exchange_no_memory(x);
  return fn_items_add(items, x, title, text, "the body", status);
}

static fn_progress read_rows(fn_items *items, fn_exchange *x, fn_input *in, int status) {
  size_t i;
  fn_err err = {0};
  if (!fn_input_find(&i, in, "title") && !fn_input_find(&i, in, "text"))
    return fn_exchange_fail(x, status, "no_column", "the header has neither column title nor text");
  for (;;) {
    fn_input_row row;
    bool more;
    if (fn_input_next(&row, &more, in, &err) != FN_OK)
      return fn_exchange_fail(x, err.status == FN_E_NO_MEMORY ? 503 : status, "invalid", "%s", err.message);
    if (!more) return FN_EXCHANGE_PENDING;
    if (add_row(items, x, in, &row, status) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  }
}

fn_progress fn_items_read_csv(fn_items *items, fn_exchange *x, fn_str body, int status) {
  const fn_input_options options = {.format = FN_INPUT_CSV};
  fn_input *in;
  fn_err err = {0};
  if (fn_input_open_stream(&in, read_body, &body, "the body", &options, &err) != FN_OK)
    return fn_exchange_fail(x, err.status == FN_E_NO_MEMORY ? 503 : status, "invalid", "%s", err.message);
  const fn_progress progress = read_rows(items, x, in, status);
  fn_input_close(in);
  return progress;
}

fn_progress fn_items_read_lines(fn_items *items, fn_exchange *x, fn_str body, int status) {
  for (size_t number = 1; body.length > 0; number++) {
    const char *end = memchr(body.data, '\n', body.length);
    const size_t n = end != NULL ? (size_t)(end - body.data) : body.length;
    const fn_str line = fn_str_trim(fn_str_make(body.data, n));
    body = fn_str_make(body.data + n + (end != NULL), body.length - n - (end != NULL));
    if (line.length == 0) continue;
    json_t *value = NULL;
    fn_json_error error;
    char where[32];
    snprintf(where, sizeof where, "line %zu", number);
    const fn_status read = fn_json_read(&value, line, FN_JSON_LARGE_AS_REAL | FN_JSON_REFUSE_NUL, &error);
    if (read == FN_E_NO_MEMORY) return fn_exchange_no_memory(x);
    if (read != FN_OK) return fn_exchange_fail(x, status, "no_json", "%s is no JSON: %s", where, error.what);
    if (!fn_exchange_defer(x, release_json, value)) return fn_exchange_no_memory(x);
    if (read_one(items, x, value, where, status) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  }
  return FN_EXCHANGE_PENDING;
}

/* ---- */

fn_progress fn_items_classify(const fn_items *items, fn_exchange *x, const char *where, int status) {
  if (items->n == 0) return fn_exchange_fail(x, status, "empty", "%s: there is no article", where);
  return fn_exchange_classify(x, items->articles, items->n, false);
}

bool fn_items_all_answered(fn_exchange *x, int status) {
  const fn_job *job = x->job;
  size_t n_truncated = 0;
  char number[24];
  for (size_t i = 0; i < job->n; i++) {
    const fn_prediction *p = &job->predictions[i];
    if (p->status != FN_OK) {
      (void)fn_exchange_fail(x, p->status == FN_E_LIMIT ? 413 : status, "unreadable", "article %zu: %s", i, p->message);
      return false;
    }
    n_truncated += p->truncated;
  }
  snprintf(number, sizeof number, "%zu", n_truncated);
  if (n_truncated > 0) fn_response_header(&x->response, "X-Truncated", number);
  return true;
}
