/* Splits, and copies of one text in two of them. */
#include "data/prepare_internal.h"
#include "data/split.h"

#include <inttypes.h>
#include <stdlib.h>

static bool is_kept(const fn_prepared *p, size_t i) {
  return !(p->flags[i] & ARTICLE_DROPPED);
}

/* Of exact copies in one scope the first stays: in one group (groups[n_articles]), or in one split (groups NULL). */
static fn_status drop_exact(fn_prepared *p, const uint32_t *groups, fn_err *err) {
  enum { MAX_PAIRS = 1 << 18 };
  fn_sorter FN_CLEANUP(fn_sorter_deinit) sorter;
  fn_sorter_init(&sorter, p->folder, MAX_PAIRS);
  fn_spill_cursor FN_CLEANUP(fn_spill_cursor_deinit) cursor = {0};
  FN_TRY(fn_spill_cursor_init(&cursor, &p->copies, 0, p->copies.size, 1 << 18, err));
  for (;;) {
    const void *item;
    bool more;
    uint32_t numbers[2]; /* first of the copies, copy */
    FN_TRY(fn_spill_next(&item, &more, &cursor, sizeof numbers, err));
    if (!more) break;
    memcpy(numbers, item, sizeof numbers);
    if (!is_kept(p, numbers[1])) continue;
    uint32_t scope = groups ? groups[numbers[1]] : (uint32_t)fn_article_split(p->flags[numbers[1]]);
    FN_TRY(fn_sorter_add(&sorter, (uint64_t)numbers[0] << 32 | scope, numbers[1], err));
  }
  FN_TRY(fn_sorter_finish(&sorter, err));
  fn_pair pair, before = {0};
  bool more;
  for (bool any = false;; any = true) {
    FN_TRY(fn_sorter_next(&pair, &more, &sorter, err));
    if (!more) return FN_OK;
    if (any && pair.key == before.key) fn_prepare_drop(p, (size_t)pair.value, FN_DROP_EXACT);
    before = pair;
  }
}

/* Of each article what a split goes by: its group, or its stratum, which is dataset and label. out[n_articles]. */
static fn_status read_numbers(uint32_t *out, const fn_prepared *p, bool groups, fn_err *err) {
  fn_spill_cursor FN_CLEANUP(fn_spill_cursor_deinit) cursor = {0};
  FN_TRY(fn_articles_begin(&cursor, p, err));
  for (size_t i = 0; i < p->n_articles; i++) {
    article a;
    bool more;
    FN_TRY(fn_articles_next(&a, &more, &cursor, err));
    out[i] = groups ? a.group : 2 * a.dataset + (uint32_t)fn_article_label(p->flags[i]);
  }
  return FN_OK;
}

static fn_status split_random(fn_prepared *p, fn_err *err) {
  size_t n = p->n_articles;
  for (size_t i = 0; i < n; i++)
    if (is_kept(p, i) && (p->flags[i] & ARTICLE_COPY)) fn_prepare_drop(p, i, FN_DROP_EXACT);
  FN_AUTO_FREE uint32_t *strata = fn_mem_alloc(n, sizeof *strata);
  FN_AUTO_FREE uint8_t *split = fn_mem_alloc(n, 1);
  if (!strata || !split) return fn_err_no_memory(err, "a split");
  FN_TRY(read_numbers(strata, p, false, err));
  for (size_t i = 0; i < n; i++) split[i] = is_kept(p, i) ? 0 : NO_SPLIT;
  FN_TRY(fn_split_random(split, p->clusters.parent, strata, n, p->datasets.n * 2, p->fractions,
                         (uint64_t)p->options->seed, err));
  for (size_t i = 0; i < n; i++) p->flags[i] = fn_article_with_split(p->flags[i], split[i]);
  return FN_OK;
}

static fn_status split_groups(fn_prepared *p, fn_err *err) {
  size_t n = 0;
  FN_AUTO_FREE uint32_t *groups = fn_mem_alloc(p->n_articles, sizeof *groups);
  FN_AUTO_FREE int8_t *labels = fn_mem_alloc(p->n_articles, 1);
  FN_AUTO_FREE uint8_t *split = fn_mem_alloc(p->n_articles, 1);
  FN_AUTO_FREE uint32_t *dense = fn_mem_calloc(p->groups.n, sizeof *dense); /* number + 1 among groups still in */
  if (!groups || !labels || !split || !dense) return fn_err_no_memory(err, "groups");
  FN_TRY(read_numbers(groups, p, true, err));
  FN_TRY(drop_exact(p, groups, err));
  uint32_t n_groups = 0;
  for (size_t i = 0; i < p->n_articles; i++) {
    if (!is_kept(p, i)) continue;
    uint32_t group = groups[i]; /* the list moves up to those that are kept */
    if (!dense[group]) dense[group] = ++n_groups;
    groups[n] = dense[group] - 1;
    labels[n++] = (int8_t)fn_article_label(p->flags[i]);
  }
  p->report.n_groups = n_groups;
  FN_TRY(fn_split_groups(split, groups, labels, n, n_groups, p->fractions, (uint64_t)p->options->seed, err));
  n = 0;
  for (size_t i = 0; i < p->n_articles; i++)
    if (is_kept(p, i)) p->flags[i] = fn_article_with_split(p->flags[i], split[n++]);
  return FN_OK;
}

/* A cluster may be in one split only: the copies in the latest split stay, since a test row that is gone changes what
 * is measured while a training row that is gone is only missed. */
static fn_status drop_across(fn_prepared *p, fn_err *err) {
  FN_AUTO_FREE uint8_t *latest = fn_mem_calloc(p->n_articles, 1);
  if (!latest) return fn_err_no_memory(err, "copies across splits");
  const uint32_t *cluster = p->clusters.parent;
  for (size_t i = 0; i < p->n_articles; i++) {
    int split = fn_article_split(p->flags[i]);
    if (is_kept(p, i) && split > latest[cluster[i]]) latest[cluster[i]] = (uint8_t)split;
  }
  for (size_t i = 0; i < p->n_articles; i++) {
    int split = fn_article_split(p->flags[i]);
    if (is_kept(p, i) && split < latest[cluster[i]])
      fn_prepare_drop(p, i, split == FN_SPLIT_TRAIN ? FN_DROP_TRAIN_COPY : FN_DROP_VALIDATION_COPY);
  }
  return drop_exact(p, NULL, err);
}

static fn_status count_sets(fn_prepared *p, fn_err *err) {
  p->sets = fn_mem_calloc(p->datasets.n, sizeof *p->sets);
  if (!p->sets) return fn_err_no_memory(err, "the report");
  for (size_t d = 0; d < p->datasets.n; d++) p->sets[d].name = p->datasets.items[d];
  p->report.sets = p->sets;
  p->report.n_sets = p->datasets.n;
  fn_spill_cursor FN_CLEANUP(fn_spill_cursor_deinit) cursor = {0};
  FN_TRY(fn_articles_begin(&cursor, p, err));
  for (size_t i = 0; i < p->n_articles; i++) {
    article a;
    bool more;
    FN_TRY(fn_articles_next(&a, &more, &cursor, err));
    if (!is_kept(p, i)) continue;
    int split = fn_article_split(p->flags[i]), label = fn_article_label(p->flags[i]);
    p->report.n_kept++;
    p->report.n_split[split][label]++;
    p->sets[a.dataset].n_rows[split][label]++;
    p->report.n_no_title[label] += a.title == 0;
    p->report.n_no_text[label] += a.text == 0;
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
