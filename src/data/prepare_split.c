/* Splits, and copies of one text in two of them. */
#include "data/prepare_internal.h"
#include "data/split.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct scoped {
  uint32_t same, scope, index;
} scoped;

static int by_scope(const void *a, const void *b) {
  const scoped *x = a, *y = b;
  if (x->same != y->same) return x->same < y->same ? -1 : 1;
  if (x->scope != y->scope) return x->scope < y->scope ? -1 : 1;
  return (x->index > y->index) - (x->index < y->index);
}

typedef enum scope { EVERYWHERE, IN_GROUP, IN_SPLIT } scope;

/* Of exact copies in one scope the first stays. */
static fn_status drop_exact(fn_prepared *p, scope where, fn_err *err) {
  FN_AUTO_FREE scoped *sorted = fn_mem_alloc(p->n_articles, sizeof *sorted);
  if (!sorted) return fn_err_no_memory(err, "exact duplicates");
  size_t n = 0;
  for (size_t i = 0; i < p->n_articles; i++) {
    const article *a = &p->articles[i];
    if (a->drop != KEPT) continue;
    sorted[n++] = (scoped){a->same, where == IN_GROUP ? a->group : where == IN_SPLIT ? a->split : 0, (uint32_t)i};
  }
  qsort(sorted, n, sizeof *sorted, by_scope);
  for (size_t i = 1; i < n; i++)
    if (sorted[i].same == sorted[i - 1].same && sorted[i].scope == sorted[i - 1].scope)
      fn_prepare_drop(p, &p->articles[sorted[i].index], FN_DROP_EXACT);
  return FN_OK;
}

/* Rows that are still in, as arrays for the functions of data/split.h. */
typedef struct view {
  size_t n;
  uint32_t *index, *a, *b;
  int8_t *labels;
  uint8_t *split;
} view;

static void view_deinit(view *v) {
  free(v->index);
  free(v->a);
  free(v->b);
  free(v->labels);
  free(v->split);
}

static fn_status view_init(view *v, const fn_prepared *p, fn_err *err) {
  size_t n = p->n_articles;
  *v = (view){
      .index = fn_mem_alloc(n, sizeof *v->index),
      .a = fn_mem_alloc(n, sizeof *v->a),
      .b = fn_mem_alloc(n, sizeof *v->b),
      .labels = fn_mem_alloc(n, 1),
      .split = fn_mem_calloc(n, 1),
  };
  if (!v->index || !v->a || !v->b || !v->labels || !v->split) return fn_err_no_memory(err, "a split");
  for (size_t i = 0; i < n; i++)
    if (p->articles[i].drop == KEPT) v->index[v->n++] = (uint32_t)i;
  return FN_OK;
}

static void assign(fn_prepared *p, const view *v) {
  for (size_t i = 0; i < v->n; i++) p->articles[v->index[i]].split = v->split[i];
}

static fn_status split_random(fn_prepared *p, fn_err *err) {
  FN_TRY(drop_exact(p, EVERYWHERE, err));
  view FN_CLEANUP(view_deinit) v = {0};
  FN_TRY(view_init(&v, p, err));
  for (size_t i = 0; i < v.n; i++) {
    const article *a = &p->articles[v.index[i]];
    v.a[i] = a->cluster;
    v.b[i] = 2 * a->dataset + (a->label == 1 ? 1u : 0u);
  }
  FN_TRY(fn_split_random(v.split, v.a, v.b, v.n, p->datasets.n * 2, p->fractions, (uint64_t)p->options->seed, err));
  assign(p, &v);
  return FN_OK;
}

static fn_status split_groups(fn_prepared *p, fn_err *err) {
  FN_TRY(drop_exact(p, IN_GROUP, err));
  view FN_CLEANUP(view_deinit) v = {0};
  FN_TRY(view_init(&v, p, err));
  FN_AUTO_FREE uint32_t *dense = fn_mem_calloc(p->groups.n, sizeof *dense); /* number + 1 among groups still in */
  if (!dense) return fn_err_no_memory(err, "groups");
  uint32_t n_groups = 0;
  for (size_t i = 0; i < v.n; i++) {
    const article *a = &p->articles[v.index[i]];
    if (!dense[a->group]) dense[a->group] = ++n_groups;
    v.a[i] = dense[a->group] - 1;
    v.labels[i] = a->label;
  }
  p->report.n_groups = n_groups;
  FN_TRY(fn_split_groups(v.split, v.a, v.labels, v.n, n_groups, p->fractions, (uint64_t)p->options->seed, err));
  assign(p, &v);
  return FN_OK;
}

/* A cluster may be in one split only: the copies in the latest split stay, since a test row that is gone changes what
 * is measured while a training row that is gone is only missed. */
static fn_status drop_across(fn_prepared *p, fn_err *err) {
  FN_AUTO_FREE uint8_t *latest = fn_mem_calloc(p->n_articles, 1);
  if (!latest) return fn_err_no_memory(err, "copies across splits");
  for (size_t i = 0; i < p->n_articles; i++) {
    const article *a = &p->articles[i];
    if (a->drop == KEPT && a->split > latest[a->cluster]) latest[a->cluster] = a->split;
  }
  for (size_t i = 0; i < p->n_articles; i++) {
    article *a = &p->articles[i];
    if (a->drop == KEPT && a->split < latest[a->cluster])
      fn_prepare_drop(p, a, a->split == FN_SPLIT_TRAIN ? FN_DROP_TRAIN_COPY : FN_DROP_VALIDATION_COPY);
  }
  return drop_exact(p, IN_SPLIT, err);
}

static fn_status count_sets(fn_prepared *p, fn_err *err) {
  p->sets = fn_mem_calloc(p->datasets.n, sizeof *p->sets);
  if (!p->sets) return fn_err_no_memory(err, "the report");
  for (size_t d = 0; d < p->datasets.n; d++) p->sets[d].name = p->datasets.items[d];
  p->report.sets = p->sets;
  p->report.n_sets = p->datasets.n;
  for (size_t i = 0; i < p->n_articles; i++) {
    const article *a = &p->articles[i];
    if (a->drop != KEPT) continue;
    p->report.n_kept++;
    p->report.n_split[a->split][a->label]++;
    p->sets[a->dataset].n_rows[a->split][a->label]++;
    p->report.n_no_title[a->label] += a->title.length == 0;
    p->report.n_no_text[a->label] += a->text.length == 0;
  }
  return FN_OK;
}

static fn_status check_classes(const fn_prepared *p, fn_err *err) {
  const fn_prepare_report *r = &p->report;
  static const char *const advice[] = {
      [FN_SPLIT_RANDOM] = "more rows are needed, or other data.fractions",
      [FN_SPLIT_GROUP] = "data.group needs more groups that hold that class, or take data.split=random",
      [FN_SPLIT_GIVEN] = "data.split=random divides the rows anew",
  };
  for (int s = 0; s < FN_SPLIT_COUNT; s++) {
    const uint64_t *n = r->n_split[s];
    if (n[0] && n[1]) continue;
    return fn_err_set(err, FN_E_INVALID,
                      "split %s %s %s (%" PRIu64 " real, %" PRIu64 " fake); rows by split: train %" PRIu64
                      " real, %" PRIu64 " fake; validation %" PRIu64 ", %" PRIu64 "; test %" PRIu64 ", %" PRIu64
                      "; every split needs both classes: %s",
                      fn_split_name((fn_split)s), n[0] || n[1] ? "has no" : "is",
                      n[0]   ? "fake rows"
                      : n[1] ? "real rows"
                             : "empty",
                      n[0], n[1], r->n_split[0][0], r->n_split[0][1], r->n_split[1][0], r->n_split[1][1],
                      r->n_split[2][0], r->n_split[2][1], advice[p->options->split]);
  }
  return FN_OK;
}

fn_status fn_prepare_split(fn_prepared *p, fn_err *err) {
  switch (p->options->split) {
  case FN_SPLIT_RANDOM: FN_TRY(split_random(p, err)); break;
  case FN_SPLIT_GROUP: FN_TRY(split_groups(p, err)); break;
  default: break; /* given: read with the rows */
  }
  if (p->options->split != FN_SPLIT_RANDOM) FN_TRY(drop_across(p, err));
  FN_TRY(count_sets(p, err));
  return check_classes(p, err);
}
