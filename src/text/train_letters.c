/* The alphabet of the vocabulary builder. */
#include "text/train.h"

#include <stdlib.h>

/* Characters are counted in pages of 256 code points, made as they are met: texts use few of them. */
enum { N_PAGES = 0x110000 / 256 };

static int by_count(const void *a, const void *b) {
  const fn_letter *x = a, *y = b;
  if (x->count != y->count) return x->count < y->count ? 1 : -1;
  return (x->code_point > y->code_point) - (x->code_point < y->code_point);
}
static int by_code_point(const void *a, const void *b) {
  const fn_letter *x = a, *y = b;
  return (x->code_point > y->code_point) - (x->code_point < y->code_point);
}

static fn_status count_letters(fn_letter **pages, fn_arena *arena, const fn_word_counts *counts, fn_err *err) {
  for (size_t i = 0; i < counts->n; i++) {
    const fn_word_count *w = &counts->words[i];
    for (size_t at = 0; at < w->length;) {
      uint32_t c;
      size_t n = fn_char_read(&c, counts->bytes + w->at + at, w->length - at);
      fn_letter **page = &pages[c >> 8];
      if (!*page) *page = fn_arena_alloc(arena, 256, sizeof(fn_letter));
      if (!*page) return fn_err_no_memory(err, "alphabet");
      fn_letter *letter = &(*page)[c & 255];
      letter->code_point = c;
      letter->count += w->count;
      letter->continues |= at > 0;
      at += n;
    }
  }
  return FN_OK;
}

/* Appends the letters of a page that stand in the texts. */
static fn_status take_page(fn_letter **letters, size_t *n, size_t *capacity, const fn_letter *page, fn_err *err) {
  for (size_t i = 0; i < 256; i++) {
    if (page[i].count == 0) continue;
    FN_TRY(fn_mem_grow((void **)letters, capacity, *n + 1, sizeof **letters, N_PAGES * 256, "alphabet", err));
    (*letters)[(*n)++] = page[i];
  }
  return FN_OK;
}

fn_status fn_letters_list(fn_letter **letters_out, size_t *n_out, const fn_word_counts *counts, size_t max,
                          fn_err *err) {
  fn_letter *pages[N_PAGES] = {0}, *letters = NULL;
  size_t n = 0, capacity = 0;
  fn_arena arena;
  fn_arena_init(&arena);
  fn_status status = count_letters(pages, &arena, counts, err);
  for (size_t i = 0; i < N_PAGES && status == FN_OK; i++)
    if (pages[i]) status = take_page(&letters, &n, &capacity, pages[i], err);
  fn_arena_deinit(&arena);
  if (status != FN_OK) {
    free(letters);
    return status;
  }
  if (n) qsort(letters, n, sizeof *letters, by_count);
  if (n > max) n = max;
  if (n) qsort(letters, n, sizeof *letters, by_code_point);
  *letters_out = letters;
  *n_out = n;
  return FN_OK;
}
