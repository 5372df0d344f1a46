/* Some rows of a split, drawn at random, as a file of articles that `predict`, `evaluate` and `data prepare` read. */
#ifndef FN_DATA_SAMPLE_H
#define FN_DATA_SAMPLE_H

#include "data/dataset.h"

/* Draws n rows of the split without putting back: of each label its share of n, to the nearest row; which ones follows
 * from (seed, the labels of the split) alone. Appends CSV to *out: a header (title, text, label, dataset, source,
 * split, cluster, row, hash), then the rows in the order of the split; labels are real and fake. FN_E_INVALID, nothing
 * appended: n is 0 or more than the split holds. FN_E_LIMIT, FN_E_NO_MEMORY: of *out. */
FN_NODISCARD fn_status fn_sample_format_csv(fn_buf *out, const fn_dataset *dataset, fn_split split, size_t n,
                                            uint64_t seed, fn_err *err);

#endif
