/* Private to src/monitor: the prediction log's parts. prediction_log.c: queue and callers; log_writer.c: its thread. */
#ifndef FN_MONITOR_LOG_INTERNAL_H
#define FN_MONITOR_LOG_INTERNAL_H

#include "monitor/database.h"
#include "monitor/prediction_log.h"
#include "monitor/record.h"
#include "monitor/spool.h"

#include <pthread.h>

/* One append: its rows as records, each with its length (u32) before it. */
typedef struct fn_log_entry {
  struct fn_log_entry *next;
  fn_buf records;
  size_t n;
  fn_prediction_result *results; /* [n] */
  fn_prediction_done done;       /* NULL: nobody waits */
  void *arg;
  uint64_t since_ns;
  fn_status status; /* how it ended */
  fn_err err;
} fn_log_entry;

struct fn_prediction_log {
  fn_predictions_options options; /* url is NULL: see below */
  char *url, *state_folder;
  bool is_file;    /* SQLite */
  fn_spool *spool; /* NULL: none */

  pthread_mutex_t mutex;      /* of what follows */
  pthread_cond_t wake;        /* of the writer */
  fn_log_entry *first, *last; /* the queue */
  fn_log_entry *taken;        /* what the writer is at: still to be found */
  size_t n_pending;           /* rows of both, and those that append is about to queue */
  bool stop, look;            /* look: whether the database is where it was */
  fn_sql *sql;                /* the writer's, who alone changes it; NULL: not connected */
  fn_prediction_tell tell;    /* NULL: nobody listens */
  void *tell_arg;
  fn_prediction_log_stats stats;
  uint64_t spool_since_ns; /* the oldest row of the spool came about then; 0: empty */

  pthread_t thread;
  bool has_thread;
  /* the writer's own */
  uint64_t retry_ns, purge_ns;
  int64_t n_failures;             /* of the database, in a row */
  fn_sql_value *values;           /* [FN_LOG_CHUNK][FN_N_COLUMNS] */
  fn_prediction_result **results; /* [FN_LOG_CHUNK] places of the chunk's results; NULL: of the spool */

  pthread_mutex_t reader_mutex; /* of what follows */
  fn_sql *reader;
  uint64_t reader_retry_ns; /* no attempt before */
  fn_err reader_failure;
};

enum {
  FN_LOG_CHUNK = 256,       /* rows that go to the database in one call */
  FN_LOG_BATCH_ROWS = 2048, /* of one transaction, at most (more when one append has more) */
  FN_LOG_BUSY_MS = 1000,    /* wait for another process's lock; then the spool takes the rows */
};

void *fn_log_writer_run(void *arg); /* the log */
/* Calls done and releases. */
void fn_log_entry_end(fn_log_entry *entry);
void fn_log_entry_destroy(fn_log_entry *entry);
/* The record at *at of records, which moves on; false at the end. */
bool fn_log_next_record(fn_str *record, fn_str records, size_t *at);
/* What operators should know. */
void fn_log_tell(fn_prediction_log *log, const fn_err *what);
void fn_log_note_error(fn_prediction_log *log, const fn_err *err, bool database_down);

#endif
