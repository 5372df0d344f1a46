/* Zstandard unpacking over libzstd, which is loaded at first use (docs/decisions/0010): plain CSV must not wait for it.
 */
#ifndef FN_DATA_ZSTD_READER_H
#define FN_DATA_ZSTD_READER_H

#include "base/base.h"

typedef struct fn_zstd_reader fn_zstd_reader; /* used by one thread */

/* FN_E_UNSUPPORTED names the library when it is not there. */
FN_NODISCARD fn_status fn_zstd_reader_create(fn_zstd_reader **reader_out, fn_err *err);
void fn_zstd_reader_destroy(fn_zstd_reader *reader);

/* Unpacks what fits: *used_out bytes of in, *n_out bytes of out. *between_out: a frame has just ended (another one may
 * follow), so the input may end here. Memory is that of the frame's window, at most 128 MiB (a frame that asks for more
 * is refused). NULL, or what is wrong with the data. */
FN_NODISCARD const char *fn_zstd_reader_step(size_t *used_out, size_t *n_out, bool *between_out, fn_zstd_reader *reader,
                                             const void *in, size_t n_in, void *out, size_t capacity);

/* Whether n bytes at the begin of a file are those of a Zstandard file (a frame, or a skippable one). */
bool fn_zstd_begins(const unsigned char *bytes, size_t n);

#endif
