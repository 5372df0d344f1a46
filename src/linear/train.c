#include "linear/model.h"
#include "linear/newton.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_GRID = 64 };

/* What training gets. */
typedef struct job {
  const fn_linear_row *train, *validation;
  size_t n_train, n_validation;
  fn_feature_spec spec;
  double grid[MAX_GRID];
  size_t n_grid;
  const fn_linear_options *options;
  fn_linear_progress progress;
  void *progress_arg;
  fn_pool *pool;
} job;

/* One family's regression. */
typedef struct regression {
  int family;
  fn_sparse train, validation;
  fn_vocabulary vocabulary;
  fn_logistic problem;
  double *v, *best; /* [problem.n] */
} regression;

static void regression_deinit(regression *r) {
  fn_sparse_deinit(&r->train);
  fn_sparse_deinit(&r->validation);
  fn_vocabulary_deinit(&r->vocabulary);
  fn_logistic_deinit(&r->problem);
  free(r->v);
  free(r->best);
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

static fn_status parse_grid(job *j, fn_config_list list, fn_err *err) {
  if (list.n < 1 || list.n > MAX_GRID) {
    return fn_err_set(err, FN_E_INVALID, "linear.c_grid must hold 1 to %d numbers", MAX_GRID);
  }
  for (size_t i = 0; i < list.n; i++) {
    double *c = &j->grid[i];
    if (!fn_str_to_double(c, fn_str_from(list.items[i])) || !(*c > 0.0) || !isfinite(*c)) {
      return fn_err_set(err, FN_E_INVALID, "linear.c_grid: \"%s\" is not a number above 0", list.items[i]);
    }
    if (i > 0 && *c <= j->grid[i - 1]) {
      return fn_err_set(err, FN_E_INVALID, "linear.c_grid must ascend: %s does not", list.items[i]);
    }
  }
  j->n_grid = list.n;
  return FN_OK;
}

/* Counts, vocabulary and the problem. */
static fn_status prepare(regression *r, const job *j, fn_err *err) {
  size_t n_buckets = fn_feature_spec_n_buckets(&j->spec);
  FN_AUTO_FREE uint32_t *frequency = fn_mem_calloc(n_buckets, sizeof *frequency);
  if (frequency == NULL) return fn_err_no_memory(err, "document frequencies");
  FN_TRY(fn_sparse_make(&r->train, frequency, j->train, j->n_train, &j->spec, r->family, j->pool, err));
  FN_TRY(fn_vocabulary_make(&r->vocabulary, frequency, n_buckets, j->n_train, err));
  fn_sparse_bind(&r->train, &r->vocabulary, j->pool);
  FN_TRY(fn_sparse_make(&r->validation, NULL, j->validation, j->n_validation, &j->spec, r->family, j->pool, err));
  fn_sparse_bind(&r->validation, &r->vocabulary, j->pool);
  FN_TRY(fn_logistic_init(&r->problem, &r->train, &r->vocabulary, j->train, j->pool, err));
  r->v = fn_mem_calloc(r->problem.n, sizeof *r->v);
  r->best = fn_mem_calloc(r->problem.n, sizeof *r->best);
  return r->v && r->best ? FN_OK : fn_err_no_memory(err, "weights of the linear family");
}

/* Walks up the grid; r->best becomes the solution of the least validation loss, *c_out its C. */
static fn_status search_c(double *c_out, regression *r, const job *j, fn_err *err) {
  fn_logistic *p = &r->problem;
  double least = HUGE_VAL, last = HUGE_VAL;
  int rises = 0;
  (void)fn_logistic_evaluate(r->best, NULL, p, r->v); /* v = 0, C = 1; best serves as scratch */
  double norm_0 = fn_vector_norm(r->best, p->n);
  for (size_t i = 0; i < j->n_grid && rises < 2; i++) {
    uint64_t start = fn_clock_ns();
    fn_newton_result result;
    p->c = j->grid[i];
    if (i > 0) fn_logistic_rescale(r->v, p);
    FN_TRY(fn_newton_minimise(&result, r->v, p, norm_0, j->options->tolerance, j->options->max_iterations, err));
    double loss = j->n_validation > 0 ? fn_logistic_loss(p, &r->validation, j->validation, r->v) : (double)NAN;
    if (j->n_grid == 1 || loss < least) {
      least = loss;
      *c_out = p->c;
      memcpy(r->best, r->v, p->n * sizeof *r->best);
    }
    rises = loss > last ? rises + 1 : 0;
    last = loss;
    fn_linear_trial trial = {fn_family_names[r->family],
                             p->c,
                             loss,
                             result.loss,
                             result.n_newton,
                             result.n_products,
                             result.converged,
                             (double)(fn_clock_ns() - start) * 1e-9};
    if (j->progress != NULL && !j->progress(j->progress_arg, &trial)) {
      return fn_err_set(err, FN_E_CANCELLED, "training of the linear family was stopped");
    }
  }
  return FN_OK;
}

/* Ranks become buckets again, idf goes into the weights, and the share in the mean of n_families logits. */
static void put_into_model(fn_linear *linear, const regression *r, size_t n_families) {
  double share = 1.0 / (double)n_families;
  linear->bias += share * r->best[r->problem.n - 1];
  for (size_t k = 0; k < r->vocabulary.n; k++) {
    uint32_t bucket = r->vocabulary.bucket[k];
    linear->weight[r->family][bucket] = (float)(share * r->best[k] * (double)r->vocabulary.idf[k]);
    linear->idf[r->family][bucket] = r->vocabulary.idf[k];
  }
}

static fn_status train_families(fn_linear *linear, const job *j, fn_err *err) {
  size_t n_families = 0;
  for (int f = 0; f < FN_N_FAMILIES; f++) n_families += j->spec.max[f] > 0;
  for (int f = 0; f < FN_N_FAMILIES; f++) {
    if (j->spec.max[f] == 0) continue;
    regression r = {.family = f};
    fn_status status = prepare(&r, j, err);
    if (status == FN_OK) status = search_c(&linear->c[f], &r, j, err);
    if (status == FN_OK) put_into_model(linear, &r, n_families);
    regression_deinit(&r);
    if (status != FN_OK) return status;
  }
  return FN_OK;
}

fn_status fn_linear_train(fn_linear **linear_out, const fn_linear_row *train, size_t n_train,
                          const fn_linear_row *validation, size_t n_validation, fn_text_mode mode,
                          const fn_linear_options *options, fn_linear_progress progress, void *progress_arg,
                          fn_pool *pool, fn_err *err) {
  job j = {.train = train,
           .validation = validation,
           .n_train = n_train,
           .n_validation = n_validation,
           .options = options,
           .progress = progress,
           .progress_arg = progress_arg,
           .pool = pool};
  FN_TRY(fn_feature_spec_make(&j.spec, mode, options, err));
  FN_TRY(parse_grid(&j, options->c_grid, err));
  FN_TRY(check_rows(train, n_train, "training", true, err));
  FN_TRY(check_rows(validation, n_validation, "validation", false, err));
  if (j.n_grid > 1 && n_validation == 0) {
    return fn_err_set(err, FN_E_INVALID,
                      "there are no validation rows to choose among linear.c_grid; give them, or a single value");
  }
  fn_linear *linear;
  FN_TRY(fn_linear_make(&linear, &j.spec, err));
  fn_status status = train_families(linear, &j, err);
  if (status != FN_OK) {
    fn_linear_destroy(linear);
    return status;
  }
  *linear_out = linear;
  return FN_OK;
}
