/* Inside of fn_train: what both families share while a job is under way. */
#ifndef FN_TRAIN_JOB_INTERNAL_H
#define FN_TRAIN_JOB_INTERNAL_H

#include "data/data.h"
#include "model/options.h"
#include "tensor/options.h"
#include "train/examples.h"
#include "train/record.h"
#include "train/run_dir.h"
#include "train/train.h"

/* How a new run is told what it starts from; the run folder is made when everything has been checked. */
typedef struct fn_job {
  const fn_train_job *job;
  fn_config *own_config;   /* of a resumed run; NULL otherwise */
  const fn_config *config; /* own_config or the job's */
  fn_train_options options;
  fn_data_options data_options;
  fn_tensor_options tensor_options;
  fn_device *device;
  fn_dataset *dataset;
  bool resuming, config_changed;
  fn_run_record record; /* a resumed run's, or what is to be written */
  fn_run_dir run;
  fn_examples train, validation, test, left_out;
  fn_train_result result;
} fn_job;

fn_status fn_job_bert(fn_job *job, fn_err *err);
fn_status fn_job_linear(fn_job *job, fn_err *err);

/* Fills the four lists of rows: the splits without data.leave_out, and all of that dataset. FN_E_INVALID when training
 * lacks a class or validation rows. cache may be NULL. */
fn_status fn_job_rows(fn_job *job, const fn_token_cache *cache, fn_err *err);

/* Makes the run folder with run.json and config.yaml (new run), or rewrites config.yaml when settings changed
 * (resumed). Reports FN_TRAIN_BEGIN. */
fn_status fn_job_begin(fn_job *job, int64_t step, int64_t n_steps, fn_err *err);
/* A remark to the sink. */
void fn_job_note(const fn_job *job, const char *format, ...) FN_PRINTF(2, 3);
/* Appends a line with a split's metrics ("test", "left_out") and reports it. */
fn_status fn_job_metrics(fn_job *job, const char *split, int64_t step, const fn_metrics *metrics, fn_err *err);
/* result.json, link or folder `model` is there already; reports FN_TRAIN_DONE. */
fn_status fn_job_end(fn_job *job, fn_err *err);

#endif
