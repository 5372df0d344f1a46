/* Drives src/model from tests in other languages.
 *   model_probe run DIR BATCH OUT [reference|fast] [STEPS LR DECAY]
 *       loads DIR, runs one batch without dropout and writes OUT: logits (evaluation pass), training_logits, loss
 *       (Σ wᵢℓᵢ), gradient.<name> of Σ wᵢℓᵢ / Σ wᵢ. With STEPS: that many AdamW steps on the batch (β 0.9, 0.999, ε
 * 1e-8; DECAY on matrices only), then value.<name>. BATCH holds ids, type_ids [T], lengths, labels [B] (I32), weights
 * [B] (F32) and optionally smoothing [1] (F64). model_probe save DIR OUT          loads DIR (a head it lacks is drawn)
 * and saves it as OUT model_probe create DIR OUT SEED   a fresh model of DIR/config.json, saved as OUT */
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_TENSORS 2048

typedef struct output {
  fn_arena arena;
  fn_tensor_view views[MAX_TENSORS];
  size_t n;
} output;

/* A copy of n values under prefix + name; shape NULL: one dimension of n. */
static bool put(output *out, const char *prefix, const char *name, fn_dtype dtype, const void *values, size_t n,
                const int32_t *shape, int32_t n_dims) {
  char full[256];
  int length = snprintf(full, sizeof full, "%s%s", prefix, name);
  size_t size = n * fn_dtype_size(dtype);
  void *copy = fn_arena_alloc(&out->arena, 1, size + 1);
  if (out->n == MAX_TENSORS || !copy || length < 0) return false;
  memcpy(copy, values, size);
  fn_tensor_view *view = &out->views[out->n++];
  *view = (fn_tensor_view){.dtype = dtype, .data = copy, .n_dims = shape ? n_dims : 1, .shape = {(int64_t)n}};
  view->name = fn_arena_strndup(&out->arena, full, strlen(full));
  for (int32_t i = 0; shape && i < n_dims; i++) view->shape[i] = shape[i];
  return view->name != NULL;
}

static bool put_parameters(output *out, const char *prefix, const fn_model *model, const float *slab) {
  for (size_t i = 0; i < fn_model_n_parameters(model); i++) {
    const fn_parameter *p = fn_model_parameter(model, i);
    if (!put(out, prefix, p->name, FN_F32, slab + p->offset, p->n, p->shape, p->n_dims)) return false;
  }
  return true;
}

static fn_status column(const void **data_out, size_t *n_out, const fn_safetensors *file, const char *name,
                        fn_dtype dtype, fn_err *err) {
  const fn_tensor_view *view = fn_safetensors_find(file, name);
  if (!view || view->dtype != dtype)
    return fn_err_set(err, FN_E_INVALID, "batch: %s is missing or of another type", name);
  *data_out = view->data;
  *n_out = view->n;
  return FN_OK;
}

/* Points into arena; nothing to release. */
static fn_status read_batch(fn_batch *batch, double *smoothing, fn_arena *arena, const char *path, fn_err *err) {
  FN_AUTO_SAFETENSORS fn_safetensors *file = NULL;
  FN_TRY(fn_safetensors_open(&file, path, err));
  const void *ids, *types, *lengths, *labels, *weights;
  size_t T, B, n;
  FN_TRY(column(&ids, &T, file, "ids", FN_I32, err));
  FN_TRY(column(&types, &n, file, "type_ids", FN_I32, err));
  FN_TRY(column(&lengths, &B, file, "lengths", FN_I32, err));
  FN_TRY(column(&labels, &n, file, "labels", FN_I32, err));
  FN_TRY(column(&weights, &n, file, "weights", FN_F32, err));
  const fn_tensor_view *given = fn_safetensors_find(file, "smoothing");
  if (given) memcpy(smoothing, given->data, sizeof *smoothing);
  int32_t *numbers = fn_arena_alloc(arena, 3 * T + 4 * B + 1, sizeof *numbers);
  if (!numbers) return fn_err_no_memory(err, path);
  *batch = (fn_batch){.B = (int32_t)B, .T = (int32_t)T};
  batch->ids = memcpy(numbers, ids, T * 4);
  batch->type_ids = memcpy(numbers + T, types, T * 4);
  batch->positions = numbers + 2 * T;
  batch->offsets = numbers + 3 * T;
  batch->labels = memcpy(batch->offsets + B + 1, labels, B * 4);
  batch->weights = fn_arena_alloc(arena, B, sizeof *batch->weights);
  batch->draws = fn_arena_alloc(arena, B, sizeof *batch->draws);
  batch->rows = batch->draws;
  batch->truncated = fn_arena_alloc(arena, B, 1);
  if (!batch->weights || !batch->draws || !batch->truncated) return fn_err_no_memory(err, path);
  memcpy(batch->weights, weights, B * 4);
  for (size_t b = 0; b < B; b++) {
    int32_t length;
    memcpy(&length, (const char *)lengths + 4 * b, sizeof length);
    batch->offsets[b + 1] = batch->offsets[b] + length;
    batch->draws[b] = (uint32_t)b;
    if (length > batch->longest) batch->longest = length;
    for (int32_t s = 0; s < length; s++) batch->positions[batch->offsets[b] + s] = s;
  }
  return FN_OK;
}

static double total_weight(const fn_batch *batch) {
  double total = 0;
  for (int32_t b = 0; b < batch->B; b++) total += (double)batch->weights[b];
  return total;
}

static fn_status train(fn_model *model, fn_device *device, const fn_batch *batch, double smoothing, int steps,
                       double lr, double decay, fn_err *err) {
  size_t n = fn_model_slab_n(model), n_parameters = fn_model_n_parameters(model);
  FN_AUTO_FREE float *m = fn_mem_slab(n * sizeof *m);
  FN_AUTO_FREE float *v = fn_mem_slab(n * sizeof *v);
  FN_AUTO_FREE fn_segment *segments = fn_mem_calloc(n_parameters, sizeof *segments);
  if (!m || !v || !segments) return fn_err_no_memory(err, "moments");
  for (size_t i = 0; i < n_parameters; i++) {
    const fn_parameter *p = fn_model_parameter(model, i);
    segments[i] = (fn_segment){
        .offset = p->offset, .n = p->n, .lr_multiplier = 1, .weight_decay = p->decay ? (float)decay : 0.0f};
  }
  for (int step = 1; step <= steps; step++) {
    double loss;
    fn_device_zero(device, fn_model_gradients(model), n);
    FN_TRY(fn_model_forward_backward(&loss, NULL, model, batch, 1.0 / total_weight(batch), smoothing, NULL, err));
    const fn_adamw_step args = {.values = fn_model_values(model),
                                .gradients = fn_model_gradients(model),
                                .m = m,
                                .v = v,
                                .segments = segments,
                                .n_segments = n_parameters,
                                .lr = lr,
                                .beta1 = 0.9,
                                .beta2 = 0.999,
                                .epsilon = 1e-8,
                                .gradient_scale = 1,
                                .step = step};
    fn_device_adamw(device, &args);
  }
  return FN_OK;
}

static fn_status run(output *out, fn_model *model, fn_device *device, int argc, char **argv, fn_err *err) {
  fn_batch batch;
  double smoothing = 0, loss;
  FN_TRY(read_batch(&batch, &smoothing, &out->arena, argv[3], err));
  int32_t K = fn_model_get_config(model)->num_labels, shape[2] = {batch.B, K};
  size_t n_logits = (size_t)batch.B * (size_t)K;
  float *logits = fn_arena_alloc(&out->arena, n_logits, sizeof *logits);
  if (!logits) return fn_err_no_memory(err, "logits");
  FN_TRY(fn_model_plan(model, batch.T, batch.B, batch.longest, true, err));
  FN_TRY(fn_model_forward(logits, model, &batch, err));
  bool ok = put(out, "", "logits", FN_F32, logits, n_logits, shape, 2);
  FN_TRY(fn_model_forward_backward(&loss, logits, model, &batch, 1.0 / total_weight(&batch), smoothing, NULL, err));
  ok = ok && put(out, "", "training_logits", FN_F32, logits, n_logits, shape, 2) &&
       put(out, "", "loss", FN_F64, &loss, 1, NULL, 1) &&
       put_parameters(out, "gradient.", model, fn_model_gradients(model));
  if (ok && argc > 8) {
    FN_TRY(train(model, device, &batch, smoothing, (int)strtol(argv[6], NULL, 10), strtod(argv[7], NULL),
                 strtod(argv[8], NULL), err));
    ok = put_parameters(out, "value.", model, fn_model_values(model));
  }
  if (!ok) return fn_err_no_memory(err, "outputs");
  return fn_safetensors_write(argv[4], out->views, out->n, NULL, 0, err);
}

static fn_status dispatch(output *out, fn_device *device, int argc, char **argv, fn_err *err) {
  fn_model *model = NULL;
  fn_status status;
  if (strcmp(argv[1], "create") == 0 && argc == 5) {
    fn_model_config config;
    FN_TRY(fn_model_config_load(&config, argv[2], err));
    FN_TRY(fn_model_create(&model, &config, device, strtoull(argv[4], NULL, 10), err));
  } else {
    bool lenient = strcmp(argv[1], "save") == 0;
    FN_TRY(fn_model_load(&model, argv[2], NULL, lenient, 2018, device, NULL, err));
  }
  if (strcmp(argv[1], "run") == 0) {
    status = run(out, model, device, argc, argv, err);
  } else {
    status = fn_dir_create(argv[3], err);
    if (status == FN_OK) status = fn_model_save(model, argv[3], err);
  }
  fn_model_destroy(model);
  return status;
}

int main(int argc, char **argv) {
  static output out;
  fn_err err = {0};
  if (argc < 4 || (strcmp(argv[1], "run") == 0 && argc < 5)) {
    fprintf(stderr, "usage: model_probe run DIR BATCH OUT [reference|fast] [STEPS LR DECAY] | save DIR OUT | "
                    "create DIR OUT SEED\n");
    return 2;
  }
  fn_device_options options = FN_DEVICE_OPTIONS_INIT;
  if (argc > 5 && strcmp(argv[5], "reference") == 0) options.backend = FN_BACKEND_REFERENCE;
  fn_device *device;
  fn_arena_init(&out.arena);
  fn_status status = fn_device_create(&device, &options, &err);
  if (status == FN_OK) {
    status = dispatch(&out, device, argc, argv, &err);
    fn_device_destroy(device);
  }
  fn_arena_deinit(&out.arena);
  if (status != FN_OK) fprintf(stderr, "model_probe: %s\n", err.message);
  return fn_status_exit_code(status);
}
