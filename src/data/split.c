#include "data/split.h"

#include <math.h>
#include <stdlib.h>

fn_status fn_split_fractions(double out[FN_SPLIT_COUNT], const fn_config_list *list, fn_err *err) {
  double f[FN_SPLIT_COUNT], sum = 0;
  bool good = list->n == FN_SPLIT_COUNT;
  for (size_t s = 0; good && s < FN_SPLIT_COUNT; s++) {
    good = fn_str_to_double(&f[s], fn_str_from(list->items[s])) && f[s] > 0 && f[s] < 1;
    if (good) sum += f[s];
  }
  if (!good || fabs(sum - 1) > 1e-6)
    return fn_err_set(err, FN_E_INVALID,
                      "data.fractions: three shares above 0 with sum 1 are accepted, as [0.7,0.15,0.15]: train, "
                      "validation, test");
  memcpy(out, f, sizeof f);
  return FN_OK;
}

bool fn_split_parse(fn_split *split_out, fn_str name) {
  static const struct {
    const char *name;
    fn_split split;
  } names[] = {{"train", FN_SPLIT_TRAIN},      {"training", FN_SPLIT_TRAIN}, {"validation", FN_SPLIT_VALIDATION},
               {"valid", FN_SPLIT_VALIDATION}, {"val", FN_SPLIT_VALIDATION}, {"dev", FN_SPLIT_VALIDATION},
               {"test", FN_SPLIT_TEST},        {"testing", FN_SPLIT_TEST}};
  name = fn_str_trim(name);
  for (size_t i = 0; i < FN_COUNT_OF(names); i++)
    if (fn_str_equal_nocase(name, fn_str_from(names[i].name))) return *split_out = names[i].split, true;
  return false;
}

/* Rows that each split shall get of a stratum of n rows. given[] counts what all strata so far were promised; the next
 * row always goes to the split that is furthest behind its share, so the error of rounding stays below one row. */
static void set_targets(int64_t targets[FN_SPLIT_COUNT], int64_t given[FN_SPLIT_COUNT], int64_t *total,
                        const double fractions[FN_SPLIT_COUNT], size_t n) {
  for (int s = 0; s < FN_SPLIT_COUNT; s++) targets[s] = 0;
  for (size_t i = 0; i < n; i++) {
    ++*total;
    int behind = 0;
    double most = -HUGE_VAL;
    for (int s = 0; s < FN_SPLIT_COUNT; s++) {
      double lack = fractions[s] * (double)*total - (double)given[s];
      if (lack > most + 1e-9) most = lack, behind = s;
    }
    given[behind]++;
    targets[behind]++;
  }
}

/* Split for a unit of `size` rows: drawn in proportion to the room left among those where it fits, else where most room
 * is left. */
static int draw_split(const int64_t room[FN_SPLIT_COUNT], int64_t size, fn_rng *rng) {
  int64_t sum = 0;
  int widest = 0;
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    if (room[s] >= size) sum += room[s];
    if (room[s] > room[widest]) widest = s;
  }
  if (sum == 0) return widest;
  int64_t at = (int64_t)fn_rng_below(rng, (uint64_t)sum);
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    if (room[s] < size) continue;
    if (at < room[s]) return s;
    at -= room[s];
  }
  return widest;
}

/* Units of one stratum, named by their first rows: the large ones first, so that single rows can fill up what is left.
 * The list is shuffled. */
static void split_stratum(uint8_t *split, uint32_t *units, size_t n, const uint32_t *sizes,
                          int64_t room[FN_SPLIT_COUNT], fn_rng *rng) {
  fn_rng_shuffle(rng, units, n);
  for (int single = 0; single < 2; single++)
    for (size_t i = 0; i < n; i++) {
      uint32_t size = sizes[units[i]];
      if ((size == 1) != (single == 1)) continue;
      int s = draw_split(room, (int64_t)size, rng);
      room[s] -= (int64_t)size;
      split[units[i]] = (uint8_t)s;
    }
}

fn_status fn_split_random(uint8_t *split_io, const uint32_t *unit_of, const uint32_t *strata, size_t n, size_t n_strata,
                          const double fractions[FN_SPLIT_COUNT], uint64_t seed, fn_err *err) {
  FN_AUTO_FREE uint32_t *sizes = fn_mem_calloc(n, sizeof *sizes); /* by first row */
  FN_AUTO_FREE size_t *begins = fn_mem_calloc(n_strata + 1, sizeof *begins);
  FN_AUTO_FREE size_t *n_rows = fn_mem_calloc(n_strata + 1, sizeof *n_rows);
  if (!sizes || !begins || !n_rows) return fn_err_no_memory(err, "a split");
  size_t n_units = 0;
  for (size_t i = 0; i < n; i++) {
    if (split_io[i] == FN_SPLIT_COUNT) continue;
    uint32_t first = unit_of[i], stratum = strata[first];
    if (stratum >= n_strata) return fn_err_set(err, FN_E_INTERNAL, "a row of stratum %u of %zu", stratum, n_strata);
    n_rows[stratum]++;
    if (sizes[first]++ == 0) n_units++, begins[stratum]++;
  }
  FN_AUTO_FREE uint32_t *units = fn_mem_alloc(n_units, sizeof *units); /* by stratum, then by first row */
  if (!units) return fn_err_no_memory(err, "a split");
  for (size_t k = 0, total = 0; k <= n_strata; k++) {
    size_t count = begins[k];
    begins[k] = total;
    total += count;
  }
  for (size_t i = 0; i < n; i++)
    if (sizes[i]) units[begins[strata[i]]++] = (uint32_t)i; /* begins become ends */
  int64_t given[FN_SPLIT_COUNT] = {0}, total = 0;
  for (size_t k = 0, begin = 0; k < n_strata; begin = begins[k++]) {
    if (begins[k] == begin) continue;
    int64_t targets[FN_SPLIT_COUNT];
    set_targets(targets, given, &total, fractions, n_rows[k]);
    fn_rng rng = fn_rng_make(seed, k);
    split_stratum(split_io, units + begin, begins[k] - begin, sizes, targets, &rng);
  }
  for (size_t i = 0; i < n; i++)
    if (split_io[i] != FN_SPLIT_COUNT) split_io[i] = split_io[unit_of[i]];
  return FN_OK;
}
