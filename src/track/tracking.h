/* The local store of runs: one database (src/sql: a SQLite file, or PostgreSQL for a team) for experiments, runs,
 * parameters, metrics and tags, and a content-addressed folder or bucket (src/store) for files.
 *
 * Terms and limits are MLflow's, so that a run can be mirrored to a server value by value: a run id is 32 lower-case
 * hexadecimal digits, parameters are written once, a metric is a series of (step, time, value), tags may change.
 *
 * Metrics of one step are one row: a set of keys, kept once for the run, and the values as doubles beside it. So a
 * thousand metrics a step cost one insertion of 8 kB, and the history of one key is read by walking the run's rows. */
#ifndef FN_TRACK_TRACKING_H
#define FN_TRACK_TRACKING_H

#include "sql/sql.h"

enum {
  FN_RUN_ID_LENGTH = 33,     /* with its 0 */
  FN_TRACK_MAX_KEY = 250,    /* bytes of a key; [\w/.\- :]*, and no "." or ".." as a part of the path that it is */
  FN_TRACK_MAX_PARAM = 6000, /* characters of a parameter's value; longer is cut, as MLflow does */
  FN_TRACK_MAX_TAG = 8000,
};

typedef enum fn_run_status {
  FN_RUN_RUNNING,
  FN_RUN_SCHEDULED,
  FN_RUN_FINISHED,
  FN_RUN_FAILED,
  FN_RUN_KILLED,      /* a person or a signal asked for the end */
  FN_RUN_INTERRUPTED, /* its process was gone without saying how it ended; MLflow: KILLED */
  FN_N_RUN_STATUSES
} fn_run_status;
extern const char *const fn_run_status_names[FN_N_RUN_STATUSES]; /* "RUNNING" … */

/* A connection to the store; used by one thread at a time. Several processes may have one each. */
typedef struct fn_tracking fn_tracking;

typedef struct fn_run_info {
  char id[FN_RUN_ID_LENGTH];
  char parent[FN_RUN_ID_LENGTH]; /* "": none */
  int64_t experiment;            /* 0: Default */
  const char *experiment_name, *name, *user;
  const char *folder;       /* run folder of src/train, absolute; "": none */
  fn_run_status status;     /* RUNNING whose process is gone reads INTERRUPTED */
  int64_t start_ms, end_ms; /* Unix; end 0: not ended */
  bool deleted;
} fn_run_info;

typedef struct fn_track_pair {
  const char *key, *value;
} fn_track_pair;

typedef struct fn_metric_point {
  const char *key;
  double value; /* may be NaN or infinite */
  int64_t step, time_ms;
} fn_metric_point;

typedef struct fn_tracking_options {
  const char *url;                      /* database */
  const char *artifacts;                /* URI of the artifact store */
  const struct fn_store_options *store; /* how it is reached; outlives the tracking store. NULL: it is a folder */
  bool read_only;     /* nothing is made or written; a folder or SQLite file that is not there: NOT_FOUND */
  int64_t busy_ms;    /* longest wait for another process' lock; 0: 5000 */
  int64_t timeout_ms; /* as in fn_sql_options, as what follows */
  bool (*go_on)(void *arg);
  void *go_on_arg;
} fn_tracking_options;

/* Makes what is missing (tables, folder). Statuses of everything here as in sql/sql.h and store/store.h. */
FN_NODISCARD fn_status fn_tracking_open(fn_tracking **tracking_out, const fn_tracking_options *options, fn_err *err);
void fn_tracking_close(fn_tracking *tracking);
/* Whether it can be written now: a file or a folder may only allow reading. FN_E_IO. */
FN_NODISCARD fn_status fn_tracking_check_writable(fn_tracking *tracking, fn_err *err);
/* The connection, for what stands beside runs in the same database (registry/registry.h). */
fn_sql *fn_tracking_sql(fn_tracking *tracking);

/* A number for a name; `create` makes it when it is not there. */
FN_NODISCARD fn_status fn_tracking_experiment(int64_t *id_out, fn_tracking *tracking, const char *name, bool create,
                                              fn_err *err);

/* Whether a key may name a parameter, metric or tag (`what`, for the message): FN_E_INVALID. */
FN_NODISCARD fn_status fn_track_check_key(const char *key, const char *what, fn_err *err);

/* Whether a name may be an experiment's: 1 to 500 bytes of UTF-8 without control characters. */
FN_NODISCARD fn_status fn_track_check_experiment(const char *name, fn_err *err);

/* ---- writing a run ---- */

void fn_run_id_make(char out[FN_RUN_ID_LENGTH], const unsigned char random[16]);
/* 32 hexadecimal digits. */
bool fn_run_id_is_valid(const char *text);
/* Inserts the run as RUNNING, or takes it up again when its id is there (a resumed training). The process that calls
 * is remembered, so that its death can be told from a run that goes on. */
FN_NODISCARD fn_status fn_tracking_run_begin(fn_tracking *tracking, const fn_run_info *run, fn_err *err);
FN_NODISCARD fn_status fn_tracking_run_end(fn_tracking *tracking, const char *id, fn_run_status status, int64_t end_ms,
                                           fn_err *err);
/* The run goes on: to be said every minute, so that another machine can tell. A run that was taken for dead is RUNNING
 * again. */
FN_NODISCARD fn_status fn_tracking_beat(fn_tracking *tracking, const char *id, fn_err *err);
/* FN_E_INVALID when a parameter was set to another value before. All or none. */
FN_NODISCARD fn_status fn_tracking_log_params(fn_tracking *tracking, const char *id, const fn_track_pair *params,
                                              size_t n, fn_err *err);
FN_NODISCARD fn_status fn_tracking_set_tags(fn_tracking *tracking, const char *id, const fn_track_pair *tags, size_t n,
                                            fn_err *err);
/* Points in the order they came. The same point again is kept once. One transaction. */
FN_NODISCARD fn_status fn_tracking_log_metrics(fn_tracking *tracking, const char *id, const fn_metric_point *points,
                                               size_t n, fn_err *err);
/* Forgets points after a step, of a training that is resumed from an earlier checkpoint; those of keys that begin with
 * "system/" stay, for their steps count something else. */
FN_NODISCARD fn_status fn_tracking_cut_metrics(fn_tracking *tracking, const char *id, int64_t step, fn_err *err);

/* ---- files of a run or of a model version: owner = "run:<id>" or "version:<name>/<number>" ---- */

typedef struct fn_artifact {
  const char *path; /* inside the owner, '/' between parts */
  char sha256[65];
  int64_t n_bytes;
  /* Where it was put: a URI, an absolute path (of that host), or "./…" from the SQLite file; NULL: not known. */
  const char *place, *host;
} fn_artifact;
/* Copies a file, or a folder with all below it, into the store; what is there already (by content) is not sent again.
 * A path that the owner has is replaced. A version's file is named first: when that breaks off, its name is left, and
 * goes with whatever is stored by fn_tracking_drop_owner. */
FN_NODISCARD fn_status fn_tracking_put(fn_tracking *tracking, const char *owner, const char *path, const char *source,
                                       fn_err *err);
/* Another owner's files under the same paths: nothing is copied. */
FN_NODISCARD fn_status fn_tracking_link(fn_tracking *tracking, const char *owner, const char *path,
                                        const fn_artifact *artifact, fn_err *err);
enum { FN_TRACKING_DAMAGE = 512 };
typedef fn_status (*fn_artifact_emit)(void *arg, const fn_artifact *artifact, fn_err *err);
/* In order of path; prefix "" for all, else a file or a folder of the owner. */
FN_NODISCARD fn_status fn_tracking_list(fn_tracking *tracking, const char *owner, const char *prefix,
                                        fn_artifact_emit emit, void *arg, fn_err *err);
/* Fetches what stands under prefix into `target` (a file, or a folder that appears by rename); every file's SHA-256 is
 * checked: FN_E_IO names one that is damaged. FN_E_NOT_FOUND. */
FN_NODISCARD fn_status fn_tracking_get(fn_tracking *tracking, const char *owner, const char *prefix, const char *target,
                                       fn_err *err);
/* Looks whether all files of an owner are in the store as they were put, without fetching them: by their SHA-256 where
 * the store is a folder or keeps one, else by their lengths. What is wrong with the first that is not stands in
 * damage_out; "": nothing. An error says that it could not be looked. */
FN_NODISCARD fn_status fn_tracking_check_files(char damage_out[FN_TRACKING_DAMAGE], fn_tracking *tracking,
                                               const char *owner, fn_err *err);

/* ---- reading ---- */

/* One run with its parameters, tags and latest metrics, each in order of key. Strings are valid during the call. */
typedef struct fn_run_metric {
  const char *key;
  double last, min, max; /* last: of the highest (step, time) */
  int64_t last_step, last_ms, n;
} fn_run_metric;
typedef struct fn_run_view {
  fn_run_info info;
  const fn_track_pair *params, *tags;
  const fn_run_metric *metrics;
  size_t n_params, n_tags, n_metrics;
} fn_run_view;
typedef fn_status (*fn_run_emit)(void *arg, const fn_run_view *run, fn_err *err);

typedef struct fn_run_query {
  const char *filter;          /* MLflow's search syntax (docs/tracking.md); NULL: all */
  const char *const *order_by; /* [n_order_by] "metrics.val/loss ASC"; none: start_time DESC */
  size_t n_order_by;
  const char *const *experiments; /* [n_experiments] names; none: all */
  size_t n_experiments;
  size_t max;   /* runs at most; 0: no limit */
  bool deleted; /* the deleted ones too */
  bool bare;    /* without parameters, tags and metrics: faster */
  /* [n_columns] "metrics.val/loss", "params.train.epochs": only these of them; none: all */
  const char *const *columns;
  size_t n_columns;
} fn_run_query;
/* FN_E_INVALID names the place in the filter and what would be accepted there. */
FN_NODISCARD fn_status fn_tracking_search(fn_tracking *tracking, const fn_run_query *query, fn_run_emit emit, void *arg,
                                          fn_err *err);
/* By id, by the beginning of an id (4 digits at least), by name, by run folder, or "latest". FN_E_NOT_FOUND, and
 * FN_E_INVALID with the candidates when several fit, be it one by its name and another by the beginning of its id. */
FN_NODISCARD fn_status fn_tracking_find(char id_out[FN_RUN_ID_LENGTH], fn_tracking *tracking, const char *name,
                                        fn_err *err);
FN_NODISCARD fn_status fn_tracking_get_run(fn_tracking *tracking, const char *id, fn_run_emit emit, void *arg,
                                           fn_err *err);
typedef fn_status (*fn_metric_emit)(void *arg, const fn_metric_point *point, fn_err *err);
/* All points of a key (NULL: of every key) in order of step, then time. */
FN_NODISCARD fn_status fn_tracking_history(fn_tracking *tracking, const char *id, const char *key, fn_metric_emit emit,
                                           void *arg, fn_err *err);
/* deleted = true hides a run, false brings it back. FN_E_REFUSED while a model version comes of it, FN_E_INVALID while
 * it goes on. */
FN_NODISCARD fn_status fn_tracking_set_deleted(fn_tracking *tracking, const char *id, bool deleted, fn_err *err);
/* Nobody makes a version for a day; what is older belonged to a process that was killed. */
enum { FN_VERSION_UNFINISHED_MS = 24 * 3600 * 1000 };
/* Versions of models that came of a run and are in use (src/registry keeps them in the same database). */
typedef fn_status (*fn_run_version_emit)(void *arg, const char *model, int64_t version, fn_err *err);
FN_NODISCARD fn_status fn_tracking_versions(fn_tracking *tracking, const char *id, fn_run_version_emit emit, void *arg,
                                            fn_err *err);
/* Removes a run for good, and the files that nobody else refers to, from where they were put. Where that ends half-way
 * the run is hidden, and another call goes on; so it is with a folder of another machine, which the message names.
 * FN_E_REFUSED while a model version comes of it, FN_E_INVALID while it goes on. */
FN_NODISCARD fn_status fn_tracking_purge(fn_tracking *tracking, const char *id, fn_err *err);
/* The same, but its files stay where they are. */
FN_NODISCARD fn_status fn_tracking_forget(fn_tracking *tracking, const char *id, fn_err *err);

#endif
