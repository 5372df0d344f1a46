/* Passes over a batch: checks, layouts, forward, loss, backward. */
#include "model/internal.h"

#include <math.h>

static fn_status check_sequence(const fn_model *m, const fn_batch *batch, int32_t b, fn_err *err) {
  const fn_model_config *c = &m->config;
  int32_t begin = batch->offsets[b], end = batch->offsets[b + 1];
  int32_t limit = c->max_position_embeddings - m->traits.position_offset;
  if (end <= begin || end > batch->T)
    return fn_err_set(err, FN_E_INVALID, "batch: row %d has no tokens, or more than the batch", b);
  if (end - begin > limit)
    return fn_err_set(err, FN_E_LIMIT, "batch: row %d has %d tokens; the model takes up to %d", b, end - begin, limit);
  if (end - begin > m->longest)
    return fn_err_set(err, FN_E_LIMIT, "batch: row %d has %d tokens; %d were planned for", b, end - begin, m->longest);
  for (int32_t t = begin; t < end; t++) {
    if (batch->ids[t] < 0 || batch->ids[t] >= c->vocab_size)
      return fn_err_set(err, FN_E_INVALID, "batch: row %d, token %d: id %d is outside the vocabulary of %d", b,
                        t - begin, batch->ids[t], c->vocab_size);
    if (m->traits.token_types && (batch->type_ids[t] < 0 || batch->type_ids[t] >= c->type_vocab_size))
      return fn_err_set(err, FN_E_INVALID, "batch: row %d, token %d: type %d is outside the %d types of the model", b,
                        t - begin, batch->type_ids[t], c->type_vocab_size);
    if (batch->positions[t] != t - begin)
      return fn_err_set(err, FN_E_INVALID, "batch: row %d, token %d: position %d", b, t - begin, batch->positions[t]);
  }
  return FN_OK;
}

static fn_status check_batch(const fn_model *m, const fn_batch *batch, fn_err *err) {
  if (batch->B < 1 || batch->T < 1 || batch->offsets[0] != 0 || batch->offsets[batch->B] != batch->T)
    return fn_err_set(err, FN_E_INVALID, "batch: no rows, or offsets that do not cover its tokens");
  if (batch->B > m->max_B || batch->T > m->max_T)
    return fn_err_set(err, FN_E_LIMIT, "batch: %d rows of %d tokens; %d of %d were planned for", batch->B, batch->T,
                      m->max_B, m->max_T);
  for (int32_t b = 0; b < batch->B; b++) FN_TRY(check_sequence(m, batch, b, err));
  return FN_OK;
}

static fn_status check_labels(const fn_model *m, const fn_batch *batch, fn_err *err) {
  for (int32_t b = 0; b < batch->B; b++) {
    if (batch->labels[b] < 0 || batch->labels[b] >= m->config.num_labels)
      return fn_err_set(err, FN_E_INVALID, "batch: row %d: label %d, accepted are 0 to %d", b, batch->labels[b],
                        m->config.num_labels - 1);
    if (!(batch->weights[b] >= 0) || !isfinite(batch->weights[b]))
      return fn_err_set(err, FN_E_INVALID, "batch: row %d: weight %g, accepted is 0 or more", b,
                        (double)batch->weights[b]);
  }
  return FN_OK;
}

static void begin_pass(fn_pass *pass) {
  fn_model *m = pass->model;
  const fn_batch *batch = pass->batch;
  fn_rows *r = &m->rows;
  for (int32_t b = 0; b < batch->B; b++) {
    r->first[b] = batch->offsets[b];
    for (int32_t t = batch->offsets[b]; t < batch->offsets[b + 1]; t++) r->draws[t] = batch->draws[b];
  }
  int32_t longest = 0;
  for (int32_t b = 0; b < batch->B; b++) {
    int32_t n = batch->offsets[b + 1] - batch->offsets[b];
    longest = n > longest ? n : longest;
  }
  pass->all = (fn_layout){.n_rows = (size_t)batch->T,
                          .n_sequences = (size_t)batch->B,
                          .longest = (size_t)longest,
                          .offsets = batch->offsets,
                          .positions = batch->positions,
                          .draws = r->draws};
  pass->first = (fn_layout){.n_rows = (size_t)batch->B,
                            .n_sequences = (size_t)batch->B,
                            .longest = 1,
                            .offsets = r->first_offsets,
                            .positions = r->first_positions,
                            .draws = batch->draws};
}

fn_status fn_model_forward(float *logits_out, fn_model *model, const fn_batch *batch, fn_err *err) {
  return fn_model_forward_embeddings(logits_out, NULL, model, batch, err);
}

fn_status fn_model_forward_embeddings(float *logits_out, float *embeddings_out, fn_model *model, const fn_batch *batch,
                                      fn_err *err) {
  fn_state state = {.layers = model->layers};
  fn_pass pass = {.model = model, .batch = batch};
  FN_TRY(check_batch(model, batch, err));
  begin_pass(&pass);
  fn_state_carve(&state, &pass, (size_t)batch->T, (size_t)batch->B);
  fn_encoder_forward(&pass, &state);
  fn_head_forward(&pass, &state);
  model->ops->to_float(model->device, logits_out, state.head.logits);
  const bool pooled = model->traits.pooling == FN_POOL_FIRST_DENSE;
  if (embeddings_out)
    model->ops->to_float(model->device, embeddings_out, pooled ? state.head.pooled : state.head.input);
  return FN_OK;
}

fn_status fn_model_forward_backward(double *loss_sum_out, float *logits_out, fn_model *model, const fn_batch *batch,
                                    double scale, double label_smoothing, const fn_dropout_key *dropout, fn_err *err) {
  fn_state state = {.layers = model->layers};
  fn_pass pass = {.model = model, .batch = batch, .training = true, .dropout = dropout};
  if (!model->training)
    return fn_err_set(err, FN_E_INVALID, "a training pass needs fn_model_plan with training = true first");
  if (!(label_smoothing >= 0 && label_smoothing <= 1))
    return fn_err_set(err, FN_E_INVALID, "label smoothing %g, accepted is 0 to 1", label_smoothing);
  FN_TRY(check_batch(model, batch, err));
  FN_TRY(check_labels(model, batch, err));
  begin_pass(&pass);
  fn_state_carve(&state, &pass, (size_t)batch->T, (size_t)batch->B);
  fn_encoder_forward(&pass, &state);
  fn_head_forward(&pass, &state);
  if (logits_out) model->ops->to_float(model->device, logits_out, state.head.logits);
  model->ops->softmax_loss(model->device, model->rows.losses, state.dlogits, state.head.logits, batch->labels,
                           batch->weights, label_smoothing, scale);
  double sum = 0;
  for (int32_t b = 0; b < batch->B; b++) sum += model->rows.losses[b];
  fn_head_backward(&pass, &state);
  fn_encoder_backward(&pass, &state);
  *loss_sum_out = sum;
  return FN_OK;
}
