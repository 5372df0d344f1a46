/* Settings of src/audit: audit.*. */
#ifndef FN_AUDIT_OPTIONS_H
#define FN_AUDIT_OPTIONS_H

#include "config/config.h"

typedef struct fn_audit_options {
  bool after_prepare; /* data prepare ends with the short form */
  int64_t train_rows; /* rows of train that probes are fitted on, at most */
  int64_t test_rows;  /* rows of test that they are judged on, at most; as many of validation for the overlap */
  int64_t seed;       /* of the draw where there are more */
} fn_audit_options;

extern const fn_option_table fn_audit_option_table;

#endif
