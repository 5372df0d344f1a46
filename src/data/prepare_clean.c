/* Boilerplate out, hashes and keys made: over some rows of a load, in any number of threads. */
#include "data/prepare_internal.h"

#include <stdlib.h>

/* Where a cleaned text will be once the buffer has stopped growing. */
typedef struct place {
  size_t begin, length;
  bool moved;
} place;

void fn_cleaner_deinit(fn_cleaner *cleaner) {
  fn_rules_scratch_deinit(&cleaner->rules);
  fn_buf_deinit(&cleaner->normalised);
  free(cleaner->words.hashes);
}

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

static fn_status hash_row(load_row *r, int mode, fn_buf *scratch, fn_err *err) {
  FN_TRY(fn_text_hash(&r->hash, r->clean_title, r->clean_text, scratch, err));
  r->key = r->hash;
  fn_str none = fn_str_make("", 0);
  if (mode == FN_TEXT_TITLE) return fn_text_hash(&r->key, r->clean_title, none, scratch, err);
  if (mode == FN_TEXT_TEXT) return fn_text_hash(&r->key, none, r->clean_text, scratch, err);
  return FN_OK;
}

static fn_status sketch_row(load_row *r, uint64_t *keys, const fn_prepared *p, fn_words *words, fn_err *err) {
  fn_str none = fn_str_make("", 0);
  fn_str title = p->options->text == FN_TEXT_TEXT ? none : r->clean_title;
  fn_str text = p->options->text == FN_TEXT_TITLE ? none : r->clean_text;
  return fn_near_sketch(keys, &r->has_keys, p->near, words, title, text, err);
}

static fn_status clean(fn_cleaned *out, uint64_t *keys, const fn_prepared *p, fn_load *load, size_t begin, size_t end,
                       fn_cleaner *cleaner, fn_err *err) {
  place places[CLEAN_ROWS][2];
  fn_buf_reset(&out->texts);
  for (size_t i = begin; i < end; i++) {
    load_row *r = &load->rows[i];
    uint64_t hits = 0;
    const char *data = load->bytes.data ? load->bytes.data + r->at : "";
    r->clean_title = fn_str_make(data, r->title);
    r->clean_text = fn_str_make(data + r->title, r->text);
    place *title = &places[i - begin][0], *text = &places[i - begin][1];
    FN_TRY(clean_field(title, &hits, p->rules, FN_RULE_TITLE, r->clean_title, &cleaner->rules, &out->texts, err));
    FN_TRY(clean_field(text, &hits, p->rules, FN_RULE_TEXT, r->clean_text, &cleaner->rules, &out->texts, err));
    for (size_t k = 0; k < p->report.n_rules; k++) out->hits[k][r->label] += hits >> k & 1;
  }
  size_t n_bands = p->near ? fn_near_n_bands(p->near) : 0;
  for (size_t i = begin; i < end; i++) {
    load_row *r = &load->rows[i];
    const place *title = &places[i - begin][0], *text = &places[i - begin][1];
    const char *data = out->texts.data ? out->texts.data : "";
    if (title->moved) r->clean_title = fn_str_make(data + title->begin, title->length);
    if (text->moved) r->clean_text = fn_str_make(data + text->begin, text->length);
    r->is_empty = fn_prepare_is_empty(p, r->clean_title, r->clean_text);
    r->has_keys = false;
    if (r->is_empty) continue;
    FN_TRY(hash_row(r, p->options->text, &cleaner->normalised, err));
    if (p->near) FN_TRY(sketch_row(r, keys + i * n_bands, p, &cleaner->words, err));
  }
  return FN_OK;
}

void fn_prepare_clean(fn_cleaned *cleaned_out, uint64_t *keys, const fn_prepared *p, fn_load *load, size_t begin,
                      size_t end, fn_cleaner *cleaner) {
  memset(cleaned_out->hits, 0, sizeof cleaned_out->hits);
  cleaned_out->err = (fn_err){0};
  cleaned_out->err.status = clean(cleaned_out, keys, p, load, begin, end, cleaner, &cleaned_out->err);
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
