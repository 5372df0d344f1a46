/* Access tokens of Google: application default credentials (docs/stores.md). Internal to src/store. */
#ifndef FN_STORE_GOOGLE_H
#define FN_STORE_GOOGLE_H

#include "store/driver.h"

#define FN_GOOGLE_STORAGE "https://www.googleapis.com/auth/devstorage.read_write"
#define FN_GOOGLE_CLOUD   "https://www.googleapis.com/auth/cloud-platform"

/* What was found, kept until it expires. {0} is empty; release with fn_google_deinit. */
typedef struct fn_google {
  char *token;
  int64_t renew_ms;    /* when it is to be had anew */
  bool forgotten;      /* a token that a service refused, and none came since */
  char *source;        /* where it came from, for messages */
  char *project;       /* that the credentials belong to; NULL: not known */
  char *quota_project; /* that is charged for a user's requests; NULL: none */
} fn_google;

void fn_google_deinit(fn_google *google);
/* Makes google->token valid for requests in scope: GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, the metadata server;
 * one that ends within five minutes, or has less than half of a short life left, is fetched anew. FN_E_INVALID names
 * what to set and everything that was tried. */
FN_NODISCARD fn_status fn_google_token_get(fn_google *google, fn_store *store, const char *scope, fn_err *err);
/* Forgets a token that a service refused, once it was used; false when there is none. */
bool fn_google_token_forget(fn_google *google);

/* ---- what the files of it share: google.c, google_federation.c */

FN_NODISCARD fn_status fn_google_set_token(fn_google *google, const char *token, int64_t expires_ms, fn_err *err);
/* From an answer {"access_token": …, "expires_in": seconds}. */
FN_NODISCARD fn_status fn_google_take_token(fn_google *google, const fn_call_answer *answer, fn_err *err);
/* The same from an answer to a form. Of `form`, url, credentials and secret_body are read. */
FN_NODISCARD fn_status fn_google_ask(fn_google *google, fn_store *store, const fn_call_request *form,
                                     const fn_buf *body, fn_err *err);
/* Appends "name=value" of a form. */
void fn_google_parameter(fn_buf *body, const char *name, const char *value);
/* A token for that of somebody else, as a file of type external_account describes it. */
FN_NODISCARD fn_status fn_google_from_external(fn_google *google, fn_store *store, const json_t *file,
                                               const char *scope, const char *path, fn_err *err);
/* A token for a user who signed in by federation (external_account_authorized_user). */
FN_NODISCARD fn_status fn_google_from_workforce_user(fn_google *google, fn_store *store, const json_t *file,
                                                     const char *path, fn_err *err);
/* Exchanges google->token for one of the service account that file names (service_account_impersonation_url). */
FN_NODISCARD fn_status fn_google_impersonate(fn_google *google, fn_store *store, const json_t *file, const char *scope,
                                             const char *path, fn_err *err);

#endif
