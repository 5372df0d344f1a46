#include "infer/evaluation.h"

fn_status fn_evaluation_add_model(fn_evaluation *e, fn_session *session, const fn_classifier_info *model, fn_pool *pool,
                                  fn_evaluation_progress keep_going, void *arg, fn_err *err) {
  char description[160];
  FN_AUTO_FREE double *raw = fn_mem_calloc(e->rows->n, sizeof *raw);
  FN_AUTO_FREE double *calibrated = fn_mem_calloc(e->rows->n, sizeof *calibrated);
  if (raw == NULL || calibrated == NULL) return fn_err_no_memory(err, "probabilities");
  fn_evaluation_answers answers = {.raw = raw, .calibrated = calibrated};
  FN_TRY(fn_evaluation_predict(&answers, session, model, e->rows, keep_going, arg, err));
  snprintf(description, sizeof description, "%.100s (%.40s)", model->id, model->family);
  FN_TRY(fn_evaluation_add(e, "model", description, raw, pool, err));
  if (answers.verdicts.n_calibrated == 0) return FN_OK;
  e->has_verdicts = true;
  e->verdicts = answers.verdicts;
  snprintf(description, sizeof description, "the model's probabilities as its calibration corrects them");
  return fn_evaluation_add(e, "calibrated", description, calibrated, pool, err);
}

fn_status fn_evaluation_add_baselines(fn_evaluation *e, const fn_evaluation_baselines *b, fn_pool *pool, fn_err *err) {
  fn_linear_info linear;
  char description[160];
  FN_AUTO_FREE double *p_fake = fn_mem_calloc(e->rows->n, sizeof *p_fake);
  if (p_fake == NULL) return fn_err_no_memory(err, "probabilities");
  if (b->linear != NULL) {
    FN_TRY(
        fn_baseline_linear(p_fake, &linear, b->training, b->mode, b->linear, e->rows, b->progress, b->arg, pool, err));
    snprintf(description, sizeof description, "hashed n-grams, logistic regression, C = %g (word), %g (char)",
             linear.word_c, linear.char_c);
    FN_TRY(fn_evaluation_add(e, "linear", description, p_fake, pool, err));
  }
  FN_TRY(fn_baseline_majority(p_fake, b->training, e->rows->n, err));
  snprintf(description, sizeof description, "always the more frequent class; probability %.3f of fake", p_fake[0]);
  return fn_evaluation_add(e, "majority", description, p_fake, pool, err);
}
