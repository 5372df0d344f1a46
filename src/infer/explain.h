/* Which sentences carry an answer: each is left out in turn, and what that changes is its contribution (occlusion; Li,
 * Monroe & Jurafsky 2016, "Understanding neural networks through representation erasure"). Beside them the word n-grams
 * of the linear half, whose parts in its logit are exact. */
#ifndef FN_INFER_EXPLAIN_H
#define FN_INFER_EXPLAIN_H

#include "infer/infer.h"
#include "linear/linear.h"

/* A sentence, or several neighbours where there are more than passes. */
typedef struct fn_explained_part {
  bool title;          /* the whole title is one part */
  size_t begin, end;   /* bytes of the title or the text */
  int32_t n_sentences; /* 1, or how many were left out together */
  bool read;           /* false: lies behind what the encoder reads (infer.max_tokens); no contribution */
  double contribution; /* logit of fake with it less that without it: positive towards fake. NaN: not read, or nothing
                        * would be left */
} fn_explained_part;

typedef struct fn_explanation {
  fn_prediction prediction; /* of the whole article; without windows */
  double logit;             /* of what is explained: the article as far as it is read */
  size_t read_bytes;        /* of the text */
  fn_explained_part *parts; /* [n_parts] in the order of the article */
  size_t n_parts;
  fn_linear_ngram *ngrams; /* [n_ngrams] by falling |contribution|, which is in the same logit as the parts' */
  size_t n_ngrams;
  size_t n_forwards; /* articles that were classified */
} fn_explanation;
/* Zero-initialise before the first use. */
void fn_explanation_deinit(fn_explanation *explanation);

/* Replaces *explanation. At most options->max_forwards articles are classified, all of them in one call but the first;
 * with infer.long=windows an encoder makes several passes over each, and the bound is on the passes, so there are fewer
 * and larger parts. An article that cannot be classified has status and message in prediction and no parts. The model
 * must be binary with a label "fake" (FN_E_INVALID). */
FN_NODISCARD fn_status fn_explain(fn_explanation *explanation, fn_session *session, const fn_article *article,
                                  const fn_explain_options *options, fn_err *err);

#endif
