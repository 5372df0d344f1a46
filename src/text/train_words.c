/* Counting words for the vocabulary builder. */
#include "text/train.h"

#include <stdlib.h>

typedef struct counter {
  fn_word_counts *counts;
  fn_status status;
  fn_err *err;
  uint32_t max_chars, n_chars, n_bytes;
  char word[4 * FN_WORD_MAX_CHARS];
} counter;

void fn_word_counts_deinit(fn_word_counts *counts) {
  free(counts->words);
  free(counts->bytes);
  free(counts->table);
  *counts = (fn_word_counts){0};
}

/* Place of the word in the table: its own, or the empty one where it belongs. */
static size_t probe(const fn_word_counts *c, const char *word, size_t length) {
  size_t mask = c->table_size - 1, at = fn_hash64(word, length, 0) & mask;
  for (; c->table[at]; at = (at + 1) & mask) {
    const fn_word_count *w = &c->words[c->table[at] - 1];
    if (w->length == length && memcmp(c->bytes + w->at, word, length) == 0) break;
  }
  return at;
}

static fn_status grow_table(fn_word_counts *c, fn_err *err) {
  size_t old_size = c->table_size;
  if (c->n * 2 < old_size) return FN_OK;
  uint32_t *table = fn_mem_calloc(old_size ? old_size * 2 : 4096, sizeof *table);
  if (!table) return fn_err_no_memory(err, "words");
  free(c->table);
  c->table = table;
  c->table_size = old_size ? old_size * 2 : 4096;
  for (size_t i = 0; i < c->n; i++) table[probe(c, c->bytes + c->words[i].at, c->words[i].length)] = (uint32_t)i + 1;
  return FN_OK;
}

static fn_status count_word(fn_word_counts *c, const char *word, uint32_t length, uint32_t n_chars, fn_err *err) {
  FN_TRY(grow_table(c, err));
  size_t at = probe(c, word, length);
  if (c->table[at]) {
    c->words[c->table[at] - 1].count++;
    return FN_OK;
  }
  FN_TRY(fn_mem_grow((void **)&c->words, &c->capacity, c->n + 1, sizeof *c->words, FN_TRAIN_MAX_WORDS, "distinct words",
                     err));
  FN_TRY(fn_mem_grow((void **)&c->bytes, &c->bytes_capacity, c->n_bytes + length, 1, SIZE_MAX / 4, "words", err));
  memcpy(c->bytes + c->n_bytes, word, length);
  c->words[c->n] = (fn_word_count){c->n_bytes, length, n_chars, 1};
  c->n_bytes += length;
  c->table[at] = (uint32_t)++c->n;
  return FN_OK;
}

static void finish_word(counter *c) {
  if (c->n_chars && c->n_chars <= c->max_chars && c->status == FN_OK)
    c->status = count_word(c->counts, c->word, c->n_bytes, c->n_chars, c->err);
  c->n_chars = c->n_bytes = 0;
}

/* Sink of the normaliser, splitting as the encoder does. */
static void take_char(void *arg, uint32_t code_point, uint32_t begin, uint32_t end) {
  (void)begin;
  (void)end;
  counter *c = arg;
  uint8_t flags = fn_char_get(code_point)->flags;
  if (flags & (FN_CHAR_SPACE | FN_CHAR_PUNCTUATION)) finish_word(c);
  if (flags & FN_CHAR_SPACE) return;
  if (c->n_chars < c->max_chars) c->n_bytes += (uint32_t)fn_utf8_encode(c->word + c->n_bytes, code_point);
  if (c->n_chars <= c->max_chars) c->n_chars++;
  if (flags & FN_CHAR_PUNCTUATION) finish_word(c);
}

fn_status fn_word_counts_fill(fn_word_counts *counts, fn_text_next next, void *arg, fn_normalizer_options options,
                              uint32_t max_chars, fn_err *err) {
  counter c;
  c.counts = counts;
  c.status = FN_OK;
  c.err = err;
  c.max_chars = max_chars;
  c.n_chars = c.n_bytes = 0;
  fn_normalizer normalizer;
  fn_normalizer_init(&normalizer, options, take_char, &c);
  fn_str text;
  while (c.status == FN_OK && next(arg, &text)) {
    if (text.length > UINT32_MAX) {
      c.status = fn_err_set(err, FN_E_LIMIT, "text of %zu bytes: at most 4294967295 are accepted", text.length);
      break;
    }
    fn_status status = fn_normalizer_run(&normalizer, text.data, 0, (uint32_t)text.length, err);
    if (status == FN_OK)
      finish_word(&c);
    else
      c.status = status;
  }
  fn_normalizer_deinit(&normalizer);
  return c.status;
}
