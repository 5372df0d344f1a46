/* Learning rate over the steps of a run. */
#ifndef FN_TRAIN_SCHEDULE_H
#define FN_TRAIN_SCHEDULE_H

#include "base/base.h"

typedef enum fn_schedule_kind { FN_SCHEDULE_LINEAR, FN_SCHEDULE_CONSTANT, FN_SCHEDULE_COSINE } fn_schedule_kind;

typedef struct fn_schedule {
  fn_schedule_kind kind;
  int64_t n_warmup, n_steps;
} fn_schedule;

/* warmup < 1: share of n_steps, rounded up; ≥ 1: number of steps. */
fn_schedule fn_schedule_make(fn_schedule_kind kind, double warmup, int64_t n_steps);
/* Factor on the learning rate of step `step` (0 … n_steps-1): grows from 0 over the warm-up, then stays (constant),
 * falls in a line to 0 at n_steps (linear), or along half a cosine (cosine). The same numbers as Hugging Face's
 * get_{linear,constant,cosine}_schedule_with_warmup; so with a warm-up the first step moves nothing. */
double fn_schedule_factor(const fn_schedule *schedule, int64_t step);

#endif
