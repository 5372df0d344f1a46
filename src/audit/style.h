/* Private to src/audit: what can be counted in a title or a text without reading it. */
#ifndef FN_AUDIT_STYLE_H
#define FN_AUDIT_STYLE_H

#include "audit/sample.h"

/* X(code, name, unit). White space and words as in Python's str.split, letters A to Z and a to z. */
#define FN_STYLE_LIST(X)                                                                                               \
  X(LENGTH, "length", "characters")                                                                                    \
  X(WORDS, "words", "words")                                                                                           \
  X(SENTENCES, "sentences", "sentences") /* runs of . ! ? before white space or the end; at least 1 where words are */ \
  X(WORD_LENGTH, "word length", "characters a word")                                                                   \
  X(SENTENCE_LENGTH, "sentence length", "words a sentence")                                                            \
  X(CAPITALS, "capitals", "share of letters")                                                                          \
  X(CAPITAL_WORDS, "words in capitals", "share of words") /* of runs of two or more letters */                         \
  X(DIGITS, "digits", "share of characters")                                                                           \
  X(BEYOND_ASCII, "beyond ASCII", "share of characters")                                                               \
  X(EXCLAMATION, "exclamation marks", "marks")                                                                         \
  X(QUESTION, "question marks", "marks")                                                                               \
  X(STRAIGHT_QUOTES, "straight quotes", "marks")                                                                       \
  X(CURLY_QUOTES, "curly quotes", "marks")                                                                             \
  X(STRAIGHT_APOSTROPHES, "plain apostrophes", "marks")                                                                \
  X(ELLIPSES, "ellipses", "marks")                                                                                     \
  X(DASHES, "dashes", "marks") /* en and em */                                                                         \
  X(ROUND_BRACKETS, "round brackets", "marks")                                                                         \
  X(SQUARE_BRACKETS, "square brackets", "marks")                                                                       \
  X(COLONS, "colons", "marks")                                                                                         \
  X(SEMICOLONS, "semicolons", "marks")                                                                                 \
  X(HASHES, "hash signs", "marks")                                                                                     \
  X(AT_SIGNS, "at signs", "marks")                                                                                     \
  X(URLS, "web addresses", "addresses")                                                                                \
  X(HTML, "HTML left-overs", "tags and entities")                                                                      \
  X(MOJIBAKE, "broken encoding", "characters") /* bad UTF-8, U+FFFD, UTF-8 read as Latin-1 */                          \
  X(INVISIBLE, "odd spaces", "characters")     /* no-break, zero-width, byte-order marks, tabs */                      \
  X(LINE_BREAKS, "line breaks", "breaks")                                                                              \
  X(DOUBLE_SPACES, "double spaces", "runs")                                                                            \
  X(EDGE_SPACE, "space at an end", "ends")                                                                             \
  X(YEARS, "years", "numbers 1900 to 2099")                                                                            \
  X(MONTHS, "month names", "names")                                                                                    \
  X(WEEKDAYS, "weekday names", "names")                                                                                \
  X(DATELINE, "dateline", "1 where there is one") /* CAPITALS … dash within its first 100 bytes */                   \
  X(END_MARK, "closing mark", "1 where . ! ? or a quote ends it")                                                      \
  X(ABSENCE, "absence", "1 where there is none")

enum {
#define FN_STYLE_ENUM(code, name, unit) FN_STYLE_##code,
  FN_STYLE_LIST(FN_STYLE_ENUM)
#undef FN_STYLE_ENUM
      FN_N_STYLES
};
const char *fn_style_name(int style);
const char *fn_style_unit(int style);

void fn_style_measure(float out[FN_N_STYLES], fn_str s);

/* [2 * FN_N_STYLES][n]: feature by feature, the title's first. In the arena. */
FN_NODISCARD fn_status fn_style_table(float **table_out, fn_arena *arena, const fn_audit_sample *sample, fn_pool *pool,
                                      fn_err *err);

#endif
