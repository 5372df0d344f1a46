#include "base/thread.h"
#include "monitor/log_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- entries ---- */

bool fn_log_next_record(fn_str *record, fn_str records, size_t *at) {
  uint32_t length;
  if (*at >= records.length) return false;
  memcpy(&length, records.data + *at, sizeof length);
  *record = fn_str_make(records.data + *at + sizeof length, length);
  *at += sizeof length + length;
  return true;
}

void fn_log_entry_destroy(fn_log_entry *entry) {
  if (!entry) return;
  fn_buf_deinit(&entry->records);
  for (size_t i = 0; entry->results && i < entry->n; i++) free(entry->results[i].answer);
  free(entry->results);
  free(entry);
}

void fn_log_entry_end(fn_log_entry *entry) {
  if (entry->done) entry->done(entry->arg, entry->status, entry->status == FN_OK ? entry->results : NULL, &entry->err);
  fn_log_entry_destroy(entry);
}

static fn_status encode_rows(fn_log_entry *entry, const fn_prediction_row *rows, size_t n, fn_predictions_text kept,
                             fn_err *err) {
  for (size_t i = 0; i < n; i++) {
    uint32_t length = 0;
    const size_t at = entry->records.length;
    fn_buf_append(&entry->records, &length, sizeof length);
    FN_TRY(fn_record_encode(&entry->records, &rows[i], kept, err));
    length = (uint32_t)(entry->records.length - at - sizeof length);
    memcpy(entry->records.data + at, &length, sizeof length);
  }
  return FN_OK;
}

static fn_status make_entry(fn_log_entry **entry_out, const fn_prediction_log *log, const fn_prediction_row *rows,
                            size_t n, fn_err *err) {
  fn_log_entry *entry = fn_mem_calloc(1, sizeof *entry);
  if (!entry) return fn_err_no_memory(err, "the prediction log");
  fn_buf_init(&entry->records, 0);
  entry->n = n;
  entry->since_ns = fn_clock_ns();
  entry->results = fn_mem_calloc(n, sizeof *entry->results);
  fn_status status = entry->results ? FN_OK : fn_err_no_memory(err, "the prediction log");
  if (status == FN_OK) status = encode_rows(entry, rows, n, (fn_predictions_text)log->options.text, err);
  if (status != FN_OK) {
    fn_log_entry_destroy(entry);
    return status;
  }
  *entry_out = entry;
  return FN_OK;
}

/* Room for n rows in the queue. */
static fn_status reserve(fn_prediction_log *log, size_t n, fn_err *err) {
  const size_t limit = (size_t)log->options.queue_rows;
  pthread_mutex_lock(&log->mutex);
  /* One append may be larger than the queue, when it is alone. */
  const bool fits = log->n_pending == 0 || (n <= limit && log->n_pending <= limit - n);
  if (fits)
    log->n_pending += n;
  else
    log->stats.n_failed++;
  pthread_mutex_unlock(&log->mutex);
  return fits ? FN_OK
              : fn_err_set(err, FN_E_LIMIT, "the prediction log is behind: over %zu rows wait (predictions.queue_rows)",
                           limit);
}

static void push(fn_prediction_log *log, fn_log_entry *entry) {
  pthread_mutex_lock(&log->mutex);
  if (log->last)
    log->last->next = entry;
  else
    log->first = entry;
  log->last = entry;
  pthread_cond_signal(&log->wake);
  pthread_mutex_unlock(&log->mutex);
}

fn_status fn_prediction_log_append(fn_prediction_log *log, const fn_prediction_row *rows, size_t n,
                                   fn_prediction_done done, void *arg, fn_err *err) {
  fn_log_entry *entry = NULL;
  FN_TRY(reserve(log, n, err));
  const fn_status status = make_entry(&entry, log, rows, n, err);
  if (status != FN_OK) {
    pthread_mutex_lock(&log->mutex);
    log->n_pending -= n;
    pthread_mutex_unlock(&log->mutex);
    return status;
  }
  if (log->options.durable == FN_DURABLE_ASYNC) {
    const fn_err none = {0};
    if (done) done(arg, FN_OK, entry->results, &none); /* before the writer can have it */
  } else {
    entry->done = done;
    entry->arg = arg;
  }
  push(log, entry);
  return FN_OK;
}

/* ---- opening ---- */

static fn_status make_locks(fn_prediction_log *log, fn_err *err) {
  const int failed = pthread_mutex_init(&log->mutex, NULL) | pthread_mutex_init(&log->reader_mutex, NULL);
  fn_cond_init(&log->wake);
  return failed ? fn_err_no_memory(err, "the prediction log") : FN_OK;
}

static fn_status open_spool(fn_prediction_log *log, fn_err *err) {
  if (log->options.spool_mb == 0) return FN_OK;
  if (!log->state_folder) /* only a path of the user's own: beside it there is no place that is ours */
    return fn_err_set(err, FN_E_INVALID,
                      "predictions.spool_mb: there is no state folder for the spool (STATE_DIRECTORY, XDG_STATE_HOME "
                      "and HOME are not set); name one, or set predictions.spool_mb=0");
  fn_err why = {0};
  fn_status status = fn_dir_create(log->state_folder, &why);
  if (status == FN_OK)
    status = fn_spool_open(&log->spool, log->state_folder, (uint64_t)log->options.spool_mb << 20, &why);
  if (status == FN_OK || status == FN_E_NO_MEMORY) return status == FN_OK ? FN_OK : fn_err_no_memory(err, "a spool");
  return fn_err_set(err, FN_E_INVALID,
                    "predictions.spool_mb: no spool can be kept (%.400s); name a folder that can be written with "
                    "STATE_DIRECTORY, or set predictions.spool_mb=0, or turn the log off with predictions.url=none",
                    why.message);
}

/* A database that cannot be reached now is left to the writer, when there is a spool. */
static fn_status open_database(fn_prediction_log *log, fn_err *err) {
  const fn_sql_options options = {.busy_ms = FN_LOG_BUSY_MS};
  fn_sql_kind kind;
  fn_err why = {0};
  const fn_status status = fn_database_open(&log->sql, log->url, &options, &why);
  const bool may_come_back = fn_sql_kind_of(&kind, log->url) && kind == FN_SQL_POSTGRESQL;
  if (status == FN_OK) {
    log->stats.database_up = true;
    return FN_OK;
  }
  if (status == FN_E_IO && log->spool && may_come_back) return fn_log_note_error(log, &why, true), FN_OK;
  if (status == FN_E_IO && !may_come_back)
    return fn_err_set(err, FN_E_INVALID,
                      "predictions.url: %.600s; name another place with predictions.url=PATH, or turn the log off with "
                      "predictions.url=none",
                      why.message);
  return fn_err_set(err, status, "predictions.url: %.900s", why.message);
}

static fn_status start_thread(fn_prediction_log *log, fn_err *err) {
  FN_TRY(fn_thread_start(&log->thread, fn_log_writer_run, log, "a thread for the prediction log", err));
  log->has_thread = true;
  return FN_OK;
}

static fn_status start(fn_prediction_log *log, const char *state_folder, fn_err *err) {
  FN_TRY(fn_database_url(&log->url, &log->options, state_folder, err));
  log->options.url = NULL;
  fn_sql_kind kind;
  log->is_file = fn_sql_kind_of(&kind, log->url) && kind == FN_SQL_SQLITE;
  if (state_folder && *state_folder) {
    log->state_folder = fn_str_dup(fn_str_from(state_folder));
    if (!log->state_folder) return fn_err_no_memory(err, "the prediction log");
  }
  log->values = fn_mem_calloc((size_t)FN_LOG_CHUNK * FN_N_COLUMNS, sizeof *log->values);
  log->results = fn_mem_calloc(FN_LOG_CHUNK, sizeof *log->results);
  if (!log->values || !log->results) return fn_err_no_memory(err, "the prediction log");
  FN_TRY(open_spool(log, err));
  if (log->spool && fn_spool_bytes(log->spool) > 0) log->spool_since_ns = fn_clock_ns();
  FN_TRY(open_database(log, err));
  return start_thread(log, err);
}

static void release(fn_prediction_log *log) {
  fn_sql_close(log->sql);
  fn_sql_close(log->reader);
  fn_spool_close(log->spool);
  pthread_cond_destroy(&log->wake);
  pthread_mutex_destroy(&log->mutex);
  pthread_mutex_destroy(&log->reader_mutex);
  free(log->values);
  free(log->results);
  free(log->url);
  free(log->state_folder);
  free(log);
}

fn_status fn_prediction_log_open(fn_prediction_log **log_out, const fn_predictions_options *options,
                                 const char *state_folder, fn_err *err) {
  fn_prediction_log *log = fn_mem_calloc(1, sizeof *log);
  if (!log) return fn_err_no_memory(err, "the prediction log");
  log->options = *options;
  fn_status status = make_locks(log, err);
  if (status != FN_OK) {
    free(log);
    return status;
  }
  status = start(log, state_folder, err);
  if (status != FN_OK) {
    release(log);
    return status;
  }
  *log_out = log;
  return FN_OK;
}

void fn_prediction_log_close(fn_prediction_log *log) {
  if (!log) return;
  pthread_mutex_lock(&log->mutex);
  log->stop = true;
  pthread_cond_signal(&log->wake);
  pthread_mutex_unlock(&log->mutex);
  if (log->has_thread) pthread_join(log->thread, NULL);
  release(log);
}

/* ---- reading ---- */

/* The writer still holds a file that is gone: it is woken to let go of it (log_writer.c says why first). */
static bool is_writer_astray(fn_prediction_log *log) {
  pthread_mutex_lock(&log->mutex);
  const bool astray = log->sql && !fn_sql_in_place(log->sql);
  if (astray) {
    log->look = true;
    pthread_cond_signal(&log->wake);
  }
  pthread_mutex_unlock(&log->mutex);
  return astray;
}

/* A connection that failed a moment ago is not tried by every caller again: each would wait for the network. */
static fn_status get_reader(fn_prediction_log *log, fn_err *err) {
  const fn_sql_options options = {.busy_ms = FN_LOG_BUSY_MS};
  const uint64_t now = fn_clock_ns();
  if (log->reader && !fn_sql_in_place(log->reader)) {
    fn_sql_close(log->reader);
    log->reader = NULL;
  }
  if (log->reader) return FN_OK;
  if (is_writer_astray(log))
    return fn_err_set(err, FN_E_IO,
                      "the prediction log's file was removed or replaced, and is about to be opened anew");
  if (now < log->reader_retry_ns) return fn_err_set(err, log->reader_failure.status, "%s", log->reader_failure.message);
  const fn_status status = fn_database_open(&log->reader, log->url, &options, &log->reader_failure);
  if (status == FN_OK) return FN_OK;
  log->reader_retry_ns = fn_clock_ns() + 1000000000u;
  return fn_err_set(err, status, "%s", log->reader_failure.message);
}

typedef struct finding {
  fn_str id;
  fn_stored_prediction *found;
  fn_status status;
  fn_err *err;
} finding;

static bool see_record(void *arg, fn_str record) {
  finding *f = arg;
  fn_sql_value values[FN_N_COLUMNS];
  if (!fn_record_decode(values, record) || !fn_str_equal(values[FN_COLUMN_ID].bytes, f->id)) return true;
  f->status = fn_record_to_stored(&f->found, values, f->err);
  if (f->found) f->found->pending = true;
  return false;
}

static void find_in_list(finding *f, const fn_log_entry *entry) {
  fn_str record;
  for (; entry; entry = entry->next)
    for (size_t at = 0; fn_log_next_record(&record, fn_buf_str(&entry->records), &at);)
      if (!see_record(f, record)) return;
}

static fn_status see_row(void *arg, const fn_sql_value *values, size_t n, fn_err *err) {
  finding *f = arg;
  return n == FN_N_COLUMNS ? fn_record_to_stored(&f->found, values, err) : FN_OK;
}

static fn_status find_in_database(finding *f, fn_prediction_log *log, fn_err *err) {
  const fn_sql_value value = fn_sql_str(f->id);
  pthread_mutex_lock(&log->reader_mutex);
  fn_status status = get_reader(log, err);
  if (status == FN_OK) status = fn_sql_query(log->reader, fn_record_select, &value, 1, see_row, f, err);
  pthread_mutex_unlock(&log->reader_mutex);
  return status;
}

/* A row goes from the queue to the spool to the database, and leaves one place only when it is in the next: looked for
 * in this order, it cannot slip through. */
fn_status fn_prediction_log_find(fn_stored_prediction **stored_out, fn_prediction_log *log, fn_str id, fn_err *err) {
  finding f = {.id = id, .err = err};
  if (!fn_record_is_id(id)) return fn_err_set(err, FN_E_NOT_FOUND, "no prediction of this id: it is none");
  pthread_mutex_lock(&log->mutex);
  find_in_list(&f, log->taken);
  if (!f.found && f.status == FN_OK) find_in_list(&f, log->first);
  pthread_mutex_unlock(&log->mutex);
  if (!f.found && f.status == FN_OK && log->spool) FN_TRY(fn_spool_each(log->spool, see_record, &f, err));
  if (!f.found && f.status == FN_OK) f.status = find_in_database(&f, log, err);
  FN_TRY(f.status);
  if (!f.found)
    return fn_err_set(err, FN_E_NOT_FOUND, "no prediction %.*s", id.length > 64 ? 64 : (int)id.length, id.data);
  *stored_out = f.found;
  return FN_OK;
}

fn_status fn_prediction_log_check(fn_prediction_log *log, fn_err *err) {
  pthread_mutex_lock(&log->reader_mutex);
  log->reader_retry_ns = 0;
  fn_status status = get_reader(log, err);
  if (status == FN_OK) status = fn_sql_query(log->reader, "SELECT 1", NULL, 0, NULL, NULL, err);
  pthread_mutex_unlock(&log->reader_mutex);
  return status;
}

fn_status fn_prediction_log_add_feedback(fn_feedback_entry *entry_out, fn_prediction_log *log,
                                         const fn_feedback *feedback, fn_err *err) {
  fn_stored_prediction *stored = NULL;
  FN_TRY(fn_prediction_log_find(&stored, log, feedback->prediction_id, err));
  fn_stored_prediction_destroy(stored);
  pthread_mutex_lock(&log->reader_mutex);
  fn_status status = get_reader(log, err);
  if (status == FN_OK) status = fn_feedback_add(entry_out, log->reader, feedback, err);
  pthread_mutex_unlock(&log->reader_mutex);
  return status;
}

fn_status fn_prediction_log_list_feedback(int64_t *n_out, fn_prediction_log *log, fn_str prediction_id,
                                          fn_feedback_emit emit, void *arg, fn_err *err) {
  pthread_mutex_lock(&log->reader_mutex);
  fn_status status = get_reader(log, err);
  if (status == FN_OK)
    status = fn_feedback_list(n_out, log->reader, prediction_id, FN_FEEDBACK_MAX_LISTED, emit, arg, err);
  pthread_mutex_unlock(&log->reader_mutex);
  return status;
}

fn_status fn_prediction_log_list_disputed(fn_prediction_log *log, int64_t limit, fn_disputed_emit emit, void *arg,
                                          fn_err *err) {
  pthread_mutex_lock(&log->reader_mutex);
  fn_status status = get_reader(log, err);
  if (status == FN_OK) status = fn_feedback_list_disputed(log->reader, 0, 0, limit, emit, arg, err);
  pthread_mutex_unlock(&log->reader_mutex);
  return status;
}

/* ---- figures ---- */

void fn_prediction_log_watch(fn_prediction_log *log, fn_prediction_tell tell, void *arg) {
  pthread_mutex_lock(&log->mutex);
  log->tell = tell;
  log->tell_arg = arg;
  pthread_mutex_unlock(&log->mutex);
}

void fn_log_tell(fn_prediction_log *log, const fn_err *what) {
  pthread_mutex_lock(&log->mutex);
  const fn_prediction_tell tell = log->tell;
  void *arg = log->tell_arg;
  pthread_mutex_unlock(&log->mutex);
  if (tell) tell(arg, what);
}

void fn_log_note_error(fn_prediction_log *log, const fn_err *err, bool database_down) {
  pthread_mutex_lock(&log->mutex);
  if (database_down) log->stats.database_up = false;
  snprintf(log->stats.last_error, sizeof log->stats.last_error, "%.255s", err->message);
  log->stats.last_error_ms = fn_clock_unix_ms();
  pthread_mutex_unlock(&log->mutex);
}

void fn_prediction_log_get_stats(fn_prediction_log_stats *stats_out, fn_prediction_log *log) {
  const uint64_t now = fn_clock_ns(), spooled = log->spool ? fn_spool_bytes(log->spool) : 0;
  pthread_mutex_lock(&log->mutex);
  *stats_out = log->stats;
  stats_out->n_pending = log->n_pending;
  uint64_t oldest = now;
  if (log->first) oldest = log->first->since_ns;
  if (log->taken) oldest = log->taken->since_ns;
  if (spooled > 0 && log->spool_since_ns > 0) oldest = log->spool_since_ns;
  stats_out->lag_s = now > oldest ? (double)(now - oldest) / 1e9 : 0;
  pthread_mutex_unlock(&log->mutex);
  stats_out->spool_bytes = spooled;
  stats_out->spool_max_bytes = log->spool ? fn_spool_max_bytes(log->spool) : 0;
}
