/* What a training could not bring into the store of runs (track/sink_local.h), brought there later. */
#ifndef FN_CLI_RUNS_SYNC_ROWS_H
#define FN_CLI_RUNS_SYNC_ROWS_H

#include "cli/runs_support.h"

typedef struct fn_cli_rows_sync {
  const fn_cli *cli;
  const fn_cli_stores *stores;
  const fn_track_options *options;
  const char *folder; /* of the run */
  uint64_t n_written, n_waiting;
  char place[512]; /* the store, as it may be shown */
} fn_cli_rows_sync;

/* Whether a run folder has something to bring. */
bool fn_cli_rows_wait(const char *folder);
/* The run is made when the store has none of its id. FN_E_REFUSED: the training goes on. FN_E_INVALID: the settings
 * name another store than the training's, or none where that was a server. */
FN_NODISCARD fn_status fn_cli_sync_rows(fn_cli_rows_sync *sync, fn_err *err);
/* One line, for people or as JSON; failure NULL: none. */
void fn_cli_sync_rows_show(fn_buf *out, const fn_cli_rows_sync *sync, bool json, const char *failure);

#endif
