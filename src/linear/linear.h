/* Facade of src/linear: the linear family. Hashed word and character n-grams, sublinear TF-IDF, L2 logistic
 * regression. Trains in seconds and stands beside every figure of a transformer. */
#ifndef FN_LINEAR_LINEAR_H
#define FN_LINEAR_LINEAR_H

#include "base/base.h"
#include "config/config.h"
#include "data/batch.h"

typedef struct fn_linear_options fn_linear_options; /* linear/options.h, table fn_linear_option_table */
typedef struct fn_linear fn_linear;                 /* immutable after training or loading */

typedef struct fn_linear_row {
  fn_str title, text;
  int32_t label;
  double weight;
} fn_linear_row;

/* Trains on n rows; C is chosen on the validation rows by cross-entropy among options' grid. progress may be NULL. */
FN_NODISCARD fn_status fn_linear_train(fn_linear **linear_out, const fn_linear_row *train, size_t n_train,
                                       const fn_linear_row *validation, size_t n_validation,
                                       const fn_linear_options *options, fn_pool *pool, fn_err *err);
void fn_linear_destroy(fn_linear *linear);
/* dir/linear.safetensors (weights, idf) + dir/config.json (model_type "fakenews-linear"). */
FN_NODISCARD fn_status fn_linear_save(const fn_linear *linear, const char *dir, fn_err *err);
FN_NODISCARD fn_status fn_linear_load(fn_linear **linear_out, const char *dir, fn_err *err);
/* Logit of class fake for one article; thread-safe with one scratch per thread. */
typedef struct fn_linear_scratch fn_linear_scratch;
FN_NODISCARD fn_status fn_linear_scratch_create(fn_linear_scratch **scratch_out, const fn_linear *linear, fn_err *err);
void fn_linear_scratch_destroy(fn_linear_scratch *scratch);
FN_NODISCARD fn_status fn_linear_predict(double *logit_out, const fn_linear *linear, fn_linear_scratch *scratch,
                                         fn_str title, fn_str text, fn_err *err);

#endif
