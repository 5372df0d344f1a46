/* Private to src/monitor: rows that wait for their database, in a file. Each append is on the disk when it returns.
 *
 * File, integers as the machine has them: "FNSPOOL1"; then for each record its length (u32), four zero bytes, its
 * checksum (u64, XXH3-64 with the record's place in the file as seed), and its bytes. Reading ends at the first record
 * that is not whole: an append that was cut off by a crash, and that nobody was told of as done. */
#ifndef FN_MONITOR_SPOOL_H
#define FN_MONITOR_SPOOL_H

#include "base/base.h"

/* Used by any number of threads at once. */
typedef struct fn_spool fn_spool;

/* Opens spool-<k>.fns in folder, k the first that no other process holds, and takes what is in it. max_bytes bounds the
 * file. FN_E_IO. */
FN_NODISCARD fn_status fn_spool_open(fn_spool **spool_out, const char *folder, uint64_t max_bytes, fn_err *err);
/* An empty file is removed. */
void fn_spool_close(fn_spool *spool);
/* All records (length-prefixed, u32, one after the other in bytes), or none: FN_E_LIMIT: full; FN_E_IO. */
FN_NODISCARD fn_status fn_spool_append(fn_spool *spool, fn_str records, fn_err *err);
/* Bytes that are not replayed yet; 0: empty. */
uint64_t fn_spool_bytes(fn_spool *spool);
uint64_t fn_spool_max_bytes(const fn_spool *spool);

/* The next records, at most max_bytes of them (one at least), appended to *out as above; *more is false when there are
 * none. They stay until fn_spool_advance says that they are done with; then the file shrinks when all are. */
FN_NODISCARD fn_status fn_spool_read(fn_buf *out, bool *more, fn_spool *spool, size_t max_bytes, fn_err *err);
/* A file that is damaged gives what stands before the damage, then FN_E_INVALID. This puts it aside under another name,
 * spool.damaged-<Unix ms>, and begins a new one; *n_lost: records that were in it and not done with. */
FN_NODISCARD fn_status fn_spool_set_aside(uint64_t *n_lost, fn_spool *spool, fn_err *err);
FN_NODISCARD fn_status fn_spool_advance(fn_spool *spool, fn_err *err);

/* Calls see for every record that is not done with; false ends it. */
FN_NODISCARD fn_status fn_spool_each(fn_spool *spool, bool (*see)(void *arg, fn_str record), void *arg, fn_err *err);

/* Takes over the file of a process that is gone, when ours is empty: *taken_out. */
FN_NODISCARD fn_status fn_spool_adopt(bool *taken_out, fn_spool *spool, fn_err *err);

/* Length of the whole records of such a file, its head included; 0: not such a file. see may be NULL. */
uint64_t fn_spool_scan(fn_str file, bool (*see)(void *arg, fn_str record), void *arg);

#endif
