/* Near copies among rows, by the share of common word triples.
 *
 * The set of a row is the hashes of its runs of three words (of all its words when they are fewer); rows are near
 * copies when the Jaccard similarity of their sets reaches the threshold. Candidates come from one-permutation MinHash
 * (Li, Owen, Zhang 2012) with empty bins filled as in Shrivastava 2017 ("Optimal densification for fast and accurate
 * minwise hashing"), cut into bands (Leskovec, Rajaraman, Ullman, "Mining of massive datasets", 3.4); every candidate
 * is then compared set by set, so no pair below the threshold is ever joined. Pairs at the threshold are found with a
 * probability of at least 0.995, closer ones with more.
 *
 * Of a row only its bands' keys are kept, in sorters that go to disk when they outgrow their share of FN_NEAR_BYTES;
 * sets are made again from the texts of the rows that are compared. So memory does not grow with the rows, but for the
 * four bytes of each in fn_clusters. */
#ifndef FN_DATA_DUPLICATES_H
#define FN_DATA_DUPLICATES_H

#include "data/clusters.h"
#include "data/sorter.h"
#include "data/words.h"

/* Bands and rows per band for a threshold in [0.3, 1]: bands * rows ≤ FN_MINHASH_BINS. */
enum { FN_MINHASH_BINS = 128, FN_SHINGLE_WORDS = 3 };
typedef struct fn_minhash_bands {
  uint32_t n_bands, rows;
} fn_minhash_bands;
fn_minhash_bands fn_minhash_choose(double threshold);

enum { FN_NEAR_BYTES = 48 << 20, FN_NEAR_SET_BYTES = 16 << 20 }; /* for keys while rows are added; for sets, joining */

typedef struct fn_near_counts {
  uint64_t n_candidates; /* pairs that shared a band and were compared */
  uint64_t n_pairs;      /* of these at or above the threshold */
  uint64_t n_skipped;    /* pairs in crowded bands that were not compared (see duplicates.c) */
} fn_near_counts;

typedef struct fn_near fn_near;

/* folder (lives as long as near) takes temporary files once there are more keys than fit. */
FN_NODISCARD fn_status fn_near_create(fn_near **near_out, double threshold, const char *folder, fn_err *err);
void fn_near_destroy(fn_near *near);
size_t fn_near_n_bands(const fn_near *near);

/* Keys of the bands of a row that consists of two texts; keys_out[n_bands]. *any_out: whether there is a word at all,
 * else there are no keys. words is scratch memory. May run in several threads. */
FN_NODISCARD fn_status fn_near_sketch(uint64_t *keys_out, bool *any_out, const fn_near *near, fn_words *words,
                                      fn_str first, fn_str second, fn_err *err);
/* Adds rows[n] with their keys[n][n_bands]. pool NULL: one thread; the result does not depend on it. */
FN_NODISCARD fn_status fn_near_add(fn_near *near, const uint32_t *rows, const uint64_t *keys, size_t n, fn_pool *pool,
                                   fn_err *err);

/* The two texts of a row as they were given to fn_near_sketch; valid until the next call. */
typedef fn_status (*fn_near_texts)(void *arg, uint32_t row, fn_str *first_out, fn_str *second_out, fn_err *err);
/* Rows that are left out when this says so (copies of another row); NULL: none. */
typedef bool (*fn_near_skip)(void *arg, uint32_t row);

/* All rows are added: joins near copies in *clusters, once. stop (may be NULL) is asked now and then: FN_E_CANCELLED.
 */
FN_NODISCARD fn_status fn_near_join(fn_near_counts *counts_out, fn_near *near, fn_clusters *clusters,
                                    fn_near_texts texts, fn_near_skip skip, void *arg, bool (*stop)(void), fn_err *err);

/* Jaccard similarity of two rising lists without repeats; two empty ones are 0. */
double fn_jaccard(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b);

#endif
