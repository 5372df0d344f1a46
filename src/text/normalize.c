#include "text/normalize.h"

#include <stdlib.h>

void fn_normalizer_init(fn_normalizer *normalizer, fn_normalizer_options options, fn_char_sink sink, void *arg) {
  *normalizer = (fn_normalizer){.options = options, .sink = sink, .arg = arg};
}

void fn_normalizer_deinit(fn_normalizer *normalizer) {
  free(normalizer->marks);
  free(normalizer->sorted);
  *normalizer = (fn_normalizer){0};
}

static void emit(const fn_normalizer *n, uint32_t code_point, uint32_t begin, uint32_t end) {
  if (!n->options.lowercase) {
    n->sink(n->arg, code_point, begin, end);
    return;
  }
  uint32_t lower[FN_CHAR_MAX_LOWER];
  size_t count = fn_char_lower(lower, code_point, fn_char_get(code_point));
  for (size_t i = 0; i < count; i++) n->sink(n->arg, lower[i], begin, end);
}

/* Canonical ordering: a stable sort of the run by rank, by counting, so that a text that is one long run costs no more
 * than another. */
static fn_status sort_marks(fn_normalizer *n, fn_err *err) {
  FN_TRY(fn_mem_grow((void **)&n->sorted, &n->sorted_capacity, n->n_marks, sizeof *n->sorted, SIZE_MAX / 64,
                     "combining marks", err));
  size_t at[FN_CHAR_RANKS] = {0};
  for (size_t i = 0; i < n->n_marks; i++) at[n->marks[i].rank]++;
  for (size_t rank = 0, total = 0; rank < FN_CHAR_RANKS; rank++) {
    size_t count = at[rank];
    at[rank] = total;
    total += count;
  }
  for (size_t i = 0; i < n->n_marks; i++) n->sorted[at[n->marks[i].rank]++] = n->marks[i];
  return FN_OK;
}

/* The engine hands out places of the text in the order in which characters stood there, whatever the sort made of the
 * characters: the k-th sorted mark that begins a decomposition gets the place of the k-th mark of the text that does,
 * and the rest of a decomposition the place handed out last. */
fn_status fn_normalizer_flush(fn_normalizer *n, fn_err *err) {
  if (n->any_kept) {
    FN_TRY(sort_marks(n, err));
    size_t place = 0;
    uint32_t begin = n->begin, end = n->end;
    for (size_t i = 0; i < n->n_marks; i++) {
      const fn_mark *mark = &n->sorted[i];
      if (mark->is_first) {
        while (!n->marks[place].is_first) place++;
        begin = n->marks[place].begin;
        end = n->marks[place].end;
        place++;
      }
      if (!mark->is_stripped) emit(n, mark->code_point, begin, end);
    }
  }
  n->n_marks = 0;
  n->any_kept = false;
  return FN_OK;
}

static fn_status push_mark(fn_normalizer *n, fn_mark mark, fn_err *err) {
  FN_TRY(fn_mem_grow((void **)&n->marks, &n->marks_capacity, n->n_marks + 1, sizeof *n->marks, SIZE_MAX / 64,
                     "combining marks", err));
  n->marks[n->n_marks++] = mark;
  n->any_kept |= !mark.is_stripped;
  return FN_OK;
}

static fn_status decompose(fn_normalizer *n, uint32_t code_point, uint32_t begin, uint32_t end, fn_err *err) {
  uint32_t parts[FN_CHAR_MAX_DECOMPOSED];
  size_t count = fn_char_decompose(parts, code_point, fn_char_get(code_point));
  for (size_t i = 0; i < count; i++) {
    const fn_char *c = fn_char_get(parts[i]);
    bool stripped = (c->flags & FN_CHAR_MARK) != 0;
    if (c->rank) {
      FN_TRY(push_mark(n, (fn_mark){parts[i], begin, end, c->rank, i == 0, stripped}, err));
      continue;
    }
    if (n->n_marks) FN_TRY(fn_normalizer_flush(n, err));
    n->begin = begin;
    n->end = end;
    if (!stripped) emit(n, parts[i], begin, end);
  }
  return FN_OK;
}

static fn_status strip_and_emit(fn_normalizer *n, uint32_t code_point, uint32_t begin, uint32_t end, fn_err *err) {
  if (n->options.strip_accents) return decompose(n, code_point, begin, end, err);
  emit(n, code_point, begin, end);
  return FN_OK;
}

fn_status fn_normalizer_push(fn_normalizer *n, uint32_t code_point, uint32_t begin, uint32_t end, fn_err *err) {
  uint8_t flags = fn_char_get(code_point)->flags;
  if (n->options.clean_text) {
    if (flags & FN_CHAR_REMOVED) return FN_OK;
    if (flags & FN_CHAR_BLANK) code_point = ' ';
  }
  if (!(flags & FN_CHAR_CJK) || !n->options.handle_chinese_chars) return strip_and_emit(n, code_point, begin, end, err);
  FN_TRY(strip_and_emit(n, ' ', begin, end, err));
  FN_TRY(strip_and_emit(n, code_point, begin, end, err));
  return strip_and_emit(n, ' ', begin, end, err);
}
