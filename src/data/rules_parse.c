/* The YAML file of rules. */
#include "config/document.h"
#include "data/rules_internal.h"

#include <stdlib.h>

typedef struct reader {
  fn_rules *rules;
  const char *name;
  fn_err *err;
} reader;

static bool scalar(fn_str *out, struct fy_node *node) {
  size_t length = 0;
  const char *text = node && fy_node_is_scalar(node) ? fy_node_get_scalar(node, &length) : NULL;
  *out = fn_str_make(text ? text : "", length);
  return text != NULL && length > 0;
}

static bool is_name(fn_str s) {
  for (size_t i = 0; i < s.length; i++) {
    char c = s.data[i];
    bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!ok) return false;
  }
  return s.length > 0 && s.length <= 64;
}

typedef struct draft {
  fn_str name, field, pattern;
  struct fy_node *pattern_node;
  bool ignore_case;
} draft;

static fn_status read_key(draft *d, const reader *r, struct fy_node_pair *pair) {
  struct fy_node *node = fy_node_pair_value(pair);
  fn_str key, value;
  scalar(&key, fy_node_pair_key(pair));
  bool text = scalar(&value, node);
  int line = fn_yaml_line(fy_node_pair_key(pair));
  if (!text)
    return fn_err_set(r->err, FN_E_INVALID, "%s:%d: %.*s needs a text", r->name, line, (int)key.length, key.data);
  if (fn_str_is(key, "name")) {
    if (!is_name(value))
      return fn_err_set(r->err, FN_E_INVALID, "%s:%d: name: 1 to 64 letters, digits, - and _ are accepted", r->name,
                        line);
    d->name = value;
  } else if (fn_str_is(key, "field")) {
    if (!fn_str_is(value, "title") && !fn_str_is(value, "text") && !fn_str_is(value, "both"))
      return fn_err_set(r->err, FN_E_INVALID, "%s:%d: field: \"%.*s\" is none of title, text, both", r->name, line,
                        (int)value.length, value.data);
    d->field = value;
  } else if (fn_str_is(key, "pattern")) {
    d->pattern = value;
    d->pattern_node = node;
  } else if (fn_str_is(key, "ignore_case")) {
    if (!fn_str_is(value, "true") && !fn_str_is(value, "false"))
      return fn_err_set(r->err, FN_E_INVALID, "%s:%d: ignore_case: true or false is accepted", r->name, line);
    d->ignore_case = fn_str_is(value, "true");
  } else if (!fn_str_is(key, "about")) {
    return fn_err_set(r->err, FN_E_INVALID,
                      "%s:%d: unknown key \"%.*s\"; name, field, pattern, ignore_case, about are accepted", r->name,
                      line, (int)key.length, key.data);
  }
  return FN_OK;
}

static fn_status read_rule(const reader *r, struct fy_node *node) {
  int line = fn_yaml_line(node);
  if (!fy_node_is_mapping(node))
    return fn_err_set(r->err, FN_E_INVALID, "%s:%d: a rule is a mapping with name, field and pattern", r->name, line);
  if (r->rules->n == FN_RULES_MAX)
    return fn_err_set(r->err, FN_E_LIMIT, "%s:%d: more than %d rules", r->name, line, FN_RULES_MAX);
  draft d = {0};
  void *at = NULL;
  struct fy_node_pair *pair;
  while ((pair = fy_node_mapping_iterate(node, &at))) FN_TRY(read_key(&d, r, pair));
  if (!d.name.length || !d.field.length || !d.pattern.length)
    return fn_err_set(r->err, FN_E_INVALID, "%s:%d: a rule needs name, field and pattern; %s is missing", r->name, line,
                      !d.name.length    ? "name"
                      : !d.field.length ? "field"
                                        : "pattern");
  for (size_t i = 0; i < r->rules->n; i++)
    if (fn_str_is(d.name, r->rules->rules[i].name))
      return fn_err_set(r->err, FN_E_INVALID, "%s:%d: the name \"%.*s\" stands twice", r->name, line,
                        (int)d.name.length, d.name.data);
  rule *made = &r->rules->rules[r->rules->n];
  fn_status status = fn_pattern_create(&made->pattern, d.pattern, d.ignore_case, r->err);
  if (status != FN_OK) return fn_err_prefix(r->err, status, "%s:%d: pattern", r->name, fn_yaml_line(d.pattern_node));
  r->rules->n++;
  made->fields = fn_str_is(d.field, "title")  ? FN_RULE_TITLE
                 : fn_str_is(d.field, "text") ? FN_RULE_TEXT
                                              : FN_RULE_TITLE | FN_RULE_TEXT;
  made->name = fn_str_dup(d.name);
  return made->name ? FN_OK : fn_err_no_memory(r->err, "a rule");
}

static fn_status read_document(const reader *r, struct fy_document *document) {
  struct fy_node *root = fy_document_root(document);
  struct fy_node *list = root && fy_node_is_mapping(root) ? fy_node_mapping_lookup_by_string(root, "rules", 5) : NULL;
  if (!list || fy_node_mapping_item_count(root) != 1)
    return fn_err_set(r->err, FN_E_INVALID, "%s:1: the file must hold one key, rules, with a list", r->name);
  if (!fy_node_is_sequence(list))
    return fn_err_set(r->err, FN_E_INVALID, "%s:%d: rules must be a list", r->name, fn_yaml_line(list));
  void *at = NULL;
  struct fy_node *node;
  while ((node = fy_node_sequence_iterate(list, &at))) FN_TRY(read_rule(r, node));
  return FN_OK;
}

fn_status fn_rules_parse(fn_rules **rules_out, fn_str yaml, const char *name, fn_err *err) {
  struct fy_document *document = NULL;
  FN_TRY(fn_yaml_parse(&document, yaml, RULES_MAX_BYTES, name, err));
  fn_rules *rules = fn_mem_calloc(1, sizeof *rules);
  const reader r = {rules, name, err};
  fn_status status = rules ? FN_OK : fn_err_no_memory(err, "rules");
  if (status == FN_OK && !document) status = fn_err_set(err, FN_E_INVALID, "%s:1: the file holds no rules", name);
  if (status == FN_OK) status = read_document(&r, document);
  fy_document_destroy(document);
  if (status != FN_OK) {
    fn_rules_destroy(rules);
    return status;
  }
  rules->hash = fn_hash_bytes(yaml.length ? yaml.data : "", yaml.length);
  *rules_out = rules;
  return FN_OK;
}
