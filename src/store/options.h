/* Settings of src/store: store.*. (fn_store_options of store.h says how a store is opened.) */
#ifndef FN_STORE_OPTIONS_H
#define FN_STORE_OPTIONS_H

#include "config/config.h"

typedef struct fn_bucket_options {
  int64_t part_mb;         /* MiB of one part of a large file */
  int64_t connections;     /* that the parts of one file travel over at once */
  bool anonymous;          /* requests carry no credentials */
  const char *s3_endpoint; /* where S3 is; NULL: AWS */
  const char *s3_region;   /* NULL: environment, profile, us-east-1 */
} fn_bucket_options;

extern const fn_option_table fn_bucket_option_table;

#endif
