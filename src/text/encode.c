/* Text → tokens: added tokens are cut out, the rest is normalised, split into words and each word into pieces. */
#include "text/tokenizer.h"

#include <stdlib.h>

void fn_tokens_deinit(fn_tokens *tokens) {
  free(tokens->ids);
  free(tokens->begin);
  free(tokens->end);
  *tokens = (fn_tokens){0};
}

/* One call's state. A word is collected with the place of each of its code points. */
typedef struct encoder {
  fn_tokens *tokens;
  const fn_tokenizer *tokenizer;
  const char *text;
  size_t max_tokens;
  fn_normalizer normalizer; /* its sink is take_char */
  fn_status status;         /* first failure inside the sink */
  fn_err *err;
  bool full; /* max_tokens reached */
  /* The word; past max_chars only its end is kept up to date. */
  uint32_t n_chars, n_bytes, word_begin, word_end;
  uint32_t begin[FN_WORD_MAX_CHARS], end[FN_WORD_MAX_CHARS];
  uint16_t bytes_end[FN_WORD_MAX_CHARS]; /* of each code point in `bytes` */
  char bytes[4 * FN_WORD_MAX_CHARS];
} encoder;

static fn_status grow(fn_tokens *t, fn_err *err) {
  size_t needed = t->n + 1, capacity = t->capacity, max = (size_t)1 << 31;
  FN_TRY(fn_mem_grow((void **)&t->ids, &capacity, needed, sizeof *t->ids, max, "tokens", err));
  capacity = t->capacity;
  FN_TRY(fn_mem_grow((void **)&t->begin, &capacity, needed, sizeof *t->begin, max, "tokens", err));
  capacity = t->capacity;
  FN_TRY(fn_mem_grow((void **)&t->end, &capacity, needed, sizeof *t->end, max, "tokens", err));
  t->capacity = capacity;
  return FN_OK;
}

static void add_token(encoder *e, int32_t id, uint32_t begin, uint32_t end) {
  fn_tokens *t = e->tokens;
  if (e->full || e->status != FN_OK) return;
  if (t->n == t->capacity && (e->status = grow(t, e->err)) != FN_OK) return;
  t->ids[t->n] = id;
  t->begin[t->n] = begin;
  t->end[t->n] = end;
  t->n++;
  e->full = t->n == e->max_tokens;
}

/* Greedy longest match from the left (Wu et al. 2016, as in BERT). ends_out gets where each piece ends in the word.
 * Returns the number of pieces, 0 when some part of the word matches nothing. */
static size_t match_pieces(int32_t *ids_out, uint16_t *ends_out, const fn_tokenizer *t, const char *word, size_t n) {
  size_t at = 0, count = 0;
  while (at < n) {
    size_t length = 0;
    if (at && !t->has_continuation) return 0;
    int32_t id = fn_trie_longest(&length, &t->pieces, at ? t->continuation : 0, word + at, n - at);
    if (id < 0) return 0;
    at += length;
    ids_out[count] = id;
    ends_out[count++] = (uint16_t)at;
  }
  return count;
}

static void finish_word(encoder *e) {
  if (e->n_chars == 0) return;
  const fn_tokenizer *t = e->tokenizer;
  int32_t ids[FN_WORD_MAX_CHARS]; /* a piece is one code point at least */
  uint16_t ends[FN_WORD_MAX_CHARS];
  size_t n = e->n_chars > t->spec.max_chars ? 0 : match_pieces(ids, ends, t, e->bytes, e->n_bytes);
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
  encoder *e = arg;
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

/* A word of n ≤ max_chars plain bytes at text[begin]: places follow from positions. */
static void take_plain_word(encoder *e, uint32_t begin, uint32_t n) {
  const fn_tokenizer *t = e->tokenizer;
  char word[FN_WORD_MAX_CHARS];
  int32_t ids[FN_WORD_MAX_CHARS];
  uint16_t ends[FN_WORD_MAX_CHARS];
  for (uint32_t i = 0; i < n; i++) word[i] = t->byte_lower[(unsigned char)e->text[begin + i]];
  if (n > 0 && n <= FN_SHORT_WORD_BYTES) {
    int32_t id = fn_short_words_find(&t->words, fn_short_word_make(word, n));
    if (id >= 0) {
      add_token(e, id, begin, begin + n);
      return;
    }
  }
  size_t count = match_pieces(ids, ends, t, word, n);
  if (count == 0) add_token(e, t->info.unk_id, begin, begin + n);
  for (size_t i = 0, at = 0; i < count; at = ends[i++]) add_token(e, ids[i], begin + (uint32_t)at, begin + ends[i]);
}

/* Takes what can be taken of text[at, end) without the general path; returns how far it came. Only between words. */
static uint32_t take_plain(encoder *e, uint32_t at, uint32_t end) {
  const fn_tokenizer *t = e->tokenizer;
  const unsigned char *text = (const unsigned char *)e->text;
  const uint8_t *class = t->byte_class;
  while (at < end && !e->full) {
    if (class[text[at]] == FN_BYTE_SPACE) {
      at++;
      continue;
    }
    if (class[text[at]] == FN_BYTE_PUNCTUATION) {
      take_plain_word(e, at, 1);
      at++;
      continue;
    }
    uint32_t stop = at;
    while (stop < end && class[text[stop]] == FN_BYTE_WORD) stop++;
    /* A byte of another kind may go on with the word (é), change it (a combining mark) or vanish (a control). */
    if (stop == at || (stop < end && class[text[stop]] == FN_BYTE_OTHER)) return at;
    if (stop - at <= t->spec.max_chars)
      take_plain_word(e, at, stop - at);
    else
      add_token(e, t->info.unk_id, at, stop);
    at = stop;
  }
  return at;
}

/* Words of text[begin, end), which is normalised as a text of its own. */
static fn_status take_piece(encoder *e, uint32_t begin, uint32_t end) {
  fn_normalizer *n = &e->normalizer;
  fn_normalizer_reset(n);
  for (uint32_t at = begin; at < end && !e->full && e->status == FN_OK;) {
    if (e->n_chars == 0 && n->n_marks == 0) {
      at = take_plain(e, at, end);
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
static fn_status take_piece_normalized(encoder *e, fn_aligned *aligned, uint32_t begin, uint32_t end) {
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

static fn_status encode_all(encoder *e, fn_str text) {
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

fn_status fn_tokenizer_encode(fn_tokens *tokens, const fn_tokenizer *tokenizer, fn_str text, size_t max_tokens,
                              fn_err *err) {
  tokens->n = 0;
  if (text.length > (size_t)1 << 31)
    return fn_err_set(err, FN_E_LIMIT, "text of %zu bytes: at most 2147483648 are accepted", text.length);
  encoder e; /* not zeroed as a whole: the word's arrays are filled as needed */
  e.tokens = tokens;
  e.tokenizer = tokenizer;
  e.text = text.data ? text.data : "";
  e.max_tokens = max_tokens;
  e.status = FN_OK;
  e.err = err;
  e.full = false;
  e.n_chars = e.n_bytes = e.word_begin = e.word_end = 0;
  fn_status status = encode_all(&e, text);
  if (status != FN_OK) tokens->n = 0;
  return status;
}
