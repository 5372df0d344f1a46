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
} fn_track_options;

extern const fn_option_table fn_track_option_table;

/* Whether a sink of this name is asked for. */
bool fn_track_has_sink(const fn_track_options *options, const char *name);

#endif
