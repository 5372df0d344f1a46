/* One setting's value: text in Hydra's notation → typed, checked against the option's range. Internal to src/config. */
#ifndef FN_CONFIG_VALUE_H
#define FN_CONFIG_VALUE_H

#include "config/config.h"

typedef struct fn_value {
  bool is_null;
  bool boolean;
  int choice;
  int64_t integer;
  double number;
  const char *string;
  fn_config_list list;
  fn_config_map map;
} fn_value;

/* Parses text for option; strings live in arena. The message begins with the key: `train.epochs: "x" is not …`. */
FN_NODISCARD fn_status fn_value_parse(fn_value *value_out, fn_arena *arena, const fn_option *option, fn_str text,
                                      fn_err *err);
/* Stores value into the options struct member at option->offset. */
void fn_value_store(void *options, const fn_option *option, const fn_value *value);
/* "integer in [1,512]", "one of cut, windows", … */
void fn_option_describe(fn_buf *out, const fn_option *option);

#endif
