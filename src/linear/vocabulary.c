#include "linear/sparse.h"

#include <math.h>
#include <stdlib.h>

/* Counting sort by document frequency, largest first; equal ones keep the order of their buckets. starts is scratch
 * [n_rows + 1]. */
static void rank_buckets(fn_vocabulary *v, const uint32_t *frequency, size_t n_rows, size_t *starts) {
  for (size_t b = 0; b < v->n_buckets; b++) starts[frequency[b]]++;
  size_t next = 0;
  for (size_t f = n_rows; f >= 1; f--) {
    size_t n = starts[f];
    starts[f] = next;
    next += n;
  }
  for (size_t b = 0; b < v->n_buckets; b++) {
    v->rank[b] = UINT32_MAX;
    if (frequency[b] == 0) continue;
    size_t rank = starts[frequency[b]]++;
    v->rank[b] = (uint32_t)rank;
    v->bucket[rank] = (uint32_t)b;
    v->idf[rank] = (float)(log((1.0 + (double)n_rows) / (1.0 + (double)frequency[b])) + 1.0);
  }
  v->n = next;
}

fn_status fn_vocabulary_make(fn_vocabulary *vocabulary_out, const uint32_t *document_frequency, size_t n_buckets,
                             size_t n_rows, fn_err *err) {
  FN_AUTO_FREE size_t *starts = fn_mem_calloc(n_rows + 1, sizeof *starts);
  fn_vocabulary v = {.n_buckets = n_buckets,
                     .rank = fn_mem_calloc(n_buckets, sizeof *v.rank),
                     .bucket = fn_mem_calloc(n_buckets, sizeof *v.bucket),
                     .idf = fn_mem_calloc(n_buckets, sizeof *v.idf)};
  if (starts == NULL || v.rank == NULL || v.bucket == NULL || v.idf == NULL) {
    fn_vocabulary_deinit(&v);
    return fn_err_no_memory(err, "document frequencies");
  }
  rank_buckets(&v, document_frequency, n_rows, starts);
  *vocabulary_out = v;
  return FN_OK;
}

void fn_vocabulary_deinit(fn_vocabulary *v) {
  free(v->rank);
  free(v->bucket);
  free(v->idf);
  *v = (fn_vocabulary){0};
}
