/* One prediction as the log takes it and gives it back. */
#ifndef FN_MONITOR_PREDICTION_H
#define FN_MONITOR_PREDICTION_H

#include "infer/infer.h"
#include "monitor/options.h"

/* Plain numbers of an article, for drift (docs/predictions.md). NaN: not known. */
typedef struct fn_prediction_features {
  int64_t title_bytes, text_bytes; /* as given */
  int64_t n_words;                 /* separated by white space, of both */
  double unknown_share;            /* of the encoder's tokens, those not in its vocabulary */
  double non_letter_share;         /* of the characters that are no white space, in what is read for the language */
  double english;                  /* evidence for English in nats a word; negative: against */
  double novelty;                  /* fn_evidence_novelty */
  double bytes_per_token;          /* fn_evidence_bytes_per_token */
} fn_prediction_features;

/* Borrowed views: the log copies what it needs. Texts but title and text are UTF-8 without NUL. */
typedef struct fn_prediction_row {
  fn_str id;       /* [1,64] of [A-Za-z0-9._-], unique; a row with an id that is there already is a retry */
  int64_t time_ms; /* Unix; 0: now */
  fn_str request_id, route;
  fn_str client;      /* id of the API key, or "" */
  fn_str model;       /* "name@digits" */
  fn_str title, text; /* exact bytes; data NULL: not given */
  fn_str label, verdict;
  double p_fake, logit, encoder_logit, linear_logit; /* NaN: none */
  double prior;                                      /* that p_fake stands for; NaN: not calibrated */
  bool calibrated, truncated;
  unsigned reasons; /* bits of fn_reason */
  int64_t n_tokens, n_windows;
  fn_prediction_features features;
  const float *embedding; /* [n_embedding], or NULL; kept as int8 with one scale */
  size_t n_embedding;
  fn_str answer; /* JSON, without texts */
} fn_prediction_row;

/* Fills in what follows from a prediction (its status FN_OK): everything but id, time, request_id, route, client and
 * answer, which are emptied. n_embedding: fn_session_embedding_size. Views into the arguments. */
void fn_prediction_row_fill(fn_prediction_row *row_out, const fn_classifier_info *info, const fn_article *article,
                            const fn_prediction *prediction, size_t n_embedding);

/* A row that was read back; texts are terminated and live as long as it. */
typedef struct fn_stored_prediction {
  const char *id, *request_id, *route, *client, *model;
  int64_t time_ms;
  fn_predictions_text text_kept;
  fn_str title, text;                                       /* data NULL: not kept, or not given */
  const char *title_sha256, *text_sha256;                   /* 64 hexadecimal digits; NULL: not kept, or not given */
  const char *label, *verdict, *reasons;                    /* reasons: names joined by ','; "" for none */
  double p_fake, logit, encoder_logit, linear_logit, prior; /* NaN: none */
  bool calibrated, truncated;
  int64_t n_tokens, n_windows;
  fn_prediction_features features;
  const int8_t *embedding; /* [n_embedding]; value i is embedding[i] * embedding_scale */
  size_t n_embedding;
  double embedding_scale;
  const char *answer; /* JSON */
  bool pending;       /* not in the database yet: it waits in the queue or in the spool */
  fn_arena arena;
} fn_stored_prediction;
void fn_stored_prediction_destroy(fn_stored_prediction *stored);

/* Whether title and text are those of the stored row, by what it keeps. True where it keeps nothing of them. */
bool fn_stored_prediction_has_texts(const fn_stored_prediction *stored, fn_str title, fn_str text);

/* int8 values and one scale: x ≈ values[i] * scale, scale = max|x| / 127 (1 where all are 0 or one is no number, and
 * then the values are 0). Rounds to nearest, ties to even; deterministic. */
double fn_embedding_quantise(int8_t *values_out, const float *embedding, size_t n);

#endif
