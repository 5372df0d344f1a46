#include "infer/reasons.h"

#include <math.h>

enum { MIN_MEASURED = 32 }; /* tokens or n-grams that a mean needs to say anything */

const char *const fn_reason_names[FN_N_REASONS] = {"not_english", "too_short", "unknown_tokens", "headline_only",
                                                   "unlike_training"};
const char *const fn_reason_meanings[FN_N_REASONS] = {
    "this is no English prose, and the model has learnt from English articles alone",
    "there are too few words to tell anything from", "much of it is in characters that the model does not know",
    "only a headline was given; a text would say more",
    "its words are rarer in what the model has learnt from than those of almost any article it was tested on"};

void fn_evidence_read(fn_evidence *e, fn_str title, fn_str text) {
  fn_prose_add(&e->prose, title, FN_PROSE_TITLE_WORDS);
  fn_prose_add(&e->prose, text, FN_PROSE_TEXT_WORDS);
  e->headline_only = fn_str_trim(title).length > 0 && fn_str_trim(text).length == 0;
}

void fn_evidence_add_tokens(fn_evidence *e, const fn_tokens *tokens, int32_t unknown_id) {
  if (tokens->n == 0) return;
  e->n_tokens += (int64_t)tokens->n;
  e->n_bytes += tokens->end[tokens->n - 1] - tokens->begin[0];
  for (size_t i = 0; i < tokens->n; i++) e->n_unknown += tokens->ids[i] == unknown_id;
}

double fn_evidence_bytes_per_token(const fn_evidence *e) {
  return e->n_tokens < MIN_MEASURED ? (double)NAN : (double)e->n_bytes / (double)e->n_tokens;
}

double fn_evidence_novelty(const fn_evidence *e) {
  return e->n_ngrams < MIN_MEASURED ? (double)NAN : e->novelty;
}

/* A comparison with NaN is false: what is not known is not said. */
static bool is_unlike(const fn_evidence *e, const fn_unlike_limits *limits) {
  if (e->n_ngrams > 0 && !isnan(limits->novelty_above)) return fn_evidence_novelty(e) > limits->novelty_above;
  return fn_evidence_bytes_per_token(e) < limits->bytes_per_token_below;
}

/* Scripts without white space between words, and those whose words are not counted: four letters count as one. */
static uint32_t count_words(const fn_prose *p) {
  return p->n_words + p->n_other / 4;
}

unsigned fn_reasons_find(const fn_evidence *e, const fn_unlike_limits *limits) {
  unsigned reasons = 0;
  if (fn_prose_not_english(&e->prose)) reasons |= FN_REASON_NOT_ENGLISH;
  if (count_words(&e->prose) < FN_REASON_MIN_WORDS) reasons |= FN_REASON_TOO_SHORT;
  if (10 * e->n_unknown > e->n_tokens) reasons |= FN_REASON_UNKNOWN_TOKENS;
  if (e->headline_only) reasons |= FN_REASON_HEADLINE_ONLY;
  if (limits != NULL && is_unlike(e, limits)) reasons |= FN_REASON_UNLIKE_TRAINING;
  return reasons;
}
