#include "data/words.h"

static bool is_space(uint32_t c) {
  return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Zero-width space and joiners, byte-order mark. */
static bool is_invisible(uint32_t c) {
  return (c >= 0x200B && c <= 0x200F) || c == 0x2060 || c == 0xFEFF;
}

static bool in(uint32_t c, uint32_t first, uint32_t last) {
  return c >= first && c <= last;
}

/* Punctuation, symbols and spaces beyond ASCII, block by block; everything else beyond ASCII counts as a letter. */
static bool is_separator(uint32_t c) {
  if (c < 0x80) return !(in(c, '0', '9') || in(c, 'a', 'z') || in(c, 'A', 'Z'));
  if (c < 0xC0) return c != 0xAA && c != 0xB5 && c != 0xBA;
  return c == 0xD7 || c == 0xF7 || in(c, 0x2000, 0x206F) || in(c, 0x20A0, 0x20CF) || in(c, 0x2190, 0x2BFF) ||
         in(c, 0x3000, 0x303F) || in(c, 0xFE30, 0xFE4F) || in(c, 0xFF00, 0xFF0F) || in(c, 0xFF1A, 0xFF20) ||
         in(c, 0xFE00, 0xFE0F) || c == 0xFEFF || c == 0x1680 || in(c, 0x1F000, 0x1FAFF);
}

/* Scripts that are written without spaces between words. */
static bool stands_alone(uint32_t c) {
  return in(c, 0x3040, 0x30FF) || in(c, 0x3400, 0x9FFF) || in(c, 0xAC00, 0xD7AF) || in(c, 0xF900, 0xFAFF) ||
         in(c, 0x20000, 0x3FFFF);
}

static size_t decode(uint32_t *c, fn_str s, size_t at) {
  unsigned char byte = (unsigned char)s.data[at];
  if (byte < 0x80) return *c = byte, 1;
  size_t n = fn_utf8_decode(c, s.data + at, s.length - at);
  if (n == 0) return *c = 0xFFFD, 1;
  return n;
}

bool fn_text_is_empty(fn_str s) {
  uint32_t c;
  for (size_t i = 0; i < s.length;) {
    i += decode(&c, s, i);
    if (!is_space(c) && !is_invisible(c)) return false;
  }
  return true;
}

/* Never longer than s, so the room is made once. */
void fn_text_normalise(fn_buf *out, fn_str s) {
  if (!fn_buf_reserve(out, s.length)) return;
  char *begin = out->data + out->length, *to = begin;
  bool gap = false;
  for (size_t i = 0; i < s.length;) {
    uint32_t c;
    size_t n = decode(&c, s, i);
    if (is_space(c)) {
      gap = true;
    } else {
      if (gap && to > begin) *to++ = ' ';
      gap = false;
      for (size_t k = 0; k < n; k++) *to++ = s.data[i + k];
      if (in(c, 'A', 'Z')) to[-1] = (char)(c + 0x20);
    }
    i += n;
  }
  out->length += (size_t)(to - begin);
  *to = 0;
}

fn_status fn_text_hash(fn_hash128 *hash_out, fn_str title, fn_str text, fn_buf *scratch, fn_err *err) {
  fn_buf_reset(scratch);
  fn_text_normalise(scratch, title);
  fn_buf_append_char(scratch, 0x1F);
  fn_text_normalise(scratch, text);
  FN_TRY(fn_buf_check(scratch, "a normalised text", err));
  *hash_out = fn_hash_bytes(scratch->data, scratch->length);
  return FN_OK;
}

static fn_status add(fn_words *words, const char *word, size_t length, fn_err *err) {
  FN_TRY(fn_mem_grow((void **)&words->hashes, &words->capacity, words->n + 1, sizeof *words->hashes,
                     SIZE_MAX / sizeof *words->hashes, "words of a text", err));
  words->hashes[words->n++] = fn_hash64(word, length, 0);
  return FN_OK;
}

fn_status fn_words_append(fn_words *words, fn_str s, fn_err *err) {
  char word[64]; /* longer runs are hashed in pieces of this size */
  size_t length = 0;
  uint32_t c;
  for (size_t i = 0; i < s.length;) {
    size_t n = decode(&c, s, i);
    bool alone = stands_alone(c), separator = is_separator(c);
    if (length && (separator || alone || length + n > sizeof word)) {
      FN_TRY(add(words, word, length, err));
      length = 0;
    }
    if (alone) {
      FN_TRY(add(words, s.data + i, n, err));
    } else if (!separator) {
      memcpy(word + length, s.data + i, n);
      if (n == 1 && in(c, 'A', 'Z')) word[length] = (char)(c + 0x20);
      length += n;
    }
    i += n;
  }
  return length ? add(words, word, length, err) : FN_OK;
}

size_t fn_words_count(fn_str s) {
  size_t n = 0;
  bool inside = false;
  for (size_t i = 0; i < s.length; i++) {
    bool space = s.data[i] == ' ' || (s.data[i] >= '\t' && s.data[i] <= '\r');
    n += !space && !inside;
    inside = !space;
  }
  return n;
}
