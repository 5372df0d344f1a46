/* Duplicates and conflicting labels. */
#include "data/duplicates.h"
#include "data/prepare_internal.h"

#include <stdlib.h>

/* Articles with equal keys come one after the other, the first one first: each joins the first one's cluster. Keys are
 * told apart by 96 of their 128 bits: among 2^31 articles two different ones agree with a probability of 2^-35. */
static fn_status find_exact(fn_prepared *p, fn_err *err) {
  fn_pair first = {0};
  bool any = false, counted = false;
  FN_TRY(fn_sorter_finish(&p->keys, err));
  for (;;) {
    fn_pair pair;
    bool more;
    FN_TRY(fn_sorter_next(&pair, &more, &p->keys, err));
    if (!more) break;
    if (!any || pair.key != first.key || pair.value >> 32 != first.value >> 32) {
      first = pair;
      any = true;
      counted = false;
      continue;
    }
    const uint32_t numbers[2] = {(uint32_t)first.value, (uint32_t)pair.value};
    p->flags[numbers[1]] |= ARTICLE_COPY;
    fn_clusters_join(&p->clusters, numbers[0], numbers[1]);
    if (!counted) p->report.n_exact_groups++;
    if (p->options->split != FN_SPLIT_RANDOM) {
      const uint32_t self[2] = {numbers[0], numbers[0]};
      if (!counted) FN_TRY(fn_spill_append(&p->copies, self, sizeof self, err));
      FN_TRY(fn_spill_append(&p->copies, numbers, sizeof numbers, err));
    }
    counted = true;
  }
  fn_sorter_deinit(&p->keys);
  return p->options->split == FN_SPLIT_RANDOM ? FN_OK : fn_spill_flush(&p->copies, err);
}

/* Bit k of masks[cluster]: an article of the cluster has label k. */
static void collect_labels(uint8_t *masks, fn_prepared *p) {
  memset(masks, 0, p->n_articles);
  for (size_t i = 0; i < p->n_articles; i++)
    masks[fn_clusters_find(&p->clusters, (uint32_t)i)] |= (uint8_t)(1 << fn_article_label(p->flags[i]));
}

/* Clusters are still those of exact copies. */
static void mark_conflicts(uint8_t *masks, fn_prepared *p) {
  collect_labels(masks, p);
  for (size_t i = 0; i < p->n_articles; i++)
    if (masks[fn_clusters_find(&p->clusters, (uint32_t)i)] == 3) p->flags[i] |= ARTICLE_CONFLICT;
}

/* For the comparison of near copies: the two texts of an article, read from the temporary file. */
typedef struct texts {
  fn_prepared *p;
  fn_buf bytes;
} texts;

static fn_status texts_of(void *arg, uint32_t i, fn_str *first_out, fn_str *second_out, fn_err *err) {
  texts *t = arg;
  article a;
  FN_TRY(fn_articles_get(&a, t->p, i, err));
  size_t length = (size_t)a.title + a.text;
  fn_buf_reset(&t->bytes);
  if (!fn_buf_reserve(&t->bytes, length)) return fn_err_no_memory(err, "the texts");
  FN_TRY(fn_spill_read(&t->p->texts, a.at, t->bytes.data, length, err));
  int mode = t->p->options->text;
  *first_out = fn_str_make(t->bytes.data, mode == FN_TEXT_TEXT ? 0 : a.title);
  *second_out = fn_str_make(t->bytes.data + a.title, mode == FN_TEXT_TITLE ? 0 : a.text);
  return FN_OK;
}

static bool is_copy(void *arg, uint32_t i) {
  const texts *t = arg;
  return (t->p->flags[i] & ARTICLE_COPY) != 0;
}

static fn_status find_near(fn_prepared *p, fn_err *err) {
  if (!p->near) return FN_OK;
  texts t = {.p = p};
  fn_buf_init(&t.bytes, SIZE_MAX / 2);
  fn_near_counts counts = {0};
  fn_status status = fn_near_join(&counts, p->near, &p->clusters, texts_of, is_copy, &t, p->request->stop, err);
  fn_buf_deinit(&t.bytes);
  p->report.n_near_candidates = counts.n_candidates;
  p->report.n_near_pairs = counts.n_pairs;
  p->report.n_near_skipped = counts.n_skipped;
  fn_near_destroy(p->near);
  p->near = NULL;
  return status;
}

/* Clusters of different texts: how many, how many texts in them, how many in the largest. */
static fn_status count_near(fn_prepared *p, fn_err *err) {
  FN_AUTO_FREE uint32_t *sizes = fn_mem_calloc(p->n_articles, sizeof *sizes);
  if (!sizes) return fn_err_no_memory(err, "near duplicates");
  for (size_t i = 0; i < p->n_articles; i++)
    if (!(p->flags[i] & ARTICLE_COPY)) sizes[p->clusters.parent[i]]++;
  for (size_t i = 0; i < p->n_articles; i++) {
    if (sizes[i] < 2) continue;
    p->report.n_near_clusters++;
    p->report.n_near_rows += sizes[i];
    if (sizes[i] > p->report.n_near_largest) p->report.n_near_largest = sizes[i];
  }
  return FN_OK;
}

/* All copies of a text that stands there as real and as fake go: nobody can say which one is right. */
static void drop_conflicts(uint8_t *masks, fn_prepared *p) {
  collect_labels(masks, p);
  for (size_t i = 0; i < p->n_articles; i++)
    if (p->flags[i] & ARTICLE_CONFLICT)
      fn_prepare_drop(p, i, FN_DROP_CONFLICT_EXACT);
    else if (masks[p->clusters.parent[i]] == 3)
      fn_prepare_drop(p, i, FN_DROP_CONFLICT_NEAR);
}

fn_status fn_prepare_copies(fn_prepared *p, fn_err *err) {
  FN_AUTO_FREE uint8_t *masks = fn_mem_alloc(p->n_articles, 1);
  if (!masks) return fn_err_no_memory(err, "conflicting labels");
  FN_TRY(fn_clusters_init(&p->clusters, p->n_articles, err));
  fn_prepare_progress(p, "comparing", 0);
  FN_TRY(find_exact(p, err));
  mark_conflicts(masks, p);
  FN_TRY(find_near(p, err));
  fn_clusters_flatten(&p->clusters);
  fn_prepare_progress(p, "comparing", p->n_articles);
  FN_TRY(count_near(p, err));
  drop_conflicts(masks, p);
  return FN_OK;
}
