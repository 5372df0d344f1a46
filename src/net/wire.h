/* What every request over libcurl shares: its options, which failures may pass, where a redirect may lead. Internal to
 * src/net. */
#ifndef FN_NET_WIRE_H
#define FN_NET_WIRE_H

#include "net/curl_library.h"
#include "net/http.h"

struct fn_http {
  const fn_curl *curl;
  const fn_net_options *options;
  CURL *easy;
  char *agent;
};

/* Sets one option; needs `curl`, `easy` and `code`, where the first failure stays. */
#define FN_WIRE_SET(option, value)                                                                                     \
  do {                                                                                                                 \
    if (code == CURLE_OK) code = curl->easy_setopt(easy, option, value);                                               \
  } while (0)

/* Address, time limits, proxy, certificates, agent; credentials NULL: none. direct: no proxy, whatever the settings
 * say. Callbacks, method and headers are the caller's. */
CURLcode fn_wire_set(fn_http *http, const fn_url *url, const fn_http_credentials *credentials, bool direct);

/* What libcurl calls with arg: for a line of the head, for a piece of the body, and about once a second. */
CURLcode fn_wire_listen(fn_http *http, size_t (*on_header)(char *, size_t, size_t, void *),
                        size_t (*on_body)(char *, size_t, size_t, void *),
                        int (*on_tick)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t), void *arg);
/* Runs the request, unless code says that setting it up failed; headers are released. detail: libcurl's words. */
CURLcode fn_wire_perform(fn_http *http, CURLcode code, struct curl_slist *headers, char detail[CURL_ERROR_SIZE]);

/* Whether a server that answered so may answer otherwise next time: 408, 425, 429 and most of 5xx. */
bool fn_wire_passing(int status);
bool fn_wire_is_redirect(int status);
/* What the last answer's Retry-After asked for, in seconds; 0: nothing. */
double fn_wire_retry_after(fn_http *http);

/* FN_E_INVALID when credentials would travel in the clear: http:// to another machine that net.insecure_hosts does not
 * name. */
FN_NODISCARD fn_status fn_wire_check_plain(const fn_url *url, const fn_net_options *options, fn_err *err);

typedef struct fn_wire_failure {
  CURLcode code;
  const char *detail; /* libcurl's text; "" when it has none */
  const fn_url *url;
  bool hide_query;   /* what follows '?' may be a key: not shown */
  bool answered;     /* the head had come */
  const char *limit; /* what a limit on the whole time is called; NULL: there was none */
} fn_wire_failure;
/* The error of a request that did not succeed; outputs as in fn_http_result. */
FN_NODISCARD fn_status fn_wire_failed(bool *retry_out, bool *unresolved_out, const fn_http *http,
                                      const fn_wire_failure *failure, fn_err *err);
/* Where the last answer's redirect leads; refused when it leaves http(s), or https for http. */
FN_NODISCARD fn_status fn_wire_redirect(fn_url *next_out, fn_http *http, const fn_url *from, int status, fn_err *err);

#endif
