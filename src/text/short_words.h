/* Whole words of up to 16 plain bytes that are one token: nine in ten words of English text. A lookup costs one cache
 * line where the trie takes one for each byte. Inside src/text only. */
#ifndef FN_TEXT_SHORT_WORDS_H
#define FN_TEXT_SHORT_WORDS_H

#include "base/base.h"

enum { FN_SHORT_WORD_BYTES = 16 };

/* A word as two numbers, zero-padded: words hold no 0 byte, so that different words differ. */
typedef struct fn_short_word {
  uint64_t low, high;
} fn_short_word;

typedef struct fn_short_word_entry {
  fn_short_word word; /* 0, 0 = empty */
  int32_t id;
  int32_t unused[3]; /* two to a cache line, none across two */
} fn_short_word_entry;

typedef struct fn_short_words {
  fn_short_word_entry *entries; /* open addressing */
  size_t n;
  uint32_t shift; /* 64 - log2 of the number of entries */
  size_t mask;    /* that number - 1 */
} fn_short_words;

/* Room for n words, at most two thirds full. Release with deinit. */
FN_NODISCARD fn_status fn_short_words_init(fn_short_words *words, size_t n, fn_err *err);
void fn_short_words_deinit(fn_short_words *words);
/* At most n times; words differ. */
void fn_short_words_add(fn_short_words *words, fn_short_word word, int32_t id);

/* length in [1, 16]. */
static inline fn_short_word fn_short_word_make(const char *bytes, size_t length) {
  char padded[FN_SHORT_WORD_BYTES] = {0};
  fn_short_word word;
  memcpy(padded, bytes, length);
  memcpy(&word.low, padded, 8);
  memcpy(&word.high, padded + 8, 8);
  return word;
}

/* 16 bytes of 0xFF and 16 of 0: from 16 - n on, n bytes are kept of 16. */
extern const unsigned char fn_short_word_keep[32];

/* The same of bytes of which 16 can be read: no loop, no branch. */
static inline fn_short_word fn_short_word_load(const unsigned char *bytes, size_t length) {
  fn_short_word word, keep;
  memcpy(&word, bytes, sizeof word);
  memcpy(&keep, fn_short_word_keep + FN_SHORT_WORD_BYTES - length, sizeof keep);
  word.low &= keep.low;
  word.high &= keep.high;
  return word;
}

static inline size_t fn_short_word_hash(fn_short_word word, uint32_t shift) {
  return (size_t)((word.low * 0x9E3779B97F4A7C15U ^ (word.high + (word.low >> 32)) * 0xD6E8FEB86659FD93U) >> shift);
}

/* Where the search for a word begins: what is to be fetched early. */
static inline size_t fn_short_words_slot(const fn_short_words *words, fn_short_word word) {
  return fn_short_word_hash(word, words->shift);
}

/* Its id, -1 when it is not there. slot: fn_short_words_slot of the word. */
static inline int32_t fn_short_words_find_at(const fn_short_words *words, fn_short_word word, size_t slot) {
  for (size_t at = slot;; at = (at + 1) & words->mask) {
    const fn_short_word_entry *entry = &words->entries[at];
    if (entry->word.low == word.low && entry->word.high == word.high) return entry->id;
    if (entry->word.low == 0) return -1;
  }
}

#endif
