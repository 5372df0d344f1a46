/* Which rows an optimiser step draws: a pure function of (seed, epoch, step), so that a resumed run draws what an
 * uninterrupted one would have drawn, and no state of the sampler has to be saved. */
#ifndef FN_TRAIN_SAMPLER_H
#define FN_TRAIN_SAMPLER_H

#include "base/base.h"

typedef enum fn_sampling {
  FN_SAMPLING_RANDOM, /* every row once per epoch, in an order of the epoch's own */
  FN_SAMPLING_EVEN,   /* groups take turns: of any n_groups draws in a row each group has one; rows of a group without
                         replacement until all were drawn, which may take several epochs or less than one */
} fn_sampling;

/* Not thread-safe: keeps the orders in use. */
typedef struct fn_sampler fn_sampler;

typedef struct fn_sampler_options {
  fn_sampling sampling;
  uint64_t seed;
  size_t n_rows;          /* ≥ 1, < 2^32 */
  size_t batch_size;      /* rows per step, ≥ 1; the last step of an epoch has what is left */
  const uint32_t *groups; /* [n_rows] in [0, n_groups), copied; only for EVEN. A group without rows is passed over */
  size_t n_groups;
} fn_sampler_options;

FN_NODISCARD fn_status fn_sampler_create(fn_sampler **sampler_out, const fn_sampler_options *options, fn_err *err);
void fn_sampler_destroy(fn_sampler *sampler);
/* ceil(n_rows / batch_size) */
size_t fn_sampler_steps_per_epoch(const fn_sampler *sampler);
/* Rows of step `step` (0 … steps_per_epoch-1) of an epoch, in draw order: rows_out[batch_size], *n_out of them. */
void fn_sampler_draw(uint32_t *rows_out, size_t *n_out, fn_sampler *sampler, uint64_t epoch, size_t step);

#endif
