/* From what the halves of a model say to an answer: calibrated probability, verdict, reasons. */
#ifndef FN_INFER_ANSWER_H
#define FN_INFER_ANSWER_H

#include "infer/infer.h"

/* How a session answers; fixed when it is made. */
typedef struct fn_answering {
  const fn_calibration *calibration; /* NULL: none that fits what the session reads */
  fn_part part;                      /* halves that are asked */
  int32_t n_labels, fake;            /* fake < 0, or n_labels not 2: no verdict */
  double prior;                      /* share of fakes, NaN: the calibration's */
  bool unsure_auto;                  /* threshold of the calibration */
  double unsure;                     /* else: NaN none */
  fn_text_mode mode;
  bool windows;
  int32_t max_tokens; /* 0: no encoder */
} fn_answering;

/* infer.prior and infer.unsure over a calibration (NULL: none). FN_E_INVALID: infer.unsure is neither auto, null nor in
 * [0.5,1]; FN_E_UNSUPPORTED: infer.prior without a calibration, since it is not known what share of fakes the model's
 * probabilities stand for. dir stands in the message. */
FN_NODISCARD fn_status fn_answering_init(fn_answering *answering_out, const fn_infer_options *options,
                                         const fn_calibration *calibration, const fn_classifier_info *info,
                                         fn_part part, fn_text_mode mode, int32_t max_tokens, fn_err *err);

/* The set that fits an article, or NULL: none was fitted for such input, or it was read in another way than then (more
 * tokens, windows where the rest was cut), so that its probability stays as the model gives it. */
const fn_calibration_set *fn_answering_set(const fn_answering *answering, const fn_prediction *prediction);
/* The share of fakes that counts: the article's own, the session's, the calibration's; NaN without any. article may be
 * NULL. */
double fn_answering_prior(const fn_answering *answering, const fn_article *article);
/* Calibrated log-odds of fake at that prior. */
double fn_answering_logit(const fn_answering *answering, const fn_calibration_set *set, double prior,
                          double encoder_logit, double linear_logit, int64_t n_tokens);

/* Sets logit, prior, threshold, probabilities, label, calibrated, reasons and verdict from the halves' logits, the raw
 * probabilities and the evidence. */
void fn_answer_finish(fn_prediction *prediction, const fn_answering *answering, const fn_article *article);

#endif
