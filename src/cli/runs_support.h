/* What the verbs of runs share: opening the store, naming runs, tables. */
#ifndef FN_CLI_RUNS_SUPPORT_H
#define FN_CLI_RUNS_SUPPORT_H

#include "cli/track_support.h"

/* The store with what it is reached by. */
typedef struct fn_cli_runs {
  fn_cli_stores stores;
  fn_tracking *tracking;
} fn_cli_runs;
FN_NODISCARD fn_status fn_cli_runs_open(fn_cli_runs *runs_out, const fn_cli *cli, fn_cli_open_mode mode, fn_err *err);
void fn_cli_runs_close(fn_cli_runs *runs);

/* A table for a terminal: cells are texts of the arena. */
enum { FN_TABLE_MAX_COLUMNS = 48 };
typedef struct fn_table {
  const char *titles[FN_TABLE_MAX_COLUMNS];
  bool right[FN_TABLE_MAX_COLUMNS]; /* numbers */
  size_t n_columns, n_rows, capacity;
  const char **cells; /* [n_rows * n_columns] */
  fn_arena *arena;
} fn_table;
void fn_table_init(fn_table *table, fn_arena *arena);
void fn_table_deinit(fn_table *table);
/* Before the first row. */
void fn_table_column(fn_table *table, const char *title, bool right);
/* Text is copied; white space and control characters of it become spaces. */
FN_NODISCARD fn_status fn_table_cell(fn_table *table, const char *text, fn_err *err);
/* At most `width` columns: those on the right go first, but `keep` stay; then the column `cut` is shortened with "…".
 * SIZE_MAX: no limit. color: titles are dimmed. */
void fn_table_format(fn_buf *out, const fn_table *table, size_t width, size_t keep, size_t cut, bool color);

/* "0.6931", "1.2e-05", "nan"; returns out. */
const char *fn_runs_number(char out[32], double value);
/* Of "2026-11-26T21-54-11Z-words" what tells it from others, for columns that are too narrow for both. */
const char *fn_runs_given_name(const char *name);
/* "2026-11-26 21:04"; "" for 0. */
const char *fn_runs_time(char out[32], int64_t ms);
/* How long it took, or takes. */
const char *fn_runs_took(char out[32], const fn_run_info *info);
const fn_run_metric *fn_runs_metric(const fn_run_view *run, const char *key);
const char *fn_runs_pair(const fn_track_pair *pairs, size_t n, const char *key); /* NULL: none */
/* A run as a JSON object. */
void fn_runs_json(fn_json_writer *w, const char *key, const fn_run_view *run);

#endif
