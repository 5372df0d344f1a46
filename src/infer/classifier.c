#include "infer/internal.h"
#include "model/config.h"

#include <limits.h>
#include <stdlib.h>

enum { MAX_CONFIG_BYTES = 16 << 20, DEFAULT_MAX_TOKENS = 256 };

/* The folder that holds config.json: dir itself, or the `model` of a run folder. */
static fn_status find_dir(char **dir_out, const char *dir, fn_err *err) {
  static const char *const tails[] = {"config.json", "model/config.json"};
  for (size_t i = 0; i < FN_COUNT_OF(tails); i++) {
    FN_AUTO_FREE char *file = fn_path_join(dir, tails[i]);
    if (file == NULL) return fn_err_no_memory(err, "path of the model");
    if (!fn_path_exists(file)) continue;
    *dir_out = i == 0 ? fn_str_dup(fn_str_from(dir)) : fn_path_join(dir, "model");
    return *dir_out ? FN_OK : fn_err_no_memory(err, "path of the model");
  }
  if (!fn_path_exists(dir)) return fn_err_set(err, FN_E_NOT_FOUND, "%s: no such model directory", dir);
  return fn_err_set(err, FN_E_NOT_FOUND,
                    "%s: no config.json in it; accepted is a Hugging Face directory (config.json, model.safetensors, "
                    "tokenizer), a model that `train` made, or a run folder with `model` in it",
                    dir);
}

/* Hash over the files that decide the answers; one that is not there counts as absent. model_out leaves the calibration
 * out: it names the model that a calibration was made for. */
static fn_status hash_files(char out[33], char model_out[33], const char *dir, fn_err *err) {
  static const char *const names[] = {"config.json",           "linear.safetensors", "model.safetensors", "vocab.txt",
                                      "tokenizer_config.json", "tokenizer.json",     FN_CALIBRATION_FILE};
  fn_hash128 all[FN_COUNT_OF(names)] = {{0, 0}};
  for (size_t i = 0; i < FN_COUNT_OF(names); i++) {
    FN_AUTO_FREE char *path = fn_path_join(dir, names[i]);
    if (path == NULL) return fn_err_no_memory(err, "path of the model");
    if (fn_path_exists(path)) FN_TRY(fn_hash_file(&all[i], path, err));
  }
  const size_t last = FN_COUNT_OF(names) - 1;
  const bool calibrated = all[last].high != 0 || all[last].low != 0;
  fn_hash_format(model_out, fn_hash_bytes(all, last * sizeof *all));
  fn_hash_format(out, fn_hash_bytes(all, (calibrated ? last + 1 : last) * sizeof *all));
  return FN_OK;
}

static fn_status take_calibration(fn_classifier *c, const char *text, const char *name, fn_err *err) {
  c->calibration = fn_arena_alloc(&c->arena, 1, sizeof *c->calibration);
  if (c->calibration == NULL) return fn_err_no_memory(err, "a calibration");
  return fn_calibration_parse(c->calibration, fn_str_from(text), name, err);
}

/* calibration.json beside the model's files, which must be those that it was fitted to. */
static fn_status load_calibration(fn_classifier *c, const char *dir, const char *model_digits, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(dir, FN_CALIBRATION_FILE);
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, 0);
  if (path == NULL) return fn_err_no_memory(err, "path of the calibration");
  if (!fn_path_exists(path)) return FN_OK;
  FN_TRY(fn_file_read(&text, path, FN_CALIBRATION_MAX_BYTES, err));
  c->info.calibration = fn_arena_strndup(&c->arena, text.data ? text.data : "", text.length);
  if (c->info.calibration == NULL) return fn_err_no_memory(err, "a calibration");
  FN_TRY(take_calibration(c, c->info.calibration, path, err));
  const char *at = strrchr(c->calibration->model, '@');
  if (at == NULL || strncmp(at + 1, model_digits, 12) == 0) return FN_OK;
  return fn_err_set(err, FN_E_INVALID,
                    "%s: was made for the model %s, and the files beside it are another (@%.12s); calibrate again, or "
                    "remove it",
                    path, c->calibration->model, model_digits);
}

/* Name for people: that of the folder; of the run when the folder is a run's or a checkpoint's `model`. */
static fn_str model_name(const char *real_path) {
  fn_str path = fn_str_from(real_path);
  for (;;) {
    size_t end = path.length, begin = end;
    while (begin > 0 && path.data[begin - 1] != '/') begin--;
    fn_str name = fn_str_make(path.data + begin, end - begin);
    bool inner = fn_str_is(name, "model") || fn_str_is(name, "checkpoints") || fn_str_starts_with(name, "step-");
    if (!inner || begin <= 1) return name;
    path.length = begin - 1;
  }
}

static fn_status make_id(fn_classifier *c, const char *dir, fn_err *err) {
  char digits[33], model_digits[33];
  FN_TRY(hash_files(digits, model_digits, dir, err));
  FN_TRY(load_calibration(c, dir, model_digits, err));
  FN_AUTO_FREE char *real_path = NULL; /* runs/latest says less than where it leads */
  FN_TRY(fn_path_real(&real_path, dir, err));
  fn_str name = model_name(real_path);
  FN_AUTO_BUF fn_buf id;
  fn_buf_init(&id, PATH_MAX);
  fn_buf_append(&id, name.data, name.length);
  fn_buf_printf(&id, "@%.12s", digits);
  FN_TRY(fn_buf_check(&id, "name of the model", err));
  c->info.id = fn_arena_strndup(&c->arena, id.data, id.length);
  memcpy(id.data + id.length - 12, model_digits, 12);
  c->info.model_id = fn_arena_strndup(&c->arena, id.data, id.length);
  c->info.dir = fn_arena_strndup(&c->arena, dir, strlen(dir));
  c->info.checksum = fn_arena_strndup(&c->arena, digits, strlen(digits));
  return c->info.id && c->info.model_id && c->info.dir && c->info.checksum ? FN_OK
                                                                           : fn_err_no_memory(err, "name of the model");
}

static int32_t find_fake(const fn_classifier_info *info) {
  for (int32_t i = 0; i < info->n_labels; i++) {
    if (fn_str_equal_nocase(fn_str_from(info->labels[i]), fn_str_from("fake"))) return i;
  }
  bool unnamed =
      info->n_labels == 2 && strcmp(info->labels[0], "LABEL_0") == 0 && strcmp(info->labels[1], "LABEL_1") == 0;
  return unnamed ? 1 : -1;
}

static void describe_linear(fn_classifier *c) {
  fn_linear_info linear;
  fn_linear_get_info(&linear, c->linear);
  c->info.family = "linear";
  c->info.n_labels = 2;
  c->info.labels[0] = linear.labels[0];
  c->info.labels[1] = linear.labels[1];
  c->info.usage_known = true;
  c->info.mode = linear.mode;
  c->info.data_hash = "";
}

static fn_status load_linear(fn_classifier *c, const char *dir, fn_err *err) {
  FN_TRY(fn_linear_load(&c->linear, dir, err));
  describe_linear(c);
  return FN_OK;
}

static void describe_transformer(fn_classifier *c) {
  c->info.family = c->config.family;
  c->info.n_labels = c->config.num_labels;
  for (int32_t i = 0; i < c->config.num_labels; i++) c->info.labels[i] = c->config.labels[i];
  c->info.usage_known = c->config.usage.known;
  c->info.mode = c->config.usage.known ? c->config.usage.text : FN_TEXT_TITLE_TEXT;
  c->info.data_hash = c->config.usage.data_hash;
  int32_t n = c->config.usage.known && c->config.usage.max_tokens > 0 ? c->config.usage.max_tokens : DEFAULT_MAX_TOKENS;
  c->info.positions = c->config.max_position_embeddings;
  c->info.max_tokens = n < c->info.positions ? n : c->info.positions;
}

static fn_status load_transformer(fn_classifier *c, const char *dir, fn_err *err) {
  FN_TRY(fn_model_config_load(&c->config, dir, err));
  FN_TRY(fn_tokenizer_load(&c->tokenizer, dir, err));
  FN_TRY(fn_model_check_tokenizer(&c->config, fn_tokenizer_get_info(c->tokenizer), dir, dir, err));
  describe_transformer(c);
  return FN_OK;
}

/* Two halves answer together, so they must mean the same by their labels. */
static fn_status check_halves(fn_classifier *c, fn_err *err) {
  const fn_classifier_info *i = &c->info;
  if (i->n_labels != 2 || find_fake(i) != 1)
    return fn_err_set(err, FN_E_INVALID,
                      "%s: an encoder beside a linear half must have the labels real (0) and fake (1)", i->dir);
  c->info.family = "bert+linear";
  return FN_OK;
}

static fn_status load_packed(fn_classifier *c, const char *path, fn_err *err) {
  FN_TRY(fn_packed_open(&c->packed, path, err));
  const fn_packed_info *p = fn_packed_get_info(c->packed);
  c->info.packed = true;
  c->info.calibration = p->calibration;
  c->info.card = p->card;
  c->info.checksum = p->checksum;
  c->info.dir = p->path;
  FN_AUTO_BUF fn_buf id;
  fn_buf_init(&id, 1024);
  fn_buf_printf(&id, "%s@%.12s", p->name, p->checksum);
  FN_TRY(fn_buf_check(&id, "name of the model", err));
  c->info.id = fn_arena_strndup(&c->arena, id.data, id.length);
  c->info.model_id = c->info.id; /* a file is what it is */
  if (c->info.id == NULL) return fn_err_no_memory(err, "name of the model");
  if (p->calibration != NULL) {
    FN_AUTO_BUF fn_buf name;
    fn_buf_init(&name, 8192);
    fn_buf_printf(&name, "%s: calibration", p->path);
    FN_TRY(fn_buf_check(&name, "name of the model", err));
    FN_TRY(take_calibration(c, p->calibration, name.data, err));
  }
  if (p->has_linear) {
    FN_TRY(fn_packed_linear(&c->linear, c->packed, err));
    describe_linear(c);
  }
  if (p->has_encoder) {
    c->config = *fn_packed_config(c->packed);
    FN_TRY(fn_packed_tokenizer(&c->tokenizer, c->packed, err));
    describe_transformer(c);
  }
  return p->has_linear && p->has_encoder ? check_halves(c, err) : FN_OK;
}

static bool is_linear(const json_t *config) {
  const char *type = json_string_value(json_object_get(config, "model_type"));
  return type != NULL && strcmp(type, FN_LINEAR_MODEL_TYPE) == 0;
}

static fn_status load_directory(fn_classifier *c, const char *path, fn_err *err) {
  FN_AUTO_FREE char *dir = NULL;
  FN_AUTO_JSON json_t *config = NULL;
  FN_TRY(find_dir(&dir, path, err));
  FN_AUTO_FREE char *file = fn_path_join(dir, "config.json");
  if (file == NULL) return fn_err_no_memory(err, "the model");
  FN_TRY(fn_json_load(&config, file, MAX_CONFIG_BYTES, err));
  FN_TRY((is_linear(config) ? load_linear : load_transformer)(c, dir, err));
  return make_id(c, dir, err);
}

fn_status fn_classifier_load(fn_classifier **classifier_out, const char *path, fn_err *err) {
  fn_classifier *c = fn_mem_calloc(1, sizeof *c);
  if (c == NULL) return fn_err_no_memory(err, "the model");
  fn_arena_init(&c->arena);
  fn_status status = fn_packed_is(path) ? load_packed(c, path, err) : load_directory(c, path, err);
  if (status != FN_OK) {
    fn_classifier_destroy(c);
    return status;
  }
  c->info.has_encoder = fn_classifier_has_encoder(c);
  c->info.has_linear = c->linear != NULL;
  c->info.fake = find_fake(&c->info);
  *classifier_out = c;
  return FN_OK;
}

void fn_classifier_destroy(fn_classifier *c) {
  if (c == NULL) return;
  fn_linear_destroy(c->linear);
  fn_tokenizer_destroy(c->tokenizer);
  fn_packed_close(c->packed);
  fn_arena_deinit(&c->arena);
  free(c);
}

fn_status fn_classifier_verify(const fn_classifier *c, fn_err *err) {
  return c->packed ? fn_packed_verify(c->packed, err) : FN_OK;
}

const fn_classifier_info *fn_classifier_get_info(const fn_classifier *c) {
  return &c->info;
}
