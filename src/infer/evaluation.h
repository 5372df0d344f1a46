/* Evaluation: several systems on the same rows, over all of them and by dataset, with intervals. Beside a model stand
 * the majority class and the linear family, both from the training split: a figure alone says little. */
#ifndef FN_INFER_EVALUATION_H
#define FN_INFER_EVALUATION_H

#include "eval/eval.h"
#include "eval/options.h"
#include "infer/labelled.h"
#include "linear/linear.h"

#define FN_EVALUATION_MAX_SYSTEMS 4

typedef struct fn_evaluation_part {
  fn_metrics metrics; /* n = 0: no rows */
  fn_metrics_intervals intervals;
  bool has_intervals;
} fn_evaluation_part;

typedef struct fn_evaluation_system {
  const char *name;      /* "model", "calibrated" (the same model), "linear", "majority" */
  char description[160]; /* what it is, for people */
  fn_evaluation_part all;
  fn_evaluation_part *by_dataset; /* [n_datasets] */
} fn_evaluation_system;

/* What a calibrated model's verdicts were worth. */
typedef struct fn_verdict_counts {
  size_t n;            /* rows */
  size_t n_calibrated; /* of these: a calibration fitted */
  size_t n_verdicts;   /* not unsure */
  size_t n_right;      /* of the verdicts */
} fn_verdict_counts;

typedef struct fn_evaluation {
  const fn_labelled *rows; /* borrowed */
  fn_evaluation_system systems[FN_EVALUATION_MAX_SYSTEMS];
  size_t n_systems;
  bool has_verdicts; /* the model is calibrated */
  fn_verdict_counts verdicts;
  fn_eval_options options;
} fn_evaluation;

void fn_evaluation_init(fn_evaluation *evaluation, const fn_labelled *rows, const fn_eval_options *options);
void fn_evaluation_deinit(fn_evaluation *evaluation);
/* Measures a system that gave p_fake[rows->n]; name is static text. */
FN_NODISCARD fn_status fn_evaluation_add(fn_evaluation *evaluation, const char *name, const char *description,
                                         const double *p_fake, fn_pool *pool, fn_err *err);

/* FN_E_INVALID, with the model's labels, unless they are two with one of them called fake. */
FN_NODISCARD fn_status fn_evaluation_check_labels(const fn_classifier_info *model, fn_err *err);

/* Answers of a session. */
typedef struct fn_evaluation_answers {
  double *raw;        /* [rows->n] probability of fake as the model gives it */
  double *calibrated; /* [rows->n] the same as raw where no calibration fitted; NULL: not asked for */
  fn_verdict_counts verdicts;
} fn_evaluation_answers;
/* Fills in *answers, whose arrays are the caller's. The model must know a label for fake (FN_E_INVALID names its
 * labels) and have two. keep_going (may be NULL) is asked now and then; false ends with FN_E_CANCELLED. */
typedef bool (*fn_evaluation_progress)(void *arg, size_t n_done, size_t n_rows);
FN_NODISCARD fn_status fn_evaluation_predict(fn_evaluation_answers *answers, fn_session *session,
                                             const fn_classifier_info *classifier, const fn_labelled *rows,
                                             fn_evaluation_progress keep_going, void *arg, fn_err *err);

/* The majority baseline: share of fakes among the training rows, the same for every article. */
FN_NODISCARD fn_status fn_baseline_majority(double *p_fake_out, const fn_dataset *dataset, size_t n, fn_err *err);
/* The linear family trained on the dataset's training split (weights even over dataset × label), C by its validation
 * split; then its p_fake_out[rows->n]. */
FN_NODISCARD fn_status fn_baseline_linear(double *p_fake_out, fn_linear_info *info_out, const fn_dataset *dataset,
                                          fn_text_mode mode, const fn_linear_options *options, const fn_labelled *rows,
                                          fn_linear_progress progress, void *progress_arg, fn_pool *pool, fn_err *err);

/* Adds "model", and "calibrated" with the verdicts where a calibration fits. Errors as fn_evaluation_predict. */
FN_NODISCARD fn_status fn_evaluation_add_model(fn_evaluation *evaluation, fn_session *session,
                                               const fn_classifier_info *model, fn_pool *pool,
                                               fn_evaluation_progress keep_going, void *arg, fn_err *err);
/* Adds "linear", unless linear is NULL, and "majority". */
typedef struct fn_evaluation_baselines {
  const fn_dataset *training;
  fn_text_mode mode;
  const fn_linear_options *linear;
  fn_linear_progress progress;
  void *arg;
} fn_evaluation_baselines;
FN_NODISCARD fn_status fn_evaluation_add_baselines(fn_evaluation *evaluation, const fn_evaluation_baselines *baselines,
                                                   fn_pool *pool, fn_err *err);

/* What was evaluated, for the JSON. */
typedef struct fn_evaluation_subject {
  const fn_classifier_info *model;
  const char *data;      /* path as given */
  const char *data_hash; /* of the dataset; NULL for a file */
  const char *split;     /* NULL for a file */
  const char *baselines; /* dataset whose training split the baselines come from; NULL: none */
  const char *version;   /* of the program */
  fn_text_mode mode;
  int32_t max_tokens;     /* 0: none */
  const char *long_texts; /* "cut" or "windows" */
} fn_evaluation_subject;
/* One object: docs/schemas/evaluation.schema.json. */
void fn_evaluation_format_json(fn_buf *out, const fn_evaluation *evaluation, const fn_evaluation_subject *subject);
/* Tables for a terminal, at most 80 columns. */
void fn_evaluation_format_table(fn_buf *out, const fn_evaluation *evaluation, const fn_evaluation_subject *subject);

#endif
