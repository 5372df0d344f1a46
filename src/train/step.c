#include "train/augment.h"
#include "train/trainer_internal.h"

/* Fills the batch with the rows of micro-batch k. */
static fn_status fill_micro(fn_trainer *t, size_t k, const fn_augment *augment, fn_err *err) {
  const fn_examples *e = t->setup.train;
  fn_batch_reset(&t->batch);
  for (size_t i = k ? t->plan.ends[k - 1] : 0; i < t->plan.ends[k]; i++) {
    const uint32_t draw = t->plan.order[i], row = t->rows[draw];
    const int32_t label = e->rows[row].label;
    const size_t begin = fn_augment_text_begin(augment, draw, &e->ids[row], &t->batching.sequence);
    FN_TRY(fn_batch_append(&t->batch, t->batching.tokenizer, &e->ids[row], begin, &t->batching.sequence, label,
                           (float)t->class_weights[label], draw, row, err));
    fn_augment_mask_last(augment, &t->batch, t->batching.tokenizer);
  }
  return FN_OK;
}

/* Draws the step's rows and cuts them (a cropped article is as long as an uncropped one); the normaliser Σ w is known
 * before the first pass. */
static fn_status draw(fn_step_report *r, fn_trainer *t, fn_err *err) {
  const fn_examples *e = t->setup.train;
  const int64_t step = t->state.step, per_epoch = t->state.steps_per_epoch;
  size_t n = 0;
  fn_sampler_draw(t->rows, &n, t->sampler, (uint64_t)(step / per_epoch), (size_t)(step % per_epoch));
  r->n_rows = (int64_t)n;
  for (size_t i = 0; i < n; i++) {
    t->lengths[i] = fn_example_length(e, t->rows[i], &t->batching.sequence);
    r->n_tokens += t->lengths[i];
    r->weight_sum += (double)(float)t->class_weights[e->rows[t->rows[i]].label];
  }
  FN_TRY(fn_micro_plan_cut(&t->plan, t->lengths, n, (size_t)t->setup.options->micro_batch_tokens, err));
  r->n_micro = t->plan.n_micro;
  return FN_OK;
}

fn_status fn_trainer_step(fn_step_report *report_out, fn_trainer *t, fn_err *err) {
  const fn_train_options *o = t->setup.options;
  const int64_t number = t->state.step + 1;
  fn_model *model = t->setup.model;
  fn_step_report r = {0};
  FN_TRY(draw(&r, t, err));
  fn_device_zero(t->setup.device, fn_model_gradients(model), fn_model_slab_n(model));
  const fn_dropout_key dropout = {(uint64_t)o->seed, (uint64_t)number};
  const fn_augment augment = {dropout.seed, dropout.step, (fn_train_crop)o->crop, o->mask_tokens};
  for (size_t k = 0; k < r.n_micro; k++) {
    double sum = 0;
    FN_TRY(fill_micro(t, k, &augment, err));
    FN_TRY(
        fn_model_forward_backward(&sum, NULL, model, &t->batch, 1 / r.weight_sum, o->label_smoothing, &dropout, err));
    r.loss_sum += sum;
  }
  r.loss = r.loss_sum / r.weight_sum;
  if (!isfinite(r.loss))
    return fn_err_set(err, FN_E_DIVERGED,
                      "step %lld: the loss is not a finite number (%g); a lower train.learning_rate, a longer "
                      "train.warmup or train.max_grad_norm may help",
                      (long long)number, r.loss);
  r.learning_rate = o->learning_rate * fn_schedule_factor(&t->schedule, t->state.step);
  FN_TRY(fn_optimiser_step(&r.gradient_norm, &t->optimiser, r.learning_rate, number, err));
  t->state.step = number;
  *report_out = r;
  return FN_OK;
}
