/* Is a text English? Three neighbouring letters weigh for or against it; scripts, links and lines without words are
 * seen on the way. Reads the beginning of a text only, so it costs microseconds whatever the length. */
#ifndef FN_INFER_LANGUAGE_H
#define FN_INFER_LANGUAGE_H

#include "base/base.h"

/* Zero-initialise. */
typedef struct fn_prose {
  uint32_t n_words; /* runs of Latin letters that were weighed */
  uint32_t n_latin; /* letters of the Latin script, outside of links */
  uint32_t n_other; /* letters of other scripts */
  uint32_t n_marks; /* digits, punctuation, emoji and whatever else is no white space, outside of links */
  uint32_t n_code;  /* of these: marks of program text, {}[]<>=_|\~^+;$ */
  uint32_t n_links; /* words that are no language: links, @names, #tags */
  int64_t evidence; /* Σ log-odds of English against other languages, in 1/64 nat; words in capitals count half */
} fn_prose;

enum { FN_PROSE_TITLE_WORDS = 40, FN_PROSE_TEXT_WORDS = 150 };

/* Adds the first max_words words of a text (UTF-8; a bad byte is a mark). */
void fn_prose_add(fn_prose *prose, fn_str text, uint32_t max_words);
/* True when what was added is no English: another script for more than three letters in ten; fewer letters than half of
 * the characters; program text by its marks; no words at all; or letters that speak against English by more than 2
 * nats. A short headline of names gives little evidence either way and passes. Figures: docs/predict.md. */
bool fn_prose_not_english(const fn_prose *prose);

/* By (first · 28 + second) · 28 + third; 0 edge of a word, 1-26 a-z, 27 any other Latin letter. In 1/32 nat. */
extern const int8_t fn_language_table[28 * 28 * 28];

#endif
