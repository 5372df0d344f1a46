/* Weights packed once for many evaluation passes. */
#include "model/internal.h"

static bool is_linear(const fn_model *m, size_t i) {
  return m->parameters.list[i].n_dims == 2 && m->parameters.list[i].layer >= 0;
}

static size_t packed_n(const fn_model *m, size_t i) {
  const fn_parameter *p = &m->parameters.list[i];
  const fn_linear l = {.n_in = (size_t)p->shape[1], .n_out = (size_t)p->shape[0]};
  return (m->ops->prepared_n(m->device, &l) + 15) / 16 * 16;
}

const void *fn_model_prepared_of(const fn_model *m, int32_t index) {
  size_t at = 0;
  for (size_t i = 0; i < (size_t)index; i++)
    if (is_linear(m, i)) at += packed_n(m, i);
  return (const unsigned char *)m->prepared + at * fn_device_element_size(m->device);
}

fn_status fn_model_prepare(fn_model *m, fn_err *err) {
  size_t n = 0, at = 0, size = fn_device_element_size(m->device);
  if (m->prepared || m->views) return FN_OK;
  for (size_t i = 0; i < m->parameters.n; i++)
    if (is_linear(m, i)) n += packed_n(m, i);
  if (n == 0) return FN_OK;
  unsigned char *packed = fn_device_alloc(m->device, n);
  if (!packed) return fn_err_no_memory(err, "the packed weights of a model");
  for (size_t i = 0; i < m->parameters.n; i++) {
    const fn_parameter *p = &m->parameters.list[i];
    if (!is_linear(m, i)) continue;
    const fn_linear l = {
        .n_in = (size_t)p->shape[1], .n_out = (size_t)p->shape[0], .w = (unsigned char *)m->values + p->offset * size};
    m->ops->prepare(m->device, packed + at * size, &l);
    at += packed_n(m, i);
  }
  m->prepared = packed;
  return FN_OK;
}

void fn_model_unprepare(fn_model *m) {
  fn_device_free(m->device, m->prepared);
  m->prepared = NULL;
}
