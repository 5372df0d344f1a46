/* Names of models on the command line: paths, owner/name of the Hub, models:/, runs:/, s3://, gs://, http(s)://. */
#ifndef FN_CLI_MODEL_NAMES_H
#define FN_CLI_MODEL_NAMES_H

#include "cli/track_support.h"
#include "registry/model_uri.h"
#include "registry/options.h"

/* What names are looked up with; lives as long as what uses it, and does not move. */
typedef struct fn_cli_model_source {
  fn_cli_stores stores;
  fn_track_options track;
  fn_registry_options registry;
  fn_tracking_options tracking;
  fn_cli_place artifacts;
  fn_mlflow_options mlflow;
  char *cache; /* of copies; malloc'd */
  fn_model_source source;
} fn_cli_model_source;
FN_NODISCARD fn_status fn_cli_model_source_init(fn_cli_model_source *source_out, const fn_cli *cli, fn_err *err);
void fn_cli_model_source_deinit(fn_cli_model_source *source);

/* The path that a name stands for, fetched where it is not here; malloc'd. A path, or a name of the Hub, is given back
 * as it is. */
FN_NODISCARD fn_status fn_cli_fetch_model(char **path_out, const fn_cli *cli, const char *name, fn_model_want want,
                                          fn_err *err);

#endif
