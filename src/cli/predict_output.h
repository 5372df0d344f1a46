/* Answers of `predict` as a table, JSON lines or CSV, to standard output or to a file that appears when it is whole. */
#ifndef FN_CLI_PREDICT_OUTPUT_H
#define FN_CLI_PREDICT_OUTPUT_H

#include "cli/cli.h"
#include "infer/infer.h"
#include "infer/scoring.h"

typedef enum fn_predict_format { FN_PREDICT_TABLE, FN_PREDICT_JSONL, FN_PREDICT_CSV } fn_predict_format;

typedef struct fn_predict_output {
  fn_predict_format format;
  const fn_classifier_info *model;
  int width;        /* columns of a table */
  fn_writer writer; /* open: output to a file */
  bool to_file;
  bool no_errors;   /* a refused row gets null fields alone (--on-error null) */
  fn_buf buf;       /* not written yet */
  const char *file; /* name of the input under way; NULL: the article of --text */
  fn_str *columns;  /* CSV: columns of the input, in the arena */
  size_t n_columns;
  bool begun; /* headings are written */
  fn_arena arena;
} fn_predict_output;

/* path NULL: standard output. Release with close, which removes an unfinished file. */
FN_NODISCARD fn_status fn_predict_output_open(fn_predict_output *output_out, fn_predict_format format, const char *path,
                                              const fn_classifier_info *model, int width, fn_err *err);
/* The next input: its name and columns (CSV answers keep them; every input must have the same). */
FN_NODISCARD fn_status fn_predict_output_input(fn_predict_output *output, const char *file, const fn_str *columns,
                                               size_t n_columns, fn_err *err);
FN_NODISCARD fn_status fn_predict_output_row(fn_predict_output *output, const fn_scored_row *row, fn_err *err);
/* Writes what is left; a file gets its name. */
FN_NODISCARD fn_status fn_predict_output_finish(fn_predict_output *output, fn_err *err);
void fn_predict_output_close(fn_predict_output *output);

#endif
