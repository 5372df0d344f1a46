/* Keys that services of AWS hand out: STS for a web identity, the container's agent, the instance's metadata. Internal
 * to src/store. */
#ifndef FN_STORE_AWS_REMOTE_H
#define FN_STORE_AWS_REMOTE_H

#include "store/driver.h"

typedef struct fn_aws_found {
  char *id, *secret, *token;
  int64_t expires_ms;
} fn_aws_found;
void fn_aws_found_deinit(fn_aws_found *found);

typedef struct fn_aws_identity {
  const char *file;                    /* holds the token of the identity */
  const char *role, *session, *region; /* session NULL: fakenews */
} fn_aws_identity;

FN_NODISCARD fn_status fn_aws_from_web_identity(fn_aws_found *found, fn_store *store, const fn_aws_identity *identity,
                                                fn_err *err);
/* These leave *found empty, with the reason added to tried, when there is no such service here; a service that is there
 * and refuses is an error. */
FN_NODISCARD fn_status fn_aws_from_container(fn_aws_found *found, fn_store *store, fn_buf *tried, fn_err *err);
FN_NODISCARD fn_status fn_aws_from_instance(fn_aws_found *found, fn_store *store, fn_buf *tried, fn_err *err);

#endif
