/* A model, the device it runs on and a session over both, from the flags and settings of a verb. */
#ifndef FN_CLI_LOADING_H
#define FN_CLI_LOADING_H

#include "cli/cli.h"
#include "data/dataset.h"
#include "infer/infer.h"

typedef struct fn_cli_model {
  fn_device *device;
  fn_classifier *classifier;
  fn_session *session;
  fn_infer_options options;
} fn_cli_model;

/* name: a packed file, a directory, a run folder, owner/name in the local Hub cache, or another of cli/model_names.h;
 * NULL: the bundled model. Release with unload, also after a failure. */
FN_NODISCARD fn_status fn_cli_load_model(fn_cli_model *model_out, const fn_cli *cli, const char *name, fn_err *err);
/* The flag that names it. */
#define FN_CLI_MODEL_FLAG                                                                                              \
  {                                                                                                                    \
    .name = "--model", .value = "FILE|DIR",                                                                            \
    .help = "a packed file, a model directory, a run folder, owner/name in the Hub cache, models:/NAME@ALIAS, "        \
            "models:/NAME/3, runs:/RUN, s3://…, gs://… or https://… (default: the bundled model)"                \
  }
/* The same with the parts given: part as fn_infer_part. */
FN_NODISCARD fn_status fn_cli_load_part(fn_cli_model *model_out, const fn_cli *cli, const char *name, int part,
                                        fn_err *err);
/* Path of a model by its name (also models:/, runs:/, s3:// … : cli/model_names.h); malloc'd. */
FN_NODISCARD fn_status fn_cli_find_model(char **path_out, const fn_cli *cli, const char *name, fn_err *err);
/* The same for what needs the directory, not a packed file: packing, a tokenizer. */
FN_NODISCARD fn_status fn_cli_find_directory(char **path_out, const fn_cli *cli, const char *name, fn_err *err);
void fn_cli_unload_model(fn_cli_model *model);

/* What is shown of rows while they are read and computed. */
typedef struct fn_cli_rows {
  const fn_cli *cli;
  size_t n_refused;
  uint64_t shown_ns;
} fn_cli_rows;
bool fn_cli_rows_progress(void *rows, size_t n_done, size_t n_rows); /* false: somebody asked to stop */
void fn_cli_rows_refused(void *rows, const char *message);           /* the first five; the verb tells their number */

/* train, validation or test; FN_E_INVALID otherwise. */
FN_NODISCARD fn_status fn_cli_parse_split(fn_split *split_out, const char *name, fn_err *err);

#endif
