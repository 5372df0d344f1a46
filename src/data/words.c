#include "data/words.h"

#include "base/hash_inline.h"

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

static bool is_ascii_space(unsigned char c) {
  return c == ' ' || (unsigned)(c - 9) <= 4;
}

/* As in(c, 'A', 'Z') ? c + 0x20 : c. */
static char ascii_lower(unsigned char c) {
  return (char)(c | ((unsigned)(c - 'A') < 26) << 5);
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
      i += n;
      continue;
    }
    if (gap && to > begin) *to++ = ' ';
    gap = false;
    if (n > 1) {
      memcpy(to, s.data + i, n);
      to += n;
      i += n;
      continue;
    }
    *to++ = ascii_lower((unsigned char)s.data[i++]); /* also a byte that is no UTF-8 */
    for (; i < s.length; i++) {
      unsigned char byte = (unsigned char)s.data[i];
      if (byte >= 0x80 || is_ascii_space(byte)) break;
      *to++ = ascii_lower(byte);
    }
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
  if (words->n == words->capacity)
    FN_TRY(fn_mem_grow((void **)&words->hashes, &words->capacity, words->n + 1, sizeof *words->hashes,
                       SIZE_MAX / sizeof *words->hashes, "words of a text", err));
  words->hashes[words->n++] = fn_hash64_inline(word, length, 0);
  return FN_OK;
}

enum { WORD_PIECE = 64 }; /* longer runs are hashed in pieces of this size */

/* Words from s[*at_io] up to a separator. */
static fn_status append_any(size_t *at_io, fn_words *words, fn_str s, fn_err *err) {
  char word[WORD_PIECE];
  size_t length = 0, i = *at_io;
  for (bool separator = false; i < s.length && !separator;) {
    uint32_t c;
    size_t n = decode(&c, s, i);
    bool alone = stands_alone(c);
    separator = is_separator(c);
    if (length && (separator || alone || length + n > sizeof word)) {
      FN_TRY(add(words, word, length, err));
      length = 0;
    }
    if (alone) {
      FN_TRY(add(words, s.data + i, n, err));
    } else if (!separator) {
      memcpy(word + length, s.data + i, n);
      if (n == 1) word[length] = ascii_lower((unsigned char)s.data[i]);
      length += n;
    }
    i += n;
  }
  *at_io = i;
  return length ? add(words, word, length, err) : FN_OK;
}

/* ASCII letters and digits. */
static bool is_word_byte(unsigned char c) {
  return (unsigned)((c | 0x20) - 'a') < 26 || (unsigned)(c - '0') < 10;
}

fn_status fn_words_append(fn_words *words, fn_str s, fn_err *err) {
  for (size_t i = 0; i < s.length;) {
    char word[WORD_PIECE];
    size_t n = 0, room = s.length - i < WORD_PIECE ? s.length - i : WORD_PIECE;
    for (; n < room && is_word_byte((unsigned char)s.data[i + n]); n++)
      word[n] = ascii_lower((unsigned char)s.data[i + n]);
    unsigned char next = i + n < s.length ? (unsigned char)s.data[i + n] : ' ';
    if (next >= 0x80 || n == WORD_PIECE) { /* goes on beyond ASCII, or is long */
      FN_TRY(append_any(&i, words, s, err));
      continue;
    }
    if (n) FN_TRY(add(words, word, n, err));
    i += n + 1;
  }
  return FN_OK;
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
