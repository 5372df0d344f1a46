/* What does not fit into memory: a file without a name, so that nothing is left behind however the program ends. */
#ifndef FN_DATA_SPILL_H
#define FN_DATA_SPILL_H

#include "base/base.h"

/* Bytes are appended through a buffer and read back from any place. Zero-initialise; used by one thread, except that
 * fn_spill_read may run in several threads between appends. */
typedef struct fn_spill {
  int fd;             /* valid when buffer is there */
  const char *folder; /* as given to open: stands in errors */
  uint64_t size;      /* bytes appended */
  unsigned char *buffer;
  size_t used; /* bytes of the buffer that are not in the file yet */
} fn_spill;

/* A file in folder (which lives as long as the spill), taken out of it at once. FN_E_IO. */
FN_NODISCARD fn_status fn_spill_open(fn_spill *spill_out, const char *folder, fn_err *err);
void fn_spill_close(fn_spill *spill);
/* FN_E_IO names the folder: "DIR: temporary file: No space left on device". */
FN_NODISCARD fn_status fn_spill_append(fn_spill *spill, const void *data, size_t length, fn_err *err);
/* Needed before what was appended last can be read. */
FN_NODISCARD fn_status fn_spill_flush(fn_spill *spill, fn_err *err);
/* Bytes [offset, offset + length), all of them appended and flushed before. */
FN_NODISCARD fn_status fn_spill_read(const fn_spill *spill, uint64_t offset, void *data, size_t length, fn_err *err);
/* Writes length bytes at an offset given by the caller, beside appends: for several threads with places of their own.
 * `size` is not changed. */
FN_NODISCARD fn_status fn_spill_write_at(const fn_spill *spill, uint64_t offset, const void *data, size_t length,
                                         fn_err *err);

/* Reading from the begin on, item by item. */
typedef struct fn_spill_cursor {
  const fn_spill *spill;
  uint64_t offset, end; /* of what is not in the buffer yet */
  unsigned char *buffer;
  size_t at, filled, capacity;
} fn_spill_cursor;
/* Reads [offset, offset + length) through a buffer of `capacity` bytes. Release with deinit. */
FN_NODISCARD fn_status fn_spill_cursor_init(fn_spill_cursor *cursor_out, const fn_spill *spill, uint64_t offset,
                                            uint64_t length, size_t capacity, fn_err *err);
void fn_spill_cursor_deinit(fn_spill_cursor *cursor);
/* The next `length` bytes (at most the capacity), or *more_out = false at the end. The view is valid until the next
 * call. */
FN_NODISCARD fn_status fn_spill_next(const void **item_out, bool *more_out, fn_spill_cursor *cursor, size_t length,
                                     fn_err *err);

#endif
