/* The articles that are left: from the temporary files into the dataset and its token cache, a load at a time. One task
 * writes a load's rows while the others make their token ids; those are appended in order afterwards. */
#include "data/dataset_writer.h"
#include "data/prepare_internal.h"
#include "data/token_cache.h"

#include <stdlib.h>

enum { TASK_ROWS = 64, MAX_TASKS = LOAD_ROWS / TASK_ROWS };

/* Ids of TASK_ROWS articles. */
typedef struct encoded {
  int32_t *ids;
  size_t n, capacity;
  size_t n_title[TASK_ROWS], n_text[TASK_ROWS];
  fn_err err;
} encoded;

typedef struct encoder {
  fn_tokens tokens;
  fn_word_cache *cache;
} encoder;

typedef struct writing {
  fn_prepared *p;
  fn_dataset_writer *rows;
  fn_token_cache_writer *tokens; /* NULL: none are asked for */
  fn_spill_cursor cursor;
  size_t begin, n;   /* articles of the load */
  article *articles; /* [LOAD_ROWS] */
  int64_t *clusters; /* [LOAD_ROWS] rows that name the clusters */
  fn_buf texts;      /* of all articles of the load, from articles[0].at on */
  encoded *encoded;  /* [MAX_TASKS] */
  encoder *encoders; /* [threads] */
  size_t n_threads;
  fn_err rows_err;
  uint64_t n_seen[2], n_of[2]; /* articles by label: written so far, all */
} writing;

static void writing_deinit(writing *w) {
  for (size_t t = 0; w->encoded && t < MAX_TASKS; t++) free(w->encoded[t].ids);
  for (size_t t = 0; w->encoders && t < w->n_threads; t++) {
    fn_tokens_deinit(&w->encoders[t].tokens);
    fn_word_cache_destroy(w->encoders[t].cache);
  }
  free(w->encoded);
  free(w->encoders);
  free(w->articles);
  free(w->clusters);
  fn_buf_deinit(&w->texts);
  fn_spill_cursor_deinit(&w->cursor);
  fn_dataset_writer_destroy(w->rows);
  fn_token_cache_writer_destroy(w->tokens);
}

static fn_status writing_init(writing *w, fn_prepared *p, const char *dir, fn_err *err) {
  w->p = p;
  w->n_threads = (size_t)fn_pool_n_threads(p->request->pool);
  fn_buf_init(&w->texts, SIZE_MAX / 2);
  w->articles = fn_mem_alloc(LOAD_ROWS, sizeof *w->articles);
  w->clusters = fn_mem_alloc(LOAD_ROWS, sizeof *w->clusters);
  w->encoded = fn_mem_calloc(MAX_TASKS, sizeof *w->encoded);
  w->encoders = fn_mem_calloc(w->n_threads, sizeof *w->encoders);
  if (!w->articles || !w->clusters || !w->encoded || !w->encoders) return fn_err_no_memory(err, "rows to be written");
  FN_TRY(fn_articles_begin(&w->cursor, p, err));
  FN_TRY(fn_dataset_writer_create(&w->rows, dir, err));
  for (int k = 0; k < 2; k++)
    for (int s = 0; s < FN_SPLIT_COUNT; s++) w->n_of[k] += p->report.n_split[s][k];
  if (!p->request->tokenizer) return FN_OK;
  for (size_t t = 0; t < w->n_threads; t++) FN_TRY(fn_word_cache_create(&w->encoders[t].cache, err));
  return fn_token_cache_writer_create(&w->tokens, dir, p->folder, p->request->tokenizer, err);
}

/* Texts of article i of the load: title, text, source. */
static void texts_of(fn_str out[3], const writing *w, size_t i) {
  const article *a = &w->articles[i];
  const char *data = (w->texts.data ? w->texts.data : "") + (a->at - w->articles[0].at);
  out[0] = fn_str_make(data, a->title);
  out[1] = fn_str_make(data + a->title, a->text);
  out[2] = fn_str_make(data + a->title + a->text, a->source);
}

static bool is_kept(const writing *w, size_t i) {
  return !(w->p->flags[w->begin + i] & ARTICLE_DROPPED);
}

/* Names the cluster of an article by the row of its first one. */
static fn_status find_cluster(writing *w, size_t i, fn_err *err) {
  uint32_t first = w->p->clusters.parent[w->begin + i];
  article a = w->articles[i];
  if (first != w->begin + i) FN_TRY(fn_articles_get(&a, w->p, first, err));
  w->clusters[i] = a.row;
  return FN_OK;
}

/* The next load; n = 0 at the end. */
static fn_status read_load(writing *w, fn_err *err) {
  w->begin += w->n;
  w->n = 0;
  size_t bytes = 0;
  for (bool more = true; more && w->n < LOAD_ROWS && bytes < LOAD_BYTES;) {
    article *a = &w->articles[w->n];
    FN_TRY(fn_articles_next(a, &more, &w->cursor, err));
    if (!more) break;
    bytes += (size_t)a->title + a->text + a->source;
    w->n++;
  }
  fn_buf_reset(&w->texts);
  if (!fn_buf_reserve(&w->texts, bytes)) return fn_err_no_memory(err, "rows to be written");
  if (w->n) FN_TRY(fn_spill_read(&w->p->texts, w->articles[0].at, w->texts.data, bytes, err));
  for (size_t i = 0; i < w->n; i++)
    if (is_kept(w, i)) FN_TRY(find_cluster(w, i, err));
  return FN_OK;
}

/* The first row of each class and the one in the middle: what a swapped label would show at once. */
static fn_status choose_example(writing *w, int label, fn_str title, fn_str text, fn_err *err) {
  fn_prepare_report *r = &w->p->report;
  uint64_t number = w->n_seen[label]++;
  if (number != 0 && number != w->n_of[label] / 2) return FN_OK;
  fn_str shown = fn_text_is_empty(title) ? text : title;
  char *copy = fn_arena_strndup(&w->p->arena, shown.length ? shown.data : "", shown.length);
  if (!copy) return fn_err_no_memory(err, "the report");
  r->examples[label][number > 0] = fn_str_make(copy, shown.length);
  return FN_OK;
}

static fn_status write_rows(writing *w, fn_err *err) {
  const fn_prepared *p = w->p;
  for (size_t i = 0; i < w->n; i++) {
    if (!is_kept(w, i)) continue;
    const article *a = &w->articles[i];
    uint8_t flags = p->flags[w->begin + i];
    char hash[33];
    fn_str texts[3];
    fn_hash_format(hash, a->hash);
    texts_of(texts, w, i);
    const fn_row row = {
        .title = texts[0],
        .text = texts[1],
        .dataset = p->datasets.items[a->dataset],
        .source = texts[2],
        .label = fn_article_label(flags),
        .cluster = w->clusters[i],
        .row = a->row,
        .hash = fn_str_make(hash, 32),
    };
    FN_TRY(choose_example(w, row.label, texts[0], texts[1], err));
    FN_TRY(fn_dataset_writer_append(w->rows, (fn_split)fn_article_split(flags), &row, err));
  }
  return FN_OK;
}

static fn_status encode_text(size_t *n_out, encoded *out, encoder *e, const fn_tokenizer *tokenizer, fn_str text,
                             fn_err *err) {
  FN_TRY(fn_tokenizer_encode_cached(&e->tokens, tokenizer, e->cache, text, 0, err));
  size_t n = e->tokens.n;
  FN_TRY(fn_mem_grow((void **)&out->ids, &out->capacity, out->n + n, sizeof *out->ids, SIZE_MAX / 8, "token ids", err));
  if (n) memcpy(out->ids + out->n, e->tokens.ids, n * sizeof *out->ids);
  out->n += n;
  *n_out = n;
  return FN_OK;
}

static void encode(encoded *out, const writing *w, size_t task, encoder *e) {
  size_t begin = task * TASK_ROWS, end = begin + TASK_ROWS < w->n ? begin + TASK_ROWS : w->n;
  const fn_tokenizer *tokenizer = w->p->request->tokenizer;
  out->n = 0;
  out->err = (fn_err){0};
  for (size_t i = begin; i < end && out->err.status == FN_OK; i++) {
    if (!is_kept(w, i)) continue;
    fn_str texts[3];
    texts_of(texts, w, i);
    out->err.status = encode_text(&out->n_title[i - begin], out, e, tokenizer, texts[0], &out->err);
    if (out->err.status == FN_OK)
      out->err.status = encode_text(&out->n_text[i - begin], out, e, tokenizer, texts[1], &out->err);
  }
}

/* Task 0 writes the rows, the others make ids. */
static void run_task(void *arg, size_t task, int worker) {
  writing *w = arg;
  if (task == 0) {
    w->rows_err = (fn_err){0};
    w->rows_err.status = write_rows(w, &w->rows_err);
  } else {
    encode(&w->encoded[task - 1], w, task - 1, &w->encoders[worker]);
  }
}

static fn_status append_ids(writing *w, size_t task, fn_err *err) {
  const encoded *e = &w->encoded[task];
  if (e->err.status != FN_OK) return fn_err_set(err, e->err.status, "%s", e->err.message);
  const int32_t *ids = e->ids;
  for (size_t k = 0, i = task * TASK_ROWS; k < TASK_ROWS && i < w->n; k++, i++) {
    if (!is_kept(w, i)) continue;
    fn_split split = (fn_split)fn_article_split(w->p->flags[w->begin + i]);
    FN_TRY(fn_token_cache_writer_append(w->tokens, split, ids, e->n_title[k], e->n_text[k], err));
    if (ids) ids += e->n_title[k] + e->n_text[k];
  }
  return FN_OK;
}

static fn_status write_all(writing *w, fn_err *err) {
  fn_prepared *p = w->p;
  for (;;) {
    FN_TRY(read_load(w, err));
    if (w->n == 0) return FN_OK;
    size_t tasks = w->tokens ? (w->n + TASK_ROWS - 1) / TASK_ROWS : 0;
    fn_pool_run(p->request->pool, 1 + tasks, run_task, w);
    if (w->rows_err.status != FN_OK) return fn_err_set(err, w->rows_err.status, "%s", w->rows_err.message);
    for (size_t t = 0; t < tasks; t++) FN_TRY(append_ids(w, t, err));
    fn_prepare_progress(p, "writing", w->begin + w->n);
    FN_TRY(fn_prepare_check_stop(p, err));
  }
}

fn_status fn_prepare_write_rows(fn_prepared *p, const char *dir, fn_err *err) {
  writing FN_CLEANUP(writing_deinit) w = {0};
  FN_TRY(writing_init(&w, p, dir, err));
  FN_TRY(write_all(&w, err));
  FN_TRY(fn_dataset_writer_finish(w.rows, &p->report.dataset_hash, err));
  return w.tokens ? fn_token_cache_writer_finish(w.tokens, p->report.dataset_hash, err) : FN_OK;
}
