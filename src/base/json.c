#include "base/json.h"

#include "base/file.h"

#include <math.h>

fn_status fn_json_parse(json_t **value_out, fn_str text, const char *name, fn_err *err) {
  fn_json_error e;
  const fn_status status = fn_json_read(value_out, text, 0, &e);
  if (status == FN_E_NO_MEMORY) return fn_err_no_memory(err, name);
  if (status != FN_OK) return fn_err_set(err, status, "%s:%d:%d: not valid JSON: %s", name, e.line, e.column, e.what);
  return FN_OK;
}

fn_status fn_json_load(json_t **value_out, const char *path, size_t max_bytes, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, max_bytes);
  FN_TRY(fn_file_read(&text, path, max_bytes, err));
  return fn_json_parse(value_out, fn_buf_str(&text), path, err);
}

static const char *type_name(const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_OBJECT: return "an object";
  case JSON_ARRAY: return "an array";
  case JSON_STRING: return "a string";
  case JSON_INTEGER: return "an integer";
  case JSON_REAL: return "a number";
  case JSON_TRUE:
  case JSON_FALSE: return "true or false";
  case JSON_NULL: break;
  }
  return "null";
}

static fn_status missing(const char *key, const char *name, fn_err *err) {
  return fn_err_set(err, FN_E_INVALID, "%s: \"%s\" is missing", name, key);
}

fn_status fn_json_get_int(int64_t *out, const json_t *object, const char *key, int64_t min, int64_t max,
                          const int64_t *fallback, const char *name, fn_err *err) {
  const json_t *value = json_object_get(object, key);
  if (!value) {
    if (!fallback) return missing(key, name, err);
    *out = *fallback;
    return FN_OK;
  }
  if (!json_is_integer(value))
    return fn_err_set(err, FN_E_INVALID, "%s: \"%s\" must be an integer, not %s", name, key, type_name(value));
  int64_t number = json_integer_value(value);
  if (number < min || number > max)
    return fn_err_set(err, FN_E_INVALID, "%s: \"%s\" is %lld, accepted are %lld to %lld", name, key, (long long)number,
                      (long long)min, (long long)max);
  *out = number;
  return FN_OK;
}

double fn_json_number(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

fn_status fn_json_get_double(double *out, const json_t *object, const char *key, double min, double max,
                             const double *fallback, const char *name, fn_err *err) {
  const json_t *value = json_object_get(object, key);
  if (!value) {
    if (!fallback) return missing(key, name, err);
    *out = *fallback;
    return FN_OK;
  }
  if (!json_is_number(value))
    return fn_err_set(err, FN_E_INVALID, "%s: \"%s\" must be a number, not %s", name, key, type_name(value));
  double number = json_number_value(value);
  if (!(number >= min && number <= max))
    return fn_err_set(err, FN_E_INVALID, "%s: \"%s\" is %g, accepted are %g to %g", name, key, number, min, max);
  *out = number;
  return FN_OK;
}

fn_status fn_json_get_bool(bool *out, const json_t *object, const char *key, const bool *fallback, const char *name,
                           fn_err *err) {
  const json_t *value = json_object_get(object, key);
  if (!value) {
    if (!fallback) return missing(key, name, err);
    *out = *fallback;
    return FN_OK;
  }
  if (!json_is_boolean(value))
    return fn_err_set(err, FN_E_INVALID, "%s: \"%s\" must be true or false, not %s", name, key, type_name(value));
  *out = json_is_true(value);
  return FN_OK;
}

fn_status fn_json_get_string(const char **out, const json_t *object, const char *key, const char *fallback,
                             const char *name, fn_err *err) {
  const json_t *value = json_object_get(object, key);
  if (!value) {
    if (!fallback) return missing(key, name, err);
    *out = fallback;
    return FN_OK;
  }
  if (!json_is_string(value))
    return fn_err_set(err, FN_E_INVALID, "%s: \"%s\" must be a string, not %s", name, key, type_name(value));
  *out = json_string_value(value);
  return FN_OK;
}
