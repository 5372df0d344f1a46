/* Settings from assignments, .env files and the environment. */
#include "config/config_internal.h"

#include <stdlib.h>

#define PREFIX "FAKENEWS_"

static fn_status assign(fn_config *config, fn_config_layer layer, const char *key, fn_str value, const char *origin,
                        fn_err *err) {
  if (!fn_config_find(config, key) && !strchr(key, '.') && fn_config_has_group(config, key))
    return fn_config_select_group(config, key, fn_str_trim(value), origin, err);
  return fn_config_set(config, layer, key, value, origin, err);
}

fn_status fn_config_override(fn_config *config, const char *assignment, fn_err *err) {
  const char *equals = strchr(assignment, '=');
  if (!equals || equals == assignment)
    return fn_err_set(err, FN_E_INVALID, "command line: \"%.200s\" is not a setting; write key=value", assignment);
  FN_AUTO_FREE char *key = fn_str_dup(fn_str_make(assignment, (size_t)(equals - assignment)));
  if (!key) return fn_err_no_memory(err, "settings");
  return assign(config, FN_CONFIG_OVERRIDE, key, fn_str_from(equals + 1), "command line", err);
}

/* FAKENEWS_TRAIN_BATCH_SIZE names train.batch_size: compared with '.' as '_' and without case. */
static bool names_key(const char *name, size_t length, const char *key) {
  if (strlen(key) != length) return false;
  for (size_t i = 0; i < length; i++) {
    char c = key[i] == '.' ? '_' : key[i] >= 'a' && key[i] <= 'z' ? (char)(key[i] - 'a' + 'A') : key[i];
    if (name[i] != c) return false;
  }
  return true;
}

static const char *key_of(const fn_config *config, const char *name, size_t length) {
  for (size_t i = 0; i < config->n_settings; i++)
    if (names_key(name, length, config->settings[i].option->key)) return config->settings[i].option->key;
  return NULL;
}

static fn_status set_variable(fn_config *config, fn_config_layer layer, fn_str variable, fn_str value,
                              const char *origin, fn_err *err) {
  const char *name = variable.data + strlen(PREFIX);
  size_t length = variable.length - strlen(PREFIX);
  const char *key = key_of(config, name, length);
  if (key) return fn_config_set(config, layer, key, value, origin, err);
  if (length > 5 && memcmp(name + length - 5, "_FILE", 5) == 0 && (key = key_of(config, name, length - 5))) {
    FN_AUTO_FREE char *path = fn_str_dup(fn_str_trim(value));
    FN_AUTO_BUF fn_buf text;
    fn_buf_init(&text, 1 << 16);
    if (!path) return fn_err_no_memory(err, "settings");
    fn_status status = fn_file_read(&text, path, 1 << 16, err);
    if (status != FN_OK) return fn_err_prefix(err, status, "%s", origin);
    return fn_config_set(config, layer, key, fn_str_trim(fn_buf_str(&text)), origin, err);
  }
  char lower[128];
  size_t n = length < sizeof lower - 1 ? length : sizeof lower - 1;
  for (size_t i = 0; i < n; i++) lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
  lower[n] = 0;
  if (fn_config_has_group(config, lower)) return fn_config_select_group(config, lower, fn_str_trim(value), origin, err);
  char *underscore = strchr(lower, '_');
  if (underscore) *underscore = '.';
  return fn_config_unknown(config, lower, origin, err);
}

fn_status fn_config_load_environment(fn_config *config, const char *const *environment, fn_err *err) {
  for (; *environment; environment++) {
    const char *equals = strchr(*environment, '=');
    if (!equals || strncmp(*environment, PREFIX, strlen(PREFIX)) != 0) continue;
    fn_str variable = fn_str_make(*environment, (size_t)(equals - *environment));
    char origin[160];
    snprintf(origin, sizeof origin, "environment %.*s", variable.length < 128 ? (int)variable.length : 128,
             variable.data);
    FN_TRY(set_variable(config, FN_CONFIG_ENVIRONMENT, variable, fn_str_from(equals + 1), origin, err));
  }
  return FN_OK;
}

fn_status fn_config_load_dotenv(fn_config *config, const char *path, fn_err *err) {
  if (!fn_path_exists(path)) return FN_OK; /* not so when it cannot be told */
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 1 << 20);
  FN_TRY(fn_file_read(&text, path, 1 << 20, err));
  fn_str rest = fn_buf_str(&text);
  for (int line = 1; rest.length; line++) {
    const char *end = memchr(rest.data, '\n', rest.length);
    size_t n = end ? (size_t)(end - rest.data) : rest.length;
    fn_str row = fn_str_trim(fn_str_make(rest.data, n));
    rest = end ? fn_str_make(end + 1, rest.length - n - 1) : fn_str_make(NULL, 0);
    if (fn_str_starts_with(row, "export ")) row = fn_str_trim(fn_str_make(row.data + 7, row.length - 7));
    if (!fn_str_starts_with(row, PREFIX)) continue;
    const char *equals = memchr(row.data, '=', row.length);
    if (!equals) return fn_err_set(err, FN_E_INVALID, "%s:%d: \"NAME=value\" expected", path, line);
    fn_str name = fn_str_trim(fn_str_make(row.data, (size_t)(equals - row.data)));
    fn_str value = fn_str_make(equals + 1, row.length - (size_t)(equals - row.data) - 1);
    char origin[256];
    snprintf(origin, sizeof origin, "%.200s:%d", path, line);
    FN_TRY(set_variable(config, FN_CONFIG_DOTENV, name, value, origin, err));
  }
  return FN_OK;
}
