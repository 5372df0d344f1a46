#include "mlflow/mlmodel.h"

#include "base/hash.h"

#include <sys/stat.h>

enum { MAX_CONFIG = 4 << 20 };

bool fn_mlmodel_is_tokenizer_file(const char *name) {
  static const char *const names[] = {"tokenizer.json",    "tokenizer_config.json",
                                      "vocab.txt",         "special_tokens_map.json",
                                      "added_tokens.json", "vocab.json",
                                      "merges.txt"};
  for (size_t i = 0; i < FN_COUNT_OF(names); i++)
    if (strcmp(name, names[i]) == 0) return true;
  return false;
}

bool fn_mlmodel_is_model_file(const char *path) {
  const char *name = fn_path_base(path);
  static const char *const of_training[] = {"optimizer.pt", "scheduler.pt", "scaler.pt", "training_args.bin",
                                            "trainer_state.json"};
  for (size_t i = 0; i < FN_COUNT_OF(of_training); i++)
    if (strcmp(name, of_training[i]) == 0) return false;
  return name[0] != '.' && strncmp(name, "rng_state", 9) != 0 && !fn_path_is_dir(path);
}

bool fn_mlmodel_is_plain_file(const char *path) {
  struct stat st;
  return fn_mlmodel_is_model_file(path) && lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

fn_status fn_mlmodel_class(char out[96], const char *dir, fn_err *err) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  FN_AUTO_FREE char *path = fn_path_join(dir, "config.json"), *linear = fn_path_join(dir, "linear.safetensors");
  FN_AUTO_JSON json_t *config = NULL;
  if (!path || !linear) return fn_err_no_memory(err, "a path");
  if (fn_path_exists(path)) FN_TRY(fn_json_load(&config, path, MAX_CONFIG, err));
  const char *name = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
  const bool fits = name && strspn(name, letters) == strlen(name);
  (void)snprintf(out, 96, "%s", fits ? name : fn_path_exists(linear) ? "" : "AutoModelForSequenceClassification");
  return FN_OK;
}

fn_status fn_mlmodel_hash(char out[33], const char *dir, fn_err *err) {
  FN_AUTO_FREE char **names = NULL;
  FN_AUTO_BUF fn_buf text;
  size_t n = 0;
  fn_buf_init(&text, 1 << 20);
  FN_TRY(fn_dir_list(&names, &n, dir, err));
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *path = fn_path_join(dir, names[i]);
    fn_hash128 hash;
    char digits[33];
    if (!path) return fn_err_no_memory(err, "a path");
    if (!fn_mlmodel_is_plain_file(path)) continue;
    FN_TRY(fn_hash_file(&hash, path, err));
    fn_hash_format(digits, hash);
    fn_buf_printf(&text, "%s/%s\n", names[i], digits);
  }
  FN_TRY(fn_buf_check(&text, "a list of files", err));
  fn_hash_format(out, fn_hash_bytes(text.data, text.length));
  return FN_OK;
}

fn_status fn_mlmodel_stamp(uint64_t *stamp_out, const char *dir, fn_err *err) {
  FN_AUTO_FREE char **names = NULL;
  size_t n = 0;
  uint64_t stamp = 1;
  FN_TRY(fn_dir_list(&names, &n, dir, err));
  for (size_t i = 0; i < n; i++) {
    FN_AUTO_FREE char *path = fn_path_join(dir, names[i]);
    if (!path) return fn_err_no_memory(err, "a path");
    const uint64_t one = fn_mlmodel_is_plain_file(path) ? fn_hash_file_stamp(path) : 0;
    if (one) stamp = fn_hash64(names[i], strlen(names[i]), fn_hash64(&one, sizeof one, stamp));
  }
  *stamp_out = stamp ? stamp : 1;
  return FN_OK;
}

/* For mlflow.pyfunc.load_model and `mlflow models serve`, which take it from the transformers flavour. */
static void write_python_function(fn_json_writer *w) {
  fn_json_object(w, "python_function");
  fn_json_object(w, "env");
  fn_json_text(w, "virtualenv", "python_env.yaml");
  fn_json_end(w);
  fn_json_text(w, "loader_module", "mlflow.transformers");
  fn_json_text(w, "model_binary", FN_MLMODEL_FOLDER);
  fn_json_text(w, "python_version", "3.11.0");
  fn_json_end(w);
}

void fn_mlmodel_write_flavors(fn_json_writer *w, const char *model_class, const char *source_name) {
  fn_json_object(w, "transformers");
  fn_json_null(w, "code");
  fn_json_array(w, "components");
  fn_json_text(w, NULL, "tokenizer");
  fn_json_end(w);
  fn_json_text(w, "instance_type", "TextClassificationPipeline");
  fn_json_text(w, "model_binary", FN_MLMODEL_FOLDER);
  fn_json_text(w, "pipeline_model_type", model_class);
  fn_json_text(w, "source_model_name", source_name);
  fn_json_text(w, "task", "text-classification");
  fn_json_text(w, "tokenizer_type", "AutoTokenizer");
  fn_json_end(w);
  write_python_function(w);
}

void fn_mlmodel_write_signature(fn_json_writer *w) {
  fn_json_object(w, "signature");
  fn_json_text(w, "inputs", "[{\"type\": \"string\", \"required\": true}]");
  fn_json_text(w, "outputs",
               "[{\"type\": \"string\", \"name\": \"label\", \"required\": true}, "
               "{\"type\": \"double\", \"name\": \"score\", \"required\": true}]");
  fn_json_null(w, "params");
  fn_json_end(w);
}

void fn_mlmodel_write_origin(fn_json_writer *w) {
  char time[21], stamp[32];
  fn_clock_format(time, fn_clock_unix_ms());
  (void)snprintf(stamp, sizeof stamp, "%.10s %.8s.000000", time, time + 11);
  fn_json_text(w, "mlflow_version", "2.12.2");
  fn_json_text(w, "utc_time_created", stamp);
}

fn_status fn_mlmodel_save_text(const char *folder, const char *name, const fn_buf *text, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(folder, name);
  FN_TRY(fn_buf_check(text, name, err));
  if (path == NULL) return fn_err_no_memory(err, "a path");
  return fn_file_write(path, text->data, text->length, err);
}

fn_status fn_mlmodel_save_environment(const char *folder, fn_err *err) {
  FN_AUTO_BUF fn_buf requirements, environment;
  fn_buf_init(&requirements, 1 << 12);
  fn_buf_init(&environment, 1 << 12);
  fn_buf_append_str(&requirements, "mlflow\ntransformers\ntorch\n");
  fn_buf_append_str(&environment, "python: \"3.11\"\nbuild_dependencies: []\ndependencies:\n- -r requirements.txt\n");
  FN_TRY(fn_mlmodel_save_text(folder, "requirements.txt", &requirements, err));
  return fn_mlmodel_save_text(folder, "python_env.yaml", &environment, err);
}
