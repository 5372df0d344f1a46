/* Private to src/audit: by what a piece of text is found again elsewhere. Words are runs of letters and digits, ASCII
 * letters compared without case; a sentence ends with . ! ? or a line break. */
#ifndef FN_AUDIT_KEYS_H
#define FN_AUDIT_KEYS_H

#include "base/base.h"

enum { FN_AUDIT_SENTENCE_WORDS = 8, FN_AUDIT_TITLE_WORDS = 3 };

typedef struct fn_audit_keys {
  size_t n_words;
  uint64_t all;        /* of the whole */
  uint64_t head, tail; /* of the first and last FN_AUDIT_SENTENCE_WORDS words, where there are twice as many; else 0 */
} fn_audit_keys;

/* sentence (may be NULL) is called for every sentence of FN_AUDIT_SENTENCE_WORDS words or more: bytes [begin, end). */
typedef void (*fn_audit_sentence_sink)(void *arg, uint64_t hash, size_t n_words, size_t begin, size_t end);
void fn_audit_keys_make(fn_audit_keys *keys_out, fn_str s, fn_audit_sentence_sink sentence, void *arg);

#endif
