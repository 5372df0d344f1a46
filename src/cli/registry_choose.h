/* Which version or run is the best by a metric: what `registry promote` takes when none is named. */
#ifndef FN_CLI_REGISTRY_CHOOSE_H
#define FN_CLI_REGISTRY_CHOOSE_H

#include "cli/registry_support.h"

typedef struct fn_cli_choice {
  int64_t version;               /* 0: a run that is no version yet */
  char run_id[FN_RUN_ID_LENGTH]; /* "": of no run */
  char run_name[FN_CLI_RUN_NAME];
  double value;              /* of the metric, by the checkpoint that is stored */
  bool smallest;             /* that is the better end of this metric */
  size_t n_versions, n_runs; /* that were compared */
  size_t n_other;            /* that have the metric, but of other rows, and were not compared */
  char why[320];             /* all of that for a person */
} fn_cli_choice;

/* "val/loss", "test/f1_weighted", "left_out/roc_auc": FN_E_INVALID for others. */
FN_NODISCARD fn_status fn_cli_check_metric(const char *metric, fn_err *err);

/* fn_registry_list, to which a registry without any model has every name: it is about to begin. A name that is missing
 * among others is a mistake (FN_E_NOT_FOUND). */
FN_NODISCARD fn_status fn_cli_list_versions(fn_cli_registry *registry, const char *name, bool retired,
                                            fn_version_emit emit, void *arg, fn_err *err);

/* Compared are the versions of `name` that are in use and the finished runs of the store that are no version of it yet;
 * the latter not by a metric of the test split, which is measured of what is packed. filter: only runs that fit it, and
 * versions that come of them (MLflow's syntax); NULL: all. Figures of other rows are not compared: the rows are those
 * of the newest version, or of the newest run where there is no version. A run is as good as the checkpoint that it
 * kept (result.json), not as its last or its best step. FN_E_NOT_FOUND: nothing has the metric, or the registry has
 * other models but none of this name. */
FN_NODISCARD fn_status fn_cli_choose(fn_cli_choice *choice_out, fn_cli_registry *registry, const char *name,
                                     const char *metric, const char *filter, fn_err *err);

#endif
