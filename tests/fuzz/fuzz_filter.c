/* The search syntax of runs: the first line an order, the rest a filter. What is accepted keeps its bounds: comparisons
 * that fit their fields, strings inside what was given; what is refused says why. */
#include "fuzz.h"
#include "track/filter.h"

#include <math.h>
#include <string.h>

static void check_clause(const fn_clause *c, size_t size) {
  FUZZ_CHECK(c->comparator < FN_N_COMPARATORS);
  if (fn_field_is_number(&c->field)) {
    FUZZ_CHECK(c->comparator <= FN_COMPARE_LE && !isnan(c->number) && c->n_strings == 0);
    return;
  }
  FUZZ_CHECK(c->comparator <= FN_COMPARE_NE || c->comparator >= FN_COMPARE_LIKE);
  FUZZ_CHECK((c->n_strings == 0) == (c->comparator >= FN_COMPARE_IS_NULL));
  for (size_t i = 0; i < c->n_strings; i++) FUZZ_CHECK(c->strings[i].length <= size);
  if (c->field.kind != FN_FIELD_ATTRIBUTE) FUZZ_CHECK(c->field.key.length > 0 && c->field.key.length <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fn_filter filter;
  const char *text = (const char *)data, *newline = size ? memchr(text, '\n', size) : NULL;
  const size_t order = newline ? (size_t)(newline - text) : 0, from = newline ? order + 1 : 0;
  fn_arena arena;
  fn_field field;
  bool descending;
  fn_err err = {0};
  if (size > 40000) return 0;
  fn_arena_init(&arena);
  if (newline && fn_filter_parse_order(&field, &descending, &arena, fn_str_make(text, order), &err) != FN_OK)
    FUZZ_CHECK(err.message[0]);
  err.message[0] = '\0';
  if (fn_filter_parse(&filter, &arena, fn_str_make(text + from, size - from), &err) == FN_OK) {
    FUZZ_CHECK(filter.n <= FN_FILTER_MAX_CLAUSES);
    for (size_t i = 0; i < filter.n; i++) check_clause(&filter.clauses[i], size);
  } else {
    FUZZ_CHECK(err.message[0]);
  }
  fn_arena_deinit(&arena);
  return 0;
}
