/* Spool, feedback, keys, embeddings. */
#include "monitor/record.h"
#include "monitor/spool.h"
#include "rows.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];

static int begin(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/fn-test-parts-XXXXXX");
  if (!mkdtemp(folder)) return 1;
  snprintf(path, sizeof path, "%s/spool-0.fns", folder);
  return 0;
}
static int end(void **state) {
  (void)state;
  return fn_dir_remove(folder, NULL) == FN_OK ? 0 : 1;
}

static void add_record(fn_buf *buf, const char *text) {
  const uint32_t length = (uint32_t)strlen(text);
  fn_buf_append(buf, &length, 4);
  fn_buf_append(buf, text, length);
}

/* Records as "a|b|…". */
static bool join(void *arg, fn_str record) {
  fn_buf_append(arg, record.data, record.length);
  fn_buf_append_char(arg, '|');
  return true;
}

static void assert_holds(fn_spool *spool, const char *expected) {
  fn_err err = {0};
  FN_AUTO_BUF fn_buf all = {0};
  assert_ok(fn_spool_each(spool, join, &all, &err));
  assert_string_equal(all.data ? all.data : "", expected);
}

static void append(fn_spool *spool, const char *a, const char *b) {
  fn_err err = {0};
  FN_AUTO_BUF fn_buf records = {0};
  add_record(&records, a);
  if (b) add_record(&records, b);
  assert_ok(fn_spool_append(spool, fn_buf_str(&records), &err));
}

static void test_spool_keeps_order(void **state) {
  (void)state;
  fn_err err = {0};
  fn_spool *spool;
  bool more;
  FN_AUTO_BUF fn_buf out = {0};
  assert_ok(fn_spool_open(&spool, folder, 1000, &err));
  assert_int_equal(fn_spool_bytes(spool), 0);
  append(spool, "one", "two");
  append(spool, "three", NULL);
  assert_holds(spool, "one|two|three|");
  assert_ok(fn_spool_read(&out, &more, spool, 16, &err));
  assert_true(more && out.length == 14); /* one and two */
  assert_holds(spool, "one|two|three|");
  assert_ok(fn_spool_advance(spool, &err));
  assert_holds(spool, "three|");
  append(spool, "four", NULL);
  fn_spool_close(spool);
  assert_ok(fn_spool_open(&spool, folder, 1000, &err)); /* how far it was replayed is forgotten: rows have ids */
  assert_holds(spool, "one|two|three|four|");
  assert_ok(fn_spool_read(&out, &more, spool, 1 << 20, &err));
  assert_ok(fn_spool_advance(spool, &err));
  assert_int_equal(fn_spool_bytes(spool), 0);
  assert_ok(fn_spool_read(&out, &more, spool, 1 << 20, &err));
  assert_false(more);
  fn_spool_close(spool);
  assert_false(fn_path_exists(path)); /* empty: gone */
}

static void test_spool_has_a_bound(void **state) {
  (void)state;
  fn_err err = {0};
  fn_spool *spool;
  FN_AUTO_BUF fn_buf records = {0};
  assert_ok(fn_spool_open(&spool, folder, 60, &err));
  append(spool, "0123456789", NULL);
  add_record(&records, "0123456789");
  add_record(&records, "0123456789");
  assert_status(fn_spool_append(spool, fn_buf_str(&records), &err), FN_E_LIMIT);
  assert_contains(err.message, "predictions.spool_mb");
  assert_holds(spool, "0123456789|");
  append(spool, "0123456789", NULL);
  fn_spool_close(spool);
}

/* Cut at any byte, as a crash in the middle of an append leaves it: whole records are there, and the next follow. */
static void test_spool_cut_anywhere(void **state) {
  (void)state;
  fn_err err = {0};
  fn_spool *spool;
  FN_AUTO_BUF fn_buf whole = {0};
  assert_ok(fn_spool_open(&spool, folder, 1000, &err));
  append(spool, "one", "two");
  fn_spool_close(spool);
  assert_ok(fn_file_read(&whole, path, 1000, &err));
  assert_int_equal(whole.length, 8 + 19 + 19);
  for (size_t n = 0; n <= whole.length; n++) {
    assert_ok(fn_file_write(path, whole.data, n, &err));
    assert_ok(fn_spool_open(&spool, folder, 1000, &err));
    append(spool, "three", NULL);
    assert_holds(spool, n < 8 + 19 ? "three|" : n < whole.length ? "one|three|" : "one|two|three|");
    fn_spool_close(spool);
  }
  for (size_t n = 8; n < whole.length; n++) { /* a byte that changed: that record and what follows are no rows */
    whole.data[n] ^= 0x20;
    const uint64_t length = fn_spool_scan(fn_buf_str(&whole), NULL, NULL);
    assert_int_equal(length, n < 8 + 19 ? 8 : 8 + 19);
    whole.data[n] ^= 0x20;
  }
}

static void test_two_processes_have_two_spools(void **state) {
  (void)state;
  fn_err err = {0};
  fn_spool *a, *b;
  bool taken;
  assert_ok(fn_spool_open(&a, folder, 1000, &err));
  assert_ok(fn_spool_open(&b, folder, 1000, &err)); /* flock is by open file, so this is as good as another process */
  append(b, "b", NULL);
  assert_ok(fn_spool_adopt(&taken, a, &err));
  assert_false(taken); /* b is alive */
  fn_spool_close(b);
  assert_ok(fn_spool_adopt(&taken, a, &err));
  assert_true(taken);
  assert_holds(a, "b|");
  assert_ok(fn_spool_open(&b, folder, 1000, &err));
  assert_holds(b, "");
  fn_spool_close(b);
  fn_spool_close(a);
}

static fn_sql *open_database(void) {
  fn_err err = {0};
  char *url;
  fn_sql *sql;
  const fn_predictions_options options = default_options();
  assert_ok(fn_database_url(&url, &options, folder, &err));
  assert_ok(fn_database_open(&sql, url, NULL, &err));
  free(url);
  return sql;
}

static fn_status list_feedback(void *arg, const fn_feedback *f, const fn_feedback_entry *e, bool latest, fn_err *err) {
  (void)err;
  (void)e;
  fn_buf_printf(arg, "%.*s %s%s;", (int)f->name.length, f->name.data, fn_feedback_label_names[f->label],
                latest ? " latest" : "");
  return FN_OK;
}

static fn_status list_disputed(void *arg, const fn_disputed *d, fn_err *err) {
  (void)err;
  fn_buf_printf(arg, "%.*s %.*s: %s;", (int)d->prediction_id.length, d->prediction_id.data, (int)d->label.length,
                d->label.data, fn_feedback_label_names[d->feedback.label]);
  return FN_OK;
}

static void say(fn_sql *sql, const char *id, const char *name, fn_feedback_label label, fn_feedback_entry *entry) {
  fn_err err = {0};
  const fn_feedback f = {.prediction_id = fn_str_from(id), .label = label, .name = fn_str_from(name)};
  assert_ok(fn_feedback_add(entry, sql, &f, &err));
}

static void insert_prediction(fn_sql *sql, int n, const char *label) {
  fn_err err = {0};
  char id[24];
  FN_AUTO_BUF fn_buf record = {0};
  fn_sql_value values[FN_N_COLUMNS];
  fn_prediction_row row = make_row(id, n);
  row.label = fn_str_from(label);
  assert_ok(fn_record_encode(&record, &row, FN_TEXT_KEEP_HASH, &err));
  assert_true(fn_record_decode(values, fn_buf_str(&record)));
  assert_ok(fn_sql_run(sql, fn_record_insert, values, FN_N_COLUMNS, NULL, &err));
}

static void test_feedback_is_corrected(void **state) {
  (void)state;
  fn_err err = {0};
  fn_feedback_entry first, second, other;
  FN_AUTO_BUF fn_buf text = {0};
  int64_t n = 0;
  fn_sql *sql = open_database();
  insert_prediction(sql, 1, "fake");
  insert_prediction(sql, 2, "real");
  say(sql, "p_000001", "ann", FN_FEEDBACK_REAL, &first);
  say(sql, "p_000001", "bob", FN_FEEDBACK_SATIRE, &other);
  say(sql, "p_000001", "ann", FN_FEEDBACK_FAKE, &second);
  say(sql, "p_000002", "", FN_FEEDBACK_REAL, &other);
  assert_string_equal(first.corrects, "");
  assert_string_equal(second.corrects, first.id);
  assert_true(second.time_ms > first.time_ms);
  assert_ok(fn_feedback_list(&n, sql, fn_str_from("p_000001"), 10, list_feedback, &text, &err));
  assert_int_equal(n, 3);
  assert_string_equal(text.data, "ann real;bob satire latest;ann fake latest;");
  fn_buf_reset(&text);
  assert_ok(fn_feedback_list_disputed(sql, 0, 0, 10, list_disputed, &text, &err)); /* ann agrees by now */
  assert_string_equal(text.data, "p_000001 fake: satire;");
  char long_name[FN_FEEDBACK_MAX_NAME + 2];
  memset(long_name, 'x', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = 0;
  const fn_feedback f = {.prediction_id = fn_str_from("p_1"), .name = fn_str_from(long_name)};
  assert_status(fn_feedback_add(&other, sql, &f, &err), FN_E_INVALID);
  fn_sql_close(sql);
}

/* What somebody could do before there was a bound: each listing then took minutes, and the server with it. */
static void test_listing_of_many_words_is_quick(void **state) {
  (void)state;
  fn_err err = {0};
  fn_feedback_entry entry;
  FN_AUTO_BUF fn_buf text = {0};
  int64_t n = 0;
  fn_sql *sql = open_database();
  insert_prediction(sql, 1, "fake");
  static const char many[] =
      "WITH RECURSIVE k (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 10000) INSERT INTO feedback "
      "SELECT 'f_' || i, 'p_000001', i, 'satire', CASE WHEN i % 2 = 0 THEN 'ann' ELSE 'n' || i END, '', '', NULL FROM "
      "k";
  assert_ok(fn_sql_run(sql, many, NULL, 0, NULL, &err));
  const uint64_t begin = fn_clock_ns();
  assert_ok(fn_feedback_list(&n, sql, fn_str_from("p_000001"), 3, list_feedback, &text, &err));
  assert_int_equal(n, 10000);
  assert_string_equal(text.data, "ann satire;n9999 satire latest;ann satire latest;");
  fn_buf_reset(&text);
  assert_ok(fn_feedback_list(&n, sql, fn_str_from("p_000001"), 10000, list_feedback, &text, &err));
  fn_buf_reset(&text);
  assert_ok(fn_feedback_list_disputed(sql, 0, 0, 10000, list_disputed, &text, &err));
  assert_true(fn_clock_ns() - begin < 30000000000u); /* 0.1 s; minutes where it is quadratic */
  const fn_feedback more = {.prediction_id = fn_str_from("p_000001"), .label = FN_FEEDBACK_FAKE};
  assert_status(fn_feedback_add(&entry, sql, &more, &err), FN_E_LIMIT);
  assert_contains(err.message, "at most 1000");
  fn_sql_close(sql);
}

static bool holds(fn_str file, const char *part, size_t n) {
  for (size_t i = 0; i + n <= file.length; i++)
    if (memcmp(file.data + i, part, n) == 0) return true;
  return false;
}

static void test_keys(void **state) {
  (void)state;
  fn_err err = {0};
  char secrets[2][FN_KEY_LENGTH];
  fn_key_info infos[2], found;
  fn_keyring *ring;
  const fn_predictions_options options = default_options();
  fn_sql *sql = open_database();
  assert_ok(fn_key_create(secrets[0], &infos[0], sql, FN_KEY_FEEDBACK, "desk", &err));
  assert_ok(fn_keyring_open(&ring, &options, folder, &err));
  assert_int_equal(fn_keyring_count(ring), 1);
  assert_int_equal(strlen(secrets[0]), strlen("fn_feedback_") + 64);
  assert_true(fn_keyring_find(&found, ring, fn_str_from(secrets[0])));
  assert_string_equal(found.id, infos[0].id);
  assert_string_equal(found.name, "desk");
  assert_true(fn_key_role_includes(found.role, FN_KEY_PREDICT) && !fn_key_role_includes(found.role, FN_KEY_ADMIN));
  assert_ok(fn_key_create(secrets[1], &infos[1], sql, FN_KEY_ADMIN, "", &err));
  assert_string_not_equal(secrets[0] + 12, secrets[1] + 9);
  assert_false(fn_keyring_find(&found, ring, fn_str_from(secrets[1]))); /* not yet known */
  assert_ok(fn_keyring_refresh(ring, &err));
  assert_true(fn_keyring_find(&found, ring, fn_str_from(secrets[1])));
  assert_ok(fn_key_revoke(&found, sql, infos[0].id, &err));
  assert_true(found.revoked_ms > 0);
  assert_ok(fn_keyring_refresh(ring, &err));
  assert_false(fn_keyring_find(&found, ring, fn_str_from(secrets[0])));
  secrets[1][20] ^= 1;
  assert_false(fn_keyring_find(&found, ring, fn_str_from(secrets[1])));
  assert_false(fn_keyring_find(&found, ring, fn_str_from("")));
  assert_status(fn_key_revoke(&found, sql, "k_none", &err), FN_E_NOT_FOUND);
  fn_keyring_close(ring);
  fn_sql_close(sql);
  /* Nothing that opens a door lies in the file. */
  FN_AUTO_BUF fn_buf file = {0};
  char database[96];
  snprintf(database, sizeof database, "%s/predictions.db", folder);
  assert_ok(fn_file_read(&file, database, 1 << 24, &err));
  secrets[1][20] ^= 1;
  assert_true(holds(fn_buf_str(&file), infos[0].id, strlen(infos[0].id))); /* it is this file */
  assert_false(holds(fn_buf_str(&file), secrets[0] + 12, 16));
  assert_false(holds(fn_buf_str(&file), secrets[1] + 9, 16));
}

static void test_quantised_embedding(void **state) {
  (void)state;
  int8_t q[4];
  const float x[] = {0.1f, -0.2f, 0.05f, 0.0f}, zero[] = {0, 0, 0, 0}, bad[] = {1, (float)NAN, 1, 1};
  const double scale = fn_embedding_quantise(q, x, 4);
  assert_true(q[1] == -127 && q[3] == 0);
  for (int i = 0; i < 4; i++) assert_true(fabs(q[i] * scale - (double)x[i]) <= scale / 2 * 1.0001);
  assert_true(fn_embedding_quantise(q, zero, 4) == 1 && q[0] == 0);
  assert_true(fn_embedding_quantise(q, bad, 4) == 1 && q[0] == 0);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(test_spool_keeps_order),     TEST(test_spool_has_a_bound),
      TEST(test_spool_cut_anywhere),    TEST(test_two_processes_have_two_spools),
      TEST(test_feedback_is_corrected), TEST(test_keys),
      TEST(test_quantised_embedding),   TEST(test_listing_of_many_words_is_quick),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
