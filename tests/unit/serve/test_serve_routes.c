/* The one table: every row is found, and says of itself what the document of the API needs. */
#include "serve/openapi.h"

#include "../test.h"

static void check_schema(const fn_route *r, const char *name) {
  if (name == NULL) return;
  json_t *schema = fn_schema_load(name);
  if (!json_is_object(schema) || !json_is_string(json_object_get(schema, "description")))
    fail_msg("%s names schema %s, which is not there or has no description", r->path, name);
  json_decref(schema);
}

static void check_parameters(const fn_route *r) {
  json_t *about = fn_schema_load("parameters");
  for (const char *p = r->parameters; p != NULL && *p;) {
    char name[64];
    const size_t n = strcspn(p, " ");
    snprintf(name, sizeof name, "%.*s", (int)n, p);
    if (json_object_get(about, name) == NULL) fail_msg("%s: parameter %s is not described", r->path, name);
    p += n + (p[n] == ' ');
  }
  json_decref(about);
}

static void test_rows_are_described(void **state) {
  (void)state;
  for (const fn_route *r = fn_routes; r->path != NULL; r++) {
    bool known = false;
    for (const fn_route_tag *tag = fn_route_tags; tag->name != NULL; tag++) known |= strcmp(tag->name, r->tag) == 0;
    if (!known) fail_msg("%s: tag %s is not known", r->path, r->tag);
    assert_non_null(r->begin);
    assert_non_null(r->response_type);
    assert_true(r->methods != 0 && (r->methods & (r->methods - 1)) == 0); /* one */
    if (r->summary == NULL || !fn_str_ends_with(fn_str_from(r->summary), ".")) fail_msg("%s has no summary", r->path);
    assert_true(r->body != FN_BODY_UPLOAD || (r->receive != NULL && r->media_type != NULL));
    if (strstr(r->response_type, "application/json") != NULL && r->response_schema == NULL)
      fail_msg("%s answers with JSON that no schema describes", r->path);
    if (r->body == FN_BODY_JSON && r->request_schema == NULL) fail_msg("%s takes JSON without a schema", r->path);
    check_schema(r, r->request_schema);
    check_schema(r, r->response_schema);
    check_parameters(r);
  }
}

/* A request as the row wants it finds the row, and not another one. */
static void test_rows_are_found(void **state) {
  (void)state;
  for (const fn_route *r = fn_routes; r->path != NULL; r++) {
    char path[160];
    size_t n = 0;
    for (const char *p = r->path; *p; p++) {
      if (*p == '{') {
        path[n++] = 'x';
        p += strcspn(p, "}");
      } else {
        path[n++] = *p;
      }
    }
    const char *type = fn_route_media_type(r);
    const fn_field header = {fn_str_from("Content-Type"), fn_str_from(type != NULL ? type : "")};
    fn_request request = {
        .method = (fn_method)r->methods, .path = fn_str_make(path, n), .headers = &header, .n_headers = type != NULL};
    unsigned allowed = 0;
    const fn_route *found = fn_route_find(&allowed, &request);
    if (found != r) fail_msg("%s %s (%s) is not found", fn_route_method(r), r->path, type != NULL ? type : "");
    assert_true(!fn_operation_is_first(r) || fn_operation_next(r) == NULL || r->media_type != NULL);
  }
}

static void test_other_methods_and_types(void **state) {
  (void)state;
  unsigned allowed = 0;
  fn_request request = {.method = FN_METHOD_DELETE, .path = fn_str_from("/predict")};
  assert_null(fn_route_find(&allowed, &request));
  assert_int_equal(allowed, FN_METHOD_POST);
  request.method = FN_METHOD_POST; /* without a type: the last row, which takes what is left */
  const fn_route *r = fn_route_find(&allowed, &request);
  assert_string_equal(r->media_type, "application/json");
  request.path = fn_str_from("/nowhere");
  assert_null(fn_route_find(&allowed, &request));
  assert_int_equal(allowed, 0);
}

static void test_document(void **state) {
  (void)state;
  fn_buf text;
  fn_err err = {0};
  fn_json_error error;
  json_t *document = NULL;
  fn_buf_init(&text, 0);
  assert_ok(fn_openapi_write(&text, "1", &err));
  assert_int_equal(fn_json_read(&document, fn_buf_str(&text), 0, &error), FN_OK);
  size_t n = 0;
  for (const fn_route *r = fn_routes; r->path != NULL; r++) n += fn_operation_is_first(r);
  size_t n_written = 0;
  const char *path;
  json_t *methods;
  json_object_foreach(json_object_get(document, "paths"), path, methods) n_written += json_object_size(methods);
  assert_int_equal(n_written, n);
  json_decref(document);
  fn_buf_deinit(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_are_described),
      cmocka_unit_test(test_rows_are_found),
      cmocka_unit_test(test_other_methods_and_types),
      cmocka_unit_test(test_document),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
