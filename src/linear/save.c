#include "linear/model.h"
#include "tensor/safetensors.h"

#include <float.h>
#include <math.h>

#define WEIGHTS_FILE "linear.safetensors"
#define CONFIG_FILE  "config.json"
enum { FORMAT_VERSION = 1, MAX_CONFIG_BYTES = 1 << 20 };

static const char *const mode_names[] = {"title", "text", "title+text"}; /* by fn_text_mode, as in data.text */

static void write_orders(fn_json_writer *w, const char *key, const fn_feature_spec *spec, int family) {
  if (spec->max[family] == 0) {
    fn_json_null(w, key);
    return;
  }
  fn_json_array(w, key);
  fn_json_int(w, NULL, spec->min[family]);
  fn_json_int(w, NULL, spec->max[family]);
  fn_json_end(w);
}

void fn_linear_config_write(fn_json_writer *writer, const fn_linear *linear) {
  fn_json_text(writer, "model_type", FN_LINEAR_MODEL_TYPE);
  fn_json_int(writer, "format_version", FORMAT_VERSION);
  fn_json_object(writer, "id2label");
  fn_json_text(writer, "0", "real");
  fn_json_text(writer, "1", "fake");
  fn_json_end(writer);
  fn_json_object(writer, "label2id");
  fn_json_int(writer, "real", 0);
  fn_json_int(writer, "fake", 1);
  fn_json_end(writer);
  fn_json_text(writer, "text", mode_names[linear->spec.mode]);
  fn_json_int(writer, "hash_bits", linear->spec.hash_bits);
  write_orders(writer, "word_ngrams", &linear->spec, FN_FAMILY_WORD);
  write_orders(writer, "char_ngrams", &linear->spec, FN_FAMILY_CHAR);
  fn_json_object(writer, "c");
  for (int f = 0; f < FN_N_FAMILIES; f++) {
    if (linear->spec.max[f] != 0) fn_json_double(writer, fn_family_names[f], linear->c[f]);
  }
  fn_json_end(writer);
}

static fn_status write_config(const fn_linear *linear, const char *path, fn_err *err) {
  FN_AUTO_BUF fn_buf buf;
  fn_json_writer w;
  fn_buf_init(&buf, MAX_CONFIG_BYTES);
  fn_json_begin(&w, &buf, 2);
  fn_json_object(&w, NULL);
  fn_linear_config_write(&w, linear);
  fn_json_end(&w);
  fn_buf_append_char(&buf, '\n');
  FN_TRY(fn_buf_check(&buf, path, err));
  return fn_file_write(path, buf.data, buf.length, err);
}

/* Tensor names: "word.weight", "word.idf", "char.weight", "char.idf", "bias". */
static void tensor_name(char out[16], int family, const char *part) {
  snprintf(out, 16, "%s.%s", fn_family_names[family], part);
}

static fn_tensor_view view_of(const char *name, const void *data, fn_dtype dtype, size_t n) {
  return (fn_tensor_view){.name = name,
                          .dtype = dtype,
                          .n_dims = 1,
                          .shape = {(int64_t)n},
                          .n = n,
                          .data = data,
                          .size_bytes = n * fn_dtype_size(dtype)};
}

fn_status fn_linear_save(const fn_linear *linear, const char *dir, fn_err *err) {
  fn_tensor_view views[2 * FN_N_FAMILIES + 1];
  char names[2 * FN_N_FAMILIES][16];
  size_t n = 0, n_buckets = fn_feature_spec_n_buckets(&linear->spec);
  for (int f = 0; f < FN_N_FAMILIES; f++) {
    if (linear->weight[f] == NULL) continue;
    tensor_name(names[n], f, "weight");
    views[n] = view_of(names[n], linear->weight[f], FN_F32, n_buckets);
    n++;
    tensor_name(names[n], f, "idf");
    views[n] = view_of(names[n], linear->idf[f], FN_F32, n_buckets);
    n++;
  }
  views[n++] = view_of("bias", &linear->bias, FN_F64, 1);
  FN_AUTO_FREE char *weights_path = fn_path_join(dir, WEIGHTS_FILE);
  FN_AUTO_FREE char *config_path = fn_path_join(dir, CONFIG_FILE);
  if (weights_path == NULL || config_path == NULL) return fn_err_no_memory(err, "path of the model");
  static const char *const metadata[][2] = {{"format", FN_LINEAR_MODEL_TYPE}};
  FN_TRY(fn_safetensors_write(weights_path, views, n, metadata, FN_COUNT_OF(metadata), err));
  return write_config(linear, config_path, err);
}

static fn_status read_orders(fn_feature_spec *spec, int family, int64_t limit, const json_t *config, const char *key,
                             const char *path, fn_err *err) {
  const json_t *value = json_object_get(config, key);
  if (json_is_null(value)) return FN_OK;
  const json_t *min = json_array_get(value, 0), *max = json_array_get(value, 1);
  if (json_array_size(value) != 2 || !json_is_integer(min) || !json_is_integer(max) || json_integer_value(min) < 1 ||
      json_integer_value(max) < json_integer_value(min) || json_integer_value(max) > limit) {
    return fn_err_set(err, FN_E_INVALID, "%s: %s must be null or [shortest,longest], whole numbers from 1 to %lld",
                      path, key, (long long)limit);
  }
  spec->min[family] = (int32_t)json_integer_value(min);
  spec->max[family] = (int32_t)json_integer_value(max);
  return FN_OK;
}

static fn_status check_labels(const json_t *config, const char *path, fn_err *err) {
  const json_t *labels = json_object_get(config, "id2label");
  const char *real = json_string_value(json_object_get(labels, "0"));
  const char *fake = json_string_value(json_object_get(labels, "1"));
  if (real == NULL || fake == NULL || strcmp(real, "real") != 0 || strcmp(fake, "fake") != 0) {
    return fn_err_set(err, FN_E_INVALID, "%s: id2label must be {\"0\": \"real\", \"1\": \"fake\"}", path);
  }
  return FN_OK;
}

fn_status fn_linear_config_read(fn_feature_spec *spec_out, double c_out[FN_N_FAMILIES], const json_t *config,
                                const char *path, fn_err *err) {
  const char *type, *mode;
  int64_t version, hash_bits;
  FN_TRY(fn_json_get_string(&type, config, "model_type", NULL, path, err));
  if (strcmp(type, FN_LINEAR_MODEL_TYPE) != 0) {
    return fn_err_set(err, FN_E_INVALID, "%s: model_type is \"%s\", not \"" FN_LINEAR_MODEL_TYPE "\"", path, type);
  }
  FN_TRY(fn_json_get_int(&version, config, "format_version", 1, INT32_MAX, NULL, path, err));
  if (version != FORMAT_VERSION) {
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: format_version %lld is not %d, the only one this program reads", path,
                      (long long)version, FORMAT_VERSION);
  }
  FN_TRY(check_labels(config, path, err));
  FN_TRY(fn_json_get_string(&mode, config, "text", NULL, path, err));
  FN_TRY(fn_json_get_int(&hash_bits, config, "hash_bits", 10, 22, NULL, path, err));
  fn_feature_spec spec = {.hash_bits = (int32_t)hash_bits};
  size_t m = 0;
  while (m < FN_COUNT_OF(mode_names) && strcmp(mode, mode_names[m]) != 0) m++;
  if (m == FN_COUNT_OF(mode_names)) {
    return fn_err_set(err, FN_E_INVALID, "%s: text is \"%s\", not title, text or title+text", path, mode);
  }
  spec.mode = (fn_text_mode)m;
  FN_TRY(read_orders(&spec, FN_FAMILY_WORD, FN_WORD_MAX_ORDER, config, "word_ngrams", path, err));
  FN_TRY(read_orders(&spec, FN_FAMILY_CHAR, FN_CHAR_MAX_ORDER, config, "char_ngrams", path, err));
  if (spec.max[FN_FAMILY_WORD] == 0 && spec.max[FN_FAMILY_CHAR] == 0) {
    return fn_err_set(err, FN_E_INVALID, "%s: word_ngrams and char_ngrams are both null", path);
  }
  const json_t *c = json_object_get(config, "c");
  if (!json_is_object(c)) return fn_err_set(err, FN_E_INVALID, "%s: c must be an object with the families' C", path);
  for (int f = 0; f < FN_N_FAMILIES; f++) {
    if (spec.max[f] > 0) FN_TRY(fn_json_get_double(&c_out[f], c, fn_family_names[f], 0.0, HUGE_VAL, NULL, path, err));
  }
  *spec_out = spec;
  return FN_OK;
}

static fn_status find_tensor(const fn_tensor_view **view_out, const fn_safetensors *file, const char *name,
                             fn_dtype dtype, size_t n, const char *path, fn_err *err) {
  const fn_tensor_view *view = fn_safetensors_find(file, name);
  if (view == NULL) return fn_err_set(err, FN_E_INVALID, "%s: tensor %s is missing", path, name);
  if (view->dtype != dtype || view->n_dims != 1 || view->n != n) {
    return fn_err_set(err, FN_E_INVALID, "%s: tensor %s must be %s of shape [%zu], not %s with %zu elements", path,
                      name, fn_dtype_name(dtype), n, fn_dtype_name(view->dtype), view->n);
  }
  *view_out = view;
  return FN_OK;
}

static fn_status read_buckets(float *out, const fn_safetensors *file, int family, const char *part, size_t n, float min,
                              const char *path, fn_err *err) {
  char name[16];
  const fn_tensor_view *view;
  tensor_name(name, family, part);
  FN_TRY(find_tensor(&view, file, name, FN_F32, n, path, err));
  memcpy(out, view->data, n * sizeof *out);
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(out[i]) || out[i] < min) {
      return fn_err_set(err, FN_E_INVALID, "%s: tensor %s element %zu: %g is out of range", path, name, i,
                        (double)out[i]);
    }
  }
  return FN_OK;
}

static fn_status read_weights(fn_linear *linear, const fn_safetensors *file, const char *path, fn_err *err) {
  const fn_tensor_view *bias;
  FN_TRY(find_tensor(&bias, file, "bias", FN_F64, 1, path, err));
  memcpy(&linear->bias, bias->data, sizeof linear->bias);
  if (!isfinite(linear->bias)) return fn_err_set(err, FN_E_INVALID, "%s: tensor bias is not a finite number", path);
  size_t n = fn_feature_spec_n_buckets(&linear->spec);
  for (int f = 0; f < FN_N_FAMILIES; f++) {
    if (linear->weight[f] == NULL) continue;
    FN_TRY(read_buckets(linear->weight[f], file, f, "weight", n, -FLT_MAX, path, err));
    FN_TRY(read_buckets(linear->idf[f], file, f, "idf", n, 0.0F, path, err));
  }
  return FN_OK;
}

fn_status fn_linear_load(fn_linear **linear_out, const char *dir, fn_err *err) {
  FN_AUTO_FREE char *weights_path = fn_path_join(dir, WEIGHTS_FILE);
  FN_AUTO_FREE char *config_path = fn_path_join(dir, CONFIG_FILE);
  if (weights_path == NULL || config_path == NULL) return fn_err_no_memory(err, "path of the model");
  fn_feature_spec spec;
  double c[FN_N_FAMILIES] = {0.0};
  FN_AUTO_JSON json_t *config = NULL;
  FN_TRY(fn_json_load(&config, config_path, MAX_CONFIG_BYTES, err));
  FN_TRY(fn_linear_config_read(&spec, c, config, config_path, err));
  fn_safetensors *file = NULL;
  fn_linear *linear = NULL;
  FN_TRY(fn_safetensors_open(&file, weights_path, err));
  fn_status status = fn_linear_make(&linear, &spec, err);
  if (status == FN_OK) status = read_weights(linear, file, weights_path, err);
  fn_safetensors_close(file);
  if (status != FN_OK) {
    fn_linear_destroy(linear);
    return status;
  }
  memcpy(linear->c, c, sizeof c);
  *linear_out = linear;
  return FN_OK;
}
