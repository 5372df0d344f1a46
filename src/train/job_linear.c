#include "linear/linear.h"
#include "train/evaluate.h"
#include "train/job_internal.h"

#include <stdlib.h>

typedef struct linear_job {
  fn_job *j;
  fn_linear_options options;
  fn_linear *model;
  int64_t n_trials;
} linear_job;

static fn_linear_row *make_rows(const fn_examples *e) {
  fn_linear_row *rows = fn_mem_calloc(e->n, sizeof *rows);
  for (size_t i = 0; rows && i < e->n; i++)
    rows[i] = (fn_linear_row){e->rows[i].title, e->rows[i].text, e->rows[i].label, 1};
  return rows;
}

/* Row weights: even over dataset × label unless told otherwise, times the class weights. */
static fn_status weigh(fn_linear_row *rows, const fn_examples *e, const fn_train_options *o, fn_err *err) {
  double class_weights[2];
  FN_TRY(fn_class_weights_parse(class_weights, o->class_weights, e->counts, err));
  if (o->sampling != FN_TRAIN_SAMPLING_RANDOM) {
    FN_AUTO_FREE fn_str *groups = fn_mem_calloc(e->n, sizeof *groups);
    if (!groups) return fn_err_no_memory(err, "groups of rows");
    for (size_t i = 0; i < e->n; i++) groups[i] = e->rows[i].dataset;
    FN_TRY(fn_linear_weights_even(rows, groups, e->n, err));
  }
  for (size_t i = 0; i < e->n; i++) rows[i].weight *= class_weights[rows[i].label];
  return FN_OK;
}

static bool on_trial(void *arg, const fn_linear_trial *trial) {
  linear_job *l = arg;
  l->n_trials++;
  char text[160];
  snprintf(text, sizeof text, "%s n-grams, C = %g: training loss %.4f, validation loss %.4f%s", trial->family, trial->c,
           trial->train_loss, trial->validation_loss, trial->converged ? "" : " (did not converge)");
  const fn_train_event event = {.kind = FN_TRAIN_NOTE, .text = text};
  return fn_train_report(&l->j->job->sink, &event);
}

static fn_status evaluate(fn_metrics *metrics_out, const fn_linear *model, const fn_examples *e, fn_err *err) {
  fn_linear_scratch *scratch = NULL;
  FN_AUTO_FREE double *p = fn_mem_calloc(e->n, sizeof *p);
  FN_AUTO_FREE int32_t *labels = fn_mem_calloc(e->n, sizeof *labels);
  if (!p || !labels) return fn_err_no_memory(err, "probabilities");
  FN_TRY(fn_linear_scratch_create(&scratch, model, err));
  fn_status status = FN_OK;
  for (size_t i = 0; i < e->n && status == FN_OK; i++) {
    double logit = 0;
    status = fn_linear_predict(&logit, model, scratch, e->rows[i].title, e->rows[i].text, err);
    p[i] = 1 / (1 + exp(-logit));
    labels[i] = e->rows[i].label;
  }
  fn_linear_scratch_destroy(scratch);
  if (status != FN_OK) return status;
  return fn_metrics_compute(metrics_out, p, labels, e->n, err);
}

static fn_status fit(linear_job *l, fn_err *err) {
  const fn_job *j = l->j;
  FN_AUTO_FREE fn_linear_row *train = make_rows(&j->train), *validation = make_rows(&j->validation);
  if (!train || !validation) return fn_err_no_memory(err, "the rows of a split");
  FN_TRY(weigh(train, &j->train, &j->options, err));
  FN_TRY(weigh(validation, &j->validation, &j->options, err));
  return fn_linear_train(&l->model, train, j->train.n, validation, j->validation.n, (fn_text_mode)j->data_options.text,
                         &l->options, on_trial, l, fn_device_pool(j->device), err);
}

static fn_status save(const linear_job *l, fn_err *err) {
  FN_AUTO_FREE char *dir = fn_run_dir_file(&l->j->run, "model");
  if (!dir) return fn_err_no_memory(err, "a path");
  FN_TRY(fn_dir_create(dir, err));
  return fn_linear_save(l->model, dir, err);
}

static fn_status measure(const linear_job *l, fn_err *err) {
  fn_job *j = l->j;
  fn_train_result *r = &j->result;
  const struct {
    const char *split;
    const fn_examples *rows;
    fn_metrics *metrics;
  } parts[] = {
      {"val", &j->validation, &r->validation}, {"test", &j->test, &r->test}, {"left_out", &j->left_out, &r->left_out}};
  for (size_t i = 0; i < FN_COUNT_OF(parts); i++) {
    if (parts[i].rows->n == 0) continue;
    FN_TRY(evaluate(parts[i].metrics, l->model, parts[i].rows, err));
    FN_TRY(fn_job_metrics(j, parts[i].split, l->n_trials, parts[i].metrics, err));
  }
  return FN_OK;
}

static fn_status run(linear_job *l, fn_err *err) {
  fn_job *j = l->j;
  FN_TRY(fn_config_fill(&l->options, j->config, &fn_linear_option_table, err));
  FN_TRY(fn_job_rows(j, NULL, err));
  FN_TRY(fit(l, err));
  FN_TRY(fn_job_begin(j, 0, l->n_trials, err));
  FN_TRY(save(l, err));
  j->result.n_steps = j->result.best_step = l->n_trials;
  FN_TRY(measure(l, err));
  return fn_job_end(j, err);
}

/* The whole of it takes seconds, so the run folder appears when the model is there, and nothing is resumed. A step is a
 * value of C that was tried. */
fn_status fn_job_linear(fn_job *j, fn_err *err) {
  if (j->resuming)
    return fn_err_set(err, FN_E_INVALID, "%s: the linear family is trained in one go; start it again", j->run.path);
  if (j->job->init)
    return fn_err_set(err, FN_E_INVALID, "--init: the linear family (family=linear) starts from nothing");
  linear_job l = {.j = j};
  const fn_status status = run(&l, err);
  fn_linear_destroy(l.model);
  return status;
}
