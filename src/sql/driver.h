/* Private to src/sql: what a database must do. */
#ifndef FN_SQL_DRIVER_H
#define FN_SQL_DRIVER_H

#include "sql/sql.h"

/* handle is the driver's own connection; `where` in fn_sql names the database in messages. Every function but close and
 * rollback sets *err with the statuses of sql.h. */
typedef struct fn_sql_driver {
  fn_sql_kind kind;
  fn_status (*open)(void **handle_out, const char *url, const char *where, const fn_sql_options *options, fn_err *err);
  void (*close)(void *handle);
  fn_status (*run)(void *handle, const char *text, const fn_sql_value *values, size_t n, int64_t *n_changed_out,
                   fn_err *err);
  /* Inside a transaction. */
  fn_status (*run_many)(void *handle, const char *text, const fn_sql_value *values, size_t n, size_t n_rows,
                        int64_t *n_changed_out, fn_err *err);
  fn_status (*query)(void *handle, const char *text, const fn_sql_value *values, size_t n, fn_sql_row row, void *arg,
                     fn_err *err);
  /* Several statements without parameters. */
  fn_status (*script)(void *handle, const char *text, fn_err *err);
  fn_status (*begin)(void *handle, fn_err *err);
  fn_status (*commit)(void *handle, fn_err *err);
  void (*rollback)(void *handle);
  bool (*in_place)(const void *handle); /* NULL: always */
  const char *lock_schema; /* statement that makes other migrations wait until the end of the transaction; NULL: begin
                            * does */
} fn_sql_driver;

/* Whether an address postgresql://… is unmistakable: a password with characters that end it early is not. url.c */
bool fn_sql_address_is_whole(const char *url);

extern const fn_sql_driver fn_sql_sqlite, fn_sql_postgresql;

/* Prepared statements are kept by the address of their text. */
enum { FN_SQL_MAX_PREPARED = 64 };

#endif
