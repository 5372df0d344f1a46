/* The post-processor of tokenizer.json, which places [CLS] and [SEP]. */
#include "text/load.h"

static fn_status set_special(fn_tokenizer_spec *spec, size_t i, const json_t *token, const json_t *id, const char *name,
                             fn_err *err) {
  if (!json_is_string(token) || !json_is_integer(id) || json_integer_value(id) < 0 ||
      json_integer_value(id) >= FN_VOCAB_MAX)
    return fn_err_set(err, FN_E_INVALID, "%s: post_processor: a special token must have a text and an id", name);
  spec->post_ids[i] = (int32_t)json_integer_value(id);
  return fn_spec_copy(&spec->specials[i], spec, fn_str_make(json_string_value(token), json_string_length(token)), err);
}

/* One piece of a template against what BERT has there: "A", "B", or a special token (want NULL, whose name goes to
 * *special_out and has to be the same at every place). */
static bool piece_is(const json_t *piece, const char *want, json_int_t type_id, const char **special_out) {
  const json_t *body = json_object_get(piece, want ? "Sequence" : "SpecialToken");
  const json_t *id = json_object_get(body, "id"), *type = json_object_get(body, "type_id");
  if (!json_is_string(id) || !json_is_integer(type) || json_integer_value(type) != type_id) return false;
  if (want) return strcmp(json_string_value(id), want) == 0;
  if (!*special_out) *special_out = json_string_value(id);
  return strcmp(json_string_value(id), *special_out) == 0;
}

static bool template_is_bert(const json_t *part, const char **cls_out, const char **sep_out) {
  const json_t *one = json_object_get(part, "single"), *two = json_object_get(part, "pair");
  return json_array_size(one) == 3 && json_array_size(two) == 5 && piece_is(json_array_get(one, 0), NULL, 0, cls_out) &&
         piece_is(json_array_get(one, 1), "A", 0, NULL) && piece_is(json_array_get(one, 2), NULL, 0, sep_out) &&
         piece_is(json_array_get(two, 0), NULL, 0, cls_out) && piece_is(json_array_get(two, 1), "A", 0, NULL) &&
         piece_is(json_array_get(two, 2), NULL, 0, sep_out) && piece_is(json_array_get(two, 3), "B", 1, NULL) &&
         piece_is(json_array_get(two, 4), NULL, 1, sep_out);
}

static fn_status parse_template(fn_tokenizer_spec *spec, const json_t *part, const char *name, fn_err *err) {
  const char *names[2] = {NULL, NULL};
  if (!template_is_bert(part, &names[0], &names[1]))
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "%s: post_processor is another template than BERT's \"[CLS] $A [SEP]\" and "
                      "\"[CLS] $A [SEP] $B:1 [SEP]:1\"",
                      name);
  for (size_t i = 0; i < 2; i++) {
    const json_t *special = json_object_get(json_object_get(part, "special_tokens"), names[i]);
    const json_t *tokens = json_object_get(special, "tokens"), *ids = json_object_get(special, "ids");
    if (json_array_size(tokens) != 1 || json_array_size(ids) != 1)
      return fn_err_set(err, FN_E_UNSUPPORTED, "%s: post_processor.special_tokens: \"%.60s\" must stand for one token",
                        name, names[i]);
    FN_TRY(set_special(spec, i == 0 ? FN_SPECIAL_CLS : FN_SPECIAL_SEP, json_array_get(tokens, 0),
                       json_array_get(ids, 0), name, err));
  }
  return FN_OK;
}

fn_status fn_post_processor_parse(fn_tokenizer_spec *spec, const json_t *part, const char *name, fn_err *err) {
  if (!part || json_is_null(part)) return FN_OK;
  const char *type = json_string_value(json_object_get(part, "type"));
  if (!type) return fn_err_set(err, FN_E_INVALID, "%s: post_processor: \"type\" must be a text", name);
  if (strcmp(type, "TemplateProcessing") == 0) return parse_template(spec, part, name, err);
  if (strcmp(type, "BertProcessing") == 0) {
    const json_t *cls = json_object_get(part, "cls"), *sep = json_object_get(part, "sep");
    FN_TRY(set_special(spec, FN_SPECIAL_CLS, json_array_get(cls, 0), json_array_get(cls, 1), name, err));
    return set_special(spec, FN_SPECIAL_SEP, json_array_get(sep, 0), json_array_get(sep, 1), name, err);
  }
  return fn_err_set(err, FN_E_UNSUPPORTED,
                    "%s: post_processor.type is \"%.40s\"; accepted are TemplateProcessing, BertProcessing and null",
                    name, type);
}
