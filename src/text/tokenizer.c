/* From what a tokenizer file says to a tokenizer. */
#include "text/tokenizer.h"

#include <stdlib.h>

static const char *const default_specials[FN_SPECIALS] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};

void fn_tokenizer_spec_init(fn_tokenizer_spec *spec) {
  *spec = (fn_tokenizer_spec){.prefix = fn_str_from("##"), .max_chars = 100};
  spec->normalizer = (fn_normalizer_options){true, true, true, true, true};
  for (size_t i = 0; i < FN_SPECIALS; i++) {
    spec->specials[i] = fn_str_from(default_specials[i]);
    spec->post_ids[i] = -1;
  }
  fn_arena_init(&spec->arena);
}

void fn_tokenizer_spec_deinit(fn_tokenizer_spec *spec) {
  fn_arena_deinit(&spec->arena);
  free(spec->tokens);
  free(spec->added);
  *spec = (fn_tokenizer_spec){0};
}

fn_status fn_tokenizer_spec_add(fn_tokenizer_spec *spec, fn_str token, fn_err *err) {
  FN_TRY(fn_mem_grow((void **)&spec->tokens, &spec->tokens_capacity, spec->n_tokens + 1, sizeof *spec->tokens,
                     FN_VOCAB_MAX, "vocabulary", err));
  char *copy = fn_arena_strndup(&spec->arena, token.data, token.length);
  if (!copy) return fn_err_no_memory(err, "vocabulary");
  spec->tokens[spec->n_tokens++] = (fn_str){copy, token.length};
  return FN_OK;
}

fn_status fn_tokenizer_spec_add_added(fn_tokenizer_spec *spec, fn_added_token token, fn_err *err) {
  FN_TRY(fn_mem_grow((void **)&spec->added, &spec->added_capacity, spec->n_added + 1, sizeof *spec->added, FN_VOCAB_MAX,
                     "added tokens", err));
  char *copy = fn_arena_strndup(&spec->arena, token.content.data, token.content.length);
  if (!copy) return fn_err_no_memory(err, "added tokens");
  token.content.data = copy;
  spec->added[spec->n_added++] = token;
  return FN_OK;
}

fn_status fn_tokenizer_spec_add_specials(fn_tokenizer_spec *spec, fn_err *err) {
  for (size_t id = 0; id < spec->n_model; id++)
    for (size_t i = 0; i < FN_SPECIALS; i++)
      if (fn_str_equal(spec->tokens[id], spec->specials[i])) {
        fn_added_token token = {.content = spec->specials[i], .id = (int32_t)id, .special = true};
        FN_TRY(fn_tokenizer_spec_add_added(spec, token, err));
        break;
      }
  return FN_OK;
}

/* A quoted token for messages: long ones are cut. */
#define TOKEN_FORMAT  "\"%.*s\""
#define TOKEN_ARGS(s) (int)((s).length < 60 ? (s).length : 60), (s).data

static fn_status check_text(fn_str token, size_t id, const char *name, fn_err *err) {
  if (token.length == 0) return fn_err_set(err, FN_E_INVALID, "%s: token %zu is empty", name, id);
  if (token.length > FN_TOKEN_MAX_BYTES)
    return fn_err_set(err, FN_E_LIMIT, "%s: token %zu has %zu bytes, at most %d are accepted", name, id, token.length,
                      FN_TOKEN_MAX_BYTES);
  if (!fn_utf8_valid(token, NULL)) return fn_err_set(err, FN_E_INVALID, "%s: token %zu is not UTF-8", name, id);
  if (memchr(token.data, 0, token.length) || memchr(token.data, '\n', token.length))
    return fn_err_set(err, FN_E_INVALID, "%s: token %zu holds a line break or a zero byte", name, id);
  return FN_OK;
}

static fn_status build_pieces(fn_tokenizer *t, const char *name, fn_err *err) {
  const fn_tokenizer_spec *spec = &t->spec;
  for (size_t id = 0; id < spec->n_model; id++) {
    FN_TRY(check_text(spec->tokens[id], id, name, err));
    int32_t found;
    FN_TRY(fn_trie_add(&t->pieces, &found, spec->tokens[id], (int32_t)id, err));
    if (found >= 0 && spec->by_line)
      return fn_err_set(err, FN_E_INVALID, "%s:%zu: token " TOKEN_FORMAT " stands in line %d already", name, id + 1,
                        TOKEN_ARGS(spec->tokens[id]), found + 1);
    if (found >= 0) /* JSON refuses a key that stands twice, so this is the trainer's */
      return fn_err_set(err, FN_E_INTERNAL, "%s: token " TOKEN_FORMAT " has two ids", name,
                        TOKEN_ARGS(spec->tokens[id]));
  }
  t->continuation = fn_trie_walk(&t->pieces, spec->prefix);
  t->has_continuation = t->continuation != 0 || spec->prefix.length == 0;
  return FN_OK;
}

/* Whether a word of plain bytes, or a symbol beyond ASCII, can be this token. */
static bool is_short_word(const fn_tokenizer *t, fn_str token) {
  if (token.length > FN_SHORT_WORD_BYTES) return false;
  if ((unsigned char)token.data[0] >= 0x80) return fn_utf8_decode(NULL, token.data, token.length) == token.length;
  if (token.length > t->spec.max_chars) return false;
  for (size_t i = 0; i < token.length; i++) {
    unsigned char c = (unsigned char)token.data[i];
    uint8_t class = t->classes.of[c];
    if (class != FN_BYTE_WORD && (class != FN_BYTE_PUNCTUATION || token.length > 1)) return false;
    if (t->byte_lower[c] != token.data[i]) return false;
  }
  return true;
}

/* Their number is kept small by leaving out what only the trie is asked for: fewer cache lines. */
static fn_status build_words(fn_tokenizer *t, fn_err *err) {
  const fn_tokenizer_spec *spec = &t->spec;
  size_t n = 0;
  for (size_t id = 0; id < spec->n_model; id++) n += is_short_word(t, spec->tokens[id]);
  FN_TRY(fn_short_words_init(&t->words, n, err));
  for (size_t id = 0; id < spec->n_model; id++) {
    fn_str token = spec->tokens[id];
    if (is_short_word(t, token))
      fn_short_words_add(&t->words, fn_short_word_make(token.data, token.length), (int32_t)id);
  }
  return FN_OK;
}

/* One text has one id. */
static fn_status check_added(const fn_tokenizer *t, const char *name, fn_err *err) {
  const fn_tokenizer_spec *spec = &t->spec;
  fn_trie contents;
  fn_trie_init(&contents);
  fn_status status = FN_OK;
  for (size_t i = 0; i < spec->n_added && status == FN_OK; i++) {
    const fn_added_token *token = &spec->added[i];
    int32_t found = -1;
    size_t length = 0;
    status = check_text(token->content, (size_t)token->id, name, err);
    if (status == FN_OK) status = fn_trie_add(&contents, &found, token->content, token->id, err);
    if (found < 0 && (size_t)token->id >= spec->n_model) {
      found = fn_trie_longest(&length, &t->pieces, 0, token->content.data, token->content.length);
      if (length != token->content.length) found = -1;
    }
    if (status == FN_OK && found >= 0)
      status = fn_err_set(err, FN_E_INVALID, "%s: added token " TOKEN_FORMAT " (id %d) stands there already as id %d",
                          name, TOKEN_ARGS(token->content), token->id, found);
  }
  fn_trie_deinit(&contents);
  return status;
}

fn_status fn_tokenizer_finish_added(fn_tokenizer *t, const char *name, fn_err *err) {
  const fn_tokenizer_spec *spec = &t->spec;
  fn_aligned aligned;
  fn_normalizer normalizer;
  fn_aligned_init(&aligned);
  fn_normalizer_init(&normalizer, spec->normalizer, fn_aligned_sink, &aligned);
  fn_status status = FN_OK;
  for (size_t i = 0; i < spec->n_added && status == FN_OK; i++) {
    const fn_added_token *token = &spec->added[i];
    fn_str key = token->content;
    if (token->normalized) {
      fn_aligned_reset(&aligned);
      status = fn_normalizer_run(&normalizer, key.data, 0, (uint32_t)key.length, err);
      if (status == FN_OK && aligned.failed) status = fn_err_no_memory(err, "added tokens");
      key = fn_buf_str(&aligned.bytes);
    }
    int32_t found = -1;
    if (status == FN_OK && key.length == 0)
      status = fn_err_set(err, FN_E_INVALID, "%s: added token %d is empty once normalised", name, token->id);
    if (status == FN_OK)
      status = fn_trie_add(token->normalized ? &t->normalized : &t->raw, &found, key, (int32_t)i, err);
    if (status == FN_OK && found >= 0)
      status = fn_err_set(err, FN_E_INVALID, "%s: added tokens %d and %d are the same text once normalised", name,
                          spec->added[found].id, token->id);
  }
  fn_normalizer_deinit(&normalizer);
  fn_aligned_deinit(&aligned);
  return status;
}

static fn_status find_specials(fn_tokenizer *t, const char *name, fn_err *err) {
  int32_t *ids[FN_SPECIALS] = {&t->info.unk_id, &t->info.cls_id, &t->info.sep_id, &t->info.pad_id, &t->info.mask_id};
  for (size_t i = 0; i < FN_SPECIALS; i++) {
    fn_str special = t->spec.specials[i];
    size_t length = 0;
    int32_t id = special.length ? fn_trie_longest(&length, &t->pieces, 0, special.data, special.length) : -1;
    if (id >= 0 && length != special.length) id = -1;
    for (size_t a = 0; id < 0 && i != FN_SPECIAL_UNK && a < t->spec.n_added; a++)
      if (fn_str_equal(t->spec.added[a].content, special)) id = t->spec.added[a].id;
    if (id < 0 && i <= FN_SPECIAL_SEP)
      return fn_err_set(err, FN_E_INVALID, "%s: the vocabulary holds no " TOKEN_FORMAT "; a BERT tokenizer needs it",
                        name, TOKEN_ARGS(special));
    int32_t said = t->spec.post_ids[i];
    if (said >= 0 && said != id)
      return fn_err_set(err, FN_E_INVALID, "%s: post_processor gives " TOKEN_FORMAT " the id %d, the vocabulary %d",
                        name, TOKEN_ARGS(special), said, id);
    *ids[i] = id;
  }
  return FN_OK;
}

void fn_tokenizer_finish_bytes(fn_tokenizer *t) {
  const fn_normalizer_options *options = &t->spec.normalizer;
  for (uint32_t c = 0; c < 128; c++) {
    uint8_t flags = fn_char_get(c)->flags;
    uint8_t class = FN_BYTE_WORD;
    if (c == 0 || (options->clean_text && (flags & FN_CHAR_REMOVED)))
      class = FN_BYTE_OTHER; /* 0 in any case: short_words.h pads with it */
    else if (flags & FN_CHAR_SPACE)
      class = FN_BYTE_SPACE;
    else if (flags & FN_CHAR_PUNCTUATION)
      class = FN_BYTE_PUNCTUATION;
    t->classes.of[c] = class;
    t->byte_lower[c] = (char)((int32_t)c + (options->lowercase ? fn_char_get(c)->lower : 0));
  }
  fn_byte_classes_finish(&t->classes);
  t->classify = fn_block_classify_best();
  t->case_bits = options->lowercase ? 0x2020202020202020U : 0;
}

/* Everything that decides ids, in one order and notation whatever file it came from. */
static fn_status hash_spec(fn_hash128 *hash_out, const fn_tokenizer_spec *spec, fn_err *err) {
  FN_AUTO_BUF fn_buf b;
  fn_buf_init(&b, (size_t)1 << 31);
  const fn_normalizer_options *n = &spec->normalizer;
  fn_buf_printf(&b, "wordpiece 1\n%s\n%d %d %d %d\n%zu %zu %u\n", fn_unicode_engine, n->clean_text,
                n->handle_chinese_chars, n->strip_accents, n->lowercase, spec->n_model, spec->n_tokens,
                spec->max_chars);
  fn_buf_append(&b, spec->prefix.data, spec->prefix.length);
  fn_buf_append_char(&b, '\n');
  for (size_t i = 0; i < FN_SPECIALS; i++) {
    fn_buf_append(&b, spec->specials[i].data, spec->specials[i].length);
    fn_buf_append_char(&b, '\n');
  }
  for (size_t i = 0; i < spec->n_tokens; i++) {
    fn_buf_append(&b, spec->tokens[i].data, spec->tokens[i].length);
    fn_buf_append_char(&b, '\n');
  }
  for (size_t i = 0; i < spec->n_added; i++) {
    const fn_added_token *a = &spec->added[i];
    fn_buf_printf(&b, "%d %d %d %d %d\n", a->id, a->single_word, a->lstrip, a->rstrip, a->normalized);
  }
  FN_TRY(fn_buf_check(&b, "vocabulary", err));
  *hash_out = fn_hash_bytes(b.data, b.length);
  return FN_OK;
}

static int by_id(const void *a, const void *b) {
  const fn_added_token *x = a, *y = b;
  return (x->id > y->id) - (x->id < y->id);
}

static fn_status build(fn_tokenizer *t, const char *name, fn_err *err) {
  fn_tokenizer_spec *spec = &t->spec;
  if (spec->max_chars < 1 || spec->max_chars > FN_WORD_MAX_CHARS)
    return fn_err_set(err, FN_E_LIMIT, "%s: model.max_input_chars_per_word is %u, accepted are 1 to %d", name,
                      spec->max_chars, FN_WORD_MAX_CHARS);
  if (spec->n_added) qsort(spec->added, spec->n_added, sizeof *spec->added, by_id);
  FN_TRY(build_pieces(t, name, err));
  FN_TRY(check_added(t, name, err));
  FN_TRY(fn_tokenizer_finish_added(t, name, err));
  FN_TRY(find_specials(t, name, err));
  fn_tokenizer_finish_bytes(t);
  FN_TRY(build_words(t, err));
  t->info.vocab_size = (int32_t)spec->n_tokens;
  t->info.lowercase = spec->normalizer.lowercase;
  return hash_spec(&t->info.hash, spec, err);
}

fn_status fn_tokenizer_build(fn_tokenizer **tokenizer_out, fn_tokenizer_spec *spec, const char *name, fn_err *err) {
  fn_tokenizer *t = fn_mem_calloc(1, sizeof *t);
  if (!t) {
    fn_tokenizer_spec_deinit(spec);
    return fn_err_no_memory(err, "tokenizer");
  }
  t->spec = *spec;
  *spec = (fn_tokenizer_spec){0};
  fn_status status = build(t, name, err);
  if (status != FN_OK) {
    fn_tokenizer_destroy(t);
    return status;
  }
  *tokenizer_out = t;
  return FN_OK;
}

void fn_tokenizer_destroy(fn_tokenizer *tokenizer) {
  if (!tokenizer) return;
  fn_tokenizer_spec_deinit(&tokenizer->spec);
  fn_trie_deinit(&tokenizer->pieces);
  fn_short_words_deinit(&tokenizer->words);
  fn_trie_deinit(&tokenizer->raw);
  fn_trie_deinit(&tokenizer->normalized);
  free(tokenizer);
}

const fn_tokenizer_info *fn_tokenizer_get_info(const fn_tokenizer *tokenizer) {
  return &tokenizer->info;
}

const char *fn_tokenizer_token(const fn_tokenizer *tokenizer, int32_t id) {
  if (id < 0 || id >= tokenizer->info.vocab_size) return NULL;
  if (tokenizer->spec.tokens) return tokenizer->spec.tokens[id].data;
  const fn_tokenizer_tables *t = &tokenizer->tables;
  const char *text = t->strings + t->index[id / 32];
  for (int32_t i = id % 32; i > 0; i--) text += strlen(text) + 1;
  return text;
}
