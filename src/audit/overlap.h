/* Private to src/audit: what the drawn rows of validation and test have in common with train. Their keys (keys.h) stand
 * in one table; all rows of train, then of validation, run past it. */
#ifndef FN_AUDIT_OVERLAP_H
#define FN_AUDIT_OVERLAP_H

#include "audit/sample.h"

typedef struct fn_audit_overlap fn_audit_overlap;

/* validation, test: drawn rows; one of them may be empty. They must outlive the result. */
FN_NODISCARD fn_status fn_audit_overlap_make(fn_audit_overlap **overlap_out, const fn_dataset *dataset,
                                             const fn_audit_sample *validation, const fn_audit_sample *test,
                                             fn_pool *pool, bool (*stop)(void), fn_err *err);
void fn_audit_overlap_destroy(fn_audit_overlap *overlap);

/* Rows of train with the source, or else the dataset, of drawn row i, by class. */
void fn_audit_overlap_group(uint32_t n_out[2], const fn_audit_overlap *overlap, fn_split split, size_t i,
                            bool by_dataset);
/* Against train; or, with against = FN_SPLIT_VALIDATION, of test against validation. */
void fn_audit_overlap_count(fn_audit_shared shared_out[FN_AUDIT_N_SHARES], const fn_audit_overlap *overlap,
                            fn_split split, fn_split against);
/* The sentences of the drawn rows of split that train has most often, five times or more; at most max. Returns how
 * many. */
FN_NODISCARD fn_status fn_audit_overlap_sentences(fn_audit_sentence *sentences_out, size_t *n_out, size_t max,
                                                  const fn_audit_overlap *overlap, fn_split split, fn_err *err);

#endif
