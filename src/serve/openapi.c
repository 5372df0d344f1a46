#include "serve/openapi.h"

#include "base/embedded.h"

#include <stdio.h>

extern const fn_embedded fn_embedded_schemas[];

const fn_route_tag fn_route_tags[] = {
    {"answers", "Answers", "What the model says of articles."},
    {"feedback", "Feedback", "Answers that were given, and what they really were."},
    {"model", "Model", "The model in service."},
    {"predecessors", "Predecessors",
     "Routes of two older services, for their clients. Labels there are forced choices."},
    {"platforms", "Platforms", "Shapes that serving platforms speak. Labels there are forced choices."},
    {"operation", "Operation", "Health and counters."},
    {"documentation", "Documentation", "This."},
    {"page", "Page", "The web page."},
    {"sign-in", "Sign-in", "Browsers with a key."},
    {NULL, NULL, NULL},
};

json_t *fn_schema_load(const char *name) {
  char path[128];
  json_t *value = NULL;
  fn_json_error error;
  snprintf(path, sizeof path, "src/serve/schema/%s.json", name);
  for (const fn_embedded *e = fn_embedded_schemas; e->name != NULL; e++) {
    if (strcmp(e->name, path) != 0) continue;
    if (fn_json_read(&value, fn_str_make((const char *)e->data, e->size), 0, &error) != FN_OK) return NULL;
    return value;
  }
  return NULL;
}

/* ---- the table */

static bool same_operation(const fn_route *a, const fn_route *b) {
  return a->methods == b->methods && strcmp(a->path, b->path) == 0;
}

bool fn_operation_is_first(const fn_route *r) {
  for (const fn_route *q = fn_routes; q < r; q++) {
    if (same_operation(q, r)) return false;
  }
  return true;
}

const fn_route *fn_operation_next(const fn_route *r) {
  for (const fn_route *q = r + 1; q->path != NULL; q++) {
    if (same_operation(q, r)) return q;
  }
  return NULL;
}

const char *fn_route_method(const fn_route *r) {
  switch (r->methods) {
  case FN_METHOD_GET: return "GET";
  case FN_METHOD_POST: return "POST";
  case FN_METHOD_DELETE: return "DELETE";
  case FN_METHOD_PUT: return "PUT";
  default: return "OPTIONS";
  }
}

const char *fn_route_media_type(const fn_route *r) {
  if (r->body == FN_BODY_NONE) return NULL;
  if (r->media_type != NULL) return r->media_type;
  return r->body == FN_BODY_FORM ? "application/x-www-form-urlencoded" : "application/json";
}

const char *fn_route_role(const fn_route *r) {
  static const char *const names[] = {NULL, "predict", "feedback", "admin"};
  return names[r->role];
}

/* The next word of a list between spaces; false at its end. */
static bool next_word(char out[64], const char **rest) {
  size_t n = 0;
  while (**rest == ' ') ++*rest;
  while (**rest != '\0' && **rest != ' ' && n + 1 < 64) out[n++] = *(*rest)++;
  out[n] = '\0';
  return n > 0;
}

/* ---- the document */

static void write_reference(fn_json_writer *w, const char *key, const char *name) {
  char path[128];
  snprintf(path, sizeof path, "#/components/schemas/%s", name);
  fn_json_object(w, key);
  fn_json_text(w, "$ref", path);
  fn_json_end(w);
}

static void write_type(fn_json_writer *w, const char *key, const char *type) {
  fn_json_object(w, key);
  fn_json_text(w, "type", type);
  fn_json_end(w);
}

static void write_parameter(fn_json_writer *w, const char *name, const char *in, const json_t *about) {
  fn_json_object(w, NULL);
  fn_json_text(w, "name", name);
  fn_json_text(w, "in", in);
  fn_json_bool(w, "required", strcmp(in, "path") == 0);
  if (about != NULL) {
    fn_json_value(w, "description", json_object_get(about, "description"));
    fn_json_value(w, "schema", json_object_get(about, "schema"));
  } else {
    write_type(w, "schema", "string");
  }
  fn_json_end(w);
}

static void write_parameters(fn_json_writer *w, const fn_route *r) {
  char name[64];
  json_t *about = fn_schema_load("parameters");
  fn_json_array(w, "parameters");
  for (const char *p = r->path; (p = strchr(p, '{')) != NULL; p++) {
    snprintf(name, sizeof name, "%.*s", (int)strcspn(p + 1, "}"), p + 1);
    write_parameter(w, name, "path", NULL);
  }
  const char *rest = r->parameters != NULL ? r->parameters : "";
  while (next_word(name, &rest)) write_parameter(w, name, "query", json_object_get(about, name));
  fn_json_end(w);
  json_decref(about);
}

static void write_request(fn_json_writer *w, const fn_route *first) {
  if (first->body == FN_BODY_NONE) return;
  fn_json_object(w, "requestBody");
  fn_json_bool(w, "required", first->request_schema == NULL || strcmp(first->request_schema, "reload_request") != 0);
  fn_json_object(w, "content");
  for (const fn_route *r = first; r != NULL; r = fn_operation_next(r)) {
    fn_json_object(w, fn_route_media_type(r));
    if (r->request_schema == NULL) {
      write_type(w, "schema", "object");
    } else {
      json_t *schema = fn_schema_load(r->request_schema);
      const json_t *example = json_array_get(json_object_get(schema, "examples"), 0);
      write_reference(w, "schema", r->request_schema);
      if (example != NULL) fn_json_value(w, "example", example);
      json_decref(schema);
    }
    fn_json_end(w);
  }
  fn_json_end(w);
  fn_json_end(w);
}

static bool gives(const fn_route *r, const char *type) {
  const char *rest = r->response_type;
  char word[64];
  while (next_word(word, &rest)) {
    if (strcmp(word, type) == 0) return true;
  }
  return false;
}

/* Whether an earlier row of the operation has this type of answer already. */
static bool is_answered_before(const fn_route *first, const fn_route *row, const char *type) {
  for (const fn_route *r = first; r != row; r = fn_operation_next(r)) {
    if (gives(r, type)) return true;
  }
  return false;
}

/* Answers of that type by all rows of the operation: each schema once. */
static void write_answer(fn_json_writer *w, const fn_route *first, const char *type) {
  if (strcmp(type, "application/json") != 0) {
    write_type(w, "schema", "string");
    return;
  }
  fn_json_object(w, "schema");
  fn_json_array(w, "anyOf");
  for (const fn_route *r = first; r != NULL; r = fn_operation_next(r)) {
    bool earlier = r->response_schema == NULL || !gives(r, type);
    for (const fn_route *q = first; q != r && !earlier; q = fn_operation_next(q))
      earlier = gives(q, type) && q->response_schema != NULL && strcmp(q->response_schema, r->response_schema) == 0;
    if (!earlier) write_reference(w, NULL, r->response_schema);
  }
  fn_json_end(w);
  fn_json_end(w);
}

static void write_success(fn_json_writer *w, const fn_route *first) {
  char type[64], status[8];
  snprintf(status, sizeof status, "%d", first->success != 0 ? first->success : 200);
  fn_json_object(w, status);
  fn_json_text(w, "description", "Done.");
  fn_json_object(w, "content");
  for (const fn_route *r = first; r != NULL; r = fn_operation_next(r)) {
    const char *rest = r->response_type;
    while (next_word(type, &rest)) {
      if (is_answered_before(first, r, type)) continue;
      fn_json_object(w, type);
      write_answer(w, first, type);
      fn_json_end(w);
    }
  }
  fn_json_end(w);
  fn_json_end(w);
}

static void write_error(fn_json_writer *w, const char *type, const char *schema) {
  fn_json_object(w, type);
  if (schema != NULL)
    write_reference(w, "schema", schema);
  else
    write_type(w, "schema", "string");
  fn_json_end(w);
}

/* What is refused before a route is found is a problem (RFC 9457) everywhere. */
static void write_failure(fn_json_writer *w, const fn_route *first, const char *status, const char *description) {
  static const struct {
    const char *type, *schema;
  } styles[] = {[FN_ERRORS_PROBLEM] = {NULL, NULL},
                [FN_ERRORS_DETAIL] = {"application/json", "detail"},
                [FN_ERRORS_PLAIN] = {"application/json", "error"},
                [FN_ERRORS_MLFLOW] = {"application/json", "mlflow_error"},
                [FN_ERRORS_PAGE] = {"text/html", NULL}};
  bool written[FN_COUNT_OF(styles)] = {true};
  fn_json_object(w, status);
  fn_json_text(w, "description", description);
  fn_json_object(w, "content");
  write_error(w, "application/problem+json", "problem");
  for (const fn_route *r = first; r != NULL; r = fn_operation_next(r)) {
    if (written[r->errors]) continue;
    written[r->errors] = true;
    write_error(w, styles[r->errors].type, styles[r->errors].schema);
  }
  fn_json_end(w);
  fn_json_end(w);
}

static void write_operation_id(fn_json_writer *w, const fn_route *r) {
  char id[160];
  size_t n = 0;
  for (const char *p = fn_route_method(r); *p; p++) id[n++] = (char)(*p + ('a' - 'A'));
  for (const char *p = r->path; *p && n + 2 < sizeof id; p++) {
    if (*p == '/')
      id[n++] = '_';
    else if (*p != '{' && *p != '}')
      id[n++] = *p;
  }
  id[n] = '\0';
  fn_json_text(w, "operationId", id);
}

static void write_security(fn_json_writer *w, const fn_route *r) {
  if (r->role == FN_ROLE_NONE) return;
  fn_json_array(w, "security");
  fn_json_object(w, NULL); /* where no keys are used */
  fn_json_end(w);
  fn_json_object(w, NULL);
  fn_json_array(w, "key");
  fn_json_end(w);
  fn_json_end(w);
  fn_json_end(w);
  fn_json_text(w, "x-role", fn_route_role(r));
}

static void write_operation(fn_json_writer *w, const fn_route *first) {
  char method[8] = "";
  for (size_t i = 0; i + 1 < sizeof method && fn_route_method(first)[i]; i++)
    method[i] = (char)(fn_route_method(first)[i] + ('a' - 'A'));
  FN_AUTO_BUF fn_buf summary;
  fn_buf_init(&summary, 0);
  for (const fn_route *r = first; r != NULL; r = fn_operation_next(r))
    fn_buf_printf(&summary, "%s%s", r == first ? "" : " ", r->summary);
  fn_json_object(w, method);
  write_operation_id(w, first);
  fn_json_array(w, "tags");
  fn_json_text(w, NULL, first->tag);
  fn_json_end(w);
  fn_json_str(w, "summary", fn_buf_str(&summary));
  write_parameters(w, first);
  write_request(w, first);
  fn_json_object(w, "responses");
  write_success(w, first);
  if (first->errors == FN_ERRORS_PAGE) {
    fn_json_object(w, "3XX");
    fn_json_text(w, "description", "Elsewhere, or as the browser has it.");
    fn_json_end(w);
  }
  write_failure(w, first, "4XX", "Refused: what is wrong, and what would be accepted.");
  write_failure(w, first, "5XX", "Not now: too much to do, or a failure of the server.");
  fn_json_end(w);
  write_security(w, first);
  fn_json_end(w);
}

static void write_paths(fn_json_writer *w) {
  fn_json_object(w, "paths");
  for (const fn_route *r = fn_routes; r->path != NULL; r++) {
    bool earlier = false;
    for (const fn_route *q = fn_routes; q < r && !earlier; q++) earlier = strcmp(q->path, r->path) == 0;
    if (earlier) continue;
    fn_json_object(w, r->path);
    for (const fn_route *q = r; q->path != NULL; q++) {
      if (strcmp(q->path, r->path) == 0 && fn_operation_is_first(q)) write_operation(w, q);
    }
    fn_json_end(w);
  }
  fn_json_end(w);
}

static fn_status write_components(fn_json_writer *w, fn_err *err) {
  static const char prefix[] = "src/serve/schema/";
  fn_json_object(w, "components");
  fn_json_object(w, "schemas");
  for (const fn_embedded *e = fn_embedded_schemas; e->name != NULL; e++) {
    char name[64];
    const char *base = e->name + sizeof prefix - 1;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(base, "."), base);
    if (strcmp(name, "parameters") == 0) continue;
    json_t *schema = fn_schema_load(name);
    if (schema == NULL) return fn_err_set(err, FN_E_INTERNAL, "%s is no JSON", e->name);
    fn_json_value(w, name, schema);
    json_decref(schema);
  }
  fn_json_end(w);
  fn_json_object(w, "securitySchemes");
  fn_json_object(w, "key");
  fn_json_text(w, "type", "http");
  fn_json_text(w, "scheme", "bearer");
  fn_json_text(w, "description", "An API key (fakenews keys add), where keys are used.");
  fn_json_end(w);
  fn_json_end(w);
  fn_json_end(w);
  return FN_OK;
}

fn_status fn_openapi_write(fn_buf *out, const char *version, fn_err *err) {
  fn_json_writer w;
  fn_json_begin(&w, out, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "openapi", "3.1.0");
  fn_json_object(&w, "info");
  fn_json_text(&w, "title", "fakenews");
  fn_json_text(&w, "version", version);
  fn_json_text(&w, "description",
               "Says how much an article reads like those that were labelled fake in training. It checks no claim.");
  fn_json_end(&w);
  fn_json_array(&w, "tags");
  for (const fn_route_tag *tag = fn_route_tags; tag->name != NULL; tag++) {
    fn_json_object(&w, NULL);
    fn_json_text(&w, "name", tag->name);
    fn_json_text(&w, "description", tag->description);
    fn_json_end(&w);
  }
  fn_json_end(&w);
  write_paths(&w);
  FN_TRY(write_components(&w, err));
  fn_json_end(&w);
  return fn_buf_check(out, "the API's document", err);
}

/* ---- Markdown */

void fn_routes_markdown(fn_buf *out) {
  fn_buf_append_str(out, "| route | body | |\n|---|---|---|\n");
  for (const fn_route_tag *tag = fn_route_tags; tag->name != NULL; tag++) {
    for (const fn_route *r = fn_routes; r->path != NULL; r++) {
      if (strcmp(r->tag, tag->name) != 0) continue;
      const char *type = fn_route_media_type(r);
      fn_buf_printf(out, "| `%s %s` | %s | %s |\n", fn_route_method(r), r->path, type != NULL ? type : "", r->summary);
    }
  }
}
