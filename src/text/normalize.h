/* BERT's text normalisation as a stream of code points, each with the bytes of the text it came from (Hugging Face's
 * BertNormalizer): clean, set CJK characters apart, decompose and strip accents, lower-case. Inside src/text only. */
#ifndef FN_TEXT_NORMALIZE_H
#define FN_TEXT_NORMALIZE_H

#include "text/unicode.h"

typedef struct fn_normalizer_options {
  bool clean_text, handle_chinese_chars, lowercase;
  bool strip_accents;         /* what holds */
  bool strip_accents_is_null; /* not given: follows lowercase; kept for saving */
} fn_normalizer_options;

static inline bool fn_normalizer_options_equal(fn_normalizer_options a, fn_normalizer_options b) {
  return a.clean_text == b.clean_text && a.handle_chinese_chars == b.handle_chinese_chars &&
         a.lowercase == b.lowercase && a.strip_accents == b.strip_accents;
}

/* Takes one normalised code point that came from text[begin, end). */
typedef void (*fn_char_sink)(void *arg, uint32_t code_point, uint32_t begin, uint32_t end);

/* One code point of a run of combining marks that waits for canonical ordering. */
typedef struct fn_mark {
  uint32_t code_point;
  uint32_t begin, end;
  uint8_t rank;
  bool is_first;    /* first of its decomposition: has a place in the text of its own */
  bool is_stripped; /* a nonspacing mark */
} fn_mark;

typedef struct fn_normalizer {
  fn_normalizer_options options;
  fn_char_sink sink;
  void *arg;
  uint32_t begin, end; /* of the last starter */
  fn_mark *marks, *sorted;
  size_t n_marks, marks_capacity, sorted_capacity;
  bool any_kept; /* some mark of the run is not stripped */
} fn_normalizer;

/* Nothing is allocated before the first combining mark. */
void fn_normalizer_init(fn_normalizer *normalizer, fn_normalizer_options options, fn_char_sink sink, void *arg);
void fn_normalizer_deinit(fn_normalizer *normalizer);
/* Text begins anew: marks that wait are forgotten. */
static inline void fn_normalizer_reset(fn_normalizer *normalizer) {
  normalizer->n_marks = 0;
  normalizer->any_kept = false;
  normalizer->begin = normalizer->end = 0;
}
/* Next code point of the text. Fails only when memory is short. Time is linear in the length of the text. */
FN_NODISCARD fn_status fn_normalizer_push(fn_normalizer *normalizer, uint32_t code_point, uint32_t begin, uint32_t end,
                                          fn_err *err);
/* End of the text, or a place where a starter is known to follow: hands on the marks that wait. */
FN_NODISCARD fn_status fn_normalizer_flush(fn_normalizer *normalizer, fn_err *err);

#endif
