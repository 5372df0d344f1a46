/* The command line: one file per verb (cmd_<verb>.c), each a thin layer over the library. Only this folder prints,
 * reads the environment and decides exit codes. */
#ifndef FN_CLI_CLI_H
#define FN_CLI_CLI_H

#include "base/json.h"
#include "config/config.h"

#include <stdio.h>

/* What every verb gets. */
typedef struct fn_cli {
  const fn_config *config; /* all settings, already merged */
  const char *program;     /* argv[0]'s base name */
  const char *version;     /* "0.1.0 (abc123)" */
  const char *level;       /* CPU level that is used: "avx512-vnni" … */
  bool quiet;              /* --quiet: no progress, no remarks */
  bool tty_out, tty_err;   /* stdout, stderr are terminals */
  bool color;              /* colours on stderr and stdout tables: --color, NO_COLOR, terminal */
  const char *hub_cache;   /* folder of the local Hugging Face Hub cache (HF_HUB_CACHE, HF_HOME, …) */
  const char *kaggle;      /* folder of Kaggle's own credentials: KAGGLE_CONFIG_DIR, else ~/.kaggle */
  const char *state;       /* folder of what is remembered: STATE_DIRECTORY, else /tmp/fakenews on AWS Lambda, else
                            * XDG_STATE_HOME/fakenews, else
                            * ~/.local/state/fakenews; NULL: none of them is set */
  const char *cache; /* folder of what can be fetched again: CACHE_DIRECTORY, else /tmp/fakenews on AWS Lambda, else
                      * XDG_CACHE_HOME/fakenews, else ~/.cache/fakenews; NULL: none of them is set */
} fn_cli;

/* Flags of a verb. A flag takes a value unless `is_switch`; `repeats` collects every value up to the next flag
 * (--input A B C). Positional arguments that are not key=value go to `rest`. */
typedef struct fn_cli_flag {
  const char *name;  /* "--data" */
  const char *value; /* "DIR" in help; NULL for a switch */
  const char *help;
  bool repeats, required;
} fn_cli_flag;

/* Parsed arguments of a verb. */
typedef struct fn_cli_args {
  const fn_cli_flag *flags;
  const char *const *values[24]; /* by flag: values given */
  size_t n_values[24];
  const char *const *rest;
  size_t n_rest;
} fn_cli_args;

/* Value of a flag, or NULL when it was not given (a switch that was given yields ""). */
const char *fn_cli_get(const fn_cli_args *args, const char *flag);
/* All values of a flag. */
const char *const *fn_cli_get_all(const fn_cli_args *args, const char *flag, size_t *n_out);

/* A verb. run returns a status: its exit code is the program's; on failure main prints err to stderr. */
typedef struct fn_verb {
  const char *name, *sub;   /* "data", "prepare"; sub NULL when there is none */
  const char *summary;      /* one line; up to its first ";" the gist, for the list of all verbs: 59 columns at most */
  const char *usage;        /* "--input [LABEL:]FILE … --out DIR [--tokenizer DIR] [key=value …]" */
  const fn_cli_flag *flags; /* ends with name = NULL */
  const char *options;      /* groups of settings it reads, for help: "data. train." */
  const char *more;         /* further ones, which help only names; NULL: none */
  bool takes_rest;          /* positional arguments are accepted */
  const char *examples;     /* lines for help */
  fn_status (*run)(const fn_cli *cli, const fn_cli_args *args, fn_err *err);
} fn_verb;

extern const fn_verb fn_verb_data_prepare, fn_verb_data_stats, fn_verb_data_audit, fn_verb_data_sample,
    fn_verb_data_download, fn_verb_train, fn_verb_evaluate, fn_verb_calibrate, fn_verb_explain, fn_verb_quantize,
    fn_verb_model_info, fn_verb_bench, fn_verb_predict, fn_verb_serve, fn_verb_tokenize, fn_verb_config_show,
    fn_verb_config_options, fn_verb_log_list, fn_verb_log_show, fn_verb_log_export, fn_verb_log_rm, fn_verb_log_purge,
    fn_verb_log_replay, fn_verb_runs_list, fn_verb_runs_show, fn_verb_runs_compare, fn_verb_runs_rm,
    fn_verb_runs_export, fn_verb_runs_report, fn_verb_runs_sync, fn_verb_keys_add, fn_verb_keys_list,
    fn_verb_keys_revoke;
extern const fn_verb fn_verb_registry_add, fn_verb_registry_list, fn_verb_registry_show, fn_verb_registry_alias,
    fn_verb_registry_promote, fn_verb_registry_rollback, fn_verb_registry_download, fn_verb_registry_tag,
    fn_verb_registry_rm, fn_verb_registry_sync;

/* Every option table of the program (cli/tables.c). */
extern const fn_option_table *const fn_cli_tables[];
extern const size_t fn_cli_n_tables;

/* A remark on stderr ("note: …"), unless --quiet; a warning always. */
void fn_cli_note(const fn_cli *cli, const char *format, ...) FN_PRINTF(2, 3);
void fn_cli_warn(const fn_cli *cli, const char *format, ...) FN_PRINTF(2, 3);
/* A message and a line break to stderr, without what would steer a terminal: names and servers' words stand in it. */
void fn_cli_print_error(const char *text);
/* Columns of the terminal behind a file descriptor, at least 20; 80 when it is none. */
int fn_cli_width(int fd);
/* Progress: one line on stderr's terminal that the next one overwrites, cut to its width. Nothing elsewhere and with
 * --quiet. A note or warning wipes it; fn_cli_progress_end does so before the verb goes on to its answer. */
void fn_cli_progress(const fn_cli *cli, const char *format, ...) FN_PRINTF(2, 3);
void fn_cli_progress_end(const fn_cli *cli);
/* Such a line with a bar in the room between head and tail: "step 3/9  [==>   ] loss 0.6931". share in [0,1]; negative:
 * not known, no bar. */
void fn_cli_bar(const fn_cli *cli, const char *head, const char *tail, double share);
/* "1:02:03" or "2:03"; returns out. */
const char *fn_cli_duration(char out[32], double seconds);
/* Columns of a help text: the terminal's, but lines that are too long are hard to read. */
size_t fn_cli_help_width(void);
/* The built-in groups of settings, as help shows them. */
void fn_cli_format_groups(fn_buf *out, const fn_config *config);
/* "12,345". */
void fn_print_count(fn_buf *out, uint64_t n);
/* One line of at most max columns: white space made one space, control characters left out, "…" where it was cut. */
void fn_print_line(fn_buf *out, fn_str text, size_t max);
/* A time in UTC, null for 0. */
void fn_cli_json_time(fn_json_writer *w, const char *key, int64_t ms);
/* Writes to stdout; FN_E_IO when that fails (closed pipe, full disk). */
FN_NODISCARD fn_status fn_cli_print(fn_str text, fn_err *err);
/* Set by SIGINT/SIGTERM, also while they are blocked: long verbs stop at the next safe point and return FN_E_CANCELLED.
 */
bool fn_cli_stop_requested(void);
/* The opposite, for those who ask whether to go on; arg is not looked at. */
bool fn_cli_goes_on(void *arg);
/* Signal number that asked to stop (exit code 128 + n), 0 when none. */
int fn_cli_stop_signal(void);
/* A signal that asks to stop and that no thread has taken yet; 0: none. */
int fn_cli_untaken_signal(void);
/* A SIGHUP that came before serve took signals itself, and without a terminal, ends nothing. */
void fn_cli_forget_hangup(void);
/* From now on a thread ends the program when such a signal waits for three seconds: whoever should take it is stuck in
 * the kernel. For verbs that use folders which may lie on a network. */
void fn_cli_watch_stuck(void);

#endif
