/* One encoding under way: encode.c walks the text and takes what needs the normaliser, encode_plain.c what does not.
 * Inside src/text only. */
#ifndef FN_TEXT_ENCODE_INTERNAL_H
#define FN_TEXT_ENCODE_INTERNAL_H

#include "text/tokenizer.h"
#include "text/word_cache.h"

/* One call's state. A word is collected with the place of each of its code points. */
typedef struct fn_encoder_state {
  fn_tokens *tokens;
  const fn_tokenizer *tokenizer;
  fn_word_cache *cache; /* NULL: none */
  const char *text;
  size_t max_tokens;
  fn_normalizer normalizer; /* its sink is take_char */
  fn_status status;         /* first failure inside the sink */
  fn_err *err;
  bool full; /* max_tokens reached */
  /* The word; past max_chars only its end is kept up to date. */
  uint32_t n_chars, n_bytes, word_begin, word_end;
  uint32_t begin[FN_WORD_MAX_CHARS], end[FN_WORD_MAX_CHARS];
  uint16_t bytes_end[FN_WORD_MAX_CHARS]; /* of each code point in `bytes` */
  char bytes[4 * FN_WORD_MAX_CHARS];
} fn_encoder_state;

/* Makes room for extra more tokens. Sets and returns e->status. */
FN_NODISCARD fn_status fn_encoder_grow(fn_encoder_state *e, size_t extra);

/* Appends where room is, before max_tokens is reached. */
static inline void fn_encoder_put(fn_encoder_state *e, int32_t id, uint32_t begin, uint32_t end) {
  fn_tokens *t = e->tokens;
  t->ids[t->n] = id;
  t->begin[t->n] = begin;
  t->end[t->n] = end;
  t->n++;
  e->full = t->n >= e->max_tokens;
}

/* Greedy longest match from the left (Wu et al. 2016, as in BERT). ends_out gets where each piece ends in the word.
 * Returns the number of pieces, 0 when some part of the word matches nothing. Room for n of each. */
size_t fn_encoder_match(int32_t *ids_out, uint16_t *ends_out, const fn_tokenizer *t, const char *word, size_t n);

/* Takes what can be taken of text[at, end) without the normaliser; returns how far it came. Only between words. */
uint32_t fn_encoder_take_plain(fn_encoder_state *e, uint32_t at, uint32_t end);

#endif
