/* Boilerplate out, hashes made: over chunks of articles, in any number of threads. */
#include "data/prepare_internal.h"
#include "data/words.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CHUNK = 256 };

typedef struct chunk_result {
  uint64_t hits[FN_RULES_MAX][2];
  fn_err err;
} chunk_result;

typedef struct cleaning {
  fn_prepared *p;
  chunk_result *results; /* [chunks] */
} cleaning;

/* Where a cleaned text will be once the chunk's buffer has stopped growing. */
typedef struct place {
  size_t begin, length;
  bool moved;
} place;

static fn_status clean_field(place *out, uint64_t *hits, const fn_rules *rules, fn_rule_field field, fn_str text,
                             fn_rules_scratch *scratch, fn_buf *cleaned, fn_err *err) {
  fn_str result;
  *out = (place){0};
  FN_TRY(fn_rules_apply(&result, hits, rules, field, text, scratch, err));
  if (result.data == text.data && result.length == text.length) return FN_OK;
  *out = (place){cleaned->length, result.length, true};
  fn_buf_append(cleaned, result.data, result.length);
  return fn_buf_check(cleaned, "the texts without boilerplate", err);
}

static fn_status hash_article(article *a, int mode, fn_buf *scratch, fn_err *err) {
  FN_TRY(fn_text_hash(&a->hash, a->title, a->text, scratch, err));
  a->key = a->hash;
  fn_str none = fn_str_make("", 0);
  if (mode == FN_TEXT_TITLE) return fn_text_hash(&a->key, a->title, none, scratch, err);
  if (mode == FN_TEXT_TEXT) return fn_text_hash(&a->key, none, a->text, scratch, err);
  return FN_OK;
}

static fn_status clean_chunk(const cleaning *c, size_t chunk, fn_rules_scratch *scratch, fn_buf *normalised,
                             fn_err *err) {
  fn_prepared *p = c->p;
  fn_buf *cleaned = &p->cleaned[chunk];
  fn_buf_init(cleaned, SIZE_MAX / 2);
  size_t begin = chunk * CHUNK, end = begin + CHUNK < p->n_articles ? begin + CHUNK : p->n_articles;
  place places[CHUNK][2];
  for (size_t i = begin; i < end; i++) {
    const article *a = &p->articles[i];
    uint64_t hits = 0;
    FN_TRY(clean_field(&places[i - begin][0], &hits, p->rules, FN_RULE_TITLE, a->title, scratch, cleaned, err));
    FN_TRY(clean_field(&places[i - begin][1], &hits, p->rules, FN_RULE_TEXT, a->text, scratch, cleaned, err));
    for (size_t r = 0; r < p->report.n_rules; r++) c->results[chunk].hits[r][a->label] += hits >> r & 1;
  }
  for (size_t i = begin; i < end; i++) {
    article *a = &p->articles[i];
    const place *title = &places[i - begin][0], *text = &places[i - begin][1];
    const char *data = cleaned->data ? cleaned->data : "";
    if (title->moved) a->title = fn_str_make(data + title->begin, title->length);
    if (text->moved) a->text = fn_str_make(data + text->begin, text->length);
    FN_TRY(hash_article(a, p->options->text, normalised, err));
  }
  return FN_OK;
}

static void clean_task(void *arg, size_t chunk, int worker) {
  (void)worker;
  const cleaning *c = arg;
  fn_rules_scratch scratch = {0};
  fn_buf normalised = {0};
  fn_err err = {0};
  fn_status status = clean_chunk(c, chunk, &scratch, &normalised, &err);
  c->results[chunk].err = err;
  c->results[chunk].err.status = status;
  fn_rules_scratch_deinit(&scratch);
  fn_buf_deinit(&normalised);
}

fn_status fn_prepare_start_rules(fn_prepared *p, fn_err *err) {
  FN_TRY(fn_rules_load(&p->rules, p->options->rules, err));
  size_t n = fn_rules_count(p->rules);
  p->rule_counts = fn_mem_calloc(n, sizeof *p->rule_counts);
  if (!p->rule_counts) return fn_err_no_memory(err, "the report");
  for (size_t r = 0; r < n; r++) p->rule_counts[r].name = fn_rules_name(p->rules, r);
  p->report.rules = p->rule_counts;
  p->report.n_rules = n;
  p->report.rules_hash = fn_rules_hash(p->rules);
  return FN_OK;
}

/* Articles of which boilerplate was all there was. */
static fn_status drop_emptied(fn_prepared *p, fn_err *err) {
  size_t n = 0;
  for (size_t i = 0; i < p->n_articles; i++) {
    article *a = &p->articles[i];
    if (fn_prepare_is_empty(p, a->title, a->text))
      fn_prepare_drop(p, a, FN_DROP_EMPTY_AFTER_RULES);
    else
      p->articles[n++] = *a;
  }
  p->n_articles = n;
  if (n == 0) return fn_err_set(err, FN_E_INVALID, "no row is left: the rules (data.rules) cut all texts away");
  return FN_OK;
}

fn_status fn_prepare_clean(fn_prepared *p, fn_err *err) {
  size_t chunks = (p->n_articles + CHUNK - 1) / CHUNK;
  FN_AUTO_FREE chunk_result *results = fn_mem_calloc(chunks, sizeof *results);
  p->cleaned = fn_mem_calloc(chunks, sizeof *p->cleaned);
  if (!results || !p->cleaned) return fn_err_no_memory(err, "the texts without boilerplate");
  p->n_cleaned = chunks;
  cleaning c = {p, results};
  fn_pool_run(p->request->pool, chunks, clean_task, &c);
  for (size_t i = 0; i < chunks; i++) {
    if (results[i].err.status != FN_OK) return fn_err_set(err, results[i].err.status, "%s", results[i].err.message);
    for (size_t r = 0; r < p->report.n_rules; r++)
      for (int k = 0; k < 2; k++) p->rule_counts[r].n_rows[k] += results[i].hits[r][k];
  }
  fn_prepare_progress(p, "cleaning", p->n_articles);
  FN_TRY(fn_prepare_check_stop(p, err));
  return drop_emptied(p, err);
}
