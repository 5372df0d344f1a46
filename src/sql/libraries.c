#include "sql/libraries.h"

#include "base/library.h"

#include <pthread.h>

#ifdef FN_STATIC /* SQLite is part of the program, PostgreSQL is not there */

fn_status fn_sqlite_get(const fn_sqlite **sqlite_out, fn_err *err) {
  (void)err;
  static const fn_sqlite library = {
#define MEMBER(name) .name = sqlite3_##name,
      FN_SQLITE_FUNCTIONS(MEMBER)
#undef MEMBER
  };
  *sqlite_out = &library;
  return FN_OK;
}

fn_status fn_pq_get(const fn_pq **pq_out, fn_err *err) {
  (void)pq_out;
  return fn_err_set(err, FN_E_UNSUPPORTED, "PostgreSQL: this is a static build, which has SQLite alone");
}

#else

/* Written once under pthread_once, read-only afterwards. */
static fn_sqlite sqlite;
static fn_pq pq;
static fn_err sqlite_failure, pq_failure;
static pthread_once_t sqlite_once = PTHREAD_ONCE_INIT, pq_once = PTHREAD_ONCE_INIT;

static void load_sqlite(void) {
  static const char *const names[] = {"libsqlite3.so.0", NULL};
  static const fn_symbol symbols[] = {
#define SYMBOL(member) {"sqlite3_" #member, offsetof(fn_sqlite, member)},
      FN_SQLITE_FUNCTIONS(SYMBOL)
#undef SYMBOL
  };
  if (fn_library_load(&sqlite, names, symbols, FN_COUNT_OF(symbols), "libsqlite3-0", &sqlite_failure) != FN_OK)
    return; /* kept in the failure */
}

static void load_pq(void) {
  static const char *const names[] = {"libpq.so.5", NULL};
  static const fn_symbol symbols[] = {
#define SYMBOL(member) {"PQ" #member, offsetof(fn_pq, member)},
      FN_PQ_FUNCTIONS(SYMBOL)
#undef SYMBOL
  };
  if (fn_library_load(&pq, names, symbols, FN_COUNT_OF(symbols), "libpq5", &pq_failure) != FN_OK) return;
}

fn_status fn_sqlite_get(const fn_sqlite **sqlite_out, fn_err *err) {
  pthread_once(&sqlite_once, load_sqlite);
  if (sqlite_failure.status != FN_OK)
    return fn_err_set(err, sqlite_failure.status, "SQLite: %s", sqlite_failure.message);
  *sqlite_out = &sqlite;
  return FN_OK;
}

fn_status fn_pq_get(const fn_pq **pq_out, fn_err *err) {
  pthread_once(&pq_once, load_pq);
  if (pq_failure.status != FN_OK) return fn_err_set(err, pq_failure.status, "PostgreSQL: %s", pq_failure.message);
  *pq_out = &pq;
  return FN_OK;
}

#endif
