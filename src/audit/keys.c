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
  uint64_t sentence, all, head;
  uint64_t recent[FN_AUDIT_SENTENCE_WORDS];
  size_t n_words, n_sentence, begin; /* begin: first byte of the sentence's first word */
} scan;

/* Eight bytes a step; the bit that tells small letters from capitals is set in all. */
static uint64_t hash_word(const unsigned char *p, size_t n, size_t readable) {
  uint64_t h = n;
  for (;; p += 8, readable -= 8) {
    uint64_t x = 0;
    if (readable >= 8)
      memcpy(&x, p, 8);
    else
      memcpy(&x, p, readable);
    if (n < 8) x &= ~(uint64_t)0 >> (64 - 8 * n);
    h = chain(h, x | 0x2020202020202020u);
    h ^= h >> 32;
    if (n <= 8) break;
    n -= 8;
  }
  return h;
}

static void add_word(scan *s, const unsigned char *text, size_t begin, size_t end, size_t length) {
  uint64_t word = mix(hash_word(text + begin, end - begin, length - begin));
  if (s->n_sentence == 0) s->begin = begin;
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

/* 0 where p begins a letter or digit, else the bytes of what separates. Above ASCII all bytes count as letters but
 * those of the blocks U+2000 to U+207F (dashes, quotes, spaces) and U+0080 to U+00BF. */
static size_t separator_at(const unsigned char *p, size_t left) {
  unsigned char c = *p;
  if (c < 0x80) return !((c | 0x20U) - 'a' < 26U || c - (unsigned)'0' < 10U);
  if (c == 0xE2 && left >= 3 && (p[1] == 0x80 || p[1] == 0x81)) return 3;
  return c == 0xC2 && left >= 2 ? 2 : 0;
}

void fn_audit_keys_make(fn_audit_keys *keys_out, fn_str s, fn_audit_sentence_sink sentence, void *arg) {
  scan state = {.sink = sentence, .arg = arg, .sentence = 1, .all = 2};
  const unsigned char *p = (const unsigned char *)s.data;
  for (size_t i = 0, size = 0; i < s.length; i += size) {
    size_t begin = i;
    while (i < s.length && (size = separator_at(p + i, s.length - i)) == 0) i++;
    if (i > begin) add_word(&state, p, begin, i, s.length);
    if (i < s.length && (p[i] == '.' || p[i] == '!' || p[i] == '?' || p[i] == '\n')) end_sentence(&state, i);
  }
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
