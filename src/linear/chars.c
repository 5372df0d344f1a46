#include "linear/chars.h"

#include <stdbool.h>

static bool is_space(uint32_t c) {
  if (c <= 0x20) return c == 0x20 || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  if (c < 0x1680) return c == 0x85 || c == 0xA0;
  return c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

static bool is_word_beyond_ascii(uint32_t c) {
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

fn_char_class fn_char_classify(uint32_t c) {
  if (c < 0x80) {
    uint32_t letter = c | 0x20;
    if ((letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '_') return FN_CHAR_WORD;
    return is_space(c) ? FN_CHAR_SPACE : FN_CHAR_OTHER;
  }
  if (is_space(c)) return FN_CHAR_SPACE;
  return is_word_beyond_ascii(c) ? FN_CHAR_WORD : FN_CHAR_OTHER;
}
