/* Credentials and region of AWS, looked up where its own programs look (docs/stores.md). Internal to src/store. */
#ifndef FN_STORE_AWS_H
#define FN_STORE_AWS_H

#include "store/driver.h"
#include "store/sigv4.h"

/* What was found, kept until it expires. {0} is empty; release with fn_aws_deinit. */
typedef struct fn_aws {
  char *id, *secret, *token; /* token "": keys that do not expire */
  int64_t expires_ms;        /* INT64_MAX: never */
  int64_t renew_ms;          /* when keys that expire are to be had anew */
  char *source; /* where they came from, for messages: "environment", "/home/a/.aws/credentials [default]" */
  fn_buf config, credentials; /* the two files, read once; empty when they are not there */
  bool has_files;             /* they were looked for */
  int64_t skew_ms; /* of this machine's clock behind the services', once one of them complained; 0: it is right */
  bool forgotten;  /* keys that a service called expired, and none came since */
} fn_aws;

void fn_aws_deinit(fn_aws *aws);
/* Makes *keys_out point at valid keys: environment, web identity, files, container, instance metadata; those that end
 * within five minutes, or have less than half of a short life left, are fetched anew. FN_E_INVALID names what to set
 * and everything that was tried. */
FN_NODISCARD fn_status fn_aws_keys_get(fn_aws_keys *keys_out, fn_aws *aws, fn_store *store, fn_err *err);
/* Forgets keys that a service called expired; false when they cannot be had anew. */
bool fn_aws_keys_forget(fn_aws *aws);
/* A setting of the profile in use (region, endpoint_url), appended; false when there is none. */
bool fn_aws_profile_find(fn_buf *out, fn_aws *aws, const fn_store *store, const char *key);
/* A service of AWS: the variable that names another address, its name in a section [services …], the front of its host.
 */
typedef struct fn_aws_service {
  const char *variable, *name, *host;
} fn_aws_service;
extern const fn_aws_service fn_aws_sts;

/* An address that the user names for a service, appended, where botocore looks for it: the service's variable,
 * AWS_ENDPOINT_URL, the profile's `services`, its endpoint_url. False: none, or they are to be ignored. */
bool fn_aws_endpoint(fn_buf *url, fn_aws *aws, const fn_store *store, const fn_aws_service *service);
/* That, else https://HOST.REGION.amazonaws.com/. */
FN_NODISCARD fn_status fn_aws_service_url(fn_buf *url, fn_aws *aws, const fn_store *store,
                                          const fn_aws_service *service, const char *region, fn_err *err);
/* Region for requests: store.s3_region, AWS_REGION, AWS_DEFAULT_REGION, the profile; else "us-east-1". Appended. */
void fn_aws_region(fn_buf *out, fn_aws *aws, const fn_store *store);

#endif
