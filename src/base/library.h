/* Shared libraries that are loaded at first use instead of being linked (docs/decisions/0003, 0010). */
#ifndef FN_BASE_LIBRARY_H
#define FN_BASE_LIBRARY_H

#include "base/status.h"

#include <stddef.h>

/* One function of the library, and where its pointer goes in the caller's struct. */
typedef struct fn_symbol {
  const char *name;
  size_t offset;
} fn_symbol;

/* Loads the first of `names` (ends with NULL) that is there, and fills the function pointers of *functions_out. It
 * stays loaded until the process ends. FN_E_UNSUPPORTED names the library and `package`, the Debian package that holds
 * it; the struct is then untouched. Call it once per library (pthread_once). */
FN_NODISCARD fn_status fn_library_load(void *functions_out, const char *const *names, const fn_symbol *symbols,
                                       size_t n_symbols, const char *package, fn_err *err);

#endif
