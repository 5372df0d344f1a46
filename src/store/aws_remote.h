/* Keys that services of AWS hand out: STS for a web identity, the container's agent, the instance's metadata. Internal
 * to src/store. */
#ifndef FN_STORE_AWS_REMOTE_H
#define FN_STORE_AWS_REMOTE_H

#include "store/driver.h"

typedef struct fn_aws_found {
  char *id, *secret, *token; /* token "": keys that do not expire */
  int64_t expires_ms;
} fn_aws_found;
void fn_aws_found_deinit(fn_aws_found *found);
/* Copies; token "": none. */
FN_NODISCARD fn_status fn_aws_found_set(fn_aws_found *found, const char *id, const char *secret, const char *token,
                                        int64_t expires_ms, fn_err *err);

/* How far this machine's clock is behind that of an answer (its Date); false: by less than a minute, or it says none.
 */
bool fn_aws_clock_of(int64_t *skew_ms_out, const fn_call_answer *answer);

typedef struct fn_aws_role {
  const char *arn, *region, *url;              /* url: of STS */
  const char *session, *external_id, *seconds; /* NULL: fakenews, none, what the service takes */
  int64_t *skew_ms; /* of this machine's clock: signed with, and set when the service complains of it */
} fn_aws_role;
/* Keys of a role (AssumeRole), asked for with those of somebody who may have it. */
FN_NODISCARD fn_status fn_aws_from_role(fn_aws_found *found, fn_store *store, const fn_aws_role *role,
                                        const fn_aws_found *keys, fn_err *err);

typedef struct fn_aws_identity {
  const char *file;                 /* holds the token of the identity */
  const char *role, *session, *url; /* session NULL: fakenews; url: of STS */
} fn_aws_identity;

FN_NODISCARD fn_status fn_aws_from_web_identity(fn_aws_found *found, fn_store *store, const fn_aws_identity *identity,
                                                fn_err *err);
/* These leave *found empty, with the reason added to tried, when there is no such service here; a service that is there
 * and refuses is an error. */
FN_NODISCARD fn_status fn_aws_from_container(fn_aws_found *found, fn_store *store, fn_buf *tried, fn_err *err);
FN_NODISCARD fn_status fn_aws_from_instance(fn_aws_found *found, fn_store *store, fn_buf *tried, fn_err *err);

#endif
