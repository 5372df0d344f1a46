#include "train/record.h"

#include <stdlib.h>

enum { FORMAT_VERSION = 1, MAX_RECORD_BYTES = 1 << 20 };

void fn_run_record_deinit(fn_run_record *r) {
  free(r->data);
  free(r->init);
  *r = (fn_run_record){0};
}

void fn_run_record_format(fn_buf *out, const fn_run_record *r) {
  fn_json_writer w;
  fn_json_begin(&w, out, 2);
  fn_json_object(&w, NULL);
  fn_json_int(&w, "format", FORMAT_VERSION);
  fn_json_text(&w, "family", r->family);
  fn_json_text(&w, "data", r->data);
  fn_json_text(&w, "init", r->init);
  fn_json_text(&w, "init_hash", r->init_hash);
  fn_train_identity_format(&w, "identity", &r->identity);
  fn_json_object(&w, "rows");
  fn_json_int(&w, "train", r->n_train);
  fn_json_int(&w, "validation", r->n_validation);
  fn_json_int(&w, "test", r->n_test);
  fn_json_int(&w, "left_out", r->n_left_out);
  fn_json_end(&w);
  fn_json_int(&w, "parameters", r->n_parameters);
  fn_json_end(&w);
}

static fn_status load(fn_run_record *r, const json_t *root, const char *path, fn_err *err) {
  const char *family = NULL, *data = NULL, *hash = NULL;
  int64_t format = 0;
  FN_TRY(fn_json_get_int(&format, root, "format", FORMAT_VERSION, FORMAT_VERSION, NULL, path, err));
  FN_TRY(fn_json_get_string(&family, root, "family", NULL, path, err));
  FN_TRY(fn_json_get_string(&data, root, "data", NULL, path, err));
  FN_TRY(fn_json_get_string(&hash, root, "init_hash", NULL, path, err));
  const json_t *init = json_object_get(root, "init");
  if (init && !json_is_null(init) && !json_is_string(init))
    return fn_err_set(err, FN_E_INVALID, "%s: init must be text or null", path);
  snprintf(r->family, sizeof r->family, "%s", family);
  snprintf(r->init_hash, sizeof r->init_hash, "%s", hash);
  r->data = fn_str_dup(fn_str_from(data));
  if (json_is_string(init)) r->init = fn_str_dup(fn_str_from(json_string_value(init)));
  if (!r->data || (json_is_string(init) && !r->init)) return fn_err_no_memory(err, path);
  return fn_train_identity_parse(&r->identity, json_object_get(root, "identity"), path, err);
}

fn_status fn_run_record_load(fn_run_record *record_out, const char *path, fn_err *err) {
  FN_AUTO_JSON json_t *root = NULL;
  FN_TRY(fn_json_load(&root, path, MAX_RECORD_BYTES, err));
  fn_run_record r = {0};
  const fn_status status = load(&r, root, path, err);
  if (status != FN_OK) {
    fn_run_record_deinit(&r);
    return status;
  }
  *record_out = r;
  return FN_OK;
}
