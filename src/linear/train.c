#include "linear/model.h"
#include "linear/newton.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_GRID = 64 };

typedef struct trainer {
  fn_feature_spec spec;
  int family[FN_N_FAMILIES]; /* [n_families] which */
  size_t n_families;
  fn_sparse train[FN_N_FAMILIES], validation[FN_N_FAMILIES];
  fn_vocabulary vocabulary[FN_N_FAMILIES];
  fn_logistic problem;
  double *v, *best; /* [problem.n] */
} trainer;

static void trainer_deinit(trainer *t) {
  for (size_t f = 0; f < FN_N_FAMILIES; f++) {
    fn_sparse_deinit(&t->train[f]);
    fn_sparse_deinit(&t->validation[f]);
    fn_vocabulary_deinit(&t->vocabulary[f]);
  }
  fn_logistic_deinit(&t->problem);
  free(t->v);
  free(t->best);
}

static fn_status check_rows(const fn_linear_row *rows, size_t n, const char *split, bool need_both, fn_err *err) {
  double total[2] = {0.0};
  for (size_t i = 0; i < n; i++) {
    if (rows[i].label != 0 && rows[i].label != 1) {
      return fn_err_set(err, FN_E_INVALID, "%s row %zu: label %d is not 0 (real) or 1 (fake)", split, i,
                        (int)rows[i].label);
    }
    if (!(rows[i].weight >= 0.0 && isfinite(rows[i].weight))) {
      return fn_err_set(err, FN_E_INVALID, "%s row %zu: weight %g is not a finite number from 0", split, i,
                        rows[i].weight);
    }
    if (rows[i].title.length > INT32_MAX || rows[i].text.length > INT32_MAX) {
      return fn_err_set(err, FN_E_LIMIT, "%s row %zu has more than 2^31 - 1 bytes", split, i);
    }
    total[rows[i].label] += rows[i].weight;
  }
  for (int k = 0; need_both && k < 2; k++) {
    if (!(total[k] > 0.0)) {
      return fn_err_set(err, FN_E_INVALID, "the %s rows hold no row of class %s with a weight above 0", split,
                        k ? "fake" : "real");
    }
  }
  if (n > 0 && !(total[0] + total[1] > 0.0)) {
    return fn_err_set(err, FN_E_INVALID, "the %s rows all have weight 0", split);
  }
  return FN_OK;
}

static fn_status parse_grid(double grid[MAX_GRID], size_t *n_out, fn_config_list list, fn_err *err) {
  if (list.n < 1 || list.n > MAX_GRID) {
    return fn_err_set(err, FN_E_INVALID, "linear.c_grid must hold 1 to %d numbers", MAX_GRID);
  }
  for (size_t i = 0; i < list.n; i++) {
    if (!fn_str_to_double(&grid[i], fn_str_from(list.items[i])) || !(grid[i] > 0.0) || !isfinite(grid[i])) {
      return fn_err_set(err, FN_E_INVALID, "linear.c_grid: \"%s\" is not a number above 0", list.items[i]);
    }
    if (i > 0 && grid[i] <= grid[i - 1]) {
      return fn_err_set(err, FN_E_INVALID, "linear.c_grid must ascend: %s does not", list.items[i]);
    }
  }
  *n_out = list.n;
  return FN_OK;
}

/* Counts, vocabularies and the problem. */
static fn_status prepare(trainer *t, const fn_linear_row *train, size_t n_train, const fn_linear_row *validation,
                         size_t n_validation, fn_pool *pool, fn_err *err) {
  size_t n_buckets = fn_feature_spec_n_buckets(&t->spec);
  FN_AUTO_FREE uint32_t *frequency = fn_mem_calloc(n_buckets, sizeof *frequency);
  if (frequency == NULL) return fn_err_no_memory(err, "document frequencies");
  for (int family = 0; family < FN_N_FAMILIES; family++) {
    if (t->spec.max[family] == 0) continue;
    size_t f = t->n_families++;
    t->family[f] = family;
    FN_TRY(fn_sparse_make(&t->train[f], frequency, train, n_train, &t->spec, family, pool, err));
    FN_TRY(fn_vocabulary_make(&t->vocabulary[f], frequency, n_buckets, n_train, err));
    fn_sparse_bind(&t->train[f], &t->vocabulary[f], pool);
    FN_TRY(fn_sparse_make(&t->validation[f], NULL, validation, n_validation, &t->spec, family, pool, err));
    fn_sparse_bind(&t->validation[f], &t->vocabulary[f], pool);
  }
  FN_TRY(fn_logistic_init(&t->problem, t->train, t->vocabulary, t->n_families, train, pool, err));
  t->v = fn_mem_calloc(t->problem.n, sizeof *t->v);
  t->best = fn_mem_calloc(t->problem.n, sizeof *t->best);
  return t->v && t->best ? FN_OK : fn_err_no_memory(err, "weights of the linear family");
}

typedef struct search {
  const fn_linear_row *validation;
  size_t n_validation;
  const fn_linear_options *options;
  fn_linear_progress progress;
  void *progress_arg;
} search;

/* Walks up the grid; t->best is the solution of the least validation loss, *c_out its C. */
static fn_status search_c(double *c_out, trainer *t, const double *grid, size_t n_grid, const search *s, fn_err *err) {
  fn_logistic *p = &t->problem;
  double least = HUGE_VAL, last = HUGE_VAL;
  int rises = 0;
  (void)fn_logistic_evaluate(t->best, NULL, p, t->v); /* v = 0, C = 1; best serves as scratch */
  double norm_0 = fn_vector_norm(t->best, p->n);
  for (size_t i = 0; i < n_grid && rises < 2; i++) {
    uint64_t start = fn_clock_ns();
    fn_newton_result result;
    p->c = grid[i];
    FN_TRY(fn_newton_minimise(&result, t->v, p, norm_0, s->options->tolerance, s->options->max_iterations, err));
    double loss = (double)NAN;
    if (s->n_validation > 0) loss = fn_logistic_loss(p, t->validation, s->validation, s->n_validation, t->v);
    if (n_grid == 1 || loss < least) {
      least = loss;
      *c_out = grid[i];
      memcpy(t->best, t->v, p->n * sizeof *t->best);
    }
    rises = loss > last ? rises + 1 : 0;
    last = loss;
    fn_linear_trial trial = {grid[i],
                             loss,
                             result.loss,
                             result.n_newton,
                             result.n_products,
                             result.converged,
                             (double)(fn_clock_ns() - start) * 1e-9};
    if (s->progress != NULL && !s->progress(s->progress_arg, &trial)) {
      return fn_err_set(err, FN_E_CANCELLED, "training of the linear family was stopped");
    }
  }
  return FN_OK;
}

/* Ranks become buckets again; idf goes into the weights. */
static fn_status make_model(fn_linear **linear_out, const trainer *t, double c, fn_err *err) {
  fn_linear *linear;
  FN_TRY(fn_linear_make(&linear, &t->spec, err));
  linear->c = c;
  linear->bias = t->best[t->problem.n - 1];
  for (size_t f = 0; f < t->n_families; f++) {
    const fn_vocabulary *vocabulary = &t->vocabulary[f];
    const double *v = t->best + t->problem.begin[f];
    for (size_t j = 0; j < vocabulary->n; j++) {
      linear->weight[t->family[f]][vocabulary->bucket[j]] = (float)(v[j] * (double)vocabulary->idf[j]);
      linear->idf[t->family[f]][vocabulary->bucket[j]] = vocabulary->idf[j];
    }
  }
  *linear_out = linear;
  return FN_OK;
}

fn_status fn_linear_train(fn_linear **linear_out, const fn_linear_row *train, size_t n_train,
                          const fn_linear_row *validation, size_t n_validation, fn_text_mode mode,
                          const fn_linear_options *options, fn_linear_progress progress, void *progress_arg,
                          fn_pool *pool, fn_err *err) {
  double grid[MAX_GRID], c = 0.0;
  size_t n_grid = 0;
  FN_TRY(parse_grid(grid, &n_grid, options->c_grid, err));
  FN_TRY(check_rows(train, n_train, "training", true, err));
  FN_TRY(check_rows(validation, n_validation, "validation", false, err));
  if (n_grid > 1 && n_validation == 0) {
    return fn_err_set(err, FN_E_INVALID,
                      "there are no validation rows to choose among linear.c_grid; give them, or a single value");
  }
  trainer t = {0};
  fn_status status = fn_feature_spec_make(&t.spec, mode, options, err);
  if (status == FN_OK) status = prepare(&t, train, n_train, validation, n_validation, pool, err);
  const search s = {validation, n_validation, options, progress, progress_arg};
  if (status == FN_OK) status = search_c(&c, &t, grid, n_grid, &s, err);
  if (status == FN_OK) status = make_model(linear_out, &t, c, err);
  trainer_deinit(&t);
  return status;
}
