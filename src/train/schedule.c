#include "train/schedule.h"

#include <math.h>

fn_schedule fn_schedule_make(fn_schedule_kind kind, double warmup, int64_t n_steps) {
  const double n = warmup < 1 ? ceil(warmup * (double)n_steps) : warmup;
  return (fn_schedule){kind, n < (double)n_steps ? (int64_t)n : n_steps, n_steps};
}

double fn_schedule_factor(const fn_schedule *s, int64_t step) {
  if (step < s->n_warmup) return (double)step / (double)s->n_warmup;
  if (s->kind == FN_SCHEDULE_CONSTANT) return 1;
  const int64_t n = s->n_steps - s->n_warmup;
  const double done = n > 0 ? (double)(step - s->n_warmup) / (double)n : 1;
  if (done >= 1) return 0;
  const double pi = 3.14159265358979323846;
  return s->kind == FN_SCHEDULE_LINEAR ? 1 - done : 0.5 * (1 + cos(pi * done));
}
