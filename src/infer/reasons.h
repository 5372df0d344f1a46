/* Why an answer deserves less trust: what can be said of an article before any model is asked. */
#ifndef FN_INFER_REASONS_H
#define FN_INFER_REASONS_H

#include "infer/language.h"
#include "text/text.h"

/* Bits; the first three force the verdict `unsure`. */
typedef enum fn_reason {
  FN_REASON_NOT_ENGLISH = 1,      /* another language or script, a link, program text, random letters, numbers */
  FN_REASON_TOO_SHORT = 2,        /* fewer than FN_REASON_MIN_WORDS words */
  FN_REASON_UNKNOWN_TOKENS = 4,   /* more than one token in ten that the encoder's vocabulary does not have */
  FN_REASON_HEADLINE_ONLY = 8,    /* a title without a text */
  FN_REASON_UNLIKE_TRAINING = 16, /* words that are rarer in the training rows than in almost all articles that the
                                   * calibration saw */
} fn_reason;
enum { FN_N_REASONS = 5, FN_REASON_MIN_WORDS = 5 };
#define FN_REASONS_UNSURE ((unsigned)(FN_REASON_NOT_ENGLISH | FN_REASON_TOO_SHORT | FN_REASON_UNKNOWN_TOKENS))
/* "not_english" …; i < FN_N_REASONS is the bit's number. */
extern const char *const fn_reason_names[FN_N_REASONS];
/* One sentence for people: what was found and what it means. */
extern const char *const fn_reason_meanings[FN_N_REASONS];

/* What is known of an article that was read; zero where a half did not read. Plain numbers, so that a threshold from
 * calibration can be put on them whatever the model. */
typedef struct fn_evidence {
  fn_prose prose;     /* of the title (if it is read) and the text (if it is read) */
  bool headline_only; /* title but no text */
  int64_t n_tokens;   /* of the encoder's tokenizer, special ones not counted, as far as they were made */
  int64_t n_unknown;  /* of these: not in its vocabulary */
  int64_t n_bytes;    /* of the article that these tokens cover, white space between them included */
  int64_t n_ngrams;   /* different word n-grams that the linear half read */
  double novelty;     /* in [0,1], how rare they are in the training rows (fn_linear_facts) */
} fn_evidence;

/* title or text that is not read is given empty. */
void fn_evidence_read(fn_evidence *evidence, fn_str title, fn_str text);
/* Adds the tokens of the title or the text. */
void fn_evidence_add_tokens(fn_evidence *evidence, const fn_tokens *tokens, int32_t unknown_id);
/* Bytes a token covers on average: small where words fall into many pieces. NaN with fewer than 32 tokens. */
double fn_evidence_bytes_per_token(const fn_evidence *evidence);
/* evidence->novelty, NaN with fewer than 32 n-grams. */
double fn_evidence_novelty(const fn_evidence *evidence);

/* Where unlike_training begins, from calibration; NaN: not known, never said. The linear half's measure goes first; the
 * encoder's stands in for it where only the encoder read. */
typedef struct fn_unlike_limits {
  double novelty_above;
  double bytes_per_token_below;
} fn_unlike_limits;

/* Bits of fn_reason. limits may be NULL. */
unsigned fn_reasons_find(const fn_evidence *evidence, const fn_unlike_limits *limits);

#endif
