/* Private to src/infer: a session, and the part of it that reads tokens. */
#ifndef FN_INFER_SESSION_H
#define FN_INFER_SESSION_H

#include "infer/internal.h"

struct fn_session {
  const fn_classifier *classifier;
  fn_device *device;
  fn_sequence_options sequence; /* max_tokens 0 for the linear family */
  size_t max_windows;           /* 1: long articles are cut */
  /* transformers */
  fn_model *model;
  size_t budget, max_rows; /* tokens and sequences of one pass at most */
  fn_batch batch;
  float *logits; /* [max_rows][n_labels] */
  /* linear */
  fn_linear_scratch **scratches; /* [n_scratches] one a worker */
  size_t n_scratches;
};

/* Label and probabilities from logits. */
void fn_prediction_finish(fn_prediction *prediction, int32_t n_labels);

/* Fills the predictions whose status is FN_OK, for a transformer. */
FN_NODISCARD fn_status fn_session_classify_tokens(fn_prediction *predictions, fn_session *session,
                                                  const fn_article *articles, size_t n, fn_err *err);

#endif
