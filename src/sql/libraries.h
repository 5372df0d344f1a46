/* libsqlite3 and libpq as structs of functions: the one place that knows how they come into the process. Internal to
 * src/sql. */
#ifndef FN_SQL_LIBRARIES_H
#define FN_SQL_LIBRARIES_H

#include "base/base.h"

#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else /* where Debian has it */
#include <postgresql/libpq-fe.h>
#endif
#include <sqlite3.h>

/* X(name): sqlite3_name is the member `name`. */
#define FN_SQLITE_FUNCTIONS(X)                                                                                         \
  X(open_v2)                                                                                                           \
  X(close_v2)                                                                                                          \
  X(busy_timeout)                                                                                                      \
  X(extended_result_codes)                                                                                             \
  X(exec)                                                                                                              \
  X(prepare_v3)                                                                                                        \
  X(finalize)                                                                                                          \
  X(reset)                                                                                                             \
  X(step)                                                                                                              \
  X(clear_bindings)                                                                                                    \
  X(bind_parameter_index)                                                                                              \
  X(bind_parameter_count)                                                                                              \
  X(bind_null)                                                                                                         \
  X(bind_int64)                                                                                                        \
  X(bind_double)                                                                                                       \
  X(bind_text64)                                                                                                       \
  X(bind_blob64)                                                                                                       \
  X(column_count)                                                                                                      \
  X(column_type)                                                                                                       \
  X(column_int64)                                                                                                      \
  X(column_double)                                                                                                     \
  X(column_text)                                                                                                       \
  X(column_blob)                                                                                                       \
  X(column_bytes)                                                                                                      \
  X(changes64)                                                                                                         \
  X(errmsg)                                                                                                            \
  X(errstr)                                                                                                            \
  X(get_autocommit)

typedef struct fn_sqlite {
#define FN_SQLITE_MEMBER(name) __typeof__(sqlite3_##name) *name;
  FN_SQLITE_FUNCTIONS(FN_SQLITE_MEMBER)
#undef FN_SQLITE_MEMBER
} fn_sqlite;

/* X(name): PQname is the member `name`. */
#define FN_PQ_FUNCTIONS(X)                                                                                             \
  X(connectdbParams)                                                                                                   \
  X(finish)                                                                                                            \
  X(status)                                                                                                            \
  X(transactionStatus)                                                                                                 \
  X(errorMessage)                                                                                                      \
  X(socket)                                                                                                            \
  X(setnonblocking)                                                                                                    \
  X(flush)                                                                                                             \
  X(isBusy)                                                                                                            \
  X(consumeInput)                                                                                                      \
  X(sendQuery)                                                                                                         \
  X(sendPrepare)                                                                                                       \
  X(enterPipelineMode)                                                                                                 \
  X(exitPipelineMode)                                                                                                  \
  X(pipelineSync)                                                                                                      \
  X(sendQueryPrepared)                                                                                                 \
  X(getResult)                                                                                                         \
  X(resultStatus)                                                                                                      \
  X(resultErrorMessage)                                                                                                \
  X(resultErrorField)                                                                                                  \
  X(clear)                                                                                                             \
  X(cmdTuples)                                                                                                         \
  X(ntuples)                                                                                                           \
  X(nfields)                                                                                                           \
  X(ftype)                                                                                                             \
  X(getisnull)                                                                                                         \
  X(getvalue)                                                                                                          \
  X(getlength)                                                                                                         \
  X(setNoticeProcessor)

typedef struct fn_pq {
#define FN_PQ_MEMBER(name) __typeof__(PQ##name) *name;
  FN_PQ_FUNCTIONS(FN_PQ_MEMBER)
#undef FN_PQ_MEMBER
} fn_pq;

/* Thread-safe. FN_E_UNSUPPORTED when the library is not there. */
FN_NODISCARD fn_status fn_sqlite_get(const fn_sqlite **sqlite_out, fn_err *err);
FN_NODISCARD fn_status fn_pq_get(const fn_pq **pq_out, fn_err *err);

#endif
