#include "data/prepare.h"

#include "data/prepare_internal.h"
#include "data/split.h"

#include <math.h>
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

void fn_prepare_count_drop(fn_prepared *p, int label, fn_drop why) {
  p->report.dropped[why]++;
  p->report.dropped_by_label[why][label]++;
}

void fn_prepare_drop(fn_prepared *p, size_t i, fn_drop why) {
  p->flags[i] |= ARTICLE_DROPPED;
  fn_prepare_count_drop(p, fn_article_label(p->flags[i]), why);
}

fn_status fn_articles_begin(fn_spill_cursor *cursor_out, const fn_prepared *p, fn_err *err) {
  return fn_spill_cursor_init(cursor_out, &p->records, 0, p->records.size, 1 << 18, err);
}

fn_status fn_articles_next(article *article_out, bool *more_out, fn_spill_cursor *cursor, fn_err *err) {
  const void *item;
  FN_TRY(fn_spill_next(&item, more_out, cursor, sizeof *article_out, err));
  if (*more_out) memcpy(article_out, item, sizeof *article_out);
  return FN_OK;
}

fn_status fn_articles_get(article *article_out, const fn_prepared *p, size_t i, fn_err *err) {
  return fn_spill_read(&p->records, (uint64_t)i * sizeof *article_out, article_out, sizeof *article_out, err);
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
  fn_names_deinit(&p->datasets);
  fn_names_deinit(&p->groups);
  fn_spill_close(&p->records);
  fn_spill_close(&p->texts);
  fn_spill_close(&p->copies);
  fn_sorter_deinit(&p->keys);
  fn_near_destroy(p->near);
  fn_clusters_deinit(&p->clusters);
  free(p->folder);
  free(p->flags);
  free(p->files);
  free(p->values);
  free(p->rule_counts);
  free(p->sets);
  free(p);
}

/* The folder for temporary files: on the disk where the output will be. */
static fn_status choose_folder(fn_prepared *p, fn_err *err) {
  fn_str path = fn_str_from(p->request->out);
  for (;;) {
    while (path.length > 1 && path.data[path.length - 1] == '/') path.length--;
    while (path.length && path.data[path.length - 1] != '/') path.length--;
    free(p->folder);
    p->folder = path.length ? fn_str_dup(path) : fn_str_dup(fn_str_from("."));
    if (!p->folder) return fn_err_no_memory(err, "a path");
    if (path.length <= 1 || fn_path_is_dir(p->folder)) return FN_OK;
  }
}

static fn_status start_files(fn_prepared *p, fn_err *err) {
  enum { MAX_KEYS = 1 << 19 };
  FN_TRY(choose_folder(p, err));
  FN_TRY(fn_spill_open(&p->records, p->folder, err));
  FN_TRY(fn_spill_open(&p->texts, p->folder, err));
  fn_sorter_init(&p->keys, p->folder, MAX_KEYS);
  if (p->options->split != FN_SPLIT_RANDOM) FN_TRY(fn_spill_open(&p->copies, p->folder, err));
  if (isnan(p->options->near_duplicates)) return FN_OK;
  return fn_near_create(&p->near, p->options->near_duplicates, p->folder, err);
}

static fn_status run(fn_prepared *p, fn_err *err) {
  FN_TRY(fn_label_map_check(&p->options->label_map, err));
  FN_TRY(fn_split_fractions(p->fractions, &p->options->fractions, err));
  FN_TRY(fn_prepare_check_out(p->request, err));
  FN_TRY(fn_prepare_start_rules(p, err));
  FN_TRY(start_files(p, err));
  FN_TRY(fn_prepare_load(p, err));
  FN_TRY(fn_prepare_copies(p, err));
  FN_TRY(fn_prepare_check_stop(p, err));
  FN_TRY(fn_prepare_split(p, err));
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
  /* Only the report is asked for from here on. */
  fn_spill_close(&p->records);
  fn_spill_close(&p->texts);
  *prepared_out = p;
  return FN_OK;
}
