#include "data/sorter.h"

#include <stdlib.h>

/* Memory for reading all runs of a sorter together, and the least for one of them. */
enum { READ_BYTES = 8 << 20, RUN_BYTES = 4096, RUN_BYTES_MOST = 1 << 18 };

typedef struct fn_sorter_run {
  fn_spill_cursor cursor;
  fn_pair first; /* not handed out yet */
} fn_sorter_run;

/* Digit d of a pair: 0 is the lowest byte of the value, 15 the highest of the key. */
static unsigned digit(const fn_pair *pair, unsigned d) {
  uint64_t word = d < 8 ? pair->value : pair->key;
  return (unsigned)(word >> 8 * (d & 7)) & 255;
}

void fn_pairs_sort(fn_pair *pairs, fn_pair *scratch, size_t n) {
  uint64_t keys = 0, values = 0; /* bits that differ somewhere */
  bool values_rise = true;
  for (size_t i = 1; i < n; i++) {
    keys |= pairs[i].key ^ pairs[0].key;
    values |= pairs[i].value ^ pairs[0].value;
    values_rise = values_rise && pairs[i].value >= pairs[i - 1].value;
  }
  if (values_rise) values = 0; /* in order already, and every pass keeps the order of equals */
  fn_pair *from = pairs, *to = scratch;
  for (unsigned d = 0; d < 16; d++) {
    if (((d < 8 ? values : keys) >> 8 * (d & 7) & 255) == 0) continue;
    size_t at[256] = {0};
    for (size_t i = 0; i < n; i++) at[digit(&from[i], d)]++;
    for (size_t b = 0, total = 0; b < 256; b++) {
      size_t count = at[b];
      at[b] = total;
      total += count;
    }
    for (size_t i = 0; i < n; i++) to[at[digit(&from[i], d)]++] = from[i];
    fn_pair *swap = from;
    from = to;
    to = swap;
  }
  if (from != pairs && n) memcpy(pairs, from, n * sizeof *pairs);
}

void fn_sorter_init(fn_sorter *sorter, const char *folder, size_t max_pairs) {
  *sorter = (fn_sorter){.folder = folder, .capacity = max_pairs};
}

void fn_sorter_deinit(fn_sorter *sorter) {
  for (size_t r = 0; sorter->runs && r < sorter->n_runs; r++) fn_spill_cursor_deinit(&sorter->runs[r].cursor);
  free(sorter->runs);
  free(sorter->heap);
  free(sorter->pairs);
  free(sorter->scratch);
  fn_spill_close(&sorter->spill);
  *sorter = (fn_sorter){0};
}

/* Sorts what is in memory and appends it as a run. */
static fn_status write_run(fn_sorter *s, fn_err *err) {
  if (s->n_runs == 0) FN_TRY(fn_spill_open(&s->spill, s->folder, err));
  fn_pairs_sort(s->pairs, s->scratch, s->n);
  FN_TRY(fn_spill_append(&s->spill, s->pairs, s->n * sizeof *s->pairs, err));
  s->n_runs++;
  s->n = 0;
  return FN_OK;
}

fn_status fn_sorter_add(fn_sorter *s, uint64_t key, uint64_t value, fn_err *err) {
  if (!s->pairs) {
    s->pairs = fn_mem_alloc(s->capacity, sizeof *s->pairs);
    s->scratch = fn_mem_alloc(s->capacity, sizeof *s->scratch);
    if (!s->pairs || !s->scratch) return fn_err_no_memory(err, "sorting");
  }
  if (s->n == s->capacity) FN_TRY(write_run(s, err));
  s->pairs[s->n++] = (fn_pair){key, value};
  return FN_OK;
}

static bool before(const fn_pair *a, const fn_pair *b) {
  return a->key != b->key ? a->key < b->key : a->value < b->value;
}

static bool is_less(const fn_sorter *s, uint32_t a, uint32_t b) {
  return before(&s->runs[a].first, &s->runs[b].first);
}

/* Moves the run at the top of the heap down to its place. */
static void sift(fn_sorter *s, size_t at) {
  uint32_t run = s->heap[at];
  for (size_t child; (child = 2 * at + 1) < s->n_heap; at = child) {
    if (child + 1 < s->n_heap && is_less(s, s->heap[child + 1], s->heap[child])) child++;
    if (!is_less(s, s->heap[child], run)) break;
    s->heap[at] = s->heap[child];
  }
  s->heap[at] = run;
}

static fn_status read_pair(bool *more, fn_sorter_run *run, fn_err *err) {
  const void *item;
  FN_TRY(fn_spill_next(&item, more, &run->cursor, sizeof run->first, err));
  if (*more) memcpy(&run->first, item, sizeof run->first);
  return FN_OK;
}

static fn_status begin_merge(fn_sorter *s, fn_err *err) {
  FN_TRY(fn_spill_flush(&s->spill, err));
  s->runs = fn_mem_calloc(s->n_runs, sizeof *s->runs);
  s->heap = fn_mem_calloc(s->n_runs, sizeof *s->heap);
  if (!s->runs || !s->heap) return fn_err_no_memory(err, "sorting");
  size_t run_bytes = s->capacity * sizeof(fn_pair), buffer = READ_BYTES / s->n_runs & ~(size_t)(RUN_BYTES - 1);
  if (buffer < RUN_BYTES) buffer = RUN_BYTES;
  if (buffer > RUN_BYTES_MOST) buffer = RUN_BYTES_MOST;
  for (size_t r = 0; r < s->n_runs; r++) {
    bool more;
    uint64_t begin = (uint64_t)r * run_bytes, left = s->spill.size - begin;
    FN_TRY(
        fn_spill_cursor_init(&s->runs[r].cursor, &s->spill, begin, left < run_bytes ? left : run_bytes, buffer, err));
    FN_TRY(read_pair(&more, &s->runs[r], err));
    s->heap[s->n_heap++] = (uint32_t)r; /* no run is empty */
  }
  for (size_t at = s->n_heap / 2; at-- > 0;) sift(s, at);
  return FN_OK;
}

fn_status fn_sorter_finish(fn_sorter *s, fn_err *err) {
  s->next = 0;
  if (s->n_runs == 0) {
    if (s->n) fn_pairs_sort(s->pairs, s->scratch, s->n);
    free(s->scratch);
    s->scratch = NULL;
    return FN_OK;
  }
  if (s->n) FN_TRY(write_run(s, err));
  free(s->pairs);
  free(s->scratch);
  s->pairs = s->scratch = NULL;
  return begin_merge(s, err);
}

fn_status fn_sorter_next(fn_pair *pair_out, bool *more_out, fn_sorter *s, fn_err *err) {
  if (s->n_runs == 0) {
    *more_out = s->next < s->n;
    if (*more_out) *pair_out = s->pairs[s->next++];
    return FN_OK;
  }
  *more_out = s->n_heap > 0;
  if (!*more_out) return FN_OK;
  fn_sorter_run *top = &s->runs[s->heap[0]];
  *pair_out = top->first;
  bool more;
  FN_TRY(read_pair(&more, top, err));
  if (!more) s->heap[0] = s->heap[--s->n_heap];
  if (s->n_heap) sift(s, 0);
  return FN_OK;
}
