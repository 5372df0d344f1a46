#include "infer/fitting.h"

#include <math.h>
#include <stdlib.h>

enum { MIN_ROWS = 30 };

/* Rows of one set, as src/eval takes them. */
typedef struct subset {
  size_t n, k, n_groups, n_folds;
  double *logits; /* [n][k] */
  int32_t *labels;
  int64_t *n_tokens;
  bool lengths_known;
  fn_str *names;      /* [n] of the rows' groups */
  fn_str *fold_names; /* [n_folds] of their first groups */
  fn_str *cell_names;
  uint32_t *groups, *folds, *cells;
  double *weights, *novelty, *bytes_per_token, *z, *p;
  fn_arena arena; /* all of the above */
} subset;

static bool belongs(const fn_fit_row *row, fn_part part, bool headline) {
  bool encoder = !isnan(row->logits[FN_HALF_ENCODER]), linear = !isnan(row->logits[FN_HALF_LINEAR]);
  if (row->headline != headline) return false;
  return part == FN_PART_ENCODER ? encoder : part == FN_PART_LINEAR ? linear : encoder && linear;
}

static size_t count_rows(const fn_fit_rows *rows, fn_part part, bool headline) {
  size_t n = 0;
  for (size_t i = 0; i < rows->n; i++) n += belongs(&rows->rows[i], part, headline);
  return n;
}

static fn_status allocate(subset *s, fn_err *err) {
  fn_arena *a = &s->arena;
  s->logits = fn_arena_alloc(a, s->n, s->k * sizeof *s->logits);
  s->labels = fn_arena_alloc(a, s->n, sizeof *s->labels);
  s->n_tokens = fn_arena_alloc(a, s->n, sizeof *s->n_tokens);
  s->names = fn_arena_alloc(a, s->n, sizeof *s->names);
  s->cell_names = fn_arena_alloc(a, s->n, sizeof *s->cell_names);
  s->groups = fn_arena_alloc(a, s->n, sizeof *s->groups);
  s->folds = fn_arena_alloc(a, s->n, sizeof *s->folds);
  s->cells = fn_arena_alloc(a, s->n, sizeof *s->cells);
  s->weights = fn_arena_alloc(a, s->n, sizeof *s->weights);
  s->novelty = fn_arena_alloc(a, s->n, sizeof *s->novelty);
  s->bytes_per_token = fn_arena_alloc(a, s->n, sizeof *s->bytes_per_token);
  s->z = fn_arena_alloc(a, s->n, sizeof *s->z);
  s->p = fn_arena_alloc(a, s->n, sizeof *s->p);
  bool ok = s->logits && s->labels && s->n_tokens && s->names && s->cell_names && s->groups && s->folds && s->cells &&
            s->weights && s->novelty && s->bytes_per_token && s->z && s->p;
  return ok ? FN_OK : fn_err_no_memory(err, "rows to calibrate on");
}

static void fill(subset *s, const fn_fit_rows *rows, fn_part part, bool headline, bool by_source) {
  size_t n = 0;
  s->lengths_known = part != FN_PART_LINEAR; /* its length is in words, and the encoder's in tokens */
  for (size_t i = 0; i < rows->n; i++) {
    const fn_fit_row *row = &rows->rows[i];
    if (!belongs(row, part, headline)) continue;
    double *logits = s->logits + n * s->k;
    if (part != FN_PART_LINEAR) *logits++ = row->logits[FN_HALF_ENCODER];
    if (part != FN_PART_ENCODER) *logits = row->logits[FN_HALF_LINEAR];
    s->labels[n] = row->label;
    s->n_tokens[n] = row->n_tokens;
    s->lengths_known &= row->n_tokens >= 0;
    s->names[n] = by_source ? row->source : row->dataset;
    s->cell_names[n] = row->dataset;
    s->novelty[n] = row->novelty;
    s->bytes_per_token[n++] = row->bytes_per_token;
  }
}

/* fn_groups_make leaves a row without a name alone; here they belong together. */
static void name_nameless(fn_str *names, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (names[i].length == 0) names[i] = fn_str_from("(no name)");
  }
}

/* Each fold's absence must leave both classes. */
static fn_status check_folds(const subset *s, fn_err *err) {
  size_t all[2] = {0, 0};
  for (size_t i = 0; i < s->n; i++) all[s->labels[i]]++;
  if (all[0] == 0 || all[1] == 0) {
    return fn_err_set(err, FN_E_INVALID, "all %zu rows are %s; both classes are needed", s->n,
                      all[0] ? "real" : "fake");
  }
  for (size_t f = 0; f < s->n_folds; f++) {
    size_t here[2] = {0, 0};
    for (size_t i = 0; i < s->n; i++) here[s->labels[i]] += s->folds[i] == f;
    for (int label = 0; label < 2; label++) {
      if (here[label] < all[label]) continue;
      return fn_err_set(err, FN_E_INVALID,
                        "every %s row is in the group \"%.*s\"; what was fitted without it could not be judged on it",
                        label ? "fake" : "real", (int)s->fold_names[f].length, s->fold_names[f].data);
    }
  }
  return FN_OK;
}

static fn_status weigh(subset *s, const fn_calibrate_options *o, fn_err *err) {
  size_t n_cells;
  name_nameless(s->cell_names, s->n);
  FN_TRY(fn_groups_make(s->cells, &n_cells, s->cell_names, NULL, s->n, err));
  if (o->even) return fn_calibrate_weights_even(s->weights, s->cells, n_cells, s->labels, s->n, err);
  for (size_t i = 0; i < s->n; i++) s->weights[i] = 1.0;
  return FN_OK;
}

static fn_status group(subset *s, const fn_calibrate_options *o, fn_err *err) {
  name_nameless(s->names, s->n);
  FN_TRY(fn_groups_make(s->groups, &s->n_groups, s->names, NULL, s->n, err));
  FN_TRY(fn_calibrate_folds(s->folds, &s->n_folds, s->groups, s->n, s->n_groups, FN_CALIBRATE_MAX_FOLDS, err));
  s->fold_names = fn_arena_alloc(&s->arena, s->n_folds, sizeof *s->fold_names);
  if (s->fold_names == NULL) return fn_err_no_memory(err, "names of groups");
  for (size_t i = s->n; i-- > 0;) s->fold_names[s->folds[i]] = s->names[i];
  FN_TRY(weigh(s, o, err));
  return check_folds(s, err);
}

/* ---- quantiles ---- */

typedef struct weighted {
  double value, weight;
} weighted;

static int rising(const void *a, const void *b) {
  const weighted *x = a, *y = b;
  return x->value < y->value ? -1 : x->value > y->value;
}

/* The value that a share q of the weight lies below (above: over); NaN when too few are known. */
static fn_status quantile(double *out, const double *values, const double *weights, size_t n, double q, bool above,
                          fn_err *err) {
  FN_AUTO_FREE weighted *sorted = fn_mem_calloc(n, sizeof *sorted);
  double total = 0.0, passed = 0.0;
  size_t m = 0;
  if (sorted == NULL) return fn_err_no_memory(err, "quantiles");
  for (size_t i = 0; i < n; i++) {
    if (isnan(values[i])) continue;
    sorted[m++] = (weighted){above ? -values[i] : values[i], weights[i]};
    total += weights[i];
  }
  *out = (double)NAN;
  if (m < MIN_ROWS) return FN_OK;
  qsort(sorted, m, sizeof *sorted, rising);
  for (size_t i = 0; i < m; i++) {
    passed += sorted[i].weight;
    if (passed < q * total && i + 1 < m) continue;
    *out = above ? -sorted[i].value : sorted[i].value;
    break;
  }
  return FN_OK;
}

static fn_status fit_unlike(fn_unlike_limits *out, const subset *s, double share, fn_err *err) {
  fn_unlike_limits limits;
  FN_TRY(quantile(&limits.novelty_above, s->novelty, s->weights, s->n, share, true, err));
  FN_TRY(quantile(&limits.bytes_per_token_below, s->bytes_per_token, s->weights, s->n, share, false, err));
  *out = limits;
  return FN_OK;
}

/* ---- one set ---- */

static fn_status make_plan(fn_calibrate_plan *plan, const fn_calibrate_options *o, fn_err *err) {
  fn_calibrate_plan_init(plan);
  plan->ridge = o->ridge;
  plan->target = o->target;
  plan->min_coverage = o->min_coverage;
  plan->n_edges = 0;
  if (o->edges.n >= FN_SCALING_MAX_BUCKETS) {
    return fn_err_set(err, FN_E_INVALID, "calibrate.edges: %zu lengths; accepted are at most %d", o->edges.n,
                      FN_SCALING_MAX_BUCKETS - 1);
  }
  for (size_t i = 0; i < o->edges.n; i++) {
    int64_t edge;
    bool ok = fn_str_to_int64(&edge, fn_str_from(o->edges.items[i]));
    if (!ok || edge < 1 || edge > INT32_MAX || (i > 0 && edge <= plan->edges[i - 1])) {
      return fn_err_set(err, FN_E_INVALID, "calibrate.edges: \"%.40s\" is not a whole number above %s",
                        o->edges.items[i], i > 0 ? "the one before" : "0");
    }
    plan->edges[plan->n_edges++] = edge;
  }
  return FN_OK;
}

static fn_status measure(fn_metrics *out, const subset *s, const double *p, uint32_t fold, double *p_fold,
                         int32_t *labels_fold, fn_err *err) {
  size_t n = 0;
  for (size_t i = 0; i < s->n; i++) {
    if (s->folds[i] != fold) continue;
    p_fold[n] = p[i];
    labels_fold[n++] = s->labels[i];
  }
  return fn_metrics_compute(out, p_fold, labels_fold, n, err);
}

static fn_status report(fn_fitted *f, subset *s, fn_fitted_see see, void *arg, fn_err *err) {
  fn_metrics *metrics = fn_arena_alloc(&s->arena, s->n_folds, 2 * sizeof *metrics);
  double *p_fold = fn_arena_alloc(&s->arena, s->n, sizeof *p_fold);
  int32_t *labels_fold = fn_arena_alloc(&s->arena, s->n, sizeof *labels_fold);
  if (metrics == NULL || p_fold == NULL || labels_fold == NULL) return fn_err_no_memory(err, "figures by group");
  for (int after = 0; after < 2; after++) {
    for (size_t i = 0; i < s->n; i++) {
      double sum = 0.0;
      for (size_t j = 0; j < s->k; j++) sum += s->logits[i * s->k + j];
      s->p[i] = fn_sigmoid(after ? s->z[i] : sum / (double)s->k);
    }
    for (uint32_t g = 0; g < s->n_folds; g++)
      FN_TRY(measure(&metrics[(size_t)after * s->n_folds + g], s, s->p, g, p_fold, labels_fold, err));
  }
  f->n_groups = s->n_folds;
  f->group_names = s->fold_names;
  f->before = metrics;
  f->after = metrics + s->n_folds;
  see(arg, f);
  return FN_OK;
}

static fn_status fit_set(fn_calibration_set *out, subset *s, const fn_calibrate_options *o, fn_part part, bool headline,
                         fn_fitted_see see, void *arg, fn_err *err) {
  fn_calibrate_plan plan;
  fn_calibrate_result r;
  fn_calibration_set set = {.part = part, .headline = headline, .n_rows = (int64_t)s->n, .target = o->target};
  FN_TRY(make_plan(&plan, o, err));
  FN_TRY(group(s, o, err));
  const fn_calibrate_rows rows = {
      s->n, s->k, s->logits, s->labels, s->weights, s->lengths_known ? s->n_tokens : NULL, s->folds, s->n_folds};
  FN_TRY(fn_calibrate(&r, s->z, &rows, &plan, err));
  set.scaling = r.scaling;
  set.unsure = fmin(fmax(r.band.threshold, 0.5), 1.0);
  set.target_reached = r.band.reached;
  set.n_groups = (int64_t)s->n_groups;
  set.before = r.before;
  set.after = r.after;
  set.coverage = r.judged.coverage;
  set.accuracy = r.judged.accuracy;
  FN_TRY(fit_unlike(&set.unlike, s, o->quantile, err));
  if (see != NULL) {
    fn_fitted f = {.set = &set, .form = r.form, .band = r.band};
    FN_TRY(report(&f, s, see, arg, err));
  }
  *out = set;
  return FN_OK;
}

static fn_status try_set(bool *fitted, fn_calibration *c, const fn_fit_rows *rows, const fn_calibrate_options *o,
                         fn_part part, bool headline, bool by_source, fn_fitted_see see, void *arg, fn_err *err) {
  subset s = {.n = count_rows(rows, part, headline), .k = part == FN_PART_BOTH ? 2 : 1};
  *fitted = false;
  if (s.n < MIN_ROWS) {
    return fn_err_set(err, FN_E_INVALID, "%zu rows of %s; at least %d are needed", s.n,
                      headline ? "headlines" : "articles", MIN_ROWS);
  }
  fn_arena_init(&s.arena);
  fn_status status = allocate(&s, err);
  if (status == FN_OK) {
    fill(&s, rows, part, headline, by_source);
    status = fit_set(&c->sets[c->n_sets], &s, o, part, headline, see, arg, err);
  }
  fn_arena_deinit(&s.arena);
  if (status != FN_OK) return status;
  c->n_sets++;
  *fitted = true;
  return FN_OK;
}

/* Whether groups are sources: as asked, or because all rows are of one dataset. */
static bool choose_groups(const fn_fit_rows *rows, int setting) {
  if (setting != FN_CALIBRATE_AUTO) return setting == FN_CALIBRATE_SOURCE;
  for (size_t i = 1; i < rows->n; i++) {
    if (!fn_str_equal(rows->rows[i].dataset, rows->rows[0].dataset)) return false;
  }
  return true;
}

fn_status fn_calibration_fit(fn_calibration *calibration, const fn_fit_rows *rows, const fn_calibrate_options *o,
                             fn_fitted_see see, fn_fit_skipped skipped, void *arg, fn_err *err) {
  fn_calibration c = *calibration;
  const bool by_source = choose_groups(rows, o->groups);
  c.n_sets = 0;
  c.quantile = o->quantile;
  snprintf(c.grouped_by, sizeof c.grouped_by, "%s", by_source ? "source" : "dataset");
  size_t n_rows = 0, n_fakes = 0;
  for (size_t i = 0; i < rows->n; i++) {
    n_rows += !rows->rows[i].headline;
    n_fakes += !rows->rows[i].headline && rows->rows[i].label == 1;
  }
  c.prior = o->even || n_rows == 0 ? 0.5 : (double)n_fakes / (double)n_rows;
  for (int part = FN_PART_ENCODER; part <= FN_PART_BOTH; part++) {
    if (count_rows(rows, (fn_part)part, false) == 0) continue;
    bool fitted;
    FN_TRY(try_set(&fitted, &c, rows, o, (fn_part)part, false, by_source, see, arg, err));
    if (count_rows(rows, (fn_part)part, true) == 0) continue;
    fn_err reason = {0};
    fn_status status = try_set(&fitted, &c, rows, o, (fn_part)part, true, by_source, see, arg, &reason);
    if (status == FN_E_INVALID && skipped != NULL) skipped(arg, reason.message);
    if (status != FN_OK && status != FN_E_INVALID) return fn_err_set(err, status, "%s", reason.message);
  }
  if (c.n_sets == 0) return fn_err_set(err, FN_E_INVALID, "no rows of articles to calibrate on");
  *calibration = c;
  return FN_OK;
}

static fn_status fit_set_unlike(fn_calibration_set *set, subset *s, const fn_fit_rows *rows,
                                const fn_calibrate_options *o, fn_err *err) {
  FN_TRY(allocate(s, err));
  fill(s, rows, set->part, set->headline, false);
  FN_TRY(weigh(s, o, err));
  return fit_unlike(&set->unlike, s, o->quantile, err);
}

fn_status fn_calibration_fit_unlike(fn_calibration *calibration, const fn_fit_rows *rows, const fn_calibrate_options *o,
                                    fn_err *err) {
  fn_calibration c = *calibration;
  for (size_t i = 0; i < c.n_sets; i++) {
    fn_calibration_set *set = &c.sets[i];
    subset s = {.n = count_rows(rows, set->part, set->headline), .k = set->part == FN_PART_BOTH ? 2 : 1};
    if (s.n < MIN_ROWS) continue;
    fn_arena_init(&s.arena);
    fn_status status = fit_set_unlike(set, &s, rows, o, err);
    fn_arena_deinit(&s.arena);
    if (status != FN_OK) return status;
  }
  *calibration = c;
  return FN_OK;
}

void fn_calibration_describe(fn_calibration *calibration, const fn_session *session, const fn_classifier_info *model,
                             const fn_infer_options *options) {
  snprintf(calibration->model, sizeof calibration->model, "%s", model->model_id);
  calibration->mode = fn_session_mode(session);
  calibration->windows = options->long_texts == FN_INFER_WINDOWS;
  calibration->max_tokens = fn_session_max_tokens(session);
}
