#include "infer/compare.h"

#include "infer/session.h"

#include <math.h>
#include <stdlib.h>

enum { BLOCK = 64, MAX_DATASETS = 4096 };

typedef struct comparer {
  fn_session *before, *after;
  fn_comparison *out;
  size_t capacity; /* of out->parts */
} comparer;

void fn_comparison_deinit(fn_comparison *c) {
  free(c->parts);
  free(c->rows.before);
  free(c->rows.labels);
  free(c->rows.parts);
  fn_arena_deinit(&c->arena);
  *c = (fn_comparison){0};
}

static double logit_of(const fn_prediction *p, const fn_session *s) {
  int32_t fake = s->classifier->info.fake;
  return p->logits[fake] - p->logits[1 - fake];
}

static fn_status part_of(uint32_t *out, comparer *c, fn_str dataset, fn_err *err) {
  fn_comparison *o = c->out;
  for (size_t i = 1; i < o->n_parts; i++) {
    if (fn_str_is(dataset, o->parts[i].name)) return *out = (uint32_t)i, FN_OK;
  }
  FN_TRY(
      fn_mem_grow((void **)&o->parts, &c->capacity, o->n_parts + 1, sizeof *o->parts, MAX_DATASETS, "datasets", err));
  char *name = fn_arena_strndup(&o->arena, dataset.length ? dataset.data : "", dataset.length);
  if (name == NULL) return fn_err_no_memory(err, "names of datasets");
  o->parts[o->n_parts] = (fn_comparison_part){.name = name};
  *out = (uint32_t)o->n_parts++;
  return FN_OK;
}

static fn_status take_block(comparer *c, const fn_row *block, size_t n, fn_err *err) {
  fn_article articles[BLOCK];
  fn_prediction before[BLOCK], after[BLOCK];
  fn_comparison_rows *r = &c->out->rows;
  for (size_t i = 0; i < n; i++) articles[i] = (fn_article){.title = block[i].title, .text = block[i].text};
  uint64_t begin = fn_clock_ns();
  FN_TRY(fn_session_classify(before, c->before, articles, n, err));
  uint64_t middle = fn_clock_ns();
  FN_TRY(fn_session_classify(after, c->after, articles, n, err));
  c->out->seconds_before += (double)(middle - begin) * 1e-9;
  c->out->seconds_after += (double)(fn_clock_ns() - middle) * 1e-9;
  for (size_t i = 0; i < n; i++) {
    if (before[i].status != FN_OK || after[i].status != FN_OK || block[i].label < 0) continue;
    FN_TRY(part_of(&r->parts[r->n], c, block[i].dataset, err));
    r->before[r->n] = logit_of(&before[i], c->before);
    r->after[r->n] = logit_of(&after[i], c->after);
    r->labels[r->n++] = block[i].label;
  }
  return FN_OK;
}

static fn_status take_all(comparer *c, const fn_dataset *dataset, unsigned splits, size_t n_all,
                          fn_comparison_progress progress, void *arg, fn_err *err) {
  fn_row block[BLOCK];
  size_t n_done = 0;
  for (int split = 0; split < FN_SPLIT_COUNT; split++) {
    if ((splits & 1u << split) == 0) continue;
    size_t n_rows = fn_dataset_n_rows(dataset, (fn_split)split);
    for (size_t at = 0; at < n_rows; at += BLOCK) {
      size_t n = n_rows - at < BLOCK ? n_rows - at : BLOCK;
      for (size_t i = 0; i < n; i++) fn_dataset_get(&block[i], dataset, (fn_split)split, at + i);
      FN_TRY(take_block(c, block, n, err));
      n_done += n;
      if (progress != NULL && !progress(arg, n_done, n_all)) return fn_err_set(err, FN_E_CANCELLED, "stopped");
    }
  }
  if (c->out->rows.n == 0)
    return fn_err_set(err, FN_E_INVALID, "%s: no row can be read by both", fn_dataset_dir(dataset));
  return FN_OK;
}

static double sigmoid(double x) {
  return 1.0 / (1.0 + exp(-x));
}

/* Figures of one part (0: all). p and labels: room for all rows. */
static fn_status measure(fn_comparison_part *part, const fn_comparison_rows *r, uint32_t which, double *p,
                         int32_t *labels, fn_err *err) {
  size_t n = 0;
  double sum = 0.0;
  for (size_t i = 0; i < r->n; i++) {
    if (which != 0 && r->parts[i] != which) continue;
    double difference = fabs(r->after[i] - r->before[i]);
    part->n_flipped += (r->before[i] > 0.0) != (r->after[i] > 0.0);
    part->worst_logit = fmax(part->worst_logit, difference);
    sum += difference;
    p[n] = sigmoid(r->before[i]);
    labels[n++] = r->labels[i];
  }
  part->n = n;
  part->mean_logit = n > 0 ? sum / (double)n : 0.0;
  if (n == 0) return FN_OK;
  FN_TRY(fn_metrics_compute(&part->before, p, labels, n, err));
  for (size_t i = 0, k = 0; i < r->n; i++)
    if (which == 0 || r->parts[i] == which) p[k++] = sigmoid(r->after[i]);
  return fn_metrics_compute(&part->after, p, labels, n, err);
}

static fn_status measure_all(fn_comparison *c, fn_err *err) {
  size_t n = c->rows.n;
  FN_AUTO_FREE double *p = fn_mem_calloc(n, sizeof *p);
  FN_AUTO_FREE int32_t *labels = fn_mem_calloc(n, sizeof *labels);
  if (p == NULL || labels == NULL) return fn_err_no_memory(err, "a comparison");
  for (size_t i = 0; i < c->n_parts; i++) FN_TRY(measure(&c->parts[i], &c->rows, (uint32_t)i, p, labels, err));
  return FN_OK;
}

static fn_status allocate(fn_comparison_rows *r, size_t n, fn_err *err) {
  r->before = fn_mem_calloc(2 * n, sizeof *r->before);
  r->labels = fn_mem_calloc(n, sizeof *r->labels);
  r->parts = fn_mem_calloc(n, sizeof *r->parts);
  if (r->before == NULL || r->labels == NULL || r->parts == NULL) return fn_err_no_memory(err, "a comparison");
  r->after = r->before + n;
  return FN_OK;
}

static fn_status compare(comparer *c, const fn_dataset *dataset, unsigned splits, fn_comparison_progress progress,
                         void *arg, fn_err *err) {
  size_t n = 0;
  for (int s = 0; s < FN_SPLIT_COUNT; s++)
    if (splits & 1u << s) n += fn_dataset_n_rows(dataset, (fn_split)s);
  FN_TRY(allocate(&c->out->rows, n + 1, err));
  FN_TRY(fn_mem_grow((void **)&c->out->parts, &c->capacity, 1, sizeof *c->out->parts, MAX_DATASETS, "datasets", err));
  c->out->parts[0] = (fn_comparison_part){.name = "all"};
  c->out->n_parts = 1;
  FN_TRY(take_all(c, dataset, splits, n, progress, arg, err));
  return measure_all(c->out, err);
}

static fn_status copy_parts(fn_comparison *out, const fn_comparison *a, fn_err *err) {
  out->parts = fn_mem_calloc(a->n_parts, sizeof *out->parts);
  if (out->parts == NULL) return fn_err_no_memory(err, "a comparison");
  for (size_t i = 0; i < a->n_parts; i++) {
    const char *name = fn_arena_strndup(&out->arena, a->parts[i].name, strlen(a->parts[i].name));
    if (name == NULL) return fn_err_no_memory(err, "names of datasets");
    out->parts[out->n_parts++] = (fn_comparison_part){.name = name};
  }
  return FN_OK;
}

static fn_status mean_of(fn_comparison *out, const fn_comparison *a, const fn_comparison *b, fn_err *err) {
  size_t n = a->rows.n;
  bool same = n == b->rows.n && a->n_parts == b->n_parts;
  for (size_t i = 0; same && i < n; i++)
    same = a->rows.labels[i] == b->rows.labels[i] && a->rows.parts[i] == b->rows.parts[i];
  if (!same) return fn_err_set(err, FN_E_INVALID, "the halves did not read the same rows");
  FN_TRY(copy_parts(out, a, err));
  FN_TRY(allocate(&out->rows, n + 1, err));
  out->rows.n = n;
  for (size_t i = 0; i < n; i++) {
    out->rows.before[i] = 0.5 * (a->rows.before[i] + b->rows.before[i]);
    out->rows.after[i] = 0.5 * (a->rows.after[i] + b->rows.after[i]);
    out->rows.labels[i] = a->rows.labels[i];
    out->rows.parts[i] = a->rows.parts[i];
  }
  out->seconds_before = a->seconds_before + b->seconds_before;
  out->seconds_after = a->seconds_after + b->seconds_after;
  return measure_all(out, err);
}

fn_status fn_comparison_mean(fn_comparison *comparison_out, const fn_comparison *a, const fn_comparison *b,
                             fn_err *err) {
  fn_comparison out = {0};
  fn_arena_init(&out.arena);
  fn_status status = mean_of(&out, a, b, err);
  if (status != FN_OK) {
    fn_comparison_deinit(&out);
    return status;
  }
  *comparison_out = out;
  return FN_OK;
}

fn_status fn_comparison_run(fn_comparison *comparison_out, fn_session *before, fn_session *after,
                            const fn_dataset *dataset, unsigned splits, fn_comparison_progress progress, void *arg,
                            fn_err *err) {
  const fn_session *const sessions[] = {before, after};
  for (size_t i = 0; i < FN_COUNT_OF(sessions); i++) {
    const fn_classifier_info *info = &sessions[i]->classifier->info;
    if (info->n_labels != 2 || info->fake < 0)
      return fn_err_set(err, FN_E_INVALID, "%s: only models with the two labels real and fake can be compared on data",
                        info->dir);
  }
  fn_comparison out = {0};
  fn_arena_init(&out.arena);
  comparer c = {.before = before, .after = after, .out = &out};
  fn_status status = compare(&c, dataset, splits, progress, arg, err);
  if (status != FN_OK) {
    fn_comparison_deinit(&out);
    return status;
  }
  *comparison_out = out;
  return FN_OK;
}

static void write_pair(fn_json_writer *w, const char *key, double before, double after) {
  fn_json_array(w, key);
  fn_json_double(w, NULL, before);
  fn_json_double(w, NULL, after);
  fn_json_end(w);
}

void fn_comparison_format_json(fn_json_writer *w, const char *key, const fn_comparison *c) {
  fn_json_object(w, key);
  for (size_t i = 0; i < c->n_parts; i++) {
    const fn_comparison_part *p = &c->parts[i];
    fn_json_object(w, p->name);
    fn_json_int(w, "n", (int64_t)p->n);
    fn_json_int(w, "flipped", (int64_t)p->n_flipped);
    fn_json_double(w, "worst_logit", p->worst_logit);
    fn_json_double(w, "mean_logit", p->mean_logit);
    write_pair(w, "accuracy", p->before.accuracy, p->after.accuracy);
    write_pair(w, "roc_auc", p->before.roc_auc, p->after.roc_auc);
    write_pair(w, "ece", p->before.ece, p->after.ece);
    fn_json_end(w);
  }
  fn_json_end(w);
}
