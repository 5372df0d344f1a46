/* libcurl, loaded at first use: with what it needs it is 12 MB that no other verb should pay for. Internal to src/net.
 */
#ifndef FN_NET_CURL_LIBRARY_H
#define FN_NET_CURL_LIBRARY_H

#include "base/base.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

/* X(name): curl_name of libcurl is the member `name`. */
#define FN_CURL_FUNCTIONS(X)                                                                                           \
  X(global_init)                                                                                                       \
  X(easy_init)                                                                                                         \
  X(easy_reset)                                                                                                        \
  X(easy_cleanup)                                                                                                      \
  X(easy_setopt)                                                                                                       \
  X(easy_getinfo)                                                                                                      \
  X(easy_perform)                                                                                                      \
  X(easy_strerror)                                                                                                     \
  X(slist_append)                                                                                                      \
  X(slist_free_all)                                                                                                    \
  X(url)                                                                                                               \
  X(url_cleanup)                                                                                                       \
  X(url_set)                                                                                                           \
  X(url_get)                                                                                                           \
  X(free)

typedef struct fn_curl {
#define FN_CURL_MEMBER(name) __typeof__(curl_##name) *name;
  FN_CURL_FUNCTIONS(FN_CURL_MEMBER)
#undef FN_CURL_MEMBER
} fn_curl;

/* Thread-safe. FN_E_UNSUPPORTED when libcurl is not there. */
FN_NODISCARD fn_status fn_curl_get(const fn_curl **curl_out, fn_err *err);

#endif
