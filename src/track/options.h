/* Settings of src/track: track.*, what a training tells about itself and where to. */
#ifndef FN_TRACK_OPTIONS_H
#define FN_TRACK_OPTIONS_H

#include "config/config.h"

typedef struct fn_track_options {
  fn_config_list sinks;  /* "local" …; empty: nothing is tracked */
  const char *url;       /* NULL: tracking.db in the folder of runs */
  const char *artifacts; /* NULL: artifacts in the folder of runs */
  const char *experiment;
  fn_config_map tags;
  const char *parent; /* id of the run that started this one; NULL: none */
  bool system_metrics;
  int64_t system_interval_s;
  bool log_model;
  int64_t flush_ms;
  int64_t queue_mb;
  bool required;
  const char *uri;               /* of an MLflow server; NULL: MLFLOW_TRACKING_URI */
  fn_config_list artifact_roots; /* folders here in which a server elsewhere may have files put */
  int64_t spool_mb;              /* MiB of events that wait for it */
  int64_t close_timeout_s;       /* that the end of a training waits for what is on its way */
  const char *wandb_dir;         /* NULL: WANDB_DIR, or the working folder */
} fn_track_options;

extern const fn_option_table fn_track_option_table;

/* Whether a sink of this name is asked for. */
bool fn_track_has_sink(const fn_track_options *options, const char *name);

#endif
