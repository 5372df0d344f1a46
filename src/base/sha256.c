#include "base/sha256.h"

#include <errno.h>
#include <sys/random.h>

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) {
  return x >> n | x << (32 - n);
}

static void compress(uint32_t state[8], const unsigned char *block) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
           (uint32_t)block[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    const uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    const uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; i++) {
    const uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]), majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    const uint32_t t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + choice + constants[i] + w[i];
    const uint32_t t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + majority;
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

void fn_sha256_init(fn_sha256 *sha) {
  *sha = (fn_sha256){
      .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void fn_sha256_add(fn_sha256 *sha, const void *data, size_t length) {
  const unsigned char *from = data;
  size_t used = (size_t)(sha->n_bytes % 64);
  sha->n_bytes += length;
  while (length > 0) {
    if (used == 0 && length >= 64) {
      compress(sha->state, from);
      from += 64;
      length -= 64;
      continue;
    }
    const size_t n = length < 64 - used ? length : 64 - used;
    memcpy(sha->block + used, from, n);
    used += n;
    from += n;
    length -= n;
    if (used == 64) {
      compress(sha->state, sha->block);
      used = 0;
    }
  }
}

void fn_sha256_get(fn_sha256 *sha, unsigned char out[FN_SHA256_BYTES]) {
  const uint64_t n_bits = sha->n_bytes * 8;
  static const unsigned char padding[64] = {0x80};
  unsigned char length[8];
  for (int i = 0; i < 8; i++) length[i] = (unsigned char)(n_bits >> (56 - 8 * i));
  const size_t used = (size_t)(sha->n_bytes % 64);
  fn_sha256_add(sha, padding, used < 56 ? 56 - used : 120 - used);
  fn_sha256_add(sha, length, sizeof length);
  for (int i = 0; i < FN_SHA256_BYTES; i++) out[i] = (unsigned char)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
}

void fn_sha256_bytes(unsigned char out[FN_SHA256_BYTES], fn_str data) {
  fn_sha256 sha;
  fn_sha256_init(&sha);
  fn_sha256_add(&sha, data.data, data.length);
  fn_sha256_get(&sha, out);
}

void fn_hmac_sha256(unsigned char out[FN_SHA256_BYTES], fn_str key, fn_str data) {
  unsigned char block[64] = {0}, inner[64], outer[64];
  if (key.length > sizeof block)
    fn_sha256_bytes(block, key);
  else if (key.length > 0)
    memcpy(block, key.data, key.length);
  for (size_t i = 0; i < sizeof block; i++) {
    inner[i] = block[i] ^ 0x36;
    outer[i] = block[i] ^ 0x5c;
  }
  fn_sha256 sha;
  fn_sha256_init(&sha);
  fn_sha256_add(&sha, inner, sizeof inner);
  fn_sha256_add(&sha, data.data, data.length);
  fn_sha256_get(&sha, out);
  fn_sha256_init(&sha);
  fn_sha256_add(&sha, outer, sizeof outer);
  fn_sha256_add(&sha, out, FN_SHA256_BYTES);
  fn_sha256_get(&sha, out);
}

void fn_hex_format(char *out, const void *bytes, size_t n) {
  static const char digits[] = "0123456789abcdef";
  const unsigned char *from = bytes;
  for (size_t i = 0; i < n; i++) {
    out[2 * i] = digits[from[i] >> 4];
    out[2 * i + 1] = digits[from[i] & 15];
  }
  out[2 * n] = 0;
}

bool fn_equal_constant_time(const void *a, const void *b, size_t n) {
  const volatile unsigned char *x = a, *y = b;
  unsigned char different = 0;
  for (size_t i = 0; i < n; i++) different |= (unsigned char)(x[i] ^ y[i]);
  return different == 0;
}

fn_status fn_random_bytes(void *out, size_t n, fn_err *err) {
  for (size_t done = 0; done < n;) {
    const ssize_t k = getrandom((char *)out + done, n - done, 0);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return fn_err_errno(err, errno, "random bytes from the kernel");
    done += (size_t)k;
  }
  return FN_OK;
}
