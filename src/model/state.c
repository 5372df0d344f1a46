/* Where a pass keeps its activations: carved from the workspace in one order, so that planning and running agree. */
#include "model/internal.h"

/* The last layer's output is read at the first tokens only: K and V need every row, all else those rows. */
bool fn_layer_is_few(const fn_model *m, int32_t layer) {
  return layer == m->config.num_hidden_layers - 1 && m->traits.pooling != FN_POOL_MEAN && !m->all_rows;
}

static size_t width(const fn_model *m) {
  return (size_t)m->config.hidden_size;
}

static void split_qkv(fn_layer_state *s, const fn_model *m) {
  size_t C = width(m), first = s->few ? 0 : C;
  if (!s->few) s->q = fn_mat_columns(m->device, s->qkv, 0, C);
  s->k = fn_mat_columns(m->device, s->qkv, first, C);
  s->v = fn_mat_columns(m->device, s->qkv, first + C, C);
}

static void carve_layer(fn_layer_state *s, fn_pass *pass, int32_t layer, size_t T, size_t B) {
  const fn_model *m = pass->model;
  size_t C = width(m), F = (size_t)m->config.intermediate_size, H = (size_t)m->config.num_attention_heads;
  s->few = fn_layer_is_few(m, layer);
  size_t R = s->few ? B : T;
  s->qkv = fn_pass_take_mat(pass, T, s->few ? 2 * C : 3 * C);
  if (s->few) {
    s->residual = fn_pass_take_mat(pass, R, C);
    s->q = fn_pass_take_mat(pass, R, C);
  }
  split_qkv(s, m);
  s->lse = fn_pass_take(pass, H * R);
  s->context = fn_pass_take_mat(pass, R, C);
  s->xhat1 = fn_pass_take_mat(pass, R, C);
  s->y1 = fn_pass_take_mat(pass, R, C);
  s->rstd1 = fn_pass_take(pass, R);
  s->pre = fn_pass_take_mat(pass, R, F);
  s->xhat2 = fn_pass_take_mat(pass, R, C);
  s->y2 = fn_pass_take_mat(pass, R, C);
  s->rstd2 = fn_pass_take(pass, R);
}

/* Evaluation keeps nothing: all layers share one set, and outputs replace inputs (ops.h says where that is allowed). */
static void carve_shared(fn_state *state, fn_pass *pass, size_t T, size_t B) {
  const fn_model *m = pass->model;
  size_t C = width(m), H = (size_t)m->config.num_attention_heads;
  fn_layer_state all = {.few = false}, few = {.few = true};
  all.qkv = fn_pass_take_mat(pass, T, 3 * C);
  all.context = fn_pass_take_mat(pass, T, C);
  all.lse = fn_pass_take(pass, H * T);
  all.rstd1 = all.rstd2 = state->embedded_rstd;
  all.xhat1 = all.xhat2 = state->embedded_xhat;
  all.residual = all.y1 = all.y2 = state->embedded;
  all.pre = (fn_mat){0};
  split_qkv(&all, m);
  few.qkv = fn_mat_make(all.qkv.data, T, 2 * C);
  few.residual = few.y1 = few.y2 = fn_pass_take_mat(pass, B, C);
  few.q = fn_pass_take_mat(pass, B, C);
  few.context = fn_mat_make(all.context.data, B, C);
  few.lse = all.lse;
  few.rstd1 = few.rstd2 = all.rstd1;
  few.xhat1 = few.xhat2 = fn_mat_make(all.xhat1.data, B, C);
  split_qkv(&few, m);
  for (int32_t i = 0; i < m->config.num_hidden_layers; i++) state->layers[i] = fn_layer_is_few(m, i) ? few : all;
}

static void carve_backward(fn_state *state, fn_pass *pass, size_t T, size_t B) {
  const fn_model *m = pass->model;
  size_t C = width(m), S = (size_t)m->config.head_size;
  size_t widest = S > C ? S : C;
  state->dx = fn_pass_take_mat(pass, T, C);
  state->dqkv = fn_pass_take_mat(pass, T, 3 * C);
  state->dcontext = fn_pass_take_mat(pass, T, C);
  state->dfew = fn_pass_take_mat(pass, B, C);
  state->dq = fn_pass_take_mat(pass, B, C);
  state->dcontext_few = fn_pass_take_mat(pass, B, C);
  state->dhead[0] = fn_pass_take_mat(pass, B, widest);
  state->dhead[1] = fn_pass_take_mat(pass, B, widest);
  state->dlogits = fn_pass_take_mat(pass, B, (size_t)m->config.num_labels);
}

static void carve_head(fn_head_state *s, fn_pass *pass, size_t B) {
  const fn_model *m = pass->model;
  size_t C = width(m), S = (size_t)m->config.head_size;
  bool dense = m->traits.pooling == FN_POOL_FIRST_DENSE;
  if (!fn_layer_is_few(m, m->config.num_hidden_layers - 1)) s->input = fn_pass_take_mat(pass, B, C);
  if (dense) {
    s->pooled_pre = fn_pass_take_mat(pass, B, C);
    s->pooled = fn_pass_take_mat(pass, B, C);
  }
  if (S > 0) {
    s->hidden_pre = fn_pass_take_mat(pass, B, S);
    s->hidden = fn_pass_take_mat(pass, B, S);
  }
  s->dropped = fn_pass_take_mat(pass, B, S > 0 ? S : C);
  s->logits = fn_pass_take_mat(pass, B, (size_t)m->config.num_labels);
}

void fn_state_carve(fn_state *state, fn_pass *pass, size_t T, size_t B) {
  const fn_model *m = pass->model;
  fn_layer_state *layers = state->layers;
  *state = (fn_state){.layers = layers};
  state->embedded = fn_pass_take_mat(pass, T, width(m));
  state->embedded_xhat = fn_pass_take_mat(pass, T, width(m));
  state->embedded_rstd = fn_pass_take(pass, T);
  if (pass->training) {
    for (int32_t i = 0; i < m->config.num_hidden_layers; i++) carve_layer(&layers[i], pass, i, T, B);
    carve_backward(state, pass, T, B);
  } else {
    carve_shared(state, pass, T, B);
  }
  fn_mat x = state->embedded;
  for (int32_t i = 0; i < m->config.num_hidden_layers; i++) {
    layers[i].x = x;
    if (!layers[i].few) layers[i].residual = x;
    x = layers[i].y2;
  }
  carve_head(&state->head, pass, B);
  if (fn_layer_is_few(m, m->config.num_hidden_layers - 1)) state->head.input = x;
}
