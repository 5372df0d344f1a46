/* Who may ask: API keys in headers, and pages that are signed in with one. Any thread.
 *
 * A page that signs in gets a random session id in a cookie that scripts cannot read and other sites cannot send; the
 * id's hash stands in a table of this process, beside the id of the key, which must still be valid each time. */
#ifndef FN_SERVE_AUTH_H
#define FN_SERVE_AUTH_H

#include "monitor/options.h"
#include "serve/exchange.h"

typedef enum fn_auth_mode { FN_AUTH_AUTO, FN_AUTH_KEYS, FN_AUTH_NONE } fn_auth_mode; /* serve.auth */

typedef struct fn_auth fn_auth;

/* Starts a thread that reads the keys and reads them again every two seconds. */
FN_NODISCARD fn_status fn_auth_create(fn_auth **auth_out, fn_auth_mode mode, const fn_predictions_options *predictions,
                                      const char *state_folder, fn_err *err);
void fn_auth_destroy(fn_auth *auth); /* NULL is fine */

/* The server can be reached from elsewhere: keys are then needed even where there is none yet. */
void fn_auth_expose(fn_auth *auth);
/* FN_E_INVALID: exposed, without a key and without serve.auth=none; says what to do. Waits for the keys. */
FN_NODISCARD fn_status fn_auth_check(fn_auth *auth, fn_err *err);
/* Whether keys are needed. Until the keys were read once (ten seconds at most) it waits; while they cannot be read they
 * are needed. */
bool fn_auth_is_on(fn_auth *auth);

typedef enum fn_credential {
  FN_CREDENTIAL_NONE,
  FN_CREDENTIAL_WRONG,
  FN_CREDENTIAL_KEY,
  FN_CREDENTIAL_COOKIE
} fn_credential;
/* Of the request's headers, into role and key_id: Authorization: Bearer, X-Api-Key, else the cookie, which is also
 * copied to session. */
fn_credential fn_auth_identify(fn_auth *auth, fn_exchange *x);

/* Signs a page in: *exchange gets a new session and the header that sets its cookie. False: the key is not valid. */
bool fn_auth_sign_in(fn_auth *auth, fn_exchange *exchange, fn_str key);
void fn_auth_sign_out(fn_auth *auth, fn_exchange *x);
/* What a form of a page must send back, bound to the session; a visitor without one gets a cookie of another name, by a
 * header of the response, so that nobody is signed out who comes by a link from another site. */
void fn_auth_csrf(char out[33], fn_auth *auth, fn_exchange *x);
/* Whether token is that of the request's session. */
bool fn_auth_csrf_matches(fn_auth *auth, const fn_exchange *exchange, fn_str token);

#endif
