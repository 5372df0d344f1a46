/* Where the training of a run folder told its run, for what is brought there later. */
#ifndef FN_CLI_RUNS_SYNC_PLACE_H
#define FN_CLI_RUNS_SYNC_PLACE_H

#include "cli/track_identity.h"
#include "cli/track_support.h"

typedef struct fn_cli_sync_place {
  fn_cli_identity identity; /* of the folder */
  fn_cli_place room;
  fn_tracking_options options; /* url, artifacts, store */
} fn_cli_sync_place;
/* folder: of the run, absolute. A SQLite file and a folder of files are taken as the training named them, whatever
 * folder we are in, unless the settings name others; a server and a bucket come from the settings. meant: how the
 * database was described then, NULL or "": not known. FN_E_INVALID: the settings do not name the one that is meant.
 * place_out must not move. Release with fn_cli_sync_place_deinit, also after an error. */
FN_NODISCARD fn_status fn_cli_sync_place_find(fn_cli_sync_place *place_out, const fn_cli *cli,
                                              const fn_cli_stores *stores, const fn_track_options *options,
                                              const char *folder, const char *meant, fn_err *err);
void fn_cli_sync_place_deinit(fn_cli_sync_place *place);
/* Whether a setting names the place that was written down then: a bucket, or a folder or file, which has many names.
 * One that was written down without the folder that it stood in is no place. */
bool fn_cli_same_place(const char *then, const char *now);

#endif
