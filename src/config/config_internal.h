/* What the files of src/config share. */
#ifndef FN_CONFIG_CONFIG_INTERNAL_H
#define FN_CONFIG_CONFIG_INTERNAL_H

#include "config/value.h"

typedef struct fn_setting {
  const fn_option *option;
  const fn_option_table *table;
  const char *text, *origin; /* in the arena, or static for defaults */
  fn_value value;
  fn_config_layer layer;
} fn_setting;

struct fn_config {
  fn_arena arena;
  fn_setting *settings;
  size_t n_settings;
  const fn_embedded *groups;
  const fn_option_alias *aliases;
  int group_depth; /* groups that select groups: bounded */
};

fn_setting *fn_config_find(const fn_config *config, const char *key);
/* FN_E_NOT_FOUND with the nearest name. */
fn_status fn_config_unknown(const fn_config *config, const char *key, const char *origin, fn_err *err);
/* True when config/<group>/ is a folder of group files. */
bool fn_config_has_group(const fn_config *config, const char *group);
/* Loads config/<group>/<name>.yaml: from the working folder if there, else the embedded one. */
FN_NODISCARD fn_status fn_config_select_group(fn_config *config, const char *group, fn_str name, const char *origin,
                                              fn_err *err);

#endif
