/* Single features. Rules are made and ranked on train; what says nearly the same as a better one is folded into it;
 * what is left, never more than a fixed number, is judged on the other rows. */
#include "audit/internal.h"
#include "audit/probe.h"

#include <math.h>

enum { MAX_CANDIDATES = 200, MAX_WORDS = 24, MAX_WITH = 12, N_STYLE = 2 * FN_N_STYLES };
#define SAME_PHI  0.7  /* of what two rules say on train */
#define MIN_FOUND 0.55 /* balanced accuracy below which a line is not worth reading */

typedef struct candidate {
  fn_audit_kind kind;
  uint32_t number; /* id of the word; feature in the style table */
  fn_audit_rule rule;
  uint64_t *says; /* [n_masks] one bit a row of train: the rule says fake */
  uint64_t n_says;
  fn_status status;
} candidate;

typedef struct judging {
  fn_audit *a;
  candidate *candidates;
  size_t n, n_masks;
  fn_audit_probe *probes;
  candidate **leaders; /* [n_probes] the candidate of each probe */
  size_t n_probes;
  fn_str *with; /* [probes][MAX_WITH] words folded into each */
} judging;

static bool holds(const fn_audit_word_rows *rows, size_t i, uint32_t id) {
  size_t low = rows->begin[i], high = rows->begin[i + 1];
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (rows->ids[middle] == id) return true;
    if (rows->ids[middle] < id)
      low = middle + 1;
    else
      high = middle;
  }
  return false;
}

static bool says_fake(const candidate *c, const fn_audit *a, bool on_test, size_t i) {
  bool above;
  if (c->kind == FN_AUDIT_WORD) {
    above = holds(on_test ? &a->words.test : &a->words.train, i, c->number);
  } else {
    const float *table = on_test ? a->test_style : a->train_style;
    above = (double)table[c->number * (on_test ? a->test->n : a->train->n) + i] > c->rule.threshold;
  }
  return above == (c->rule.side == 1);
}

static void make_rule(void *arg, size_t task, int worker) {
  (void)worker;
  judging *j = arg;
  const fn_audit *a = j->a;
  candidate *c = &j->candidates[task];
  if (c->kind == FN_AUDIT_WORD) {
    const fn_audit_word *word = &a->words.words[c->number];
    double share[2];
    for (int k = 0; k < 2; k++) share[k] = (double)word->n_rows[k] / (double)a->train->n_class[k];
    c->rule = (fn_audit_rule){share[1] > share[0], 0, 0.5 + fabs(share[1] - share[0]) / 2};
  } else {
    c->status = fn_audit_fit(&c->rule, a->train_style + c->number * a->train->n, a->train_labels, a->train->n, NULL);
  }
  if (c->kind == FN_AUDIT_WORD && c->rule.side == 1) return; /* note_words does the rest */
  for (size_t i = 0; i < a->train->n; i++)
    if (c->kind == FN_AUDIT_WORD || says_fake(c, a, false, i)) c->says[i / 64] |= (uint64_t)1 << i % 64;
}

/* Where the words stand: a row's ids rise, and the candidates are the first. Turns what make_rule left round there. */
static void note_words(judging *j, size_t n_words) {
  const fn_audit_word_rows *rows = &j->a->words.train;
  for (size_t i = 0; i < j->a->train->n; i++)
    for (size_t k = rows->begin[i]; k < rows->begin[i + 1] && rows->ids[k] < n_words; k++)
      j->candidates[rows->ids[k]].says[i / 64] ^= (uint64_t)1 << i % 64;
}

static void count_says(judging *j) {
  for (size_t c = 0; c < j->n; c++)
    for (size_t m = 0; m < j->n_masks; m++)
      j->candidates[c].n_says += (uint64_t)__builtin_popcountll(j->candidates[c].says[m]);
}

static int by_train(const void *a, const void *b) {
  const candidate *x = a, *y = b;
  double p = x->rule.balanced_accuracy, q = y->rule.balanced_accuracy;
  if (p > q || p < q) return p > q ? -1 : 1;
  if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
  return (x->number > y->number) - (x->number < y->number);
}

static fn_status make_candidates(judging *j, fn_err *err) {
  fn_audit *a = j->a;
  j->n_masks = (a->train->n + 63) / 64;
  j->candidates = fn_arena_alloc(&a->arena, MAX_CANDIDATES + N_STYLE, sizeof *j->candidates);
  uint64_t *masks = fn_arena_alloc(&a->arena, (MAX_CANDIDATES + N_STYLE) * j->n_masks, sizeof *masks);
  if (!j->candidates || !masks) return fn_err_no_memory(err, "features");
  for (uint32_t w = 0; w < MAX_CANDIDATES && w < a->words.n && a->words.words[w].score > 0; w++)
    j->candidates[j->n++] = (candidate){.kind = FN_AUDIT_WORD, .number = w};
  size_t n_words = j->n;
  for (uint32_t s = 0; s < N_STYLE; s++) j->candidates[j->n++] = (candidate){.kind = FN_AUDIT_STYLE, .number = s};
  for (size_t i = 0; i < j->n; i++) j->candidates[i].says = masks + i * j->n_masks;
  fn_pool_run(a->request->pool, j->n, make_rule, j);
  for (size_t i = 0; i < j->n; i++)
    if (j->candidates[i].status != FN_OK) return fn_err_no_memory(err, "values of a feature");
  note_words(j, n_words);
  count_says(j);
  qsort(j->candidates, j->n, sizeof *j->candidates, by_train);
  return FN_OK;
}

/* Correlation of two binary variables. */
static double phi(const candidate *x, const candidate *y, size_t n_masks, double n) {
  uint64_t both = 0;
  for (size_t m = 0; m < n_masks; m++) both += (uint64_t)__builtin_popcountll(x->says[m] & y->says[m]);
  double a = (double)x->n_says, b = (double)y->n_says, variance = a * (n - a) * b * (n - b);
  return variance > 0 ? ((double)both * n - a * b) / sqrt(variance) : 0;
}

static void fold_word(judging *j, size_t leader, const candidate *c) {
  fn_audit_probe *p = &j->probes[leader];
  if (p->n_with == MAX_WITH) return;
  const fn_audit_word *word = &j->a->words.words[c->number];
  p->with = j->with + leader * MAX_WITH;
  j->with[leader * MAX_WITH + p->n_with++] = fn_audit_word_str(word, j->a->train);
}

static fn_audit_field field_of(const candidate *c, const fn_audit *a) {
  if (c->kind == FN_AUDIT_WORD) return (fn_audit_field)a->words.words[c->number].field;
  return c->number < FN_N_STYLES ? FN_AUDIT_TITLE : FN_AUDIT_TEXT;
}

static void start_probe(fn_audit_probe *p, const fn_audit *a, const candidate *c, int32_t folded_into) {
  *p = (fn_audit_probe){.kind = c->kind,
                        .field = field_of(c, a),
                        .unit = "",
                        .side = c->rule.side,
                        .threshold = c->rule.threshold,
                        .train = c->rule.balanced_accuracy,
                        .folded_into = folded_into};
  if (c->kind == FN_AUDIT_WORD) {
    p->name = fn_audit_word_str(&a->words.words[c->number], a->train);
  } else {
    p->name = fn_str_from(fn_style_name((int)(c->number % FN_N_STYLES)));
    p->unit = fn_style_unit((int)(c->number % FN_N_STYLES));
  }
}

static fn_status fold(judging *j, fn_err *err) {
  fn_audit *a = j->a;
  size_t n_words = 0;
  j->probes = fn_arena_alloc(&a->arena, MAX_WORDS + N_STYLE + 2, sizeof *j->probes);
  j->leaders = fn_arena_alloc(&a->arena, MAX_WORDS + N_STYLE, sizeof *j->leaders);
  j->with = fn_arena_alloc(&a->arena, (MAX_WORDS + N_STYLE) * MAX_WITH, sizeof *j->with);
  if (!j->probes || !j->leaders || !j->with) return fn_err_no_memory(err, "features");
  for (size_t i = 0; i < j->n; i++) {
    candidate *c = &j->candidates[i];
    if (!(c->rule.balanced_accuracy > 0.5)) continue; /* the same value everywhere */
    int32_t same = -1;
    for (size_t k = 0; k < j->n_probes && same < 0; k++)
      if (j->probes[k].folded_into < 0 && j->probes[k].field == field_of(c, a) &&
          phi(c, j->leaders[k], j->n_masks, (double)a->train->n) >= SAME_PHI)
        same = (int32_t)k;
    if (c->kind == FN_AUDIT_WORD && same >= 0) {
      fold_word(j, (size_t)same, c);
      continue;
    }
    if (c->kind == FN_AUDIT_WORD && ++n_words > MAX_WORDS) continue;
    j->leaders[j->n_probes] = c;
    start_probe(&j->probes[j->n_probes++], a, c, same);
  }
  return FN_OK;
}

static void finish(fn_audit_probe *p, uint64_t n[2][2], double z) {
  p->balanced_accuracy = fn_audit_balanced(&p->low, &p->high, n, z);
  p->accuracy = (double)(n[0][0] + n[1][1]) / (double)(n[0][0] + n[0][1] + n[1][0] + n[1][1]);
  p->is_found = p->low > 0.5 && p->balanced_accuracy >= MIN_FOUND;
}

static fn_status judge_probe(fn_audit_probe *p, const candidate *c, const fn_audit *a, double *scores, double z,
                             fn_err *err) {
  uint64_t n[2][2] = {{0, 0}, {0, 0}};
  size_t n_present = 0, rows = a->test->n;
  const float *values = a->test_style + c->number * rows;
  for (size_t i = 0; i < rows; i++) {
    bool fake = says_fake(c, a, true, i);
    n[a->test_labels[i]][fake]++;
    if (c->kind == FN_AUDIT_STYLE) {
      scores[i] = (double)values[i];
      n_present += scores[i] > 0;
    } else {
      n_present += fake == (c->rule.side == 1);
    }
  }
  p->coverage = (double)n_present / (double)rows;
  finish(p, n, z);
  p->auc = p->balanced_accuracy;
  if (c->kind != FN_AUDIT_STYLE) return FN_OK;
  FN_TRY(fn_audit_auc(&p->auc, scores, a->test_labels, rows, err));
  if (p->side == 0) p->auc = 1 - p->auc;
  return FN_OK;
}

/* Publisher or dataset: the class that is the more frequent one there, each class measured by its own rows in train. */
static fn_status judge_group(fn_audit_probe *p, const fn_audit *a, bool by_dataset, double *scores, double z,
                             fn_err *err) {
  const uint64_t *total = a->report.n_rows[FN_SPLIT_TRAIN];
  uint64_t n[2][2] = {{0, 0}, {0, 0}};
  size_t n_known = 0;
  for (size_t i = 0; i < a->test->n; i++) {
    uint32_t in_train[2];
    fn_audit_overlap_group(in_train, a->overlap, a->report.judged_on, i, by_dataset);
    double share[2];
    for (int k = 0; k < 2; k++) share[k] = (double)in_train[k] / (double)total[k];
    bool known = in_train[0] || in_train[1];
    scores[i] = known ? share[1] / (share[0] + share[1]) : 0.5;
    bool fake = scores[i] > 0.5 || (!known && total[1] > total[0]);
    n[a->test_labels[i]][fake]++;
    n_known += known;
  }
  p->coverage = (double)n_known / (double)a->test->n;
  finish(p, n, z);
  return fn_audit_auc(&p->auc, scores, a->test_labels, a->test->n, err);
}

fn_status fn_audit_judge(fn_audit *a, fn_err *err) {
  judging j = {.a = a};
  FN_TRY(make_candidates(&j, err));
  FN_TRY(fold(&j, err));
  bool by_source = a->report.n_sources > 0, by_dataset = a->report.n_datasets > 1;
  size_t n_judged = j.n_probes + by_source + by_dataset;
  double z = fn_audit_quantile(0.05 / (double)(n_judged ? n_judged : 1));
  FN_AUTO_FREE double *scores = fn_mem_alloc(a->test->n, sizeof *scores);
  if (!scores) return fn_err_no_memory(err, "scores");
  for (size_t k = 0; k < j.n_probes; k++) FN_TRY(judge_probe(&j.probes[k], j.leaders[k], a, scores, z, err));
  for (int group = 0; group < 2; group++) {
    if (group ? !by_dataset : !by_source) continue;
    fn_audit_probe *p = &j.probes[j.n_probes++];
    *p = (fn_audit_probe){.kind = group ? FN_AUDIT_DATASET : FN_AUDIT_SOURCE,
                          .field = FN_AUDIT_ROW,
                          .name = fn_str_from(group ? "dataset" : "source"),
                          .unit = "",
                          .train = (double)NAN,
                          .folded_into = -1};
    FN_TRY(judge_group(p, a, group == 1, scores, z, err));
  }
  a->report.probes = j.probes;
  a->report.n_probes = j.n_probes;
  return FN_OK;
}
