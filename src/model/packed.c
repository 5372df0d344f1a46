/* Weights in the forms that kernels stream: into tensors of a packed file, and from there without a copy. */
#include "model/internal.h"
#include "tensor/tiles.h"

#include <math.h>
#include <stdio.h>

static size_t up(size_t n, size_t to) {
  return (n + to - 1) / to * to;
}

/* How a parameter is kept. */
typedef enum form { AS_IT_IS, TILES, ROWS } form;
static form form_of(const fn_model *m, size_t i) {
  const fn_parameter *p = &m->parameters.list[i];
  if (p->n_dims == 2 && p->layer >= 0 && !p->is_head) return TILES;
  return (int32_t)i == m->parameters.word || (int32_t)i == m->parameters.position ? ROWS : AS_IT_IS;
}

/* Type and shape of a parameter's tensor in the file, without name and data, and of its scales (n 0: none). */
static void describe(fn_tensor_view *v, size_t *n_scales, const fn_model *m, size_t i, bool int8) {
  const fn_parameter *p = &m->parameters.list[i];
  *v = (fn_tensor_view){.dtype = FN_F32, .n_dims = p->n_dims, .n = p->n};
  *n_scales = 0;
  for (int32_t k = 0; k < p->n_dims; k++) v->shape[k] = p->shape[k];
  switch (form_of(m, i)) {
  case AS_IT_IS: break;
  case ROWS:
    if (!int8) break;
    v->dtype = FN_I8;
    *n_scales = (size_t)p->shape[0];
    break;
  case TILES: {
    size_t N = up((size_t)p->shape[0], 16), K = up((size_t)p->shape[1], int8 ? 4 : 1);
    const int64_t tiles[4] = {(int64_t)(N / 16), (int64_t)(int8 ? K / 4 : K), 16, 4};
    v->n_dims = int8 ? 4 : 3;
    memcpy(v->shape, tiles, sizeof tiles);
    v->n = N * K;
    if (!int8) break;
    v->dtype = FN_U8;
    *n_scales = N;
    break;
  }
  }
  v->size_bytes = v->n * fn_dtype_size(v->dtype);
}

/* data: room for the tensor; scales: for its scales. */
static void fill(void *data, float *scales, const fn_model *m, size_t i, bool int8) {
  const fn_parameter *p = &m->parameters.list[i];
  const float *values = (const float *)m->values + p->offset;
  size_t rows = (size_t)p->shape[0], columns = (size_t)p->shape[1];
  form f = form_of(m, i);
  if (f == TILES && int8)
    fn_tiles_int8_make(data, scales, values, rows, columns);
  else if (f == TILES)
    fn_tiles_f32_make(data, values, rows, columns);
  else if (f == ROWS && int8)
    fn_rows_int8_make(data, scales, values, rows, columns);
  else
    memcpy(data, values, p->n * sizeof *values);
}

static fn_status pack_parameter(fn_model_tensors *t, const fn_model *m, size_t i, bool int8, fn_err *err) {
  const fn_parameter *p = &m->parameters.list[i];
  fn_tensor_view *v = &t->list[t->n];
  size_t n_scales, name_size = strlen(p->name) + sizeof ".scale";
  describe(v, &n_scales, m, i, int8);
  void *data = fn_arena_alloc(&t->arena, v->size_bytes, 1);
  float *scales = n_scales ? fn_arena_alloc(&t->arena, n_scales, sizeof *scales) : NULL;
  char *name = fn_arena_strndup(&t->arena, p->name, strlen(p->name)), *other = fn_arena_alloc(&t->arena, name_size, 1);
  if (!data || !name || !other || (n_scales && !scales)) return fn_err_no_memory(err, "packed weights");
  v->name = name;
  v->data = data;
  fill(data, scales, m, i, int8);
  t->n++;
  if (!n_scales) return FN_OK;
  snprintf(other, name_size, "%s.scale", p->name);
  t->list[t->n++] = (fn_tensor_view){
      .name = other, .dtype = FN_F32, .n_dims = 1, .shape = {(int64_t)n_scales}, .n = n_scales, .data = scales};
  return FN_OK;
}

fn_status fn_model_pack(fn_model_tensors *tensors_out, const fn_model *model, bool int8, fn_err *err) {
  fn_model_tensors t = {0};
  assert(fn_device_element_size(model->device) == sizeof(float) && model->values);
  fn_arena_init(&t.arena);
  t.list = fn_arena_alloc(&t.arena, 2 * model->parameters.n, sizeof *t.list);
  fn_status status = t.list ? FN_OK : fn_err_no_memory(err, "packed weights");
  for (size_t i = 0; status == FN_OK && i < model->parameters.n; i++) status = pack_parameter(&t, model, i, int8, err);
  if (status != FN_OK) {
    fn_model_tensors_deinit(&t);
    return status;
  }
  *tensors_out = t;
  return FN_OK;
}

void fn_model_tensors_deinit(fn_model_tensors *tensors) {
  fn_arena_deinit(&tensors->arena);
  *tensors = (fn_model_tensors){0};
}

static fn_status find(const fn_tensor_view **out, const fn_safetensors *file, const char *name,
                      const fn_tensor_view *wanted, fn_err *err) {
  const char *path = fn_safetensors_path(file);
  const fn_tensor_view *v = fn_safetensors_find(file, name);
  if (!v) return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\" is missing", path, name);
  bool same = v->dtype == wanted->dtype && v->n_dims == wanted->n_dims;
  for (int32_t k = 0; same && k < v->n_dims; k++) same = v->shape[k] == wanted->shape[k];
  if (!same)
    return fn_err_set(err, FN_E_INVALID,
                      "%s: tensor \"%s\" is not of the type and shape that the file's config asks for (%s, %zu "
                      "elements)",
                      path, name, fn_dtype_name(wanted->dtype), wanted->n);
  if ((uintptr_t)v->data % FN_SAFETENSORS_ALIGNMENT != 0)
    return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\" does not begin at a multiple of %zu bytes", path, name,
                      FN_SAFETENSORS_ALIGNMENT);
  *out = v;
  return FN_OK;
}

/* A sum that any number that is not finite spoils: no branch for each. */
static bool all_finite(const float *x, size_t n) {
  float sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * 0.0f;
  return sum == 0.0f;
}

static fn_status view_parameter(fn_model *m, size_t i, const fn_safetensors *file, bool int8, fn_err *err) {
  const fn_parameter *p = &m->parameters.list[i];
  fn_weight_view *view = &m->views[i];
  fn_tensor_view wanted;
  const fn_tensor_view *found;
  size_t n_scales;
  describe(&wanted, &n_scales, m, i, int8);
  FN_TRY(find(&found, file, p->name, &wanted, err));
  view->data = found->data;
  view->tiled = form_of(m, i) == TILES;
  bool finite = found->dtype != FN_F32 || all_finite(found->data, found->n);
  if (n_scales) {
    char name[288];
    snprintf(name, sizeof name, "%s.scale", p->name);
    wanted = (fn_tensor_view){.dtype = FN_F32, .n_dims = 1, .shape = {(int64_t)n_scales}, .n = n_scales};
    FN_TRY(find(&found, file, name, &wanted, err));
    view->scales = found->data;
    finite = finite && all_finite(found->data, found->n);
  }
  if (!finite)
    return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\" or its scales hold a value that is not a finite number",
                      fn_safetensors_path(file), p->name);
  return FN_OK;
}

fn_status fn_model_open(fn_model **model_out, const fn_model_config *config, const fn_safetensors *file, bool int8,
                        fn_device *device, fn_err *err) {
  const fn_traits *traits = fn_traits_find(config->family);
  fn_model *m;
  if (!traits)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: model_type \"%s\" is not supported; accepted is \"bert\"",
                      fn_safetensors_path(file), config->family);
  FN_TRY(fn_model_make(&m, config, traits, device, err));
  m->views = fn_mem_calloc(m->parameters.n, sizeof *m->views);
  fn_status status = m->views ? FN_OK : fn_err_no_memory(err, "a model");
  for (size_t i = 0; status == FN_OK && i < m->parameters.n; i++) status = view_parameter(m, i, file, int8, err);
  if (status != FN_OK) {
    fn_model_destroy(m);
    return status;
  }
  *model_out = m;
  return FN_OK;
}
