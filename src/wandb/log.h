/* The file run-<id>.wandb that the wandb package reads (its "transaction log", store version 0): 7 bytes of head, then
 * records framed as LevelDB's log does in blocks of 32,768 bytes counted from the file's beginning, but with plain
 * CRC-32 over type and data. Source: wandb/core/internal/transactionlog and leveldb of the wandb package.
 *
 * A file that ends anywhere loses the record it ends in and no other. */
#ifndef FN_WANDB_LOG_H
#define FN_WANDB_LOG_H

#include "base/base.h"

enum { FN_WANDB_BLOCK = 32768, FN_WANDB_HEAD = 7 };

typedef struct fn_wandb_log fn_wandb_log; /* used by one thread at a time */

/* Makes the file, which must not be there. */
FN_NODISCARD fn_status fn_wandb_log_create(fn_wandb_log **log_out, const char *path, fn_err *err);
/* Frames a record; it is on its way to the disk after the next flush. */
void fn_wandb_log_add(fn_wandb_log *log, fn_str record);
/* Writes what was added. FN_E_IO: none of it counts, and the next flush tries all of it again. */
FN_NODISCARD fn_status fn_wandb_log_flush(fn_wandb_log *log, fn_err *err);
/* Flushes to the disk itself and closes. NULL is fine. */
FN_NODISCARD fn_status fn_wandb_log_close(fn_wandb_log *log, fn_err *err);

#endif
