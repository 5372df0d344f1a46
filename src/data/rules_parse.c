/* The YAML file of rules. */
#include "data/rules_internal.h"

#include <libfyaml.h>
#include <stdlib.h>

typedef struct reader {
  fn_rules *rules;
  const char *name;
  fn_err *err;
} reader;

/* Line of a node, from 1; of a mapping or sequence: of its first scalar. */
static int line_of(struct fy_node *node) {
  void *at = NULL;
  for (int depth = 0; node && depth < 8; depth++, at = NULL) {
    if (fy_node_is_scalar(node)) break;
    if (fy_node_is_mapping(node)) {
      struct fy_node_pair *pair = fy_node_mapping_iterate(node, &at);
      node = pair ? fy_node_pair_key(pair) : NULL;
    } else {
      node = fy_node_sequence_iterate(node, &at);
    }
  }
  struct fy_token *token = node && fy_node_is_scalar(node) ? fy_node_get_scalar_token(node) : NULL;
  const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
  return mark ? mark->line + 1 : 1;
}

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
  int line = line_of(fy_node_pair_key(pair));
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
  int line = line_of(node);
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
  if (status != FN_OK) return fn_err_prefix(r->err, status, "%s:%d: pattern", r->name, line_of(d.pattern_node));
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
    return fn_err_set(r->err, FN_E_INVALID, "%s:%d: rules must be a list", r->name, line_of(list));
  void *at = NULL;
  struct fy_node *node;
  while ((node = fy_node_sequence_iterate(list, &at))) FN_TRY(read_rule(r, node));
  return FN_OK;
}

static fn_status not_yaml(struct fy_diag *diag, const char *name, fn_err *err) {
  void *at = NULL;
  const struct fy_diag_error *e = fy_diag_errors_iterate(diag, &at);
  if (!e) return fn_err_set(err, FN_E_INVALID, "%s:1: the file holds no rules", name);
  return fn_err_set(err, FN_E_INVALID, "%s:%d: not valid YAML: %s", name, e->line, e->msg);
}

fn_status fn_rules_parse(fn_rules **rules_out, fn_str yaml, const char *name, fn_err *err) {
  if (yaml.length > RULES_MAX_BYTES)
    return fn_err_set(err, FN_E_LIMIT, "%s: longer than %d bytes", name, RULES_MAX_BYTES);
  fn_rules *rules = fn_mem_calloc(1, sizeof *rules);
  if (!rules) return fn_err_no_memory(err, "rules");
  struct fy_diag_cfg diag_config;
  fy_diag_cfg_default(&diag_config);
  diag_config.fp = NULL;
  struct fy_diag *diag = fy_diag_create(&diag_config);
  if (!diag) {
    free(rules);
    return fn_err_no_memory(err, "rules");
  }
  fy_diag_set_collect_errors(diag, true);
  struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_AUTO, .diag = diag};
  struct fy_document *document = fy_document_build_from_string(&config, yaml.data ? yaml.data : "", yaml.length);
  reader r = {rules, name, err};
  fn_status status = document ? read_document(&r, document) : not_yaml(diag, name, err);
  fy_document_destroy(document);
  fy_diag_destroy(diag);
  rules->hash = fn_hash_bytes(yaml.length ? yaml.data : "", yaml.length);
  if (status != FN_OK) {
    fn_rules_destroy(rules);
    return status;
  }
  *rules_out = rules;
  return FN_OK;
}
