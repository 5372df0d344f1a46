/* Pooling and classification.
 *   one layer:  pooled → dropout → K                  (Hugging Face's BertForSequenceClassification)
 *   two layers: pooled → head_size → ReLU → dropout → K */
#include "model/internal.h"

static const fn_dropout *head_dropout(fn_dropout *storage, const fn_pass *pass) {
  const fn_model *m = pass->model;
  return fn_pass_dropout(storage, pass, m->config.classifier_dropout, m->config.num_hidden_layers,
                         m->config.head_size > 0 ? FN_SITE_HEAD : FN_SITE_POOLED);
}

void fn_head_forward(const fn_pass *pass, fn_state *state) {
  const fn_model *m = pass->model;
  fn_device *d = m->device;
  fn_head_state *h = &state->head;
  fn_dropout storage;
  const fn_layer_state *last = &state->layers[m->config.num_hidden_layers - 1];
  if (m->traits.pooling == FN_POOL_MEAN)
    m->ops->segment_mean(d, h->input, last->y2, &pass->all);
  else if (!last->few)
    m->ops->gather_rows(d, h->input, last->y2, m->rows.first);
  fn_mat x = h->input;
  if (m->traits.pooling == FN_POOL_FIRST_DENSE) {
    const fn_linear pooler = fn_model_linear(pass, m->parameters.pooler);
    m->ops->linear(d, h->pooled_pre, x, &pooler);
    m->ops->activation(d, h->pooled, h->pooled_pre, FN_ACT_TANH);
    x = h->pooled;
  }
  if (m->config.head_size > 0) {
    const fn_linear dense = fn_model_linear(pass, m->parameters.head_dense);
    m->ops->linear(d, h->hidden_pre, x, &dense);
    m->ops->activation(d, h->hidden, h->hidden_pre, FN_ACT_RELU);
    x = h->hidden;
  }
  const fn_linear classifier = fn_model_linear(pass, m->parameters.classifier);
  m->ops->dropout(d, h->dropped, x, &pass->first, head_dropout(&storage, pass));
  m->ops->linear(d, h->logits, h->dropped, &classifier);
}

/* The first n columns of a buffer as a matrix of its own. */
static fn_mat narrow(fn_mat m, size_t n) {
  return fn_mat_make(m.data, m.n_rows, n);
}

void fn_head_backward(const fn_pass *pass, fn_state *state) {
  const fn_model *m = pass->model;
  fn_device *d = m->device;
  const fn_head_state *h = &state->head;
  size_t C = (size_t)m->config.hidden_size;
  fn_dropout storage;
  fn_mat g = narrow(state->dhead[0], h->dropped.n_cols), next;
  const fn_linear classifier = fn_model_linear(pass, m->parameters.classifier);
  m->ops->linear_backward(d, g, false, state->dlogits, h->dropped, &classifier);
  m->ops->dropout(d, g, g, &pass->first, head_dropout(&storage, pass));
  fn_mat pooled = m->traits.pooling == FN_POOL_FIRST_DENSE ? h->pooled : h->input;
  if (m->config.head_size > 0) {
    const fn_linear dense = fn_model_linear(pass, m->parameters.head_dense);
    next = narrow(state->dhead[1], C);
    m->ops->activation_backward(d, g, g, h->hidden_pre, FN_ACT_RELU);
    m->ops->linear_backward(d, next, false, g, pooled, &dense);
    g = next;
  }
  if (m->traits.pooling == FN_POOL_MEAN) {
    m->ops->segment_mean_backward(d, state->dx, g, &pass->all);
    return;
  }
  if (m->traits.pooling == FN_POOL_FIRST_DENSE) {
    const fn_linear pooler = fn_model_linear(pass, m->parameters.pooler);
    m->ops->activation_backward(d, g, g, h->pooled_pre, FN_ACT_TANH);
    m->ops->linear_backward(d, state->dfew, false, g, h->input, &pooler);
  } else {
    m->ops->dropout(d, state->dfew, g, &pass->first, NULL); /* a copy */
  }
  if (state->layers[m->config.num_hidden_layers - 1].few) return;
  m->ops->zero(d, state->dx.data, state->dx.n_rows * state->dx.n_cols);
  m->ops->scatter_add_rows(d, state->dx, state->dfew, m->rows.first);
}
