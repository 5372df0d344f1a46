/* The log's thread: takes everything that waits, writes it as one transaction, and tells. Where the database does not
 * take it the spool does; the spool is replayed before anything newer is written, so that order stays. */
#include "base/backoff.h"
#include "base/thread.h"
#include "monitor/log_internal.h"

#include <stdlib.h>
#include <time.h>

#define SECOND ((uint64_t)1000000000)

enum { PURGE_ROWS = 500, PURGE_EVERY_S = 600, MAX_BACKOFF_S = 15, REPLAY_BYTES = 1 << 20 };

/* ---- waiting ---- */

static void wait_until(fn_prediction_log *log, uint64_t until_ns) {
  fn_cond_wait_until(&log->wake, &log->mutex, until_ns);
}

static bool has_spooled(const fn_prediction_log *log) {
  return log->spool && fn_spool_bytes(log->spool) > 0;
}

/* When something is to be done even if nobody comes. */
static uint64_t next_chore(const fn_prediction_log *log) {
  return has_spooled(log) && log->retry_ns < log->purge_ns ? log->retry_ns : log->purge_ns;
}

/* async: rows are gathered until the first has waited as long as it may, or half of the queue is full. */
static bool is_time_to_write(const fn_prediction_log *log, uint64_t now) {
  if (!log->first) return false;
  if (log->stop || log->options.durable == FN_DURABLE_ANSWER) return true;
  return now >= log->first->since_ns + (uint64_t)log->options.flush_ms * 1000000 ||
         log->n_pending >= (size_t)log->options.queue_rows / 2;
}

/* Moves what goes into one transaction from the queue to `taken`. */
static void take_batch(fn_prediction_log *log) {
  size_t n = log->first->n;
  fn_log_entry *last = log->first;
  while (last->next && n + last->next->n <= FN_LOG_BATCH_ROWS) {
    last = last->next;
    n += last->n;
  }
  log->taken = log->first;
  log->first = last->next;
  if (!log->first) log->last = NULL;
  last->next = NULL;
}

/* Waits for work; false: it is time to end, and nothing waits any more. */
static bool wait_for_work(fn_prediction_log *log) {
  pthread_mutex_lock(&log->mutex);
  for (;;) {
    const uint64_t now = fn_clock_ns(), chore = next_chore(log);
    if (is_time_to_write(log, now)) {
      take_batch(log);
      break;
    }
    if (log->stop || log->look || now >= chore) break;
    const uint64_t flush = log->first ? log->first->since_ns + (uint64_t)log->options.flush_ms * 1000000 : UINT64_MAX;
    wait_until(log, flush < chore ? flush : chore);
  }
  const bool go_on = log->taken || !log->stop;
  pthread_mutex_unlock(&log->mutex);
  return go_on;
}

/* ---- the database ---- */

/* A file that is gone is closed while nobody looks, so that a reader never has the new one open beside it: SQLite keeps
 * what connections share in a file that goes by the name alone. */
static void disconnect(fn_prediction_log *log) {
  pthread_mutex_lock(&log->mutex);
  fn_sql *sql = log->sql;
  log->sql = NULL;
  if (sql && !fn_sql_in_place(sql)) {
    fn_sql_close(sql);
    sql = NULL;
  }
  pthread_mutex_unlock(&log->mutex);
  fn_sql_close(sql);
}

/* The other way round: the reader lets go of it before the writer opens anew. */
static fn_status release_reader(fn_prediction_log *log, fn_err *err) {
  const uint64_t until_ns =
      fn_clock_ns() + FN_LOG_BUSY_MS * 1000000ull; /* pthread_mutex_timedlock has a clock that is set */
  while (pthread_mutex_trylock(&log->reader_mutex) != 0) {
    if (fn_clock_ns() >= until_ns) return fn_err_set(err, FN_E_IO, "the prediction log's readers hold its database");
    const struct timespec moment = {.tv_nsec = 1000000};
    nanosleep(&moment, NULL);
  }
  if (log->reader && !fn_sql_in_place(log->reader)) {
    fn_sql_close(log->reader);
    log->reader = NULL;
  }
  pthread_mutex_unlock(&log->reader_mutex);
  return FN_OK;
}

static fn_status connect_database(fn_prediction_log *log, fn_err *err) {
  const fn_sql_options options = {.busy_ms = FN_LOG_BUSY_MS};
  fn_sql *sql = NULL;
  if (log->sql && fn_sql_in_place(log->sql)) return FN_OK;
  if (log->sql) {
    fn_err gone = {0};
    (void)fn_err_set(&gone, FN_E_IO,
                     "the prediction log's file was removed or replaced; a new one is begun where there "
                     "is none");
    fn_log_note_error(log, &gone, false);
    fn_log_tell(log, &gone);
    disconnect(log);
  }
  if (log->is_file) FN_TRY(release_reader(log, err));
  FN_TRY(fn_database_open(&sql, log->url, &options, err));
  pthread_mutex_lock(&log->mutex);
  log->sql = sql;
  pthread_mutex_unlock(&log->mutex);
  return FN_OK;
}

static void mark_down(fn_prediction_log *log, const fn_err *why) {
  if (log->stats.database_up) fn_log_tell(log, why);
  fn_log_note_error(log, why, true);
  disconnect(log); /* the next one looks at the tables again */
  log->retry_ns = fn_clock_ns() + (uint64_t)(fn_backoff_s(1, MAX_BACKOFF_S, ++log->n_failures, 0) * 1e9);
}

static void mark_up(fn_prediction_log *log) {
  log->n_failures = 0;
  log->retry_ns = 0;
  pthread_mutex_lock(&log->mutex);
  log->stats.database_up = true;
  pthread_mutex_unlock(&log->mutex);
}

/* What a retry is compared with. */
typedef struct stored_row {
  bool kept, same;
  const fn_sql_value *values; /* of the new row */
  char *answer;
} stored_row;

static bool is_same_digest(const fn_sql_value *a, const fn_sql_value *b) {
  return a->type == b->type && fn_str_equal(a->bytes, b->bytes);
}

static fn_status compare_row(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  stored_row *s = arg;
  if (n != 4) return FN_OK;
  s->kept = !fn_str_is(v[0].bytes, "none") && !fn_str_is(s->values[FN_COLUMN_TEXT_KEPT].bytes, "none");
  s->same = is_same_digest(&v[1], &s->values[FN_COLUMN_TITLE_SHA256]) &&
            is_same_digest(&v[2], &s->values[FN_COLUMN_TEXT_SHA256]);
  free(s->answer);
  s->answer = fn_str_dup(v[3].bytes);
  return s->answer ? FN_OK : fn_err_no_memory(err, "an answer");
}

/* On the writer's own connection: it waits for no reader. */
static fn_status find_result(fn_prediction_result *result, fn_prediction_log *log, const fn_sql_value *values,
                             fn_err *err) {
  static const char select[] = "SELECT text_kept, title_sha256, text_sha256, answer FROM predictions WHERE id = $1";
  stored_row s = {.values = values};
  const fn_status status = fn_sql_query(log->sql, select, &values[FN_COLUMN_ID], 1, compare_row, &s, err);
  const bool differs = s.kept && !s.same;
  free(result->answer); /* of an attempt that was rolled back */
  *result = (fn_prediction_result){.outcome = differs ? FN_PREDICTION_DIFFERS : FN_PREDICTION_REPEATED};
  if (!differs && status == FN_OK)
    result->answer = s.answer;
  else
    free(s.answer);
  return status;
}

typedef struct counts {
  uint64_t written, repeated;
} counts;

/* Rows of the chunk that was gathered. */
static fn_status insert_chunk(counts *c, fn_prediction_log *log, size_t n, fn_err *err) {
  int64_t changed[FN_LOG_CHUNK];
  FN_TRY(fn_sql_run_many(log->sql, fn_record_insert, log->values, FN_N_COLUMNS, n, changed, err));
  for (size_t i = 0; i < n; i++) {
    if (changed[i] > 0) {
      c->written++;
      continue;
    }
    c->repeated++;
    if (log->results[i]) FN_TRY(find_result(log->results[i], log, log->values + i * FN_N_COLUMNS, err));
  }
  return FN_OK;
}

/* All records; results may be NULL. A record that cannot be read was damaged in memory or on the disk. */
static fn_status insert_records(counts *c, size_t *n_chunk, fn_prediction_log *log, fn_str records,
                                fn_prediction_result *results, fn_err *err) {
  fn_str record;
  size_t i = 0;
  for (size_t at = 0; fn_log_next_record(&record, records, &at); i++) {
    if (!fn_record_decode(log->values + *n_chunk * FN_N_COLUMNS, record))
      return fn_err_set(err, FN_E_INVALID, "prediction log: a row is damaged");
    log->results[*n_chunk] = results ? &results[i] : NULL;
    if (++*n_chunk < FN_LOG_CHUNK) continue;
    FN_TRY(insert_chunk(c, log, *n_chunk, err));
    *n_chunk = 0;
  }
  return FN_OK;
}

static fn_status insert_entries(counts *c, fn_prediction_log *log, fn_log_entry *entry, bool all, fn_err *err) {
  size_t n_chunk = 0;
  FN_TRY(fn_sql_begin(log->sql, err));
  for (; entry; entry = all ? entry->next : NULL)
    FN_TRY(insert_records(c, &n_chunk, log, fn_buf_str(&entry->records), entry->results, err));
  if (n_chunk > 0) FN_TRY(insert_chunk(c, log, n_chunk, err));
  return fn_sql_commit(log->sql, err);
}

static void count_commit(fn_prediction_log *log, const counts *c, uint64_t begin_ns) {
  pthread_mutex_lock(&log->mutex);
  log->stats.n_written += c->written;
  log->stats.n_repeated += c->repeated;
  log->stats.n_commits++;
  log->stats.commit_s += (double)(fn_clock_ns() - begin_ns) / 1e9;
  pthread_mutex_unlock(&log->mutex);
}

/* One transaction over one entry, or over it and all that follow. */
static fn_status write_entries(fn_prediction_log *log, fn_log_entry *entry, bool all, fn_err *err) {
  counts c = {0};
  const uint64_t begin = fn_clock_ns();
  FN_TRY(connect_database(log, err));
  const fn_status status = insert_entries(&c, log, entry, all, err);
  fn_sql_rollback(log->sql);
  if (status == FN_OK) count_commit(log, &c, begin);
  return status;
}

/* Statuses of a row that the database refuses whatever the time; a statement that it does not take is its own state,
 * which may change. */
static bool is_refusal(fn_status status) {
  return status == FN_E_INVALID || status == FN_E_LIMIT;
}

/* ---- the spool ---- */

static fn_status spool_entry(fn_prediction_log *log, fn_log_entry *entry, fn_err *err) {
  if (!log->spool)
    return fn_err_set(err, FN_E_IO, "the prediction log's database cannot be used: %s", log->stats.last_error);
  FN_TRY(fn_spool_append(log->spool, fn_buf_str(&entry->records), err));
  pthread_mutex_lock(&log->mutex);
  log->stats.n_spooled += entry->n;
  if (log->spool_since_ns == 0) log->spool_since_ns = entry->since_ns;
  pthread_mutex_unlock(&log->mutex);
  return FN_OK;
}

static void fail_entry(fn_prediction_log *log, fn_log_entry *entry, fn_status status) {
  entry->status = status;
  fn_log_note_error(log, &entry->err, false);
  pthread_mutex_lock(&log->mutex);
  if (entry->done)
    log->stats.n_failed++;
  else
    log->stats.n_lost += entry->n;
  pthread_mutex_unlock(&log->mutex);
}

/* Entries from this one on, as far as they go into one append of the spool: one wait for the disk for all of them. */
static void spool_entries(fn_prediction_log *log, fn_log_entry *entry) {
  fn_log_entry joined = {.since_ns = entry ? entry->since_ns : 0};
  FN_AUTO_BUF fn_buf records;
  fn_buf_init(&records, 0);
  for (const fn_log_entry *e = entry; e; e = e->next) {
    fn_buf_append(&records, e->records.data, e->records.length);
    joined.n += e->n;
  }
  joined.records = records;
  if (!records.failed && spool_entry(log, &joined, NULL) == FN_OK) return;
  for (; entry; entry = entry->next) { /* some may find room */
    const fn_status status = spool_entry(log, entry, &entry->err);
    if (status != FN_OK) fail_entry(log, entry, FN_E_IO);
  }
}

/* ---- one batch ---- */

/* One by one, so that a row that the database refuses takes no other with it. */
static void write_each(fn_prediction_log *log) {
  for (fn_log_entry *entry = log->taken; entry; entry = entry->next) {
    const fn_status status = write_entries(log, entry, false, &entry->err);
    if (is_refusal(status)) fail_entry(log, entry, status);
    if (status == FN_OK || is_refusal(status)) continue;
    mark_down(log, &entry->err);
    spool_entries(log, entry);
    return;
  }
}

static void write_batch(fn_prediction_log *log) {
  fn_err why = {0};
  if (has_spooled(log)) { /* what came before is not in the database yet */
    spool_entries(log, log->taken);
    return;
  }
  if (!log->spool || fn_clock_ns() >= log->retry_ns) {
    const fn_status status = write_entries(log, log->taken, true, &why);
    if (status == FN_OK) mark_up(log);
    if (is_refusal(status)) write_each(log);
    if (status == FN_OK || is_refusal(status)) return;
    mark_down(log, &why);
  }
  spool_entries(log, log->taken);
}

static void end_batch(fn_prediction_log *log) {
  pthread_mutex_lock(&log->mutex);
  fn_log_entry *entry = log->taken;
  log->taken = NULL;
  for (const fn_log_entry *e = entry; e; e = e->next) log->n_pending -= e->n;
  pthread_mutex_unlock(&log->mutex);
  while (entry) {
    fn_log_entry *next = entry->next;
    fn_log_entry_end(entry);
    entry = next;
  }
}

/* ---- replaying ---- */

static fn_status replay_records(fn_prediction_log *log, counts *c, fn_str records, fn_err *err) {
  size_t n_chunk = 0;
  FN_TRY(fn_sql_begin(log->sql, err));
  FN_TRY(insert_records(c, &n_chunk, log, records, NULL, err));
  if (n_chunk > 0) FN_TRY(insert_chunk(c, log, n_chunk, err));
  return fn_sql_commit(log->sql, err);
}

static fn_status replay_all(fn_prediction_log *log, fn_str records, fn_err *err) {
  counts c = {0};
  const uint64_t begin = fn_clock_ns();
  const fn_status status = replay_records(log, &c, records, err);
  fn_sql_rollback(log->sql);
  FN_TRY(status);
  count_commit(log, &c, begin);
  pthread_mutex_lock(&log->mutex);
  log->stats.n_replayed += c.written;
  pthread_mutex_unlock(&log->mutex);
  return FN_OK;
}

/* A row that the database refuses is counted and left out. */
static fn_status replay_each(fn_prediction_log *log, fn_str records, fn_err *err) {
  for (size_t at = 0, begin = 0; at < records.length; begin = at) {
    fn_str record;
    (void)fn_log_next_record(&record, records, &at);
    fn_err why = {0};
    const fn_status status = replay_all(log, fn_str_make(records.data + begin, at - begin), &why);
    if (status != FN_OK && !is_refusal(status)) return fn_err_set(err, status, "%s", why.message);
    if (status == FN_OK) continue;
    fn_log_note_error(log, &why, false);
    pthread_mutex_lock(&log->mutex);
    log->stats.n_lost++;
    pthread_mutex_unlock(&log->mutex);
  }
  return FN_OK;
}

/* The spool goes on with a new file; what cannot be read of the old one is counted as lost. */
static fn_status give_up_spool(fn_prediction_log *log, const fn_err *damage, fn_err *err) {
  uint64_t n = 0;
  fn_err told = {0};
  FN_TRY(fn_spool_set_aside(&n, log->spool, err));
  (void)fn_err_set(&told, FN_E_INVALID, "%.600s; %llu rows are lost, the file lies beside it as spool.damaged-…",
                   damage->message, (unsigned long long)n);
  fn_log_note_error(log, &told, false);
  fn_log_tell(log, &told);
  pthread_mutex_lock(&log->mutex);
  log->stats.n_lost += n;
  pthread_mutex_unlock(&log->mutex);
  return FN_OK;
}

/* The next part of the spool; *more is false when it is empty. */
static fn_status replay_some(bool *more, fn_prediction_log *log, fn_buf *records, fn_err *err) {
  fn_err damage = {0};
  FN_TRY(connect_database(log, err));
  fn_status status = fn_spool_read(records, more, log->spool, REPLAY_BYTES, &damage);
  if (status == FN_E_INVALID || status == FN_E_NOT_FOUND) return give_up_spool(log, &damage, err);
  if (status != FN_OK) return fn_err_set(err, status, "%s", damage.message);
  if (!*more) return FN_OK;
  status = replay_all(log, fn_buf_str(records), err);
  if (is_refusal(status)) status = replay_each(log, fn_buf_str(records), err);
  FN_TRY(status);
  return fn_spool_advance(log->spool, err);
}

static bool is_wanted(fn_prediction_log *log) {
  pthread_mutex_lock(&log->mutex);
  const bool wanted = log->first || log->stop;
  pthread_mutex_unlock(&log->mutex);
  return wanted;
}

/* As much of the spool as can be had until somebody waits: whose rows then go to its end. */
static void replay(fn_prediction_log *log) {
  FN_AUTO_BUF fn_buf records;
  fn_buf_init(&records, 0);
  fn_err why = {0};
  fn_status status = FN_OK;
  for (bool more = true; more && status == FN_OK;) {
    status = replay_some(&more, log, &records, &why);
    if (is_wanted(log)) break;
  }
  if (status != FN_OK) {
    mark_down(log, &why);
    return;
  }
  mark_up(log);
  if (has_spooled(log)) return;
  bool taken = false;
  if (fn_spool_adopt(&taken, log->spool, &why) != FN_OK) fn_log_note_error(log, &why, false);
  pthread_mutex_lock(&log->mutex);
  log->spool_since_ns = taken ? fn_clock_ns() : 0;
  pthread_mutex_unlock(&log->mutex);
}

/* ---- retention ---- */

static void purge_step(fn_prediction_log *log) {
  size_t n = 0;
  fn_err why = {0};
  log->purge_ns = fn_clock_ns() + PURGE_EVERY_S * SECOND;
  if (log->options.keep_days == INT64_MIN) return;
  const int64_t before = fn_clock_unix_ms() - log->options.keep_days * 86400000;
  fn_status status = connect_database(log, &why);
  if (status == FN_OK) status = fn_database_purge(&n, log->sql, before, PURGE_ROWS, &why);
  if (status != FN_OK) fn_log_note_error(log, &why, false);
  if (n > 0) log->purge_ns = fn_clock_ns() + SECOND / 20; /* more may follow, after those who wait */
  pthread_mutex_lock(&log->mutex);
  log->stats.n_purged += n;
  pthread_mutex_unlock(&log->mutex);
}

/* A reader found that the file is gone. */
static void look(fn_prediction_log *log) {
  fn_err why = {0};
  pthread_mutex_lock(&log->mutex);
  const bool asked = log->look;
  log->look = false;
  pthread_mutex_unlock(&log->mutex);
  if (asked && log->sql && connect_database(log, &why) != FN_OK) mark_down(log, &why);
}

static void do_chores(fn_prediction_log *log) {
  const uint64_t now = fn_clock_ns();
  look(log);
  if (has_spooled(log) && now >= log->retry_ns) replay(log);
  if (now >= log->purge_ns && !has_spooled(log)) purge_step(log);
  if (now >= log->purge_ns && has_spooled(log)) log->purge_ns = now + SECOND;
}

void *fn_log_writer_run(void *arg) {
  fn_prediction_log *log = arg;
  bool taken = false;
  log->purge_ns = fn_clock_ns() + SECOND;
  if (log->spool && !has_spooled(log)) (void)!fn_spool_adopt(&taken, log->spool, NULL);
  while (wait_for_work(log)) {
    if (log->taken) {
      write_batch(log);
      end_batch(log);
    }
    do_chores(log);
  }
  return NULL;
}
