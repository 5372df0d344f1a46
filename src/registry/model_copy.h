/* Copies of models in a cache folder: each a file or folder that appears by rename when it is whole, with its seal
 * beside it, "PATH.checked", which lists every file with its SHA-256 and with size, times and inode of when that was
 * computed. A copy is used only when it is what was sealed: a file whose size, times or inode differ is hashed again.
 */
#ifndef FN_REGISTRY_MODEL_COPY_H
#define FN_REGISTRY_MODEL_COPY_H

#include "base/base.h"

/* Whether there is a copy, and it is what was sealed. It then counts as used now. */
FN_NODISCARD fn_status fn_copy_check(bool *whole_out, const char *path, fn_err *err);

/* Puts a file or folder at `target`, which is new. */
typedef fn_status (*fn_copy_get)(void *arg, const char *target, fn_err *err);
/* Makes a copy anew; what is there is removed. Another process may be faster: then its copy stays. */
FN_NODISCARD fn_status fn_copy_make(const char *path, fn_copy_get get, void *arg, fn_err *err);

enum { FN_COPY_DAYS = 14 };
/* Removes folders of copies below `parent` that were not used for FN_COPY_DAYS and that no link there names, and what
 * processes that were killed left a day ago. What cannot be removed stays. */
void fn_copy_tidy(const char *parent);

#endif
