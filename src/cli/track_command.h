/* Who started this process, and how. */
#ifndef FN_CLI_TRACK_COMMAND_H
#define FN_CLI_TRACK_COMMAND_H

#include "base/base.h"

/* Name of the user, "" when it is not known; lives as long as the process. */
const char *fn_cli_user_name(void);
/* The command line of this process; secret settings and passwords in URLs show as ***. Empty when it is not known. */
void fn_cli_command_line(fn_buf *out);

#endif
