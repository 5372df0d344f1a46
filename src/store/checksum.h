/* Checksums that stores speak of. Internal to src/store. */
#ifndef FN_STORE_CHECKSUM_H
#define FN_STORE_CHECKSUM_H

#include "net/net.h"

enum { FN_SUM_SHA256 = 1, FN_SUM_MD5 = 2, FN_SUM_CRC32 = 4, FN_SUM_CRC32C = 8 };

typedef struct fn_sums {
  unsigned kinds;           /* which of them are known */
  char sha256[65], md5[33]; /* hexadecimal */
  uint32_t crc32, crc32c;   /* of zlib, and Castagnoli's (RFC 3720) */
} fn_sums;

/* Of all bytes of memory or of a part of a file that is open. The second calls told(arg, bytes so far) now and then;
 * false stops it (FN_E_CANCELLED). name stands in errors. */
FN_NODISCARD fn_status fn_sums_bytes(fn_sums *sums_out, fn_str data, unsigned kinds, fn_err *err);
FN_NODISCARD fn_status fn_sums_file(fn_sums *sums_out, int fd, uint64_t offset, uint64_t length, unsigned kinds,
                                    const char *name, fn_digest_progress told, void *arg, fn_err *err);
/* FN_E_IO, naming kind and both values, where two that are known on both sides differ. */
FN_NODISCARD fn_status fn_sums_check(const fn_sums *is, const fn_sums *should, const char *what, fn_err *err);
/* Appends base64 of the raw bytes of one kind. */
void fn_sums_base64(fn_buf *out, const fn_sums *sums, unsigned kind);
/* Takes one kind from its base64; false, and nothing taken, when it is not one. */
bool fn_sums_take_base64(fn_sums *sums, unsigned kind, fn_str text);
uint32_t fn_crc32c(uint32_t crc, const void *data, size_t length);

#endif
