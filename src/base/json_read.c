/* JSON as in RFC 8259, into jansson's values. Its own loader does not check every allocation: short of memory it can
 * hand out a text that is cut, or call a good file bad. */
#include "base/json.h"

#include <locale.h>
#include <math.h>

enum { MAX_DEPTH = 2048 };

typedef struct reader {
  const char *begin, *at, *end;
  unsigned flags;
  int depth;
  const char *wrong; /* what is wrong at `at` */
  bool no_memory;
  fn_buf text; /* of a string with escapes */
} reader;

static bool refuse(reader *r, const char *wrong) {
  if (!r->wrong) r->wrong = wrong;
  return false;
}

static bool short_of_memory(reader *r) {
  r->no_memory = true;
  return false;
}

static void skip_space(reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')) r->at++;
}

static bool take(reader *r, char c) {
  if (r->at == r->end || *r->at != c) return false;
  r->at++;
  return true;
}

static bool read_hex(reader *r, uint32_t *unit) {
  uint32_t value = 0;
  if (r->end - r->at < 4) return refuse(r, "\\u needs four hexadecimal digits");
  for (int i = 0; i < 4; i++) {
    const char c = r->at[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return refuse(r, "\\u needs four hexadecimal digits");
    value = value * 16 + (uint32_t)digit;
  }
  r->at += 4;
  *unit = value;
  return true;
}

/* What follows \u: one code point, of two units where they are surrogates. */
static bool read_unicode(reader *r) {
  uint32_t c = 0, low = 0;
  char bytes[4];
  if (!read_hex(r, &c)) return false;
  if (c >= 0xDC00 && c <= 0xDFFF) return refuse(r, "half of a surrogate pair");
  if (c >= 0xD800 && c <= 0xDBFF) {
    if (!take(r, '\\') || !take(r, 'u')) return refuse(r, "half of a surrogate pair");
    if (!read_hex(r, &low)) return false;
    if (low < 0xDC00 || low > 0xDFFF) return refuse(r, "half of a surrogate pair");
    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
  }
  if (c == 0 && (r->flags & FN_JSON_REFUSE_NUL)) return refuse(r, "a NUL character in a string");
  fn_buf_append(&r->text, bytes, fn_utf8_encode(bytes, c));
  return true;
}

static bool read_escape(reader *r) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  if (r->at == r->end) return refuse(r, "a string that does not end");
  if (take(r, 'u')) return read_unicode(r);
  const char *found = memchr(from, *r->at, sizeof from - 1);
  if (!found) return refuse(r, "an unknown escape");
  r->at++;
  fn_buf_append_char(&r->text, to[found - from]);
  return true;
}

/* Bytes up to the next quote, backslash or control character; they must be UTF-8. */
static bool read_plain(reader *r, fn_str *part) {
  const char *from = r->at;
  while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (unsigned char)*r->at >= 0x20) r->at++;
  *part = fn_str_make(from, (size_t)(r->at - from));
  size_t bad;
  if (!fn_utf8_valid(*part, &bad)) {
    r->at = from + bad;
    return refuse(r, "not valid UTF-8");
  }
  if (r->at == r->end) return refuse(r, "a string that does not end");
  if ((unsigned char)*r->at < 0x20) return refuse(r, "a control character in a string");
  return true;
}

/* After the opening quote. The view lies in the input, or in r->text when there was an escape. */
static bool read_string(reader *r, fn_str *out) {
  fn_str part;
  if (!read_plain(r, &part)) return false;
  if (take(r, '"')) {
    *out = part;
    return true;
  }
  fn_buf_reset(&r->text);
  for (;;) {
    fn_buf_append(&r->text, part.data, part.length);
    if (take(r, '"')) break;
    r->at++; /* the backslash */
    if (!read_escape(r) || !read_plain(r, &part)) return false;
  }
  if (r->text.failed) return short_of_memory(r);
  *out = fn_str_make(r->text.data ? r->text.data : "", r->text.length);
  return true;
}

static bool skip_digits(reader *r) {
  const char *from = r->at;
  while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
  return r->at > from;
}

/* Of any length, whatever the locale's decimal point. */
static bool to_double(reader *r, double *out, fn_str text) {
  fn_buf_reset(&r->text);
  for (size_t i = 0; i < text.length; i++) {
    if (text.data[i] == '.')
      fn_buf_append_str(&r->text, localeconv()->decimal_point);
    else
      fn_buf_append_char(&r->text, text.data[i]);
  }
  if (r->text.failed) return short_of_memory(r);
  *out = strtod(r->text.data, NULL);
  return isfinite(*out) ? true : refuse(r, "a number too large");
}

static bool read_number(reader *r, json_t **out) {
  const char *from = r->at;
  bool whole = true;
  (void)take(r, '-');
  if (!take(r, '0') && !skip_digits(r)) return refuse(r, "not a number");
  if (take(r, '.')) {
    whole = false;
    if (!skip_digits(r)) return refuse(r, "a number needs digits after its point");
  }
  if (take(r, 'e') || take(r, 'E')) {
    whole = false;
    if (!take(r, '+')) (void)take(r, '-');
    if (!skip_digits(r)) return refuse(r, "a number needs digits in its exponent");
  }
  const fn_str text = fn_str_make(from, (size_t)(r->at - from));
  int64_t integer;
  double real;
  if (whole && fn_str_to_int64(&integer, text)) {
    *out = json_integer(integer);
  } else if (whole && !(r->flags & FN_JSON_LARGE_AS_REAL)) {
    r->at = from;
    return refuse(r, "too big integer (over 64 bits)");
  } else {
    if (!to_double(r, &real, text)) {
      r->at = from;
      return false;
    }
    *out = json_real(real);
  }
  return *out ? true : short_of_memory(r);
}

static bool read_value(reader *r, json_t **out);

static bool read_array(reader *r, json_t *array) {
  skip_space(r);
  if (take(r, ']')) return true;
  for (;;) {
    json_t *item = NULL;
    if (!read_value(r, &item)) return false;
    if (json_array_append_new(array, item) != 0) return short_of_memory(r);
    skip_space(r);
    if (take(r, ']')) return true;
    if (!take(r, ',')) return refuse(r, "',' or ']' is missing");
  }
}

/* A key, its colon and its value. */
static bool read_member(reader *r, json_t *object) {
  skip_space(r);
  const char *begin = r->at;
  fn_str text;
  if (!take(r, '"')) return refuse(r, "a key in quotes is missing");
  if (!read_string(r, &text)) return false;
  if (memchr(text.data, 0, text.length)) {
    r->at = begin;
    return refuse(r, "a key with a NUL character");
  }
  if (json_object_getn(object, text.data, text.length)) {
    r->at = begin;
    return refuse(r, "duplicate object key");
  }
  /* The value may have escapes of its own: a key that lies in r->text moves out of their way. */
  FN_AUTO_FREE char *copy = text.data == r->text.data ? fn_str_dup(text) : NULL;
  if (text.data == r->text.data && !copy) return short_of_memory(r);
  skip_space(r);
  if (!take(r, ':')) return refuse(r, "':' is missing");
  json_t *value = NULL;
  if (!read_value(r, &value)) return false;
  const char *key = copy ? copy : text.data;
  return json_object_setn_new_nocheck(object, key, text.length, value) == 0 ? true : short_of_memory(r);
}

static bool read_object(reader *r, json_t *object) {
  skip_space(r);
  if (take(r, '}')) return true;
  for (;;) {
    if (!read_member(r, object)) return false;
    skip_space(r);
    if (take(r, '}')) return true;
    if (!take(r, ',')) return refuse(r, "',' or '}' is missing");
  }
}

static bool read_container(reader *r, json_t **out, bool object) {
  if (r->depth == MAX_DEPTH) return refuse(r, "nested too deeply");
  r->at++;
  json_t *container = object ? json_object() : json_array();
  if (!container) return short_of_memory(r);
  r->depth++;
  const bool good = object ? read_object(r, container) : read_array(r, container);
  r->depth--;
  if (!good)
    json_decref(container);
  else
    *out = container;
  return good;
}

static bool read_word(reader *r, const char *word, json_t **out, json_t *value) {
  const size_t n = strlen(word);
  if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0) return refuse(r, "a value is missing");
  r->at += n;
  *out = value;
  return true;
}

static bool read_value(reader *r, json_t **out) {
  fn_str text;
  skip_space(r);
  if (r->at == r->end) return refuse(r, "a value is missing");
  switch (*r->at) {
  case '{': return read_container(r, out, true);
  case '[': return read_container(r, out, false);
  case 't': return read_word(r, "true", out, json_true());
  case 'f': return read_word(r, "false", out, json_false());
  case 'n': return read_word(r, "null", out, json_null());
  case '"':
    r->at++;
    if (!read_string(r, &text)) return false;
    *out = json_stringn_nocheck(text.data, text.length);
    return *out ? true : short_of_memory(r);
  default:
    if (*r->at != '-' && (*r->at < '0' || *r->at > '9')) return refuse(r, "a value is missing");
    return read_number(r, out);
  }
}

/* At the end of the input an error belongs to the last byte. */
static void locate(fn_json_error *error, const reader *r, fn_str text) {
  size_t at = (size_t)(r->at - r->begin);
  if (at >= text.length) at = text.length ? text.length - 1 : 0;
  *error = (fn_json_error){1, 1, at, r->wrong};
  for (size_t i = 0; i < at; i++) {
    if (text.data[i] == '\n') {
      error->line++;
      error->column = 1;
    } else {
      error->column += ((unsigned char)text.data[i + 1] & 0xC0) != 0x80; /* code points */
    }
  }
}

fn_status fn_json_read(json_t **value_out, fn_str text, unsigned flags, fn_json_error *error_out) {
  const char *data = text.data ? text.data : "";
  reader r = {.begin = data, .at = data, .end = data + text.length, .flags = flags};
  fn_buf_init(&r.text, 0);
  json_t *value = NULL;
  bool good = read_value(&r, &value);
  if (good) {
    skip_space(&r);
    if (r.at != r.end) good = refuse(&r, "more follows the value");
  }
  fn_buf_deinit(&r.text);
  if (good) {
    *value_out = value;
    return FN_OK;
  }
  json_decref(value);
  if (r.no_memory) return FN_E_NO_MEMORY;
  locate(error_out, &r, text);
  return FN_E_INVALID;
}
