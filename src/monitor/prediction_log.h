/* The prediction log: rows go in at any rate and are on the disk when done is called; one thread writes whatever waits
 * as one transaction (group commit). While the database cannot be reached rows go into a spool file in the state folder
 * and are replayed, in order and once each, when it is back.
 *
 *   fn_prediction_log *log; fn_prediction_log_open(&log, &options, state_folder, err);
 *   fn_prediction_row row; fn_prediction_row_fill(&row, info, &article, &prediction); row.id = …; row.answer = …;
 *   fn_prediction_log_append(log, &row, 1, done, arg, err);
 *   fn_prediction_log_close(log);
 */
#ifndef FN_MONITOR_PREDICTION_LOG_H
#define FN_MONITOR_PREDICTION_LOG_H

#include "monitor/feedback.h"
#include "monitor/prediction.h"

/* Used by any number of threads at once, but for open and close. */
typedef struct fn_prediction_log fn_prediction_log;

/* options: copied, its strings included. state_folder (NULL: there is none) is made where it is missing; it holds
 * predictions.db and the spool. A database that cannot be reached now is no failure while there is a spool: rows wait
 * in it (fn_prediction_log_check tells). FN_E_INVALID: predictions.url=none, or no folder that can be written, with the
 * settings to change; FN_E_UNSUPPORTED: the library is missing, or the database is of a newer program. */
FN_NODISCARD fn_status fn_prediction_log_open(fn_prediction_log **log_out, const fn_predictions_options *options,
                                              const char *state_folder, fn_err *err);
/* Writes what waits (to the database or to the spool), calls the last done, and releases. */
void fn_prediction_log_close(fn_prediction_log *log);
/* Asks the database now, waiting for it: FN_OK, or why it cannot be used. */
FN_NODISCARD fn_status fn_prediction_log_check(fn_prediction_log *log, fn_err *err);

/* What became of a row. */
typedef enum fn_prediction_outcome {
  FN_PREDICTION_WRITTEN,  /* under async and in the spool: will be, as far as is known */
  FN_PREDICTION_REPEATED, /* its id was there, with the same texts: the stored answer counts */
  FN_PREDICTION_DIFFERS,  /* its id was there, with other texts: nothing was written */
} fn_prediction_outcome;

typedef struct fn_prediction_result {
  fn_prediction_outcome outcome;
  char *answer; /* FN_PREDICTION_REPEATED: the stored one, JSON; else NULL */
} fn_prediction_result;

/* Called exactly once for each append that returned FN_OK. results[n] as the rows; valid during the call, NULL unless
 * status is FN_OK. It must be quick and call nothing of this header: the writer, and with it everybody, waits for it.
 * predictions.durable=answer: on the log's thread, when all rows of the append are on the disk (database or spool);
 *   status FN_E_IO when neither took them: answer 503. err is then not NULL.
 * async: on the caller's thread, before append returns, with FN_OK. */
typedef void (*fn_prediction_done)(void *arg, fn_status status, const fn_prediction_result *results, const fn_err *err);

/* rows[n], n ≥ 1, are copied. done may be NULL. Not FN_OK: nothing was taken and done is not called. FN_E_LIMIT: the
 * queue is full (predictions.queue_rows): answer 503; FN_E_INVALID: an id or a text that is refused; FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_prediction_log_append(fn_prediction_log *log, const fn_prediction_row *rows, size_t n,
                                                fn_prediction_done done, void *arg, fn_err *err);

/* A prediction by its id; also one that still waits. Release with fn_stored_prediction_destroy. FN_E_NOT_FOUND;
 * FN_E_IO when the database cannot be asked. Blocks for a read of the disk. */
FN_NODISCARD fn_status fn_prediction_log_find(fn_stored_prediction **stored_out, fn_prediction_log *log, fn_str id,
                                              fn_err *err);

/* Feedback (monitor/feedback.h) on the log's own connection; FN_E_NOT_FOUND when there is no such prediction; of
 * add: FN_E_INVALID, FN_E_LIMIT as there. They block until it is on the disk. */
FN_NODISCARD fn_status fn_prediction_log_add_feedback(fn_feedback_entry *entry_out, fn_prediction_log *log,
                                                      const fn_feedback *feedback, fn_err *err);
/* The latest FN_FEEDBACK_MAX_LISTED; *n_out: how many there are. */
FN_NODISCARD fn_status fn_prediction_log_list_feedback(int64_t *n_out, fn_prediction_log *log, fn_str prediction_id,
                                                       fn_feedback_emit emit, void *arg, fn_err *err);
FN_NODISCARD fn_status fn_prediction_log_list_disputed(fn_prediction_log *log, int64_t limit, fn_disputed_emit emit,
                                                       void *arg, fn_err *err);

/* What operators should know of (the database went away, its file was replaced, the spool is damaged), as a sentence;
 * on the log's thread. */
typedef void (*fn_prediction_tell)(void *arg, const fn_err *what);
void fn_prediction_log_watch(fn_prediction_log *log, fn_prediction_tell tell, void *arg);

/* For metrics; counters since open. */
typedef struct fn_prediction_log_stats {
  uint64_t n_written;  /* rows that reached the database, those of the spool included */
  uint64_t n_repeated; /* rows whose id was there */
  uint64_t n_spooled, n_replayed;
  uint64_t n_lost;   /* answered, but neither written nor spooled (async), or refused by the database */
  uint64_t n_failed; /* appends that were told so (answer), full queue included */
  uint64_t n_commits, n_purged;
  double commit_s;  /* sum over n_commits */
  size_t n_pending; /* rows in the queue */
  double lag_s;     /* age of the oldest row that is not in the database */
  uint64_t spool_bytes, spool_max_bytes;
  bool database_up;      /* as of the last use */
  char last_error[256];  /* "" when there was none */
  int64_t last_error_ms; /* Unix */
} fn_prediction_log_stats;
void fn_prediction_log_get_stats(fn_prediction_log_stats *stats_out, fn_prediction_log *log);

#endif
