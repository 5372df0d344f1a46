#include "linear/newton.h"

#include <math.h>
#include <stdlib.h>

/* Constants of Lin, Weng, Keerthi 2008, section 3: when a step is taken, and how the region changes. */
static const double eta0 = 1e-4, eta1 = 0.25, eta2 = 0.75, sigma1 = 0.25, sigma2 = 0.5, sigma3 = 4.0;
enum { MAX_PRODUCTS_PER_STEP = 200 };

typedef struct newton {
  fn_logistic *problem;
  size_t n;
  double *gradient, *candidate_gradient, *candidate;
  double *diagonal;       /* M */
  double *s, *r, *d, *hd; /* step, residual -g - Hs, direction, H·direction */
  int32_t n_products;
} newton;

static double dot(const double *x, const double *y, size_t n) {
  double sum[4] = {0.0};
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (size_t k = 0; k < 4; k++) sum[k] += x[i + k] * y[i + k];
  }
  for (; i < n; i++) sum[0] += x[i] * y[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

double fn_vector_norm(const double *x, size_t n) {
  return sqrt(dot(x, x, n));
}

/* xᵀ M y, and xᵀ M⁻¹ y. */
static double dot_m(const newton *a, const double *x, const double *y) {
  double sum = 0.0;
  for (size_t i = 0; i < a->n; i++) sum += x[i] * a->diagonal[i] * y[i];
  return sum;
}
static double dot_m_inverse(const newton *a, const double *x, const double *y) {
  double sum = 0.0;
  for (size_t i = 0; i < a->n; i++) sum += x[i] / a->diagonal[i] * y[i];
  return sum;
}

static void add_scaled(double *y, double factor, const double *x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += factor * x[i];
}

/* The τ ≥ 0 for which ‖s + τd‖_M = radius. */
static double boundary(const newton *a, double radius) {
  double sd = dot_m(a, a->s, a->d), dd = dot_m(a, a->d, a->d), ss = dot_m(a, a->s, a->s);
  double gap = radius * radius - ss, root = sqrt(sd * sd + dd * gap);
  return sd >= 0.0 ? gap / (sd + root) : (root - sd) / dd;
}

/* Steihaug's conjugate gradients: minimises gᵀs + ½ sᵀHs within ‖s‖_M ≤ radius. They end when the residual, which is
 * nearly the next gradient, is a tenth of this one or half of the goal. True when they ended on the boundary. */
static bool find_step(newton *a, double radius, double goal) {
  size_t n = a->n;
  memset(a->s, 0, n * sizeof *a->s);
  for (size_t i = 0; i < n; i++) {
    a->r[i] = -a->gradient[i];
    a->d[i] = a->r[i] / a->diagonal[i];
  }
  double rz = dot_m_inverse(a, a->r, a->r), least = 0.1 * sqrt(rz);
  for (int k = 0; k < MAX_PRODUCTS_PER_STEP && sqrt(rz) > least && fn_vector_norm(a->r, n) > 0.5 * goal; k++) {
    fn_logistic_product(a->hd, a->problem, a->d);
    a->n_products++;
    double alpha = rz / dot(a->d, a->hd, n);
    add_scaled(a->s, alpha, a->d, n);
    if (sqrt(dot_m(a, a->s, a->s)) >= radius) {
      add_scaled(a->s, -alpha, a->d, n);
      alpha = boundary(a, radius);
      add_scaled(a->s, alpha, a->d, n);
      add_scaled(a->r, -alpha, a->hd, n);
      return true;
    }
    add_scaled(a->r, -alpha, a->hd, n);
    double next = dot_m_inverse(a, a->r, a->r), beta = next / rz;
    for (size_t i = 0; i < n; i++) a->d[i] = a->r[i] / a->diagonal[i] + beta * a->d[i];
    rz = next;
  }
  return false;
}

/* New radius after a step of M-norm `length`; `slope` is gᵀs. The interpolated minimiser along s guides it. */
static double update_radius(double radius, double actual, double predicted, double slope, double length,
                            bool on_boundary) {
  double curvature = -actual - slope, alpha = curvature <= 0.0 ? sigma3 : fmax(sigma1, -0.5 * slope / curvature);
  if (actual < eta0 * predicted) return fmin(fmax(alpha, sigma1) * length, sigma2 * radius);
  if (actual < eta1 * predicted) return fmax(sigma1 * radius, fmin(alpha * length, sigma2 * radius));
  if (actual < eta2 * predicted) return fmax(sigma1 * radius, fmin(alpha * length, sigma3 * radius));
  if (on_boundary) return sigma3 * radius;
  return fmax(radius, fmin(alpha * length, sigma3 * radius));
}

static fn_status minimise(fn_newton_result *out, newton *a, double *v, double goal, int64_t max_iterations,
                          fn_err *err) {
  size_t n = a->n;
  fn_newton_result result = {0};
  double f = fn_logistic_evaluate(a->gradient, &result.loss, a->problem, v), radius = 0.0;
  fn_logistic_diagonal(a->diagonal, a->problem);
  bool stuck = false;
  while (isfinite(f) && !stuck && !(result.converged = fn_vector_norm(a->gradient, n) <= goal) &&
         result.n_newton < max_iterations) {
    if (result.n_newton == 0) radius = sqrt(dot_m_inverse(a, a->gradient, a->gradient));
    bool on_boundary = find_step(a, radius, goal);
    for (size_t i = 0; i < n; i++) a->candidate[i] = v[i] + a->s[i];
    double slope = dot(a->gradient, a->s, n), predicted = -0.5 * (slope - dot(a->s, a->r, n)), loss;
    double next = fn_logistic_evaluate(a->candidate_gradient, &loss, a->problem, a->candidate), actual = f - next;
    double length = sqrt(dot_m(a, a->s, a->s));
    if (result.n_newton++ == 0) radius = fmin(radius, length);
    radius = update_radius(radius, actual, predicted, slope, length, on_boundary);
    /* Beyond the rounding of f nothing can be won. */
    stuck = fabs(actual) <= 1e-12 * fabs(f) && fabs(predicted) <= 1e-12 * fabs(f);
    if (actual > eta0 * predicted) {
      memcpy(v, a->candidate, n * sizeof *v);
      memcpy(a->gradient, a->candidate_gradient, n * sizeof *v);
      f = next;
      result.loss = loss;
      fn_logistic_diagonal(a->diagonal, a->problem);
    } else { /* back to the curvature of v */
      (void)fn_logistic_evaluate(a->candidate_gradient, NULL, a->problem, v);
    }
  }
  result.n_products = a->n_products;
  if (!isfinite(f)) return fn_err_set(err, FN_E_DIVERGED, "linear family: the loss is not a finite number");
  *out = result;
  return FN_OK;
}

fn_status fn_newton_minimise(fn_newton_result *result_out, double *v, fn_logistic *problem, double gradient_norm_0,
                             double tolerance, int64_t max_iterations, fn_err *err) {
  newton a = {.problem = problem, .n = problem->n};
  FN_AUTO_FREE double *slab = fn_mem_calloc(8, problem->n * sizeof *slab);
  if (slab == NULL) return fn_err_no_memory(err, "vectors of the Newton method");
  double **const parts[8] = {&a.gradient, &a.candidate_gradient, &a.candidate, &a.diagonal, &a.s, &a.r, &a.d, &a.hd};
  for (size_t i = 0; i < 8; i++) *parts[i] = slab + i * problem->n;
  return minimise(result_out, &a, v, tolerance * problem->c * gradient_norm_0, max_iterations, err);
}
