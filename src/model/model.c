#include "model/config.h"
#include "model/internal.h"
#include "tensor/dropout.h"

#include <stdlib.h>

void *fn_pass_take(fn_pass *pass, size_t n) {
  size_t begin = pass->used;
  pass->used += (n + 15) / 16 * 16;
  if (pass->counting) return NULL;
  assert(pass->used <= pass->model->workspace_n);
  return (unsigned char *)pass->model->workspace + begin * fn_device_element_size(pass->model->device);
}

fn_mat fn_pass_take_mat(fn_pass *pass, size_t n_rows, size_t n_cols) {
  return fn_mat_make(fn_pass_take(pass, n_rows * n_cols), n_rows, n_cols);
}

fn_status fn_model_make(fn_model **model_out, const fn_model_config *config, const fn_traits *traits, fn_device *device,
                        fn_err *err) {
  FN_TRY(fn_model_config_check(config, "model", err));
  FN_TRY(fn_traits_check(traits, config, err));
  fn_model *m = fn_mem_calloc(1, sizeof *m);
  if (!m) return fn_err_no_memory(err, "a model");
  m->config = *config;
  m->traits = *traits;
  m->device = device;
  m->ops = fn_device_ops(device);
  fn_status status = fn_traits_activation(&m->activation, config->hidden_act, err);
  if (status == FN_OK) status = fn_parameters_init(&m->parameters, config, traits, err);
  if (status == FN_OK) {
    m->layers = fn_mem_calloc((size_t)config->num_hidden_layers, sizeof *m->layers);
    if (!m->layers) status = fn_err_no_memory(err, "a model");
  }
  if (status != FN_OK) {
    fn_model_destroy(m);
    return status;
  }
  *model_out = m;
  return FN_OK;
}

fn_status fn_model_allocate_traits(fn_model **model_out, const fn_model_config *config, const fn_traits *traits,
                                   fn_device *device, fn_err *err) {
  fn_model *m;
  FN_TRY(fn_model_make(&m, config, traits, device, err));
  m->values = fn_device_alloc(device, m->parameters.slab_n);
  if (!m->values) {
    fn_model_destroy(m);
    return fn_err_no_memory(err, "the weights of a model");
  }
  *model_out = m;
  return FN_OK;
}

fn_status fn_model_allocate(fn_model **model_out, const fn_model_config *config, fn_device *device, fn_err *err) {
  const fn_traits *traits = fn_traits_find(config->family);
  if (!traits)
    return fn_err_set(err, FN_E_UNSUPPORTED, "model_type \"%s\" is not supported; accepted is \"bert\"",
                      config->family);
  return fn_model_allocate_traits(model_out, config, traits, device, err);
}

fn_status fn_model_create(fn_model **model_out, const fn_model_config *config, fn_device *device, uint64_t seed,
                          fn_err *err) {
  fn_model *m;
  FN_TRY(fn_model_allocate(&m, config, device, err));
  for (size_t i = 0; i < m->parameters.n; i++) fn_model_draw(m, i, seed);
  *model_out = m;
  return FN_OK;
}

void fn_model_destroy(fn_model *m) {
  if (!m) return;
  fn_parameters_deinit(&m->parameters);
  fn_device_free(m->device, m->values);
  fn_device_free(m->device, m->gradients);
  fn_device_free(m->device, m->workspace);
  fn_device_free(m->device, m->prepared);
  free(m->views);
  free(m->rows_memory);
  free(m->layers);
  free(m);
}

const fn_model_config *fn_model_get_config(const fn_model *model) {
  return &model->config;
}

size_t fn_model_n_parameters(const fn_model *model) {
  return model->parameters.n;
}

const fn_parameter *fn_model_parameter(const fn_model *model, size_t i) {
  return &model->parameters.list[i];
}

float *fn_model_values(fn_model *model) {
  assert(fn_device_element_size(model->device) == sizeof(float));
  fn_model_unprepare(model);
  return model->values;
}

const float *fn_model_values_const(const fn_model *model) {
  assert(fn_device_element_size(model->device) == sizeof(float));
  return model->values;
}

float *fn_model_gradients(fn_model *model) {
  assert(fn_device_element_size(model->device) == sizeof(float));
  return model->gradients;
}

size_t fn_model_slab_n(const fn_model *model) {
  return model->parameters.slab_n;
}

static fn_status check_plan(const fn_model *m, int32_t max_T, int32_t max_B, int32_t longest, fn_err *err) {
  const fn_model_config *c = &m->config;
  int32_t limit = c->max_position_embeddings - m->traits.position_offset;
  if (max_T < 1 || max_B < 1 || longest < 1)
    return fn_err_set(err, FN_E_INVALID, "a model's plan needs at least one token, one row and a length of one");
  if (longest > limit)
    return fn_err_set(err, FN_E_LIMIT, "sequences of %d tokens do not fit the model; it takes up to %d", longest,
                      limit);
  if (longest > FN_DROPOUT_MAX_CHANNELS || c->hidden_size > FN_DROPOUT_MAX_CHANNELS ||
      c->num_hidden_layers >= FN_DROPOUT_MAX_LAYERS || c->head_size > FN_DROPOUT_MAX_CHANNELS)
    return fn_err_set(err, FN_E_LIMIT, "lengths and widths up to %d can be computed", FN_DROPOUT_MAX_CHANNELS);
  return FN_OK;
}

/* Elements of workspace for a pass. */
static size_t count_workspace(fn_model *m, size_t T, size_t B, bool training) {
  fn_state state = {.layers = m->layers};
  fn_pass pass = {.model = m, .training = training, .counting = true};
  fn_state_carve(&state, &pass, T, B);
  return pass.used;
}

static fn_status plan_rows(fn_model *m, size_t T, size_t B, fn_err *err) {
  size_t n_bytes = B * sizeof(double) + T * sizeof(uint32_t) + (3 * B + 1) * sizeof(int32_t);
  unsigned char *p = fn_mem_slab(n_bytes);
  if (!p) return fn_err_no_memory(err, "a model's plan");
  free(m->rows_memory);
  m->rows_memory = p;
  m->rows.losses = (double *)(void *)p;
  m->rows.draws = (uint32_t *)(void *)(p + B * sizeof(double));
  m->rows.first = (int32_t *)(void *)(m->rows.draws + T);
  m->rows.first_offsets = m->rows.first + B;
  m->rows.first_positions = m->rows.first_offsets + B + 1;
  for (size_t b = 0; b <= B; b++) m->rows.first_offsets[b] = (int32_t)b;
  for (size_t b = 0; b < B; b++) m->rows.first_positions[b] = 0;
  return FN_OK;
}

fn_status fn_model_plan(fn_model *m, int32_t max_T, int32_t max_B, int32_t longest, bool training, fn_err *err) {
  FN_TRY(check_plan(m, max_T, max_B, longest, err));
  int32_t T = max_T > m->max_T ? max_T : m->max_T, B = max_B > m->max_B ? max_B : m->max_B;
  int32_t length = longest > m->longest ? longest : m->longest;
  training = training || m->training;
  size_t n = count_workspace(m, (size_t)T, (size_t)B, false);
  if (training) {
    size_t training_n = count_workspace(m, (size_t)T, (size_t)B, true);
    n = training_n > n ? training_n : n;
  }
  const fn_device_shape shape = {
      .max_T = (size_t)T,
      .max_B = (size_t)B,
      .longest = (size_t)length,
      .hidden = (size_t)m->config.hidden_size,
      .heads = (size_t)m->config.num_attention_heads,
      .feed_forward = (size_t)m->config.intermediate_size,
      .head_width = (size_t)(m->config.head_size > m->config.num_labels ? m->config.head_size : m->config.num_labels),
      .training = training,
  };
  FN_TRY(fn_device_reserve(m->device, &shape, err));
  if (training && !m->gradients) {
    m->gradients = fn_device_alloc(m->device, m->parameters.slab_n);
    if (!m->gradients) return fn_err_no_memory(err, "the gradients of a model");
  }
  if (n > m->workspace_n) {
    /* The old one goes first: two would be the peak of the whole run. */
    fn_device_free(m->device, m->workspace);
    m->workspace_n = 0;
    m->max_T = m->max_B = m->longest = 0;
    m->workspace = fn_device_alloc_raw(m->device, n);
    if (!m->workspace) return fn_err_no_memory(err, "the activations of a model");
    m->workspace_n = n;
  }
  FN_TRY(plan_rows(m, (size_t)T, (size_t)B, err));
  m->max_T = T;
  m->max_B = B;
  m->longest = length;
  m->training = training;
  return FN_OK;
}
