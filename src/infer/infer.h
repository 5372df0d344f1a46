/* Facade of src/infer: articles in, classes with probabilities out, for a model of either family or a packed file.
 *
 *   fn_classifier *c; fn_classifier_load(&c, dir, err);
 *   fn_session *s;    fn_session_create(&s, c, &options, device, err);
 *   fn_session_classify(predictions, s, articles, n, err);
 */
#ifndef FN_INFER_INFER_H
#define FN_INFER_INFER_H

#include "data/batch.h"
#include "infer/calibration.h"
#include "infer/options.h"
#include "tensor/device.h"

#define FN_INFER_MAX_LABELS 8

/* A loaded model: what it reads, its labels, its tokenizer. Immutable; may be shared by threads. */
typedef struct fn_classifier fn_classifier;

/* path: a packed file (infer/packed.h), a directory of Hugging Face files (config.json, model.safetensors, tokenizer),
 * one of the linear family (config.json, linear.safetensors), or a run folder, whose `model` is taken. FN_E_NOT_FOUND,
 * FN_E_INVALID, FN_E_UNSUPPORTED name the file and key. The weights of a directory's transformer are read by each
 * session; a packed file's are mapped once. */
FN_NODISCARD fn_status fn_classifier_load(fn_classifier **classifier_out, const char *path, fn_err *err);
void fn_classifier_destroy(fn_classifier *classifier);
/* Reads every byte of a packed file (fn_packed_verify); FN_OK for a directory, whose files were read. */
FN_NODISCARD fn_status fn_classifier_verify(const fn_classifier *classifier, fn_err *err);

typedef struct fn_classifier_info {
  const char *dir; /* that holds config.json, or the packed file */
  const char *id;  /* "<name>@<12 hexadecimal digits>": name of the folder (of the run, for a run's model) and a hash
                    * over all files that decide the answers */
  const char *model_id; /* the same without its calibration: what a calibration names as its model */
  const char *family;   /* "linear", model_type ("bert"), or both: "bert+linear" */
  bool has_encoder, has_linear;
  bool packed; /* then these may say more: */
  const char *calibration,
      *card;            /* JSON; NULL: the model has none. A directory's calibration is its calibration.json */
  const char *checksum; /* 32 hexadecimal digits: of everything that decides the answers */
  int32_t n_labels;     /* [1, FN_INFER_MAX_LABELS] */
  const char *labels[FN_INFER_MAX_LABELS];
  int32_t fake;          /* index of the label that means fake: called "fake" in any case, or the second of LABEL_0 and
                          * LABEL_1; -1 when there is none */
  bool usage_known;      /* the model says itself how articles are given to it (always for the linear family) */
  fn_text_mode mode;     /* then: title, text or both */
  const char *data_hash; /* hash of the dataset it was trained on; "" when not known */
  /* Of the encoder, special tokens included; 0 without one: */
  int32_t max_tokens; /* of one pass, where infer.max_tokens does not say another number */
  int32_t positions;  /* the most that infer.max_tokens may say */
} fn_classifier_info;
const fn_classifier_info *fn_classifier_get_info(const fn_classifier *classifier);

typedef struct fn_article {
  fn_str title, text; /* either may be empty */
  double prior;       /* (0,1): share of fakes where this article comes from; 0: the session's (infer.prior). An article
                       * that gets an uncalibrated answer is refused with it, as with infer.prior */
} fn_article;

/* Bytes of an article's text. */
typedef struct fn_span {
  size_t begin, end;
} fn_span;

typedef struct fn_prediction {
  fn_status status;    /* FN_OK, or why this article has no answer: then message says it and the rest is zero */
  const char *message; /* "" or static text */
  int32_t label;       /* index of the most probable label; of equals the first, so a tie at 0.5 is real */
  double probabilities[FN_INFER_MAX_LABELS]; /* in [0,1], sum 1; of a calibrated answer: calibrated, at infer.prior */
  double logits[FN_INFER_MAX_LABELS];        /* mean over the windows; linear or both halves: {0, logit of fake} */
  /* What each half says: logit of fake against real, NaN when the half was not asked or its labels are others. */
  double encoder_logit, linear_logit;
  int64_t n_tokens;  /* read by the encoder, special tokens and all windows counted; linear: words and other marks */
  int32_t n_windows; /* passes over the article: 1, or more with infer.long=windows */
  bool truncated;    /* something of title or text was not read */
  size_t read_bytes; /* of the text: what lies behind was not read by the encoder; all of it where none reads */
  /* Logit of fake against real in each window, mean encoder_logit; NULL with one window or without such labels. Valid
   * until the session's next call. */
  const double *window_logits;
  /* [fn_session_embedding_size] what the encoder's head reads of the first window; NULL unless it was asked for
   * (fn_session_keep_embeddings). Valid until the session's next call. */
  const float *embedding;
  const fn_span *window_spans; /* [n_windows] of the text, beside window_logits */
  /* What may be made of it (infer/answer.h). */
  bool calibrated;    /* a calibration that fits the model, the input and the way it was read was applied */
  fn_verdict verdict; /* FN_VERDICT_NONE: the labels are not two with one of them fake */
  unsigned reasons;   /* bits of fn_reason */
  double logit;       /* log-odds of fake behind the probability; NaN without such labels */
  double threshold;   /* of the verdict: no label less probable than this gets one; above 1: none does; NaN: any does */
  double prior;       /* share of fakes that a calibrated probability stands for; NaN: not calibrated */
  fn_evidence evidence;
} fn_prediction;

/* Workspace of one thread over a classifier, which outlives it. device (borrowed) does the computing and lends its
 * workers; a session of a transformer holds weights of its own on it. Errors: settings that do not fit the model
 * (infer.max_tokens over its positions, infer.text other than what a linear model was trained on), weights that are
 * refused. */
typedef struct fn_session fn_session;
FN_NODISCARD fn_status fn_session_create(fn_session **session_out, const fn_classifier *classifier,
                                         const fn_infer_options *options, fn_device *device, fn_err *err);
void fn_session_destroy(fn_session *session);
/* From now on predictions carry what the encoder's head reads, or no longer. Costs a copy of C floats an article. */
FN_NODISCARD fn_status fn_session_keep_embeddings(fn_session *session, bool keep, fn_err *err);
/* C of the encoder; 0 where the session has none, whose predictions have no embedding. */
size_t fn_session_embedding_size(const fn_session *session);
/* What the session reads of an article, and its limit on tokens (0: none). */
fn_text_mode fn_session_mode(const fn_session *session);
int32_t fn_session_max_tokens(const fn_session *session);

/* How much of an article the encoder would read, without classifying it. */
typedef struct fn_token_counts {
  int64_t n_tokens; /* of what is read of the article, special ones counted, were it read in one pass; at most 65,536 */
  int64_t n_read;   /* of these, in all passes together every one once */
  size_t read_bytes; /* of the text */
  int32_t n_windows;
  bool truncated;
} fn_token_counts;
/* Touches nothing of the session that classifying changes: any thread, also while another one classifies. Without an
 * encoder: 0 tokens, everything is read. FN_E_NO_MEMORY, FN_E_LIMIT (over 2^31 bytes). */
FN_NODISCARD fn_status fn_session_count_tokens(fn_token_counts *counts_out, const fn_session *session,
                                               const fn_article *article, fn_err *err);

/* predictions_out[n] in the order of articles[n]. An article's answer does not depend on the others or on how many are
 * given at once. One with nothing to read gets a status of its own (FN_E_INVALID) and does not end the call. Memory
 * grows with the text of the call; cut long streams into calls. */
FN_NODISCARD fn_status fn_session_classify(fn_prediction *predictions_out, fn_session *session,
                                           const fn_article *articles, size_t n, fn_err *err);

#endif
