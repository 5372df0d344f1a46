/* AdamW over a model's parameter slab: segments (decay, frozen), moments, clipping by the global norm. */
#ifndef FN_TRAIN_OPTIMISER_H
#define FN_TRAIN_OPTIMISER_H

#include "model/model.h"
#include "train/options.h"

typedef struct fn_optimiser {
  fn_device *device;    /* borrowed */
  fn_model *model;      /* borrowed */
  float *m, *v;         /* slabs as the model's values */
  fn_segment *segments; /* one per parameter */
  size_t n_segments;
  double beta1, beta2, epsilon;
  double max_grad_norm; /* NaN: no clipping */
} fn_optimiser;

FN_NODISCARD fn_status fn_optimiser_init(fn_optimiser *optimiser_out, fn_model *model, fn_device *device,
                                         const fn_train_options *options, fn_err *err);
void fn_optimiser_deinit(fn_optimiser *optimiser);
/* One step from the model's gradients. step counts from 1. *norm_out: global norm before clipping, over what is not
 * frozen. FN_E_DIVERGED, with weights and moments as they were, when the norm is not finite. Clipping multiplies by
 * max / (norm + 1e-6) when that is below 1 (torch.nn.utils.clip_grad_norm_). */
FN_NODISCARD fn_status fn_optimiser_step(double *norm_out, fn_optimiser *optimiser, double learning_rate, int64_t step,
                                         fn_err *err);

#endif
