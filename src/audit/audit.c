#include "audit/audit.h"

#include "audit/internal.h"
#include "data/names.h"

const char *fn_audit_kind_name(fn_audit_kind kind) {
  static const char *const names[] = {"word", "style", "source", "dataset"};
  return names[kind];
}

const char *fn_audit_field_name(fn_audit_field field) {
  static const char *const names[] = {"title", "text", "row"};
  return names[field];
}

const char *fn_audit_level_name(fn_audit_level level) {
  static const char *const names[] = {"note", "warning", "alarm"};
  return names[level];
}

const fn_audit_report *fn_audit_get_report(const fn_audit *a) {
  return &a->report;
}

void fn_audit_destroy(fn_audit *a) {
  if (!a) return;
  fn_audit_words_deinit(&a->words);
  fn_audit_overlap_destroy(a->overlap);
  fn_dataset_close(a->dataset);
  fn_arena_deinit(&a->arena);
  free(a);
}

static void count_rows(fn_audit *a) {
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    size_t n = fn_dataset_n_rows(a->dataset, (fn_split)s);
    for (size_t i = 0; i < n; i++) {
      fn_row row;
      fn_dataset_get(&row, a->dataset, (fn_split)s, i);
      a->report.n_rows[s][row.label]++;
    }
  }
}

static bool has_both(const size_t n[2]) {
  return n[0] && n[1];
}

static fn_status draw(fn_audit *a, fn_err *err) {
  int64_t part = a->request->brief ? 10 : 1;
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    int64_t most = s == FN_SPLIT_TRAIN ? a->options->train_rows : a->options->test_rows;
    FN_TRY(fn_audit_draw(&a->samples[s], &a->arena, a->dataset, (fn_split)s, (size_t)(most / part),
                         (uint64_t)a->options->seed, err));
    a->report.n_drawn[s] = a->samples[s].n;
  }
  a->train = &a->samples[FN_SPLIT_TRAIN];
  a->report.judged_on = has_both(a->samples[FN_SPLIT_TEST].n_class) ? FN_SPLIT_TEST : FN_SPLIT_VALIDATION;
  a->test = &a->samples[a->report.judged_on];
  if (!has_both(a->train->n_class) || !has_both(a->test->n_class))
    return fn_err_set(err, FN_E_INVALID,
                      "%s: an audit needs rows of both classes in train, and in test or validation; "
                      "see `fakenews data stats`",
                      a->request->dir);
  return FN_OK;
}

static fn_status copy_labels(uint8_t **labels_out, fn_audit *a, const fn_audit_sample *sample, fn_err *err) {
  *labels_out = fn_arena_alloc(&a->arena, sample->n, 1);
  if (!*labels_out) return fn_err_no_memory(err, "labels");
  for (size_t i = 0; i < sample->n; i++) (*labels_out)[i] = (uint8_t)sample->rows[i].label;
  return FN_OK;
}

typedef struct source {
  uint64_t n[2];    /* by class */
  bool in_split[2]; /* train, judging split */
} source;

static void release_sources(source **sources) {
  free(*sources);
}

static fn_status count_sources(fn_audit *a, fn_err *err) {
  fn_names FN_CLEANUP(fn_names_deinit) names, FN_CLEANUP(fn_names_deinit) datasets;
  fn_names_init(&names);
  fn_names_init(&datasets);
  source FN_CLEANUP(release_sources) *sources = NULL;
  size_t capacity = 0, n = 0;
  fn_audit_report *r = &a->report;
  for (int s = 0; s < 2; s++) {
    const fn_audit_sample *sample = s ? a->test : a->train;
    for (size_t i = 0; i < sample->n; i++) {
      const fn_row *row = &sample->rows[i];
      uint32_t number;
      FN_TRY(fn_names_add(&number, &datasets, row->dataset, err));
      if (row->source.length == 0) continue;
      FN_TRY(fn_names_add(&number, &names, row->source, err));
      void *grown = sources;
      FN_TRY(fn_mem_grow(&grown, &capacity, names.n, sizeof *sources, UINT32_MAX, "sources", err));
      sources = grown;
      for (; n < names.n; n++) sources[n] = (source){0};
      sources[number].n[row->label]++;
      sources[number].in_split[s] = true;
      r->n_rows_with_source++;
    }
  }
  r->n_sources = n;
  r->n_datasets = datasets.n;
  for (size_t i = 0; i < n; i++) {
    uint64_t rows = sources[i].n[0] + sources[i].n[1];
    bool both = sources[i].n[0] && sources[i].n[1];
    r->n_sources_both_classes += both;
    r->n_sources_both_splits += sources[i].in_split[0] && sources[i].in_split[1];
    if (!both && rows >= 2) r->n_rows_one_class_source += rows;
  }
  return FN_OK;
}

static fn_status count_shared(fn_audit *a, fn_err *err) {
  enum { MAX_SENTENCES = 5 };
  fn_audit_report *r = &a->report;
  const fn_audit_sample *samples = a->samples;
  FN_TRY(fn_audit_overlap_make(&a->overlap, a->dataset, &samples[FN_SPLIT_VALIDATION], &samples[FN_SPLIT_TEST],
                               a->request->pool, a->request->stop, err));
  for (int s = FN_SPLIT_VALIDATION; s < FN_SPLIT_COUNT; s++)
    fn_audit_overlap_count(r->shared[s], a->overlap, (fn_split)s, FN_SPLIT_TRAIN);
  fn_audit_overlap_count(r->between, a->overlap, FN_SPLIT_TEST, FN_SPLIT_VALIDATION);
  fn_audit_sentence *sentences = fn_arena_alloc(&a->arena, MAX_SENTENCES, sizeof *sentences);
  if (!sentences) return fn_err_no_memory(err, "sentences");
  r->sentences = sentences;
  return fn_audit_overlap_sentences(sentences, &r->n_sentences, MAX_SENTENCES, a->overlap, r->judged_on, err);
}

static fn_status run(fn_audit *a, fn_err *err) {
  fn_pool *pool = a->request->pool;
  FN_TRY(fn_dataset_open(&a->dataset, a->request->dir, err));
  a->report.dataset_hash = fn_dataset_hash(a->dataset);
  count_rows(a);
  FN_TRY(draw(a, err));
  FN_TRY(copy_labels(&a->train_labels, a, a->train, err));
  FN_TRY(copy_labels(&a->test_labels, a, a->test, err));
  size_t larger = a->train->n_class[1] > a->train->n_class[0];
  for (int k = 0; k < 2; k++) a->report.n_judged[k] = a->test->n_class[k];
  a->report.majority = (double)a->test->n_class[larger] / (double)a->test->n;
  FN_TRY(fn_audit_words_make(&a->words, a->train, a->test, pool, err));
  a->report.n_words = a->words.n;
  FN_TRY(fn_style_table(&a->train_style, &a->arena, a->train, pool, err));
  FN_TRY(fn_style_table(&a->test_style, &a->arena, a->test, pool, err));
  FN_TRY(count_sources(a, err));
  FN_TRY(count_shared(a, err));
  FN_TRY(fn_audit_check_stop(a, err));
  FN_TRY(fn_audit_judge(a, err));
  FN_TRY(fn_audit_models(a, err));
  return fn_audit_conclude(a, err);
}

fn_status fn_audit_run(fn_audit **audit_out, const fn_audit_request *request, const fn_audit_options *options,
                       fn_err *err) {
  fn_audit *a = fn_mem_calloc(1, sizeof *a);
  if (!a) return fn_err_no_memory(err, "an audit");
  a->request = request;
  a->options = options;
  fn_arena_init(&a->arena);
  fn_status status = run(a, err);
  if (status != FN_OK) {
    fn_audit_destroy(a);
    return status;
  }
  *audit_out = a;
  return FN_OK;
}
