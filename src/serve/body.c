#include "serve/body.h"

#include "serve/serve.h"

static void release(void *value) {
  json_decref(value);
}

static fn_progress check_members(fn_exchange *x, const json_t *object, const char *const *known) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    size_t i = 0;
    while (known[i] != NULL && strcmp(known[i], key) != 0) i++;
    if (known[i] != NULL) continue;
    char list[256] = "";
    size_t n = 0;
    for (i = 0; known[i] != NULL && n < sizeof list; i++)
      n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", known[i]);
    return fn_exchange_fail(x, 422, "unknown_member", "\"%.80s\" is not known; the members are %s", key, list);
  }
  return FN_EXCHANGE_PENDING;
}

fn_progress fn_body_json(json_t **object_out, fn_exchange *x, const char *const *known) {
  const fn_str type = fn_request_media_type(&x->request);
  json_t *value = NULL;
  fn_json_error error;
  if (type.length > 0 && !fn_str_equal_nocase(type, fn_str_from("application/json")))
    return fn_exchange_fail(x, 415, "media_type", "the body must be application/json; its Content-Type says %.*s",
                            (int)(type.length < 80 ? type.length : 80), type.data);
  if (x->request.body.length == 0) return fn_exchange_fail(x, 400, "no_body", "a JSON object is needed as the body");
  const fn_status status = fn_json_read(&value, x->request.body, FN_JSON_LARGE_AS_REAL | FN_JSON_REFUSE_NUL, &error);
  if (status == FN_E_NO_MEMORY) return fn_exchange_no_memory(x);
  if (status != FN_OK) {
    return fn_exchange_fail(x, 400, "no_json", "the body is no JSON: line %d, column %d: %s", error.line, error.column,
                            error.what);
  }
  if (!fn_exchange_defer(x, release, value)) return fn_exchange_no_memory(x);
  if (!json_is_object(value)) return fn_exchange_fail(x, 422, "no_object", "the body must be a JSON object");
  if (known != NULL && check_members(x, value, known) == FN_EXCHANGE_DONE) return FN_EXCHANGE_DONE;
  *object_out = value;
  return FN_EXCHANGE_PENDING;
}

const char *fn_body_article(fn_article *article_out, const char **key_out, const json_t *object) {
  fn_article a = {.prior = 0.0};
  const json_t *title = json_object_get(object, "title"), *text = json_object_get(object, "text");
  const json_t *prior = json_object_get(object, "prior");
  *key_out = "title";
  if (title != NULL && !json_is_string(title) && !json_is_null(title)) return "must be a string";
  *key_out = "text";
  if (text != NULL && !json_is_string(text) && !json_is_null(text)) return "must be a string";
  *key_out = "prior";
  if (prior != NULL && !json_is_null(prior)) {
    a.prior = json_is_number(prior) ? json_number_value(prior) : 0.0;
    if (!(a.prior > 0.0 && a.prior < 1.0)) return "must be a number above 0 and below 1";
  }
  if (json_is_string(title)) a.title = fn_str_make(json_string_value(title), json_string_length(title));
  if (json_is_string(text)) a.text = fn_str_make(json_string_value(text), json_string_length(text));
  *key_out = "title";
  if (fn_str_trim(a.title).length == 0 && fn_str_trim(a.text).length == 0) {
    return "and text are both empty; at least one is needed";
  }
  *article_out = a;
  return NULL;
}
