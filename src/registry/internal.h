/* What the files of the registry share. */
#ifndef FN_REGISTRY_INTERNAL_H
#define FN_REGISTRY_INTERNAL_H

#include "registry/registry.h"

struct fn_registry {
  fn_sql *sql;
  char user[128], host[128];
};

/* Copies a text of an answer; "" for NULL. */
static inline const char *fn_registry_text(fn_arena *arena, const fn_sql_value *v) {
  if (v->type != FN_SQL_TEXT) return "";
  const char *copy = fn_arena_strndup(arena, v->bytes.length ? v->bytes.data : "", v->bytes.length);
  return copy ? copy : "";
}

/* Holds the model's row until the transaction's end, so that its changes come one after the other, and counts one more
 * change: *number_out. FN_E_NOT_FOUND names the models that there are. */
fn_status fn_registry_lock(int64_t *number_out, fn_registry *r, const char *name, fn_err *err);
/* Adds to the record. entry's number and time are filled in here. */
fn_status fn_registry_record(fn_registry *r, const fn_audit_entry *entry, int64_t number, fn_err *err);
/* FN_E_NOT_FOUND for a model that is not there, with the names that are like it. */
fn_status fn_registry_no_model(fn_registry *r, const char *name, fn_err *err);
/* FN_E_NOT_FOUND for a version that is not there or not in use. */
fn_status fn_registry_check_version(fn_registry *r, const char *name, int64_t version, fn_err *err);

#endif
