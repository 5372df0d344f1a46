/* Text → tokens: added tokens are cut out, the rest is normalised, split into words and each word into pieces. */
#include "text/encode_internal.h"

#include <stdlib.h>

void fn_tokens_deinit(fn_tokens *tokens) {
  free(tokens->ids);
  free(tokens->begin);
  free(tokens->end);
  *tokens = (fn_tokens){0};
}

fn_status fn_encoder_grow(fn_encoder_state *e, size_t extra) {
  fn_tokens *t = e->tokens;
  size_t needed = t->n + extra, capacity = t->capacity, max = ((size_t)1 << 31) + FN_BLOCK_BYTES;
  e->status = fn_mem_grow((void **)&t->ids, &capacity, needed, sizeof *t->ids, max, "tokens", e->err);
  capacity = t->capacity;
  if (e->status == FN_OK)
    e->status = fn_mem_grow((void **)&t->begin, &capacity, needed, sizeof *t->begin, max, "tokens", e->err);
  capacity = t->capacity;
  if (e->status == FN_OK)
    e->status = fn_mem_grow((void **)&t->end, &capacity, needed, sizeof *t->end, max, "tokens", e->err);
  if (e->status == FN_OK) t->capacity = capacity;
  return e->status;
}

static void add_token(fn_encoder_state *e, int32_t id, uint32_t begin, uint32_t end) {
  if (e->full || e->status != FN_OK) return;
  if (e->tokens->n == e->tokens->capacity && fn_encoder_grow(e, 1) != FN_OK) return;
  fn_encoder_put(e, id, begin, end);
}

size_t fn_encoder_match(int32_t *ids_out, uint16_t *ends_out, const fn_tokenizer *t, const char *word, size_t n) {
  size_t at = 0, count = 0;
  while (at < n) {
    size_t length = 0;
    if (at && !t->has_continuation) return 0;
    int32_t id = fn_trie_longest(&length, &t->pieces, at ? t->continuation : 0, word + at, n - at);
    if (id < 0) return 0;
    at += length;
    /* A vocabulary is UTF-8, but the trie of a damaged packed file may end a piece within a code point: more pieces
     * than code points would not fit. */
    if (at < n && ((unsigned char)word[at] & 0xC0) == 0x80) return 0;
    ids_out[count] = id;
    ends_out[count++] = (uint16_t)at;
  }
  return count;
}

static void finish_word(fn_encoder_state *e) {
  if (e->n_chars == 0) return;
  const fn_tokenizer *t = e->tokenizer;
  int32_t ids[FN_WORD_MAX_CHARS]; /* a piece is one code point at least */
  uint16_t ends[FN_WORD_MAX_CHARS];
  size_t n = e->n_chars > t->spec.max_chars ? 0 : fn_encoder_match(ids, ends, t, e->bytes, e->n_bytes);
  if (n == 0) add_token(e, t->info.unk_id, e->word_begin, e->word_end);
  for (size_t i = 0, c = 0; i < n; i++) {
    uint32_t begin = e->begin[c];
    while (e->bytes_end[c] < ends[i]) c++;
    add_token(e, ids[i], begin, e->end[c++]);
  }
  e->n_chars = e->n_bytes = 0;
}

/* Sink of the normaliser: white space ends a word, punctuation is one. */
static void take_char(void *arg, uint32_t code_point, uint32_t begin, uint32_t end) {
  fn_encoder_state *e = arg;
  uint8_t flags = fn_char_get(code_point)->flags;
  if (flags & (FN_CHAR_SPACE | FN_CHAR_PUNCTUATION)) {
    finish_word(e);
    if (flags & FN_CHAR_SPACE) return;
  }
  if (e->n_chars == 0) e->word_begin = begin;
  e->word_end = end;
  if (e->n_chars < e->tokenizer->spec.max_chars) {
    e->n_bytes += (uint32_t)fn_utf8_encode(e->bytes + e->n_bytes, code_point);
    e->begin[e->n_chars] = begin;
    e->end[e->n_chars] = end;
    e->bytes_end[e->n_chars] = (uint16_t)e->n_bytes;
  }
  if (e->n_chars <= e->tokenizer->spec.max_chars) e->n_chars++;
  if (flags & FN_CHAR_PUNCTUATION) finish_word(e);
}

/* Words of text[begin, end), which is normalised as a text of its own. */
static fn_status take_piece(fn_encoder_state *e, uint32_t begin, uint32_t end) {
  fn_normalizer *n = &e->normalizer;
  fn_normalizer_reset(n);
  for (uint32_t at = begin; at < end && !e->full && e->status == FN_OK;) {
    if (e->n_chars == 0 && n->n_marks == 0) {
      at = fn_encoder_take_plain(e, at, end);
      if (at >= end || e->full) break;
    }
    uint32_t c;
    uint32_t length = (uint32_t)fn_char_read(&c, e->text + at, end - at);
    FN_TRY(fn_normalizer_push(n, c, at, at + length, e->err));
    at += length;
  }
  FN_TRY(fn_normalizer_flush(n, e->err));
  finish_word(e);
  return e->status;
}

/* As take_piece when there are added tokens to be found in the normalised text. */
static fn_status take_piece_normalized(fn_encoder_state *e, fn_aligned *aligned, uint32_t begin, uint32_t end) {
  const fn_tokenizer *t = e->tokenizer;
  fn_aligned_reset(aligned);
  FN_TRY(fn_normalizer_run(&e->normalizer, e->text, begin, end, e->err));
  if (aligned->failed) return fn_err_no_memory(e->err, "normalised text");
  fn_added_scan scan = {t->spec.added, &t->normalized, aligned->bytes.data, aligned->bytes.length, 0, 0};
  for (bool more = true; more && !e->full;) {
    fn_added_match match;
    more = fn_added_next(&match, &scan);
    if (!more) match = (fn_added_match){.gap_begin = scan.taken, .gap_end = scan.length};
    for (size_t at = match.gap_begin; at < match.gap_end;) {
      uint32_t c;
      size_t length = fn_char_read(&c, scan.text + at, match.gap_end - at);
      take_char(e, c, aligned->begin[at], aligned->end[at]);
      at += length;
    }
    finish_word(e);
    if (more && match.begin < match.end)
      add_token(e, match.token->id, aligned->begin[match.begin], aligned->end[match.end - 1]);
  }
  return e->status;
}

static fn_status encode_all(fn_encoder_state *e, fn_str text) {
  const fn_tokenizer *t = e->tokenizer;
  fn_added_scan scan = {t->spec.added, &t->raw, text.data, text.length, 0, 0};
  bool find_normalized = t->normalized.edges != NULL;
  fn_aligned aligned;
  fn_aligned_init(&aligned);
  fn_normalizer_init(&e->normalizer, t->spec.normalizer, find_normalized ? fn_aligned_sink : take_char,
                     find_normalized ? (void *)&aligned : (void *)e);
  fn_status status = FN_OK;
  for (bool more = true; more && !e->full && status == FN_OK;) {
    fn_added_match match;
    more = fn_added_next(&match, &scan);
    if (!more) match = (fn_added_match){.gap_begin = scan.taken, .gap_end = text.length};
    if (match.gap_begin < match.gap_end) {
      uint32_t begin = (uint32_t)match.gap_begin, end = (uint32_t)match.gap_end;
      status = find_normalized ? take_piece_normalized(e, &aligned, begin, end) : take_piece(e, begin, end);
    }
    if (more && status == FN_OK) add_token(e, match.token->id, (uint32_t)match.begin, (uint32_t)match.end);
    if (status == FN_OK) status = e->status;
  }
  fn_normalizer_deinit(&e->normalizer);
  fn_aligned_deinit(&aligned);
  return status;
}

fn_status fn_tokenizer_encode_cached(fn_tokens *tokens, const fn_tokenizer *tokenizer, fn_word_cache *cache,
                                     fn_str text, size_t max_tokens, fn_err *err) {
  tokens->n = 0;
  if (text.length > (size_t)1 << 31)
    return fn_err_set(err, FN_E_LIMIT, "text of %zu bytes: at most 2147483648 are accepted", text.length);
  fn_encoder_state e;      /* not zeroed as a whole: the word's arrays are filled as needed */
  fn_tokens own = *tokens; /* n changes all the time, and the caller's may lie beside those of another thread */
  e.tokens = &own;
  e.tokenizer = tokenizer;
  e.cache = cache;
  e.text = text.data ? text.data : "";
  e.max_tokens = max_tokens ? max_tokens : SIZE_MAX;
  e.status = FN_OK;
  e.err = err;
  e.full = false;
  e.n_chars = e.n_bytes = e.word_begin = e.word_end = 0;
  if (cache) fn_word_cache_bind(cache, tokenizer);
  fn_status status = encode_all(&e, text);
  if (status != FN_OK) own.n = 0;
  *tokens = own;
  return status;
}

fn_status fn_tokenizer_encode(fn_tokens *tokens, const fn_tokenizer *tokenizer, fn_str text, size_t max_tokens,
                              fn_err *err) {
  return fn_tokenizer_encode_cached(tokens, tokenizer, NULL, text, max_tokens, err);
}
