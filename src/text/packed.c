/* A tokenizer as tables in a packed model file. The trie is used where it lies; the table of short words is not kept
 * (a megabyte that the word cache of a session makes good), so such a tokenizer looks every word up in the trie. */
#include "text/tokenizer.h"

#include <stdlib.h>

static const char *const special_keys[FN_SPECIALS] = {"unk", "cls", "sep", "pad", "mask"};
enum { PER_INDEX = 32 };

static void write_description(fn_buf *json, const fn_tokenizer *t) {
  const fn_tokenizer_spec *spec = &t->spec;
  const int32_t ids[FN_SPECIALS] = {t->info.unk_id, t->info.cls_id, t->info.sep_id, t->info.pad_id, t->info.mask_id};
  char hash[33];
  fn_hash_format(hash, t->info.hash);
  fn_json_writer w;
  fn_json_begin(&w, json, 0);
  fn_json_object(&w, NULL);
  fn_json_text(&w, "type", "wordpiece");
  fn_json_text(&w, "unicode", fn_unicode_engine);
  fn_json_text(&w, "hash", hash);
  fn_json_int(&w, "n_tokens", (int64_t)spec->n_tokens);
  fn_json_int(&w, "n_model", (int64_t)spec->n_model);
  fn_json_int(&w, "max_chars", spec->max_chars);
  fn_json_int(&w, "model_max_length", spec->model_max_length);
  fn_json_str(&w, "prefix", spec->prefix);
  fn_json_bool(&w, "clean_text", spec->normalizer.clean_text);
  fn_json_bool(&w, "handle_chinese_chars", spec->normalizer.handle_chinese_chars);
  fn_json_bool(&w, "lowercase", spec->normalizer.lowercase);
  fn_json_bool(&w, "strip_accents", spec->normalizer.strip_accents);
  fn_json_bool(&w, "strip_accents_is_null", spec->normalizer.strip_accents_is_null);
  for (size_t i = 0; i < FN_SPECIALS; i++) {
    fn_json_object(&w, special_keys[i]);
    fn_json_str(&w, "token", spec->specials[i]);
    fn_json_int(&w, "id", ids[i]);
    fn_json_end(&w);
  }
  fn_added_tokens_write(&w, "added", spec);
  fn_json_end(&w);
}

fn_status fn_tokenizer_pack(fn_tokenizer_tables *tables_out, fn_buf *json, const fn_tokenizer *tokenizer, fn_err *err) {
  size_t n_tokens = (size_t)tokenizer->info.vocab_size, n_index = (n_tokens + PER_INDEX - 1) / PER_INDEX;
  fn_buf strings;
  fn_buf_init(&strings, (size_t)1 << 31);
  FN_AUTO_FREE uint32_t *index = fn_mem_alloc(n_index, sizeof *index);
  if (!index) return fn_err_no_memory(err, "tables of the tokenizer");
  for (size_t i = 0; i < n_tokens; i++) {
    const char *token = fn_tokenizer_token(tokenizer, (int32_t)i);
    if (i % PER_INDEX == 0) index[i / PER_INDEX] = (uint32_t)strings.length;
    fn_buf_append(&strings, token, strlen(token) + 1);
  }
  fn_status status = fn_buf_check(&strings, "tables of the tokenizer", err);
  if (status != FN_OK) {
    fn_buf_deinit(&strings);
    return status;
  }
  const fn_trie *trie = &tokenizer->pieces;
  *tables_out = (fn_tokenizer_tables){
      .strings = strings.data,
      .n_strings = strings.length,
      .index = FN_STEAL(index),
      .n_index = n_index,
      .edges = &trie->edges[0].key,
      .n_edges = (size_t)1 << (32 - trie->shift),
      .values = trie->values,
      .n_values = trie->n_nodes,
  };
  write_description(json, tokenizer);
  return FN_OK;
}

static fn_status check_edges(uint32_t *shift_out, const fn_tokenizer_tables *t, const char *name, fn_err *err) {
  uint32_t bits = 8;
  while (bits < 24 && ((size_t)1 << bits) < t->n_edges) bits++;
  if (t->n_edges != (size_t)1 << bits || t->n_values < 1 || t->n_values > FN_TRIE_MAX_NODES)
    return fn_err_set(err, FN_E_INVALID,
                      "%s: tokenizer.edges has %zu places and tokenizer.values %zu; accepted are a power of two from "
                      "256 to 16777216, and 1 to %d",
                      name, t->n_edges, t->n_values, FN_TRIE_MAX_NODES);
  bool any_empty = false;
  uint32_t most = 0; /* of the children: a maximum over all of them costs no branch each */
  for (size_t i = 0; i < t->n_edges; i++) {
    uint32_t child = t->edges[2 * i + 1] & ~FN_TRIE_FINAL;
    any_empty |= t->edges[2 * i] == 0;
    most = child > most ? child : most;
  }
  if (!any_empty || most >= t->n_values)
    return fn_err_set(err, FN_E_INVALID, "%s: tokenizer.edges %s", name,
                      any_empty ? "leads to a node beyond tokenizer.values" : "has no empty place");
  *shift_out = 32 - bits;
  return FN_OK;
}

static fn_status check_values(const fn_tokenizer_tables *t, int64_t n_model, const char *name, fn_err *err) {
  int32_t least = 0, most = 0;
  for (size_t i = 0; i < t->n_values; i++) {
    least = t->values[i] < least ? t->values[i] : least;
    most = t->values[i] > most ? t->values[i] : most;
  }
  if (least < -1 || most >= n_model)
    return fn_err_set(err, FN_E_INVALID, "%s: tokenizer.values holds a token beyond the vocabulary of %lld", name,
                      (long long)n_model);
  return FN_OK;
}

/* Every place of the index begins a text, and 32 texts (or what is left) end before the strings do. */
static fn_status check_strings(const fn_tokenizer_tables *t, int64_t n_tokens, const char *name, fn_err *err) {
  bool ok = t->n_strings > 0 && t->n_strings <= UINT32_MAX && t->strings[t->n_strings - 1] == 0 &&
            t->n_index == (size_t)((n_tokens + PER_INDEX - 1) / PER_INDEX) && t->index[0] == 0;
  for (size_t i = 1; ok && i < t->n_index; i++)
    ok = t->index[i] > t->index[i - 1] && t->index[i] < t->n_strings && t->strings[t->index[i] - 1] == 0;
  for (size_t i = 0; ok && i < t->n_index; i++) {
    size_t left = (size_t)n_tokens - i * PER_INDEX, wanted = left < PER_INDEX ? left : PER_INDEX, n = 0;
    const char *p = t->strings + t->index[i], *end = t->strings + (i + 1 < t->n_index ? t->index[i + 1] : t->n_strings);
    while (p < end) {
      p += strlen(p) + 1;
      n++;
    }
    ok = n == wanted;
  }
  return ok ? FN_OK
            : fn_err_set(err, FN_E_INVALID, "%s: tokenizer.strings and tokenizer.index do not give %lld texts", name,
                         (long long)n_tokens);
}

static fn_status read_text(fn_str *out, fn_tokenizer_spec *spec, const json_t *object, const char *key,
                           const char *name, fn_err *err) {
  const char *text;
  FN_TRY(fn_json_get_string(&text, object, key, NULL, name, err));
  size_t n = strlen(text);
  if (n > FN_TOKEN_MAX_BYTES) return fn_err_set(err, FN_E_LIMIT, "%s: %s is too long", name, key);
  out->data = fn_arena_strndup(&spec->arena, text, n);
  out->length = n;
  return out->data ? FN_OK : fn_err_no_memory(err, "tokenizer");
}

static fn_status read_added(fn_tokenizer_spec *spec, const json_t *list, const char *name, fn_err *err) {
  if (!json_is_array(list) || json_array_size(list) > FN_VOCAB_MAX)
    return fn_err_set(err, FN_E_INVALID, "%s: added must be a list of tokens", name);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *item = json_array_get(list, i);
    fn_added_token token = {0};
    int64_t id;
    FN_TRY(fn_json_get_int(&id, item, "id", 0, (int64_t)spec->n_tokens - 1, NULL, name, err));
    token.id = (int32_t)id;
    FN_TRY(fn_json_get_bool(&token.single_word, item, "single_word", NULL, name, err));
    FN_TRY(fn_json_get_bool(&token.lstrip, item, "lstrip", NULL, name, err));
    FN_TRY(fn_json_get_bool(&token.rstrip, item, "rstrip", NULL, name, err));
    FN_TRY(fn_json_get_bool(&token.normalized, item, "normalized", NULL, name, err));
    FN_TRY(fn_json_get_bool(&token.special, item, "special", NULL, name, err));
    FN_TRY(read_text(&token.content, spec, item, "content", name, err));
    if (token.content.length == 0) return fn_err_set(err, FN_E_INVALID, "%s: an added token is empty", name);
    FN_TRY(fn_tokenizer_spec_add_added(spec, token, err));
  }
  return FN_OK;
}

static bool read_hex(uint64_t *out, const char *digits) {
  *out = 0;
  for (int i = 0; i < 16; i++) {
    char c = digits[i];
    int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (value < 0) return false;
    *out = *out << 4 | (uint64_t)value;
  }
  return true;
}

static fn_status read_hash(fn_hash128 *out, const json_t *object, const char *name, fn_err *err) {
  const char *hash;
  FN_TRY(fn_json_get_string(&hash, object, "hash", NULL, name, err));
  if (strlen(hash) != 32 || !read_hex(&out->high, hash) || !read_hex(&out->low, hash + 16))
    return fn_err_set(err, FN_E_INVALID, "%s: hash must be 32 hexadecimal digits", name);
  return FN_OK;
}

static fn_status read_normalizer(fn_normalizer_options *n, const json_t *object, const char *name, fn_err *err) {
  FN_TRY(fn_json_get_bool(&n->clean_text, object, "clean_text", NULL, name, err));
  FN_TRY(fn_json_get_bool(&n->handle_chinese_chars, object, "handle_chinese_chars", NULL, name, err));
  FN_TRY(fn_json_get_bool(&n->lowercase, object, "lowercase", NULL, name, err));
  FN_TRY(fn_json_get_bool(&n->strip_accents, object, "strip_accents", NULL, name, err));
  return fn_json_get_bool(&n->strip_accents_is_null, object, "strip_accents_is_null", NULL, name, err);
}

static fn_status read_specials(fn_tokenizer *t, const json_t *object, const char *name, fn_err *err) {
  int32_t *ids[FN_SPECIALS] = {&t->info.unk_id, &t->info.cls_id, &t->info.sep_id, &t->info.pad_id, &t->info.mask_id};
  for (size_t i = 0; i < FN_SPECIALS; i++) {
    const json_t *item = json_object_get(object, special_keys[i]);
    int64_t id;
    FN_TRY(
        fn_json_get_int(&id, item, "id", i <= FN_SPECIAL_SEP ? 0 : -1, (int64_t)t->spec.n_tokens - 1, NULL, name, err));
    FN_TRY(read_text(&t->spec.specials[i], &t->spec, item, "token", name, err));
    *ids[i] = (int32_t)id;
  }
  return FN_OK;
}

static fn_status read_description(fn_tokenizer *t, const json_t *object, const char *name, fn_err *err) {
  fn_tokenizer_spec *spec = &t->spec;
  const char *type, *engine;
  int64_t n_tokens, n_model, max_chars;
  FN_TRY(fn_json_get_string(&type, object, "type", NULL, name, err));
  FN_TRY(fn_json_get_string(&engine, object, "unicode", NULL, name, err));
  if (strcmp(type, "wordpiece") != 0)
    return fn_err_set(err, FN_E_UNSUPPORTED, "%s: type is \"%s\", not \"wordpiece\"", name, type);
  FN_TRY(fn_json_get_int(&n_tokens, object, "n_tokens", 1, FN_VOCAB_MAX, NULL, name, err));
  FN_TRY(fn_json_get_int(&n_model, object, "n_model", 1, n_tokens, NULL, name, err));
  FN_TRY(fn_json_get_int(&max_chars, object, "max_chars", 1, FN_WORD_MAX_CHARS, NULL, name, err));
  FN_TRY(fn_json_get_int(&spec->model_max_length, object, "model_max_length", 0, INT64_MAX, NULL, name, err));
  spec->n_tokens = (size_t)n_tokens;
  spec->n_model = (size_t)n_model;
  spec->max_chars = (uint32_t)max_chars;
  FN_TRY(read_text(&spec->prefix, spec, object, "prefix", name, err));
  FN_TRY(read_normalizer(&spec->normalizer, object, name, err));
  FN_TRY(read_specials(t, object, name, err));
  FN_TRY(read_added(spec, json_object_get(object, "added"), name, err));
  return read_hash(&t->info.hash, object, name, err);
}

static fn_status open_packed(fn_tokenizer *t, fn_str json, const char *name, fn_err *err) {
  FN_AUTO_JSON json_t *object = NULL;
  const fn_tokenizer_tables *tables = &t->tables;
  uint32_t shift = 0;
  FN_TRY(fn_json_parse(&object, json, name, err));
  FN_TRY(read_description(t, object, name, err));
  FN_TRY(check_edges(&shift, tables, name, err));
  FN_TRY(check_values(tables, (int64_t)t->spec.n_model, name, err));
  FN_TRY(check_strings(tables, (int64_t)t->spec.n_tokens, name, err));
  t->pieces = (fn_trie){.n_nodes = tables->n_values, .shift = shift, .borrowed = true};
  memcpy(&t->pieces.edges, &tables->edges, sizeof t->pieces.edges); /* only read */
  memcpy(&t->pieces.values, &tables->values, sizeof t->pieces.values);
  t->continuation = fn_trie_walk(&t->pieces, t->spec.prefix);
  t->has_continuation = t->continuation != 0 || t->spec.prefix.length == 0;
  FN_TRY(fn_tokenizer_finish_added(t, name, err));
  fn_tokenizer_finish_bytes(t);
  t->info.vocab_size = (int32_t)t->spec.n_tokens;
  t->info.lowercase = t->spec.normalizer.lowercase;
  return fn_short_words_init(&t->words, 0, err);
}

fn_status fn_tokenizer_open_packed(fn_tokenizer **tokenizer_out, const fn_tokenizer_tables *tables, fn_str json,
                                   const char *name, fn_err *err) {
  fn_tokenizer *t = fn_mem_calloc(1, sizeof *t);
  if (!t) return fn_err_no_memory(err, "tokenizer");
  fn_tokenizer_spec_init(&t->spec);
  t->tables = *tables;
  fn_status status = open_packed(t, json, name, err);
  if (status != FN_OK) {
    fn_tokenizer_destroy(t);
    return status;
  }
  *tokenizer_out = t;
  return FN_OK;
}
