#include "data/encoding.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
  WINDOW = 1 << 16,
  ACCIDENTS = 10, /* bytes that are no UTF-8 for each character that looks like it by chance */
};

/* Counts of what is UTF-8 and what is not among bytes above 0x7f, byte by byte. */
typedef struct tally {
  int open; /* continuation bytes that the character under way still needs */
  uint64_t n_utf8, n_other;
} tally;

struct fn_decoder {
  fn_source *source;
  const char *name;
  fn_encoding encoding; /* AUTO: all ASCII so far */
  bool guessed;         /* WINDOWS_1252 was not asked for: watch for UTF-8 */
  bool ended;
  tally tally;
  uint64_t line, offset, first_line; /* of raw[begin], from 1 and 0; first_line: of the first byte above 0x7f */
  size_t begin, end;                 /* not decoded yet: raw[begin, end) */
  unsigned char raw[WINDOW];
};

const char *fn_encoding_name(fn_encoding encoding) {
  static const char *const names[] = {"auto", "utf-8", "utf-16", "windows-1252", "utf-16le", "utf-16be"};
  return (size_t)encoding < FN_COUNT_OF(names) ? names[encoding] : "unknown";
}

const char *fn_encoding_complaint(fn_encoding encoding) {
  switch (encoding) {
  case FN_ENCODING_WINDOWS_1252: return "has no character in Windows-1252 (nor have 0x81, 0x8d, 0x8f, 0x90, 0x9d)";
  case FN_ENCODING_UTF16LE:
  case FN_ENCODING_UTF16BE: return "is half of a UTF-16 surrogate pair; the other half is missing";
  default: return "is not valid UTF-8; data.encoding=windows-1252 or utf-16 reads a file in that encoding";
  }
}

/* Windows-1252 from 0x80 to 0x9f; 0: no character. The bytes above are those of Unicode. (WHATWG Encoding, index
 * windows-1252, less its five control characters.) */
static const uint16_t upper[32] = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178,
};

static void count(tally *t, unsigned char c) {
  bool continues = (c & 0xC0) == 0x80;
  if (t->open > 0 && continues) {
    if (--t->open == 0) t->n_utf8++;
    return;
  }
  if (t->open > 0) t->n_other++; /* the character under way was none */
  t->open = 0;
  if (c < 0x80) return;
  if (c >= 0xC2 && c <= 0xF4)
    t->open = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
  else
    t->n_other++;
}

static bool too_much_utf8(const tally *t) {
  return t->n_utf8 * ACCIDENTS > t->n_other;
}

/* Appends to raw what one read of the source gives; the bytes not decoded yet move to the front when room is needed. */
static fn_status refill(fn_decoder *d, fn_err *err) {
  if (d->begin == d->end) d->begin = d->end = 0;
  if (d->end == WINDOW) {
    memmove(d->raw, d->raw + d->begin, d->end - d->begin);
    d->end -= d->begin;
    d->begin = 0;
  }
  size_t n;
  FN_TRY(fn_source_read(d->source, d->raw + d->end, WINDOW - d->end, &n, err));
  d->end += n;
  d->ended = n == 0;
  return FN_OK;
}

/* At least n bytes (n ≤ WINDOW) are there, or the input has ended. */
static fn_status have(fn_decoder *d, size_t n, fn_err *err) {
  while (d->end - d->begin < n && !d->ended) FN_TRY(refill(d, err));
  return FN_OK;
}

static void skip(fn_decoder *d, size_t n) {
  for (size_t i = 0; i < n; i++) d->line += d->raw[d->begin + i] == '\n';
  d->begin += n;
  d->offset += n;
}

/* ---- the beginning ---- */

static fn_encoding mark_of(size_t *length, const unsigned char *p, size_t n) {
  *length = 0;
  if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) return *length = 3, FN_ENCODING_UTF8;
  if (n >= 2 && memcmp(p, "\xFF\xFE", 2) == 0) return *length = 2, FN_ENCODING_UTF16LE;
  if (n >= 2 && memcmp(p, "\xFE\xFF", 2) == 0) return *length = 2, FN_ENCODING_UTF16BE;
  if (n >= 4 && p[0] && !p[1] && p[2] && !p[3] && (p[0] | p[2]) < 0x80) return FN_ENCODING_UTF16LE;
  if (n >= 4 && !p[0] && p[1] && !p[2] && p[3] && (p[1] | p[3]) < 0x80) return FN_ENCODING_UTF16BE;
  return FN_ENCODING_AUTO;
}

static bool is_utf16(fn_encoding e) {
  return e == FN_ENCODING_UTF16 || e == FN_ENCODING_UTF16LE || e == FN_ENCODING_UTF16BE;
}

static bool is_utf32(const unsigned char *p, size_t n) {
  return n >= 4 && (memcmp(p, "\xFF\xFE\0\0", 4) == 0 || memcmp(p, "\0\0\xFE\xFF", 4) == 0 ||
                    (p[0] && !p[1] && !p[2] && !p[3]) || (!p[0] && !p[1] && !p[2] && p[3]));
}

static fn_status begin(fn_decoder *d, fn_encoding asked, fn_err *err) {
  FN_TRY(have(d, 4, err));
  const unsigned char *p = d->raw + d->begin;
  size_t n = d->end - d->begin, length;
  if (is_utf32(p, n))
    return fn_err_set(err, FN_E_INVALID,
                      "%s: UTF-32, or no text; UTF-8, UTF-16 and Windows-1252 are accepted (iconv -f UTF-32 -t UTF-8 "
                      "converts it)",
                      d->name);
  fn_encoding found = mark_of(&length, p, n);
  bool agrees = is_utf16(asked) ? is_utf16(found) : asked == found;
  if (asked != FN_ENCODING_AUTO && length > 0 && !agrees)
    return fn_err_set(err, FN_E_INVALID,
                      "%s: begins with the byte-order mark of %s, but data.encoding=%s; data.encoding=auto goes by the "
                      "mark",
                      d->name, found == FN_ENCODING_UTF8 ? "UTF-8" : "UTF-16", fn_encoding_name(asked));
  skip(d, length);
  if (asked == FN_ENCODING_AUTO || (asked == FN_ENCODING_UTF16 && is_utf16(found)))
    d->encoding = found;
  else
    d->encoding = asked == FN_ENCODING_UTF16 ? FN_ENCODING_UTF16LE : asked;
  return FN_OK;
}

fn_status fn_decoder_create(fn_decoder **decoder_out, fn_source *source, const char *name, fn_encoding encoding,
                            fn_err *err) {
  fn_decoder *d = fn_mem_calloc(1, sizeof *d);
  if (!d) {
    fn_source_close(source);
    return fn_err_no_memory(err, "an input");
  }
  d->source = source;
  d->name = name;
  d->line = 1;
  fn_status status = begin(d, encoding, err);
  if (status != FN_OK) {
    fn_decoder_destroy(d);
    return status;
  }
  *decoder_out = d;
  return FN_OK;
}

void fn_decoder_destroy(fn_decoder *d) {
  if (!d) return;
  fn_source_close(d->source);
  free(d);
}

fn_encoding fn_decoder_encoding(const fn_decoder *d) {
  return d->encoding == FN_ENCODING_AUTO ? FN_ENCODING_UTF8 : d->encoding;
}

/* ---- undecided ---- */

/* Whether the bytes that are there can be Windows-1252, and are hardly UTF-8. */
static bool looks_like_windows_1252(const fn_decoder *d) {
  tally t = {0};
  for (size_t i = d->begin; i < d->end; i++) {
    unsigned char c = d->raw[i];
    if (c < ' ' ? c < '\t' || c > '\r' : c == 0x7F) return false;
    if (c >= 0x80 && c < 0xA0 && !upper[c - 0x80]) return false;
    count(&t, c);
  }
  return t.n_other > 0 && !too_much_utf8(&t);
}

/* At the first byte above 0x7f. */
static fn_status decide(fn_decoder *d, fn_err *err) {
  d->encoding = FN_ENCODING_UTF8;
  FN_TRY(have(d, 4, err));
  if (fn_utf8_decode(NULL, (const char *)d->raw + d->begin, d->end - d->begin) > 0) return FN_OK;
  FN_TRY(have(d, WINDOW, err));
  if (!looks_like_windows_1252(d)) return FN_OK;
  d->encoding = FN_ENCODING_WINDOWS_1252;
  d->guessed = true;
  d->first_line = d->line;
  return FN_OK;
}

static size_t ascii_prefix(const unsigned char *p, size_t n) {
  size_t i = 0;
  for (uint64_t word; i + sizeof word <= n; i += sizeof word) {
    memcpy(&word, p + i, sizeof word);
    if (word & UINT64_C(0x8080808080808080)) break;
  }
  while (i < n && p[i] < 0x80) i++;
  return i;
}

/* The ASCII text before the byte that decides. */
static size_t take_ascii(fn_decoder *d, unsigned char *out, size_t capacity) {
  size_t n = d->end - d->begin;
  n = ascii_prefix(d->raw + d->begin, n < capacity ? n : capacity);
  memcpy(out, d->raw + d->begin, n);
  skip(d, n);
  return n;
}

/* ---- decoding ---- */

static fn_status mixed(const fn_decoder *d, fn_err *err) {
  return fn_err_set(err, FN_E_INVALID,
                    "%s:%" PRIu64 ": byte %" PRIu64 " of the text ends a UTF-8 character, but on line %" PRIu64
                    " bytes are no UTF-8 and were read as Windows-1252; data.encoding=utf-8 refuses the rows with such "
                    "bytes, data.encoding=windows-1252 reads the whole file as that",
                    d->name, d->line, d->offset + 1, d->first_line);
}

static fn_status decode_windows_1252(size_t *n_out, fn_decoder *d, char *out, size_t capacity, fn_err *err) {
  size_t n = 0;
  for (; d->begin < d->end && capacity - n >= 4; skip(d, 1)) {
    unsigned char c = d->raw[d->begin];
    if (d->guessed) count(&d->tally, c);
    if (d->guessed && too_much_utf8(&d->tally)) return mixed(d, err);
    uint32_t code_point = c >= 0x80 && c < 0xA0 ? upper[c - 0x80] : c;
    if (code_point || c == 0)
      n += fn_utf8_encode(out + n, code_point);
    else
      out[n++] = (char)c;
  }
  *n_out = n;
  return FN_OK;
}

static uint32_t unit(const fn_decoder *d, size_t at) {
  uint32_t a = d->raw[at], b = d->raw[at + 1];
  return d->encoding == FN_ENCODING_UTF16LE ? b << 8 | a : a << 8 | b;
}

/* A half of a pair that stands alone: the three bytes that UTF-8 forbids for it. */
static size_t encode_half(char *out, uint32_t half) {
  out[0] = (char)(0xE0 | half >> 12);
  out[1] = (char)(0x80 | (half >> 6 & 0x3F));
  out[2] = (char)(0x80 | (half & 0x3F));
  return 3;
}

static fn_status decode_utf16(size_t *n_out, fn_decoder *d, char *out, size_t capacity, fn_err *err) {
  size_t n = 0;
  while (capacity - n >= 4) {
    size_t there = d->end - d->begin;
    if (there == 1 && d->ended)
      return fn_err_set(err, FN_E_INVALID, "%s: ends after half a UTF-16 character (an odd number of bytes)", d->name);
    if (there < 2) break;
    uint32_t first = unit(d, d->begin);
    bool high = first >= 0xD800 && first < 0xDC00;
    if (high && there < 4 && !d->ended) break;
    uint32_t second = high && there >= 4 ? unit(d, d->begin + 2) : 0;
    if (second >= 0xDC00 && second < 0xE000) {
      n += fn_utf8_encode(out + n, 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
      d->begin += 4;
      continue;
    }
    n += first >= 0xD800 && first < 0xE000 ? encode_half(out + n, first) : fn_utf8_encode(out + n, first);
    d->begin += 2;
  }
  *n_out = n;
  return FN_OK;
}

/* What is there, or else straight from the source. */
static fn_status pass(size_t *n_out, fn_decoder *d, char *out, size_t capacity, fn_err *err) {
  size_t n = d->end - d->begin;
  if (n == 0) return fn_source_read(d->source, out, capacity, n_out, err);
  if (n > capacity) n = capacity;
  memcpy(out, d->raw + d->begin, n);
  d->begin += n;
  *n_out = n;
  return FN_OK;
}

fn_status fn_decoder_read(fn_decoder *d, void *buffer, size_t capacity, size_t *n_out, fn_err *err) {
  for (;;) {
    size_t n = 0;
    switch (d->encoding) {
    case FN_ENCODING_AUTO:
      n = take_ascii(d, buffer, capacity);
      if (n == 0 && d->begin < d->end) {
        FN_TRY(decide(d, err));
        continue;
      }
      break;
    case FN_ENCODING_WINDOWS_1252: FN_TRY(decode_windows_1252(&n, d, buffer, capacity, err)); break;
    case FN_ENCODING_UTF16LE:
    case FN_ENCODING_UTF16BE: FN_TRY(decode_utf16(&n, d, buffer, capacity, err)); break;
    default: return pass(n_out, d, buffer, capacity, err);
    }
    if (n > 0 || d->ended) return *n_out = n, FN_OK;
    FN_TRY(refill(d, err));
  }
}
