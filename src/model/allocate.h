/* Making a model in two steps, for loading: fn_model_create draws every weight, which takes seconds for a large model
 * and is of no use when a file holds them. */
#ifndef FN_MODEL_ALLOCATE_H
#define FN_MODEL_ALLOCATE_H

#include "model/model.h"

/* As fn_model_create, but every value is zero (norm weights too) until fn_model_draw or the caller sets it. */
FN_NODISCARD fn_status fn_model_allocate(fn_model **model_out, const fn_model_config *config, fn_device *device,
                                         fn_err *err);
/* Fills parameter i with what fn_model_create(…, seed) gives it, whatever the others hold. */
void fn_model_draw(fn_model *model, size_t i, uint64_t seed);

#endif
