/* One GET with its redirects, over libcurl. What makes a download robust – retries, resume – stands in download.c. */
#ifndef FN_NET_HTTP_H
#define FN_NET_HTTP_H

#include "net/head.h"
#include "net/options.h"

typedef struct fn_http fn_http; /* keeps connections; used by one thread */

typedef struct fn_http_credentials {
  const char *user, *password; /* HTTP basic; NULL: none */
  const char *bearer;          /* a token instead; NULL: none */
} fn_http_credentials;

typedef struct fn_http_request {
  const fn_url *url;
  fn_http_credentials credentials; /* sent to url's own host only, and no longer after a redirect to another one */
  uint64_t offset;                 /* bytes to leave out at the front; 0: none */
  const char *validator;           /* with an offset: sent as If-Range; NULL: none */
  /* Called once with the head of a 200 or 206 answer, before its body; another status than FN_OK ends the request. */
  fn_status (*begin)(void *arg, const fn_http_head *head, fn_err *err);
  /* Called with each piece of the body of such an answer, as it came over the wire: no content encoding is undone. */
  fn_status (*body)(void *arg, const void *data, size_t length, fn_err *err);
  /* Called about once a second, and with each piece; false cancels. */
  bool (*tick)(void *arg);
  void *arg;
} fn_http_request;

typedef struct fn_http_result {
  fn_http_head head;
  double retry_after_s; /* what the server asked for; 0: nothing */
  bool retry;           /* the request failed, on the way or at the server, in a way that may be gone next time */
  bool unresolved;      /* no address was found for the host */
} fn_http_result;

/* agent: User-Agent header. options outlives the client. */
FN_NODISCARD fn_status fn_http_create(fn_http **http_out, const fn_net_options *options, const char *agent,
                                      fn_err *err);
void fn_http_destroy(fn_http *http);
/* Forgets connections and addresses. */
FN_NODISCARD fn_status fn_http_renew(fn_http *http, fn_err *err);

/* FN_OK: an answer came, whatever its status, and its body came as a whole. *result_out is filled on failure too.
 * FN_E_IO: it did not come (result_out->retry says whether another attempt may help), more redirects than allowed;
 * FN_E_INVALID: a redirect that is refused; FN_E_CANCELLED by tick; what begin and body returned. */
FN_NODISCARD fn_status fn_http_get(fn_http_result *result_out, fn_http *http, const fn_http_request *request,
                                   fn_err *err);

#endif
