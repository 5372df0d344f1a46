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
  /* Opened from packed tables: these instead of the two above, views of the file. */
  fn_linear_table packed[FN_N_FAMILIES]; /* weight NULL: family not used */
};

/* Arrays for the families of spec, zeroed. */
FN_NODISCARD fn_status fn_linear_make(fn_linear **linear_out, const fn_feature_spec *spec, fn_err *err);
/* The members of config.json, into an open object and back; path stands in errors. */
void fn_linear_config_write(fn_json_writer *writer, const fn_linear *linear);
FN_NODISCARD fn_status fn_linear_config_read(fn_feature_spec *spec_out, double c_out[FN_N_FAMILIES],
                                             const json_t *config, const char *path, fn_err *err);
extern const char *const fn_family_names[FN_N_FAMILIES]; /* "word", "char" */

#endif
