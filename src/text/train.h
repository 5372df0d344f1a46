/* Pieces of the vocabulary builder. Inside src/text and its tests only. */
#ifndef FN_TEXT_TRAIN_H
#define FN_TEXT_TRAIN_H

#include "text/tokenizer.h"

enum { FN_TRAIN_MAX_WORDS = 1 << 25, FN_TRAIN_MAX_ALPHABET = 1000 };

/* A distinct word: bytes[at, at + length), normalised. */
typedef struct fn_word_count {
  size_t at;
  uint32_t length;
  uint32_t n_chars;
  uint64_t count;
} fn_word_count;

typedef struct fn_word_counts {
  fn_word_count *words; /* in order of first appearance */
  size_t n, capacity;
  char *bytes;
  size_t n_bytes, bytes_capacity;
  uint32_t *table; /* open addressing: index + 1, 0 = empty */
  size_t table_size;
} fn_word_counts;

void fn_word_counts_deinit(fn_word_counts *counts);
/* Counts the words of all texts; words over max_chars code points are left out, because they would be [UNK]. */
FN_NODISCARD fn_status fn_word_counts_fill(fn_word_counts *counts, fn_text_next next, void *arg,
                                           fn_normalizer_options options, uint32_t max_chars, fn_err *err);

/* A character of the alphabet. */
typedef struct fn_letter {
  uint32_t code_point;
  bool continues; /* stands somewhere after the first place of a word */
  uint64_t count;
} fn_letter;

/* The max most frequent characters of the words (the smaller code point when two stand as often), by code point.
 * *letters_out is malloc'd. */
FN_NODISCARD fn_status fn_letters_list(fn_letter **letters_out, size_t *n_out, const fn_word_counts *counts, size_t max,
                                       fn_err *err);

#endif
