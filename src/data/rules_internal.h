#ifndef FN_DATA_RULES_INTERNAL_H
#define FN_DATA_RULES_INTERNAL_H

#include "data/rules.h"

enum { RULES_MAX_BYTES = 1 << 20 };

typedef struct rule {
  char *name;
  unsigned fields; /* of fn_rule_field */
  fn_pattern *pattern;
} rule;

struct fn_rules {
  rule rules[FN_RULES_MAX];
  size_t n;
  fn_hash128 hash;
};

#endif
