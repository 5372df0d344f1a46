/* YAML settings: nested or dotted keys become one flat list of (key, text). */
#include "config/config_internal.h"
#include "config/document.h"

#include <stdlib.h>

#define YAML_MAX_BYTES (1u << 20)
#define YAML_MAX_DEPTH 8

typedef struct walk {
  fn_config *config;
  fn_config_layer layer;
  const char *name, *group; /* group: keys may also be relative to it; NULL outside group files */
  fn_err *err;
} walk;

static void scalar_text(fn_buf *out, const fn_yaml_node *node) {
  fn_str text = node->text;
  if (!node->quoted) {
    fn_buf_append(out, text.data, text.length);
    if (text.length == 0) fn_buf_append_str(out, "null"); /* "key:" */
    return;
  }
  fn_buf_append_char(out, '"');
  for (size_t i = 0; i < text.length; i++) {
    if (text.data[i] == '"' || text.data[i] == '\\') fn_buf_append_char(out, '\\');
    fn_buf_append_char(out, text.data[i]);
  }
  fn_buf_append_char(out, '"');
}

/* Back to Hydra's notation. Only flat lists and maps exist as options. */
static fn_status node_text(fn_buf *out, const walk *w, const fn_yaml_node *node) {
  if (node->kind == FN_YAML_SCALAR) {
    scalar_text(out, node);
    return FN_OK;
  }
  const bool map = node->kind == FN_YAML_MAP;
  fn_buf_append_char(out, map ? '{' : '[');
  for (const fn_yaml_node *item = node->first; item; item = item->next) {
    const fn_yaml_node *value = map ? item->value : item;
    if (value->kind != FN_YAML_SCALAR)
      return fn_err_set(w->err, FN_E_INVALID, "%s:%d: a list or map within a list or map is no setting", w->name,
                        value->line);
    if (item != node->first) fn_buf_append_char(out, ',');
    if (map) {
      scalar_text(out, item);
      fn_buf_append_char(out, ':');
    }
    scalar_text(out, value);
  }
  fn_buf_append_char(out, map ? '}' : ']');
  return FN_OK;
}

static fn_status visit(const walk *w, const fn_yaml_node *map, const char *prefix, int depth);

static fn_status visit_pair(const walk *w, const fn_yaml_node *pair, const char *prefix, int depth) {
  const fn_yaml_node *value = pair->value;
  FN_AUTO_BUF fn_buf key, origin, relative, line;
  fn_buf_init(&key, 512);
  fn_buf_init(&origin, 4096);
  fn_buf_init(&relative, 512);
  fn_buf_init(&line, YAML_MAX_BYTES);
  fn_buf_printf(&key, "%s%s%.*s", prefix, *prefix ? "." : "", (int)pair->text.length, pair->text.data);
  fn_buf_printf(&origin, "%s:%d", w->name, pair->line);
  FN_TRY(fn_buf_check(&key, w->name, w->err));
  FN_TRY(fn_buf_check(&origin, w->name, w->err));
  const char *name = key.data;
  if (w->group && !fn_config_find(w->config, name)) {
    fn_buf_printf(&relative, "%s.%s", w->group, name);
    FN_TRY(fn_buf_check(&relative, w->name, w->err));
    if (fn_config_find(w->config, relative.data)) name = relative.data;
  }
  const fn_setting *setting = fn_config_find(w->config, name);
  if (!setting && value->kind == FN_YAML_MAP) {
    if (depth >= YAML_MAX_DEPTH) return fn_err_set(w->err, FN_E_LIMIT, "%s: nested too deeply", origin.data);
    return visit(w, value, name, depth + 1);
  }
  FN_TRY(node_text(&line, w, value));
  FN_TRY(fn_buf_check(&line, origin.data, w->err));
  if (!setting && depth == 0 && value->kind == FN_YAML_SCALAR && fn_config_has_group(w->config, name))
    return fn_config_select_group(w->config, name, fn_buf_str(&line), origin.data, w->err);
  return fn_config_set(w->config, w->layer, name, fn_buf_str(&line), origin.data, w->err);
}

static fn_status visit(const walk *w, const fn_yaml_node *map, const char *prefix, int depth) {
  for (const fn_yaml_node *pair = map->first; pair; pair = pair->next) FN_TRY(visit_pair(w, pair, prefix, depth));
  return FN_OK;
}

static fn_status parse(fn_config *config, fn_config_layer layer, fn_str text, const char *name, const char *group,
                       fn_err *err) {
  fn_arena arena;
  fn_arena_init(&arena);
  const fn_yaml_node *root = NULL;
  const walk w = {config, layer, name, group, err};
  fn_status status = fn_yaml_parse(&root, &arena, text, YAML_MAX_BYTES, name, err);
  if (status == FN_OK && root && root->kind != FN_YAML_MAP)
    status = fn_err_set(err, FN_E_INVALID, "%s:%d: settings must be \"key: value\" lines", name, root->line);
  else if (status == FN_OK && root)
    status = visit(&w, root, "", 0);
  fn_arena_deinit(&arena);
  return status;
}

fn_status fn_config_parse_yaml(fn_config *config, fn_config_layer layer, fn_str text, const char *name, fn_err *err) {
  return parse(config, layer, text, name, NULL, err);
}

fn_status fn_config_load_yaml(fn_config *config, fn_config_layer layer, const char *path, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, YAML_MAX_BYTES);
  FN_TRY(fn_file_read(&text, path, YAML_MAX_BYTES, err));
  return parse(config, layer, fn_buf_str(&text), path, NULL, err);
}

bool fn_config_has_group(const fn_config *config, const char *group) {
  size_t n = strlen(group);
  for (const fn_embedded *e = config->groups; e && e->name; e++)
    if (strncmp(e->name, "config/", 7) == 0 && strncmp(e->name + 7, group, n) == 0 && e->name[7 + n] == '/')
      return true;
  FN_AUTO_FREE char *dir = fn_path_join("config", group);
  return dir && strchr(group, '.') == NULL && fn_path_is_dir(dir);
}

static fn_status no_such_group(const fn_config *config, const char *group, fn_str name, const char *origin,
                               fn_err *err) {
  FN_AUTO_BUF fn_buf names;
  fn_buf_init(&names, 512);
  size_t n = strlen(group);
  for (const fn_embedded *e = config->groups; e && e->name; e++)
    if (strncmp(e->name, "config/", 7) == 0 && strncmp(e->name + 7, group, n) == 0 && e->name[7 + n] == '/') {
      size_t length = strlen(e->name + 8 + n);
      fn_buf_printf(&names, "%s%.*s", names.length ? ", " : "", (int)(length > 5 ? length - 5 : 0), e->name + 8 + n);
    }
  return fn_err_set(err, FN_E_NOT_FOUND, "%s: %s: there is no config/%s/%.*s.yaml; built in are: %s", origin, group,
                    group, (int)name.length, name.data, names.data ? names.data : "none");
}

fn_status fn_config_select_group(fn_config *config, const char *group, fn_str name, const char *origin, fn_err *err) {
  bool plain = name.length > 0 && name.length < 64;
  for (size_t i = 0; plain && i < name.length; i++) {
    char c = name.data[i];
    plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  }
  if (!plain) return no_such_group(config, group, name, origin, err);
  if (config->group_depth >= YAML_MAX_DEPTH)
    return fn_err_set(err, FN_E_LIMIT, "%s: groups that select groups are nested too deeply", origin);
  char path[256];
  snprintf(path, sizeof path, "config/%.64s/%.*s.yaml", group, (int)name.length, name.data);
  config->group_depth++;
  fn_status status;
  if (fn_path_exists(path)) {
    FN_AUTO_BUF fn_buf text;
    fn_buf_init(&text, YAML_MAX_BYTES);
    status = fn_file_read(&text, path, YAML_MAX_BYTES, err);
    if (status == FN_OK) status = parse(config, FN_CONFIG_GROUP, fn_buf_str(&text), path, group, err);
  } else {
    const fn_embedded *e = config->groups;
    while (e && e->name && strcmp(e->name, path) != 0) e++;
    if (!e || !e->name)
      status = no_such_group(config, group, name, origin, err);
    else
      status = parse(config, FN_CONFIG_GROUP, fn_str_make((const char *)e->data, e->size), path, group, err);
  }
  config->group_depth--;
  return status;
}
