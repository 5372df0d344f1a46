/* Rows from the files into temporary files: while one load is cleaned and hashed, the next one is read. */
#include "data/prepare_internal.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LOAD_CHUNKS = LOAD_ROWS / CLEAN_ROWS };

typedef struct loading {
  fn_prepared *p;
  fn_prepare_reader *reader;
  fn_load loads[2];
  fn_load *current, *next;
  fn_cleaned *cleaned;  /* [LOAD_CHUNKS] */
  fn_cleaner *cleaners; /* [threads] */
  uint64_t *keys;       /* [LOAD_ROWS][bands] of the current load */
  uint32_t *rows;       /* [LOAD_ROWS] articles that have keys */
  size_t n_threads, n_bands;
  uint64_t n_taken; /* rows in all loads */
  fn_err read_err;
} loading;

static void loading_deinit(loading *l) {
  for (int i = 0; i < 2; i++) {
    fn_buf_deinit(&l->loads[i].bytes);
    free(l->loads[i].rows);
  }
  for (size_t c = 0; l->cleaned && c < LOAD_CHUNKS; c++) fn_buf_deinit(&l->cleaned[c].texts);
  for (size_t t = 0; l->cleaners && t < l->n_threads; t++) fn_cleaner_deinit(&l->cleaners[t]);
  free(l->cleaned);
  free(l->cleaners);
  free(l->keys);
  free(l->rows);
  fn_prepare_reader_destroy(l->reader);
}

static fn_status loading_init(loading *l, fn_prepared *p, fn_err *err) {
  l->p = p;
  l->n_threads = (size_t)fn_pool_n_threads(p->request->pool);
  l->n_bands = p->near ? fn_near_n_bands(p->near) : 0;
  for (int i = 0; i < 2; i++) {
    fn_buf_init(&l->loads[i].bytes, SIZE_MAX / 2);
    l->loads[i].rows = fn_mem_alloc(LOAD_ROWS, sizeof *l->loads[i].rows);
  }
  l->cleaned = fn_mem_calloc(LOAD_CHUNKS, sizeof *l->cleaned);
  l->cleaners = fn_mem_calloc(l->n_threads, sizeof *l->cleaners);
  l->keys = fn_mem_alloc(LOAD_ROWS * (l->n_bands + 1), sizeof *l->keys);
  l->rows = fn_mem_alloc(LOAD_ROWS, sizeof *l->rows);
  if (!l->loads[0].rows || !l->loads[1].rows || !l->cleaned || !l->cleaners || !l->keys || !l->rows)
    return fn_err_no_memory(err, "rows on their way");
  for (size_t c = 0; c < LOAD_CHUNKS; c++) fn_buf_init(&l->cleaned[c].texts, SIZE_MAX / 2);
  l->current = &l->loads[0];
  l->next = &l->loads[1];
  return fn_prepare_reader_create(&l->reader, p, err);
}

/* Task 0 reads the next load, the others clean the current one. */
static void run_task(void *arg, size_t task, int worker) {
  loading *l = arg;
  if (task == 0) {
    l->read_err = (fn_err){0};
    l->read_err.status = fn_prepare_reader_fill(l->next, l->reader, &l->read_err);
    return;
  }
  size_t begin = (task - 1) * CLEAN_ROWS, end = begin + CLEAN_ROWS;
  if (end > l->current->n) end = l->current->n;
  fn_prepare_clean(&l->cleaned[task - 1], l->keys, l->p, l->current, begin, end, &l->cleaners[worker]);
}

/* One row becomes an article; its keys move up behind those of the articles before it. */
static fn_status take_row(loading *l, size_t i, size_t *n_with_keys, fn_err *err) {
  fn_prepared *p = l->p;
  const load_row *r = &l->current->rows[i];
  if (r->is_empty) return fn_prepare_count_drop(p, r->label, FN_DROP_EMPTY_AFTER_RULES), FN_OK;
  const article a = {
      .at = p->texts.size,
      .row = r->row,
      .hash = r->hash,
      .title = (uint32_t)r->clean_title.length,
      .text = (uint32_t)r->clean_text.length,
      .source = r->source,
      .dataset = r->dataset,
      .group = r->group,
  };
  size_t number = p->n_articles;
  FN_TRY(fn_mem_grow((void **)&p->flags, &p->capacity, number + 1, sizeof *p->flags, INT32_MAX, "rows", err));
  FN_TRY(fn_spill_append(&p->records, &a, sizeof a, err));
  FN_TRY(fn_spill_append(&p->texts, r->clean_title.data, r->clean_title.length, err));
  FN_TRY(fn_spill_append(&p->texts, r->clean_text.data, r->clean_text.length, err));
  const char *source = l->current->bytes.data ? l->current->bytes.data + r->at + r->title + r->text : "";
  FN_TRY(fn_spill_append(&p->texts, source, r->source, err));
  FN_TRY(fn_sorter_add(&p->keys, r->key.high, (r->key.low & 0xFFFFFFFF00000000U) | number, err));
  p->flags[number] = fn_article_with_split(r->label == 1 ? ARTICLE_FAKE : 0, r->split);
  p->n_articles++;
  if (!r->has_keys) return FN_OK;
  memmove(l->keys + *n_with_keys * l->n_bands, l->keys + i * l->n_bands, l->n_bands * sizeof *l->keys);
  l->rows[(*n_with_keys)++] = (uint32_t)number;
  return FN_OK;
}

static fn_status take_load(loading *l, fn_err *err) {
  fn_prepared *p = l->p;
  size_t chunks = (l->current->n + CLEAN_ROWS - 1) / CLEAN_ROWS, n_with_keys = 0;
  for (size_t c = 0; c < chunks; c++) {
    const fn_cleaned *cleaned = &l->cleaned[c];
    if (cleaned->err.status != FN_OK) return fn_err_set(err, cleaned->err.status, "%s", cleaned->err.message);
    for (size_t r = 0; r < p->report.n_rules; r++)
      for (int k = 0; k < 2; k++) p->rule_counts[r].n_rows[k] += cleaned->hits[r][k];
  }
  for (size_t i = 0; i < l->current->n; i++) FN_TRY(take_row(l, i, &n_with_keys, err));
  l->n_taken += l->current->n;
  if (n_with_keys == 0) return FN_OK;
  return fn_near_add(p->near, l->rows, l->keys, n_with_keys, p->request->pool, err);
}

static fn_status load_all(loading *l, fn_err *err) {
  fn_prepared *p = l->p;
  FN_TRY(fn_prepare_reader_fill(l->current, l->reader, err));
  while (l->current->n) {
    size_t chunks = (l->current->n + CLEAN_ROWS - 1) / CLEAN_ROWS;
    fn_pool_run(p->request->pool, 1 + chunks, run_task, l);
    FN_TRY(take_load(l, err));
    if (l->read_err.status != FN_OK) return fn_err_set(err, l->read_err.status, "%s", l->read_err.message);
    fn_prepare_progress(p, "reading", p->report.n_read);
    FN_TRY(fn_prepare_check_stop(p, err));
    fn_load *swap = l->current;
    l->current = l->next;
    l->next = swap;
  }
  return FN_OK;
}

fn_status fn_prepare_load(fn_prepared *p, fn_err *err) {
  loading FN_CLEANUP(loading_deinit) l = {0};
  FN_TRY(loading_init(&l, p, err));
  FN_TRY(load_all(&l, err));
  const fn_prepare_report *r = &p->report;
  if (l.n_taken == 0)
    return fn_err_set(err, FN_E_INVALID,
                      "no row is left of %" PRIu64 " read: %" PRIu64 " without a label, %" PRIu64
                      " dropped by data.label_map, %" PRIu64 " empty",
                      r->n_read, r->dropped[FN_DROP_NO_LABEL], r->dropped[FN_DROP_LABEL_MAP],
                      r->dropped[FN_DROP_EMPTY]);
  if (p->n_articles == 0)
    return fn_err_set(err, FN_E_INVALID, "no row is left: the rules (data.rules) cut all texts away");
  FN_TRY(fn_spill_flush(&p->records, err));
  return fn_spill_flush(&p->texts, err);
}
