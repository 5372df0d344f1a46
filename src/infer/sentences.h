/* Sentences of an English text, by byte offsets. */
#ifndef FN_INFER_SENTENCES_H
#define FN_INFER_SENTENCES_H

#include "base/base.h"

enum { FN_SENTENCE_MAX_BYTES = 600 };

/* [begin, end) of the text, without white space at its ends; never empty. */
typedef struct fn_sentence {
  size_t begin, end;
} fn_sentence;

/* The sentence that begins at or after byte `at`; false when only white space is left. The next one begins at or after
 * sentence_out->end. A sentence ends with . ! ? or … (closing quotes and brackets included) before white space and what
 * may begin a sentence, with 。！？ anywhere, and at an empty line. A full stop is no end after a title or other
 * abbreviation (Mr., Sen., No.), an initial (J. Smith) or inside a number; after one that often ends a sentence (a.m.,
 * Inc., U.S.) it is one only before a word such as The or He. What runs on for more than FN_SENTENCE_MAX_BYTES is cut
 * at white space, or between characters where there is none. Any bytes are accepted; O(length of the sentence). */
bool fn_sentence_next(fn_sentence *sentence_out, fn_str text, size_t at);

#endif
