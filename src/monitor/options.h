/* Settings of src/monitor: predictions.*. */
#ifndef FN_MONITOR_OPTIONS_H
#define FN_MONITOR_OPTIONS_H

#include "config/config.h"

typedef enum fn_predictions_durable { FN_DURABLE_ANSWER, FN_DURABLE_ASYNC } fn_predictions_durable;
typedef enum fn_predictions_text { FN_TEXT_KEEP_HASH, FN_TEXT_KEEP_FULL, FN_TEXT_KEEP_NONE } fn_predictions_text;
extern const char *const fn_predictions_text_names[3]; /* "hash", "full", "none" */

typedef struct fn_predictions_options {
  const char *url;    /* NULL: predictions.db in the state folder; "none": no log */
  int durable;        /* fn_predictions_durable */
  int64_t flush_ms;   /* async: longest time that a row waits */
  int text;           /* fn_predictions_text: what is kept of title and text */
  int64_t keep_days;  /* INT64_MIN: for ever */
  int64_t spool_mb;   /* 0: no spool */
  int64_t queue_rows; /* rows that wait for the disk at most */
} fn_predictions_options;

extern const fn_option_table fn_predictions_option_table;

/* False with predictions.url=none. */
bool fn_predictions_enabled(const fn_predictions_options *options);

#endif
