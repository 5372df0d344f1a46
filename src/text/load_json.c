/* tokenizer.json: Hugging Face's one-file form. Only what BERT-family tokenizers consist of is accepted, everything
 * else is refused by name, because reading past a part that changes ids would be worse. */
#include "text/load.h"

#include <stdlib.h>

static fn_status must_be(const char *key, const char *what, const char *name, fn_err *err) {
  return fn_err_set(err, FN_E_INVALID, "%s: \"%s\" must be %s", name, key, what);
}

/* A part's type; a Sequence of one part counts as that part. *part becomes NULL for null and for an empty Sequence. */
static fn_status get_part(const json_t **part, const char **type_out, const json_t *root, const char *key,
                          const char *list_key, const char *name, fn_err *err) {
  *part = json_object_get(root, key);
  for (int depth = 0; depth < 4; depth++) {
    if (!*part || json_is_null(*part)) {
      *part = NULL;
      return FN_OK;
    }
    if (!json_is_object(*part)) return must_be(key, "an object or null", name, err);
    const json_t *type = json_object_get(*part, "type");
    if (!json_is_string(type)) return fn_err_set(err, FN_E_INVALID, "%s: %s: \"type\" must be a text", name, key);
    *type_out = json_string_value(type);
    if (strcmp(*type_out, "Sequence") != 0) return FN_OK;
    const json_t *list = json_object_get(*part, list_key);
    if (!json_is_array(list) || json_array_size(list) > 1)
      return fn_err_set(err, FN_E_UNSUPPORTED, "%s: %s: a Sequence of several parts is not handled", name, key);
    *part = json_array_get(list, 0);
  }
  return fn_err_set(err, FN_E_UNSUPPORTED, "%s: %s: Sequences are nested too deep", name, key);
}

static fn_status parse_normalizer(fn_tokenizer_spec *spec, const json_t *root, const char *name, fn_err *err) {
  const json_t *part;
  const char *type = "";
  FN_TRY(get_part(&part, &type, root, "normalizer", "normalizers", name, err));
  fn_normalizer_options *n = &spec->normalizer;
  *n = (fn_normalizer_options){0};
  if (!part) return FN_OK;
  if (strcmp(type, "Lowercase") == 0) {
    n->lowercase = true;
    return FN_OK;
  }
  if (strcmp(type, "BertNormalizer") != 0)
    return fn_err_set(err, FN_E_UNSUPPORTED,
                      "%s: normalizer.type is \"%.40s\"; accepted are BertNormalizer, Lowercase and null", name, type);
  char where[600];
  snprintf(where, sizeof where, "%.500s: normalizer", name);
  FN_TRY(fn_json_get_bool(&n->clean_text, part, "clean_text", NULL, where, err));
  FN_TRY(fn_json_get_bool(&n->handle_chinese_chars, part, "handle_chinese_chars", NULL, where, err));
  FN_TRY(fn_json_get_bool(&n->lowercase, part, "lowercase", NULL, where, err));
  const json_t *strip = json_object_get(part, "strip_accents");
  if (strip && !json_is_null(strip) && !json_is_boolean(strip))
    return must_be("strip_accents", "true, false or null", where, err);
  n->strip_accents_is_null = !json_is_boolean(strip);
  n->strip_accents = n->strip_accents_is_null ? n->lowercase : json_is_true(strip);
  return FN_OK;
}

static fn_status parse_pre_tokenizer(const json_t *root, const char *name, fn_err *err) {
  const json_t *part;
  const char *type = "null";
  FN_TRY(get_part(&part, &type, root, "pre_tokenizer", "pretokenizers", name, err));
  if (!part || strcmp(type, "BertPreTokenizer") != 0)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: pre_tokenizer.type is \"%.40s\"; accepted is BertPreTokenizer", name,
                      part ? type : "null");
  return FN_OK;
}

/* Fills the tokens by id; ids must be 0 … n-1, each once. */
static fn_status parse_vocab(fn_tokenizer_spec *spec, json_t *vocab, const char *name, fn_err *err) {
  size_t n = json_object_size(vocab);
  if (n == 0 || n > FN_VOCAB_MAX)
    return fn_err_set(err, FN_E_LIMIT, "%s: model.vocab has %zu tokens, accepted are 1 to %d", name, n, FN_VOCAB_MAX);
  spec->tokens = fn_mem_calloc(n, sizeof *spec->tokens);
  if (!spec->tokens) return fn_err_no_memory(err, "vocabulary");
  spec->tokens_capacity = n;
  for (void *it = json_object_iter(vocab); it; it = json_object_iter_next(vocab, it)) {
    const char *token = json_object_iter_key(it);
    const json_t *id = json_object_iter_value(it);
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= (json_int_t)n)
      return fn_err_set(
          err, FN_E_INVALID,
          "%s: model.vocab: the id of \"%.60s\" must be an integer from 0 to %zu (%zu tokens, ids without "
          "gaps)",
          name, token, n - 1, n);
    fn_str *slot = &spec->tokens[json_integer_value(id)];
    if (slot->data)
      return fn_err_set(err, FN_E_INVALID, "%s: model.vocab: \"%.60s\" and \"%.60s\" have the same id %lld", name,
                        slot->data, token, (long long)json_integer_value(id));
    FN_TRY(fn_spec_copy(slot, spec, fn_str_from(token), err));
  }
  spec->n_model = spec->n_tokens = n;
  return FN_OK;
}

static fn_status parse_model(fn_tokenizer_spec *spec, const json_t *root, const char *name, fn_err *err) {
  const json_t *model = json_object_get(root, "model");
  if (!json_is_object(model)) return must_be("model", "an object", name, err);
  const json_t *type = json_object_get(model, "type");
  json_t *vocab = json_object_get(model, "vocab");
  /* Old files have no type; then the fields tell: merges make it BPE, a list of scores unigram. */
  const char *kind = json_is_string(type)               ? json_string_value(type)
                     : json_object_get(model, "merges") ? "BPE"
                     : json_is_array(vocab)             ? "Unigram"
                                                        : "WordPiece";
  if (strcmp(kind, "WordPiece") != 0)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: model.type is \"%.40s\"; accepted is WordPiece (BERT family)", name,
                      kind);
  char where[600];
  snprintf(where, sizeof where, "%.500s: model", name);
  const char *unk, *prefix;
  int64_t max_chars;
  FN_TRY(fn_json_get_string(&unk, model, "unk_token", NULL, where, err));
  FN_TRY(fn_json_get_string(&prefix, model, "continuing_subword_prefix", NULL, where, err));
  FN_TRY(fn_json_get_int(&max_chars, model, "max_input_chars_per_word", 1, FN_WORD_MAX_CHARS, NULL, where, err));
  spec->max_chars = (uint32_t)max_chars;
  if (strlen(prefix) > 64) return must_be("continuing_subword_prefix", "at most 64 bytes long", where, err);
  FN_TRY(fn_spec_copy(&spec->prefix, spec, fn_str_from(prefix), err));
  FN_TRY(fn_spec_copy(&spec->specials[FN_SPECIAL_UNK], spec, fn_str_from(unk), err));
  if (!json_is_object(vocab)) return must_be("vocab", "an object of token: id", where, err);
  return parse_vocab(spec, vocab, name, err);
}

static fn_status parse_added_token(fn_tokenizer_spec *spec, const json_t *object, const char *where, fn_err *err) {
  fn_added_token token = {0};
  const bool no = false;
  int64_t id;
  if (!json_is_object(object)) return fn_err_set(err, FN_E_INVALID, "%s: must be an object", where);
  const json_t *content = json_object_get(object, "content");
  if (!json_is_string(content)) return must_be("content", "a text", where, err);
  token.content = fn_str_make(json_string_value(content), json_string_length(content));
  FN_TRY(fn_json_get_int(&id, object, "id", 0, FN_VOCAB_MAX - 1, NULL, where, err));
  FN_TRY(fn_json_get_bool(&token.single_word, object, "single_word", &no, where, err));
  FN_TRY(fn_json_get_bool(&token.lstrip, object, "lstrip", &no, where, err));
  FN_TRY(fn_json_get_bool(&token.rstrip, object, "rstrip", &no, where, err));
  FN_TRY(fn_json_get_bool(&token.special, object, "special", &no, where, err));
  const bool normalized = !token.special;
  FN_TRY(fn_json_get_bool(&token.normalized, object, "normalized", &normalized, where, err));
  token.id = (int32_t)id;
  if ((size_t)id > spec->n_tokens)
    return fn_err_set(err, FN_E_INVALID, "%s: id %lld leaves a gap, accepted are ids up to %zu", where, (long long)id,
                      spec->n_tokens);
  if ((size_t)id == spec->n_tokens) FN_TRY(fn_tokenizer_spec_add(spec, token.content, err));
  if (!fn_str_equal(spec->tokens[id], token.content))
    return fn_err_set(err, FN_E_INVALID, "%s: id %lld is \"%.60s\" in model.vocab", where, (long long)id,
                      spec->tokens[id].data);
  return fn_tokenizer_spec_add_added(spec, token, err);
}

static int by_id(const void *a, const void *b) {
  json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "id"));
  json_int_t y = json_integer_value(json_object_get(*(json_t *const *)b, "id"));
  return (x > y) - (x < y);
}

/* In order of ids, so that new tokens continue the vocabulary whatever order the file has. */
static fn_status parse_added(fn_tokenizer_spec *spec, const json_t *root, const char *name, fn_err *err) {
  const json_t *list = json_object_get(root, "added_tokens");
  if (!list || json_is_null(list)) return FN_OK;
  if (!json_is_array(list)) return must_be("added_tokens", "a list", name, err);
  size_t n = json_array_size(list);
  if (n > FN_VOCAB_MAX)
    return fn_err_set(err, FN_E_LIMIT, "%s: %zu added_tokens, accepted are up to %d", name, n, FN_VOCAB_MAX);
  FN_AUTO_FREE const json_t **order = fn_mem_calloc(n, sizeof *order);
  if (!order) return fn_err_no_memory(err, "added tokens");
  for (size_t i = 0; i < n; i++) order[i] = json_array_get(list, i);
  qsort(order, n, sizeof *order, by_id);
  for (size_t i = 0; i < n; i++) {
    char where[600];
    snprintf(where, sizeof where, "%.500s: added_tokens (id %lld)", name,
             (long long)json_integer_value(json_object_get(order[i], "id")));
    FN_TRY(parse_added_token(spec, order[i], where, err));
  }
  return FN_OK;
}

/* Config and tokenizer.json say the same things twice; transformers follows the one, tokenizers the other. */
static fn_status check_config(const fn_tokenizer_spec *spec, const fn_tokenizer_config *config, const char *name,
                              const char *config_name, fn_err *err) {
  if (config->do_lower_case >= 0 && (config->do_lower_case == 1) != spec->normalizer.lowercase)
    return fn_err_set(
        err, FN_E_INVALID,
        "%s: \"do_lower_case\" is %s, but normalizer.lowercase in %s is %s; make them agree (transformers "
        "follows the one, tokenizers the other)",
        config_name, config->do_lower_case ? "true" : "false", name, spec->normalizer.lowercase ? "true" : "false");
  return FN_OK;
}

static fn_status parse(fn_tokenizer_spec *spec, const json_t *root, const char *name, fn_str config_text,
                       const char *config_name, fn_err *err) {
  fn_tokenizer_config config;
  if (!json_is_object(root)) return fn_err_set(err, FN_E_INVALID, "%s: must be an object", name);
  const char *version;
  FN_TRY(fn_json_get_string(&version, root, "version", "1.0", name, err));
  if (strcmp(version, "1.0") != 0)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: version is \"%.40s\"; accepted is \"1.0\"", name, version);
  FN_TRY(fn_tokenizer_config_parse(&config, spec, config_text, config_name, err));
  FN_TRY(parse_model(spec, root, name, err)); /* after the config: its unk_token decides */
  FN_TRY(parse_normalizer(spec, root, name, err));
  FN_TRY(check_config(spec, &config, name, config_name, err));
  FN_TRY(parse_pre_tokenizer(root, name, err));
  FN_TRY(fn_post_processor_parse(spec, json_object_get(root, "post_processor"), name, err));
  return parse_added(spec, root, name, err);
}

fn_status fn_tokenizer_parse_json(fn_tokenizer **tokenizer_out, fn_str text, const char *name, fn_str config,
                                  const char *config_name, fn_err *err) {
  FN_AUTO_JSON json_t *root = NULL;
  FN_TRY(fn_json_parse(&root, text, name, err));
  fn_tokenizer_spec spec;
  fn_tokenizer_spec_init(&spec);
  fn_status status = parse(&spec, root, name, config, config_name, err);
  if (status == FN_OK) return fn_tokenizer_build(tokenizer_out, &spec, name, err);
  fn_tokenizer_spec_deinit(&spec);
  return status;
}
