/* How texts are compared when duplicates are looked for. Nothing here changes a text that is kept. */
#ifndef FN_DATA_WORDS_H
#define FN_DATA_WORDS_H

#include "base/base.h"

/* True when s holds nothing but white space (as Unicode has it) and invisible marks. */
bool fn_text_is_empty(fn_str s);

/* Appends s for exact comparison: ASCII letters lower-case, white space cut at both ends and inside made one space. */
void fn_text_normalise(fn_buf *out, fn_str s);

/* Content hash of a row: of the normalised title, a 0x1F byte, the normalised text. scratch is reset and used.
 * FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_text_hash(fn_hash128 *hash_out, fn_str title, fn_str text, fn_buf *scratch, fn_err *err);

/* Appends one hash per word of s to *words (grown with fn_mem_grow). A word is a run of letters and digits, ASCII
 * letters compared without case; each Han, Kana or Hangul character is a word of its own; punctuation and white space
 * separate. So "Don't" is the two words don, t, whatever the apostrophe. */
typedef struct fn_words {
  uint64_t *hashes;
  size_t n, capacity;
} fn_words;
FN_NODISCARD fn_status fn_words_append(fn_words *words, fn_str s, fn_err *err);

/* Words that are separated by ASCII white space: the length that people count. */
size_t fn_words_count(fn_str s);

#endif
