/* The registry's versions and aliases on an MLflow server too. The server counts versions of its own; the tag
 * fakenews.digest says which of ours one is. */
#ifndef FN_REGISTRY_MIRROR_H
#define FN_REGISTRY_MIRROR_H

#include "mlflow/mlflow.h"
#include "registry/registry.h"
#include "track/tracking.h"

typedef struct fn_mirror {
  fn_mlflow *mlflow;
  fn_tracking *tracking;
  fn_registry *registry;
  const char *experiment;    /* of the server, for runs that it does not have */
  const char *experiment_id; /* the same by its id, whose name is then `experiment` or any (""); NULL: not given */
  const char *scratch; /* folder for the version's files while they are on their way; what is put there is removed */
  void (*note)(void *arg, bool warning, const char *text); /* what is brought, and what was passed over; NULL: nobody */
  bool (*may_go_on)(void *arg);                            /* false: stop between two versions; NULL: never */
  void *arg;
} fn_mirror;

/* What was changed in the registry. */
typedef struct fn_mirror_change {
  const char *name;
  int64_t version;   /* that it is about; 0: none, the alias was taken away */
  const char *alias; /* that was moved or taken away; NULL: none */
  bool all;          /* every version in use, not only this one and those that an alias points to */
} fn_mirror_change;
/* Brings the model as the registry has it now, so also what an earlier change could not bring. Versions that the server
 * lacks come first, oldest first: this one and those that an alias points to; then the aliases; then the tags of all
 * versions that the server has, without those that they had once, and with fakenews.retired for retired ones. Aliases
 * and tags that were never ours stay. What fails of another version or alias than the change is about is noted and
 * passed over; where the change is about none, FN_E_PARTIAL at the end counts it. Safe when several do it at once. */
FN_NODISCARD fn_status fn_mirror_bring(const fn_mirror *mirror, const fn_mirror_change *change, fn_err *err);

#endif
