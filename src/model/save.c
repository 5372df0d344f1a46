#include "model/config.h"

#include <errno.h>
#include <unistd.h>

/* Everything that can run out of space happens here, before any file appears under its name. */
static fn_status flush(fn_writer *writer, fn_err *err) {
  if (fflush(writer->file) != 0 || (fsync(fileno(writer->file)) != 0 && errno != EINVAL))
    return fn_err_errno(err, errno, "%s: cannot be written", writer->path);
  return FN_OK;
}

static fn_status write_config(fn_writer *writer, const fn_model_config *config, fn_err *err) {
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, FN_MODEL_CONFIG_MAX_BYTES);
  fn_model_config_format(&text, config);
  FN_TRY(fn_buf_check(&text, writer->path, err));
  FN_TRY(fn_writer_write(writer, text.data, text.length, err));
  return flush(writer, err);
}

static fn_status write_weights(fn_writer *writer, const fn_model *model, fn_err *err) {
  size_t n = fn_model_n_parameters(model);
  const float *values = fn_model_values_const(model);
  FN_AUTO_FREE fn_tensor_view *views = fn_mem_calloc(n, sizeof *views);
  if (!views) return fn_err_no_memory(err, writer->path);
  for (size_t i = 0; i < n; i++) {
    const fn_parameter *p = fn_model_parameter(model, i);
    views[i] = (fn_tensor_view){.name = p->name, .dtype = FN_F32, .n_dims = p->n_dims, .data = values + p->offset};
    for (int32_t k = 0; k < p->n_dims; k++) views[i].shape[k] = p->shape[k];
  }
  static const char *const metadata[][2] = {{"format", "pt"}};
  FN_TRY(fn_safetensors_append(writer, views, n, metadata, 1, err));
  return flush(writer, err);
}

static fn_status open_in(fn_writer *writer_out, const char *dir, const char *name, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(dir, name);
  if (!path) return fn_err_no_memory(err, dir);
  return fn_writer_open(writer_out, path, err);
}

fn_status fn_model_save(const fn_model *model, const char *dir, fn_err *err) {
  FN_AUTO_WRITER fn_writer config = {0};
  FN_AUTO_WRITER fn_writer weights = {0};
  FN_TRY(fn_model_config_check(fn_model_get_config(model), dir, err));
  FN_TRY(open_in(&config, dir, "config.json", err));
  FN_TRY(write_config(&config, fn_model_get_config(model), err));
  FN_TRY(open_in(&weights, dir, "model.safetensors", err));
  FN_TRY(write_weights(&weights, model, err));
  FN_TRY(fn_writer_commit(&weights, err));
  return fn_writer_commit(&config, err);
}
