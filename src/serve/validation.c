#include "serve/validation.h"

#include <stdio.h>

/* Type and message of each kind, as Pydantic 2 has them. */
static const struct {
  const char *type, *message;
} kinds[] = {
    [FN_VALIDATION_MISSING] = {"missing", "Field required"},
    [FN_VALIDATION_STRING] = {"string_type", "Input should be a valid string"},
    [FN_VALIDATION_EMPTY] = {"string_too_short", "String should have at least 1 character"},
    [FN_VALIDATION_OBJECT] = {"model_attributes_type",
                              "Input should be a valid dictionary or object to extract fields from"},
    [FN_VALIDATION_INTEGER] = {"int_parsing", "Input should be a valid integer, unable to parse string as an integer"},
    [FN_VALIDATION_NEGATIVE] = {"greater_than_equal", "Input should be greater than or equal to 0"},
    [FN_VALIDATION_NO_JSON] = {"json_invalid", "JSON decode error"},
    [FN_VALIDATION_NO_UPLOAD] = {"value_error", "Value error, Expected UploadFile, received: <class 'str'>"},
};

static void write_context(fn_json_writer *w, const fn_validation_error *e) {
  switch (e->kind) {
  case FN_VALIDATION_EMPTY:
    fn_json_object(w, "ctx");
    fn_json_int(w, "min_length", 1);
    fn_json_end(w);
    break;
  case FN_VALIDATION_NEGATIVE:
    fn_json_object(w, "ctx");
    fn_json_int(w, "ge", 0);
    fn_json_end(w);
    break;
  case FN_VALIDATION_NO_JSON:
    fn_json_object(w, "ctx");
    fn_json_text(w, "error", e->text);
    fn_json_end(w);
    break;
  default: break;
  }
}

static void write_input(fn_json_writer *w, const fn_validation_error *e) {
  if (e->kind == FN_VALIDATION_NO_JSON) {
    fn_json_object(w, "input");
    fn_json_end(w);
  } else if (e->input != NULL) {
    fn_json_value(w, "input", e->input);
  } else {
    fn_json_text(w, "input", e->text);
  }
}

fn_progress fn_validation_fail(fn_exchange *x, const fn_validation_error *e) {
  (void)fn_exchange_fail(x, 422, kinds[e->kind].type, "%s", kinds[e->kind].message);
  fn_buf_reset(&x->response.body);
  fn_json_writer w;
  fn_json_begin(&w, &x->response.body, 0);
  fn_json_object(&w, NULL);
  fn_json_array(&w, "detail");
  fn_json_object(&w, NULL);
  fn_json_text(&w, "type", kinds[e->kind].type);
  fn_json_array(&w, "loc");
  for (size_t i = 0; i < 2 && e->loc[i] != NULL; i++) fn_json_text(&w, NULL, e->loc[i]);
  if (e->index >= 0) fn_json_int(&w, NULL, e->index);
  fn_json_end(&w);
  fn_json_text(&w, "msg", kinds[e->kind].message);
  write_input(&w, e);
  write_context(&w, e);
  fn_json_end(&w);
  fn_json_end(&w);
  fn_json_end(&w);
  return fn_exchange_json(x, 422);
}
