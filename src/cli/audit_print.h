/* What `data audit` prints, and the short form after `data prepare`. */
#ifndef FN_CLI_AUDIT_PRINT_H
#define FN_CLI_AUDIT_PRINT_H

#include "audit/audit.h"
#include "cli/cli.h"

/* One screen. columns: of the terminal, taken as 80 to 120; color: the levels of findings in colour. */
void fn_print_audit(fn_buf *out, const fn_audit_report *report, int columns, bool color);

/* Runs the short form, of about eight lines, over dir and appends it, unless audit.after_prepare is off. A set that
 * cannot be audited gets one line that says why: the prepared dataset is there all the same. */
FN_NODISCARD fn_status fn_cli_audit_brief(fn_buf *out, const fn_cli *cli, const char *dir, fn_pool *pool, fn_err *err);

#endif
