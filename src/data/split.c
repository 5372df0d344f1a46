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

/* A unit: the rows order[begin, begin + size). */
typedef struct unit {
  uint32_t stratum, begin, size;
} unit;

typedef struct keyed_row {
  uint32_t unit, row;
} keyed_row;

static int by_unit(const void *a, const void *b) {
  const keyed_row *x = a, *y = b;
  if (x->unit != y->unit) return x->unit < y->unit ? -1 : 1;
  return (x->row > y->row) - (x->row < y->row);
}

static int by_stratum(const void *a, const void *b) {
  const unit *x = a, *y = b;
  if (x->stratum != y->stratum) return x->stratum < y->stratum ? -1 : 1;
  return (x->begin > y->begin) - (x->begin < y->begin);
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

/* Units of one stratum: the large ones first, so that single rows can fill up what is left. */
static void split_stratum(uint8_t *split_out, const keyed_row *rows, const unit *units, uint32_t *order, size_t n,
                          int64_t room[FN_SPLIT_COUNT], fn_rng *rng) {
  for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
  fn_rng_shuffle(rng, order, n);
  for (int single = 0; single < 2; single++)
    for (size_t i = 0; i < n; i++) {
      const unit *u = &units[order[i]];
      if ((u->size == 1) != (single == 1)) continue;
      int s = draw_split(room, (int64_t)u->size, rng);
      room[s] -= (int64_t)u->size;
      for (uint32_t r = 0; r < u->size; r++) split_out[rows[u->begin + r].row] = (uint8_t)s;
    }
}

fn_status fn_split_random(uint8_t *split_out, const uint32_t *unit_of, const uint32_t *strata, size_t n,
                          size_t n_strata, const double fractions[FN_SPLIT_COUNT], uint64_t seed, fn_err *err) {
  FN_AUTO_FREE keyed_row *rows = fn_mem_alloc(n, sizeof *rows);
  FN_AUTO_FREE unit *units = fn_mem_alloc(n, sizeof *units);
  FN_AUTO_FREE uint32_t *order = fn_mem_alloc(n, sizeof *order);
  if (!rows || !units || !order) return fn_err_no_memory(err, "a split");
  for (size_t i = 0; i < n; i++) rows[i] = (keyed_row){unit_of[i], (uint32_t)i};
  qsort(rows, n, sizeof *rows, by_unit);
  size_t n_units = 0;
  for (size_t i = 0; i < n; i++) {
    if (i == 0 || rows[i].unit != rows[i - 1].unit) units[n_units++] = (unit){strata[rows[i].row], (uint32_t)i, 0};
    units[n_units - 1].size++;
  }
  qsort(units, n_units, sizeof *units, by_stratum);
  int64_t given[FN_SPLIT_COUNT] = {0}, total = 0;
  for (size_t begin = 0, end; begin < n_units; begin = end) {
    uint32_t stratum = units[begin].stratum;
    if (stratum >= n_strata) return fn_err_set(err, FN_E_INTERNAL, "a row of stratum %u of %zu", stratum, n_strata);
    size_t n_rows = 0;
    for (end = begin; end < n_units && units[end].stratum == stratum; end++) n_rows += units[end].size;
    int64_t targets[FN_SPLIT_COUNT];
    set_targets(targets, given, &total, fractions, n_rows);
    fn_rng rng = fn_rng_make(seed, stratum);
    split_stratum(split_out, rows, units + begin, order, end - begin, targets, &rng);
  }
  return FN_OK;
}
