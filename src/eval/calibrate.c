#include "eval/calibrate.h"

#include <stdlib.h>

fn_status fn_calibrate_weights_even(double *weights_out, const uint32_t *cells, size_t n_cells, const int32_t *labels,
                                    size_t n, fn_err *err) {
  FN_AUTO_FREE size_t *counts = fn_mem_calloc(n_cells, 2 * sizeof *counts);
  size_t n_filled = 0;
  if (counts == NULL) return fn_err_no_memory(err, "weights of the rows");
  for (size_t i = 0; i < n; i++) n_filled += counts[2 * cells[i] + (size_t)labels[i]]++ == 0;
  for (size_t i = 0; i < n; i++) {
    weights_out[i] = (double)n / ((double)n_filled * (double)counts[2 * cells[i] + (size_t)labels[i]]);
  }
  return FN_OK;
}

typedef struct group_size {
  size_t n;
  uint32_t group;
} group_size;

static int by_size(const void *a, const void *b) {
  const group_size *x = a, *y = b;
  if (x->n != y->n) return x->n > y->n ? -1 : 1;
  return x->group < y->group ? -1 : 1;
}

fn_status fn_calibrate_folds(uint32_t *folds_out, size_t *n_folds_out, const uint32_t *groups, size_t n,
                             size_t n_groups, size_t max_folds, fn_err *err) {
  if (n_groups < 2) {
    return fn_err_set(err, FN_E_INVALID, "calibration is judged on groups that were left out: 2 are needed, not %zu",
                      n_groups);
  }
  FN_AUTO_FREE group_size *sizes = fn_mem_calloc(n_groups, sizeof *sizes);
  FN_AUTO_FREE uint32_t *fold_of = fn_mem_calloc(n_groups, sizeof *fold_of);
  FN_AUTO_FREE size_t *rows = fn_mem_calloc(max_folds, sizeof *rows);
  if (sizes == NULL || fold_of == NULL || rows == NULL) return fn_err_no_memory(err, "groups of rows");
  for (size_t g = 0; g < n_groups; g++) {
    sizes[g].group = (uint32_t)g;
    fold_of[g] = (uint32_t)g;
  }
  for (size_t i = 0; i < n; i++) sizes[groups[i]].n++;
  if (n_groups > max_folds) {
    qsort(sizes, n_groups, sizeof *sizes, by_size);
    for (size_t g = 0; g < n_groups; g++) {
      uint32_t least = 0;
      for (uint32_t f = 1; f < max_folds; f++) least = rows[f] < rows[least] ? f : least;
      fold_of[sizes[g].group] = least;
      rows[least] += sizes[g].n;
    }
  }
  for (size_t i = 0; i < n; i++) folds_out[i] = fold_of[groups[i]];
  *n_folds_out = n_groups < max_folds ? n_groups : max_folds;
  return FN_OK;
}

/* ---- figures ---- */

typedef struct scored {
  double key; /* what is sorted by */
  double weight;
  size_t index;
} scored;

static int rising(const void *a, const void *b) {
  const scored *x = a, *y = b;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

static fn_status sort_rows(scored **out, const double *p, const double *weights, size_t n, bool by_confidence,
                           fn_err *err) {
  scored *rows = fn_mem_calloc(n, sizeof *rows);
  if (rows == NULL) return fn_err_no_memory(err, "figures of a calibration");
  for (size_t i = 0; i < n; i++) {
    if (!(p[i] >= 0.0 && p[i] <= 1.0)) {
      free(rows);
      return fn_err_set(err, FN_E_INVALID, "row %zu: probability %g is not in [0,1]", i, p[i]);
    }
    rows[i] = (scored){by_confidence ? fmax(p[i], 1.0 - p[i]) : p[i], weights ? weights[i] : 1.0, i};
  }
  qsort(rows, n, sizeof *rows, rising);
  *out = rows;
  return FN_OK;
}

/* A tie at 0.5 is real. */
static bool is_right(double p, int32_t label) {
  return (p > 0.5) == (label == 1);
}

/* Σ over (fake, real) pairs that are ranked as they should be, a tie by half; runs of equal p together. */
static double ranked_pairs(const scored *rows, const int32_t *labels, size_t n) {
  double pairs = 0.0, below = 0.0;
  for (size_t begin = 0, end; begin < n; begin = end) {
    double tied[2] = {0.0, 0.0};
    for (end = begin; end < n && rows[end].key == rows[begin].key; end++) {
      tied[labels[rows[end].index]] += rows[end].weight;
    }
    pairs += tied[1] * (below + 0.5 * tied[0]);
    below += tied[0];
  }
  return pairs;
}

fn_status fn_calibrate_figures_compute(fn_calibrate_figures *figures_out, const double *p_fake, const int32_t *labels,
                                       const double *weights, size_t n, fn_err *err) {
  FN_AUTO_FREE scored *rows = NULL;
  fn_calibrate_figures f = {0};
  double total[2] = {0.0, 0.0}, gap[FN_EVAL_ECE_BINS] = {0.0};
  FN_TRY(sort_rows(&rows, p_fake, weights, n, false, err));
  for (size_t i = 0; i < n; i++) {
    double w = weights ? weights[i] : 1.0, c = fmax(p_fake[i], 1.0 - p_fake[i]);
    double p_true = labels[i] ? p_fake[i] : 1.0 - p_fake[i], right = is_right(p_fake[i], labels[i]) ? 1.0 : 0.0;
    double bin = ceil(c * FN_EVAL_ECE_BINS) - 1.0;
    f.nll -= w * log(fmin(fmax(p_true, 1e-15), 1.0 - 1e-15));
    f.accuracy += w * right;
    gap[bin >= FN_EVAL_ECE_BINS ? FN_EVAL_ECE_BINS - 1 : (int)bin] += w * (right - c);
    total[labels[i]] += w;
  }
  double all = total[0] + total[1];
  if (!(all > 0.0)) return fn_err_set(err, FN_E_INVALID, "figures need at least one row");
  for (int b = 0; b < FN_EVAL_ECE_BINS; b++) f.ece += fabs(gap[b]) / all;
  f.nll /= all;
  f.accuracy /= all;
  f.auc = total[0] > 0.0 && total[1] > 0.0 ? ranked_pairs(rows, labels, n) / (total[0] * total[1]) : FN_UNDEFINED;
  *figures_out = f;
  return FN_OK;
}

/* ---- band ---- */

fn_status fn_band_choose(fn_band *band_out, const double *p_fake, const int32_t *labels, const double *weights,
                         size_t n, double target, double min_coverage, fn_err *err) {
  FN_AUTO_FREE scored *rows = NULL;
  double total = 0.0, taken = 0.0, right = 0.0;
  FN_TRY(sort_rows(&rows, p_fake, weights, n, true, err));
  for (size_t i = 0; i < n; i++) total += rows[i].weight;
  if (!(total > 0.0)) return fn_err_set(err, FN_E_INVALID, "a band needs at least one row");
  fn_band best = {.threshold = FN_UNDEFINED, .accuracy = -1.0}, widest = best;
  for (size_t i = n; i-- > 0;) { /* from the surest row on */
    taken += rows[i].weight;
    right += is_right(p_fake[rows[i].index], labels[rows[i].index]) ? rows[i].weight : 0.0;
    if (i > 0 && rows[i - 1].key == rows[i].key) continue; /* equal rows are taken together */
    if (!(taken > 0.0) || taken < min_coverage * total * (1.0 - 1e-12)) continue;
    /* half-way to the next row: the threshold does not hang on the last bit of one row */
    double edge = i > 0 ? 0.5 * (rows[i].key + rows[i - 1].key) : 0.5;
    const fn_band here = {edge, right >= target * taken, taken / total, right / taken};
    if (here.reached) widest = here;
    if (here.accuracy > best.accuracy) best = here;
  }
  *band_out = widest.reached ? widest : best;
  return FN_OK;
}

void fn_band_judge(fn_band *band_out, double threshold, const double *p_fake, const int32_t *labels,
                   const double *weights, size_t n) {
  double total = 0.0, taken = 0.0, right = 0.0;
  for (size_t i = 0; i < n; i++) {
    double w = weights ? weights[i] : 1.0;
    total += w;
    if (fmax(p_fake[i], 1.0 - p_fake[i]) < threshold) continue;
    taken += w;
    right += is_right(p_fake[i], labels[i]) ? w : 0.0;
  }
  *band_out = (fn_band){.threshold = threshold,
                        .coverage = total > 0.0 ? taken / total : FN_UNDEFINED,
                        .accuracy = taken > 0.0 ? right / taken : FN_UNDEFINED};
}

/* ---- all of it ---- */

void fn_calibrate_plan_init(fn_calibrate_plan *plan) {
  *plan = (fn_calibrate_plan){
      .ridge = 1e-3, .target = 0.9, .min_coverage = 0.1, .gain = 1e-3, .n_edges = 2, .edges = {64, 256}};
}

typedef struct work {
  const fn_calibrate_rows *rows;
  const fn_calibrate_plan *plan;
  double *z, *p, *weights; /* [n] */
} work;

static double weight_of(const fn_calibrate_rows *rows, size_t i) {
  return rows->weights ? rows->weights[i] : 1.0;
}

static void to_probabilities(double *p, const double *z, size_t n) {
  for (size_t i = 0; i < n; i++) p[i] = fn_sigmoid(z[i]);
}

/* Takes the form when its cross-fitted loss is lower by the gain. */
static fn_status try_form(fn_calibrate_result *r, double *z_cross, work *w, const fn_scaling_form *form, bool first,
                          fn_err *err) {
  fn_calibrate_figures figures;
  FN_TRY(fn_scaling_crossfit(w->z, w->rows, form, err));
  to_probabilities(w->p, w->z, w->rows->n);
  FN_TRY(fn_calibrate_figures_compute(&figures, w->p, w->rows->labels, w->rows->weights, w->rows->n, err));
  if (!first && figures.nll > r->after.nll - w->plan->gain) return FN_OK;
  r->form = *form;
  r->after = figures;
  memcpy(z_cross, w->z, w->rows->n * sizeof *w->z);
  return FN_OK;
}

static fn_status choose_form(fn_calibrate_result *r, double *z_cross, work *w, fn_err *err) {
  const fn_calibrate_plan *plan = w->plan;
  fn_scaling_form form = {.n_buckets = 1, .ridge = plan->ridge};
  for (int kind = FN_SCALE_NOTHING; kind <= FN_SCALE_AFFINE; kind++) {
    if (kind == FN_SCALE_WEIGHTS && w->rows->k == 1) continue; /* is a temperature */
    form.kind = (fn_scaling_kind)kind;
    FN_TRY(try_form(r, z_cross, w, &form, kind == FN_SCALE_NOTHING, err));
  }
  if (w->rows->n_tokens == NULL || plan->n_edges == 0) return FN_OK;
  form = r->form;
  if (form.kind == FN_SCALE_NOTHING) form.kind = FN_SCALE_TEMPERATURE;
  form.n_buckets = plan->n_edges + 1;
  memcpy(form.edges, plan->edges, sizeof form.edges);
  return try_form(r, z_cross, w, &form, false, err);
}

static fn_status before(fn_calibrate_figures *out, work *w, fn_err *err) {
  for (size_t i = 0; i < w->rows->n; i++) {
    double sum = 0.0;
    for (size_t j = 0; j < w->rows->k; j++) sum += w->rows->logits[i * w->rows->k + j];
    w->p[i] = fn_sigmoid(sum / (double)w->rows->k);
  }
  return fn_calibrate_figures_compute(out, w->p, w->rows->labels, w->rows->weights, w->rows->n, err);
}

/* Coverage and accuracy on fold g of the threshold that the other folds choose among themselves. z_cross: logits of g
 * by what was fitted without it. Adds to sums {all, taken, right}. */
static fn_status judge_fold(double sums[3], work *w, const fn_calibrate_result *r, const double *z_cross, size_t g,
                            fn_err *err) {
  fn_calibrate_rows others = *w->rows;
  fn_band inner;
  double all = 0.0, taken = 0.0, right = 0.0;
  for (size_t i = 0; i < w->rows->n; i++) w->weights[i] = w->rows->folds[i] == g ? 0.0 : weight_of(w->rows, i);
  others.weights = w->weights;
  if (w->rows->n_folds == 2) { /* one fold is left: nothing to cross-fit among */
    fn_scaling alone;
    FN_TRY(fn_scaling_fit(&alone, &others, &r->form, err));
    for (size_t i = 0; i < w->rows->n; i++)
      w->z[i] = fn_scaling_apply(&alone, others.logits + i * others.k, others.n_tokens ? others.n_tokens[i] : 0);
  } else {
    FN_TRY(fn_scaling_crossfit(w->z, &others, &r->form, err));
  }
  to_probabilities(w->p, w->z, w->rows->n);
  FN_TRY(fn_band_choose(&inner, w->p, others.labels, others.weights, others.n, w->plan->target, w->plan->min_coverage,
                        err));
  for (size_t i = 0; i < w->rows->n; i++) {
    if (w->rows->folds[i] != g) continue;
    double p = fn_sigmoid(z_cross[i]), weight = weight_of(w->rows, i);
    bool accepted = fmax(p, 1.0 - p) >= inner.threshold;
    all += weight;
    taken += accepted ? weight : 0.0;
    right += accepted && is_right(p, w->rows->labels[i]) ? weight : 0.0;
  }
  sums[0] += all;
  sums[1] += taken;
  sums[2] += right;
  return FN_OK;
}

static fn_status run(fn_calibrate_result *r, double *z_cross, work *w, fn_err *err) {
  double sums[3] = {0.0, 0.0, 0.0};
  FN_TRY(choose_form(r, z_cross, w, err));
  FN_TRY(before(&r->before, w, err));
  FN_TRY(fn_scaling_fit(&r->scaling, w->rows, &r->form, err));
  to_probabilities(w->p, z_cross, w->rows->n);
  FN_TRY(fn_band_choose(&r->band, w->p, w->rows->labels, w->rows->weights, w->rows->n, w->plan->target,
                        w->plan->min_coverage, err));
  for (size_t g = 0; g < w->rows->n_folds; g++) FN_TRY(judge_fold(sums, w, r, z_cross, g, err));
  r->judged = (fn_band){.threshold = FN_UNDEFINED,
                        .coverage = sums[1] / sums[0],
                        .accuracy = sums[1] > 0.0 ? sums[2] / sums[1] : FN_UNDEFINED};
  r->judged.reached = sums[1] > 0.0 && sums[2] >= w->plan->target * sums[1];
  return FN_OK;
}

fn_status fn_calibrate(fn_calibrate_result *result_out, double *z_cross_out, const fn_calibrate_rows *rows,
                       const fn_calibrate_plan *plan, fn_err *err) {
  FN_AUTO_FREE double *z = fn_mem_calloc(rows->n, sizeof *z), *p = fn_mem_calloc(rows->n, sizeof *p);
  FN_AUTO_FREE double *weights = fn_mem_calloc(rows->n, sizeof *weights),
                      *cross = fn_mem_calloc(rows->n, sizeof *cross);
  if (z == NULL || p == NULL || weights == NULL || cross == NULL) return fn_err_no_memory(err, "a calibration");
  fn_calibrate_result r = {0};
  FN_TRY(run(&r, cross, &(work){rows, plan, z, p, weights}, err));
  memcpy(z_cross_out, cross, rows->n * sizeof *cross);
  *result_out = r;
  return FN_OK;
}
