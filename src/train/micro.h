/* Cutting an optimiser step into micro-batches by a token budget. The loss of the step and its dropout masks do not
 * depend on the cut: the normaliser is known before, and masks are keyed by a row's place in the draw. */
#ifndef FN_TRAIN_MICRO_H
#define FN_TRAIN_MICRO_H

#include "base/base.h"

/* Caller's storage; zero-initialise, reuse, deinit. */
typedef struct fn_micro_plan {
  uint32_t *order; /* [n] places in the draw, micro-batch after micro-batch */
  size_t *ends;    /* [n_micro] micro-batch k is order[ends[k-1] … ends[k]) */
  size_t n_micro;
  size_t capacity;
  size_t *sums; /* scratch */
  uint32_t *bins;
} fn_micro_plan;

void fn_micro_plan_deinit(fn_micro_plan *plan);
/* Packs sequences of lengths[n] tokens into as few micro-batches of at most `budget` tokens as "longest first, into the
 * first that has room" finds; a sequence over the budget stands alone. A function of lengths and budget only. */
FN_NODISCARD fn_status fn_micro_plan_cut(fn_micro_plan *plan, const uint32_t *lengths, size_t n, size_t budget,
                                         fn_err *err);

#endif
