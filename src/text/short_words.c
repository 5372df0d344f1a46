#include "text/short_words.h"

#include <stdlib.h>

const unsigned char fn_short_word_keep[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                              255, 255, 255, 255, 255, 255, 255, 255};

fn_status fn_short_words_init(fn_short_words *words, size_t n, fn_err *err) {
  uint32_t bits = 4;
  while (((size_t)1 << bits) * 2 < 3 * n + 3) bits++;
  *words = (fn_short_words){.shift = 64 - bits, .mask = ((size_t)1 << bits) - 1};
  words->entries = fn_mem_slab(((size_t)1 << bits) * sizeof *words->entries);
  return words->entries ? FN_OK : fn_err_no_memory(err, "vocabulary");
}

void fn_short_words_deinit(fn_short_words *words) {
  free(words->entries);
  *words = (fn_short_words){0};
}

void fn_short_words_add(fn_short_words *words, fn_short_word word, int32_t id) {
  size_t at = fn_short_word_hash(word, words->shift);
  while (words->entries[at].word.low) at = (at + 1) & words->mask;
  words->entries[at] = (fn_short_word_entry){.word = word, .id = id};
  words->n++;
}
