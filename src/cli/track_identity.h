/* RUN/track/run.json: which run a folder belongs to, so that a training that is resumed goes on with the same run. */
#ifndef FN_CLI_TRACK_IDENTITY_H
#define FN_CLI_TRACK_IDENTITY_H

#include "track/track.h"

typedef struct fn_cli_identity {
  char id[FN_RUN_ID_LENGTH];     /* "": the folder has none yet */
  char parent[FN_RUN_ID_LENGTH]; /* run whose folder was copied to this one; "": none */
  int64_t start_ms;
  /* SQLite file and folder of files that the run is told to, by their absolute paths; NULL: not known, or not there any
   * more. malloc'd */
  char *url, *artifacts;
} fn_cli_identity;

/* folder: of the run, absolute and without links. A folder that was copied while the other one is still there is no
 * longer that run: *identity_out then has a parent and no id, and what the sinks kept for the other run is removed from
 * the copy. Release with fn_cli_identity_deinit, also after an error. */
FN_NODISCARD fn_status fn_cli_identity_load(fn_cli_identity *identity_out, const char *folder, fn_err *err);
/* Writes it, with a new id and the present time when it has none. url, artifacts: of track.url and track.artifacts or
 * their defaults; the addresses of servers are not kept. */
FN_NODISCARD fn_status fn_cli_identity_save(fn_cli_identity *identity, const char *folder, const char *url,
                                            const char *artifacts, const char *experiment, fn_err *err);
void fn_cli_identity_deinit(fn_cli_identity *identity);

#endif
