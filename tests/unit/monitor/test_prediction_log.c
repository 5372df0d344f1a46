/* The log over a real SQLite file: what is told as done is there, retries make no second row, a database that is locked
 * sends rows through the spool. FN_TEST_POSTGRESQL as in test_sql.c. */
#include "rows.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int begin(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/fn-test-log-XXXXXX");
  return mkdtemp(folder) ? 0 : 1;
}
static int end(void **state) {
  (void)state;
  return fn_dir_remove(folder, NULL) == FN_OK ? 0 : 1;
}

static fn_prediction_log *open_log(const fn_predictions_options *options) {
  fn_err err = {0};
  fn_prediction_log *log = NULL;
  assert_ok(fn_prediction_log_open(&log, options, folder, &err));
  return log;
}

static fn_stored_prediction *find(fn_prediction_log *log, const char *id) {
  fn_err err = {0};
  fn_stored_prediction *stored = NULL;
  assert_ok(fn_prediction_log_find(&stored, log, fn_str_from(id), &err));
  return stored;
}

static fn_sql *open_database(void) {
  fn_err err = {0};
  char path[128];
  fn_sql *sql = NULL;
  snprintf(path, sizeof path, "%s/predictions.db", folder);
  assert_ok(fn_sql_open(&sql, path, NULL, &err));
  return sql;
}

static fn_status take_integer(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  (void)n;
  (void)err;
  *(int64_t *)arg = v[0].integer;
  return FN_OK;
}

static int64_t count_rows(void) {
  fn_err err = {0};
  int64_t n = -1;
  fn_sql *sql = open_database();
  assert_ok(fn_sql_query(sql, "SELECT count(*) FROM predictions", NULL, 0, take_integer, &n, &err));
  fn_sql_close(sql);
  return n;
}

static void test_row_comes_back(void **state) {
  (void)state;
  fn_err err = {0};
  char id[24];
  told t = TOLD_INIT;
  const fn_predictions_options options = default_options();
  fn_prediction_log *log = open_log(&options);
  const fn_prediction_row row = make_row(id, 1);
  assert_ok(fn_prediction_log_append(log, &row, 1, on_done, &t, &err));
  wait_for(&t, 1);
  assert_int_equal(t.n_written, 1);
  fn_stored_prediction *s = find(log, id);
  assert_false(s->pending);
  assert_string_equal(s->route, "/v1/classify");
  assert_string_equal(s->reasons, "too_short,headline_only");
  assert_string_equal(s->answer, "{\"label\":\"fake\"}");
  assert_memory_equal(&s->p_fake, &row.p_fake, sizeof s->p_fake);
  assert_memory_equal(&s->logit, &row.logit, sizeof s->logit);
  assert_true(isnan(s->linear_logit) && isnan(s->prior) && isnan(s->features.english));
  assert_true(s->calibrated && !s->truncated && s->n_tokens == 12 && s->features.n_words == 4);
  assert_true(s->n_embedding == 4 && s->embedding[1] == -127 && s->embedding[3] == 127 && s->embedding[0] == 64);
  assert_true(s->time_ms > fn_clock_unix_ms() - 60000);
  /* hash: no text, but it is known again */
  assert_true(s->text_kept == FN_TEXT_KEEP_HASH && !s->title.data && !s->text.data && s->title_sha256);
  assert_true(fn_stored_prediction_has_texts(s, row.title, row.text));
  assert_false(fn_stored_prediction_has_texts(s, row.title, fn_str_from("Text")));
  assert_false(fn_stored_prediction_has_texts(s, fn_str_make(NULL, 0), row.text));
  fn_stored_prediction_destroy(s);
  assert_status(fn_prediction_log_find(&s, log, fn_str_from("p_none"), &err), FN_E_NOT_FOUND);
  assert_contains(err.message, "p_none");
  fn_prediction_log_close(log);
}

static void test_texts_are_kept_as_asked(void **state) {
  (void)state;
  fn_err err = {0};
  char id[24];
  fn_predictions_options options = default_options();
  options.text = FN_TEXT_KEEP_FULL;
  fn_prediction_log *log = open_log(&options);
  fn_prediction_row row = make_row(id, 10);
  assert_ok(fn_prediction_log_append(log, &row, 1, NULL, NULL, &err));
  fn_prediction_log_close(log); /* writes what waits */
  options.text = FN_TEXT_KEEP_NONE;
  log = open_log(&options);
  fn_stored_prediction *s = find(log, id);
  assert_true(fn_str_equal(s->title, row.title) && fn_str_equal(s->text, row.text)); /* every byte */
  assert_non_null(s->text_sha256);
  fn_stored_prediction_destroy(s);
  row = make_row(id, 11);
  assert_ok(fn_prediction_log_append(log, &row, 1, NULL, NULL, &err));
  fn_prediction_log_close(log);
  log = open_log(&options);
  s = find(log, id);
  assert_true(!s->title.data && !s->text.data && !s->title_sha256 && !s->text_sha256);
  fn_stored_prediction_destroy(s);
  fn_prediction_log_close(log);
}

static void test_retry_makes_no_second_row(void **state) {
  (void)state;
  fn_err err = {0};
  char id[24];
  told t = TOLD_INIT;
  const fn_predictions_options options = default_options();
  fn_prediction_log *log = open_log(&options);
  fn_prediction_row row = make_row(id, 20);
  assert_ok(fn_prediction_log_append(log, &row, 1, on_done, &t, &err));
  wait_for(&t, 1);
  row.answer = fn_str_from("{\"label\":\"real\"}");
  assert_ok(fn_prediction_log_append(log, &row, 1, on_done, &t, &err));
  wait_for(&t, 2);
  row.text = fn_str_from("another text");
  assert_ok(fn_prediction_log_append(log, &row, 1, on_done, &t, &err));
  wait_for(&t, 3);
  assert_true(t.n_written == 1 && t.n_repeated == 1 && t.n_differs == 1);
  assert_string_equal(t.answer, "{\"label\":\"fake\"}");
  fn_stored_prediction *s = find(log, id);
  assert_string_equal(s->answer, "{\"label\":\"fake\"}"); /* the first one's */
  fn_stored_prediction_destroy(s);
  fn_prediction_log_close(log);
  assert_int_equal(count_rows(), 1);
}

/* A retry is told of while somebody reads, however long that takes. */
typedef struct slow_reader {
  fn_prediction_log *log;
  const fn_prediction_row *row;
  told t;
} slow_reader;

static fn_status read_slowly(void *arg, const fn_feedback *f, const fn_feedback_entry *e, bool latest, fn_err *err) {
  slow_reader *s = arg;
  (void)f;
  (void)e;
  (void)latest;
  FN_TRY(fn_prediction_log_append(s->log, s->row, 1, on_done, &s->t, err));
  for (int i = 0; i < 12000; i++) {
    pthread_mutex_lock(&s->t.mutex);
    const bool is_told = s->t.n_ok > 0;
    pthread_mutex_unlock(&s->t.mutex);
    if (is_told) return FN_OK;
    usleep(5000);
  }
  return FN_E_INTERNAL;
}

static void test_writer_waits_for_no_reader(void **state) {
  (void)state;
  fn_err err = {0};
  char id[24];
  int64_t n = 0;
  told t = TOLD_INIT;
  fn_feedback_entry entry;
  const fn_predictions_options options = default_options();
  fn_prediction_log *log = open_log(&options);
  const fn_prediction_row row = make_row(id, 20);
  assert_ok(fn_prediction_log_append(log, &row, 1, on_done, &t, &err));
  wait_for(&t, 1);
  const fn_feedback feedback = {.prediction_id = row.id, .label = FN_FEEDBACK_REAL};
  assert_ok(fn_prediction_log_add_feedback(&entry, log, &feedback, &err));
  slow_reader s = {.log = log, .row = &row, .t = TOLD_INIT};
  assert_ok(fn_prediction_log_list_feedback(&n, log, row.id, read_slowly, &s, &err));
  assert_true(n == 1 && s.t.n_repeated == 1);
  assert_string_equal(s.t.answer, "{\"label\":\"fake\"}");
  fn_prediction_log_close(log);
}

typedef struct caller {
  fn_prediction_log *log;
  int first;
  told t;
} caller;

enum { CALLERS = 4, ROWS_EACH = 50 };

static void *call(void *arg) {
  caller *c = arg;
  for (int i = 0; i < ROWS_EACH; i++) {
    char id[24];
    fn_err err = {0};
    const fn_prediction_row row = make_row(id, c->first + i);
    fn_stored_prediction *stored = NULL;
    if (fn_prediction_log_append(c->log, &row, 1, on_done, &c->t, &err) != FN_OK) return NULL;
    if (i % 10 == 0 && fn_prediction_log_find(&stored, c->log, row.id, &err) == FN_OK)
      fn_stored_prediction_destroy(stored);
    if (i % 7 == 0) wait_for(&c->t, (size_t)i + 1);
  }
  wait_for(&c->t, ROWS_EACH);
  return NULL;
}

static void test_many_threads(void **state) {
  (void)state;
  const fn_predictions_options options = default_options();
  fn_prediction_log *log = open_log(&options);
  caller callers[CALLERS];
  pthread_t threads[CALLERS];
  for (int i = 0; i < CALLERS; i++) {
    callers[i] = (caller){.log = log, .first = i * 1000, .t = TOLD_INIT};
    assert_int_equal(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
  }
  for (int i = 0; i < CALLERS; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(callers[i].t.n_written, ROWS_EACH);
  }
  assert_int_equal(count_rows(), CALLERS * ROWS_EACH); /* before it is closed: done means there */
  fn_prediction_log_stats stats;
  fn_prediction_log_get_stats(&stats, log);
  assert_true(stats.n_written == CALLERS * ROWS_EACH && stats.n_commits < stats.n_written && stats.n_pending == 0);
  fn_prediction_log_close(log);
}

static void test_async_answers_at_once(void **state) {
  (void)state;
  fn_err err = {0};
  char id[24];
  told t = TOLD_INIT;
  fn_predictions_options options = default_options();
  options.durable = FN_DURABLE_ASYNC;
  options.flush_ms = 30000;
  fn_prediction_log *log = open_log(&options);
  const fn_prediction_row row = make_row(id, 30);
  assert_ok(fn_prediction_log_append(log, &row, 1, on_done, &t, &err));
  assert_int_equal(t.n_ok, 1); /* without waiting */
  fn_stored_prediction *s = find(log, id);
  assert_true(s->pending);
  assert_true(fn_str_is(fn_str_from(s->route), "/v1/classify"));
  fn_stored_prediction_destroy(s);
  assert_int_equal(count_rows(), 0);
  fn_prediction_log_close(log);
  assert_int_equal(count_rows(), 1);
}

static void test_full_queue_refuses(void **state) {
  (void)state;
  fn_err err = {0};
  char ids[6][24];
  fn_predictions_options options = default_options();
  options.durable = FN_DURABLE_ASYNC;
  options.flush_ms = 30000;
  options.queue_rows = 4;
  fn_prediction_log *log = open_log(&options);
  fn_prediction_row rows[6];
  for (int i = 0; i < 6; i++) rows[i] = make_row(ids[i], i);
  assert_ok(fn_prediction_log_append(log, rows, 1, NULL, NULL, &err));
  assert_status(fn_prediction_log_append(log, rows + 1, 4, NULL, NULL, &err), FN_E_LIMIT);
  assert_contains(err.message, "predictions.queue_rows");
  rows[1].id = fn_str_from("not an id");
  assert_status(fn_prediction_log_append(log, rows + 1, 1, NULL, NULL, &err), FN_E_INVALID);
  rows[2].answer = fn_str_from("\xff");
  assert_status(fn_prediction_log_append(log, rows + 2, 1, NULL, NULL, &err), FN_E_INVALID);
  fn_prediction_log_close(log);
  assert_int_equal(count_rows(), 1);
}

static void test_locked_database_goes_through_the_spool(void **state) {
  (void)state;
  fn_err err = {0};
  char ids[3][24];
  told t = TOLD_INIT;
  const fn_predictions_options options = default_options();
  fn_prediction_log *log = open_log(&options);
  fn_sql *other = open_database();
  assert_ok(fn_sql_begin(other, &err)); /* nobody else writes now */
  for (int i = 0; i < 3; i++) {
    const fn_prediction_row row = make_row(ids[i], i);
    assert_ok(fn_prediction_log_append(log, &row, 1, on_done, &t, &err));
    wait_for(&t, (size_t)i + 1);
  }
  assert_int_equal(t.n_ok, 3); /* in the spool */
  fn_prediction_log_stats stats;
  fn_prediction_log_get_stats(&stats, log);
  assert_true(stats.n_spooled == 3 && stats.spool_bytes > 0 && !stats.database_up && stats.lag_s > 0);
  assert_contains(stats.last_error, "locked");
  fn_stored_prediction *s = find(log, ids[1]);
  assert_true(s->pending);
  fn_stored_prediction_destroy(s);
  fn_sql_rollback(other);
  fn_sql_close(other);
  fn_prediction_log_close(log); /* the spool stays */
  assert_int_equal(count_rows(), 0);
  log = open_log(&options); /* and is replayed by the next */
  for (int i = 0; i < 6000 && count_rows() < 3; i++) usleep(10000);
  assert_int_equal(count_rows(), 3);
  for (stats.spool_bytes = 1; stats.spool_bytes > 0; usleep(1000)) fn_prediction_log_get_stats(&stats, log);
  assert_true(stats.n_replayed == 3 && stats.database_up);
  s = find(log, ids[2]);
  assert_false(s->pending);
  fn_stored_prediction_destroy(s);
  fn_prediction_log_close(log);
}

static void remove_database(void) {
  char path[128];
  snprintf(path, sizeof path, "%s/predictions.db", folder);
  assert_int_equal(unlink(path), 0);
}

static void count_told(void *arg, const fn_err *what) {
  assert_contains(what->message, "removed or replaced");
  ++*(int *)arg;
}

static void test_removed_database_is_begun_anew(void **state) {
  (void)state;
  fn_err err = {0};
  char ids[3][24];
  told t = TOLD_INIT;
  int n_told = 0;
  const fn_predictions_options options = default_options();
  fn_prediction_log *log = open_log(&options);
  fn_prediction_log_watch(log, count_told, &n_told);
  for (int i = 0; i < 3; i++) {
    const fn_prediction_row row = make_row(ids[i], i);
    fn_stored_prediction *stored = NULL;
    assert_ok(fn_prediction_log_append(log, &row, 1, on_done, &t, &err));
    wait_for(&t, (size_t)i + 1);
    for (int k = 0; k < 6000 && fn_prediction_log_find(&stored, log, row.id, &err) != FN_OK; k++) usleep(10000);
    assert_non_null(stored);
    fn_stored_prediction_destroy(stored);
    if (i < 2) remove_database();
  }
  assert_int_equal(t.n_ok, 3);
  fn_stored_prediction *none = NULL;
  assert_status(fn_prediction_log_find(&none, log, fn_str_from(ids[0]), &err), FN_E_NOT_FOUND);
  fn_prediction_log_close(log);
  assert_int_equal(n_told, 2);
  assert_int_equal(count_rows(), 1); /* the last; those before went with their files */
}

static void test_reader_wakes_a_writer_that_is_astray(void **state) {
  (void)state;
  fn_err err = {0};
  char id[24];
  told t = TOLD_INIT;
  const fn_predictions_options options = default_options();
  fn_prediction_log *log = open_log(&options);
  const fn_prediction_row row = make_row(id, 1);
  assert_ok(fn_prediction_log_append(log, &row, 1, on_done, &t, &err));
  wait_for(&t, 1);
  remove_database();
  assert_status(fn_prediction_log_check(log, &err), FN_E_IO);
  fn_status status = FN_E_IO;
  for (int i = 0; i < 6000 && status != FN_OK; i++, usleep(10000)) status = fn_prediction_log_check(log, &err);
  assert_ok(status);
  fn_prediction_log_close(log);
  assert_int_equal(count_rows(), 0);
}

static void test_damaged_spool_is_set_aside(void **state) {
  (void)state;
  fn_err err = {0};
  char ids[4][24], path[128];
  told t = TOLD_INIT;
  const fn_predictions_options options = default_options();
  fn_prediction_log *log = open_log(&options);
  fn_sql *other = open_database();
  assert_ok(fn_sql_begin(other, &err));
  for (int i = 0; i < 3; i++) {
    const fn_prediction_row row = make_row(ids[i], i);
    assert_ok(fn_prediction_log_append(log, &row, 1, on_done, &t, &err));
    wait_for(&t, (size_t)i + 1);
  }
  fn_prediction_log_stats stats;
  fn_prediction_log_get_stats(&stats, log);
  snprintf(path, sizeof path, "%s/spool-0.fns", folder);
  FILE *file = fopen(path, "r+b");
  assert_non_null(file);
  fseek(file, (long)stats.spool_bytes / 2, SEEK_SET); /* in the second of three */
  fputs("damage", file);
  fclose(file);
  fn_sql_rollback(other);
  fn_sql_close(other);
  for (int i = 0; i < 6000 && !stats.database_up; i++, usleep(10000)) fn_prediction_log_get_stats(&stats, log);
  fn_prediction_log_get_stats(&stats, log);
  assert_true(stats.spool_bytes == 0 && stats.n_replayed == 1 && stats.n_lost == 2 && stats.database_up);
  assert_contains(stats.last_error, "damaged at byte");
  const fn_prediction_row row = make_row(ids[3], 3);
  assert_ok(fn_prediction_log_append(log, &row, 1, on_done, &t, &err));
  wait_for(&t, 4);
  assert_int_equal(t.n_ok, 4);
  fn_prediction_log_close(log);
  assert_int_equal(count_rows(), 2);
  char command[200];
  snprintf(command, sizeof command, "ls %s/spool.damaged-* >/dev/null", folder);
  assert_int_equal(system(command), 0);
}

static void test_old_rows_are_purged(void **state) {
  (void)state;
  fn_err err = {0};
  char ids[2][24];
  const fn_predictions_options options = default_options();
  fn_prediction_log *log = open_log(&options);
  fn_prediction_row rows[] = {make_row(ids[0], 1), make_row(ids[1], 2)};
  rows[0].time_ms = fn_clock_unix_ms() - 91ll * 86400000;
  rows[1].time_ms = fn_clock_unix_ms() - 89ll * 86400000;
  fn_feedback_entry entry;
  told t = TOLD_INIT;
  assert_ok(fn_prediction_log_append(log, rows, 2, on_done, &t, &err));
  wait_for(&t, 1);
  const fn_feedback feedback = {.prediction_id = rows[0].id, .label = FN_FEEDBACK_SATIRE};
  assert_ok(fn_prediction_log_add_feedback(&entry, log, &feedback, &err));
  fn_prediction_log_close(log);
  fn_sql *sql = open_database();
  size_t n = 0;
  assert_ok(fn_database_purge(&n, sql, fn_clock_unix_ms() - 90ll * 86400000, 500, &err));
  assert_int_equal(n, 1);
  assert_ok(fn_database_purge(&n, sql, fn_clock_unix_ms() - 90ll * 86400000, 500, &err));
  assert_int_equal(n, 0);
  int64_t left = -1;
  assert_ok(fn_sql_query(sql, "SELECT count(*) FROM feedback", NULL, 0, take_integer, &left, &err));
  assert_int_equal(left, 0);
  assert_status(fn_database_remove(sql, rows[0].id, &err), FN_E_NOT_FOUND);
  assert_ok(fn_database_remove(sql, rows[1].id, &err));
  fn_sql_close(sql);
  assert_int_equal(count_rows(), 0);
}

static void test_no_place(void **state) {
  (void)state;
  fn_err err = {0};
  fn_prediction_log *log = NULL;
  fn_predictions_options options = default_options();
  assert_status(fn_prediction_log_open(&log, &options, NULL, &err), FN_E_INVALID);
  assert_contains(err.message, "predictions.url=none");
  assert_status(fn_prediction_log_open(&log, &options, "/proc/nowhere", &err), FN_E_INVALID);
  assert_contains(err.message, "/proc/nowhere");
  assert_contains(err.message, "predictions.url=none");
  options.url = "none";
  assert_status(fn_prediction_log_open(&log, &options, folder, &err), FN_E_INVALID);
  options.url = "/nowhere/at/all.db";
  assert_status(fn_prediction_log_open(&log, &options, folder, &err), FN_E_INVALID);
  assert_contains(err.message, "/nowhere/at/all.db");
  options.url = "mysql://h/d";
  assert_status(fn_prediction_log_open(&log, &options, folder, &err), FN_E_UNSUPPORTED);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(test_row_comes_back),
      TEST(test_texts_are_kept_as_asked),
      TEST(test_retry_makes_no_second_row),
      TEST(test_writer_waits_for_no_reader),
      TEST(test_many_threads),
      TEST(test_async_answers_at_once),
      TEST(test_full_queue_refuses),
      TEST(test_old_rows_are_purged),
      TEST(test_no_place),
      TEST(test_removed_database_is_begun_anew),
      TEST(test_reader_wakes_a_writer_that_is_astray),
      TEST(test_damaged_spool_is_set_aside),
      TEST(test_locked_database_goes_through_the_spool),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
