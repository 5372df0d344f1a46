/* What the verbs of the prediction log and of the keys share. */
#ifndef FN_CLI_LOG_SUPPORT_H
#define FN_CLI_LOG_SUPPORT_H

#include "cli/cli.h"
#include "monitor/monitor.h"

/* Opens the database of predictions.*; close with fn_sql_close. FN_E_NOT_FOUND where reading and there is none. */
FN_NODISCARD fn_status fn_cli_open_log(fn_sql **sql_out, const fn_cli *cli, bool read_only, fn_err *err);
/* "2026-11-26", "2026-11-26T13:00:00Z", or how long ago: "90d", "12h", "30m". NULL leaves *ms_out. flag stands in the
 * message. */
FN_NODISCARD fn_status fn_cli_parse_time(int64_t *ms_out, const char *flag, const char *text, fn_err *err);
/* One of names[n], by its index; NULL leaves *out. */
FN_NODISCARD fn_status fn_cli_parse_choice(int *out, const char *flag, const char *text, const char *const *names,
                                           size_t n, fn_err *err);
/* At most 64 of [A-Za-z0-9._-] that follow the verb, one at least; the message names the verb. */
FN_NODISCARD fn_status fn_cli_check_ids(const fn_cli_args *args, size_t max, const char *usage, fn_err *err);

#endif
