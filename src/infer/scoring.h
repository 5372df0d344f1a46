/* Whole inputs through a session: rows are read, classified in blocks and handed out in order, one for each row of the
 * input, also for those that were refused. Memory stays bounded whatever the length of the input. */
#ifndef FN_INFER_SCORING_H
#define FN_INFER_SCORING_H

#include "data/input.h"
#include "data/options.h"
#include "infer/infer.h"

/* One row and its answer; views are valid during the call. */
typedef struct fn_scored_row {
  uint64_t row;   /* index in its input, from 0 */
  fn_str title;   /* column data.columns.title */
  bool has_title; /* the row has one (it may be empty) */
  fn_str text;
  size_t n_fields;                 /* columns known when the row was read; 0 for a row that could not be read */
  const fn_str *fields;            /* [n_fields] in the order of the columns */
  const fn_prediction *prediction; /* NULL: refused */
  const char *message;             /* why; "FILE:LINE: …" */
} fn_scored_row;
/* A status other than FN_OK ends the scoring with it. */
typedef fn_status (*fn_scored_emit)(void *arg, const fn_scored_row *row, fn_err *err);

typedef struct fn_scoring_counts {
  uint64_t n_rows, n_refused;
} fn_scoring_counts;

/* Who classifies, and what becomes of the answers. */
typedef struct fn_scorer {
  fn_text_mode mode;                      /* what is read: decides which columns must be there */
  const char *column_title, *column_text; /* text NULL: is not read */
  size_t block_rows;                      /* [1,256] rows that are classified at once; 0: 256 */
  /* predictions_out[n], n ≥ 1; what they point to lives until the next call. */
  fn_status (*classify)(void *arg, fn_prediction *predictions_out, const fn_article *articles, size_t n, fn_err *err);
  fn_scored_emit emit;
  void *arg; /* of both */
} fn_scorer;
FN_NODISCARD fn_status fn_score_rows(fn_scoring_counts *counts, fn_input *input, const fn_scorer *scorer, fn_err *err);

/* The same with a session. Adds to *counts. FN_E_NOT_FOUND: a CSV file without the columns that the session reads (with
 * title and text: without either); errors that end the reading of the input; what emit returns. Rows before an error
 * were handed out. */
FN_NODISCARD fn_status fn_score_input(fn_scoring_counts *counts, fn_input *input, fn_session *session,
                                      const fn_data_options *columns, fn_scored_emit emit, void *arg, fn_err *err);

#endif
