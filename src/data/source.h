/* Where input bytes come from: a file, a callback (standard input), and gzip or zstd unpacking on top of
 * either. */
#ifndef FN_DATA_SOURCE_H
#define FN_DATA_SOURCE_H

#include "base/base.h"

/* Reads up to capacity bytes into buffer; *n_out = 0 only at the end. Blocks until at least one byte is there. */
typedef fn_status (*fn_read)(void *arg, void *buffer, size_t capacity, size_t *n_out, fn_err *err);

typedef struct fn_source fn_source; /* used by one thread */

/* name (a path, "standard input") stands in errors. A file that begins as gzip or zstd does is unpacked whatever its
 * name is; several members or frames one after the other are read as one (as gzip and zstd do). Errors here or while
 * reading: FN_E_NOT_FOUND / FN_E_IO; FN_E_INVALID for a folder, for a name that ends in .gz or .zst when the bytes are
 * not that, for a damaged or cut file; FN_E_UNSUPPORTED when libzstd is not installed. */
FN_NODISCARD fn_status fn_source_open(fn_source **source_out, const char *path, fn_err *err);
FN_NODISCARD fn_status fn_source_open_stream(fn_source **source_out, fn_read read, void *arg, const char *name,
                                             fn_err *err);
void fn_source_close(fn_source *source);

/* What stands in the file, packed or not: all that was read is added and counted, from the first byte to the last when
 * reading has come to the end. */
typedef struct fn_source_watch {
  fn_hasher *hasher;
  uint64_t n_bytes;
} fn_source_watch;
/* Before the first fn_source_read. The watch stays the caller's, and must outlive the source. */
void fn_source_set_watch(fn_source *source, fn_source_watch *watch);

/* As fn_read: hands out what is there, so that a pipe is followed as it is written. */
FN_NODISCARD fn_status fn_source_read(fn_source *source, void *buffer, size_t capacity, size_t *n_out, fn_err *err);

#endif
