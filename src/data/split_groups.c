/* Whole groups into splits. A small number partition problem with two classes: greedy in random order, then single
 * moves and exchanges while they help; the best of many orders is taken. */
#include "data/split.h"

#include <math.h>
#include <stdlib.h>

enum { TRIALS = 64, PASSES = 8, MAX_PAIRED = 512 };

typedef struct problem {
  size_t n_groups;
  int64_t (*counts)[2]; /* [n_groups] rows by class */
  double target[FN_SPLIT_COUNT][2];
  double total[2];
} problem;

typedef struct solution {
  uint8_t *split; /* [n_groups] */
  double sum[FN_SPLIT_COUNT][2];
} solution;

/* Squared shortfall or excess of one split, relative to its targets, for each class and for its size; a class that is
 * absent costs more than any imbalance. */
static double cost(const problem *p, int s, const double sum[2]) {
  double c = 0;
  double all = sum[0] + sum[1], target = p->target[s][0] + p->target[s][1];
  c += 2 * (all / target - 1) * (all / target - 1);
  for (int k = 0; k < 2; k++) {
    if (p->total[k] == 0) continue;
    double d = sum[k] / p->target[s][k] - 1;
    c += d * d;
    if (sum[k] == 0) c += 1000;
  }
  return c;
}

static double total_cost(const problem *p, const solution *x) {
  double c = 0;
  for (int s = 0; s < FN_SPLIT_COUNT; s++) c += cost(p, s, x->sum[s]);
  return c;
}

/* Change of the cost when a group enters (sign 1) or leaves (-1) a split. */
static double change(const problem *p, const solution *x, int s, const int64_t counts[2], double sign) {
  double next[2] = {x->sum[s][0] + sign * (double)counts[0], x->sum[s][1] + sign * (double)counts[1]};
  return cost(p, s, next) - cost(p, s, x->sum[s]);
}

static void shift(solution *x, int s, const int64_t counts[2], double sign) {
  x->sum[s][0] += sign * (double)counts[0];
  x->sum[s][1] += sign * (double)counts[1];
}

static bool is_large(const problem *p, uint32_t group) {
  double smallest = HUGE_VAL;
  for (int s = 0; s < FN_SPLIT_COUNT; s++) smallest = fmin(smallest, p->target[s][0] + p->target[s][1]);
  return (double)(p->counts[group][0] + p->counts[group][1]) > smallest / 4;
}

static void place_all(const problem *p, solution *x, const uint32_t *order) {
  memset(x->sum, 0, sizeof x->sum);
  for (int large = 1; large >= 0; large--)
    for (size_t i = 0; i < p->n_groups; i++) {
      uint32_t g = order[i];
      if (is_large(p, g) != (large == 1)) continue;
      int best = 0;
      double least = HUGE_VAL;
      for (int s = 0; s < FN_SPLIT_COUNT; s++) {
        double d = change(p, x, s, p->counts[g], 1);
        if (d < least) least = d, best = s;
      }
      x->split[g] = (uint8_t)best;
      shift(x, best, p->counts[g], 1);
    }
}

/* Moves single groups while that lowers the cost. */
static void improve(const problem *p, solution *x, const uint32_t *order) {
  for (int pass = 0, moved = 1; pass < PASSES && moved; pass++) {
    moved = 0;
    for (size_t i = 0; i < p->n_groups; i++) {
      uint32_t g = order[i];
      int from = x->split[g];
      double leave = change(p, x, from, p->counts[g], -1);
      for (int s = 0; s < FN_SPLIT_COUNT; s++) {
        if (s == from || leave + change(p, x, s, p->counts[g], 1) > -1e-9) continue;
        shift(x, from, p->counts[g], -1);
        shift(x, s, p->counts[g], 1);
        x->split[g] = (uint8_t)s;
        moved = 1;
        break;
      }
    }
  }
}

/* Cost of the two splits after a (in split s) and b (in split t) have changed places, less the cost now. */
static double exchange(const problem *p, const solution *x, const int64_t a[2], int s, const int64_t b[2], int t) {
  double in_s[2], in_t[2];
  for (int k = 0; k < 2; k++) {
    in_s[k] = x->sum[s][k] - (double)a[k] + (double)b[k];
    in_t[k] = x->sum[t][k] - (double)b[k] + (double)a[k];
  }
  return cost(p, s, in_s) + cost(p, t, in_t) - cost(p, s, x->sum[s]) - cost(p, t, x->sum[t]);
}

/* Exchanges pairs of groups while that lowers the cost. Among many groups single moves do as well, so this is kept to
 * few. */
static void improve_pairs(const problem *p, solution *x) {
  if (p->n_groups > MAX_PAIRED) return;
  for (int pass = 0, moved = 1; pass < PASSES && moved; pass++) {
    moved = 0;
    for (size_t a = 0; a < p->n_groups; a++)
      for (size_t b = a + 1; b < p->n_groups; b++) {
        int s = x->split[a], t = x->split[b];
        if (s == t || exchange(p, x, p->counts[a], s, p->counts[b], t) > -1e-9) continue;
        shift(x, s, p->counts[a], -1);
        shift(x, t, p->counts[b], -1);
        shift(x, t, p->counts[a], 1);
        shift(x, s, p->counts[b], 1);
        x->split[a] = (uint8_t)t;
        x->split[b] = (uint8_t)s;
        moved = 1;
      }
  }
}

static fn_status solve(const problem *p, uint8_t *best, uint64_t seed, fn_err *err) {
  FN_AUTO_FREE uint32_t *order = fn_mem_alloc(p->n_groups, sizeof *order);
  FN_AUTO_FREE uint8_t *split = fn_mem_calloc(p->n_groups, 1);
  if (!order || !split) return fn_err_no_memory(err, "a split by groups");
  solution x = {.split = split};
  double least = HUGE_VAL;
  for (uint64_t trial = 0; trial < TRIALS; trial++) {
    fn_rng rng = fn_rng_make(seed, trial);
    for (size_t g = 0; g < p->n_groups; g++) order[g] = (uint32_t)g;
    fn_rng_shuffle(&rng, order, p->n_groups);
    place_all(p, &x, order);
    improve(p, &x, order);
    improve_pairs(p, &x);
    double c = total_cost(p, &x);
    if (c >= least) continue;
    least = c;
    memcpy(best, split, p->n_groups);
  }
  return FN_OK;
}

fn_status fn_split_groups(uint8_t *split_out, const uint32_t *groups, const int8_t *labels, size_t n, size_t n_groups,
                          const double fractions[FN_SPLIT_COUNT], uint64_t seed, fn_err *err) {
  if (n_groups < FN_SPLIT_COUNT)
    return fn_err_set(err, FN_E_INVALID,
                      "data.split=group: %zu group%s cannot be divided into train, validation and test; at least three "
                      "are needed (data.group says what a group is)",
                      n_groups, n_groups == 1 ? "" : "s");
  problem p = {.n_groups = n_groups};
  FN_AUTO_FREE int64_t(*counts)[2] = fn_mem_calloc(n_groups, sizeof *counts);
  FN_AUTO_FREE uint8_t *best = fn_mem_calloc(n_groups, 1);
  if (!counts || !best) return fn_err_no_memory(err, "a split by groups");
  p.counts = counts;
  for (size_t i = 0; i < n; i++) {
    counts[groups[i]][labels[i] == 1]++;
    p.total[labels[i] == 1] += 1;
  }
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    for (int k = 0; k < 2; k++) p.target[s][k] = fractions[s] * p.total[k];
  FN_TRY(solve(&p, best, seed, err));
  for (size_t i = 0; i < n; i++) split_out[i] = best[groups[i]];
  return FN_OK;
}
