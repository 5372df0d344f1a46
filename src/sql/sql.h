/* Facade of src/sql: one small interface over SQLite and PostgreSQL. The URL decides:
 *
 *   predictions.db, sqlite:/var/lib/x.db      SQLite; made when it is not there, WAL, each commit reaches the disk
 *   postgresql://user@host/db?sslmode=…       PostgreSQL (postgres:// too); what is left out is libpq's business
 *
 * Both libraries are loaded at first use (docs/decisions/0019). The SQL is what both understand: parameters $1, $2, …;
 * types BIGINT, DOUBLE PRECISION, TEXT and BYTEA; `ON CONFLICT … DO NOTHING`; CAST where a type does not follow from
 * the place. */
#ifndef FN_SQL_SQL_H
#define FN_SQL_SQL_H

#include "base/base.h"

/* One connection. Used by one thread at a time. */
typedef struct fn_sql fn_sql;

typedef enum fn_sql_kind { FN_SQL_SQLITE, FN_SQL_POSTGRESQL } fn_sql_kind;
/* False: url is of another scheme ("mysql://…", "file:x"), ambiguous (sqlite://… has a path for some and a host for
 * others), in memory, or libpq's key=value. A path without a scheme is SQLite. */
bool fn_sql_kind_of(fn_sql_kind *kind_out, const char *url);
/* Of a SQLite database: without its "sqlite:". */
const char *fn_sql_path(const char *url);
/* The URL without its password, for messages; out[size] is always terminated. */
void fn_sql_describe(char *out, size_t size, const char *url);

typedef enum fn_sql_type { FN_SQL_NULL, FN_SQL_INT, FN_SQL_DOUBLE, FN_SQL_TEXT, FN_SQL_BLOB } fn_sql_type;
typedef struct fn_sql_value {
  fn_sql_type type;
  int64_t integer;
  double real;
  fn_str bytes; /* FN_SQL_TEXT (UTF-8 without NUL), FN_SQL_BLOB */
} fn_sql_value;

static inline fn_sql_value fn_sql_null(void) {
  fn_sql_value v = {FN_SQL_NULL, 0, 0, {NULL, 0}};
  return v;
}
static inline fn_sql_value fn_sql_int(int64_t integer) {
  fn_sql_value v = {FN_SQL_INT, integer, 0, {NULL, 0}};
  return v;
}
/* The same bits come back, but what is not a finite number is stored as NULL, and -0 as 0 by SQLite. */
static inline fn_sql_value fn_sql_double(double real) {
  fn_sql_value v = {FN_SQL_DOUBLE, 0, real, {NULL, 0}};
  return v;
}
static inline fn_sql_value fn_sql_str(fn_str text) {
  fn_sql_value v = {FN_SQL_TEXT, 0, 0, text};
  return v;
}
/* NULL is stored as NULL. */
static inline fn_sql_value fn_sql_text(const char *text) {
  fn_sql_value v = {text ? FN_SQL_TEXT : FN_SQL_NULL, 0, 0, fn_str_from(text)};
  return v;
}
static inline fn_sql_value fn_sql_blob(const void *data, size_t length) {
  fn_sql_value v = {FN_SQL_BLOB, 0, 0, {(const char *)data, length}};
  return v;
}

typedef struct fn_sql_options {
  int64_t busy_ms;    /* wait for a lock of another process, and for a connection (to each address of the host, in
                       * whole seconds from 2 on; connect_timeout in the URL goes before it), at most; 0: 5000 */
  int64_t timeout_ms; /* PostgreSQL: of one statement; 0: 30000. Also of a server that does not answer at all */
  bool read_only;     /* SQLite: the file must be there and is not written; its folder need not be writable */
  /* PostgreSQL: asked ten times a second while an answer is waited for; false breaks the connection (FN_E_IO), and no
   * other is made. NULL: always. */
  bool (*go_on)(void *arg);
  void *go_on_arg;
} fn_sql_options;

/* Statuses of everything below, beside FN_E_NO_MEMORY:
 *   FN_E_IO           the database cannot be reached, is locked or full, or the connection broke: the same call may
 *                     succeed later. A connection that broke is made anew by the next call outside of a transaction.
 *   FN_E_UNSUPPORTED  the library is not installed, the scheme is not known, a newer schema
 *   FN_E_NOT_FOUND    read_only and no file
 *   FN_E_INVALID      the database refused the values; what is there is no database
 *   FN_E_INTERNAL     it does not take the statement: a table is missing or was changed, the file is damaged
 * Messages begin with the database (without password). */

/* options may be NULL. With PostgreSQL the connection is tried at once. */
FN_NODISCARD fn_status fn_sql_open(fn_sql **sql_out, const char *url, const fn_sql_options *options, fn_err *err);
void fn_sql_close(fn_sql *sql);
fn_sql_kind fn_sql_get_kind(const fn_sql *sql);
/* Whether what the URL names is still what was opened: false when SQLite's file was removed or replaced. Then nothing
 * is committed any more (FN_E_IO). May be asked by any thread. */
bool fn_sql_in_place(const fn_sql *sql);

/* Values of one statement, columns of an answer, at most. A longer list is one value: JSON, taken apart by the database
 * (search.c of src/track does so). */
enum { FN_SQL_MAX_VALUES = 128, FN_SQL_MAX_COLUMNS = 64 };

/* Runs one statement. text is a literal or lives as long as the connection: prepared statements are kept by its address
 * (64 at most). values[n] for $1 … $n. *n_changed_out (may be NULL): rows inserted, changed or deleted. */
FN_NODISCARD fn_status fn_sql_run(fn_sql *sql, const char *text, const fn_sql_value *values, size_t n,
                                  int64_t *n_changed_out, fn_err *err);
/* The same statement for n_rows rows of values[n_rows * n], in order, as one transaction of its own or part of the one
 * that is open; with PostgreSQL without waiting for each answer. n_changed_out[n_rows] may be NULL. All or nothing. */
FN_NODISCARD fn_status fn_sql_run_many(fn_sql *sql, const char *text, const fn_sql_value *values, size_t n,
                                       size_t n_rows, int64_t *n_changed_out, fn_err *err);
/* One row of an answer; valid during the call. A status other than FN_OK ends the query with it. */
typedef fn_status (*fn_sql_row)(void *arg, const fn_sql_value *values, size_t n, fn_err *err);
/* Bound what is asked for (LIMIT): with PostgreSQL the whole answer is held. The connection must not be used inside
 * row. */
FN_NODISCARD fn_status fn_sql_query(fn_sql *sql, const char *text, const fn_sql_value *values, size_t n, fn_sql_row row,
                                    void *arg, fn_err *err);
/* A row for one number: arg is an int64_t, left alone when there is no row or no integer stands first in it. */
fn_status fn_sql_take_int(void *arg, const fn_sql_value *values, size_t n, fn_err *err);

/* One transaction at a time. SQLite: takes the lock for writing at once. After a failed statement roll back. */
FN_NODISCARD fn_status fn_sql_begin(fn_sql *sql, fn_err *err);
FN_NODISCARD fn_status fn_sql_commit(fn_sql *sql, fn_err *err);
/* Never fails: what cannot be rolled back is dropped with its connection. */
void fn_sql_rollback(fn_sql *sql);

/* After deleting: what was deleted is gone from SQLite's files too (it is overwritten with zeros at once, but an older
 * copy stands in the log of the last transactions). PostgreSQL does so by itself in time (autovacuum). Another process
 * that reads or writes at this moment puts it off: no failure. */
FN_NODISCARD fn_status fn_sql_compact(fn_sql *sql, fn_err *err);

/* Schema of one user of the database: step i (SQL, several statements, no parameters) leads from version i to i + 1.
 * Versions stand in the table schema_version(name, version). Safe when several processes start at once: one does it,
 * the others wait. FN_E_UNSUPPORTED when the database is of a later version than n_steps. */
FN_NODISCARD fn_status fn_sql_migrate(fn_sql *sql, const char *name, const char *const *steps, size_t n_steps,
                                      fn_err *err);
/* Without changing anything: at which version the schema is, 0 where it is not there. FN_E_UNSUPPORTED as above. */
FN_NODISCARD fn_status fn_sql_schema(int64_t *version_out, fn_sql *sql, const char *name, size_t n_steps, fn_err *err);

#endif
