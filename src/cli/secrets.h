/* Settings that name a secret instead of holding it. */
#ifndef FN_CLI_SECRETS_H
#define FN_CLI_SECRETS_H

#include "cli/cli.h"

/* Every setting that is declared secret, begins with one of prefixes, and reads "secret:…" gets the value that it names
 * (store/secret.h). Nothing is asked where there is none. cli->config is the config. */
FN_NODISCARD fn_status fn_cli_resolve_secrets(const fn_cli *cli, fn_config *config, const char *prefixes, fn_err *err);

#endif
