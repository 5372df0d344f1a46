/* tokenizer_config.json: the file beside the tokenizer that transformers writes. */
#include "text/load.h"

fn_status fn_spec_copy(fn_str *out, fn_tokenizer_spec *spec, fn_str text, fn_err *err) {
  char *copy = fn_arena_strndup(&spec->arena, text.data, text.length);
  if (!copy) return fn_err_no_memory(err, "tokenizer");
  *out = (fn_str){copy, text.length};
  return FN_OK;
}

static fn_status get_tristate(int *out, const json_t *object, const char *key, const char *name, fn_err *err) {
  const json_t *value = json_object_get(object, key);
  *out = -1;
  if (!value || json_is_null(value)) return FN_OK;
  if (!json_is_boolean(value))
    return fn_err_set(err, FN_E_INVALID, "%s: \"%s\" must be true, false or null", name, key);
  *out = json_is_true(value);
  return FN_OK;
}

/* A name is a string, or an object with "content" (AddedToken). */
static fn_status get_special(fn_tokenizer_config *config, fn_tokenizer_spec *spec, const json_t *object, size_t i,
                             const char *name, fn_err *err) {
  static const char *const keys[FN_SPECIALS] = {"unk_token", "cls_token", "sep_token", "pad_token", "mask_token"};
  const json_t *value = json_object_get(object, keys[i]);
  if (json_is_object(value)) value = json_object_get(value, "content");
  if (!value || json_is_null(value)) return FN_OK;
  if (!json_is_string(value) || json_string_length(value) == 0)
    return fn_err_set(err, FN_E_INVALID, "%s: \"%s\" must be a text or an object with \"content\"", name, keys[i]);
  config->has_special[i] = true;
  return fn_spec_copy(&spec->specials[i], spec, fn_str_make(json_string_value(value), json_string_length(value)), err);
}

/* Without tokenizer.json nothing else says where such tokens stand in the text or which ids they have. */
static fn_status check_decoder(const fn_tokenizer_spec *spec, const json_t *root, const char *name, fn_err *err) {
  const json_t *decoder = json_object_get(root, "added_tokens_decoder");
  const char *id;
  json_t *token;
  void *iterator;
  if (!json_is_object(decoder)) return FN_OK;
  json_t *borrowed = json_object_get(root, "added_tokens_decoder");
  for (iterator = json_object_iter(borrowed); iterator; iterator = json_object_iter_next(borrowed, iterator)) {
    id = json_object_iter_key(iterator);
    token = json_object_iter_value(iterator);
    const json_t *content = json_object_get(token, "content");
    bool known = false;
    for (size_t i = 0; json_is_string(content) && i < FN_SPECIALS; i++)
      known |= fn_str_is(spec->specials[i], json_string_value(content));
    if (!known)
      return fn_err_set(err, FN_E_UNSUPPORTED,
                        "%s: \"added_tokens_decoder\" declares token %s beside vocab.txt; save the tokenizer with "
                        "transformers (save_pretrained), which writes a tokenizer.json that holds it",
                        name, id);
  }
  return FN_OK;
}

fn_status fn_tokenizer_config_parse(fn_tokenizer_config *config_out, fn_tokenizer_spec *spec, fn_str text,
                                    const char *name, fn_err *err) {
  *config_out = (fn_tokenizer_config){-1, -1, -1, {false}};
  if (text.length == 0) return FN_OK;
  fn_json_error e;
  FN_AUTO_JSON json_t *root = NULL;
  /* transformers writes "no limit" as the integer 10^30, which no integer type holds. */
  const fn_status status = fn_json_read(&root, text, FN_JSON_LARGE_AS_REAL | FN_JSON_REFUSE_NUL, &e);
  if (status == FN_E_NO_MEMORY) return fn_err_no_memory(err, name);
  if (status != FN_OK) return fn_err_set(err, status, "%s:%d:%d: not valid JSON: %s", name, e.line, e.column, e.what);
  if (!json_is_object(root)) return fn_err_set(err, FN_E_INVALID, "%s: must be an object", name);
  FN_TRY(get_tristate(&config_out->do_lower_case, root, "do_lower_case", name, err));
  FN_TRY(get_tristate(&config_out->strip_accents, root, "strip_accents", name, err));
  FN_TRY(get_tristate(&config_out->tokenize_chinese_chars, root, "tokenize_chinese_chars", name, err));
  for (size_t i = 0; i < FN_SPECIALS; i++) FN_TRY(get_special(config_out, spec, root, i, name, err));
  const json_t *length = json_object_get(root, "model_max_length");
  if (json_is_number(length) && json_number_value(length) >= 1 && json_number_value(length) <= 1e9)
    spec->model_max_length = (int64_t)json_number_value(length);
  return check_decoder(spec, root, name, err);
}
