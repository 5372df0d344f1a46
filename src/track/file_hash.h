/* SHA-256 of a file: by libcrypto for large ones, where it is there. */
#ifndef FN_TRACK_FILE_HASH_H
#define FN_TRACK_FILE_HASH_H

#include "base/base.h"

/* FN_E_NOT_FOUND, FN_E_IO; FN_E_INVALID for what is no regular file (a FIFO would be waited for). */
FN_NODISCARD fn_status fn_file_sha256(char sha256_out[65], int64_t *n_bytes_out, const char *path, fn_err *err);

#endif
