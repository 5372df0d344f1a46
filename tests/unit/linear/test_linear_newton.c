/* The objective against a dense one in double, its derivatives against differences, and the method against the
 * conditions of a minimum. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "corpus.h"
#include "linear/newton.h"

#define assert_near(a, b, tolerance)                                                                                   \
  do {                                                                                                                 \
    double near_a_ = (a), near_b_ = (b), near_t_ = (tolerance);                                                        \
    if (!(fabs(near_a_ - near_b_) <= near_t_)) {                                                                       \
      fail_msg("%.12g is not within %g of %.12g", near_a_, near_t_, near_b_);                                          \
    }                                                                                                                  \
  } while (0)

enum { N_ROWS = 300, BITS = 10 };

typedef struct fixture {
  corpus c;
  fn_sparse sparse;
  fn_vocabulary vocabulary;
  fn_logistic problem;
  fn_pool *pool;
} fixture;

static fixture f;

static int set_up(void **state) {
  (void)state;
  corpus_init(&f.c, N_ROWS, 4);
  fn_rng rng = fn_rng_make(8, 0);
  for (size_t i = 0; i < N_ROWS; i++) f.c.rows[i].weight = 0.2 + fn_rng_uniform(&rng);
  fn_feature_spec spec = {FN_TEXT_TITLE_TEXT, BITS, {1, 0}, {2, 0}};
  uint32_t frequency[1 << BITS];
  assert_int_equal(fn_pool_create(&f.pool, 3, NULL), FN_OK);
  assert_int_equal(fn_sparse_make(&f.sparse, frequency, f.c.rows, N_ROWS, &spec, 0, f.pool, NULL), FN_OK);
  assert_int_equal(fn_vocabulary_make(&f.vocabulary, frequency, 1 << BITS, N_ROWS, NULL), FN_OK);
  fn_sparse_bind(&f.sparse, &f.vocabulary, f.pool);
  assert_int_equal(fn_logistic_init(&f.problem, &f.sparse, &f.vocabulary, f.c.rows, f.pool, NULL), FN_OK);
  f.problem.c = 3.0;
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  fn_logistic_deinit(&f.problem);
  fn_sparse_deinit(&f.sparse);
  fn_vocabulary_deinit(&f.vocabulary);
  fn_pool_destroy(f.pool);
  corpus_deinit(&f.c);
  return 0;
}

/* Vocabulary and rows from a plain count. */
static void test_tf_idf(void **state) {
  (void)state;
  fn_feature_spec spec = {FN_TEXT_TITLE_TEXT, BITS, {1, 0}, {2, 0}};
  fn_feature_counter counter;
  uint32_t frequency[1 << BITS] = {0};
  assert_int_equal(fn_feature_counter_init(&counter, &spec, NULL), FN_OK);
  for (size_t i = 0; i < N_ROWS; i++) {
    fn_feature_counter_add(&counter, &spec, 0, f.c.rows[i].title, f.c.rows[i].text);
    for (size_t k = 0; k < counter.n; k++) frequency[counter.touched[k]]++;
    fn_feature_counter_clear(&counter);
  }
  size_t occur = 0;
  for (size_t b = 0; b < 1 << BITS; b++) {
    occur += frequency[b] > 0;
    if (frequency[b] == 0) {
      assert_int_equal(f.vocabulary.rank[b], UINT32_MAX);
      continue;
    }
    uint32_t rank = f.vocabulary.rank[b];
    assert_int_equal(f.vocabulary.bucket[rank], b);
    assert_near((double)f.vocabulary.idf[rank], log((1.0 + N_ROWS) / (1.0 + frequency[b])) + 1.0, 1e-6);
    if (rank > 0) assert_true(frequency[f.vocabulary.bucket[rank - 1]] >= frequency[b]);
  }
  assert_int_equal(f.vocabulary.n, occur);
  for (size_t i = 0; i < N_ROWS; i++) {
    const fn_sparse_row *row = &f.sparse.rows[i];
    double square = 0.0;
    fn_feature_counter_add(&counter, &spec, 0, f.c.rows[i].title, f.c.rows[i].text);
    assert_int_equal(row->n_ones + row->n_many, counter.n);
    for (uint32_t k = 0; k < counter.n; k++) {
      uint32_t count = counter.counts[f.vocabulary.bucket[row->index[k]]];
      double t = k < row->n_ones ? 1.0 : (double)row->value[k - row->n_ones];
      assert_near(t, 1.0 + log((double)count), 1e-6);
      square += pow(t * (double)f.vocabulary.idf[row->index[k]], 2.0);
    }
    if (counter.n > 0) assert_near((double)row->scale * sqrt(square), 1.0, 1e-6);
    fn_feature_counter_clear(&counter);
  }
  fn_feature_counter_deinit(&counter);
}

/* Value of feature j in row i, dense. */
static void dense_row(double *x, size_t i) {
  const fn_sparse_row *row = &f.sparse.rows[i];
  memset(x, 0, (f.problem.n) * sizeof *x);
  for (uint32_t k = 0; k < row->n_ones + row->n_many; k++) {
    double t = k < row->n_ones ? 1.0 : (double)row->value[k - row->n_ones];
    x[row->index[k]] = t * (double)f.vocabulary.idf[row->index[k]] * (double)row->scale;
  }
  x[f.problem.n - 1] = 1.0;
}

/* f, gradient and H·d from the formulas, row by row. */
static double dense(double *gradient, double *product, double *diagonal, const double *v, const double *d) {
  size_t n = f.problem.n;
  double *x = calloc(n, sizeof *x), total = 0.0, value = 0.0;
  assert_non_null(x);
  for (size_t i = 0; i < N_ROWS; i++) total += f.c.rows[i].weight;
  for (size_t j = 0; j < n; j++) {
    double penalty = j + 1 < n ? 1.0 : 0.0;
    value += 0.5 * penalty * v[j] * v[j];
    gradient[j] = penalty * v[j];
    product[j] = penalty * d[j];
    diagonal[j] = penalty;
  }
  for (size_t i = 0; i < N_ROWS; i++) {
    double z = 0.0, xd = 0.0, s = f.problem.c * f.c.rows[i].weight * N_ROWS / total, y = f.c.rows[i].label ? 1 : -1;
    dense_row(x, i);
    for (size_t j = 0; j < n; j++) {
      z += x[j] * v[j];
      xd += x[j] * d[j];
    }
    double sigma = 1.0 / (1.0 + exp(-z));
    value += s * log(1.0 + exp(-y * z));
    for (size_t j = 0; j < n; j++) {
      gradient[j] += s * (sigma - (y > 0)) * x[j];
      product[j] += s * sigma * (1.0 - sigma) * xd * x[j];
      diagonal[j] += s * sigma * (1.0 - sigma) * x[j] * x[j];
    }
  }
  free(x);
  return value;
}

static void test_objective(void **state) {
  (void)state;
  size_t n = f.problem.n;
  double *slab = calloc(8 * n, sizeof *slab), *v = slab, *d = slab + n;
  assert_non_null(slab);
  fn_rng rng = fn_rng_make(1, 1);
  for (size_t j = 0; j < n; j++) {
    v[j] = fn_rng_normal(&rng);
    d[j] = fn_rng_normal(&rng);
  }
  double *gradient = slab + 2 * n, *product = slab + 3 * n, *diagonal = slab + 4 * n;
  double expected = dense(gradient, product, diagonal, v, d);
  double *g = slab + 5 * n, *hd = slab + 6 * n, *m = slab + 7 * n;
  assert_near(fn_logistic_evaluate(g, NULL, &f.problem, v), expected, 1e-6 * expected);
  fn_logistic_product(hd, &f.problem, d);
  fn_logistic_diagonal(m, &f.problem);
  double scale_g = fn_vector_norm(gradient, n), scale_h = fn_vector_norm(product, n);
  for (size_t j = 0; j < n; j++) {
    assert_near(g[j], gradient[j], 1e-6 * scale_g);
    assert_near(hd[j], product[j], 1e-6 * scale_h);
    assert_near(m[j], diagonal[j], 1e-5 * diagonal[j]);
  }
  free(slab);
}

/* The product is the derivative of the gradient, the gradient that of f; differences of the dense one are in double. */
static void test_derivatives(void **state) {
  (void)state;
  size_t n = f.problem.n;
  double *slab = calloc(8 * n, sizeof *slab), *v = slab, *d = slab + n, *g[2] = {slab + 2 * n, slab + 3 * n};
  double *product = slab + 4 * n, *rest = slab + 5 * n, *at = slab + 6 * n, value[2], h = 1e-5, slope = 0.0;
  assert_non_null(slab);
  fn_rng rng = fn_rng_make(2, 1);
  for (size_t j = 0; j < n; j++) {
    v[j] = fn_rng_normal(&rng);
    d[j] = fn_rng_normal(&rng);
  }
  for (int side = 0; side < 2; side++) {
    for (size_t j = 0; j < n; j++) at[j] = v[j] + (side ? h : -h) * d[j];
    value[side] = dense(g[side], product, rest, at, d);
  }
  (void)fn_logistic_evaluate(at, NULL, &f.problem, v);
  for (size_t j = 0; j < n; j++) slope += at[j] * d[j];
  assert_near(slope, (value[1] - value[0]) / (2 * h), 1e-4 * fabs(slope));
  fn_logistic_product(product, &f.problem, d);
  for (size_t j = 0; j < n; j++)
    assert_near(product[j], (g[1][j] - g[0][j]) / (2 * h), 1e-4 * fn_vector_norm(product, n));
  free(slab);
}

static void test_minimum(void **state) {
  (void)state;
  size_t n = f.problem.n;
  double *slab = calloc(6 * n, sizeof *slab), *v = slab, *g = slab + n, *other = slab + 2 * n, *zero = slab + 3 * n;
  assert_non_null(slab);
  fn_newton_result result;
  (void)fn_logistic_evaluate(g, NULL, &f.problem, zero);
  double norm = fn_vector_norm(g, n) / f.problem.c;
  assert_int_equal(fn_newton_minimise(&result, v, &f.problem, norm, 1e-6, 100, NULL), FN_OK);
  assert_true(result.converged && result.n_newton <= 20 && result.n_products >= result.n_newton);
  /* Exact gradient at the minimum; the sums in float bound what is left of it. */
  (void)dense(g, slab + 4 * n, slab + 5 * n, v, zero);
  assert_true(fn_vector_norm(g, n) < 3e-6 * norm * f.problem.c);
  assert_near(g[n - 1], 0.0, 1e-5 * norm);
  /* Strictly convex: another start ends at the same place. */
  fn_rng rng = fn_rng_make(3, 1);
  for (size_t j = 0; j < n; j++) other[j] = 3.0 * fn_rng_normal(&rng);
  assert_int_equal(fn_newton_minimise(&result, other, &f.problem, norm, 1e-6, 100, NULL), FN_OK);
  for (size_t j = 0; j < n; j++) assert_near(other[j], v[j], 1e-3);
  /* Too few steps: told, not hidden. */
  assert_int_equal(fn_newton_minimise(&result, zero, &f.problem, norm, 1e-6, 1, NULL), FN_OK);
  assert_false(result.converged);
  assert_int_equal(result.n_newton, 1);
  free(slab);
}

/* Great C on separable rows: steps that overshoot must be refused and f must fall all the same. */
static void test_hard(void **state) {
  (void)state;
  size_t n = f.problem.n;
  double *slab = calloc(2 * n, sizeof *slab), *v = slab, *g = slab + n;
  assert_non_null(slab);
  f.problem.c = 1e6;
  fn_newton_result result;
  fn_err err = {0};
  double start = fn_logistic_evaluate(g, NULL, &f.problem, v), norm = fn_vector_norm(g, n) / f.problem.c;
  for (size_t j = 0; j < n; j++) v[j] = j % 2 ? 50.0 : -50.0;
  assert_int_equal(fn_newton_minimise(&result, v, &f.problem, norm, 1e-4, 200, &err), FN_OK);
  assert_true(result.converged);
  assert_true(fn_logistic_evaluate(g, NULL, &f.problem, v) < start);
  f.problem.c = 3.0;
  v[0] = (double)NAN;
  assert_int_equal(fn_newton_minimise(&result, v, &f.problem, norm, 1e-4, 200, &err), FN_E_DIVERGED);
  free(slab);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tf_idf),  cmocka_unit_test(test_objective), cmocka_unit_test(test_derivatives),
      cmocka_unit_test(test_minimum), cmocka_unit_test(test_hard),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
