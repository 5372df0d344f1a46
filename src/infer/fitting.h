/* Fitting a calibration: rows with what each half of a model said of them, to the sets of a fn_calibration, with
 * figures by group. */
#ifndef FN_INFER_FITTING_H
#define FN_INFER_FITTING_H

#include "infer/evaluation.h"
#include "infer/labelled.h"

/* One row, or its title alone. */
typedef struct fn_fit_row {
  double logits[FN_N_HALVES]; /* log-odds of fake; NaN: the half did not read */
  int32_t label;
  bool headline;
  int64_t n_tokens;                /* as fn_prediction has it with an encoder; < 0: not known */
  double novelty, bytes_per_token; /* fn_evidence; NaN: not known */
  fn_str dataset, source;          /* "": not known */
} fn_fit_row;

/* Zero-initialise; release with deinit. */
typedef struct fn_fit_rows {
  fn_fit_row *rows;
  size_t n, capacity;
  size_t n_refused; /* left out, since there was nothing to read */
  fn_arena arena;   /* holds the names */
} fn_fit_rows;
void fn_fit_rows_deinit(fn_fit_rows *rows);

/* Adds labelled rows through a session of both halves (or of the one there is). Where title and text are read, every
 * row with both is read a second time as a headline. Rows that the session refuses are left out. The model must be
 * binary with a label "fake" (FN_E_INVALID). keep_going as in fn_evaluation_predict. */
FN_NODISCARD fn_status fn_fit_rows_add_session(fn_fit_rows *rows, fn_session *session, const fn_classifier_info *model,
                                               const fn_labelled *labelled, fn_evaluation_progress keep_going,
                                               void *arg, fn_err *err);
/* Adds rows of a table (CSV or JSON lines): columns label, dataset or source, encoder_logit or linear_logit (an empty
 * field: the half did not read), and, where known, mode (article, text or title+text; headline or title for a title
 * alone), n_tokens, novelty, bytes_per_token; others are not looked at. Logits should come from models that had no part
 * of the row's group in training. Errors name file, line and column. */
FN_NODISCARD fn_status fn_fit_rows_add_file(fn_fit_rows *rows, const char *path, const fn_data_options *options,
                                            fn_err *err);

/* One set as it was fitted, for a report; views, valid during the call. */
typedef struct fn_fitted {
  const fn_calibration_set *set;
  fn_scaling_form form;
  fn_band band; /* on all cross-fitted rows */
  size_t n_groups;
  const fn_str *group_names;        /* [n_groups]; several groups of rows in one where they were many */
  const fn_metrics *before, *after; /* [n_groups] of the group's rows, each once; after: fitted without the group */
} fn_fitted;
typedef void (*fn_fitted_see)(void *arg, const fn_fitted *fitted);

/* Fills in calibration's sets, prior, quantile and grouped_by; the rest is the caller's. One set for each part with
 * logits and for headlines where there are such rows; a headline set that cannot be fitted (too few rows, one class) is
 * left out, and skipped(arg, why) is called. FN_E_INVALID: fewer than 2 groups, one class, settings. */
typedef void (*fn_fit_skipped)(void *arg, const char *why);
FN_NODISCARD fn_status fn_calibration_fit(fn_calibration *calibration, const fn_fit_rows *rows,
                                          const fn_calibrate_options *options, fn_fitted_see see,
                                          fn_fit_skipped skipped, void *arg, fn_err *err);

/* Says in a calibration (all else zero) what it is of: the model and how the session reads. */
void fn_calibration_describe(fn_calibration *calibration, const fn_session *session, const fn_classifier_info *model,
                             const fn_infer_options *options);

/* Sets anew where unlike_training begins in the sets that calibration has, from other rows: those that the model itself
 * has read, when the sets come from a table that does not say. Sets without such rows are left as they are. */
FN_NODISCARD fn_status fn_calibration_fit_unlike(fn_calibration *calibration, const fn_fit_rows *rows,
                                                 const fn_calibrate_options *options, fn_err *err);

#endif
