/* Logged models: what servers 3.x list as the models of a run. Internal to src/mlflow. */
#ifndef FN_MLFLOW_LOGGED_H
#define FN_MLFLOW_LOGGED_H

#include "mlflow/internal.h"

/* Tags of ours: the hash of the model's files (mlmodel.h), and the digest of the registry's version that has it. */
#define FN_LOGGED_HASH   "fakenews.model"
#define FN_LOGGED_DIGEST "fakenews.digest"

typedef struct fn_mlflow_logged {
  char *id, *root; /* malloc'd; root: an artifact address. NULL: none */
  bool ready;      /* all of it is there */
  bool is_version; /* a version of the registry took it over */
  json_t *params;  /* keys that it has; borrowed keys are the object's own */
} fn_mlflow_logged;
void fn_mlflow_logged_deinit(fn_mlflow_logged *logged);

/* The run's model with this hash. digest: of a version, which takes its own, else one that belongs to no version; NULL:
 * one that is ready or belongs to no version. out->id stays NULL: there is none. FN_E_UNSUPPORTED: a server before 3.x.
 */
FN_NODISCARD fn_status fn_mlflow_logged_find(fn_mlflow_logged *out, fn_mlflow *mlflow, const fn_mlflow_run *run,
                                             const char *hash, const char *digest, fn_err *err);
/* One attempt: when its answer is lost, it may be there (look for it). */
FN_NODISCARD fn_status fn_mlflow_logged_create(fn_mlflow_logged *out, fn_mlflow *mlflow, const fn_mlflow_run *run,
                                               const char *name, const fn_track_pair *tags, size_t n_tags, fn_err *err);
FN_NODISCARD fn_status fn_mlflow_logged_tag(fn_mlflow *mlflow, const char *id, const char *key, const char *value,
                                            fn_err *err);
/* What is not there yet of: the run's parameters, its latest metrics but those of the machine, the link from the run;
 * then the state READY. run: as the server has it now. */
FN_NODISCARD fn_status fn_mlflow_logged_finish(fn_mlflow *mlflow, const fn_mlflow_logged *logged,
                                               const fn_mlflow_run *run, fn_err *err);
FN_NODISCARD fn_status fn_mlflow_logged_fail(fn_mlflow *mlflow, const char *id, fn_err *err);

/* ---- a training's model ---- */

/* How far fn_mlflow_log_model came, for another attempt of the same process. Zeroed at first; release with
 * fn_mlflow_log_progress_deinit. */
typedef struct fn_mlflow_log_progress {
  uint64_t stamp; /* of the directory that was hashed; 0: none was */
  char hash[33], model_class[96];
  char id[72];     /* of the logged model that has the files of `there` */
  json_t *there;   /* by their paths in the model */
  size_t n_so_far; /* files that arrived, over all attempts */
} fn_mlflow_log_progress;
void fn_mlflow_log_progress_deinit(fn_mlflow_log_progress *progress);

typedef struct fn_mlflow_log_source {
  const char *name;    /* of the logged model */
  const char *dir;     /* of the model */
  const char *scratch; /* a folder for the MLmodel */
  const char *run_id;  /* in the local store */
} fn_mlflow_log_source;
/* Hash and class of the directory; those of an earlier attempt while none of its files was written since. FN_E_INVALID:
 * it is no model's. */
FN_NODISCARD fn_status fn_mlflow_log_prepare(fn_mlflow_log_progress *progress, const fn_mlflow_log_source *source,
                                             fn_err *err);
/* The directory, which was prepared, as a logged model of a run of the server. Once, however often it is called; a
 * server before 3.x has no such models: FN_OK as well. */
FN_NODISCARD fn_status fn_mlflow_log_model(fn_mlflow_log_progress *progress, fn_mlflow *mlflow, const char *run_id,
                                           const fn_mlflow_log_source *source, fn_err *err);

#endif
