/* Going through the log: rows by time, as JSON, as training rows, and beside a second answer. */
#ifndef FN_MONITOR_BROWSE_H
#define FN_MONITOR_BROWSE_H

#include "monitor/feedback.h"
#include "monitor/prediction.h"
#include "sql/sql.h"

typedef struct fn_browse_filter {
  int64_t since_ms, until_ms; /* Unix; time in [since, until); until 0: no end */
  int64_t limit;              /* rows at most; 0: all */
  bool newest_first;
  bool with_feedback; /* only predictions that somebody said something of */
} fn_browse_filter;

/* What people last said of a prediction: views, valid as long as the row. */
typedef struct fn_last_feedback {
  fn_feedback_label label;
  const char *name, *reason;
  int64_t time_ms;
} fn_last_feedback;

/* stored is valid during the call; feedback is NULL unless the filter asks for it. A status other than FN_OK ends the
 * walk with it. */
typedef fn_status (*fn_browse_emit)(void *arg, const fn_stored_prediction *stored, const fn_last_feedback *feedback,
                                    fn_err *err);
/* In the order of (time, id); memory does not grow with the log. Rows that come while it runs may be met or not. */
FN_NODISCARD fn_status fn_browse(fn_sql *sql, const fn_browse_filter *filter, fn_browse_emit emit, void *arg,
                                 fn_err *err);

/* One row as a JSON object (docs/schemas/prediction.schema.json). Texts that are no UTF-8 lose their bad bytes. */
FN_NODISCARD fn_status fn_stored_prediction_format(fn_json_writer *w, const char *key,
                                                   const fn_stored_prediction *stored, fn_err *err);

/* Appends a line "name: stored → now" for each figure of the answer in which `now`, encoded in the same way, differs by
 * a bit; the model's id among them. *n_out counts them. */
FN_NODISCARD fn_status fn_stored_prediction_compare(fn_buf *out, size_t *n_out, const fn_stored_prediction *stored,
                                                    const fn_prediction_row *now, fn_err *err);

#endif
