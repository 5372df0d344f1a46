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
  const char *experiment;    /* of the server, for runs that it does not have */
  const char *experiment_id; /* the same by its id, whose name is then `experiment` or any (""); NULL: not given */
  const char *scratch; /* folder for the version's files while they are on their way; what is put there is removed */
} fn_mirror;
/* Brings a version there, with its tags, unless the server has it. *version_out: the server's number. */
FN_NODISCARD fn_status fn_mirror_version(int64_t *version_out, const fn_mirror *mirror, const fn_version_info *version,
                                         fn_err *err);
/* The same, then the alias. version NULL: the alias is taken away. */
FN_NODISCARD fn_status fn_mirror_alias(const fn_mirror *mirror, const char *name, const char *alias,
                                       const fn_version_info *version, fn_err *err);

#endif
