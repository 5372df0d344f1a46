#include "text/text.h"

/* Hugging Face's truncate_encodings, LongestFirst: the shorter text keeps its tokens as long as it takes at most half;
 * the odd token goes to the one that was longer (to the second when both were the same). */
void fn_pair_cut(size_t *first, size_t *second, size_t n_special, size_t max_tokens) {
  size_t room = max_tokens > n_special ? max_tokens - n_special : 0;
  if (*first + *second <= room) return;
  size_t *small = *first > *second ? second : first, *large = small == first ? second : first;
  if (*small > room / 2) *small = room / 2;
  *large = room - *small;
}
