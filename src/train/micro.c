#include "train/micro.h"

#include <stdlib.h>

void fn_micro_plan_deinit(fn_micro_plan *plan) {
  free(plan->order);
  free(plan->ends);
  free(plan->sums);
  free(plan->bins);
  *plan = (fn_micro_plan){0};
}

static fn_status reserve(fn_micro_plan *plan, size_t n, fn_err *err) {
  size_t a = plan->capacity, b = a, c = a, d = a;
  const char *what = "the plan of a step";
  FN_TRY(fn_mem_grow((void **)&plan->order, &a, n, sizeof *plan->order, UINT32_MAX, what, err));
  FN_TRY(fn_mem_grow((void **)&plan->ends, &b, n, sizeof *plan->ends, UINT32_MAX, what, err));
  FN_TRY(fn_mem_grow((void **)&plan->sums, &c, n, sizeof *plan->sums, UINT32_MAX, what, err));
  FN_TRY(fn_mem_grow((void **)&plan->bins, &d, n, sizeof *plan->bins, UINT32_MAX, what, err));
  plan->capacity = a;
  return FN_OK;
}

/* Insertion sort: stable, and n is a batch size. */
static void sort_longest_first(uint32_t *order, const uint32_t *lengths, size_t n) {
  for (size_t i = 0; i < n; i++) {
    size_t j = i;
    for (; j > 0 && lengths[order[j - 1]] < lengths[i]; j--) order[j] = order[j - 1];
    order[j] = (uint32_t)i;
  }
}

fn_status fn_micro_plan_cut(fn_micro_plan *plan, const uint32_t *lengths, size_t n, size_t budget, fn_err *err) {
  FN_TRY(reserve(plan, n, err));
  plan->n_micro = 0;
  sort_longest_first(plan->order, lengths, n);
  for (size_t i = 0; i < n; i++) {
    const uint32_t row = plan->order[i];
    size_t k = 0;
    while (k < plan->n_micro && plan->sums[k] + lengths[row] > budget) k++;
    if (k == plan->n_micro) plan->sums[plan->n_micro++] = 0;
    plan->sums[k] += lengths[row];
    plan->bins[row] = (uint32_t)k;
  }
  /* Within a micro-batch rows stand in draw order. */
  size_t end = 0;
  for (size_t k = 0; k < plan->n_micro; k++) {
    for (size_t row = 0; row < n; row++)
      if (plan->bins[row] == k) plan->order[end++] = (uint32_t)row;
    plan->ends[k] = end;
  }
  return FN_OK;
}
