#include "store/checksum.h"

#include "base/base64.h"

#include <errno.h>
#include <unistd.h>
#include <zlib.h>

enum { PIECE = 1 << 18 };

/* One byte at a time: a few hundred megabytes a second, and only where Google asks for it. The table is made for each
 * call: 2,048 steps against a file's millions. */
uint32_t fn_crc32c(uint32_t crc, const void *data, size_t length) {
  uint32_t table[4][256];
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0x82F63B78u : c >> 1;
    table[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int k = 1; k < 4; k++) table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
  const unsigned char *p = data;
  crc = ~crc;
  for (; length >= 4; length -= 4, p += 4) {
    crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    crc = table[3][crc & 255] ^ table[2][crc >> 8 & 255] ^ table[1][crc >> 16 & 255] ^ table[0][crc >> 24];
  }
  for (; length; length--, p++) crc = crc >> 8 ^ table[0][(crc ^ *p) & 255];
  return ~crc;
}

typedef struct summing {
  fn_digester *digester;
  fn_sums sums;
} summing;

static fn_status begin(summing *s, unsigned kinds, fn_err *err) {
  s->sums.kinds = kinds;
  s->sums.crc32 = (uint32_t)crc32(0, NULL, 0);
  const unsigned digests = (kinds & FN_SUM_MD5 ? FN_DIGEST_MD5 : 0u) | (kinds & FN_SUM_SHA256 ? FN_DIGEST_SHA256 : 0u);
  return digests ? fn_digester_create(&s->digester, digests, err) : FN_OK;
}

static fn_status add(summing *s, const void *data, size_t n, fn_err *err) {
  if (s->sums.kinds & FN_SUM_CRC32) s->sums.crc32 = (uint32_t)crc32_z(s->sums.crc32, data, n);
  if (s->sums.kinds & FN_SUM_CRC32C) s->sums.crc32c = fn_crc32c(s->sums.crc32c, data, n);
  return s->digester ? fn_digester_add(s->digester, data, n, err) : FN_OK;
}

static fn_status end(fn_sums *sums_out, summing *s, fn_err *err) {
  fn_digests digests = {0};
  if (s->digester) FN_TRY(fn_digester_end(&digests, s->digester, err));
  memcpy(s->sums.md5, digests.md5, sizeof digests.md5);
  memcpy(s->sums.sha256, digests.sha256, sizeof digests.sha256);
  *sums_out = s->sums;
  return FN_OK;
}

fn_status fn_sums_bytes(fn_sums *sums_out, fn_str data, unsigned kinds, fn_err *err) {
  summing s = {0};
  fn_status status = begin(&s, kinds, err);
  if (status == FN_OK && data.length) status = add(&s, data.data, data.length, err);
  if (status == FN_OK) status = end(sums_out, &s, err);
  fn_digester_destroy(s.digester);
  return status;
}

static fn_status add_file(summing *s, int fd, uint64_t offset, uint64_t length, const char *name,
                          fn_digest_progress told, void *arg, fn_err *err) {
  FN_AUTO_FREE unsigned char *piece = fn_mem_alloc(PIECE, 1);
  if (!piece) return fn_err_no_memory(err, name);
  for (uint64_t done = 0; done < length;) {
    const uint64_t left = length - done;
    ssize_t n = pread(fd, piece, left < PIECE ? (size_t)left : PIECE, (off_t)(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fn_err_errno(err, errno, "%.500s: reading failed", name);
    if (n == 0) return fn_err_set(err, FN_E_IO, "%.500s: the file became shorter while it was read", name);
    FN_TRY(add(s, piece, (size_t)n, err));
    done += (uint64_t)n;
    if (told && !told(arg, done)) return fn_err_set(err, FN_E_CANCELLED, "%.500s: stopped", name);
  }
  return FN_OK;
}

fn_status fn_sums_file(fn_sums *sums_out, int fd, uint64_t offset, uint64_t length, unsigned kinds, const char *name,
                       fn_digest_progress told, void *arg, fn_err *err) {
  summing s = {0};
  fn_status status = begin(&s, kinds, err);
  if (status == FN_OK) status = add_file(&s, fd, offset, length, name, told, arg, err);
  if (status == FN_OK) status = end(sums_out, &s, err);
  fn_digester_destroy(s.digester);
  return status;
}

static fn_status differs(const char *what, const char *kind, const char *is, const char *should, fn_err *err) {
  return fn_err_set(err, FN_E_IO, "%.400s: %s is %.64s, not %.64s as it should be: the file is damaged or another one",
                    what, kind, is, should);
}

fn_status fn_sums_check(const fn_sums *is, const fn_sums *should, const char *what, fn_err *err) {
  const unsigned both = is->kinds & should->kinds;
  char a[16], b[16];
  if ((both & FN_SUM_SHA256) && !fn_digest_equal(is->sha256, should->sha256))
    return differs(what, "SHA-256", is->sha256, should->sha256, err);
  if ((both & FN_SUM_MD5) && !fn_digest_equal(is->md5, should->md5))
    return differs(what, "MD5", is->md5, should->md5, err);
  for (unsigned kind = FN_SUM_CRC32; kind <= FN_SUM_CRC32C; kind *= 2) {
    const uint32_t x = kind == FN_SUM_CRC32 ? is->crc32 : is->crc32c;
    const uint32_t y = kind == FN_SUM_CRC32 ? should->crc32 : should->crc32c;
    if (!(both & kind) || x == y) continue;
    snprintf(a, sizeof a, "%08x", x);
    snprintf(b, sizeof b, "%08x", y);
    return differs(what, kind == FN_SUM_CRC32 ? "CRC-32" : "CRC-32C", a, b, err);
  }
  return FN_OK;
}

static int digit_of(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 0;
}

void fn_sums_base64(fn_buf *out, const fn_sums *sums, unsigned kind) {
  char raw[32];
  size_t n = 4;
  if (kind == FN_SUM_SHA256 || kind == FN_SUM_MD5) {
    const char *hex = kind == FN_SUM_MD5 ? sums->md5 : sums->sha256;
    n = kind == FN_SUM_MD5 ? 16 : 32;
    for (size_t i = 0; i < n; i++) raw[i] = (char)(digit_of(hex[2 * i]) * 16 + digit_of(hex[2 * i + 1]));
  } else {
    const uint32_t value = kind == FN_SUM_CRC32 ? sums->crc32 : sums->crc32c;
    for (size_t i = 0; i < 4; i++) raw[i] = (char)(value >> (24 - 8 * i));
  }
  fn_base64_encode(out, fn_str_make(raw, n));
}

bool fn_sums_take_base64(fn_sums *sums, unsigned kind, fn_str text) {
  FN_AUTO_BUF fn_buf raw;
  fn_buf_init(&raw, 64);
  const size_t n = kind == FN_SUM_SHA256 ? 32 : kind == FN_SUM_MD5 ? 16 : 4;
  if (text.length > 64 || !fn_base64_decode(&raw, text) || raw.length != n) return false;
  if (kind == FN_SUM_SHA256) fn_hex_format(sums->sha256, raw.data, n);
  if (kind == FN_SUM_MD5) fn_hex_format(sums->md5, raw.data, n);
  uint32_t value = 0;
  for (size_t i = 0; i < 4; i++) value = value << 8 | (unsigned char)raw.data[i];
  if (kind == FN_SUM_CRC32) sums->crc32 = value;
  if (kind == FN_SUM_CRC32C) sums->crc32c = value;
  sums->kinds |= kind;
  return true;
}
