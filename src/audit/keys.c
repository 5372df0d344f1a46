#include "audit/keys.h"

#define FACTOR 0x9E3779B97F4A7C15u

static uint64_t mix(uint64_t h) { /* finaliser of MurmurHash3 */
  h ^= h >> 33;
  h *= 0xFF51AFD7ED558CCDu;
  h ^= h >> 33;
  h *= 0xC4CEB9FE1A85EC53u;
  return h ^ (h >> 33);
}

static uint64_t chain(uint64_t h, uint64_t x) {
  return (h ^ x) * FACTOR;
}

typedef struct scan {
  fn_audit_sentence_sink sink;
  void *arg;
  uint64_t word, sentence, all, head;
  uint64_t recent[FN_AUDIT_SENTENCE_WORDS];
  size_t n_words, n_sentence, begin; /* begin: first byte of the sentence's first word */
  bool in_word;
} scan;

static void end_word(scan *s) {
  uint64_t word = mix(s->word);
  s->in_word = false;
  s->all = chain(s->all, word);
  s->sentence = chain(s->sentence, word);
  if (s->n_words < FN_AUDIT_SENTENCE_WORDS) s->head = s->all;
  s->recent[s->n_words % FN_AUDIT_SENTENCE_WORDS] = word;
  s->n_words++;
  s->n_sentence++;
}

static void end_sentence(scan *s, size_t end) {
  if (s->n_sentence >= FN_AUDIT_SENTENCE_WORDS && s->sink)
    s->sink(s->arg, mix(s->sentence), s->n_sentence, s->begin, end);
  s->n_sentence = 0;
  s->sentence = 1;
}

/* Lower case of a letter or digit, 0 for what separates. Above ASCII all bytes count as letters but those of the blocks
 * U+2000 to U+206F (dashes, quotes, spaces) and U+00A0 to U+00BF, which lead. */
static uint32_t class_of(const unsigned char *p, size_t left, size_t *size) {
  unsigned char c = *p;
  *size = 1;
  if (c < 0x80) {
    if (c >= 'A' && c <= 'Z') return c + 0x20U;
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : 0;
  }
  if (c == 0xE2 && left >= 3 && (p[1] == 0x80 || p[1] == 0x81)) return *size = 3, 0U;
  if (c == 0xC2 && left >= 2) return *size = 2, 0U;
  return c;
}

void fn_audit_keys_make(fn_audit_keys *keys_out, fn_str s, fn_audit_sentence_sink sentence, void *arg) {
  scan state = {.sink = sentence, .arg = arg, .sentence = 1, .all = 2};
  const unsigned char *p = (const unsigned char *)s.data;
  for (size_t i = 0, size; i < s.length; i += size) {
    uint32_t c = class_of(p + i, s.length - i, &size);
    if (c) {
      if (!state.in_word) {
        state.in_word = true;
        state.word = 3;
        if (state.n_sentence == 0) state.begin = i;
      }
      state.word = chain(state.word, c);
      continue;
    }
    if (state.in_word) end_word(&state);
    if (p[i] == '.' || p[i] == '!' || p[i] == '?' || p[i] == '\n') end_sentence(&state, i);
  }
  if (state.in_word) end_word(&state);
  end_sentence(&state, s.length);
  fn_audit_keys keys = {state.n_words, mix(state.all), 0, 0};
  if (state.n_words >= (size_t)2 * FN_AUDIT_SENTENCE_WORDS) {
    uint64_t tail = 4;
    for (size_t k = 0; k < FN_AUDIT_SENTENCE_WORDS; k++)
      tail = chain(tail, state.recent[(state.n_words + k) % FN_AUDIT_SENTENCE_WORDS]);
    keys.head = mix(state.head);
    keys.tail = mix(tail);
  }
  *keys_out = keys;
}
