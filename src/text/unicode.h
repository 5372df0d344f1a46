/* Properties of code points, as the Hugging Face `tokenizers` engine sees them. The tables come from that engine itself
 * (tools/unicode_tables.py), because it mixes several versions of Unicode. Inside src/text only. */
#ifndef FN_TEXT_UNICODE_H
#define FN_TEXT_UNICODE_H

#include "base/base.h"

/* Bits of fn_char.flags; tools/unicode_tables.py writes them in this order. */
enum fn_char_flag {
  FN_CHAR_REMOVED = 1,       /* dropped by clean_text: control, format, private use, U+FFFD */
  FN_CHAR_BLANK = 2,         /* replaced by U+0020 by clean_text */
  FN_CHAR_CJK = 4,           /* a word of its own by handle_chinese_chars */
  FN_CHAR_SPACE = 8,         /* White_Space: separates words */
  FN_CHAR_PUNCTUATION = 16,  /* a word of its own */
  FN_CHAR_MARK = 32,         /* nonspacing mark: dropped by strip_accents after decomposition */
  FN_CHAR_WORD = 64,         /* \w around added tokens with single_word */
  FN_CHAR_MULTI_LOWER = 128, /* `lower` is an index: fn_unicode_pool[lower] code points follow there */
};

typedef struct fn_char {
  uint8_t flags;
  uint8_t rank;         /* place of the combining class in canonical order; 0 = starter */
  uint8_t n_decomposed; /* full canonical decomposition: fn_unicode_pool[decomposed …]; 0 = decomposes to itself */
  uint16_t decomposed;
  int32_t lower; /* lower case = code point + lower, unless FN_CHAR_MULTI_LOWER */
} fn_char;

enum {
  FN_CHAR_RANKS = 64,         /* ranks are below this */
  FN_CHAR_MAX_DECOMPOSED = 4, /* code points that one decomposes to at most */
  FN_CHAR_MAX_LOWER = 3,
  FN_CHAR_BLOCK_BITS = 7,
  FN_CHAR_BAD = 0xFFFD, /* stands for a byte that is not part of valid UTF-8 */
};

extern const char fn_unicode_engine[]; /* "tokenizers 0.23.3" */
extern const uint32_t fn_unicode_pool[];
extern const fn_char fn_unicode_records[];
extern const uint16_t fn_unicode_stage1[], fn_unicode_stage2[];

/* code_point ≤ 0x10FFFF. */
static inline const fn_char *fn_char_get(uint32_t code_point) {
  uint32_t block = fn_unicode_stage1[code_point >> FN_CHAR_BLOCK_BITS];
  uint32_t low = code_point & ((1U << FN_CHAR_BLOCK_BITS) - 1);
  return &fn_unicode_records[fn_unicode_stage2[(block << FN_CHAR_BLOCK_BITS) + low]];
}

/* Full canonical decomposition (NFD without reordering); returns how many code points, ≥ 1. */
size_t fn_char_decompose(uint32_t out[FN_CHAR_MAX_DECOMPOSED], uint32_t code_point, const fn_char *c);
/* Full lower case of one code point, without context (no final sigma: the engine has none); returns how many, ≥ 1. */
size_t fn_char_lower(uint32_t out[FN_CHAR_MAX_LOWER], uint32_t code_point, const fn_char *c);

/* The code point at data[0..length), length ≥ 1, and its bytes; a bad byte is FN_CHAR_BAD of one byte. */
static inline size_t fn_char_read(uint32_t *code_point_out, const char *data, size_t length) {
  unsigned char c = (unsigned char)data[0];
  if (c < 0x80) {
    *code_point_out = c;
    return 1;
  }
  size_t n = fn_utf8_decode(code_point_out, data, length);
  if (n) return n;
  *code_point_out = FN_CHAR_BAD;
  return 1;
}
/* The code point that ends at data[end), end ≥ 1, with nothing read before data[begin]. */
size_t fn_char_read_back(uint32_t *code_point_out, const char *data, size_t begin, size_t end);

#endif
