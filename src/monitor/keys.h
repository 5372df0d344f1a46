/* API keys: 256 random bits, shown once, stored as SHA-256 in the database of the prediction log. */
#ifndef FN_MONITOR_KEYS_H
#define FN_MONITOR_KEYS_H

#include "monitor/options.h"
#include "sql/sql.h"

/* Each role includes the ones before it. */
typedef enum fn_key_role { FN_KEY_PREDICT, FN_KEY_FEEDBACK, FN_KEY_ADMIN } fn_key_role;
enum { FN_N_KEY_ROLES = 3, FN_KEY_MAX_NAME = 100, FN_KEY_LENGTH = 96 };
extern const char *const fn_key_role_names[FN_N_KEY_ROLES]; /* "predict", "feedback", "admin" */
bool fn_key_role_parse(fn_key_role *role_out, const char *name);
static inline bool fn_key_role_includes(fn_key_role has, fn_key_role needs) {
  return has >= needs;
}

/* What may be known of a key. */
typedef struct fn_key_info {
  char id[20];                    /* "k_" and 12 hexadecimal digits: what rows of the log name as client */
  char name[FN_KEY_MAX_NAME + 1]; /* given when it was made; "" for none */
  fn_key_role role;
  int64_t created_ms, revoked_ms; /* Unix; revoked_ms 0: valid */
} fn_key_info;

/* secret_out: "fn_<role>_" and 64 hexadecimal digits; it cannot be had again. FN_E_INVALID: name too long or no UTF-8.
 */
FN_NODISCARD fn_status fn_key_create(char secret_out[FN_KEY_LENGTH], fn_key_info *info_out, fn_sql *sql,
                                     fn_key_role role, const char *name, fn_err *err);
/* FN_E_NOT_FOUND: no such id. Revoking again changes nothing. */
FN_NODISCARD fn_status fn_key_revoke(fn_key_info *info_out, fn_sql *sql, const char *id, fn_err *err);
/* All, revoked ones included, oldest first. */
typedef fn_status (*fn_key_emit)(void *arg, const fn_key_info *info, fn_err *err);
FN_NODISCARD fn_status fn_key_list(fn_sql *sql, fn_key_emit emit, void *arg, fn_err *err);

/* The valid keys, in memory: looked up without the database, refreshed every few seconds so that a revocation acts.
 * Used by any number of threads at once. */
typedef struct fn_keyring fn_keyring;
/* Opens a connection of its own and loads the keys. options, state_folder: as for the log; copied. A database that
 * cannot be reached is no failure: the ring is empty, and lets nobody in, until a refresh succeeds. */
FN_NODISCARD fn_status fn_keyring_open(fn_keyring **ring_out, const fn_predictions_options *options,
                                       const char *state_folder, fn_err *err);
void fn_keyring_close(fn_keyring *ring);
/* Not FN_OK: the keys stay as they were. */
FN_NODISCARD fn_status fn_keyring_refresh(fn_keyring *ring, fn_err *err);
/* Keys that are valid. */
size_t fn_keyring_count(fn_keyring *ring);
/* True, with *info_out, when secret is a valid key. It is hashed first and compared with all keys, each in a time that
 * does not depend on its bytes. */
bool fn_keyring_find(fn_key_info *info_out, fn_keyring *ring, fn_str secret);
/* The valid key of that id ("k_…"), which is no secret: whether a page that signed in with it may go on. */
bool fn_keyring_find_id(fn_key_info *info_out, fn_keyring *ring, const char *id);

#endif
