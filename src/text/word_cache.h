/* The inside of fn_word_cache (text.h): words of up to 16 plain bytes that are up to three pieces. Inside src/text
 * only.
 */
#ifndef FN_TEXT_WORD_CACHE_H
#define FN_TEXT_WORD_CACHE_H

#include "text/short_words.h"
#include "text/text.h"

enum { FN_CACHED_PIECES = 3, FN_WORD_CACHE_BITS = 14 }; /* 2^14 cache lines of two entries: 1 MiB */

typedef struct fn_cached_word {
  fn_short_word word; /* low = 0: empty */
  int32_t ids[FN_CACHED_PIECES];
  uint8_t ends[FN_CACHED_PIECES]; /* of each piece, in bytes of the word */
  uint8_t n;
} fn_cached_word;

struct fn_word_cache {
  fn_hash128 tokenizer; /* whose ids these are */
  fn_cached_word *sets; /* [2^FN_WORD_CACHE_BITS][2], the word used last first */
};

/* Empties the cache unless it is the tokenizer's. */
void fn_word_cache_bind(fn_word_cache *cache, const fn_tokenizer *tokenizer);

/* The set of a word. */
static inline fn_cached_word *fn_word_cache_set(const fn_word_cache *cache, fn_short_word word) {
  return cache->sets + 2 * fn_short_word_hash(word, 64 - FN_WORD_CACHE_BITS);
}

/* NULL when it is not there. */
static inline const fn_cached_word *fn_word_cache_find(const fn_cached_word *set, fn_short_word word) {
  if (set[0].word.low == word.low && set[0].word.high == word.high) return &set[0];
  if (set[1].word.low == word.low && set[1].word.high == word.high) return &set[1];
  return NULL;
}

/* Puts a word first; the second one of the set goes. */
static inline void fn_word_cache_put(fn_cached_word *set, const fn_cached_word *word) {
  set[1] = set[0];
  set[0] = *word;
}

#endif
