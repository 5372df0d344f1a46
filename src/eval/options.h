/* Settings of evaluation: eval.*. */
#ifndef FN_EVAL_OPTIONS_H
#define FN_EVAL_OPTIONS_H

#include "config/config.h"

typedef struct fn_eval_options {
  int64_t resamples; /* 0: no intervals */
  int64_t seed;
  bool baselines;
} fn_eval_options;

extern const fn_option_table fn_eval_option_table;

#endif
