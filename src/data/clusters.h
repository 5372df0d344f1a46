/* Disjoint sets of rows (union-find with path halving, Tarjan 1975). The smallest row of a set is its name, so results
 * do not depend on the order of unions. */
#ifndef FN_DATA_CLUSTERS_H
#define FN_DATA_CLUSTERS_H

#include "base/base.h"

typedef struct fn_clusters {
  uint32_t *parent; /* [n] */
  size_t n;
} fn_clusters;

/* Every row alone. Release with deinit. */
FN_NODISCARD fn_status fn_clusters_init(fn_clusters *clusters_out, size_t n, fn_err *err);
void fn_clusters_deinit(fn_clusters *clusters);
/* Smallest row of the set that holds row. */
uint32_t fn_clusters_find(fn_clusters *clusters, uint32_t row);
/* Joins two sets; false when they were one already. */
bool fn_clusters_join(fn_clusters *clusters, uint32_t a, uint32_t b);
/* Afterwards parent[row] is what fn_clusters_find says, for every row. */
void fn_clusters_flatten(fn_clusters *clusters);

#endif
