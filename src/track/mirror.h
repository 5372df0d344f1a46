/* The registry's versions and aliases on an MLflow server too. The server counts versions of its own; the tag
 * fakenews.digest says which of ours one is. */
#ifndef FN_TRACK_MIRROR_H
#define FN_TRACK_MIRROR_H

#include "track/mlflow_client.h"
#include "track/registry.h"
#include "track/tracking.h"

typedef struct fn_mirror {
  fn_mlflow *mlflow;
  fn_tracking *tracking;
  fn_registry *registry;
  const char *experiment;    /* of the server, for runs that it does not have */
  const char *experiment_id; /* the same by its id, whose name is then `experiment` or any (""); NULL: not given */
  const char *scratch; /* folder for the version's files while they are on their way; what is put there is removed */
} fn_mirror;

/* What was changed in the registry. */
typedef struct fn_mirror_change {
  const char *name;
  int64_t version;   /* that it is about; 0: none, the alias was taken away */
  const char *alias; /* that was moved or taken away; NULL: none */
} fn_mirror_change;
/* Brings the change there, as the registry stands now. Versions in use that the server lacks, up to this one, are
 * brought first, oldest first, so that the server's numbers rise as ours do; then the alias; then the version's tags,
 * without those that it had once, and with fakenews.retired when it is retired. Safe when several do it at once. */
FN_NODISCARD fn_status fn_mirror_bring(const fn_mirror *mirror, const fn_mirror_change *change, fn_err *err);

#endif
