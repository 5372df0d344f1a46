/* The encoder, forward and backward, over the table of operations. */
#include "model/internal.h"

#include <math.h>

typedef struct layer_view {
  fn_linear qkv[3], output, up, down;
  fn_norm attention_norm, ffn_norm;
  fn_attention attention;
  fn_dropout probabilities, attention_out, ffn_out;
  const fn_dropout *drop_attention, *drop_ffn;
} layer_view;

static void view_layer(layer_view *v, const fn_pass *pass, const fn_layer_state *s, int32_t i) {
  const fn_model *m = pass->model;
  const fn_model_config *c = &m->config;
  const fn_layer_index *p = &m->parameters.layers[i];
  v->qkv[0] = fn_model_linear(pass, p->q);
  v->qkv[1] = fn_model_linear(pass, p->k);
  v->qkv[2] = fn_model_linear(pass, p->v);
  v->output = fn_model_linear(pass, p->output);
  v->up = fn_model_linear(pass, p->up);
  v->down = fn_model_linear(pass, p->down);
  v->attention_norm = fn_model_norm(pass, p->attention_norm);
  v->ffn_norm = fn_model_norm(pass, p->ffn_norm);
  v->attention = (fn_attention){
      .n_heads = (size_t)c->num_attention_heads,
      .head_size = (size_t)(c->hidden_size / c->num_attention_heads),
      .window = fn_traits_window(&m->traits, i),
      .queries = s->few ? &pass->first : &pass->all,
      .keys = &pass->all,
      .dropout = fn_pass_dropout(&v->probabilities, pass, c->attention_probs_dropout_prob, i, FN_SITE_ATTENTION),
  };
  v->attention.scale = 1.0 / sqrt((double)v->attention.head_size);
  v->drop_attention = fn_pass_dropout(&v->attention_out, pass, c->hidden_dropout_prob, i, FN_SITE_ATTENTION_OUT);
  v->drop_ffn = fn_pass_dropout(&v->ffn_out, pass, c->hidden_dropout_prob, i, FN_SITE_FFN_OUT);
}

static void layer_forward(const fn_pass *pass, fn_layer_state *s, int32_t i) {
  fn_device *d = pass->model->device;
  const fn_ops *ops = pass->model->ops;
  layer_view v;
  view_layer(&v, pass, s, i);
  const fn_layout *rows = v.attention.queries;
  if (s->few) {
    ops->qkv(d, s->qkv, s->x, v.qkv + 1, 2);
    ops->gather_rows(d, s->residual, s->x, pass->model->rows.first);
    ops->linear(d, s->q, s->residual, &v.qkv[0]);
  } else {
    ops->qkv(d, s->qkv, s->x, v.qkv, 3);
  }
  ops->attention(d, s->context, s->lse, s->q, s->k, s->v, &v.attention);
  ops->linear_dropout_residual_norm(d, s->y1, s->xhat1, s->rstd1, s->context, s->residual, &v.output, &v.attention_norm,
                                    rows, v.drop_attention);
  ops->ffn(d, s->y2, s->xhat2, s->rstd2, s->pre, s->y1, &v.up, &v.down, pass->model->activation, &v.ffn_norm, rows,
           v.drop_ffn);
}

/* In: gradient of y2 (state->dfew when few, else state->dx). Out: gradient of x in state->dx. */
static void layer_backward(const fn_pass *pass, fn_state *state, int32_t i) {
  fn_device *d = pass->model->device;
  const fn_ops *ops = pass->model->ops;
  fn_layer_state *s = &state->layers[i];
  layer_view v;
  view_layer(&v, pass, s, i);
  const fn_layout *rows = v.attention.queries;
  size_t C = (size_t)pass->model->config.hidden_size;
  fn_mat dy = s->few ? state->dfew : state->dx, dcontext = s->few ? state->dcontext_few : state->dcontext;
  ops->ffn_backward(d, dy, s->pre, s->y1, s->xhat2, s->rstd2, &v.up, &v.down, pass->model->activation, &v.ffn_norm,
                    rows, v.drop_ffn);
  ops->linear_dropout_residual_norm_backward(d, dcontext, dy, s->context, s->xhat1, s->rstd1, &v.output,
                                             &v.attention_norm, rows, v.drop_attention);
  if (!s->few) {
    fn_mat dq = fn_mat_columns(d, state->dqkv, 0, C), dk = fn_mat_columns(d, state->dqkv, C, C);
    ops->attention_backward(d, dq, dk, fn_mat_columns(d, state->dqkv, 2 * C, C), dcontext, s->context, s->lse, s->q,
                            s->k, s->v, &v.attention);
    ops->qkv_backward(d, dy, true, state->dqkv, s->x, v.qkv, 3);
    return;
  }
  fn_mat dkv = fn_mat_make(state->dqkv.data, state->dqkv.n_rows, 2 * C);
  ops->attention_backward(d, state->dq, fn_mat_columns(d, dkv, 0, C), fn_mat_columns(d, dkv, C, C), dcontext,
                          s->context, s->lse, s->q, s->k, s->v, &v.attention);
  ops->qkv_backward(d, state->dx, false, dkv, s->x, v.qkv + 1, 2);
  ops->linear_backward(d, dy, true, state->dq, s->residual, &v.qkv[0]);
  ops->scatter_add_rows(d, state->dx, dy, pass->model->rows.first);
}

void fn_encoder_forward(const fn_pass *pass, fn_state *state) {
  const fn_model *m = pass->model;
  fn_dropout storage;
  const fn_embedding e = fn_model_embedding(pass);
  const fn_norm norm = fn_model_norm(pass, m->parameters.embedding_norm);
  m->ops->embed_norm(m->device, state->embedded, state->embedded_xhat, state->embedded_rstd, &e, &norm,
                     pass->batch->ids, pass->batch->type_ids, &pass->all,
                     fn_pass_dropout(&storage, pass, m->config.hidden_dropout_prob, 0, FN_SITE_EMBEDDING));
  for (int32_t i = 0; i < m->config.num_hidden_layers; i++) layer_forward(pass, &state->layers[i], i);
}

void fn_encoder_backward(const fn_pass *pass, fn_state *state) {
  const fn_model *m = pass->model;
  fn_dropout storage;
  const fn_embedding e = fn_model_embedding(pass);
  const fn_norm norm = fn_model_norm(pass, m->parameters.embedding_norm);
  for (int32_t i = m->config.num_hidden_layers - 1; i >= 0; i--) layer_backward(pass, state, i);
  m->ops->embed_norm_backward(m->device, state->dx, state->embedded_xhat, state->embedded_rstd, &e, &norm,
                              pass->batch->ids, pass->batch->type_ids, &pass->all,
                              fn_pass_dropout(&storage, pass, m->config.hidden_dropout_prob, 0, FN_SITE_EMBEDDING));
}
