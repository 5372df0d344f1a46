/* SHA-256 (FIPS 180-4) and HMAC (RFC 2104), for keys and for fingerprints that must not be forged. A few hundred MB/s:
 * whole data sets go through libcrypto (net/digest.h), single articles and keys need no library for it. */
#ifndef FN_BASE_SHA256_H
#define FN_BASE_SHA256_H

#include "base/str.h"

enum { FN_SHA256_BYTES = 32 };

typedef struct fn_sha256 {
  uint32_t state[8];
  uint64_t n_bytes;
  unsigned char block[64];
} fn_sha256;

void fn_sha256_init(fn_sha256 *sha);
void fn_sha256_add(fn_sha256 *sha, const void *data, size_t length);
void fn_sha256_get(fn_sha256 *sha, unsigned char out[FN_SHA256_BYTES]);
void fn_sha256_bytes(unsigned char out[FN_SHA256_BYTES], fn_str data);
void fn_hmac_sha256(unsigned char out[FN_SHA256_BYTES], fn_str key, fn_str data);

/* 2n lower-case hexadecimal digits and a 0. */
void fn_hex_format(char *out, const void *bytes, size_t n);
/* Whether two byte strings are the same, in a time that depends on n alone. */
bool fn_equal_constant_time(const void *a, const void *b, size_t n);
/* Bytes that nobody can guess, from the kernel. FN_E_IO. */
FN_NODISCARD fn_status fn_random_bytes(void *out, size_t n, fn_err *err);

#endif
