/* Parameters and dropout sites in the form in which the device takes them. */
#include "model/internal.h"

static unsigned char *at(void *slab, const fn_model *m, int32_t index) {
  if (!slab || index == FN_ABSENT) return NULL;
  return (unsigned char *)slab + m->parameters.list[index].offset * fn_device_element_size(m->device);
}

static const void *value(const fn_pass *pass, int32_t index) {
  const fn_model *m = pass->model;
  if (m->views) return index == FN_ABSENT ? NULL : m->views[index].data;
  return at(m->values, m, index);
}

static const float *scales(const fn_pass *pass, int32_t index) {
  const fn_model *m = pass->model;
  return m->views && index != FN_ABSENT ? m->views[index].scales : NULL;
}

static void *gradient(const fn_pass *pass, int32_t index) {
  return pass->training ? at(pass->model->gradients, pass->model, index) : NULL;
}

fn_embedding fn_model_embedding(const fn_pass *pass) {
  const fn_model *m = pass->model;
  const fn_parameters *p = &m->parameters;
  return (fn_embedding){
      .width = (size_t)m->config.hidden_size,
      .word = value(pass, p->word),
      .position = value(pass, p->position),
      .type = value(pass, p->type),
      .d_word = gradient(pass, p->word),
      .d_position = gradient(pass, p->position),
      .d_type = gradient(pass, p->type),
      .word_scales = scales(pass, p->word),
      .position_scales = scales(pass, p->position),
      .pad_id = m->config.pad_token_id,
      .position_offset = m->traits.position_offset,
  };
}

fn_norm fn_model_norm(const fn_pass *pass, fn_norm_index i) {
  return (fn_norm){
      .n = (size_t)pass->model->config.hidden_size,
      .gamma = value(pass, i.gamma),
      .beta = value(pass, i.beta),
      .dgamma = gradient(pass, i.gamma),
      .dbeta = gradient(pass, i.beta),
      .epsilon = pass->model->config.layer_norm_eps,
  };
}

fn_linear fn_model_linear(const fn_pass *pass, fn_linear_index i) {
  const fn_model *m = pass->model;
  const fn_parameter *w = &m->parameters.list[i.w];
  fn_linear l = {
      .n_in = (size_t)w->shape[1],
      .n_out = (size_t)w->shape[0],
      .w = value(pass, i.w),
      .b = value(pass, i.b),
      .dw = gradient(pass, i.w),
      .db = gradient(pass, i.b),
  };
  if (!pass->training && m->prepared) l.prepared = fn_model_prepared_of(m, i.w);
  if (m->views && m->views[i.w].tiled) {
    l.prepared = l.w;
    l.scales = m->views[i.w].scales;
    l.w = NULL;
  }
  return l;
}

const fn_dropout *fn_pass_dropout(fn_dropout *storage, const fn_pass *pass, double p, int32_t layer, uint32_t site) {
  if (!pass->dropout || !(p > 0)) return NULL;
  *storage = (fn_dropout){
      .p = p, .seed = pass->dropout->seed, .step = pass->dropout->step, .layer = (uint32_t)layer, .site = site};
  return storage;
}
