#include "data/clusters.h"

#include <stdlib.h>

fn_status fn_clusters_init(fn_clusters *clusters_out, size_t n, fn_err *err) {
  uint32_t *parent = fn_mem_alloc(n, sizeof *parent);
  if (!parent) return fn_err_no_memory(err, "clusters of rows");
  for (size_t i = 0; i < n; i++) parent[i] = (uint32_t)i;
  *clusters_out = (fn_clusters){parent, n};
  return FN_OK;
}

void fn_clusters_deinit(fn_clusters *clusters) {
  free(clusters->parent);
  *clusters = (fn_clusters){0};
}

uint32_t fn_clusters_find(fn_clusters *clusters, uint32_t row) {
  uint32_t *parent = clusters->parent;
  while (parent[row] != row) {
    parent[row] = parent[parent[row]];
    row = parent[row];
  }
  return row;
}

bool fn_clusters_join(fn_clusters *clusters, uint32_t a, uint32_t b) {
  a = fn_clusters_find(clusters, a);
  b = fn_clusters_find(clusters, b);
  if (a == b) return false;
  if (a < b)
    clusters->parent[b] = a;
  else
    clusters->parent[a] = b;
  return true;
}

/* A parent is never larger than its child, so it is flat when its turn is over. */
void fn_clusters_flatten(fn_clusters *clusters) {
  for (size_t i = 0; i < clusters->n; i++) clusters->parent[i] = clusters->parent[clusters->parent[i]];
}
