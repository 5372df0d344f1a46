/* Settings of the linear family, group "linear". */
#ifndef FN_LINEAR_OPTIONS_H
#define FN_LINEAR_OPTIONS_H

#include "config/config.h"

typedef enum fn_linear_features { FN_LINEAR_WORD, FN_LINEAR_CHAR, FN_LINEAR_WORD_CHAR } fn_linear_features;

typedef struct fn_linear_options {
  int features; /* fn_linear_features */
  int64_t hash_bits;
  fn_config_list word_ngrams, char_ngrams; /* [min,max] */
  fn_config_list c_grid;
  double tolerance;
  int64_t max_iterations;
} fn_linear_options;

extern const fn_option_table fn_linear_option_table;

#endif
