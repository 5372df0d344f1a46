/* Files that a training could not bring to the store of files (track/file_queue.h), brought there later. */
#ifndef FN_CLI_RUNS_SYNC_FILES_H
#define FN_CLI_RUNS_SYNC_FILES_H

#include "cli/runs_support.h"
#include "track/file_queue.h"

typedef struct fn_cli_files_sync {
  const fn_cli *cli;
  const fn_cli_stores *stores;
  const fn_track_options *options;
  const char *folder; /* of the run */
  size_t n_stored, n_waiting;
  size_t n_left_out;      /* changed since, or not there any more */
  char left_out[1024];    /* the first of them, and why */
  fn_cli_place artifacts; /* where they belong */
} fn_cli_files_sync;

/* FN_E_REFUSED: the training goes on. FN_E_INVALID: the settings name another store than the training's.
 * FN_E_NOT_FOUND: the database does not know the run. */
FN_NODISCARD fn_status fn_cli_sync_files(fn_cli_files_sync *sync, fn_err *err);
/* One line, for people or as JSON; failure NULL: none. */
void fn_cli_sync_files_show(fn_buf *out, const fn_cli_files_sync *sync, bool json, const char *failure);

#endif
