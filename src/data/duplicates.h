/* Copies among rows: exact ones by hash, near ones by the share of common word triples.
 *
 * Near copies: the set of a row is the hashes of its runs of three words (of all its words when they are fewer); rows
 * are near copies when the Jaccard similarity of their sets reaches the threshold. Candidates come from one-permutation
 * MinHash (Li, Owen, Zhang 2012) with empty bins filled as in Shrivastava 2017 ("Optimal densification for fast and
 * accurate minwise hashing"), cut into bands (Leskovec, Rajaraman, Ullman, "Mining of massive datasets", 3.4); every
 * candidate is then compared set by set, so no pair below the threshold is ever joined. Pairs at the threshold are
 * found with a probability of at least 0.995, closer ones with more. Time is that of sorting the rows once a band,
 * memory is linear in the texts. */
#ifndef FN_DATA_DUPLICATES_H
#define FN_DATA_DUPLICATES_H

#include "data/clusters.h"

/* first_out[i]: the first row with the hash of row i (i itself when there is none before it). n < 2^32. */
FN_NODISCARD fn_status fn_duplicates_exact(uint32_t *first_out, const fn_hash128 *hashes, size_t n, fn_err *err);

/* Bands and rows per band for a threshold in [0.3, 1]: bands * rows ≤ FN_MINHASH_BINS. */
enum { FN_MINHASH_BINS = 128, FN_SHINGLE_WORDS = 3 };
typedef struct fn_minhash_bands {
  uint32_t n_bands, rows;
} fn_minhash_bands;
fn_minhash_bands fn_minhash_choose(double threshold);

/* Two texts that make up row i (title and text); empty slices for what is not to be compared. */
typedef void (*fn_duplicate_texts)(const void *arg, size_t i, fn_str *first_out, fn_str *second_out);

typedef struct fn_near_counts {
  uint64_t n_candidates; /* pairs that shared a band and were compared */
  uint64_t n_pairs;      /* of these at or above the threshold */
  uint64_t n_skipped;    /* pairs in crowded bands that were not compared (see duplicates.c) */
} fn_near_counts;

/* Joins near copies in *clusters. skip[i] != 0 leaves row i out (it is a copy of another one); skip may be NULL. texts
 * is called from several threads at once. pool NULL: one thread. The same result with any number of threads. stop (may
 * be NULL) is asked now and then: FN_E_CANCELLED. */
FN_NODISCARD fn_status fn_duplicates_near(fn_near_counts *counts_out, fn_clusters *clusters, fn_duplicate_texts texts,
                                          const void *arg, const uint8_t *skip, double threshold, fn_pool *pool,
                                          bool (*stop)(void), fn_err *err);

/* Jaccard similarity of two rising lists without repeats; two empty ones are 0. */
double fn_jaccard(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b);

#endif
