/* Dividing rows into train, validation and test. Pure functions of their arguments. */
#ifndef FN_DATA_SPLIT_H
#define FN_DATA_SPLIT_H

#include "data/dataset.h"
#include "data/options.h"

/* Three shares from data.fractions: each > 0, sum 1 within 1e-6. FN_E_INVALID names the setting. */
FN_NODISCARD fn_status fn_split_fractions(double fractions_out[FN_SPLIT_COUNT], const fn_config_list *list,
                                          fn_err *err);

/* "train", "training"; "validation", "valid", "val", "dev"; "test", "testing": case does not count. False otherwise. */
bool fn_split_parse(fn_split *split_out, fn_str name);

/* Random and stratified: rows of one unit (a cluster) go together; units[i] ≤ i is the first row of row i's unit, which
 * takes part itself. strata[n] are 0 … n_strata-1 and a unit belongs to the stratum of its first row. Every stratum
 * gets the fractions as nearly as whole rows allow, and the rounding evens out over the strata. split_io[i] is
 * FN_SPLIT_COUNT for a row that takes no part, anything else before for one that does; 8 bytes of memory a row. */
FN_NODISCARD fn_status fn_split_random(uint8_t *split_io, const uint32_t *units, const uint32_t *strata, size_t n,
                                       size_t n_strata, const double fractions[FN_SPLIT_COUNT], uint64_t seed,
                                       fn_err *err);

/* Whole groups: groups[n] are 0 … n_groups-1, labels[n] 0 or 1. Sizes and classes come as near to the fractions as a
 * search over 64 random orders with moves and exchanges
 * finds; every split gets both classes if that is found possible.
 * FN_E_INVALID for fewer than three groups. */
FN_NODISCARD fn_status fn_split_groups(uint8_t *split_out, const uint32_t *groups, const int8_t *labels, size_t n,
                                       size_t n_groups, const double fractions[FN_SPLIT_COUNT], uint64_t seed,
                                       fn_err *err);

#endif
