/* Private to src/linear: the training objective over sparse rows, and its derivatives.
 *
 *   f(w, b) = ½‖w‖² + C Σ_i s_i ln(1 + exp(-y_i (x_i·w + b)))        y_i in {-1, 1}, b not penalised
 *
 * Parameters are one vector v[n]: the weights of each family in the order of its vocabulary, then b. A pass cuts the
 * rows into blocks by their number alone; every block sums into a vector of its own, and those are added in order: the
 * same bits with any number of threads. */
#ifndef FN_LINEAR_LOGISTIC_H
#define FN_LINEAR_LOGISTIC_H

#include "linear/sparse.h"

typedef struct fn_logistic {
  size_t n; /* parameters, b included (the last one) */
  const fn_sparse *sparse;
  const fn_vocabulary *vocabulary;
  const fn_linear_row *rows; /* labels and weights */
  double weight_scale;       /* s_i = weight_scale · rows[i].weight */
  double c;
  fn_pool *pool;
  size_t n_blocks;
  double *margin;     /* [rows] x_i·w + b at the last evaluation */
  float *curvature;   /* [rows] C s_i σ(1-σ) at the last evaluation */
  float *scaled;      /* [n] idf_j v_j */
  float *sums;        /* [n_blocks][n] */
  double *block_loss; /* [n_blocks] Σ s_i ℓ_i */
  double *block_bias; /* [n_blocks] what goes to b */
} fn_logistic;

/* sparse (bound to vocabulary), vocabulary and rows outlive the problem; weights are scaled to mean 1. */
FN_NODISCARD fn_status fn_logistic_init(fn_logistic *problem_out, const fn_sparse *sparse,
                                        const fn_vocabulary *vocabulary, const fn_linear_row *rows, fn_pool *pool,
                                        fn_err *err);
void fn_logistic_deinit(fn_logistic *problem);

/* f at v; gradient_out[n]; keeps the curvature for the two below. *loss_out (may be NULL): Σ s_i ℓ_i / Σ s_i. */
double fn_logistic_evaluate(double *gradient_out, double *loss_out, fn_logistic *problem, const double *v);
/* A better start for another C: v, at which the problem was evaluated last, becomes (t·w, b) with the t and b that
 * minimise f. Solutions for neighbouring C differ above all in length, and this costs no pass over the features. */
void fn_logistic_rescale(double *v, const fn_logistic *problem);
/* out = Hessian · d. */
void fn_logistic_product(double *out, fn_logistic *problem, const double *d);
/* out = diagonal of the Hessian. */
void fn_logistic_diagonal(double *out, fn_logistic *problem);

/* Weighted mean cross-entropy of other rows (bound to the same vocabulary) at v. */
double fn_logistic_loss(const fn_logistic *problem, const fn_sparse *sparse, const fn_linear_row *rows,
                        const double *v);

#endif
