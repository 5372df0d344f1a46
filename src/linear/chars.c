#include "linear/chars.h"

#include <stdbool.h>

/* Letters, digits and _ are 1, white space 2. */
const uint8_t fn_ascii_classes[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, /* controls */
    2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, /* digits */
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, /* capitals */
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, /* small */
};

static bool is_space(uint32_t c) {
  if (c < 0x1680) return c == 0x85 || c == 0xA0;
  return c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

static bool is_word(uint32_t c) {
  size_t low = 0, high = fn_n_word_ranges;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (fn_word_ranges[middle].last < c) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < fn_n_word_ranges && fn_word_ranges[low].first <= c;
}

fn_char_class fn_char_classify_beyond_ascii(uint32_t c) {
  if (is_space(c)) return FN_CHAR_SPACE;
  return is_word(c) ? FN_CHAR_WORD : FN_CHAR_OTHER;
}
