/* For clang-tidy's analyzer, which sees one source file at a time: the functions that set an error return what they
 * were given, never FN_OK. Without that it follows paths on which a failed call went unnoticed. Included by
 * tools/tidy.sh. */
#include "base/status.h"

#define fn_err_set(err, status, ...)    ((void)(fn_err_set)(err, status, __VA_ARGS__), (status))
#define fn_err_prefix(err, status, ...) ((void)(fn_err_prefix)(err, status, __VA_ARGS__), (status))
#define fn_err_errno(err, number, ...)  ((void)(fn_err_errno)(err, number, __VA_ARGS__), FN_E_IO)
#define fn_err_no_memory(err, what)     ((void)(fn_err_no_memory)(err, what), FN_E_NO_MEMORY)
