/* Private to src/linear: classes of characters. Fixed tables: nothing depends on the locale or the C library. */
#ifndef FN_LINEAR_CHARS_H
#define FN_LINEAR_CHARS_H

#include <stddef.h>
#include <stdint.h>

typedef enum fn_char_class {
  FN_CHAR_OTHER, /* punctuation, symbols, marks, controls: each is a token of its own */
  FN_CHAR_WORD,  /* letters, digits, whatever is numeric, underscore: a run is one token */
  FN_CHAR_SPACE  /* separates */
} fn_char_class;

/* Python's str classes: \w, \s and the rest (Unicode version: first line of chars_table.c). */
fn_char_class fn_char_classify_beyond_ascii(uint32_t code_point);
extern const uint8_t fn_ascii_classes[128];
static inline fn_char_class fn_char_classify(uint32_t code_point) {
  if (code_point < 128) return (fn_char_class)fn_ascii_classes[code_point];
  return fn_char_classify_beyond_ascii(code_point);
}

typedef struct fn_char_range {
  uint32_t first, last;
} fn_char_range;
extern const fn_char_range fn_word_ranges[]; /* ascending, above ASCII */
extern const size_t fn_n_word_ranges;

#endif
