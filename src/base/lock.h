/* Locks between processes: flock on a file or folder. They end with the process, however it ends. */
#ifndef FN_BASE_LOCK_H
#define FN_BASE_LOCK_H

#include "base/status.h"

#include <stdbool.h>
#include <sys/types.h>

/* Opens a path and takes its lock without waiting: *fd_out, for close to release. flags, mode: of open (O_CLOEXEC is
 * added). *fd_out = -1 with FN_OK: another has it, or it is not there and flags make none. What is locked then stands
 * under the name: it may have been removed between the two. Other threads of the process count as others. */
FN_NODISCARD fn_status fn_lock_open(int *fd_out, const char *path, int flags, mode_t mode, fn_err *err);
/* Whether an open file is the one that stands under a path. */
bool fn_lock_is_named(int fd, const char *path);

#endif
