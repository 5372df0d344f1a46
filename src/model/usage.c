#include "model/usage.h"

#include <stdio.h>

static const char *const modes[] = {
    [FN_TEXT_TITLE] = "title", [FN_TEXT_TEXT] = "text", [FN_TEXT_TITLE_TEXT] = "title+text"};

static fn_status parse_mode(fn_text_mode *mode_out, const json_t *object, const char *name, fn_err *err) {
  const char *text = NULL;
  FN_TRY(fn_json_get_string(&text, object, "text", NULL, name, err));
  for (size_t i = 0; i < FN_COUNT_OF(modes); i++)
    if (strcmp(text, modes[i]) == 0) {
      *mode_out = (fn_text_mode)i;
      return FN_OK;
    }
  return fn_err_set(err, FN_E_INVALID, "%s: text is \"%.40s\"; accepted are title, text and title+text", name, text);
}

/* Missing counts as "". */
static fn_status parse_text(char *out, size_t size, const json_t *object, const char *key, const char *name,
                            fn_err *err) {
  const char *text = NULL;
  FN_TRY(fn_json_get_string(&text, object, key, "", name, err));
  if (strlen(text) >= size) return fn_err_set(err, FN_E_INVALID, "%s: %s has more than %zu bytes", name, key, size - 1);
  snprintf(out, size, "%s", text);
  return FN_OK;
}

fn_status fn_model_usage_parse(fn_model_usage *usage_out, const json_t *object, const char *name, fn_err *err) {
  fn_model_usage u = {0};
  if (!object || json_is_null(object)) {
    *usage_out = u;
    return FN_OK;
  }
  if (!json_is_object(object)) return fn_err_set(err, FN_E_INVALID, "%s: fakenews must be an object", name);
  int64_t max_tokens = 0;
  FN_TRY(parse_mode(&u.text, object, name, err));
  FN_TRY(fn_json_get_int(&max_tokens, object, "max_tokens", 8, 1 << 20, NULL, name, err));
  FN_TRY(parse_text(u.data_hash, sizeof u.data_hash, object, "data", name, err));
  FN_TRY(parse_text(u.tokenizer_hash, sizeof u.tokenizer_hash, object, "tokenizer", name, err));
  FN_TRY(parse_text(u.version, sizeof u.version, object, "version", name, err));
  u.max_tokens = (int32_t)max_tokens;
  u.known = true;
  *usage_out = u;
  return FN_OK;
}

void fn_model_usage_format(fn_json_writer *w, const fn_model_usage *u) {
  if (!u->known) return;
  fn_json_object(w, "fakenews");
  fn_json_text(w, "data", u->data_hash);
  fn_json_int(w, "max_tokens", u->max_tokens);
  fn_json_text(w, "text", modes[u->text]);
  fn_json_text(w, "tokenizer", u->tokenizer_hash);
  fn_json_text(w, "version", u->version);
  fn_json_end(w);
}
