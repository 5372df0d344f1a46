/* Profiles of ~/.aws/credentials and ~/.aws/config, and the ways that they give keys. Internal to src/store. */
#ifndef FN_STORE_AWS_PROFILE_H
#define FN_STORE_AWS_PROFILE_H

#include "store/aws.h"
#include "store/aws_remote.h"

/* A setting of a profile, appended: ~/.aws/credentials first, then ~/.aws/config. False when it has none. */
bool fn_aws_profile_value(fn_buf *out, fn_aws *aws, const fn_store *store, const char *profile, const char *key);
/* A setting of another section of ~/.aws/config ("sso-session corp"); outer: of which it is one, NULL: of none. */
bool fn_aws_config_value(fn_buf *out, fn_aws *aws, const fn_store *store, const char *section, const char *outer,
                         const char *key);
/* Forgets both files, so that they are read again. */
void fn_aws_profile_forget(fn_aws *aws);

/* Keys by way of a profile: a role that it assumes (source_profile, credential_source), web identity (of the variables
 * too), SSO, keys in the credentials file, credential_process, keys in the configuration. *found stays empty, and tried
 * says why, when it has none of them; a way that it has and that leads nowhere is an error. source: for messages. */
FN_NODISCARD fn_status fn_aws_from_profile(fn_aws_found *found, fn_buf *source, fn_aws *aws, fn_store *store,
                                           const char *profile, fn_buf *tried, fn_err *err);

/* Those of single ways; *used_out false: the profile does not have it. */
FN_NODISCARD fn_status fn_aws_from_sso(bool *used_out, fn_aws_found *found, fn_aws *aws, fn_store *store,
                                       const char *profile, fn_err *err);
FN_NODISCARD fn_status fn_aws_from_process(fn_aws_found *found, fn_store *store, const char *profile,
                                           const char *command, fn_err *err);

#endif
