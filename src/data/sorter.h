/* Pairs of numbers in rising order, however many there are: kept in memory up to a bound, beyond it in sorted runs of a
 * temporary file that are merged when they are read (Knuth, "The art of computer programming", vol. 3, 5.4.1). */
#ifndef FN_DATA_SORTER_H
#define FN_DATA_SORTER_H

#include "data/spill.h"

typedef struct fn_pair {
  uint64_t key, value;
} fn_pair;

/* Zero-initialise. */
typedef struct fn_sorter {
  fn_pair *pairs, *scratch; /* [capacity] those that are in no run yet */
  size_t n, capacity;
  const char *folder;
  fn_spill spill; /* runs one after the other, [capacity] pairs each */
  size_t n_runs;
  /* While reading: */
  struct fn_sorter_run *runs; /* [n_runs] */
  uint32_t *heap;             /* [n_heap] runs, the one with the least pair first */
  size_t n_heap, next;        /* next: of pairs, when there is no run */
} fn_sorter;

/* At most max_pairs are held in memory (32 bytes each) while adding. folder (lives as long as the sorter) is where a
 * temporary file goes once there are more; nothing is written before. */
void fn_sorter_init(fn_sorter *sorter, const char *folder, size_t max_pairs);
void fn_sorter_deinit(fn_sorter *sorter);
/* FN_E_IO, FN_E_NO_MEMORY. */
FN_NODISCARD fn_status fn_sorter_add(fn_sorter *sorter, uint64_t key, uint64_t value, fn_err *err);
/* All are added: sorts what is in memory and begins reading. May run beside those of other sorters. */
FN_NODISCARD fn_status fn_sorter_finish(fn_sorter *sorter, fn_err *err);
/* The next pair by (key, value), or *more_out = false at the end. */
FN_NODISCARD fn_status fn_sorter_next(fn_pair *pair_out, bool *more_out, fn_sorter *sorter, fn_err *err);

/* Sorts by (key, value). scratch[n]. Time is linear in n whatever the numbers are: digits of eight bits from the lowest
 * on, those that are the same in all pairs left out (radix sort, ibid. 5.2.5). */
void fn_pairs_sort(fn_pair *pairs, fn_pair *scratch, size_t n);

#endif
