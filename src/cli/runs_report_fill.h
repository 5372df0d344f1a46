/* What `runs report` takes from the store of runs. */
#ifndef FN_CLI_RUNS_REPORT_FILL_H
#define FN_CLI_RUNS_REPORT_FILL_H

#include "cli/runs_support.h"
#include "report/runs.h"

typedef struct fn_cli_report {
  const fn_cli *cli;
  fn_tracking *tracking;
  fn_arena arena;      /* all texts and arrays below */
  fn_report_run *runs; /* [n_runs] */
  size_t n_runs, n_hidden_keys;
  const char *page_folder; /* absolute folder of the page, to which links are relative; NULL: links are absolute */
  const char *artifacts;   /* folder of the artifact store; NULL: none that can be linked to */
} fn_cli_report;

void fn_cli_report_init(fn_cli_report *report, const fn_cli *cli, fn_tracking *tracking);
void fn_cli_report_deinit(fn_cli_report *report);
/* Runs by id, with all that the page says of them. What cannot be read of a run beside its figures (a file of a bucket
 * that is away) is a warning. */
FN_NODISCARD fn_status fn_cli_report_fill(fn_cli_report *report, const char (*ids)[FN_RUN_ID_LENGTH], size_t n,
                                          fn_err *err);

#endif
