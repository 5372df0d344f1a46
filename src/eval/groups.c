#include "eval/eval.h"

#include <stdlib.h>

/* Open addressing over the rows' keys; a slot holds 1 + the group's first row, 0 when free. */
typedef struct group_table {
  uint32_t *slots;
  size_t mask;
} group_table;

/* What a row is grouped by: its source, else its cluster, else nothing (alone). */
static bool row_cluster(int64_t *out, const int64_t *clusters, size_t i) {
  if (clusters == NULL || clusters[i] < 0) return false;
  *out = clusters[i];
  return true;
}

static bool same_group(const fn_str *sources, const int64_t *clusters, size_t a, size_t b) {
  bool a_source = sources != NULL && sources[a].length > 0, b_source = sources != NULL && sources[b].length > 0;
  if (a_source != b_source) return false;
  if (a_source) return fn_str_equal(sources[a], sources[b]);
  int64_t x = 0, y = 0;
  return row_cluster(&x, clusters, a) && row_cluster(&y, clusters, b) && x == y;
}

static uint64_t row_hash(const fn_str *sources, const int64_t *clusters, size_t i) {
  if (sources != NULL && sources[i].length > 0) return fn_hash64(sources[i].data, sources[i].length, 1);
  int64_t cluster;
  if (row_cluster(&cluster, clusters, i)) return fn_hash64(&cluster, sizeof cluster, 2);
  return fn_hash64(&i, sizeof i, 3);
}

fn_status fn_groups_make(uint32_t *groups_out, size_t *n_groups_out, const fn_str *sources, const int64_t *clusters,
                         size_t n, fn_err *err) {
  if (n >= UINT32_MAX / 2) return fn_err_set(err, FN_E_LIMIT, "groups take at most %u rows", UINT32_MAX / 2);
  size_t n_slots = 16, n_groups = 0;
  while (n_slots < 2 * n) n_slots *= 2;
  FN_AUTO_FREE uint32_t *slots = fn_mem_calloc(n_slots, sizeof *slots);
  if (slots == NULL) return fn_err_no_memory(err, "groups of rows");
  group_table table = {slots, n_slots - 1};
  for (size_t i = 0; i < n; i++) {
    size_t at = (size_t)row_hash(sources, clusters, i) & table.mask;
    while (table.slots[at] != 0 && !same_group(sources, clusters, table.slots[at] - 1, i)) at = (at + 1) & table.mask;
    if (table.slots[at] == 0) {
      table.slots[at] = (uint32_t)i + 1;
      groups_out[i] = (uint32_t)n_groups++;
    } else {
      groups_out[i] = groups_out[table.slots[at] - 1];
    }
  }
  *n_groups_out = n_groups;
  return FN_OK;
}
