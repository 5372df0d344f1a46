/* Duplicates and conflicting labels. */
#include "data/duplicates.h"
#include "data/prepare_internal.h"

#include <math.h>
#include <stdlib.h>

static void texts_of(const void *arg, size_t i, fn_str *first_out, fn_str *second_out) {
  const fn_prepared *p = arg;
  const article *a = &p->articles[i];
  *first_out = p->options->text == FN_TEXT_TEXT ? fn_str_make("", 0) : a->title;
  *second_out = p->options->text == FN_TEXT_TITLE ? fn_str_make("", 0) : a->text;
}

static fn_status find_exact(fn_prepared *p, fn_err *err) {
  size_t n = p->n_articles;
  FN_AUTO_FREE fn_hash128 *keys = fn_mem_alloc(n, sizeof *keys);
  FN_AUTO_FREE uint32_t *first = fn_mem_alloc(n, sizeof *first);
  FN_AUTO_FREE uint8_t *counted = fn_mem_calloc(n, 1);
  if (!keys || !first || !counted) return fn_err_no_memory(err, "hashes of rows");
  for (size_t i = 0; i < n; i++) keys[i] = p->articles[i].key;
  FN_TRY(fn_duplicates_exact(first, keys, n, err));
  for (size_t i = 0; i < n; i++) {
    p->articles[i].same = first[i];
    if (first[i] == i || counted[first[i]]) continue;
    counted[first[i]] = 1;
    p->report.n_exact_groups++;
  }
  return FN_OK;
}

static fn_status find_near(fn_clusters *clusters, fn_prepared *p, fn_err *err) {
  if (isnan(p->options->near_duplicates)) return FN_OK;
  FN_AUTO_FREE uint8_t *skip = fn_mem_calloc(p->n_articles, 1);
  if (!skip) return fn_err_no_memory(err, "near duplicates");
  for (size_t i = 0; i < p->n_articles; i++) skip[i] = p->articles[i].same != i;
  fn_near_counts counts;
  FN_TRY(fn_duplicates_near(&counts, clusters, texts_of, p, skip, p->options->near_duplicates, p->request->pool,
                            p->request->stop, err));
  p->report.n_near_candidates = counts.n_candidates;
  p->report.n_near_pairs = counts.n_pairs;
  p->report.n_near_skipped = counts.n_skipped;
  return FN_OK;
}

/* Clusters of different texts: how many, how many texts in them, how many in the largest. */
static fn_status count_near(fn_prepared *p, fn_err *err) {
  FN_AUTO_FREE uint32_t *sizes = fn_mem_calloc(p->n_articles, sizeof *sizes);
  if (!sizes) return fn_err_no_memory(err, "near duplicates");
  for (size_t i = 0; i < p->n_articles; i++)
    if (p->articles[i].same == i) sizes[p->articles[i].cluster]++;
  for (size_t i = 0; i < p->n_articles; i++) {
    if (sizes[i] < 2) continue;
    p->report.n_near_clusters++;
    p->report.n_near_rows += sizes[i];
    if (sizes[i] > p->report.n_near_largest) p->report.n_near_largest = sizes[i];
  }
  return FN_OK;
}

/* All copies of a text that stands there as real and as fake go: nobody can say which one is right. */
static fn_status drop_conflicts(fn_prepared *p, fn_err *err) {
  FN_AUTO_FREE uint8_t *exact = fn_mem_calloc(p->n_articles, 1);
  FN_AUTO_FREE uint8_t *near = fn_mem_calloc(p->n_articles, 1);
  if (!exact || !near) return fn_err_no_memory(err, "conflicting labels");
  for (size_t i = 0; i < p->n_articles; i++) {
    const article *a = &p->articles[i];
    exact[a->same] |= (uint8_t)(1 << a->label);
    near[a->cluster] |= (uint8_t)(1 << a->label);
  }
  for (size_t i = 0; i < p->n_articles; i++) {
    article *a = &p->articles[i];
    if (exact[a->same] == 3)
      fn_prepare_drop(p, a, FN_DROP_CONFLICT_EXACT);
    else if (near[a->cluster] == 3)
      fn_prepare_drop(p, a, FN_DROP_CONFLICT_NEAR);
  }
  return FN_OK;
}

fn_status fn_prepare_copies(fn_prepared *p, fn_err *err) {
  FN_TRY(find_exact(p, err));
  fn_prepare_progress(p, "comparing", 0);
  fn_clusters FN_CLEANUP(fn_clusters_deinit) clusters = {0};
  FN_TRY(fn_clusters_init(&clusters, p->n_articles, err));
  FN_TRY(find_near(&clusters, p, err));
  for (size_t i = 0; i < p->n_articles; i++) fn_clusters_join(&clusters, (uint32_t)i, p->articles[i].same);
  for (size_t i = 0; i < p->n_articles; i++) p->articles[i].cluster = fn_clusters_find(&clusters, (uint32_t)i);
  fn_prepare_progress(p, "comparing", p->n_articles);
  FN_TRY(count_near(p, err));
  return drop_conflicts(p, err);
}
