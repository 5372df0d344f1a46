#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group; the number of its bytes, or 0 where it is none. */
static size_t decode_group(char out[3], const char *in, bool last) {
  size_t n = 4;
  if (last && in[3] == '=') n = in[2] == '=' ? 2 : 3;
  uint32_t bits = 0;
  for (size_t i = 0; i < 4; i++) {
    const int value = i < n ? value_of(in[i]) : 0;
    if (value < 0) return 0;
    bits = bits << 6 | (uint32_t)value;
  }
  if ((n == 2 && (bits & 0xffff) != 0) || (n == 3 && (bits & 0xff) != 0)) return 0;
  for (size_t i = 0; i < 3; i++) out[i] = (char)(bits >> (16 - 8 * i) & 0xff);
  return n - 1;
}

bool fn_base64_decode(fn_buf *out, fn_str text) {
  const size_t before = out->length;
  if (text.length % 4 != 0 || !fn_buf_reserve(out, text.length / 4 * 3)) return false;
  for (size_t i = 0; i < text.length; i += 4) {
    char bytes[3];
    const size_t n = decode_group(bytes, text.data + i, i + 4 == text.length);
    if (n == 0) {
      out->length = before;
      out->data[before] = '\0';
      return false;
    }
    fn_buf_append(out, bytes, n);
  }
  return !out->failed;
}

void fn_base64_encode(fn_buf *out, fn_str bytes) {
  if (!fn_buf_reserve(out, (bytes.length + 2) / 3 * 4)) return;
  for (size_t i = 0; i < bytes.length; i += 3) {
    const size_t n = bytes.length - i < 3 ? bytes.length - i : 3;
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; k++) bits = bits << 8 | (k < n ? (unsigned char)bytes.data[i + k] : 0u);
    char group[4];
    for (size_t k = 0; k < 4; k++) group[k] = k <= n ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
    fn_buf_append(out, group, 4);
  }
}
