/* Words of plain bytes, a block of 64 at a time (blocks.h): the beginnings of words and the punctuation in a block are
 * the set bits of a mask. A block begins between words; one that its end would cut is left to the next block, which
 * begins there. So no word is looked at more than twice, and the time is linear in the text. */
#include "text/encode_internal.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
  PADDED = FN_BLOCK_BYTES + FN_SHORT_WORD_BYTES, /* bytes that are read of a block: a word is loaded 16 bytes wide */
};

/* bytes[0 …] is text[at …] in lower case (where the tokenizer asks for that), padded with spaces when the text ends
 * soon; n bytes of them count. */
typedef struct view {
  unsigned char bytes[PADDED];
  uint32_t at, n, end; /* end: of the text to be taken */
} view;

/* Upper-case ASCII letters made lower-case, all else left; case_bits is 0x20 in every byte, or 0 to leave them too. */
static void lower_bytes(unsigned char *to, const unsigned char *from, uint64_t case_bits) {
#if defined(__SSE2__)
  const __m128i bit = _mm_set1_epi8((char)(case_bits & 0xFF));
  for (size_t i = 0; i < PADDED; i += 16) {
    __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(from + i));
    __m128i upper = _mm_and_si128(_mm_cmpgt_epi8(c, _mm_set1_epi8('A' - 1)), _mm_cmplt_epi8(c, _mm_set1_epi8('Z' + 1)));
    _mm_storeu_si128((__m128i *)(void *)(to + i), _mm_or_si128(c, _mm_and_si128(upper, bit)));
  }
#else
  for (size_t i = 0; i < PADDED; i++)
    to[i] = (unsigned char)(from[i] | ((unsigned)(from[i] - 'A') < 26 ? case_bits & 0x20 : 0));
#endif
}

static void put_pieces(fn_encoder_state *e, const int32_t *ids, const uint16_t *ends, size_t n, uint32_t begin,
                       uint32_t length) {
  if (e->tokens->capacity - e->tokens->n < n + 1 + FN_BLOCK_BYTES &&
      fn_encoder_grow(e, n + 1 + FN_BLOCK_BYTES) != FN_OK)
    return;
  if (n == 0) fn_encoder_put(e, e->tokenizer->info.unk_id, begin, begin + length);
  for (size_t i = 0, at = 0; i < n && !e->full; at = ends[i++])
    fn_encoder_put(e, ids[i], begin + (uint32_t)at, begin + ends[i]);
}

/* Any word of at most max_chars plain bytes. */
static void take_long_word(fn_encoder_state *e, uint32_t begin, uint32_t n) {
  char word[FN_WORD_MAX_CHARS];
  int32_t ids[FN_WORD_MAX_CHARS];
  uint16_t ends[FN_WORD_MAX_CHARS];
  for (uint32_t i = 0; i < n; i++) word[i] = e->tokenizer->byte_lower[(unsigned char)e->text[begin + i]];
  put_pieces(e, ids, ends, fn_encoder_match(ids, ends, e->tokenizer, word, n), begin, n);
}

/* A word of up to 16 bytes that is not one token. */
static void take_pieces(fn_encoder_state *e, fn_short_word word, uint32_t begin, uint32_t n) {
  fn_cached_word *set = e->cache ? fn_word_cache_set(e->cache, word) : NULL;
  const fn_cached_word *known = set ? fn_word_cache_find(set, word) : NULL;
  uint16_t ends[FN_SHORT_WORD_BYTES];
  if (known) {
    for (size_t i = 0; i < known->n; i++) ends[i] = known->ends[i];
    put_pieces(e, known->ids, ends, known->n, begin, n);
    return;
  }
  char bytes[FN_SHORT_WORD_BYTES];
  int32_t ids[FN_SHORT_WORD_BYTES];
  memcpy(bytes, &word, sizeof bytes);
  size_t count = fn_encoder_match(ids, ends, e->tokenizer, bytes, n);
  put_pieces(e, ids, ends, count, begin, n);
  if (!set || count > FN_CACHED_PIECES) return;
  fn_cached_word entry = {.word = word, .n = (uint8_t)count};
  for (size_t i = 0; i < count; i++) {
    entry.ids[i] = ids[i];
    entry.ends[i] = (uint8_t)ends[i];
  }
  fn_word_cache_put(set, &entry);
}

static inline void take_short_word(fn_encoder_state *e, fn_short_word word, size_t slot, uint32_t begin, uint32_t n) {
  int32_t id = fn_short_words_find_at(&e->tokenizer->words, word, slot);
  if (id >= 0)
    fn_encoder_put(e, id, begin, begin + n);
  else
    take_pieces(e, word, begin, n);
}

/* Punctuation and spaces beyond ASCII that normalisation leaves as they are (“ ” ’ — …): whatever stands before or
 * after, they separate. Returns their bytes, 0 for anything else. */
static uint32_t symbol_at(bool *space_out, const fn_encoder_state *e, uint32_t at, uint32_t end) {
  uint32_t c;
  size_t n = fn_char_read(&c, e->text + at, end - at);
  if (n < 2) return 0;
  const fn_char *char_at = fn_char_get(c);
  const uint8_t separates = FN_CHAR_PUNCTUATION | FN_CHAR_SPACE;
  if (!(char_at->flags & separates) || (char_at->flags & ~(separates | FN_CHAR_BLANK)) || char_at->rank ||
      char_at->n_decomposed || char_at->lower)
    return 0;
  *space_out = (char_at->flags & FN_CHAR_SPACE) != 0;
  return (uint32_t)n;
}

static void take_symbol(fn_encoder_state *e, uint32_t at, uint32_t n) {
  fn_short_word word = fn_short_word_make(e->text + at, n);
  take_short_word(e, word, fn_short_words_slot(&e->tokenizer->words, word), at, n);
}

/* A word that fills the block from its begin on; returns its end, or `at` when what follows it belongs to it. */
static uint32_t take_filling_word(fn_encoder_state *e, uint32_t at, uint32_t end) {
  const fn_tokenizer *t = e->tokenizer;
  bool space;
  uint32_t stop = at;
  while (stop < end && t->classes.of[(unsigned char)e->text[stop]] == FN_BYTE_WORD) stop++;
  if (stop < end && t->classes.of[(unsigned char)e->text[stop]] == FN_BYTE_OTHER && !symbol_at(&space, e, stop, end))
    return at;
  if (stop - at > t->spec.max_chars)
    fn_encoder_put(e, t->info.unk_id, at, stop);
  else
    take_long_word(e, at, stop - at);
  return stop;
}

/* A word or a byte of punctuation of a block. */
typedef struct unit {
  fn_short_word word; /* unless n is over FN_SHORT_WORD_BYTES */
  size_t slot;
  uint32_t from, n;
} unit;

/* Units of a block, in order, up to byte `stop`; where they are to be found in the table of words is fetched now, so
 * that it is there when they are taken: half of the time would be waiting for memory otherwise. *rest_out is where the
 * next block begins: behind the last unit, or at the word that the block cuts or that belongs to the byte at `stop`. */
static size_t list_units(unit *units, uint32_t *rest_out, const fn_tokenizer *t, const view *v, const fn_block *b,
                         uint32_t stop, bool joins) {
  uint64_t begins = (b->word & ~(b->word << 1)) | b->punctuation, ends = ~b->word | b->punctuation << 1;
  uint32_t limit = joins ? stop : UINT32_MAX; /* no word ends there */
  size_t count = 0;
  if (stop < FN_BLOCK_BYTES) begins &= ((uint64_t)1 << stop) - 1;
  if (v->n == FN_BLOCK_BYTES && stop >= FN_BLOCK_BYTES) limit = FN_BLOCK_BYTES;
  *rest_out = stop < v->n ? stop : v->n;
  for (; begins; begins &= begins - 1) {
    uint32_t from = (uint32_t)__builtin_ctzll(begins);
    uint64_t rest = ends >> from >> 1;
    uint32_t n = rest ? 1 + (uint32_t)__builtin_ctzll(rest) : FN_BLOCK_BYTES - from;
    if (from + n == limit && !(b->punctuation >> from & 1)) {
      *rest_out = from;
      return count;
    }
    unit *u = &units[count++];
    u->from = from;
    u->n = n;
    if (n > FN_SHORT_WORD_BYTES) continue;
    u->word = fn_short_word_load(v->bytes + from, n);
    u->slot = fn_short_words_slot(&t->words, u->word);
    __builtin_prefetch(&t->words.entries[u->slot]);
  }
  return count;
}

/* Units from i on that are one token, up to the first that is not (or to max_tokens); returns its number. There is room
 * for all of them. */
static size_t put_known(fn_encoder_state *e, const unit *units, size_t i, size_t count, uint32_t at, uint32_t most) {
  const fn_short_words *words = &e->tokenizer->words;
  fn_tokens *tokens = e->tokens;
  int32_t *ids = tokens->ids;
  uint32_t *begins = tokens->begin, *ends = tokens->end;
  size_t n = tokens->n, room = e->max_tokens - n;
  if (count - i > room) count = i + room;
  for (; i < count; i++, n++) {
    const unit *u = &units[i];
    if (u->n > most) break;
    /* NOLINTNEXTLINE: no unit is longer than FN_SHORT_WORD_BYTES here, so word and slot are set */
    int32_t id = fn_short_words_find_at(words, u->word, u->slot);
    if (id < 0) break;
    ids[n] = id;
    begins[n] = at + u->from;
    ends[n] = at + u->from + u->n;
  }
  tokens->n = n;
  e->full = n >= e->max_tokens;
  return i;
}

/* Takes what stands before byte v->n of a block, or before what needs the normaliser (*general_out). Returns how many
 * bytes were taken. */
static uint32_t take_block(bool *general_out, fn_encoder_state *e, const view *v, const fn_block *b) {
  const fn_tokenizer *t = e->tokenizer;
  uint32_t stop = b->other ? (uint32_t)__builtin_ctzll(b->other) : FN_BLOCK_BYTES, symbol = 0, rest;
  bool space = false;
  if (stop < v->n) symbol = symbol_at(&space, e, v->at + stop, v->end);
  unit units[FN_BLOCK_BYTES];
  size_t count = list_units(units, &rest, t, v, b, stop, stop < v->n && !symbol);
  uint32_t most = t->spec.max_chars < FN_SHORT_WORD_BYTES ? t->spec.max_chars : FN_SHORT_WORD_BYTES;
  for (size_t i = 0; i < count;) {
    i = put_known(e, units, i, count, v->at, most);
    /* NOLINTNEXTLINE: i ≥ 1, because it was not full before */
    if (e->full) return units[i - 1].from + units[i - 1].n;
    if (i == count) break;
    const unit *u = &units[i++];
    uint32_t begin = v->at + u->from;
    if (u->n > t->spec.max_chars)
      fn_encoder_put(e, t->info.unk_id, begin, begin + u->n);
    else if (u->n > FN_SHORT_WORD_BYTES)
      take_long_word(e, begin, u->n);
    else
      take_pieces(e, u->word, begin, u->n);
    if (e->full || e->status != FN_OK) return u->from + u->n;
  }
  if (stop >= v->n || rest < stop) {
    *general_out = stop < v->n;
    return rest;
  }
  *general_out = !symbol;
  if (symbol && !space) take_symbol(e, v->at + stop, symbol);
  return stop + symbol;
}

uint32_t fn_encoder_take_plain(fn_encoder_state *e, uint32_t at, uint32_t end) {
  const fn_tokenizer *t = e->tokenizer;
  const unsigned char *text = (const unsigned char *)e->text;
  unsigned char padded[PADDED];
  bool general = false;
  while (at < end && !e->full && !general) {
    view v; /* bytes are filled below */
    v.at = at;
    v.end = end;
    v.n = end - at < FN_BLOCK_BYTES ? end - at : FN_BLOCK_BYTES;
    const unsigned char *bytes = text + at;
    if (end - at < PADDED) {
      memset(padded, ' ', sizeof padded);
      bytes = memcpy(padded, text + at, end - at);
    }
    lower_bytes(v.bytes, bytes, t->case_bits);
    fn_tokens *tokens = e->tokens;
    if (tokens->capacity - tokens->n < FN_BLOCK_BYTES + 1 && fn_encoder_grow(e, FN_BLOCK_BYTES + 1) != FN_OK) return at;
    fn_block block;
    t->classify(&block, &t->classes, bytes);
    uint32_t taken = take_block(&general, e, &v, &block);
    if (e->status != FN_OK) return at;
    at += taken;
    if (taken == 0 && !general && !e->full) { /* a word of 64 bytes or more */
      uint32_t stop = take_filling_word(e, at, end);
      if (stop == at) return at;
      at = stop;
    }
  }
  return at;
}
