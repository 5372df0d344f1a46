/* MD5 and SHA-256: the checksums that publishers of data give; RSA signatures. libcrypto computes them, loaded at first
 * use. */
#ifndef FN_NET_DIGEST_H
#define FN_NET_DIGEST_H

#include "base/base.h"

/* Lower-case hexadecimal digits, terminated. */
typedef struct fn_digests {
  char md5[33], sha256[65];
} fn_digests;

/* Called now and then with the bytes read so far; false stops. */
typedef bool (*fn_digest_progress)(void *arg, uint64_t n_bytes);

/* Both digests in one pass. progress may be NULL. Errors: FN_E_NOT_FOUND, FN_E_IO; FN_E_CANCELLED when progress said
 * so; FN_E_UNSUPPORTED without libcrypto. */
FN_NODISCARD fn_status fn_digest_file(fn_digests *digests_out, const char *path, fn_digest_progress progress, void *arg,
                                      fn_err *err);
/* The same of bytes as they come. */
typedef struct fn_digester fn_digester;
/* SHA-1 of a name, where others name files by it; it protects nothing. */
FN_NODISCARD fn_status fn_digest_sha1(char hex_out[41], fn_str data, fn_err *err);
enum { FN_DIGEST_MD5 = 1, FN_DIGEST_SHA256 = 2 };
FN_NODISCARD fn_status fn_digester_create(fn_digester **digester_out, unsigned kinds, fn_err *err);
FN_NODISCARD fn_status fn_digester_add(fn_digester *digester, const void *data, size_t length, fn_err *err);
/* A kind that was not asked for gives "". Nothing can be added afterwards. */
FN_NODISCARD fn_status fn_digester_end(fn_digests *digests_out, fn_digester *digester, fn_err *err);
void fn_digester_destroy(fn_digester *digester);

/* Appends the RSASSA-PKCS1-v1_5 signature over SHA-256 (RS256 of RFC 7518) of data under a private key in PEM text.
 * FN_E_INVALID: no RSA key; its text is in no message. FN_E_UNSUPPORTED without libcrypto. */
FN_NODISCARD fn_status fn_sign_rs256(fn_buf *out, fn_str pem, fn_str data, fn_err *err);

/* True when text is n_digits hexadecimal digits (32 for MD5, 64 for SHA-256), in any letter case. */
bool fn_digest_is_hex(const char *text, size_t n_digits);
/* Compared without letter case. */
bool fn_digest_equal(const char *a, const char *b);

#endif
