#include "audit/sample.h"

static fn_str cut(fn_str s) {
  return fn_str_make(s.data, s.length < FN_AUDIT_MAX_BYTES ? s.length : FN_AUDIT_MAX_BYTES);
}

/* Rows of which max_rows * FN_AUDIT_ROW_BYTES bytes are expected to hold so many. */
static size_t choose_n(const fn_dataset *dataset, fn_split split, size_t max_rows) {
  size_t n = fn_dataset_n_rows(dataset, split);
  double bytes = 0, limit = (double)max_rows * FN_AUDIT_ROW_BYTES;
  for (size_t i = 0; i < n; i++) {
    fn_row row;
    fn_dataset_get(&row, dataset, split, i);
    bytes += (double)(cut(row.title).length + cut(row.text).length);
  }
  size_t chosen = n < max_rows ? n : max_rows;
  if (bytes * (double)chosen > limit * (double)n) chosen = (size_t)(limit / bytes * (double)n);
  return chosen ? chosen : n > 0;
}

fn_status fn_audit_draw(fn_audit_sample *sample_out, fn_arena *arena, const fn_dataset *dataset, fn_split split,
                        size_t max_rows, uint64_t seed, fn_err *err) {
  size_t n_all = fn_dataset_n_rows(dataset, split);
  fn_audit_sample s = {.n = choose_n(dataset, split, max_rows)};
  s.rows = fn_arena_alloc(arena, s.n, sizeof *s.rows);
  s.number = fn_arena_alloc(arena, s.n, sizeof *s.number);
  if (!s.rows || !s.number) return fn_err_no_memory(err, "rows");
  for (size_t i = 0; i < s.n; i++) {
    size_t begin = n_all * i / s.n, end = n_all * (i + 1) / s.n;
    fn_rng rng = fn_rng_make(seed, i);
    size_t at = begin + (size_t)fn_rng_below(&rng, end - begin);
    fn_dataset_get(&s.rows[i], dataset, split, at);
    s.rows[i].title = cut(s.rows[i].title);
    s.rows[i].text = cut(s.rows[i].text);
    s.number[i] = (uint32_t)at;
    s.n_class[s.rows[i].label]++;
  }
  *sample_out = s;
  return FN_OK;
}
