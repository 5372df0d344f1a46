/* What the files of the S3 driver share. Internal to src/store. */
#ifndef FN_STORE_S3_H
#define FN_STORE_S3_H

#include "store/aws.h"
#include "store/driver.h"

enum { FN_S3_SHOWN = 200 }; /* bytes of a server's text that a message quotes */

/* What answers have taught of the service. */
typedef struct fn_s3_learnt {
  bool no_checksums; /* the service refuses their headers */
} fn_s3_learnt;

typedef struct fn_s3 {
  char *bucket, *prefix; /* prefix: "" or ends with '/' */
  fn_aws aws;
  char *base; /* "https://bucket.s3.eu-central-1.amazonaws.com" or "http://host:9000/bucket"; NULL: not known yet */
  char *host; /* header Host of it */
  char *path; /* its path, encoded: "" or "/bucket" */
  char *region;
  char *told_region;   /* the bucket's, as an answer told it; NULL: none did */
  bool is_amazon;      /* no other endpoint was given */
  fn_s3_learnt learnt; /* of the threads of a crew together: under fn_store_lock_keys */
} fn_s3;

static inline fn_s3_learnt fn_s3_learnt_of(const fn_store *store) {
  fn_store_lock_keys(store);
  const fn_s3_learnt learnt = ((const fn_s3 *)store->state)->learnt;
  fn_store_unlock_keys(store);
  return learnt;
}

/* ---- s3_place.c */

/* Finds region and address, once. */
FN_NODISCARD fn_status fn_s3_find(fn_store *store, fn_err *err);
/* The region that an answer names; "" when it names none. */
void fn_s3_answered_region(char out[FN_S3_SHOWN + 1], const fn_call_answer *answer);
/* Takes the bucket's region from an answer that it is elsewhere, once for a store and only while one thread uses it;
 * false: nothing was learnt. */
bool fn_s3_learn_region(fn_store *store, const fn_call_answer *answer);

/* Puts a file that is longer than a part (s3_upload.c). sums: SHA-256 of the whole. */
FN_NODISCARD fn_status fn_s3_upload(fn_store *store, const char *key, const char *from_path, int fd, uint64_t length,
                                    const fn_sums *sums, fn_err *err);
/* Ends an upload in parts that broke off and is not to go on: the key gets another file, or goes. */
void fn_s3_drop_upload(fn_store *store, const char *key);
/* ---- s3_answer.c: what answers mean; explain, renew and sums are the driver's */

/* Text of an element of the error ("Error/Code"), on one line; "" when it is not there. */
void fn_s3_error_part(char out[FN_S3_SHOWN + 1], const fn_call_answer *answer, const char *path);
FN_NODISCARD fn_status fn_s3_explain(const fn_store *store, const fn_call_answer *answer, const char *key, fn_err *err);
unsigned fn_s3_renew(fn_store *store, const fn_call_answer *answer);
void fn_s3_sums(fn_sums *sums, const fn_call_answer *answer);
/* Marks what may pass though its status does not say so: a body that came too slowly (RequestTimeout) or damaged
 * (BadDigest), as botocore has it, and a failure that came after the head of a good answer had left: a 500 then. */
void fn_s3_mark_passing(fn_call_answer *answer, const fn_store_call *call);
/* The error that what answers at the endpoint is something else. */
FN_NODISCARD fn_status fn_s3_no_speaker(const fn_store *store, fn_err *err);
/* FN_E_IO for an answer to a request for an object that is not of S3: a console, a captive portal or a page for every
 * path answers 200 to everything, and nothing would be stored. */
FN_NODISCARD fn_status fn_s3_check_speaker(const fn_call_answer *answer, const fn_store *store,
                                           const fn_store_call *call, fn_err *err);

FN_NODISCARD fn_status fn_s3_list(fn_store *store, const char *folder, fn_store_each each, void *arg, fn_err *err);

#endif
