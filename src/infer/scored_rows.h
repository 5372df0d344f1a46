/* Answers of rows as CSV or JSON lines, as `predict` prints and the server sends them. */
#ifndef FN_INFER_SCORED_ROWS_H
#define FN_INFER_SCORED_ROWS_H

#include "infer/scoring.h"

typedef struct fn_scored_format {
  const fn_classifier_info *model;
  const char *file; /* JSON lines: name of the input; NULL: none is written */
  size_t n_columns; /* CSV: columns of the input, which come first */
  bool no_errors;   /* a refused row gets null fields alone */
  bool escapes;     /* CSV: a ' comes before cells that a spreadsheet would take for a formula: those that begin with
                     * = + - @ TAB or CR */
} fn_scored_format;

/* FN_E_INVALID: a column of the input has the name of one of the answer's and would stand twice in the CSV. hint: what
 * else could be done ("choose --format jsonl"). */
FN_NODISCARD fn_status fn_scored_check_columns(const char *file, const fn_str *columns, size_t n,
                                               const fn_classifier_info *model, const char *hint, fn_err *err);
/* The header line: columns[format->n_columns] of the input, then the answer's. */
void fn_scored_csv_header(fn_buf *out, const fn_scored_format *format, const fn_str *columns);
void fn_scored_csv_row(fn_buf *out, const fn_scored_format *format, const fn_scored_row *row);
void fn_scored_json_row(fn_buf *out, const fn_scored_format *format, const fn_scored_row *row);

/* "too_short headline_only" */
void fn_scored_append_reasons(fn_buf *out, unsigned reasons, char between);
/* Window w's part in the sum of all windows' |logits|: positive towards fake; the absolute shares sum to 1. */
double fn_scored_window_share(const fn_prediction *prediction, int32_t w);

#endif
