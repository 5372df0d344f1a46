/* The interface over a real SQLite file. With FN_TEST_POSTGRESQL=postgresql://… (tests/cli/test_postgresql.py sets it)
 * the same tests run there. */
#include "../test.h"
#include "sql/sql.h"

#include <math.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/fn-test-sql-XXXXXX";
static char url[512];
static bool is_sqlite;

static fn_sql *open_database(void) {
  fn_err err = {0};
  fn_sql *sql = NULL;
  assert_ok(fn_sql_open(&sql, url, NULL, &err));
  return sql;
}

static int begin(void **state) {
  (void)state;
  fn_err err = {0};
  const char *postgresql = getenv("FN_TEST_POSTGRESQL");
  is_sqlite = !postgresql;
  if (!mkdtemp(folder)) return 1;
  snprintf(url, sizeof url, "%s%s", is_sqlite ? folder : postgresql, is_sqlite ? "/x.db" : "");
  fn_sql *sql = open_database();
  static const char *const drop[] = {"DROP TABLE IF EXISTS t", "DROP TABLE IF EXISTS m",
                                     "DROP TABLE IF EXISTS schema_version"};
  for (size_t i = 0; i < 3; i++) assert_ok(fn_sql_run(sql, drop[i], NULL, 0, NULL, &err));
  assert_ok(fn_sql_run(sql, "CREATE TABLE t (id TEXT PRIMARY KEY, i BIGINT, d DOUBLE PRECISION, b BYTEA, s TEXT)", NULL,
                       0, NULL, &err));
  fn_sql_close(sql);
  return 0;
}

static int end(void **state) {
  (void)state;
  return fn_dir_remove(folder, NULL) == FN_OK ? 0 : 1;
}

static const char insert[] = "INSERT INTO t (s, id, i, d, b) VALUES ($5, $1, $2, $3, $4) ON CONFLICT (id) DO NOTHING";
static const char by_id[] = "SELECT id, i, d, b, s FROM t WHERE id = $1";
static const char count[] = "SELECT count(*) FROM t";

typedef struct row {
  int n;
  int64_t i;
  double d;
  char b[32], s[64];
  size_t b_length;
  fn_sql_type types[5];
} row;

static fn_status take(void *arg, const fn_sql_value *v, size_t n, fn_err *err) {
  row *r = arg;
  (void)err;
  r->n++;
  for (size_t k = 0; k < n; k++) r->types[k] = v[k].type;
  r->i = n > 1 ? v[1].integer : v[0].integer;
  if (n < 5) return FN_OK;
  r->d = v[2].real;
  r->b_length = v[3].bytes.length;
  if (v[3].bytes.length) memcpy(r->b, v[3].bytes.data, v[3].bytes.length);
  if (v[4].bytes.length) memcpy(r->s, v[4].bytes.data, v[4].bytes.length);
  return FN_OK;
}

static void test_values_come_back(void **state) {
  (void)state;
  fn_err err = {0};
  fn_sql *sql = open_database();
  static const char bytes[] = {0, 1, (char)0xff, '\'', '\\', 0};
  static const double doubles[] = {0.1, 0.0, 1e-308, 4.9e-324, 1.7976931348623157e308, 2.0 / 3.0, 3.0};
  static const int64_t integers[] = {0, -1, INT64_MAX, INT64_MIN, 1ll << 53, (1ll << 53) + 1, 42};
  for (size_t k = 0; k < FN_COUNT_OF(doubles); k++) {
    char id[8];
    int64_t changed = -1;
    snprintf(id, sizeof id, "v%zu", k);
    const fn_sql_value v[] = {fn_sql_text(id), fn_sql_int(integers[k]), fn_sql_double(doubles[k]),
                              fn_sql_blob(bytes, sizeof bytes), fn_sql_text("it's \"ä\" $1 🗞")};
    assert_ok(fn_sql_run(sql, insert, v, 5, &changed, &err));
    assert_int_equal(changed, 1);
    assert_ok(fn_sql_run(sql, insert, v, 5, &changed, &err)); /* there already */
    assert_int_equal(changed, 0);
    row r = {0};
    assert_ok(fn_sql_query(sql, by_id, v, 1, take, &r, &err));
    assert_int_equal(r.n, 1);
    assert_int_equal(r.i, integers[k]);
    assert_memory_equal(&r.d, &doubles[k], sizeof r.d); /* the same bits */
    assert_int_equal(r.b_length, sizeof bytes);
    assert_memory_equal(r.b, bytes, sizeof bytes);
    assert_string_equal(r.s, "it's \"ä\" $1 🗞");
    static const fn_sql_type types[] = {FN_SQL_TEXT, FN_SQL_INT, FN_SQL_DOUBLE, FN_SQL_BLOB, FN_SQL_TEXT};
    assert_memory_equal(r.types, types, sizeof types);
  }
  fn_sql_close(sql);
}

static void test_nothing_is_null(void **state) {
  (void)state;
  fn_err err = {0};
  fn_sql *sql = open_database();
  const fn_sql_value v[] = {fn_sql_text("null"), fn_sql_null(), fn_sql_double((double)NAN), fn_sql_null(),
                            fn_sql_str(fn_str_make(NULL, 0))};
  assert_ok(fn_sql_run(sql, insert, v, 5, NULL, &err));
  row r = {0};
  assert_ok(fn_sql_query(sql, by_id, v, 1, take, &r, &err));
  static const fn_sql_type types[] = {FN_SQL_TEXT, FN_SQL_NULL, FN_SQL_NULL, FN_SQL_NULL, FN_SQL_TEXT};
  assert_memory_equal(r.types, types, sizeof types); /* an empty text is none of it */
  fn_sql_close(sql);
}

static int64_t count_rows(fn_sql *sql) {
  fn_err err = {0};
  row r = {0};
  assert_ok(fn_sql_query(sql, count, NULL, 0, take, &r, &err));
  return r.i;
}

static void test_many_rows_are_one_transaction(void **state) {
  (void)state;
  enum { N = 300 }; /* more than are sent to PostgreSQL at once */
  fn_err err = {0};
  fn_sql *sql = open_database();
  static fn_sql_value v[N][5];
  static char ids[N][16];
  int64_t changed[N];
  for (size_t k = 0; k < N; k++) {
    snprintf(ids[k], sizeof ids[k], "m%zu", k % 250); /* the last fifty are there already */
    v[k][0] = fn_sql_text(ids[k]);
    v[k][1] = fn_sql_int((int64_t)k);
    v[k][2] = v[k][3] = v[k][4] = fn_sql_null();
  }
  const int64_t before = count_rows(sql);
  assert_ok(fn_sql_run_many(sql, insert, v[0], 5, N, changed, &err));
  for (size_t k = 0; k < N; k++) assert_int_equal(changed[k], k < 250);
  assert_int_equal(count_rows(sql), before + 250);
  /* One bad row: none of them. */
  for (size_t k = 0; k < N; k++) snprintf(ids[k], sizeof ids[k], "n%zu", k);
  v[200][0] = fn_sql_null();
  static const char table[] = "CREATE TABLE m (id TEXT NOT NULL, i BIGINT, d DOUBLE PRECISION, b BYTEA, s TEXT)";
  static const char into[] = "INSERT INTO m (id, i, d, b, s) VALUES ($1, $2, $3, $4, $5)";
  assert_ok(fn_sql_run(sql, table, NULL, 0, NULL, &err));
  assert_status(fn_sql_run_many(sql, into, v[0], 5, N, changed, &err), FN_E_INVALID);
  row r = {0};
  assert_ok(fn_sql_query(sql, "SELECT count(*) FROM m", NULL, 0, take, &r, &err));
  assert_int_equal(r.i, 0);
  v[200][0] = fn_sql_text("good"); /* the connection is as good as before */
  assert_ok(fn_sql_run_many(sql, into, v[0], 5, N, NULL, &err));
  fn_sql_close(sql);
}

static void test_transactions(void **state) {
  (void)state;
  fn_err err = {0};
  fn_sql *sql = open_database(), *other = open_database();
  const int64_t before = count_rows(sql);
  const fn_sql_value v[] = {fn_sql_text("tx"), fn_sql_int(1), fn_sql_null(), fn_sql_null(), fn_sql_null()};
  assert_ok(fn_sql_begin(sql, &err));
  assert_ok(fn_sql_run(sql, insert, v, 5, NULL, &err));
  assert_int_equal(count_rows(sql), before + 1);
  assert_int_equal(count_rows(other), before); /* readers do not wait and see what was */
  fn_sql_rollback(sql);
  assert_int_equal(count_rows(sql), before);
  assert_ok(fn_sql_begin(sql, &err));
  assert_ok(fn_sql_run(sql, insert, v, 5, NULL, &err));
  assert_ok(fn_sql_commit(sql, &err));
  fn_sql_rollback(sql); /* nothing is open: nothing happens */
  assert_int_equal(count_rows(other), before + 1);
  fn_sql_close(sql);
  fn_sql_close(other);
}

static void test_errors(void **state) {
  (void)state;
  fn_err err = {0};
  fn_sql *sql = open_database(), *other;
  assert_status(fn_sql_run(sql, "SELEKT", NULL, 0, NULL, &err), FN_E_INTERNAL);
  assert_contains(err.message, "SELEKT");
  assert_contains(err.message, is_sqlite ? "x.db: SQLite" : "PostgreSQL");
  assert_status(fn_sql_query(sql, "SELECT * FROM nowhere", NULL, 0, take, NULL, &err), FN_E_INTERNAL);
  assert_contains(err.message, "nowhere");
  assert_true(is_sqlite || (!strchr(err.message, '\n') && !strstr(err.message, "SELECT")));
  fn_sql_close(sql);
  assert_status(fn_sql_open(&other, "mysql://x/y", NULL, &err), FN_E_UNSUPPORTED);
  assert_contains(err.message, "accepted are a path, sqlite:PATH and postgresql://");
  assert_status(fn_sql_open(&other, "sqlite:/nowhere/at/all.db", NULL, &err), FN_E_IO);
  assert_contains(err.message, "/nowhere/at/all.db");
  assert_status(fn_sql_open(&other, "/nowhere/x.db", &(fn_sql_options){.read_only = true}, &err), FN_E_NOT_FOUND);
  assert_status(fn_sql_open(&other, "postgresql://someone:secret@127.0.0.1:1/x", NULL, &err), FN_E_IO);
  assert_contains(err.message, "postgresql://someone@127.0.0.1:1/x");
  assert_null(strstr(err.message, "secret"));
  assert_null(strpbrk(err.message, "\n\t")); /* libpq has two lines */
}

static void test_url(void **state) {
  (void)state;
  char text[80];
  fn_sql_kind kind;
  assert_true(fn_sql_kind_of(&kind, "a/b.db") && kind == FN_SQL_SQLITE);
  assert_true(fn_sql_kind_of(&kind, "sqlite:a") && kind == FN_SQL_SQLITE);
  assert_true(fn_sql_kind_of(&kind, "postgres://h/d") && kind == FN_SQL_POSTGRESQL);
  assert_false(fn_sql_kind_of(&kind, "https://h/d"));
  static const char *const pairs[][2] = {
      {"postgresql://u:p%40ss:w@h:5432/d?sslmode=require&password=x", "postgresql://u@h:5432/d"},
      {"postgresql://u:p@a:1,[::1]:5432/d?user=me@server", "postgresql://u@a:1,[::1]:5432/d"},
      /* a password that was not escaped: it may be anything before the last @ */
      {"postgresql://u:SECRET@SECRET@h:5432/d", "postgresql://…@h:5432/d"},
      {"postgresql://u:SEC/RET@h:5432/d?x=y", "postgresql://…@h:5432/d"},
      {"postgresql://u:SECRET%zz@h/d", "postgresql://…@h/d"},
      {"postgresql://u:SEC?RET@h/d", "postgresql://…@h/d"},
      {"postgresql://u:SEC#RET@h/d", "postgresql://…@h/d"},
      {"postgresql://u:12?RET@h/d", "postgresql://…@h/d"},
      {"postgresql://u:SECRET", "postgresql://…"},
      {"host=h user=u password=SECRET", "key=value …"},
      {"postgresql://h:5432/d", "postgresql://h:5432/d"},
      {"postgresql://", "postgresql://"},
      {"postgresql://u@h", "postgresql://u@h"},
      {"sqlite:x.db", "x.db"},
      {"x.db", "x.db"},
  };
  for (size_t i = 0; i < FN_COUNT_OF(pairs); i++) {
    fn_sql_describe(text, sizeof text, pairs[i][0]);
    assert_string_equal(text, pairs[i][1]);
    if (!strstr(pairs[i][0], "SEC") && !strstr(pairs[i][0], "RET")) continue;
    fn_err err = {0};
    fn_sql *sql = NULL; /* libpq is not asked, for it would quote what it does not understand */
    assert_true(fn_sql_open(&sql, pairs[i][0], NULL, &err) != FN_OK);
    assert_null(strstr(err.message, "SEC"));
    assert_null(strstr(err.message, "RET"));
    assert_contains(err.message, strstr(pairs[i][0], "://") ? "stand as %2F" : "accepted are a path");
  }
  static const char *const others[] = {"sqlite:///x.db", "sqlite::memory:", ":memory:", "file:x.db", "sqlite:"};
  for (size_t i = 0; i < FN_COUNT_OF(others); i++) assert_false(fn_sql_kind_of(&kind, others[i]));
  assert_true(fn_sql_kind_of(&kind, "C:/x.db") && fn_sql_kind_of(&kind, "./file:x.db"));
}

static const char *const steps[] = {"CREATE TABLE a1 (x BIGINT); INSERT INTO a1 (x) VALUES (1)",
                                    "ALTER TABLE a1 ADD COLUMN y BIGINT; UPDATE a1 SET y = x + 1; "
                                    "INSERT INTO a1 (x, y) VALUES (5, 6)"};

static void test_migrations(void **state) {
  (void)state;
  fn_err err = {0};
  fn_sql *sql = open_database();
  assert_ok(fn_sql_run(sql, "DROP TABLE IF EXISTS a1", NULL, 0, NULL, &err));
  assert_ok(fn_sql_migrate(sql, "a", steps, 1, &err));
  assert_ok(fn_sql_migrate(sql, "a", steps, 1, &err));
  assert_ok(fn_sql_migrate(sql, "a", steps, 2, &err));
  row r = {0};
  assert_ok(fn_sql_query(sql, "SELECT CAST(sum(y) AS BIGINT) FROM a1", NULL, 0, take, &r, &err));
  assert_int_equal(r.i, 8);
  assert_status(fn_sql_migrate(sql, "a", steps, 1, &err), FN_E_UNSUPPORTED);
  assert_contains(err.message,
                  "written by a newer program: its schema \"a\" has version 2, this program knows up to 1");
  /* A step that fails leaves nothing of itself. */
  const char *const bad[] = {steps[0], steps[1], "CREATE TABLE a2 (x BIGINT); CREATE TABEL a3"};
  assert_status(fn_sql_migrate(sql, "a", bad, 3, &err), FN_E_INTERNAL);
  assert_status(fn_sql_run(sql, "SELECT * FROM a2", NULL, 0, NULL, &err), FN_E_INTERNAL);
  assert_ok(fn_sql_migrate(sql, "a", steps, 2, &err));
  fn_sql_close(sql);
}

static void *migrate_at_once(void *arg) {
  fn_err *err = arg;
  fn_sql *sql = NULL;
  if (fn_sql_open(&sql, url, NULL, err) != FN_OK) return NULL;
  (void)!fn_sql_migrate(sql, "b", (const char *const[]){"CREATE TABLE b1 (x BIGINT)", "CREATE TABLE b2 (x BIGINT)"}, 2,
                        err);
  fn_sql_close(sql);
  return NULL;
}

static void test_migrations_at_once(void **state) {
  (void)state;
  enum { N = 6 };
  static pthread_t threads[N];
  static fn_err errs[N];
  fn_err err = {0};
  fn_sql *sql = open_database();
  assert_ok(fn_sql_run(sql, "DROP TABLE IF EXISTS b1", NULL, 0, NULL, &err));
  assert_ok(fn_sql_run(sql, "DROP TABLE IF EXISTS b2", NULL, 0, NULL, &err));
  assert_ok(fn_sql_run(sql, "DROP TABLE IF EXISTS schema_version", NULL, 0, NULL, &err));
  fn_sql_close(sql);
  for (size_t i = 0; i < N; i++) assert_int_equal(pthread_create(&threads[i], NULL, migrate_at_once, &errs[i]), 0);
  for (size_t i = 0; i < N; i++) {
    pthread_join(threads[i], NULL);
    if (errs[i].status != FN_OK) fail_msg("%s", errs[i].message);
  }
}

static bool not_for_long(void *arg) {
  int *n = arg;
  return --*n > 0;
}

/* A statement that is given up breaks its connection: no half of a transaction goes on, and the next one is a new
 * connection's. */
static void test_given_up(void **state) {
  (void)state;
  if (is_sqlite) return;
  fn_err err = {0};
  fn_sql *sql = NULL;
  int n = 1000;
  const fn_sql_options options = {.go_on = not_for_long, .go_on_arg = &n};
  assert_ok(fn_sql_open(&sql, url, &options, &err));
  assert_ok(fn_sql_begin(sql, &err));
  const uint64_t begin = fn_clock_ns();
  n = 3;
  assert_status(fn_sql_query(sql, "SELECT pg_sleep(20)", NULL, 0, NULL, NULL, &err), FN_E_IO);
  assert_contains(err.message, "does not answer");
  assert_true(fn_clock_ns() - begin < 15000000000ull); /* of 20 s */
  n = 1000;
  assert_status(fn_sql_run(sql, "SELECT 1", NULL, 0, NULL, &err), FN_E_IO);
  fn_sql_rollback(sql);
  assert_ok(fn_sql_run(sql, "SELECT 2", NULL, 0, NULL, &err));
  n = 1; /* and nothing is tried again where there is no time */
  assert_status(fn_sql_query(sql, "SELECT pg_sleep(21)", NULL, 0, NULL, NULL, &err), FN_E_IO);
  fn_sql_close(sql);
}

/* As somebody who may only read, which root is not. */
static int read_closed(const char *path) {
  fn_err err = {0};
  fn_sql *sql = NULL;
  row r = {0};
  const fn_sql_options options = {.read_only = true};
  if (geteuid() == 0 && setuid(65534) != 0) return 10;
  if (fn_sql_open(&sql, path, NULL, &err) != FN_E_IO || !strstr(err.message, "may not write the file or its folder"))
    return 11;
  char secret[600];
  snprintf(secret, sizeof secret, "%s.secret", path);
  if (fn_sql_open(&sql, secret, &options, &err) != FN_E_IO || !strstr(err.message, "cannot be read: this user may not"))
    return 15;
  if (fn_sql_open(&sql, path, &options, &err) != FN_OK) return 12;
  if (fn_sql_query(sql, "SELECT i FROM t", NULL, 0, take, &r, &err) != FN_OK || r.i != 7) return 13;
  if (fn_sql_run(sql, "DELETE FROM t", NULL, 0, NULL, &err) != FN_E_IO) return 14;
  fn_sql_close(sql);
  return 0;
}

/* A store on a read-only file system, or another user's: SQLite's WAL asks for files beside it even to read. */
static void test_closed_folder(void **state) {
  (void)state;
  if (!is_sqlite) return;
  fn_err err = {0};
  fn_sql *sql = NULL;
  int status = -1;
  char below[512], path[520];
  snprintf(below, sizeof below, "%s/a#b%%20?", folder); /* the name is part of an address */
  snprintf(path, sizeof path, "%s/x.db", below);
  assert_ok(fn_dir_create(below, &err));
  assert_ok(fn_sql_open(&sql, path, NULL, &err));
  assert_ok(fn_sql_run(sql, "CREATE TABLE t (i BIGINT)", NULL, 0, NULL, &err));
  assert_ok(fn_sql_run(sql, "INSERT INTO t (i) VALUES (7)", NULL, 0, NULL, &err));
  fn_sql_close(sql);
  assert_status(fn_sql_open(&sql, below, NULL, &err), FN_E_INVALID);
  assert_true(strstr(err.message, "a folder; the name of a database is accepted"));
  char secret[600];
  snprintf(secret, sizeof secret, "%s.secret", path);
  assert_ok(fn_file_write(secret, "x", 1, &err));
  assert_int_equal(chmod(folder, 0755) | chmod(path, 0444) | chmod(secret, 0) | chmod(below, 0555), 0);
  const pid_t child = fork();
  if (child == 0) _exit(read_closed(path));
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(chmod(below, 0755), 0);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values_come_back),
      cmocka_unit_test(test_nothing_is_null),
      cmocka_unit_test(test_many_rows_are_one_transaction),
      cmocka_unit_test(test_transactions),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_url),
      cmocka_unit_test(test_migrations),
      cmocka_unit_test(test_migrations_at_once),
      cmocka_unit_test(test_given_up),
      cmocka_unit_test(test_closed_folder),
  };
  return cmocka_run_group_tests(tests, begin, end);
}
