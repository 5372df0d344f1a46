/* Private to src/linear: the trust region Newton method (Lin, Weng, Keerthi 2008, "Trust region Newton method for
 * large-scale logistic regression", JMLR 9, algorithms 1 and 2), with the Hessian's diagonal as preconditioner of the
 * conjugate gradients and as norm of the region (Hsia, Chiang, Lin 2018, "Preconditioned conjugate gradient methods in
 * truncated Newton frameworks"). */
#ifndef FN_LINEAR_NEWTON_H
#define FN_LINEAR_NEWTON_H

#include "linear/logistic.h"

typedef struct fn_newton_result {
  double loss; /* Σ s_i ℓ_i / Σ s_i on the training rows */
  int32_t n_newton, n_products;
  bool converged;
} fn_newton_result;

/* Minimises from v[n], in place, until ‖gradient‖ ≤ tolerance · C · gradient_norm_0, where gradient_norm_0 is the norm
 * at v = 0 with C = 1. FN_E_DIVERGED when f is not a finite number. */
FN_NODISCARD fn_status fn_newton_minimise(fn_newton_result *result_out, double *v, fn_logistic *problem,
                                          double gradient_norm_0, double tolerance, int64_t max_iterations,
                                          fn_err *err);
double fn_vector_norm(const double *x, size_t n);

#endif
