/* The YAML file of rules. */
#include "config/document.h"
#include "data/rules_internal.h"

#include <stdlib.h>

typedef struct reader {
  fn_rules *rules;
  const char *name;
  fn_err *err;
} reader;

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
  int pattern_line;
  bool ignore_case;
} draft;

static fn_status read_key(draft *d, const reader *r, const fn_yaml_node *pair) {
  const fn_str key = pair->text, value = pair->value->text;
  const int line = pair->line;
  if (pair->value->kind != FN_YAML_SCALAR || value.length == 0)
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
    d->pattern_line = pair->value->line;
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

static fn_status read_rule(const reader *r, const fn_yaml_node *node) {
  const int line = node->line;
  if (node->kind != FN_YAML_MAP)
    return fn_err_set(r->err, FN_E_INVALID, "%s:%d: a rule is a mapping with name, field and pattern", r->name, line);
  if (r->rules->n == FN_RULES_MAX)
    return fn_err_set(r->err, FN_E_LIMIT, "%s:%d: more than %d rules", r->name, line, FN_RULES_MAX);
  draft d = {0};
  for (const fn_yaml_node *pair = node->first; pair; pair = pair->next) FN_TRY(read_key(&d, r, pair));
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
  if (status != FN_OK) return fn_err_prefix(r->err, status, "%s:%d: pattern", r->name, d.pattern_line);
  r->rules->n++;
  made->fields = fn_str_is(d.field, "title")  ? FN_RULE_TITLE
                 : fn_str_is(d.field, "text") ? FN_RULE_TEXT
                                              : FN_RULE_TITLE | FN_RULE_TEXT;
  made->name = fn_str_dup(d.name);
  return made->name ? FN_OK : fn_err_no_memory(r->err, "a rule");
}

static fn_status read_document(const reader *r, const fn_yaml_node *root) {
  const fn_yaml_node *key = root->kind == FN_YAML_MAP ? root->first : NULL;
  if (!key || key->next || !fn_str_is(key->text, "rules"))
    return fn_err_set(r->err, FN_E_INVALID, "%s:1: the file must hold one key, rules, with a list", r->name);
  if (key->value->kind != FN_YAML_LIST)
    return fn_err_set(r->err, FN_E_INVALID, "%s:%d: rules must be a list", r->name, key->line);
  for (const fn_yaml_node *node = key->value->first; node; node = node->next) FN_TRY(read_rule(r, node));
  return FN_OK;
}

static fn_status read_rules(fn_rules *rules, fn_arena *arena, fn_str yaml, const char *name, fn_err *err) {
  const fn_yaml_node *root = NULL;
  FN_TRY(fn_yaml_parse(&root, arena, yaml, RULES_MAX_BYTES, name, err));
  if (!root) return fn_err_set(err, FN_E_INVALID, "%s:1: the file holds no rules", name);
  return read_document(&(const reader){rules, name, err}, root);
}

fn_status fn_rules_parse(fn_rules **rules_out, fn_str yaml, const char *name, fn_err *err) {
  fn_rules *rules = fn_mem_calloc(1, sizeof *rules);
  if (!rules) return fn_err_no_memory(err, "rules");
  fn_arena arena;
  fn_arena_init(&arena);
  fn_status status = read_rules(rules, &arena, yaml, name, err);
  fn_arena_deinit(&arena);
  if (status != FN_OK) {
    fn_rules_destroy(rules);
    return status;
  }
  rules->hash = fn_hash_bytes(yaml.length ? yaml.data : "", yaml.length);
  *rules_out = rules;
  return FN_OK;
}
