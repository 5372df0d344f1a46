/* Private to src/audit: the rows that are read closely. */
#ifndef FN_AUDIT_SAMPLE_H
#define FN_AUDIT_SAMPLE_H

#include "audit/audit.h"

typedef struct fn_audit_sample {
  size_t n, n_class[2];
  fn_row *rows;     /* [n] in the split's order; title and text cut to FN_AUDIT_MAX_BYTES each */
  uint32_t *number; /* [n] of the row in its split */
} fn_audit_sample;

/* At most max_rows rows, and max_rows * FN_AUDIT_ROW_BYTES bytes on average: one from each of as many equal runs of
 * rows, its place in the run drawn from (seed, run). In the arena. */
FN_NODISCARD fn_status fn_audit_draw(fn_audit_sample *sample_out, fn_arena *arena, const fn_dataset *dataset,
                                     fn_split split, size_t max_rows, uint64_t seed, fn_err *err);

#endif
