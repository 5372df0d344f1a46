/* The store of runs as the command line reaches it: settings, environment. For trainings, for the verbs `runs` and
 * `registry`. */
#ifndef FN_CLI_TRACK_SUPPORT_H
#define FN_CLI_TRACK_SUPPORT_H

#include "cli/cli.h"
#include "cli/transfer.h"
#include "mlflow/mlflow.h"
#include "net/options.h"
#include "store/options.h"
#include "store/store.h"
#include "track/options.h"
#include "track/track.h"
#include "train/train.h"

/* What artifact stores are reached with: lives as long as cli. */
typedef struct fn_cli_stores {
  fn_net_options net;
  fn_bucket_options buckets;
  fn_environment environment;
  fn_store_options options;
  fn_cli_transfer transfer; /* with fn_cli_stores_show */
} fn_cli_stores;
/* stores_out must not move afterwards. */
FN_NODISCARD fn_status fn_cli_stores_init(fn_cli_stores *stores_out, const fn_cli *cli, fn_err *err);
/* What is fetched and put is shown on stderr, and stops when the user asks for it: for verbs that wait for it, not for
 * the end of a training, which is kept whatever happens. */
void fn_cli_stores_show(fn_cli_stores *stores, const fn_cli *cli);

typedef enum fn_cli_open_mode {
  FN_CLI_OPEN_READ,   /* what is there: FN_E_NOT_FOUND when nothing is; written when it may be, to mark dead runs */
  FN_CLI_OPEN_CHANGE, /* what is there, to change it */
  FN_CLI_OPEN_MAKE,   /* made when it is not there */
} fn_cli_open_mode;
/* Opens the store of track.url and track.artifacts; stores outlives it. Close with fn_tracking_close. */
FN_NODISCARD fn_status fn_cli_open_tracking(fn_tracking **tracking_out, const fn_cli *cli, const fn_cli_stores *stores,
                                            fn_cli_open_mode mode, fn_err *err);
/* track.url and track.artifacts, or where they are without them: the files of a SQLite database lie in the folder
 * artifacts beside it. The text is track.artifacts or stands in *out. */
typedef char fn_cli_place[4096];
const char *fn_cli_track_url(const fn_track_options *options);
const char *fn_cli_track_artifacts(fn_cli_place out, const fn_track_options *options);

/* How an MLflow server is reached: fn_mlflow_from_environment with the net, the stores and the folders of these
 * settings, which outlive *out. */
FN_NODISCARD fn_status fn_cli_mlflow_options(fn_mlflow_options *out, const char *uri, const fn_track_options *options,
                                             const fn_cli_stores *stores, fn_err *err);
/* ---- a training that is tracked ---- */

/* What a sink is made of. */
typedef struct fn_cli_track_context {
  const fn_cli *cli;
  const fn_cli_stores *stores;
  const fn_track_options *options;
  const fn_run_info *run;
  const char *folder;  /* of the run; what a sink keeps for itself goes into its folder track/ */
  int64_t resume_step; /* -1: a new run */
} fn_cli_track_context;
/* A kind of sink, by its name in track.sinks. */
typedef struct fn_cli_sink_kind {
  const char *name;
  fn_status (*make)(fn_sink *sink_out, const fn_cli_track_context *context, fn_err *err);
  /* Before the training: what is wrong with the settings and the environment. NULL: nothing can be. */
  fn_status (*check)(const fn_cli *cli, const fn_track_options *options, const fn_environment *environment, bool resume,
                     fn_err *err);
} fn_cli_sink_kind;
extern const fn_cli_sink_kind fn_cli_sink_kinds[]; /* ends with name = NULL (track_sinks.c) */

typedef struct fn_cli_tracked fn_cli_tracked;
/* Before the training: the settings are checked, and with track.required the store is opened once. *tracked_out NULL:
 * nothing is to be tracked. resume: whether the run folder is an older one. */
FN_NODISCARD fn_status fn_cli_tracked_create(fn_cli_tracked **tracked_out, const fn_cli *cli, bool resume, fn_err *err);
/* On the thread that trains; never fails, never waits for a disk or network longer than one small file takes. */
void fn_cli_tracked_event(fn_cli_tracked *tracked, const fn_train_event *event);
/* Files of the run are handed over, its end is told, and everything is written. NULL is fine. */
void fn_cli_tracked_finish(fn_cli_tracked *tracked, fn_status status);

#endif
