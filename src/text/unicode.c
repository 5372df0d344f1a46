#include "text/unicode.h"

/* Hangul syllables decompose by arithmetic (The Unicode Standard, section 3.12). */
enum {
  S_BASE = 0xAC00,
  L_BASE = 0x1100,
  V_BASE = 0x1161,
  T_BASE = 0x11A7,
  V_COUNT = 21,
  T_COUNT = 28,
  S_COUNT = 11172
};

static size_t hangul_decompose(uint32_t out[FN_CHAR_MAX_DECOMPOSED], uint32_t syllable) {
  uint32_t t = syllable % T_COUNT;
  out[0] = L_BASE + syllable / (V_COUNT * T_COUNT);
  out[1] = V_BASE + syllable % (V_COUNT * T_COUNT) / T_COUNT;
  if (t == 0) return 2;
  out[2] = T_BASE + t;
  return 3;
}

size_t fn_char_decompose(uint32_t out[FN_CHAR_MAX_DECOMPOSED], uint32_t code_point, const fn_char *c) {
  if (c->n_decomposed) {
    for (size_t i = 0; i < c->n_decomposed; i++) out[i] = fn_unicode_pool[c->decomposed + i];
    return c->n_decomposed;
  }
  if (code_point - S_BASE < S_COUNT) return hangul_decompose(out, code_point - S_BASE);
  out[0] = code_point;
  return 1;
}

size_t fn_char_lower(uint32_t out[FN_CHAR_MAX_LOWER], uint32_t code_point, const fn_char *c) {
  if (!(c->flags & FN_CHAR_MULTI_LOWER)) {
    out[0] = (uint32_t)((int32_t)code_point + c->lower);
    return 1;
  }
  size_t n = fn_unicode_pool[c->lower];
  for (size_t i = 0; i < n; i++) out[i] = fn_unicode_pool[(size_t)c->lower + 1 + i];
  return n;
}

size_t fn_char_read_back(uint32_t *code_point_out, const char *data, size_t begin, size_t end) {
  /* A valid sequence is found from its lead byte; anything else counts byte by byte, as when reading forward. */
  for (size_t n = 1; n <= 4 && n <= end - begin; n++) {
    unsigned char c = (unsigned char)data[end - n];
    if ((c & 0xC0) == 0x80) continue;
    if (fn_char_read(code_point_out, data + end - n, n) == n) return n;
    break;
  }
  *code_point_out = FN_CHAR_BAD;
  return 1;
}
