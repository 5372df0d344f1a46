/* MD5 and SHA-256 of a file: the checksums that publishers of data give. libcrypto computes them, loaded at first use.
 */
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
/* True when text is n_digits hexadecimal digits (32 for MD5, 64 for SHA-256), in any letter case. */
bool fn_digest_is_hex(const char *text, size_t n_digits);
/* Compared without letter case. */
bool fn_digest_equal(const char *a, const char *b);

#endif
