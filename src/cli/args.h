/* Command line parsing. Internal to src/cli. */
#ifndef FN_CLI_ARGS_H
#define FN_CLI_ARGS_H

#include "cli/cli.h"

/* What every verb understands beside its own flags. */
typedef struct fn_cli_common {
  const char **configs; /* --config FILE … */
  size_t n_configs;
  const char **overrides; /* key=value … */
  size_t n_overrides;
  bool quiet, help;
  const char *color; /* "auto", "always", "never" */
} fn_cli_common;

/* Parses argv[0..n) (verb names removed). Arrays live in arena, strings in argv. */
FN_NODISCARD fn_status fn_cli_parse(fn_cli_args *args_out, fn_cli_common *common_out, fn_arena *arena,
                                    const fn_verb *verb, size_t n, char *const *argv, fn_err *err);

extern const fn_verb *const fn_cli_verbs[]; /* ends with NULL */

/* Settings of the device that are typed often enough to be flags too, of every verb that has a device. */
typedef struct fn_cli_device_flag {
  const char *flag, *value, *key, *help;
} fn_cli_device_flag;
enum { FN_CLI_DEVICE_FLAGS = 2 };
extern const fn_cli_device_flag fn_cli_device_flags[FN_CLI_DEVICE_FLAGS];
bool fn_cli_has_device(const fn_verb *verb);

void fn_cli_help(FILE *file);
void fn_cli_help_group(FILE *file, const char *group); /* "data": the verbs that begin so */
void fn_cli_help_verb(FILE *file, const fn_verb *verb, const fn_config *config);

/* The manual page as man(7) source; date as YYYY-MM-DD. */
void fn_cli_man(fn_buf *out, const char *version, const char *date);
/* A completion script for "bash", "zsh" or "fish". */
FN_NODISCARD fn_status fn_cli_completion(fn_buf *out, const char *shell, fn_err *err);

/* The verb that words begin with (used_out: how many), or NULL. */
const fn_verb *fn_cli_find_verb(size_t n, char *const *words, size_t *used_out);
bool fn_cli_is_group(const char *name);
/* Says that words[0 … n), n > 0, name no verb, and what may be meant. */
void fn_cli_unknown_verb(FILE *file, size_t n, char *const *words);

#endif
