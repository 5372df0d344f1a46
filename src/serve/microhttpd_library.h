/* libmicrohttpd, loaded at first use: with GnuTLS behind it it costs 2 ms that no other verb should pay for.
 * Internal to src/serve. */
#ifndef FN_SERVE_MICROHTTPD_LIBRARY_H
#define FN_SERVE_MICROHTTPD_LIBRARY_H

#include "base/base.h"

#include <microhttpd.h>

/* X(name): MHD_name is the member `name`. */
#define FN_MICROHTTPD_FUNCTIONS(X)                                                                                     \
  X(start_daemon)                                                                                                      \
  X(quiesce_daemon)                                                                                                    \
  X(stop_daemon)                                                                                                       \
  X(get_daemon_info)                                                                                                   \
  X(get_connection_info)                                                                                               \
  X(get_connection_values)                                                                                             \
  X(get_connection_values_n)                                                                                           \
  X(suspend_connection)                                                                                                \
  X(resume_connection)                                                                                                 \
  X(queue_response)                                                                                                    \
  X(create_response_from_buffer_with_free_callback)                                                                    \
  X(create_response_from_fd64)                                                                                         \
  X(add_response_header)                                                                                               \
  X(destroy_response)                                                                                                  \
  X(is_feature_supported)                                                                                              \
  X(get_version)

typedef struct fn_microhttpd {
#define FN_MICROHTTPD_MEMBER(name) __typeof__(MHD_##name) *name;
  FN_MICROHTTPD_FUNCTIONS(FN_MICROHTTPD_MEMBER)
#undef FN_MICROHTTPD_MEMBER
} fn_microhttpd;

/* Thread-safe. FN_E_UNSUPPORTED when it is not there. */
FN_NODISCARD fn_status fn_microhttpd_get(const fn_microhttpd **library_out, fn_err *err);

#endif
