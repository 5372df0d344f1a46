/* Private to src/infer: a session, and the part of it that reads tokens. */
#ifndef FN_INFER_SESSION_H
#define FN_INFER_SESSION_H

#include "infer/answer.h"
#include "infer/internal.h"

struct fn_session {
  const fn_classifier *classifier;
  fn_device *device;     /* borrowed */
  fn_device *own_device; /* of int8 weights, over the workers of the other; else NULL */
  bool uses_encoder, uses_linear;
  fn_sequence_options sequence; /* max_tokens 0 for the linear family */
  size_t max_windows;           /* 1: long articles are cut */
  fn_answering answering;
  /* encoder */
  fn_model *model;
  size_t budget, max_rows; /* tokens and sequences of one pass at most */
  fn_batch batch;
  float *logits;           /* [max_rows][n_labels] */
  float *batch_embeddings; /* [max_rows][C], or NULL: they are not kept */
  float *embeddings;       /* [articles of the last call][C] */
  size_t embedding_capacity;
  double *window_logits; /* of the articles of the last call with several windows, one after the other */
  fn_span *window_spans; /* beside them */
  size_t window_capacity, span_capacity;
  fn_word_cache **caches; /* [n_workers] */
  /* linear */
  fn_linear_scratch **scratches; /* [n_workers] */
  size_t n_workers;
};

/* Label and probabilities from what the halves say. */
void fn_prediction_finish(fn_prediction *prediction, const fn_session *session, const fn_article *article);

/* Fills in logits, tokens and windows of the predictions whose status is FN_OK: the encoder's part. */
FN_NODISCARD fn_status fn_session_classify_tokens(fn_prediction *predictions, fn_session *session,
                                                  const fn_article *articles, size_t n, fn_err *err);

#endif
