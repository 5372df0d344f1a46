#include "linear/linear.h"

#include <stdlib.h>

typedef struct cell {
  fn_str group;
  int32_t label;
  size_t row;
} cell;

static int compare_cells(const void *a, const void *b) {
  const cell *x = a, *y = b;
  size_t n = x->group.length < y->group.length ? x->group.length : y->group.length;
  int order = n > 0 ? memcmp(x->group.data, y->group.data, n) : 0;
  if (order != 0) return order;
  if (x->group.length != y->group.length) return x->group.length < y->group.length ? -1 : 1;
  if (x->label != y->label) return x->label < y->label ? -1 : 1;
  return x->row < y->row ? -1 : x->row > y->row;
}

static bool same_cell(const cell *a, const cell *b) {
  return a->label == b->label && fn_str_equal(a->group, b->group);
}

fn_status fn_linear_weights_even(fn_linear_row *rows, const fn_str *groups, size_t n, fn_err *err) {
  FN_AUTO_FREE cell *cells = fn_mem_calloc(n, sizeof *cells);
  if (cells == NULL) return fn_err_no_memory(err, "groups of the rows");
  for (size_t i = 0; i < n; i++) cells[i] = (cell){groups[i], rows[i].label, i};
  qsort(cells, n, sizeof *cells, compare_cells);
  size_t n_cells = 0;
  for (size_t i = 0; i < n; i++) n_cells += i == 0 || !same_cell(&cells[i - 1], &cells[i]);
  for (size_t begin = 0, end; begin < n; begin = end) {
    for (end = begin + 1; end < n && same_cell(&cells[begin], &cells[end]);) end++;
    for (size_t i = begin; i < end; i++) {
      rows[cells[i].row].weight = (double)n / ((double)n_cells * (double)(end - begin));
    }
  }
  return FN_OK;
}
