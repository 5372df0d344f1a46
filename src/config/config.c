#include "config/config_internal.h"

#include <stdlib.h>

static fn_status add_table(fn_config *config, const fn_option_table *table, fn_err *err) {
  for (size_t i = 0; i < table->n_options; i++) {
    fn_setting *setting = &config->settings[config->n_settings];
    *setting = (fn_setting){.option = &table->options[i], .table = table, .layer = FN_CONFIG_DEFAULT};
    setting->origin = "default";
    setting->text = setting->option->default_value;
    FN_TRY(fn_value_parse(&setting->value, &config->arena, setting->option, fn_str_from(setting->text), err));
    config->n_settings++;
  }
  return FN_OK;
}

fn_status fn_config_create(fn_config **config_out, const fn_option_table *const *tables, size_t n_tables,
                           const fn_embedded *groups, fn_err *err) {
  fn_config *config = fn_mem_calloc(1, sizeof *config);
  if (!config) return fn_err_no_memory(err, "settings");
  fn_arena_init(&config->arena);
  config->groups = groups;
  size_t n = 0;
  for (size_t i = 0; i < n_tables; i++) n += tables[i]->n_options;
  config->settings = fn_mem_calloc(n, sizeof *config->settings);
  fn_status status = config->settings ? FN_OK : fn_err_no_memory(err, "settings");
  for (size_t i = 0; i < n_tables && status == FN_OK; i++) status = add_table(config, tables[i], err);
  if (status != FN_OK) {
    fn_config_destroy(config);
    return status;
  }
  *config_out = config;
  return FN_OK;
}

void fn_config_destroy(fn_config *config) {
  if (!config) return;
  fn_arena_deinit(&config->arena);
  free(config->settings);
  free(config);
}

void fn_config_set_aliases(fn_config *config, const fn_option_alias *aliases) {
  config->aliases = aliases;
}

fn_setting *fn_config_find(const fn_config *config, const char *key) {
  for (size_t i = 0; i < config->n_settings; i++)
    if (strcmp(config->settings[i].option->key, key) == 0) return &config->settings[i];
  return NULL;
}

/* The part of a key after its group, "epochs" of "train.epochs". */
static const char *last_part(const char *key) {
  const char *dot = strrchr(key, '.');
  return dot ? dot + 1 : key;
}

static const char *nearest(const fn_config *config, const char *key) {
  for (const fn_option_alias *a = config->aliases; a && a->name; a++)
    if (strcmp(a->name, key) == 0 || strcmp(a->name, last_part(key)) == 0) return a->key;
  const char *best = NULL;
  size_t best_distance = SIZE_MAX;
  for (size_t i = 0; i < config->n_settings; i++) {
    const char *name = config->settings[i].option->key;
    size_t whole = fn_str_distance(key, name);
    /* A right name in the wrong group, or with none, is nearer than any misspelling. */
    if (strcmp(last_part(key), last_part(name)) == 0 && whole > 1) whole = 1;
    if (whole < best_distance) best_distance = whole, best = name;
  }
  return best_distance <= 1 + strlen(key) / 3 ? best : NULL;
}

fn_status fn_config_unknown(const fn_config *config, const char *key, const char *origin, fn_err *err) {
  const char *hint = nearest(config, key);
  if (hint) return fn_err_set(err, FN_E_NOT_FOUND, "%s: unknown setting \"%s\"; did you mean %s?", origin, key, hint);
  return fn_err_set(err, FN_E_NOT_FOUND, "%s: unknown setting \"%s\"; `fakenews config options` lists them", origin,
                    key);
}

fn_status fn_config_set(fn_config *config, fn_config_layer layer, const char *key, fn_str value, const char *origin,
                        fn_err *err) {
  fn_setting *setting = fn_config_find(config, key);
  if (!setting) return fn_config_unknown(config, key, origin, err);
  fn_value parsed;
  fn_status status = fn_value_parse(&parsed, &config->arena, setting->option, value, err);
  if (status != FN_OK) return fn_err_prefix(err, status, "%s", origin);
  if (layer < setting->layer) return FN_OK;
  value = fn_str_trim(value);
  const char *text = fn_arena_strndup(&config->arena, value.data, value.length);
  const char *from = fn_arena_strndup(&config->arena, origin, strlen(origin));
  if (!text || !from) return fn_err_no_memory(err, "settings");
  setting->value = parsed;
  setting->text = text;
  setting->origin = from;
  setting->layer = layer;
  return FN_OK;
}

fn_status fn_config_fill(void *options_out, const fn_config *config, const fn_option_table *table, fn_err *err) {
  memset(options_out, 0, table->struct_size);
  for (size_t i = 0; i < table->n_options; i++) {
    const fn_setting *setting = fn_config_find(config, table->options[i].key);
    if (!setting) /* a mistake of the program, not of its user */
      return fn_err_set(err, FN_E_INTERNAL, "the option table \"%s\" was not given to fn_config_create", table->title);
    fn_value_store(options_out, setting->option, &setting->value);
  }
  return FN_OK;
}

fn_status fn_options_default(void *options_out, fn_arena *arena, const fn_option_table *table, fn_err *err) {
  memset(options_out, 0, table->struct_size);
  for (size_t i = 0; i < table->n_options; i++) {
    fn_value value;
    FN_TRY(fn_value_parse(&value, arena, &table->options[i], fn_str_from(table->options[i].default_value), err));
    fn_value_store(options_out, &table->options[i], &value);
  }
  return FN_OK;
}

const char *fn_config_value(const fn_config *config, const char *key) {
  const fn_setting *setting = fn_config_find(config, key);
  return setting ? setting->text : NULL;
}

const char *fn_config_origin(const fn_config *config, const char *key) {
  const fn_setting *setting = fn_config_find(config, key);
  return setting ? setting->origin : NULL;
}

fn_config_layer fn_config_layer_of(const fn_config *config, const char *key) {
  const fn_setting *setting = fn_config_find(config, key);
  return setting ? setting->layer : FN_CONFIG_DEFAULT;
}
