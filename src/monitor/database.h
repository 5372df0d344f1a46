/* The database of src/monitor: where it lies and what is in it (docs/predictions.md has the tables). */
#ifndef FN_MONITOR_DATABASE_H
#define FN_MONITOR_DATABASE_H

#include "monitor/prediction.h"
#include "sql/sql.h"

/* predictions.url, or predictions.db in the state folder, which is then made; malloc'd. FN_E_INVALID:
 * predictions.url=none; no folder, or one that cannot be made or written. */
FN_NODISCARD fn_status fn_database_url(char **url_out, const fn_predictions_options *options, const char *state_folder,
                                       fn_err *err);
/* Opens it and brings its tables up to date. */
FN_NODISCARD fn_status fn_database_open(fn_sql **sql_out, const char *url, const fn_sql_options *sql_options,
                                        fn_err *err);

/* Row by its id; release with fn_stored_prediction_destroy. FN_E_NOT_FOUND. */
FN_NODISCARD fn_status fn_prediction_load(fn_stored_prediction **stored_out, fn_sql *sql, fn_str id, fn_err *err);

/* Deletes predictions older than before_ms, and their feedback, max_rows at most and as one transaction; *n_out: how
 * many. Call it until that is 0. */
FN_NODISCARD fn_status fn_database_purge(size_t *n_out, fn_sql *sql, int64_t before_ms, int64_t max_rows, fn_err *err);
/* Deletes one with its feedback; FN_E_NOT_FOUND. */
FN_NODISCARD fn_status fn_database_remove(fn_sql *sql, fn_str id, fn_err *err);

#endif
