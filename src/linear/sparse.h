/* Private to src/linear: the n-gram counts of many documents as a sparse matrix, one for each family. */
#ifndef FN_LINEAR_SPARSE_H
#define FN_LINEAR_SPARSE_H

#include "linear/features.h"
#include "linear/linear.h"

/* One document. Entries with count 1, the great majority, need no value: 1 + ln 1 = 1. */
typedef struct fn_sparse_row {
  const uint32_t *index; /* [n_ones + n_many]; those with count 1 first */
  const float *value;    /* [n_many] 1 + ln count, for the last n_many */
  uint32_t n_ones, n_many;
  float scale; /* 1 / L2 norm of (1 + ln count)·idf; 0 for an empty row */
} fn_sparse_row;

typedef struct fn_sparse {
  size_t n_rows, n_chunks;
  fn_sparse_row *rows;            /* [n_rows] */
  struct fn_sparse_chunk *chunks; /* [n_chunks] storage of 32 rows each */
} fn_sparse;

/* The buckets that occur in training, numbered by document frequency, most frequent first: neighbours in memory are
 * used together, which is worth a factor in speed on long vectors. */
typedef struct fn_vocabulary {
  size_t n_buckets, n; /* n: buckets that occur */
  uint32_t *rank;      /* [n_buckets]; UINT32_MAX where the bucket does not occur */
  uint32_t *bucket;    /* [n] */
  float *idf;          /* [n] ln((1 + n_rows) / (1 + document frequency)) + 1 */
} fn_vocabulary;

/* Counts; index holds buckets, scale is 0. document_frequency: NULL, or [buckets] that is filled. */
FN_NODISCARD fn_status fn_sparse_make(fn_sparse *sparse_out, uint32_t *document_frequency, const fn_linear_row *rows,
                                      size_t n, const fn_feature_spec *spec, int family, fn_pool *pool, fn_err *err);
FN_NODISCARD fn_status fn_vocabulary_make(fn_vocabulary *vocabulary_out, const uint32_t *document_frequency,
                                          size_t n_buckets, size_t n_rows, fn_err *err);
/* Buckets become ranks (what does not occur in training is dropped), rows get their scale. Once. */
void fn_sparse_bind(fn_sparse *sparse, const fn_vocabulary *vocabulary, fn_pool *pool);
void fn_sparse_deinit(fn_sparse *sparse);
void fn_vocabulary_deinit(fn_vocabulary *vocabulary);

/* Σ_j value_j·u_j over a row, without scale. Fixed order. */
double fn_sparse_dot(const fn_sparse_row *row, const float *u);
/* sum_j += factor·value_j. */
void fn_sparse_add(float *sum, const fn_sparse_row *row, float factor);
/* sum_j += factor·value_j². */
void fn_sparse_add_squares(float *sum, const fn_sparse_row *row, float factor);

#endif
