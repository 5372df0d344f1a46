#include "config/document.h"

#include <yaml.h>

typedef struct reader {
  yaml_parser_t parser;
  fn_arena *arena;
  const char *name;
  fn_err *err;
} reader;

static int line_at(fn_str text, size_t at) {
  int line = 1;
  for (size_t i = 0; i < at; i++) line += text.data[i] == '\n';
  return line;
}

/* Here, because libyaml names no line for these. */
static fn_status check_bytes(fn_str text, const char *name, fn_err *err) {
  size_t at = 0;
  if (!fn_utf8_valid(text, &at))
    return fn_err_set(err, FN_E_INVALID, "%s:%d: not valid UTF-8", name, line_at(text, at));
  const char *nul = text.length ? memchr(text.data, 0, text.length) : NULL;
  if (nul) return fn_err_set(err, FN_E_INVALID, "%s:%d: a NUL byte", name, line_at(text, (size_t)(nul - text.data)));
  return FN_OK;
}

static int line_of(yaml_mark_t mark) {
  return mark.line < INT32_MAX ? (int)mark.line + 1 : INT32_MAX;
}

/* The next event, to be deleted by the caller. */
static fn_status take(yaml_event_t *event_out, reader *r) {
  if (yaml_parser_parse(&r->parser, event_out)) return FN_OK;
  const yaml_parser_t *p = &r->parser;
  if (p->error == YAML_MEMORY_ERROR) return fn_err_no_memory(r->err, r->name);
  return fn_err_set(r->err, FN_E_INVALID, "%s:%d:%d: not valid YAML: %s", r->name, line_of(p->problem_mark),
                    (int)p->problem_mark.column + 1, p->problem ? p->problem : "it cannot be read");
}

static fn_status no_extras(const reader *r, const yaml_event_t *event) {
  const yaml_char_t *anchor = NULL, *tag = NULL;
  if (event->type == YAML_SCALAR_EVENT) anchor = event->data.scalar.anchor, tag = event->data.scalar.tag;
  if (event->type == YAML_SEQUENCE_START_EVENT)
    anchor = event->data.sequence_start.anchor, tag = event->data.sequence_start.tag;
  if (event->type == YAML_MAPPING_START_EVENT)
    anchor = event->data.mapping_start.anchor, tag = event->data.mapping_start.tag;
  if (!anchor && !tag && event->type != YAML_ALIAS_EVENT) return FN_OK;
  return fn_err_set(r->err, FN_E_INVALID, "%s:%d: aliases (*name), anchors (&name) and tags (!name) are not accepted",
                    r->name, line_of(event->start_mark));
}

static fn_status read_scalar(fn_yaml_node *node, const reader *r, const yaml_event_t *event) {
  const char *value = (const char *)event->data.scalar.value;
  node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
  char *copy = fn_arena_strndup(r->arena, value, event->data.scalar.length);
  if (!copy) return fn_err_no_memory(r->err, r->name);
  node->text = fn_str_make(copy, event->data.scalar.length);
  return FN_OK;
}

static fn_status read_node(fn_yaml_node **out, reader *r, yaml_event_t *event, int depth);

static fn_status check_key(const reader *r, const fn_yaml_node *map, const fn_yaml_node *key) {
  if (key->kind != FN_YAML_SCALAR)
    return fn_err_set(r->err, FN_E_INVALID, "%s:%d: a key must be plain text", r->name, key->line);
  int n = 0;
  for (const fn_yaml_node *k = map->first; k; k = k->next, n++)
    if (fn_str_equal(k->text, key->text))
      return fn_err_set(r->err, FN_E_INVALID, "%s:%d: the key \"%.*s\" stands in line %d already", r->name, key->line,
                        (int)(key->text.length < 100 ? key->text.length : 100), key->text.data, k->line);
  if (n >= FN_YAML_MAX_KEYS)
    return fn_err_set(r->err, FN_E_LIMIT, "%s:%d: more than %d keys in one map", r->name, key->line, FN_YAML_MAX_KEYS);
  return FN_OK;
}

/* Items up to the end of a list, or keys with their values up to the end of a map. */
static fn_status read_children(fn_yaml_node *parent, reader *r, int depth) {
  fn_yaml_node *last = NULL;
  for (;;) {
    yaml_event_t event;
    FN_TRY(take(&event, r));
    if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
      yaml_event_delete(&event);
      return FN_OK;
    }
    fn_yaml_node *child = NULL, *value = NULL;
    FN_TRY(read_node(&child, r, &event, depth + 1));
    if (parent->kind == FN_YAML_MAP) {
      FN_TRY(check_key(r, parent, child));
      FN_TRY(take(&event, r));
      FN_TRY(read_node(&value, r, &event, depth + 1));
      child->value = value;
    }
    if (last)
      last->next = child;
    else
      parent->first = child;
    last = child;
  }
}

/* Releases the event. */
static fn_status read_node(fn_yaml_node **out, reader *r, yaml_event_t *event, int depth) {
  fn_yaml_node *node = fn_arena_alloc(r->arena, 1, sizeof *node);
  fn_status status = node ? no_extras(r, event) : fn_err_no_memory(r->err, r->name);
  if (status == FN_OK) {
    node->line = line_of(event->start_mark);
    node->kind = event->type == YAML_SCALAR_EVENT           ? FN_YAML_SCALAR
                 : event->type == YAML_SEQUENCE_START_EVENT ? FN_YAML_LIST
                                                            : FN_YAML_MAP;
    if (node->kind == FN_YAML_SCALAR)
      status = read_scalar(node, r, event);
    else if (depth >= FN_YAML_MAX_DEPTH)
      status = fn_err_set(r->err, FN_E_LIMIT, "%s:%d: nested too deeply", r->name, node->line);
  }
  yaml_event_delete(event);
  if (status != FN_OK) return status;
  *out = node;
  return node->kind == FN_YAML_SCALAR ? FN_OK : read_children(node, r, depth);
}

static bool is_nothing(const fn_yaml_node *node) {
  return node->kind == FN_YAML_SCALAR && !node->quoted &&
         (node->text.length == 0 || fn_str_is(node->text, "~") || fn_str_is(node->text, "null"));
}

/* The one document of the stream, if there is one. */
static fn_status read_stream(fn_yaml_node **root_out, reader *r) {
  for (;;) {
    yaml_event_t event;
    FN_TRY(take(&event, r));
    const yaml_event_type_t type = event.type;
    const int line = line_of(event.start_mark);
    if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT &&
        type != YAML_STREAM_END_EVENT) {
      FN_TRY(read_node(root_out, r, &event, 0));
      continue;
    }
    yaml_event_delete(&event);
    if (type == YAML_STREAM_END_EVENT) return FN_OK;
    if (type == YAML_DOCUMENT_START_EVENT && *root_out)
      return fn_err_set(r->err, FN_E_INVALID, "%s:%d: a second document; a file holds one", r->name, line);
  }
}

fn_status fn_yaml_parse(const fn_yaml_node **root_out, fn_arena *arena, fn_str text, size_t max_bytes, const char *name,
                        fn_err *err) {
  if (text.length > max_bytes) return fn_err_set(err, FN_E_LIMIT, "%s: longer than %zu bytes", name, max_bytes);
  FN_TRY(check_bytes(text, name, err));
  reader r = {.arena = arena, .name = name, .err = err};
  if (!yaml_parser_initialize(&r.parser)) return fn_err_no_memory(err, name);
  yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.data ? text.data : ""), text.length);
  fn_yaml_node *root = NULL;
  fn_status status = read_stream(&root, &r);
  yaml_parser_delete(&r.parser);
  if (status == FN_OK) *root_out = root && !is_nothing(root) ? root : NULL;
  return status;
}
