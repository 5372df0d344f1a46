/* A confusion matrix: how many of each true class were given which answer, and as shares of the row. */
#ifndef FN_REPORT_MATRIX_H
#define FN_REPORT_MATRIX_H

#include "report/html.h"

typedef struct fn_matrix {
  const char *id, *title; /* caption */
  const char *const *classes;
  size_t n_classes;      /* 2 … 16 */
  const int64_t *counts; /* [true][given], row by row */
} fn_matrix;

void fn_matrix_write(fn_buf *out, const fn_matrix *matrix);

#endif
