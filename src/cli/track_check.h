/* What is refused before a training, for afterwards it would be lost. */
#ifndef FN_CLI_TRACK_CHECK_H
#define FN_CLI_TRACK_CHECK_H

#include "cli/track_support.h"

/* Checks the settings track.…, and with track.required the store itself. any_out: whether a training is told to anybody
 * at all (track.sinks is not empty). */
FN_NODISCARD fn_status fn_cli_track_check(bool *any_out, const fn_cli *cli, const fn_track_options *options,
                                          const fn_cli_stores *stores, bool resume, fn_err *err);

#endif
