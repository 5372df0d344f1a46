/* Who started this process, and how. */
#ifndef FN_CLI_TRACK_COMMAND_H
#define FN_CLI_TRACK_COMMAND_H

#include "base/base.h"

/* Name of the user by LOGNAME, USER or /etc/passwd (getpwuid would load libraries, which a static program cannot); ""
 * when it is not known. out is always terminated. */
void fn_cli_user_name(char *out, size_t size);
/* The command line of this process; secret settings and passwords in URLs show as ***. Empty when it is not known. */
void fn_cli_command_line(fn_buf *out);

#endif
