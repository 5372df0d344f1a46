/* What the files of the W&B sink share. Internal to src/wandb. */
#ifndef FN_WANDB_INTERNAL_H
#define FN_WANDB_INTERNAL_H

#include "wandb/log.h"
#include "wandb/records.h"
#include "wandb/wandb.h"

enum { FN_WANDB_MAX_KEYS = 1 << 20, FN_WANDB_MAX_FILES = 100000 };

/* Keys in the order they came, found by hash. Texts live in an arena. */
typedef struct fn_wandb_entry {
  const char *key, *json; /* of settings: the value as JSON */
  double value;           /* of metrics */
  bool in_row, changed;   /* of metrics: part of the row that is open; of settings: not written yet */
} fn_wandb_entry;
typedef struct fn_wandb_table {
  fn_wandb_entry *entries;
  uint32_t *slots; /* number of an entry + 1; 0: free */
  size_t n, capacity, n_slots;
} fn_wandb_table;
/* The entry of a key, made when it is not there; NULL when memory is short. */
fn_wandb_entry *fn_wandb_find(fn_wandb_table *table, fn_arena *arena, const char *key);
void fn_wandb_table_deinit(fn_wandb_table *table);

typedef struct fn_wandb_artifact_file {
  char *path, *source;
} fn_wandb_artifact_file;

typedef struct fn_wandb_sink {
  fn_arena arena;
  fn_wandb_run run;
  const char *dir, *version, *model_name;
  const char *run_id, *run_folder; /* of the run here; folder NULL: none */
  const char *folder;              /* NULL: not begun */
  fn_wandb_log *log;
  int64_t num; /* of the latest record */
  int n_calls;
  fn_buf record;
  fn_wandb_table config, tags, metrics;
  /* the row that is open */
  size_t *row;
  size_t n_row, row_capacity;
  int64_t row_step, row_ms;
  /* system metrics of one moment */
  fn_wandb_item *stats;
  size_t n_stats, stats_capacity;
  int64_t stats_ms;
  fn_arena stats_arena;
  const char **files; /* below files/ */
  size_t n_files, files_capacity;
  fn_wandb_artifact_file *model;
  size_t n_model, model_capacity;
  fn_buf output; /* files/output.log */
  int64_t last_ms, summary_at_ms;
  bool ended;
  fn_run_status status;
} fn_wandb_sink;

/* A double as JSON, also NaN and Infinity. */
const char *fn_wandb_number(fn_arena *arena, double value);
/* A record that stands in sink->record goes to the file. */
void fn_wandb_write(fn_wandb_sink *sink);
int64_t fn_wandb_next(fn_wandb_sink *sink);

/* wandb_files.c: files/config.yaml, wandb-metadata.json, requirements.txt; with `last` wandb-summary.json, output.log.
 */
FN_NODISCARD fn_status fn_wandb_write_files(fn_wandb_sink *sink, bool last, fn_err *err);
/* A small file of the run, as a link below files/. */
FN_NODISCARD fn_status fn_wandb_link_file(fn_wandb_sink *sink, const char *path, const char *source, fn_err *err);
/* The record of the model's files. */
FN_NODISCARD fn_status fn_wandb_write_model(fn_wandb_sink *sink, fn_err *err);
/* Items of the settings: parameters nested at their dots, tags under run_tags. changed_only: those not written yet. */
FN_NODISCARD fn_status fn_wandb_settings(fn_wandb_item **items_out, size_t *n_out, fn_wandb_sink *sink, fn_arena *arena,
                                         bool changed_only, fn_err *err);
FN_NODISCARD fn_status fn_wandb_summary(fn_wandb_item **items_out, size_t *n_out, fn_wandb_sink *sink, fn_arena *arena,
                                        fn_err *err);

/* A value of the row that is open. */
FN_NODISCARD fn_status fn_wandb_row_add(fn_wandb_sink *sink, const char *key, double value, fn_err *err);
/* open_row.c: the row that is open, kept beside the run until the sink is closed; and that of a process that was
 * killed, when it is of no later step than the one that the training goes on after. */
void fn_wandb_keep_row(const fn_wandb_sink *sink);
void fn_wandb_drop_row(const fn_wandb_sink *sink);
FN_NODISCARD fn_status fn_wandb_take_up_row(fn_wandb_sink *sink, int64_t resume_step, fn_err *err);

/* Of the options, or of the run's experiment, or "fakenews". */
const char *fn_wandb_project(const fn_wandb_sink_options *options);

#endif
