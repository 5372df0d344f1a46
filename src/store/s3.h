/* What the files of the S3 driver share. Internal to src/store. */
#ifndef FN_STORE_S3_H
#define FN_STORE_S3_H

#include "store/aws.h"

typedef struct fn_s3 {
  char *bucket, *prefix; /* prefix: "" or ends with '/' */
  fn_aws aws;
  char *base; /* "https://bucket.s3.eu-central-1.amazonaws.com" or "http://host:9000/bucket"; NULL: not known yet */
  char *host; /* header Host of it */
  char *path; /* its path, encoded: "" or "/bucket" */
  char *region;
} fn_s3;

/* Puts a file that is longer than a part (s3_upload.c). sums: SHA-256 of the whole. */
FN_NODISCARD fn_status fn_s3_upload(fn_store *store, const char *key, const char *from_path, int fd, uint64_t length,
                                    const fn_sums *sums, fn_err *err);
/* The error that what answers at the endpoint is something else. */
FN_NODISCARD fn_status fn_s3_no_speaker(const fn_store *store, fn_err *err);
FN_NODISCARD fn_status fn_s3_list(fn_store *store, const char *folder, fn_store_each each, void *arg, fn_err *err);

#endif
