/* Facade of src/train: one call trains a model of either family on a prepared dataset, in a run folder (run_dir.h), and
 * can be taken up again after any end. The parts stand in headers of their own: sampler, schedule, micro-batches,
 * optimiser step, checkpoints, trainer. */
#ifndef FN_TRAIN_TRAIN_H
#define FN_TRAIN_TRAIN_H

#include "train/events.h"
#include "train/options.h"

/* All borrowed for the call. */
typedef struct fn_train_job {
  const fn_config *config;              /* settings of all folders; they say the family */
  const fn_option_table *const *tables; /* [n_tables] that config was made of */
  size_t n_tables;
  const char *data;      /* prepared dataset; when resuming NULL takes the run's own */
  const char *init;      /* bert: "scratch", a Hugging Face directory, or owner/name in hub_cache; NULL is an error */
  const char *out;       /* run folder to make; NULL: <runs>/<UTC time>-<name> */
  const char *resume;    /* run folder to go on with, or "latest" = <runs>/latest; NULL: a new run */
  const char *runs;      /* folder of runs: "runs" */
  const char *hub_cache; /* may be NULL */
  const char *build;     /* version of the program; a resumed run must have the same */
  int64_t now_ms;        /* Unix time, for the run folder's name */
  fn_train_sink sink;
} fn_train_job;

typedef struct fn_train_result {
  char *run; /* the run folder; malloc'd, to be released with free() */
  bool stopped_early;
  int64_t n_steps, best_step;
  fn_metrics validation, test; /* of the best checkpoint; test.n = 0: no test rows */
  fn_metrics left_out;         /* n = 0: nothing was left out */
} fn_train_result;

/* Trains to the end. Everything is checked before the run folder is made: a refused job leaves nothing behind.
 * FN_E_INVALID, FN_E_NOT_FOUND, FN_E_UNSUPPORTED, FN_E_LIMIT: input refused; FN_E_IO: checkpoints written before stay;
 * FN_E_DIVERGED names the step; FN_E_CANCELLED: the sink asked, a checkpoint was saved. result_out is filled in full on
 * success; on FN_E_CANCELLED, FN_E_DIVERGED and FN_E_IO its `run` is set (or NULL when there is no folder yet). */
FN_NODISCARD fn_status fn_train(fn_train_result *result_out, const fn_train_job *job, fn_err *err);

#endif
