#include "data/prepare.h"

#include "data/prepare_internal.h"
#include "data/split.h"
#include "data/words.h"

#include <stdlib.h>

const char *fn_drop_name(fn_drop drop) {
  static const char *const names[] = {
#define FN_DROP_NAME(code, name, meaning) name,
      FN_DROP_LIST(FN_DROP_NAME)
#undef FN_DROP_NAME
  };
  return drop < FN_DROP_COUNT ? names[drop] : "unknown";
}

const char *fn_drop_meaning(fn_drop drop) {
  static const char *const meanings[] = {
#define FN_DROP_MEANING(code, name, meaning) meaning,
      FN_DROP_LIST(FN_DROP_MEANING)
#undef FN_DROP_MEANING
  };
  return drop < FN_DROP_COUNT ? meanings[drop] : "unknown";
}

void fn_prepare_drop(fn_prepared *p, article *a, fn_drop why) {
  a->drop = (uint8_t)why;
  p->report.dropped[why]++;
  p->report.dropped_by_label[why][a->label]++;
}

bool fn_prepare_is_empty(const fn_prepared *p, fn_str title, fn_str text) {
  switch ((fn_text_mode)p->options->text) {
  case FN_TEXT_TITLE: return fn_text_is_empty(title);
  case FN_TEXT_TEXT: return fn_text_is_empty(text);
  case FN_TEXT_TITLE_TEXT: break;
  }
  return fn_text_is_empty(title) && fn_text_is_empty(text);
}

void fn_prepare_progress(const fn_prepared *p, const char *stage, uint64_t n_done) {
  if (p->request->progress) p->request->progress(p->request->progress_arg, stage, n_done);
}

fn_status fn_prepare_check_stop(const fn_prepared *p, fn_err *err) {
  if (p->request->stop && p->request->stop()) return fn_err_set(err, FN_E_CANCELLED, "stopped; nothing was written");
  return FN_OK;
}

const fn_prepare_report *fn_prepared_report(const fn_prepared *prepared) {
  return &prepared->report;
}

void fn_prepared_destroy(fn_prepared *p) {
  if (!p) return;
  fn_rules_destroy(p->rules);
  fn_arena_deinit(&p->arena);
  for (size_t i = 0; i < p->n_cleaned; i++) fn_buf_deinit(&p->cleaned[i]);
  free(p->cleaned);
  fn_names_deinit(&p->datasets);
  fn_names_deinit(&p->groups);
  free(p->articles);
  free(p->files);
  free(p->values);
  free(p->rule_counts);
  free(p->sets);
  free(p);
}

/* The first row of each class and the one in the middle: what a swapped label would show at once. */
static void choose_examples(fn_prepared *p) {
  for (int k = 0; k < 2; k++) {
    uint64_t n = 0, seen = 0;
    for (int s = 0; s < FN_SPLIT_COUNT; s++) n += p->report.n_split[s][k];
    for (size_t i = 0; i < p->n_articles; i++) {
      const article *a = &p->articles[i];
      if (a->drop != KEPT || a->label != k) continue;
      fn_str text = fn_text_is_empty(a->title) ? a->text : a->title;
      if (seen == 0) p->report.examples[k][0] = text;
      if (seen == n / 2 && seen > 0) p->report.examples[k][1] = text;
      seen++;
    }
  }
}

static fn_status run(fn_prepared *p, fn_err *err) {
  FN_TRY(fn_label_map_check(&p->options->label_map, err));
  FN_TRY(fn_split_fractions(p->fractions, &p->options->fractions, err));
  FN_TRY(fn_prepare_check_out(p->request, err));
  FN_TRY(fn_prepare_start_rules(p, err));
  FN_TRY(fn_prepare_read(p, err));
  FN_TRY(fn_prepare_clean(p, err));
  FN_TRY(fn_prepare_copies(p, err));
  FN_TRY(fn_prepare_check_stop(p, err));
  FN_TRY(fn_prepare_split(p, err));
  choose_examples(p);
  return fn_prepare_write(p, err);
}

fn_status fn_prepare_run(fn_prepared **prepared_out, const fn_prepare_request *request, const fn_data_options *options,
                         fn_err *err) {
  fn_prepared *p = fn_mem_calloc(1, sizeof *p);
  if (!p) return fn_err_no_memory(err, "preparing");
  p->request = request;
  p->options = options;
  fn_arena_init(&p->arena);
  fn_names_init(&p->datasets);
  fn_names_init(&p->groups);
  fn_status status = run(p, err);
  if (status != FN_OK) {
    fn_prepared_destroy(p);
    return status;
  }
  *prepared_out = p;
  return FN_OK;
}
