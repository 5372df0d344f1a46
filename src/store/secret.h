/* Values that are kept by a service and not in a setting: "secret:gcp/NAME[/versions/V]", Google's Secret Manager. */
#ifndef FN_STORE_SECRET_H
#define FN_STORE_SECRET_H

#include "store/store.h"

/* Whether a setting's text names a secret: begins with "secret:". */
bool fn_secret_is_reference(const char *text);
/* Fetches what a reference names and appends it to *out, without line breaks at its end. The project comes from the
 * reference (secret:gcp/projects/P/secrets/NAME/versions/V), GOOGLE_CLOUD_PROJECT, or the credentials; the version is
 * `latest` unless one is given. Statuses as in store/store.h; FN_E_INVALID for a reference that is none. The value is
 * in no message. */
FN_NODISCARD fn_status fn_secret_get(fn_buf *out, const char *reference, const fn_store_options *options, fn_err *err);

#endif
