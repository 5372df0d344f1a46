#include "infer/answer.h"

#include <math.h>

static fn_status read_unsure(fn_answering *a, const char *setting, fn_err *err) {
  a->unsure = (double)NAN;
  if (setting == NULL) return FN_OK;
  a->unsure_auto = strcmp(setting, "auto") == 0;
  if (a->unsure_auto) return FN_OK;
  double value;
  if (!fn_str_to_double(&value, fn_str_from(setting)) || !(value >= 0.5 && value <= 1.0)) {
    return fn_err_set(err, FN_E_INVALID, "infer.unsure: \"%.40s\" is not auto, null or a probability in [0.5,1]",
                      setting);
  }
  a->unsure = value;
  return FN_OK;
}

fn_status fn_answering_init(fn_answering *answering_out, const fn_infer_options *options,
                            const fn_calibration *calibration, const fn_classifier_info *info, fn_part part,
                            fn_text_mode mode, int32_t max_tokens, fn_err *err) {
  static const char *const modes[] = {"title", "text", "title+text"};
  fn_answering a = {.part = part,
                    .n_labels = info->n_labels,
                    .fake = info->n_labels == 2 ? info->fake : -1,
                    .prior = options->prior,
                    .mode = mode,
                    .windows = options->long_texts == FN_INFER_WINDOWS,
                    .max_tokens = max_tokens};
  FN_TRY(read_unsure(&a, options->unsure, err));
  if (calibration != NULL && calibration->mode == mode && a.fake >= 0) a.calibration = calibration;
  if (isnan(a.prior) || a.calibration != NULL) {
    *answering_out = a;
    return FN_OK;
  }
  if (calibration != NULL && a.fake >= 0) {
    return fn_err_set(err, FN_E_UNSUPPORTED, "infer.prior: %s is calibrated for reading %s, not %s (infer.text)",
                      info->dir, modes[calibration->mode], modes[mode]);
  }
  return fn_err_set(err, FN_E_UNSUPPORTED,
                    "infer.prior: %s is not calibrated, so it is not known what share of fakes its probabilities stand "
                    "for; calibrate it first",
                    info->dir);
}

/* Whether the encoder's reading would have been the same under the settings of the calibration. */
static bool is_read_alike(const fn_answering *a, const fn_calibration *c, const fn_prediction *p) {
  if (a->part == FN_PART_LINEAR) return true;
  if (a->windows == c->windows && a->max_tokens == c->max_tokens) return true;
  return p->n_windows == 1 && !p->truncated && (c->max_tokens == 0 || p->n_tokens <= c->max_tokens);
}

const fn_calibration_set *fn_answering_set(const fn_answering *a, const fn_prediction *p) {
  if (a->calibration == NULL || !is_read_alike(a, a->calibration, p)) return NULL;
  return fn_calibration_find(a->calibration, a->part, p->evidence.headline_only);
}

double fn_answering_prior(const fn_answering *a, const fn_article *article) {
  if (article != NULL && article->prior > 0.0) return article->prior;
  return isnan(a->prior) && a->calibration != NULL ? a->calibration->prior : a->prior;
}

double fn_answering_logit(const fn_answering *a, const fn_calibration_set *set, double prior, double encoder_logit,
                          double linear_logit, int64_t n_tokens) {
  const double logits[FN_N_HALVES] = {[FN_HALF_ENCODER] = encoder_logit, [FN_HALF_LINEAR] = linear_logit};
  double z = fn_calibration_apply(set, logits, n_tokens);
  return prior == a->calibration->prior ? z : fn_prior_shift(z, a->calibration->prior, prior);
}

void fn_answer_finish(fn_prediction *p, const fn_answering *a, const fn_article *article) {
  p->logit = p->threshold = p->prior = (double)NAN;
  p->reasons = fn_reasons_find(&p->evidence, NULL);
  if (a->fake < 0) return;
  const int32_t other = 1 - a->fake;
  const fn_calibration_set *set = fn_answering_set(a, p);
  double threshold = a->unsure;
  p->logit = p->logits[a->fake] - p->logits[other];
  if (set != NULL) {
    p->calibrated = true;
    p->prior = fn_answering_prior(a, article);
    p->logit = fn_answering_logit(a, set, p->prior, p->encoder_logit, p->linear_logit, p->n_tokens);
    p->probabilities[a->fake] = fn_sigmoid(p->logit);
    p->probabilities[other] = fn_sigmoid(-p->logit);
    p->label = p->logit > 0.0 ? a->fake : other;
    p->reasons = fn_reasons_find(&p->evidence, &set->unlike);
    /* For titles alone a threshold that did not reach its target separates nothing: no verdict at all. */
    if (a->unsure_auto) threshold = set->headline && !set->target_reached ? 2.0 : set->unsure;
  } else if (!isnan(a->prior) || (article != NULL && article->prior > 0.0)) {
    p->status = FN_E_INVALID;
    p->message = "infer.prior: this article was read in a way that the model is not calibrated for (infer.long, "
                 "infer.max_tokens, infer.text)";
    return;
  }
  p->threshold = threshold;
  p->verdict = fn_verdict_make(p->probabilities[a->fake], threshold, p->reasons);
}
