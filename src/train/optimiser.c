#include "train/optimiser.h"

#include <math.h>
#include <stdlib.h>

static bool is_frozen(const fn_parameter *p, const fn_freeze *freeze) {
  if (p->is_head) return false;
  if (freeze->all) return true;
  return p->layer < 0 ? freeze->embeddings : p->layer < freeze->n_layers;
}

void fn_optimiser_deinit(fn_optimiser *o) {
  free(o->m);
  free(o->v);
  free(o->segments);
  *o = (fn_optimiser){0};
}

fn_status fn_optimiser_init(fn_optimiser *optimiser_out, fn_model *model, fn_device *device,
                            const fn_train_options *options, fn_err *err) {
  fn_freeze freeze;
  FN_TRY(fn_freeze_parse(&freeze, options->freeze, fn_model_get_config(model)->num_hidden_layers, err));
  size_t bytes;
  if (!fn_size_mul(&bytes, fn_model_slab_n(model), sizeof(float))) return fn_err_no_memory(err, "the optimiser");
  fn_optimiser o = {.device = device, .model = model, .n_segments = fn_model_n_parameters(model)};
  o.beta1 = options->beta1;
  o.beta2 = options->beta2;
  o.epsilon = options->epsilon;
  o.max_grad_norm = options->max_grad_norm;
  o.m = fn_mem_slab(bytes);
  o.v = fn_mem_slab(bytes);
  o.segments = fn_mem_calloc(o.n_segments, sizeof *o.segments);
  if (!o.m || !o.v || !o.segments) {
    fn_optimiser_deinit(&o);
    return fn_err_no_memory(err, "the optimiser");
  }
  for (size_t i = 0; i < o.n_segments; i++) {
    const fn_parameter *p = fn_model_parameter(model, i);
    const bool decay = p->decay || options->decay_all;
    o.segments[i] = (fn_segment){.offset = p->offset,
                                 .n = p->n,
                                 .lr_multiplier = 1,
                                 .weight_decay = decay ? (float)options->weight_decay : 0,
                                 .frozen = is_frozen(p, &freeze)};
  }
  *optimiser_out = o;
  return FN_OK;
}

fn_status fn_optimiser_step(double *norm_out, fn_optimiser *o, double learning_rate, int64_t step, fn_err *err) {
  float *gradients = fn_model_gradients(o->model);
  const double norm = sqrt(fn_device_squared_norm(o->device, gradients, o->segments, o->n_segments));
  if (!isfinite(norm))
    return fn_err_set(err, FN_E_DIVERGED, "step %lld: the norm of the gradients is not a finite number",
                      (long long)step);
  double scale = 1;
  if (!isnan(o->max_grad_norm) && o->max_grad_norm / (norm + 1e-6) < 1) scale = o->max_grad_norm / (norm + 1e-6);
  const fn_adamw_step args = {
      .values = fn_model_values(o->model),
      .gradients = gradients,
      .m = o->m,
      .v = o->v,
      .segments = o->segments,
      .n_segments = o->n_segments,
      .lr = learning_rate,
      .beta1 = o->beta1,
      .beta2 = o->beta2,
      .epsilon = o->epsilon,
      .gradient_scale = scale,
      .step = step,
  };
  fn_device_adamw(o->device, &args);
  *norm_out = norm;
  return FN_OK;
}
