/* Private to src/infer: what a classifier holds. */
#ifndef FN_INFER_INTERNAL_H
#define FN_INFER_INTERNAL_H

#include "infer/infer.h"
#include "infer/packed.h"
#include "linear/linear.h"
#include "model/model.h"

struct fn_classifier {
  fn_classifier_info info; /* strings in the arena */
  fn_arena arena;
  fn_packed *packed;           /* a packed file, which the rest then are views of; else NULL */
  fn_linear *linear;           /* of the linear family, or the linear half of a packed file; else NULL */
  fn_tokenizer *tokenizer;     /* with an encoder, else NULL */
  fn_model_config config;      /* with an encoder */
  fn_calibration *calibration; /* in the arena; NULL: none */
};
static inline bool fn_classifier_has_encoder(const fn_classifier *c) {
  return c->tokenizer != NULL;
}

/* Windows of a long text: how many passes, and where each begins in the text's tokens. Every window holds the title and
 * is full; the last ends with the text, so it may overlap the one before. */
typedef struct fn_windows {
  size_t n;        /* ≥ 1 */
  size_t capacity; /* tokens of the text that one pass takes */
  size_t n_text;   /* tokens to spread: all of the text, or what max_windows passes take */
} fn_windows;
fn_windows fn_windows_plan(size_t n_title, size_t n_text, const fn_sequence_options *sequence, size_t max_windows);
static inline size_t fn_windows_begin(const fn_windows *w, size_t i) {
  return i + 1 < w->n ? i * w->capacity : w->n_text > w->capacity ? w->n_text - w->capacity : 0;
}

#endif
