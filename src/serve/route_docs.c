/* GET /openapi.json and /docs: the table of routes for programs and for people. */
#include "serve/openapi.h"
#include "serve/route_handlers.h"
#include "serve/route_page.h"
#include "serve/serve.h"

#include <stdio.h>

fn_progress fn_handle_openapi(fn_exchange *x) {
  fn_err err = {0};
  if (fn_openapi_write(&x->response.body, fn_server_get_options(x->server)->version, &err) != FN_OK)
    return fn_exchange_fail_err(x, &err);
  fn_response_header(&x->response, "Access-Control-Allow-Origin", "*"); /* it holds nothing that is not public */
  return fn_exchange_json(x, 200);
}

/* ---- the page */

enum { MAX_DEPTH = 4 };

/* "string or null", "list of objects" */
static void describe_type(char out[96], const json_t *schema) {
  const json_t *type = json_object_get(schema, "type"), *items = json_object_get(schema, "items");
  size_t n = 0;
  out[0] = '\0';
  if (json_is_array(type)) {
    for (size_t i = 0; i < json_array_size(type); i++)
      n += (size_t)snprintf(out + n, 96 - n, "%s%s", i ? " or " : "", json_string_value(json_array_get(type, i)));
  } else if (json_is_string(type)) {
    snprintf(out, 96, "%s%s", strcmp(json_string_value(type), "array") == 0 ? "list" : json_string_value(type),
             json_is_object(items) ? " of:" : "");
  } else if (json_object_get(schema, "$ref") != NULL) {
    snprintf(out, 96, "object");
  }
}

static json_t *resolve(const json_t *schema) {
  const char *path = json_string_value(json_object_get(schema, "$ref"));
  const char *name = path != NULL ? strrchr(path, '/') : NULL;
  return name != NULL ? fn_schema_load(name + 1) : json_incref((json_t *)(uintptr_t)schema);
}

static void write_members(fn_json_writer *w, const json_t *schema, const char *prefix, int depth);

static bool is_required(const json_t *object, const char *key) {
  const json_t *required = json_object_get(object, "required");
  for (size_t i = 0; i < json_array_size(required); i++) {
    if (strcmp(json_string_value(json_array_get(required, i)), key) == 0) return true;
  }
  return false;
}

static void write_member(fn_json_writer *w, const json_t *schema, const char *name, bool required, int depth) {
  char type[96];
  json_t *resolved = resolve(schema);
  const json_t *description = json_object_get(resolved, "description"), *options = json_object_get(resolved, "enum");
  describe_type(type, resolved);
  fn_json_object(w, NULL);
  fn_json_text(w, "name", name);
  fn_json_text(w, "type", type);
  fn_json_bool(w, "required", required);
  fn_json_text(w, "description", json_is_string(description) ? json_string_value(description) : "");
  fn_json_array(w, "options");
  for (size_t i = 0; i < json_array_size(options); i++) {
    const json_t *option = json_array_get(options, i);
    fn_json_text(w, NULL, json_is_string(option) ? json_string_value(option) : "null");
  }
  fn_json_end(w);
  fn_json_end(w);
  write_members(w, resolved, name, depth + 1);
  json_decref(resolved);
}

/* Members of objects, also of those in lists and among choices, with the way to them: "items[].title". */
static void write_members(fn_json_writer *w, const json_t *schema, const char *prefix, int depth) {
  static const char *const choices[] = {"anyOf", "oneOf"};
  char name[160];
  const char *key;
  json_t *value;
  if (depth > MAX_DEPTH) return;
  json_t *resolved = resolve(schema);
  json_object_foreach(json_object_get(resolved, "properties"), key, value) {
    snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] ? "." : "", key);
    write_member(w, value, name, is_required(resolved, key), depth);
  }
  const json_t *items = json_object_get(resolved, "items");
  snprintf(name, sizeof name, "%s[]", prefix);
  if (json_is_object(items)) write_members(w, items, name, depth + 1);
  for (size_t i = 0; i < FN_COUNT_OF(choices); i++) {
    const json_t *list = json_object_get(resolved, choices[i]);
    for (size_t k = 0; k < json_array_size(list); k++) write_members(w, json_array_get(list, k), prefix, depth + 1);
  }
  json_decref(resolved);
}

/* A body: its type, what it is, its members. */
static void write_body(fn_json_writer *w, const char *type, const char *schema_name) {
  json_t *schema = schema_name != NULL ? fn_schema_load(schema_name) : NULL;
  const json_t *description = json_object_get(schema, "description");
  fn_json_object(w, NULL);
  fn_json_text(w, "type", type);
  fn_json_text(w, "description", json_is_string(description) ? json_string_value(description) : "");
  fn_json_array(w, "members");
  if (schema != NULL) write_members(w, schema, "", 0);
  fn_json_end(w);
  const json_t *members = json_object_get(schema, "properties");
  fn_json_bool(w, "has_members",
               json_object_size(members) > 0 || json_object_get(schema, "items") != NULL ||
                   json_object_get(schema, "anyOf") != NULL || json_object_get(schema, "oneOf") != NULL);
  fn_json_end(w);
  json_decref(schema);
}

static void append_quoted(fn_buf *out, const char *text) {
  fn_buf_append_char(out, '\'');
  for (; *text; text++) {
    if (*text == '\'')
      fn_buf_append_str(out, "'\\''");
    else
      fn_buf_append_char(out, *text);
  }
  fn_buf_append_char(out, '\'');
}

/* A command that asks it. */
static void write_command(fn_json_writer *w, const fn_route *r) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  fn_buf_append_str(&text, "curl -s localhost:8080");
  for (const char *p = r->path; *p; p++) {
    if (*p == '{') {
      fn_buf_append_str(&text, strncmp(p, "{name}", 6) == 0 ? "fakenews" : "ID");
      p += strcspn(p, "}");
    } else {
      fn_buf_append_char(&text, *p);
    }
  }
  json_t *schema = r->request_schema != NULL ? fn_schema_load(r->request_schema) : NULL;
  const json_t *example = json_array_get(json_object_get(schema, "examples"), 0);
  const char *type = fn_route_media_type(r);
  if (type != NULL && strcmp(type, "multipart/form-data") == 0) {
    fn_buf_append_str(&text, " -F file=@articles.csv");
  } else if (json_is_string(example)) {
    fn_buf_printf(&text, " -H 'Content-Type: %s' --data-binary @FILE", type);
  } else if (example != NULL) {
    char *body = json_dumps(example, JSON_ENCODE_ANY);
    fn_buf_printf(&text, " -H 'Content-Type: %s' -d ", type);
    if (body != NULL) append_quoted(&text, body);
    free(body);
  }
  fn_json_str(w, "command", fn_buf_str(&text));
  json_decref(schema);
}

static void write_parameters(fn_json_writer *w, const fn_route *r) {
  json_t *about = fn_schema_load("parameters");
  const char *name;
  json_t *value;
  fn_json_array(w, "parameters");
  json_object_foreach(about, name, value) {
    const char *at = r->parameters != NULL ? strstr(r->parameters, name) : NULL;
    if (at == NULL) continue;
    fn_json_object(w, NULL);
    fn_json_text(w, "name", name);
    fn_json_value(w, "description", json_object_get(value, "description"));
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_bool(w, "has_parameters", r->parameters != NULL);
  json_decref(about);
}

static void write_operation(fn_json_writer *w, const fn_route *r) {
  char anchor[160];
  snprintf(anchor, sizeof anchor, "%s%s", fn_route_method(r), r->path);
  for (char *p = anchor; *p; p++) {
    if (*p == '/' || *p == '{' || *p == '}') *p = '-';
  }
  fn_json_object(w, NULL);
  fn_json_text(w, "anchor", anchor);
  fn_json_text(w, "method", fn_route_method(r));
  fn_json_text(w, "path", r->path);
  fn_json_text(w, "role", fn_route_role(r));
  write_parameters(w, r);
  write_command(w, r);
  fn_json_array(w, "requests");
  for (const fn_route *q = r; q != NULL; q = fn_operation_next(q)) {
    if (fn_route_media_type(q) != NULL) write_body(w, fn_route_media_type(q), q->request_schema);
  }
  fn_json_end(w);
  fn_json_array(w, "answers");
  for (const fn_route *q = r; q != NULL; q = fn_operation_next(q)) {
    if (q == r || q->response_schema == NULL || r->response_schema == NULL ||
        strcmp(q->response_schema, r->response_schema) != 0)
      write_body(w, q->response_type, q->response_schema);
  }
  fn_json_end(w);
  fn_json_array(w, "summaries");
  for (const fn_route *q = r; q != NULL; q = fn_operation_next(q)) fn_json_text(w, NULL, q->summary);
  fn_json_end(w);
  fn_json_end(w);
}

fn_progress fn_handle_docs(fn_exchange *x) {
  fn_page_building page;
  fn_page_begin(&page, x, "docs", "fakenews: the API");
  fn_json_writer *w = &page.writer;
  fn_json_array(w, "tags");
  for (const fn_route_tag *tag = fn_route_tags; tag->name != NULL; tag++) {
    fn_json_object(w, NULL);
    fn_json_text(w, "tag", tag->name);
    fn_json_text(w, "heading", tag->title);
    fn_json_text(w, "about", tag->description);
    fn_json_array(w, "operations");
    for (const fn_route *r = fn_routes; r->path != NULL; r++) {
      if (strcmp(r->tag, tag->name) == 0 && fn_operation_is_first(r)) write_operation(w, r);
    }
    fn_json_end(w);
    fn_json_end(w);
  }
  fn_json_end(w);
  return fn_page_end(&page, 200, "docs");
}
