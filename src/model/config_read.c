#include "model/config.h"

#include <stdio.h>

typedef struct reader {
  json_t *root;
  fn_str text;
  const char *name;
  char place[1024]; /* "name:line" of the key that is being read */
} reader;

/* Line of the first "key": in the text; jansson keeps no positions. The name alone when it is not there. */
static const char *place_of(reader *r, const char *key) {
  size_t n = strlen(key), line = 1;
  snprintf(r->place, sizeof r->place, "%s", r->name);
  for (size_t i = 0; i + n + 2 <= r->text.length; i++) {
    const char *p = r->text.data + i;
    line += *p == '\n';
    if (*p == '"' && memcmp(p + 1, key, n) == 0 && p[n + 1] == '"') {
      snprintf(r->place, sizeof r->place, "%s:%zu", r->name, line);
      break;
    }
  }
  return r->place;
}

static bool absent(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return !value || json_is_null(value);
}

static fn_status read_int(reader *r, int32_t *value, const char *key, fn_err *err) {
  int64_t fallback = *value, out;
  FN_TRY(fn_json_get_int(&out, r->root, key, INT32_MIN, INT32_MAX, &fallback, place_of(r, key), err));
  *value = (int32_t)out;
  return FN_OK;
}

static fn_status read_double(reader *r, double *value, const char *key, fn_err *err) {
  double fallback = *value;
  return fn_json_get_double(value, r->root, key, -1e30, 1e30, &fallback, place_of(r, key), err);
}

static fn_status read_text(reader *r, char *out, size_t size, const char *key, const char *fallback, fn_err *err) {
  const char *value;
  FN_TRY(fn_json_get_string(&value, r->root, key, fallback, place_of(r, key), err));
  if (strlen(value) >= size)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: %s \"%.40s…\" is not known", r->place, key, value);
  snprintf(out, size, "%s", value);
  return FN_OK;
}

/* Keys of newer or other models that change the computation: refused unless they have the one value handled here. */
static fn_status refuse_foreign(reader *r, fn_err *err) {
  static const char *const off[] = {"is_decoder", "add_cross_attention", "is_encoder_decoder"};
  for (size_t i = 0; i < FN_COUNT_OF(off); i++) {
    if (json_is_true(json_object_get(r->root, off[i])))
      return fn_err_set(err, FN_E_UNSUPPORTED, "%s: %s is true; accepted is an encoder (false)", place_of(r, off[i]),
                        off[i]);
  }
  static const char *const only[][2] = {{"position_embedding_type", "absolute"},
                                        {"problem_type", "single_label_classification"}};
  for (size_t i = 0; i < FN_COUNT_OF(only); i++) {
    const char *value = json_string_value(json_object_get(r->root, only[i][0]));
    if (!absent(r->root, only[i][0]) && (!value || strcmp(value, only[i][1]) != 0))
      return fn_err_set(err, FN_E_UNSUPPORTED, "%s: %s %s%.60s%s is not supported; accepted is \"%s\"",
                        place_of(r, only[i][0]), only[i][0], value ? "\"" : "", value ? value : "of this kind",
                        value ? "\"" : "", only[i][1]);
  }
  if (!absent(r->root, "quantization_config"))
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: quantised weights are not supported; accepted are F32, F16 and BF16",
                      place_of(r, "quantization_config"));
  if (json_object_size(json_object_get(r->root, "pruned_heads")) > 0)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: pruned heads are not supported", place_of(r, "pruned_heads"));
  return FN_OK;
}

/* id2label: {"0": "real", …}; without it num_labels (default 2) of LABEL_0 …, as Transformers names them. */
static fn_status read_labels(reader *r, fn_model_config *c, fn_err *err) {
  memset(c->labels, 0, sizeof c->labels);
  if (absent(r->root, "id2label")) {
    int64_t two = 2, n;
    FN_TRY(fn_json_get_int(&n, r->root, "num_labels", 2, FN_MODEL_MAX_LABELS, &two, place_of(r, "num_labels"), err));
    c->num_labels = (int32_t)n;
    for (int32_t i = 0; i < c->num_labels; i++) snprintf(c->labels[i], sizeof c->labels[i], "LABEL_%d", i);
    return FN_OK;
  }
  const json_t *labels = json_object_get(r->root, "id2label");
  place_of(r, "id2label");
  size_t n = json_object_size(labels);
  if (!json_is_object(labels) || n < 2 || n > (size_t)FN_MODEL_MAX_LABELS)
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "%s: id2label must name 2 to %d labels, as {\"0\": \"real\", \"1\": \"fake\"}", r->place,
                      FN_MODEL_MAX_LABELS);
  c->num_labels = (int32_t)n;
  for (int32_t i = 0; i < c->num_labels; i++) {
    char key[16];
    snprintf(key, sizeof key, "%d", i);
    const json_t *value = json_object_get(labels, key);
    if (!json_is_string(value) || json_string_length(value) >= sizeof c->labels[i] ||
        strlen(json_string_value(value)) != json_string_length(value))
      return fn_err_set(err, FN_E_INVALID, "%s: id2label: \"%s\" must be a name of 1 to %zu bytes", r->place, key,
                        sizeof c->labels[i] - 1);
    snprintf(c->labels[i], sizeof c->labels[i], "%s", json_string_value(value));
  }
  return FN_OK;
}

static fn_status read_head(reader *r, fn_model_config *c, fn_err *err) {
  c->head_size = 0;
  if (absent(r->root, "fakenews_head")) return FN_OK;
  const json_t *head = json_object_get(r->root, "fakenews_head");
  place_of(r, "fakenews_head");
  const char *type = json_string_value(json_object_get(head, "type"));
  const json_t *size = json_object_get(head, "size");
  if (!type || strcmp(type, "two_layer") != 0 || !json_is_integer(size) || json_integer_value(size) < 1 ||
      json_integer_value(size) > 1 << 16)
    return fn_err_set(err, FN_E_INVALID,
                      "%s: fakenews_head must be {\"type\": \"two_layer\", \"size\": N} with N from 1 to %d", r->place,
                      1 << 16);
  c->head_size = (int32_t)json_integer_value(size);
  return FN_OK;
}

static fn_status read_numbers(reader *r, fn_model_config *c, fn_err *err) {
  FN_TRY(read_int(r, &c->vocab_size, "vocab_size", err));
  FN_TRY(read_int(r, &c->hidden_size, "hidden_size", err));
  FN_TRY(read_int(r, &c->num_hidden_layers, "num_hidden_layers", err));
  FN_TRY(read_int(r, &c->num_attention_heads, "num_attention_heads", err));
  FN_TRY(read_int(r, &c->intermediate_size, "intermediate_size", err));
  FN_TRY(read_int(r, &c->max_position_embeddings, "max_position_embeddings", err));
  FN_TRY(read_int(r, &c->type_vocab_size, "type_vocab_size", err));
  if (!absent(r->root, "pad_token_id")) FN_TRY(read_int(r, &c->pad_token_id, "pad_token_id", err));
  FN_TRY(read_double(r, &c->hidden_dropout_prob, "hidden_dropout_prob", err));
  FN_TRY(read_double(r, &c->attention_probs_dropout_prob, "attention_probs_dropout_prob", err));
  c->classifier_dropout = c->hidden_dropout_prob;
  if (!absent(r->root, "classifier_dropout")) FN_TRY(read_double(r, &c->classifier_dropout, "classifier_dropout", err));
  FN_TRY(read_double(r, &c->layer_norm_eps, "layer_norm_eps", err));
  return read_double(r, &c->initializer_range, "initializer_range", err);
}

static fn_status read_root(reader *r, fn_model_config *c, fn_err *err) {
  if (!json_is_object(r->root)) return fn_err_set(err, FN_E_INVALID, "%s: must be a JSON object", r->name);
  if (absent(r->root, "model_type"))
    return fn_err_set(err, FN_E_INVALID, "%s: \"model_type\" is missing; accepted is \"bert\"", r->name);
  FN_TRY(read_text(r, c->family, sizeof c->family, "model_type", NULL, err));
  /* Another family has other keys: say that before complaining about any of them. */
  if (strcmp(c->family, "bert") != 0) return fn_model_config_check(c, r->place, err);
  FN_TRY(refuse_foreign(r, err));
  FN_TRY(read_numbers(r, c, err));
  FN_TRY(read_text(r, c->hidden_act, sizeof c->hidden_act, "hidden_act", "gelu", err));
  FN_TRY(read_labels(r, c, err));
  FN_TRY(fn_model_usage_parse(&c->usage, json_object_get(r->root, "fakenews"), place_of(r, "fakenews"), err));
  return read_head(r, c, err);
}

/* The check of ranges knows the key it refuses, the reader its line: the key is the first word of the message. */
static fn_status check_with_line(reader *r, const fn_model_config *c, fn_err *err) {
  fn_err inner = {0};
  fn_status status = fn_model_config_check(c, "", &inner);
  if (status == FN_OK) return FN_OK;
  const char *message = inner.message + 2; /* after ": " of the empty name */
  size_t n = strcspn(message, " :");
  char key[64];
  snprintf(key, sizeof key, "%.*s", (int)(n < sizeof key ? n : sizeof key - 1), message);
  return fn_err_set(err, status, "%s: %s", place_of(r, key), message);
}

fn_status fn_model_config_parse(fn_model_config *config_out, fn_str text, const char *name, fn_err *err) {
  FN_AUTO_JSON json_t *root = NULL;
  FN_TRY(fn_json_parse(&root, text, name, err));
  reader r = {.root = root, .text = text, .name = name};
  fn_model_config config;
  fn_model_config_init(&config);
  FN_TRY(read_root(&r, &config, err));
  FN_TRY(check_with_line(&r, &config, err));
  *config_out = config;
  return FN_OK;
}

fn_status fn_model_config_load(fn_model_config *config_out, const char *dir, fn_err *err) {
  FN_AUTO_FREE char *path = fn_path_join(dir, "config.json");
  if (!path) return fn_err_no_memory(err, dir);
  if (fn_path_is_dir(dir) && !fn_path_exists(path))
    return fn_err_set(err, FN_E_NOT_FOUND,
                      "%s: no config.json in it; accepted is a Hugging Face directory with config.json, "
                      "model.safetensors and tokenizer.json or vocab.txt",
                      dir);
  FN_AUTO_BUF fn_buf text;
  fn_buf_init(&text, FN_MODEL_CONFIG_MAX_BYTES);
  FN_TRY(fn_file_read(&text, path, FN_MODEL_CONFIG_MAX_BYTES, err));
  return fn_model_config_parse(config_out, fn_buf_str(&text), path, err);
}
