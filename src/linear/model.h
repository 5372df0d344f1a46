/* Private to src/linear: what a trained model holds. */
#ifndef FN_LINEAR_MODEL_H
#define FN_LINEAR_MODEL_H

#include "linear/features.h"
#include "linear/linear.h"

/* logit = bias + Σ over families of (Σ_b t_b weight_b) / sqrt(Σ_b (t_b idf_b)²), t_b = 1 + ln count. */
struct fn_linear {
  fn_feature_spec spec;
  double c[FN_N_FAMILIES];
  double bias;                  /* mean of the families' */
  float *weight[FN_N_FAMILIES]; /* [buckets] regression's weight · idf / number of families; NULL: family not used */
  float *idf[FN_N_FAMILIES];    /* [buckets] 0 where training never saw the bucket: it then counts for nothing */
};

/* Arrays for the families of spec, zeroed. */
FN_NODISCARD fn_status fn_linear_make(fn_linear **linear_out, const fn_feature_spec *spec, fn_err *err);
extern const char *const fn_family_names[FN_N_FAMILIES]; /* "word", "char" */

#endif
