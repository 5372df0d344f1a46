#include "model/allocate.h"
#include "model/config.h"
#include "model/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_LISTED 8

/* What does not fit, tensor by tensor: the first MAX_LISTED in words, the others counted. */
typedef struct misfits {
  fn_buf text;
  size_t n;
} misfits;

typedef struct loader {
  const fn_weights *weights;
  fn_model *model;
  const char *prefix; /* of the encoder's names in the file: "bert.", or "" for a bare encoder */
  bool *used;         /* by index in weights */
  bool new_head, allow_new_head, other_head;
  misfits misfits;
} loader;

static void add_misfit(misfits *m, const char *format, ...) FN_PRINTF(2, 3);
static void add_misfit(misfits *m, const char *format, ...) {
  if (m->n++ >= MAX_LISTED) return;
  char line[256];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  fn_buf_append_str(&m->text, "\n  ");
  fn_buf_append_str(&m->text, line);
}

static void format_shape(char *out, size_t size, const int64_t *shape, int32_t n_dims) {
  size_t n = (size_t)snprintf(out, size, "[");
  for (int32_t i = 0; i < n_dims && n < size; i++)
    n += (size_t)snprintf(out + n, size - n, "%s%lld", i == 0 ? "" : ", ", (long long)shape[i]);
  if (n < size) snprintf(out + n, size - n, "]");
}

/* Index in the file of a parameter of ours, by its name there: the encoder's prefix may be missing, and checkpoints of
 * before 2020 call a norm's weight and bias gamma and beta. SIZE_MAX when it is not there. */
static size_t find_tensor(const loader *l, const char *name) {
  char other[256];
  const char *tail = name;
  if (strncmp(name, "bert.", 5) == 0) tail = name + 5;
  snprintf(other, sizeof other, "%s%s", tail == name ? "" : l->prefix, tail);
  size_t i = fn_weights_find(l->weights, other);
  if (i != SIZE_MAX) return i;
  static const char *const old[][2] = {{".LayerNorm.weight", ".LayerNorm.gamma"},
                                       {".LayerNorm.bias", ".LayerNorm.beta"}};
  for (size_t k = 0; k < FN_COUNT_OF(old); k++) {
    if (!fn_str_ends_with(fn_str_from(other), old[k][0])) continue;
    size_t stem = strlen(other) - strlen(old[k][0]);
    snprintf(other + stem, sizeof other - stem, "%s", old[k][1]);
    return fn_weights_find(l->weights, other);
  }
  return SIZE_MAX;
}

static bool same_shape(const fn_parameter *p, const fn_tensor_view *view) {
  if (p->n_dims != view->n_dims || p->n != view->n) return false;
  for (int32_t i = 0; i < p->n_dims; i++) {
    if (p->shape[i] != view->shape[i]) return false;
  }
  return true;
}

static fn_status copy_tensor(loader *l, const fn_parameter *p, const fn_tensor_view *view, fn_err *err) {
  float *values = fn_model_values(l->model) + p->offset;
  fn_status status = fn_tensor_view_to_f32(values, view, err);
  if (status != FN_OK) return fn_err_prefix(err, status, "%s", fn_weights_path(l->weights));
  for (size_t i = 0; i < p->n; i++) {
    if (!isfinite(values[i]))
      return fn_err_set(err, FN_E_INVALID, "%s: tensor \"%s\" holds a value that is not a finite number (element %zu)",
                        fn_weights_path(l->weights), view->name, i);
  }
  return FN_OK;
}

static fn_status load_parameter(loader *l, size_t i, uint64_t seed, fn_err *err) {
  const fn_parameter *p = fn_model_parameter(l->model, i);
  /* The pooler belongs to what a pretrained encoder may lack: sentence encoders are saved without it. */
  bool renewable = p->is_head || strncmp(p->name, "bert.pooler.", 12) == 0;
  size_t at = find_tensor(l, p->name);
  if (at != SIZE_MAX) l->used[at] = true;
  if ((p->is_head && l->other_head) || (at == SIZE_MAX && renewable && l->allow_new_head)) {
    fn_model_draw(l->model, i, seed);
    l->new_head = true;
    return FN_OK;
  }
  char wanted[64], found[64];
  int64_t shape[4];
  for (int32_t k = 0; k < p->n_dims; k++) shape[k] = p->shape[k];
  format_shape(wanted, sizeof wanted, shape, p->n_dims);
  if (at == SIZE_MAX) {
    add_misfit(&l->misfits, "missing: %s %s", p->name, wanted);
    return FN_OK;
  }
  const fn_tensor_view *view = fn_weights_get(l->weights, at);
  if (!same_shape(p, view)) {
    format_shape(found, sizeof found, view->shape, view->n_dims);
    add_misfit(&l->misfits, "shape: %s is %s, config.json asks for %s", view->name, found, wanted);
    return FN_OK;
  }
  return copy_tensor(l, p, view, err);
}

/* Tensors that are no part of a classifier and always left aside: counters kept as buffers, and the heads that
 * pretraining leaves behind. */
static bool is_leftover(const char *name) {
  return fn_str_ends_with(fn_str_from(name), "position_ids") || strncmp(name, "cls.", 4) == 0;
}

static bool is_of_encoder(const loader *l, const char *name) {
  static const char *const parts[] = {"embeddings.", "encoder.", "pooler."};
  size_t n = strlen(l->prefix);
  if (strncmp(name, l->prefix, n) != 0) return false;
  for (size_t i = 0; i < FN_COUNT_OF(parts); i++) {
    if (strncmp(name + n, parts[i], strlen(parts[i])) == 0) return true;
  }
  return false;
}

/* A tensor of the encoder that we do not use means that config.json describes another model (fewer layers, say). One
 * outside it, another task's head, is fine only where a head of our own is welcome. */
static void check_unexpected(loader *l) {
  for (size_t i = 0; i < fn_weights_n(l->weights); i++) {
    const char *name = fn_weights_get(l->weights, i)->name;
    if (l->used[i] || is_leftover(name) || (l->allow_new_head && !is_of_encoder(l, name))) continue;
    add_misfit(&l->misfits, "unexpected: %s", name);
  }
}

static fn_status report(const loader *l, const char *dir, fn_err *err) {
  const misfits *m = &l->misfits;
  if (m->n == 0) return FN_OK;
  char more[64] = "";
  if (m->n > MAX_LISTED) snprintf(more, sizeof more, "\n  and %zu more", m->n - MAX_LISTED);
  return fn_err_set(err, FN_E_INVALID, "%s: does not fit %s/config.json:%s%s", fn_weights_path(l->weights), dir,
                    m->text.data ? m->text.data : "", more);
}

static fn_status load_all(loader *l, const char *dir, uint64_t seed, fn_err *err) {
  l->prefix = fn_weights_find(l->weights, "bert.embeddings.word_embeddings.weight") == SIZE_MAX &&
                      fn_weights_find(l->weights, "embeddings.word_embeddings.weight") != SIZE_MAX
                  ? ""
                  : "bert.";
  l->used = fn_mem_calloc(fn_weights_n(l->weights), sizeof *l->used);
  if (!l->used) return fn_err_no_memory(err, dir);
  for (size_t i = 0; i < fn_model_n_parameters(l->model); i++) FN_TRY(load_parameter(l, i, seed, err));
  check_unexpected(l);
  return report(l, dir, err);
}

/* A head's rows are its labels: with other names, or the same in another order, they mean something else. LABEL_0 … are
 * Transformers' words for "not named", which fit any. */
static bool same_labels(const fn_model_config *file, const fn_model_config *wanted) {
  if (file->num_labels != wanted->num_labels) return false;
  for (int32_t i = 0; i < file->num_labels; i++) {
    if (strncmp(file->labels[i], "LABEL_", 6) != 0 &&
        !fn_str_equal_nocase(fn_str_from(file->labels[i]), fn_str_from(wanted->labels[i])))
      return false;
  }
  return true;
}

static const char *format_labels(char *out, size_t size, const fn_model_config *config) {
  size_t n = 0;
  for (int32_t i = 0; i < config->num_labels && n < size; i++)
    n += (size_t)snprintf(out + n, size - n, "%s%s", i == 0 ? "" : ", ", config->labels[i]);
  return out;
}

static fn_status refuse_head(const char *dir, const fn_model_config *file, const fn_model_config *wanted, fn_err *err) {
  char has[300], asked[300];
  return fn_err_set(err, FN_E_INVALID,
                    "%s: its head (labels %s; size %d) is not the one asked for (labels %s; size %d); accepted is the "
                    "head it was trained with",
                    dir, format_labels(has, sizeof has, file), file->head_size,
                    format_labels(asked, sizeof asked, wanted), wanted->head_size);
}

static void apply_overrides(fn_model_config *config, const fn_model_config *overrides) {
  if (!overrides) return;
  config->hidden_dropout_prob = overrides->hidden_dropout_prob;
  config->attention_probs_dropout_prob = overrides->attention_probs_dropout_prob;
  config->classifier_dropout = overrides->classifier_dropout;
  config->initializer_range = overrides->initializer_range;
  config->head_size = overrides->head_size;
  config->num_labels = overrides->num_labels;
  config->usage = overrides->usage;
  if (overrides->labels[0][0]) memcpy(config->labels, overrides->labels, sizeof config->labels);
}

fn_status fn_model_load(fn_model **model_out, const char *dir, const fn_model_config *overrides, bool allow_new_head,
                        uint64_t seed, fn_device *device, bool *new_head_out, fn_err *err) {
  fn_model_config file, config;
  FN_TRY(fn_model_config_load(&file, dir, err));
  config = file;
  apply_overrides(&config, overrides);
  FN_TRY(fn_model_config_check(&config, dir, err));
  bool other_head = config.head_size != file.head_size || !same_labels(&file, &config);
  if (other_head && !allow_new_head) return refuse_head(dir, &file, &config, err);
  FN_AUTO_WEIGHTS fn_weights *weights = NULL;
  FN_TRY(fn_weights_open(&weights, dir, err));

  loader l = {.weights = weights, .allow_new_head = allow_new_head, .other_head = other_head};
  FN_TRY(fn_model_allocate(&l.model, &config, device, err));
  fn_buf_init(&l.misfits.text, 1 << 16);
  fn_status status = load_all(&l, dir, seed, err);
  fn_buf_deinit(&l.misfits.text);
  free(l.used);
  if (status != FN_OK) {
    fn_model_destroy(l.model);
    return status;
  }
  if (new_head_out) *new_head_out = l.new_head;
  *model_out = l.model;
  return FN_OK;
}
