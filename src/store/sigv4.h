/* AWS Signature Version 4 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 * Judges: vectors that AWS publishes, and botocore's signer (tests/judge/test_store.py). */
#ifndef FN_STORE_SIGV4_H
#define FN_STORE_SIGV4_H

#include "net/net.h"

typedef struct fn_aws_keys {
  const char *id, *secret;
  const char *token; /* of keys that expire; NULL: none */
} fn_aws_keys;

typedef struct fn_sigv4 {
  const char *method;
  const char *path;          /* as it is sent, encoded; S3 encodes once and keeps what looks like ".." */
  const fn_call_pair *query; /* not encoded; a NULL value is written as an empty one */
  size_t n_query;
  const fn_call_pair *headers; /* all that are signed: host, x-amz-date, x-amz-content-sha256 … */
  size_t n_headers;
  const char *payload_sha256; /* 64 hexadecimal digits, or UNSIGNED-PAYLOAD */
  const char *region, *service;
  const char *time; /* "20130524T000000Z", as in x-amz-date */
} fn_sigv4;

/* At most this many headers and this many parameters. */
enum { FN_SIGV4_PAIRS = 32 };

/* "20130524T000000Z" */
void fn_sigv4_time(char out[17], int64_t unix_ms);
/* The query as it is signed and sent: encoded, sorted. */
void fn_sigv4_query(fn_buf *out, const fn_sigv4 *request);
/* The steps, for tests: each appends its text. */
void fn_sigv4_canonical(fn_buf *out, const fn_sigv4 *request);
void fn_sigv4_to_sign(fn_buf *out, const fn_sigv4 *request);
/* The value of the header Authorization. FN_E_LIMIT with too many pairs. */
FN_NODISCARD fn_status fn_sigv4_authorization(fn_buf *out, const fn_sigv4 *request, const fn_aws_keys *keys,
                                              fn_err *err);

#endif
