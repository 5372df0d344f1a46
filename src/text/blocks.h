/* What kinds of bytes stand in 64 bytes of text, as bit masks, so that words are found by counting zeros instead of
 * byte by byte. The kinds are a table of the tokenizer's (fn_byte_class); bytes from 0x80 on are always FN_BYTE_OTHER.
 * One plain version and faster ones for AVX2 and AVX-512 with the same answers. Inside src/text only. */
#ifndef FN_TEXT_BLOCKS_H
#define FN_TEXT_BLOCKS_H

#include "base/base.h"

/* How a byte below 0x80 ends up under the tokenizer's options. Anything not plain takes the general path. */
enum fn_byte_class { FN_BYTE_OTHER, FN_BYTE_WORD, FN_BYTE_SPACE, FN_BYTE_PUNCTUATION };

enum { FN_BLOCK_BYTES = 64 };

/* Bit i: byte i is of that kind; a space where no bit is set. */
typedef struct fn_block {
  uint64_t word, punctuation, other;
} fn_block;

/* The kinds of all bytes, twice: by byte, and as sets of high halves for each low half of a byte (Mula's and Lemire's
 * classification by two shuffles: bit h of low[b & 15] is set when byte b with b >> 4 = h belongs to the set). */
typedef struct fn_byte_classes {
  uint8_t of[256];
  uint8_t word[16], punctuation[16], space[16];
} fn_byte_classes;

/* Fills the sets from of[]; of[128 …] are set to FN_BYTE_OTHER. */
void fn_byte_classes_finish(fn_byte_classes *classes);

/* bytes[64]. */
typedef void (*fn_block_classify)(fn_block *block_out, const fn_byte_classes *classes, const unsigned char *bytes);

typedef enum fn_block_level { FN_BLOCK_PLAIN, FN_BLOCK_AVX2, FN_BLOCK_AVX512, FN_BLOCK_LEVELS } fn_block_level;
/* NULL when this processor (or build) lacks the level; FN_BLOCK_PLAIN is always there. */
fn_block_classify fn_block_classify_at(fn_block_level level);
/* The fastest one that is there. */
fn_block_classify fn_block_classify_best(void);

#endif
