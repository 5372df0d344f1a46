/* A client of MLflow's REST interface, for servers 2.x and 3.x: experiments, runs, files, and the registry of models.
 *
 * Every answer is a stranger's: bounded in length, parsed strictly, its members checked for type; no redirect is
 * followed. Errors show the server's own words (cut, cleaned of control characters and credentials) and what to do.
 *
 * Statuses, everywhere here:
 *   FN_E_NOT_FOUND    the server knows no such experiment, run, model, version, alias or file
 *   FN_E_INVALID      it refuses what it was asked (fn_mlflow_failure.code says how), or who asks
 *   FN_E_UNSUPPORTED  it has no such endpoint
 *   FN_E_IO           no answer, a temporary one, or one that is no MLflow's (fn_mlflow_failure.temporary)
 *   FN_E_LIMIT        an answer is longer than any that MLflow gives
 *   FN_E_CANCELLED    tick said so */
#ifndef FN_MLFLOW_MLFLOW_H
#define FN_MLFLOW_MLFLOW_H

#include "track/tracking.h"

struct fn_environment;
struct fn_net_options;
struct fn_store_options;

typedef struct fn_mlflow fn_mlflow; /* one server; used by one thread at a time */

typedef struct fn_mlflow_options {
  const char *uri;             /* http[s]://host[:port][/prefix]; user:password@ in it are taken out and used */
  const char *user, *password; /* HTTP Basic; NULL: none */
  const char *token;           /* Bearer, instead of user and password; NULL: none */
  /* Where ~/.mlflow/credentials is read when neither user nor token is given here or in uri; NULL: it is not. */
  const struct fn_environment *environment;
  const char *workspace;                /* of a server that has several (3.x); NULL: none is named */
  const char *ca_file;                  /* as net.ca_file, where that is not given; NULL: none. Outlives the client */
  const struct fn_net_options *net;     /* outlives the client. Credentials go over plain http to this machine and to
                                         * net.insecure_hosts only */
  const struct fn_store_options *store; /* how files in s3:// and gs:// are reached; NULL: they are refused */
  /* Folders of this machine in which a server elsewhere may have files put. One on this machine may name any. */
  const char *const *local_roots;
  size_t n_local_roots;
  double timeout_s;        /* of one request without files; 0: 120 */
  bool once;               /* no second attempt: the caller waits and repeats itself */
  bool (*tick)(void *arg); /* called about once a second while a request is on its way; false cancels */
  void *tick_arg;
} fn_mlflow_options;

/* Why the last call failed. */
typedef struct fn_mlflow_failure {
  int http;             /* status of the answer; 0: none came */
  char code[48];        /* MLflow's error_code ("RESOURCE_DOES_NOT_EXIST"); "": the answer has none */
  bool temporary;       /* the same call may succeed later: no answer, 408, 429, 5xx */
  bool refused_access;  /* 401, 403: a matter of credentials */
  bool moved;           /* 301, 308: the server, or what stands before it, is elsewhere for good */
  double retry_after_s; /* what the server asked for; 0: nothing */
} fn_mlflow_failure;

/* Asks nothing of the server yet. FN_E_INVALID for an address that is none. */
FN_NODISCARD fn_status fn_mlflow_open(fn_mlflow **mlflow_out, const fn_mlflow_options *options, fn_err *err);
void fn_mlflow_close(fn_mlflow *mlflow);
const fn_mlflow_failure *fn_mlflow_last_failure(const fn_mlflow *mlflow);
/* Seconds in which nothing moved on the way of the file that fn_mlflow_put is sending; for tick, on the same thread. */
double fn_mlflow_still_s(const fn_mlflow *mlflow);
/* Another workspace from now on; NULL or "": none. */
FN_NODISCARD fn_status fn_mlflow_use_workspace(fn_mlflow *mlflow, const char *workspace, fn_err *err);
/* "": none. */
const char *fn_mlflow_workspace(const fn_mlflow *mlflow);
/* The address without credentials, no '/' at its end: what may be shown and kept. */
const char *fn_mlflow_uri(const fn_mlflow *mlflow);
/* "3.17.2"; "" when the server does not tell. Asked once. */
FN_NODISCARD fn_status fn_mlflow_version(const char **version_out, fn_mlflow *mlflow, fn_err *err);

/* ---- experiments and runs ---- */

/* The id ("0") of a name; `create` makes it when it is not there. FN_E_INVALID for one that is deleted. malloc'd. */
FN_NODISCARD fn_status fn_mlflow_experiment(char **id_out, fn_mlflow *mlflow, const char *name, bool create,
                                            fn_err *err);

/* Of an id: FN_E_NOT_FOUND when it is not there, FN_E_INVALID for one that is deleted or has another name (NULL or "":
 * any). */
FN_NODISCARD fn_status fn_mlflow_experiment_check(fn_mlflow *mlflow, const char *id, const char *name, fn_err *err);
/* The first where id is NULL, made when it is not there; else the second. malloc'd. */
FN_NODISCARD fn_status fn_mlflow_experiment_of(char **id_out, fn_mlflow *mlflow, const char *id, const char *name,
                                               fn_err *err);

/* What the server says of a run; strings belong to `json`. Release with fn_mlflow_run_deinit. */
typedef struct fn_mlflow_run {
  struct json_t *json; /* {"info": {…}, "data": {"metrics": […], "params": […], "tags": […]}, …} */
  const char *id, *experiment_id, *name, *status, *artifact_uri;
  int64_t start_ms, end_ms;
  bool deleted;
} fn_mlflow_run;
void fn_mlflow_run_deinit(fn_mlflow_run *run);

/* One attempt: when its answer is lost, the run may be there (look for it by a tag). */
FN_NODISCARD fn_status fn_mlflow_run_create(fn_mlflow_run *run_out, fn_mlflow *mlflow, const char *experiment_id,
                                            const char *name, int64_t start_ms, const fn_track_pair *tags,
                                            size_t n_tags, fn_err *err);
FN_NODISCARD fn_status fn_mlflow_run_get(fn_mlflow_run *run_out, fn_mlflow *mlflow, const char *run_id, fn_err *err);
/* status: MLflow's name ("FINISHED"); end_ms 0: none. */
FN_NODISCARD fn_status fn_mlflow_run_update(fn_mlflow *mlflow, const char *run_id, const char *status, int64_t end_ms,
                                            fn_err *err);
typedef fn_status (*fn_mlflow_run_emit)(void *arg, const fn_mlflow_run *run, fn_err *err);
/* experiment_id NULL: all experiments that are not deleted. filter in MLflow's syntax, or NULL; at most max runs (0:
 * all; of all experiments: of some hundred of these together), newest first. */
FN_NODISCARD fn_status fn_mlflow_run_search(fn_mlflow *mlflow, const char *experiment_id, const char *filter,
                                            size_t max, fn_mlflow_run_emit emit, void *arg, fn_err *err);
/* Any number of each, sent in as many requests as MLflow's limits ask for (1,000 in all, 1,000 metrics, 100 parameters,
 * 100 tags, 1 MB); values beyond its lengths are cut. What was sent before is harmless to send again (a NaN
 * is refused by servers before 3.x, which have it). After a failure
 * *n_sent (may be NULL) counts what arrived: parameters first, then tags, then metrics. */
FN_NODISCARD fn_status fn_mlflow_log_batch(size_t *n_sent, fn_mlflow *mlflow, const char *run_id,
                                           const fn_track_pair *params, size_t n_params, const fn_track_pair *tags,
                                           size_t n_tags, const fn_metric_point *metrics, size_t n_metrics,
                                           fn_err *err);
/* A data set that the run used; digest is cut to 36 bytes; context: "training", "validation", "test". */
typedef struct fn_mlflow_dataset {
  const char *name, *digest, *source_type, *source, *context;
  int64_t n_rows; /* shown with it; 0: not known */
} fn_mlflow_dataset;
FN_NODISCARD fn_status fn_mlflow_log_inputs(fn_mlflow *mlflow, const char *run_id, const fn_mlflow_dataset *datasets,
                                            size_t n, fn_err *err);

/* ---- files. `root` is an artifact address that the server gave (fn_mlflow_run.artifact_uri, fn_mlflow_model_source):
 * mlflow-artifacts:/… through the server, s3:// and gs:// through src/store, file: and paths on this machine ---- */

/* Puts a file, or a folder with all below it, under root/path (path "" for a folder: into root itself). */
FN_NODISCARD fn_status fn_mlflow_put(fn_mlflow *mlflow, const char *root, const char *path, const char *source,
                                     fn_err *err);
typedef fn_status (*fn_mlflow_file_emit)(void *arg, const char *path, uint64_t n_bytes, fn_err *err);
/* Every file below root/path with its path from root on; at most 100,000, and 32 folders deep. */
FN_NODISCARD fn_status fn_mlflow_list(fn_mlflow *mlflow, const char *root, const char *path, fn_mlflow_file_emit emit,
                                      void *arg, fn_err *err);
/* Fetches a file to `target`, or a folder with all below it, which then appears by rename. FN_E_INVALID when `target`
 * is there. Names that would lead out of it are refused; FN_E_IO for a file that is not as long as the server lists. */
FN_NODISCARD fn_status fn_mlflow_get(fn_mlflow *mlflow, const char *root, const char *path, const char *target,
                                     fn_err *err);

/* ---- registry of models ---- */

typedef struct fn_mlflow_model_version {
  struct json_t *json;                                       /* the server's model_version object */
  const char *name, *source, *run_id, *description, *status; /* "" where the server says nothing; "READY" */
  int64_t version;
} fn_mlflow_model_version;
void fn_mlflow_model_version_deinit(fn_mlflow_model_version *version);

/* One that is there already is fine. */
FN_NODISCARD fn_status fn_mlflow_model_create(fn_mlflow *mlflow, const char *name, const char *description,
                                              fn_err *err);
/* With all its versions and aliases. */
FN_NODISCARD fn_status fn_mlflow_model_delete(fn_mlflow *mlflow, const char *name, fn_err *err);
FN_NODISCARD fn_status fn_mlflow_model_tag(fn_mlflow *mlflow, const char *name, const char *key, const char *value,
                                           fn_err *err);
/* Uploads a folder that holds an MLmodel file as the run's model `path` and gives the address that a version is made
 * of. Servers 3.x get a logged model (its id in *model_id_out, malloc'd), which the run's page shows; 2.x ones files of
 * the run and *model_id_out = NULL. digest: names the content; the model that an earlier call with it began is gone on
 * with, else one with the same files below model/ that the training logged and no other digest took; NULL: a new one.
 * mlmodel_json: the MLmodel file as JSON, which 2.x servers keep with the run. *source_out malloc'd. */
FN_NODISCARD fn_status fn_mlflow_model_put(char **source_out, char **model_id_out, fn_mlflow *mlflow,
                                           const char *run_id, const char *path, const char *folder, const char *digest,
                                           const char *mlmodel_json, fn_err *err);
/* One attempt, as of runs. source: an artifact address; run_id, model_id, description may be NULL. Of a logged model
 * its id counts, not source.
 */
FN_NODISCARD fn_status fn_mlflow_version_create(fn_mlflow_model_version *version_out, fn_mlflow *mlflow,
                                                const char *name, const char *source, const char *run_id,
                                                const char *model_id, const char *description,
                                                const fn_track_pair *tags, size_t n_tags, fn_err *err);
FN_NODISCARD fn_status fn_mlflow_version_get(fn_mlflow_model_version *version_out, fn_mlflow *mlflow, const char *name,
                                             int64_t version, fn_err *err);
typedef fn_status (*fn_mlflow_version_emit)(void *arg, const fn_mlflow_model_version *version, fn_err *err);
/* All versions of a name, newest first. */
FN_NODISCARD fn_status fn_mlflow_version_list(fn_mlflow *mlflow, const char *name, fn_mlflow_version_emit emit,
                                              void *arg, fn_err *err);
/* Where the version's files stand, for fn_mlflow_get. malloc'd. */
FN_NODISCARD fn_status fn_mlflow_version_files(char **root_out, fn_mlflow *mlflow, const char *name, int64_t version,
                                               fn_err *err);
FN_NODISCARD fn_status fn_mlflow_version_describe(fn_mlflow *mlflow, const char *name, int64_t version,
                                                  const char *description, fn_err *err);
FN_NODISCARD fn_status fn_mlflow_version_tag(fn_mlflow *mlflow, const char *name, int64_t version, const char *key,
                                             const char *value, fn_err *err);
/* A tag that is not there is fine. */
FN_NODISCARD fn_status fn_mlflow_version_tag_delete(fn_mlflow *mlflow, const char *name, int64_t version,
                                                    const char *key, fn_err *err);
FN_NODISCARD fn_status fn_mlflow_version_delete(fn_mlflow *mlflow, const char *name, int64_t version, fn_err *err);
/* FN_E_NOT_FOUND when the model has no such alias (which MLflow calls an invalid value). */
FN_NODISCARD fn_status fn_mlflow_alias_get(fn_mlflow_model_version *version_out, fn_mlflow *mlflow, const char *name,
                                           const char *alias, fn_err *err);
FN_NODISCARD fn_status fn_mlflow_alias_set(fn_mlflow *mlflow, const char *name, const char *alias, int64_t version,
                                           fn_err *err);
/* {"best": 3, …}; empty for a model that is not there. */
FN_NODISCARD fn_status fn_mlflow_model_aliases(struct json_t **aliases_out, fn_mlflow *mlflow, const char *name,
                                               fn_err *err);
/* An alias that is not there is fine. */
FN_NODISCARD fn_status fn_mlflow_alias_delete(fn_mlflow *mlflow, const char *name, const char *alias, fn_err *err);

#endif
