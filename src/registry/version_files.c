#include "registry/version_files.h"

#include "mlflow/mlmodel.h"
#include "track/file_hash.h"

#include "model/config.h"
#include "net/digest.h"

#include <sys/stat.h>

enum { MAX_RECORD = 4 << 20 };

/* ---- origin ---- */

/* JSON of a run's folder; NULL where there is no such file. */
static fn_status load(json_t **out, const char *folder, const char *name, fn_err *err) {
  if (folder == NULL || !folder[0]) return FN_OK;
  FN_AUTO_FREE char *path = fn_path_join(folder, name);
  if (path == NULL) return fn_err_no_memory(err, "a path");
  return fn_path_exists(path) ? fn_json_load(out, path, MAX_RECORD, err) : FN_OK;
}

static void add_text(fn_sha256 *sha, const char *text) {
  fn_sha256_add(sha, text, strlen(text) + 1);
}

static fn_status add_file(fn_sha256 *sha, const char *path, fn_err *err) {
  char sha256[65];
  int64_t n_bytes;
  FN_TRY(fn_file_sha256(sha256, &n_bytes, path, err));
  add_text(sha, sha256);
  return FN_OK;
}

static fn_status add_files(fn_sha256 *sha, const char *dir, fn_err *err) {
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  FN_TRY(fn_dir_list(&names, &n, dir, err));
  for (size_t i = 0; i < n; i++) {
    char sha256[65];
    int64_t n_bytes;
    FN_AUTO_FREE char *path = fn_path_join(dir, names[i]);
    if (path == NULL) return fn_err_no_memory(err, "a path");
    if (!fn_mlmodel_is_model_file(path)) continue;
    FN_TRY(fn_file_sha256(sha256, &n_bytes, path, err));
    add_text(sha, names[i]);
    add_text(sha, sha256);
  }
  return FN_OK;
}

/* Data that was prepared before licences were noted: not known. */
static const char *license_of(const json_t *input) {
  const char *text = json_string_value(json_object_get(input, "license"));
  return text && *text ? text : "unknown";
}

/* They stand in the card: who states them afterwards gets a version that has them. */
static fn_status add_licenses(fn_sha256 *sha, const fn_dataset *dataset, fn_err *err) {
  FN_AUTO_JSON json_t *prepared = NULL;
  if (dataset) FN_TRY(load(&prepared, fn_dataset_dir(dataset), "prepare.json", err));
  const json_t *inputs = json_object_get(prepared, "inputs");
  for (size_t i = 0; i < json_array_size(inputs); i++) add_text(sha, license_of(json_array_get(inputs, i)));
  return FN_OK;
}

fn_status fn_version_origin(char out[65], const fn_version_source *s, fn_err *err) {
  fn_sha256 sha;
  unsigned char digest[FN_SHA256_BYTES];
  char data[33] = "", settings[256];
  if (s->dataset) fn_hash_format(data, fn_dataset_hash(s->dataset));
  const fn_calibrate_options *c = s->calibrate;
  snprintf(settings, sizeof settings, "1 %d %d %d %d %lld %d %d %g %g %g %g %d %lld", s->pack->dtype,
           s->infer->long_texts, s->infer->text, s->infer->part, (long long)s->infer->max_tokens, c->groups, c->even,
           c->target, c->min_coverage, c->ridge, c->quantile, s->eval->baselines, (long long)s->eval->resamples);
  fn_sha256_init(&sha);
  add_text(&sha, settings);
  add_text(&sha, data);
  FN_TRY(add_licenses(&sha, s->dataset, err));
  FN_TRY(fn_path_is_dir(s->model) ? add_files(&sha, s->model, err) : add_file(&sha, s->model, err));
  fn_sha256_get(&sha, digest);
  fn_hex_format(out, digest, sizeof digest);
  return FN_OK;
}

/* ---- lineage ---- */

static fn_status write_run(fn_json_writer *w, const fn_version_source *s, const json_t *record, fn_err *err) {
  fn_digests digests;
  FN_AUTO_FREE char *config = fn_path_join(s->run_folder ? s->run_folder : "", "config.yaml");
  if (config == NULL) return fn_err_no_memory(err, "a path");
  const bool has_config = s->run_folder && fn_path_exists(config);
  if (has_config) FN_TRY(fn_digest_file(&digests, config, NULL, NULL, err));
  if (!s->run_id[0] && record == NULL) {
    fn_json_null(w, "run");
    fn_json_null(w, "configuration");
    return FN_OK;
  }
  const json_t *identity = json_object_get(record, "identity");
  fn_json_object(w, "run");
  fn_json_text(w, "id", s->run_id[0] ? s->run_id : NULL);
  fn_json_text(w, "name", s->run_name[0] ? s->run_name : NULL);
  fn_json_text(w, "build", json_string_value(json_object_get(identity, "build")));
  fn_json_text(w, "revision", s->revision && s->revision[0] ? s->revision : NULL);
  fn_json_text(w, "init", json_string_value(json_object_get(record, "init")));
  fn_json_text(w, "init_hash", json_string_value(json_object_get(record, "init_hash")));
  fn_json_end(w);
  fn_json_object(w, "configuration");
  fn_json_text(w, "file", has_config ? "config.yaml" : NULL);
  fn_json_text(w, "sha256", has_config ? digests.sha256 : NULL);
  fn_json_end(w);
  return FN_OK;
}

/* Each licence once. */
static void write_licenses(fn_json_writer *w, const json_t *inputs) {
  fn_json_array(w, "licenses");
  for (size_t i = 0; i < json_array_size(inputs); i++) {
    const char *text = license_of(json_array_get(inputs, i));
    bool seen = false;
    for (size_t k = 0; k < i; k++) seen = seen || strcmp(text, license_of(json_array_get(inputs, k))) == 0;
    if (!seen) fn_json_text(w, NULL, text);
  }
  fn_json_end(w);
}

static void write_inputs(fn_json_writer *w, const json_t *inputs) {
  static const char *const kept[] = {"file", "label", "rows", "bytes", "xxh3_128", "source"};
  fn_json_array(w, "inputs");
  for (size_t i = 0; i < json_array_size(inputs); i++) {
    const json_t *input = json_array_get(inputs, i);
    fn_json_object(w, NULL);
    for (size_t k = 0; k < FN_COUNT_OF(kept); k++)
      if (json_object_get(input, kept[k])) fn_json_value(w, kept[k], json_object_get(input, kept[k]));
    fn_json_text(w, "license", license_of(input));
    fn_json_end(w);
  }
  fn_json_end(w);
}

static fn_status write_data(fn_json_writer *w, const fn_version_source *s, const fn_classifier_info *model,
                            const json_t *record, bool brief, fn_err *err) {
  FN_AUTO_JSON json_t *prepared = NULL;
  char hash[33] = "";
  const char *trained = model->data_hash[0]
                            ? model->data_hash
                            : json_string_value(json_object_get(json_object_get(record, "identity"), "data"));
  if (s->dataset) {
    fn_hash_format(hash, fn_dataset_hash(s->dataset));
    FN_TRY(load(&prepared, fn_dataset_dir(s->dataset), "prepare.json", err));
  }
  fn_json_object(w, "data");
  fn_json_text(w, "trained_on", trained);
  fn_json_text(w, "measured_on", hash[0] ? hash : NULL);
  fn_json_bool(w, "same", hash[0] && trained && strcmp(hash, trained) == 0);
  if (record && json_object_get(record, "rows")) fn_json_value(w, "rows", json_object_get(record, "rows"));
  if (prepared) write_licenses(w, json_object_get(prepared, "inputs"));
  if (prepared && !brief) {
    const json_t *options = json_object_get(prepared, "options");
    fn_json_text(w, "prepared_by", json_string_value(json_object_get(prepared, "program")));
    fn_json_text(w, "split_by", json_string_value(json_object_get(options, "data.split")));
    write_inputs(w, json_object_get(prepared, "inputs"));
  }
  fn_json_end(w);
  return FN_OK;
}

fn_status fn_version_write_lineage(fn_json_writer *w, const fn_version_source *s, const fn_classifier_info *model,
                                   bool brief, bool *left_out, fn_err *err) {
  FN_AUTO_JSON json_t *record = NULL, *result = NULL;
  FN_TRY(load(&record, s->run_folder, "run.json", err));
  FN_TRY(load(&result, s->run_folder, "result.json", err));
  fn_json_object(w, "lineage");
  fn_json_text(w, "model", model->id);
  FN_TRY(write_run(w, s, record, err));
  FN_TRY(write_data(w, s, model, record, brief, err));
  fn_json_end(w);
  const json_t *figures = json_object_get(result, "left_out");
  *left_out = json_integer_value(json_object_get(figures, "n")) > 0;
  if (brief) return FN_OK;
  if (*left_out)
    fn_json_value(w, "left_out", figures);
  else
    fn_json_null(w, "left_out");
  const json_t *validation = json_object_get(result, "val");
  if (validation)
    fn_json_value(w, "validation", validation); /* of the checkpoint that is stored */
  else
    fn_json_null(w, "validation");
  return FN_OK;
}

/* ---- MLmodel ---- */

static void write_flavors(fn_json_writer *w, const fn_version_source *s, const fn_classifier_info *model,
                          const char *model_class) {
  fn_json_object(w, "flavors");
  fn_json_object(w, "fakenews");
  fn_json_text(w, "packed", FN_VERSION_PACKED);
  fn_json_text(w, "card", "fakenews/card.json");
  fn_json_text(w, "gates", "fakenews/gates.json");
  fn_json_text(w, "family", model->family);
  fn_json_text(w, "program", s->program);
  if (model->packed)
    fn_json_text(w, "note",
                 "It came as a packed file, which the program fakenews answers with; transformers and python_function "
                 "are not offered.");
  else if (!model->has_encoder)
    fn_json_text(w, "note",
                 "A model of the linear family is no transformers model, and python_function is not offered: the "
                 "program fakenews answers with the packed file.");
  fn_json_end(w);
  if (model->has_encoder && !model->packed) fn_mlmodel_write_flavors(w, model_class, s->name);
  fn_json_end(w);
}

/* JSON is YAML, which is what MLflow reads. */
static fn_status format_mlmodel(fn_buf *out, const fn_version_source *s, const fn_classifier_info *model,
                                int64_t n_bytes, fn_err *err) {
  fn_json_writer w;
  char model_class[96] = "", origin[65];
  if (model->has_encoder && !model->packed) FN_TRY(fn_mlmodel_class(model_class, s->model, err));
  FN_TRY(fn_version_origin(origin, s, err));
  origin[32] = '\0';
  fn_json_begin(&w, out, 2);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "artifact_path", "model");
  write_flavors(&w, s, model, model_class);
  fn_json_int(&w, "model_size_bytes", n_bytes);
  fn_json_text(&w, "model_uuid", origin);
  if (s->run_id[0]) fn_json_text(&w, "run_id", s->run_id);
  if (model->has_encoder) fn_mlmodel_write_signature(&w);
  fn_mlmodel_write_origin(&w);
  fn_json_end(&w);
  fn_buf_append_char(out, '\n');
  return FN_OK;
}

fn_status fn_version_write_mlmodel(const char *folder, const fn_version_source *s, const fn_classifier_info *model,
                                   int64_t n_bytes, fn_err *err) {
  FN_AUTO_BUF fn_buf out;
  fn_buf_init(&out, 1 << 16);
  FN_TRY(format_mlmodel(&out, s, model, n_bytes, err));
  FN_TRY(fn_mlmodel_save_text(folder, "MLmodel", &out, err));
  return model->has_encoder && !model->packed ? fn_mlmodel_save_environment(folder, err) : FN_OK;
}
